package wallet_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/node/backend"
	"github.com/specterd/specterd/internal/node/rpcclient"
	"github.com/specterd/specterd/internal/testenv/testkit"
	"github.com/specterd/specterd/internal/wallet"
)

// funder is the name of a Bitcoin Core wallet with funds.
const funder = "funder"

// pay pays to the next address of alice's wallet, mines a block, and returns the
// UTXO once it is indexed.
func (r *fixture) pay(alias, amount string) wallet.UTXO {
	t, ctx := r.t, r.t.Context()
	t.Helper()
	a, err := r.NextAddress(ctx, r.access(r.alice, alias), "")
	testkit.Check(t, err)
	r.node.WalletCLI(t, funder, "sendtoaddress", a.Address, json.Number(amount))
	r.node.Mine(t, 1)
	r.monitor.Check(ctx)
	var utxo wallet.UTXO
	testkit.Eventually(t, "the payment is in the index", func() bool {
		utxos, err := r.UTXOs(ctx, r.access(r.alice, alias), btc.Outpoint{}, 100)
		testkit.Check(t, err)
		i := slices.IndexFunc(utxos, func(c wallet.UTXO) bool { return c.Address == a.Address && c.Confirmations > 0 })
		if i >= 0 {
			utxo = utxos[i]
		}
		return i >= 0
	})
	return utxo
}

func (r *fixture) utxo(alias string, at btc.Outpoint) wallet.UTXO {
	r.t.Helper()
	utxos, err := r.UTXOs(r.t.Context(), r.access(r.alice, alias), btc.Outpoint{}, 100)
	testkit.Check(r.t, err)
	i := slices.IndexFunc(utxos, func(c wallet.UTXO) bool { return c.Outpoint == at })
	if i < 0 {
		r.t.Fatalf("no UTXO %s", at)
	}
	return utxos[i]
}

// isLocked reports whether a UTXO is locked in the node.
func (r *fixture) isLocked(v wallet.View, at btc.Outpoint) bool {
	r.t.Helper()
	locked, err := r.core.Wallet(v.CoreName).ListLocked(r.t.Context())
	testkit.Check(r.t, err)
	return slices.Contains(locked, at)
}

// wantFrozen checks the frozen state of a UTXO in specterd and its lock in the node, now
// and after the next sync round.
func (r *fixture) wantFrozen(v wallet.View, at btc.Outpoint, frozen bool) {
	t := r.t
	t.Helper()
	atNode := func() bool { return r.isLocked(v, at) }
	if got := r.utxo(v.Alias, at); got.Frozen != frozen || got.Locked != frozen {
		t.Fatalf("frozen %v, locked %v, want %v", got.Frozen, got.Locked, frozen)
	}
	if atNode() != frozen {
		t.Fatalf("locked in the node %v, want %v", !frozen, frozen)
	}
	testkit.Eventually(t, fmt.Sprintf("the index has the node's lock as %v", frozen), func() bool {
		return (r.count("SELECT count(*) FROM locked WHERE wallet_id = $1", v.ID) == 1) == frozen
	})
	if got := r.utxo(v.Alias, at).Locked; got != frozen {
		t.Fatalf("after the next sync round locked is %v, want %v", got, frozen)
	}
	if atNode() != frozen {
		t.Fatalf("the indexer reverted it: locked in the node %v", !frozen)
	}
	want := btc.Amount(0)
	if frozen {
		want = r.utxo(v.Alias, at).Amount
	}
	got, err := r.Get(t.Context(), r.access(r.alice, v.Alias))
	testkit.Check(t, err)
	if got.Balances.Frozen != want {
		t.Errorf("%s are frozen, want %s", got.Balances.Frozen, want)
	}
}

// testUTXOs tests freezing and labelling a UTXO.
func testUTXOs(r *fixture) {
	r.follow()
	v := r.wallet(r.alice, "vault")
	c := r.pay("vault", "0.25")
	r.testFreeze(v, c)
	r.testLabels(v, c)
	r.testFreezeUndone(v, c)
}

func (r *fixture) testFreeze(v wallet.View, c wallet.UTXO) {
	t, ctx := r.t, r.t.Context()
	r.wantFrozen(v, c.Outpoint, false)
	for _, frozen := range []bool{true, true, false, false, true} {
		testkit.Check(t, r.Freeze(ctx, r.access(r.alice, "vault"), c.Outpoint, frozen))
		r.wantFrozen(v, c.Outpoint, frozen)
	}
	r.wantEvent(r.alice, "utxo.freeze", v.ID)
	r.wantEvent(r.alice, "utxo.unfreeze", v.ID)
	unknown := btc.Outpoint{Txid: strings.Repeat("ab", 32)}
	wantErr(t, r.Freeze(ctx, r.access(r.alice, "vault"), unknown, true), wallet.ErrUTXONotFound)
	wantErr(t, r.Freeze(ctx, r.access(r.alice, "vault"), btc.Outpoint{Txid: c.Txid, Vout: c.Vout + 7}, true), wallet.ErrUTXONotFound)

	// If either of the two steps fails, nothing changes.
	rpc, err := rpcclient.New(rpcclient.Config{URL: "http://user:password@127.0.0.1:1"})
	testkit.Check(t, err)
	defer rpc.Close()
	gone := wallet.New(r.logger(), r.store, r.store, backend.NewProvider(backend.New(rpc), r.monitor.Status), time.Now, r.kick)
	wantFault(t, gone.Freeze(ctx, r.access(r.alice, "vault"), c.Outpoint, false), fault.Unavailable, "node_unavailable")
	testkit.Eventually(t, "the node's lock is back, if a sync round removed it meanwhile", func() bool { return r.isLocked(v, c.Outpoint) })
	r.wantFrozen(v, c.Outpoint, true)
	testkit.Check(t, r.Freeze(ctx, r.access(r.alice, "vault"), c.Outpoint, false))
	wantFault(t, gone.Freeze(ctx, r.access(r.alice, "vault"), c.Outpoint, true), fault.Unavailable, "node_unavailable")
	r.wantFrozen(v, c.Outpoint, false)
}

// testFreezeUndone checks that the lock in the node is removed if the store fails.
func (r *fixture) testFreezeUndone(v wallet.View, c wallet.UTXO) {
	t, ctx := r.t, r.t.Context()
	testkit.Check(t, r.Freeze(ctx, r.access(r.alice, "vault"), c.Outpoint, false))
	r.wantFrozen(v, c.Outpoint, false)
	r.failInserts("frozen")
	if err := r.Freeze(ctx, r.access(r.alice, "vault"), c.Outpoint, true); err == nil {
		t.Fatal("no error from the store")
	}
	r.wantFrozen(v, c.Outpoint, false)
}

// failInserts makes the database reject inserts into a table.
func (r *fixture) failInserts(table string) {
	if r.isSQLite {
		r.exec("CREATE TRIGGER refuse BEFORE INSERT ON " + table + " BEGIN SELECT RAISE(ABORT, 'refused by the test'); END")
		return
	}
	r.exec("ALTER TABLE " + table + " ADD CONSTRAINT refuse CHECK (FALSE) NOT VALID")
}

func (r *fixture) testLabels(v wallet.View, c wallet.UTXO) {
	t, ctx := r.t, r.t.Context()
	yes, no := true, false
	text := func(s string) *string { return &s }
	foreign := "bcrt1qft5p2uhsdcdc3l2ua4ap5qqfg4pjaqlp250x7us7a8qqhrxrxfsqseac85"
	unknown := btc.Outpoint{Txid: strings.Repeat("ab", 32)}
	testkit.Check(t, r.SetLabels(ctx, r.access(r.alice, "vault"), []btc.Label{
		{Type: "addr", Ref: c.Address, Label: text("rent")},
		{Type: "addr", Ref: foreign, Label: text("foreign")},
		{Type: "tx", Ref: c.Txid, Label: text("January")},
		{Type: "output", Ref: c.String(), Spendable: &no},
		{Type: "output", Ref: unknown.String(), Label: text("to come"), Spendable: &no},
	}))
	r.wantFrozen(v, c.Outpoint, true)
	r.wantEvent(r.alice, "wallet.label", v.ID)
	if got := r.utxo("vault", c.Outpoint).Label; got != "rent" {
		t.Errorf("the UTXO's label is %q", got)
	}
	want := []string{
		"addr " + c.Address + " rent", "addr " + foreign + " foreign",
		"output " + unknown.String() + " to come", "tx " + c.Txid + " January",
		"output " + c.String() + "  spendable=false",
	}
	slices.Sort(want[:2])
	if got := r.labels("vault"); !slices.Equal(got, want) {
		t.Errorf("labels %q, want %q", got, want)
	}

	// An empty label deletes; labels that are not mentioned stay.
	testkit.Check(t, r.SetLabels(ctx, r.access(r.alice, "vault"), []btc.Label{
		{Type: "addr", Ref: foreign, Label: text("")},
		{Type: "output", Ref: unknown.String(), Label: text("")},
		{Type: "tx", Ref: c.Txid},
		{Type: "output", Ref: c.String(), Label: text("UTXO"), Spendable: &yes},
	}))
	r.wantFrozen(v, c.Outpoint, false)
	want = []string{"addr " + c.Address + " rent", "output " + c.String() + " UTXO", "tx " + c.Txid + " January"}
	if got := r.labels("vault"); !slices.Equal(got, want) {
		t.Errorf("labels %q, want %q", got, want)
	}
	testkit.Check(t, r.SetLabels(ctx, r.access(r.alice, "vault"), []btc.Label{{Type: "output", Ref: c.String(), Spendable: &no}}))
	want[1] += " spendable=false"
	if got := r.labels("vault"); !slices.Equal(got, want) {
		t.Errorf("labels %q, want %q", got, want)
	}

	wantField(t, r.SetLabels(ctx, r.access(r.alice, "vault"), []btc.Label{{Type: "tx", Ref: c.Txid, Spendable: &no}}), "spendable")

	// Freezing or unfreezing many UTXOs adds one audit event, not one for each UTXO.
	many := make([]btc.Label, 2000)
	for i := range many {
		many[i] = btc.Label{Type: "output", Ref: fmt.Sprintf("%064x:%d", i, i), Spendable: &no}
	}
	many = append(many, btc.Label{Type: "output", Ref: c.String(), Spendable: &yes}, btc.Label{Type: "output", Ref: c.String(), Spendable: &no})
	for _, spendable := range []*bool{&no, &yes} {
		events := r.count("SELECT count(*) FROM audit")
		for i := range many[:2000] {
			many[i].Spendable = spendable
		}
		testkit.Check(t, r.SetLabels(ctx, r.access(r.alice, "vault"), many))
		if added := r.count("SELECT count(*) FROM audit") - events; added > 2 {
			t.Errorf("%d audit events", added)
		}
		r.wantFrozen(v, c.Outpoint, true)
	}
	wantFault(t, r.SetLabels(ctx, r.access(r.alice, "vault"), make([]btc.Label, wallet.MaxLabels+1)), fault.Invalid, "too_many_labels")
	testkit.Check(t, r.SetLabels(ctx, r.access(r.alice, "vault"), nil))
	if got := r.labels("vault"); !slices.Equal(got, want) {
		t.Errorf("labels %q, want %q", got, want)
	}
	r.storeWallet(r.bob, "vault")
	labels, err := r.Labels(ctx, r.access(r.bob, "vault"))
	testkit.Check(t, err)
	for l, err := range labels {
		t.Errorf("bob sees %+v, %v", l, err)
	}
}

func (r *fixture) labels(alias string) (lines []string) {
	r.t.Helper()
	labels, err := r.Labels(r.t.Context(), r.access(r.alice, alias))
	testkit.Check(r.t, err)
	for l, err := range labels {
		testkit.Check(r.t, err)
		line := l.Type + " " + l.Ref + " "
		if l.Label != nil {
			line += *l.Label
		}
		if l.Spendable != nil {
			line += fmt.Sprint(" spendable=", *l.Spendable)
		}
		lines = append(lines, line)
	}
	return lines
}
