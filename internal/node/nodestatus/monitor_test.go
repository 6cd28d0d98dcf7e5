package nodestatus_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/node/nodestatus"
	"github.com/specterd/specterd/internal/node/rpcclient"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// identity accepts only the chain with the given genesis block, or returns err if that is
// set.
type identity struct {
	genesis string
	err     error
	asked   []string
}

func (i *identity) CheckChain(_ context.Context, chain, genesis string) error {
	i.asked = append(i.asked, chain)
	if i.err == nil && genesis != i.genesis {
		return fmt.Errorf("check chain: %w", nodestatus.ErrWrongChain)
	}
	return i.err
}

// clock advances by a second each time it is read.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) read() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(time.Second)
	return c.now
}

var start = time.Date(2026, 11, 21, 20, 0, 0, 0, time.UTC)

// logged is a recorded log.
type logged struct{ testkit.Log }

// messages returns the messages in the order they were logged.
func (l *logged) messages(t *testing.T) []string {
	t.Helper()
	var all []string
	for line := range strings.Lines(l.String()) {
		var entry struct{ Msg string }
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Fatal(err)
		}
		all = append(all, entry.Msg)
	}
	return all
}

func monitor(t *testing.T, n *fakeNode, opts nodestatus.Options) (*nodestatus.Monitor, *logged) {
	t.Helper()
	srv := httptest.NewServer(n)
	t.Cleanup(srv.Close)
	rpc, err := rpcclient.New(rpcclient.Config{URL: srv.URL, User: "u", Password: "p"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(rpc.Close)
	log := &logged{}
	c := &clock{now: start}
	return nodestatus.New(slog.New(slog.NewJSONHandler(log, nil)), rpc, c.read, opts), log
}

func wantCode(t *testing.T, f *fault.Error, code string) {
	t.Helper()
	if f == nil || f.Code != code || f.Kind != fault.Unavailable || f.RetryAfter <= 0 || f.Message == "" {
		t.Fatalf("got %+v, want an unavailable fault %s", f, code)
	}
}

func TestSnapshot(t *testing.T) {
	n := newFakeNode()
	m, _ := monitor(t, n, nodestatus.Options{})
	wantCode(t, m.Ready(), "node_unavailable")
	s := m.Check(t.Context())
	if !s.Reachable || s.Problem != nil || m.Ready() != nil || !s.CheckedAt.Equal(start.Add(3*time.Second)) || !s.LastContact.Equal(s.CheckedAt) {
		t.Errorf("got %+v", s)
	}
	got := fmt.Sprint(s.Chain, s.Genesis == ours, s.BestBlockHash == theirs, s.Blocks, s.Headers, s.Time.Unix(), s.MedianTime.Unix(), s.VerificationProgress,
		s.InitialBlockDownload, s.Pruned, s.PruneHeight, s.Warnings, s.Version, s.Subversion, s.Connections, s.RelayFee, s.IncrementalFee,
		s.MempoolMinFee, s.MempoolSize, s.MempoolBytes, s.Uptime, s.BlockFilterIndex)
	want := "regtesttrue true 186 187 1795290680 1795290678 0.99990 " +
		"false true 7 [old older] 290403/Satoshi:29.4.3/Knots:20260508/3 0.00001000 0.00000100 0.00001000 1 166 2m55s true"
	if strings.ReplaceAll(got, " ", "") != strings.ReplaceAll(want, " ", "") {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if !strings.Contains(string(s.RawBlockchainInfo), "4.656542373906925e-10") ||
		string(s.RawMempoolInfo) != n.results["getmempoolinfo"] || string(s.RawNetworkInfo) != n.results["getnetworkinfo"] {
		t.Error("raw results differ from the node's response")
	}
	if n.count() != 1 {
		t.Errorf("%d HTTP requests", n.count())
	}
}

func TestFees(t *testing.T) {
	n := newFakeNode()
	srv := httptest.NewServer(n)
	t.Cleanup(srv.Close)
	rpc, err := rpcclient.New(rpcclient.Config{URL: srv.URL, User: "u", Password: "p"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(rpc.Close)
	now := start
	m := nodestatus.New(slog.New(slog.DiscardHandler), rpc, func() time.Time { return now }, nodestatus.Options{})
	for _, c := range []struct {
		after   time.Duration
		answer  string
		perKvB  btc.Amount
		sinceAt time.Duration // age of the estimates
	}{
		{0, `{"errors":["Insufficient data or no feerate found"],"blocks":2}`, 0, 0},
		{29 * time.Second, `{"feerate":0.00012345,"blocks":2}`, 0, 29 * time.Second},
		{time.Second, `{"feerate":0.00012345,"blocks":2}`, 12345, 0},
		{10 * time.Second, `{"feerate":1e-05,"blocks":2}`, 12345, 10 * time.Second},
		{time.Minute, `{"feerate":1e-05,"blocks":2}`, 1000, 0},
		{time.Minute, `{"feerate":-1,"blocks":2}`, 0, 0},
		{time.Minute, `{"feerate":0.1,"blocks":2}`, 10_000_000, 0},
		{time.Minute, `-32603`, 0, 0}, // the node has no fee estimates but is otherwise usable
		{time.Minute, `"x"`, 0, 0},
	} {
		t.Run(c.answer, func(t *testing.T) {
			now = now.Add(c.after)
			n.set("estimatesmartfee", c.answer)
			s := m.Check(t.Context())
			if s.Problem != nil || len(s.Fees.PerKvB) != len(nodestatus.FeeTargets) || s.Fees.PerKvB[0] != c.perKvB || s.Fees.PerKvB[6] != c.perKvB || now.Sub(s.Fees.At) != c.sinceAt {
				t.Errorf("%s: got %+v %+v", c.answer, s.Fees, s.Problem)
			}
		})
	}
	if minimum := m.Status().MempoolMinimum(); minimum != 1000 || (nodestatus.Snapshot{}).MempoolMinimum() != 0 {
		t.Errorf("minimum %v", minimum)
	}
	n.replace(`"initialblockdownload":false`, `"initialblockdownload":true`)
	m.Check(t.Context())
	now = now.Add(time.Minute)
	if s := m.Check(t.Context()); now.Sub(s.Fees.At) != time.Minute {
		t.Error("requested fee estimates during the initial block download")
	}
}

func TestOlderNodes(t *testing.T) {
	for warnings, want := range map[string]int{`"this is a pre-release"`: 1, `""`: 0, `[]`: 0, `null`: 0} {
		t.Run(warnings, func(t *testing.T) {
			n := newFakeNode()
			n.replace(`["old","older"]`, warnings)
			n.set("getindexinfo", "-32601")
			m, _ := monitor(t, n, nodestatus.Options{})
			if s := m.Check(t.Context()); s.Problem != nil || len(s.Warnings) != want || s.BlockFilterIndex {
				t.Errorf("%s: got %+v", warnings, s)
			}
		})
	}
}

func TestInvalidResponses(t *testing.T) {
	for name, spoil := range map[string]func(*fakeNode){
		"null":       func(n *fakeNode) { n.set("getblockchaininfo", "null") },
		"text":       func(n *fakeNode) { n.set("getnetworkinfo", `"x"`) },
		"no genesis": func(n *fakeNode) { n.set("getblockhash", `"abc"`) },
		"no tip":     func(n *fakeNode) { n.replace(theirs, strings.ToUpper(theirs)) },
		"no chain":   func(n *fakeNode) { n.replace("regtest", "") },
		"depth":      func(n *fakeNode) { n.replace("186", "-186") },
		"fraction":   func(n *fakeNode) { n.replace("186", "186.5") },
	} {
		t.Run(name, func(t *testing.T) {
			n := newFakeNode()
			spoil(n)
			m, _ := monitor(t, n, nodestatus.Options{})
			s := m.Check(t.Context())
			if s.Reachable || !errors.Is(s.Problem, rpcclient.ErrInvalidResponse) || s.Problem.Kind != fault.BadGateway {
				t.Errorf("got %+v", s)
			}
			wantCode(t, s.Ready(), "node_invalid_response")
		})
	}
}

// TestRefused checks that an error without its own fault names the RPC method but does
// not contain the node's message.
func TestRefused(t *testing.T) {
	for result, want := range map[string]string{"-1": "node_error", "-32601": "node_method_unknown"} {
		t.Run(result, func(t *testing.T) {
			n := newFakeNode()
			n.set("getblockchaininfo", result)
			m, _ := monitor(t, n, nodestatus.Options{})
			s := m.Check(t.Context())
			if wantCode(t, s.Ready(), want); s.Reachable || !strings.Contains(s.Problem.Message, "getblockchaininfo") {
				t.Errorf("%s: got %+v", result, s)
			}
		})
	}
}

func TestCheck_NodeReturns(t *testing.T) {
	n := newFakeNode()
	m, log := monitor(t, n, nodestatus.Options{})
	first := m.Check(t.Context())
	n.setAway(true)
	m.Check(t.Context())
	s := m.Check(t.Context())
	if s.Reachable || s.Blocks != 186 || s.LastContact != first.LastContact || !s.CheckedAt.After(s.LastContact) {
		t.Errorf("unreachable: got %+v", s)
	}
	wantCode(t, m.Ready(), "node_unavailable")

	n.setAway(false)
	n.set("getnetworkinfo", "-28")
	s = m.Check(t.Context())
	if wantCode(t, s.Ready(), "node_unavailable"); !strings.Contains(s.Problem.Message, "starting up") {
		t.Errorf("warming up: got %v", s.Problem)
	}
	n.set("getnetworkinfo", newFakeNode().results["getnetworkinfo"])
	n.replace("186", "187")
	if s = m.Check(t.Context()); s.Problem != nil || s.Blocks != 187 || s.LastContact != s.CheckedAt {
		t.Errorf("back: got %+v", s)
	}
	m.Check(t.Context())
	if got := log.messages(t); !slices.Equal(got, []string{"node reached", "node lost", "node reached"}) {
		t.Errorf("logged %q", got)
	}
}

func TestWrongChain(t *testing.T) {
	n := newFakeNode()
	id := &identity{genesis: ours}
	m, log := monitor(t, n, nodestatus.Options{Identity: id})
	m.Check(t.Context())
	m.Check(t.Context())
	n.set("getblockhash", `"`+theirs+`"`)
	n.replace("regtest", "main")
	m.Check(t.Context())
	s := m.Check(t.Context())
	if !s.Reachable || !errors.Is(s.Problem, nodestatus.ErrWrongChain) || s.Chain != "main" {
		t.Errorf("got %+v", s)
	}
	wantCode(t, m.Ready(), "wrong_chain")
	n.set("getblockhash", `"`+ours+`"`)
	n.replace("main", "regtest")
	if s := m.Check(t.Context()); s.Problem != nil {
		t.Errorf("reachable again: got %+v", s)
	}
	if got := log.messages(t); !slices.Equal(got, []string{"node reached", "node wrong chain", "node reached"}) {
		t.Errorf("logged %q", got)
	}
	if !slices.Equal(id.asked, []string{"regtest", "main", "regtest"}) {
		t.Errorf("asked about %q", id.asked)
	}
}

func TestWrongChain_CheckFails(t *testing.T) {
	n := newFakeNode()
	id := &identity{genesis: ours, err: errors.New("disk on fire")}
	m, log := monitor(t, n, nodestatus.Options{Identity: id})
	s := m.Check(t.Context())
	if wantCode(t, s.Ready(), "node_unavailable"); !s.Reachable || strings.Contains(s.Problem.Message, "fire") {
		t.Errorf("got %+v", s)
	}
	id.err = nil
	if s := m.Check(t.Context()); s.Problem != nil {
		t.Errorf("got %+v", s)
	}
	if got := log.messages(t); !slices.Equal(got, []string{"node chain unchecked", "node reached"}) {
		t.Errorf("logged %q", got)
	}
}

func TestInitialBlockDownload(t *testing.T) {
	n := newFakeNode()
	n.replace(`"initialblockdownload":false`, `"initialblockdownload":true`)
	m, _ := monitor(t, n, nodestatus.Options{})
	if s := m.Check(t.Context()); !s.Reachable || s.Problem != nil {
		t.Errorf("got %+v", s)
	}
	wantCode(t, m.Ready(), "node_syncing")
}

func TestRun(t *testing.T) {
	n := newFakeNode()
	m, log := monitor(t, n, nodestatus.Options{Interval: time.Millisecond})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- m.Run(ctx) }()
	until(t, func() bool { return m.Ready() == nil })
	n.setAway(true)
	until(t, func() bool { return m.Ready() != nil })
	n.setAway(false)
	until(t, func() bool { return m.Ready() == nil })
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if s := m.Check(ctx); s.Problem != nil {
		t.Errorf("an interrupted poll changed the status: %+v", s)
	}
	if got := log.messages(t); !slices.Equal(got, []string{"node reached", "node lost", "node reached"}) {
		t.Errorf("logged %q", got)
	}
}

// until waits for a condition.
func until(t *testing.T, done func() bool) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-deadline:
			t.Fatal("condition not met in time")
		case <-tick.C:
		}
	}
}
