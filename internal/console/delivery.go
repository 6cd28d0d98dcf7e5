package console

import (
	"errors"
	"html/template"
	"strconv"

	"github.com/specterd/specterd/internal/event"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/webhook"
)

// deliveryPage shows a delivery with all its attempts.
type deliveryPage struct {
	Webhook  webhookRow
	Delivery webhook.Delivery
	Wallet   string // name of the event's wallet; empty for an event of the user
	Body     string // of the message; empty if the event cannot be read
	Attempts []webhook.Attempt
	Form     form
}

// Path returns the path of the page.
func (p deliveryPage) Path() string { return p.Webhook.Path("deliveries", p.Delivery.ID) }

func (c *call) showDelivery() error { return c.renderDelivery(c.newForm(nil)) }

func (c *call) renderDelivery(f form) error {
	row, err := c.findWebhook()
	if err != nil {
		return err
	}
	p := deliveryPage{Webhook: row, Form: f}
	p.Delivery, p.Attempts, err = c.Webhooks.Delivery(c.r.Context(), c.who, row.ID, c.param("delivery"))
	if err != nil {
		return missing(err, webhook.ErrDeliveryNotFound)
	}
	names, err := c.walletNames()
	if err != nil {
		return err
	}
	p.Wallet = names[p.Delivery.WalletID]
	if p.Body, err = c.messageOf(p.Delivery); err != nil {
		return err
	}
	return c.renderForm(f, "delivery", string(p.Delivery.Kind), p)
}

// messageOf returns the body of the message of a delivery, if the caller may see the event and it
// still exists. Events of the user have no number by which they could be found.
func (c *call) messageOf(d webhook.Delivery) (string, error) {
	if d.WalletID == "" {
		return "", nil
	}
	q := event.Query{WalletID: d.WalletID, After: strconv.FormatInt(d.N-1, 10), Limit: 1}
	page, err := c.Events.Wait(c.r.Context(), c.who, q, 0, func() {})
	if _, ok := errors.AsType[*fault.Error](err); ok {
		return "", nil
	}
	if err != nil || len(page.Events) == 0 || webhook.DeliveryID(d.WebhookID, page.Events[0].Event) != d.ID {
		return "", err
	}
	return string(page.Events[0].Payload()), nil
}

func (c *call) redeliver() error {
	d, err := c.Webhooks.Redeliver(c.r.Context(), c.who, c.param("id"), c.param("delivery"))
	if err == nil {
		return c.redirect("/webhooks/"+d.WebhookID+"/deliveries/"+d.ID, "redelivered")
	}
	f, err := again(missing(missing(err, webhook.ErrNotFound), webhook.ErrDeliveryNotFound))
	if err != nil {
		return err
	}
	return c.renderDelivery(c.newForm(f))
}

// deliveryBadges are the statuses of deliveries as badges.
var deliveryBadges = map[webhook.Status]state{
	webhook.Pending:   {"warn", "clock", "Pending"},
	webhook.Delivered: {"ok", "check", "Delivered"},
	webhook.Failed:    {"bad", "x", "Failed"},
	webhook.Skipped:   {"", "stop", "Skipped"},
}

func (l *look) deliveryBadge(s webhook.Status) template.HTML {
	b := deliveryBadges[s]
	return l.badge(b.Kind, b.Icon, b.Text)
}

// skipReasons are the reasons for which a delivery was skipped, in words.
var skipReasons = map[string]string{
	webhook.NotVisible:   "You may not see the event any more.",
	webhook.EventDeleted: "The event was deleted.",
	webhook.AtRestore:    "The database was restored; the event may have been sent before.",
}

func (l *look) skipReason(reason string) string { return l.T(skipReasons[reason]) }
