package v1

import (
	"bufio"
	"context"

	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/historyexport"
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
	out := route.Streamed{ContentType: historyexport.CSVContent, Header: httpcall.Attachment(historyexport.FileName(set.Alias(), "ledger", in.Since, in.Until) + ".csv")}
	out.Body = func(w *bufio.Writer) error { return historyexport.WriteLedger(w, in.BOM, zone, entries) }
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
		"category": h.Category != "", "label": h.Label != "", "min_amount_sat": h.MinAmount != 0, "max_amount_sat": h.MaxAmount != 0, "address": h.ToAddress != "", "unconfirmed": h.Unconfirmed, "dead": h.Dead, "hex": h.Hex, "cursor": h.Cursor != "",
	} {
		if given {
			return p, fault.InvalidField(name, "must not be used with view=ledger, which has all transactions of a period")
		}
	}
	var err error
	p.Since, p.Until, err = h.times()
	return p, err
}
