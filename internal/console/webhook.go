package console

import (
	"strings"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/egress"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/webhook"
)

var webhookRoutes = []route{
	{method: get, path: "/webhooks", audience: users, handle: (*call).listWebhooks},
	{method: post, path: "/webhooks", audience: users, proof: true, purpose: "To create a webhook, enter your password again.", handle: (*call).createWebhook},
	{method: get, path: "/webhooks/new", audience: users, handle: (*call).newWebhook},
	{method: get, path: "/webhooks/{id}", audience: users, handle: (*call).showWebhook},
	{method: get, path: "/webhooks/{id}/edit", audience: users, handle: (*call).editWebhook},
	{method: post, path: "/webhooks/{id}/edit", audience: users, proof: true, purpose: "To change the webhook, enter your password again.", handle: (*call).changeWebhook},
	{method: post, path: "/webhooks/{id}/status", audience: users, handle: (*call).changeWebhookStatus},
	{method: post, path: "/webhooks/{id}/test", audience: users, heavy: true, handle: (*call).testWebhook},
	{method: post, path: "/webhooks/{id}/secret", audience: users, proof: true, purpose: "To replace the secret of the webhook, enter your password again.", handle: (*call).rotateWebhookSecret},
	{method: post, path: "/webhooks/{id}/recover", audience: users, handle: (*call).recoverWebhook},
	{method: post, path: "/webhooks/{id}/delete", audience: users, handle: (*call).deleteWebhook},
	{method: get, path: "/webhooks/{id}/deliveries/{delivery}", audience: users, handle: (*call).showDelivery},
	{method: post, path: "/webhooks/{id}/deliveries/{delivery}/redeliver", audience: users, handle: (*call).redeliver},
}

var webhookNotices = map[string]string{
	"webhook-changed":  "The webhook is saved.",
	"webhook-enabled":  "The webhook is enabled. Waiting events are sent now.",
	"webhook-disabled": "The webhook is disabled. Events wait until you enable it.",
	"webhook-deleted":  "The webhook is deleted.",
	"redelivered":      "The event is sent again.",
	"recovered":        "Events that were not delivered are sent again.",
}

// webhooksAtOnce is the number of webhooks on a page.
const webhooksAtOnce = 50

// webhooksPage lists the user's webhooks.
type webhooksPage struct {
	Webhooks []webhookRow
	First    bool
	Next     string // path of the next page; empty on the last
}

// webhookRow is a webhook with its state.
type webhookRow struct {
	webhook.Webhook
	WalletNames []string
	State       state
	Reason      string // why it is disabled, in words
}

// Path returns the path of the webhook's page, or of a form on it.
func (w webhookRow) Path(parts ...string) string {
	return strings.Join(append([]string{"/webhooks", w.ID}, parts...), "/")
}

// Limited reports whether the webhook is limited to wallets.
func (w webhookRow) Limited() bool { return w.Wallets != nil }

// Enabled reports whether events are sent.
func (w webhookRow) Enabled() bool { return w.Active() }

// disabledReasons are the reasons for which a webhook is disabled, in words.
var disabledReasons = map[webhook.Reason]string{
	webhook.ByUser:        "It was disabled by you.",
	webhook.Failing:       "The receiver has accepted nothing for 5 days.",
	webhook.Gone:          "The receiver has responded that the address is gone (410).",
	webhook.TokenRevoked:  "The token that created it was revoked.",
	webhook.TokenExpired:  "The token that created it has expired.",
	webhook.UserDisabled:  "You were disabled.",
	webhook.AccessRevoked: "All your tokens were revoked, or your password was reset.",
	webhook.Restored:      "The database was restored from a backup. Rotate the secret, enable the webhook, and send missed events again.",
}

func (c *call) webhookRowOf(w webhook.Webhook, names map[string]string) webhookRow {
	row := webhookRow{Webhook: w, State: state{"ok", "check", "Active"}}
	for _, id := range w.Wallets {
		if name, ok := names[id]; ok {
			row.WalletNames = append(row.WalletNames, name)
		}
	}
	switch {
	case !w.Active():
		row.State, row.Reason = state{"", "stop", "Disabled"}, c.look.T(disabledReasons[w.Reason])
		if w.Reason != webhook.ByUser {
			row.State = state{"bad", "stop", "Disabled"}
		}
	case !w.FailingSince.IsZero():
		row.State = state{"warn", "warn", "Failing"}
	}
	return row
}

func (c *call) listWebhooks() error {
	after, err := afterOf(c.query("after"))
	if err != nil {
		return err
	}
	found, err := c.Webhooks.List(c.r.Context(), c.who, webhook.Cursor(after), webhooksAtOnce+1)
	if err != nil {
		return err
	}
	names, err := c.walletNames()
	if err != nil {
		return err
	}
	p := webhooksPage{First: c.query("after") == ""}
	if len(found) > webhooksAtOnce {
		found = found[:webhooksAtOnce]
		last := found[len(found)-1]
		p.Next = "/webhooks?after=" + afterText(last.CreatedAt, last.ID)
	}
	for _, w := range found {
		p.Webhooks = append(p.Webhooks, c.webhookRowOf(w, names))
	}
	return c.render("webhooks", c.look.T("Webhooks"), p)
}

// webhookPage shows a webhook and its deliveries.
type webhookPage struct {
	Webhook    webhookRow
	Token      *auth.Token // that created it; nil if it was created with a password
	Deliveries []webhook.Delivery
	Status     string // filter of the deliveries
	First      bool
	Next       string // path of the next page; empty on the last
	Test       *egress.Result
	Form       form
}

// state implements stateful.
func (p webhookPage) state() string {
	return stateOf(p.Webhook.ID, p.Webhook.Enabled(), p.Webhook.Reason, p.Webhook.FailingSince.IsZero())
}

// Statuses returns the statuses by which deliveries can be filtered.
func (p webhookPage) Statuses() []webhook.Status {
	return []webhook.Status{webhook.Pending, webhook.Delivered, webhook.Failed, webhook.Skipped}
}

func (c *call) showWebhook() error { return c.renderWebhook(c.newForm(nil), nil) }

// findWebhook returns the webhook of the page.
func (c *call) findWebhook() (webhookRow, error) {
	w, err := c.Webhooks.Get(c.r.Context(), c.who, c.param("id"))
	if err != nil {
		return webhookRow{}, missing(err, webhook.ErrNotFound)
	}
	names, err := c.walletNames()
	return c.webhookRowOf(w, names), err
}

// deliveriesAtOnce is the number of deliveries on a page.
const deliveriesAtOnce = 25

func (c *call) renderWebhook(f form, test *egress.Result) error {
	row, err := c.findWebhook()
	if err != nil {
		return err
	}
	p := webhookPage{Webhook: row, Status: c.query("status"), First: c.query("after") == "", Test: test, Form: f}
	if p.Token, err = c.relatedToken(c.r.Context(), row.TokenID); err != nil {
		return err
	}
	p.Deliveries, err = c.Webhooks.Deliveries(c.r.Context(), c.who, row.ID, webhook.Status(p.Status), c.query("after"), deliveriesAtOnce+1)
	if err != nil {
		return missing(err, webhook.ErrDeliveryNotFound)
	}
	if len(p.Deliveries) > deliveriesAtOnce {
		p.Deliveries = p.Deliveries[:deliveriesAtOnce]
		p.Next = row.Path() + "?after=" + p.Deliveries[deliveriesAtOnce-1].ID
		if p.Status != "" {
			p.Next += "&status=" + p.Status
		}
	}
	return c.renderForm(f, "webhook", row.Description, p)
}

// webhookAgain shows the page of the webhook with the problem of a form on it.
func (c *call) webhookAgain(err error) error {
	f, err := again(missing(err, webhook.ErrNotFound))
	if err != nil {
		return err
	}
	return c.renderWebhook(c.newForm(f), nil)
}

func (c *call) changeWebhookStatus() error {
	status := c.form.Get("status")
	if status != "enabled" && status != "disabled" {
		return c.webhookAgain(fault.InvalidField("status", "must be enabled or disabled"))
	}
	w, err := c.Webhooks.Change(c.r.Context(), c.who, c.param("id"), webhook.Change{Enabled: new(status == "enabled")})
	if err != nil {
		return c.webhookAgain(err)
	}
	return c.redirect("/webhooks/"+w.ID, "webhook-"+status)
}

// testWebhook sends a test message, and shows the response on the page.
func (c *call) testWebhook() error {
	r, err := c.Webhooks.Test(c.r.Context(), c.who, c.param("id"))
	if err != nil {
		return c.webhookAgain(err)
	}
	return c.renderWebhook(c.newForm(nil), &r)
}

// recoverWebhook sends events again that were not delivered, since a time that the form states as
// an age.
func (c *call) recoverWebhook() error {
	age, err := auth.ParseLifetime(c.duration("age"))
	if err != nil || age > webhook.KeepFor {
		return c.webhookAgain(fault.InvalidField("age", "must be at most 30 days"))
	}
	since := c.Now().Add(-age)
	if age == webhook.KeepFor {
		since = since.Add(time.Minute) // the service reads the clock later
	}
	if _, err := c.Webhooks.Recover(c.r.Context(), c.who, c.param("id"), since); err != nil {
		return c.webhookAgain(err)
	}
	return c.redirect("/webhooks/"+c.param("id"), "recovered")
}

func (c *call) deleteWebhook() error {
	if err := c.Webhooks.Delete(c.r.Context(), c.who, c.param("id")); err != nil {
		return missing(err, webhook.ErrNotFound)
	}
	return c.redirect("/webhooks", "webhook-deleted")
}

// webhookSecretPage has the secret of a webhook, once.
type webhookSecretPage struct {
	Webhook  webhookRow
	Secret   string
	OldUntil time.Time // until when messages are also signed with the previous secret; zero without one
}

func (c *call) showWebhookSecret(w webhook.Webhook, s webhook.Secret, oldUntil time.Time) error {
	names, err := c.walletNames()
	if err != nil {
		return err
	}
	return c.render("webhook-secret", c.look.T("Secret of the webhook"), webhookSecretPage{Webhook: c.webhookRowOf(w, names), Secret: s.Key, OldUntil: oldUntil})
}

func (c *call) rotateWebhookSecret() error {
	grace, err := auth.ParseGracePeriod(c.duration("grace"))
	if err != nil {
		return c.webhookAgain(fault.InvalidField("grace", "must be a duration such as 24 hours, or 0s"))
	}
	w, s, err := c.Webhooks.RotateSecret(c.r.Context(), c.who, c.param("id"), grace)
	if err != nil {
		return c.webhookAgain(err)
	}
	oldUntil := time.Time{}
	if grace > 0 {
		oldUntil = s.CreatedAt.Add(grace)
	}
	return c.showWebhookSecret(w, s, oldUntil)
}
