package indexer_test

import (
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/testenv/testkit"
	"github.com/specterd/specterd/internal/wallet"
)

// compareLedger compares the ledger, in both orders, with Bitcoin Core's balances.
func (v *watched) compareLedger(d *differences, got wallet.View) {
	want := got.Balances.Trusted + got.Balances.UntrustedPending + got.Balances.Immature // compareBalances compares it with Core's
	for _, descending := range []bool{false, true} {
		_, entries, err := v.service.Ledger(v.t.Context(), wallet.One(v.access(v.who, v.alias)), wallet.LedgerParams{Descending: descending})
		testkit.Check(v.t, err)
		var sum, last btc.Amount
		first := true
		for e, err := range entries {
			if err != nil { // the history changed while the ledger was read
				d.add("the ledger: %v", err)
				return
			}
			change := e.Amount
			if e.Fee != nil {
				change -= *e.Fee
			}
			switch {
			case !descending && e.Balance != last+change:
				d.add("ledger balance %d after balance %d and change %d", e.Balance, last, change)
			case descending && first:
				d.compare("the latest balance of the ledger", e.Balance, want)
			case descending && e.Balance != last:
				d.add("ledger balance %d before balance %d", e.Balance, last)
			}
			sum += change
			if last = e.Balance; descending {
				last -= change
			}
			first = false
		}
		d.compare("the sum of the ledger", sum, want)
	}
}
