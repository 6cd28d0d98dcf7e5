package cli

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
	v1 "github.com/specterd/specterd/internal/httpapi/v1"
	"github.com/specterd/specterd/internal/privatefile"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/wallet"
)

func (p *program) proposalCommand() *cobra.Command {
	var user string
	cmd := &cobra.Command{
		Use: "proposal", Short: "Create, sign, broadcast and cancel proposals",
		Long: `Create, sign, broadcast and cancel proposals, which are payments that wait for
signatures.

A proposal reserves its UTXOs in the database, so that other commands and a running server
do not spend them. Its status follows the blockchain while the server is running.`,
	}
	addWalletFlags(cmd, &user)
	cmd.AddCommand(
		p.proposalListCommand(&user), p.proposalCreateCommand(&user), p.proposalShowCommand(&user),
		p.proposalApproveCommand(&user), p.proposalRejectCommand(&user), p.proposalSignCommand(&user), p.proposalBroadcastCommand(&user), p.proposalBumpCommand(&user), p.proposalCancelCommand(&user),
	)
	return cmd
}

// listed is a proposal of a list, with its wallet.
type listed struct {
	proposal.Proposal
	wallet wallet.View
}

func (p *program) proposalListCommand(user *string) *cobra.Command {
	var statuses []string
	var limit int
	cmd := &cobra.Command{
		Use: "list [ALIAS]", Short: "List proposals of one wallet or of all, latest first", Args: cobra.MaximumNArgs(1),
		Example: "  specterd proposal list vault --status created,partially_signed",
		RunE: p.withWallets(user, false, func(cmd *cobra.Command, d *walletCommands, args []string) error {
			filter, err := proposal.ParseStatuses("--status", statuses)
			if err != nil {
				return err
			}
			rows, err := d.listProposals(cmd.Context(), args, filter, limit)
			if err != nil {
				return err
			}
			return printRows(
				p, cmd, rows, func(l listed) any { return v1.ShowProposalSummary(l.Proposal, l.wallet) },
				col("ID", func(l listed) string { return l.ID }),
				col("WALLET", func(l listed) string { return l.wallet.Alias }),
				amountCol("BTC", func(l listed) btc.Amount { return l.Sent() }),
				col("STATUS", func(l listed) string { return string(l.Status) }),
				col("CREATED", func(l listed) string { return l.CreatedAt.UTC().Format(time.DateOnly) }),
			)
		}),
	}
	cmd.Flags().StringSliceVar(&statuses, "status", nil, "only proposals in these statuses, such as created,complete")
	cmd.Flags().IntVar(&limit, "limit", 100, "maximum number for each wallet, 1 or more")
	return addJSON(cmd)
}

// listProposals returns the latest proposals of the wallet named by args, or of all
// wallets of the user.
func (d *walletCommands) listProposals(ctx context.Context, args []string, statuses []proposal.Status, limit int) ([]listed, error) {
	if limit < 1 {
		return nil, errUsage("--limit must be 1 or more")
	}
	accesses, err := d.accesses(ctx, args)
	if err != nil {
		return nil, err
	}
	var rows []listed
	for _, access := range accesses {
		v, err := d.service.View(ctx, access, auth.RoleViewer)
		if err != nil {
			return nil, err
		}
		found, err := d.proposals.List(ctx, access, proposal.Filter{Statuses: statuses}, proposal.Cursor{}, limit)
		if err != nil {
			return nil, err
		}
		for _, one := range found {
			rows = append(rows, listed{one, v})
		}
	}
	return rows, nil
}

// accesses returns the user's access to the wallets with these aliases, or to all wallets
// if there are none.
func (d *walletCommands) accesses(ctx context.Context, aliases []string) ([]wallet.Access, error) {
	if len(aliases) == 0 {
		memberships, err := d.service.Memberships(ctx, d.who)
		if err != nil {
			return nil, err
		}
		for _, m := range memberships {
			aliases = append(aliases, m.Alias)
		}
	}
	accesses := make([]wallet.Access, len(aliases))
	for i, alias := range aliases {
		var err error
		if accesses[i], err = d.access(ctx, alias); err != nil {
			return nil, err
		}
	}
	return accesses, nil
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

// findProposal returns a proposal and the access to its wallet, which may be any wallet
// of the user.
func (d *walletCommands) findProposal(ctx context.Context, id string) (wallet.Access, proposal.Proposal, error) {
	accesses, err := d.accesses(ctx, nil)
	if err != nil {
		return wallet.Access{}, proposal.Proposal{}, err
	}
	for _, access := range accesses {
		found, err := d.proposals.Get(ctx, access, id)
		if !errors.Is(err, proposal.ErrNotFound) {
			return access, found, err
		}
	}
	return wallet.Access{}, proposal.Proposal{}, fmt.Errorf("user %s has no proposal %s; \"specterd proposal list --user %s\" shows the ids, and --user selects another user", d.who.UserName, id, d.who.UserName)
}

func (p *program) proposalShowCommand(user *string) *cobra.Command {
	var file string
	var qr qrFlags
	cmd := &cobra.Command{
		Use: "show ID", Short: "Show a proposal and its missing signatures", Args: cobra.ExactArgs(1),
		Example: "  specterd proposal show ID --psbt payment.psbt\n  specterd proposal show ID --qr --device passport",
		RunE: p.withWallets(user, false, func(cmd *cobra.Command, d *walletCommands, args []string) error {
			showQR, err := qr.isWanted()
			if err != nil {
				return err
			}
			access, found, err := d.findProposal(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if showQR {
				if err := found.Withheld(); err != nil {
					return err
				}
				return qr.draw(cmd.Context(), p, found.PSBT)
			}
			return p.printProposal(cmd, d, access, found, file)
		}),
	}
	addPSBTFlag(cmd, &file)
	addJSON(cmd)
	addQRFlags(cmd, &qr)
	return cmd
}

func addPSBTFlag(cmd *cobra.Command, file *string) {
	cmd.Flags().StringVar(file, "psbt", "", "new file for the PSBT, in binary; - prints it in base64 instead")
}

// printProposal writes the PSBT of a proposal to a file, if one is named, and prints the
// proposal; for -, it prints only the PSBT.
func (p *program) printProposal(cmd *cobra.Command, d *walletCommands, access wallet.Access, found proposal.Proposal, file string) error {
	v, err := d.service.View(cmd.Context(), access, auth.RoleViewer)
	if err != nil {
		return err
	}
	if err := found.Withheld(); err != nil && file != "" {
		return err
	}
	switch {
	case file == "-":
		fmt.Fprintln(p.stdout, base64.StdEncoding.EncodeToString(found.PSBT))
		return nil
	case file != "":
		if err := writePSBT(file, found.PSBT); err != nil {
			return err
		}
	}
	if wantsJSON(cmd) {
		return p.printJSON(v1.ShowProposal(found, v))
	}
	var addresses []string
	for _, o := range found.Outputs {
		addresses = append(addresses, o.Address)
	}
	labels, err := d.service.AddressLabels(cmd.Context(), access, addresses)
	if err != nil {
		return err
	}
	unconfirmed := 0
	if found.Ancestors.Transactions == 0 { // a new proposal has a warning instead
		if unconfirmed, err = d.proposals.UnconfirmedInputs(cmd.Context(), access, found.ID); err != nil {
			return err
		}
	}
	return p.printProposalText(found, v, labels, unconfirmed, file)
}

// checkNewFile returns an error if a file cannot be created at the path.
func checkNewFile(path string) error {
	f, err := privatefile.Create(path)
	if err != nil {
		return fmt.Errorf("write the PSBT: %w", err)
	}
	return errors.Join(f.Close(), os.Remove(path))
}

// writePSBT writes a PSBT to a new file.
func writePSBT(path string, psbt []byte) error {
	if err := privatefile.WriteNew(path, psbt); err != nil {
		return fmt.Errorf("write the PSBT: %w", err)
	}
	return nil
}

// readLimited reads a file, or standard input for -, of at most limit bytes.
func (p *program) readLimited(path string, limit int64) ([]byte, error) {
	in := p.stdin
	if path != "-" {
		f, err := os.Open(path) //nolint:gosec // the caller names the file
		if err != nil {
			return nil, err
		}
		defer f.Close() //nolint:errcheck // it was only read
		in = f
	}
	data, err := io.ReadAll(io.LimitReader(in, limit+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read %s: %w", path, err)
	case int64(len(data)) > limit:
		return nil, fmt.Errorf("%s is larger than %d bytes", path, limit)
	}
	return data, nil
}
