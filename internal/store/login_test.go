package store_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/store"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// interruptedStore is a store that calls the function then after it has read a
// user.
type interruptedStore struct {
	*store.Store

	then func()
}

func (s interruptedStore) UserByName(ctx context.Context, name string) (auth.User, error) {
	u, err := s.Store.UserByName(ctx, name)
	s.then()
	return u, err
}

// TestLogin_UserChangesMeanwhile checks that a login fails if the user was changed while the
// password was compared, which takes long.
func TestLogin_UserChangesMeanwhile(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		passwords, err := auth.NewPasswords(4, 2)
		testkit.Check(t, err)
		log := slog.New(slog.DiscardHandler)
		for name, c := range map[string]struct {
			change string
			fails  bool
		}{
			"nothing":        {"UPDATE users SET quotas = '' WHERE name = $1", false},
			"password reset": {"UPDATE users SET password_hash = 'x' WHERE name = $1", true},
			"role taken":     {"UPDATE users SET is_admin = FALSE WHERE name = $1", true},
			"disabled":       {"UPDATE users SET disabled_at = 1 WHERE name = $1", true},
			"deleted":        {"DELETE FROM users WHERE name = $1", true},
		} {
			t.Run(name, func(t *testing.T) {
				const password = "correct horse battery"
				_, err := auth.NewUsers(b.Store, passwords, func() time.Time { return b.now }).Create(t.Context(), operator, name, password, true)
				testkit.Check(t, err)
				during := interruptedStore{b.Store, func() { b.exec(c.change, name) }}
				login := auth.NewLogin(log, during, passwords, nil, auth.NewRecorder(log, b.Store), func() time.Time { return b.now })
				if _, err := login.Password(t.Context(), name, password, "10.0.0.1"); errors.Is(err, auth.ErrUnauthenticated) != c.fails || err != nil && !c.fails {
					t.Errorf("%s: %v", name, err)
				}
			})
		}
	})
}

// TestRefusedLogins_BoundedAuditLog checks that guessing user names does not fill the
// audit log, and that its hash chain stays intact.
func TestRefusedLogins_BoundedAuditLog(t *testing.T) {
	testkit.NeedsTime(t)
	onBothEngines(t, func(t *testing.T, b *fixture) {
		passwords, err := auth.NewPasswords(4, 2)
		testkit.Check(t, err)
		recorder := auth.NewRecorder(slog.New(slog.DiscardHandler), b.Store)
		login := auth.NewLogin(slog.New(slog.DiscardHandler), b.Store, passwords, nil, recorder, func() time.Time { return b.now })
		const attempts = 300
		for i := range attempts {
			_, err := login.Password(t.Context(), fmt.Sprint("nobody ", i), "wrong password", fmt.Sprintf("10.0.%d.1", i%100))
			if !errors.Is(err, auth.ErrUnauthenticated) {
				t.Fatal(err)
			}
		}
		recorder.EndLoginCounts()
		recorder.Flush(t.Context())
		if n := b.count("SELECT count(*) FROM audit WHERE outcome = 'refused'"); n > 70 {
			t.Errorf("%d entries", n)
		}
		testkit.Check(t, b.SealAudit(t.Context()))
		if r := b.verify(""); len(r.Problems) > 0 {
			t.Error(r.Problems)
		}
	})
}
