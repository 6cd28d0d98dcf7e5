package cli

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/spf13/cobra"

	api "github.com/specterd/specterd/api/v1"
	"github.com/specterd/specterd/client"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/psbt"
	"github.com/specterd/specterd/internal/text"
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
		RunE: p.withAPI(user, false, func(cmd *cobra.Command, c *connection, args []string) error {
			data, err := p.readLimited(args[0], psbt.MaxTextSize)
			if err != nil {
				return err
			}
			alias, before, err := c.proposalOf(cmd.Context(), id, data)
			if err != nil {
				return err
			}
			after, err := c.AddSignatures(cmd.Context(), alias, client.ProposalID(*before.ID), api.AddSignaturesRequest{PSBT: asText(data)})
			if err != nil {
				return err
			}
			if n := signaturesOf(after.ProposalSummary) - signaturesOf(before); n == 0 {
				fmt.Fprintf(p.stderr, "%s has no signatures that are new; nothing was changed.\n", args[0])
			} else if !wantsJSON(cmd) {
				fmt.Fprintf(p.stdout, "Added %s.\n\n", text.Count(n, "signature"))
			}
			return p.printProposal(cmd, c, alias, after, "")
		}),
	}
	cmd.Flags().StringVar(&id, "id", "", "id of the proposal; default the one with the transaction in FILE")
	return addJSON(cmd)
}

// asText returns a PSBT as a text of the API: binary data in base64, and other formats unchanged.
func asText(data []byte) string {
	if utf8.Valid(data) && !bytes.ContainsRune(data, 0) {
		return string(data)
	}
	return base64.StdEncoding.EncodeToString(data)
}

// signaturesOf returns the number of signatures of all inputs.
func signaturesOf(found api.ProposalSummary) (n int) {
	for _, in := range found.Inputs {
		n += in.Signatures
	}
	return n
}

// proposalOf returns the proposal with an id, or, without one, the proposal for whose
// transaction data has signatures. Of several, it prefers an open one.
func (c *connection) proposalOf(ctx context.Context, id string, data []byte) (alias string, found api.ProposalSummary, err error) {
	if id != "" {
		alias, details, err := c.findProposal(ctx, id)
		if err != nil {
			return "", found, err
		}
		return alias, details.ProposalSummary, nil
	}
	posted, err := psbt.Decode(data)
	if err != nil {
		return "", found, err
	}
	same, err := c.listProposals(ctx, nil, client.ListProposalsParams{Txid: posted.Txid()}, 100)
	if err != nil {
		return "", found, err
	}
	if len(same) == 0 {
		name, err := c.userName(ctx)
		if err != nil {
			return "", found, err
		}
		return "", found, fmt.Errorf("no proposal of user %s has the transaction %s; %s", name, posted.Txid(), c.otherUser())
	}
	one := same[0]
	if i := slices.IndexFunc(same, func(l listed) bool { return proposal.Status(l.Status).Open() }); i >= 0 {
		one = same[i]
	}
	return one.alias, one.ProposalSummary, nil
}

func (p *program) proposalBroadcastCommand(user *string) *cobra.Command {
	var evict bool
	cmd := &cobra.Command{
		Use: "broadcast ID", Short: "Send the signed transaction of a proposal to the network", Args: cobra.ExactArgs(1),
		RunE: p.withAPI(user, true, func(cmd *cobra.Command, c *connection, args []string) error {
			alias, before, err := c.findProposal(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if n := missingSignatures(before); n != "" {
				return errors.New(n)
			}
			sent, err := c.BroadcastProposal(cmd.Context(), alias, client.ProposalID(*before.ID), api.BroadcastProposalRequest{Evict: evict})
			if err != nil {
				return err
			}
			again := ""
			if before.Status == string(proposal.Broadcast) {
				again = " again"
			}
			if !wantsJSON(cmd) {
				fmt.Fprintf(p.stdout, "Sent transaction %s%s.\n\n", value(sent.FinalTxid), again)
			}
			return p.printProposal(cmd, c, alias, sent, "")
		}),
	}
	cmd.Flags().BoolVar(&evict, "evict", false, "allow a replacement to evict later payments of others")
	return addJSON(cmd)
}

// missingSignatures returns why a proposal cannot be sent yet; empty if it can be, or if
// the service reports another reason.
func missingSignatures(found *api.ProposalDetails) string {
	if status := proposal.Status(found.Status); status != proposal.Created && status != proposal.PartiallySigned {
		return ""
	}
	return fmt.Sprintf("proposal %s does not have enough signatures yet; missing: %s; \"specterd proposal show %[1]s\" shows who can sign",
		*found.ID, text.Count(found.SignaturesRequired-fewestSignatures(found), "signature"))
}

func (p *program) proposalCancelCommand(user *string) *cobra.Command {
	cmd := &cobra.Command{
		Use: "cancel ID", Short: "Cancel an open proposal and release its UTXOs", Args: cobra.ExactArgs(1),
		RunE: p.withAPI(user, true, func(cmd *cobra.Command, c *connection, args []string) error {
			alias, found, err := c.findProposal(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			question := fmt.Sprintf("Cancel proposal %s for %s BTC and delete its signatures?", *found.ID, bitcoins(btc.Amount(found.Amount)))
			if err := p.confirm(cmd, "%s", question); err != nil {
				return err
			}
			cancelled, err := c.CancelProposal(cmd.Context(), alias, client.ProposalID(*found.ID))
			if err != nil {
				return err
			}
			if wantsJSON(cmd) {
				return p.printJSON(cancelled)
			}
			fmt.Fprintf(p.stdout, "Cancelled proposal %s; its UTXOs are available again.\n\n", *found.ID)
			return p.printProposal(cmd, c, alias, &cancelled.ProposalDetails, "")
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
		RunE: p.withAPI(user, true, func(cmd *cobra.Command, c *connection, args []string) error {
			request := api.BumpProposalRequest{Evict: evict, DryRun: dryRun}
			var err error
			if request.FeeRate, err = parseFeeRate(feeRate); err != nil {
				return err
			}
			if request.MaxFee, err = parseMaxFee(maxFee); err != nil {
				return err
			}
			alias, old, err := c.findProposal(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return p.addProposal(cmd, c, alias, key, file, api.CreateProposalRequest{}, func(dryRun bool, options ...client.CallOption) (*api.ProposalDetails, error) {
				request.DryRun = dryRun
				return c.BumpProposal(cmd.Context(), alias, client.ProposalID(*old.ID), request, options...)
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
		RunE: p.withAPI(user, true, func(cmd *cobra.Command, c *connection, args []string) error {
			alias, found, err := c.findProposal(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			name, err := c.userName(cmd.Context())
			if err != nil {
				return err
			}
			approved, err := c.ApproveProposal(cmd.Context(), alias, client.ProposalID(*found.ID))
			if err != nil {
				return err
			}
			if !wantsJSON(cmd) {
				fmt.Fprintf(p.stdout, "%s has approved proposal %s.\n\n", name, *found.ID)
			}
			return p.printProposal(cmd, c, alias, approved, "")
		}),
	}
	return addJSON(cmd)
}

func (p *program) proposalRejectCommand(user *string) *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use: "reject ID --reason TEXT", Short: "Reject a proposal that awaits approval, and release its UTXOs", Args: cobra.ExactArgs(1),
		RunE: p.withAPI(user, true, func(cmd *cobra.Command, c *connection, args []string) error {
			alias, found, err := c.findProposal(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			name, err := c.userName(cmd.Context())
			if err != nil {
				return err
			}
			rejected, err := c.RejectProposal(cmd.Context(), alias, client.ProposalID(*found.ID), api.RejectProposalRequest{Reason: reason})
			if err != nil {
				return err
			}
			if !wantsJSON(cmd) {
				fmt.Fprintf(p.stdout, "%s has rejected proposal %s.\n\n", name, *found.ID)
			}
			return p.printProposal(cmd, c, alias, rejected, "")
		}),
	}
	cmd.Flags().StringVar(&reason, "reason", "", "reason, which all members can read")
	_ = cmd.MarkFlagRequired("reason")
	return addJSON(cmd)
}
