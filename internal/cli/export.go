package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	api "github.com/specterd/specterd/api/v1"
	"github.com/specterd/specterd/client"
	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/config"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/wallet"
	"github.com/specterd/specterd/internal/walletexport"
)

// errPartialExport is returned if an export omitted something.
var errPartialExport = exitError{exitPartial, errors.New("the export is PARTIAL: not every wallet could be written in every format; see \"not written\" above")}

func (p *program) exportCommand() *cobra.Command {
	var user, alias, format, folder string
	cmd := &cobra.Command{
		Use: "export", Args: cobra.NoArgs,
		Short: "Export wallets for Bitcoin Core and other wallet software",
		Long: `Export a user's wallets in formats that other programs read:

  specter        specter.json       Specter Desktop's wallet file, with labels of
                                    addresses; in Specter Desktop: Add wallet, Import
                                    from a file
  account-map    account-map.json   label, blockheight, descriptor and devices, for
                                    Specter Desktop, Sparrow, Fully Noded and others
  labels         labels.jsonl       all labels (BIP-329); frozen UTXOs have
                                    "spendable": false
  core           core.json          both descriptors, for importdescriptors of Bitcoin Core
  descriptor     descriptor.txt     one descriptor for both branches (BIP-389)
  bsms           wallet.bsms        BSMS 1.0 (BIP-129), with the first address
  bip388         bip388.json        wallet policy
  coldcard       coldcard.txt       multisig file of Coldcard, which many devices read
  sparrow        sparrow.json       wallet of Sparrow
  caravan        caravan.json       configuration of Caravan
  crypto-output  crypto-output.txt  text of a QR code (UR), for Sparrow, Keystone, Passport

coldcard and caravan are for multisig wallets with sorted keys, and bsms, bip388, coldcard,
sparrow and caravan require the origin of each key; other wallets have no such files.
docs/wallet-files.md describes the formats.

Use --wallet and --format to write one wallet in one format to standard output, or --to
to write files: one directory per wallet, named by the wallet's alias, with one file per
format. Only you can read the files (0600). Existing files are not overwritten: if a
directory of the same name exists, nothing is written.

specterd has no private keys, so the files have none, but they reveal all addresses of
the wallets. They contain neither history nor proposals: "specterd wallet transactions
--csv" prints the history, and "specterd proposal show ID --psbt FILE" writes a PSBT.

The export only reads, and the server may be running. The node is used for one thing:
the time of the wallet's first block, in core.json and, with --to, in sparrow.json. Without
the node, and with --server, core.json makes Bitcoin Core rescan the whole chain, which
gives the same result but takes longer.

Exit status: 0 everything was written; 3 partial, at least one wallet cannot be written
             in at least one format because of its branches; 1 failed.`,
		Example: `  specterd export --user alice --to ~/wallets-of-alice
  specterd export --user alice --wallet savings --format labels > savings.jsonl

  specterd export --user alice --wallet savings --format core > core.json
  bitcoin-cli -named createwallet wallet_name=savings disable_private_keys=true blank=true
  bitcoin-cli -rpcwallet=savings importdescriptors "$(cat core.json)"`,
		PreRunE: func(*cobra.Command, []string) error { return checkExport(alias, format, folder) },
		RunE: p.withAPI(&user, false, func(cmd *cobra.Command, c *connection, _ []string) error {
			hasCore := folder != "" || format == string(walletexport.Core)
			wallets, err := p.toExport(cmd.Context(), c, alias, hasCore)
			if err != nil {
				return err
			}
			if format != "" {
				return p.exportOne(wallets[0], walletexport.Format(format))
			}
			return p.exportFolder(wallets, folder)
		}),
	}
	addDataFlags(cmd.Flags())
	config.AddClientFlags(cmd.Flags())
	config.AddFlags(cmd.Flags(), "node-url")
	f := cmd.Flags()
	f.StringVar(&user, "user", auth.FirstAdmin, "user whose wallets to export")
	f.StringVar(&alias, "wallet", "", "the user's alias of the wallet; default all wallets, with --to")
	f.StringVar(&format, "format", "", "format to write to standard output: "+walletexport.Names())
	f.StringVar(&folder, "to", "", "directory for files in all formats; created if it does not exist")
	return cmd
}

// checkExport refuses incompatible flags.
func checkExport(alias, format, folder string) error {
	switch {
	case format == "" && folder == "":
		return errUsage("either --to DIRECTORY or --wallet ALIAS --format FORMAT is required, with FORMAT one of %s", walletexport.Names())
	case format != "" && folder != "":
		return errUsage("--to writes files in all formats: omit either --to or --format")
	case format != "" && alias == "":
		return errUsage("--format requires --wallet ALIAS; list the aliases with specterd wallet list")
	case format != "":
		if _, err := walletexport.ParseFormat(format); err != nil {
			return errUsage("%w", err)
		}
	}
	return nil
}

// writeFile writes the file of a wallet in a format.
type writeFile func(out io.Writer, form walletexport.Format) error

// leavingWallet is a wallet to export.
type leavingWallet struct {
	alias string
	// load reads the wallet, and returns the function that writes its files.
	load func() (writeFile, error)
}

// toExport returns the wallet with the given alias, or all wallets if alias is empty. If hasCore is
// set, core.json is among the files.
func (p *program) toExport(ctx context.Context, c *connection, alias string, hasCore bool) ([]leavingWallet, error) {
	if c.local == nil {
		return p.toExportFrom(ctx, c, alias, hasCore)
	}
	if hasCore {
		_ = c.local.node.CheckOnce(ctx) // timeOf returns the error, if any
	}
	views, err := c.local.chosen(ctx, alias)
	if err != nil {
		return nil, err
	}
	wallets := make([]leavingWallet, len(views))
	for i, v := range views {
		wallets[i] = leavingWallet{v.Alias, func() (writeFile, error) {
			w, err := p.leaving(ctx, c.local, v, hasCore)
			return w.Write, err
		}}
	}
	return wallets, nil
}

// toExportFrom is like toExport with a server.
func (p *program) toExportFrom(ctx context.Context, c *connection, alias string, hasCore bool) ([]leavingWallet, error) {
	var wallets []leavingWallet
	add := func(w api.Wallet) {
		wallets = append(wallets, leavingWallet{w.Alias, func() (writeFile, error) {
			if w.Rescan != nil {
				p.noteRescan(w.Alias)
			}
			if hasCore && w.BirthdayHeight > 0 {
				fmt.Fprintf(p.stderr, "Note: core.json of %s makes Bitcoin Core rescan the whole chain, and sparrow.json has no birthday, because only a command on the machine of the server asks its node for the time of the first block.\n", w.Alias)
			}
			return func(out io.Writer, form walletexport.Format) error {
				file, err := c.ExportWallet(ctx, w.Alias, string(form))
				if err != nil {
					return unsupported(err)
				}
				_, err = out.Write(file)
				return err
			}, nil
		}})
	}
	if alias != "" {
		w, err := c.GetWallet(ctx, alias, nil)
		if err == nil {
			add(*w)
		}
		return wallets, err
	}
	for w, err := range c.ListWallets(ctx, nil) {
		if err != nil {
			return nil, err
		}
		add(w)
	}
	return wallets, nil
}

// unsupported returns the error of package walletexport for an error of the API.
func unsupported(err error) error {
	if e, ok := errors.AsType[*client.Error](err); ok {
		for _, known := range []*fault.Error{walletexport.ErrBranches, walletexport.ErrOrigin, walletexport.ErrNotSortedMultisig} {
			if string(e.Code) == known.Code {
				return known
			}
		}
	}
	return err
}

func (p *program) exportOne(w leavingWallet, form walletexport.Format) error {
	write, err := w.load()
	if err != nil {
		return err
	}
	out := bufio.NewWriter(p.exported())
	return errors.Join(write(out, form), out.Flush())
}

func (p *program) exportFolder(wallets []leavingWallet, path string) (err error) {
	if len(wallets) == 0 {
		fmt.Fprintln(p.stdout, "The user has no wallets; nothing was written.")
		return nil
	}
	folder, err := newFolders(path, wallets)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, folder.Close()) }()
	partial := false
	for _, w := range wallets {
		whole, err := p.exportWallet(folder, w)
		if err != nil {
			return fmt.Errorf("write wallet %s: %w; the wallets above were written, this one and the remaining ones were not", w.alias, err)
		}
		partial = partial || !whole
		fmt.Fprintf(p.stdout, "Wrote %s\n", filepath.Join(path, w.alias))
	}
	if partial {
		return errPartialExport
	}
	return nil
}

// get returns the user's wallet with this alias.
func (d *walletCommands) get(ctx context.Context, alias string) (wallet.View, error) {
	access, err := d.access(ctx, alias)
	if err != nil {
		return wallet.View{}, err
	}
	return d.service.Get(ctx, access)
}

// chosen returns the wallet with the given alias, or all wallets if alias is empty.
func (d *walletCommands) chosen(ctx context.Context, alias string) ([]wallet.View, error) {
	if alias == "" {
		return d.service.List(ctx, d.who, "", 0)
	}
	v, err := d.get(ctx, alias)
	return []wallet.View{v}, err
}

// newFolders opens a directory, creating it if necessary, and returns an error if it
// already contains a directory for one of the wallets. An alias cannot lead outside the
// directory: it consists of letters, digits and underscores, and os.Root would refuse
// such a path.
func newFolders(path string, wallets []leavingWallet) (*os.Root, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("create the directory: %w", err)
	}
	folder, err := os.OpenRoot(path)
	if err != nil {
		return nil, fmt.Errorf("open the directory: %w", err)
	}
	var there []string
	for _, w := range wallets {
		if _, err := folder.Lstat(w.alias); !errors.Is(err, fs.ErrNotExist) {
			there = append(there, filepath.Join(path, w.alias))
		}
	}
	if len(there) > 0 {
		return nil, errors.Join(fmt.Errorf("already exists: %s; nothing was written. Choose another directory with --to, or remove the existing ones", strings.Join(there, ", ")), folder.Close())
	}
	return folder, nil
}

// exportWallet writes a wallet in all formats, and reports whether the wallet could be
// written in every format.
func (p *program) exportWallet(folder *os.Root, w leavingWallet) (whole bool, err error) {
	write, err := w.load()
	if err != nil {
		return false, err
	}
	if err := folder.Mkdir(w.alias, 0o700); err != nil {
		return false, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, folder.RemoveAll(w.alias))
		}
	}()
	whole = true
	for _, form := range walletexport.Formats {
		name := w.alias + "/" + form.FileName()
		err := writeNew(folder, name, func(out io.Writer) error { return write(out, form) })
		if errors.Is(err, walletexport.ErrNotSortedMultisig) || errors.Is(err, walletexport.ErrOrigin) { // no program could have this wallet in this format
			err = folder.Remove(name)
		}
		if errors.Is(err, walletexport.ErrBranches) {
			fmt.Fprintf(p.stdout, "not written: %s: %s\n", name, err)
			whole = false
			err = folder.Remove(name)
		}
		if err != nil {
			return false, err
		}
	}
	return whole, nil
}

// writeNew creates a file that only its owner can read, writes it and syncs it to disk.
// The file must not exist.
func writeNew(folder *os.Root, name string, write func(io.Writer) error) error {
	f, err := folder.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	out := bufio.NewWriter(f)
	if err = write(out); err == nil {
		err = errors.Join(out.Flush(), f.Sync())
	}
	return errors.Join(err, f.Close())
}

// leaving collects the data of a wallet for all formats. It prints a note to stderr if
// data may be missing. If isNew is set, it also requests the time of the wallet's
// birthday block from the node, which core.json requires.
func (p *program) leaving(ctx context.Context, d *walletCommands, v wallet.View, isNew bool) (w walletexport.Wallet, err error) {
	access, err := d.service.Access(ctx, d.who, v.Alias)
	if err != nil {
		return w, err
	}
	if w, err = walletexport.Load(ctx, d.service, access); err != nil {
		return w, err
	}
	if v.Rescanning() {
		p.noteRescan(v.Alias)
	}
	if isNew && v.Birthday > 0 {
		if w.Born, err = d.timeOf(ctx, v.Wallet); err != nil {
			if ctx.Err() != nil {
				return w, err
			}
			fmt.Fprintf(p.stderr, "Note: the time of the first block of %s is unknown (%s), so core.json makes Bitcoin Core rescan the whole chain, which takes longer.\n", v.Alias, err)
		}
	}
	return w, nil
}

func (p *program) noteRescan(alias string) {
	fmt.Fprintf(p.stderr, "Note: %s is being rescanned, so the indexes of the next addresses may be too low, and frozen UTXOs that are not found yet are missing; export again once specterd wallet list shows ready.\n", alias)
}

// timeOf returns the time in the header of a wallet's birthday block.
func (d *walletCommands) timeOf(ctx context.Context, w wallet.Wallet) (time.Time, error) {
	if err := d.node.Provider.Ready(w.NodeWallet()); err != nil {
		return time.Time{}, err
	}
	header, err := d.node.Backend.HeaderAt(ctx, int64(w.Birthday))
	return header.Time, err
}
