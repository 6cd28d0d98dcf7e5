package store_test

import (
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/testenv/testkit"
	"github.com/specterd/specterd/internal/wallet"
)

// benchOnBoth runs a benchmark on SQLite and on PostgreSQL. On a busy machine, cpu-ms/op
// is more meaningful than the time, since it counts only the CPU time of this process.
func benchOnBoth(b *testing.B, run func(b *testing.B, s *fixture)) {
	b.Helper()
	b.Run("sqlite", func(b *testing.B) { run(b, openSQLite(b)) })
	b.Run("postgres", func(b *testing.B) { run(b, openPostgres(b)) })
}

// cpuTime returns the CPU time that this process has used, in user and system mode.
func cpuTime(t testing.TB) time.Duration {
	t.Helper()
	var u syscall.Rusage
	testkit.Check(t, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// txidOf returns a text in the format of a txid.
func txidOf(seed uint64) string {
	r := rand.New(rand.NewPCG(seed, 7))
	return fmt.Sprintf("%016x%016x%016x%016x", r.Uint64(), r.Uint64(), r.Uint64(), r.Uint64())
}

// longHistory returns n transactions in the order of the chain. Each has two outputs, the
// second of which belongs to the wallet. Two of three spend the wallet's output of an
// earlier transaction.
func longHistory(n int, own []wallet.Address) []wallet.Transaction {
	base := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	list := make([]wallet.Transaction, n)
	offset := rand.Uint64()
	for i := range list {
		at := base.Add(time.Duration(i) * 10 * time.Minute)
		a := own[i%len(own)]
		fee := btc.Amount(200)
		t := wallet.Transaction{
			Txid: txidOf(offset + uint64(i)), Time: at, ReceivedAt: at,
			State: wallet.State{
				Status: wallet.Confirmed, Trusted: true, Replaceable: "no",
				Block: &wallet.Block{Height: 1 + i/10, Hash: txidOf(uint64(i / 10)), Time: at},
			},
			Category: wallet.Send, Flow: -1000, Fee: &fee, VSize: 141, Address: "bc1qforeign" + fmt.Sprint(i), Raw: make([]byte, 222),
			Outputs: []wallet.Output{
				{Vout: 0, Address: "bc1qforeign" + fmt.Sprint(i), Amount: 800},
				{Vout: 1, Address: a.Address, Amount: 100_000, Own: &a.Place},
			},
		}
		back := []int{0, 1, 1000}[i%3] // two of three outputs are spent, by the next transaction or a much later one
		if back > 0 && i >= back {
			t.Inputs = []wallet.Input{{Prev: btc.Outpoint{Txid: list[i-back].Txid, Vout: 1}, Amount: 100_000}}
		}
		list[i] = t
	}
	return list
}

// history fills a wallet with a long history.
func (s *fixture) history(w wallet.Wallet, n int) []wallet.Transaction {
	s.t.Helper()
	list := longHistory(n, addressesFor(w.ID, 0, rangeEnd))
	s.writeInParts(w, list)
	return list
}

func (s *fixture) writeInParts(w wallet.Wallet, list []wallet.Transaction) {
	s.t.Helper()
	for i := 0; i < len(list); i += 1000 {
		testkit.Check(s.t, s.WriteIndex(s.t.Context(), []wallet.Change{{WalletID: w.ID, Added: list[i:min(len(list), i+1000)]}}))
	}
	last := list[len(list)-1].Block
	testkit.Check(s.t, s.WriteIndex(s.t.Context(), []wallet.Change{{
		WalletID: w.ID, Synced: &wallet.Tip{Height: last.Height, Hash: last.Hash}, CoreTxCount: len(list),
	}}))
}

// BenchmarkFirstSync writes 10,000 transactions with 20,000 outputs to an empty index.
func BenchmarkFirstSync(b *testing.B) {
	benchOnBoth(b, func(b *testing.B, s *fixture) {
		u := s.user("alice", false)
		var cpu time.Duration
		for b.Loop() {
			b.StopTimer()
			w := s.wallet(u, uuid.NewString())
			list := longHistory(10_000, addressesFor(w.ID, 0, rangeEnd))
			begin := cpuTime(b)
			b.StartTimer()
			s.writeInParts(w, list)
			cpu += cpuTime(b) - begin
		}
		b.ReportMetric(float64(cpu.Milliseconds())/float64(b.N), "cpu-ms/op")
	})
}

// BenchmarkLookUps looks up the index data of 1,000 transactions, and the owners of the
// outputs that they spend and create, as the indexer does for a batch.
func BenchmarkLookUps(b *testing.B) {
	benchOnBoth(b, func(b *testing.B, s *fixture) {
		w := s.wallet(s.user("alice", false), "w")
		list := s.history(w, 10_000)[5000:6000]
		var txids, addresses []string
		var spent []btc.Outpoint
		for _, t := range list {
			txids = append(txids, t.Txid)
			addresses = append(addresses, t.Outputs[0].Address, t.Outputs[1].Address)
			for _, in := range t.Inputs {
				spent = append(spent, in.Prev)
			}
		}
		for b.Loop() {
			states, err := s.States(b.Context(), w.ID, txids)
			testkit.Check(b, err)
			outputs, err := s.OwnOutputs(b.Context(), w.ID, spent)
			testkit.Check(b, err)
			places, err := s.OwnPlaces(b.Context(), w.ID, addresses)
			testkit.Check(b, err)
			if len(states) != len(txids) || len(outputs) != len(spent) || len(places) == 0 {
				b.Fatal(len(states), len(outputs), len(places))
			}
		}
	})
}

// BenchmarkBlock writes the changes of a block with one payment to a wallet with 10,000
// transactions.
func BenchmarkBlock(b *testing.B) {
	benchOnBoth(b, func(b *testing.B, s *fixture) {
		w := s.wallet(s.user("alice", false), "w")
		list := s.history(w, 10_000)
		one := list[len(list)-1]
		height := 2000
		for b.Loop() {
			height++
			testkit.Check(b, s.WriteIndex(b.Context(), []wallet.Change{{
				WalletID: w.ID, Changed: map[string]wallet.State{one.Txid: one.State}, Synced: &wallet.Tip{Height: height, Hash: "h"},
			}}))
		}
	})
}

// BenchmarkQuietBlock writes a block that has no transactions of the 100 wallets.
func BenchmarkQuietBlock(b *testing.B) {
	benchOnBoth(b, func(b *testing.B, s *fixture) {
		u := s.user("alice", false)
		var changes []wallet.Change
		for range 100 {
			changes = append(changes, wallet.Change{WalletID: s.wallet(u, uuid.NewString()).ID, Locked: []btc.Outpoint{}, Synced: &wallet.Tip{Hash: "h"}})
		}
		for b.Loop() {
			for i := range changes {
				changes[i].Synced.Height++
			}
			testkit.Check(b, s.WriteIndex(b.Context(), changes))
		}
	})
}

// BenchmarkPage reads 100 transactions from the middle of a history.
func BenchmarkPage(b *testing.B) {
	benchOnBoth(b, func(b *testing.B, s *fixture) {
		u := s.user("alice", false)
		for _, n := range []int{1000, 100_000} {
			w := s.wallet(u, fmt.Sprint("w", n))
			list := s.history(w, n)
			middle := wallet.HistoryCursor{Time: list[n/2].Time, Txid: list[n/2].Txid}
			for name, f := range map[string]wallet.Filter{"plain": {}, "outputs": {Outputs: true}, "unconfirmed": {Unconfirmed: true}} {
				b.Run(fmt.Sprint(n, "/", name), func(b *testing.B) {
					for b.Loop() {
						page, err := s.Transactions(b.Context(), w.ID, f, middle, 100)
						testkit.Check(b, err)
						if len(page) != 100 && !f.Unconfirmed {
							b.Fatal(len(page))
						}
					}
				})
			}
		}
	})
}

// BenchmarkAmounts reads the histories of filters with amounts that none of 100,000 transactions
// has, so that all of them are examined. Other programs on the machine affect min-ms/op least.
func BenchmarkAmounts(b *testing.B) {
	benchOnBoth(b, func(b *testing.B, s *fixture) {
		w := s.wallet(s.user("alice", false), "w")
		s.history(w, 100_000)
		for name, f := range map[string]wallet.Filter{
			"amount":    {MinAmount: 60_000, Dead: true},
			"effective": {MinAmount: 60_000},
			"sent":      {MinAmount: 60_000, Category: wallet.Send},
			"mixed":     {MinAmount: 60_000, Category: wallet.Mixed},
		} {
			b.Run(name, func(b *testing.B) {
				least := time.Hour
				for b.Loop() {
					begin := time.Now()
					page, err := s.Transactions(b.Context(), w.ID, f, wallet.HistoryCursor{}, 41)
					testkit.Check(b, err)
					if len(page) != 0 {
						b.Fatal(len(page))
					}
					least = min(least, time.Since(begin))
				}
				b.ReportMetric(float64(least.Microseconds())/1000, "min-ms/op")
			})
		}
	})
}

// BenchmarkAddWallet adds a wallet with 2,000 addresses.
func BenchmarkAddWallet(b *testing.B) {
	benchOnBoth(b, func(b *testing.B, s *fixture) {
		u := s.user("alice", false)
		for b.Loop() {
			w, _ := walletFor(s.now)
			testkit.Check(b, s.AddWallet(b.Context(), w, u.ID, w.ID, addressesFor(w.ID, 0, 1000), auth.Event{At: s.now}))
		}
	})
}

// BenchmarkView reads one of a user's wallets, as every request about it does.
func BenchmarkView(b *testing.B) {
	benchOnBoth(b, func(b *testing.B, s *fixture) {
		w := s.wallet(s.user("alice", false), "w")
		list := s.history(w, 10_000)
		u, err := s.UserByName(b.Context(), "alice")
		testkit.Check(b, err)
		for i := range 10 {
			testkit.Check(b, s.SetFrozen(b.Context(), w.ID, []btc.Outpoint{{Txid: list[3*i+2].Txid, Vout: 1}}, true, s.now, auth.Event{}))
		}
		for b.Loop() {
			v, err := s.View(b.Context(), u.ID, w.ID)
			testkit.Check(b, err)
			if v.Balances.Frozen != 1_000_000 {
				b.Fatal(v.Balances)
			}
		}
	})
}

// BenchmarkWhole reads a whole history of 1,000 transactions, as v1alpha does.
func BenchmarkWhole(b *testing.B) {
	benchOnBoth(b, func(b *testing.B, s *fixture) {
		w := s.wallet(s.user("alice", false), "w")
		s.history(w, 1000)
		before := cpuTime(b)
		for b.Loop() {
			page, err := s.Transactions(b.Context(), w.ID, wallet.Filter{Dead: true, Raw: true}, wallet.HistoryCursor{}, 1000)
			testkit.Check(b, err)
			if len(page) != 1000 {
				b.Fatal(len(page))
			}
		}
		b.ReportMetric(float64((cpuTime(b)-before).Microseconds())/1000/float64(b.N), "cpu-ms/op")
	})
}
