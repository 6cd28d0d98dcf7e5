package httpapi_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/specterd/specterd/client"
	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/httpapi"
	"github.com/specterd/specterd/internal/testenv/testkit"
	"github.com/specterd/specterd/internal/wallet"
)

// TestDirect sends requests of a command in its process.
func TestDirect(t *testing.T) {
	s := start(t)
	user := testkit.Value(s.Users.Create(t.Context(), auth.Operator("root"), "dora", "correct horse battery", false))(t)
	o := s.Options
	o.Active = false // it is for servers
	direct := testkit.Value(httpapi.NewDirect(o, auth.Operator("root").For(user)))(t)
	c := testkit.Value(client.New("http://other.example", "", client.WithHTTPClient(&http.Client{Transport: direct}), client.WithRetries(0, 0)))(t)

	t.Run("caller", func(t *testing.T) {
		for _, credential := range []string{"", "Bearer x", "Basic eDp5"} {
			request := testkit.Value(http.NewRequestWithContext(t.Context(), http.MethodGet, "http://other.example/api/v1/users/me", http.NoBody))(t)
			request.Header.Set("Authorization", credential)
			request.Header.Set("Origin", "https://other.example")
			response, err := direct.RoundTrip(request)
			testkit.Check(t, err)
			body := testkit.Value(io.ReadAll(response.Body))(t)
			testkit.Check(t, response.Body.Close())
			if response.StatusCode != http.StatusOK || !bytes.Contains(body, []byte(`"dora"`)) {
				t.Errorf("with the credential %q: %d %s", credential, response.StatusCode, body)
			}
		}
		if self := testkit.Value(c.GetSelf(t.Context()))(t); self.Name != "dora" {
			t.Errorf("the caller is %s", self.Name)
		}
	})
	t.Run("cause", func(t *testing.T) {
		_, err := c.GetWallet(t.Context(), "none", nil)
		e, ok := errors.AsType[*client.Error](err)
		if !ok || e.Code != client.ErrWalletNotFound || !errors.Is(direct.Cause(e.RequestID), wallet.ErrNotFound) {
			t.Errorf("%v, caused by %v", err, direct.Cause(e.RequestID))
		}
		if err := direct.Cause("unknown"); err != nil {
			t.Error(err)
		}
	})
	t.Run("stream", func(t *testing.T) {
		var out bytes.Buffer
		err := c.ExportAllTransactions(t.Context(), &out, client.CSV, nil)
		if err != nil || !strings.HasPrefix(out.String(), "time,wallet,") {
			t.Errorf("%v\n%s", err, &out)
		}
	})
	t.Run("the server still requires a credential", func(t *testing.T) {
		server := testkit.Value(client.New(s.url, ""))(t)
		if _, err := server.GetSelf(t.Context()); !errors.Is(err, client.ErrUnauthenticated) {
			t.Error(err)
		}
	})
}
