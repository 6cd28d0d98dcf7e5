package store

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"reflect"
	"slices"
	"time"

	"github.com/pressly/goose/v3"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/backup"
	"github.com/specterd/specterd/internal/store/db"
	"github.com/specterd/specterd/internal/store/sqltype"
	"github.com/specterd/specterd/internal/webhook"
)

// Errors of a restore: CheckEmpty returns ErrNotEmpty, and Restore returns ErrOldKey.
var (
	ErrNotEmpty = errors.New("the database is not empty")
	ErrOldKey   = errors.New("the signing key is the one that the backup's tokens were signed with; a token that was revoked since then would be accepted again if it were restored; set another key, created with: openssl rand -hex 32")
)

// RestoreOptions configure the restore of a backup.
type RestoreOptions struct {
	// Key returns the fingerprint of the new signing key, which must not be a key of the
	// backup. It is called after the database has been marked as being restored, so that
	// an interrupted restore is detected.
	Key func() (fingerprint string, err error)
	// Event returns the event for the audit log, given the number of tokens that were not
	// restored.
	Event func(tokens int) auth.Event
}

// Restored describes a restored database.
type Restored struct {
	Users     []string
	Wallets   []backup.Wallet
	Proposals int64        // open ones
	Webhooks  int64        // which are all disabled
	Tokens    []LostTokens // valid tokens that are not restored
}

// LostTokens are the valid tokens of one user that were not restored.
type LostTokens struct {
	UserName     string
	Descriptions []string
}

// CheckBackup returns an error if this program does not know the schema of the backup, or
// if the backup does not have exactly the tables of its schema.
func CheckBackup(ctx context.Context, f *backup.File) error {
	newest, err := newestSchema()
	if err != nil {
		return err
	}
	if f.Schema > newest {
		return fmt.Errorf("the backup was made by a newer specterd (%s): it has schema version %d, but this program supports only up to %d; restore it with that version", f.Program, f.Schema, newest)
	}
	if f.Schema < 1 {
		return fmt.Errorf("the backup has schema version %d, which does not exist: it was altered; use another backup", f.Schema)
	}
	tables, err := tablesAt(ctx, f.Schema)
	if err != nil {
		return err
	}
	have := make([]backup.Table, len(f.Tables))
	for i, t := range f.Tables {
		have[i] = t.Table
	}
	if !reflect.DeepEqual(have, tables) {
		return fmt.Errorf("the backup does not have the tables of schema version %d: it was altered; use another backup", f.Schema)
	}
	return nil
}

// CheckEmpty returns ErrNotEmpty unless the database is empty or contains only an
// interrupted restore.
func (s *Store) CheckEmpty(ctx context.Context) error {
	state, err := s.Schema(ctx)
	if err != nil {
		return err
	}
	if state.Version > state.Program {
		return errNewerSchema(state)
	}
	if state.Fresh() {
		names, err := texts(ctx, s.rw, s.engine.listTables())
		if err == nil && len(names) > 0 {
			err = fmt.Errorf("%w: it has tables of another program, such as %s", ErrNotEmpty, names[0])
		}
		return err
	}
	if restoring, err := s.Restoring(ctx); restoring || err != nil {
		return err
	}
	tables, err := tablesAt(ctx, state.Version)
	if err != nil {
		return err
	}
	for _, t := range tables {
		some, err := texts(ctx, s.rw, "SELECT 'x' FROM "+quoted(t.Name)+" LIMIT 1")
		if err == nil && len(some) > 0 {
			err = fmt.Errorf("%w: the table %s has rows", ErrNotEmpty, t.Name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Restore loads a backup into a database and migrates it to the schema of this program.
// The backup must have passed CheckBackup, and the database CheckEmpty. Tokens are
// omitted, because some may have been revoked since the backup. It returns ErrOldKey if the
// new signing key is one of the backup's keys. On an error, Restore empties the database
// again. If the process ends during the restore, Migrate refuses the database, and another
// Restore starts from the beginning.
func (s *Store) Restore(ctx context.Context, f *backup.File, o RestoreOptions) (Restored, error) {
	p, err := s.provider()
	if err != nil {
		return Restored{}, err
	}
	l := newLoader(s, f)
	if err := l.restore(ctx, p, o); err != nil {
		_, undo := p.DownTo(context.WithoutCancel(ctx), 0)
		return Restored{}, errors.Join(err, undo)
	}
	return s.describe(ctx, l)
}

// loader loads a backup into a database.
type loader struct {
	s    *Store
	f    *backup.File
	lost map[string][]string // descriptions of tokens that were valid, by user id
}

func newLoader(s *Store, f *backup.File) *loader {
	return &loader{s: s, f: f, lost: map[string][]string{}}
}

func (l *loader) restore(ctx context.Context, p *goose.Provider, o RestoreOptions) error {
	if _, err := p.DownTo(ctx, 0); err != nil { // an empty database may have another schema version
		return fmt.Errorf("drop the empty schema: %w", err)
	}
	for _, version := range []int64{1, l.f.Schema} {
		if _, err := p.UpTo(ctx, version); err != nil {
			return fmt.Errorf("create schema version %d: %w", version, err)
		}
		if _, err := l.s.settle(ctx, settingRestoring, l.f.MadeAt.Format(time.RFC3339)); err != nil {
			return err
		}
	}
	fingerprint, err := o.Key()
	if err != nil {
		return err
	}
	if slices.Contains(l.f.SigningKeys, fingerprint) {
		return ErrOldKey
	}
	if err := l.load(ctx); err != nil {
		return err
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("migrate the backup from schema version %d: %w", l.f.Schema, err)
	}
	tokens := 0
	for _, of := range l.lost {
		tokens += len(of)
	}
	return l.s.endRestore(ctx, fingerprint, o.Event(tokens))
}

// endRestore makes the new key the signing key, drops the keys of the backup permanently,
// and marks the database as ready for use.
func (s *Store) endRestore(ctx context.Context, fingerprint string, e auth.Event) error {
	return s.inTx(ctx, func(q *db.Queries) error {
		if err := q.DropAllSigningKeys(ctx, sqltype.NullTime{Time: e.At}); err != nil {
			return fmt.Errorf("drop the backup's signing keys: %w", err)
		}
		added, err := q.AddSigningKey(ctx, db.AddSigningKeyParams{Fingerprint: fingerprint, CreatedAt: sqltype.Time{Time: e.At}})
		if err != nil {
			return fmt.Errorf("record the signing key: %w", err)
		}
		if added == 0 {
			return ErrOldKey
		}
		if err := addEvent(ctx, q, e); err != nil {
			return err
		}
		if err := q.DeleteSetting(ctx, settingEventKey); err != nil {
			return fmt.Errorf("drop the backup's key of positions: %w", err)
		}
		if err := q.DeleteSetting(ctx, settingEventsPruned); err != nil {
			return fmt.Errorf("drop the backup's position of the oldest event: %w", err)
		}
		if err := q.DeleteSetting(ctx, settingNode); err != nil {
			return fmt.Errorf("drop the backup's state of the node: %w", err)
		}
		if err := restoreWebhooks(ctx, q, e.At); err != nil {
			return err
		}
		if err := q.DeleteSetting(ctx, settingRestoring); err != nil {
			return fmt.Errorf("complete the restore: %w", err)
		}
		return nil
	})
}

// restoreWebhooks disables all webhooks and skips their pending deliveries, which may have been
// made after the backup. Their secrets are not in the backup.
func restoreWebhooks(ctx context.Context, q *db.Queries, now time.Time) error {
	err := q.DisableAllWebhooks(ctx, db.DisableAllWebhooksParams{Now: sqltype.NullTime{Time: now}, Reason: string(webhook.Restored)})
	if err != nil {
		return fmt.Errorf("disable the backup's webhooks: %w", err)
	}
	err = q.SkipPendingDeliveries(ctx, db.SkipPendingDeliveriesParams{Reason: webhook.AtRestore, Now: sqltype.Time{Time: now}})
	if err != nil {
		return fmt.Errorf("skip the backup's deliveries: %w", err)
	}
	return nil
}

// load inserts the rows of all tables except tokens, sessions and leases, in one transaction.
func (l *loader) load(ctx context.Context) error {
	conn, err := l.s.rw.Conn(ctx)
	if err != nil {
		return fmt.Errorf("take a connection: %w", err)
	}
	defer conn.Close() //nolint:errcheck // returns it to the pool
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	defer tx.Rollback() //nolint:errcheck // does nothing after Commit
	for _, t := range l.f.Tables {
		var err error
		switch rows := l.f.Rows(ctx, t.Table); t.Name {
		case "leases": // of processes that do not use this database
		case "sessions": // empty unless the backup was altered
		case "spend_sums": // filled by the triggers of spends
		case "tokens":
			err = l.leaveOut(t.Table, rows)
		default:
			err = l.s.engine.fill(ctx, conn, tx, t.Table, rows)
		}
		if err != nil {
			return fmt.Errorf("restore the table %s: %w", t.Name, err)
		}
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

// leaveOut records which of the omitted tokens were valid, so that their users can be
// informed.
func (l *loader) leaveOut(t backup.Table, rows iter.Seq2[[]any, error]) error {
	at := func(name string) int {
		return slices.IndexFunc(t.Columns, func(c backup.Column) bool { return c.Name == name })
	}
	user, description, expires := at("user_id"), at("description"), at("expires_at")
	now := l.s.now().UnixMicro()
	for row, err := range rows {
		if err != nil {
			return err
		}
		if until, ok := row[expires].(int64); ok && until > now {
			id := fmt.Sprint(row[user])
			l.lost[id] = append(l.lost[id], fmt.Sprint(row[description]))
		}
	}
	return nil
}

// describe returns a summary of the restore.
func (s *Store) describe(ctx context.Context, l *loader) (Restored, error) {
	var r Restored
	q := s.reads()
	users, err := q.ListUsers(ctx, db.ListUsersParams{MaxRows: math.MaxInt32})
	if err != nil {
		return r, fmt.Errorf("list the users: %w", err)
	}
	for _, u := range users {
		r.Users = append(r.Users, u.Name)
		if lost := l.lost[u.UserID]; len(lost) > 0 {
			r.Tokens = append(r.Tokens, LostTokens{UserName: u.Name, Descriptions: lost})
		}
	}
	if r.Wallets, err = readableWallets(ctx, q); err != nil {
		return r, err
	}
	stats, err := q.ProposalStats(ctx)
	if err != nil {
		return r, fmt.Errorf("count proposals: %w", err)
	}
	for _, f := range stats {
		if slices.Contains([]string{"awaiting_approval", "created", "partially_signed", "complete"}, f.Status) {
			r.Proposals += f.Proposals
		}
	}
	hooks, err := q.WebhookStats(ctx)
	if err != nil {
		return r, fmt.Errorf("count webhooks: %w", err)
	}
	r.Webhooks = hooks.Disabled
	return r, nil
}
