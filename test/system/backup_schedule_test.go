package system

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/testenv/testkit"
)

// backupServer is a server that makes backups in a directory of its own.
type backupServer struct {
	t           *testing.T
	dir, folder string
	env         []string
	*server
}

// start starts the server, again if it was killed.
func (s *backupServer) start() { s.server = startServer(s.t, s.dir, s.env...) }

// files returns the backups of the server, oldest first.
func (s *backupServer) files() []string {
	found, err := filepath.Glob(filepath.Join(s.folder, "specterd-backup-*Z.zip"))
	testkit.Check(s.t, err)
	return found
}

// age renames the newest backup of the server, so that the next one is due.
func (s *backupServer) age(days int) {
	s.t.Helper()
	files := s.files()
	at := time.Now().Add(-time.Duration(days) * 25 * time.Hour).UTC().Format("20060102T150405Z")
	testkit.Check(s.t, os.Rename(files[len(files)-1], filepath.Join(s.folder, "specterd-backup-"+at+".zip")))
}

// wantFiles waits for a number of backups of the server.
func (s *backupServer) wantFiles(n int) {
	s.t.Helper()
	testkit.Eventually(s.t, fmt.Sprint(n, " backups in ", s.folder), func() bool { return len(s.files()) >= n })
	if got := len(s.files()); got != n || strings.Contains(s.log.String(), "scheduled backup failed") {
		s.t.Errorf("%d backups, want %d\n%s", got, n, s.log)
	}
}

// TestScheduledBackups_Concurrent checks that one of two processes on a database makes one
// backup in each interval, although the other one has an empty directory, and that the other
// one takes over when it is killed or stopped.
func TestScheduledBackups_Concurrent(t *testing.T) {
	t.Parallel()
	database := testkit.Postgres(t)
	newServer := func(name string) *backupServer {
		folder := filepath.Join(t.TempDir(), name)
		return &backupServer{t: t, dir: t.TempDir(), folder: folder, env: []string{
			"SPECTER_DATABASE_URL=" + database, "SECRET_KEY=" + testKey, "SPECTER_BACKUP_EVERY=24h", "SPECTER_BACKUP_FOLDER=" + folder,
		}}
	}
	a, b := newServer("a"), newServer("b")
	a.start()
	a.wantFiles(1)
	b.start()
	a.age(1)
	a.wantFiles(2)
	a.age(2)
	a.wantFiles(3)
	b.wantFiles(0) // its backup would have been due since its start

	a.kill()
	b.wantFiles(1)
	a.start()
	a.age(3) // due at once, but b makes the backups now
	b.age(1)
	b.wantFiles(2)
	a.wantFiles(3)

	testkit.Check(t, b.cmd.Process.Signal(syscall.SIGTERM))
	a.wantFiles(4)
	b.wantFiles(2)
	testkit.Check(t, b.cmd.Wait())
}
