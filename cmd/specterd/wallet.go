package main

import (
	"context"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/config"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/wallet"
)

// walletDesk is a command's access to wallets, in somebody's name.
type walletDesk struct {
	*app
	node    *nodeAccess
	service *wallet.Service
	who     *auth.Principal
}

func (p *program) walletCommand() *cobra.Command {
	var user string
	cmd := &cobra.Command{
		Use: "wallet", Short: "Make, list, show, rescan and remove wallets; works beside a running server",
	}
	addDataFlags(cmd.PersistentFlags())
	config.AddFlags(cmd.PersistentFlags(), "node-url", "node-wallet-folder")
	cmd.PersistentFlags().StringVar(&user, "user", auth.FirstAdmin, "whose wallets")
	cmd.AddCommand(
		p.walletCreateCommand(&user), p.walletListCommand(&user), p.walletShowCommand(&user),
		p.walletRescanCommand(&user), p.walletRemoveCommand(&user),
	)
	return cmd
}

// withWallets wraps what a command does with the opening and closing of the
// database and the node. If atNode is set, the node is asked how it is; it need
// not answer.
func (p *program) withWallets(user *string, atNode bool, do func(cmd *cobra.Command, d *walletDesk, args []string) error) func(*cobra.Command, []string) error {
	return p.withApp(func(cmd *cobra.Command, a *app, args []string) error {
		u, err := a.users.Get(cmd.Context(), *user)
		if err != nil {
			return err
		}
		n, err := a.openNode()
		if err != nil {
			return err
		}
		defer n.close()
		if atNode {
			if err := n.firstLook(cmd.Context()); err != nil {
				return err
			}
		}
		who := operator()
		who.UserID = u.ID
		// The server's follower finds by itself what is to be done.
		service := wallet.New(a.log, a.store, a.store, n.provider, a.now, func(string) {})
		return do(cmd, &walletDesk{a, n, service, who}, args)
	})
}

func (p *program) walletCreateCommand(user *string) *cobra.Command {
	var plan wallet.Plan
	var birth string
	cmd := &cobra.Command{
		Use: "create", Short: "Make a watch-only wallet of descriptors or keys, and show how its scan goes", Args: cobra.NoArgs,
		Example: `  specterd wallet create --name Savings --birth 2024-01-31 --descriptor 'wpkh([d34db33f/84h/0h/0h]xpub…/<0;1>/*)'
  specterd wallet create --name Vault --birth now --script wsh --required 2 --key '[…]xpub…' --key '[…]xpub…' --key '[…]xpub…'`,
		RunE: p.withWallets(user, true, func(cmd *cobra.Command, d *walletDesk, _ []string) error {
			var err error
			if plan.Birth, err = wallet.ParseBirth("birth", birth); err != nil {
				return err
			}
			v, err := d.service.Create(cmd.Context(), d.who, plan)
			if err != nil {
				return err
			}
			fmt.Fprintf(p.stdout, "Made wallet %s.\n", v.Alias)
			if plan.ImpliesChange() {
				fmt.Fprintf(p.stdout, "Its change addresses are on the branch /1/*, which the receive descriptor implies: %s\n", v.Change)
			}
			return p.followScan(cmd.Context(), d, v)
		}),
	}
	f := cmd.Flags()
	f.StringVar(&plan.Name, "name", "", "name of the wallet, for all its members")
	f.StringVar(&plan.Alias, "alias", "", "the user's own name for it; without it: the name in small letters, with _ for spaces")
	f.StringVar(&plan.Descriptor, "descriptor", "", "output descriptor, of both branches (…/<0;1>/*) or of the receive branch (…/0/*)")
	f.StringVar(&plan.Change, "change-descriptor", "", "that of the change branch; not required if --descriptor ends in /0/*, which implies /1/* for change")
	f.StringArrayVar(&plan.Keys, "key", nil, "instead of a descriptor: a key such as [d34db33f/84h/0h/0h]xpub…; may be repeated")
	f.IntVar(&plan.Required, "required", 0, "with several --key: how many signatures a payment takes")
	f.StringVar(&plan.Script, "script", "", "with --key: wpkh, sh-wpkh, pkh or tr for one, wsh, sh-wsh or sh for several")
	f.StringVar(&birth, "birth", "", "from when on it may have transactions: now, a block's height, or a date")
	for _, name := range []string{"name", "birth"} {
		_ = cmd.MarkFlagRequired(name) // there are such flags
	}
	return cmd
}

func (p *program) walletListCommand(user *string) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List a user's wallets", Args: cobra.NoArgs,
		RunE: p.withWallets(user, false, func(cmd *cobra.Command, d *walletDesk, _ []string) error {
			views, err := d.service.List(cmd.Context(), d.who, "", 0)
			if err != nil {
				return err
			}
			w := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "ALIAS\tNAME\tROLE\tSCRIPT\tBTC\tSTATUS\tAS OF")
			for _, v := range views {
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", v.Alias, v.Name, v.Role, scriptOf(v), v.Balances.Trusted, walletStatus(v), asOf(v))
			}
			return w.Flush()
		}),
	}
}

// scriptOf is such as "wpkh" or "2 of 3 wsh".
func scriptOf(v wallet.View) string {
	if !v.Script.IsMultisig() {
		return string(v.Script)
	}
	return fmt.Sprintf("%d of %d %s", v.Required, len(v.Keys), v.Script)
}

func walletStatus(v wallet.View) string {
	switch {
	case v.Problem != "":
		return v.Problem
	case v.Scanning():
		return fmt.Sprintf("scanning, %.0f %%", 100*v.ScanProgress)
	}
	return "ready"
}

func asOf(v wallet.View) string {
	if v.Synced.Height < 0 {
		return "never"
	}
	return fmt.Sprintf("block %d", v.Synced.Height)
}

func (p *program) walletShowCommand(user *string) *cobra.Command {
	return &cobra.Command{
		Use: "show ALIAS", Short: "Show one wallet", Args: cobra.ExactArgs(1),
		RunE: p.withWallets(user, false, func(cmd *cobra.Command, d *walletDesk, args []string) error {
			v, err := d.service.Get(cmd.Context(), d.who, args[0])
			if err != nil {
				return err
			}
			members, err := d.service.Members(cmd.Context(), d.who, args[0])
			if err != nil {
				return err
			}
			w := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
			row := func(name, format string, args ...any) { fmt.Fprintf(w, name+"\t"+format+"\n", args...) }
			row("name", "%s", v.Name)
			row("status", "%s", walletStatus(v))
			row("as of", "%s", asOf(v))
			row("script", "%s", scriptOf(v))
			row("trusted", "%s BTC", v.Balances.Trusted)
			row("pending", "%s BTC", v.Balances.UntrustedPending)
			row("immature", "%s BTC", v.Balances.Immature)
			row("available", "%s BTC", v.Balances.Available())
			row("birth", "block %d", v.Birth)
			row("made", "%s", v.CreatedAt.UTC().Format(timeLayout))
			row("addresses", "%d receive, %d change, of %d each", v.ReceiveNext, v.ChangeNext, v.RangeEnd)
			row("descriptor", "%s", v.Receive)
			row("change", "%s", v.Change)
			for _, k := range v.Keys {
				row("key", "%s %s %s", k.Fingerprint, k.Derivation, k.Device)
			}
			for _, m := range members {
				row("member", "%s, %s", m.UserName, m.Role)
			}
			row("in Core", "%s", v.CoreName)
			return w.Flush()
		}),
	}
}

func (p *program) walletRescanCommand(user *string) *cobra.Command {
	var from string
	var addresses uint32
	var stop bool
	cmd := &cobra.Command{
		Use: "rescan ALIAS", Short: "Have the chain looked through for a wallet again, and show how that goes", Args: cobra.ExactArgs(1),
		RunE: p.withWallets(user, true, func(cmd *cobra.Command, d *walletDesk, args []string) error {
			if stop {
				if err := d.service.StopRescan(cmd.Context(), d.who, args[0]); err != nil {
					return err
				}
				fmt.Fprintf(p.stdout, "Stopped the scan of %s; what it found stays.\n", args[0])
				return nil
			}
			begin, err := wallet.ParseBirth("from", from)
			if err != nil {
				return err
			}
			v, err := d.service.Rescan(cmd.Context(), d.who, args[0], begin, addresses)
			if err != nil {
				return err
			}
			return p.followScan(cmd.Context(), d, v)
		}),
	}
	f := cmd.Flags()
	f.StringVar(&from, "from", "0", "where to begin: a block's height, or a date")
	f.Uint32Var(&addresses, "addresses", 0, "look for addresses of indexes below this, too")
	f.BoolVar(&stop, "stop", false, "stop a scan instead")
	return cmd
}

func (p *program) walletRemoveCommand(user *string) *cobra.Command {
	var files string
	cmd := &cobra.Command{
		Use: "rm ALIAS", Short: "Remove a wallet for all its members; Core's files are kept, unless asked", Args: cobra.ExactArgs(1),
		RunE: p.withWallets(user, true, func(cmd *cobra.Command, d *walletDesk, args []string) error {
			if files != "keep" && files != "delete" {
				return fault.InvalidField("files", "has to be keep or delete")
			}
			v, err := d.service.Get(cmd.Context(), d.who, args[0])
			if err != nil {
				return err
			}
			if err := d.service.Delete(cmd.Context(), d.who, args[0], files == "delete"); err != nil {
				return err
			}
			fmt.Fprintf(p.stdout, "Removed wallet %s.\n", args[0])
			if v.Adopted() {
				fmt.Fprintf(p.stdout, "Bitcoin Core's wallet %s was there before; it is left as it is, for Specter Desktop.\n", v.CoreName)
			}
			if err := d.unload(cmd.Context(), v.ID); err != nil {
				fmt.Fprintln(p.stderr, "Bitcoin Core may still have it loaded, until a server sees to that:", err)
			}
			return nil
		}),
	}
	cmd.Flags().StringVar(&files, "files", "keep", "what becomes of Core's files: keep or delete; a server that runs deletes them by its own settings")
	return cmd
}

// unload has Core forget a wallet that was removed. A server does so by itself, and
// must not find the wallet gone from Core before it knows.
func (d *walletDesk) unload(ctx context.Context, id string) error {
	if served, err := d.isServed(ctx); served || err != nil {
		return err
	}
	w, err := d.store.WalletByID(ctx, id)
	if err != nil {
		return err
	}
	return d.service.Finish(ctx, w)
}
