package spend_test

import (
	"testing"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/spend"
)

func TestHighFeeWarning(t *testing.T) {
	for _, c := range []struct {
		fee     btc.Amount
		outputs []spend.Output
		want    bool
	}{
		{10_000, []spend.Output{{Amount: 100_000, Kind: spend.External}}, false},
		{10_001, []spend.Output{{Amount: 100_000, Kind: spend.External}}, true},
		{10_001, []spend.Output{{Amount: 100_000, Kind: spend.External}, {Amount: btc.BTC, Kind: spend.Change}}, true},
		{10_000, []spend.Output{{Amount: 60_000, Kind: spend.External}, {Amount: 40_000, Kind: spend.Own}}, false},
		{10_000, []spend.Output{{Amount: 100_000, Kind: spend.Change}}, false},
		{10_001, []spend.Output{{Amount: 100_000, Kind: spend.Change}}, true},
		{0, []spend.Output{{Amount: 1, Kind: spend.External}}, false},
	} {
		p := spend.Proposal{Fee: c.fee, Outputs: c.outputs}
		got := p.Warnings()
		if (len(got) == 1) != c.want || c.want && (got[0].Code != spend.WarnHighFee || got[0].Message == "") {
			t.Errorf("a fee of %d sat for %+v: %v", c.fee, c.outputs, got)
		}
	}
}
