package proposal_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"regexp"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/psbt"
	"github.com/specterd/specterd/internal/testenv/testkit"
	"github.com/specterd/specterd/internal/wallet"
)

// utxo returns the vault's UTXO with this amount.
func (v vault) utxo(amount btc.Amount) btc.Outpoint {
	v.t.Helper()
	utxos, err := v.wallets.UTXOs(v.t.Context(), v.access(v.alice, v.alias), btc.Outpoint{}, 100)
	testkit.Check(v.t, err)
	for _, c := range utxos {
		if c.Amount == amount {
			return c.Outpoint
		}
	}
	v.t.Fatalf("no UTXO with amount %s", amount)
	return btc.Outpoint{}
}

// foreignFee is the fee of payments that were proposed by another program.
const foreignFee btc.Amount = 2000

// foreign returns the PSBT of a payment as another program proposes it: it spends one
// UTXO, sends half of it to payee, contains no data about the UTXO, and always has the
// same change address.
func (v vault) foreign(at btc.Outpoint, amount, fee btc.Amount) []byte {
	v.t.Helper()
	view, err := v.wallets.Get(v.t.Context(), v.access(v.alice, v.alias))
	testkit.Check(v.t, err)
	change, err := v.store.AddressAt(v.t.Context(), view.ID, wallet.Place{Branch: wallet.ChangeBranch, Index: 3})
	testkit.Check(v.t, err)
	outputs := []map[string]btc.JSONBTC{{change.Address: btc.JSONBTC(amount - amount/2 - fee)}, {payee: btc.JSONBTC(amount / 2)}}
	const lockTime, replaceable = 1, true
	return decoded(v.t, v.node.CLI(v.t, "createpsbt", []map[string]any{{"txid": at.Txid, "vout": at.Vout}}, outputs, lockTime, replaceable))
}

func decoded(t testing.TB, result json.RawMessage) (raw []byte) {
	t.Helper()
	testkit.Check(t, json.Unmarshal(result, &raw))
	return raw
}

// filled returns the PSBT with Core's data about its UTXOs added.
func (v vault) filled(raw []byte) []byte {
	v.t.Helper()
	var done struct{ PSBT []byte }
	const sign = false
	testkit.Check(v.t, json.Unmarshal(v.node.WalletCLI(v.t, v.coreName, "walletprocesspsbt", raw, sign), &done))
	return done.PSBT
}

func asForeign(t testing.TB, raw []byte) proposal.Foreign {
	t.Helper()
	p, err := psbt.Parse(raw)
	testkit.Check(t, err)
	return proposal.Foreign{Txid: p.Txid(), PSBT: base64.StdEncoding.EncodeToString(raw), At: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC), Maker: "alice there"}
}

func (v vault) imports(who *auth.Principal, dryRun bool, payments ...proposal.Foreign) []proposal.Imported {
	v.t.Helper()
	access := v.access(who, v.alias)
	view, err := v.wallets.Get(v.t.Context(), access)
	testkit.Check(v.t, err)
	var done []proposal.Imported
	if dryRun {
		done, err = v.TryImport(v.t.Context(), who, view, payments)
	} else {
		done, err = v.Import(v.t.Context(), access, payments)
	}
	testkit.Check(v.t, err)
	if len(done) != len(payments) {
		v.t.Fatalf("%d results for %d payments", len(done), len(payments))
	}
	return done
}

// TestImport imports payments of each script type, signed and unsigned, with and
// without UTXO data in their PSBTs, and then completes, broadcasts and confirms them.
func TestImport(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	onBoth(t, n, func(w *world) {
		for _, k := range testkit.Scripts {
			v := w.vault(k, 1_000_000, 2_000_000)
			begun := v.node.Sign(w.t, v.filled(v.foreign(v.utxo(1_000_000), 1_000_000, foreignFee)), v.signers[0])
			payments := []proposal.Foreign{asForeign(w.t, begun), asForeign(w.t, v.foreign(v.utxo(2_000_000), 2_000_000, foreignFee))}
			rehearsed := v.imports(w.alice, true, payments...)
			if list, err := v.List(w.t.Context(), v.access(w.alice, v.alias), proposal.Filter{}, proposal.Cursor{}, 10); err != nil || len(list) != 0 {
				w.t.Fatalf("%s: a dry run left %d proposals, %v", k.Name, len(list), err)
			}
			var open []proposal.Proposal
			for i, one := range v.imports(w.alice, false, payments...) {
				if one.Err != nil || one.Known || rehearsed[i].Err != nil || len(rehearsed[i].Signatures) != len(one.Signatures) {
					w.t.Fatalf("%s: %+v, dry run: %+v", k.Name, one, rehearsed[i])
				}
				p := v.get(one.Proposal)
				v.compare(p)
				if p.Txid != payments[i].Txid || p.Fee != foreignFee || !p.Imported || !p.Replaceable || p.Outputs[0].Kind != proposal.Change || p.Outputs[1].Kind != proposal.External ||
					p.Creator.UserName != "alice there" || !p.CreatedAt.Equal(payments[i].At.Truncate(time.Microsecond)) || time.Until(p.ExpiresAt) < proposal.DefaultLifetime-time.Hour {
					w.t.Errorf("%s: %+v", k.Name, p)
				}
				open = append(open, p)
			}
			want := proposal.Complete
			if v.required > 1 {
				want = proposal.PartiallySigned
			}
			if open[0].Status != want || len(open[0].Signatures) != 1 || open[1].Status != proposal.Created || len(open[1].Signatures) != 0 {
				w.t.Errorf("%s: the statuses are %s and %s", k.Name, open[0].Status, open[1].Status)
			}
			v.wantLocks(open...)
			for _, again := range v.imports(w.alice, false, payments...) {
				if !again.Known || again.Err != nil {
					w.t.Errorf("%s: second import: %+v", k.Name, again)
				}
			}
			if v.required > 1 {
				open[0] = v.sign(open[0], 1)
			}
			open[1] = v.complete(open[1])
			for i := range open {
				open[i] = v.broadcast(open[i])
			}
			v.mine()
			for _, p := range open {
				v.until(p, proposal.Confirmed)
			}
			v.wantLocks()
		}
	})
}

// TestImport_Refused checks that payments that cannot become proposals are reported
// with an error and are not stored.
func TestImport_Refused(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	onBoth(t, n, func(w *world) {
		v, other := w.vault(testkit.WPKH, 1_000_000, 2_000_000, 3_000_000, 4_000_000, 5_000_000, 6_000_000), w.vault(testkit.WPKH, 7_000_000)
		unknown := btc.Outpoint{Txid: "ab00000000000000000000000000000000000000000000000000000000000000"}
		good := v.foreign(v.utxo(1_000_000), 1_000_000, foreignFee)
		signed := v.node.Sign(w.t, v.filled(good), v.signers[0])
		bad := bytes.Clone(signed)
		der := regexp.MustCompile(`\x30[\x42-\x48]\x02[\x1e-\x21]`).FindAllIndex(bad, -1)
		bad[der[len(der)-1][1]+10] ^= 1 // in the last signature
		wrongTxid := asForeign(w.t, good)
		wrongTxid.Txid = asForeign(w.t, v.foreign(v.utxo(2_000_000), 2_000_000, foreignFee)).Txid
		badRaw := asForeign(w.t, good)
		badRaw.Raw = "00"
		testkit.Check(w.t, v.wallets.Freeze(w.t.Context(), v.access(w.alice, v.alias), v.utxo(3_000_000), true))
		reserved := v.create(proposal.CreateParams{UTXOs: []btc.Outpoint{v.utxo(4_000_000)}, FeeRate: 2000, Recipients: []proposal.Recipient{{Address: payee, Amount: 10_000}}})
		rival := v.utxo(5_000_000)
		spent := asForeign(w.t, v.foreign(rival, 5_000_000, foreignFee))
		v.broadcast(v.complete(v.create(proposal.CreateParams{UTXOs: []btc.Outpoint{rival}, FeeRate: 2000, Recipients: []proposal.Recipient{{Address: otherPayee, Amount: 10_000}}})))
		own := v.foreign(v.utxo(6_000_000), 6_000_000, foreignFee)
		sent := asForeign(w.t, own)
		v.node.CLI(w.t, "sendrawtransaction", hexOf(v.node.Finalize(w.t, v.node.Sign(w.t, v.filled(own), v.signers[0]))))

		for name, c := range map[string]struct {
			in   proposal.Foreign
			want string // error code
		}{
			"no PSBT":                  {proposal.Foreign{Txid: "x", PSBT: "nonsense"}, psbt.ErrUnreadable.Code},
			"another transaction":      {wrongTxid, "proposal_not_importable"},
			"a bad signature":          {asForeign(w.t, bad), psbt.ErrBadSignature.Code},
			"a bad transaction":        {badRaw, psbt.ErrUnreadable.Code},
			"a UTXO of another wallet": {asForeign(w.t, other.foreign(other.utxo(7_000_000), 7_000_000, foreignFee)), "proposal_not_importable"},
			"an unknown UTXO":          {asForeign(w.t, v.foreign(unknown, 1_000_000, foreignFee)), "proposal_dead"},
			"a spent UTXO":             {spent, "proposal_not_importable"},
			"a frozen UTXO":            {asForeign(w.t, v.foreign(v.utxo(3_000_000), 3_000_000, foreignFee)), proposal.ErrUTXOFrozen.Code},
			"a reserved UTXO":          {asForeign(w.t, v.foreign(reserved.Inputs[0].Outpoint, 4_000_000, foreignFee)), proposal.ErrUTXOReserved.Code},
			"a fee above the maximum":  {asForeign(w.t, v.foreign(v.utxo(2_000_000), 2_000_000, 500_000)), "proposal_not_importable"},
			"outputs exceed inputs":    {asForeign(w.t, v.foreign(v.utxo(2_000_000), 3_000_000, foreignFee)), "proposal_not_importable"},
			"already broadcast":        {sent, proposal.ErrImportSent.Code},
		} {
			t.Run(name, func(*testing.T) {
				for _, dryRun := range []bool{true, false} {
					err := v.imports(w.alice, dryRun, c.in)[0].Err
					if f, ok := errors.AsType[*fault.Error](err); !ok || f.Code != c.want {
						w.t.Errorf("%s, dry run %v: %v, want %s", name, dryRun, err, c.want)
					}
				}
			})
		}
		// Of two payments that spend the same UTXO, only the first is imported.
		twice := []proposal.Foreign{asForeign(w.t, v.foreign(v.utxo(2_000_000), 2_000_000, foreignFee)), asForeign(w.t, v.foreign(v.utxo(2_000_000), 2_000_000, foreignFee+1))}
		for _, dryRun := range []bool{true, false} {
			if done := v.imports(w.alice, dryRun, twice...); done[0].Err != nil || !errors.Is(done[1].Err, proposal.ErrUTXOReserved) {
				w.t.Errorf("dry run %v: %v, %v", dryRun, done[0].Err, done[1].Err)
			}
		}
		list, err := v.List(w.t.Context(), v.access(w.alice, v.alias), proposal.Filter{Statuses: []proposal.Status{proposal.Created, proposal.PartiallySigned, proposal.Complete}}, proposal.Cursor{}, 100)
		testkit.Check(w.t, err)
		if len(list) != 2 { // the imported proposal and the proposal that reserves a UTXO
			w.t.Errorf("%d proposals are open", len(list))
		}
	})
}

// TestImport_BeforeRescan imports a payment whose UTXO specterd does not know yet. The
// UTXO must be locked once a rescan finds it.
func TestImport_BeforeRescan(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	onBoth(t, n, func(w *world) {
		v := w.vault(testkit.WSH, 1_000_000)
		signed := v.node.Sign(w.t, v.filled(v.foreign(v.utxo(1_000_000), 1_000_000, foreignFee)), v.signers[0])
		view, err := v.wallets.Get(w.t.Context(), v.access(w.alice, v.alias))
		testkit.Check(w.t, err)
		bob := w.user("bob")
		again, err := w.wallets.Create(w.t.Context(), bob, wallet.Plan{Name: "again", Descriptor: view.Receive, Change: view.Change, Birthday: wallet.Birthday{Now: true}})
		testkit.Check(w.t, err)
		b := vault{world: w, alias: again.Alias, coreName: again.CoreName, required: v.required, signers: v.signers}
		b.alice = bob
		one := b.imports(bob, false, asForeign(w.t, signed))[0]
		testkit.Check(w.t, one.Err)
		if one.Status != proposal.PartiallySigned || len(one.Signatures) != 1 {
			w.t.Errorf("the status is %s with %d signatures", one.Status, len(one.Signatures))
		}
		testkit.Eventually(w.t, "the end of the first rescan", func() bool { v := b.get0(); return !v.Rescanning() })
		first := 0
		_, err = w.wallets.Rescan(w.t.Context(), w.access(bob, again.Alias), wallet.Birthday{Height: &first}, 0)
		testkit.Check(w.t, err)
		testkit.Eventually(w.t, "a lock on the UTXO in the node", func() bool { return b.locked()[one.Inputs[0].Outpoint] })
		complete, err := w.AddSignatures(w.t.Context(), w.access(bob, again.Alias), one.ID, v.node.Sign(w.t, one.PSBT, v.signers[1]), nil)
		testkit.Check(w.t, err)
		if _, err := w.Broadcast(w.t.Context(), w.access(bob, again.Alias), complete.ID, proposal.BroadcastParams{}); err != nil {
			w.t.Error(err)
		}
	})
}
