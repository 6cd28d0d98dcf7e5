package store_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/store"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

func TestSession_Proof(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		v := newVisitors(b, "alice")
		secret, _ := v.start("alice")
		wantProof := func(what, secret string, required bool) {
			t.Helper()
			one, who := v.wantResumed(what, secret)
			again := testkit.Value(v.login.Recheck(t.Context(), who))(t)
			for name, p := range map[string]*auth.Principal{"resumed": who, "rechecked": again} {
				err := p.RequirePassword()
				if errors.Is(err, auth.ErrProofRequired) != required || err != nil && !required || one.ProvedWithin(b.now) == required {
					t.Errorf("%s, %s: %v", what, name, err)
				}
			}
			_, err := v.users.Create(t.Context(), who, "user "+strings.ReplaceAll(what, ",", ""), goodPassword, false)
			if errors.Is(err, auth.ErrProofRequired) != required || err != nil && !required {
				t.Errorf("%s: %v", what, err)
			}
		}
		b.now = b.now.Add(auth.ProofLifetime - time.Microsecond)
		wantProof("just before", secret, false)
		b.now = b.now.Add(time.Microsecond)
		wantProof("10 minutes later", secret, true)
		if f := auth.ErrProofRequired; f.Kind != fault.Forbidden || f.Code != "proof_required" {
			t.Errorf("%+v", f)
		}

		_, err := v.sessions.Prove(t.Context(), secret, "wrong password", clientAddress, clientAgent)
		if !errors.Is(err, auth.ErrWrongPassword) {
			t.Errorf("a wrong password: %v", err)
		}
		wantProof("after a wrong password", secret, true)
		proved := testkit.Value(v.sessions.Prove(t.Context(), secret, goodPassword, clientAddress, clientAgent))(t)
		v.wantEnded("with the secret before the proof", secret)
		if _, err := v.sessions.Prove(t.Context(), secret, goodPassword, clientAddress, clientAgent); !errors.Is(err, auth.ErrUnauthenticated) {
			t.Errorf("a proof with the secret before: %v", err)
		}
		wantProof("proved", proved, false)
		if n := b.count("SELECT count(*) FROM sessions"); n != 1 {
			t.Errorf("%d sessions", n)
		}
	})
}

func TestSession_ProofsConcurrent(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		v := newVisitors(b, "alice")
		secret, _ := v.start("alice")
		const n = 5
		results := make(chan error, n)
		secrets := make(chan string, n)
		for i := range n {
			p := v
			if i%2 == 1 {
				p = v.process()
			}
			go func() {
				got, err := p.sessions.Prove(t.Context(), secret, goodPassword, clientAddress, clientAgent)
				secrets <- got
				results <- err
			}()
		}
		succeeded := 0
		for range n {
			err, got := <-results, <-secrets
			switch {
			case err == nil:
				succeeded++
			case !errors.Is(err, auth.ErrUnauthenticated):
				t.Error(err)
			}
			if got != "" {
				v.wantResumed("proved", got)
			}
		}
		if succeeded != 1 {
			t.Errorf("%d proofs succeeded", succeeded)
		}
	})
}

type meanwhile struct {
	*store.Store

	then func()
}

func (m meanwhile) ProveSession(ctx context.Context, who *auth.Principal, s auth.Session, before, after auth.SecretHash, seen auth.Seen) error {
	m.then()
	return m.Store.ProveSession(ctx, who, s, before, after, seen)
}

func (m meanwhile) CreateSession(ctx context.Context, who *auth.Principal, s auth.Session, hash auth.SecretHash, e auth.Event) error {
	m.then()
	return m.Store.CreateSession(ctx, who, s, hash, e)
}

func (m meanwhile) Memberships(ctx context.Context, userID string) ([]auth.Membership, error) {
	m.then()
	return m.Store.Memberships(ctx, userID)
}

func TestSession_ChangedMeanwhile(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		for name, change := range map[string]func(v *visitors, user, secret string){
			"proved": func(v *visitors, _, secret string) {
				testkit.Value(v.sessions.Prove(t.Context(), secret, goodPassword, clientAddress, clientAgent))(t)
			},
			"signed out": func(v *visitors, _, secret string) { testkit.Check(t, v.sessions.End(t.Context(), secret)) },
			"password reset": func(v *visitors, user, _ string) {
				testkit.Value(v.users.Change(t.Context(), operator, user, auth.UserChange{Password: new("another horse battery")}))(t)
			},
			"disabled": func(_ *visitors, user, _ string) { b.exec("UPDATE users SET disabled_at = 1 WHERE name = $1", user) },
			"deleted":  func(_ *visitors, user, _ string) { b.exec("DELETE FROM users WHERE name = $1", user) },
		} {
			t.Run(name, func(t *testing.T) {
				prover, starter := name+" 1", name+" 2"
				v := newVisitors(b, prover, starter)
				secret, _ := v.start(prover)
				slow := func(user string) *auth.Sessions {
					db := meanwhile{b.Store, func() { change(v, user, secret) }}
					return auth.NewSessions(slog.New(slog.DiscardHandler), db, v.login, func() time.Time { return b.now })
				}
				if got, err := slow(prover).Prove(t.Context(), secret, goodPassword, clientAddress, clientAgent); got != "" || !errors.Is(err, auth.ErrUnauthenticated) {
					t.Errorf("the session is proved: %q, %v", got, err)
				}
				if name == "proved" || name == "signed out" { // does not concern other sessions
					return
				}
				if got, _, err := slow(starter).Start(t.Context(), starter, goodPassword, clientAddress, clientAgent); got != "" || !errors.Is(err, auth.ErrUnauthenticated) {
					t.Errorf("a session is started: %q, %v", got, err)
				}
				if n := b.count("SELECT count(*) FROM sessions AS s JOIN users AS u ON u.user_id = s.user_id WHERE u.name = $1", starter); n != 0 {
					t.Errorf("%d sessions", n)
				}
			})
		}
	})
}

func TestSession_ProofThrottled(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		v := newVisitors(b, "alice")
		secret, _ := v.start("alice")
		var err error
		for range auth.MaxFailures {
			_, err = v.sessions.Prove(t.Context(), secret, "wrong password", clientAddress, clientAgent)
		}
		if !errors.Is(err, auth.ErrWrongPassword) {
			t.Errorf("got %v", err)
		}
		if _, err := v.sessions.Prove(t.Context(), secret, goodPassword, clientAddress, clientAgent); !errors.Is(err, auth.ErrTooManyFailures) {
			t.Errorf("a proof: %v", err)
		}
		if _, _, err := v.sessions.Start(t.Context(), "alice", goodPassword, clientAddress, clientAgent); !errors.Is(err, auth.ErrTooManyFailures) {
			t.Errorf("a start: %v", err)
		}
		v.wantResumed("of a user who mistyped the password", secret)
	})
}

func TestSession_StartRefused(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		v := newVisitors(b, "alice", "eve")
		testkit.Value(v.users.Change(t.Context(), operator, "eve", auth.UserChange{Disabled: new(true)}))(t)
		messages := map[string]bool{}
		for _, c := range [][2]string{{"alice", "wrong password"}, {"unknown", goodPassword}, {"eve", goodPassword}, {"", ""}, {"a:b", goodPassword}} {
			secret, who, err := v.sessions.Start(t.Context(), c[0], c[1], clientAddress, clientAgent)
			if secret != "" || who != nil || !errors.Is(err, auth.ErrUnauthenticated) {
				t.Errorf("%q: %q, %v, %v", c, secret, who, err)
			}
			messages[fmt.Sprint(err)] = true
		}
		if n := b.count("SELECT count(*) FROM sessions"); n != 0 || len(messages) != 1 {
			t.Errorf("%d sessions, and the errors are %v", n, messages)
		}
		v.recorder.Flush(t.Context())
		if n := b.count("SELECT count(*) FROM audit WHERE action = 'login' AND outcome = 'refused'"); n != 3 {
			t.Errorf("%d refused logins are recorded", n)
		}
	})
}

func TestSession_ChangePassword(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		v := newVisitors(b, "alice")
		const changed = "another horse battery"
		others, _ := v.start("alice")
		secret, who := v.start("alice")
		b.now = b.now.Add(auth.ProofLifetime)
		v.wantResumed("the other", others)
		_, late := v.wantResumed("this one", secret)
		if _, err := v.users.ChangePasswordInSession(t.Context(), late, changed, false); !errors.Is(err, auth.ErrProofRequired) {
			t.Errorf("without a proof: %v", err)
		}
		secret = testkit.Value(v.sessions.Prove(t.Context(), secret, goodPassword, clientAddress, clientAgent))(t)
		_, proved := v.wantResumed("proved", secret)
		if _, err := v.users.ChangePasswordInSession(t.Context(), proved, "short", false); fault.KindOf(err) != fault.Invalid {
			t.Errorf("a short password: %v", err)
		}
		if _, err := v.users.ChangePasswordInSession(t.Context(), v.byPassword("alice"), changed, false); !errors.Is(err, auth.ErrSessionNotFound) {
			t.Errorf("without a session: %v", err)
		}
		v.wantResumed("after refused changes", secret)
		after := testkit.Value(v.users.ChangePasswordInSession(t.Context(), proved, changed, false))(t)
		v.wantEnded("another session", others)
		v.wantEnded("the secret before the change", secret)
		_, now := v.wantResumed("the session that changed the password", after)
		if now.SessionID != who.SessionID || now.RequirePassword() != nil {
			t.Errorf("%+v", now)
		}
		if _, err := v.login.Password(t.Context(), "alice", changed, clientAddress); err != nil {
			t.Error(err)
		}
	})
}
