package rpcclient_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/node/rpcclient"
)

// cookieNode starts a node that accepts only its cookie, and otherwise responds with
// status.
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
	for status, want := range map[int]*fault.Error{401: rpcclient.ErrUnauthorized, 403: rpcclient.ErrMethodForbidden} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			url, file, cookie := cookieNode(t, status)
			c := client(t, rpcclient.Config{URL: url, CookieFile: file})
			if err := c.Call(t.Context(), "x", nil, nil); err != nil {
				t.Fatal(err)
			}

			// The node restarts. The new cookie file has the size and, as the worst case,
			// the modification time of the old one.
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
			wantFault(t, c.Call(t.Context(), "x", nil, nil), want)
			if err := os.WriteFile(file, []byte(secret), 0o600); err != nil {
				t.Fatal(err)
			}
			wantFault(t, c.Call(t.Context(), "x", nil, nil), rpcclient.ErrUnauthorized)
			if err := os.Remove(file); err != nil {
				t.Fatal(err)
			}
			wantFault(t, c.Call(t.Context(), "x", nil, nil), rpcclient.ErrUnavailable)
			writeCookie(t, file, "two"+secret)
			if err := c.Call(t.Context(), "x", nil, nil); err != nil {
				t.Errorf("after the cookie was restored: %v", err)
			}
		})
	}
}

func TestUnauthorized_NoRetry(t *testing.T) {
	url, seen := answering(t, 401, ``)
	wantFault(t, client(t, rpcclient.Config{URL: url}).Call(t.Context(), "x", nil, nil), rpcclient.ErrUnauthorized)
	if seen.Load() != 1 {
		t.Errorf("sent %d requests", seen.Load())
	}
}

func TestConfig(t *testing.T) {
	for _, url := range []string{"", "127.0.0.1:8332", "ftp://h", "http://", "http://u:" + secret + "@h:port", "http://u:" + secret + "@h/path", "http://u:" + secret + "@h/?q"} {
		_, err := rpcclient.New(rpcclient.Config{URL: url})
		if fault.KindOf(err) != fault.Invalid || strings.Contains(err.Error(), secret) {
			t.Errorf("%q: got %v", url, err)
		}
	}
	cfg := rpcclient.Config{URL: "http://u:" + secret + "@h:1", User: "u", Password: secret, CookieFile: "/c"}
	for _, text := range []string{fmt.Sprint(cfg), fmt.Sprintf("%+v %#v", cfg, &cfg), cfg.LogValue().String()} {
		if strings.Contains(text, secret) || !strings.Contains(text, "http://h:1") {
			t.Errorf("prints %q", text)
		}
	}
}
