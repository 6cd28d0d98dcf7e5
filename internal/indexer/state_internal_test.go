package indexer

import (
	"fmt"
	"testing"

	"github.com/specterd/specterd/internal/node/backend"
	"github.com/specterd/specterd/internal/wallet"
)

// TestStateOf_Conflicted: the height of a conflict is counted from the tip at which the node
// reported the confirmations, also if it is not the tip of the list.
func TestStateOf_Conflicted(t *testing.T) {
	tip := wallet.Tip{Height: 103}
	for i, c := range []observedTx{
		{State: backend.State{Confirmations: -1}},
		{State: backend.State{Confirmations: -1}, tip: 103},
		{State: backend.State{Confirmations: -2}, tip: 104},
	} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			if s := stateOf(&c, tip); s.Status != wallet.Conflicted || s.BuriedAt != 103 {
				t.Errorf("%d confirmations at %d: %+v", c.Confirmations, c.tip, s)
			}
		})
	}
}
