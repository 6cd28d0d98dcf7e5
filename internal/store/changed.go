package store

import (
	"context"
	"database/sql"
	"slices"

	"github.com/specterd/specterd/internal/store/db"
)

// Changed reports whether this Store has committed a change that a caller requested. A
// transaction that only reads or locks rows, and internal work such as sealing the audit log,
// is not one.
func (s *Store) Changed() bool { return s.changed.Load() }

// internalStatements lock rows or are internal work that no caller requested. The claim of an
// idempotency key is undone if the request fails.
var internalStatements = []string{
	"HoldWallet", "HoldQuotaUse", "PutSettingOnce", "TouchSettings", "SealAudit", "NoteLock", "RaiseQuotaUse", "SetQuotaUse",
	"ClaimIdempotencyKey", "DropIdempotencyKeys", "ReleaseIdempotencyKey",
}

// noting is a DBTX that notes whether a statement changed a row.
type noting struct {
	db.DBTX

	changed bool
}

func (n *noting) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	result, err := n.DBTX.ExecContext(ctx, query, args...)
	if err != nil || n.changed || slices.Contains(internalStatements, queryName(query)) {
		return result, err
	}
	if _, queued := result.(*queuedStatement); queued { // its number of rows would require a flush
		n.changed = true
		return result, nil
	}
	rows, err := result.RowsAffected()
	n.changed = rows > 0
	return result, err
}
