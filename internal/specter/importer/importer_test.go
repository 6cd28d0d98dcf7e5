package importer_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/node/backend"
	"github.com/specterd/specterd/internal/node/rpcclient"
	"github.com/specterd/specterd/internal/specter/datadir"
	"github.com/specterd/specterd/internal/specter/importer"
	"github.com/specterd/specterd/internal/store"
	"github.com/specterd/specterd/internal/testenv/testdb"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

var update = flag.Bool("update", false, "update the golden files")

const folders = "../../../testdata/specter-desktop/"

// fixture is a database with the services to import into.
type fixture struct {
	*store.Store
	imports *auth.Imports
	login   *auth.Login
	users   *auth.Users
	tokens  *auth.Tokens
	node    *backend.Provider
	chain   importer.Chain
}

func (h *fixture) importer() *importer.Importer {
	return importer.New(h.imports, h.service(), h.proposals(), h.Store, h.chain, auth.Operator("me"), func() time.Time { return now })
}

// now is a time at which the recorded tokens were valid.
var now = time.Date(2026, 11, 21, 20, 30, 0, 0, time.UTC)

// engines are the database engines to import into.
var engines = map[string]func(t *testing.T) *fixture{
	"SQLite":     func(t *testing.T) *fixture { return newFixture(t, testdb.SQLite(t)) },
	"PostgreSQL": func(t *testing.T) *fixture { return newFixture(t, testdb.Postgres(t)) },
}

func onBothEngines(t *testing.T, test func(t *testing.T, h *fixture)) {
	t.Helper()
	for engine, open := range engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			test(t, open(t))
		})
	}
}

// golden compares a report with a golden file.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := "testdata/" + name + ".golden"
	if *update {
		testkit.Check(t, os.WriteFile(path, []byte(got), 0o600))
	}
	want, err := os.ReadFile(path)
	testkit.Check(t, err)
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Error(diff)
	}
}

func newFixture(t *testing.T, url string) *fixture {
	t.Helper()
	clock := func() time.Time { return now }
	log := slog.New(slog.DiscardHandler)
	kept, err := store.Open(t.Context(), store.Options{URL: url, BackupFolder: t.TempDir(), Log: log, Now: clock})
	testkit.Check(t, err)
	t.Cleanup(func() { testkit.Check(t, kept.Close()) })
	testkit.Check(t, kept.Migrate(t.Context()))
	passwords, err := auth.NewPasswords(4, 4)
	testkit.Check(t, err)
	key := []byte(strings.Repeat("k", auth.MinKeyBytes))
	testkit.Check(t, kept.BindKey(t.Context(), auth.Fingerprint(key)))
	signer, err := auth.NewSigner(t.Context(), kept, func() (auth.Keys, error) { return auth.Keys{key}, nil }, clock)
	testkit.Check(t, err)
	return &fixture{
		Store: kept, imports: auth.NewImports(kept, passwords, clock),
		login: auth.NewLogin(log, kept, passwords, signer, auth.NewRecorder(log, kept), clock),
		users: auth.NewUsers(kept, passwords, clock), tokens: auth.NewTokens(kept, signer, clock),
		chain: importer.Chain{Problem: rpcclient.ErrUnavailable.Message},
	}
}

func (h *fixture) importFrom(t *testing.T, path string, dryRun bool) importer.Report {
	t.Helper()
	f, err := datadir.Open(path)
	testkit.Check(t, err)
	defer func() { testkit.Check(t, f.Close()) }()
	report, err := h.importer().Run(t.Context(), f, importer.Options{Path: path, DryRun: dryRun})
	testkit.Check(t, err)
	return report
}

func text(r importer.Report) string {
	var b strings.Builder
	for _, i := range r.Items {
		fmt.Fprintf(&b, "%s | %s | %s | %s\n", i.Kind, i.Name, i.Result, i.Detail)
	}
	fmt.Fprintf(&b, "%s, %d problems\n", r.Status(), len(r.Problems))
	return b.String()
}

func (h *fixture) let(t *testing.T, name, password string) bool {
	t.Helper()
	_, err := h.login.Password(t.Context(), name, password, "::1")
	if err != nil && !errors.Is(err, auth.ErrUnauthenticated) {
		t.Fatal(err)
	}
	return err == nil
}

// TestImport imports both directories, and checks that a dry run and a second import
// change nothing.
func TestImport(t *testing.T) {
	for _, name := range []string{"real", "madeup"} {
		t.Run(name, func(t *testing.T) {
			onBothEngines(t, func(t *testing.T, h *fixture) {
				_, err := h.users.CreateFirst(t.Context(), "")
				testkit.Check(t, err)
				before := h.state(t)
				planned := text(h.importFrom(t, folders+name, true))
				if after := h.state(t); after != before {
					t.Errorf("the dry run changed\n%s\nto\n%s", before, after)
				}
				done := text(h.importFrom(t, folders+name, false))
				if diff := cmp.Diff(planned, done); diff != "" {
					t.Errorf("the dry run reported a different result: %s", diff)
				}
				golden(t, name, done)
				first := h.state(t)
				again := h.importFrom(t, folders+name, false)
				if second := h.state(t); second != first {
					t.Errorf("the second import changed\n%s\nto\n%s", first, second)
				}
				for _, i := range again.Items {
					if i.Result == importer.Imported {
						t.Errorf("imported again: %v", i)
					}
				}
			})
		})
	}
}

// state returns all users and tokens.
func (h *fixture) state(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	users, err := h.ListUsers(t.Context(), "", 1000)
	testkit.Check(t, err)
	for _, u := range users {
		fmt.Fprintf(&b, "%+v\n", u)
	}
	tokens, owners, err := h.AllTokens(t.Context(), "")
	testkit.Check(t, err)
	for i, token := range tokens {
		fmt.Fprintf(&b, "%s %+v\n", owners[i], token)
	}
	return b.String()
}

// TestRecordedCredentials checks that passwords and tokens that the recorded Specter
// Desktop accepted are valid after the import.
func TestRecordedCredentials(t *testing.T) {
	onBothEngines(t, func(t *testing.T, h *fixture) {
		h.importFrom(t, folders+"real", false)
		if !h.let(t, "admin", "admin") || !h.let(t, "someuser", "somepassword") || h.let(t, "someuser", "admin") || h.let(t, "admin", "somepassword") {
			t.Error("wrong passwords are accepted, or recorded passwords refused")
		}
		f, err := datadir.Open(folders + "real")
		testkit.Check(t, err)
		defer func() { testkit.Check(t, f.Close()) }()
		accepted := 0
		for _, u := range f.Users() {
			for _, token := range u.Tokens {
				who, err := h.login.Token(t.Context(), token.Text, "::1", "test")
				if err != nil {
					continue
				}
				accepted++
				if who.UserName != u.Name || who.TokenID != token.ID || who.Scopes != auth.SpecterScopes {
					t.Errorf("token %s authenticates as %+v", token.ID, who)
				}
			}
		}
		if accepted != 4 {
			t.Errorf("%d tokens are accepted, want 4", accepted)
		}
		n, err := h.CountDefaultPasswords(t.Context())
		if testkit.Check(t, err); n != 1 {
			t.Errorf("%d default passwords, want 1", n)
		}
	})
}

// TestImport_ExistingUsers checks that users with the same names who were not imported keep
// their passwords and get no imported tokens.
func TestImport_ExistingUsers(t *testing.T) {
	onBothEngines(t, func(t *testing.T, h *fixture) {
		_, err := h.users.CreateFirst(t.Context(), "a good password")
		testkit.Check(t, err)
		_, err = h.users.Create(t.Context(), auth.Operator("me"), "SomeUser", "another password", false)
		testkit.Check(t, err)
		before := h.state(t)
		report := h.importFrom(t, folders+"real", false)
		if after := h.state(t); after != before {
			t.Errorf("changed\n%s\nto\n%s", before, after)
		}
		if got := report.Status(); got != importer.Failed {
			t.Errorf("status %s, want failed", got)
		}
		if !strings.Contains(text(report), "add --user someuser=someuser\n") {
			t.Errorf("no offer in\n%s", text(report))
		}
		if got := report.Count(importer.KindUser, importer.NotImported) + report.Count(importer.KindToken, importer.NotImported); got != 11 {
			t.Errorf("%d users and tokens are reported as not imported, want 11", got)
		}
	})
}

// TestImport_IntoUser checks that users can be imported into existing ones, who get tokens
// and keep their passwords and roles, also in a repeated import.
func TestImport_IntoUser(t *testing.T) {
	onBothEngines(t, func(t *testing.T, h *fixture) {
		_, err := h.users.CreateFirst(t.Context(), "a good password")
		testkit.Check(t, err)
		_, err = h.users.Create(t.Context(), auth.Operator("me"), "alice", "another password", false)
		testkit.Check(t, err)
		f, err := datadir.Open(folders + "real")
		testkit.Check(t, err)
		defer func() { testkit.Check(t, f.Close()) }()
		run := func(dryRun bool, users map[string]string) (importer.Report, error) {
			return h.importer().Run(t.Context(), f, importer.Options{Path: folders + "real", DryRun: dryRun, Users: users})
		}
		before := h.state(t)
		for name, users := range map[string]map[string]string{
			"the directory has no user dave":           {"dave": "alice"},
			"user dave: user not found":                {"admin": "dave"},
			"admin and someuser cannot both become Al": {"admin": "alice", "someuser": "Alice"},
		} {
			t.Run(name, func(t *testing.T) {
				if report, err := run(false, users); !errors.Is(err, importer.ErrMapping) || !strings.Contains(err.Error(), name) || len(report.Items) > 0 {
					t.Errorf("%v: %v, %s", users, err, text(report))
				}
			})
		}
		users := map[string]string{"ADMIN": "Admin", "someuser": "alice"}
		planned, err := run(true, users)
		if testkit.Check(t, err); h.state(t) != before {
			t.Errorf("changed\n%s\nto\n%s", before, h.state(t))
		}
		done, err := run(false, users)
		testkit.Check(t, err)
		if diff := cmp.Diff(text(planned), text(done)); diff != "" {
			t.Error(diff)
		}
		if out := text(done); !strings.Contains(out, "user | admin | imported | into user admin, who keeps password and role\n") || !strings.Contains(out, "user | someuser | imported | into user alice, who keeps") {
			t.Errorf("got\n%s", out)
		}
		if !h.let(t, "admin", "a good password") || h.let(t, "admin", "admin") || !h.let(t, "alice", "another password") || h.let(t, "alice", "somepassword") {
			t.Error("a password was changed")
		}
		owners := map[string]int{}
		for _, u := range f.Users() {
			for _, token := range u.Tokens {
				if who, err := h.login.Token(t.Context(), token.Text, "::1", "test"); err == nil {
					owners[who.UserName]++
				}
			}
		}
		if diff := cmp.Diff(map[string]int{"admin": 3, "alice": 1}, owners); diff != "" {
			t.Error(diff)
		}
		again, err := run(false, nil)
		if testkit.Check(t, err); !strings.Contains(text(again), "user | someuser | already here | as user alice\n") || again.Count(importer.KindToken, importer.AlreadyImported) != 4 {
			t.Errorf("again:\n%s", text(again))
		}
	})
}

// TestImport_Repeated checks that a later import adds new objects, does not restore deleted
// ones, and does not revert changes.
func TestImport_Repeated(t *testing.T) {
	onBothEngines(t, func(t *testing.T, h *fixture) {
		ctx, me := t.Context(), auth.Operator("me")
		path := t.TempDir()
		testkit.Check(t, os.CopyFS(path, os.DirFS(folders+"real")))
		users := filepath.Join(path, "users.json")
		all, err := os.ReadFile(users)
		testkit.Check(t, err)
		const later = `"3ecd1b96-5169-4499-b532-f8881bf700da"`
		testkit.Check(t, os.WriteFile(users, []byte(strings.ReplaceAll(string(all), later, `"x"`)), 0o600))
		h.importFrom(t, path, false)
		admin, err := h.users.Get(ctx, "admin")
		testkit.Check(t, err)
		me.UserID = admin.ID
		const deleted = "d55e6396-f818-4e70-bf4a-67886514bac2"
		_, err = h.tokens.Delete(ctx, me, deleted, false)
		testkit.Check(t, err)
		password := "a new password"
		_, err = h.users.Change(ctx, me, "someuser", auth.UserChange{Password: &password})
		testkit.Check(t, err)

		testkit.Check(t, os.WriteFile(users, all, 0o600))
		report := text(h.importFrom(t, path, false))
		for _, want := range []string{
			"token | admin: t57441925, 3ecd1b96 | imported |",
			"token | admin: d1, d55e6396 | skipped | was imported before and has been deleted here since",
			"token | someuser: t1927916165, bd055b37 | skipped | was imported before and has been deleted here since", // deleted by the password reset
			"user | someuser | already here",
		} {
			if !strings.Contains(report, want) {
				t.Errorf("%q is not in\n%s", want, report)
			}
		}
		if !h.let(t, "someuser", password) || h.let(t, "someuser", "somepassword") {
			t.Error("the import reverted a changed password")
		}
		testkit.Check(t, h.users.Delete(ctx, me, "someuser", false))
		report = text(h.importFrom(t, path, false))
		if h.let(t, "someuser", "somepassword") || !strings.Contains(report, "user | someuser | skipped | was imported before") {
			t.Errorf("a deleted user was restored:\n%s", report)
		}
	})
}

// TestImport_Interrupted checks that an interrupted import returns an error, and that the
// next import continues it.
func TestImport_Interrupted(t *testing.T) {
	t.Parallel()
	h := newFixture(t, testdb.SQLite(t))
	f, err := datadir.Open(folders + "real")
	testkit.Check(t, err)
	defer func() { testkit.Check(t, f.Close()) }()
	ctx, cancel := context.WithCancel(t.Context())
	_, err = h.importer().Run(ctx, f, importer.Options{Progress: func(next string) {
		if next == "user someuser" {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	report := h.importFrom(t, folders+"real", false)
	if report.Count(importer.KindUser, importer.Imported) != 1 || report.Count(importer.KindUser, importer.AlreadyImported) != 1 {
		t.Error(text(report))
	}
}
