package v1alpha

import (
	"bufio"
	"bytes"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sync/semaphore"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/wallet"
)

// TestHistory_MemoryLimit checks that the response is the same whether all, some or none
// of the transactions are kept in memory, and that no memory remains acquired.
func TestHistory_MemoryLimit(t *testing.T) {
	t.Parallel()
	all := transactions()
	var records []wallet.Record
	var unspent []wallet.Unspent
	for _, name := range slices.Sorted(maps.Keys(all)) {
		records = append(records, all[name])
		if name == "received" || name == "to itself" {
			at := btc.Outpoint{Txid: all[name].Txid, Vout: 1}
			unspent = append(unspent, wallet.Unspent{Outpoint: at, Address: "one", Amount: 7}, wallet.Unspent{Outpoint: at, Address: "two", Locked: true})
		}
	}
	slices.SortFunc(unspent, func(a, b wallet.Unspent) int { return strings.Compare(a.Txid, b.Txid) })
	const size = 700 // of the largest record
	write := func(limit, total int64) (answer string, reads int) {
		p := &walletDetails{}
		p.Alias, p.CoreInfo, p.Unspent = "w", "{}", unspent
		memory := semaphore.NewWeighted(total)
		p.history = history{limit: limit, total: memory, isNeeded: p.hasUnspent, read: func(yield func([]wallet.Record, error) bool) {
			reads++
			for part := range slices.Chunk(records, 2) {
				if !yield(part, nil) {
					return
				}
			}
		}}
		var text bytes.Buffer
		w := bufio.NewWriter(&text)
		if err := errors.Join(p.write(w), w.Flush()); err != nil {
			t.Fatal(err)
		}
		if !memory.TryAcquire(total) {
			t.Error("memory remains acquired")
		}
		return text.String(), reads
	}
	want, reads := write(maxKept, maxKeptTotal)
	if reads != 1 {
		t.Errorf("read %d times", reads)
	}
	for _, c := range []struct {
		name         string
		limit, total int64
		reads        int
	}{
		{"all", 5 * size, 5 * size, 1},
		{"the needed", 3 * size, maxKeptTotal, 2},
		{"the needed, with other requests", maxKept, 3 * size, 2},
		{"some of the needed", size, maxKeptTotal, 5},
		{"none", 0, maxKeptTotal, 5},
		{"none, with other requests", maxKept, 0, 5},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got, reads := write(c.limit, c.total); got != want || reads != c.reads {
				t.Errorf("read %d times:\n%s\nwant:\n%s", reads, got, want)
			}
		})
	}
	for name, r := range all {
		if n := bytes.Count([]byte(want), []byte(`"txid":"`+r.Txid+`"`)); n < 2 {
			t.Errorf("%s occurs %d times", name, n)
		}
	}
}
