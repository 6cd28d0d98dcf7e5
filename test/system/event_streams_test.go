package system

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/testenv/testkit"
)

// streamsPerUser is the number of streams that a user can open.
const streamsPerUser = 100

// TestEvents_Streams checks that many open streams of events take little memory and do not delay
// other requests, that an event reaches all of them, and that those of a revoked token end.
func TestEvents_Streams(t *testing.T) {
	t.Parallel()
	n := testkit.Size(200, 5000)
	manyFiles(t, n+500)
	dir, node := t.TempDir(), testkit.Bitcoind(t)
	node.Mine(t, 1)
	s := startServer(t, dir, append(nodeSettings(node), "SPECTER_ADMINS_ADD_MEMBERS=true", "SPECTER_LOG_LEVEL=warn")...)
	c := newStreamClients(t, s, n/streamsPerUser)
	samples := testkit.Size(80, 2000)
	s.latencies(t, c.boss, 500, false)
	quiet, before := s.bestP99(t, c.boss, samples), s.restingMB(t)
	c.open()
	opened := s.residentMB()
	beside := s.bestP99(t, c.boss, samples)
	took := c.rename("one", int64(n), func() {})
	var during []time.Duration
	again := c.rename("two", int64(n), func() { during = append(during, s.latencies(t, c.boss, 10, false)...) })
	slices.Sort(during)
	most := max(opened, s.residentMB())
	memory := s.restingMB(t)
	testkit.Figure(t, "%d streams: %d MB resident at rest, %d MB at most after they were opened or an event was sent, and %d MB without; p99 of a request with a token %v, and %v without; an event reached all of them after %v, and another after %v, with a p99 of %v meanwhile",
		n, memory, most, before, beside, quiet, took.Round(time.Millisecond), again.Round(time.Millisecond), p99(during))
	if testkit.Long() && (most > 150 || beside > 2*quiet) {
		t.Errorf("%d MB, p99 %v", most, beside)
	}
	c.revoke("DELETE", c.users[0], func(id string) {
		if status := call(t.Context(), http.MethodDelete, s.url+"/api/v1/tokens/"+id, c.users[0].token.Secret, nil, nil); status != ok {
			t.Errorf("delete a token: status %d", status)
		}
	})
	db := shell(t, dir)
	c.revoke("an SQL shell", c.users[1], func(id string) {
		_, err := db.ExecContext(t.Context(), "DELETE FROM tokens WHERE token_id = $1", id)
		testkit.Check(t, err)
	})
	c.rename("three", int64(n-2*streamsPerUser), func() {}) // the others are still open
}

// restingMB returns the server's resident memory in MiB, in the long form after it has returned
// to the operating system what a load has left over.
func (s *server) restingMB(t *testing.T) int {
	t.Helper()
	least := s.residentMB()
	for range testkit.Size(0, 60) {
		<-time.After(500 * time.Millisecond)
		least = min(least, s.residentMB())
	}
	return least
}

// bestP99 returns the lowest of four 99th percentiles of requests with a token, because other
// programs on the machine can only make it higher.
func (s *server) bestP99(t *testing.T, token string, samples int) time.Duration {
	t.Helper()
	best := time.Hour
	for range 4 {
		best = min(best, p99(s.latencies(t, token, samples/4, false)))
	}
	return best
}

// streamClients are users who are members of one wallet, with many streams each.
type streamClients struct {
	t        *testing.T
	s        *server
	boss     string // secret of the owner's token
	users    []*streamUser
	received atomic.Int64 // events of the name of the wallet
}

type streamUser struct {
	token madeToken
	open  atomic.Int64 // streams
}

func newStreamClients(t *testing.T, s *server, users int) *streamClients {
	t.Helper()
	c := &streamClients{t: t, s: s, boss: s.token("boss", "wallets:*", "proposals:read", "members:*", "users:read", "node:read").Secret}
	testkit.Eventually(t, "the node can be used", func() bool {
		return call(t.Context(), http.MethodGet, s.url+"/api/healthz/readyness", c.boss, nil, nil) == ok
	})
	do := func(method, path, bearer string, body any, want int) {
		t.Helper()
		if status := call(t.Context(), method, s.url+path, bearer, body, nil); status != want {
			t.Fatalf("%s %s: status %d\n%s", method, path, status, s.log)
		}
	}
	do(http.MethodPost, "/api/v1/wallets", c.boss, orderOf("shared", 1), created)
	for i := range users {
		name := fmt.Sprintf("reader-%d", i)
		do(http.MethodPost, "/api/v1/users", "", map[string]any{"name": name, "password": testPassword}, created)
		do(http.MethodPut, "/api/v1/wallets/shared/members/"+name, c.boss, map[string]any{"role": "viewer"}, created)
		c.users = append(c.users, &streamUser{token: s.tokenOf(name, "events:read", "wallets:read", "tokens:*")})
	}
	return c
}

// tokenOf creates a token of a user.
func (s *server) tokenOf(user string, scopes ...string) (made madeToken) {
	s.t.Helper()
	body := testkit.Must(json.Marshal(map[string]any{"description": "reader", "lifetime": "1 day", "scopes": scopes}))
	r := testkit.Must(http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.url+"/api/v1/tokens", bytes.NewReader(body)))
	r.Header.Set("Content-Type", "application/json")
	r.SetBasicAuth(user, testPassword)
	response, err := http.DefaultClient.Do(r)
	testkit.Check(s.t, err)
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	testkit.Check(s.t, err)
	if response.StatusCode != created {
		s.t.Fatalf("create a token: status %d: %s", response.StatusCode, text)
	}
	into(s.t, &made, text)
	return made
}

// open opens all streams, and waits until each has sent its position.
func (c *streamClients) open() {
	c.t.Helper()
	for _, u := range c.users {
		for range streamsPerUser {
			c.stream(u)
		}
		testkit.Eventually(c.t, "the streams of a user to open", func() bool { return u.open.Load() == streamsPerUser })
	}
}

// stream opens a stream on its own connection, and counts its events until it ends.
func (c *streamClients) stream(u *streamUser) {
	c.t.Helper()
	conn := c.s.dial(c.t)
	_, err := io.WriteString(conn, "GET /api/v1/events?after=latest HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\nAuthorization: Bearer "+u.token.Secret+"\r\n\r\n")
	testkit.Check(c.t, err)
	go func() {
		defer func() { _ = conn.Close() }()
		response, err := http.ReadResponse(bufio.NewReaderSize(conn, 1024), nil)
		if err != nil {
			return
		}
		defer func() { _ = response.Body.Close() }()
		isOpen := false
		readStream(response.Body, func(_, data string) {
			switch {
			case strings.Contains(data, `"wallet.renamed"`):
				c.received.Add(1)
			case data == "" && !isOpen:
				isOpen = true
				u.open.Add(1)
			}
		})
		if isOpen {
			u.open.Add(-1)
		}
	}()
}

// rename renames the wallet, and returns the time until that many streams have the event. It calls
// meanwhile until then.
func (c *streamClients) rename(name string, streams int64, meanwhile func()) time.Duration {
	c.t.Helper()
	c.received.Store(0)
	begin := time.Now()
	if status := call(c.t.Context(), http.MethodPatch, c.s.url+"/api/v1/wallets/shared", c.boss, map[string]any{"name": name}, nil); status != ok {
		c.t.Fatalf("rename: status %d", status)
	}
	testkit.Eventually(c.t, "all streams to receive the event", func() bool {
		meanwhile()
		return c.received.Load() == streams
	})
	return time.Since(begin)
}

// revoke revokes the token of a user, and waits until all of its streams have ended.
func (c *streamClients) revoke(how string, u *streamUser, revoke func(id string)) {
	c.t.Helper()
	begin := time.Now()
	revoke(u.token.ID)
	testkit.Eventually(c.t, "the streams of a revoked token to end", func() bool { return u.open.Load() == 0 })
	took := time.Since(begin)
	testkit.Figure(c.t, "%d streams of a token that was revoked by %s ended after %v", streamsPerUser, how, took.Round(time.Millisecond))
	if testkit.Long() && took > time.Second {
		c.t.Errorf("after %v", took)
	}
}
