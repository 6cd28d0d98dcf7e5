package store

import (
	"path/filepath"
	"testing"

	"github.com/specterd/specterd/internal/testenv/testkit"
)

// TestMigration_Sessions checks that the migration keeps users, tokens and webhooks, in both
// directions, and that the migration back ends all sessions.
func TestMigration_Sessions(t *testing.T) {
	for name, url := range map[string]string{"sqlite": filepath.Join(t.TempDir(), "x.db"), "postgres": testkit.Postgres(t)} {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			s := openAt(t, url, 26)
			p, err := s.provider()
			testkit.Check(t, err)
			exec(ctx, t, s, "INSERT INTO users (user_id, name, name_folded, password_hash, access_version, created_at) VALUES ('u', 'u', 'u', 'x', 7, 1)")
			exec(ctx, t, s, "INSERT INTO tokens (token_id, user_id, description, token_hash, scopes, lifetime, created_at, expires_at) VALUES ('t', 'u', 'd', $1, '', 1, 1, 1)", []byte("1"))
			exec(ctx, t, s, `INSERT INTO webhooks (webhook_id, user_id, token_id, scopes, description, url, host, ordering, events_until, created_at)
				VALUES ('w', 'u', 't', '', 'd', 'https://example.com', 'example.com', 'none', 0, 1)`)
			count := func(what string) (n int) {
				t.Helper()
				testkit.Check(t, s.rw.QueryRowContext(ctx, "SELECT count(*) FROM "+what).Scan(&n))
				return n
			}
			for range 2 {
				_, err = p.Up(ctx)
				testkit.Check(t, err)
				if count("sessions") != 0 || count("v_sessions") != 0 {
					t.Error("there are sessions at first")
				}
				exec(ctx, t, s, `INSERT INTO sessions (session_id, secret_hash, user_id, access_version, created_at, last_seen_at, proved_at, address, agent)
					VALUES ('s', $1, 'u', 7, 1, 1, 1, '', '')`, []byte("2"))
				if count("v_sessions") != 1 {
					t.Error("the view does not show the session")
				}
				_, err = p.DownTo(ctx, 26)
				testkit.Check(t, err)
				if count("users WHERE access_version = 7")+count("tokens")+count("webhooks") != 3 {
					t.Error("rows are missing")
				}
			}
		})
	}
}
