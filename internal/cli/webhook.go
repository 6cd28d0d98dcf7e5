package cli

import (
	"cmp"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/specterd/specterd/internal/app"
	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/config"
	"github.com/specterd/specterd/internal/egress"
	v1 "github.com/specterd/specterd/internal/httpapi/v1"
	"github.com/specterd/specterd/internal/webhook"
)

func (p *program) webhookCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "webhook", Short: "Manage webhooks and their deliveries",
		Long: `Manage webhooks and their deliveries.

Messages are sent by the server. It finds new deliveries within a second.`,
	}
	addDataFlags(cmd.PersistentFlags())
	config.AddFlags(cmd.PersistentFlags(), "webhook-private", "webhook-hosts", "webhook-socks")
	cmd.AddCommand(
		p.webhookListCommand(), p.webhookCreateCommand(), p.webhookShowCommand(), p.webhookTestCommand(),
		p.webhookDeliveriesCommand(), p.webhookRedeliverCommand(), p.webhookRecoverCommand(), p.webhookRotateCommand(),
		p.webhookSwitchCommand("enable", "Enable a webhook and send the events that wait", true),
		p.webhookSwitchCommand("disable", "Disable a webhook", false),
		p.webhookDeleteCommand(),
	)
	return cmd
}

// withWebhook returns a function that opens the database and calls do with the service and
// the principal of the operator on behalf of the user of the webhook args[0].
func (p *program) withWebhook(do func(cmd *cobra.Command, s *webhook.Service, who *auth.Principal, args []string) error) func(*cobra.Command, []string) error {
	return p.withApp(func(cmd *cobra.Command, a *app.App, args []string) error {
		who := operator()
		var err error
		if who.UserID, err = a.Store.OwnerOfWebhook(cmd.Context(), args[0]); err != nil {
			return fmt.Errorf("webhook %s not found; \"specterd webhook list\" shows the ids", args[0])
		}
		return do(cmd, a.Webhooks(func() {}), who, args)
	})
}

func (p *program) webhookListCommand() *cobra.Command {
	var userName string
	cmd := &cobra.Command{
		Use: "list", Short: "List the webhooks of all users", Args: cobra.NoArgs,
		RunE: p.withApp(func(cmd *cobra.Command, a *app.App, _ []string) error {
			if userName != "" {
				if _, err := userNamed(cmd.Context(), a, userName); err != nil {
					return err
				}
			}
			webhooks, owners, err := a.Store.AllWebhooks(cmd.Context(), userName)
			if err != nil {
				return err
			}
			owned := make([]ownedWebhook, len(webhooks))
			for i, hook := range webhooks {
				owned[i] = ownedWebhook{hook, owners[i]}
			}
			return printRows(
				p, cmd, owned, func(w ownedWebhook) any { return v1.ShowWebhookOf(w.Webhook, w.user) },
				col("ID", func(w ownedWebhook) string { return w.ID }),
				col("USER", func(w ownedWebhook) string { return w.user }),
				col("DESCRIPTION", func(w ownedWebhook) string { return w.Description }),
				col("HOST", func(w ownedWebhook) string { return w.Host() }),
				col("STATUS", func(w ownedWebhook) string { return webhookStatus(w.Webhook) }),
			)
		}),
	}
	cmd.Flags().StringVar(&userName, "user", "", "only webhooks of this user")
	return addJSON(cmd)
}

// ownedWebhook is a webhook with the name of its user.
type ownedWebhook struct {
	webhook.Webhook
	user string
}

func webhookStatus(w webhook.Webhook) string {
	switch {
	case !w.Active():
		return fmt.Sprintf("disabled %s: %s", w.DisabledAt.UTC().Format(timeLayout), w.Reason)
	case !w.FailingSince.IsZero():
		return "active, failing since " + w.FailingSince.UTC().Format(timeLayout)
	}
	return "active"
}

func (p *program) webhookCreateCommand() *cobra.Command {
	params := webhook.Params{}
	order := string(webhook.OrderWallet)
	cmd := &cobra.Command{
		Use: "create USER URL", Short: "Create a webhook for a user and print its secret", Args: cobra.ExactArgs(2),
		Example: "  specterd webhook create alice https://shop.example/hook --description shop --kinds transaction",
		RunE: p.withApp(func(cmd *cobra.Command, a *app.App, args []string) error {
			u, err := userNamed(cmd.Context(), a, args[0])
			if err != nil {
				return err
			}
			if err := errors.Join(checkKinds(params.Kinds), checkWallets(cmd.Context(), a, u, "--wallets", params.Wallets)); err != nil {
				return err
			}
			who := operator()
			who.UserID = u.ID
			params.URL, params.Order = args[1], webhook.Order(order)
			w, secret, err := a.Webhooks(func() {}).Create(cmd.Context(), who, params)
			if err != nil {
				return err
			}
			if wantsJSON(cmd) {
				return p.printJSON(v1.ShowNewWebhook(w, secret.Key))
			}
			fmt.Fprintf(p.stdout, "Created %s.\nSecret: %s\nIt is not shown again.\n", w.ID, secret.Key)
			return nil
		}),
	}
	cmd.Flags().StringVar(&params.Description, "description", "webhook", "what it is for; unique among the webhooks of the user")
	cmd.Flags().StringSliceVar(&params.Wallets, "wallets", nil, "aliases of the only wallets whose events are sent (default all)")
	cmd.Flags().StringSliceVar(&params.Kinds, "kinds", nil, "kinds and groups of kinds that are sent, such as transaction,proposal.signed (default all); docs/events.md lists them")
	cmd.Flags().StringVar(&order, "order", order, "order of delivery: wallet or none")
	return addJSON(cmd)
}

func (p *program) webhookShowCommand() *cobra.Command {
	return addJSON(&cobra.Command{
		Use: "show ID", Short: "Show a webhook", Args: cobra.ExactArgs(1),
		RunE: p.withWebhook(func(cmd *cobra.Command, s *webhook.Service, who *auth.Principal, args []string) error {
			w, err := s.Get(cmd.Context(), who, args[0])
			if err != nil {
				return err
			}
			if wantsJSON(cmd) {
				return p.printJSON(v1.ShowWebhook(w))
			}
			wallets, kinds := "all", "all"
			if w.Wallets != nil {
				wallets = strings.Join(w.Aliases, ", ")
			}
			if w.Kinds != nil {
				kinds = strings.Join(w.Kinds, ", ")
			}
			out := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
			fmt.Fprintf(out, "ID:\t%s\nDescription:\t%s\nURL:\t%s\nStatus:\t%s\nWallets:\t%s\nKinds:\t%s\nOrder:\t%s\nScopes:\t%s\nToken:\t%s\nCreated:\t%s\n",
				w.ID, w.Description, w.URL, webhookStatus(w), wallets, kinds, w.Order, w.Scopes, cmp.Or(w.TokenID, "none"), w.CreatedAt.UTC().Format(timeLayout))
			return out.Flush()
		}),
	})
}

func (p *program) webhookTestCommand() *cobra.Command {
	return addJSON(&cobra.Command{
		Use: "test ID", Short: "Send a test message and print the response", Args: cobra.ExactArgs(1),
		RunE: p.withWebhook(func(cmd *cobra.Command, s *webhook.Service, who *auth.Principal, args []string) error {
			r, err := s.Test(cmd.Context(), who, args[0])
			if err != nil {
				return err
			}
			if wantsJSON(cmd) {
				err = p.printJSON(v1.ShowAttempt(r))
			}
			if r.Status/100 != 2 {
				return fmt.Errorf("the receiver did not accept the message: %s", resultOf(r))
			}
			if !wantsJSON(cmd) {
				fmt.Fprintf(p.stdout, "%s after %s\n", resultOf(r), r.Took.Round(time.Millisecond))
			}
			return err
		}),
	})
}

// resultOf describes the result of an attempt in a few words.
func resultOf(r egress.Result) string {
	if r.Status == 0 {
		return "no response: " + r.Problem
	}
	return fmt.Sprintf("status %d %s", r.Status, r.Excerpt)
}

func (p *program) webhookDeliveriesCommand() *cobra.Command {
	var status string
	var limit int
	cmd := &cobra.Command{
		Use: "deliveries ID", Short: "List deliveries of a webhook, the latest event first", Args: cobra.ExactArgs(1),
		RunE: p.withWebhook(func(cmd *cobra.Command, s *webhook.Service, who *auth.Principal, args []string) error {
			if limit < 1 {
				return errUsage("--limit must be 1 or more")
			}
			deliveries, err := s.Deliveries(cmd.Context(), who, args[0], webhook.Status(status), "", limit)
			if err != nil {
				return err
			}
			return printRows(
				p, cmd, deliveries, v1.ShowDelivery,
				col("ID", func(d webhook.Delivery) string { return d.ID }),
				col("EVENT", func(d webhook.Delivery) string { return string(d.Kind) }),
				col("TIME", func(d webhook.Delivery) string { return d.EventAt.UTC().Format(time.RFC3339) }),
				col("STATUS", func(d webhook.Delivery) string { return string(d.Status) }),
				column[webhook.Delivery]{"ATTEMPTS", func(d webhook.Delivery) string { return strconv.Itoa(d.Attempts) }, true},
				col("DETAIL", deliveryDetail),
			)
		}),
	}
	cmd.Flags().StringVar(&status, "status", "", "only deliveries with this status: pending, delivered, failed or skipped")
	cmd.Flags().IntVar(&limit, "limit", 100, "maximum number of deliveries, 1 or more")
	return addJSON(cmd)
}

func deliveryDetail(d webhook.Delivery) string {
	switch {
	case d.Behind != "":
		return fmt.Sprintf("waiting behind %s since %s", d.Behind, d.BehindSince.UTC().Format(time.RFC3339))
	case d.Reason != "":
		return d.Reason
	case d.Last == nil:
		return ""
	case !d.Last.Ended:
		return "attempt in progress or interrupted"
	case !d.NextAt.IsZero():
		return resultOf(d.Last.Result) + "; next attempt " + d.NextAt.UTC().Format(time.RFC3339)
	}
	return resultOf(d.Last.Result)
}

func (p *program) webhookRedeliverCommand() *cobra.Command {
	return &cobra.Command{
		Use: "redeliver ID DELIVERY", Short: "Send the event of a delivery again", Args: cobra.ExactArgs(2),
		RunE: p.withWebhook(func(cmd *cobra.Command, s *webhook.Service, who *auth.Principal, args []string) error {
			_, err := s.Redeliver(cmd.Context(), who, args[0], args[1])
			if errors.Is(err, webhook.ErrDeliveryNotFound) {
				return fmt.Errorf("delivery %q not found; \"specterd webhook deliveries %s\" lists the deliveries of the last 30 days", args[1], args[0])
			}
			if err != nil {
				return err
			}
			fmt.Fprintf(p.stdout, "The server sends %s again.\n", args[1])
			return nil
		}),
	}
}

func (p *program) webhookRecoverCommand() *cobra.Command {
	var since string
	cmd := &cobra.Command{
		Use: "recover ID", Short: "Send all undelivered events since a time again", Args: cobra.ExactArgs(1),
		Example: "  specterd webhook recover ID --since 2026-11-29T08:00:00Z",
		RunE: p.withWebhook(func(cmd *cobra.Command, s *webhook.Service, who *auth.Principal, args []string) error {
			at, err := time.Parse(time.RFC3339, since)
			if err != nil {
				return fmt.Errorf("--since must be a time such as 2026-11-29T08:00:00Z")
			}
			n, err := s.Recover(cmd.Context(), who, args[0], at)
			if err != nil {
				return err
			}
			fmt.Fprintf(p.stdout, "The server sends again what had failed or was skipped (%d), and events without a delivery.\n", n)
			return nil
		}),
	}
	cmd.Flags().StringVar(&since, "since", "", "time of the first event, at most 30 days ago")
	_ = cmd.MarkFlagRequired("since")
	return cmd
}

func (p *program) webhookRotateCommand() *cobra.Command {
	gracePeriod := "24h"
	cmd := &cobra.Command{
		Use: "rotate ID", Short: "Rotate the secret of a webhook and print the new one", Args: cobra.ExactArgs(1),
		RunE: p.withWebhook(func(cmd *cobra.Command, s *webhook.Service, who *auth.Principal, args []string) error {
			period, err := auth.ParseGracePeriod(gracePeriod)
			if err != nil {
				return err
			}
			w, secret, err := s.RotateSecret(cmd.Context(), who, args[0], period)
			if err != nil {
				return err
			}
			if wantsJSON(cmd) {
				return p.printJSON(v1.ShowNewWebhook(w, secret.Key))
			}
			fmt.Fprintf(p.stdout, "Secret: %s\nIt is not shown again.\n", secret.Key)
			return nil
		}),
	}
	cmd.Flags().StringVar(&gracePeriod, "grace-period", gracePeriod, "how long messages are also signed with the current secret")
	return addJSON(cmd)
}

func (p *program) webhookSwitchCommand(verb, short string, enabled bool) *cobra.Command {
	return addJSON(&cobra.Command{
		Use: verb + " ID", Short: short, Args: cobra.ExactArgs(1),
		RunE: p.withWebhook(func(cmd *cobra.Command, s *webhook.Service, who *auth.Principal, args []string) error {
			w, err := s.Get(cmd.Context(), who, args[0])
			if err != nil {
				return err
			}
			unchanged := w.Active() == enabled
			if !unchanged {
				if w, err = s.Change(cmd.Context(), who, args[0], webhook.Change{Enabled: &enabled}); err != nil {
					return err
				}
			}
			switch {
			case wantsJSON(cmd):
				return p.printJSON(v1.ShowWebhook(w))
			case unchanged:
				fmt.Fprintf(p.stdout, "Webhook %s is %s already; nothing was changed.\n", w.ID, webhookStatus(w))
			default:
				fmt.Fprintf(p.stdout, "Webhook %s is %s.\n", w.ID, webhookStatus(w))
			}
			return nil
		}),
	})
}

func (p *program) webhookDeleteCommand() *cobra.Command {
	return addYes(&cobra.Command{
		Use: "delete ID", Short: "Delete a webhook and its deliveries", Args: cobra.ExactArgs(1),
		RunE: p.withWebhook(func(cmd *cobra.Command, s *webhook.Service, who *auth.Principal, args []string) error {
			w, err := s.Get(cmd.Context(), who, args[0])
			if err != nil {
				return err
			}
			if err := p.confirm(cmd, "Delete webhook %s to %s and its deliveries?", w.Description, w.Host()); err != nil {
				return err
			}
			if err := s.Delete(cmd.Context(), who, args[0]); err != nil {
				return err
			}
			fmt.Fprintf(p.stdout, "Deleted %s.\n", args[0])
			return nil
		}),
	})
}
