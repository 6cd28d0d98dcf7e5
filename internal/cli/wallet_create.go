package cli

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	api "github.com/specterd/specterd/api/v1"
	"github.com/specterd/specterd/client"
	"github.com/specterd/specterd/internal/fault"
	v1 "github.com/specterd/specterd/internal/httpapi/v1"
	"github.com/specterd/specterd/internal/wallet"
	"github.com/specterd/specterd/internal/walletfile"
)

func (p *program) walletCreateCommand(user *string) *cobra.Command {
	var plan wallet.Plan
	var birthday string
	var files []string
	cmd := &cobra.Command{
		Use: "create", Short: "Create a watch-only wallet from a descriptor, keys or a file", Args: cobra.NoArgs,
		Long: `Create a watch-only wallet from a descriptor, from keys, or from a file of another
program: a descriptor, the export of a hardware wallet, or a wallet of Specter Desktop,
Sparrow, Electrum, Caravan, Bitcoin Core and others (docs/wallet-files.md lists the
formats). Files with private keys or seed words are refused.

Repeat --file for a multisig wallet of several devices, with a file of each device that has
its key, and state --signatures-required.

The command prints the wallet with its first addresses, to compare with the device or the
program that wrote the file, and warnings. With --dry-run it does nothing else, and
--birthday is not required. An account of a device is printed with its key as --key takes it.`,
		Example: `  specterd wallet create --file coldcard-export.json --name Savings --birthday 2024-01-31
  specterd wallet create --name Savings --birthday 2024-01-31 --descriptor 'wpkh([d34db33f/84h/0h/0h]xpub…/<0;1>/*)'
  specterd wallet create --name Vault --birthday now --signatures-required 2 --file ann.json --file ben.json --file cleo.json
  specterd wallet create --name Vault --birthday now --script wsh --signatures-required 2 --key '[…]xpub…' --key '[…]xpub…' --key '[…]xpub…'`,
		PreRunE: func(cmd *cobra.Command, _ []string) error { return checkWalletCreate(cmd) },
		RunE: p.withAPI(user, true, func(cmd *cobra.Command, c *connection, _ []string) error {
			contents := make([][]byte, len(files))
			for i, file := range files {
				var err error
				if contents[i], err = p.readLimited(file, walletfile.MaxSize); err != nil {
					return err
				}
			}
			if c.local == nil {
				return p.createWalletOn(cmd, c, plan, birthday, files, contents)
			}
			plan.File = sourceOf(files, contents)
			return p.createWallet(cmd, c, plan, birthday)
		}),
	}
	f := cmd.Flags()
	f.StringArrayVar(&files, "file", nil, "file of another program; - for standard input; may be repeated for the signers of a multisig wallet")
	f.StringVar(&plan.Name, "name", "", "name of the wallet, the same for all members; not required if the file has one")
	f.StringVar(&plan.Alias, "alias", "", "the user's alias of the wallet; default the name in lower case, with _ for spaces")
	f.StringVar(&plan.Descriptor, "descriptor", "", "output descriptor of both branches (…/<0;1>/*) or of the receive branch (…/0/*)")
	f.StringVar(&plan.Change, "change-descriptor", "", "descriptor of the change branch; not required if --descriptor ends in /0/*, which implies /1/* for change")
	f.StringArrayVar(&plan.Keys, "key", nil, "instead of a descriptor: a key such as [d34db33f/84h/0h/0h]xpub…; may be repeated")
	f.IntVar(&plan.SignaturesRequired, "signatures-required", 0, "with several --key or --file: number of signatures that a payment requires")
	f.StringVar(&plan.Script, "script", "", "with --key: wpkh, sh-wpkh, pkh or tr for one key; wsh, sh-wsh or sh for several. With --file: which of several wallets or keys in it")
	f.StringVar(&birthday, "birthday", "", "start of the wallet's history: now, a block height, or a date; not required if the file has it")
	f.BoolVar(&plan.DryRun, "dry-run", false, "check and print the wallet without creating it")
	return addJSON(cmd)
}

// createWallet creates a wallet on the machine of the server.
func (p *program) createWallet(cmd *cobra.Command, c *connection, plan wallet.Plan, birthday string) error {
	d := c.local
	if birthday != "" {
		var err error
		if plan.Birthday, err = wallet.ParseBirthday("birthday", birthday); err != nil {
			return d.service.Problems(cmd.Context(), d.who, plan, err)
		}
	}
	about, err := d.service.Inspect(cmd.Context(), d.who, plan)
	if err == nil && !wantsJSON(cmd) {
		err = p.printInspection(cmd, v1.ShowInspection(about))
	} else if err != nil && fault.KindOf(err) != fault.Invalid { // Create returns an Invalid fault together with other problems
		return err
	}
	v, createErr := d.service.Create(cmd.Context(), d.who, withAnyBirthday(plan, about, err))
	switch {
	case createErr != nil:
		return createErr
	case err != nil:
		return err
	case plan.DryRun:
		return p.printDryRun(cmd, v1.ShowInspection(about))
	}
	return p.printNewWallet(cmd, c, v1.NewWalletOf(v, plan, about), plan.ImpliesChange())
}

// createWalletOn creates a wallet on a server. A dry run checks what determines its addresses.
func (p *program) createWalletOn(cmd *cobra.Command, c *connection, plan wallet.Plan, birthday string, files []string, contents [][]byte) error {
	request := api.CreateWalletRequest{
		Name: plan.Name, Alias: plan.Alias, Descriptor: plan.Descriptor, ChangeDescriptor: plan.Change, Keys: plan.Keys,
		SignaturesRequired: plan.SignaturesRequired, Script: plan.Script,
	}
	if err := setFiles(&request.WalletSource, files, contents); err != nil {
		return err
	}
	if birthday != "" {
		var err error
		if request.Birthday, err = startOf("birthday", birthday); err != nil && plan.DryRun {
			return err
		} else if err != nil {
			request.Birthday, _ = json.Marshal(birthday) // the server refuses it together with other problems
		}
	}
	about, err := c.InspectWallet(cmd.Context(), api.InspectWalletRequest{
		WalletSource: request.WalletSource, Descriptor: request.Descriptor, ChangeDescriptor: request.ChangeDescriptor, Keys: request.Keys,
		SignaturesRequired: request.SignaturesRequired, Script: request.Script,
	})
	if err == nil && !wantsJSON(cmd) {
		err = p.printInspection(cmd, *about)
	} else if err != nil && (plan.DryRun || !errors.Is(err, client.ErrInvalidInput)) { // CreateWallet returns it together with other problems
		return err
	}
	if plan.DryRun {
		return errors.Join(err, p.printDryRun(cmd, *about))
	}
	created, createErr := c.CreateWallet(cmd.Context(), request)
	if createErr != nil || err != nil {
		return cmp.Or(createErr, err)
	}
	return p.printNewWallet(cmd, c, *created, created.ChangeImplied && request.Descriptor != "")
}

// setFiles sets the files of a request.
func setFiles(to *api.WalletSource, files []string, contents [][]byte) error {
	for i, file := range files {
		to.FileNames = append(to.FileNames, filepath.Base(strings.TrimPrefix(file, "-")))
		switch {
		case len(files) == 1:
			to.FileBase64 = base64.StdEncoding.EncodeToString(contents[0])
		case !utf8.Valid(contents[i]):
			return errUsage("--file number %d is not a text; with a server, each of several files must be a text", i+1)
		default:
			to.Files = append(to.Files, string(contents[i]))
		}
	}
	return nil
}

func (p *program) printDryRun(cmd *cobra.Command, about api.WalletInspection) error {
	if wantsJSON(cmd) {
		return p.printJSON(about)
	}
	fmt.Fprintln(p.stdout, "Nothing was created, because of --dry-run.")
	return nil
}

// printNewWallet prints a new wallet, of which the inspection was printed, and the progress of its
// rescan.
func (p *program) printNewWallet(cmd *cobra.Command, c *connection, w api.NewWallet, isChangeImplied bool) error {
	if wantsJSON(cmd) {
		return p.printJSON(w)
	}
	fmt.Fprintf(p.stdout, "Created wallet %s.\n", w.Alias)
	if isChangeImplied {
		fmt.Fprintf(p.stdout, "Its change addresses use the branch /1/*, implied by the receive descriptor: %s\n", w.ChangeDescriptor)
	}
	return p.followScan(cmd.Context(), c, &w.Wallet)
}

// withAnyBirthday returns the plan of a dry run with a birthday, which is not printed, unless
// the plan or its file has one. Err is the error of the inspection.
func withAnyBirthday(plan wallet.Plan, about wallet.Inspection, err error) wallet.Plan {
	inFile := err == nil && (about.BirthdayHeight >= 0 || !about.Birthday.IsZero())
	if plan.DryRun && plan.Birthday == (wallet.Birthday{}) && !inFile {
		plan.Birthday.Now = true
	}
	return plan
}

// checkWalletCreate refuses a command line without exactly one description of the wallet, or
// without the flags that only a file makes optional.
func checkWalletCreate(cmd *cobra.Command) error {
	given := 0
	for _, name := range []string{"file", "descriptor", "key"} {
		if value := cmd.Flag(name).Value; value.String() != "" && value.String() != "[]" {
			given++
		}
	}
	noKeys := !cmd.Flags().Changed("key") && !cmd.Flags().Changed("file")
	missing := missingFlags(cmd)
	switch {
	case given == 1 && noKeys && (cmd.Flags().Changed("script") || cmd.Flags().Changed("signatures-required")):
		return errUsage("--script and --signatures-required are only for --key: a descriptor contains both")
	case given != 1:
		return errUsage("exactly one of --file, --descriptor and --key is required; see %s --help", cmd.CommandPath())
	case len(missing) > 0:
		return errMissing(cmd, missing)
	}
	return nil
}

// missingFlags returns the required flags that are not set. A file can contain what they set.
func missingFlags(cmd *cobra.Command) (missing []string) {
	for _, name := range []string{"birthday", "name"} {
		if isOptional := name == "birthday" && isSet(cmd, "dry-run"); !isOptional && !cmd.Flags().Changed(name) && !cmd.Flags().Changed("file") {
			missing = append(missing, "--"+name)
		}
	}
	return missing
}

// sourceOf returns the content of files with their names.
func sourceOf(files []string, contents [][]byte) walletfile.Source {
	sources := make([]walletfile.Source, len(files))
	for i, file := range files {
		sources[i] = walletfile.FromFile(strings.TrimPrefix(file, "-"), contents[i])
	}
	return walletfile.FromFiles(sources)
}

// printInspection prints a wallet and its warnings.
func (p *program) printInspection(cmd *cobra.Command, about api.WalletInspection) error {
	w, row := p.properties()
	if about.Format != "" {
		row("format", "%s", about.Format)
	}
	row("script", "%s", about.Script)
	isWallet := about.Descriptor != nil
	if isWallet {
		row("signatures", "%d of %d", value(about.SignaturesRequired), len(about.Keys))
	}
	for _, k := range about.Keys {
		row("key", "%s %s %s", k.Fingerprint, k.Derivation, value(k.Name))
	}
	for _, a := range about.Accounts {
		row("account", "%s %s", a.Script, a.Key)
	}
	if isWallet {
		row("receive", "%s", strings.Join(about.Addresses.Receive, " "))
		row("change", "%s", strings.Join(about.Addresses.Change, " "))
	}
	for _, warning := range about.Warnings {
		row("warning", "%s (%s)", inCommand(cmd, warning.Message), warning.Code)
	}
	if err := w.Flush(); err != nil || isWallet {
		return err
	}
	_, err := fmt.Fprint(p.stdout, "For a multisig wallet, repeat --file with the file of each signer, or --key with a key of each, and state --signatures-required.\n")
	return err
}
