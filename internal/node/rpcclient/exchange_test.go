package rpcclient_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/node/rpcclient"
)

func TestInvalidResponses(t *testing.T) {
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
			err := client(t, rpcclient.Config{URL: url}).WithMaxAnswer(1000).Call(t.Context(), "x", nil, &out)
			wantFault(t, err, rpcclient.ErrInvalidResponse)
			if strings.Contains(err.Error(), sample) {
				t.Errorf("%q quotes the response", err)
			}
		})
	}
}

func TestOversizedResponse(t *testing.T) {
	url := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"result":"`)
		for range 1000 {
			if _, err := io.WriteString(w, strings.Repeat("a", 1000)); err != nil {
				return
			}
			w.(http.Flusher).Flush()
		}
	})
	err := client(t, rpcclient.Config{URL: url}).WithMaxAnswer(5000).Call(t.Context(), "x", nil, nil)
	wantFault(t, err, rpcclient.ErrInvalidResponse)
}

func TestRedirect_NotFollowed(t *testing.T) {
	elsewhere, seen := answering(t, 200, `{"result":1,"error":null,"id":$id}`)
	for _, status := range []int{301, 302, 307, 308} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			url := serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere, status) })
			wantFault(t, client(t, rpcclient.Config{URL: url}).Call(t.Context(), "x", nil, nil), rpcclient.ErrInvalidResponse)
		})
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
	wantFault(t, client(t, rpcclient.Config{URL: url}).Call(t.Context(), "x", nil, nil), rpcclient.ErrInvalidResponse)
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
		"proxy":            {text(502, "<html>"), "without a response"},
		"internal error":   {text(500, ""), "without a response"},
		"hangs up":         {hangUp(""), "without a response"},
		"hangs up half":    {hangUp("HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\n{\"result\":"), "without a response"},
		"hangs up in head": {hangUp("HTTP/1.1 200 OK\r\n"), "without a response"},
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
				_, _ = io.Copy(io.Discard, r.Body) // lets the server notice that the client disconnects
				tc.handler(w, r)
			})
			c := client(t, rpcclient.Config{URL: url, Timeout: 300 * time.Millisecond})
			wantFault(t, c.Call(t.Context(), "x", nil, nil), rpcclient.ErrUnavailable, tc.says)
		})
	}
}

// TestRefusals checks that each kind of refusal has its own code and that its message
// names the remedy.
func TestRefusals(t *testing.T) {
	unknown := `{"result":null,"error":{"code":-32601,"message":"Method not found"},"id":$id}`
	for name, tc := range map[string]struct {
		status int
		body   string
		want   *fault.Error
		says   string
	}{
		"busy":      {503, "Work queue depth exceeded", rpcclient.ErrBusy, "raise rpcworkqueue"},
		"forbidden": {403, "", rpcclient.ErrMethodForbidden, "add lockunspent to rpcwhitelist"},
		"unknown":   {404, unknown, rpcclient.ErrMethodUnknown, "does not know the RPC method lockunspent"},
	} {
		t.Run(name, func(t *testing.T) {
			url, _ := answering(t, tc.status, tc.body)
			wantFault(t, client(t, rpcclient.Config{URL: url}).Call(t.Context(), "lockunspent", nil, nil), tc.want, tc.says)
		})
	}
	url, _ := answering(t, 403, "")
	err := client(t, rpcclient.Config{URL: url}).Batch(t.Context(), []rpcclient.Request{{Method: "b"}, {Method: "a"}, {Method: "b"}})
	wantFault(t, err, rpcclient.ErrMethodForbidden, "add a, b to rpcwhitelist")
}

func TestRefused(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	_ = l.Close()
	c := client(t, rpcclient.Config{URL: "http://bob:" + secret + "@" + address})
	wantFault(t, c.Call(t.Context(), "x", nil, nil), rpcclient.ErrUnavailable, "cannot be reached")
}
