package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/backup"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// schemaOfPSBTs is the last schema version in which proposals were called psbts.
const schemaOfPSBTs = 20

// openAt opens an empty database and migrates it to a version of the schema.
func openAt(t *testing.T, url string, version int64) *Store {
	t.Helper()
	s, err := Open(t.Context(), Options{
		URL: url, BackupFolder: t.TempDir(), Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return time.Unix(1_700_000_000, 0) },
	})
	testkit.Check(t, err)
	t.Cleanup(func() { _ = s.Close() })
	if version > 0 {
		p, err := s.provider()
		testkit.Check(t, err)
		_, err = p.UpTo(t.Context(), version)
		testkit.Check(t, err)
	}
	return s
}

// allStatuses has all statuses of a proposal. The value is true if a proposal with this
// status is open.
var allStatuses = map[proposal.Status]bool{
	proposal.Created: true, proposal.PartiallySigned: true, proposal.Complete: true, proposal.Broadcast: false, proposal.Confirmed: false,
	proposal.Cancelled: false, proposal.Expired: false, proposal.Conflicted: false, proposal.Replaced: false,
}

// insertPSBTs inserts a user, tokens, a wallet, and a proposal in each status into a
// database of schema 20. The id of each proposal is its status.
func insertPSBTs(ctx context.Context, t *testing.T, s *Store) {
	t.Helper()
	exec(ctx, t, s, "INSERT INTO users (user_id, name, name_folded, password_hash, created_at) VALUES ('u', 'Alice', 'alice', 'x', 1)")
	for id, scopes := range map[string]string{
		"all": "node:read wallets:read wallets:write addresses:write psbts:read psbts:create psbts:sign psbts:broadcast members:write", "reads": "psbts:read", "none": "wallets:read", "empty": "",
	} {
		exec(ctx, t, s, "INSERT INTO tokens (token_id, user_id, description, token_hash, scopes, lifetime, created_at, expires_at) VALUES ($1, 'u', $2, $3, $4, 1, 1, 4000000000000000)",
			id, "psbts: "+id, []byte(id), scopes)
	}
	exec(ctx, t, s, `INSERT INTO wallets (wallet_id, name, stage, core_name, script, required, receive_descriptor, change_descriptor, birth_height, created_at)
		VALUES ('w', 'psbts', 'ready', 'w', 'wsh', 2, '', '', 0, 1)`)
	vout := 0
	for status, open := range allStatuses {
		vout++
		exec(ctx, t, s, `INSERT INTO psbts (psbt_id, wallet_id, txid, final_txid, status, status_at, reason, version, user_id, user_name, token_id, created_at,
				expires_at, fee_sat, excess_fee_sat, vsize, fee_rate, target_blocks, replaceable, send_max, subtract_from, replaces, replaces_id, replaced_by,
				change_index, psbt, raw, imported, evicts, fee_source)
			VALUES ($1, 'w', $2, 'final', $1, 2, 'psbts:', 4, 'u', 'Alice', 'all', $3, 9, 5, 1, 150, 1000, 6, TRUE, FALSE, '[0]', 'old', 'x', 'y', $4, $5, $6, $7, '[]', 'estimate')`,
			string(status), "txid of "+string(status), vout, vout, []byte("psbt\xff\x00"), []byte{0, 1}, open)
		exec(ctx, t, s, `INSERT INTO psbt_inputs (psbt_id, position, wallet_id, txid, vout, address, amount_sat, branch, address_index) VALUES ($1, 0, 'w', 'coin', $2, 'in', 1000, 0, 3)`, string(status), vout)
		exec(ctx, t, s, `INSERT INTO psbt_outputs (psbt_id, position, address, amount_sat, asked_sat, kind, branch, address_index, recipient) VALUES ($1, 0, 'out', 900, 905, 'external', NULL, NULL, 0)`, string(status))
		exec(ctx, t, s, `INSERT INTO psbt_outputs (psbt_id, position, address, amount_sat, asked_sat, kind, branch, address_index, recipient) VALUES ($1, 1, 'back', 95, 0, 'change', 1, $2, NULL)`, string(status), vout)
		exec(ctx, t, s, `INSERT INTO psbt_signatures (psbt_id, position, key_position, at, user_id, user_name, token_id) VALUES ($1, 0, 1, 3, 'u', 'Alice', 'all')`, string(status))
		exec(ctx, t, s, `INSERT INTO psbt_steps (psbt_id, position, at, action, user_id, user_name, token_id, detail) VALUES ($1, 0, 1, 'created', 'u', 'Alice', 'all', '')`, string(status))
		var owner any
		if open {
			owner = string(status)
		}
		exec(ctx, t, s, "INSERT INTO reserved (wallet_id, txid, vout, psbt_id) VALUES ('w', 'coin', $1, $2)", vout, owner)
		exec(ctx, t, s, "INSERT INTO audit (at, user_id, user_name, token_id, address, action, target, outcome, detail) VALUES (1, 'u', 'Alice', 'all', '', 'psbt.create', $1, 'ok', 'wallet w')", string(status))
	}
	for kind, origin := range map[string]string{"user": "o1", "psbt": "o2"} {
		exec(ctx, t, s, "INSERT INTO imports (kind, origin, id, created_at) VALUES ($1, $2, 'created', 1)", kind, origin)
	}
	for _, route := range []string{"POST /api/v1/wallets/{alias}/psbts", "POST /api/v1/wallets/{alias}/psbts/{id}/bump", "POST /api/v1/wallets"} {
		exec(ctx, t, s, "INSERT INTO idempotency (user_id, route, idempotency_key, fingerprint, claim_id, claimed_at) VALUES ('u', $1, 'k', $2, '', 1)", route, []byte("f"))
	}
	testkit.Check(t, s.SealAudit(ctx))
}

// queries counts the queries of rowsOf. The number makes the text of each query unique,
// because PostgreSQL does not execute a prepared statement again after a migration has
// renamed its columns.
var queries atomic.Int64

// rowsOf returns the rows of a table in one format for both engines.
func rowsOf(ctx context.Context, t *testing.T, s *Store, table string) string {
	t.Helper()
	columns := "*"
	switch table { // whose order differs between schema versions
	case "psbts":
		columns = "psbt_id" + proposalColumns
	case "proposals":
		columns = "proposal_id" + proposalColumns
	}
	rows, err := s.rw.QueryContext(ctx, fmt.Sprintf("SELECT %s FROM %s -- %d", columns, table, queries.Add(1)))
	testkit.Check(t, err)
	defer func() { _ = rows.Close() }()
	names, err := rows.Columns()
	testkit.Check(t, err)
	var lines []string
	for rows.Next() {
		row, at := make([]any, len(names)), make([]any, len(names))
		for i := range row {
			at[i] = &row[i]
		}
		testkit.Check(t, rows.Scan(at...))
		for i, value := range row {
			if truth, ok := value.(bool); ok {
				row[i] = map[bool]int{true: 1}[truth]
			}
		}
		lines = append(lines, fmt.Sprintf("%v", row))
	}
	testkit.Check(t, rows.Err())
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// proposalColumns are the columns of a proposal, except its id, that all schema versions since
// schemaOfPSBTs have.
const proposalColumns = `, wallet_id, txid, final_txid, status, status_at, reason, version, user_id, user_name, token_id, created_at, expires_at,
  fee_sat, excess_fee_sat, vsize, fee_rate, target_blocks, replaceable, send_max, subtract_from, replaces, replaces_id, replaced_by,
  change_index, psbt, raw, imported, evicts, fee_source`

// psbtTables are the names of the tables of proposals, before and after the migration.
var psbtTables = map[string]string{
	"psbts": "proposals", "psbt_inputs": "proposal_inputs", "psbt_outputs": "proposal_outputs", "psbt_signatures": "proposal_signatures",
	"psbt_steps": "proposal_steps", "reserved": "reserved",
}

// changedTables are the other tables whose rows the migration changes.
var changedTables = []string{"tokens", "imports", "idempotency"}

func TestMigration_Proposals(t *testing.T) {
	t.Parallel()
	for name, url := range map[string]string{"sqlite": filepath.Join(t.TempDir(), "x.db"), "postgres": testkit.Postgres(t)} {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			s := openAt(t, url, schemaOfPSBTs)
			insertPSBTs(ctx, t, s)
			before := map[string]string{"audit": rowsOf(ctx, t, s, "audit"), "v_psbts": rowsOf(ctx, t, s, "v_psbts")}
			for table := range psbtTables {
				before[table] = rowsOf(ctx, t, s, table)
			}
			for _, table := range changedTables {
				before[table] = rowsOf(ctx, t, s, table)
			}
			p, err := s.provider()
			testkit.Check(t, err)
			testkit.Check(t, s.Migrate(ctx))
			for range 2 { // the second time after migrating down
				_, err := p.Up(ctx)
				testkit.Check(t, err)
				for old, table := range psbtTables {
					t.Run(old, func(t *testing.T) {
						if got := rowsOf(ctx, t, s, table); got != before[old] {
							t.Errorf("%s has\n%s\nand %s had\n%s", table, got, old, before[old])
						}
					})
				}
				if got := rowsOf(ctx, t, s, "v_proposals"); got != before["v_psbts"] {
					t.Errorf("v_proposals has\n%s\nand v_psbts had\n%s", got, before["v_psbts"])
				}
				checkMigratedTokens(ctx, t, s)
				checkMigratedProposals(ctx, t, s)
				checkMigratedAudit(ctx, t, s, before["audit"])
				if id, err := s.ImportedAs(ctx, "proposal", "o2"); err != nil || id != "created" {
					t.Errorf("the import is recorded as %q, %v", id, err)
				}
				routes, err := texts(ctx, s.rw, "SELECT route FROM idempotency ORDER BY route")
				testkit.Check(t, err)
				if got := strings.Join(routes, ", "); got != "POST /api/v1/wallets, POST /api/v1/wallets/{alias}/proposals, POST /api/v1/wallets/{alias}/proposals/{id}/bump" {
					t.Errorf("idempotency keys are of the routes %s", got)
				}
				if name == "sqlite" {
					if got := rowsOf(ctx, t, s, "pragma_foreign_key_check"); got != "" {
						t.Errorf("broken foreign keys:\n%s", got)
					}
				}

				_, err = p.DownTo(ctx, schemaOfPSBTs)
				testkit.Check(t, err)
				for table, want := range before {
					if got := rowsOf(ctx, t, s, table); got != want {
						t.Errorf("after the migration down, %s has\n%s\nwant\n%s", table, got, want)
					}
				}
			}
		})
	}
}

// checkMigratedTokens checks that tokens have the same permissions as before.
func checkMigratedTokens(ctx context.Context, t *testing.T, s *Store) {
	t.Helper()
	proposals := auth.ProposalsRead | auth.ProposalsCreate | auth.ProposalsSign | auth.ProposalsBroadcast
	for id, want := range map[string]auth.Scopes{
		"all": proposals | auth.NodeRead | auth.WalletsRead | auth.WalletsWrite | auth.AddressesWrite | auth.MembersWrite, "reads": auth.ProposalsRead, "none": auth.WalletsRead, "empty": 0,
	} {
		t.Run(id, func(t *testing.T) {
			c, err := s.CredentialByID(ctx, id)
			testkit.Check(t, err)
			if c.Scopes != want || c.Description != "psbts: "+id {
				t.Errorf("token %q has the scopes %q, want %q", c.Description, c.Scopes, want)
			}
			var text string
			testkit.Check(t, s.rw.QueryRowContext(ctx, "SELECT scopes FROM tokens WHERE token_id = $1", id).Scan(&text))
			if text != want.String() {
				t.Errorf("token %s has the scopes %q in the database, want %q", id, text, want)
			}
		})
	}
}

func checkMigratedProposals(ctx context.Context, t *testing.T, s *Store) {
	t.Helper()
	list, err := s.Proposals(ctx, "w", proposal.Filter{}, proposal.Cursor{}, 100)
	testkit.Check(t, err)
	if len(list) != len(allStatuses) {
		t.Errorf("%d proposals, want %d", len(list), len(allStatuses))
	}
	for status := range allStatuses {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			got, err := s.Proposal(ctx, "w", string(status))
			testkit.Check(t, err)
			if got.Status != status || got.Version != 4 || got.Txid != "txid of "+string(status) || string(got.PSBT) != "psbt\xff\x00" || got.Reason != "psbts:" ||
				len(got.Inputs) != 1 || len(got.Outputs) != 2 || len(got.Signatures) != 1 || len(got.Steps) != 1 || got.Creator.UserName != "Alice" {
				t.Errorf("got %+v", got)
			}
		})
	}
}

// checkMigratedAudit checks that the audit log has not changed, and that the filter for
// actions also finds entries with the former names of actions.
func checkMigratedAudit(ctx context.Context, t *testing.T, s *Store, want string) {
	t.Helper()
	if got := rowsOf(ctx, t, s, "audit"); got != want {
		t.Errorf("the audit log has\n%s\nwant\n%s", got, want)
	}
	report, err := auth.NewAudit(s).Verify(ctx, "")
	if err != nil || len(report.Problems) > 0 || report.Entries != int64(len(allStatuses)) {
		t.Errorf("the audit log: %+v, %v", report, err)
	}
	for action, want := range map[string]int{"proposal": len(allStatuses), "proposal.create": len(allStatuses), "psbt": len(allStatuses), "proposal.sign": 0, "propos": 0, "p": 0} {
		t.Run(action, func(t *testing.T) {
			entries, err := s.Audit(ctx, auth.AuditFilter{Action: action}, 0, 100)
			testkit.Check(t, err)
			if len(entries) != want {
				t.Errorf("action=%s finds %d events, want %d", action, len(entries), want)
			}
		})
	}
}

// TestRestore_OldProposals restores backups of schema 20, made on each engine, on both
// engines.
func TestRestore_OldProposals(t *testing.T) {
	t.Parallel()
	for name, url := range map[string]string{"sqlite": filepath.Join(t.TempDir(), "x.db"), "postgres": testkit.Postgres(t)} {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			s := openAt(t, url, schemaOfPSBTs)
			insertPSBTs(ctx, t, s)
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
			if f.Schema != schemaOfPSBTs || f.RowsOf("psbts") != int64(len(allStatuses)) {
				t.Errorf("the backup has the schema %d and %d proposals", f.Schema, f.RowsOf("psbts"))
			}
			for target, url := range map[string]string{"sqlite": filepath.Join(t.TempDir(), "y.db"), "postgres": testkit.Postgres(t)} {
				t.Run("to "+target, func(t *testing.T) {
					to := openAt(t, url, 0)
					r, err := to.Restore(ctx, f, RestoreOptions{
						Key:   func() (string, error) { return "new", nil },
						Event: func(int) auth.Event { return auth.Event{At: to.now(), Action: "backup.restore"} },
					})
					testkit.Check(t, err)
					if r.Proposals != 3 {
						t.Errorf("%d open proposals, want 3", r.Proposals)
					}
					checkMigratedProposals(ctx, t, to)
					for old, table := range psbtTables {
						t.Run(old, func(t *testing.T) {
							if got, want := rowsOf(ctx, t, to, table), rowsOf(ctx, t, s, old); got != want {
								t.Errorf("%s has\n%s\nand %s had\n%s", table, got, old, want)
							}
						})
					}
				})
			}
		})
	}
}
