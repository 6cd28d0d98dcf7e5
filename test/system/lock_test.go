package system

import (
	"database/sql"
	"fmt"
	"net/http"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/testenv/testkit"
)

// TestCommands_WhileServing checks that a second server on the same database fails and
// names the process of the first, and that commands work while the server is running and
// take effect at once.
func TestCommands_WhileServing(t *testing.T) {
	dir := t.TempDir()
	s := startServer(t, dir)
	begin := time.Now()
	out, err := tool(t, dir, "serve").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "another specterd uses this database: process") {
		t.Errorf("a second server: %v, %s", err, out)
	}
	took := time.Since(begin)
	testkit.Figure(t, "a second server on the SQLite file gave up after %v", took.Round(time.Millisecond))
	if took > testkit.Bar(2*time.Second) {
		t.Errorf("it took %v to fail", took)
	}

	var made madeToken
	request := map[string]any{"description": "x", "lifetime": "1 hour"}
	if status := call(t.Context(), http.MethodPost, s.url+"/api/v1/tokens", "", request, &made); status != http.StatusCreated {
		t.Fatalf("status %d", status)
	}
	out, err = tool(t, dir, "token", "list", "--user", "admin").CombinedOutput()
	if err != nil || !strings.Contains(string(out), made.ID) {
		t.Errorf("token list: %v\n%s", err, out)
	}
	out, err = tool(t, dir, "token", "revoke", made.ID, "--yes").CombinedOutput()
	if err != nil {
		t.Errorf("token revoke: %v\n%s", err, out)
	}
	if status := call(t.Context(), http.MethodGet, s.url+"/api/v1/tokens/self", made.Secret, nil, nil); status != http.StatusUnauthorized {
		t.Errorf("the revoked token: status %d", status)
	}
}

// TestCommands_Concurrent checks that eight concurrent commands on a new directory all succeed: one
// creates the database, and the others wait for it.
func TestCommands_Concurrent(t *testing.T) {
	testkit.NeedsServer(t, "specterd")
	dir := t.TempDir()
	var wg sync.WaitGroup
	var mu sync.Mutex
	serving, refused := 0, 0
	for range 8 {
		wg.Go(func() {
			cmd := tool(t, dir, "user", "list", "--init")
			out, err := cmd.CombinedOutput()
			mu.Lock()
			defer mu.Unlock()
			if err == nil && strings.Contains(string(out), "admin") {
				serving++
			} else {
				refused++
				t.Logf("%v: %s", err, out)
			}
		})
	}
	wg.Wait()
	if serving != 8 {
		t.Errorf("%d of 8 commands succeeded, %d failed", serving, refused)
	}
	s := startServer(t, dir)
	if status := call(t.Context(), http.MethodGet, s.url+"/api/healthz/liveness", "x", nil, nil); status != http.StatusOK {
		t.Errorf("status %d", status)
	}
}

// TestServers_Concurrent starts eight servers on a new directory at once. One serves; the
// others fail and name its process.
func TestServers_Concurrent(t *testing.T) {
	t.Parallel()
	var slowest time.Duration
	rounds := testkit.Size(1, 20)
	for range rounds {
		dir := t.TempDir()
		var first *server
		var refused []*server
		for _, s := range eightServers(t, func() *exec.Cmd { return serveCommand(dir) }) {
			if s.url == "" {
				refused = append(refused, s)
				slowest = max(slowest, s.started)
			} else {
				first = s
			}
		}
		if len(refused) != 7 {
			t.Fatalf("%d of 8 servers failed", len(refused))
		}
		for _, s := range refused {
			if !strings.Contains(s.log.String(), fmt.Sprintf("another specterd uses this database: process %d, serving since", first.cmd.Process.Pid)) {
				t.Errorf("the error does not name the running server: %s", s.log)
			}
		}
		first.token("works")
		first.kill()
	}
	testkit.Figure(t, "%d times eight servers at once on a fresh folder: one served, seven named it, after %v at most", rounds, slowest.Round(time.Millisecond))
	if slowest > testkit.Bar(2*time.Second) {
		t.Errorf("it took %v to fail", slowest)
	}
}

// TestServers_ConcurrentPostgres checks that eight servers started at once on a new
// PostgreSQL database all serve, that it is migrated only once, and that it has one admin.
func TestServers_ConcurrentPostgres(t *testing.T) {
	t.Parallel()
	rounds := testkit.Size(1, 10)
	var slowest time.Duration
	for range rounds {
		url := testkit.Postgres(t)
		servers := eightServers(t, func() *exec.Cmd {
			return serveCommand(t.TempDir(), "SPECTER_DATABASE_URL="+url, "SECRET_KEY="+testKey)
		})
		for i, s := range servers {
			if s.url == "" {
				t.Fatalf("a server does not serve:\n%s", s.log)
			}
			s.token(fmt.Sprint(i))
			slowest = max(slowest, s.started)
		}
		db, err := sql.Open("pgx", url)
		testkit.Check(t, err)
		var doubled, users, made int
		testkit.Check(t, db.QueryRowContext(t.Context(), "SELECT (SELECT count(*) - count(DISTINCT version_id) FROM goose_db_version), (SELECT count(*) FROM users), (SELECT count(*) FROM audit WHERE action = 'user.create')").Scan(&doubled, &users, &made))
		if doubled != 0 || users != 1 || made != 1 {
			t.Errorf("%d migrations ran twice; %d users exist, and %d were created", doubled, users, made)
		}
		testkit.Check(t, db.Close())
		for _, s := range servers {
			s.kill()
		}
	}
	testkit.Figure(t, "%d times eight servers at once on a fresh PostgreSQL database: all served, after %v at most; it was migrated once and got one admin", rounds, slowest.Round(time.Millisecond))
}

// eightServers starts eight servers at once. A server that failed to start has an empty
// URL.
func eightServers(t *testing.T, command func() *exec.Cmd) []*server {
	t.Helper()
	testkit.NeedsServer(t, "specterd")
	servers := make([]*server, 8)
	var starting sync.WaitGroup
	for i := range servers {
		cmd := command()
		starting.Go(func() { servers[i], _ = tryServer(t, cmd) })
	}
	starting.Wait()
	return servers
}

// TestLongLock checks that, while another process holds SQLite's write lock, writes are
// refused with Retry-After and have no effect, and reads succeed. Writes succeed again once
// the lock is released.
func TestLongLock(t *testing.T) {
	t.Parallel()
	writers := testkit.Size(4, 64)
	dir := t.TempDir()
	s := startServer(t, dir)
	c := outageClient{t: t, url: s.url, token: s.token("boss", "tokens:*", "node:read").Secret}
	conn, err := shell(t, dir).Conn(t.Context())
	testkit.Check(t, err)
	defer func() { _ = conn.Close() }()
	_, err = conn.ExecContext(t.Context(), "BEGIN IMMEDIATE")
	testkit.Check(t, err)

	order := func(i int) map[string]any {
		return map[string]any{"description": fmt.Sprint("order ", i), "lifetime": "1 hour"}
	}
	begin := time.Now()
	var writing sync.WaitGroup
	for i := range writers {
		writing.Go(func() { c.do(http.MethodPost, "/api/v1/tokens", order(i), http.StatusServiceUnavailable) })
	}
	refused := make(chan time.Duration)
	go func() { writing.Wait(); refused <- time.Since(begin) }()
	var reads int
	var slowest, took time.Duration
	pause := time.NewTicker(10 * time.Millisecond)
	defer pause.Stop()
	for took == 0 {
		start := time.Now()
		c.do(http.MethodGet, "/api/v1/tokens", nil, http.StatusOK)
		slowest = max(slowest, time.Since(start))
		reads++
		select {
		case took = <-refused:
		case <-pause.C:
		}
	}
	if status := call(t.Context(), http.MethodGet, s.url+"/api/v1/users/me", "", nil, nil); status != http.StatusOK {
		t.Errorf("a password: status %d", status)
	}
	_, err = conn.ExecContext(t.Context(), "ROLLBACK")
	testkit.Check(t, err)
	if found := rowsOf(t, dir); len(found) != 2 { // the token boss and the user admin
		t.Errorf("a refused request had side effects: %v", found)
	}
	start := time.Now()
	for i := range writers {
		c.do(http.MethodPost, "/api/v1/tokens", order(i), http.StatusCreated)
	}
	testkit.Figure(t, "the write lock held elsewhere: %d writes refused after %v at most; %d reads beside, the slowest %v; then %d writes in %v",
		writers, took.Round(time.Millisecond), reads, slowest.Round(time.Millisecond), writers, time.Since(start).Round(time.Millisecond))
	if took > testkit.Bar(13*time.Second) { // 8 seconds of retries, and 5 seconds of the last attempt, during which SQLite waits
		t.Errorf("refused after %v", took)
	}
}
