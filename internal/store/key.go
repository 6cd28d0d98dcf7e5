package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/event"
	"github.com/specterd/specterd/internal/store/db"
	"github.com/specterd/specterd/internal/store/sqltype"
)

var _ auth.KeyStore = (*Store)(nil)

// BindKey makes the key with the given fingerprint the signing key if the database has
// none.
func (s *Store) BindKey(ctx context.Context, fingerprint string) error {
	return s.inTx(ctx, func(q *db.Queries) error {
		if bound, err := currentKey(ctx, q); err != nil || bound != "" {
			return err
		}
		_, err := q.AddSigningKey(ctx, db.AddSigningKeyParams{Fingerprint: fingerprint, CreatedAt: sqltype.Time{Time: s.now()}})
		return err
	})
}

// currentKey returns the fingerprint of the current signing key, or an empty string if
// there is none.
func currentKey(ctx context.Context, q *db.Queries) (string, error) {
	fingerprint, err := q.CurrentSigningKey(ctx)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return "", fmt.Errorf("look up the signing key: %w", err)
	}
	return fingerprint, nil
}

// SigningKeys implements auth.KeyStore.
func (s *Store) SigningKeys(ctx context.Context) ([]auth.SigningKey, error) {
	return signingKeys(ctx, s.reads())
}

func signingKeys(ctx context.Context, q *db.Queries) ([]auth.SigningKey, error) {
	rows, err := q.SigningKeys(ctx)
	if err != nil {
		return nil, translate(fmt.Errorf("list the signing keys: %w", err))
	}
	keys := make([]auth.SigningKey, len(rows))
	for i, row := range rows {
		keys[i] = auth.SigningKey{
			Fingerprint: row.Fingerprint, CreatedAt: row.CreatedAt.Time, RetiredAt: row.RetiredAt.Time, DroppedAt: row.DroppedAt.Time,
		}
	}
	return keys, nil
}

// TokensOfKey returns the number of unexpired tokens that were signed with a key.
func (s *Store) TokensOfKey(ctx context.Context, fingerprint string) (int, error) {
	n, err := tokensOfKey(ctx, s.reads(), fingerprint, s.now())
	return n, translate(err)
}

func tokensOfKey(ctx context.Context, q *db.Queries, fingerprint string, now time.Time) (int, error) {
	n, err := q.CountTokensOfKey(ctx, db.CountTokensOfKeyParams{Fingerprint: nullable(fingerprint), ExpiresAt: sqltype.Time{Time: now}})
	if err != nil {
		return 0, fmt.Errorf("count the tokens of a key: %w", err)
	}
	return int(n), nil
}

// RotateKey implements auth.KeyStore. It reads no row that a transaction creating a token
// writes, so that PostgreSQL never aborts it because of such a transaction.
func (s *Store) RotateKey(ctx context.Context, from, to string, e auth.Event) error {
	return s.inUrgentTx(ctx, func(q *db.Queries) error {
		at := sqltype.Time{Time: e.At}
		retired, err := q.RetireSigningKey(ctx, db.RetireSigningKeyParams{Fingerprint: from, RetiredAt: sqltype.NullTime(at)})
		if err != nil {
			return fmt.Errorf("retire the signing key: %w", err)
		}
		if retired == 0 {
			return auth.ErrKeyRetired
		}
		added, err := q.AddSigningKey(ctx, db.AddSigningKeyParams{Fingerprint: to, CreatedAt: at})
		if err != nil {
			return fmt.Errorf("add a signing key: %w", err)
		}
		if added == 0 {
			return fmt.Errorf("the key with the fingerprint %s was used before and cannot be used again", to)
		}
		return addEvent(ctx, q, e)
	})
}

// DropKeys implements auth.KeyStore.
func (s *Store) DropKeys(ctx context.Context, end bool, audit func(auth.DroppedKey) auth.Event) (dropped []auth.DroppedKey, err error) {
	err = s.withUrgentEvents(ctx, func(q *db.Queries, log *eventLog) error {
		dropped = nil
		keys, err := signingKeys(ctx, q)
		if err != nil {
			return err
		}
		for _, k := range keys {
			if k.Signs() || !k.Accepted() {
				continue
			}
			ended, err := tokensOfKey(ctx, q, k.Fingerprint, s.now())
			if err != nil {
				return err
			}
			if ended > 0 && !end {
				continue
			}
			d := auth.DroppedKey{Fingerprint: k.Fingerprint, Ended: ended}
			e := audit(d)
			if end {
				if err := endTokensOfKey(ctx, q, log, k.Fingerprint, event.ActorOf(e)); err != nil {
					return err
				}
			}
			if err := dropKey(ctx, q, d.Fingerprint, e); err != nil {
				return err
			}
			dropped = append(dropped, d)
		}
		return nil
	})
	return dropped, err
}

// endTokensOfKey deletes the tokens of a key, and adds the events of it.
func endTokensOfKey(ctx context.Context, q *db.Queries, log *eventLog, fingerprint string, by event.Actor) error {
	if err := log.addKeyRevoked(ctx, q, fingerprint, by); err != nil {
		return err
	}
	if err := q.DeleteTokensOfKey(ctx, nullable(fingerprint)); err != nil {
		return fmt.Errorf("delete the tokens of a key: %w", err)
	}
	return nil
}

func dropKey(ctx context.Context, q *db.Queries, fingerprint string, e auth.Event) error {
	err := q.DropSigningKey(ctx, db.DropSigningKeyParams{Fingerprint: fingerprint, DroppedAt: sqltype.NullTime{Time: e.At}})
	if err != nil {
		return fmt.Errorf("drop a signing key: %w", err)
	}
	return addEvent(ctx, q, e)
}
