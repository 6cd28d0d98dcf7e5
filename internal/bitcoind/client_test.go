package bitcoind_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/bitcoind"
	"github.com/specterd/specterd/internal/fault"
)

const secret = "hunter2hunter2"

// call is a call as the fake node reads it.
type call struct {
	ID     json.Number
	Method string
	Params json.RawMessage
}

// answering returns a node that answers a single call with what format makes
// of its id, and counts its requests.
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

func client(t *testing.T, cfg bitcoind.Config) *bitcoind.Client {
	t.Helper()
	if cfg.CookieFile == "" && cfg.User == "" {
		cfg.User, cfg.Password = "alice", secret
	}
	c, err := bitcoind.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// wantFault fails unless err is that fault, says all of that, and tells no
// secrets.
func wantFault(t *testing.T, err error, want *fault.Error, says ...string) {
	t.Helper()
	f, ok := errors.AsType[*fault.Error](err)
	if !ok || !errors.Is(err, want) || f.Kind != want.Kind {
		t.Fatalf("got %v, want a fault %s", err, want.Code)
	}
	if strings.Contains(err.Error(), secret) {
		t.Fatalf("%q tells a secret", err)
	}
	if f.RetryAfter != want.RetryAfter {
		t.Errorf("retry after %v, want %v", f.RetryAfter, want.RetryAfter)
	}
	for _, text := range says {
		if !strings.Contains(f.Message, text) {
			t.Errorf("%q does not say %q", f.Message, text)
		}
	}
}

func TestCallDecodesTheResult(t *testing.T) {
	url, _ := answering(t, 200, `{"result":{"amount":0.10000000,"height":3},"error":null,"id":$id}`+"\n")
	c := client(t, bitcoind.Config{URL: url})
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
		t.Errorf("a number went through %T", loose.(map[string]any)["amount"])
	}
	if err := c.Call(t.Context(), "x", nil, nil); err != nil {
		t.Errorf("without out: %v", err)
	}
}

func TestCallSendsWhatCoreReads(t *testing.T) {
	var got *http.Request
	var body []byte
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		got = r
		body, _ = io.ReadAll(r.Body)
		_, _ = io.WriteString(w, `{"result":1,"error":null,"id":1}`)
	})
	c := client(t, bitcoind.Config{URL: strings.Replace(url, "://", "://bob:p%40ss@", 1), User: "alice", Password: secret})
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

func TestCallFromUserinfo(t *testing.T) {
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "bob" || password != "p@ss" {
			t.Errorf("sent as %s", user)
		}
		_, _ = io.WriteString(w, `{"result":1,"error":null,"id":1}`)
	})
	c, err := bitcoind.New(bitcoind.Config{URL: strings.Replace(url, "://", "://bob:p%40ss@", 1)})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Call(t.Context(), "x", nil, nil); err != nil {
		t.Error(err)
	}
}

func TestRPCError(t *testing.T) {
	url, seen := answering(t, 500, `{"result":null,"error":{"code":-26,"message":"min relay fee not met"},"id":$id}`)
	err := client(t, bitcoind.Config{URL: url}).Call(t.Context(), "sendrawtransaction", nil, nil)
	e, ok := errors.AsType[*bitcoind.RPCError](err)
	if !ok || *e != (bitcoind.RPCError{Code: bitcoind.CodeVerifyRejected, Message: "min relay fee not met", Method: "sendrawtransaction"}) {
		t.Errorf("got %v", err)
	}
	if _, isFault := errors.AsType[*fault.Error](err); isFault {
		t.Error("an RPC error is a fault")
	}
	if seen.Load() != 1 {
		t.Errorf("asked %d times", seen.Load())
	}
}

func TestBadAnswers(t *testing.T) {
	const sample = "0123456789"
	for name, tc := range map[string]struct {
		status int
		body   string
	}{
		"empty":           {200, ``},
		"garbage":         {200, "<html>" + sample},
		"json of another": {200, `{"message":"` + sample + `"}`},
		"array":           {200, `[{"result":1,"error":null,"id":$id}]`},
		"truncated":       {200, `{"result":{"a":"` + sample},
		"wrong id":        {200, `{"result":1,"error":null,"id":77` + sample + `}`},
		"id of text":      {200, `{"result":1,"error":null,"id":"$id"}`},
		"null id":         {200, `{"result":1,"error":null,"id":null}`},
		"no id":           {200, `{"result":1,"error":null}`},
		"no result":       {200, `{"error":null,"id":$id}`},
		"two results":     {200, `{"result":1,"result":2,"error":null,"id":$id}`},
		"trailing data":   {200, `{"result":1,"error":null,"id":$id}{}`},
		"trailing text":   {200, `{"result":1,"error":null,"id":$id} ` + sample},
		"other type":      {200, `{"result":"` + sample + `","error":null,"id":$id}`},
		"number too big":  {200, `{"result":99999999999` + sample + `,"error":null,"id":$id}`},
		"fraction":        {200, `{"result":1.5` + sample + `,"error":null,"id":$id}`},
		"error of text":   {500, `{"result":null,"error":"` + sample + `","id":$id}`},
		"too long":        {200, `{"result":1,"error":null,"id":$id}` + strings.Repeat(" ", 2000)},
		"too deep":        {200, `{"result":` + strings.Repeat("[", 900)},
		"redirect":        {302, `{"result":1,"error":null,"id":$id}`},
		"created":         {201, `{"result":1,"error":null,"id":$id}`},
	} {
		t.Run(name, func(t *testing.T) {
			url, _ := answering(t, tc.status, tc.body)
			var out int64
			err := client(t, bitcoind.Config{URL: url}).WithMaxAnswer(1000).Call(t.Context(), "x", nil, &out)
			wantFault(t, err, bitcoind.ErrBadAnswer)
			if strings.Contains(err.Error(), sample) {
				t.Errorf("%q quotes the answer", err)
			}
		})
	}
}

func TestOversizedStreamIsCut(t *testing.T) {
	url := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"result":"`)
		for range 1000 {
			if _, err := io.WriteString(w, strings.Repeat("a", 1000)); err != nil {
				return
			}
			w.(http.Flusher).Flush()
		}
	})
	err := client(t, bitcoind.Config{URL: url}).WithMaxAnswer(5000).Call(t.Context(), "x", nil, nil)
	wantFault(t, err, bitcoind.ErrBadAnswer)
}

func TestRedirectIsNotFollowed(t *testing.T) {
	elsewhere, seen := answering(t, 200, `{"result":1,"error":null,"id":$id}`)
	for _, status := range []int{301, 302, 307, 308} {
		url := serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere, status) })
		wantFault(t, client(t, bitcoind.Config{URL: url}).Call(t.Context(), "x", nil, nil), bitcoind.ErrBadAnswer)
	}
	if seen.Load() != 0 {
		t.Error("followed a redirect")
	}
}

func TestNotHTTP(t *testing.T) {
	url := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		conn, _, _ := w.(http.Hijacker).Hijack()
		_, _ = io.WriteString(conn, "220 "+secret+" ESMTP\r\n")
		_ = conn.Close()
	})
	wantFault(t, client(t, bitcoind.Config{URL: url}).Call(t.Context(), "x", nil, nil), bitcoind.ErrBadAnswer)
}

func TestUnavailable(t *testing.T) {
	hangUp := func(prefix string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			conn, _, _ := w.(http.Hijacker).Hijack()
			_, _ = io.WriteString(conn, prefix)
			_ = conn.Close()
		}
	}
	text := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { http.Error(w, body, status) }
	}
	for name, tc := range map[string]struct {
		handler http.HandlerFunc
		says    string
	}{
		"work queue":       {text(503, "Work queue depth exceeded"), "rpcworkqueue"},
		"proxy":            {text(502, "<html>"), "without an answer"},
		"internal error":   {text(500, ""), "without an answer"},
		"hangs up":         {hangUp(""), "without an answer"},
		"hangs up half":    {hangUp("HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\n{\"result\":"), "without an answer"},
		"hangs up in head": {hangUp("HTTP/1.1 200 OK\r\n"), "without an answer"},
		"never answers":    {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "in time"},
		"answers half": {func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, `{"result":`)
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}, "in time"},
		"warming up": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusInternalServerError)
			_, _ = io.WriteString(w, `{"result":null,"error":{"code":-28,"message":"Loading block index"},"id":1}`)
		}, "starting up"},
	} {
		t.Run(name, func(t *testing.T) {
			url := serve(t, func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body) // or the server does not notice that the client goes
				tc.handler(w, r)
			})
			c := client(t, bitcoind.Config{URL: url, Timeout: 300 * time.Millisecond})
			wantFault(t, c.Call(t.Context(), "x", nil, nil), bitcoind.ErrUnavailable, tc.says)
		})
	}
}

func TestRefused(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	_ = l.Close()
	c := client(t, bitcoind.Config{URL: "http://bob:" + secret + "@" + address})
	wantFault(t, c.Call(t.Context(), "x", nil, nil), bitcoind.ErrUnavailable, "cannot be reached")
}

func TestContextEnds(t *testing.T) {
	started := make(chan struct{}, 2)
	url := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		started <- struct{}{}
		<-r.Context().Done()
	})
	c := client(t, bitcoind.Config{URL: url, MaxInFlight: 1})
	ctx, cancel := context.WithCancel(t.Context())
	first := make(chan error)
	go func() { first <- c.Call(ctx, "x", nil, nil) }()
	<-started

	// The only slot is taken: the second waits for it, and no longer than it may.
	err := c.Wallet("w").WithTimeout(20*time.Millisecond).Call(t.Context(), "x", nil, nil)
	wantFault(t, err, bitcoind.ErrUnavailable)
	waiting, stop := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer stop()
	if err := c.Call(waiting, "x", nil, nil); !errors.Is(err, context.DeadlineExceeded) || fault.KindOf(err) != fault.Internal {
		t.Errorf("waiting: got %v", err)
	}
	cancel()
	if err := <-first; !errors.Is(err, context.Canceled) || fault.KindOf(err) != fault.Internal {
		t.Errorf("under way: got %v", err)
	}
	if len(started) != 0 {
		t.Error("more than one at a time")
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
	c := client(t, bitcoind.Config{URL: srv.URL, MaxInFlight: 3})
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
		t.Errorf("%d at a time over %d connections, want 3 at most", most.Load(), connections.Load())
	}
}

// cookieNode is a node that lets in who shows its cookie.
func cookieNode(t *testing.T, status int) (url, file string, cookie *atomic.Value) {
	t.Helper()
	cookie = &atomic.Value{}
	cookie.Store("one" + secret)
	file = filepath.Join(t.TempDir(), ".cookie")
	writeCookie(t, file, "one"+secret)
	url = serve(t, func(w http.ResponseWriter, r *http.Request) {
		if _, password, _ := r.BasicAuth(); password != cookie.Load() {
			w.WriteHeader(status)
			return
		}
		var c call
		_ = json.NewDecoder(r.Body).Decode(&c)
		_, _ = fmt.Fprintf(w, `{"result":1,"error":null,"id":%s}`, c.ID)
	})
	return url, file, cookie
}

func writeCookie(t *testing.T, file, password string) {
	t.Helper()
	if err := os.WriteFile(file, []byte("__cookie__:"+password), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestCookie(t *testing.T) {
	for _, status := range []int{401, 403} {
		url, file, cookie := cookieNode(t, status)
		c := client(t, bitcoind.Config{URL: url, CookieFile: file})
		if err := c.Call(t.Context(), "x", nil, nil); err != nil {
			t.Fatal(err)
		}

		// The node starts again; the new cookie has the size and, the worst
		// case, the date of the old one.
		info, _ := os.Stat(file)
		writeCookie(t, file, "two"+secret)
		if err := os.Chtimes(file, info.ModTime(), info.ModTime()); err != nil {
			t.Fatal(err)
		}
		cookie.Store("two" + secret)
		if err := c.Call(t.Context(), "x", nil, nil); err != nil {
			t.Fatalf("after a change: %v", err)
		}

		writeCookie(t, file, "three"+secret)
		wantFault(t, c.Call(t.Context(), "x", nil, nil), bitcoind.ErrUnauthorized, "refuses the RPC user or cookie")
		if err := os.WriteFile(file, []byte(secret), 0o600); err != nil {
			t.Fatal(err)
		}
		wantFault(t, c.Call(t.Context(), "x", nil, nil), bitcoind.ErrUnauthorized)
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
		wantFault(t, c.Call(t.Context(), "x", nil, nil), bitcoind.ErrUnavailable)
		writeCookie(t, file, "two"+secret)
		if err := c.Call(t.Context(), "x", nil, nil); err != nil {
			t.Errorf("when the cookie is back: %v", err)
		}
	}
}

func TestUnauthorizedUserIsNotTriedAgain(t *testing.T) {
	url, seen := answering(t, 401, ``)
	wantFault(t, client(t, bitcoind.Config{URL: url}).Call(t.Context(), "x", nil, nil), bitcoind.ErrUnauthorized)
	if seen.Load() != 1 {
		t.Errorf("asked %d times", seen.Load())
	}
}

func TestConfig(t *testing.T) {
	for _, url := range []string{"", "127.0.0.1:8332", "ftp://h", "http://", "http://u:" + secret + "@h:port", "http://u:" + secret + "@h/path", "http://u:" + secret + "@h/?q"} {
		_, err := bitcoind.New(bitcoind.Config{URL: url})
		if fault.KindOf(err) != fault.Invalid || strings.Contains(err.Error(), secret) {
			t.Errorf("%q: got %v", url, err)
		}
	}
	cfg := bitcoind.Config{URL: "http://u:" + secret + "@h:1", User: "u", Password: secret, CookieFile: "/c"}
	for _, text := range []string{fmt.Sprint(cfg), fmt.Sprintf("%+v %#v", cfg, &cfg), cfg.LogValue().String()} {
		if strings.Contains(text, secret) || !strings.Contains(text, "http://h:1") {
			t.Errorf("prints %q", text)
		}
	}
}
