package cli

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	api "github.com/specterd/specterd/api/v1"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/text"
)

// printProposalText prints a proposal of a wallet for a reader: recipients, fee, signers, and missing
// signatures. File is the file to which its PSBT was written, or empty.
func (p *program) printProposalText(found *api.ProposalDetails, alias string, about aboutProposal, file string) error {
	w, row := p.properties()
	if found.ID != nil {
		row("proposal", "%s", *found.ID)
	}
	row("wallet", "%s", alias)
	row("status", "%s", statusText(found))
	printOutputs(row, found, about.labels)
	row("fee", "%s", feeText(found))
	for _, in := range found.Inputs {
		row("spends", "%s BTC of %s:%d", bitcoins(btc.Amount(in.Amount)), in.Txid, in.Vout)
	}
	if about.unconfirmed > 0 {
		row("unconfirmed", "%s of these; the payment cannot be confirmed before their transactions", text.Count(about.unconfirmed, "UTXO"))
	}
	if isHeld(found) || found.Review != nil && len(found.Review.Approvals) > 0 {
		for _, line := range reviewLines(found.Review) {
			row("policy", "%s", line)
		}
	}
	printSigners(row, found)
	row("txid", "%s", found.Txid)
	if final := value(found.FinalTxid); final != "" && final != found.Txid {
		row("final txid", "%s", final)
	}
	printRelated(row, found)
	if found.ID != nil {
		row("created", "%s by %s", found.CreatedAt.UTC().Format(timeLayout), found.CreatedBy.User)
	}
	if isOpen(found) {
		row("expires", "%s", found.ExpiresAt.UTC().Format(timeLayout))
	}
	for _, warning := range found.Warnings {
		row("warning", "%s", warning.Message)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	printNext(p.stdout, found, file)
	return nil
}

// isOpen reports whether a proposal reserves its UTXOs.
func isOpen(found *api.ProposalDetails) bool { return proposal.Status(found.Status).Open() }

// isHeld reports whether a policy holds a proposal back, so that its PSBT must not be shown.
func isHeld(found *api.ProposalDetails) bool {
	status := proposal.Status(found.Status)
	return found.Review != nil && !found.Review.Released && status != proposal.Broadcast && status != proposal.Confirmed
}

// fewestSignatures returns the number of signatures of the input that has the fewest.
func fewestSignatures(found *api.ProposalDetails) int {
	if len(found.Inputs) == 0 {
		return 0
	}
	return slices.MinFunc(found.Inputs, func(a, b api.SpentUTXO) int { return cmp.Compare(a.Signatures, b.Signatures) }).Signatures
}

// statusText returns the status with its reason, or with the number of signatures.
func statusText(found *api.ProposalDetails) string {
	name := strings.ReplaceAll(found.Status, "_", " ")
	switch {
	case found.ID == nil:
		return "dry run; nothing was stored or reserved"
	case found.Reason != nil:
		return name + ": " + *found.Reason
	case isOpen(found):
		return fmt.Sprintf("%s, %d of %d signatures", name, fewestSignatures(found), found.SignaturesRequired)
	}
	return name
}

// printOutputs prints a row for each output: the payments in the order of the request, and
// then the change.
func printOutputs(row func(name, format string, args ...any), found *api.ProposalDetails, labels map[string]string) {
	position := func(o api.Payment) int {
		if o.Recipient == nil {
			return len(found.Outputs)
		}
		return *o.Recipient
	}
	outputs := slices.SortedStableFunc(slices.Values(found.Outputs), func(a, b api.Payment) int { return cmp.Compare(position(a), position(b)) })
	for _, o := range outputs {
		if o.Data != nil {
			row("stores", "%s: %s", text.Count(len(*o.Data)/2, "byte"), *o.Data)
			continue
		}
		address := cmp.Or(value(o.Address), "a script without an address")
		label := inParentheses(labels[value(o.Address)])
		row(outputName(o.Kind), "%s", strings.TrimSpace(fmt.Sprintf("%s BTC to %s %s", bitcoins(btc.Amount(o.Amount)), address, label)))
	}
}

func outputName(kind string) string {
	if kind == string(proposal.Change) {
		return "change"
	}
	return "pays"
}

func feeText(found *api.ProposalDetails) string {
	size := fmt.Sprintf("%d vB", found.VSize)
	if found.Estimated {
		size = "about " + size
	}
	source := ""
	switch proposal.FeeSource(value(found.FeeSource)) {
	case proposal.FeeEstimate:
		source = fmt.Sprintf("; the node's estimate for %d blocks", value(found.TargetBlocks))
	case proposal.FeeFallback:
		source = "; the node's fallback fee, because it has no estimate"
	case proposal.FeeMinimum:
		source = "; the minimum of the node's mempool"
	}
	return fmt.Sprintf("%s BTC, %s sat/vB for %s%s%s", bitcoins(btc.Amount(found.Fee)), rateText(found.FeeRate), size, source, excessText(found))
}

// rateText returns a fee rate in sat/vB.
func rateText(rate api.FeeRate) string { return strconv.FormatFloat(float64(rate), 'f', -1, 64) }

// excessText says why a fee is higher than its source explains.
func excessText(found *api.ProposalDetails) string {
	if found.ExcessFee == 0 {
		return ""
	}
	above := "that rate"
	if found.RequestedFeeRate != nil {
		above = rateText(*found.RequestedFeeRate) + " sat/vB"
	}
	cause := ": a remainder too small for change, or for unconfirmed ancestors"
	if slices.ContainsFunc(found.Outputs, func(o api.Payment) bool { return o.Kind == string(proposal.Change) }) { // then there is no remainder
		cause = ", for unconfirmed ancestors"
	}
	return fmt.Sprintf("; %d sat of it are above %s%s", found.ExcessFee, above, cause)
}

// printSigners prints a row for each key of the wallet that has signed or can still sign.
func printSigners(row func(name, format string, args ...any), found *api.ProposalDetails) {
	for _, s := range found.Signers {
		name := s.Fingerprint
		if device := value(s.Device); device != "" && device != name {
			name += " " + device
		}
		switch {
		case s.SignedAt == nil && isOpen(found) && found.Status != string(proposal.Complete):
			row("not signed", "%s", name)
		case s.SignedAt == nil:
		case s.SignedInputs < len(found.Inputs):
			row("signed", "%s, %d of %d inputs", name, s.SignedInputs, len(found.Inputs))
		case s.User == nil: // found in a transaction that was signed elsewhere
			row("signed", "%s", name)
		default:
			row("signed", "%s, added by %s %s", name, *s.User, s.SignedAt.UTC().Format(timeLayout))
		}
	}
	if n := found.SignaturesRequired - fewestSignatures(found); isOpen(found) && n > 0 {
		row("missing", "%s", text.Count(n, "signature"))
	}
}

// printRelated prints a row for each payment that the proposal replaces or evicts, or that
// replaces it.
func printRelated(row func(name, format string, args ...any), found *api.ProposalDetails) {
	if found.Replaces != nil {
		row("replaces", "%s", strings.TrimSpace(*found.Replaces+" "+inParentheses(value(found.ReplacesID))))
	}
	if found.ReplacedBy != nil {
		row("replaced by", "%s", *found.ReplacedBy)
	}
	for _, e := range found.Evicts {
		var sum btc.Amount
		for _, to := range e.Recipients {
			sum += btc.Amount(to.Amount)
		}
		row("evicts", "%s, %s BTC %s", e.Txid, bitcoins(sum), inParentheses(value(e.ProposalID)))
	}
}

func inParentheses(text string) string {
	if text == "" {
		return ""
	}
	return "(" + text + ")"
}

// printNext prints the commands with which an open proposal continues.
func printNext(w io.Writer, found *api.ProposalDetails, file string) {
	status := proposal.Status(found.Status)
	signable := status == proposal.Created || status == proposal.PartiallySigned
	id := value(found.ID)
	switch {
	case file != "":
		fmt.Fprintf(w, "\nWrote the PSBT to %s.\n", file)
		if id != "" && signable {
			fmt.Fprintln(w, "Next: sign it, and add the signed file with \"specterd proposal sign-in-file FILE\".")
		}
	case id == "":
	case signable:
		fmt.Fprintf(w, "\nNext: write the PSBT with \"specterd proposal show %s --psbt FILE\",\nsign it, and add it with \"specterd proposal sign-in-file FILE\".\n", id)
	case status == proposal.AwaitingApproval:
		fmt.Fprintf(w, "\nNext: \"specterd proposal approve %s\", by each user whose approval is missing.\n", id)
	case status == proposal.Complete:
		fmt.Fprintf(w, "\nNext: \"specterd proposal broadcast %s\".\n", id)
	}
}
