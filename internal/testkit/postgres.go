package testkit

import (
	"bytes"
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"

	"github.com/specterd/specterd/internal/leash"
)

// postgresUser is the server's superuser, whom all tests connect as.
const postgresUser = "specterd"

// postgresServer is the one server of this test process, started at the first
// need. It goes when the process does.
var (
	postgresServer = sync.OnceValues(startPostgres)
	databases      atomic.Int64
)

// Postgres returns the URL of a fresh, empty database on a real PostgreSQL
// server. The database is dropped when the test ends.
func Postgres(t testing.TB) string {
	t.Helper()
	server, err := postgresServer()
	if err != nil {
		t.Fatalf("start PostgreSQL: %v", err)
	}
	name := fmt.Sprintf("test_%d", databases.Add(1))
	server.exec(t, "CREATE DATABASE "+name+" TEMPLATE template0")
	t.Cleanup(func() { server.exec(t, "DROP DATABASE "+name+" WITH (FORCE)") })
	return server.url(name)
}

// postgres is a running PostgreSQL server.
type postgres struct {
	bin        string // folder of initdb and postgres
	dir        string // holds the data folder and the password
	credential *syscall.Credential
	password   string
	port       int
	admin      *sql.DB
}

func (p *postgres) url(database string) string {
	u := url.URL{
		Scheme: "postgres", User: url.UserPassword(postgresUser, p.password),
		Host: net.JoinHostPort("127.0.0.1", strconv.Itoa(p.port)), Path: database, RawQuery: "sslmode=disable",
	}
	return u.String()
}

func (p *postgres) exec(t testing.TB, statement string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience) // a cleanup's t.Context has ended
	defer cancel()
	_, err := p.admin.ExecContext(ctx, statement)
	check(t, err)
}

func startPostgres() (*postgres, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	p := &postgres{password: rand.Text()}
	var err error
	if p.bin, err = findPostgres(); err != nil {
		return nil, err
	}
	if p.dir, _, err = leash.TempDir("specterd-postgres-*"); err != nil {
		return nil, err
	}
	if err := p.initialize(ctx); err != nil {
		return nil, err
	}
	for range 3 { // another process may take the port before the server does
		if err = p.start(ctx); err == nil {
			return p, nil
		}
	}
	return nil, err
}

// findPostgres returns the folder that holds initdb and postgres: that of the
// initdb on PATH, or Debian's for the newest version.
func findPostgres() (string, error) {
	if initdb, err := exec.LookPath("initdb"); err == nil {
		if initdb, err = filepath.EvalSymlinks(initdb); err == nil {
			return filepath.Dir(initdb), nil
		}
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(found) == 0 {
		return "", errors.New("no initdb on PATH or in /usr/lib/postgresql: run make deps")
	}
	version := func(initdb string) int {
		v, _ := strconv.Atoi(strings.Split(initdb, "/")[4])
		return v
	}
	newest := slices.MaxFunc(found, func(a, b string) int { return version(a) - version(b) })
	return filepath.Dir(newest), nil
}

// initialize makes the data folder. PostgreSQL refuses to run as root, so root's
// tests run it as another user, who owns the folder.
func (p *postgres) initialize(ctx context.Context) error {
	passwordFile := filepath.Join(p.dir, "password")
	if err := os.WriteFile(passwordFile, []byte(p.password), 0o600); err != nil {
		return err
	}
	if os.Getuid() == 0 {
		var err error
		if p.credential, err = unprivileged(); err != nil {
			return err
		}
		for _, path := range []string{p.dir, passwordFile} {
			if err := os.Chown(path, int(p.credential.Uid), int(p.credential.Gid)); err != nil {
				return err
			}
		}
	}
	initdb := p.command(ctx, "initdb", "--username="+postgresUser, "--pwfile="+passwordFile,
		"--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync")
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, bytes.TrimSpace(out))
	}
	return nil
}

// start starts the server on a free port and waits until it answers.
func (p *postgres) start(ctx context.Context) error {
	var err error
	if p.port, err = freePort(ctx); err != nil {
		return err
	}
	var output bytes.Buffer
	server := p.command(context.WithoutCancel(ctx), "postgres", "-p", strconv.Itoa(p.port),
		"-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "max_connections=200",
		"-c", "log_min_messages=fatal",
		"-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off")
	server.Stdout, server.Stderr = &output, &output
	process, err := leash.Start(server, "QUIT")
	if err != nil {
		return err
	}
	if p.admin, err = sql.Open("pgx", p.url("postgres")); err != nil {
		return err
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := p.admin.PingContext(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
			continue
		case <-process.Done():
			err = process.Err()
		case <-ctx.Done():
			process.Signal("QUIT")
			<-process.Done()
		}
		return fmt.Errorf("%w: %s", err, bytes.TrimSpace(output.Bytes()))
	}
}

// command is one of PostgreSQL's programs, about to work on the data folder.
func (p *postgres) command(ctx context.Context, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(p.bin, program), append(args, "-D", filepath.Join(p.dir, "data"))...)
	cmd.Dir = p.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: p.credential}
	return cmd
}

// unprivileged returns the user that root runs PostgreSQL as.
func unprivileged() (*syscall.Credential, error) {
	account, err := user.Lookup("postgres")
	if err != nil {
		account, err = user.Lookup("nobody")
	}
	if err != nil {
		return nil, err
	}
	uid, err := strconv.ParseUint(account.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(account.Gid, 10, 32)
	if err != nil {
		return nil, err
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
}

func freePort(ctx context.Context) (int, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().(*net.TCPAddr).Port, nil
}
