package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/event"
	"github.com/specterd/specterd/internal/store/db"
	"github.com/specterd/specterd/internal/store/sqltype"
)

// CredentialByID implements auth.CredentialStore.
func (s *Store) CredentialByID(ctx context.Context, tokenID string) (*auth.Credential, error) {
	if err := s.checkDamage(); err != nil {
		return nil, err
	}
	c, err := s.credentials.credential(ctx, tokenID)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, auth.ErrTokenNotFound
	}
	if err != nil {
		return nil, translate(fmt.Errorf("look up a token: %w", err))
	}
	return c, nil
}

func credentialOf(row db.TokenAndUserRow) *auth.Credential {
	return &auth.Credential{
		Token: tokenOf(row.Token), UserName: row.UserName, Admin: row.IsAdmin, Active: row.DisabledAt.IsZero(),
	}
}

// CreateToken implements auth.TokenStore.
func (s *Store) CreateToken(ctx context.Context, who *auth.Principal, t auth.Token, e auth.Event) error {
	return s.withEvents(ctx, s.quotaTx(t.UserID), func(q *db.Queries, log *eventLog) error {
		maker, err := s.confirm(ctx, q, who)
		if err != nil {
			return err
		}
		if err := maker.CheckGrant(&t); err != nil {
			return err
		}
		return s.createToken(ctx, q, log, t, e)
	})
}

func (s *Store) createToken(ctx context.Context, q *db.Queries, log *eventLog, t auth.Token, e auth.Event) error {
	active, err := q.UserIsActive(ctx, t.UserID)
	if errors.Is(err, sql.ErrNoRows) || (err == nil && !active) {
		return auth.ErrUnauthenticated
	}
	if err != nil {
		return fmt.Errorf("look up the user: %w", err)
	}
	if err := s.insertToken(ctx, q, t); err != nil {
		return err
	}
	log.addToken(t, event.ActorOf(e))
	return addEvent(ctx, q, e)
}

func (s *Store) insertToken(ctx context.Context, q *db.Queries, t auth.Token) error {
	if !t.Imported {
		if signs, err := currentKey(ctx, q); err != nil {
			return err
		} else if signs != t.SigningKey {
			return auth.ErrKeyRetired
		}
	}
	err := q.CreateToken(ctx, db.CreateTokenParams{
		TokenID: t.ID, UserID: t.UserID, ParentID: nullable(t.ParentID), RotatedFrom: nullable(t.RotatedFrom),
		Description: t.Description, TokenHash: t.Hash[:], Scopes: t.Scopes.String(), WalletIds: walletText(t.Wallets),
		Lifetime: t.Lifetime.Microseconds(), CreatedAt: sqltype.Time{Time: t.CreatedAt}, ExpiresAt: sqltype.Time{Time: t.ExpiresAt},
		ExpiringAt: sqltype.NullTime{Time: auth.ExpiringAt(t.CreatedAt, t.ExpiresAt)},
		Imported:   t.Imported, SigningKey: nullable(t.SigningKey), Policy: t.Policy, PolicyID: t.PolicyID,
	})
	switch {
	case isUnique(err):
		return auth.ErrDescriptionTaken
	case isForeignKey(err): // the parent token has been deleted
		return auth.ErrUnauthenticated
	case err != nil:
		return fmt.Errorf("insert a token: %w", err)
	}
	return s.chargeUser(ctx, q, auth.QuotaTokens, t.UserID)
}

// TokenOfUser implements auth.TokenStore.
func (s *Store) TokenOfUser(ctx context.Context, userID, id string) (auth.Token, error) {
	return tokenOfUser(ctx, s.reads(), userID, id)
}

func tokenOfUser(ctx context.Context, q *db.Queries, userID, id string) (auth.Token, error) {
	row, err := q.TokenOfUser(ctx, db.TokenOfUserParams{TokenID: id, UserID: userID})
	if errors.Is(err, sql.ErrNoRows) {
		return auth.Token{}, auth.ErrTokenNotFound
	}
	if err != nil {
		return auth.Token{}, translate(fmt.Errorf("select a token: %w", err))
	}
	return tokenOf(row), nil
}

// TokensOfUser implements auth.TokenStore.
func (s *Store) TokensOfUser(ctx context.Context, userID string, after auth.TokenCursor, limit int) ([]auth.Token, error) {
	rows, err := s.reads().ListTokensOfUser(ctx, db.ListTokensOfUserParams{
		UserID: userID, AfterTime: sqltype.Time{Time: after.CreatedAt}, AfterID: after.ID, MaxRows: int64(limit),
	})
	if err != nil {
		return nil, translate(fmt.Errorf("list tokens: %w", err))
	}
	tokens := make([]auth.Token, len(rows))
	for i, row := range rows {
		tokens[i] = tokenOf(row)
	}
	return tokens, nil
}

// RotateToken implements auth.TokenStore.
func (s *Store) RotateToken(ctx context.Context, who *auth.Principal, id string, rotate func(*auth.Rotation) error) error {
	return s.withEvents(ctx, s.quotaTx(who.UserID), func(q *db.Queries, log *eventLog) error {
		if _, err := s.confirm(ctx, q, who); err != nil {
			return err
		}
		r, err := loadRotation(ctx, q, who.UserID, id)
		if err != nil {
			return err
		}
		if err := rotate(&r); err != nil {
			return err
		}
		by := event.ActorOf(r.Event)
		revoked, err := retireToken(ctx, q, r)
		if err != nil {
			return err
		}
		log.addRevoked(r.Old.UserID, by, revoked)
		if err := s.insertToken(ctx, q, r.Successor); err != nil {
			return err
		}
		log.addToken(r.Successor, by)
		if err := moveWebhooks(ctx, q, r); err != nil {
			return err
		}
		if r.ByToken {
			err := addRotation(ctx, q, db.Rotation{SuccessorID: r.Successor.ID, PredecessorID: r.Old.ID, UserID: who.UserID})
			if err != nil {
				return err
			}
		}
		return addEvent(ctx, q, r.Event)
	})
}

// moveWebhooks makes the successor the token of the webhooks of its predecessor.
func moveWebhooks(ctx context.Context, q *db.Queries, r auth.Rotation) error {
	err := q.MoveWebhooks(ctx, db.MoveWebhooksParams{SuccessorID: r.Successor.ID, PredecessorID: r.Old.ID, UserID: r.Old.UserID})
	if err != nil {
		return fmt.Errorf("move webhooks to the successor of a token: %w", err)
	}
	return nil
}

func loadRotation(ctx context.Context, q *db.Queries, userID, id string) (auth.Rotation, error) {
	var r auth.Rotation
	var err error
	if r.Old, err = tokenOfUser(ctx, q, userID, id); err != nil {
		return r, err
	}
	if r.OldAncestors, err = q.AncestorsOfToken(ctx, id); err != nil {
		return r, fmt.Errorf("select the token's ancestors: %w", err)
	}
	return r, nil
}

// retireToken deletes the token that a rotation replaces, and its descendants. If there is
// a grace period, it instead renames the token, and limits the lifetime of the token and of
// its descendants to that period. If the rotation was requested with a password, earlier
// successors from rotations by tokens are retired as well. It returns the deleted tokens.
func retireToken(ctx context.Context, q *db.Queries, r auth.Rotation) (deleted []auth.TokenName, err error) {
	family, err := familyOf(ctx, q, r.Old.UserID, r.Old.ID, !r.ByToken)
	if err != nil {
		return nil, err
	}
	if r.RetireAt.IsZero() && r.ByToken {
		return family, removeTokensAlone(ctx, q, r.Old.UserID, idsOf(family), false)
	}
	if r.RetireAt.IsZero() {
		return family, removeTokens(ctx, q, r.Old.UserID, idsOf(family))
	}
	at, expiring := sqltype.Time{Time: r.RetireAt}, auth.ExpiringAt(r.Successor.CreatedAt, r.RetireAt)
	err = q.RetireToken(ctx, db.RetireTokenParams{TokenID: r.Old.ID, Description: r.RetiredAs, ExpiresAt: at, ExpiringAt: expiring.UnixMicro()})
	if err != nil {
		return nil, fmt.Errorf("retire the predecessor: %w", err)
	}
	for _, id := range idsOf(family) {
		if err := q.CapTokenExpiry(ctx, db.CapTokenExpiryParams{TokenID: id, ExpiresAt: at, ExpiringAt: sqltype.NullTime{Time: expiring}}); err != nil {
			return nil, fmt.Errorf("end a token with the predecessor: %w", err)
		}
	}
	return nil, nil
}

// AllTokens returns the tokens of a user, or of all users if userName is empty, together
// with the names of their owners in the same order. It is for the command line.
func (s *Store) AllTokens(ctx context.Context, userName string) (tokens []auth.Token, owners []string, err error) {
	rows, err := s.reads().ListTokens(ctx, db.ListTokensParams{NameFolded: auth.FoldName(userName), EveryUser: userName == ""})
	if err != nil {
		return nil, nil, translate(fmt.Errorf("list tokens: %w", err))
	}
	for _, row := range rows {
		tokens = append(tokens, tokenOf(row.Token))
		owners = append(owners, row.UserName)
	}
	return tokens, owners, nil
}

// OwnerOfToken returns the id of the user who owns the token, or who owned it if it was
// deleted but has successors from rotations by tokens. For any other id, it returns
// auth.ErrTokenNotFound.
func (s *Store) OwnerOfToken(ctx context.Context, id string) (string, error) {
	owner, err := s.reads().OwnerOfToken(ctx, id)
	if errors.Is(err, sql.ErrNoRows) {
		owner, err = s.reads().OwnerOfRotations(ctx, id)
	}
	if errors.Is(err, sql.ErrNoRows) {
		return "", auth.ErrTokenNotFound
	}
	return owner, translate(err)
}

func tokenOf(row db.Token) auth.Token {
	t := auth.Token{
		ID: row.TokenID, UserID: row.UserID, ParentID: row.ParentID.String, RotatedFrom: row.RotatedFrom.String,
		Description: row.Description, Scopes: auth.ScopesFromText(row.Scopes), Wallets: walletIDs(row.WalletIds),
		Lifetime:  time.Duration(row.Lifetime) * time.Microsecond,
		CreatedAt: row.CreatedAt.Time, ExpiresAt: row.ExpiresAt.Time,
		LastUse:  auth.Use{At: row.LastUsedAt.Time, Address: row.LastUsedAddress, Agent: row.LastUsedAgent},
		Imported: row.Imported, SigningKey: row.SigningKey.String, Policy: row.Policy, PolicyID: row.PolicyID,
	}
	copy(t.Hash[:], row.TokenHash)
	return t
}

// The wallets of a token are stored as ids separated by spaces; NULL means no limit.

func walletIDs(text sql.NullString) []string {
	if !text.Valid {
		return nil
	}
	return append([]string{}, strings.Fields(text.String)...)
}

func walletText(ids []string) sql.NullString {
	return sql.NullString{String: strings.Join(ids, " "), Valid: ids != nil}
}

func nullable(text string) sql.NullString { return sql.NullString{String: text, Valid: text != ""} }
