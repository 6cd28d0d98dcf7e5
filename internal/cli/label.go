package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	api "github.com/specterd/specterd/api/v1"
	"github.com/specterd/specterd/client"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/text"
	"github.com/specterd/specterd/internal/wallet"
)

func (p *program) labelCommand() *cobra.Command {
	var user string
	cmd := &cobra.Command{
		Use: "label", Short: "List, set, import and export labels",
		Long: `List, set, import and export the labels of a wallet, which its members share. REF is an
address, a transaction id, or an output as txid:vout.`,
	}
	addWalletFlags(cmd, &user)
	cmd.AddCommand(
		p.labelListCommand(&user), p.labelSetCommand(&user), p.labelRemoveCommand(&user), p.labelImportCommand(&user), p.labelExportCommand(&user),
	)
	return cmd
}

func (p *program) labelListCommand(user *string) *cobra.Command {
	return addJSON(&cobra.Command{
		Use: "list ALIAS", Short: "List the labels of a wallet", Args: cobra.ExactArgs(1),
		RunE: p.withAPI(user, false, func(cmd *cobra.Command, c *connection, args []string) error {
			labels, err := c.labels(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return printRows(
				p, cmd, labels, itself,
				col("TYPE", func(l api.Label) string { return l.Type }),
				col("REF", func(l api.Label) string { return l.Ref }),
				col("LABEL", labelText),
			)
		}),
	})
}

// labels returns the labels of a wallet.
func (c *connection) labels(ctx context.Context, alias string) ([]api.Label, error) {
	labels, err := c.ExportLabels(ctx, alias)
	return labels, c.unknownWallet(ctx, alias, err)
}

// labelText returns the label, and says whether the output is frozen.
func labelText(l api.Label) string {
	text := value(l.Label)
	if l.Spendable != nil && !*l.Spendable {
		text = strings.TrimSpace(text + " (frozen)")
	}
	return text
}

func (p *program) labelSetCommand(user *string) *cobra.Command {
	return &cobra.Command{
		Use: "set ALIAS REF LABEL", Short: "Set the label of an address, a transaction or an output", Args: cobra.ExactArgs(3),
		Long: `Set the label of an address, a transaction or an output.

REF is an address, a transaction id, or an output as txid:vout.`,
		Example: "  specterd label set savings bc1q… 'invoice 17'",
		RunE: p.withAPI(user, true, func(cmd *cobra.Command, c *connection, args []string) error {
			if args[2] == "" {
				return errUsage("LABEL must not be empty; \"specterd label rm\" removes a label")
			}
			labels, err := c.labels(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			at := slices.IndexFunc(labels, func(l api.Label) bool { return l.Ref == args[1] && l.Label != nil })
			if at >= 0 && *labels[at].Label == args[2] {
				fmt.Fprintf(p.stdout, "%s has this label already; nothing was changed.\n", args[1])
				return nil
			}
			if err := c.setLabel(cmd.Context(), args[0], args[1], args[2]); err != nil {
				return err
			}
			fmt.Fprintf(p.stdout, "Labelled %s.\n", args[1])
			if at >= 0 {
				fmt.Fprintf(p.stderr, "Replaced the label %q.\n", *labels[at].Label)
			}
			return nil
		}),
	}
}

var txidText = regexp.MustCompile(`^[0-9a-f]{64}$`)

// setLabel sets the label of the object with this reference; an empty label removes it.
func (c *connection) setLabel(ctx context.Context, alias, ref, label string) (err error) {
	request := api.LabelRequest{Label: &label}
	switch _, notOutpoint := btc.ParseOutpoint(ref); {
	case txidText.MatchString(ref):
		_, err = c.LabelTransaction(ctx, alias, ref, request)
	case notOutpoint == nil:
		_, err = c.LabelOutput(ctx, alias, ref, request)
	default:
		_, err = c.LabelAddress(ctx, alias, ref, request)
	}
	if errors.Is(err, client.ErrAddressNotFound) || errors.Is(err, client.ErrTransactionNotFound) || errors.Is(err, client.ErrOutputNotFound) {
		return fmt.Errorf("%s is not an address, a transaction or an output of %s; \"specterd wallet transactions %[2]s\" and \"specterd wallet address %[2]s --list\" show them", ref, alias)
	}
	return err
}

func (p *program) labelRemoveCommand(user *string) *cobra.Command {
	return addYes(&cobra.Command{
		Use: "rm ALIAS REF", Short: "Remove a label", Args: cobra.ExactArgs(2),
		Long: `Remove a label.

REF is an address, a transaction id, or an output as txid:vout.`,
		RunE: p.withAPI(user, true, func(cmd *cobra.Command, c *connection, args []string) error {
			labels, err := c.labels(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			for _, l := range labels {
				if l.Ref != args[1] || l.Label == nil {
					continue
				}
				if err := p.confirm(cmd, "Remove the label %q of %s?", *l.Label, l.Ref); err != nil {
					return err
				}
				if err := c.setLabel(cmd.Context(), args[0], l.Ref, ""); err != nil {
					return err
				}
				fmt.Fprintf(p.stdout, "Removed the label of %s.\n", l.Ref)
				return nil
			}
			return fmt.Errorf("%s has no label in %s; \"specterd label list %s\" shows the labels", args[1], args[0], args[0])
		}),
	})
}

// errLabelsFailed is returned if lines of an import are invalid.
var errLabelsFailed = errors.New("some lines are invalid; all others were imported or ignored")

func (p *program) labelImportCommand(user *string) *cobra.Command {
	return addJSON(&cobra.Command{
		Use: "import ALIAS FILE", Short: "Import labels (BIP-329)", Args: cobra.ExactArgs(2),
		Long: `Import labels in the format of BIP-329, one JSON object per line; FILE - reads standard
input.

An empty label removes the existing one; "spendable": false freezes an output. Invalid
lines are reported, all others are imported.`,
		RunE: p.withAPI(user, true, func(cmd *cobra.Command, c *connection, args []string) error {
			lines, err := p.readLimited(args[1], wallet.MaxLabelFile)
			if err != nil {
				return err
			}
			r, err := c.ImportLabelFile(cmd.Context(), args[0], lines)
			if err != nil {
				return c.unknownWallet(cmd.Context(), args[0], err)
			}
			if wantsJSON(cmd) {
				err = p.printJSON(r)
			} else {
				for _, line := range r.Ignored {
					fmt.Fprintf(p.stderr, "line %d is ignored: %s\n", line.Line, line.Message)
				}
				for _, line := range r.Failed {
					fmt.Fprintf(p.stderr, "line %d is invalid: %s\n", line.Line, line.Message)
				}
				if r.Unchanged {
					fmt.Fprintf(p.stdout, "Nothing was changed: %s of the file are set already.\n", text.Count(r.Imported, "label"))
				} else {
					fmt.Fprintf(p.stdout, "Imported %s.\n", text.Count(r.Imported, "label"))
				}
			}
			if len(r.Failed) > 0 {
				return errors.Join(err, errLabelsFailed)
			}
			return err
		}),
	})
}

func (p *program) labelExportCommand(user *string) *cobra.Command {
	return &cobra.Command{
		Use: "export ALIAS", Short: "Print the labels of a wallet (BIP-329)", Args: cobra.ExactArgs(1),
		Example: "  specterd label export savings > savings-labels.jsonl",
		RunE: p.withAPI(user, false, func(cmd *cobra.Command, c *connection, args []string) error {
			labels, err := c.labels(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			w := bufio.NewWriter(p.exported())
			for _, l := range labels {
				line, err := btc.Label(l).Append(w.AvailableBuffer())
				if err != nil {
					return err
				}
				if _, err := w.Write(line); err != nil {
					return err
				}
			}
			return w.Flush()
		}),
	}
}
