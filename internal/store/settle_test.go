package store_test

import (
	"testing"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/testenv/testkit"
	"github.com/specterd/specterd/internal/wallet"
)

// TestSettleLostInputs checks that the status of a proposal follows the transactions that
// its inputs descend from, even through a transaction that is neither in the chain nor in
// the mempool. A reopened proposal gets its inputs back unless another proposal has
// reserved them.
func TestSettleLostInputs(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		w := b.wallet(b.user("alice", false), "vault")
		to := []wallet.Place{*place(wallet.ReceiveBranch, 0)}
		utxo := func(txid string) btc.Outpoint { return btc.Outpoint{Txid: txid} }
		inactive := wallet.State{Status: wallet.Inactive, Replaceable: "yes"}
		b.write(wallet.Change{WalletID: w.ID, Added: []wallet.Transaction{
			payment(w, "grandparent", inMempool(true), to),
			payment(w, "parent", inMempool(true), to, utxo("grandparent")),
			payment(w, "other", confirmedAt(3), to),
		}})
		p := proposalFor(b, w, 2, utxo("parent"), utxo("other"))
		testkit.Check(t, b.propose(p))
		wantStatus := func(when string, want proposal.Status) {
			t.Helper()
			got, err := b.Proposal(t.Context(), w.ID, p.ID)
			testkit.Check(t, err)
			if got.Status != want {
				t.Fatalf("%s: it is %s, not %s", when, got.Status, want)
			}
		}
		change := func(states map[string]wallet.State) { b.write(wallet.Change{WalletID: w.ID, Changed: states}) }

		change(map[string]wallet.State{"parent": inactive})
		wantStatus("the parent left the mempool", proposal.Created)
		change(map[string]wallet.State{"grandparent": {Status: wallet.Replaced, Replaceable: "yes"}})
		wantStatus("the grandparent was replaced", proposal.Conflicted)
		b.wantReserved(w, map[btc.Outpoint]string{utxo("parent"): "", utxo("other"): ""})

		testkit.Check(t, b.SetFrozen(t.Context(), w.ID, []btc.Outpoint{utxo("other")}, true, b.now, auth.Event{}))
		change(map[string]wallet.State{"grandparent": inMempool(true), "parent": inMempool(true)})
		wantStatus("the grandparent is back", proposal.Created)
		b.wantReserved(w, map[btc.Outpoint]string{utxo("parent"): p.ID, utxo("other"): p.ID})

		change(map[string]wallet.State{"grandparent": {Status: wallet.Conflicted, Replaceable: "yes"}, "parent": inactive})
		wantStatus("the grandparent conflicts", proposal.Conflicted)
		testkit.Check(t, b.SetFrozen(t.Context(), w.ID, []btc.Outpoint{utxo("other")}, false, b.now, auth.Event{}))
		other := proposalFor(b, w, 3, utxo("other"))
		testkit.Check(t, b.propose(other))
		change(map[string]wallet.State{"grandparent": inMempool(true), "parent": inMempool(true)})
		wantStatus("another proposal took an input", proposal.Conflicted)
		b.wantReserved(w, map[btc.Outpoint]string{utxo("parent"): "", utxo("other"): other.ID})

		b.now = b.now.Add(time.Second)
		change(map[string]wallet.State{"other": {Status: wallet.Conflicted, Replaceable: "yes"}})
		b.wantReserved(w, map[btc.Outpoint]string{utxo("parent"): "", utxo("other"): ""})
		change(map[string]wallet.State{"other": confirmedAt(4)})
		wantStatus("another proposal had the input last", proposal.Conflicted)
		b.wantReserved(w, map[btc.Outpoint]string{utxo("parent"): "", utxo("other"): other.ID})
	})
}

// TestSettleProposals checks that SettleProposals updates the status of a proposal that an
// older version left open.
func TestSettleProposals(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		w := b.wallet(b.user("alice", false), "vault")
		at := btc.Outpoint{Txid: "parent"}
		b.write(wallet.Change{WalletID: w.ID, Added: []wallet.Transaction{
			payment(w, "parent", wallet.State{Status: wallet.Conflicted, Replaceable: "yes"}, []wallet.Place{*place(wallet.ReceiveBranch, 0)}),
		}})
		p := proposalFor(b, w, 2, at)
		testkit.Check(t, b.propose(p))
		for range 2 {
			testkit.Check(t, b.SettleProposals(t.Context()))
			got, err := b.Proposal(t.Context(), w.ID, p.ID)
			testkit.Check(t, err)
			if got.Status != proposal.Conflicted || got.Version != 2 {
				t.Errorf("it is %s in version %d", got.Status, got.Version)
			}
		}
	})
}
