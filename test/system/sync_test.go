package system

import (
	"bufio"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/specterd/specterd/internal/testenv/testkit"
)

// TestSyncBeforeResponse checks that changes are synced to disk before they are
// acknowledged: between a request and its response, the changed pages are written to
// SQLite's write-ahead log, and then a sync of that file completes. Killing the process
// cannot test this: only a power failure loses data that was written but not synced.
func TestSyncBeforeResponse(t *testing.T) {
	t.Parallel()
	rounds := testkit.Size(4, 200)
	s, trace := startWatched(t)
	boss := s.token("boss", "tokens:*", "users:*", "node:read").Secret
	trace.answer(t, "boss")
	writes, exceptions := 0, 0
	write := func(method, path, mark string, body, out any) {
		t.Helper()
		credential := boss
		if method == http.MethodPost && path == "/api/v1/users" {
			credential = "" // the password
		}
		status := call(t.Context(), method, s.url+path, credential, body, out)
		if status != http.StatusOK && status != http.StatusCreated && status != http.StatusNoContent {
			t.Fatalf("%s %s: status %d\n%s", method, path, status, s.log)
		}
		if made, ok := out.(*madeToken); ok {
			mark = made.ID
		}
		writes++
		if synced := trace.answer(t, mark); !synced {
			exceptions++
		}
	}
	for i := range rounds {
		var made madeToken
		write(http.MethodPost, "/api/v1/tokens", "", map[string]any{"description": fmt.Sprint(i), "lifetime": "1 hour"}, &made)
		write(http.MethodDelete, "/api/v1/tokens/"+made.ID, made.ID, nil, nil)
		name := fmt.Sprintf("somebody-%06d", i)
		write(http.MethodPost, "/api/v1/users", name, map[string]any{"name": name, "password": testPassword}, nil)
		write(http.MethodPatch, "/api/v1/users/"+name, name, map[string]any{"disabled": true}, nil)
		write(http.MethodDelete, "/api/v1/users/"+name, name, nil, nil)
	}
	testkit.Figure(t, "%d of %d answers left before a sync of what they acknowledge (%d syncs seen)", exceptions, writes, trace.syncs)
	if exceptions > 0 {
		t.Errorf("%d of %d responses were sent before a sync", exceptions, writes)
	}
}

// diskTrace is the sequence of a server's system calls on files and sockets.
type diskTrace struct {
	lines chan string
	syncs int
}

// startWatched starts a server with a trace of its writes and syncs. The order is exact,
// since strace stops each thread until the call is recorded.
func startWatched(t *testing.T) (*server, *diskTrace) {
	t.Helper()
	from, to, err := os.Pipe()
	testkit.Check(t, err)
	// 4200 bytes are a page plus overhead.
	cmd := traced(serveCommand(t.TempDir()), "--seccomp-bpf", "-y", "-s", "4200", "-o", "/dev/fd/3", "-e", "trace=pwrite64,fsync,fdatasync,write")
	cmd.ExtraFiles = []*os.File{to}
	trace := &diskTrace{lines: make(chan string, 100_000)}
	go func() {
		defer close(trace.lines)
		for scan := bufio.NewReader(from); ; {
			line, err := scan.ReadString('\n')
			if err != nil {
				return
			}
			trace.lines <- line
		}
	}()
	s, err := tryServer(t, cmd)
	if err != nil {
		t.Fatalf("%v\n%s", err, s.log)
	}
	testkit.Check(t, to.Close())
	t.Cleanup(func() { _ = from.Close() })
	return s, trace
}

// answer advances to the next response in the trace. It reports whether data containing
// mark was written to SQLite's write-ahead log before the response, and synced afterwards.
func (d *diskTrace) answer(t *testing.T, mark string) bool {
	t.Helper()
	const log = "specterd.db-wal>"
	written, synced := false, false
	syncing := map[string]bool{} // by thread: whether the thread is in a sync that began after the write
	for line := range d.lines {
		thread, what, _ := strings.Cut(line, " ")
		what = strings.TrimSpace(what)
		ended := strings.HasSuffix(what, "= 0")
		switch {
		case strings.HasPrefix(what, "write(") && strings.Contains(what, `"HTTP/1.1 `):
			return written && synced
		case strings.HasPrefix(what, "pwrite64(") && strings.Contains(what, log) && strings.Contains(what, mark):
			if !synced { // a later write of the page adds other changes, such as the seal of an audit event
				written = true
				clear(syncing)
			}
		case (strings.HasPrefix(what, "fsync(") || strings.HasPrefix(what, "fdatasync(")) && strings.Contains(what, log):
			d.syncs++
			syncing[thread] = written && !ended
			synced = synced || written && ended
		case strings.HasPrefix(what, "<... fsync resumed>") || strings.HasPrefix(what, "<... fdatasync resumed>"):
			synced = synced || syncing[thread] && ended
		}
	}
	t.Fatalf("the trace ended before the response for %s", mark)
	return false
}
