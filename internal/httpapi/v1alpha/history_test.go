package v1alpha

import (
	"bufio"
	"bytes"
	"maps"
	"slices"
	"testing"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/wallet"
)

// TestHistory_MemoryLimit checks that the response is the same whether all, some or none
// of the transactions are kept in memory.
func TestHistory_MemoryLimit(t *testing.T) {
	t.Parallel()
	all := transactions()
	write := func(limit int) (answer string, reads int) {
		p := &walletDetails{unspent: map[string][]wallet.Unspent{}}
		p.Alias, p.CoreInfo = "w", "{}"
		for _, r := range all {
			at := btc.Outpoint{Txid: r.Txid, Vout: 1}
			p.unspent[r.Txid] = []wallet.Unspent{{Outpoint: at, Address: "one", Amount: 7}, {Outpoint: at, Address: "two", Locked: true}}
		}
		p.history = history{limit: limit, read: func(yield func(wallet.Record, error) bool) {
			reads++
			for _, name := range slices.Sorted(maps.Keys(all)) {
				if !yield(all[name], nil) {
					return
				}
			}
		}}
		var text bytes.Buffer
		w := bufio.NewWriter(&text)
		if err := p.write(w); err != nil {
			t.Fatal(err)
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		return text.String(), reads
	}
	want, reads := write(maxKept)
	if reads != 1 {
		t.Errorf("read %d times", reads)
	}
	for _, limit := range []int{0, 3 * recordBytes} {
		if got, reads := write(limit); got != want || reads != 5 {
			t.Errorf("with room for %d bytes read %d times:\n%s\nwant:\n%s", limit, reads, got, want)
		}
	}
	for name, r := range all {
		if n := bytes.Count([]byte(want), []byte(`"txid":"`+r.Txid+`"`)); n < 2 {
			t.Errorf("%s occurs %d times", name, n)
		}
	}
}
