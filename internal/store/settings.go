package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/store/db"
)

// Names of the settings that the database stores about itself.
const (
	settingFirstStart = "first_start"
	settingChain      = "chain"
	settingUID        = "uid"
	settingRestoring  = "restoring"
	// settingAuditAnchor is the position and the hash of the last archived entry of the
	// audit log.
	settingAuditAnchor = "audit_anchor"
	// settingDropSignatures is set by a migration. DropSignatures deletes it when it has
	// completed.
	settingDropSignatures = "drop_signatures"
	settingLastBackup     = "last_backup"
)

// CheckChain binds the database to a chain at the first call. Later calls return a fault
// with the code wrong_chain if the chain is another one. Genesis is the hash of the
// chain's first block.
func (s *Store) CheckChain(ctx context.Context, chain, genesis string) error {
	mine := chain + " " + genesis
	bound, err := s.settle(ctx, settingChain, mine)
	if err != nil {
		return err
	}
	if bound != mine {
		return fault.New(fault.Unavailable, "wrong_chain",
			"this database was created for the chain %.40s…, but the node is on %.40s…; use another node or another database", bound, mine)
	}
	return nil
}

// RecordBackup records that a backup of this database was completed.
func (s *Store) RecordBackup(ctx context.Context, at time.Time) error {
	err := s.inTx(ctx, func(q *db.Queries) error {
		if err := q.DeleteSetting(ctx, settingLastBackup); err != nil {
			return err
		}
		_, err := q.PutSettingOnce(ctx, db.PutSettingOnceParams{Name: settingLastBackup, Value: at.UTC().Format(time.RFC3339)})
		return err
	})
	if err != nil {
		return fmt.Errorf("record the time of the backup: %w", err)
	}
	return nil
}

// LastBackup returns the time of the last completed backup, wherever it was written; zero
// without one.
func (s *Store) LastBackup(ctx context.Context) (time.Time, error) {
	at, err := lastBackup(ctx, s.reads())
	return at, translate(err)
}

func lastBackup(ctx context.Context, q *db.Queries) (time.Time, error) {
	text, err := q.Setting(ctx, settingLastBackup)
	if errors.Is(err, sql.ErrNoRows) {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("read the time of the last backup: %w", err)
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, fmt.Errorf("read the time of the last backup: %w", err)
	}
	return at, nil
}

// UID returns 16 hexadecimal digits that identify this database. The first call stores
// suggestion, and all calls return the stored value. Specter Desktop uses such an id in
// the names of its wallets.
func (s *Store) UID(ctx context.Context, suggestion string) (string, error) {
	return s.settle(ctx, settingUID, suggestion)
}

// FirstStart reports whether RecordFirstStart has never been called for this database.
func (s *Store) FirstStart(ctx context.Context) (bool, error) {
	started, err := s.hasSetting(ctx, settingFirstStart)
	return !started && err == nil, err
}

// RecordFirstStart records that the first admin has been created.
func (s *Store) RecordFirstStart(ctx context.Context) error {
	_, err := s.settle(ctx, settingFirstStart, s.now().UTC().Format("2006-01-02T15:04:05Z"))
	return err
}

// settle stores a setting if it has no value yet, and returns the stored value.
func (s *Store) settle(ctx context.Context, name, value string) (string, error) {
	if bound, err := s.reads().Setting(ctx, name); err == nil {
		return bound, nil
	}
	var bound string
	err := s.inTx(ctx, func(q *db.Queries) error {
		if _, err := q.PutSettingOnce(ctx, db.PutSettingOnceParams{Name: name, Value: value}); err != nil {
			return err
		}
		var err error
		bound, err = q.Setting(ctx, name)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("settle %s: %w", name, err)
	}
	return bound, nil
}

// errNotRestored is returned for a database with an incomplete restore.
var errNotRestored = errors.New("a restore into this database was interrupted, so it has no data; run specterd restore again with the same settings")

// Restoring reports whether the database has an incomplete restore.
func (s *Store) Restoring(ctx context.Context) (bool, error) {
	return s.hasSetting(ctx, settingRestoring)
}

func (s *Store) hasSetting(ctx context.Context, name string) (bool, error) {
	_, err := s.reads().Setting(ctx, name)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, translate(err)
}

func (s *Store) checkRestored(ctx context.Context) error {
	restoring, err := s.Restoring(ctx)
	if restoring {
		return errNotRestored
	}
	return err
}
