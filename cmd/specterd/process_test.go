package main

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/testkit"
)

const testPassword = "correct horse battery"

// server is the program, running in a process of its own.
type server struct {
	t       *testing.T
	cmd     *exec.Cmd
	url     string
	started time.Duration // from exec to listening
	log     *testkit.Log
}

// startServer starts specterd serve on a data folder. Environment is added to
// what every test server has.
func startServer(t *testing.T, dataFolder string, environment ...string) *server {
	t.Helper()
	cmd := exec.Command("specterd", "serve")
	cmd.Env = append(os.Environ(), "SPECTER_API_ACTIVE=true", "PORT=0", "SPECTER_BCRYPT_COST=4",
		"SPECTER_ADMIN_PASSWORD="+testPassword, "SPECTER_DATA_FOLDER="+dataFolder,
		"SPECTER_NODE_URL=http://user:password@127.0.0.1:1")
	cmd.Env = append(cmd.Env, environment...)
	s := &server{t: t, cmd: cmd, log: &testkit.Log{}}
	cmd.Stderr = s.log
	out, err := cmd.StdoutPipe()
	check(t, err)
	begin := time.Now()
	check(t, cmd.Start())
	t.Cleanup(s.kill)
	line, err := bufio.NewReader(out).ReadString('\n')
	s.started = time.Since(begin)
	_, url, ok := strings.Cut(strings.TrimSpace(line), "listens on ")
	if err != nil || !ok {
		_ = cmd.Wait()
		t.Fatalf("specterd did not start: %q, %v\n%s", line, err, s.log)
	}
	s.url = url
	return s
}

func (s *server) kill() {
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// call makes a request as JSON and decodes the answer into out, unless nil. It
// returns the status, or 0 where there was no whole answer.
func call(ctx context.Context, method, url, bearer string, body, out any) int {
	var reader io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return 0
		}
		reader = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, url, reader)
	if err != nil {
		return 0
	}
	req.Header.Set("Content-Type", "application/json")
	if bearer == "" {
		req.SetBasicAuth("admin", testPassword)
	} else {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil || (out != nil && json.Unmarshal(text, out) != nil) {
		return 0
	}
	return resp.StatusCode
}

type madeToken struct {
	ID     string `json:"id"`
	Secret string `json:"token"`
}

// ledger is what the server has acknowledged so far.
type ledger struct {
	mu      sync.Mutex
	alive   map[string]madeToken
	deleted map[string]madeToken
	unsure  map[string]bool // asked to be deleted, without an answer
}

// The process is killed under load again and again. What it acknowledged has to
// be there afterwards, and what it acknowledged as deleted must not.
func TestKilledUnderLoad(t *testing.T) {
	crashes := testkit.Size(20, 200)
	dir := t.TempDir()
	book := &ledger{alive: map[string]madeToken{}, deleted: map[string]madeToken{}, unsure: map[string]bool{}}
	s := startServer(t, dir)
	var boss madeToken
	status := call(t.Context(), http.MethodPost, s.url+"/api/v1/tokens", "", map[string]any{
		"description": "boss", "lifetime": "1 day", "scopes": []string{"tokens:*", "node:read"},
	}, &boss)
	if status != http.StatusCreated {
		t.Fatalf("status %d\n%s", status, s.log)
	}
	var slowest time.Duration
	for round := range crashes {
		loadAndKill(t, s, boss.Secret, round, book)
		s = startServer(t, dir)
		slowest = max(slowest, s.started)
		book.compare(t, s)
	}
	testkit.Figure(t, "%d kills; %d tokens acknowledged and kept, %d acknowledged as deleted and gone; slowest start %v",
		crashes, len(book.alive), len(book.deleted), slowest)
	if len(book.alive) < crashes || len(book.deleted) < crashes {
		t.Error("there was hardly any load")
	}
	s.kill()
	db, err := sql.Open("sqlite", filepath.Join(dir, "specterd.db"))
	check(t, err)
	t.Cleanup(func() { _ = db.Close() })
	var verdict string
	check(t, db.QueryRowContext(t.Context(), "PRAGMA integrity_check").Scan(&verdict))
	if verdict != "ok" {
		t.Errorf("integrity_check: %s", verdict)
	}
}

// loadAndKill makes and deletes tokens until the process is killed, at a moment
// that differs from round to round.
func loadAndKill(t *testing.T, s *server, boss string, round int, book *ledger) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	var wg sync.WaitGroup
	for worker := range 4 {
		wg.Go(func() {
			for i := 0; ; i++ {
				var made madeToken
				status := call(ctx, http.MethodPost, s.url+"/api/v1/tokens", boss, map[string]any{
					"description": fmt.Sprintf("%d/%d/%d", round, worker, i), "lifetime": "1 hour",
				}, &made)
				if status != http.StatusCreated {
					return // killed
				}
				book.add(made)
				if i%2 == 1 && !book.remove(ctx, s.url, boss, made) {
					return
				}
			}
		})
	}
	kill := time.NewTimer(100*time.Millisecond + rand.N(200*time.Millisecond))
	<-kill.C
	s.kill()
	wg.Wait()
}

func (b *ledger) add(made madeToken) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.alive[made.ID] = made
}

// remove deletes a token and reports whether that was acknowledged.
func (b *ledger) remove(ctx context.Context, url, boss string, made madeToken) bool {
	status := call(ctx, http.MethodDelete, url+"/api/v1/tokens/"+made.ID, boss, nil, nil)
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.alive, made.ID)
	if status != http.StatusNoContent {
		b.unsure[made.ID] = true
		return false
	}
	b.deleted[made.ID] = made
	return true
}

// compare uses every token of the ledger.
func (b *ledger) compare(t *testing.T, s *server) {
	t.Helper()
	for want, tokens := range map[int]map[string]madeToken{http.StatusOK: b.alive, http.StatusUnauthorized: b.deleted} {
		for id, made := range tokens {
			if got := call(t.Context(), http.MethodGet, s.url+"/api/v1/tokens/self", made.Secret, nil, nil); got != want {
				t.Fatalf("token %s: status %d, want %d\n%s", id, got, want, s.log)
			}
		}
	}
}
