package system

import (
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/specterd/specterd/internal/testenv/testkit"
)

// someCommands are commands that need no node, and whose arguments are valid if the
// database exists. The first word of stdin is a password.
var someCommands = []struct {
	args []string
	// needsKey is set if the command needs the signing key.
	needsKey bool
	// reports is set if the command fails for other reasons, with a report.
	reports bool
}{
	{args: []string{"user", "add", "bob", "--password-stdin"}},
	{args: []string{"user", "list"}},
	{args: []string{"user", "show", "bob"}},
	{args: []string{"user", "set", "bob", "--disabled"}},
	{args: []string{"user", "set", "bob", "--disabled=false", "--password-stdin"}},
	{args: []string{"user", "quota", "bob", "wallets=3"}},
	{args: []string{"user", "rm", "bob", "--yes"}},
	{args: []string{"token", "list"}},
	{args: []string{"token", "create", "shop", "--expires", "1 day"}, needsKey: true},
	{args: []string{"token", "rotate", "TOKEN"}, needsKey: true},
	{args: []string{"token", "revoke", "TOKEN", "--yes"}},
	{args: []string{"audit", "list"}},
	{args: []string{"audit", "verify"}},
	{args: []string{"audit", "archive", "--before", "2001-01-01", "--out", "./FILE"}},
	{args: []string{"wallet", "list"}},
	{args: []string{"wallet", "transactions"}},
	{args: []string{"proposal", "list"}},
	{args: []string{"export", "--to", "./FILE"}},
	{args: []string{"webhook", "list"}},
	{args: []string{"webhook", "create", "admin", "https://shop.example/hook"}},
	{args: []string{"backup", "./FILE"}},
	{args: []string{"doctor"}, reports: true},
	{args: []string{"key", "show"}},
	{args: []string{"key", "rotate"}, needsKey: true},
	{args: []string{"serve"}, needsKey: true},
}

// TestCommands_WithoutKey checks which commands need the signing key: if its file is missing
// or is not readable, the others work.
func TestCommands_WithoutKey(t *testing.T) {
	t.Parallel()
	for name, environment := range map[string][]string{
		"missing":         nil,
		"SECRET_KEY_FILE": {"SECRET_KEY_FILE=/nonexistent/key"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			s := startServer(t, dir)
			made := s.token("x")
			s.kill()
			testkit.Check(t, os.Rename(filepath.Join(dir, "secret_key"), filepath.Join(dir, "kept")))
			for _, c := range someCommands {
				if c.reports {
					continue
				}
				args := slices.Clone(c.args)
				for i, arg := range args {
					switch arg {
					case "TOKEN":
						args[i] = made.ID
					case "./FILE":
						args[i] = filepath.Join(t.TempDir(), "file")
					}
				}
				cmd := tool(t, dir, args...)
				cmd.Env = append(cmd.Env, environment...)
				cmd.Stdin = strings.NewReader(testPassword + "\n")
				out, err := cmd.CombinedOutput()
				if (err != nil) != c.needsKey {
					t.Errorf("specterd %s: %v\n%s", strings.Join(args, " "), err, out)
				}
				if c.needsKey && !strings.Contains(string(out), "is missing; restore the file") {
					t.Errorf("specterd %s: no remedy in %s", strings.Join(args, " "), out)
				}
			}
			if _, err := os.Stat(filepath.Join(dir, "secret_key")); err == nil {
				t.Error("a command created a signing key")
			}
		})
	}
}

// TestCommands_WithoutDatabase checks that no command except serve creates a database, and that each
// says where it was expected.
func TestCommands_WithoutDatabase(t *testing.T) {
	t.Parallel()
	refuses := func(t *testing.T, says string, environment ...string) {
		t.Helper()
		parent := t.TempDir()
		for i, c := range someCommands {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				if c.args[0] == "serve" {
					return
				}
				cmd := tool(t, filepath.Join(parent, "data"), c.args...)
				cmd.Env = append(cmd.Env, environment...)
				cmd.Dir, cmd.Stdin = t.TempDir(), strings.NewReader(testPassword+"\n")
				out, err := cmd.CombinedOutput()
				if _, ok := errors.AsType[*exec.ExitError](err); !ok || !strings.Contains(string(out), "no database: "+says) {
					t.Errorf("specterd %s: %v\n%s", strings.Join(c.args, " "), err, out)
				}
				for _, dir := range []string{parent, cmd.Dir} {
					if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
						t.Fatalf("specterd %s created %v", strings.Join(c.args, " "), entries)
					}
				}
			})
		}
	}
	t.Run("SQLite", func(t *testing.T) {
		t.Parallel()
		refuses(t, "/")
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		t.Parallel()
		url := testkit.Postgres(t)
		refuses(t, "postgres://", "SPECTER_DATABASE_URL="+url, "SECRET_KEY="+testKey)
		db, err := sql.Open("pgx", url)
		testkit.Check(t, err)
		defer func() { _ = db.Close() }()
		var tables int
		testkit.Check(t, db.QueryRowContext(t.Context(), "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").Scan(&tables))
		if tables != 0 {
			t.Errorf("the commands created %d tables", tables)
		}
	})
}
