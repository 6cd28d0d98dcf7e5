package cli

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/wallet"
	"github.com/specterd/specterd/internal/walletfile"
)

func (p *program) walletCreateCommand(user *string) *cobra.Command {
	var plan wallet.Plan
	var birthday, file string
	cmd := &cobra.Command{
		Use: "create", Short: "Create a watch-only wallet from a descriptor, keys or a file", Args: cobra.NoArgs,
		Long: `Create a watch-only wallet from a descriptor, from keys, or from a file of another
program: a descriptor, the export of a hardware wallet, or a wallet of Specter Desktop,
Sparrow, Electrum, Caravan, Bitcoin Core and others (docs/wallet-files.md lists the
formats). Files with private keys or seed words are refused.

The command prints the wallet with its first addresses, to compare with the device or the
program that wrote the file, and warnings. With --dry-run it does nothing else.`,
		Example: `  specterd wallet create --file coldcard-export.json --name Savings --birthday 2024-01-31
  specterd wallet create --name Savings --birthday 2024-01-31 --descriptor 'wpkh([d34db33f/84h/0h/0h]xpub…/<0;1>/*)'
  specterd wallet create --name Vault --birthday now --script wsh --signatures-required 2 --key '[…]xpub…' --key '[…]xpub…' --key '[…]xpub…'`,
		PreRunE: func(cmd *cobra.Command, _ []string) error { return checkWalletCreate(cmd) },
		RunE: p.withWallets(user, true, func(cmd *cobra.Command, d *walletCommands, _ []string) error {
			if err := p.completePlan(&plan, birthday, file); err != nil {
				return err
			}
			about, err := d.service.Inspect(cmd.Context(), d.who, plan)
			if err == nil {
				err = p.printInspection(about)
			} else if fault.KindOf(err) != fault.Invalid { // Create returns an Invalid fault together with other problems
				return err
			}
			v, createErr := d.service.Create(cmd.Context(), d.who, plan)
			switch {
			case createErr != nil:
				return createErr
			case err != nil:
				return err
			case plan.DryRun:
				fmt.Fprintln(p.stdout, "Nothing was created, because of --dry-run.")
				return nil
			}
			fmt.Fprintf(p.stdout, "Created wallet %s.\n", v.Alias)
			if plan.ImpliesChange() {
				fmt.Fprintf(p.stdout, "Its change addresses use the branch /1/*, implied by the receive descriptor: %s\n", v.Change)
			}
			return p.followScan(cmd.Context(), d, v)
		}),
	}
	f := cmd.Flags()
	f.StringVar(&file, "file", "", "file of another program; - for standard input")
	f.StringVar(&plan.Name, "name", "", "name of the wallet, the same for all members; not required if the file has one")
	f.StringVar(&plan.Alias, "alias", "", "the user's alias of the wallet; default the name in lower case, with _ for spaces")
	f.StringVar(&plan.Descriptor, "descriptor", "", "output descriptor of both branches (…/<0;1>/*) or of the receive branch (…/0/*)")
	f.StringVar(&plan.Change, "change-descriptor", "", "descriptor of the change branch; not required if --descriptor ends in /0/*, which implies /1/* for change")
	f.StringArrayVar(&plan.Keys, "key", nil, "instead of a descriptor: a key such as [d34db33f/84h/0h/0h]xpub…; may be repeated")
	f.IntVar(&plan.SignaturesRequired, "signatures-required", 0, "with several --key: number of signatures that a payment requires")
	f.StringVar(&plan.Script, "script", "", "with --key: wpkh, sh-wpkh, pkh or tr for one key; wsh, sh-wsh or sh for several. With --file: which of several wallets in it")
	f.StringVar(&birthday, "birthday", "", "start of the wallet's history: now, a block height, or a date; not required if the file has it")
	f.BoolVar(&plan.DryRun, "dry-run", false, "check and print the wallet without creating it")
	return cmd
}

// checkWalletCreate refuses a command line without exactly one description of the wallet, or
// without the flags that only a file makes optional.
func checkWalletCreate(cmd *cobra.Command) error {
	given := 0
	for _, name := range []string{"file", "descriptor", "key"} {
		if cmd.Flags().Changed(name) {
			given++
		}
	}
	var missing []string
	for _, name := range []string{"birthday", "name"} {
		if !cmd.Flags().Changed(name) && !cmd.Flags().Changed("file") {
			missing = append(missing, "--"+name)
		}
	}
	switch {
	case given != 1:
		return errUsage("exactly one of --file, --descriptor and --key is required; see %s --help", cmd.CommandPath())
	case len(missing) > 0:
		return errMissing(cmd, missing)
	}
	return nil
}

// completePlan adds the birthday and the content of the file to a plan.
func (p *program) completePlan(plan *wallet.Plan, birthday, file string) (err error) {
	if file != "" {
		data, err := p.readLimited(file, walletfile.MaxSize)
		if err != nil {
			return err
		}
		plan.File = walletfile.FromBytes(data)
	}
	if birthday != "" {
		plan.Birthday, err = wallet.ParseBirthday("birthday", birthday)
	}
	return err
}

// printInspection prints a wallet and its warnings.
func (p *program) printInspection(about wallet.Inspection) error {
	w := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) { fmt.Fprintf(w, name+"\t"+format+"\n", args...) }
	if about.Format != "" {
		row("format", "%s", about.Format)
	}
	row("script", "%s", about.Script)
	if about.IsWallet() {
		row("signatures", "%d of %d", about.Policy.SignaturesRequired, len(about.Keys))
	}
	for _, k := range about.Keys {
		row("key", "%s %s %s", k.Fingerprint, k.Derivation, wallet.FitName(k.Name))
	}
	if about.IsWallet() {
		row("receive", "%s", strings.Join(about.Receive, " "))
		row("change", "%s", strings.Join(about.Change, " "))
	}
	for _, warning := range about.Warnings {
		row("warning", "%s (%s)", warning.Message, warning.Code)
	}
	return w.Flush()
}
