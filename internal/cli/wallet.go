package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	api "github.com/specterd/specterd/api/v1"
	"github.com/specterd/specterd/client"
	"github.com/specterd/specterd/internal/app"
	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/config"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/text"
	"github.com/specterd/specterd/internal/wallet"
)

// walletCommands is a command's access to wallets on behalf of a user.
type walletCommands struct {
	*app.App
	node      *app.Node
	service   *wallet.Service
	proposals *proposal.Service
	who       *auth.Principal
}

func (p *program) walletCommand() *cobra.Command {
	var user string
	cmd := &cobra.Command{
		Use: "wallet", Short: "Manage wallets, their members and addresses",
	}
	addWalletFlags(cmd, &user)
	config.AddFlags(cmd.PersistentFlags(), "node-wallet-folder")
	cmd.AddCommand(
		p.walletCreateCommand(&user), p.walletListCommand(&user), p.walletShowCommand(&user),
		p.walletBalanceCommand(&user), p.walletAddressCommand(&user), p.walletTransactionsCommand(&user), p.walletUTXOsCommand(&user), p.walletMemberCommand(&user), p.walletDeviceCommand(&user),
		p.walletRescanCommand(&user), p.walletRemoveCommand(&user),
	)
	return cmd
}

// addWalletFlags adds the flags of a group of commands that use withAPI.
func addWalletFlags(cmd *cobra.Command, user *string) {
	addDataFlags(cmd.PersistentFlags())
	config.AddFlags(cmd.PersistentFlags(), "node-url")
	config.AddClientFlags(cmd.PersistentFlags())
	cmd.PersistentFlags().StringVar(user, "user", auth.FirstAdmin, "user on whose behalf to act")
}

// onBehalf returns a function that opens the node clients, calls do with the services on behalf of
// a user, and closes the clients. If atNode is set, it first checks the node and returns an error if
// the node is on another chain, but not if it is unreachable.
func (p *program) onBehalf(user *string, atNode bool, do func(cmd *cobra.Command, d *walletCommands, args []string) error) func(*cobra.Command, *app.App, []string) error {
	return func(cmd *cobra.Command, a *app.App, args []string) error {
		u, err := userNamed(cmd.Context(), a, *user)
		if err != nil {
			return err
		}
		n, err := a.OpenNode()
		if err != nil {
			return err
		}
		defer n.Close()
		if atNode {
			if err := n.CheckOnce(cmd.Context()); err != nil {
				return err
			}
		}
		service, proposals := a.Services(n)
		return do(cmd, &walletCommands{a, n, service, proposals, operator().For(u)}, args)
	}
}

// access returns the user's access to a wallet.
func (d *walletCommands) access(ctx context.Context, alias string) (wallet.Access, error) {
	access, err := d.service.Access(ctx, d.who, alias)
	if !errors.Is(err, wallet.ErrNotFound) {
		return access, err
	}
	members, err := d.service.Memberships(ctx, d.who)
	if err != nil {
		return access, err
	}
	return access, errNoWallet("", d.who.UserName, alias, members)
}

func (p *program) walletListCommand(user *string) *cobra.Command {
	return addJSON(&cobra.Command{
		Use: "list", Short: "List a user's wallets", Args: cobra.NoArgs,
		RunE: p.withAPI(user, false, func(cmd *cobra.Command, c *connection, _ []string) error {
			wallets, err := collect(c.ListWallets(cmd.Context(), &client.ListWalletsParams{Limit: pageSize}))
			if err != nil {
				return err
			}
			return printRows(
				p, cmd, wallets, itself,
				col("ALIAS", func(w api.Wallet) string { return w.Alias }),
				col("NAME", func(w api.Wallet) string { return w.Name }),
				col("ROLE", func(w api.Wallet) string { return w.Role }),
				col("SCRIPT", scriptOf),
				amountCol("BTC", func(w api.Wallet) btc.Amount { return btc.Amount(w.Balances.Trusted) }),
				col("STATUS", walletStatus),
				col("AS OF", func(w api.Wallet) string { return asOfText(w.AsOf) }),
			)
		}),
	})
}

// scriptOf returns a wallet's script type, such as "wpkh" or "2 of 3 wsh".
func scriptOf(w api.Wallet) string {
	if !btc.Script(w.Script).IsMultisig() {
		return w.Script
	}
	return fmt.Sprintf("%d of %d %s", w.SignaturesRequired, len(w.Keys), w.Script)
}

func walletStatus(w api.Wallet) string {
	switch {
	case w.Problem != nil:
		return *w.Problem
	case w.Rescan != nil:
		return fmt.Sprintf("rescanning, %.0f %%", 100*w.Rescan.Progress)
	}
	return "ready"
}

func asOfText(at *api.AsOf) string {
	if at == nil {
		return "never"
	}
	return fmt.Sprintf("block %d", at.Height)
}

func (p *program) walletShowCommand(user *string) *cobra.Command {
	return addJSON(&cobra.Command{
		Use: "show ALIAS", Short: "Show one wallet", Args: cobra.ExactArgs(1),
		RunE: p.withAPI(user, false, func(cmd *cobra.Command, c *connection, args []string) error {
			w, err := c.GetWallet(cmd.Context(), args[0], nil)
			if err != nil {
				return c.unknownWallet(cmd.Context(), args[0], err)
			}
			if wantsJSON(cmd) {
				return p.printJSON(w)
			}
			members, err := collect(c.ListMembers(cmd.Context(), w.Alias))
			if err != nil {
				return err
			}
			return p.printWallet(cmd.Context(), c, w, members)
		}),
	})
}

func (p *program) printWallet(ctx context.Context, c *connection, w *api.Wallet, members []api.Member) error {
	out, row := p.properties()
	row("name", "%s", w.Name)
	row("status", "%s", walletStatus(*w))
	row("as of", "%s", asOfText(w.AsOf))
	row("script", "%s", scriptOf(*w))
	for _, one := range []struct {
		name   string
		amount int64
	}{{"trusted", w.Balances.Trusted}, {"pending", w.Balances.UntrustedPending}, {"immature", w.Balances.Immature}, {"available", w.Balances.Available}} {
		row(one.name, "%s BTC", bitcoins(btc.Amount(one.amount)))
	}
	row("birthday", "block %d", w.BirthdayHeight)
	row("created", "%s", w.CreatedAt.UTC().Format(timeLayout))
	row("addresses", "%d receive and %d change revealed", w.NextIndex, w.NextChangeIndex)
	row("descriptor", "%s", w.Descriptor)
	row("change", "%s", w.ChangeDescriptor)
	for _, k := range w.Keys {
		row("key", "%s %s %s", k.Fingerprint, k.Derivation, value(k.Device))
	}
	for _, m := range members {
		row("member", "%s, %s", m.User, m.Role)
	}
	if c.local != nil { // the API does not have the name of the wallet in Bitcoin Core
		access, err := c.local.access(ctx, w.Alias)
		if err != nil {
			return err
		}
		v, err := c.local.service.View(ctx, access, auth.RoleViewer)
		if err != nil {
			return err
		}
		row("in Core", "%s, with %d addresses of each branch", v.CoreName, v.RangeEnd)
	}
	return out.Flush()
}

func (p *program) walletRescanCommand(user *string) *cobra.Command {
	var from string
	var addresses int
	var stop bool
	cmd := &cobra.Command{
		Use: "rescan ALIAS", Short: "Rescan the blockchain for a wallet and show progress", Args: cobra.ExactArgs(1),
		Long: `Rescan the blockchain for a wallet and show progress.

The server performs the rescan, or begins it when it starts. The role owner is required.`,
		RunE: p.withAPI(user, true, func(cmd *cobra.Command, c *connection, args []string) error {
			begin, err := startOf("from", from)
			if err != nil {
				return err
			}
			if _, err := c.GetWallet(cmd.Context(), args[0], nil); err != nil { // a token that may not read the wallet changes nothing
				return c.unknownWallet(cmd.Context(), args[0], err)
			}
			if stop {
				err = c.StopRescan(cmd.Context(), args[0])
			} else {
				_, err = c.StartRescan(cmd.Context(), args[0], api.StartRescanRequest{From: begin, Addresses: addresses})
			}
			if err != nil {
				return err
			}
			w, err := c.GetWallet(cmd.Context(), args[0], nil)
			switch {
			case err != nil:
				return err
			case wantsJSON(cmd):
				return p.printJSON(w)
			case stop:
				fmt.Fprintf(p.stdout, "Stopped the rescan of %s; transactions found so far are kept.\n", args[0])
				return nil
			}
			return p.followScan(cmd.Context(), c, w)
		}),
	}
	f := cmd.Flags()
	f.StringVar(&from, "from", "0", "start of the rescan: a block height, or a date")
	f.IntVar(&addresses, "addresses", 0, "also watch all addresses with an index below this number")
	f.BoolVar(&stop, "stop", false, "stop a running rescan instead")
	return addJSON(cmd)
}

func (p *program) walletRemoveCommand(user *string) *cobra.Command {
	var files string
	cmd := &cobra.Command{
		Use: "rm ALIAS", Short: "Delete a wallet for all members (funds are not affected)", Args: cobra.ExactArgs(1),
		RunE: p.withAPI(user, true, func(cmd *cobra.Command, c *connection, args []string) error {
			if files != "keep" && files != "delete" {
				return errUsage("--files must be keep or delete")
			}
			w, err := c.GetWallet(cmd.Context(), args[0], nil)
			if err != nil {
				return c.unknownWallet(cmd.Context(), args[0], err)
			}
			members, err := collect(c.ListMembers(cmd.Context(), w.Alias))
			if err != nil {
				return err
			}
			also := ""
			if files == "delete" {
				also = ", and delete its files in Bitcoin Core"
			}
			if err := p.confirm(cmd, "Delete wallet %s for %s%s?", args[0], text.Count(len(members), "member"), also); err != nil {
				return err
			}
			finish, err := c.finisher(cmd.Context(), w.Alias)
			if err != nil {
				return err
			}
			if err := c.DeleteWallet(cmd.Context(), w.Alias, &client.DeleteWalletParams{Files: files}); err != nil {
				return err
			}
			fmt.Fprintf(p.stdout, "Deleted wallet %s.\n", args[0])
			finish(p)
			return nil
		}),
	}
	cmd.Flags().StringVar(&files, "files", "keep", "keep or delete Bitcoin Core's wallet files; a running server uses its own settings to find them")
	return addYes(cmd)
}

// finisher returns a function to call after the deletion of a wallet. On the machine of the server,
// it unloads the wallet from Bitcoin Core, and prints which wallet of Bitcoin Core is kept.
func (c *connection) finisher(ctx context.Context, alias string) (func(*program), error) {
	if c.local == nil {
		return func(*program) {}, nil
	}
	access, err := c.local.access(ctx, alias)
	if err != nil {
		return nil, err
	}
	v, err := c.local.service.Get(ctx, access)
	return func(p *program) {
		if v.Adopted() {
			fmt.Fprintf(p.stdout, "Bitcoin Core's wallet %s was adopted from Specter Desktop and is kept unchanged.\n", v.CoreName)
		}
		if err := c.local.unload(ctx, v.ID); err != nil {
			fmt.Fprintln(p.stderr, "Bitcoin Core may still have the wallet loaded until specterd serve unloads it:", err)
		}
	}, err
}

// unload unloads a deleted wallet from Bitcoin Core, unless a server is running. A
// running server unloads the wallet itself. To notice the deletion, it must still find
// the wallet in Bitcoin Core.
func (d *walletCommands) unload(ctx context.Context, id string) error {
	if served, err := d.isServed(ctx); served || err != nil {
		return err
	}
	w, err := d.Store.WalletByID(ctx, id)
	if err != nil {
		return err
	}
	return d.service.Finish(ctx, w)
}
