package httpapi_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/specterd/specterd/internal/httpapi"
	"github.com/specterd/specterd/internal/httpapi/route"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// sweep contains a valid request for every route, and the database and the stopped node for
// which the requests are valid. Each test uses a copy of both.
type sweep struct {
	database string
	bitcoind *testkit.Node
	requests []sweepRequest
	usual    map[string]int // response statuses with the default node settings, by route
}

type sweepRequest struct {
	route route.Route
	request
}

// TestNodeSettings makes a valid request to every route with a real node in every
// configuration of testkit.NodeSettings. No response may be 5xx except 502 and 503 with a
// specific code, and the readiness probe and the node status must name the problem.
func TestNodeSettings(t *testing.T) {
	t.Parallel()
	sw := newSweep(t)
	settings := testkit.NodeSettings()
	sw.usual = sw.try(t, settings[0])
	for _, setting := range settings[1:] {
		t.Run(setting.Name, func(t *testing.T) {
			t.Parallel()
			sw.try(t, setting)
		})
	}
}

func newSweep(t *testing.T) *sweep {
	t.Helper()
	bitcoind := testkit.Bitcoind(t)
	w := &world{server: start(t, onNode(bitcoind)), bitcoind: bitcoind, vaults: &vaults{of: map[string]vault{}}, purse: newNodeWallet(t, bitcoind)}
	w.user(t, "root", true)
	people := map[bool]testUser{false: w.user(t, "caller", false), true: w.user(t, "boss", true)}
	sw := &sweep{database: filepath.Join(t.TempDir(), "specterd.db"), bitcoind: bitcoind}
	for _, to := range httpapi.Routes(httpapi.Options{}) {
		w.caller = people[to.Role == route.Admin]
		if w.vaults.open != nil { // use a new proposal for each route
			w.vaults.open[w.caller.ID], w.vaults.signed[w.caller.ID] = "", ""
		}
		r := request{method: to.Method}
		r.path, r.body = requests[to.Method+" "+to.Path](t, w, w.caller)
		switch {
		case to.Credentials.TakesBasic() && (strings.Contains(to.Path, "/tokens/{id}") || strings.Contains(to.Path, "/webhooks/{id}")): // a token cannot manage tokens and webhooks that it has not created
			r.auth = []string{w.caller.basic()}
		case to.Credentials.TakesBearer():
			r.auth = []string{w.token(t, w.caller, 0).bearer()}
		case to.Credentials.TakesBasic():
			r.auth = []string{w.caller.basic()}
		}
		if to.Handler.Text != nil {
			r.header = map[string]string{"Content-Type": to.Handler.Text.Types[0]}
		}
		sw.requests = append(sw.requests, sweepRequest{to, r})
	}
	var genesis string
	testkit.Check(t, json.Unmarshal(bitcoind.CLI(t, "getblockhash", 0), &genesis))
	testkit.Check(t, w.store.CheckChain(t.Context(), "regtest", genesis))
	_, err := w.db.ExecContext(t.Context(), "VACUUM INTO '"+sw.database+"'")
	testkit.Check(t, err)
	bitcoind.Stop(t)
	return sw
}

// try makes all requests with a node that has the given setting, and returns the statuses by
// route.
func (sw *sweep) try(t *testing.T, setting testkit.NodeSetting) map[string]int {
	t.Helper()
	n := testkit.BitcoindCopy(t, sw.bitcoind, setting.Args...)
	database := filepath.Join(t.TempDir(), "specterd.db")
	testkit.Check(t, os.WriteFile(database, testkit.Must(os.ReadFile(sw.database)), 0o600))
	s := start(t, onNode(n), func(c *setup) { c.isPolled, c.database = true, database })
	sw.checkStatus(t, s, setting)
	parallel, rounds := 1, 1
	if setting.IsBusy {
		parallel, rounds = 8, testkit.Size(4, 50)
	}
	statuses, codes := map[string]int{}, map[string]int{}
	var mu sync.Mutex
	var all sync.WaitGroup
	next := make(chan sweepRequest)
	for range parallel {
		all.Go(func() {
			for r := range next {
				got := s.do(t, r.request)
				mu.Lock()
				name := r.route.Method + " " + r.route.Path
				statuses[name] = got.status
				if code := got.text("code"); code != "" {
					codes[fmt.Sprintf("%d %s", got.status, code)]++
				} else {
					codes[fmt.Sprintf("%dxx", got.status/100)]++
				}
				sw.judge(t, setting, r.route, got)
				mu.Unlock()
			}
		})
	}
	for range rounds {
		for _, r := range sw.requests {
			next <- r
		}
	}
	close(next)
	all.Wait()
	testkit.Figure(t, "%s: problem %q, notices %q, %d requests: %v", setting.Name, setting.Problem, setting.Notices, rounds*len(sw.requests), codes)
	return statuses
}

// judge checks the response to a valid request.
func (sw *sweep) judge(t *testing.T, setting testkit.NodeSetting, to route.Route, got answer) {
	t.Helper()
	name := to.Method + " " + to.Path
	fails := got.status >= http.StatusInternalServerError
	usual := sw.usual[name]
	switch {
	case fails && got.status != http.StatusBadGateway && got.status != http.StatusServiceUnavailable,
		fails && strings.HasPrefix(to.Path, "/api/v1/") && (got.text("code") == "" || got.text("code") == "node_error" || got.text("detail") == ""),
		fails && !strings.HasPrefix(to.Path, "/api/v1/") && got.text("message") == "":
		t.Errorf("%s: %d %s", name, got.status, got.body)
	case fails && setting.Problem == "" && !setting.IsBusy:
		t.Errorf("%s: %d %s, although the node is usable", name, got.status, got.body)
	case fails && got.status == http.StatusServiceUnavailable && got.header.Get("Retry-After") == "":
		t.Errorf("%s: no Retry-After in the response %s", name, got.body)
	case fails && setting.Problem != "" && strings.HasPrefix(to.Path, "/api/v1/") && got.text("code") != setting.Problem:
		t.Errorf("%s: %s, want the code %s", name, got.body, setting.Problem)
	case setting.Problem != "" && strings.HasSuffix(to.Path, "/rescan") && to.Method == http.MethodPost && !fails:
		t.Errorf("%s: %d %s, although the node is unusable", name, got.status, got.body)
	case usual == 0 && got.status >= http.StatusBadRequest:
		t.Errorf("%s: %d %s, although the request is valid", name, got.status, got.body)
	case usual != 0 && setting.Problem == "" && !setting.Changes && !setting.IsBusy && got.status != usual:
		t.Errorf("%s: %d %s, want %d", name, got.status, got.body, usual)
	}
}

// checkStatus checks the readiness probe and the node status with the given setting.
func (sw *sweep) checkStatus(t *testing.T, s *server, setting testkit.NodeSetting) {
	t.Helper()
	status := s.Node.Status()
	var notices []string
	for _, n := range status.Notices() {
		notices = append(notices, n.Code)
	}
	if setting.Problem == "" && !slices.Equal(notices, setting.Notices) {
		t.Errorf("notices %q, want %q", notices, setting.Notices)
	}
	if setting.Problem == "" {
		s.call(t, "GET", "/api/healthz/readyness", "", "").want(t, http.StatusOK)
		return
	}
	if f := status.Ready(); f == nil || f.Code != setting.Problem {
		t.Errorf("problem %v, want %s", f, setting.Problem)
	}
	got := s.call(t, "GET", "/api/healthz/readyness", "", "").want(t, http.StatusServiceUnavailable)
	if !strings.Contains(got.text("reason"), setting.Says) {
		t.Errorf("readiness says %s, want %q", got.body, setting.Says)
	}
}
