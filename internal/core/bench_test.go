package core_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"testing"

	"github.com/specterd/specterd/internal/core"
)

// The two calls of a first sync, beside the same RPC with its answers thrown
// away.
func BenchmarkFirstSync(b *testing.B) {
	s := start(b)
	s.CLI(b, "createwallet", "alice")
	s.CLI(b, "generatetoaddress", 2000, s.address(b, "alice"))
	w := s.core.Wallet("alice")
	entries, _ := since(b, w, "")
	var txids []string
	for _, e := range entries {
		txids = append(txids, e.Txid)
	}
	bare := func(b *testing.B, body any) {
		text, err := json.Marshal(body)
		must(b, err)
		resp, err := http.Post(s.URL()+"/wallet/alice", "application/json", bytes.NewReader(text))
		must(b, err)
		_, err = io.Copy(io.Discard, resp.Body)
		must(b, err)
		must(b, resp.Body.Close())
	}
	type call map[string]any
	b.Run("ListSinceBlock/bare", func(b *testing.B) {
		for b.Loop() {
			bare(b, call{"method": "listsinceblock", "params": []any{"", 1, true, true, true}})
		}
	})
	b.Run("ListSinceBlock/core", func(b *testing.B) {
		for b.Loop() {
			_, err := w.ListSinceBlock(b.Context(), "", func(core.Entry) error { return nil })
			must(b, err)
		}
	})
	b.Run("Transactions/bare", func(b *testing.B) {
		for b.Loop() {
			for part := range slices.Chunk(txids, 100) {
				var batch []call
				for _, txid := range part {
					batch = append(batch, call{"method": "gettransaction", "params": []any{txid, true, false}})
				}
				bare(b, batch)
			}
		}
	})
	b.Run("Transactions/core", func(b *testing.B) {
		for b.Loop() {
			must(b, w.Transactions(b.Context(), txids, func(core.Transaction) error { return nil }))
		}
	})
}
