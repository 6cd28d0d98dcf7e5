package v1alpha

import (
	"bufio"
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/store"
	"github.com/specterd/specterd/internal/testenv/testdb"
	"github.com/specterd/specterd/internal/testenv/testkit"
	"github.com/specterd/specterd/internal/wallet"
)

// TestWallet_Bytes checks that responses are byte for byte the same as in version 81b8a4d7,
// which kept the encoded transactions and read longer histories five times.
func TestWallet_Bytes(t *testing.T) {
	t.Parallel()
	testkit.NeedsServer(t, "PostgreSQL")
	for engine, url := range map[string]func(testing.TB) string{"SQLite": testdb.SQLite, "PostgreSQL": testdb.Postgres} {
		for _, c := range []struct {
			transactions int
			memory       int64 // limit of the transactions in memory
			want         string
		}{
			{0, maxKeptTotal, "53194 ddac7b2f7e1a5850"},
			{1, maxKeptTotal, "58105 61119ba5dabaa82a"},
			{999, maxKeptTotal, "7892264 bacef984b2e160e0"},
			{1000, maxKeptTotal, "7894114 e590ea2a4251259e"},
			{1001, maxKeptTotal, "7899014 fe51033f6ac7e1e4"},
			{5000, maxKeptTotal, "39086036 6ecfd62d55f8f1a1"},
			{5000, 5_000_000, "39086036 6ecfd62d55f8f1a1"}, // some are kept
			{5000, 0, "39086036 6ecfd62d55f8f1a1"},
			{20_000, maxKeptTotal, "156224146 54fb29c77010ef00"},
		} {
			if c.transactions > 5000 && engine != "SQLite" {
				continue // it takes long, and the databases differ in how a part of a history is read
			}
			t.Run(fmt.Sprintf("%s %d %d", engine, c.transactions, c.memory), func(t *testing.T) {
				t.Parallel()
				if got := walletBytes(t, url(t), c.transactions, c.memory); got != c.want {
					t.Errorf("the response is %q, want %q", got, c.want)
				}
			})
		}
	}
}

// walletBytes returns the size and the hash of the response for a wallet with transactions of
// all kinds, labels, and frozen and locked UTXOs.
func walletBytes(t *testing.T, url string, transactions int, memory int64) string {
	t.Helper()
	now := func() time.Time { return time.Unix(1795290648, 0) }
	log := slog.New(slog.DiscardHandler)
	kept := testkit.Must(store.Open(t.Context(), store.Options{URL: url, BackupFolder: t.TempDir(), Log: log, Now: now}))
	defer func() { testkit.Check(t, kept.Close()) }()
	testkit.Check(t, kept.Migrate(t.Context()))
	fillMixed(t, kept, transactions)
	wallets := wallet.New(log, kept, kept, nil, now, func(string) {})
	api := New(Options{Wallets: wallets, Proposals: proposal.New(log, kept, wallets, nil, now, proposal.Options{}), Now: now})
	api.kept = semaphore.NewWeighted(memory)
	who := &auth.Principal{UserID: "u", UserName: "u", Scopes: auth.ScopesOf(false)}
	ctx := auth.WithPrincipal(t.Context(), who)
	ctx = wallet.WithAccess(ctx, testkit.Must(wallets.Access(ctx, who, "w")))
	sum, size := sha256.New(), counter(0)
	answer := testkit.Must(api.GetWallet(ctx, walletRequest{Alias: "w"}))
	for _, to := range []*bufio.Writer{bufio.NewWriterSize(sum, 32<<10), bufio.NewWriterSize(&size, 1<<10)} {
		testkit.Check(t, answer.Body(to))
		testkit.Check(t, to.Flush())
	}
	return fmt.Sprintf("%d %x", size, sum.Sum(nil)[:8])
}

// fillMixed adds a user and a wallet with transactions.
func fillMixed(t *testing.T, kept *store.Store, transactions int) {
	t.Helper()
	ctx, now := context.Background(), time.Unix(1795290648, 0)
	testkit.Check(t, kept.CreateUser(ctx, auth.Operator("test"), auth.User{ID: "u", Name: "u", CreatedAt: now}, auth.Event{Action: "user.create"}))
	w := wallet.Wallet{
		ID: "w", Name: "W", CoreName: "specterd/w", Script: btc.WPKH, SignaturesRequired: 1, RangeEnd: 300, ReceiveNext: 200, ChangeNext: 7, RescanFrom: -1, CreatedAt: now,
		Receive: "wpkh([e0e0f3de/84h/1h/0h]tpub/0/*)#aaaaaaaa", Change: "wpkh([e0e0f3de/84h/1h/0h]tpub/1/*)#bbbbbbbb",
		Keys: []wallet.Key{{Key: btc.Key{Fingerprint: "e0e0f3de", Derivation: "m/84h/1h/0h", XPub: "tpub"}}},
	}
	var addresses []wallet.Address
	var labels []btc.Label
	for i := range w.RangeEnd {
		for branch := range 2 {
			at := address(branch, i)
			addresses = append(addresses, wallet.Address{Address: at, Place: wallet.Place{Branch: wallet.Branch(branch), Index: i}})
			if i%9 == 0 {
				labels = append(labels, btc.Label{Type: "addr", Ref: at, Label: new(fmt.Sprintf("Rechnung \"%d\" für <%d>", i, branch))})
			}
		}
	}
	labels = append(labels, btc.Label{Type: "addr", Ref: "elsewhere", Label: new("not ours")})
	testkit.Check(t, kept.AddWallet(ctx, w, "u", "w", addresses, auth.Event{Action: "wallet.create"}))
	testkit.Must(kept.EditWallet(ctx, w.ID, func(e *wallet.Edit) error {
		e.Stage = wallet.Ready
		return nil
	}))
	change := wallet.Change{WalletID: w.ID, Synced: &wallet.Tip{Height: 900_000, Hash: strings.Repeat("ab", 32)}, CoreTxCount: transactions}
	var frozen []btc.Outpoint
	for i := range transactions {
		p := mixed(i)
		change.Added = append(change.Added, p)
		at := btc.Outpoint{Txid: p.Txid}
		if i%50 == 3 {
			frozen = append(frozen, at)
		}
		if i%70 == 5 {
			change.Locked = append(change.Locked, at)
		}
	}
	testkit.Check(t, kept.WriteIndex(ctx, []wallet.Change{change}))
	testkit.Check(t, kept.SetLabels(ctx, w.ID, labels, auth.Event{}))
	if len(frozen) > 0 {
		testkit.Check(t, kept.SetFrozen(ctx, w.ID, frozen, true, now, auth.Event{}))
	}
}

// mixed returns the i-th transaction, of one of many kinds.
func mixed(i int) wallet.Transaction {
	p := payment(i)
	place := wallet.Place{Index: uint32(i % 250)}
	p.Own, p.Address, p.Outputs[0].Own, p.Outputs[0].Address = &place, address(0, place.Index), &place, address(0, place.Index)
	switch i % 11 {
	case 1:
		p.Status, p.Block, p.Replaceable, p.Conflicts = wallet.InMempool, nil, "yes", []string{payment(i + 1).Txid}
	case 2:
		p.Status, p.Block, p.Conflicts, p.BuriedAt = wallet.Conflicted, nil, []string{payment(i - 1).Txid, payment(i + 1).Txid}, 17
	case 3:
		p.Category, p.Block.Height = wallet.Generate, 899_890+i%30
	case 4:
		p.Status, p.Block, p.Address, p.Own = wallet.Abandoned, nil, "", nil
	case 5, 6, 7:
		p.Category, p.Fee, p.Flow = wallet.Send, new(btc.Amount(i)), -p.Flow-btc.Amount(i)
		p.Address, p.Own = fmt.Sprintf("bcrt1qother%031d", i), nil
		p.Inputs = []wallet.Input{{Prev: btc.Outpoint{Txid: mixed(i - 5).Txid}, Amount: 5}}
	case 8:
		second := wallet.Place{Branch: wallet.ChangeBranch, Index: uint32(i % 100)}
		p.Outputs = append(p.Outputs, wallet.Output{Vout: 7, Address: address(1, second.Index), Amount: 12_345_678, Own: &second})
		p.Raw = append(p.Raw, make([]byte, 3000)...)
	case 9:
		p.Status, p.Block, p.Replaceable = wallet.Inactive, nil, "unknown"
	}
	return p
}
