package store_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/store"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

const (
	clientAddress = "192.0.2.7"
	clientAgent   = "Firefox"
	goodPassword  = "correct horse battery"
)

// visitors is a database with users who have goodPassword, and the sessions of a process.
type visitors struct {
	*fixture

	passwords *auth.Passwords
	recorder  *auth.Recorder
	users     *auth.Users
	login     *auth.Login
	sessions  *auth.Sessions
}

func newVisitors(b *fixture, names ...string) *visitors {
	b.t.Helper()
	v := &visitors{fixture: b, passwords: testkit.Value(auth.NewPasswords(4, 2))(b.t)}
	v.use(b.Store)
	if _, err := b.UserByName(b.t.Context(), "root"); err != nil { // another admin
		testkit.Value(v.users.Create(b.t.Context(), operator, "root", goodPassword, true))(b.t)
	}
	for _, name := range names {
		testkit.Value(v.users.Create(b.t.Context(), operator, name, goodPassword, true))(b.t)
	}
	return v
}

// use makes v a process with this store.
func (v *visitors) use(s *store.Store) {
	log, now := slog.New(slog.DiscardHandler), func() time.Time { return v.now }
	v.recorder = auth.NewRecorder(log, s)
	v.users = auth.NewUsers(s, v.passwords, now)
	v.login = auth.NewLogin(log, s, v.passwords, nil, v.recorder, now)
	v.sessions = auth.NewSessions(log, s, v.login, now).WithSteady(func() time.Duration { return 0 })
}

// process returns another process on the same database.
func (v *visitors) process() *visitors {
	other := *v
	other.Store = v.reopen()
	other.use(other.Store)
	return &other
}

func (v *visitors) start(name string) (secret string, who *auth.Principal) {
	v.t.Helper()
	secret, who, err := v.sessions.Start(v.t.Context(), name, goodPassword, clientAddress, clientAgent)
	testkit.Check(v.t, err)
	return secret, who
}

func (v *visitors) resume(secret string) (*auth.Session, *auth.Principal, error) {
	return v.sessions.Resume(v.t.Context(), secret, clientAddress, clientAgent)
}

func (v *visitors) wantResumed(what, secret string) (*auth.Session, *auth.Principal) {
	v.t.Helper()
	one, who, err := v.resume(secret)
	if err != nil {
		v.t.Fatalf("%s: %v", what, err)
	}
	return one, who
}

func (v *visitors) wantEnded(what, secret string) {
	v.t.Helper()
	if _, _, err := v.resume(secret); !errors.Is(err, auth.ErrUnauthenticated) {
		v.t.Errorf("%s, the session continues: %v", what, err)
	}
}

func TestSession_Principal(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		v := newVisitors(b, "alice")
		secret, begun := v.start("ALICE")
		one, who := v.wantResumed("at first", secret)
		byPassword := v.byPassword("alice")
		for name, p := range map[string]*auth.Principal{"started": begun, "resumed": who} {
			if p.UserID != byPassword.UserID || p.UserName != "alice" || !p.Admin || p.Scopes != byPassword.Scopes || p.Wallets != nil || !p.ByPassword() || p.TokenID != "" ||
				!p.ExpiresAt.IsZero() || p.Address != clientAddress || p.SessionID != one.ID || p.RequirePassword() != nil || p.IsTrusted() {
				t.Errorf("%s: %+v", name, p)
			}
		}
		want := auth.Session{
			ID: one.ID, UserID: who.UserID, UserName: "alice", CreatedAt: b.now, LastSeenAt: b.now, ProvedAt: b.now, Address: clientAddress, Agent: clientAgent,
			AccessVersion: one.AccessVersion,
		}
		if len(one.ID) != 36 || fmt.Sprint(*one) != fmt.Sprint(want) {
			t.Errorf("%+v\nwant %+v", *one, want)
		}
		if b.count("SELECT count(*) FROM audit WHERE action = 'session.create' AND target = $1 AND user_name = 'alice' AND address = $2", one.ID, clientAddress) != 1 {
			t.Error("the audit log does not have the session")
		}
		// Events name the session.
		_, err := v.users.Create(t.Context(), who, "bob", goodPassword, false)
		testkit.Check(t, err)
		if b.count("SELECT count(*) FROM audit WHERE action = 'user.create' AND target = 'bob' AND token_id = '' AND detail = $1", "user; session "+one.ID) != 1 {
			t.Error("the event of a session does not name it")
		}
	})
}

// TestSession_ChosenSecret checks that only secrets that Start returned are accepted.
func TestSession_ChosenSecret(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		v := newVisitors(b, "alice")
		secret, who := v.start("alice")
		raw := testkit.Value(base64.RawURLEncoding.DecodeString(secret))(t)
		if len(raw) != 32 {
			t.Errorf("the secret has %d bytes", len(raw))
		}
		var stored []byte
		testkit.Check(t, b.shell.QueryRowContext(t.Context(), "SELECT secret_hash FROM sessions").Scan(&stored))
		last := strings.IndexByte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", secret[42])
		for name, chosen := range map[string]string{
			"empty": "", "chosen": base64.RawURLEncoding.EncodeToString(make([]byte, 32)), "public id": who.SessionID,
			"stored hash": base64.RawURLEncoding.EncodeToString(stored), "padded": secret + "=", "with a space": secret + " ", "with a line break": secret + "\n",
			"break inside": secret[:20] + "\n" + secret[20:], "cut": secret[:42], "longer": secret + "AAAA", "upper case": strings.ToUpper(secret),
			"other trailing bits": secret[:42] + string("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[last^1]),
		} {
			v.wantEnded(name, chosen)
			if _, err := v.sessions.Prove(t.Context(), chosen, goodPassword, clientAddress, clientAgent); !errors.Is(err, auth.ErrUnauthenticated) {
				t.Errorf("%s: the session is proved: %v", name, err)
			}
			testkit.Check(t, v.sessions.End(t.Context(), chosen))
		}
		if again, _ := v.start("alice"); again == secret {
			t.Error("two sessions have the same secret")
		}
		v.wantResumed("the secret of Start", secret)
		if n := b.count("SELECT count(*) FROM sessions"); n != 2 {
			t.Errorf("%d sessions", n)
		}
	})
}

// sessionEndings are ways to end a session of alice.
var sessionEndings = []struct {
	name string
	end  func(v *visitors, secret string, who *auth.Principal)
}{
	{"signed out", func(v *visitors, secret string, _ *auth.Principal) {
		testkit.Check(v.t, v.sessions.End(v.t.Context(), secret))
	}},
	{"deleted", func(v *visitors, _ string, who *auth.Principal) {
		testkit.Check(v.t, v.sessions.Delete(v.t.Context(), who, who.SessionID))
	}},
	{"deleted from another session", func(v *visitors, _ string, _ *auth.Principal) {
		_, other := v.start("alice")
		if n := testkit.Value(v.sessions.DeleteOthers(v.t.Context(), other))(v.t); n != 1 {
			v.t.Errorf("deleted %d sessions", n)
		}
	}},
	{"deleted in a shell", func(v *visitors, _ string, who *auth.Principal) {
		v.exec("DELETE FROM sessions WHERE session_id = $1", who.SessionID)
	}},
	{"idle", func(v *visitors, _ string, _ *auth.Principal) { v.now = v.now.Add(auth.SessionIdle) }},
	{"too old", func(v *visitors, secret string, _ *auth.Principal) {
		begun := v.now
		for v.now.Sub(begun) < auth.SessionLifetime-auth.SessionIdle {
			v.now = v.now.Add(auth.SessionIdle - time.Microsecond)
			v.wantResumed("after "+v.now.Sub(begun).String(), secret)
		}
		v.now = begun.Add(auth.SessionLifetime - time.Microsecond)
		v.wantResumed("just before the end", secret)
		v.now = begun.Add(auth.SessionLifetime)
	}},
	{"password reset", func(v *visitors, _ string, _ *auth.Principal) {
		v.change(auth.UserChange{Password: new("another horse battery")})
	}},
	{"password changed by the user", func(v *visitors, _ string, _ *auth.Principal) {
		testkit.Value(v.users.ChangeOwnPassword(v.t.Context(), v.byPassword("alice"), "another horse battery", false))(v.t)
	}},
	{"password changed in a shell", func(v *visitors, _ string, _ *auth.Principal) {
		v.exec("UPDATE users SET password_hash = 'new' WHERE name = 'alice'")
	}},
	{"role taken", func(v *visitors, _ string, _ *auth.Principal) { v.change(auth.UserChange{Admin: new(false)}) }},
	{"role changed in a shell", func(v *visitors, _ string, _ *auth.Principal) {
		v.exec("UPDATE users SET is_admin = FALSE WHERE name = 'alice'")
	}},
	{"disabled", func(v *visitors, _ string, _ *auth.Principal) { v.change(auth.UserChange{Disabled: new(true)}) }},
	{"disabled and enabled", func(v *visitors, _ string, _ *auth.Principal) {
		v.change(auth.UserChange{Disabled: new(true)})
		v.change(auth.UserChange{Disabled: new(false)})
	}},
	{"disabled in a shell", func(v *visitors, _ string, _ *auth.Principal) {
		v.exec("UPDATE users SET disabled_at = 1 WHERE name = 'alice'")
	}},
	{"user deleted", func(v *visitors, _ string, _ *auth.Principal) {
		testkit.Check(v.t, v.users.Delete(v.t.Context(), operator, "alice", true))
	}},
	{"user deleted in a shell", func(v *visitors, _ string, _ *auth.Principal) { v.exec("DELETE FROM users WHERE name = 'alice'") }},
}

func (v *visitors) change(c auth.UserChange) {
	v.t.Helper()
	testkit.Value(v.users.Change(v.t.Context(), operator, "alice", c))(v.t)
}

// TestSession_Ended checks that, once a session has ended, no process accepts its secret or
// its principal, and that sessions of others continue.
func TestSession_Ended(t *testing.T) {
	for _, ending := range sessionEndings {
		t.Run(ending.name, func(t *testing.T) {
			onBothEngines(t, func(t *testing.T, b *fixture) {
				v := newVisitors(b, "alice", "bob")
				other := v.process()
				bobs, _ := v.start("bob")
				secret, who := v.start("alice")
				other.wantResumed("in another process", secret)
				ending.end(v, secret, who)
				if ending.name != "idle" && ending.name != "too old" {
					v.wantResumed("of another user", bobs)
				}
				for name, p := range map[string]*visitors{"in this process": v, "in another process": other} {
					p.now = v.now
					p.wantEnded(name, secret)
					if _, err := p.login.Recheck(t.Context(), who); !errors.Is(err, auth.ErrUnauthenticated) {
						t.Errorf("%s, the principal is valid: %v", name, err)
					}
					if _, err := p.sessions.Prove(t.Context(), secret, goodPassword, clientAddress, clientAgent); !errors.Is(err, auth.ErrUnauthenticated) {
						t.Errorf("%s, the session can be proved: %v", name, err)
					}
					if _, err := p.users.Create(t.Context(), who, "mallory", goodPassword, true); !errors.Is(err, auth.ErrUnauthenticated) {
						t.Errorf("%s, the session grants access: %v", name, err)
					}
					testkit.Check(t, p.sessions.End(t.Context(), secret))
				}
				testkit.Check(t, b.DeleteEndedSessions(t.Context()))
				if n := b.count("SELECT count(*) FROM sessions WHERE session_id = $1", who.SessionID); n != 0 {
					t.Error("the clean-up keeps the row")
				}
			})
		})
	}
}

// TestSession_Clock checks that a clock that is set back neither ends a session nor extends
// it, and that it does not extend the proof of the password.
func TestSession_Clock(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		v := newVisitors(b, "alice")
		secret, _ := v.start("alice")
		age := time.Duration(0)
		// pass lets time pass, in which the session is used.
		pass := func(d time.Duration) {
			t.Helper()
			for range d / (10 * time.Minute) {
				v.now, age = v.now.Add(10*time.Minute), age+10*time.Minute
				if _, _, err := v.resume(secret); (err != nil) != (age >= auth.SessionLifetime) {
					t.Fatalf("at the age of %v: %v", age, err)
				}
			}
		}
		pass(4 * time.Hour)
		for _, back := range []time.Duration{6 * time.Hour, 365 * 24 * time.Hour, auth.SessionIdle} {
			v.now = v.now.Add(-back)
			_, who := v.wantResumed("set back by "+back.String(), secret)
			if err := who.RequirePassword(); !errors.Is(err, auth.ErrProofRequired) {
				t.Errorf("set back by %v, the password counts as entered: %v", back, err)
			}
			one, _ := v.wantResumed("again", secret)
			if got := one.LastSeenAt.Sub(one.CreatedAt); got != age || !one.LastSeenAt.Equal(v.now) {
				t.Errorf("set back by %v, the age is %v, want %v", back, got, age)
			}
			pass(2 * time.Hour)
		}
		pass(3 * time.Hour)
		v.wantEnded("after 12 hours", secret)

		secret, _ = v.start("alice")
		v.now = v.now.Add(-time.Second) // no write
		one, who := v.wantResumed("set back by a second", secret)
		if !one.LastSeenAt.After(v.now) || who.RequirePassword() != nil {
			t.Errorf("%+v", one)
		}
		v.now = v.now.Add(24 * time.Hour)
		v.wantEnded("set forward", secret)
		v.now = v.now.Add(-24 * time.Hour)
		v.wantResumed("and set right before it was deleted", secret)
	})
}

// TestSession_ClockBackInPause checks that a pause counts although the clock was set back in
// it, as long as the process runs.
func TestSession_ClockBackInPause(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		v := newVisitors(b, "alice")
		steady := time.Duration(0)
		v.sessions.WithSteady(func() time.Duration { return steady })
		pause := func(d, back time.Duration) {
			b.now, steady = b.now.Add(d-back), steady+d
		}
		secret, _ := v.start("alice")
		pause(auth.ProofLifetime, time.Hour)
		if _, who := v.wantResumed("10 minutes later", secret); !errors.Is(who.RequirePassword(), auth.ErrProofRequired) {
			t.Error("the password counts as entered after 10 minutes")
		}
		for age := auth.ProofLifetime; age < auth.SessionLifetime; age += 29 * time.Minute {
			one, _ := v.wantResumed(age.String(), secret)
			if got := one.LastSeenAt.Sub(one.CreatedAt); got != age || !one.LastSeenAt.Equal(b.now) {
				t.Fatalf("the age is %v, want %v", got, age)
			}
			pause(29*time.Minute, 2*time.Hour)
		}
		v.wantEnded("after 12 hours of pauses", secret)

		secret, _ = v.start("alice")
		secret = testkit.Value(v.sessions.Prove(t.Context(), secret, goodPassword, clientAddress, clientAgent))(t)
		pause(auth.SessionIdle, 6*time.Hour)
		v.wantEnded("after half an hour of pause", secret)
	})
}

func TestSession_LastSeen(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		v := newVisitors(b, "alice")
		secret, _ := v.start("alice")
		begun := b.now
		for _, c := range []struct {
			after, seen time.Duration
			address     string
		}{
			{time.Minute - time.Microsecond, 0, clientAddress},
			{time.Minute, time.Minute, "192.0.2.9"},
			{90 * time.Second, time.Minute, "192.0.2.9"},
			{2 * time.Minute, 2 * time.Minute, "192.0.2.9"},
		} {
			b.now = begun.Add(c.after)
			if _, _, err := v.sessions.Resume(t.Context(), secret, "192.0.2.9", "a\x1bgent"); err != nil {
				t.Fatal(err)
			}
			var seen int64
			var address, agent string
			testkit.Check(t, b.shell.QueryRowContext(t.Context(), "SELECT last_seen_at, address, agent FROM sessions").Scan(&seen, &address, &agent))
			if !time.UnixMicro(seen).Equal(begun.Add(c.seen)) || address != c.address || c.seen > 0 && agent != "a?gent" {
				t.Errorf("after %v: %v, %s, %s", c.after, time.UnixMicro(seen).Sub(begun), address, agent)
			}
		}
	})
}

// TestSession_ProofsConcurrent checks that only one of several proofs with one secret
// succeeds.
// meanwhile is a store in which other requests end before certain methods.
// TestSession_ChangedMeanwhile checks that a session is neither started nor proved if it, its
// secret or its user changed while the password was compared.
// TestSession_ProofThrottled checks that Prove and Start count failures as logins do.
// TestSession_StartRefused checks that no session begins without the right password, and that
// the error does not say why.
func TestSession_List(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		v := newVisitors(b, "alice", "bob")
		v.start("bob")
		var ids []string
		var mine *auth.Principal
		for range 3 {
			b.now = b.now.Add(time.Second)
			_, mine = v.start("alice")
			ids = append([]string{mine.SessionID}, ids...)
		}
		list := func() (got []string) {
			for _, one := range testkit.Value(v.sessions.List(t.Context(), mine))(t) {
				got = append(got, one.ID)
			}
			return got
		}
		if got := list(); !slices.Equal(got, ids) {
			t.Errorf("got %v, want %v", got, ids)
		}
		_, bobs := v.start("bob")
		for name, id := range map[string]string{"of another user": bobs.SessionID, "unknown": "x", "empty": ""} {
			if err := v.sessions.Delete(t.Context(), mine, id); !errors.Is(err, auth.ErrSessionNotFound) {
				t.Errorf("%s: %v", name, err)
			}
		}
		testkit.Check(t, v.sessions.Delete(t.Context(), mine, ids[2]))
		if got := list(); !slices.Equal(got, ids[:2]) {
			t.Errorf("after one was deleted: %v", got)
		}
		b.exec("UPDATE sessions SET last_seen_at = 1 WHERE session_id = $1", ids[1])
		if got := list(); !slices.Equal(got, ids[:1]) {
			t.Errorf("after one was idle: %v", got)
		}
		if n := testkit.Value(v.sessions.DeleteOthers(t.Context(), mine))(t); n != 0 {
			t.Errorf("deleted %d sessions although all others had ended", n)
		}
		if n := b.count("SELECT count(*) FROM sessions"); n != 3 { // one of alice's, two of bob's
			t.Errorf("%d sessions", n)
		}
	})
}

func TestSession_Maximum(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		v := newVisitors(b, "alice", "bob")
		bobs, _ := v.start("bob")
		var secrets []string
		add := func(n int) {
			for range n {
				b.now = b.now.Add(time.Second)
				secret, _ := v.start("alice")
				secrets = append(secrets, secret)
			}
		}
		add(auth.MaxSessions)
		v.wantResumed("the first of 50", secrets[0])
		add(2)
		v.wantEnded("the first of 52", secrets[0])
		v.wantEnded("the second of 52", secrets[1])
		v.wantResumed("the third of 52", secrets[2])
		v.wantResumed("of another user", bobs)

		b.now = b.now.Add(-10 * time.Minute) // the new one is the oldest by the clock
		add(1)
		v.wantResumed("the newest", secrets[len(secrets)-1])
		if n := b.count("SELECT count(*) FROM sessions"); n != auth.MaxSessions+1 {
			t.Errorf("%d sessions", n)
		}
		// Sessions that have ended do not count.
		b.exec("UPDATE sessions SET access_version = 77 WHERE session_id <> (SELECT min(session_id) FROM sessions)")
		add(auth.MaxSessions - 2)
		if n := b.count("SELECT count(*) FROM sessions"); n > auth.MaxSessions || n < auth.MaxSessions-2 {
			t.Errorf("%d sessions", n)
		}
	})
}

// TestSession_Restart checks that sessions survive a restart, also if another process started
// them.
func TestSession_Restart(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		v := newVisitors(b, "alice")
		secret, who := v.start("alice")
		restarted := v.process()
		one, _ := restarted.wantResumed("after a restart", secret)
		if one.ID != who.SessionID {
			t.Errorf("%+v", one)
		}
	})
}

// TestSession_Rehash checks that sessions continue if only the hash of the password changes.
func TestSession_Rehash(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		v := newVisitors(b, "alice")
		secret, _ := v.start("alice")
		v.passwords = testkit.Value(auth.NewPasswords(5, 2))(t)
		v.use(v.Store)
		var before, after string
		read := func(hash *string) {
			testkit.Check(t, b.shell.QueryRowContext(t.Context(), "SELECT password_hash FROM users WHERE name = 'alice'").Scan(hash))
		}
		read(&before)
		second, _ := v.start("alice")
		if read(&after); before == after {
			t.Fatal("the password was not hashed again")
		}
		v.wantResumed("the first", secret)
		v.wantResumed("the second", second)
	})
}
