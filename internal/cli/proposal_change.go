package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/psbt"
	"github.com/specterd/specterd/internal/text"
	"github.com/specterd/specterd/internal/wallet"
)

func (p *program) proposalSignCommand(user *string) *cobra.Command {
	var id string
	cmd := &cobra.Command{
		Use: "sign-in-file FILE", Short: "Add the signatures of a signed PSBT", Args: cobra.ExactArgs(1),
		Long: `Add the signatures of a signed PSBT, or of the signed transaction, to its proposal.

FILE contains the PSBT in binary, base64 or hexadecimal, or the texts of its QR codes, one
in each line; - reads standard input. The transaction in it identifies the proposal. Only
signatures are used, and each is verified.`,
		Example: "  specterd proposal sign-in-file payment-signed.psbt",
		RunE: p.withWallets(user, false, func(cmd *cobra.Command, d *walletCommands, args []string) error {
			data, err := p.readLimited(args[0], psbt.MaxTextSize)
			if err != nil {
				return err
			}
			access, before, err := d.proposalOf(cmd.Context(), id, data)
			if err != nil {
				return err
			}
			after, err := d.proposals.AddSignatures(cmd.Context(), access, before.ID, data, nil)
			if err != nil {
				return err
			}
			if n := len(after.Signatures) - len(before.Signatures); n == 0 {
				fmt.Fprintf(p.stderr, "%s has no signatures that are new; nothing was changed.\n", args[0])
			} else if !wantsJSON(cmd) {
				fmt.Fprintf(p.stdout, "Added %s.\n\n", text.Count(n, "signature"))
			}
			return p.printProposal(cmd, d, access, after, "")
		}),
	}
	cmd.Flags().StringVar(&id, "id", "", "id of the proposal; default the one with the transaction in FILE")
	return addJSON(cmd)
}

// proposalOf returns the proposal with an id, or, without one, the proposal for whose
// transaction data has signatures. Of several, it prefers an open one.
func (d *walletCommands) proposalOf(ctx context.Context, id string, data []byte) (access wallet.Access, found proposal.Proposal, err error) {
	if id != "" {
		return d.findProposal(ctx, id)
	}
	posted, err := psbt.Decode(data)
	if err != nil {
		return access, found, err
	}
	accesses, err := d.accesses(ctx, nil)
	if err != nil {
		return access, found, err
	}
	for _, a := range accesses {
		same, err := d.proposals.List(ctx, a, proposal.Filter{Txid: posted.Txid()}, proposal.Cursor{}, 100)
		if err != nil {
			return access, found, err
		}
		for _, one := range same {
			if found.ID == "" || one.Status.Open() && !found.Status.Open() {
				access, found = a, one
			}
		}
	}
	if found.ID == "" {
		return access, found, fmt.Errorf("no proposal of user %s has the transaction %s; --user selects another user", d.who.UserName, posted.Txid())
	}
	return access, found, nil
}

func (p *program) proposalBroadcastCommand(user *string) *cobra.Command {
	var evict bool
	cmd := &cobra.Command{
		Use: "broadcast ID", Short: "Send the signed transaction of a proposal to the network", Args: cobra.ExactArgs(1),
		RunE: p.withWallets(user, true, func(cmd *cobra.Command, d *walletCommands, args []string) error {
			access, before, err := d.findProposal(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			v, err := d.service.View(cmd.Context(), access, auth.RoleViewer)
			if err != nil {
				return err
			}
			if n := missingSignatures(before, v); n != "" {
				return errors.New(n)
			}
			sent, err := d.proposals.Broadcast(cmd.Context(), access, before.ID, proposal.BroadcastParams{Evict: evict})
			if err != nil {
				return err
			}
			again := ""
			if before.Status == proposal.Broadcast {
				again = " again"
			}
			if !wantsJSON(cmd) {
				fmt.Fprintf(p.stdout, "Sent transaction %s%s.\n\n", sent.FinalTxid, again)
			}
			return p.printProposal(cmd, d, access, sent, "")
		}),
	}
	cmd.Flags().BoolVar(&evict, "evict", false, "allow a replacement to evict later payments of others")
	return addJSON(cmd)
}

// missingSignatures returns why a proposal cannot be sent yet; empty if it can be, or if
// the service reports another reason.
func missingSignatures(found proposal.Proposal, v wallet.View) string {
	if found.Status != proposal.Created && found.Status != proposal.PartiallySigned {
		return ""
	}
	return fmt.Sprintf("proposal %s does not have enough signatures yet; missing: %s; \"specterd proposal show %s\" shows who can sign",
		found.ID, text.Count(v.SignaturesRequired-found.FewestSignatures(), "signature"), found.ID)
}

func (p *program) proposalCancelCommand(user *string) *cobra.Command {
	cmd := &cobra.Command{
		Use: "cancel ID", Short: "Cancel an open proposal and release its UTXOs", Args: cobra.ExactArgs(1),
		RunE: p.withWallets(user, true, func(cmd *cobra.Command, d *walletCommands, args []string) error {
			access, found, err := d.findProposal(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			question := fmt.Sprintf("Cancel proposal %s for %s BTC and delete its signatures?", found.ID, bitcoins(found.Sent()))
			if err := p.confirm(cmd, "%s", question); err != nil {
				return err
			}
			cancelled, err := d.proposals.Cancel(cmd.Context(), access, found.ID, nil)
			if err != nil {
				return err
			}
			if !wantsJSON(cmd) {
				fmt.Fprintf(p.stdout, "Cancelled proposal %s; its UTXOs are available again.\n\n", found.ID)
			}
			return p.printProposal(cmd, d, access, cancelled, "")
		}),
	}
	return addJSON(addYes(cmd))
}

func (p *program) proposalBumpCommand(user *string) *cobra.Command {
	var feeRate, maxFee, key, file string
	var evict, dryRun bool
	cmd := &cobra.Command{
		Use: "bump ID --fee-rate RATE", Short: "Create a replacement with a higher fee rate", Args: cobra.ExactArgs(1),
		Long: `Create a replacement with a higher fee rate.

The replacement is a new proposal with the same recipients, which must be signed and
broadcast. An open proposal is replaced at once, a sent one when the replacement is sent.`,
		RunE: p.withWallets(user, true, func(cmd *cobra.Command, d *walletCommands, args []string) error {
			rate, err := parseFeeRate(feeRate)
			if err != nil {
				return err
			}
			var most btc.Amount
			if maxFee != "" {
				if most, err = proposal.ParseAmount(maxFee); err != nil {
					return fmt.Errorf("--max-fee: %w", err)
				}
			}
			access, old, err := d.findProposal(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return p.addProposal(cmd, d, access, key, file, func(ctx context.Context) (proposal.Proposal, error) {
				return d.proposals.Bump(ctx, access, old.ID, proposal.BumpParams{FeeRate: rate, MaxFee: most, Evict: evict, DryRun: dryRun})
			})
		}),
	}
	f := cmd.Flags()
	f.StringVar(&feeRate, "fee-rate", "", "fee rate in sat/vB, above the fee rate of the proposal")
	f.StringVar(&maxFee, "max-fee", "", "maximum fee, such as 5000sat; it can only lower the maximum of the wallet and the server")
	f.BoolVar(&evict, "evict", false, "allow the replacement to evict later payments of others")
	addNewProposalFlags(cmd, &dryRun, &key, &file)
	_ = cmd.MarkFlagRequired("fee-rate")
	return addJSON(cmd)
}

func (p *program) proposalApproveCommand(user *string) *cobra.Command {
	cmd := &cobra.Command{
		Use: "approve ID", Short: "Approve a proposal that a policy holds back", Args: cobra.ExactArgs(1),
		RunE: p.withWallets(user, true, func(cmd *cobra.Command, d *walletCommands, args []string) error {
			access, found, err := d.findProposal(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			approved, err := d.proposals.Approve(cmd.Context(), access, found.ID, nil)
			if err != nil {
				return err
			}
			if !wantsJSON(cmd) {
				fmt.Fprintf(p.stdout, "%s has approved proposal %s.\n\n", d.who.UserName, found.ID)
			}
			return p.printProposal(cmd, d, access, approved, "")
		}),
	}
	return addJSON(cmd)
}

func (p *program) proposalRejectCommand(user *string) *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use: "reject ID --reason TEXT", Short: "Reject a proposal that awaits approval, and release its UTXOs", Args: cobra.ExactArgs(1),
		RunE: p.withWallets(user, true, func(cmd *cobra.Command, d *walletCommands, args []string) error {
			access, found, err := d.findProposal(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			rejected, err := d.proposals.Reject(cmd.Context(), access, found.ID, reason, nil)
			if err != nil {
				return err
			}
			if !wantsJSON(cmd) {
				fmt.Fprintf(p.stdout, "%s has rejected proposal %s.\n\n", d.who.UserName, found.ID)
			}
			return p.printProposal(cmd, d, access, rejected, "")
		}),
	}
	cmd.Flags().StringVar(&reason, "reason", "", "reason, which all members can read")
	_ = cmd.MarkFlagRequired("reason")
	return addJSON(cmd)
}
