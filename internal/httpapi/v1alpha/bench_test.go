package v1alpha

import (
	"bufio"
	"context"
	"database/sql"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/httpapi/route"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/store"
	"github.com/specterd/specterd/internal/testenv/testkit"
	"github.com/specterd/specterd/internal/wallet"
)

// seeded is an API with an SQLite database that contains one wallet.
type seeded struct {
	api  *API
	ctx  context.Context // with the wallet's owner as the caller
	path string
}

// paidAddresses is the number of addresses that receive payments.
const paidAddresses = 1000

// seed creates a wallet with this number of transactions. Each pays to one of 1,000
// addresses and spends nothing from the wallet, so that the wallet has one UTXO per
// transaction.
func seed(b *testing.B, transactions int) seeded {
	b.Helper()
	now := func() time.Time { return time.Unix(1795290648, 0) }
	log := slog.New(slog.DiscardHandler)
	s := seeded{path: filepath.Join(b.TempDir(), "specterd.db")}
	kept := testkit.Must(store.Open(b.Context(), store.Options{URL: s.path, BackupFolder: b.TempDir(), Log: log, Now: now}))
	b.Cleanup(func() { testkit.Check(b, kept.Close()) })
	testkit.Check(b, kept.Migrate(b.Context()))
	testkit.Check(b, kept.CreateUser(b.Context(), auth.Operator("test"), auth.User{ID: "u", Name: "u", CreatedAt: now()}, auth.Event{Action: "user.create"}))
	w := wallet.Wallet{
		ID: "w", Name: "W", CoreName: "specterd/w", Script: btc.WPKH, SignaturesRequired: 1, RangeEnd: 2 * paidAddresses, RescanFrom: -1, CreatedAt: now(),
		Receive: "wpkh([e0e0f3de/84h/1h/0h]tpub/0/*)#aaaaaaaa", Change: "wpkh([e0e0f3de/84h/1h/0h]tpub/1/*)#bbbbbbbb",
		Keys: []wallet.Key{{Key: btc.Key{Fingerprint: "e0e0f3de", Derivation: "m/84h/1h/0h", XPub: "tpub"}}},
	}
	var addresses []wallet.Address
	for i := range w.RangeEnd {
		for branch := range 2 {
			addresses = append(addresses, wallet.Address{Address: address(branch, i), Place: wallet.Place{Branch: wallet.Branch(branch), Index: i}})
		}
	}
	testkit.Check(b, kept.AddWallet(b.Context(), w, "u", "w", addresses, auth.Event{Action: "wallet.create"}))
	testkit.Must(kept.EditWallet(b.Context(), w.ID, func(e *wallet.Edit) error {
		e.Stage = wallet.Ready
		return nil
	}))
	const batch = 5000
	for from := 0; from < transactions; from += batch {
		change := wallet.Change{WalletID: w.ID, Synced: &wallet.Tip{Height: 900_000, Hash: strings.Repeat("ab", 32)}, CoreTxCount: transactions}
		for i := from; i < min(from+batch, transactions); i++ {
			change.Added = append(change.Added, payment(i))
		}
		testkit.Check(b, kept.WriteIndex(b.Context(), []wallet.Change{change}))
	}
	wallets := wallet.New(log, kept, kept, nil, now, func(string) {})
	s.api = New(Options{Wallets: wallets, Proposals: proposal.New(log, kept, wallets, nil, now, proposal.Options{}), Now: now})
	who := &auth.Principal{UserID: "u", UserName: "u", Scopes: auth.ScopesOf(false)}
	s.ctx = auth.WithPrincipal(b.Context(), who)
	s.ctx = wallet.WithAccess(s.ctx, testkit.Must(wallets.Access(s.ctx, who, "w")))
	return s
}

func address(branch int, i uint32) string { return fmt.Sprintf("bcrt1q%d%037d", branch, i) }

// payment returns the i-th incoming transaction. Its raw bytes have the size of a
// transaction with one input and two outputs.
func payment(i int) wallet.Transaction {
	own := wallet.Place{Index: uint32(i % paidAddresses)}
	at := time.Unix(1600000000+int64(i)*600, 0)
	raw := make([]byte, 222)
	raw[0], raw[5] = byte(i), byte(i>>8)
	return wallet.Transaction{
		Txid: fmt.Sprintf("%064x", uint64(i)*0x9e3779b97f4a7c15), Time: at, ReceivedAt: at, Category: wallet.Receive, Flow: btc.Amount(i*1237 + 1), VSize: 141,
		State: wallet.State{
			Status: wallet.Confirmed, Replaceable: "no", Trusted: true,
			Block: &wallet.Block{Height: 700_000 + i, Hash: fmt.Sprintf("%064x", i), Time: at},
		},
		Address: address(0, own.Index), Own: &own, Raw: raw,
		Outputs: []wallet.Output{{Vout: 0, Address: address(0, own.Index), Amount: btc.Amount(i*1237 + 1), Own: &own}},
	}
}

// BenchmarkWallet encodes the details of a wallet with 1,000 transactions, UTXOs and used
// addresses.
func BenchmarkWallet(b *testing.B) {
	for _, size := range []int{1000, 20_000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			s := seed(b, size)
			b.ReportAllocs()
			measure(b, func() int { return s.write(b, testkit.Must(s.api.GetWallet(s.ctx, walletRequest{Alias: "w"}))) })
		})
	}
}

// BenchmarkFullTxList streams 100,000 transactions. The baseline "bare" only reads the
// same rows and writes the same bytes.
func BenchmarkFullTxList(b *testing.B) {
	s := seed(b, 100_000)
	for name, write := range map[string]func() int{
		"specterd": func() int { return s.write(b, testkit.Must(s.api.GetTransactions(s.ctx, struct{}{}))) },
		"bare":     func() int { return s.bare(b) },
	} {
		b.Run(name, func(b *testing.B) {
			peak := peakHeap(func() { measure(b, write) })
			b.ReportMetric(float64(peak)/(1<<20), "MiB-more")
		})
	}
}

// measure benchmarks write, which returns the size of the response in bytes. It also reports
// CPU time, because other processes increase wall time.
func measure(b *testing.B, write func() int) {
	b.Helper()
	var n int
	before := processorTime(b)
	for b.Loop() {
		n = write()
	}
	b.ReportMetric(float64((processorTime(b)-before).Microseconds())/1000/float64(b.N), "cpu-ms/op")
	b.ReportMetric(float64(n), "bytes")
}

func (s seeded) write(b *testing.B, body route.Streamed) int {
	b.Helper()
	var to counter
	w := bufio.NewWriterSize(&to, 32<<10)
	testkit.Check(b, body.Body(w))
	testkit.Check(b, w.Flush())
	return int(to)
}

// bare reads the rows and writes the response without any layer in between.
func (s seeded) bare(b *testing.B) int {
	b.Helper()
	db := testkit.Must(sql.Open("sqlite", "file:"+s.path))
	defer func() { testkit.Check(b, db.Close()) }()
	rows, err := db.QueryContext(s.ctx, `
		SELECT t.txid, t.time, t.block_height, t.block_hash, t.block_time, t.category, t.flow_sat, t.fee_sat, t.vsize, t.replaceable,
			t.address, t.branch, t.address_index, t.conflicts, t.raw, coalesce(a.label, '')
		FROM transactions AS t LEFT JOIN labels AS a ON a.wallet_id = t.wallet_id AND a.type = 'addr' AND a.ref = t.address
		WHERE t.wallet_id = 'w' AND t.status NOT IN ('replaced', 'conflicted', 'abandoned')
		ORDER BY t.time DESC, t.txid DESC`)
	testkit.Check(b, err)
	defer func() { testkit.Check(b, rows.Close()) }()
	var to counter
	w := bufio.NewWriterSize(&to, 32<<10)
	line := []byte{'['}
	var (
		r             wallet.Record
		at, blockTime int64
		conflicts     string
		fee           *int64
		branch, index uint32
		rest          bool
	)
	r.Alias, r.Block, r.Own = "w", &wallet.Block{}, &wallet.Place{}
	for rows.Next() {
		testkit.Check(b, rows.Scan(&r.Txid, &at, &r.Block.Height, &r.Block.Hash, &blockTime, &r.Category, &r.Flow, &fee, &r.VSize, &r.Replaceable,
			&r.Address, &branch, &index, &conflicts, &r.Raw, &r.AddressLabel))
		r.Time, r.Block.Time = time.UnixMicro(at), time.UnixMicro(blockTime)
		r.Own.Branch, r.Own.Index = wallet.Branch(branch), index
		r.Confirmations = 900_000 - r.Block.Height + 1
		if rest {
			line = append(line, ',')
		}
		rest = true
		line = appendListed(line, &r, wallet.Tip{})
		testkit.Must(w.Write(line))
		line = line[:0]
	}
	testkit.Check(b, rows.Err())
	testkit.Must(w.WriteString("]\n"))
	testkit.Check(b, w.Flush())
	return int(to)
}

// processorTime returns the CPU time that this process has used.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var used syscall.Rusage
	testkit.Check(b, syscall.Getrusage(syscall.RUSAGE_SELF, &used))
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// counter counts written bytes.
type counter int

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

var _ io.Writer = (*counter)(nil)

// peakHeap returns the maximum growth of the heap in use during do, in bytes, sampled
// every 5 ms.
func peakHeap(do func()) uint64 {
	runtime.GC()
	var before, m runtime.MemStats
	runtime.ReadMemStats(&before)
	var peak uint64
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
				runtime.ReadMemStats(&m)
				peak = max(peak, m.HeapInuse)
			}
		}
	}()
	do()
	close(stop)
	<-stopped
	return peak - min(peak, before.HeapInuse)
}
