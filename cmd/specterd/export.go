package main

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

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/config"
	"github.com/specterd/specterd/internal/wallet"
	"github.com/specterd/specterd/internal/walletexport"
)

// errPartialExport ends an export that has left something out.
var errPartialExport = exitError{exitPartial, errors.New("the export is PARTIAL: not every wallet could be written in every form; see \"not written\" above")}

func (p *program) exportCommand() *cobra.Command {
	var user, alias, format, folder string
	cmd := &cobra.Command{
		Use: "export", Args: cobra.NoArgs,
		Short: "Write a user's wallets in the forms that Specter Desktop, other wallets and Bitcoin Core read",
		Long: `Write a user's wallets in the forms that others read:

  specter      specter.json      Specter Desktop's wallet file, with labels of addresses;
                                 in Specter Desktop: Add wallet, Import from a file
  account-map  account-map.json  label, blockheight, descriptor and devices, which
                                 Specter Desktop, Sparrow, Fully Noded and others read
  labels       labels.jsonl      all labels (BIP-329), and frozen coins as "spendable": false
  core         core.json         both descriptors for Bitcoin Core's importdescriptors

Either one wallet in one form on standard output, with --wallet and --format; or all
of them as files, with --to: a folder for each wallet, named by its alias, with a file
of each form. The files can be read by you only (0600). Nothing that is there already
is overwritten: if there is a folder of the same name, nothing is written.

No form has private keys, which specterd does not have; but whoever reads these files
knows all addresses of the wallets. History and proposals are in none of them:
GET /api/v1/transactions has the history as CSV, and proposals are PSBTs of their own.

It only reads, works beside a running server, and needs the node for one thing: the
time of the wallet's first block, in core.json. Without the node, core.json has Bitcoin
Core look through the whole chain, which is right as well and takes longer.

Exit status: 0 all is written; 3 partial, some wallet cannot be written in some form;
             1 failed.`,
		Example: `  specterd export --user alice --to ~/wallets-of-alice
  specterd export --user alice --wallet savings --format labels > savings.jsonl

  specterd export --user alice --wallet savings --format core > core.json
  bitcoin-cli -named createwallet wallet_name=savings disable_private_keys=true blank=true
  bitcoin-cli -rpcwallet=savings importdescriptors "$(cat core.json)"`,
		PreRunE: func(*cobra.Command, []string) error { return checkExport(alias, format, folder) },
		RunE: p.withWallets(&user, false, func(cmd *cobra.Command, d *walletDesk, _ []string) error {
			if folder != "" || format == string(walletexport.Core) {
				_ = d.node.firstLook(cmd.Context()) // timeOf says what came of it
			}
			if format != "" {
				return p.exportOne(cmd.Context(), d, alias, walletexport.Form(format))
			}
			return p.exportFolder(cmd.Context(), d, alias, folder)
		}),
	}
	addDataFlags(cmd.Flags())
	config.AddFlags(cmd.Flags(), "node-url")
	f := cmd.Flags()
	f.StringVar(&user, "user", auth.FirstAdmin, "whose wallets")
	f.StringVar(&alias, "wallet", "", "which one, by the user's alias; without it: all, with --to")
	f.StringVar(&format, "format", "", "write one wallet to standard output: specter, account-map, labels or core")
	f.StringVar(&folder, "to", "", "write files of all forms into this folder, which is made if it is not there")
	return cmd
}

// checkExport refuses flags that do not go together.
func checkExport(alias, format, folder string) error {
	switch {
	case format == "" && folder == "":
		return errors.New("say what to write: --to FOLDER for files of all forms, or --wallet ALIAS --format specter, account-map, labels or core for one on standard output")
	case format != "" && folder != "":
		return errors.New("--to writes files of all forms: leave out either --to or --format")
	case format != "" && alias == "":
		return errors.New("--format writes one wallet: say which with --wallet ALIAS; specterd wallet list shows the aliases")
	case format != "":
		_, err := walletexport.ParseForm(format)
		return err
	}
	return nil
}

func (p *program) exportOne(ctx context.Context, d *walletDesk, alias string, form walletexport.Form) error {
	v, err := d.service.Get(ctx, d.who, alias)
	if err != nil {
		return err
	}
	w, err := p.leaving(ctx, d, v, form == walletexport.Core)
	if err != nil {
		return err
	}
	out := bufio.NewWriter(p.exported())
	return errors.Join(w.Write(out, form), out.Flush())
}

func (p *program) exportFolder(ctx context.Context, d *walletDesk, alias, path string) (err error) {
	views, err := d.chosen(ctx, alias)
	if err != nil {
		return err
	}
	if len(views) == 0 {
		fmt.Fprintln(p.stdout, "There are no wallets; nothing is written.")
		return nil
	}
	folder, err := newFolders(path, views)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, folder.Close()) }()
	partial := false
	for _, v := range views {
		whole, err := p.exportWallet(ctx, d, folder, v)
		if err != nil {
			return fmt.Errorf("write wallet %s: %w; the wallets above are written, and this one and the rest are not", v.Alias, err)
		}
		partial = partial || !whole
		fmt.Fprintf(p.stdout, "Wrote %s\n", filepath.Join(path, v.Alias))
	}
	if partial {
		return errPartialExport
	}
	return nil
}

// chosen returns the wallet of an alias, or all.
func (d *walletDesk) chosen(ctx context.Context, alias string) ([]wallet.View, error) {
	if alias == "" {
		return d.service.List(ctx, d.who, "", 0)
	}
	v, err := d.service.Get(ctx, d.who, alias)
	return []wallet.View{v}, err
}

// newFolders opens a folder, which it makes if need be, in which none of the
// wallets has a folder yet. An alias leads nowhere else: its rule allows letters,
// digits and underscores only, and os.Root sees to the rest.
func newFolders(path string, views []wallet.View) (*os.Root, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder: %w", err)
	}
	folder, err := os.OpenRoot(path)
	if err != nil {
		return nil, fmt.Errorf("open the folder: %w", err)
	}
	var there []string
	for _, v := range views {
		if _, err := folder.Lstat(v.Alias); !errors.Is(err, fs.ErrNotExist) {
			there = append(there, filepath.Join(path, v.Alias))
		}
	}
	if len(there) > 0 {
		return nil, errors.Join(fmt.Errorf("there already: %s. Nothing is overwritten, and nothing was written; give another folder with --to, or remove what is there", strings.Join(there, ", ")), folder.Close())
	}
	return folder, nil
}

// exportWallet writes a wallet in all forms, and reports whether it could be
// written in each.
func (p *program) exportWallet(ctx context.Context, d *walletDesk, folder *os.Root, v wallet.View) (whole bool, err error) {
	w, err := p.leaving(ctx, d, v, true)
	if err != nil {
		return false, err
	}
	if err := folder.Mkdir(v.Alias, 0o700); err != nil {
		return false, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, folder.RemoveAll(v.Alias))
		}
	}()
	whole = true
	for _, form := range walletexport.Forms {
		name := v.Alias + "/" + form.FileName()
		err := writeNew(folder, name, func(out io.Writer) error { return w.Write(out, form) })
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

// writeNew writes a file that is not there yet, for its owner only, and brings it
// to the disk.
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

// leaving returns all that the forms are made of, and tells of what is not as it
// should be. Born is whether the node is asked for the time of the first block.
func (p *program) leaving(ctx context.Context, d *walletDesk, v wallet.View, born bool) (w walletexport.Wallet, err error) {
	if w.Portrait, err = d.service.Portrait(ctx, d.who, v.Alias, 1); err != nil {
		return w, err
	}
	if w.Devices, err = d.service.Devices(ctx, d.who); err != nil {
		return w, err
	}
	if w.Labels, err = d.service.Labels(ctx, d.who, v.Alias); err != nil {
		return w, err
	}
	if v.Scanning() {
		fmt.Fprintf(p.stderr, "Note: the chain is still looked through for %s, so the next addresses may be too low, and coins that are frozen and not seen yet are left out; export it again once specterd wallet list says ready.\n", v.Alias)
	}
	if born && v.Birth > 0 {
		if w.Born, err = d.timeOf(ctx, v.Birth); err != nil {
			if ctx.Err() != nil {
				return w, err
			}
			fmt.Fprintf(p.stderr, "Note: the time of %s's first block is not known (%s), so core.json has Bitcoin Core look through the whole chain, which takes longer.\n", v.Alias, err)
		}
	}
	return w, nil
}

// timeOf returns when a block of the node's chain was made.
func (d *walletDesk) timeOf(ctx context.Context, height int) (time.Time, error) {
	if err := d.node.provider.Ready(); err != nil {
		return time.Time{}, err
	}
	header, err := d.node.node.HeaderAt(ctx, int64(height))
	return header.Time, err
}
