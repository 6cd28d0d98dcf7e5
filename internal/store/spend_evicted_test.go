package store_test

import (
	"bytes"
	"testing"

	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/wire"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/testenv/testkit"
	"github.com/specterd/specterd/internal/wallet"
)

// TestSpends_EvictedReplacement checks that sent payments of which each replaces the previous one
// count once while the last one is evicted together with a payment that it spends, and also when a
// block conflicts with it. The first and the last one have no UTXO in common.
func TestSpends_EvictedReplacement(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		w := b.wallet(b.user("alice", false), "vault")
		subject := "wallet:" + w.ID
		b.setPolicy(subject, dayLimit(100_000))
		parent := btc.Outpoint{Txid: utxoNumber(9).Txid}
		first, second, third := pays(b, w, 1, 20_000), pays(b, w, 2, 7000), pays(b, w, 3, 9000)
		second.ReplacesID, third.ReplacesID = first.ID, second.ID
		second.Inputs = append(second.Inputs, first.Inputs...)
		third.Inputs[0].Outpoint = second.Inputs[0].Outpoint
		third.Inputs = append(third.Inputs, proposal.Input{Outpoint: parent, Address: "x"})
		chain := []*proposal.Proposal{&first, &second, &third}
		b.write(wallet.Change{WalletID: w.ID, Added: []wallet.Transaction{
			payment(w, parent.Txid, inMempool(true), []wallet.Place{*place(wallet.ReceiveBranch, 0)}),
		}})
		replaced, conflicted := wallet.State{Status: wallet.Replaced, Replaceable: "yes"}, wallet.State{Status: wallet.Conflicted, Replaceable: "yes"}
		for i, p := range chain {
			tx := txOf(t, w, p)
			testkit.Check(t, b.propose(*p))
			c := wallet.Change{WalletID: w.ID, Added: []wallet.Transaction{tx}}
			if i > 0 {
				c.Changed = map[string]wallet.State{chain[i-1].Txid: replaced}
			}
			b.write(c)
		}
		want := func(when string, counted [3]string, statuses [3]proposal.Status) {
			t.Helper()
			for i, p := range chain {
				got, err := b.Proposal(t.Context(), w.ID, p.ID)
				testkit.Check(t, err)
				counts := b.rows("SELECT counted_sat, counts FROM spends WHERE proposal_id = $1", p.ID)
				if got.Status != statuses[i] || counts != counted[i] {
					t.Errorf("%s: payment %d is %s and counts for %s, want %s and %s", when, i, got.Status, counts, statuses[i], counted[i])
				}
			}
		}
		want("the payments were sent", [3]string{"11000 0", "0 0", "9000 1"}, [3]proposal.Status{proposal.Broadcast, proposal.Replaced, proposal.Broadcast})

		b.write(wallet.Change{WalletID: w.ID, Changed: map[string]wallet.State{parent.Txid: replaced, third.Txid: replaced}})
		want("the parent was replaced", [3]string{"11000 0", "0 0", "9000 1"}, [3]proposal.Status{proposal.Broadcast, proposal.Broadcast, proposal.Conflicted})

		b.write(wallet.Change{WalletID: w.ID, Changed: map[string]wallet.State{third.Txid: {Status: wallet.Inactive, Replaceable: "yes"}}})
		want("the node has dropped the last one", [3]string{"11000 0", "0 0", "9000 1"}, [3]proposal.Status{proposal.Broadcast, proposal.Broadcast, proposal.Conflicted})

		b.write(wallet.Change{WalletID: w.ID, Changed: map[string]wallet.State{parent.Txid: conflicted, third.Txid: conflicted}})
		want("a block conflicts with the parent", [3]string{"13000 0", "7000 1", "0 0"}, [3]proposal.Status{proposal.Broadcast, proposal.Broadcast, proposal.Conflicted})
	})
}

// txOf gives a proposal the txid of an unsigned transaction that spends its inputs, and returns the
// transaction, which is in the mempool.
func txOf(t *testing.T, w wallet.Wallet, p *proposal.Proposal) wallet.Transaction {
	t.Helper()
	tx := wire.NewMsgTx(2)
	var spent []btc.Outpoint
	for _, in := range p.Inputs {
		hash, err := chainhash.NewHashFromStr(in.Txid)
		testkit.Check(t, err)
		tx.AddTxIn(wire.NewTxIn(wire.NewOutPoint(hash, in.Vout), nil, nil))
		spent = append(spent, in.Outpoint)
	}
	tx.AddTxOut(wire.NewTxOut(int64(p.Outputs[0].Amount), nil))
	var raw bytes.Buffer
	testkit.Check(t, tx.Serialize(&raw))
	p.Txid = tx.TxID()
	x := payment(w, p.Txid, inMempool(true), nil, spent...)
	x.Raw = raw.Bytes()
	return x
}
