package system

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/testenv/testkit"
)

// TestOutage checks that, while the node hangs or is stopped, indexed data is still served,
// requests that require the node are refused at once with Retry-After and without side
// effects, and the server recovers with the node.
func TestOutage(t *testing.T) {
	node := testkit.Bitcoind(t)
	node.Mine(t, 101)
	s := startServer(t, t.TempDir(), nodeSettings(node)...)
	var made madeToken
	call(t.Context(), http.MethodPost, s.url+"/api/v1/tokens", "", map[string]any{"description": "outage", "lifetime": "1 hour"}, &made)
	c := outageClient{t: t, url: s.url, token: made.Secret}
	c.do(http.MethodPost, "/api/v1/wallets", orderOf("one", 1), http.StatusCreated)
	c.reaches(101)

	for name, outage := range map[string]struct{ begin, end func() }{
		"hangs": {node.Suspend, node.Resume},
		"gone":  {node.Kill, func() { node.Start(t) }},
	} {
		t.Run(name, func(t *testing.T) {
			c := outageClient{t: t, url: s.url, token: made.Secret}
			before := c.height()
			node.CLI(t, "gettxoutsetinfo") // flushes the chain to disk
			outage.begin()
			for _, path := range []string{"/api/v1/wallets", "/api/v1/wallets/one", "/api/v1/wallets/one/transactions", "/api/v1/wallets/one/addresses", "/api/v1/wallets/one/utxos"} {
				var answer struct {
					AsOf *struct{ Height int } `json:"as_of"`
				}
				c.into(&answer, c.do(http.MethodGet, path, nil, http.StatusOK))
				if path != "/api/v1/wallets" && (answer.AsOf == nil || answer.AsOf.Height != before) {
					t.Errorf("%s: as_of %+v, want %d", path, answer.AsOf, before)
				}
			}
			c.do(http.MethodPost, "/api/v1/wallets/one/addresses", map[string]any{}, http.StatusCreated) // a reserve of addresses is already derived
			begin := time.Now()
			c.do(http.MethodPost, "/api/v1/wallets", orderOf("two "+name, 2), http.StatusServiceUnavailable)
			t.Logf("refused after %s", time.Since(begin).Round(time.Millisecond))
			var list struct{ Items []struct{ Alias string } }
			c.into(&list, c.do(http.MethodGet, "/api/v1/wallets", nil, http.StatusOK))
			if len(list.Items) != 1 {
				t.Errorf("a refused request had side effects: %+v", list.Items)
			}
			outage.end()
			node.Mine(t, 1)
			c.reaches(before + 1)
			c.recovers()
		})
	}
	c.do(http.MethodPost, "/api/v1/wallets", orderOf("two", 2), http.StatusCreated)
}

// orderOf returns the body of a request that creates a wallet.
func orderOf(name string, branch int) map[string]any {
	const key = "[d34db33f/84h/1h/0h]tpubD6NzVbkrYhZ4XJkWPt6cgTyouAqQFiCyggyo5B1ccrLubuk5tYBcSH861VJwtrnFUgKT79eh4fNYoULdaLzHz3SBrxN1QZHzJaTG9xwpj4P"
	return map[string]any{"name": name, "descriptor": "wpkh(" + key + "/" + strconv.Itoa(branch) + "/<0;1>/*)", "birthday": "now"}
}

type outageClient struct {
	t          *testing.T
	url, token string
}

// do makes a request as the admin and returns the body. The test fails if the status
// differs, if a response with status 503 has no Retry-After header, or if the request takes
// longer than a minute.
func (c outageClient) do(method, path string, body any, status int) []byte {
	c.t.Helper()
	got, answer := c.send(method, path, body)
	if got != status {
		c.t.Errorf("%s %s: status %d, want %d: %s", method, path, got, status, answer)
	}
	return answer
}

func (c outageClient) send(method, path string, body any) (status int, answer []byte) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), time.Minute)
	defer cancel()
	var encoded []byte
	if body != nil {
		var err error
		encoded, err = json.Marshal(body)
		testkit.Check(c.t, err)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.url+path, bytes.NewReader(encoded))
	testkit.Check(c.t, err)
	req.Header.Set("Authorization", "Bearer "+c.token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	testkit.Check(c.t, err)
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode == http.StatusServiceUnavailable && resp.Header.Get("Retry-After") == "" {
		c.t.Errorf("%s %s: no Retry-After", method, path)
	}
	answer, err = io.ReadAll(resp.Body)
	testkit.Check(c.t, err)
	return resp.StatusCode, answer
}

func (c outageClient) into(out any, body []byte) {
	c.t.Helper()
	testkit.Check(c.t, json.Unmarshal(body, out))
}

// height returns the height to which the wallet is indexed.
func (c outageClient) height() int {
	c.t.Helper()
	var answer struct {
		AsOf *struct{ Height int } `json:"as_of"`
	}
	c.into(&answer, c.do(http.MethodGet, "/api/v1/wallets/one", nil, http.StatusOK))
	if answer.AsOf == nil {
		return -1
	}
	return answer.AsOf.Height
}

func (c outageClient) reaches(height int) {
	c.t.Helper()
	testkit.Eventually(c.t, "the index is at block "+strconv.Itoa(height), func() bool { return c.height() == height })
}

// recovers waits until the server has noticed that the node responds. It queries the status of
// the node independently of the index, every few seconds.
func (c outageClient) recovers() {
	c.t.Helper()
	testkit.Eventually(c.t, "the node is available", func() bool {
		var status struct{ Problem *string }
		c.into(&status, c.do(http.MethodGet, "/api/v1/node", nil, http.StatusOK))
		return status.Problem == nil
	})
}
