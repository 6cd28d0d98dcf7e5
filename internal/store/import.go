package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/store/db"
	"github.com/specterd/specterd/internal/store/sqltype"
	"github.com/specterd/specterd/internal/wallet"
)

// ImportedAs implements auth.ImportStore.
func (s *Store) ImportedAs(ctx context.Context, kind, origin string) (string, error) {
	id, err := s.reads().ImportedAs(ctx, db.ImportedAsParams{Kind: kind, Origin: origin})
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	if err != nil {
		return "", translate(fmt.Errorf("look up an import: %w", err))
	}
	return id, nil
}

// UserByID implements auth.ImportStore.
func (s *Store) UserByID(ctx context.Context, id string) (auth.User, error) {
	row, err := s.reads().UserByID(ctx, id)
	if errors.Is(err, sql.ErrNoRows) {
		return auth.User{}, auth.ErrUserNotFound
	}
	if err != nil {
		return auth.User{}, translate(fmt.Errorf("select a user: %w", err))
	}
	return userOf(row), nil
}

// ImportUser implements auth.ImportStore.
func (s *Store) ImportUser(ctx context.Context, origin, name string, decide func(*auth.User) (auth.User, auth.Event, error)) error {
	return s.withEvents(ctx, s.inTx, func(q *db.Queries, log *eventLog) error {
		var here *auth.User
		found, err := userByName(ctx, q, name)
		switch {
		case err == nil:
			here = &found
		case !errors.Is(err, auth.ErrUserNotFound):
			return err
		}
		u, e, err := decide(here)
		if err != nil {
			return err
		}
		err = addImport(ctx, q, auth.ImportUser, origin, u.ID, e.At)
		if isUnique(err) {
			return auth.ErrUserExists
		}
		if err != nil {
			return err
		}
		if here != nil && here.ID == u.ID {
			return saveUser(ctx, q, log, auth.UserEdit{User: u, Event: e})
		}
		return insertUser(ctx, q, u, e)
	})
}

// ImportToken implements auth.ImportStore.
func (s *Store) ImportToken(ctx context.Context, origin string, t auth.Token, e auth.Event) error {
	return s.withEvents(ctx, s.quotaTx(t.UserID), func(q *db.Queries, log *eventLog) error {
		err := addImport(ctx, q, auth.ImportToken, origin, t.ID, e.At)
		if isUnique(err) {
			return auth.ErrDescriptionTaken
		}
		if err != nil {
			return err
		}
		return s.createToken(ctx, q, log, t, e)
	})
}

// Remember implements importer.Book. It returns a Conflict fault with the code
// already_imported if an import of the object is already recorded.
func (s *Store) Remember(ctx context.Context, kind, origin, id string, at time.Time) error {
	return s.inTx(ctx, func(q *db.Queries) error {
		err := addImport(ctx, q, kind, origin, id, at)
		if isUnique(err) {
			return fault.New(fault.Conflict, "already_imported", "was imported meanwhile")
		}
		return err
	})
}

// AddDevice implements importer.Book.
func (s *Store) AddDevice(ctx context.Context, userID string, d wallet.Device, keys []btc.Key, at time.Time) (added bool, err error) {
	err = s.inTx(ctx, func(q *db.Queries) error {
		added = false
		taken, err := q.DeviceAliasIsTaken(ctx, db.DeviceAliasIsTakenParams{UserID: userID, Alias: d.Alias})
		if err != nil || taken {
			return err
		}
		id := uuid.NewString()
		err = q.AddDevice(ctx, db.AddDeviceParams{
			DeviceID: id, UserID: userID, Alias: d.Alias, Name: d.Name, Type: d.Type, CreatedAt: sqltype.Time{Time: at},
		})
		if err != nil {
			return fmt.Errorf("insert a device: %w", err)
		}
		for _, key := range keys {
			if err := addDeviceKey(ctx, q, id, key); err != nil {
				return err
			}
		}
		added = true
		return nil
	})
	return added, err
}

// addImport records that an object was imported. If it was recorded before, the error
// satisfies isUnique.
func addImport(ctx context.Context, q *db.Queries, kind, origin, id string, at time.Time) error {
	err := q.AddImport(ctx, db.AddImportParams{Kind: kind, Origin: origin, ID: id, CreatedAt: sqltype.Time{Time: at}})
	if err != nil {
		return fmt.Errorf("remember an import: %w", err)
	}
	return nil
}
