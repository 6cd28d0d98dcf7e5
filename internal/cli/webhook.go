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

	api "github.com/specterd/specterd/api/v1"
	"github.com/specterd/specterd/client"
	"github.com/specterd/specterd/internal/app"
	"github.com/specterd/specterd/internal/config"
	"github.com/specterd/specterd/internal/fault"
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
	config.AddClientFlags(cmd.PersistentFlags())
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

// withWebhook returns a function that calls do with the API of the server that the settings name, or
// without one with the API in this process, on behalf of the user of the webhook args[0].
func (p *program) withWebhook(do func(cmd *cobra.Command, c *connection, args []string) error) func(*cobra.Command, []string) error {
	unknown := func(args []string) error {
		return fmt.Errorf("webhook %s not found; \"specterd webhook list\" shows the ids", args[0])
	}
	remote := func(cmd *cobra.Command, c *connection, args []string) error {
		err := do(cmd, c, args)
		if errors.Is(err, client.ErrWebhookNotFound) {
			return unknown(args)
		}
		return err
	}
	return p.withAnyUser(remote, func(cmd *cobra.Command, a *app.App, args []string) error {
		id, err := a.Store.OwnerOfWebhook(cmd.Context(), args[0])
		if err != nil {
			return unknown(args)
		}
		owner, err := a.Store.UserByID(cmd.Context(), id)
		if err != nil {
			return err
		}
		return p.onConnection(owner.Name, do)(cmd, a, args)
	})
}

// onConnection returns a function that calls do with the API in this process on behalf of a user.
func (p *program) onConnection(user string, do func(cmd *cobra.Command, c *connection, args []string) error) func(*cobra.Command, *app.App, []string) error {
	return p.onBehalf(&user, false, func(cmd *cobra.Command, d *walletCommands, args []string) error {
		c, err := d.connect()
		if err != nil {
			return err
		}
		return c.explain(do(cmd, c, args))
	})
}

func (p *program) webhookListCommand() *cobra.Command {
	var userName string
	cmd := &cobra.Command{
		Use: "list", Short: "List the webhooks of all users", Args: cobra.NoArgs,
		RunE: p.withAnyUser(func(cmd *cobra.Command, c *connection, _ []string) error {
			name, err := c.userName(cmd.Context())
			if err != nil {
				return err
			}
			webhooks, err := collect(c.ListWebhooks(cmd.Context(), &client.ListWebhooksParams{Limit: pageSize}))
			if err != nil {
				return err
			}
			owned := make([]ownedWebhook, len(webhooks))
			for i, hook := range webhooks {
				owned[i] = ownedWebhook{name, hook}
			}
			return p.printWebhooks(cmd, owned)
		}, func(cmd *cobra.Command, a *app.App, _ []string) error {
			if userName != "" {
				if _, err := userNamed(cmd.Context(), a, userName); err != nil {
					return err
				}
			}
			webhooks, owners, err := a.Store.AllWebhooks(cmd.Context(), userName)
			if err != nil {
				return err
			}
			service, who := a.Webhooks(func() {}), operator()
			owned := make([]ownedWebhook, len(webhooks))
			for i, hook := range webhooks {
				who.UserID = hook.UserID
				if hook, err = service.Get(cmd.Context(), who, hook.ID); err != nil { // with the user's aliases of its wallets
					return err
				}
				owned[i] = ownedWebhook{owners[i], v1.WebhookOf(hook)}
			}
			return p.printWebhooks(cmd, owned)
		}),
	}
	cmd.Flags().StringVar(&userName, "user", "", "only webhooks of this user")
	return addJSON(cmd)
}

func (p *program) printWebhooks(cmd *cobra.Command, webhooks []ownedWebhook) error {
	return printRows(
		p, cmd, webhooks, itself,
		col("ID", func(w ownedWebhook) string { return w.ID }),
		col("USER", func(w ownedWebhook) string { return w.User }),
		col("DESCRIPTION", func(w ownedWebhook) string { return w.Description }),
		col("HOST", func(w ownedWebhook) string { return hostOf(w.Webhook) }),
		col("STATUS", func(w ownedWebhook) string { return webhookStatus(w.Webhook) }),
	)
}

// ownedWebhook is a webhook with the name of its user.
type ownedWebhook struct {
	User string `json:"user"`
	api.Webhook
}

// hostOf returns the host in the URL of a webhook. The path may be secret.
func hostOf(w api.Webhook) string { return (&webhook.Webhook{URL: w.URL}).Host() }

func webhookStatus(w api.Webhook) string {
	switch {
	case w.DisabledAt != nil:
		return fmt.Sprintf("disabled %s: %s", w.DisabledAt.UTC().Format(timeLayout), value(w.DisabledReason))
	case w.FailingSince != nil:
		return "active, failing since " + w.FailingSince.UTC().Format(timeLayout)
	}
	return "active"
}

func (p *program) webhookCreateCommand() *cobra.Command {
	params := api.CreateWebhookRequest{}
	order := string(webhook.OrderWallet)
	create := func(cmd *cobra.Command, c *connection, args []string) error {
		params.URL, params.Order = args[1], &order
		w, err := c.CreateWebhook(cmd.Context(), params)
		if err != nil {
			return err
		}
		if wantsJSON(cmd) {
			return p.printJSON(w)
		}
		fmt.Fprintf(p.stdout, "Created %s.\nSecret: %s\nIt is not shown again.\n", w.ID, w.Secret)
		return nil
	}
	cmd := &cobra.Command{
		Use: "create USER URL", Short: "Create a webhook for a user and print its secret", Args: cobra.ExactArgs(2),
		Example: "  specterd webhook create alice https://shop.example/hook --description shop --kinds transaction",
		RunE: p.withAnyUser(func(cmd *cobra.Command, c *connection, args []string) error {
			name, err := c.userName(cmd.Context())
			if err != nil {
				return err
			}
			if !strings.EqualFold(args[0], name) {
				return errUsage("the token is for the user %s, and not for %s; with a server, a webhook belongs to the user of the token", name, args[0])
			}
			return create(cmd, c, args)
		}, func(cmd *cobra.Command, a *app.App, args []string) error {
			u, err := userNamed(cmd.Context(), a, args[0])
			if err != nil {
				return err
			}
			if cmd.Flags().Changed("wallets") && len(params.Wallets) == 0 {
				return fault.InvalidField("wallets", "must be omitted for all wallets, or contain at least one")
			}
			if err := errors.Join(checkKinds(params.Kinds), checkWallets(cmd.Context(), a, u, "--wallets", params.Wallets)); err != nil {
				return err
			}
			return p.onConnection(u.Name, create)(cmd, a, args)
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
		RunE: p.withWebhook(func(cmd *cobra.Command, c *connection, args []string) error {
			w, err := c.GetWebhook(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if wantsJSON(cmd) {
				return p.printJSON(w)
			}
			wallets, kinds := "all", "all"
			if w.Wallets != nil {
				wallets = strings.Join(*w.Wallets, ", ")
			}
			if w.Kinds != nil {
				kinds = strings.Join(*w.Kinds, ", ")
			}
			out := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
			fmt.Fprintf(out, "ID:\t%s\nDescription:\t%s\nURL:\t%s\nStatus:\t%s\nWallets:\t%s\nKinds:\t%s\nOrder:\t%s\nScopes:\t%s\nToken:\t%s\nCreated:\t%s\n",
				w.ID, w.Description, w.URL, webhookStatus(*w), wallets, kinds, w.Order, strings.Join(w.Scopes, " "), cmp.Or(value(w.TokenID), "none"), w.CreatedAt.UTC().Format(timeLayout))
			return out.Flush()
		}),
	})
}

func (p *program) webhookTestCommand() *cobra.Command {
	return addJSON(&cobra.Command{
		Use: "test ID", Short: "Send a test message and print the response", Args: cobra.ExactArgs(1),
		RunE: p.withWebhook(func(cmd *cobra.Command, c *connection, args []string) error {
			r, err := c.TestWebhook(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if wantsJSON(cmd) {
				err = p.printJSON(r)
			}
			if !r.OK {
				return fmt.Errorf("the receiver did not accept the message: %s", resultOf(r))
			}
			if !wantsJSON(cmd) {
				fmt.Fprintf(p.stdout, "%s after %s\n", resultOf(r), time.Duration(r.Duration)*time.Millisecond)
			}
			return err
		}),
	})
}

// resultOf describes the result of an attempt in a few words.
func resultOf(r *api.AttemptResult) string {
	if r.Status == nil {
		return "no response: " + value(r.Problem)
	}
	return fmt.Sprintf("status %d %s", *r.Status, r.Response)
}

func (p *program) webhookDeliveriesCommand() *cobra.Command {
	var status string
	var limit int
	cmd := &cobra.Command{
		Use: "deliveries ID", Short: "List deliveries of a webhook, the latest event first", Args: cobra.ExactArgs(1),
		RunE: p.withWebhook(func(cmd *cobra.Command, c *connection, args []string) error {
			if limit < 1 {
				return errUsage("--limit must be 1 or more")
			}
			params := client.ListDeliveriesParams{Limit: min(limit, pageSize), Status: status}
			deliveries := []api.ListedDelivery{}
			for d, err := range c.ListDeliveries(cmd.Context(), args[0], &params) {
				if err != nil {
					return err
				}
				if deliveries = append(deliveries, d); len(deliveries) == limit {
					break
				}
			}
			return printRows(
				p, cmd, deliveries, itself,
				col("ID", func(d api.ListedDelivery) string { return d.ID }),
				col("EVENT", func(d api.ListedDelivery) string { return d.Type }),
				col("TIME", func(d api.ListedDelivery) string { return d.Timestamp.UTC().Format(time.RFC3339) }),
				col("STATUS", func(d api.ListedDelivery) string { return d.Status }),
				column[api.ListedDelivery]{"ATTEMPTS", func(d api.ListedDelivery) string { return strconv.Itoa(d.Attempts) }, true},
				col("DETAIL", deliveryDetail),
			)
		}),
	}
	cmd.Flags().StringVar(&status, "status", "", "only deliveries with this status: pending, delivered, failed or skipped")
	cmd.Flags().IntVar(&limit, "limit", 100, "maximum number of deliveries, 1 or more")
	return addJSON(cmd)
}

func deliveryDetail(d api.ListedDelivery) string {
	switch {
	case d.WaitingBehind != nil:
		return fmt.Sprintf("waiting behind %s since %s", d.WaitingBehind.ID, d.WaitingBehind.Since.UTC().Format(time.RFC3339))
	case d.Reason != nil:
		return *d.Reason
	case d.LastAttempt == nil:
		return ""
	case d.LastAttempt.Result == nil:
		return "attempt in progress or interrupted"
	case d.NextAttemptAt != nil:
		return resultOf(d.LastAttempt.Result) + "; next attempt " + d.NextAttemptAt.UTC().Format(time.RFC3339)
	}
	return resultOf(d.LastAttempt.Result)
}

func (p *program) webhookRedeliverCommand() *cobra.Command {
	return &cobra.Command{
		Use: "redeliver ID DELIVERY", Short: "Send the event of a delivery again", Args: cobra.ExactArgs(2),
		RunE: p.withWebhook(func(cmd *cobra.Command, c *connection, args []string) error {
			_, err := c.Redeliver(cmd.Context(), args[0], args[1])
			if errors.Is(err, client.ErrDeliveryNotFound) {
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
		RunE: p.withWebhook(func(cmd *cobra.Command, c *connection, args []string) error {
			at, err := time.Parse(time.RFC3339, since)
			if err != nil {
				return fmt.Errorf("--since must be a time such as 2026-11-29T08:00:00Z")
			}
			recovered, err := c.RecoverWebhook(cmd.Context(), args[0], api.RecoverWebhookRequest{Since: at})
			if err != nil {
				return err
			}
			fmt.Fprintf(p.stdout, "The server sends again what had failed or was skipped (%d), and events without a delivery.\n", recovered.Deliveries)
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
		RunE: p.withWebhook(func(cmd *cobra.Command, c *connection, args []string) error {
			created, err := c.RotateWebhookSecret(cmd.Context(), args[0], api.RotateSecretRequest{GracePeriod: &gracePeriod})
			if err != nil {
				return err
			}
			if wantsJSON(cmd) {
				return p.printJSON(created)
			}
			fmt.Fprintf(p.stdout, "Secret: %s\nIt is not shown again.\n", created.Secret)
			return nil
		}),
	}
	cmd.Flags().StringVar(&gracePeriod, "grace-period", gracePeriod, "how long messages are also signed with the current secret")
	return addJSON(cmd)
}

func (p *program) webhookSwitchCommand(verb, short string, enabled bool) *cobra.Command {
	return addJSON(&cobra.Command{
		Use: verb + " ID", Short: short, Args: cobra.ExactArgs(1),
		RunE: p.withWebhook(func(cmd *cobra.Command, c *connection, args []string) error {
			w, err := c.GetWebhook(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			unchanged := (w.Status == "active") == enabled
			if !unchanged {
				if w, err = c.ChangeWebhook(cmd.Context(), args[0], api.ChangeWebhookRequest{Enabled: &enabled}); err != nil {
					return err
				}
			}
			switch {
			case wantsJSON(cmd):
				return p.printJSON(w)
			case unchanged:
				fmt.Fprintf(p.stdout, "Webhook %s is %s already; nothing was changed.\n", w.ID, webhookStatus(*w))
			default:
				fmt.Fprintf(p.stdout, "Webhook %s is %s.\n", w.ID, webhookStatus(*w))
			}
			return nil
		}),
	})
}

func (p *program) webhookDeleteCommand() *cobra.Command {
	return addYes(&cobra.Command{
		Use: "delete ID", Short: "Delete a webhook and its deliveries", Args: cobra.ExactArgs(1),
		RunE: p.withWebhook(func(cmd *cobra.Command, c *connection, args []string) error {
			w, err := c.GetWebhook(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if err := p.confirm(cmd, "Delete webhook %s to %s and its deliveries?", w.Description, hostOf(*w)); err != nil {
				return err
			}
			if err := c.DeleteWebhook(cmd.Context(), args[0]); err != nil {
				return err
			}
			fmt.Fprintf(p.stdout, "Deleted %s.\n", args[0])
			return nil
		}),
	})
}
