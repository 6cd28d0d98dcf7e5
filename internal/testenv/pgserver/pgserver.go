// Package pgserver starts a separate PostgreSQL server for tests and benchmarks,
// with the programs that make test-deps installs. The data is temporary and may be lost
// in a power failure. The program must import the driver "pgx", as internal/store
// does; this package does not, since it would be linked into the tests of packages
// that use no database.
package pgserver

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
	"syscall"
	"time"

	"github.com/specterd/specterd/internal/testenv/childprocess"
)

// superuser is the role of all connections.
const superuser = "specterd"

// patience is the time limit for starting the server. It is long, since the machine
// may be busy.
const patience = time.Minute

// Server is a running PostgreSQL server.
type Server struct {
	bin        string // directory of initdb and postgres
	dir        string // contains the data directory and the password
	credential *syscall.Credential
	password   string
	port       int
	admin      *sql.DB
}

func (s *Server) url(database string) string {
	u := url.URL{
		Scheme: "postgres", User: url.UserPassword(superuser, s.password),
		Host: net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)), Path: database, RawQuery: "sslmode=disable",
	}
	return u.String()
}

// Empty is the template for an empty database.
const Empty = "template0"

// Create creates a database as a copy of template, which must have no connections,
// and returns its URL.
func (s *Server) Create(ctx context.Context, database, template string) (string, error) {
	_, err := s.admin.ExecContext(ctx, "CREATE DATABASE "+database+" TEMPLATE "+template)
	return s.url(database), err
}

// Drop removes a database and terminates its connections.
func (s *Server) Drop(ctx context.Context, database string) error {
	_, err := s.admin.ExecContext(ctx, "DROP DATABASE "+database+" WITH (FORCE)")
	return err
}

// Start starts a server on its own port and in its own directory. The server is
// killed when this process ends.
func Start(ctx context.Context) (*Server, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	s := &Server{password: rand.Text()}
	var err error
	if s.bin, err = findPostgres(); err != nil {
		return nil, err
	}
	if s.dir, _, err = childprocess.TempDir("specterd-postgres-*"); err != nil {
		return nil, err
	}
	if err := s.initialize(ctx); err != nil {
		return nil, err
	}
	for range 3 { // another process may take the port before the server does
		if err = s.start(ctx); err == nil {
			return s, nil
		}
	}
	return nil, err
}

// findPostgres returns the directory of initdb and postgres. It searches PATH, and
// then the directory of the newest version that Debian's packages install.
func findPostgres() (string, error) {
	if initdb, err := exec.LookPath("initdb"); err == nil {
		if initdb, err = filepath.EvalSymlinks(initdb); err == nil {
			return filepath.Dir(initdb), nil
		}
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(found) == 0 {
		return "", errors.New("no initdb on PATH or in /usr/lib/postgresql: run make test-deps")
	}
	version := func(initdb string) int {
		v, _ := strconv.Atoi(strings.Split(initdb, "/")[4])
		return v
	}
	newest := slices.MaxFunc(found, func(a, b string) int { return version(a) - version(b) })
	return filepath.Dir(newest), nil
}

// initialize creates the data directory. PostgreSQL refuses to run as root, so root
// runs it as another user, who then owns the directory.
func (s *Server) initialize(ctx context.Context) error {
	passwordFile := filepath.Join(s.dir, "password")
	if err := os.WriteFile(passwordFile, []byte(s.password), 0o600); err != nil {
		return err
	}
	if os.Getuid() == 0 {
		var err error
		if s.credential, err = unprivileged(); err != nil {
			return err
		}
		for _, path := range []string{s.dir, passwordFile} {
			if err := os.Chown(path, int(s.credential.Uid), int(s.credential.Gid)); err != nil {
				return err
			}
		}
	}
	initdb := s.command(ctx, "initdb", "--username="+superuser, "--pwfile="+passwordFile,
		"--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync")
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, bytes.TrimSpace(out))
	}
	return nil
}

// start starts the server on a free port and waits until it responds.
func (s *Server) start(ctx context.Context) error {
	var err error
	if s.port, err = freePort(ctx); err != nil {
		return err
	}
	var output bytes.Buffer
	server := s.command(context.WithoutCancel(ctx), "postgres", "-p", strconv.Itoa(s.port),
		"-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "max_connections=200",
		"-c", "log_min_messages=fatal",
		"-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off")
	server.Stdout, server.Stderr = &output, &output
	process, err := childprocess.Start(server, "QUIT")
	if err != nil {
		return err
	}
	if s.admin, err = sql.Open("pgx", s.url("postgres")); err != nil {
		return err
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := s.admin.PingContext(ctx)
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

// command returns the command that runs a PostgreSQL program on the data directory.
func (s *Server) command(ctx context.Context, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(s.bin, program), append(args, "-D", filepath.Join(s.dir, "data"))...) //nolint:gosec // PostgreSQL's own
	cmd.Dir = s.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.credential}
	return cmd
}

// unprivileged returns the credential of the user that runs PostgreSQL if this
// process runs as root.
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
