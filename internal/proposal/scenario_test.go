package proposal_test

import (
	"encoding/json"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/btc"
	watching "github.com/specterd/specterd/internal/clock"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// TestEveryScript creates, signs, sends and confirms a payment of each script type, and
// compares the proposal with the node's data.
func TestEveryScript(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	onBoth(t, n, func(w *world) {
		for _, k := range testkit.Scripts {
			v := w.vault(k, 1_000_000, 2_000_000, 3_000_000)
			const rate = 3333
			p := v.create(proposal.CreateParams{FeeRate: rate, Recipients: []proposal.Recipient{
				{Address: payee, Amount: 2_500_000, Label: "rent"}, {Address: otherPayee, Amount: 600_000},
			}})
			v.compare(p)
			v.wantLocks(p)
			if b := v.balances(); b.Reserved == 0 || b.Available()+b.Reserved != b.Trusted {
				w.t.Errorf("%s: balances %+v", k.Name, b)
			}
			if v.required > 1 {
				if p = v.sign(p, 2); p.Status != proposal.PartiallySigned || p.Signed(2) != len(p.Inputs) || p.Signed(0) != 0 {
					w.t.Errorf("%s: after one signature the proposal is %s", k.Name, p.Status)
				}
			}
			if p = v.sign(p, 0); p.Status != proposal.Complete {
				w.t.Fatalf("%s: with all signatures the proposal is %s", k.Name, p.Status)
			}
			if paid := float64(p.Fee) * 1000 / float64(p.VSize); paid < rate || paid > rate*1.02 {
				w.t.Errorf("%s: the fee rate is %.0f sat/kvB, want %d", k.Name, paid, rate)
			}
			if p = v.broadcast(p); p.Status != proposal.Broadcast {
				w.t.Errorf("%s: after it was sent the proposal is %s", k.Name, p.Status)
			}
			v.node.CLI(w.t, "getmempoolentry", p.FinalTxid)
			v.wantLocks()
			v.mine()
			p = v.until(p, proposal.Confirmed)
			if last := p.Steps[len(p.Steps)-1]; last.Action != "confirmed" || last.By != (proposal.Actor{}) {
				w.t.Errorf("%s: the last step is %+v", k.Name, last)
			}
		}
	})
}

// compare compares a proposal with the node's decoding of its PSBT.
func (v vault) compare(p proposal.Proposal) {
	v.t.Helper()
	var d struct {
		Tx struct {
			Txid string
			Vin  []struct {
				Txid string
				Vout uint32
			}
			Vout []struct {
				Value        btc.JSONBTC
				ScriptPubKey struct{ Address string }
			}
		}
		Fee     btc.JSONBTC
		Version int `json:"psbt_version"`
	}
	testkit.Check(v.t, json.Unmarshal(v.node.CLI(v.t, "decodepsbt", p.PSBT), &d))
	if d.Tx.Txid != p.Txid || btc.Amount(d.Fee) != p.Fee || len(d.Tx.Vin) != len(p.Inputs) || len(d.Tx.Vout) != len(p.Outputs) || d.Version != 0 {
		v.t.Errorf("the node decodes %+v, the proposal is %+v", d, p)
		return
	}
	for i, in := range p.Inputs {
		if in.Outpoint != (btc.Outpoint{Txid: d.Tx.Vin[i].Txid, Vout: d.Tx.Vin[i].Vout}) {
			v.t.Errorf("input %d is %v", i, in)
		}
	}
	for i, out := range p.Outputs {
		var info struct {
			IsMine   bool `json:"ismine"`
			IsChange bool `json:"ischange"`
			Path     string
		}
		testkit.Check(v.t, json.Unmarshal(v.node.WalletCLI(v.t, v.coreName, "getaddressinfo", out.Address), &info))
		if out.Amount != btc.Amount(d.Tx.Vout[i].Value) || out.Address != d.Tx.Vout[i].ScriptPubKey.Address || info.IsMine != (out.Kind != proposal.External) {
			v.t.Errorf("output %d is %+v, the node has %+v, %+v", i, out, d.Tx.Vout[i], info)
		}
	}
}

// TestAddSignatures_Concurrent checks that no signature is lost if two users sign
// concurrently, whether they post a PSBT, a finalized PSBT or the transaction itself,
// once or twice.
func TestAddSignatures_Concurrent(t *testing.T) {
	t.Parallel()
	onBoth(t, newNode(t), func(w *world) {
		for _, k := range []testkit.Script{testkit.WSH, testkit.SHWSH} {
			v := w.vault(k, 1_000_000, 1_000_000, 1_000_000)
			p := v.create(pay(1_500_000, 20_000)) // spends exactly two UTXOs at this fee rate
			posts := [][]byte{v.signed(p, 0), v.signed(p, 1), v.signed(p, 0), v.signed(p, 2)}
			done := make(chan error)
			for _, post := range posts {
				go func() {
					_, err := v.AddSignatures(w.t.Context(), v.access(v.alice, v.alias), p.ID, post, nil)
					done <- err
				}()
			}
			for range posts {
				if err := <-done; err != nil {
					w.t.Error(err)
				}
			}
			p = v.get(p)
			if p.Status != proposal.Complete || len(p.Signatures) != 3*len(p.Inputs) {
				w.t.Fatalf("%s: the proposal is %s with %d signatures", k.Name, p.Status, len(p.Signatures))
			}
			final := v.node.Finalize(w.t, v.signed(p, 0, 2))
			for _, again := range [][]byte{final, []byte(hexOf(final))} {
				if got, err := v.AddSignatures(w.t.Context(), v.access(v.alice, v.alias), p.ID, again, nil); err != nil || got.Version != p.Version {
					w.t.Errorf("%s: repeated signatures changed the version to %d from %d: %v", k.Name, got.Version, p.Version, err)
				}
			}
			other := v.create(pay(100_000, 1000))
			raw := v.node.Finalize(w.t, v.signed(other, 1, 2))
			if other, err := v.AddSignatures(w.t.Context(), v.access(v.alice, v.alias), other.ID, raw, nil); err != nil || other.Status != proposal.Complete {
				w.t.Errorf("%s: with the signed transaction the status is %s: %v", k.Name, other.Status, err)
			}
			v.broadcast(p)
			v.mine()
			v.until(p, proposal.Confirmed)
		}
	})
}

// TestReplacement checks the statuses after a replacement is confirmed, and after the
// original is confirmed instead.
func TestReplacement(t *testing.T) {
	t.Parallel()
	onBoth(t, newNode(t), func(w *world) {
		v := w.vault(testkit.WPKH, 1_000_000, 2_000_000)
		for _, winner := range []string{"replacement", "original"} {
			first := v.broadcast(v.complete(v.create(pay(100_000, 1000))))
			v.until(first, proposal.Broadcast)
			if _, err := v.Bump(w.t.Context(), v.access(v.alice, v.alias), first.ID, proposal.BumpParams{FeeRate: 1000}); err == nil {
				w.t.Error("a replacement without a higher fee was created")
			}
			second, err := v.Bump(w.t.Context(), v.access(v.alice, v.alias), first.ID, proposal.BumpParams{FeeRate: 5000})
			testkit.Check(w.t, err)
			if second.Replaces != first.FinalTxid || second.Inputs[0].Outpoint != first.Inputs[0].Outpoint || second.Sent() != first.Sent() {
				w.t.Errorf("the replacement is %+v", second)
			}
			second = v.complete(second)
			if winner == "original" {
				v.mine()
				v.until(first, proposal.Confirmed)
				if second = v.until(second, proposal.Conflicted); second.Reason == "" {
					w.t.Error("the reason is missing")
				}
				if _, err := v.Broadcast(w.t.Context(), v.access(v.alice, v.alias), second.ID, proposal.BroadcastParams{}); !errors.Is(err, proposal.ErrWrongState) {
					w.t.Errorf("broadcasting a conflicted proposal: %v", err)
				}
			} else {
				second = v.broadcast(second)
				first = v.until(first, proposal.Replaced)
				v.mine()
				v.until(second, proposal.Confirmed)
				v.until(first, proposal.Replaced)
			}
			v.wantLocks()
		}
		open := v.create(pay(200_000, 1000))
		next := v.create(proposal.CreateParams{Recipients: open.CreateParams().Recipients, FeeRate: 2000, Replaces: open.Txid})
		if got := v.get(open); got.Status != proposal.Replaced || got.ReplacedBy != next.ID {
			w.t.Errorf("the replaced proposal is %s by %q", got.Status, got.ReplacedBy)
		}
		v.wantLocks(next)
	})
}

// TestSpentElsewhere checks that a proposal becomes conflicted once another transaction
// that spends one of its UTXOs is confirmed.
func TestSpentElsewhere(t *testing.T) {
	t.Parallel()
	onBoth(t, newNode(t), func(w *world) {
		v := w.vault(testkit.WSH, 1_000_000)
		p := v.create(pay(300_000, 1000))
		v.wantLocks(p)
		// Core spends explicitly selected inputs even if they are locked.
		var funded struct{ PSBT []byte }
		in := map[string]any{"txid": p.Inputs[0].Txid, "vout": p.Inputs[0].Vout}
		testkit.Check(t, json.Unmarshal(v.node.WalletCLI(w.t, v.coreName, "walletcreatefundedpsbt",
			[]any{in}, map[string]string{otherPayee: "0.004"}, 0, map[string]any{"add_inputs": false, "fee_rate": 2}), &funded))
		raw := v.node.Finalize(w.t, v.node.Sign(w.t, funded.PSBT, v.signers[0], v.signers[1]))
		v.node.CLI(w.t, "sendrawtransaction", hexOf(raw))
		v.mine()
		if p = v.until(p, proposal.Conflicted); p.Reason == "" {
			w.t.Error("the reason is missing")
		}
		v.wantLocks()
		if b := v.balances(); b.Reserved != 0 {
			w.t.Errorf("%d sat are still reserved", b.Reserved)
		}

		// A cancelled proposal becomes broadcast if its transaction is sent by other software.
		p = v.create(pay(100_000, 1000))
		post := v.signed(p, 0, 1)
		testkit.Check(w.t, v.Cancel(w.t.Context(), v.access(v.alice, v.alias), p.ID, nil))
		v.wantLocks()
		v.node.CLI(w.t, "sendrawtransaction", hexOf(v.node.Finalize(w.t, post)))
		v.until(p, proposal.Broadcast)
		v.mine()
		v.until(p, proposal.Confirmed)
	})
}

// TestNodeRestart checks that proposals are unchanged after the node restarts, and that
// locks that the node has lost are set again.
func TestNodeRestart(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	w := newWorld(t, n, t.TempDir()+"/specterd.db")
	v := w.vault(testkit.WSH, 1_000_000, 1_000_000)
	p := v.complete(v.create(pay(300_000, 1000)))
	kept := v.create(pay(200_000, 1000))
	post := v.signed(kept, 0)
	v.wantLocks(p, kept)
	n.Stop(t)
	if _, err := v.Create(t.Context(), v.access(v.alice, v.alias), pay(1000, 1000)); err == nil {
		t.Error("a proposal was created without the node")
	}
	if _, err := v.Broadcast(t.Context(), v.access(v.alice, v.alias), p.ID, proposal.BroadcastParams{}); err == nil {
		t.Error("a proposal was sent without the node")
	}
	if got, err := v.AddSignatures(t.Context(), v.access(v.alice, v.alias), kept.ID, post, nil); err != nil || got.Status != proposal.PartiallySigned {
		t.Errorf("signed without the node, the status is %s: %v", got.Status, err)
	}
	n.Start(t)
	v.waitForNode()
	v.wantLocks(p, kept)
	v.node.WalletCLI(t, v.coreName, "lockunspent", true) // all locks are removed by other software
	v.wantLocks(p, kept)
	p = v.broadcast(p)
	v.mine()
	v.until(p, proposal.Confirmed)
	v.wantLocks(kept)
}

// TestCreate_FiftyConcurrent makes fifty concurrent requests for twenty UTXOs. Each must
// either get one UTXO or fail because of insufficient funds.
func TestCreate_FiftyConcurrent(t *testing.T) {
	t.Parallel()
	onBoth(t, newNode(t), func(w *world) {
		amounts := make([]btc.Amount, 20)
		for i := range amounts {
			amounts[i] = 1_000_000
		}
		v := w.vault(testkit.WPKH, amounts...)
		type outcome struct {
			p   proposal.Proposal
			err error
		}
		outcomes := make(chan outcome)
		for range 50 {
			go func() {
				p, err := v.Create(w.t.Context(), v.access(v.alice, v.alias), pay(900_000, 30_000)) // at this fee rate Core spends the minimum number of UTXOs
				outcomes <- outcome{p, err}
			}()
		}
		made := map[btc.Outpoint]string{}
		change := map[string]bool{}
		var open []proposal.Proposal
		for range 50 {
			o := <-outcomes
			if o.err != nil {
				if !errors.Is(o.err, proposal.ErrInsufficientFunds) {
					w.t.Error(o.err)
				}
				continue
			}
			open = append(open, o.p)
			for _, in := range o.p.Inputs {
				if made[in.Outpoint] != "" {
					w.t.Errorf("the UTXO %s is in two proposals", in)
				}
				made[in.Outpoint] = o.p.ID
			}
			for _, out := range o.p.Outputs {
				if out.Kind == proposal.Change && change[out.Address] {
					w.t.Errorf("the change address %s is in two proposals", out.Address)
				}
				change[out.Address] = change[out.Address] || out.Kind == proposal.Change
			}
		}
		if len(open) != 20 {
			w.t.Errorf("%d proposals were created", len(open))
		}
		v.wantLocks(open...)
	})
}

// TestTwoProcesses checks that proposals of two processes that do not share keyed mutexes
// never share a UTXO.
func TestTwoProcesses(t *testing.T) {
	t.Parallel()
	onBoth(t, newNode(t), func(w *world) {
		v := w.vault(testkit.WPKH, 500_000, 500_000, 500_000, 500_000, 500_000, 500_000)
		other := w.otherProcess()
		outcomes := make(chan error)
		made := make(chan proposal.Proposal, 20)
		for i := range 20 {
			service := w.Service
			if i%2 == 1 {
				service = other
			}
			go func() {
				p, err := service.Create(w.t.Context(), v.access(v.alice, v.alias), pay(400_000, 30_000))
				if err == nil {
					made <- p
				}
				outcomes <- err
			}()
		}
		for range 20 {
			err := <-outcomes
			retry := errors.Is(err, proposal.ErrUTXOReserved) || errors.Is(err, proposal.ErrChangeTaken) // returned after createTries failed attempts
			if err != nil && !retry && !errors.Is(err, proposal.ErrInsufficientFunds) {
				w.t.Error(err)
			}
		}
		close(made)
		used := map[btc.Outpoint]bool{}
		var open []proposal.Proposal
		for p := range made {
			open = append(open, p)
			for _, in := range p.Inputs {
				if used[in.Outpoint] {
					w.t.Errorf("the UTXO %s is in two proposals", in)
				}
				used[in.Outpoint] = true
			}
		}
		if len(open) < 5 {
			w.t.Errorf("%d proposals were created", len(open))
		}
		v.wantLocks(open...)
	})
}

// TestCancelAndExpire checks that a proposal that is cancelled or has expired releases
// its UTXOs.
func TestCancelAndExpire(t *testing.T) {
	t.Parallel()
	onBoth(t, newNode(t), func(w *world) {
		v := w.vault(testkit.TR, 1_000_000)
		p := v.create(pay(300_000, 1000))
		v.wantShown(p, true)
		if _, err := v.Create(w.t.Context(), v.access(v.alice, v.alias), pay(1000, 1000)); !errors.Is(err, proposal.ErrInsufficientFunds) {
			w.t.Errorf("with the only UTXO reserved: %v", err)
		}
		o := pay(1000, 1000)
		o.UTXOs = []btc.Outpoint{p.Inputs[0].Outpoint}
		if _, err := v.Create(w.t.Context(), v.access(v.alice, v.alias), o); !errors.Is(err, proposal.ErrUTXOReserved) {
			w.t.Errorf("with the only UTXO selected explicitly: %v", err)
		}
		testkit.Check(w.t, v.Cancel(w.t.Context(), v.access(v.alice, v.alias), p.ID, proposal.Versions{p.Version}))
		v.wantShown(p, false)
		if err := v.Cancel(w.t.Context(), v.access(v.alice, v.alias), p.ID, nil); !errors.Is(err, proposal.ErrWrongState) {
			w.t.Errorf("it was cancelled twice: %v", err)
		}
		again := v.create(o) // the UTXO must be free immediately
		if got, was := again.Outputs, p.Outputs; len(got) == 2 && changeOf(again) != changeOf(p) {
			w.t.Errorf("the change address is %v, want %v", got, was)
		}
		testkit.Check(w.t, v.Cancel(w.t.Context(), v.access(v.alice, v.alias), again.ID, nil))

		o.ExpiresAt = w.clock.now().Add(time.Hour)
		p = v.create(o)
		v.wantNextExpiry(v.Service, time.Time{}, p.ExpiresAt)
		begin := time.Now()
		watch := watching.NewWatch(slog.New(slog.DiscardHandler), w.clock.now, func() time.Duration { return time.Since(begin) })
		w.clock.forward(2 * time.Hour)
		if _, err := v.AddSignatures(w.t.Context(), v.access(v.alice, v.alias), p.ID, v.signed(p, 0), nil); !errors.Is(err, proposal.ErrWrongState) {
			w.t.Errorf("an expired proposal was signed: %v", err)
		}
		wary := proposal.New(slog.New(slog.DiscardHandler), w.store, w.wallets, w.provider, w.clock.now, proposal.Options{Kick: w.follower.Kick, Watch: watch})
		v.wantNextExpiry(wary, time.Time{}, time.Time{})
		testkit.Check(w.t, wary.ExpireOverdue(w.t.Context()))
		if got := v.get(p).Status; got != proposal.Created {
			w.t.Errorf("the status is %s although the clock is in doubt", got)
		}
		v.wantShown(p, true)
		v.wantNextExpiry(v.Service, p.ExpiresAt.Add(time.Hour), p.ExpiresAt.Add(time.Hour+time.Second)) // not in a tight loop
		testkit.Check(w.t, v.ExpireOverdue(w.t.Context()))
		v.wantNextExpiry(v.Service, time.Time{}, time.Time{})
		v.wantShown(p, false)
		v.until(p, proposal.Expired)
		v.wantLocks()
		o.ExpiresAt = time.Time{}
		v.create(o)
	})
}

// wantNextExpiry checks when a service expects the next proposal to expire.
func (v vault) wantNextExpiry(s *proposal.Service, last, want time.Time) {
	v.t.Helper()
	next, err := s.NextExpiry(v.t.Context(), last)
	testkit.Check(v.t, err)
	if !next.Equal(want) {
		v.t.Errorf("the next expiry after %v is at %v, want %v", last, next, want)
	}
}

// wantShown checks that the UTXOs of a proposal are shown as reserved and locked if held
// is set, and as neither otherwise, without waiting for the next sync round.
func (v vault) wantShown(p proposal.Proposal, held bool) {
	v.t.Helper()
	for _, in := range p.Inputs {
		c, err := v.store.UTXO(v.t.Context(), p.WalletID, in.Outpoint)
		testkit.Check(v.t, err)
		if c.Reserved != held || c.Locked != held {
			v.t.Errorf("reserved %v, locked %v, want %v", c.Reserved, c.Locked, held)
		}
	}
}

func changeOf(p proposal.Proposal) string {
	for _, out := range p.Outputs {
		if out.Kind == proposal.Change {
			return out.Address
		}
	}
	return ""
}
