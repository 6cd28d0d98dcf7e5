package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/store/db"
	"github.com/specterd/specterd/internal/store/sqltype"
)

// CreateSession implements auth.SessionStore.
func (s *Store) CreateSession(ctx context.Context, who *auth.Principal, one auth.Session, hash auth.SecretHash, e auth.Event) error {
	return s.inTx(ctx, func(q *db.Queries) error {
		if _, err := s.confirm(ctx, q, who); err != nil {
			return err
		}
		if err := s.deleteEndedSessions(ctx, q); err != nil { // so that they do not count
			return err
		}
		err := q.CreateSession(ctx, db.CreateSessionParams{
			SessionID: one.ID, SecretHash: hash[:], UserID: one.UserID, AccessVersion: one.AccessVersion,
			CreatedAt: sqltype.Time{Time: one.CreatedAt}, LastSeenAt: sqltype.Time{Time: one.LastSeenAt}, ProvedAt: sqltype.Time{Time: one.ProvedAt},
			Address: one.Address, Agent: one.Agent,
		})
		if err != nil {
			return fmt.Errorf("insert a session: %w", err)
		}
		err = q.DeleteOldSessions(ctx, db.DeleteOldSessionsParams{UserID: one.UserID, NewID: one.ID, MaxOthers: auth.MaxSessions - 1})
		if err != nil {
			return fmt.Errorf("delete the oldest sessions: %w", err)
		}
		return addEvent(ctx, q, e)
	})
}

// SessionBySecret implements auth.SessionStore.
func (s *Store) SessionBySecret(ctx context.Context, hash auth.SecretHash) (*auth.Credential, error) {
	if err := s.checkDamage(); err != nil {
		return nil, err
	}
	row, err := s.reads().SessionBySecret(ctx, hash[:])
	return foundSession(sessionOf(row.Session, row.User), err)
}

// SessionByID implements auth.CredentialStore.
func (s *Store) SessionByID(ctx context.Context, id string) (*auth.Credential, error) {
	if err := s.checkDamage(); err != nil {
		return nil, err
	}
	row, err := s.reads().SessionByID(ctx, id)
	return foundSession(sessionOf(row.Session, row.User), err)
}

func foundSession(c *auth.Credential, err error) (*auth.Credential, error) {
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil, auth.ErrSessionNotFound
	case err != nil:
		return nil, translate(fmt.Errorf("look up a session: %w", err))
	}
	return c, nil
}

func sessionOf(row db.Session, user db.User) *auth.Credential {
	u := userOf(user)
	c := u.Credential()
	c.Session = &auth.Session{
		ID: row.SessionID, UserID: row.UserID, UserName: u.Name, DefaultPassword: u.PasswordIsDefault, AccessVersion: row.AccessVersion,
		CreatedAt: row.CreatedAt.Time, LastSeenAt: row.LastSeenAt.Time, ProvedAt: row.ProvedAt.Time,
		Address: row.Address, Agent: row.Agent,
	}
	return c
}

// TouchSession implements auth.SessionStore.
func (s *Store) TouchSession(ctx context.Context, one auth.Session, seen auth.Seen) error {
	return s.inRowTx(ctx, func(q *db.Queries) error {
		err := q.TouchSession(ctx, db.TouchSessionParams{
			Shift: seen.Shift.Microseconds(), Now: sqltype.Time{Time: seen.At}, Address: seen.Address, Agent: seen.Agent,
			SessionID: one.ID, Before: sqltype.Time{Time: one.LastSeenAt},
		})
		if err != nil {
			return fmt.Errorf("update a session: %w", err)
		}
		return nil
	})
}

// ProveSession implements auth.SessionStore.
func (s *Store) ProveSession(ctx context.Context, who *auth.Principal, one auth.Session, before, after auth.SecretHash, seen auth.Seen) error {
	return s.inTx(ctx, func(q *db.Queries) error {
		if _, err := s.confirm(ctx, q, who); err != nil {
			return err
		}
		n, err := q.ProveSession(ctx, db.ProveSessionParams{
			NewHash: after[:], Shift: seen.Shift.Microseconds(), Now: sqltype.Time{Time: seen.At}, Address: seen.Address, Agent: seen.Agent,
			SessionID: one.ID, OldHash: before[:],
		})
		return changedSession(n, err)
	})
}

// changedSession returns the error of a query that changes or deletes n sessions.
func changedSession(n int64, err error) error {
	if err != nil {
		return fmt.Errorf("change a session: %w", err)
	}
	if n == 0 {
		return auth.ErrSessionNotFound
	}
	return nil
}

// keepSession makes a session of a user whose password was changed valid again, with another
// secret.
func keepSession(ctx context.Context, q *db.Queries, e auth.UserEdit) error {
	u, err := q.UserByID(ctx, e.ID)
	if err != nil {
		return fmt.Errorf("read the user's access version: %w", err)
	}
	n, err := q.KeepSession(ctx, db.KeepSessionParams{
		NewHash: e.SessionSecret[:], AccessVersion: u.AccessVersion, SessionID: e.KeepSession, UserID: e.ID,
	})
	return changedSession(n, err)
}

// SessionsOfUser implements auth.SessionStore.
func (s *Store) SessionsOfUser(ctx context.Context, userID string) ([]*auth.Credential, error) {
	return s.sessions(ctx, db.SessionsOfUserParams{UserID: userID})
}

// AllSessions returns the sessions of all users, newest first, as credentials. It is for the
// command line.
func (s *Store) AllSessions(ctx context.Context) ([]*auth.Credential, error) {
	return s.sessions(ctx, db.SessionsOfUserParams{EveryUser: true})
}

func (s *Store) sessions(ctx context.Context, p db.SessionsOfUserParams) ([]*auth.Credential, error) {
	rows, err := s.reads().SessionsOfUser(ctx, p)
	if err != nil {
		return nil, translate(fmt.Errorf("list sessions: %w", err))
	}
	all := make([]*auth.Credential, len(rows))
	for i, row := range rows {
		all[i] = sessionOf(row.Session, row.User)
	}
	return all, nil
}

// DeleteSession implements auth.SessionStore.
func (s *Store) DeleteSession(ctx context.Context, userID, id string, e auth.Event) error {
	return s.inUrgentTx(ctx, func(q *db.Queries) error {
		if err := changedSession(q.DeleteSession(ctx, db.DeleteSessionParams{SessionID: id, UserID: userID})); err != nil {
			return err
		}
		return addEvent(ctx, q, e)
	})
}

// DeleteOtherSessions implements auth.SessionStore.
func (s *Store) DeleteOtherSessions(ctx context.Context, userID, kept string, event func(n int) auth.Event) (n int, err error) {
	err = s.inUrgentTx(ctx, func(q *db.Queries) error {
		if err := s.deleteEndedSessions(ctx, q); err != nil { // so that they are not counted
			return err
		}
		rows, err := q.DeleteOtherSessions(ctx, db.DeleteOtherSessionsParams{UserID: userID, KeptID: kept})
		if n = int(rows); err != nil || n == 0 {
			return err
		}
		return addEvent(ctx, q, event(n))
	})
	return n, err
}

// DeleteEndedSessions deletes the sessions that have ended.
func (s *Store) DeleteEndedSessions(ctx context.Context) error {
	return s.inTx(ctx, func(q *db.Queries) error { return s.deleteEndedSessions(ctx, q) })
}

func (s *Store) deleteEndedSessions(ctx context.Context, q *db.Queries) error {
	until := func(limit time.Duration) sqltype.Time { return sqltype.Time{Time: s.now().Add(-limit)} }
	err := q.DeleteEndedSessions(ctx, db.DeleteEndedSessionsParams{SeenUntil: until(auth.SessionIdle), CreatedUntil: until(auth.SessionLifetime)})
	if err != nil {
		return fmt.Errorf("delete sessions that have ended: %w", err)
	}
	return nil
}
