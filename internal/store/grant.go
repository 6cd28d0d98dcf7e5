package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/store/db"
)

// confirm returns the principal as the database has them in this transaction, or why
// they may no longer do what they were let in for: see auth.Principal.Confirm. A
// transaction that gives somebody access (a token, a password, a role, a membership)
// begins with it. It locks the rows that it reads, so that what takes the access away
// comes either before, and is seen, or after all that this transaction does.
//
// It is not for transactions that record what has been done already, such as that a
// payment was sent.
func (s *Store) confirm(ctx context.Context, q *db.Queries, who *auth.Principal) (*auth.Principal, error) {
	if who.IsTrusted() {
		return who, nil
	}
	c, err := holdCredential(ctx, q, who)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, auth.ErrUnauthenticated
	}
	if err != nil {
		return nil, fmt.Errorf("check the caller again: %w", err)
	}
	return who.Confirm(c, s.now())
}

// holdCredential reads the rows behind a principal and locks them: first the token's,
// then the user's, in the order in which saveUser changes them.
func holdCredential(ctx context.Context, q *db.Queries, who *auth.Principal) (*auth.Credential, error) {
	var t auth.Token
	if who.TokenID != "" {
		row, err := q.HoldToken(ctx, who.TokenID)
		if err != nil {
			return nil, err
		}
		t = tokenOf(row)
	}
	row, err := q.HoldUser(ctx, who.UserID)
	if err != nil {
		return nil, err
	}
	u := userOf(row)
	c := u.Credential()
	if who.TokenID != "" {
		c.Token = t
	}
	return c, nil
}
