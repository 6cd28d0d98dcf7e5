package system

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/testenv/testkit"
)

// ownMounts is an environment variable that marks a process with its own mount namespace.
const ownMounts = "SPECTERD_TEST_OWN_MOUNTS"

// withOwnMounts runs the test again in a process with its own mount namespace, and reports
// whether the current process is that process.
func withOwnMounts(t *testing.T) bool {
	t.Helper()
	testkit.NeedsServer(t, "specterd")
	if os.Getenv(ownMounts) != "" {
		return true
	}
	self, err := os.Executable()
	testkit.Check(t, err)
	args := []string{"--user", "--map-root-user", "--mount", self, "-test.run=^" + t.Name() + "$", "-test.v", "-test.timeout=20m"}
	cmd := exec.CommandContext(t.Context(), "unshare", args...)
	cmd.Env = append(os.Environ(), ownMounts+"=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s\nThe test mounts a small disk, in a user and mount namespace of its own (unshare --user --map-root-user --mount). "+
			"If that is what failed: it needs root, or kernel.apparmor_restrict_unprivileged_userns=0, and in a container --privileged.", err, out)
	}
	for line := range strings.Lines(string(out)) {
		if _, figure, ok := strings.Cut(line, "FIGURE "); ok {
			testkit.Figure(t, "%s", strings.TrimSpace(figure))
		}
	}
	return false
}

// smallDisk returns a directory on a disk of a few megabytes.
func smallDisk(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=8m"); err != nil {
		t.Fatalf("mount a small disk: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	return dir
}

// fill fills the disk, and returns a function that frees the space.
func fill(t *testing.T, dir string) (free func()) {
	t.Helper()
	path := filepath.Join(dir, "filler")
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o600)
	testkit.Check(t, err)
	block := make([]byte, 4096)
	for err == nil {
		_, err = f.Write(block)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	testkit.Check(t, f.Close())
	return func() { testkit.Check(t, os.Remove(path)) }
}

// refusal is an error response of the server.
type refusal struct {
	Status int
	Code   string
	Reason string
	Title  string
	Detail string
	After  string
}

func (s *server) ask(method, path, bearer string, body any) refusal {
	s.t.Helper()
	text, err := json.Marshal(body)
	testkit.Check(s.t, err)
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, bytes.NewReader(text))
	testkit.Check(s.t, err)
	req.Header.Set("Content-Type", "application/json")
	if req.SetBasicAuth("admin", testPassword); bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	resp, err := http.DefaultClient.Do(req)
	testkit.Check(s.t, err)
	defer func() { _ = resp.Body.Close() }()
	r := refusal{Status: resp.StatusCode, After: resp.Header.Get("Retry-After")}
	_ = json.NewDecoder(resp.Body).Decode(&r) // not every response has a body
	r.Status = resp.StatusCode
	return r
}

func (s *server) tryMake(description string) refusal {
	s.t.Helper()
	return s.ask(http.MethodPost, "/api/v1/tokens", "", map[string]any{"description": description, "lifetime": "1 hour"})
}

// recovers waits until tokens can be created and the server is ready, and returns the time
// that this took.
func (s *server) recovers(what string) time.Duration {
	s.t.Helper()
	begin := time.Now()
	n := 0
	testkit.Eventually(s.t, what, func() bool {
		n++
		return s.tryMake(fmt.Sprintf("%s %d", what, n)).Status == http.StatusCreated && !strings.Contains(s.ready(), "database")
	})
	return time.Since(begin).Round(100 * time.Millisecond)
}

// TestFullAndReadOnlyDisk checks that a full disk prevents all changes except revocations
// of access, and that a read-only disk prevents all changes. Acknowledged changes survive a
// restart, and the server recovers without a restart.
func TestFullAndReadOnlyDisk(t *testing.T) {
	t.Parallel()
	if !withOwnMounts(t) {
		return
	}
	t.Run("full", fullDisk)
	t.Run("full at the start", fullAtStart)
	t.Run("read-only", readOnlyDisk)
}

func fullDisk(t *testing.T) {
	dir := smallDisk(t)
	reserve := filepath.Join(dir, "specterd.db.reserve")
	s := startServer(t, dir)
	if at, err := os.Stat(reserve); err != nil || at.Sys().(*syscall.Stat_t).Blocks*512 < 1<<20 {
		t.Fatalf("the disk reserve takes no space: %v", err)
	}
	var boss madeToken
	call(t.Context(), http.MethodPost, s.url+"/api/v1/tokens", "", map[string]any{"description": "boss", "lifetime": "1 hour", "scopes": []string{"users:*"}}, &boss)
	if r := s.ask(http.MethodPost, "/api/v1/users", "", map[string]any{"name": "bob", "password": "another good password"}); r.Status != http.StatusCreated {
		t.Fatalf("make bob: %+v", r)
	}
	var kept, revoked []madeToken
	for i := range testkit.Size(30, 150) {
		kept = append(kept, s.token(fmt.Sprintf("kept %d", i)))
		revoked = append(revoked, s.token(fmt.Sprintf("revoked %d", i)))
	}
	free := fill(t, dir)
	var r refusal
	accepted := 0
	testkit.Eventually(t, "a token is refused", func() bool {
		r = s.tryMake(fmt.Sprintf("more %d", accepted))
		if r.Status == http.StatusCreated { // the database file had free pages
			accepted++
		}
		return r.Status != http.StatusCreated
	})
	if r.Status != http.StatusServiceUnavailable || r.Code != "disk_full" || r.After == "" || !strings.Contains(r.Detail, "Free disk space") {
		t.Errorf("a token on a full disk: %+v", r)
	}
	if _, err := os.Stat(reserve); err == nil {
		t.Error("the disk reserve still exists")
	}
	for i, made := range revoked {
		s.delete(made)
		s.use(http.StatusUnauthorized, made)
		if i%10 == 0 {
			if r := s.tryMake("between"); r.Status != http.StatusServiceUnavailable {
				t.Errorf("a token while the reserve is missing: %+v", r)
			}
		}
	}
	if r := s.ask(http.MethodPatch, "/api/v1/users/bob", boss.Secret, map[string]any{"disabled": true}); r.Status != http.StatusOK {
		t.Errorf("disable bob: %+v", r)
	}
	s.use(http.StatusOK, kept...)
	if r := s.ready(); !strings.Contains(r, "disk with the database is full") {
		t.Errorf("readiness is %q", r)
	}
	out, err := tool(t, dir, "doctor").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "error    disk") {
		t.Errorf("doctor: %v\n%s", err, out)
	}

	s.kill()
	s = startServer(t, dir)
	s.use(http.StatusUnauthorized, revoked...)
	s.use(http.StatusOK, kept...)
	if r := s.tryMake("after a restart"); r.Code != "disk_full" {
		t.Errorf("a token after a restart: %+v", r)
	}
	last := kept[len(kept)-1]
	s.delete(last)
	s.use(http.StatusUnauthorized, last)

	free()
	took := s.recovers("recovered")
	if _, err := os.Stat(reserve); err != nil {
		t.Errorf("the disk reserve was not created again: %v", err)
	}
	s.use(http.StatusUnauthorized, revoked...)
	testkit.Figure(t, "disk full: %d tokens and a user revoked, 0 accepted afterwards nor after a restart; creates 503; working %v after there was room", len(revoked)+1, took)
}

// ready returns the reason why the server is not ready, or an empty string if it is
// ready.
func (s *server) ready() string {
	s.t.Helper()
	return s.ask(http.MethodGet, "/api/healthz/readyness", "", nil).Reason
}

// fullAtStart checks that a server that was stopped before the disk filled up can start,
// because it frees the space of its disk reserve.
func fullAtStart(t *testing.T) {
	dir := smallDisk(t)
	s := startServer(t, dir)
	made := s.token("made")
	testkit.Check(t, s.cmd.Process.Signal(syscall.SIGTERM))
	testkit.Check(t, s.cmd.Wait())
	free := fill(t, dir)
	s = startServer(t, dir)
	if _, err := os.Stat(filepath.Join(dir, "specterd.db.reserve")); err == nil {
		t.Error("the disk was not full")
	}
	s.use(http.StatusOK, made)
	s.delete(made)
	s.use(http.StatusUnauthorized, made)
	free()
	s.recovers("recovered")
}

// readOnlyDisk simulates a read-only disk. Remounting a disk that is in use affects the
// whole machine, so strace makes the system calls that write to the database's files fail
// instead.
func readOnlyDisk(t *testing.T) {
	dir := t.TempDir()
	s := startServer(t, dir)
	made := s.token("made")
	writable := s.failWrites(dir)
	r := s.tryMake("refused")
	if r.Status != http.StatusServiceUnavailable || r.After == "" {
		t.Errorf("a token on a read-only disk: %+v", r)
	}
	if r := s.ask(http.MethodDelete, "/api/v1/tokens/"+made.ID, "", nil); r.Status != http.StatusServiceUnavailable {
		t.Errorf("a deletion on a read-only disk: %+v", r)
	}
	s.use(http.StatusOK, made) // the deletion was refused
	if reason := s.ready(); !strings.Contains(reason, "cannot be written to") {
		t.Errorf("readiness is %q", reason)
	}
	writable()
	took := s.recovers("recovered")
	s.delete(made)
	s.use(http.StatusUnauthorized, made)
	testkit.Figure(t, "disk read-only: reads answered, writes 503; working %v after it was writable", took)
}

// failWrites makes the server's writes to its database fail as on a read-only disk, until
// the returned function is called.
func (s *server) failWrites(dir string) (stop func()) {
	s.t.Helper()
	database := filepath.Join(dir, "specterd.db")
	calls := "pwrite64,ftruncate,fsync,fdatasync"
	return s.inject("--trace-path", database, "--trace-path", database+"-wal", "--trace", calls, "--inject", calls+":error=EROFS")
}

// inject makes strace change the results of the server's system calls until the returned
// function is called.
func (s *server) inject(args ...string) (stop func()) {
	s.t.Helper()
	args = append([]string{"--follow-forks", "--attach", fmt.Sprint(s.cmd.Process.Pid), "--output", os.DevNull}, args...)
	cmd := exec.Command("strace", args...)
	stderr, err := cmd.StderrPipe()
	testkit.Check(s.t, err)
	if err := cmd.Start(); err != nil {
		s.t.Fatalf("%v; run make test-deps", err)
	}
	s.t.Cleanup(func() { _ = cmd.Process.Kill() })
	line, err := bufio.NewReader(stderr).ReadString('\n')
	if err != nil || !strings.Contains(line, "attached") {
		s.t.Fatalf("strace did not attach, which requires root or kernel.yama.ptrace_scope=0, and in a container --cap-add SYS_PTRACE: %q, %v", line, err)
	}
	return func() {
		testkit.Check(s.t, cmd.Process.Signal(os.Interrupt))
		_ = cmd.Wait() // strace ends with the signal
	}
}
