package store

import (
	"context"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/backup"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// schemaOfOldNames is the last schema version before columns and tables were renamed to
// the terms of the glossary, such as birthday_height, signatures_required and utxos.
const schemaOfOldNames = 21

// insertOldNames inserts rows into a database of schema 21.
func insertOldNames(ctx context.Context, t *testing.T, s *Store) {
	t.Helper()
	exec(ctx, t, s, "INSERT INTO users (user_id, name, name_folded, password_hash, created_at) VALUES ('u', 'Alice', 'alice', 'x', 1)")
	for id, from := range map[string]any{"idle": nil, "queued": 7} {
		exec(ctx, t, s, `INSERT INTO wallets (wallet_id, name, stage, core_name, script, required, receive_descriptor, change_descriptor, birth_height, created_at,
				scan_from, scan_progress, scan_range, scan_problem, scan_user, synced_height)
			VALUES ($1, $1, 'ready', $1, 'wsh', 2, '', '', 5, 1, $2, 0.5, 1500, 'pruned', 'u', 200)`, id, from)
		exec(ctx, t, s, `INSERT INTO unspent (wallet_id, txid, vout, address, amount_sat, branch, address_index, time, status, block_height, generated, trusted)
			VALUES ($1, 'coin', 1, 'a', 1000, 0, 3, 1, 'confirmed', 190, TRUE, TRUE)`, id)
	}
	exec(ctx, t, s, `INSERT INTO proposals (proposal_id, wallet_id, txid, final_txid, status, status_at, reason, version, user_id, user_name, token_id, created_at,
			expires_at, fee_sat, excess_fee_sat, vsize, fee_rate, target_blocks, replaceable, send_max, subtract_from, replaces, replaces_id, replaced_by,
			change_index, psbt, raw, imported, evicts, fee_source)
		VALUES ('p', 'idle', 'x', '', 'created', 2, '', 4, 'u', 'Alice', '', 3, 9, 5, 1, 150, 1000, 6, TRUE, FALSE, '[0]', '', '', '', NULL, $1, NULL, FALSE, '[]', 'estimate')`, []byte("psbt"))
	exec(ctx, t, s, `INSERT INTO proposal_outputs (proposal_id, position, address, amount_sat, asked_sat, kind, branch, address_index, recipient) VALUES ('p', 0, 'out', 900, 905, 'external', NULL, NULL, 0)`)
}

// renamedTables maps tables and views with renamed columns to their names before the
// migration. In v_wallets, the values of status were also renamed.
var renamedTables = map[string]string{
	"wallets": "wallets", "proposal_outputs": "proposal_outputs", "utxos": "unspent", "utxo_states": "coins", "v_proposals": "v_proposals", "v_wallets": "v_wallets",
}

func TestMigration_StandardNames(t *testing.T) {
	t.Parallel()
	for name, url := range map[string]string{"sqlite": filepath.Join(t.TempDir(), "x.db"), "postgres": testkit.Postgres(t)} {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			s := openAt(t, url, schemaOfOldNames)
			insertOldNames(ctx, t, s)
			before := map[string]string{}
			for _, old := range renamedTables {
				before[old] = rowsOf(ctx, t, s, old)
			}
			p, err := s.provider()
			testkit.Check(t, err)
			for range 2 { // the second time after migrating down
				_, err := p.UpTo(ctx, schemaOfOldNames+1) // later ones add columns
				testkit.Check(t, err)
				for table, old := range renamedTables {
					t.Run(table, func(t *testing.T) {
						want := before[old]
						if table == "v_wallets" {
							want = strings.Replace(want, "scanning", "rescanning", 1)
						}
						if got := rowsOf(ctx, t, s, table); got != want {
							t.Errorf("%s has\n%s\nwant\n%s", table, got, want)
						}
					})
				}
				checkRenamed(ctx, t, s)
				_, err = p.DownTo(ctx, schemaOfOldNames)
				testkit.Check(t, err)
				for old, want := range before {
					if got := rowsOf(ctx, t, s, old); got != want {
						t.Errorf("after the migration down, %s has\n%s\nwant\n%s", old, got, want)
					}
				}
			}
		})
	}
}

// checkRenamed checks that the rows that insertOldNames inserted can be read by the current
// column names.
func checkRenamed(ctx context.Context, t *testing.T, s *Store) {
	t.Helper()
	for query, want := range map[string]string{
		"SELECT birthday_height || ' ' || signatures_required || ' ' || rescan_from || ' ' || rescan_range || ' ' || rescan_problem || ' ' || rescan_user FROM wallets WHERE wallet_id = 'queued'": "5 2 7 1500 pruned u",
		"SELECT status || ' ' || signatures_required FROM v_wallets WHERE name = 'queued'":                                                                                                         "rescanning 2",
		"SELECT status || ' ' || signatures_required FROM v_proposals":                                                                                                                             "created 2",
		"SELECT CAST(requested_sat AS TEXT) FROM proposal_outputs":                                                                                                                                 "905",
	} {
		t.Run(query, func(t *testing.T) {
			got, err := texts(ctx, s.rw, query)
			testkit.Check(t, err)
			if strings.Join(got, ",") != want {
				t.Errorf("%s: %v, want %s", query, got, want)
			}
		})
	}
}

// TestRestore_OldNames restores backups of schema 21, made on each engine, on both
// engines.
func TestRestore_OldNames(t *testing.T) {
	t.Parallel()
	for name, url := range map[string]string{"sqlite": filepath.Join(t.TempDir(), "x.db"), "postgres": testkit.Postgres(t)} {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			s := openAt(t, url, schemaOfOldNames)
			insertOldNames(ctx, t, s)
			path := filepath.Join(t.TempDir(), "backup.zip")
			testkit.Check(t, backup.Save(path, func(out io.Writer) error {
				return s.Snapshot(ctx, func(src backup.Source) error {
					_, err := backup.Write(ctx, out, src, "specterd old", s.now())
					return err
				})
			}))
			f, err := backup.Open(path)
			testkit.Check(t, err)
			defer func() { testkit.Check(t, f.Close()) }()
			testkit.Check(t, errors.Join(f.Check(ctx), CheckBackup(ctx, f)))
			for target, url := range map[string]string{"sqlite": filepath.Join(t.TempDir(), "y.db"), "postgres": testkit.Postgres(t)} {
				t.Run("to "+target, func(t *testing.T) {
					to := openAt(t, url, 0)
					_, err := to.Restore(ctx, f, RestoreOptions{
						Key:   func() (string, error) { return "new", nil },
						Event: func(int) auth.Event { return auth.Event{At: to.now(), Action: "backup.restore"} },
					})
					testkit.Check(t, err)
					for query, want := range map[string]string{
						"SELECT birthday_height || ' ' || signatures_required FROM wallets WHERE wallet_id = 'queued'": "5 2",
						"SELECT signatures_required || '' FROM v_proposals":                                            "2",
						"SELECT CAST(requested_sat AS TEXT) FROM proposal_outputs":                                     "905",
					} {
						t.Run(query, func(t *testing.T) {
							got, err := texts(ctx, to.rw, query)
							testkit.Check(t, err)
							if strings.Join(got, ",") != want {
								t.Errorf("%s: %v, want %s", query, got, want)
							}
						})
					}
				})
			}
		})
	}
}
