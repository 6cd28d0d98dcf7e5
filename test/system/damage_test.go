package system

import (
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/specterd/specterd/internal/testenv/testkit"
)

// TestDamagedDatabase damages the database file in many ways. Either the server does not
// start and reports the reason, or SQLite's quick_check finds the damage while the server
// runs: the damage is logged, the readiness probe fails and all requests are refused. Until
// then, requests may fail because of invalid values, but the server never panics and never
// accepts a deleted token.
func TestDamagedDatabase(t *testing.T) {
	t.Parallel()
	sound := t.TempDir()
	s := startServer(t, sound)
	book := newLedger(s)
	for i := range testkit.Size(50, 200) {
		_, err := book.step(t.Context(), s.url, fmt.Sprint(i), i)
		testkit.Check(t, err)
	}
	testkit.Check(t, s.cmd.Process.Signal(syscall.SIGTERM))
	testkit.Check(t, s.cmd.Wait())

	outcomes := map[string]int{}
	for seed := range testkit.Size(len(damages), 50*len(damages)) {
		dir := filepath.Join(t.TempDir(), "data")
		testkit.Check(t, os.CopyFS(dir, os.DirFS(sound)))
		d := damages[seed%len(damages)]
		d.do(t, filepath.Join(dir, "specterd.db"), rand.New(rand.NewPCG(uint64(seed), 0)))
		damaged := damagedServer{t: t, ledger: book, what: fmt.Sprintf("%s, seed %d", d.name, seed), statuses: map[int]int{}}
		outcomes[damaged.run(dir)]++
		if damaged.statuses[http.StatusInternalServerError] > 0 {
			outcomes["with internal errors before that"]++
		}
		testkit.Check(t, os.RemoveAll(dir))
	}
	testkit.Figure(t, "damaged database files: %v; no deleted token let in, no panic", outcomes)
}

// damages are ways to damage a file with pages of 4096 bytes.
var damages = []struct {
	name string
	do   func(t *testing.T, path string, r *rand.Rand)
}{
	{"header", change(func(file []byte, r *rand.Rand) []byte { overwriteRandom(file[:100], 1+r.IntN(100), r); return file })},
	{"schema", change(func(file []byte, r *rand.Rand) []byte { overwriteRandom(file[100:4096], 1+r.IntN(500), r); return file })},
	{"a page of noise", change(func(file []byte, r *rand.Rand) []byte { p := page(file, r); overwriteRandom(p, len(p), r); return file })},
	{"five pages of zeroes", change(func(file []byte, r *rand.Rand) []byte {
		for range 5 {
			clear(page(file, r))
		}
		return file
	})},
	{"a page in another's place", change(func(file []byte, r *rand.Rand) []byte { copy(page(file, r), page(file, r)); return file })},
	{"the heads of all pages but the first", change(func(file []byte, r *rand.Rand) []byte {
		for at := 4096; at < len(file); at += 4096 {
			overwriteRandom(file[at:at+12], 2, r)
		}
		return file
	})},
	{"some bits", change(func(file []byte, r *rand.Rand) []byte {
		for range 50 {
			file[r.IntN(len(file))] ^= 1 << r.IntN(8)
		}
		return file
	})},
	{"the end cut off", change(func(file []byte, r *rand.Rand) []byte { return file[:r.IntN(len(file))] })},
	{"tokens", root("tokens", "sqlite_autoindex_tokens_1")},
	{"users", root("users", "sqlite_autoindex_users_1")},
	{"settings", root("settings", "goose_db_version")},
}

func change(what func(file []byte, r *rand.Rand) []byte) func(*testing.T, string, *rand.Rand) {
	return func(t *testing.T, path string, r *rand.Rand) {
		t.Helper()
		file, err := os.ReadFile(path)
		testkit.Check(t, err)
		testkit.Check(t, os.WriteFile(path, what(file, r), 0o600))
	}
}

func page(file []byte, r *rand.Rand) []byte {
	at := r.IntN(len(file)/4096) * 4096
	return file[at : at+4096]
}

func overwriteRandom(on []byte, bytes int, r *rand.Rand) {
	for range bytes {
		on[r.IntN(len(on))] = byte(r.Uint32())
	}
}

// root returns a function that damages the root page of a randomly selected table or
// index among names.
func root(names ...string) func(*testing.T, string, *rand.Rand) {
	return func(t *testing.T, path string, r *rand.Rand) {
		t.Helper()
		db, err := sql.Open("sqlite", path)
		testkit.Check(t, err)
		var number int
		testkit.Check(t, db.QueryRowContext(t.Context(), "SELECT rootpage FROM sqlite_schema WHERE name = $1", names[r.IntN(len(names))]).Scan(&number))
		testkit.Check(t, db.Close())
		change(func(file []byte, r *rand.Rand) []byte {
			p := file[(number-1)*4096 : number*4096]
			overwriteRandom(p[:[]int{8, 100, 4096}[r.IntN(3)]], 1+r.IntN(100), r)
			return file
		})(t, path, r)
	}
}

// damagedServer is a server with a damaged database file.
type damagedServer struct {
	*server
	*ledger

	t        *testing.T
	what     string
	statuses map[int]int // number of responses by status
}

// run starts the server on the damaged database, makes requests, and returns the outcome.
func (d *damagedServer) run(dir string) string {
	d.t.Helper()
	visible := !sound(d.t, dir)
	var err error
	d.server, err = tryServer(d.t, serveCommand(dir))
	defer d.kill()
	defer func() {
		if strings.Contains(d.log.String(), "panic") {
			d.t.Errorf("%s: panic\n%s", d.what, d.log)
		}
	}()
	if err != nil {
		exit, ok := errors.AsType[*exec.ExitError](err)
		if !ok || exit.ExitCode() != 1 {
			d.t.Errorf("%s: %v\n%s", d.what, err, d.log)
		}
		if strings.Contains(d.log.String(), "is damaged or is not a specterd database; keep a copy of the file and restore a backup") {
			return "refused as damaged"
		}
		d.t.Logf("%s: refused with: %s", d.what, d.log)
		return "refused otherwise"
	}
	d.use()
	if !visible {
		return "nothing that quick_check sees"
	}
	testkit.Eventually(d.t, "damage to be detected: "+d.what, func() bool {
		var readiness struct{ Reason string }
		call(d.t.Context(), http.MethodGet, d.url+"/api/healthz/readyness", d.boss.Secret, nil, &readiness)
		return readiness.Reason == "the database does not respond" && strings.Contains(d.log.String(), "the database is damaged")
	})
	before := d.statuses
	d.statuses = map[int]int{}
	d.use()
	if len(d.statuses) != 1 || d.statuses[http.StatusServiceUnavailable] == 0 {
		d.t.Errorf("%s: after the damage was detected: %v\n%s", d.what, d.statuses, d.log)
	}
	d.statuses = before
	return "found by quick_check"
}

// use makes requests of all kinds.
func (d *damagedServer) use() {
	d.t.Helper()
	ask := func(method, path, secret string, body any) int {
		status := call(d.t.Context(), method, d.url+path, secret, body, nil)
		if status == 0 {
			d.t.Errorf("%s: %s %s: no response\n%s", d.what, method, path, d.log)
		}
		d.statuses[status]++
		return status
	}
	for id, f := range d.facts {
		if f.secret == "" {
			continue
		}
		if status := ask(http.MethodGet, "/api/v1/tokens/self", f.secret, nil); f.state == deleted && status == http.StatusOK {
			d.t.Errorf("%s: the deleted token %s is accepted", d.what, id)
		}
	}
	ask(http.MethodGet, "/api/v1/users/me", "", nil)
	for _, path := range []string{"/api/v1/tokens", "/api/v1/users", "/api/v1/audit", "/api/v1/wallets"} {
		ask(http.MethodGet, path, d.boss.Secret, nil)
	}
	ask(http.MethodPost, "/api/v1/tokens", d.boss.Secret, map[string]any{"description": "of a damaged database", "lifetime": "1 hour"})
}

// sound reports whether SQLite finds no problem in the pages of a database.
func sound(t *testing.T, dir string) bool {
	db := shell(t, dir)
	defer func() { _ = db.Close() }()
	var verdict string
	err := db.QueryRowContext(t.Context(), "PRAGMA quick_check(1)").Scan(&verdict)
	return err == nil && verdict == "ok"
}
