package system

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"github.com/specterd/specterd/internal/app"
	"github.com/specterd/specterd/internal/config"
	"github.com/specterd/specterd/internal/store"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

const testKey = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

const testPassword = "correct horse battery"

// server is a specterd server in a child process.
type server struct {
	t       *testing.T
	cmd     *exec.Cmd
	url     string
	started time.Duration // from exec to listening
	log     logFile
}

// startServer starts specterd serve on a data directory, with additional environment
// variables.
func startServer(t *testing.T, dataFolder string, environment ...string) *server {
	t.Helper()
	s, err := tryServer(t, serveCommand(dataFolder, environment...))
	if err != nil {
		t.Fatalf("specterd did not start: %v\n%s", err, s.log)
	}
	return s
}

// serveCommand returns the command specterd serve on a data directory.
func serveCommand(dataFolder string, environment ...string) *exec.Cmd {
	cmd := exec.Command("specterd", "serve")
	cmd.Env = append(os.Environ(), "SPECTER_API_ACTIVE=true", "PORT=0", "SPECTER_BCRYPT_COST=4",
		"SPECTER_ADMIN_PASSWORD="+testPassword, "SPECTER_DATA_FOLDER="+dataFolder,
		"SPECTER_NODE_URL=http://user:password@127.0.0.1:1")
	cmd.Env = append(cmd.Env, environment...)
	return cmd
}

// traced returns a command that runs cmd under strace. The started process is cmd itself;
// strace is its grandchild.
func traced(cmd *exec.Cmd, args ...string) *exec.Cmd {
	strace := exec.Command("strace", slices.Concat([]string{"-D", "-f"}, args, cmd.Args)...)
	strace.Env = cmd.Env
	return strace
}

// tryServer starts a server. It returns an error if the server ends before it listens.
func tryServer(t *testing.T, cmd *exec.Cmd) (*server, error) {
	t.Helper()
	testkit.NeedsServer(t, "specterd")
	s := &server{t: t, cmd: cmd, log: logFile(filepath.Join(t.TempDir(), "log"))}
	log, err := os.Create(string(s.log))
	testkit.Check(t, err)
	cmd.Stderr = log
	out, err := cmd.StdoutPipe()
	testkit.Check(t, err)
	begin := time.Now()
	testkit.Check(t, cmd.Start())
	testkit.Check(t, log.Close())
	t.Cleanup(func() {
		s.kill()
		s.checkLog()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	s.started = time.Since(begin)
	_, url, ok := strings.Cut(strings.TrimSpace(line), "listens on ")
	if err != nil || !ok {
		return s, fmt.Errorf("after %v, the output is %q: %w", s.started, line, errors.Join(err, cmd.Wait()))
	}
	s.url = url
	return s, nil
}

// logFile is the path of the file to which a server writes its log. A log entry that is
// written before a response is in the file when the response arrives; with a pipe, the test
// might read it later.
type logFile string

// String returns the log so far.
func (f logFile) String() string {
	text, err := os.ReadFile(string(f))
	if err != nil {
		return err.Error()
	}
	return string(text)
}

func (s *server) kill() {
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
}

// checkLog checks that the log contains no text that users entered. It skips the check if
// the test damaged or stopped the database.
func (s *server) checkLog() {
	setting := func(name string) (value string) {
		for _, one := range s.cmd.Env { // the last one applies
			if text, ok := strings.CutPrefix(one, name+"="); ok {
				value = text
			}
		}
		return value
	}
	url := setting("SPECTER_DATABASE_URL")
	driver, source := "pgx", url
	if !store.IsPostgres(url) {
		driver, source = "sqlite", "file:"+cmp.Or(url, filepath.Join(setting("SPECTER_DATA_FOLDER"), "specterd.db"))+"?mode=ro&_pragma=busy_timeout(5000)"
	}
	db, err := sql.Open(driver, source)
	testkit.Check(s.t, err)
	defer func() { _ = db.Close() }()
	if err := testkit.CheckLog(context.Background(), s.t, db, s.log.String()); err != nil {
		s.t.Logf("the log was not checked: %v", err)
	}
}

// call makes a JSON request and decodes the response into out, unless nil. It returns the
// status, or 0 without a complete response.
func call(ctx context.Context, method, url, bearer string, body, out any) int {
	return callWith(ctx, http.DefaultClient, method, url, bearer, body, out)
}

func callWith(ctx context.Context, client *http.Client, method, url, bearer string, body, out any) int {
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
	resp, err := client.Do(req)
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

// token creates a token of the admin with the given scopes, or with the default scopes if
// there are none.
func (s *server) token(description string, scopes ...string) madeToken {
	s.t.Helper()
	request := map[string]any{"description": description, "lifetime": "1 day"}
	if len(scopes) > 0 {
		request["scopes"] = scopes
	}
	var made madeToken
	if status := call(s.t.Context(), http.MethodPost, s.url+"/api/v1/tokens", "", request, &made); status != http.StatusCreated {
		s.t.Fatalf("create a token: status %d\n%s", status, s.log)
	}
	return made
}

// resident returns the server's resident memory in KiB.
func (s *server) resident() (int, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(text), "VmRSS:")
	digits, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
	return strconv.Atoi(digits)
}

// shell opens a separate connection to the SQLite database, like an admin's SQL shell.
func shell(t *testing.T, dir string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", databaseAt(dir))
	testkit.Check(t, err)
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// databaseAt returns the data source name of the database in a data directory.
func databaseAt(dir string) string {
	return "file:" + filepath.Join(dir, "specterd.db") + "?_pragma=busy_timeout(5000)"
}

// tool returns a specterd command on a data directory.
func tool(t *testing.T, dir string, args ...string) *exec.Cmd {
	t.Helper()
	testkit.NeedsServer(t, "specterd")
	cmd := exec.CommandContext(t.Context(), "specterd", args...)
	cmd.Env = append(os.Environ(), "SPECTER_DATA_FOLDER="+dir, "SPECTER_BCRYPT_COST=4", "PORT=0",
		"SPECTER_NODE_URL=http://user:password@127.0.0.1:1")
	return cmd
}

// initialize creates the database of a data directory.
func initialize(t *testing.T, dir string, environment ...string) {
	t.Helper()
	cmd := tool(t, dir, "user", "list", "--init")
	cmd.Env = append(cmd.Env, environment...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("create the database: %v\n%s", err, out)
	}
}

// openApp opens a data directory in this process until the test ends.
func openApp(t *testing.T, environment map[string]string, purpose app.Purpose) *app.App {
	t.Helper()
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	config.AddFlags(flags)
	cfg, err := config.Load(flags, func(name string) string { return environment[name] })
	testkit.Check(t, err)
	a := app.New(cfg, "test", slog.New(slog.DiscardHandler), time.Now)
	testkit.Check(t, a.Open(t.Context(), purpose))
	t.Cleanup(func() { testkit.Check(t, a.Close()) })
	return a
}
