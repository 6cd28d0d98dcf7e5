package cli

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"

	"github.com/spf13/cobra"

	api "github.com/specterd/specterd/api/v1"
	"github.com/specterd/specterd/client"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/privatefile"
	"github.com/specterd/specterd/internal/proposal"
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

// listed is a proposal of a list, with the alias of its wallet.
type listed struct {
	api.ProposalSummary
	alias string
}

func (p *program) proposalListCommand(user *string) *cobra.Command {
	var statuses []string
	var limit int
	cmd := &cobra.Command{
		Use: "list [ALIAS]", Short: "List proposals of one wallet or of all, latest first", Args: cobra.MaximumNArgs(1),
		Example: "  specterd proposal list vault --status created,partially_signed",
		RunE: p.withAPI(user, false, func(cmd *cobra.Command, c *connection, args []string) error {
			if _, err := proposal.ParseStatuses("--status", statuses); err != nil {
				return err
			}
			if limit < 1 {
				return errUsage("--limit must be 1 or more")
			}
			rows, err := c.listProposals(cmd.Context(), args, client.ListProposalsParams{Status: statuses}, limit)
			if err != nil {
				return err
			}
			return printRows(
				p, cmd, rows, func(l listed) any { return l.ProposalSummary },
				col("ID", func(l listed) string { return value(l.ID) }),
				col("WALLET", func(l listed) string { return l.alias }),
				amountCol("BTC", func(l listed) btc.Amount { return btc.Amount(l.Amount) }),
				col("STATUS", func(l listed) string { return l.Status }),
				col("CREATED", func(l listed) string { return l.CreatedAt.UTC().Format(timeLayout) }),
				col("EXPIRES", func(l listed) string {
					if !proposal.Status(l.Status).Open() {
						return ""
					}
					return l.ExpiresAt.UTC().Format(timeLayout)
				}),
			)
		}),
	}
	cmd.Flags().StringSliceVar(&statuses, "status", nil, "only proposals in these statuses, such as created,complete")
	cmd.Flags().IntVar(&limit, "limit", 100, "maximum number for each wallet, 1 or more")
	return addJSON(cmd)
}

// listProposals returns the latest proposals of the wallets with these aliases, at most limit of
// each, or of all wallets of the user if there are no aliases.
func (c *connection) listProposals(ctx context.Context, aliases []string, params client.ListProposalsParams, limit int) ([]listed, error) {
	if len(aliases) == 0 {
		var err error
		if aliases, err = c.aliases(ctx); err != nil {
			return nil, err
		}
	}
	params.Limit = min(limit, pageSize)
	var rows []listed
	for _, alias := range aliases {
		n := 0
		for one, err := range c.ListProposals(ctx, alias, &params) {
			if err != nil {
				return nil, c.unknownWallet(ctx, alias, err)
			}
			rows = append(rows, listed{one, alias})
			if n++; n == limit {
				break
			}
		}
	}
	return rows, nil
}

// findProposal returns a proposal and the alias of its wallet, which may be any wallet of the user.
func (c *connection) findProposal(ctx context.Context, id string) (alias string, found *api.ProposalDetails, err error) {
	aliases, err := c.aliases(ctx)
	if err != nil {
		return "", nil, err
	}
	for _, alias := range aliases {
		found, err := c.GetProposal(ctx, alias, client.ProposalID(id))
		if err == nil || !errors.Is(err, client.ErrProposalNotFound) && !errors.Is(err, client.ErrInvalidRequest) {
			return alias, found, err
		}
	}
	name, err := c.userName(ctx)
	if err != nil {
		return "", nil, err
	}
	return "", nil, fmt.Errorf("user %s has no proposal %s; \"specterd proposal list%s\" shows the ids, and %s", name, id, c.forUser(), c.otherUser())
}

func (p *program) proposalShowCommand(user *string) *cobra.Command {
	var file string
	var qr qrFlags
	cmd := &cobra.Command{
		Use: "show ID", Short: "Show a proposal and its missing signatures", Args: cobra.ExactArgs(1),
		Example: "  specterd proposal show ID --psbt payment.psbt\n  specterd proposal show ID --qr --device passport",
		RunE: p.withAPI(user, false, func(cmd *cobra.Command, c *connection, args []string) error {
			showQR, err := qr.isWanted()
			if err != nil {
				return err
			}
			alias, found, err := c.findProposal(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if !showQR {
				return p.printProposal(cmd, c, alias, found, file)
			}
			psbt, err := c.psbtOf(cmd.Context(), alias, found)
			if err != nil {
				return err
			}
			return qr.draw(cmd.Context(), p, psbt)
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

// psbtOf returns the PSBT of a proposal. While a policy holds the proposal back, it returns the error
// that says so.
func (c *connection) psbtOf(ctx context.Context, alias string, found *api.ProposalDetails) ([]byte, error) {
	if isHeld(found) {
		if _, err := c.GetProposalQR(ctx, alias, found, nil); err != nil {
			return nil, err
		}
	}
	return base64.StdEncoding.DecodeString(found.PSBT)
}

// printProposal writes the PSBT of a proposal to a file, if one is named, and prints the
// proposal; for -, it prints only the PSBT.
func (p *program) printProposal(cmd *cobra.Command, c *connection, alias string, found *api.ProposalDetails, file string) error {
	return p.printNewProposal(cmd, c, alias, found, file, nil)
}

// printNewProposal is printProposal with labels of addresses that are not stored.
func (p *program) printNewProposal(cmd *cobra.Command, c *connection, alias string, found *api.ProposalDetails, file string, labels map[string]string) error {
	if file != "" {
		psbt, err := c.psbtOf(cmd.Context(), alias, found)
		if err != nil {
			return err
		}
		if file == "-" {
			fmt.Fprintln(p.stdout, base64.StdEncoding.EncodeToString(psbt))
			return nil
		}
		if err := writePSBT(file, psbt); err != nil {
			return err
		}
		if found.Withheld {
			fmt.Fprintln(p.stderr, "The PSBT lacks the signatures that exist, because the role or the token does not permit to see them.")
		}
	}
	if wantsJSON(cmd) {
		return p.printJSON(found)
	}
	about, err := c.about(cmd.Context(), alias, found)
	if err != nil {
		return err
	}
	maps.Copy(about.labels, labels)
	return p.printProposalText(found, alias, about, file)
}

// aboutProposal contains the parts of the text of a proposal that are not in the proposal.
type aboutProposal struct {
	labels      map[string]string // of addresses
	unconfirmed int               // number of its UTXOs that are unconfirmed now
}

// about returns labels and the state of UTXOs for the text of a proposal, or nothing if the token may
// not read wallets.
func (c *connection) about(ctx context.Context, alias string, found *api.ProposalDetails) (aboutProposal, error) {
	about := aboutProposal{labels: map[string]string{}}
	labels, err := c.ExportLabels(ctx, alias)
	if errors.Is(err, client.ErrInsufficientScope) {
		return about, nil
	}
	for _, l := range labels {
		if l.Type == "addr" {
			about.labels[l.Ref] = value(l.Label)
		}
	}
	isNew := slices.ContainsFunc(found.Warnings, func(w api.Warning) bool { return w.Code == proposal.WarnUnconfirmed }) // it has a warning instead
	if err != nil || !isOpen(found) || isNew {
		return about, err
	}
	unconfirmed, err := c.unconfirmed(ctx, alias, found.Inputs)
	about.unconfirmed = unconfirmed
	return about, err
}

// fewInputs is the number of inputs up to which their addresses are looked up one by one.
const fewInputs = 20

// unconfirmed returns how many of these UTXOs are unconfirmed now.
func (c *connection) unconfirmed(ctx context.Context, alias string, inputs []api.SpentUTXO) (n int, err error) {
	queries := []client.ListUTXOsParams{{Limit: pageSize}}
	if len(inputs) <= fewInputs {
		queries = nil
		for _, in := range inputs {
			if !slices.ContainsFunc(queries, func(q client.ListUTXOsParams) bool { return q.Address == in.Address }) {
				queries = append(queries, client.ListUTXOsParams{Limit: pageSize, Address: in.Address})
			}
		}
	}
	for _, query := range queries {
		utxos, _, err := c.utxos(ctx, alias, query)
		if err != nil {
			return n, err
		}
		for _, u := range utxos {
			if u.Confirmations == 0 && slices.ContainsFunc(inputs, func(in api.SpentUTXO) bool { return in.Txid == u.Txid && in.Vout == u.Vout }) {
				n++
			}
		}
	}
	return n, nil
}

// checkNewFile returns an error if a file cannot be created at the path.
func checkNewFile(path string) error {
	f, err := privatefile.Create(path)
	if errors.Is(err, fs.ErrExist) {
		return errFileExists(path)
	}
	if err != nil {
		return fmt.Errorf("write the PSBT: %w", err)
	}
	return errors.Join(f.Close(), os.Remove(path))
}

// errFileExists is the error for a file that exists, with other content than the PSBT to write.
func errFileExists(path string) error {
	return fmt.Errorf("write the PSBT: the file %s exists already; name another file with --psbt, or remove this one", path)
}

// writePSBT writes a PSBT to a new file. A file with this content may exist.
func writePSBT(path string, psbt []byte) error {
	err := privatefile.WriteNew(path, psbt)
	if errors.Is(err, fs.ErrExist) {
		if content, readErr := os.ReadFile(path); readErr == nil && bytes.Equal(content, psbt) { //nolint:gosec // the caller names the file
			return nil
		}
		return errFileExists(path)
	}
	if err != nil {
		return fmt.Errorf("write the PSBT: %w", err)
	}
	return nil
}

// readLimited reads a file, or standard input for -, of at most limit bytes.
func (p *program) readLimited(path string, limit int64) ([]byte, error) {
	in := p.stdin
	if path == "-" && p.stdinTaken {
		return nil, errUsage("standard input contains the token; name another file with --token-file")
	}
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
