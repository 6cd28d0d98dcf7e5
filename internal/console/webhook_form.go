package console

import (
	"slices"
	"strings"

	"github.com/specterd/specterd/internal/event"
	"github.com/specterd/specterd/internal/wallet"
	"github.com/specterd/specterd/internal/webhook"
)

// webhookFormPage is the form for a new webhook, or for changes of one.
type webhookFormPage struct {
	Form    form
	Webhook *webhookRow // nil for a new one
	Kinds   []eventOption
	Wallets []wallet.View
}

// Action returns the path to which the form is sent.
func (p webhookFormPage) Action() string {
	if p.Webhook == nil {
		return "/webhooks"
	}
	return p.Webhook.Path("edit")
}

// Back returns the path of the page to which the user returns without changes.
func (p webhookFormPage) Back() string {
	if p.Webhook == nil {
		return "/webhooks"
	}
	return p.Webhook.Path()
}

// eventOption is a kind of events, or a group of kinds.
type eventOption struct{ Name, Title string }

// eventTitles are the groups of events in words, in the order of the form.
var eventTitles = []eventOption{
	{"transaction", "Payments: seen, confirmed, final, replaced"},
	{"proposal", "Proposals: created, signed, broadcast, confirmed"},
	{"spend", "Payments that are not proposals"},
	{"address", "Addresses: revealed, used"},
	{"utxo", "UTXOs: frozen, unfrozen"},
	{"wallet", "Wallets: created, renamed, synced"},
	{"rescan", "Rescans: started, finished"},
	{"member", "Members: added, changed, removed"},
	{"device", "Devices: renamed"},
	{"policy", "Spending policies: changed, changes requested"},
	{"token", "Your access tokens: created, expiring, revoked"},
	{"webhook", "Your webhooks: disabled, enabled"},
	{"node", "The node: up, behind, down, reorganizations"},
}

// eventOptions returns the groups that the caller may see, and the kinds of the form that are not
// groups.
func (c *call) eventOptions(f form) []eventOption {
	var out []eventOption
	for _, o := range eventTitles {
		if o.Name != "node" || c.who.Admin {
			out = append(out, o)
		}
	}
	for _, name := range f.values["kinds"] {
		if !slices.ContainsFunc(eventTitles, func(o eventOption) bool { return o.Name == name }) && slices.Contains(event.Kinds(), event.Kind(name)) {
			out = append(out, eventOption{name, name})
		}
	}
	return out
}

func (c *call) newWebhook() error {
	return c.renderWebhookForm(c.formWith("events", "all", "reach", "all", "order", string(webhook.OrderWallet)), nil)
}

// renderWebhookForm shows the form, which may be refused. Row is nil for a new webhook.
func (c *call) renderWebhookForm(f form, row *webhookRow) error {
	views, err := c.wallets()
	if err != nil {
		return err
	}
	p := webhookFormPage{Form: f, Webhook: row, Kinds: c.eventOptions(f), Wallets: views}
	title := c.look.T("Create webhook")
	if row != nil {
		title = c.look.T("Change webhook")
	}
	return c.renderForm(f, "webhook-form", title, p)
}

// webhookParams reads the form. A limit without any element is an empty list, which the service
// refuses or which selects no wallet.
func (c *call) webhookParams() webhook.Params {
	params := webhook.Params{
		Description: strings.TrimSpace(c.form.Get("description")), URL: strings.TrimSpace(c.form.Get("url")), Order: webhook.OrderWallet,
	}
	if c.form.Get("order") == string(webhook.OrderNone) {
		params.Order = webhook.OrderNone
	}
	if c.form.Get("events") == "only" {
		params.Kinds = append([]string{}, c.form["kinds"]...)
	}
	if c.form.Get("reach") == "only" {
		params.Wallets = append([]string{}, c.form["wallets"]...)
	}
	return params
}

func (c *call) createWebhook() error {
	w, secret, err := c.Webhooks.Create(c.r.Context(), c.who, c.webhookParams())
	if err != nil {
		f, err := again(err)
		if err != nil {
			return err
		}
		return c.renderWebhookForm(c.newForm(f), nil)
	}
	return c.showWebhookSecret(w, secret, secret.RetiresAt)
}

func (c *call) editWebhook() error {
	row, err := c.findWebhook()
	if err != nil {
		return err
	}
	f := c.formWith("description", row.Description, "url", row.URL, "order", string(row.Order), "events", "all", "reach", "all")
	if row.Kinds != nil {
		f.values.Set("events", "only")
		f.values["kinds"] = row.Kinds
	}
	if row.Limited() {
		f.values.Set("reach", "only")
		f.values["wallets"] = row.Aliases
	}
	return c.renderWebhookForm(f, &row)
}

func (c *call) changeWebhook() error {
	p := c.webhookParams()
	change := webhook.Change{Description: &p.Description, URL: &p.URL, Wallets: &p.Wallets, Kinds: &p.Kinds, Order: &p.Order}
	w, err := c.Webhooks.Change(c.r.Context(), c.who, c.param("id"), change)
	if err != nil {
		f, err := again(missing(err, webhook.ErrNotFound))
		if err != nil {
			return err
		}
		row, err := c.findWebhook()
		if err != nil {
			return err
		}
		return c.renderWebhookForm(c.newForm(f), &row)
	}
	return c.redirect("/webhooks/"+w.ID, "webhook-changed")
}
