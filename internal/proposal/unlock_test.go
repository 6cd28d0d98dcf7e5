package proposal_test

import (
	"testing"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// TestUnlock_UnspentAgain covers an output that is spent when a proposal releases it, so
// that Core does not unlock it. The output must be unlocked once it is unspent again.
func TestUnlock_UnspentAgain(t *testing.T) {
	t.Parallel()
	c := newChain(t)
	for name, database := range databases {
		t.Run(name, func(t *testing.T) {
			h := newHistories(t, c, database(t), []testkit.Script{testkit.WPKH})
			s := h.subjects[0]
			h.fund()
			h.wantSettled()
			create := func(utxos ...btc.Outpoint) *expected {
				o := pay(20_000, 2000)
				o.UTXOs = utxos
				p, err := h.Create(t.Context(), h.access(h.alice, s.alias), o)
				testkit.Check(t, err)
				e, err := h.expect(s, p)
				testkit.Check(t, err)
				s.proposals = append(s.proposals, e)
				h.wantSettled()
				return e
			}
			drop := func(e *expected) { // removes it from the mempool and abandons it
				h.expireMempool([5]uint32{})
				h.wantSettled()
				_, err := h.Abandon(t.Context(), h.access(h.alice, s.alias), e.id, nil)
				testkit.Check(t, err)
				e.base, e.last = proposal.Cancelled, proposal.Cancelled
				h.wantSettled()
			}
			first := create()
			h.chain.send(first.tx)
			h.wantSettled()
			drop(first)
			second := create(first.inputs...)
			h.chain.send(first.tx) // Core's wallet already has the transaction, so it keeps the lock
			h.wantSettled()
			testkit.Check(t, h.Cancel(t.Context(), h.access(h.alice, s.alias), second.id, nil))
			second.base = proposal.Cancelled
			h.wantSettled()
			drop(first)
		})
	}
}

// wantSettled fails the test unless specterd agrees with Core within the histories'
// patience.
func (h *histories) wantSettled() {
	h.t.Helper()
	if found := h.settle(h.subjects); found != nil {
		h.t.Fatalf("w%d: %v", found.wallet, found.texts)
	}
}
