package rpcclient_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/node/rpcclient"
)

const secret = "hunter2hunter2"

// call is a call as decoded by the fake node.
type call struct {
	ID     json.Number
	Method string
	Params json.RawMessage
}

// answering returns the URL of a node that responds to a single call with format, in
// which $id is replaced by the call's ID, and the number of requests that it
// received.
func answering(t *testing.T, status int, format string) (string, *atomic.Int32) {
	t.Helper()
	var seen atomic.Int32
	return serve(t, func(w http.ResponseWriter, r *http.Request) {
		seen.Add(1)
		var c call
		_ = json.NewDecoder(r.Body).Decode(&c)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, strings.ReplaceAll(format, "$id", c.ID.String()))
	}), &seen
}

func serve(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return srv.URL
}

func client(t *testing.T, cfg rpcclient.Config) *rpcclient.Client {
	t.Helper()
	if cfg.CookieFile == "" && cfg.User == "" {
		cfg.User, cfg.Password = "alice", secret
	}
	c, err := rpcclient.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// wantFault fails unless err is the fault want, and its message contains all texts in
// says and no secret.
func wantFault(t *testing.T, err error, want *fault.Error, says ...string) {
	t.Helper()
	f, ok := errors.AsType[*fault.Error](err)
	if !ok || !errors.Is(f, want) || f.Kind != want.Kind {
		t.Fatalf("got %v, want a fault %s", err, want.Code)
	}
	if strings.Contains(err.Error(), secret) {
		t.Fatalf("%q contains a secret", err)
	}
	if f.RetryAfter != want.RetryAfter {
		t.Errorf("retry after %v, want %v", f.RetryAfter, want.RetryAfter)
	}
	for _, text := range says {
		if !strings.Contains(f.Message, text) {
			t.Errorf("%q does not contain %q", f.Message, text)
		}
	}
}

func TestCall_DecodesResult(t *testing.T) {
	url, _ := answering(t, 200, `{"result":{"amount":0.10000000,"height":3},"error":null,"id":$id}`+"\n")
	c := client(t, rpcclient.Config{URL: url})
	var got struct {
		Amount json.Number
		Height int64
	}
	if err := c.Call(t.Context(), "x", nil, &got); err != nil {
		t.Fatal(err)
	}
	if got.Amount != "0.10000000" || got.Height != 3 {
		t.Errorf("got %+v", got)
	}
	var loose any
	if err := c.Call(t.Context(), "x", nil, &loose); err != nil {
		t.Fatal(err)
	}
	if n, ok := loose.(map[string]any)["amount"].(json.Number); !ok || n != "0.10000000" {
		t.Errorf("a number was decoded as %T", loose.(map[string]any)["amount"])
	}
	if err := c.Call(t.Context(), "x", nil, nil); err != nil {
		t.Errorf("without out: %v", err)
	}
}

func TestCall_Request(t *testing.T) {
	var got *http.Request
	var body []byte
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		got = r
		body, _ = io.ReadAll(r.Body)
		_, _ = io.WriteString(w, `{"result":1,"error":null,"id":1}`)
	})
	c := client(t, rpcclient.Config{URL: strings.Replace(url, "://", "://bob:p%40ss@", 1), User: "alice", Password: secret})
	if err := c.Wallet("specter/é ../%2f?#").Call(t.Context(), "getbalance", []any{"*", 6}, nil); err != nil {
		t.Fatal(err)
	}
	if want := `{"jsonrpc":"1.0","id":1,"method":"getbalance","params":["*",6]}`; string(body) != want {
		t.Errorf("sent %s", body)
	}
	if want := "/wallet/specter%2F%C3%A9%20..%2F%252f%3F%23"; got.RequestURI != want {
		t.Errorf("sent to %s", got.RequestURI)
	}
	if user, password, _ := got.BasicAuth(); user != "alice" || password != secret {
		t.Errorf("sent as %s", user)
	}
}

func TestCall_CredentialsFromURL(t *testing.T) {
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "bob" || password != "p@ss" {
			t.Errorf("sent as %s", user)
		}
		_, _ = io.WriteString(w, `{"result":1,"error":null,"id":1}`)
	})
	c, err := rpcclient.New(rpcclient.Config{URL: strings.Replace(url, "://", "://bob:p%40ss@", 1)})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Call(t.Context(), "x", nil, nil); err != nil {
		t.Error(err)
	}
}

func TestRPCError(t *testing.T) {
	url, seen := answering(t, 500, `{"result":null,"error":{"code":-26,"message":"min relay fee not met"},"id":$id}`)
	err := client(t, rpcclient.Config{URL: url}).Call(t.Context(), "sendrawtransaction", nil, nil)
	e, ok := errors.AsType[*rpcclient.RPCError](err)
	if !ok || *e != (rpcclient.RPCError{Code: rpcclient.CodeVerifyRejected, Message: "min relay fee not met", Method: "sendrawtransaction"}) {
		t.Errorf("got %v", err)
	}
	f, ok := errors.AsType[*fault.Error](err)
	if !ok || f.Kind != fault.Refused || f.Code != "node_error" || !strings.Contains(f.Message, "sendrawtransaction; specterd's log has its text") {
		t.Errorf("as a fault: %v", f)
	}
	if log := fmt.Sprint(f.Unwrap()); log != "the Bitcoin node refused sendrawtransaction with code -26: min relay fee not met" {
		t.Errorf("the logged error is %q", log)
	}
	if seen.Load() != 1 {
		t.Errorf("sent %d requests", seen.Load())
	}
}

func TestCall_ContextEnds(t *testing.T) {
	started := make(chan struct{}, 2)
	url := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		started <- struct{}{}
		<-r.Context().Done()
	})
	c := client(t, rpcclient.Config{URL: url, MaxInFlight: 1})
	ctx, cancel := context.WithCancel(t.Context())
	first := make(chan error)
	go func() { first <- c.Call(ctx, "x", nil, nil) }()
	<-started

	// The only slot is taken: a second call waits for it until its timeout.
	err := c.Wallet("w").WithTimeout(20*time.Millisecond).Call(t.Context(), "x", nil, nil)
	wantFault(t, err, rpcclient.ErrUnavailable)
	waiting, stop := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer stop()
	if err := c.Call(waiting, "x", nil, nil); !errors.Is(err, context.DeadlineExceeded) || fault.KindOf(err) != fault.Internal {
		t.Errorf("waiting: got %v", err)
	}
	cancel()
	if err := <-first; !errors.Is(err, context.Canceled) || fault.KindOf(err) != fault.Internal {
		t.Errorf("running: got %v", err)
	}
	if len(started) != 0 {
		t.Error("more than one request at a time")
	}
}

func TestMaxInFlightAndKeepAlive(t *testing.T) {
	var now, most, connections atomic.Int32
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := now.Add(1)
		defer now.Add(-1)
		for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
		}
		var c call
		_ = json.NewDecoder(r.Body).Decode(&c)
		_, _ = fmt.Fprintf(w, `{"result":1,"error":null,"id":%s}`, c.ID)
	}))
	srv.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			connections.Add(1)
		}
	}
	srv.Start()
	t.Cleanup(srv.Close)
	c := client(t, rpcclient.Config{URL: srv.URL, MaxInFlight: 3})
	errs := make(chan error)
	for i := range 60 {
		go func() { errs <- c.Wallet(fmt.Sprint(i)).Call(t.Context(), "x", nil, nil) }()
	}
	for range 60 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if most.Load() > 3 || connections.Load() > 3 {
		t.Errorf("%d requests at a time over %d connections, want at most 3", most.Load(), connections.Load())
	}
}
