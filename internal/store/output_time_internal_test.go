package store

import (
	"path/filepath"
	"testing"

	"github.com/specterd/specterd/internal/testenv/testkit"
)

// TestMigration_OutputTimes checks that the migration gives all outputs the time of their
// transaction, and can be undone.
func TestMigration_OutputTimes(t *testing.T) {
	for name, url := range map[string]string{"sqlite": filepath.Join(t.TempDir(), "x.db"), "postgres": testkit.Postgres(t)} {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			s := openAt(t, url, 30)
			p, err := s.provider()
			testkit.Check(t, err)
			for _, id := range []string{"v", "w"} {
				exec(ctx, t, s, `INSERT INTO wallets (wallet_id, name, stage, core_name, script, signatures_required, receive_descriptor, change_descriptor, birthday_height, created_at)
					VALUES ($1, $1, 'ready', $1, 'wpkh', 1, '', '', 0, 1)`, id)
			}
			for at, one := range [][2]string{{"v", "a"}, {"v", "b"}, {"w", "a"}} {
				exec(ctx, t, s, `INSERT INTO transactions (wallet_id, txid, time, status, category, flow_sat, vsize, replaceable, trusted, address, received_at, raw)
					VALUES ($1, $2, $3, 'confirmed', 'send', -1, 141, 'yes', TRUE, '', 1, $4)`, one[0], one[1], 1000+at, []byte("raw"))
				for vout := range 2 {
					exec(ctx, t, s, "INSERT INTO outputs (wallet_id, txid, vout, address, amount_sat) VALUES ($1, $2, $3, 'x', 1)", one[0], one[1], vout)
				}
			}
			for range 2 {
				_, err = p.UpTo(ctx, 31)
				testkit.Check(t, err)
				var outputs, right int
				testkit.Check(t, s.rw.QueryRowContext(ctx, `SELECT count(*), sum(CASE WHEN o.time = t.time AND t.time >= 1000 THEN 1 ELSE 0 END)
					FROM outputs AS o JOIN transactions AS t ON t.wallet_id = o.wallet_id AND t.txid = o.txid`).Scan(&outputs, &right))
				if outputs != 6 || right != 6 {
					t.Errorf("%d of %d outputs have the time of their transaction", right, outputs)
				}
				_, err = p.DownTo(ctx, 30)
				testkit.Check(t, err)
			}
		})
	}
}
