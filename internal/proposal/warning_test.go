package proposal_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/proposal"
)

func TestHighFeeWarning(t *testing.T) {
	for i, c := range []struct {
		fee     btc.Amount
		outputs []proposal.Output
		want    bool
	}{
		{10_000, []proposal.Output{{Amount: 100_000, Kind: proposal.External}}, false},
		{10_001, []proposal.Output{{Amount: 100_000, Kind: proposal.External}}, true},
		{10_001, []proposal.Output{{Amount: 100_000, Kind: proposal.External}, {Amount: btc.BTC, Kind: proposal.Change}}, true},
		{10_000, []proposal.Output{{Amount: 60_000, Kind: proposal.External}, {Amount: 40_000, Kind: proposal.Own}}, false},
		{10_000, []proposal.Output{{Amount: 100_000, Kind: proposal.Change}}, false},
		{10_001, []proposal.Output{{Amount: 100_000, Kind: proposal.Change}}, true},
		{0, []proposal.Output{{Amount: 1, Kind: proposal.External}}, false},
	} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			p := proposal.Proposal{Fee: c.fee, Outputs: c.outputs}
			got := p.Warnings()
			if (len(got) == 1) != c.want || c.want && (got[0].Code != proposal.WarnHighFee || got[0].Message == "") {
				t.Errorf("a fee of %d sat for %+v: %v", c.fee, c.outputs, got)
			}
		})
	}
}

// TestUnconfirmedWarning checks what the warning says about the fee rates.
func TestUnconfirmedWarning(t *testing.T) {
	for name, c := range map[string]struct {
		ancestors proposal.Ancestors
		want      string
	}{
		"none":                 {},
		"of lower fee rates":   {proposal.Ancestors{UTXOs: 1, Transactions: 1, VSize: 100, Fee: 100}, "spends 1 unconfirmed UTXO and cannot be confirmed before 1 unconfirmed transaction that it depends on: their fee rates are lower, so it pays 10 sat/vB alone, and 5.5 sat/vB together with them"},
		"of the same fee rate": {proposal.Ancestors{UTXOs: 2, Transactions: 3, VSize: 100, Fee: 1000}, "spends 2 unconfirmed UTXOs and cannot be confirmed before 3 unconfirmed transactions that it depends on: together with them, it pays 10 sat/vB"},
		"of a higher fee rate": {proposal.Ancestors{UTXOs: 1, Transactions: 1, VSize: 100, Fee: 3000}, "together with them, it pays 20 sat/vB"},
	} {
		t.Run(name, func(t *testing.T) {
			p := proposal.Proposal{Fee: 1000, VSize: 100, Outputs: []proposal.Output{{Amount: 100_000, Kind: proposal.External}}, Ancestors: c.ancestors}
			got := p.Warnings()
			if c.want == "" {
				if len(got) != 0 {
					t.Errorf("a payment without ancestors has the warnings %v", got)
				}
				return
			}
			if len(got) != 1 || got[0].Code != proposal.WarnUnconfirmed || !strings.Contains(got[0].Message, c.want) {
				t.Errorf("the warnings are %v", got)
			}
		})
	}
}
