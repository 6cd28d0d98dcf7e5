package store_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/idempotency"
	"github.com/specterd/specterd/internal/store"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// TestChanged checks that a Store reports only changes that a caller requested.
func TestChanged(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		alice := b.user("alice", false)
		w, _ := b.quiet(alice)
		label := "invoice"
		claims := func(s *store.Store) *idempotency.Claim {
			t.Helper()
			claim, _, err := idempotency.New(s, func() time.Time { return b.now }, nil).Begin(t.Context(), keyed(alice, "k", "a"))
			testkit.Check(t, err)
			return claim
		}
		for _, test := range []struct {
			name string
			do   func(s *store.Store) error
			want bool
		}{
			{"read", func(s *store.Store) error { _, err := s.UserByName(t.Context(), "alice"); return err }, false},
			{"seal the audit log", func(s *store.Store) error { return s.SealAudit(t.Context()) }, false},
			{"note a lock", func(s *store.Store) error {
				return s.NoteLock(t.Context(), w.ID, []btc.Outpoint{{Txid: strings.Repeat("1", 64)}})
			}, false},
			{"an edit that is refused", func(s *store.Store) error {
				refused := errors.New("refused")
				if _, err := s.EditUser(t.Context(), operator, "alice", func(*auth.UserEdit) error { return refused }); !errors.Is(err, refused) {
					return err
				}
				return nil
			}, false},
			{"a claim that is released", func(s *store.Store) error { return claims(s).Release(t.Context()) }, false},
			{"a label without an object", func(s *store.Store) error {
				return s.SetLabels(t.Context(), w.ID, []btc.Label{{Type: "addr", Ref: "x"}}, auth.Event{})
			}, false},
			{"a label", func(s *store.Store) error {
				return s.SetLabels(t.Context(), w.ID, []btc.Label{{Type: "addr", Ref: "x", Label: &label}}, auth.Event{})
			}, true},
			{"a kept claim", func(s *store.Store) error {
				return claims(s).Keep(t.Context(), idempotency.Answer{Status: 201, Body: []byte("x")})
			}, true},
			{"an edit", func(s *store.Store) error {
				_, err := s.EditUser(t.Context(), operator, "alice", func(e *auth.UserEdit) error { e.Admin = true; return nil })
				return err
			}, true},
		} {
			t.Run(test.name, func(t *testing.T) {
				s := b.reopen()
				testkit.Check(t, test.do(s))
				if s.Changed() != test.want {
					t.Errorf("changed: %t, want %t", s.Changed(), test.want)
				}
			})
		}
	})
}
