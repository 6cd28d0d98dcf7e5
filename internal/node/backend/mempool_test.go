package backend_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/node/backend"
	"github.com/specterd/specterd/internal/node/nodestatus"
	"github.com/specterd/specterd/internal/node/rpcclient"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/testenv/testkit"
	"github.com/specterd/specterd/internal/wallet"
)

// mempool returns a provider for a node that responds to getmempoolentry with the JSON
// result of entry, or with an error if that is empty.
func mempool(t *testing.T, entry func(txid string) string) *backend.Provider {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var calls []struct {
			ID     json.Number
			Params []string
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // the client is gone
		}
		w.Header().Set("Content-Type", "application/json")
		if json.Unmarshal(body, &calls) != nil {
			var ping struct{ ID json.Number } // a ping, which the client sends during long calls
			if err := json.Unmarshal(body, &ping); err != nil {
				t.Error(err)
			}
			fmt.Fprintf(w, `{"result": 1, "error": null, "id": %s}`, ping.ID)
			return
		}
		replies := make([]map[string]any, len(calls))
		for i, c := range calls {
			replies[i] = map[string]any{"id": c.ID, "error": nil, "result": json.RawMessage(entry(c.Params[0]))}
			if entry(c.Params[0]) == "" {
				replies[i]["result"], replies[i]["error"] = nil, map[string]any{"code": rpcclient.CodeInvalidAddress, "message": "Transaction not in mempool"}
			}
		}
		_ = json.NewEncoder(w).Encode(replies) // an error means that the client is gone
	}))
	t.Cleanup(srv.Close)
	rpc, err := rpcclient.New(rpcclient.Config{URL: srv.URL, User: "u", Password: "p"})
	testkit.Check(t, err)
	t.Cleanup(rpc.Close)
	return backend.NewProvider(backend.New(rpc), func() nodestatus.Status {
		return nodestatus.Status{Reachable: true, Snapshot: nodestatus.Snapshot{Chain: "regtest", Version: 290000}}
	})
}

func TestAncestry(t *testing.T) {
	t.Parallel()
	entries := map[string]string{
		"child":  `{"vsize": 100, "fees": {"modified": 0.00000100}, "depends": ["parent", "other"]}`,
		"parent": `{"vsize": 200, "fees": {"modified": -0.00000001}, "depends": ["other"]}`,
		"other":  `{"vsize": 300, "fees": {"modified": 0.1}, "depends": []}`,
	}
	p := mempool(t, func(txid string) string { return entries[txid] })
	got, err := p.Ancestry(t.Context(), wallet.NodeWallet{}, []string{"child", "confirmed", "child"})
	testkit.Check(t, err)
	want := map[string]proposal.MempoolTx{
		"child":  {Txid: "child", VSize: 100, Fee: 100, Parents: []string{"parent", "other"}},
		"parent": {Txid: "parent", VSize: 200, Fee: -1, Parents: []string{"other"}},
		"other":  {Txid: "other", VSize: 300, Fee: btc.BTC / 10, Parents: []string{}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestAncestry_Impossible checks that an endless chain of ancestors and transactions
// of an impossible size are rejected.
func TestAncestry_Impossible(t *testing.T) {
	t.Parallel()
	asked := 0
	for name, entry := range map[string]func(string) string{
		"endless": func(string) string {
			asked++
			return fmt.Sprintf(`{"vsize": 100, "depends": ["%d", "-%d"]}`, asked, asked)
		},
		"too big":  func(string) string { return `{"vsize": 1000001}` },
		"no size":  func(string) string { return `{"vsize": 0}` },
		"negative": func(string) string { return `{"vsize": -5}` },
	} {
		t.Run(name, func(t *testing.T) {
			_, err := mempool(t, entry).Ancestry(t.Context(), wallet.NodeWallet{}, []string{"a"})
			wantErr(t, err, rpcclient.ErrInvalidResponse)
			t.Log(err)
		})
	}
}
