package proposal_test

import (
	"errors"
	"sync"
	"testing"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// TestCreate_ConcurrentPairs checks that proposals that are created concurrently never
// share a UTXO: in one wallet and in several, by one process and by two that do not share
// keyed mutexes. The node must have locked exactly their inputs, and no UTXO after the
// proposals are cancelled concurrently.
func TestCreate_ConcurrentPairs(t *testing.T) {
	t.Parallel()
	pairs := testkit.Size(5, 10) // pairs of concurrent requests per round
	onBoth(t, newNode(t), func(w *world) {
		utxos := make([]btc.Amount, 2*pairs)
		for i := range utxos {
			utxos[i] = 1_000_000
		}
		vaults := []vault{w.vault(testkit.WPKH, utxos...), w.vault(testkit.TR, utxos...), w.vault(testkit.WSH, utxos...)}
		other := w.otherProcess()
		made, refused := 0, 0
		rounds := testkit.Size(2, 100)
		for round := range rounds {
			r := concurrentResults{world: w, open: map[string][]proposal.Proposal{}, users: map[btc.Outpoint]string{}}
			var running sync.WaitGroup
			for i := range pairs {
				v := vaults[round*i%len(vaults)] // the first round uses one wallet for all pairs
				second := []*proposal.Service{w.Service, other}[i%2]
				running.Go(func() { r.create(v, w.Service) })
				running.Go(func() { r.create(v, second) })
			}
			running.Wait()
			for _, v := range vaults {
				v.wantLocks(r.open[v.alias]...)
			}
			for alias, open := range r.open {
				for _, p := range open {
					running.Go(func() { r.cancel(alias, p) })
				}
				made += len(open)
			}
			running.Wait()
			for _, v := range vaults {
				v.wantLocks()
			}
			refused += r.refused
		}
		testkit.Figure(w.t, "%d pairs: %d proposals made, %d refused since another was faster; no UTXO shared, no lock left", rounds*pairs, made, refused)
	})
}

// concurrentResults collects the results of concurrent requests to create proposals.
type concurrentResults struct {
	*world

	mu      sync.Mutex
	open    map[string][]proposal.Proposal // by the wallet's alias
	users   map[btc.Outpoint]string        // ID of the proposal that spends the UTXO
	refused int
}

func (r *concurrentResults) create(v vault, with *proposal.Service) {
	p, err := with.Create(r.t.Context(), v.access(r.alice, v.alias), pay(900_000, 30_000)) // at this fee rate Core spends the minimum number of UTXOs
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case errors.Is(err, proposal.ErrUTXOReserved), errors.Is(err, proposal.ErrChangeTaken): // returned after createTries failed attempts
		r.refused++
		return
	case err != nil:
		r.t.Error(err)
		return
	}
	r.open[v.alias] = append(r.open[v.alias], p)
	for _, in := range p.Inputs {
		if user := r.users[in.Outpoint]; user != "" {
			r.t.Errorf("the UTXO %s is in the proposals %s and %s", in, user, p.ID)
		}
		r.users[in.Outpoint] = p.ID
	}
}

func (r *concurrentResults) cancel(alias string, p proposal.Proposal) {
	if err := r.Cancel(r.t.Context(), r.access(r.alice, alias), p.ID, nil); err != nil {
		r.t.Errorf("cancel: %v", err)
	}
}
