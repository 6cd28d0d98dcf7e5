package backend_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/node/backend"
	"github.com/specterd/specterd/internal/node/rpcclient"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// answering returns a client of a fake node, and the number of requests that the node
// received. The node calls handle for each request to write the response, in which
// $id is replaced by the id of the call.
func answering(t testing.TB, handle func(w http.ResponseWriter, nth int32)) (*backend.Node, *atomic.Int32) {
	t.Helper()
	var seen atomic.Int32
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var call struct{ ID json.Number }
		_ = json.NewDecoder(r.Body).Decode(&call)
		w.Header().Set("Content-Type", "application/json")
		if nth := seen.Add(1); handle != nil {
			handle(answerWriter{w, call.ID}, nth)
		}
	}))
	t.Cleanup(srv.Close)
	rpc, err := rpcclient.New(rpcclient.Config{URL: srv.URL, User: "u", Password: "p"})
	testkit.Check(t, err)
	t.Cleanup(rpc.Close)
	return backend.New(rpc), &seen
}

type answerWriter struct {
	http.ResponseWriter

	id json.Number
}

// Write writes p with $id replaced by the id of the call.
func (w answerWriter) Write(p []byte) (int, error) {
	_, err := io.WriteString(w.ResponseWriter, strings.ReplaceAll(string(p), "$id", w.id.String()))
	return len(p), err
}

const warmingUp = `{"result":null,"error":{"code":-28,"message":"Loading block index…"},"id":$id}`

// TestRepeated checks that reads are repeated while the node rejects them
// temporarily, and that writes are not.
func TestRepeated(t *testing.T) {
	t.Parallel()
	for name, refuse := range map[string]func(http.ResponseWriter){
		"busy": func(w http.ResponseWriter) { w.WriteHeader(http.StatusServiceUnavailable) },
		"warming up": func(w http.ResponseWriter) {
			w.WriteHeader(http.StatusInternalServerError)
			_, _ = io.WriteString(w, warmingUp)
		},
	} {
		t.Run(name, func(t *testing.T) {
			n, seen := answering(t, func(w http.ResponseWriter, nth int32) {
				if nth < 3 {
					refuse(w)
					return
				}
				_, _ = io.WriteString(w, `{"result":["a"],"error":null,"id":$id}`)
			})
			if list, err := n.ListWallets(t.Context()); err != nil || len(list) != 1 || seen.Load() != 3 {
				t.Errorf("%s: %v, %v after %d requests", name, list, err, seen.Load())
			}

			n, seen = answering(t, func(w http.ResponseWriter, _ int32) { refuse(w) })
			w, ctx := n.Wallet("w"), t.Context()
			utxo := []btc.Outpoint{{Txid: noHash}}
			writes := []error{
				n.CreateWatchOnly(ctx, "w"), n.LoadWallet(ctx, "w"), n.UnloadWallet(ctx, "w"), w.Lock(ctx, utxo, true), w.Unlock(ctx, utxo),
				n.TestMempoolAccept(ctx, nil), n.SendRawTransaction(ctx, nil),
			}
			_, err := w.FundPSBT(ctx, proposal.Funding{}, 0)
			writes = append(writes, err)
			_, err = w.ImportDescriptors(ctx, []backend.Import{{}})
			writes = append(writes, err)
			_, err = w.Rescan(ctx, 0)
			writes = append(writes, err)
			for _, err := range writes {
				wantErr(t, err, rpcclient.ErrUnavailable)
			}
			if int(seen.Load()) != len(writes) {
				t.Errorf("%s: %d requests for %d writing calls", name, seen.Load(), len(writes))
			}
			_, err = n.Tip(ctx)
			wantErr(t, err, rpcclient.ErrUnavailable)
			if n := int(seen.Load()) - len(writes); n < 5 || n > 10 {
				t.Errorf("%s: %d requests", name, n)
			}
		})
	}

	gone, seen := answering(t, func(w http.ResponseWriter, _ int32) { w.WriteHeader(http.StatusUnauthorized) })
	_, err := gone.Tip(t.Context())
	wantErr(t, err, rpcclient.ErrUnauthorized)
	if seen.Load() != 1 {
		t.Errorf("a permanent error was retried: %d requests", seen.Load())
	}
}

// TestBusyNode checks that reads succeed on a real node whose single thread and queue
// are busy from time to time.
func TestBusyNode(t *testing.T) {
	t.Parallel()
	s := start(t, "-rpcthreads=1", "-rpcworkqueue=1")
	var waiting sync.WaitGroup
	for range 3 {
		waiting.Go(func() { _, _ = s.Call(t.Context(), "waitfornewblock", 300) })
	}
	var asking sync.WaitGroup
	for range 4 {
		asking.Go(func() {
			if _, err := s.core.Tip(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	asking.Wait()
	waiting.Wait()
}

const entry = `{"address":"bcrt1q","parent_descs":["%s"],"category":"receive","amount":0.5,"label":"","vout":0,"confirmations":1,"txid":"%064x",` +
	`"walletconflicts":[],"mempoolconflicts":[],"time":1,"timereceived":1,"bip125-replaceable":"no","abandoned":false}`

// TestHistory_Streamed checks that a history of 100,000 entries is never completely
// in memory.
func TestHistory_Streamed(t *testing.T) {
	const entries = 100_000
	descriptor := strings.Repeat("x", 400)
	n, _ := answering(t, func(w http.ResponseWriter, _ int32) {
		_, _ = io.WriteString(w, `{"result":{"transactions":[`)
		// The server runs while the memory is measured, and so must not allocate much.
		var next []byte
		for i := range entries {
			next = next[:0]
			if i > 0 {
				next = append(next, ',')
			}
			next = fmt.Appendf(next, entry, descriptor, i)
			_, _ = w.Write(next)
		}
		_, _ = fmt.Fprintf(w, `],"removed":[],"lastblock":"%s"},"error":null,"id":$id}`, noHash)
	})
	var before, during runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	visited, most := 0, uint64(0)
	last, err := n.Wallet("w").ListSinceBlock(t.Context(), "", func(backend.Entry) error {
		if visited++; visited%20_000 == 0 {
			runtime.GC()
			runtime.ReadMemStats(&during)
			most = max(most, during.HeapAlloc)
		}
		return nil
	})
	if err != nil || visited != entries || last != noHash {
		t.Fatalf("%d entries up to %s, %v", visited, last, err)
	}
	if grown := int64(most) - int64(before.HeapAlloc); grown > 4<<20 {
		t.Errorf("%d bytes are in use", grown)
	}
}

func TestBadHistories(t *testing.T) {
	t.Parallel()
	for name, result := range map[string]string{
		"list":            `[]`,
		"text":            `"x"`,
		"no last block":   `{"transactions":[]}`,
		"last block":      `{"transactions":[],"lastblock":"abc"}`,
		"no list":         `{"transactions":{},"lastblock":"` + noHash + `"}`,
		"no txid":         `{"transactions":[{}],"lastblock":"` + noHash + `"}`,
		"half a satoshi":  `{"transactions":[{"txid":"` + noHash + `","amount":0.000000005}],"lastblock":"` + noHash + `"}`,
		"number of text":  `{"transactions":[{"txid":"` + noHash + `","confirmations":"1"}],"lastblock":"` + noHash + `"}`,
		"null":            `null`,
		"null for a list": `{"transactions":null,"lastblock":"` + noHash + `"}`,
	} {
		t.Run(name, func(t *testing.T) {
			n, _ := answering(t, func(w http.ResponseWriter, _ int32) {
				_, _ = io.WriteString(w, `{"result":`+result+`,"error":null,"id":$id}`)
			})
			_, err := n.Wallet("w").ListSinceBlock(t.Context(), "", func(backend.Entry) error { return nil })
			wantErr(t, err, rpcclient.ErrInvalidResponse)
		})
	}
}

// TestTransactions_LongResponses checks that transactions whose combined response would be
// too long are requested in smaller batches, and that a single transaction that is
// too long is an error.
func TestTransactions_LongResponses(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.CLI(t, "createwallet", "alice")
	s.CLI(t, "generatetoaddress", 250, s.address(t, "alice"))
	entries, _ := since(t, s.core.Wallet("alice"), "")
	var txids []string
	for _, e := range entries {
		txids = append(txids, e.Txid)
	}
	small := backend.New(client(t, s.Node).WithMaxAnswer(4000))
	if list := transactions(t, small.Wallet("alice"), txids...); list[249].Txid != txids[249] || len(list[249].Raw) == 0 {
		t.Errorf("got %+v", list[249])
	}
	tiny := backend.New(client(t, s.Node).WithMaxAnswer(500))
	err := tiny.Wallet("alice").Transactions(t.Context(), txids, func(backend.Transaction) error { return nil })
	wantErr(t, err, rpcclient.ErrTooLong)
}

func TestPublishers(t *testing.T) {
	t.Parallel()
	s := start(t)
	list, err := s.core.Publishers(t.Context())
	testkit.Check(t, err)
	if len(list) != 3 || list[0].Topic != "hashblock" || list[0].Address != s.ZMQ() {
		t.Errorf("got %v", list)
	}
	silent := start(t, "-nozmqpubhashblock", "-nozmqpubrawtx", "-nozmqpubsequence")
	if list, err := silent.core.Publishers(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("got %v, %v", list, err)
	}
	none, _ := answering(t, func(w http.ResponseWriter, _ int32) {
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, `{"result":null,"error":{"code":-32601,"message":"Method not found"},"id":$id}`)
	})
	if list, err := none.Publishers(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("built without: %v, %v", list, err)
	}
}
