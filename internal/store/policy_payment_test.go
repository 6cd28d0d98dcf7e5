package store_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/policy"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/testenv/testkit"
	"github.com/specterd/specterd/internal/wallet"
)

// permits reports whether a dry run of a payment is permitted under a rule of the wallet's policy with
// these fields.
func (b *fixture) permits(p proposal.Proposal, fields string) bool {
	b.t.Helper()
	return b.permitsUnder(p, `{"version":1,"allow":[{"name":"rule",`+fields+`}]}`)
}

func (b *fixture) permitsUnder(p proposal.Proposal, document string) bool {
	b.t.Helper()
	b.setPolicy("wallet:"+p.WalletID, document)
	_, err := b.TryProposal(b.t.Context(), p, b.moment(), nil)
	if err != nil && !errors.Is(err, proposal.ErrPolicyRefused) {
		b.t.Error(err)
	}
	return err == nil
}

// wantLimit checks that a payment is permitted at a limit, and not one beyond it.
func (b *fixture) wantLimit(when string, p proposal.Proposal, fields string, at, beyond int64) {
	b.t.Helper()
	if !b.permits(p, fmt.Sprintf(fields, at)) || b.permits(p, fmt.Sprintf(fields, beyond)) {
		b.t.Errorf("%s: the limit of %s is not %d", when, fields, at)
	}
}

// TestPolicies_Confirmations checks that the input with the fewest confirmations decides, and that one
// without a transaction in the index has none.
func TestPolicies_Confirmations(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		w := b.wallet(b.user("alice", false), "vault")
		states := map[string]wallet.State{"old": confirmedAt(98), "new": confirmedAt(100), "ahead": confirmedAt(101), "unconfirmed": inMempool(true)}
		at := map[string]btc.Outpoint{"unknown": utxoNumber(900)}
		for name, state := range states {
			at[name] = utxoNumber(1000 + len(at))
			b.write(wallet.Change{WalletID: w.ID, Added: []wallet.Transaction{payment(w, at[name].Txid, state, []wallet.Place{*place(wallet.ReceiveBranch, 0)})}})
		}
		b.exec("UPDATE wallets SET synced_height = 100 WHERE wallet_id = $1", w.ID)
		for _, test := range []struct {
			inputs string
			want   int64
		}{{"old", 3}, {"new", 1}, {"ahead", 1}, {"old new", 1}, {"old unconfirmed", 0}, {"old unknown", 0}} {
			var inputs []btc.Outpoint
			for name := range strings.FieldsSeq(test.inputs) {
				inputs = append(inputs, at[name])
			}
			p := proposalFor(b, w, 1, inputs...)
			p.Replaces = ""
			if test.want == 0 {
				if b.permits(p, `"coins":{"confirmations":1}`) {
					t.Errorf("%s: has a confirmation", test.inputs)
				}
				continue
			}
			b.wantLimit(test.inputs, p, `"coins":{"confirmations":%d}`, test.want, test.want+1)
		}
	})
}

// TestPolicies_KeepAtLeast checks what remains in the wallet: the trusted UTXOs without the amounts
// that the payment and all open proposals take, and with the amounts of the payments that they replace.
func TestPolicies_KeepAtLeast(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		w := b.wallet(b.user("alice", false), "vault")
		funds, untrusted, sent, evicted, dead := utxoNumber(500).Txid, utxoNumber(501).Txid, utxoNumber(502).Txid, utxoNumber(503).Txid, utxoNumber(504).Txid
		places := []wallet.Place{*place(wallet.ReceiveBranch, 0), *place(wallet.ReceiveBranch, 1), *place(wallet.ReceiveBranch, 2)}
		spending := func(txid string, flow btc.Amount, state wallet.State) wallet.Transaction {
			x := payment(w, txid, state, nil, utxoNumber(700+len(txid)))
			x.Flow = flow
			return x
		}
		b.write(wallet.Change{WalletID: w.ID, Added: []wallet.Transaction{
			payment(w, funds, confirmedAt(10), places), payment(w, untrusted, inMempool(false), places[:1]),
			spending(sent, -700, inMempool(true)), spending(evicted, -50, inMempool(true)), spending(dead, -9, wallet.State{Status: wallet.Replaced, Replaceable: "yes"}),
		}})
		const keep = `"keep_at_least_sat":%d`
		p := func(change uint32, vout uint32, amount btc.Amount) proposal.Proposal {
			p := proposalFor(b, w, change, btc.Outpoint{Txid: funds, Vout: vout})
			p.Inputs[0].Amount, p.Replaces = amount, "" // 900 to others, 50 to itself, and the fee of 500
			p.Outputs[2].Amount = amount - 900 - 50 - 500
			return p
		}
		want := func(when string, p proposal.Proposal, limit int64) {
			t.Helper()
			b.wantLimit(when, p, keep, limit, limit+1)
		}
		large := p(1, 2, 3000)
		want("alone", large, 6000-1400)
		replacing := p(1, 2, 3000)
		replacing.Replaces, replacing.Evicts = sent, []proposal.Eviction{{Txid: evicted}, {Txid: dead}}
		want("as a replacement", replacing, 6000-1400+700+50)

		b.setPolicy("wallet:"+w.ID, `{"version":1,"allow":[{"name":"rule","approvals":{"count":1}}]}`)
		other := p(3, 1, 2000)
		testkit.Check(t, b.propose(other))
		if held := testkit.Must(b.Proposal(t.Context(), w.ID, other.ID)); held.Status != proposal.AwaitingApproval {
			t.Fatalf("the proposal is %s", held.Status)
		}
		want("beside one that awaits approval", large, 6000-1400-1400)
		b.moveTo(other, proposal.Complete)
		want("beside a complete one", large, 6000-1400-1400)
		b.moveTo(other, proposal.Broadcast)
		want("beside one that the index does not have yet", large, 6000-1400-1400)
		b.write(wallet.Change{WalletID: w.ID, Added: []wallet.Transaction{payment(w, utxoNumber(505).Txid, inMempool(true), nil, other.Inputs[0].Outpoint)}})
		b.moveTo(other, proposal.Broadcast)
		want("beside one that the index has", large, 6000-1400-2000)

		third := p(4, 0, 1500)
		third.Replaces = sent
		b.exec("DELETE FROM policies")
		testkit.Check(t, b.propose(third))
		want("beside an open replacement", large, 6000-1400-2000-1400+700)
		// A stored proposal is not one of the others.
		b.setPolicy("wallet:"+w.ID, fmt.Sprintf(`{"version":1,"allow":[{"name":"rule",`+keep+`}]}`, 6000-2000-1400+700))
		_, err := b.UpdateProposal(t.Context(), w.ID, third.ID, func(u *proposal.Update) error {
			layers, err := u.Rules.Layers(&u.Proposal)
			testkit.Check(t, err)
			if d, err := u.Rules.Evaluate(&u.Proposal, layers, b.moment()); err != nil || len(d.Refusals) > 0 {
				t.Errorf("a stored proposal is refused: %+v, %v", d.Refusals, err)
			}
			return nil
		})
		testkit.Check(t, err)
	})
}

// TestPolicies_WalletTargets checks that a target that is a wallet, of a rule, a list or deny, has the
// addresses of this wallet and of no other, as long as the wallet exists.
func TestPolicies_WalletTargets(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		alice := b.user("alice", false)
		w, cold, other := b.wallet(alice, "vault"), b.wallet(alice, "cold"), b.wallet(alice, "other")
		pay := func(to wallet.Wallet) proposal.Proposal {
			p := proposalFor(b, w, 1, utxoNumber(1))
			p.Replaces, p.Outputs[0].Address = "", addressAt(to.ID, *place(wallet.ReceiveBranch, 3))
			p.Outputs = append(p.Outputs[:1], p.Outputs[2])
			return p
		}
		b.exec("INSERT INTO policy_lists (wallet_id, name, entries, user_name, set_at) VALUES ($1, 'ours', $2, 'alice', 1)", w.ID, string(policy.CanonicalList([]policy.Target{{WalletID: cold.ID}})))
		rules := map[string]string{"a rule": `"to":[{"wallet":"` + cold.ID + `"}]`, "a list": `"to":[{"list":"ours"}]`}
		check := func(when string, isCold bool) {
			t.Helper()
			for name, fields := range rules {
				if got := b.permits(pay(cold), fields); got != isCold {
					t.Errorf("%s, the wallet of %s: permitted %t", when, name, got)
				}
				if b.permits(pay(other), fields) {
					t.Errorf("%s, another wallet than the one of %s is permitted", when, name)
				}
			}
			for _, target := range []string{`{"wallet":"` + cold.ID + `"}`, `{"list":"ours"}`} {
				if got := b.permitsUnder(pay(cold), `{"version":1,"deny":[`+target+`]}`); got == isCold {
					t.Errorf("%s, denied by %s: permitted %t", when, target, got)
				}
			}
		}
		check("both wallets exist", true)
		b.exec("UPDATE wallets SET stage = 'removing' WHERE wallet_id = $1", cold.ID)
		check("the wallet is being deleted", false)
	})
}

// TestPolicies_PaidRate checks that the fee rate that counts is the one of the whole fee, and not the
// requested one.
func TestPolicies_PaidRate(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		p := proposalFor(b, b.wallet(b.user("alice", false), "vault"), 1, utxoNumber(1))
		p.Replaces, p.FeeRate, p.Fee, p.VSize = "", 2000, 600, 200
		if !b.permits(p, `"fee":{"max_sat_vb":3}`) || b.permits(p, `"fee":{"max_sat_vb":2.999}`) {
			t.Error("the fee rate is not 3 sat/vB")
		}
	})
}
