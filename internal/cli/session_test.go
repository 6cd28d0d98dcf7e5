package cli

import (
	"errors"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/store"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

const consolePassword = "not-the-default"

// consoleOf returns the sessions of a server on the database of the shell.
func consoleOf(t *testing.T, s *shell) (*auth.Sessions, *store.Store) {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	db := testkit.Value(store.Open(t.Context(), store.Options{URL: s.settings["SPECTER_DATABASE_URL"], Log: log, Now: time.Now}))(t)
	t.Cleanup(func() { testkit.Check(t, db.Close()) })
	testkit.Check(t, db.Migrate(t.Context()))
	passwords := testkit.Value(auth.NewPasswords(4, 2))(t)
	return auth.NewSessions(log, db, auth.NewLogin(log, db, passwords, nil, auth.NewRecorder(log, db), time.Now), time.Now), db
}

// TestSessionCommands lists and ends sessions that another process uses.
func TestSessionCommands(t *testing.T) {
	onBoth(t, func(t *testing.T, postgres bool) {
		home := t.TempDir()
		s := &shell{settings: map[string]string{
			"HOME": home, "SPECTER_BCRYPT_COST": "4", "SPECTER_ADMIN_PASSWORD": consolePassword, "SPECTER_DATABASE_URL": filepath.Join(home, "x.db"), "SPECTER_LOG_LEVEL": "error",
		}}
		if postgres {
			s.settings["SPECTER_DATABASE_URL"], s.settings["SECRET_KEY"] = testkit.Postgres(t), strings.Repeat("k", 32)
		}
		s.run(t, "user", "list", "--init")
		console, db := consoleOf(t, s)
		first, err := db.UserByName(t.Context(), "admin")
		testkit.Check(t, err)
		bob := first
		bob.ID, bob.Name = "bob", "bob"
		testkit.Check(t, db.CreateUser(t.Context(), auth.Operator("test"), bob, auth.Event{At: time.Now()}))
		start := func(name string) (secret, id string) {
			t.Helper()
			secret, who, err := console.Start(t.Context(), name, consolePassword, "192.0.2.7", "Firefox")
			testkit.Check(t, err)
			return secret, who.SessionID
		}
		isValid := func(secret string) bool {
			t.Helper()
			_, _, err := console.Resume(t.Context(), secret, "192.0.2.7", "Firefox")
			if err != nil && !errors.Is(err, auth.ErrUnauthenticated) {
				t.Fatal(err)
			}
			return err == nil
		}
		admins, adminID := start("admin")
		another, anotherID := start("admin")
		bobs, bobID := start("bob")

		list := s.run(t, "session", "list")
		for _, want := range []string{adminID + " ", anotherID + " ", bobID + "  bob ", " from 192.0.2.7 ", " Firefox\n"} {
			if !strings.Contains(list, want) {
				t.Errorf("the list lacks %q:\n%s", want, list)
			}
		}
		if list := s.run(t, "session", "list", "--user", "bob"); !strings.Contains(list, bobID) || strings.Contains(list, adminID) {
			t.Errorf("the sessions of bob are\n%s", list)
		}
		items, _ := field(decoded(t, s.run(t, "session", "list", "--user", "bob", "--json")), "items").([]any)
		if len(items) != 1 || field(items[0], "id") != bobID || field(items[0], "user") != "bob" || field(items[0], "address") != "192.0.2.7" || field(items[0], "agent") != "Firefox" {
			t.Errorf("as JSON: %v", items)
		}
		for _, name := range []string{"created_at", "last_seen_at", "proved_at"} {
			text, _ := field(items[0], name).(string)
			if at, err := time.Parse(time.RFC3339Nano, text); err != nil || time.Since(at) > time.Hour || !strings.HasSuffix(text, "Z") {
				t.Errorf("%s is %q", name, text)
			}
		}
		if got := s.complete(t, "session", "delete", ""); !slices.Contains(got, bobID) {
			t.Errorf("it completes to %q", got)
		}

		s.refuse(t, `user "unknown" not found`, "session", "list", "--user", "unknown")
		s.refuse(t, "name sessions, which", "session", "delete", "--yes")
		s.refuse(t, "name sessions, which", "session", "delete", bobID, "--user", "bob", "--all", "--yes")
		s.refuse(t, "need each other", "session", "delete", "--user", "bob", "--yes")
		s.refuse(t, "need each other", "session", "delete", bobID, "--all", "--yes")
		s.refuse(t, `user "unknown" not found`, "session", "delete", "--user", "unknown", "--all", "--yes")
		s.refuse(t, `end x: session not found; it may have ended, and "specterd session list" shows the ids`, "session", "delete", bobID, "x", "--yes")
		s.refuse(t, "End session "+bobID+" of bob? There is no terminal", "session", "delete", bobID)
		s.refuse(t, "End all sessions of bob? There is no terminal", "session", "delete", "--user", "bob", "--all")
		if !isValid(bobs) || !isValid(admins) {
			t.Fatal("a refused command ended a session")
		}

		if got := s.run(t, "session", "delete", anotherID, "--yes"); got != "Ended "+anotherID+".\n" || isValid(another) || !isValid(admins) {
			t.Errorf("it prints %q", got)
		}
		if got := s.run(t, "session", "delete", "--user", "admin", "--all", "--yes"); got != "Ended 1 session of admin.\n" || isValid(admins) || !isValid(bobs) {
			t.Errorf("it prints %q", got)
		}
		audit := s.run(t, "audit", "list", "--action", "session.delete", "--json")
		if strings.Count(audit, `"session.delete"`) != 2 || strings.Count(audit, `"address": "command line"`) != 2 || !strings.Contains(audit, anotherID) {
			t.Errorf("the audit log has\n%s", audit)
		}
	})
}
