package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/specterd/specterd/internal/backup"
	"github.com/specterd/specterd/internal/store/db"
	"github.com/specterd/specterd/internal/wallet"
)

// ErrNothingToBackUp is returned by Snapshot for a database that has no schema yet.
var ErrNothingToBackUp = errors.New("the database is empty: there is nothing to back up; check whether SPECTER_DATA_FOLDER and SPECTER_DATABASE_URL have the same values as for the server")

// Snapshot calls read with a consistent snapshot of the database, unaffected by
// concurrent writes. It does not require a previous call of Migrate. It returns
// ErrNothingToBackUp for a database without a schema, and an error if the schema is newer
// than the program or the database has an incomplete restore.
func (s *Store) Snapshot(ctx context.Context, read func(backup.Source) error) error {
	state, err := s.Schema(ctx)
	if err != nil {
		return err
	}
	if state.Fresh() {
		return ErrNothingToBackUp
	}
	if err := s.checkRestored(ctx); err != nil {
		return err
	}
	// On SQLite with a write-ahead log, a read transaction is a snapshot.
	tx, err := s.ro.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
	if err != nil {
		return translate(fmt.Errorf("begin: %w", err))
	}
	defer tx.Rollback() //nolint:errcheck // nothing was written
	snap := &snapshot{tx: tx, q: db.New(s.toRead(tx)), engine: s.engine.name()}
	if err := tx.QueryRowContext(ctx, "SELECT max(version_id) FROM goose_db_version").Scan(&snap.version); err != nil {
		return translate(fmt.Errorf("read the schema's version: %w", err))
	}
	if snap.version > state.Program {
		return errNewerSchema(SchemaState{Version: snap.version, Program: state.Program})
	}
	if snap.version < standardNames {
		snap.q = db.New(oldNames{s.toRead(tx)})
	}
	if snap.tables, err = tablesAt(ctx, snap.version); err != nil {
		return err
	}
	return translate(read(snap))
}

// standardNames is the first schema version with the current names of the columns of
// wallets.
const standardNames = 22

// oldNames is a DBTX for schemas before standardNames: it uses their column names in the
// query db.WalletsToBackUp.
type oldNames struct{ db.DBTX }

func (o oldNames) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if query == db.WalletsToBackUp {
		query = strings.NewReplacer("signatures_required", "required", "birthday_height", "birth_height").Replace(query)
	}
	return o.DBTX.QueryContext(ctx, query, args...)
}

// snapshot implements backup.Source.
type snapshot struct {
	tx      *sql.Tx
	q       *db.Queries
	engine  string
	version int64
	tables  []backup.Table
}

func (s *snapshot) Facts(ctx context.Context) (backup.Facts, error) {
	f := backup.Facts{Schema: s.version, Engine: s.engine}
	var err error
	if f.SigningKeys, err = s.signingKeys(ctx); err != nil {
		return f, err
	}
	f.Chain, err = s.q.Setting(ctx, settingChain)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return f, fmt.Errorf("read the chain: %w", err)
	}
	return f, nil
}

// keysInTable is the first schema version with a table of signing keys.
const keysInTable = 9

// signingKeys returns the fingerprints of all keys that have signed tokens.
func (s *snapshot) signingKeys(ctx context.Context) ([]string, error) {
	fingerprints := []string{}
	if s.version < keysInTable { // only one key existed
		fingerprint, err := s.q.Setting(ctx, "signing_key_fingerprint")
		switch {
		case err == nil:
			fingerprints = append(fingerprints, fingerprint)
		case !errors.Is(err, sql.ErrNoRows):
			return nil, fmt.Errorf("read the signing key's fingerprint: %w", err)
		}
		return fingerprints, nil
	}
	keys, err := signingKeys(ctx, s.q)
	for _, k := range keys {
		fingerprints = append(fingerprints, k.Fingerprint)
	}
	return fingerprints, err
}

func (s *snapshot) Tables(context.Context) ([]backup.Table, error) { return s.tables, nil }

// emptyTables are empty in backups: the secrets of webhooks, so that readers of a backup cannot
// sign messages, and sessions, which all end with a restore.
var emptyTables = []string{"webhook_secrets", "sessions"}

func (s *snapshot) Rows(ctx context.Context, t backup.Table) iter.Seq2[[]any, error] {
	return func(yield func([]any, error) bool) {
		if slices.Contains(emptyTables, t.Name) {
			return
		}
		rows, err := s.tx.QueryContext(ctx, "SELECT "+columnList(t)+" FROM "+quoted(t.Name)) //nolint:gosec // names of the schema
		if err != nil {
			yield(nil, err)
			return
		}
		defer rows.Close() //nolint:errcheck // rows.Err reports it
		row, into := make([]any, len(t.Columns)), make([]any, len(t.Columns))
		for i := range row {
			into[i] = &row[i]
		}
		for rows.Next() {
			if err := rows.Scan(into...); err != nil {
				yield(nil, err)
				return
			}
			for i, value := range row {
				if truth, ok := value.(bool); ok { // PostgreSQL returns bool
					row[i] = map[bool]int64{true: 1}[truth]
				}
			}
			if !yield(row, nil) {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(nil, err)
		}
	}
}

func columnList(t backup.Table) string {
	names := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		names[i] = quoted(c.Name)
	}
	return strings.Join(names, ", ")
}

func quoted(name string) string { return `"` + name + `"` }

func (s *snapshot) Wallets(ctx context.Context) ([]backup.Wallet, error) {
	return readableWallets(ctx, s.q)
}

// readableWallets returns all wallets that are not being removed, for the human-readable
// part of a backup.
func readableWallets(ctx context.Context, q *db.Queries) ([]backup.Wallet, error) {
	rows, err := q.WalletsToBackUp(ctx)
	if err != nil {
		return nil, translate(fmt.Errorf("list all wallets: %w", err))
	}
	var wallets []backup.Wallet
	for _, row := range rows {
		w := walletOf(db.Wallet{
			WalletID: row.WalletID, Name: row.Name, Stage: row.Stage, CoreName: row.CoreName, Script: row.Script, SignaturesRequired: row.SignaturesRequired,
			ReceiveDescriptor: row.ReceiveDescriptor, ChangeDescriptor: row.ChangeDescriptor, BirthdayHeight: row.BirthdayHeight,
			CreatedAt: row.CreatedAt, RangeEnd: row.RangeEnd, ReceiveNext: row.ReceiveNext, ChangeNext: row.ChangeNext,
		})
		if w.Stage == wallet.Removing {
			continue
		}
		if err := fillKeys(ctx, q, &w); err != nil {
			return nil, err
		}
		members, err := membersOf(ctx, q, w.ID)
		if err != nil {
			return nil, err
		}
		wallets = append(wallets, backup.Wallet{Wallet: w, Members: members})
	}
	return wallets, nil
}
