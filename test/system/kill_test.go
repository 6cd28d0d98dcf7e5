package system

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/testenv/testkit"
)

// TestKilledUnderLoad kills the server under load repeatedly. Acknowledged changes must survive,
// including deletions.
func TestKilledUnderLoad(t *testing.T) {
	t.Parallel()
	kills, writes := testkit.Size(6, 200), testkit.Size(100, 20_000)
	dir := t.TempDir()
	s := startServer(t, dir)
	book := newLedger(s)
	var slowest time.Duration
	round := 0
	for ; round < kills || book.writes < writes; round++ {
		process := s.cmd.Process
		kill := time.AfterFunc(rand.N(300*time.Millisecond), func() { _ = process.Kill() })
		book.load(t, s, fmt.Sprint(round), 4)
		kill.Stop()
		s.kill()
		begin := time.Now()
		s = startServer(t, dir)
		book.wantAdmin(t, s)
		slowest = max(slowest, time.Since(begin))
		book.compare(t, s, dir)
	}
	book.compareAll(t, s, dir)
	testkit.Figure(t, "%d kills at random moments: of %s none was lost and none came back; ready after %v at most", round, book, slowest.Round(time.Millisecond))
	if slowest > testkit.Bar(time.Second) {
		t.Errorf("the slowest start took %v", slowest)
	}
}

// TestKilledAtSystemCalls kills the server at system calls that write to the disk: at the first
// start, under load, and while it stops.
func TestKilledAtSystemCalls(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := startServer(t, dir)
	book := newLedger(s)
	s.kill()
	deaths := map[string]int{}
	for round := range testkit.Size(3, 100) {
		at := []string{"pwrite64", "fsync", "pwrite64", "fsync", "unlink", "ftruncate"}[rand.N(6)]
		s, err := tryServer(t, killedAtCall(serveCommand(dir), at, 1+rand.N(often[at]+1)))
		if err == nil {
			stop := time.AfterFunc(rand.N(2*time.Second), func() { _ = s.cmd.Process.Signal(syscall.SIGTERM) })
			book.load(t, s, fmt.Sprint(round), 4)
			stop.Stop()
			_ = s.cmd.Process.Signal(syscall.SIGTERM)
			err = s.cmd.Wait()
		}
		if killed(t, s, err) {
			deaths["at "+at]++
		}
		s = startServer(t, dir)
		book.compare(t, s, dir)
		s.kill()
	}
	for i := range testkit.Size(4, 100) {
		at := []string{"pwrite64", "fsync", "renameat", "unlink"}[i%4]
		fresh := t.TempDir()
		s, err := tryServer(t, killedAtCall(serveCommand(fresh), at, 1+i/4*max(1, often[at]/25)))
		if killed(t, s, err) {
			deaths["at the first start"]++
		}
		s.kill()
		s = startServer(t, fresh)
		newLedger(s) // checks that the first admin exists
		s.kill()
	}
	s = startServer(t, dir)
	book.compareAll(t, s, dir)
	testkit.Figure(t, "kills %v: of %s none was lost and none came back", deaths, book)
	if deaths["at the first start"] == 0 {
		t.Error("no process was killed")
	}
}

// killedAtCall returns a command that runs cmd under strace, which kills it when one of
// its threads makes a system call for the nth time.
func killedAtCall(cmd *exec.Cmd, at string, when int) *exec.Cmd {
	return traced(cmd, "-qq", "-o", "/dev/null", "-e", "trace="+at, "-e", "inject="+at+":signal=SIGKILL:when="+strconv.Itoa(when))
}

// killed reports whether a process that ended with err was killed.
func killed(t *testing.T, s *server, err error) bool {
	t.Helper()
	if err == nil {
		return false
	}
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Fatalf("the process was not killed: %v\n%s", err, s.log)
	}
	return true
}

// often maps frequent system calls to the approximate number of times that one thread
// makes them.
var often = map[string]int{"pwrite64": 200, "fsync": 15}

// ledger records the acknowledged changes: tokens by id, users by name.
type ledger struct {
	boss madeToken // creates the others

	mu     sync.Mutex
	writes int
	facts  map[string]fact
	fresh  []string // keys of facts that compare has not checked yet
}

type fact struct {
	secret string // of a token
	state  state
}

type state int

const (
	alive   state = iota
	deleted       // acknowledged
	unsure        // deletion requested, without a response
)

func newLedger(s *server) *ledger {
	return &ledger{boss: s.token("boss", "tokens:*", "users:*", "audit:*", "node:read", "wallets:*"), facts: map[string]fact{}}
}

// String returns the counts of the ledger.
func (b *ledger) String() string {
	n := map[state]int{}
	for _, f := range b.facts {
		n[f.state]++
	}
	return fmt.Sprintf("%d acknowledged writes (%d tokens and users there, %d deleted)", b.writes, n[alive], n[deleted])
}

// load creates and deletes tokens and users, with several workers, until the server does not
// respond or stops. Another refusal, such as for a quota, fails the test: the ledger would never
// have enough writes.
func (b *ledger) load(t *testing.T, s *server, round string, workers int) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	var wg sync.WaitGroup
	for worker := range workers {
		wg.Go(func() {
			refused, err := 0, error(nil)
			for i := 0; err == nil; i++ {
				refused, err = b.step(ctx, s.url, fmt.Sprintf("%s/%d/%d", round, worker, i), i)
			}
			if refused != 0 && refused != http.StatusServiceUnavailable {
				t.Errorf("%v\n%s", err, s.log)
			}
		})
	}
	wg.Wait()
}

// step creates a token, or every fourth time a user, and keeps every third of them. If a request is
// not acknowledged, it returns an error and the status, which is 0 without a response.
func (b *ledger) step(ctx context.Context, url, name string, i int) (status int, err error) {
	var path, id, secret string
	if i%4 < 3 {
		var made madeToken
		status = call(ctx, http.MethodPost, url+"/api/v1/tokens", b.boss.Secret, map[string]any{"description": name, "lifetime": "12 hours"}, &made)
		path, id, secret = "/api/v1/tokens/"+made.ID, made.ID, made.Secret
	} else {
		id = strings.ReplaceAll(name, "/", "-")
		status = call(ctx, http.MethodPost, url+"/api/v1/users", "", map[string]any{"name": id, "password": testPassword}, nil)
		path = "/api/v1/users/" + id
	}
	if status != http.StatusCreated {
		return status, fmt.Errorf("create %s: status %d", name, status)
	}
	b.note(id, fact{secret: secret}, true)
	if i%3 == 2 {
		return 0, nil
	}
	status = call(ctx, http.MethodDelete, url+path, b.boss.Secret, nil, nil)
	if status != http.StatusOK && status != http.StatusNoContent {
		b.note(id, fact{secret, unsure}, false)
		return status, fmt.Errorf("DELETE %s: status %d", path, status)
	}
	b.note(id, fact{secret, deleted}, true)
	return 0, nil
}

func (b *ledger) note(id string, f fact, acknowledged bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if acknowledged {
		b.writes++
	}
	if _, known := b.facts[id]; !known {
		b.fresh = append(b.fresh, id)
	}
	b.facts[id] = f
}

// compare compares the database with the ledger, and uses the new tokens.
func (b *ledger) compare(t *testing.T, s *server, dir string) {
	t.Helper()
	rows := rowsOf(t, dir)
	for id, f := range b.facts {
		if f.state != unsure && rows[id] != (f.state == alive) {
			t.Fatalf("%s is in the database: %v\n%s", id, rows[id], s.log)
		}
	}
	for _, id := range b.fresh {
		b.use(t, s, id)
	}
	b.fresh = nil
}

// compareAll uses every token of the ledger, and verifies the audit log and the database.
func (b *ledger) compareAll(t *testing.T, s *server, dir string) {
	t.Helper()
	b.compare(t, s, dir)
	for id := range b.facts {
		b.use(t, s, id)
	}
	if out, err := tool(t, dir, "audit", "verify").CombinedOutput(); err != nil {
		t.Errorf("the audit log: %v\n%s", err, out)
	}
	s.kill()
	var verdict string
	testkit.Check(t, shell(t, dir).QueryRowContext(t.Context(), "PRAGMA integrity_check").Scan(&verdict))
	if verdict != "ok" {
		t.Errorf("integrity_check: %s", verdict)
	}
}

func (b *ledger) wantAdmin(t *testing.T, s *server) {
	t.Helper()
	if got := call(t.Context(), http.MethodGet, s.url+"/api/v1/tokens/self", b.boss.Secret, nil, nil); got != http.StatusOK {
		t.Fatalf("the first response: status %d\n%s", got, s.log)
	}
}

// use makes a request with a token, unless its state is unsure, and checks that it is
// refused only if it was deleted.
func (b *ledger) use(t *testing.T, s *server, id string) {
	t.Helper()
	f := b.facts[id]
	if f.secret == "" || f.state == unsure {
		return
	}
	want := map[state]int{alive: http.StatusOK, deleted: http.StatusUnauthorized}[f.state]
	if got := call(t.Context(), http.MethodGet, s.url+"/api/v1/tokens/self", f.secret, nil, nil); got != want {
		t.Fatalf("token %s: status %d, want %d\n%s", id, got, want, s.log)
	}
}

// rowsOf returns the ids of all tokens and the names of all users in a database.
func rowsOf(t *testing.T, dir string) map[string]bool {
	t.Helper()
	db := shell(t, dir)
	defer func() { _ = db.Close() }() // the server must be the last to close it
	rows, err := db.QueryContext(t.Context(), "SELECT token_id FROM tokens UNION ALL SELECT name FROM users")
	testkit.Check(t, err)
	defer func() { _ = rows.Close() }()
	found := map[string]bool{}
	for rows.Next() {
		var id string
		testkit.Check(t, rows.Scan(&id))
		found[id] = true
	}
	testkit.Check(t, rows.Err())
	return found
}
