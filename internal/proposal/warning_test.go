package proposal_test

import (
	"fmt"
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
