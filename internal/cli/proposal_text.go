package cli

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/text"
	"github.com/specterd/specterd/internal/wallet"
)

// printProposalText prints a proposal for a reader: recipients, fee, signers, and missing
// signatures. Labels are the labels of addresses. Unconfirmed is how many of its UTXOs are
// unconfirmed now. File is the file to which its PSBT was written, or empty.
func (p *program) printProposalText(found proposal.Proposal, v wallet.View, labels map[string]string, unconfirmed int, file string) error {
	w, row := p.properties()
	if found.ID != "" {
		row("proposal", "%s", found.ID)
	}
	row("wallet", "%s", v.Alias)
	row("status", "%s", statusText(found, v))
	printOutputs(row, found, labels)
	row("fee", "%s", feeText(found))
	for _, in := range found.Inputs {
		row("spends", "%s BTC of %s", bitcoins(in.Amount), in.Outpoint)
	}
	if unconfirmed > 0 {
		row("unconfirmed", "%s of these; the payment cannot be confirmed before their transactions", text.Count(unconfirmed, "UTXO"))
	}
	if found.Held() || len(found.Approvals) > 0 {
		for _, line := range reviewLines(found.Review, found.Approvals) {
			row("policy", "%s", line)
		}
	}
	printSigners(row, found, v)
	row("txid", "%s", found.Txid)
	if found.FinalTxid != "" && found.FinalTxid != found.Txid {
		row("final txid", "%s", found.FinalTxid)
	}
	printRelated(row, found)
	if found.ID != "" {
		row("created", "%s by %s", found.CreatedAt.UTC().Format(timeLayout), found.Creator.UserName)
	}
	if found.Status.Open() {
		row("expires", "%s", found.ExpiresAt.UTC().Format(timeLayout))
	}
	for _, warning := range found.Warnings() {
		row("warning", "%s", warning.Message)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	printNext(p.stdout, found, file)
	return nil
}

// statusText returns the status with its reason, or with the number of signatures.
func statusText(found proposal.Proposal, v wallet.View) string {
	name := strings.ReplaceAll(string(found.Status), "_", " ")
	switch {
	case found.ID == "":
		return "dry run; nothing was stored or reserved"
	case found.Reason != "":
		return name + ": " + found.Reason
	case found.Status.Open():
		return fmt.Sprintf("%s, %d of %d signatures", name, found.FewestSignatures(), v.SignaturesRequired)
	}
	return name
}

// printOutputs prints a row for each output: the payments in the order of the request, and
// then the change.
func printOutputs(row func(name, format string, args ...any), found proposal.Proposal, labels map[string]string) {
	outputs := slices.SortedStableFunc(slices.Values(found.Outputs), func(a, b proposal.Output) int {
		return cmp.Compare(uint(a.Recipient), uint(b.Recipient)) // the change has the position -1
	})
	for _, o := range outputs {
		label := inParentheses(labels[o.Address])
		if o.Data != nil {
			row("stores", "%s: %x", text.Count(len(o.Data), "byte"), o.Data)
			continue
		}
		row(outputName(o.Kind), "%s", strings.TrimSpace(fmt.Sprintf("%s BTC to %s %s", bitcoins(o.Amount), addressText(o.Address), label)))
	}
}

func outputName(kind proposal.Kind) string {
	if kind == proposal.Change {
		return "change"
	}
	return "pays"
}

func addressText(address string) string {
	if address == "" {
		return "a script without an address"
	}
	return address
}

func feeText(found proposal.Proposal) string {
	size := fmt.Sprintf("%d vB", found.VSize)
	if !found.IsSigned() {
		size = "about " + size
	}
	source := ""
	switch found.FeeSource {
	case proposal.FeeEstimate:
		source = fmt.Sprintf("; the node's estimate for %d blocks", found.TargetBlocks)
	case proposal.FeeFallback:
		source = "; the node's fallback fee, because it has no estimate"
	case proposal.FeeMinimum:
		source = "; the minimum of the node's mempool"
	}
	return fmt.Sprintf("%s BTC, %s sat/vB for %s%s%s", bitcoins(found.Fee), found.PaidRate(), size, source, excessText(found))
}

// excessText says why a fee is higher than its source explains.
func excessText(found proposal.Proposal) string {
	switch {
	case found.FeeSource == proposal.FeeFallback && found.PaysForAncestors():
		return ", raised for unconfirmed ancestors"
	case found.ExcessFee == 0:
		return ""
	case found.HasExcessOfAncestors():
		return fmt.Sprintf("; %d sat of it are above %s sat/vB, for unconfirmed ancestors", found.ExcessFee, found.FeeRate)
	}
	return fmt.Sprintf("; %d sat of it are above %s sat/vB: a remainder too small for change, or for unconfirmed ancestors", found.ExcessFee, found.FeeRate)
}

// printSigners prints a row for each key of the wallet that has signed or can still sign.
func printSigners(row func(name, format string, args ...any), found proposal.Proposal, v wallet.View) {
	for i, key := range v.Keys {
		name := key.Fingerprint
		if key.Device != "" && key.Device != name {
			name += " " + key.Device
		}
		last := found.LastSignature(i)
		switch {
		case last == nil && found.Status.Open() && found.Status != proposal.Complete:
			row("not signed", "%s", name)
		case last == nil:
		case found.Signed(i) < len(found.Inputs):
			row("signed", "%s, %d of %d inputs", name, found.Signed(i), len(found.Inputs))
		case last.By.UserName == "": // found in a transaction that was signed elsewhere
			row("signed", "%s", name)
		default:
			row("signed", "%s, added by %s %s", name, last.By.UserName, last.At.UTC().Format(timeLayout))
		}
	}
	if n := v.SignaturesRequired - found.FewestSignatures(); found.Status.Open() && n > 0 {
		row("missing", "%s", text.Count(n, "signature"))
	}
}

// printRelated prints a row for each payment that the proposal replaces or evicts, or that
// replaces it.
func printRelated(row func(name, format string, args ...any), found proposal.Proposal) {
	if found.Replaces != "" {
		row("replaces", "%s", strings.TrimSpace(found.Replaces+" "+inParentheses(found.ReplacesID)))
	}
	if found.ReplacedBy != "" {
		row("replaced by", "%s", found.ReplacedBy)
	}
	for _, e := range found.Evicts {
		var sum btc.Amount
		for _, to := range e.Payees {
			sum += to.Amount
		}
		row("evicts", "%s, %s BTC %s", e.Txid, bitcoins(sum), inParentheses(e.ProposalID))
	}
}

func inParentheses(text string) string {
	if text == "" {
		return ""
	}
	return "(" + text + ")"
}

// printNext prints the commands with which an open proposal continues.
func printNext(w io.Writer, found proposal.Proposal, file string) {
	signable := found.Status == proposal.Created || found.Status == proposal.PartiallySigned
	switch {
	case file != "":
		fmt.Fprintf(w, "\nWrote the PSBT to %s.\n", file)
		if found.ID != "" && signable {
			fmt.Fprintln(w, "Next: sign it, and add the signed file with \"specterd proposal sign-in-file FILE\".")
		}
	case found.ID == "":
	case signable:
		fmt.Fprintf(w, "\nNext: write the PSBT with \"specterd proposal show %s --psbt FILE\",\nsign it, and add it with \"specterd proposal sign-in-file FILE\".\n", found.ID)
	case found.Status == proposal.AwaitingApproval:
		fmt.Fprintf(w, "\nNext: \"specterd proposal approve %s --user USER\" for each user whose approval is missing.\n", found.ID)
	case found.Status == proposal.Complete:
		fmt.Fprintf(w, "\nNext: \"specterd proposal broadcast %s\".\n", found.ID)
	}
}
