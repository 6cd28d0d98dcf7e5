package store

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/testenv/testkit"
)

// TestMigration_SigningKeys migrates a database from before there could be several
// signing keys. Its only key must become the key of all tokens that were not imported.
func TestMigration_SigningKeys(t *testing.T) {
	for name, url := range map[string]string{"sqlite": filepath.Join(t.TempDir(), "x.db"), "postgres": testkit.Postgres(t)} {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			s := openAt(t, url, 8)
			p, err := s.provider()
			testkit.Check(t, err)
			for _, statement := range []string{
				"INSERT INTO settings (name, value) VALUES ('signing_key_fingerprint', 'abcd'), ('first_start', '2026-01-02T03:04:05Z')",
				"INSERT INTO users (user_id, name, name_folded, password_hash, created_at) VALUES ('u', 'u', 'u', 'x', 1)",
				`INSERT INTO tokens (token_id, user_id, description, token_hash, scopes, lifetime, created_at, expires_at, imported) VALUES
					('own', 'u', 'own', $1, '', 1, 1, 4000000000000000, FALSE), ('foreign', 'u', 'foreign', $2, '', 1, 1, 4000000000000000, TRUE)`,
			} {
				var args []any
				if strings.Contains(statement, "$2") {
					args = []any{[]byte("1"), []byte("2")}
				}
				_, err := s.rw.ExecContext(ctx, statement, args...)
				testkit.Check(t, err)
			}
			for range 2 {
				_, err = p.Up(ctx)
				testkit.Check(t, err)
				keys, err := s.SigningKeys(ctx)
				testkit.Check(t, err)
				if len(keys) != 1 || keys[0].Fingerprint != "abcd" || !keys[0].Signs() || keys[0].CreatedAt.Format(time.RFC3339) != "2026-01-02T03:04:05Z" {
					t.Fatalf("got %+v", keys)
				}
				if n, err := s.TokensOfKey(ctx, "abcd"); err != nil || n != 1 {
					t.Errorf("%d tokens, want 1; %v", n, err)
				}
				_, err = p.DownTo(ctx, 8)
				testkit.Check(t, err)
			}
			var bound string
			testkit.Check(t, s.rw.QueryRowContext(ctx, "SELECT value FROM settings WHERE name = 'signing_key_fingerprint'").Scan(&bound))
			if bound != "abcd" {
				t.Errorf("and back: %q", bound)
			}
		})
	}
}
