package proposal_test

import (
	"sync"
	"testing"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/node/backend"
	"github.com/specterd/specterd/internal/node/rpcclient"
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

// TestUnlock_ReleasedInOtherProcess covers a proposal that one process cancels while another is
// about to lock its UTXO in Core: the lock must not stay.
func TestUnlock_ReleasedInOtherProcess(t *testing.T) {
	t.Parallel()
	onBoth(t, newNode(t), func(w *world) {
		for name, lock := range map[string]func(v vault, other *proposal.Service) (id string, wait func()){
			"new proposal": func(v vault, other *proposal.Service) (string, func()) {
				p, err := other.Create(v.t.Context(), v.access(v.alice, v.alias), pay(300_000, 1000))
				testkit.Check(v.t, err)
				return p.ID, func() {}
			},
			"sync round": func(v vault, other *proposal.Service) (string, func()) {
				view, err := v.wallets.View(v.t.Context(), v.access(v.alice, v.alias), auth.RoleViewer)
				testkit.Check(v.t, err)
				p := v.create(pay(300_000, 1000))
				v.wantLocks(p)
				done := make(chan error, 1)
				go func() {
					_, err := other.Reconcile(v.t.Context(), view.Wallet, nil)
					done <- err
				}()
				return p.ID, func() { testkit.Check(v.t, <-done) }
			},
		} {
			w.t.Run(name, func(t *testing.T) {
				inner := *w
				inner.t = t
				v := inner.vault(testkit.WPKH, 1_000_000)
				relay := testkit.NewRelay(t, w.node)
				arrived, proceed := make(chan struct{}), make(chan struct{})
				var once sync.Once
				relay.Intercept(func(x *testkit.Exchange) {
					if x.Calls("lockunspent") {
						once.Do(func() { close(arrived) })
						<-proceed
					}
					x.Forward()
				})
				other, wallets := w.otherProcessWith(w.providerAt(relay.URL()))
				id, wait := lock(v, other)
				<-arrived
				testkit.Check(t, v.Cancel(t.Context(), v.access(v.alice, v.alias), id, nil))
				testkit.Eventually(t, "the reservation is deleted", func() bool { return len(v.reservations()) == 0 })
				close(proceed)
				wait()
				done, err := wallets.LockSelection(t.Context(), v.access(v.alice, v.alias).WalletID()) // after the lock
				testkit.Check(t, err)
				done()
				v.wantLocks()
			})
		}
	})
}

func (v vault) reservations() []proposal.Reservation {
	v.t.Helper()
	reserved, err := v.store.Reservations(v.t.Context(), v.access(v.alice, v.alias).WalletID())
	testkit.Check(v.t, err)
	return reserved
}

// providerAt connects to the node at a URL.
func (w *world) providerAt(url string) *backend.Provider {
	w.t.Helper()
	c, err := rpcclient.New(rpcclient.Config{URL: url, CookieFile: w.node.CookieFile()})
	testkit.Check(w.t, err)
	w.cleanup(c.Close)
	return backend.NewProvider(backend.New(c), w.monitor.Status)
}
