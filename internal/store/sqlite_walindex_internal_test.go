package store

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// credentialsTest is a store, and a connection of another program.
type credentialsTest struct {
	*Store
	shell *sql.DB
	path  string
}

func openCredentials(t *testing.T) credentialsTest {
	t.Helper()
	path := filepath.Join(t.TempDir(), "specterd.db")
	s := openAt(t, path, 0)
	testkit.Check(t, s.Migrate(t.Context()))
	shell, err := sql.Open("sqlite", fileURL(path)+"?_pragma=busy_timeout(5000)")
	testkit.Check(t, err)
	t.Cleanup(func() { _ = shell.Close() })
	c := credentialsTest{s, shell, path}
	return c
}

func (c credentialsTest) do(t *testing.T, query string) {
	t.Helper()
	_, err := c.shell.ExecContext(t.Context(), query)
	testkit.Check(t, err)
}

func (c credentialsTest) add(t *testing.T) {
	t.Helper()
	c.do(t, "INSERT INTO users (user_id, name, name_folded, password_hash, created_at) VALUES ('u', 'u', 'u', 'x', 1) ON CONFLICT DO NOTHING")
	c.do(t, "INSERT INTO tokens (token_id, user_id, description, token_hash, scopes, lifetime, created_at, expires_at) VALUES ('t', 'u', 'd', x'01', '', 1, 1, 1)")
}

// everywhere looks the token up with all connections, and returns how many found it.
func (c credentialsTest) everywhere(t *testing.T) (found int) {
	t.Helper()
	for _, conn := range c.pinned(t) {
		_, err := conn.credential(t.Context(), "t")
		if err == nil {
			found++
		} else if !errors.Is(err, sql.ErrNoRows) {
			t.Error(err)
		}
	}
	return found
}

// pinned opens all connections and returns them.
func (c credentialsTest) pinned(t *testing.T) (all []*pinnedConn) {
	t.Helper()
	r := c.credentials.(*pinnedReader)
	for range pinnedConns() {
		conn, err := r.take(t.Context())
		testkit.Check(t, err)
		all = append(all, conn)
	}
	for _, conn := range all {
		r.free <- conn
	}
	return all
}

// TestCredentials_Changes checks that each connection notices each commit, whether it can read
// the wal-index or not.
func TestCredentials_Changes(t *testing.T) {
	ways := map[string]func(t *testing.T, c credentialsTest){
		"deleted":               func(t *testing.T, c credentialsTest) { c.do(t, "DELETE FROM tokens") },
		"deleted with its user": func(t *testing.T, c credentialsTest) { c.do(t, "PRAGMA foreign_keys=1; DELETE FROM users") },
		"deleted by the program": func(t *testing.T, c credentialsTest) {
			_, err := c.rw.ExecContext(t.Context(), "DELETE FROM tokens")
			testkit.Check(t, err)
		},
		"after a checkpoint": func(t *testing.T, c credentialsTest) {
			c.do(t, "PRAGMA wal_checkpoint(TRUNCATE)")
			c.everywhere(t)
			c.do(t, "DELETE FROM tokens")
		},
		"before a checkpoint": func(t *testing.T, c credentialsTest) { c.do(t, "DELETE FROM tokens; PRAGMA wal_checkpoint(TRUNCATE)") },
		"around VACUUM":       func(t *testing.T, c credentialsTest) { c.do(t, "VACUUM; DELETE FROM tokens; VACUUM") },
		"beside an old snapshot": func(t *testing.T, c credentialsTest) {
			var n int
			tx, err := c.shell.BeginTx(t.Context(), nil)
			testkit.Check(t, err)
			t.Cleanup(func() { _ = tx.Rollback() })
			testkit.Check(t, tx.QueryRowContext(t.Context(), "SELECT count(*) FROM tokens").Scan(&n))
			c.do(t, "DELETE FROM tokens")
		},
		"and the commit before it was lost": func(t *testing.T, c credentialsTest) {
			tx, err := c.shell.BeginTx(t.Context(), nil)
			testkit.Check(t, err)
			_, err = tx.ExecContext(t.Context(), "UPDATE tokens SET description = 'changed'")
			testkit.Check(t, err)
			testkit.Check(t, tx.Rollback())
			c.do(t, "DELETE FROM tokens")
		},
		"while the header was half written": func(t *testing.T, c credentialsTest) {
			index, err := openWALIndex(t.Context(), c.path, c.ro)
			testkit.Check(t, err)
			t.Cleanup(index.close)
			c.do(t, "DELETE FROM tokens")
			atomic.AddUint32(&index.shared[1][2], 1) // as if a program had been killed
			if _, ok := index.header(); ok {
				t.Error("the header is valid")
			}
		},
		"before the wal-index was lost": func(t *testing.T, c credentialsTest) {
			index, err := openWALIndex(t.Context(), c.path, c.ro)
			testkit.Check(t, err)
			t.Cleanup(index.close)
			c.do(t, "DELETE FROM tokens")
			for i := range index.shared {
				for j := range index.shared[i] {
					atomic.StoreUint32(&index.shared[i][j], 0)
				}
			}
		},
	}
	for mode, has := range map[string]bool{"wal-index": true, "data_version": false} {
		t.Run(mode, func(t *testing.T) {
			c := openCredentials(t)
			if c.credentials.(*pinnedReader).index == nil {
				t.Fatal("the wal-index cannot be read")
			}
			if !has {
				for _, conn := range c.pinned(t) {
					conn.index = nil
				}
			}
			for name, change := range ways {
				t.Run(name, func(t *testing.T) {
					c.add(t)
					for range 2 { // the second time, from the cache
						if found := c.everywhere(t); found != pinnedConns() {
							t.Fatalf("%d of %d connections find the token", found, pinnedConns())
						}
					}
					change(t, c)
					if found := c.everywhere(t); found > 0 {
						t.Errorf("%d of %d connections find the deleted token", found, pinnedConns())
					}
				})
			}
		})
	}
}

// TestCredentials_Cached checks that the cache is used until something is committed.
func TestCredentials_Cached(t *testing.T) {
	c := openCredentials(t)
	c.add(t)
	conn := c.pinned(t)[0]
	_, err := conn.credential(t.Context(), "t")
	testkit.Check(t, err)
	conn.remembered["t"] = &auth.Credential{UserName: "from the cache"}
	name := func() string {
		t.Helper()
		found, err := conn.credential(t.Context(), "t")
		testkit.Check(t, err)
		return found.UserName
	}
	tx, err := c.shell.BeginTx(t.Context(), nil)
	testkit.Check(t, err)
	_, err = tx.ExecContext(t.Context(), "UPDATE users SET name = 'v'")
	testkit.Check(t, err)
	if got := name(); got != "from the cache" {
		t.Errorf("before the commit: %q", got)
	}
	testkit.Check(t, tx.Commit())
	if got := name(); got != "v" {
		t.Errorf("after the commit: %q", got)
	}
}

// TestWALIndex_Header checks what the header of a database shows, and which files have none.
func TestWALIndex_Header(t *testing.T) {
	c := openCredentials(t)
	c.add(t)
	index := c.credentials.(*pinnedReader).index
	seen := map[walHeader]bool{}
	for i, query := range []string{
		"UPDATE users SET name = 'v'", "PRAGMA user_version = 7", "PRAGMA wal_checkpoint(RESTART); UPDATE users SET name = 'w'", "VACUUM", "UPDATE users SET name = 'v'",
	} {
		c.do(t, query)
		h, ok := index.header()
		if !ok || seen[h] || h[0] != walIndexVersion {
			t.Errorf("after change %d: %v, valid %v, seen %v", i, h, ok, seen[h])
		}
		seen[h] = true
		if again, ok := index.header(); !ok || again != h {
			t.Errorf("without a change: %v, then %v", h, again)
		}
		for word := range h {
			wrong := h
			wrong[word]++
			if wrong.valid() {
				t.Errorf("the header is valid with another word %d", word)
			}
		}
	}
	for i := range index.shared {
		atomic.AddUint32(&index.shared[i][5], 1)
	}
	if h, ok := index.header(); ok {
		t.Errorf("a header with a wrong checksum is valid: %v", h)
	}
	if new(walHeader).valid() {
		t.Error("an empty header is valid")
	}
	for name, source := range map[string]string{
		"another journal mode": fileURL(filepath.Join(t.TempDir(), "x.db")),
		"in memory":            "file::memory:",
		"missing":              fileURL(filepath.Join(t.TempDir(), "missing", "x.db")),
	} {
		t.Run(name, func(t *testing.T) {
			db, err := sql.Open("sqlite", source)
			testkit.Check(t, err)
			t.Cleanup(func() { _ = db.Close() })
			path := strings.TrimPrefix(source, "file:")
			if index, err := openWALIndex(t.Context(), path, db); err == nil {
				index.close()
				t.Error("it has a wal-index")
			}
			if _, err := os.Stat(path + "-shm"); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("a file of a wal-index: %v", err)
			}
		})
	}
}

// TestCredentials_Connections checks that connections are opened as they are needed, and that
// a failure to open one does not use it up.
func TestCredentials_Connections(t *testing.T) {
	c := openCredentials(t)
	r := c.credentials.(*pinnedReader)
	opened := func() int { return pinnedConns() - len(r.unopened) }
	for range 3 {
		c.findNothing(t)
	}
	if opened() != 1 {
		t.Errorf("%d connections were opened for one reader, want 1", opened())
	}
	held, err := r.take(t.Context())
	testkit.Check(t, err)
	ended, end := context.WithCancel(t.Context())
	end()
	for range pinnedConns() {
		if _, err := r.take(ended); err == nil {
			t.Fatal("a connection was opened although the context has ended")
		}
	}
	if opened() != 1 {
		t.Errorf("%d connections count as opened after failures, want 1", opened())
	}
	c.findNothing(t)
	if opened() != 2 {
		t.Errorf("%d connections were opened for two readers, want 2", opened())
	}
	r.free <- held
	if all := c.pinned(t); len(all) != pinnedConns() || opened() != pinnedConns() {
		t.Errorf("%d connections were opened, want %d", opened(), pinnedConns())
	}
}

func (c credentialsTest) findNothing(t *testing.T) {
	t.Helper()
	if _, err := c.credentials.credential(t.Context(), "t"); !errors.Is(err, sql.ErrNoRows) {
		t.Fatal(err)
	}
}
