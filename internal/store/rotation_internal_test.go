package store

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/specterd/specterd/internal/testenv/testkit"
)

// TestMigration_Rotations checks that the migration reconstructs earlier rotations from
// the audit log. Imported tokens and their successors keep only the permissions of a
// Specter Desktop token.
func TestMigration_Rotations(t *testing.T) {
	for name, url := range map[string]string{"sqlite": filepath.Join(t.TempDir(), "x.db"), "postgres": testkit.Postgres(t)} {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			s := openAt(t, url, 15)
			p, err := s.provider()
			testkit.Check(t, err)
			exec := func(statement string, args ...any) {
				t.Helper()
				_, err := s.rw.ExecContext(ctx, statement, args...)
				testkit.Check(t, err)
			}
			exec("INSERT INTO users (user_id, name, name_folded, password_hash, created_at) VALUES ('u', 'u', 'u', 'x', 1)")
			const all = "node:read wallets:read wallets:write addresses:write psbts:read psbts:create psbts:sign psbts:broadcast"
			for _, token := range []struct {
				id, scopes string
				imported   bool
			}{
				{"own", all, false},
				{"imported", all, true},
				{"narrowed", "psbts:read node:read", true},
				{"emptied", "", true},
				{"successor", all, false}, // of a deleted imported token, through another deleted token
				{"thief", all, false},
			} {
				exec("INSERT INTO tokens (token_id, user_id, description, token_hash, scopes, lifetime, created_at, expires_at, imported) VALUES ($1, 'u', $1, $2, $3, 1, 1, 4000000000000000, $4)",
					token.id, []byte(token.id), token.scopes, token.imported)
			}
			for _, id := range []string{"imported", "narrowed", "emptied", "gone"} {
				exec("INSERT INTO imports (kind, origin, id, created_at) VALUES ('token', $1, $1, 1)", id)
			}
			for _, r := range [][4]string{
				{"gone", "between", "", "u"},
				{"between", "successor", "", "u"},
				{"own", "middle", "own", "u"},
				{"middle", "thief", "middle", "u"},
				{"x", "y", "x", "a user who is gone"},
			} {
				exec("INSERT INTO audit (at, user_id, user_name, token_id, address, action, target, outcome, detail) VALUES (1, $4, 'u', $3, '', 'token.rotate', $1, 'ok', $2)",
					r[0], "successor "+r[1], r[2], r[3])
			}
			for range 2 {
				_, err = p.Up(ctx)
				testkit.Check(t, err)
				const least = "node:read wallets:read proposals:read proposals:create"
				kept := strings.ReplaceAll(all, "psbts:", "proposals:") // renamed by a later migration
				for id, want := range map[string]string{
					"own": kept, "thief": kept, "imported": least, "successor": least, "narrowed": "node:read proposals:read", "emptied": "",
				} {
					t.Run(id, func(t *testing.T) {
						var got string
						testkit.Check(t, s.rw.QueryRowContext(ctx, "SELECT scopes FROM tokens WHERE token_id = $1", id).Scan(&got))
						if got != want {
							t.Errorf("%s has %q, want %q", id, got, want)
						}
					})
				}
				rows, err := texts(ctx, s.rw, "SELECT predecessor_id || ' ' || successor_id || ' ' || user_id FROM rotations ORDER BY 1")
				testkit.Check(t, err)
				if got := fmt.Sprintf("%q", rows); got != `["middle thief u" "own middle u"]` {
					t.Errorf("rotations %s", got)
				}
				_, err = p.DownTo(ctx, 15)
				testkit.Check(t, err)
			}
		})
	}
}
