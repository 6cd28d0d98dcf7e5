package wallet

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// histories generates records of several wallets. Some records have equal times, and
// some of these have the same transaction.
func histories(wallets, records int) (all []Record, of map[string][]Record) {
	random := rand.New(rand.NewPCG(1, 2))
	of = map[string][]Record{}
	seen := map[string]bool{}
	for range records {
		id := fmt.Sprintf("wallet-%d", random.IntN(wallets))
		r := Record{WalletID: id}
		r.Time = time.Unix(random.Int64N(int64(records/4)), 0)
		r.Txid = fmt.Sprintf("%064x", random.IntN(8))
		if key := fmt.Sprint(id, r.Time.Unix(), r.Txid); !seen[key] {
			seen[key] = true
			all = append(all, r)
		}
	}
	slices.SortFunc(all, func(a, b Record) int {
		if before(&a, &b) {
			return -1
		}
		return 1
	})
	for _, r := range all {
		of[r.WalletID] = append(of[r.WalletID], r)
	}
	return all, of
}

// historyOf reads from a slice as a store reads from the database: the records
// strictly after the cursor's time and txid, regardless of wallet. For an ascending
// order the slice is ascending.
func historyOf(t *testing.T, records []Record, after HistoryCursor, size, limit int, ascending bool) *walletHistory {
	return &walletHistory{after: after, size: size, limit: limit, read: func(_ context.Context, after HistoryCursor, n int) ([]Record, error) {
		if n > limit {
			t.Errorf("read %d records at once, want at most %d", n, limit)
		}
		i := 0
		for after != (HistoryCursor{}) && i < len(records) {
			r := records[i]
			order := cmp.Or(r.Time.Compare(after.Time), cmp.Compare(r.Txid, after.Txid))
			if order < 0 && !ascending || order > 0 && ascending {
				break
			}
			i++
		}
		return records[i:min(i+n, len(records))], nil
	}}
}

func TestMerge(t *testing.T) {
	t.Parallel()
	for _, wallets := range []int{1, 2, 7} {
		for _, ascending := range []bool{false, true} {
			all, of := histories(wallets, 600)
			if ascending {
				slices.Reverse(all)
				for _, records := range of {
					slices.Reverse(records)
				}
			}
			for from := range all {
				testMergeFrom(t, all, of, from, ascending)
			}
		}
	}
}

// testMergeFrom reads one page from a position, and for some positions all
// remaining records.
func testMergeFrom(t *testing.T, all []Record, of map[string][]Record, from int, ascending bool) {
	t.Helper()
	after := HistoryCursor{}
	if from > 0 {
		last := all[from-1]
		after = HistoryCursor{Time: last.Time, Txid: last.Txid, WalletID: last.WalletID}
	}
	var histories []*walletHistory
	for id, records := range of {
		histories = append(histories, historyOf(t, records, after.in(id, ascending), 3, 40, ascending))
	}
	got := from
	for r, err := range merge(t.Context(), histories, ascending) {
		if err != nil {
			t.Fatal(err)
		}
		if want := all[got]; r.Txid != want.Txid || r.WalletID != want.WalletID || !r.Time.Equal(want.Time) {
			t.Fatalf("%d wallets, ascending %t, from %d: record %d is %+v, want %+v", len(of), ascending, from, got, r, want)
		}
		if got++; got == from+50 && from%10 != 0 {
			break
		}
	}
	if want := min(len(all), from+50); got < want {
		t.Fatalf("%d wallets, ascending %t, from %d: ended at %d of %d", len(of), ascending, from, got, len(all))
	}
}

func TestPreviousTxid(t *testing.T) {
	t.Parallel()
	for txid, want := range map[string]string{"01": "00", "0a": "09", "10": "0f", "a0": "9f", "f00": "eff", "00": "", "": ""} {
		t.Run(txid, func(t *testing.T) {
			if got := previousTxid(txid); got != want {
				t.Errorf("%s comes after %s, want %s", txid, got, want)
			}
		})
	}
}

func TestMerge_Empty(t *testing.T) {
	t.Parallel()
	for _, histories := range [][]*walletHistory{nil, {historyOf(t, nil, HistoryCursor{}, 1, 1, false), historyOf(t, nil, HistoryCursor{}, 1, 1, false)}} {
		t.Run(fmt.Sprint(len(histories), " histories"), func(t *testing.T) {
			for r, err := range merge(t.Context(), histories, false) {
				t.Errorf("got %+v, %v", r, err)
			}
		})
	}
}

// TestMerge_YieldsErrorLast checks that an error is yielded once, as the last
// element.
func TestMerge_YieldsErrorLast(t *testing.T) {
	t.Parallel()
	_, of := histories(2, 100)
	broken := errors.New("broken")
	good, bad := historyOf(t, of["wallet-0"], HistoryCursor{}, 3, 10, false), historyOf(t, of["wallet-1"], HistoryCursor{}, 3, 10, false)
	read, reads := bad.read, 0
	bad.read = func(ctx context.Context, after HistoryCursor, n int) ([]Record, error) {
		if reads++; reads == 3 {
			return nil, broken
		}
		return read(ctx, after, n)
	}
	records, failures := 0, 0
	for _, err := range merge(t.Context(), []*walletHistory{good, bad}, false) {
		if records++; err != nil {
			failures++
			if !errors.Is(err, broken) {
				t.Error(err)
			}
		}
	}
	if failures != 1 || records < 3+10 {
		t.Errorf("%d errors in %d records", failures, records)
	}
	first := historyOf(t, nil, HistoryCursor{}, 1, 1, false)
	first.read = func(context.Context, HistoryCursor, int) ([]Record, error) { return nil, broken }
	for _, err := range merge(t.Context(), []*walletHistory{good, first}, false) {
		if !errors.Is(err, broken) {
			t.Errorf("got %v", err)
		}
	}
}

// TestConfirmations checks the number of confirmations, also for a block above the
// wallet's synced height, because transactions are written before that height.
func TestConfirmations(t *testing.T) {
	t.Parallel()
	v := View{Alias: "w"}
	v.ID, v.Synced.Height = "id", 10
	for height, want := range map[int]int{1: 10, 9: 2, 10: 1, 12: 1} {
		t.Run(fmt.Sprint(height), func(t *testing.T) {
			r := Record{Transaction: Transaction{State: State{Block: &Block{Height: height}}}}
			if r.isOf(&v); r.Confirmations != want || r.WalletID != "id" || r.Alias != "w" {
				t.Errorf("at %d: %+v", height, r)
			}
		})
	}
	r := Record{}
	if r.isOf(&v); r.Confirmations != 0 {
		t.Errorf("%d confirmations without a block", r.Confirmations)
	}
}
