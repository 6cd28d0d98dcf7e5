package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/store/db"
)

// confirm returns the principal with the current permissions from the database, or an
// error if the principal has lost permissions since the request was authorized; see
// auth.Principal.Confirm. Every transaction that grants access (a token, a password, a
// role, a membership) must call it first. It locks the rows that it reads, so that a
// concurrent revocation either commits before and is seen, or commits after this
// transaction.
//
// It must not be used in transactions that record what has already happened, such as a
// broadcast.
func (s *Store) confirm(ctx context.Context, q *db.Queries, who *auth.Principal) (*auth.Principal, error) {
	if who.IsTrusted() {
		return who, nil
	}
	c, err := holdCredential(ctx, q, who)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, auth.ErrUnauthenticated
	}
	if err != nil {
		return nil, fmt.Errorf("check the caller's rights again: %w", err)
	}
	return who.Confirm(c, s.now())
}

// holdCredential reads and locks the rows of a principal's token or session and user, in this
// order, which is also the order in which saveUser changes them.
func holdCredential(ctx context.Context, q *db.Queries, who *auth.Principal) (*auth.Credential, error) {
	var t auth.Token
	if who.TokenID != "" {
		row, err := q.HoldToken(ctx, who.TokenID)
		if err != nil {
			return nil, err
		}
		t = tokenOf(row)
	}
	var session db.Session
	if who.SessionID != "" {
		var err error
		if session, err = q.HoldSession(ctx, who.SessionID); err != nil {
			return nil, err
		}
	}
	row, err := q.HoldUser(ctx, who.UserID)
	if err != nil {
		return nil, err
	}
	if who.SessionID != "" {
		return sessionOf(session, row), nil
	}
	u := userOf(row)
	c := u.Credential()
	if who.TokenID != "" {
		c.Token = t
	}
	return c, nil
}
