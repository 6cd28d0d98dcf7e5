package store

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/specterd/specterd/internal/testenv/testkit"
)

// TestMigration_Evictions checks that the migration records the transactions of
// proposals that were broadcast by other software, and the replacements of replaced
// proposals.
func TestMigration_Evictions(t *testing.T) {
	for name, url := range map[string]string{"sqlite": filepath.Join(t.TempDir(), "x.db"), "postgres": testkit.Postgres(t)} {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			s := openAt(t, url, 9)
			p, err := s.provider()
			testkit.Check(t, err)
			proposal := func(id, status, finalTxid, replaces string) string {
				return fmt.Sprintf(`INSERT INTO psbts (psbt_id, wallet_id, txid, final_txid, status, status_at, version, user_id, user_name, token_id, created_at,
					expires_at, fee_sat, excess_fee_sat, vsize, fee_rate, target_blocks, replaceable, send_max, subtract_from, replaces_id, psbt)
					VALUES ('%s', 'w', 'unsigned', '%s', '%s', 1, 4, 'u', 'u', '', 1, 1, 5, 0, 150, 1000, 0, TRUE, FALSE, '[]', '%s', $1)`, id, finalTxid, status, replaces)
			}
			raw := []byte("raw")
			exec(ctx, t, s, "INSERT INTO users (user_id, name, name_folded, password_hash, created_at) VALUES ('u', 'u', 'u', 'x', 1)")
			exec(ctx, t, s, `INSERT INTO wallets (wallet_id, name, stage, core_name, script, required, receive_descriptor, change_descriptor, birth_height, created_at)
				VALUES ('w', 'w', 'ready', 'w', 'wpkh', 1, '', '', 0, 1)`)
			exec(ctx, t, s, `INSERT INTO transactions (wallet_id, txid, time, status, category, flow_sat, vsize, replaceable, trusted, address, received_at, raw)
				VALUES ('w', 'sent', 1, 'confirmed', 'send', -1, 141, 'yes', TRUE, '', 1, $1)`, raw)
			exec(ctx, t, s, proposal("open", "created", "", ""), raw)
			exec(ctx, t, s, proposal("elsewhere", "confirmed", "sent", "first"), raw)
			exec(ctx, t, s, proposal("unknown", "broadcast", "gone", ""), raw)
			exec(ctx, t, s, proposal("first", "replaced", "old", ""), raw)
			_, err = p.Up(ctx)
			testkit.Check(t, err)
			for id, want := range map[string]string{
				"open": "<nil> 150 4  []", "elsewhere": "raw 141 5  []", "unknown": "<nil> 150 4  []", "first": "<nil> 150 5 elsewhere []",
			} {
				t.Run(id, func(t *testing.T) {
					var gotRaw []byte
					var vsize, version int
					var replacedBy, evicts string
					testkit.Check(t, s.rw.QueryRowContext(ctx, "SELECT raw, vsize, version, replaced_by, evicts FROM proposals WHERE proposal_id = $1", id).
						Scan(&gotRaw, &vsize, &version, &replacedBy, &evicts))
					text := "<nil>"
					if gotRaw != nil {
						text = string(gotRaw)
					}
					if got := fmt.Sprint(text, " ", vsize, " ", version, " ", replacedBy, " ", evicts); got != want {
						t.Errorf("%s: %q, want %q", id, got, want)
					}
				})
			}
			_, err = p.DownTo(ctx, 9)
			testkit.Check(t, err)
		})
	}
}

func exec(ctx context.Context, t *testing.T, s *Store, statement string, args ...any) {
	t.Helper()
	_, err := s.rw.ExecContext(ctx, statement, args...)
	testkit.Check(t, err)
}
