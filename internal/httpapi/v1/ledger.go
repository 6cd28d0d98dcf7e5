package v1

import (
	"bufio"
	"context"
	"iter"
	"strconv"
	"time"

	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/httpapi/route"
	"github.com/specterd/specterd/internal/httpcall"
	wallets "github.com/specterd/specterd/internal/wallet"
)

// ledger streams the ledger of a set of wallets.
func (a *API) ledger(ctx context.Context, set wallets.Set, in history) (route.Streamed, error) {
	params, err := in.ledgerParams()
	if err != nil {
		return route.Streamed{}, err
	}
	zone, err := in.zone()
	if err != nil {
		return route.Streamed{}, err
	}
	if err := a.wait(ctx, set, in.fresh); err != nil {
		return route.Streamed{}, err
	}
	tip, entries, err := a.o.Wallets.Ledger(ctx, set, params)
	if err != nil {
		return route.Streamed{}, err
	}
	out := route.Streamed{ContentType: csvContentType, Header: httpcall.Attachment(historyName(set.Alias(), "ledger", in.period) + ".csv")}
	out.Body = func(w *bufio.Writer) error { return writeLedger(w, in.BOM, zone, entries) }
	setAsOf(out.Header, tip)
	return out, nil
}

// ledgerParams validates and converts the parameters of a ledger. It rejects filters other
// than a period, because the running balances would not match the remaining rows.
func (h history) ledgerParams() (wallets.LedgerParams, error) {
	p := wallets.LedgerParams{Descending: h.Order == descending}
	if h.View != "ledger" {
		return p, fault.InvalidField("view", "must be ledger or omitted")
	}
	if h.Accept != "" && qualityOf(h.Accept, csvType) == 0 {
		return p, fault.InvalidField("view", "ledger is available as CSV only; send the header Accept: text/csv")
	}
	if h.Limit != 0 && h.Limit != defaultLimit {
		return p, fault.InvalidField("limit", "must not be used with view=ledger, which is not paginated; use since and until")
	}
	for name, given := range map[string]bool{
		"category": h.Category != "", "label": h.Label != "", "address": h.ToAddress != "", "unconfirmed": h.Unconfirmed, "dead": h.Dead, "hex": h.Hex, "cursor": h.Cursor != "",
	} {
		if given {
			return p, fault.InvalidField(name, "must not be used with view=ledger, which has all transactions of a period")
		}
	}
	var err error
	p.Since, p.Until, err = h.times()
	return p, err
}

// ledgerColumns are the names of the columns; docs/accounting.md describes them.
var ledgerColumns = []string{
	"date", "wallet", "kind", "amount_btc", "fee_btc", "balance_btc", "amount_sat", "fee_sat", "balance_sat", "address", "label", "counterparty_wallet",
	"txid", "vout", "status", "block_height", "transaction_label", "proposal_id", "proposed_by",
}

func writeLedger(w *bufio.Writer, bom bool, zone *time.Location, entries iter.Seq2[wallets.Entry, error]) error {
	return writeTable(w, bom, ledgerColumns, entries, func(e wallets.Entry) []string { return ledgerLine(e, zone) })
}

func ledgerLine(e wallets.Entry, zone *time.Location) []string {
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
