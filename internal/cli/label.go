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

	"github.com/specterd/specterd/internal/btc"
	v1 "github.com/specterd/specterd/internal/httpapi/v1"
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
		RunE: p.withWallet(user, false, func(cmd *cobra.Command, d *walletCommands, access wallet.Access, _ []string) error {
			labels, err := d.labels(cmd.Context(), access)
			if err != nil {
				return err
			}
			return printRows(
				p, cmd, labels, v1.ShowLabel,
				col("TYPE", func(l btc.Label) string { return l.Type }),
				col("REF", func(l btc.Label) string { return l.Ref }),
				col("LABEL", labelText),
			)
		}),
	})
}

// labels returns the labels of a wallet.
func (d *walletCommands) labels(ctx context.Context, access wallet.Access) (all []btc.Label, err error) {
	labels, err := d.service.Labels(ctx, access)
	if err != nil {
		return nil, err
	}
	for l, err := range labels {
		if err != nil {
			return nil, err
		}
		all = append(all, l)
	}
	return all, nil
}

// labelText returns the label, and says whether the output is frozen.
func labelText(l btc.Label) string {
	text := ""
	if l.Label != nil {
		text = *l.Label
	}
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
		RunE: p.withWallets(user, true, func(cmd *cobra.Command, d *walletCommands, args []string) error {
			if args[2] == "" {
				return errUsage("LABEL must not be empty; \"specterd label rm\" removes a label")
			}
			access, err := d.access(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			labels, err := d.labels(cmd.Context(), access)
			if err != nil {
				return err
			}
			if slices.ContainsFunc(labels, func(l btc.Label) bool { return l.Ref == args[1] && l.Label != nil && *l.Label == args[2] }) {
				fmt.Fprintf(p.stdout, "%s has this label already; nothing was changed.\n", args[1])
				return nil
			}
			if err := d.setLabel(cmd.Context(), access, args[1], args[2]); err != nil {
				return err
			}
			fmt.Fprintf(p.stdout, "Labelled %s.\n", args[1])
			return nil
		}),
	}
}

var txidText = regexp.MustCompile(`^[0-9a-f]{64}$`)

// setLabel sets the label of the object with this reference; an empty label removes it.
func (d *walletCommands) setLabel(ctx context.Context, access wallet.Access, ref, label string) (err error) {
	switch at, notOutpoint := btc.ParseOutpoint(ref); {
	case txidText.MatchString(ref):
		err = d.service.LabelTransaction(ctx, access, ref, label)
	case notOutpoint == nil:
		_, err = d.service.LabelOutput(ctx, access, at, label)
	default:
		err = d.service.LabelAddress(ctx, access, ref, label)
	}
	if errors.Is(err, wallet.ErrAddressNotFound) || errors.Is(err, wallet.ErrTransactionNotFound) || errors.Is(err, wallet.ErrOutputNotFound) {
		return fmt.Errorf("%s is not an address, a transaction or an output of %s; \"specterd wallet transactions %s\" and \"specterd wallet address %s --list\" show them", ref, access.Alias(), access.Alias(), access.Alias())
	}
	return err
}

func (p *program) labelRemoveCommand(user *string) *cobra.Command {
	return addYes(&cobra.Command{
		Use: "rm ALIAS REF", Short: "Remove a label", Args: cobra.ExactArgs(2),
		Long: `Remove a label.

REF is an address, a transaction id, or an output as txid:vout.`,
		RunE: p.withWallet(user, true, func(cmd *cobra.Command, d *walletCommands, access wallet.Access, args []string) error {
			labels, err := d.labels(cmd.Context(), access)
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
				if err := d.setLabel(cmd.Context(), access, l.Ref, ""); err != nil {
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
		RunE: p.withWallet(user, true, func(cmd *cobra.Command, d *walletCommands, access wallet.Access, args []string) error {
			lines, err := p.readLimited(args[1], wallet.MaxLabelFile)
			if err != nil {
				return err
			}
			r, err := v1.ImportLabels(cmd.Context(), d.service, access, lines)
			if err != nil {
				return err
			}
			if wantsJSON(cmd) {
				err = p.printJSON(r.Shown)
			} else {
				for _, problem := range r.Problems {
					fmt.Fprintln(p.stderr, problem)
				}
				fmt.Fprintf(p.stdout, "Imported %s.\n", text.Count(r.Imported, "label"))
			}
			if r.Failed {
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
		RunE: p.withWallet(user, false, func(cmd *cobra.Command, d *walletCommands, access wallet.Access, _ []string) error {
			labels, err := d.service.Labels(cmd.Context(), access)
			if err != nil {
				return err
			}
			w := bufio.NewWriter(p.exported())
			return errors.Join(v1.WriteLabels(w, labels), w.Flush())
		}),
	}
}
