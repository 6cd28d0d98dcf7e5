package historyexport

import (
	"bufio"
	"iter"
	"strconv"
	"time"

	"github.com/specterd/specterd/internal/wallet"
)

// ledgerColumns are the names of the columns; docs/accounting.md describes them.
var ledgerColumns = []string{
	"date", "wallet", "kind", "amount_btc", "fee_btc", "balance_btc", "amount_sat", "fee_sat", "balance_sat", "address", "label", "counterparty_wallet",
	"txid", "vout", "status", "block_height", "transaction_label", "proposal_id", "proposed_by",
}

// WriteLedger writes a ledger as CSV, with dates in a time zone.
func WriteLedger(w *bufio.Writer, bom bool, zone *time.Location, entries iter.Seq2[wallet.Entry, error]) error {
	return writeTable(w, bom, ledgerColumns, entries, func(e wallet.Entry) []string { return ledgerLine(e, zone) })
}

func ledgerLine(e wallet.Entry, zone *time.Location) []string {
	var fee, feeSat, vout, height, proposal, proposer string
	if e.Fee != nil {
		fee, feeSat = e.Fee.String(), csvSat(*e.Fee)
	}
	if e.Vout != nil {
		vout = strconv.FormatUint(uint64(*e.Vout), 10)
	}
	if e.Block != nil {
		height = strconv.Itoa(e.Block.Height)
	}
	if e.Proposal != nil {
		proposal, proposer = e.Proposal.ID, e.Proposal.UserName
	}
	return []string{
		e.Time.In(zone).Format(time.DateTime), csvText(e.Alias), string(e.Kind),
		e.Amount.String(), fee, e.Balance.String(), csvSat(e.Amount), feeSat, csvSat(e.Balance),
		csvText(e.Address), csvText(e.Label), csvText(e.Counterparty),
		e.Txid, vout, string(e.Status), height, csvText(e.TxLabel), proposal, csvText(proposer),
	}
}
