package cli

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/specterd/specterd/internal/testenv/testkit"
)

// TestRemedies_Commands runs commands that fail because of their environment, and checks
// that the error says what to do.
func TestRemedies_Commands(t *testing.T) {
	testkit.NeedsServer(t, "specterd")
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	testkit.Check(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	_, taken, err := net.SplitHostPort(listener.Addr().String())
	testkit.Check(t, err)
	dir := t.TempDir()
	text := filepath.Join(dir, "text.db")
	testkit.Check(t, os.WriteFile(text, []byte(strings.Repeat("not a database\n", 500)), 0o600))
	postgres := testkit.Postgres(t)
	at := strings.LastIndex(postgres, "/")
	key := "SECRET_KEY=" + strings.Repeat("k", 32)
	for _, test := range []struct {
		name, args, setting, want string
	}{
		{"port in use", "serve --port " + taken, "", "address already in use; another program, perhaps another specterd, uses this port: stop it, or choose another port"},
		{"port of metrics in use", "serve --port 0 --metrics-listen 127.0.0.1:" + taken, "", "listen for Prometheus: "},
		{"address of another machine", "serve --port 0 --host 203.0.113.7", "", "0.0.0.0 is every address, and 127.0.0.1 only this machine"},
		{"unknown host", "serve --port 0 --host nosuchhost.invalid", "", "the host to listen on must be an address of this machine"},
		{"a file in the path of the data directory", "serve --data-folder " + text, "", "not a directory; a file is where a directory is expected; correct the path"},
		{"a directory as database", "user list --database-url " + dir, "", "is a directory or another special file; SPECTER_DATABASE_URL must be the path of an SQLite file, or postgres://…"},
		{"a text as database", "user list --database-url " + text, "", "text.db is damaged or is not a specterd database; keep a copy of the file and restore a backup, or correct SPECTER_DATABASE_URL"},
		{"a text as backup", "restore " + text, "", "is not a specterd backup, or is incomplete"},
		{"a file as directory of Specter Desktop", "import " + text, "", "open the data directory of Specter Desktop: open "},
		{"PostgreSQL does not run", "user list", "SPECTER_DATABASE_URL=postgres://u:hunter2@127.0.0.1:1/x", "connect to the PostgreSQL database: the server cannot be reached; start it, or correct host and port in SPECTER_DATABASE_URL ("},
		{"PostgreSQL on an unknown host", "user list", "SPECTER_DATABASE_URL=postgres://u:hunter2@nosuchhost.invalid/x", "the server cannot be reached"},
		{"PostgreSQL without the database", "user list", "SPECTER_DATABASE_URL=" + postgres[:at] + "/hunter", "it does not have this database; create it with createdb, or correct SPECTER_DATABASE_URL"},
	} {
		t.Run(test.name, func(t *testing.T) {
			home := t.TempDir()
			settings := map[string]string{"HOME": home, "SPECTER_BCRYPT_COST": "4", "SPECTER_ADMIN_PASSWORD": "correct horse battery", "SPECTER_NODE_URL": "http://u:p@127.0.0.1:1"}
			for _, s := range []string{key, test.setting} {
				name, value, _ := strings.Cut(s, "=")
				settings[name] = value
			}
			var stdout, stderr testkit.Log
			err := run(t.Context(), strings.Fields(test.args), func(name string) string { return settings[name] }, strings.NewReader(""), &stdout, &stderr)
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
}

func TestRemedies_Errors(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		err  error
		want string
	}{
		{"another user's file", &os.PathError{Op: "open", Path: "/x", Err: syscall.EACCES}, "run the command as the user who owns the file or the directory, usually the user of the server; this process runs as " + userName()},
		{"a privileged port", &net.OpError{Op: "listen", Err: os.NewSyscallError("bind", syscall.EACCES)}, "ports below 1024 require"},
		{"a full disk", &os.PathError{Op: "write", Path: "/x", Err: syscall.ENOSPC}, "the disk is full: free some space, and try again"},
		{"a quota of the disk", &os.PathError{Op: "write", Path: "/x", Err: syscall.EDQUOT}, "the disk is full"},
		{"a read-only file system", &os.PathError{Op: "open", Path: "/x", Err: syscall.EROFS}, "the file system is read-only; choose another directory, or add ReadWritePaths= to the systemd unit"},
		{"another error", errors.New("x"), ""},
		{"none", nil, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if test.err != nil {
				test.err = exitError{exitPartial, fmt.Errorf("do: %w", test.err)}
			}
			got := withRemedy(test.err)
			if test.want == "" {
				if !errors.Is(got, test.err) || got != nil && strings.Contains(got.Error(), ";") {
					t.Errorf("got %v", got)
				}
				return
			}
			if !strings.Contains(got.Error(), "; "+test.want) || exitStatus(got) != exitPartial || withRemedy(got).Error() != got.Error() {
				t.Errorf("got %v", got)
			}
		})
	}
}
