package backend_test

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/node/backend"
	"github.com/specterd/specterd/internal/testenv/regtest"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// since returns all entries of ListSinceBlock, and the hash of the last block.
func since(t testing.TB, w *backend.Wallet, hash string) ([]backend.Entry, string) {
	t.Helper()
	var entries []backend.Entry
	last, err := w.ListSinceBlock(t.Context(), hash, func(e backend.Entry) error {
		entries = append(entries, e)
		return nil
	})
	testkit.Check(t, err)
	return entries, last
}

// of returns the entries with the given transaction id.
func of(entries []backend.Entry, txid string) []backend.Entry {
	return slices.DeleteFunc(slices.Clone(entries), func(e backend.Entry) bool { return e.Txid != txid })
}

func transactions(t testing.TB, w *backend.Wallet, txids ...string) []backend.Transaction {
	t.Helper()
	var list []backend.Transaction
	testkit.Check(t, w.Transactions(t.Context(), txids, func(tx backend.Transaction) error {
		list = append(list, tx)
		return nil
	}))
	if len(list) != len(txids) {
		t.Fatalf("%d transactions for %d ids", len(list), len(txids))
	}
	return list
}

func TestHistory(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.payer(t, "alice")
	s.CLI(t, "createwallet", "bob")
	w := s.watch(t, "watch", "bob")
	bobs := s.address(t, "bob")

	before, start := since(t, w, "")
	if len(before) != 0 {
		t.Errorf("entries of an empty wallet: %v", before)
	}
	in := s.pay(t, "alice", bobs, "0.5")
	entries, last := since(t, w, start)
	if len(entries) != 1 || last != start {
		t.Fatalf("got %+v up to %s", entries, last)
	}
	e := entries[0]
	if e.Txid != in || e.Address != bobs || e.Category != backend.Receive || e.Amount != btc.BTC/2 || e.Fee != 0 || e.Confirmations != 0 ||
		e.BlockHash != "" || !e.BlockTime.IsZero() || e.Time.IsZero() || e.Received.IsZero() || e.Trusted || e.Replaceable != "yes" || e.Removed {
		t.Errorf("unconfirmed: %+v", e)
	}

	block := s.Mine(t, 1)[0]
	entries, last = since(t, w, start)
	e = entries[0]
	if last != block || e.Confirmations != 1 || e.BlockHash != block || e.BlockHeight != 104 || e.BlockIndex != 1 || e.BlockTime.IsZero() || e.Replaceable != "no" {
		t.Errorf("confirmed: %+v up to %s", e, last)
	}
	if entries, last = since(t, w, last); len(entries) != 0 || last != block {
		t.Errorf("without changes: %+v up to %s", entries, last)
	}

	// Bob sends a payment with one change output.
	out := s.pay(t, "bob", anyoneAddress, "0.2")
	entries, _ = since(t, w, last)
	if len(entries) != 3 {
		t.Fatalf("got %+v", entries)
	}
	var change, sent btc.Amount
	for _, e := range entries {
		if e.Category == backend.Send && e.Address == anyoneAddress {
			sent = e.Amount
			if e.Fee >= 0 || !e.Trusted {
				t.Errorf("sent: %+v", e)
			}
		} else if e.Category == backend.Receive {
			change = e.Amount
		}
	}
	tx := transactions(t, w, out)[0]
	if sent != -btc.BTC/5 || change != btc.BTC/2+sent+tx.Fee || tx.Amount != sent || tx.Fee >= 0 {
		t.Errorf("sent %v, change %v, of %+v", sent, change, tx)
	}

	_, err := w.ListSinceBlock(t.Context(), noHash, func(backend.Entry) error { return nil })
	wantErr(t, err, backend.ErrBlockNotFound)
	stop := errors.New("stop")
	_, err = w.ListSinceBlock(t.Context(), "", func(backend.Entry) error { return stop })
	if err != stop { //nolint:errorlint // not wrapped
		t.Errorf("got %v, want the error of visit", err)
	}
}

func TestTransactions(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.payer(t, "alice")
	s.CLI(t, "createwallet", "bob")
	w := s.watch(t, "watch", "bob")
	mined := text(t, first(t, s.CLI(t, "generatetoaddress", 1, s.address(t, "bob"))))
	bobs := s.address(t, "bob")
	in := s.pay(t, "alice", bobs, "0.5")
	block := s.Mine(t, 1)[0]
	out := s.pay(t, "bob", anyoneAddress, "0.2")

	var coinbase struct{ Tx []string }
	testkit.Check(t, json.Unmarshal(s.CLI(t, "getblock", mined), &coinbase))
	got := transactions(t, w, in, noHash, out, coinbase.Tx[0])

	for i, txid := range []string{in, out, coinbase.Tx[0]} {
		raw := text(t, s.CLI(t, "getrawtransaction", txid))
		if tx := got[[]int{0, 2, 3}[i]]; hex.EncodeToString(tx.Raw) != raw || tx.Txid != txid || tx.Missing {
			t.Errorf("got %+v, want %s", tx, raw)
		}
	}
	if !cmp.Equal(got[1], backend.Transaction{Txid: noHash, Missing: true}) {
		t.Errorf("missing: %+v", got[1])
	}
	received := got[0]
	if received.Confirmations != 1 || received.BlockHash != block || received.BlockHeight != 105 || received.Amount != btc.BTC/2 || received.Fee != 0 ||
		len(received.Details) != 1 || received.Details[0].Address != bobs || received.Details[0].Category != backend.Receive || received.Details[0].Amount != btc.BTC/2 {
		t.Errorf("received: %+v", received)
	}
	sent := got[2]
	if sent.Confirmations != 0 || !sent.Trusted || sent.Amount != -btc.BTC/5 || len(sent.Details) != 1 ||
		sent.Details[0].Category != backend.Send || sent.Details[0].Address != anyoneAddress || sent.Details[0].Fee != sent.Fee || sent.Fee >= 0 {
		t.Errorf("sent: %+v", sent)
	}
	if c := got[3]; !c.Generated || c.Details[0].Category != backend.Immature || c.Confirmations != 2 {
		t.Errorf("coinbase: %+v", c)
	}

	stop := errors.New("stop")
	many := slices.Repeat([]string{in}, 1000)
	visited := 0
	err := w.Transactions(t.Context(), many, func(backend.Transaction) error { visited++; return stop })
	if !errors.Is(err, stop) || visited != 1 {
		t.Errorf("got %v after %d", err, visited)
	}
	if err := w.Transactions(t.Context(), []string{in, "nonsense"}, func(backend.Transaction) error { return nil }); err == nil {
		t.Error("no error for an invalid txid")
	}
}

func first(t testing.TB, list json.RawMessage) json.RawMessage {
	t.Helper()
	var all []json.RawMessage
	testkit.Check(t, json.Unmarshal(list, &all))
	return all[0]
}

// TestReplaced covers a payment that is replaced by a fee bump of its payer, which is
// then confirmed.
func TestReplaced(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.payer(t, "alice")
	alice := s.watch(t, "watch", "alice")

	old := s.pay(t, "alice", anyoneAddress, "0.5")
	var bumped struct{ Txid string }
	testkit.Check(t, json.Unmarshal(s.WalletCLI(t, "alice", "bumpfee", old), &bumped))
	s.CLI(t, "syncwithvalidationinterfacequeue")
	list := transactions(t, s.core.Wallet("alice"), old, bumped.Txid)
	if list[0].ReplacedBy != bumped.Txid || list[1].Replaces != old ||
		!slices.Equal(list[0].WalletConflicts, []string{bumped.Txid}) || !slices.Equal(list[0].MempoolConflicts, []string{bumped.Txid}) {
		t.Errorf("got %+v", list)
	}
	list = transactions(t, alice, old, bumped.Txid)
	if list[0].Trusted || list[0].Confirmations != 0 || !list[1].Trusted ||
		!slices.Equal(list[0].WalletConflicts, []string{bumped.Txid}) || !slices.Equal(list[0].MempoolConflicts, []string{bumped.Txid}) {
		t.Errorf("the watcher got %+v", list)
	}

	s.Mine(t, 3)
	entries, _ := since(t, alice, "")
	for _, e := range of(entries, old) {
		if e.Confirmations != -3 || e.BlockHash != "" || !slices.Equal(e.WalletConflicts, []string{bumped.Txid}) {
			t.Errorf("conflicted: %+v", e)
		}
	}
	if len(of(entries, old)) == 0 {
		t.Error("the conflicted transaction is not listed")
	}
	if tx := transactions(t, alice, old)[0]; tx.Confirmations != -3 || tx.Abandoned {
		t.Errorf("conflicted: %+v", tx)
	}
}

func TestAbandoned(t *testing.T) {
	t.Parallel()
	s := start(t, "-walletbroadcast=0") // keeps the transaction out of the mempool
	s.payer(t, "alice")
	w := s.core.Wallet("alice")
	txid := s.pay(t, "alice", anyoneAddress, "0.5")
	if tx := transactions(t, w, txid)[0]; tx.Abandoned || tx.Trusted {
		t.Errorf("not broadcast: %+v", tx)
	}
	s.WalletCLI(t, "alice", "abandontransaction", txid)
	if tx := transactions(t, w, txid)[0]; !tx.Abandoned || tx.Confirmations != 0 {
		t.Errorf("abandoned: %+v", tx)
	}
	entries, _ := since(t, w, "")
	sent := slices.DeleteFunc(of(entries, txid), func(e backend.Entry) bool { return e.Category != backend.Send })
	if len(sent) == 0 {
		t.Error("the abandoned transaction is not listed")
	}
	for _, e := range sent {
		if !e.Abandoned {
			t.Errorf("abandoned: %+v", e)
		}
	}
}

func TestReorganization(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.payer(t, "alice")
	s.CLI(t, "createwallet", "bob")
	w := s.watch(t, "watch", "bob")
	_, base := since(t, w, "")
	in := s.pay(t, "alice", s.address(t, "bob"), "0.5")
	gone := s.Mine(t, 1)[0]
	coinbase := text(t, first(t, s.CLI(t, "generatetoaddress", 1, s.address(t, "bob"))))
	entries, last := since(t, w, base)
	if len(entries) != 2 || last != coinbase {
		t.Fatalf("got %+v up to %s", entries, last)
	}

	s.CLI(t, "invalidateblock", gone)
	// Mine blocks that do not contain the payment, which returns to the mempool.
	for range 3 {
		s.CLI(t, "generateblock", s.address(t, "alice"), []string{})
	}
	entries, newLast := since(t, w, last)
	paid := of(entries, in)
	if len(paid) != 2 || paid[0].Removed || !paid[1].Removed || paid[0].Confirmations != 0 || paid[0].BlockHash != "" {
		t.Errorf("the payment: %+v", paid)
	}
	var orphans []backend.Entry
	for _, e := range entries {
		if e.Txid != in {
			orphans = append(orphans, e)
		}
	}
	if len(orphans) != 2 || orphans[0].Category != backend.Orphan || !orphans[1].Removed {
		t.Errorf("the coinbase: %+v", orphans)
	}
	tip, err := s.core.Tip(t.Context())
	testkit.Check(t, err)
	if newLast != tip.Hash {
		t.Errorf("last block %s, tip %s", newLast, tip.Hash)
	}
	if all, _ := since(t, w, newLast); len(of(all, in)) != 1 {
		t.Errorf("from the new chain: %+v", all)
	}
}

// TestLongHistory checks that about 2,000 transactions are returned completely by
// ListSinceBlock, by Transactions and by a large probe, and exceed the limit of a
// small probe.
func TestLongHistory(t *testing.T) {
	t.Parallel()
	s := start(t)
	ctx := t.Context()
	const blocks = 2000
	testkit.Check(t, s.core.CreateWatchOnly(ctx, "watch"))
	w := s.core.Wallet("watch")
	info, err := s.core.DescriptorInfo(ctx, ranged)
	testkit.Check(t, err)
	_, err = w.ImportDescriptors(ctx, []backend.Import{{Text: info.Canonical, Active: true, RangeEnd: 10}})
	testkit.Check(t, err)
	addresses, err := s.core.DeriveAddresses(ctx, info.Canonical, 0, 0)
	testkit.Check(t, err)
	s.CLI(t, "generatetoaddress", blocks, addresses[0])

	entries, last := since(t, w, "")
	if len(entries) != blocks {
		t.Fatalf("%d entries", len(entries))
	}
	var txids []string
	for _, e := range entries {
		txids = append(txids, e.Txid)
	}
	unique := slices.Compact(slices.Sorted(slices.Values(txids)))
	if len(unique) != blocks {
		t.Fatalf("%d transactions", len(unique))
	}
	i := 0
	testkit.Check(t, w.Transactions(ctx, txids, func(tx backend.Transaction) error {
		e := entries[i]
		if tx.Txid != txids[i] || !cmp.Equal(tx.State, e.State) || tx.Details[0].Amount != e.Amount || tx.Details[0].Category != e.Category {
			return fmt.Errorf("%d: %+v, but entry %+v", i, tx, e)
		}
		i++
		return nil
	}))
	if i != blocks {
		t.Errorf("%d transactions", i)
	}

	_, err = w.Probe(ctx, "", 100_000)
	wantErr(t, err, backend.ErrProbeTooLong)
	p, err := w.Probe(ctx, "", 10<<20)
	testkit.Check(t, err)
	if !cmp.Equal(p.Entries, entries) || p.LastBlock != last || p.Info.Transactions != blocks || p.Info.LastProcessed.Hash != last {
		t.Errorf("probe: %d entries up to %s, %+v", len(p.Entries), p.LastBlock, p.Info)
	}
	p, err = w.Probe(ctx, last, 100_000)
	testkit.Check(t, err)
	if len(p.Entries) != 0 || p.LastBlock != last {
		t.Errorf("probe: %+v", p)
	}
	_, err = w.Probe(ctx, noHash, 100_000)
	wantErr(t, err, backend.ErrBlockNotFound)
}

// TestEntries_AllFields compares decoded entries with the node's response, field by
// field.
func TestEntries_AllFields(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.payer(t, "alice")
	s.pay(t, "alice", s.address(t, "alice"), "0.12345678")
	s.Mine(t, 1)
	s.pay(t, "alice", anyoneAddress, "1e-4")
	entries, _ := since(t, s.core.Wallet("alice"), "")
	var said struct {
		Transactions []struct {
			Txid, Address, Category, BlockHash                        string
			Amount, Fee                                               btc.JSONBTC
			Vout                                                      uint32
			Confirmations, BlockHeight, BlockTime, Time, TimeReceived int64
			BlockIndex                                                int
			Abandoned, Trusted, Generated                             bool
			Replaceable                                               string `json:"bip125-replaceable"`
		}
	}
	testkit.Check(t, json.Unmarshal(s.WalletCLI(t, "alice", "listsinceblock", regtest.Named{"include_change": true}), &said))
	var want []backend.Entry
	for _, m := range said.Transactions {
		e := backend.Entry{
			Txid: m.Txid, Vout: m.Vout, Address: m.Address, Category: backend.Category(m.Category),
			Amount: btc.Amount(m.Amount), Fee: btc.Amount(m.Fee), Abandoned: m.Abandoned,
			State: backend.State{
				Confirmations: m.Confirmations, BlockHash: m.BlockHash, BlockHeight: m.BlockHeight, BlockIndex: m.BlockIndex,
				Time: time.Unix(m.Time, 0).UTC(), Received: time.Unix(m.TimeReceived, 0).UTC(),
				Generated: m.Generated, Trusted: m.Trusted, Replaceable: m.Replaceable, WalletConflicts: []string{}, MempoolConflicts: []string{},
			},
		}
		if m.BlockTime != 0 {
			e.BlockTime = time.Unix(m.BlockTime, 0).UTC()
		}
		want = append(want, e)
	}
	if diff := cmp.Diff(want, entries); diff != "" || len(want) < 8 {
		t.Errorf("%d entries: %s", len(want), diff)
	}
}
