package proposal_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"testing"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/testenv/testkit"
	"github.com/specterd/specterd/internal/wallet"
)

// lowest returns the minimum fee rate that an error names.
func lowest(t testing.TB, err error) btc.FeeRate {
	t.Helper()
	f, ok := errors.AsType[*fault.Error](err)
	if !ok || !errors.Is(err, proposal.ErrFeeRateTooLow) || f.Fields[0].Name != "fee_rate_sat_vb" {
		t.Fatalf("not refused for its fee rate: %v", err)
	}
	rate, err := btc.ParseFeeRate(f.Details["min_fee_rate_sat_vb"])
	testkit.Check(t, err)
	return rate
}

func (v vault) bump(p proposal.Proposal, b proposal.BumpParams) (proposal.Proposal, error) {
	return v.Bump(v.t.Context(), v.access(v.alice, v.alias), p.ID, b)
}

// sent returns a payment that is in the mempool and in the index.
func (v vault) sent(o proposal.CreateParams) proposal.Proposal {
	v.t.Helper()
	p := v.broadcast(v.complete(v.create(o)))
	v.until(p, proposal.Broadcast)
	testkit.Eventually(v.t, "the transaction in the index", func() bool {
		_, err := v.store.TransactionByID(v.t.Context(), p.WalletID, p.FinalTxid)
		return err == nil
	})
	return p
}

// member returns a user who may propose payments of a vault.
func (w *world) member(v vault, name string) *auth.Principal {
	w.t.Helper()
	return w.memberAs(v, name, auth.RoleProposer)
}

// memberAs returns a user who has a role in a vault.
func (w *world) memberAs(v vault, name string, role auth.WalletRole) *auth.Principal {
	w.t.Helper()
	who := w.user(name)
	i, err := w.wallets.Invite(w.t.Context(), w.access(w.alice, v.alias), name, role)
	testkit.Check(w.t, err)
	_, err = w.wallets.Accept(w.t.Context(), who, i.ID, "")
	testkit.Check(w.t, err)
	return who
}

// TestReplacementFee checks that the error for a refused replacement names the lowest
// fee rate that the node accepts, for any incremental relay fee and any evicted
// transactions, and that the node accepts a replacement with that fee rate.
func TestReplacementFee(t *testing.T) {
	t.Parallel()
	for _, incremental := range []string{"0.00000100", "0.00001000", "0.00005000"} {
		t.Run(incremental, func(t *testing.T) {
			t.Parallel()
			n := testkit.Bitcoind(t, "-unsafesqlitesync", "-incrementalrelayfee="+incremental)
			n.CLI(t, "createwallet", payer)
			n.CLI(t, "generatetoaddress", 101, text(t, n.WalletCLI(t, payer, "getnewaddress")))
			step, err := btc.ParseBTC(incremental)
			testkit.Check(t, err)
			w := newWorld(t, n, t.TempDir()+"/specterd.db")
			for _, k := range []testkit.Script{testkit.WPKH, testkit.WSH, testkit.TR} {
				v := w.vault(k, 10_000_000)
				first := v.sent(pay(100_000, 6000))
				_, err := v.bump(first, proposal.BumpParams{FeeRate: 6001})
				rate := lowest(t, err)
				if want := 6000 + btc.FeeRate(step); rate < want-100 || rate > want+100 { // Core estimates one byte more
					t.Errorf("%s: the lowest fee rate is %s", k.Name, rate)
				}
				for _, asked := range []btc.FeeRate{1000, 6000, 6037, (6000 + rate) / 2, rate - 1} {
					if _, err = v.bump(first, proposal.BumpParams{FeeRate: asked, DryRun: asked%2 == 0}); lowest(t, err) != rate {
						t.Errorf("%s: at %s the lowest fee rate is %s, want %s", k.Name, asked, lowest(t, err), rate)
					}
				}
				replacement, err := v.bump(first, proposal.BumpParams{FeeRate: rate})
				testkit.Check(t, err)
				v.broadcast(v.complete(replacement))
				v.until(first, proposal.Replaced)

				// A descendant of the replaced transaction pays a much higher fee rate.
				child := v.sent(pay(50_000, 20_000))
				grandchild := v.sent(pay(40_000, 8000))
				evictedFee := replacement.Fee + child.Fee + grandchild.Fee
				_, err = v.bump(replacement, proposal.BumpParams{FeeRate: replacement.FeeRate + 10_000})
				last, err := v.bump(replacement, proposal.BumpParams{FeeRate: lowest(t, err)})
				testkit.Check(t, err)
				if least := evictedFee + btc.FeeRate(step).Fee(last.VSize) - 1; last.Fee < least || last.Fee > least+least/100 {
					t.Errorf("%s: paid %d sat, want at least %d", k.Name, last.Fee, least)
				}
				v.broadcast(v.complete(last))
			}
		})
	}
}

// TestEvictions checks that a replacement lists the payments that it evicts and requires
// permission to evict other members' payments, and that evicted payments are shown as
// conflicted until they can be confirmed again.
func TestEvictions(t *testing.T) {
	t.Parallel()
	onBoth(t, newNode(t), func(w *world) {
		v := w.vault(testkit.WSH, 10_000_000)
		bob := w.member(v, "bob")
		first := v.sent(pay(100_000, 2000))
		byBob, err := w.Create(w.t.Context(), w.access(bob, v.alias), pay(300_000, 3000))
		testkit.Check(w.t, err)
		child := v.broadcast(v.complete(byBob))
		v.until(child, proposal.Broadcast)
		open := v.sign(v.create(pay(200_000, 3000)), 0)

		dry, err := v.bump(first, proposal.BumpParams{FeeRate: 50_000, DryRun: true})
		testkit.Check(w.t, err)
		if len(dry.Evicts) != 2 || dry.ID != "" {
			w.t.Fatalf("a dry run evicts %+v", dry.Evicts)
		}
		for _, want := range []proposal.Proposal{child, open} {
			i := slices.IndexFunc(dry.Evicts, func(e proposal.Eviction) bool { return e.ProposalID == want.ID })
			if i < 0 {
				w.t.Fatalf("the proposal %s is not among %+v", want.ID, dry.Evicts)
			}
			if got := dry.Evicts[i]; got.UserName != want.Creator.UserName || got.Fee != want.Fee || got.Status != want.Status ||
				len(got.Payees) != 1 || got.Payees[0].Amount != want.Sent() {
				w.t.Errorf("the replacement evicts %+v", got)
			}
		}
		if _, err = v.bump(first, proposal.BumpParams{FeeRate: 50_000}); !errors.Is(err, proposal.ErrEvicts) {
			w.t.Errorf("evicting another member's payment was not refused: %v", err)
		}
		replacement, err := v.bump(first, proposal.BumpParams{FeeRate: 50_000, Evict: true})
		testkit.Check(w.t, err)
		if stored := v.get(replacement); len(stored.Evicts) != 2 {
			w.t.Errorf("the stored evictions are %+v", stored.Evicts)
		}
		replacement = v.broadcast(v.complete(replacement))
		if got := v.until(first, proposal.Replaced); got.ReplacedBy != replacement.ID {
			w.t.Errorf("the original is replaced by %q", got.ReplacedBy)
		}
		child, open = v.until(child, proposal.Conflicted), v.until(open, proposal.Conflicted)
		_, err = v.AddSignatures(w.t.Context(), v.access(v.alice, v.alias), open.ID, v.signed(open, 1), nil)
		wantRefusal(w.t, err)
		_, err = v.bump(open, proposal.BumpParams{FeeRate: 60_000})
		wantRefusal(w.t, err)
		_, err = v.Broadcast(w.t.Context(), v.access(v.alice, v.alias), child.ID, proposal.BroadcastParams{})
		wantRefusal(w.t, err)
		v.mine()
		v.until(replacement, proposal.Confirmed)
		v.until(child, proposal.Conflicted)
		v.until(open, proposal.Conflicted)
		v.wantLocks()

		// After a reorganization that confirms the original, the evicted payments can be
		// confirmed again.
		kept := v.get(child)
		tip := text(w.t, v.node.CLI(w.t, "getbestblockhash"))
		v.node.CLI(w.t, "invalidateblock", tip)
		v.node.CLI(w.t, "generateblock", otherPayee, []string{hexOf(first.Raw), hexOf(kept.Raw)})
		v.mine()
		v.until(first, proposal.Confirmed)
		v.until(child, proposal.Confirmed)
		v.until(replacement, proposal.Conflicted)
		open = v.until(open, proposal.PartiallySigned)
		v.wantLocks(open)
		v.broadcast(v.sign(open, 1))
		v.mine()
		v.until(open, proposal.Confirmed)
	})
}

// wantRefusal checks that a request was refused because its proposal is conflicted, with a
// message that explains this.
func wantRefusal(t testing.TB, err error) {
	t.Helper()
	f, ok := errors.AsType[*fault.Error](err)
	if !ok || !errors.Is(err, proposal.ErrWrongState) || f.Details["status"] != string(proposal.Conflicted) || len(f.Message) < 40 {
		t.Errorf("a proposal whose inputs are lost was not refused: %v", err)
	}
}

// TestEvictions_AfterCreation checks that a payment made after a replacement was proposed
// is not evicted without permission.
func TestEvictions_AfterCreation(t *testing.T) {
	t.Parallel()
	onBoth(t, newNode(t), func(w *world) {
		v := w.vault(testkit.WPKH, 10_000_000)
		first := v.sent(pay(100_000, 2000))
		replacement, err := v.bump(first, proposal.BumpParams{FeeRate: 50_000})
		testkit.Check(w.t, err)
		replacement = v.complete(replacement)
		later, err := w.Create(w.t.Context(), w.access(w.member(v, "bob"), v.alias), pay(300_000, 3000))
		testkit.Check(w.t, err)
		if _, err := v.Broadcast(w.t.Context(), v.access(v.alice, v.alias), replacement.ID, proposal.BroadcastParams{}); !errors.Is(err, proposal.ErrEvicts) {
			w.t.Errorf("evicting another member's payment was not refused: %v", err)
		}
		_, err = v.Broadcast(w.t.Context(), v.access(v.alice, v.alias), replacement.ID, proposal.BroadcastParams{Evict: true})
		testkit.Check(w.t, err)
		v.until(later, proposal.Conflicted)
	})
}

// TestEvictions_BumpOfOpenReplacement checks that bumping an open replacement requires no
// permission to evict payments that the replacement already replaces or evicts, but does
// require permission to evict a payment that was made later.
func TestEvictions_BumpOfOpenReplacement(t *testing.T) {
	t.Parallel()
	onBoth(t, newNode(t), func(w *world) {
		t := w.t
		v := w.vault(testkit.WSH, 10_000_000)
		bob := w.member(v, "bob")
		byBob, err := w.Create(t.Context(), v.access(bob, v.alias), pay(100_000, 2000))
		testkit.Check(t, err)
		first := v.broadcast(v.complete(byBob))
		v.until(first, proposal.Broadcast)
		byBob, err = w.Create(t.Context(), v.access(bob, v.alias), pay(300_000, 3000))
		testkit.Check(t, err)
		child := v.broadcast(v.complete(byBob))
		v.until(child, proposal.Broadcast)

		rate, replacement := btc.FeeRate(50_000), first
		for range 3 { // each bump replaces the previous replacement
			replacement, err = v.bump(replacement, proposal.BumpParams{FeeRate: rate, Evict: replacement.ID == first.ID})
			testkit.Check(t, err)
			rate += 10_000
		}
		byBob, err = w.Create(t.Context(), v.access(bob, v.alias), pay(200_000, 3000))
		testkit.Check(t, err)
		if _, err = v.bump(replacement, proposal.BumpParams{FeeRate: rate}); !errors.Is(err, proposal.ErrEvicts) {
			t.Fatalf("evicting a payment that was made later was not refused: %v", err)
		} else if f, _ := errors.AsType[*fault.Error](err); f.Details["evicts"] != byBob.ID {
			t.Errorf("the error names %q, want %s", f.Details["evicts"], byBob.ID)
		}
		testkit.Check(t, w.Cancel(t.Context(), v.access(bob, v.alias), byBob.ID, nil))
		v.broadcast(v.complete(replacement))
		v.until(first, proposal.Replaced)
		v.until(child, proposal.Conflicted)
	})
}

// TestBroadcast_FeeTooLow checks that a replacement whose fee has become too low is
// refused for its fee and not for lack of permission to evict, and that a bump to the
// fee rate named in the error succeeds.
func TestBroadcast_FeeTooLow(t *testing.T) {
	t.Parallel()
	onBoth(t, newNode(t), func(w *world) {
		t := w.t
		v := w.vault(testkit.WSH, 10_000_000)
		first := v.sent(pay(100_000, 2000))
		replacement, err := v.bump(first, proposal.BumpParams{FeeRate: 5000})
		testkit.Check(t, err)
		replacement = v.complete(replacement)
		_, err = v.bump(replacement, proposal.BumpParams{FeeRate: 1000})
		lowest(t, err)
		byBob, err := w.Create(t.Context(), w.access(w.member(v, "bob"), v.alias), pay(300_000, 30_000))
		testkit.Check(t, err)
		child := v.broadcast(v.complete(byBob))
		v.until(child, proposal.Broadcast)

		_, err = v.Broadcast(t.Context(), v.access(v.alice, v.alias), replacement.ID, proposal.BroadcastParams{})
		f, ok := errors.AsType[*fault.Error](err)
		if !ok || !errors.Is(f, proposal.ErrRejected) {
			t.Fatalf("not refused for its fee: %v", err)
		}
		least, err := strconv.Atoi(f.Details["min_fee_sat"])
		testkit.Check(t, err)
		if evicted := first.Fee + child.Fee; btc.Amount(least) <= evicted || btc.Amount(least) > evicted+evicted/5 {
			t.Errorf("the fee must be %d sat to evict %d sat", least, evicted)
		}
		rate, err := btc.ParseFeeRate(f.Details["min_fee_rate_sat_vb"])
		testkit.Check(t, err)
		_, err = v.bump(replacement, proposal.BumpParams{FeeRate: rate - 1})
		if lowest(t, err) != rate {
			t.Errorf("the lowest fee rate is %s, want %s", lowest(t, err), rate)
		}
		last, err := v.bump(replacement, proposal.BumpParams{FeeRate: rate, Evict: true})
		testkit.Check(t, err)
		v.broadcast(v.complete(last))
	})
}

// TestLostInputs checks that a proposal's status follows the state of its inputs if they
// come from a sender who replaces the payment, or from a coinbase.
func TestLostInputs(t *testing.T) {
	t.Parallel()
	onBoth(t, newNode(t), func(w *world) {
		v := w.vault(testkit.WPKH, 1_000_000)
		a, err := v.wallets.NextAddress(w.t.Context(), v.access(v.alice, v.alias), "")
		testkit.Check(w.t, err)
		txid := text(w.t, v.node.WalletCLI(w.t, payer, "sendtoaddress", a.Address, "0.02", "", "", false, true))
		var at btc.Outpoint
		testkit.Eventually(w.t, "the payment in the index", func() bool {
			utxos, err := v.wallets.UTXOs(w.t.Context(), v.access(v.alice, v.alias), btc.Outpoint{}, 10)
			testkit.Check(w.t, err)
			i := slices.IndexFunc(utxos, func(c wallet.UTXO) bool { return c.Txid == txid })
			if i >= 0 {
				at = utxos[i].Outpoint
			}
			return i >= 0
		})
		o := pay(500_000, 5000)
		o.UTXOs = []btc.Outpoint{at}
		p := v.create(o)
		v.wantLocks(p)
		bumped := v.node.WalletCLI(w.t, payer, "bumpfee", txid)
		var replacement struct{ Txid string }
		testkit.Check(w.t, json.Unmarshal(bumped, &replacement))
		v.until(p, proposal.Conflicted)
		v.mine()
		v.until(p, proposal.Conflicted)
		v.wantLocks()

		// One reorganization removes a coinbase from the chain, and a second restores it.
		a, err = v.wallets.NextAddress(w.t.Context(), v.access(v.alice, v.alias), "")
		testkit.Check(w.t, err)
		var blocks []string
		testkit.Check(w.t, json.Unmarshal(v.node.CLI(w.t, "generatetoaddress", 1, a.Address), &blocks))
		v.node.CLI(w.t, "generatetoaddress", 100, otherPayee)
		v.synced(number(w.t, v.node.CLI(w.t, "getblockcount")))
		var block struct{ Tx []string }
		testkit.Check(w.t, json.Unmarshal(v.node.CLI(w.t, "getblock", blocks[0]), &block))
		o.UTXOs = []btc.Outpoint{{Txid: block.Tx[0], Vout: 0}}
		p = v.sign(v.create(o), 0)
		v.wantLocks(p)
		v.node.CLI(w.t, "invalidateblock", blocks[0])
		v.node.CLI(w.t, "generatetoaddress", 102, otherPayee)
		v.until(p, proposal.Conflicted)
		v.node.CLI(w.t, "reconsiderblock", blocks[0])
		height := number(w.t, v.node.CLI(w.t, "getblockcount"))
		v.node.CLI(w.t, "invalidateblock", text(w.t, v.node.CLI(w.t, "getblockhash", height-101)))
		v.node.CLI(w.t, "generatetoaddress", 3, otherPayee)
		v.until(p, proposal.Complete)
		v.wantLocks(p)
		v.broadcast(p)
	})
}

// TestStatus_FieldsPerStatus checks that proposals with the same status have the same
// fields set, however they reached it.
func TestStatus_FieldsPerStatus(t *testing.T) {
	t.Parallel()
	onBoth(t, newNode(t), func(w *world) {
		for _, k := range []testkit.Script{testkit.WSH, testkit.SH, testkit.TR} {
			v := w.vault(k, slices.Repeat([]btc.Amount{1_000_000}, 8)...)
			elsewhere := func(p proposal.Proposal) {
				signers := make([]int, v.required)
				for i := range signers {
					signers[i] = i
				}
				v.node.CLI(w.t, "sendrawtransaction", hexOf(v.node.Finalize(w.t, v.signed(p, signers...))))
			}
			cancelled := func(p proposal.Proposal) {
				testkit.Check(w.t, v.Cancel(w.t.Context(), v.access(v.alice, v.alias), p.ID, nil))
			}
			ways := []struct {
				name string
				do   func(p proposal.Proposal) proposal.Proposal
			}{
				{"signed and sent here", func(p proposal.Proposal) proposal.Proposal { return v.broadcast(v.complete(p)) }},
				{"sent elsewhere", func(p proposal.Proposal) proposal.Proposal { elsewhere(p); return v.until(p, proposal.Broadcast) }},
				{"cancelled, and sent elsewhere", func(p proposal.Proposal) proposal.Proposal {
					cancelled(p)
					elsewhere(p)
					return v.until(p, proposal.Broadcast)
				}},
				{"signed here, and sent elsewhere", func(p proposal.Proposal) proposal.Proposal {
					p = v.complete(p)
					elsewhere(p)
					return v.until(p, proposal.Broadcast)
				}},
			}
			var sent []proposal.Proposal
			for _, way := range ways {
				t.Run(way.name, func(*testing.T) {
					p := way.do(v.create(pay(900_000, 2000)))
					wantFields(w.t, k.Name+", "+way.name, p, v.required)
					sent = append(sent, v.get(p))
					if _, err := v.Broadcast(w.t.Context(), v.access(v.alice, v.alias), p.ID, proposal.BroadcastParams{}); err != nil {
						w.t.Errorf("%s, %s: a second broadcast failed: %v", k.Name, way.name, err)
					}
				})
			}
			replacement, err := v.bump(sent[1], proposal.BumpParams{FeeRate: 9000})
			testkit.Check(w.t, err)
			v.broadcast(v.complete(replacement))
			wantFields(w.t, k.Name+", replaced", v.until(sent[1], proposal.Replaced), v.required)
			v.mine()
			for i, way := range ways {
				if i != 1 {
					wantFields(w.t, k.Name+", confirmed, "+way.name, v.until(sent[i], proposal.Confirmed), v.required)
				}
			}
			wantFields(w.t, k.Name+", replaced for good", v.get(sent[1]), v.required)
		}
	})
}

// wantFields checks that a proposal's fields are consistent with its status.
func wantFields(t testing.TB, name string, p proposal.Proposal, required int) {
	t.Helper()
	var problems []string
	expect := func(ok bool, what string) {
		if !ok {
			problems = append(problems, what)
		}
	}
	_, sent := map[proposal.Status]bool{proposal.Complete: true, proposal.Broadcast: true, proposal.Confirmed: true}[p.Status]
	if sent {
		expect(len(p.Raw) > 0, "raw transaction")
		expect(p.FinalTxid != "", "txid")
	}
	if len(p.Raw) > 0 {
		for i := range p.Inputs {
			expect(p.SignaturesAt(i) >= required, "signatures of input "+strconv.Itoa(i))
		}
	}
	ended := p.Status == proposal.Cancelled || p.Status == proposal.Expired || p.Status == proposal.Conflicted || p.Status == proposal.Replaced
	expect(ended == (p.Reason != ""), "reason")
	expect((p.Status == proposal.Replaced) == (p.ReplacedBy != ""), "replaced_by")
	expect(p.Steps[len(p.Steps)-1].Action == string(p.Status), "last step")
	expect(p.StatusAt.Equal(p.Steps[len(p.Steps)-1].At), "status_at")
	if len(problems) > 0 {
		t.Errorf("%s: the %s proposal has wrong fields: %s", name, p.Status, fmt.Sprint(problems))
	}
}

// TestAbandon checks that a payment can be abandoned if, and only if, the transaction has
// left the mempool.
func TestAbandon(t *testing.T) {
	t.Parallel()
	n := testkit.Bitcoind(t, "-unsafesqlitesync", "-persistmempool=0", "-walletbroadcast=0")
	n.CLI(t, "createwallet", payer)
	n.CLI(t, "generatetoaddress", 101, text(t, n.WalletCLI(t, payer, "getnewaddress")))
	w := newWorld(t, n, t.TempDir()+"/specterd.db")
	v := w.vault(testkit.WPKH, 1_000_000)
	p := v.sent(pay(100_000, 2000))
	if _, err := v.Abandon(t.Context(), v.access(v.alice, v.alias), p.ID, nil); !errors.Is(err, proposal.ErrNotAbandonable) {
		t.Errorf("a payment in the mempool was abandoned: %v", err)
	}
	n.Stop(t)
	n.Start(t)
	v.waitForNode()
	if len(mempool(t, n)) > 0 {
		t.Fatal("the mempool still contains the transaction")
	}
	abandoned, err := v.Abandon(t.Context(), v.access(v.alice, v.alias), p.ID, nil)
	testkit.Check(t, err)
	wantFields(t, "abandoned", abandoned, 1)
	if r := v.Remedy(t.Context(), abandoned); r == nil {
		t.Errorf("the remedy is %+v", r)
	}
	testkit.Eventually(t, "free UTXOs", func() bool { return v.balances().Trusted == 1_000_000 })
	if got := v.get(p); got.Status != proposal.Cancelled {
		t.Errorf("the status is %s", got.Status)
	}
	other := v.create(pay(200_000, 2000))
	testkit.Check(t, v.Cancel(t.Context(), v.access(v.alice, v.alias), other.ID, nil))
	n.CLI(t, "sendrawtransaction", hexOf(p.Raw)) // sent by a user who kept a copy
	v.until(p, proposal.Broadcast)
	v.mine()
	v.until(p, proposal.Confirmed)
}

// TestAbandon_ForgottenByNode covers a reorganization that disconnects the block of a
// confirmed double spend of an abandoned transaction. Bitcoin Core then no longer treats
// the transaction as abandoned, and it holds its inputs again. Its proposal must return
// to broadcast until a user abandons it again.
func TestAbandon_ForgottenByNode(t *testing.T) {
	t.Parallel()
	n := newNode(t, "-persistmempool=0", "-walletbroadcast=0")
	onBoth(t, n, func(w *world) {
		t := w.t
		v := w.vault(testkit.WPKH, 1_000_000)
		restart := func() {
			t.Helper()
			var loaded []string
			testkit.Check(t, json.Unmarshal(n.CLI(t, "listwallets"), &loaded))
			n.Stop(t)
			n.Start(t)
			for _, name := range loaded {
				_, _ = n.Call(t.Context(), "loadwallet", name) // may be loaded already
			}
			v.waitForNode()
		}
		p := v.sent(pay(100_000, 2000))
		restart()
		_, err := v.Abandon(t.Context(), v.access(v.alice, v.alias), p.ID, nil)
		testkit.Check(t, err)
		other := v.broadcast(v.complete(v.create(pay(200_000, 2000))))
		v.mine()
		v.until(other, proposal.Confirmed)
		n.CLI(t, "invalidateblock", text(t, n.CLI(t, "getbestblockhash")))
		restart()
		v.until(other, proposal.Broadcast)
		v.until(p, proposal.Broadcast)
		for _, sent := range []proposal.Proposal{p, other} {
			_, err := v.Abandon(t.Context(), v.access(v.alice, v.alias), sent.ID, nil)
			testkit.Check(t, err)
			v.until(sent, proposal.Cancelled)
		}
		testkit.Eventually(t, "free UTXOs", func() bool { return v.balances().Trusted == 1_000_000 })
	})
}

// TestDustLimit checks that the node's -dustrelayfee determines which amounts are dust.
func TestDustLimit(t *testing.T) {
	t.Parallel()
	for setting, least := range map[string]btc.Amount{"0.00003000": 294, "0.00001000": 98} {
		t.Run(setting, func(t *testing.T) {
			n := testkit.Bitcoind(t, "-unsafesqlitesync", "-dustrelayfee="+setting)
			n.CLI(t, "createwallet", payer)
			n.CLI(t, "generatetoaddress", 101, text(t, n.WalletCLI(t, payer, "getnewaddress")))
			w := newWorld(t, n, t.TempDir()+"/specterd.db")
			v := w.vault(testkit.WPKH, 1_000_000)
			o := pay(least-1, 2000)
			o.Recipients = append([]proposal.Recipient{{Address: otherPayee, Amount: 50_000}}, o.Recipients...)
			_, err := v.Create(t.Context(), v.access(v.alice, v.alias), o)
			if f, ok := errors.AsType[*fault.Error](err); !ok || !errors.Is(err, proposal.ErrAmountTooSmall) || f.Fields[0].Name != "recipients[1].amount_sat" {
				t.Errorf("%d sat with -dustrelayfee=%s: %v", least-1, setting, err)
			}
			v.broadcast(v.complete(v.create(pay(least, 2000))))
		})
	}
}

func mempool(t testing.TB, n *testkit.Node) (txids []string) {
	t.Helper()
	testkit.Check(t, json.Unmarshal(n.CLI(t, "getrawmempool"), &txids))
	return txids
}
