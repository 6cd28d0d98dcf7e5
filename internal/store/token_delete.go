package store

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/event"
	"github.com/specterd/specterd/internal/store/db"
)

// DeleteToken implements auth.TokenStore.
func (s *Store) DeleteToken(ctx context.Context, userID, id, callerID string, decide func(*auth.Deletion) error) error {
	return s.withUrgentEvents(ctx, func(q *db.Queries, log *eventLog) error {
		d, err := loadDeletion(ctx, q, userID, id, callerID)
		if err != nil {
			return err
		}
		if err := decide(&d); err != nil {
			return err
		}
		revoked := d.Family
		if d.KeepSuccessors {
			err = removeTokensAlone(ctx, q, userID, append(idsOf(d.Family), id), d.ForgetRotations)
		} else {
			revoked = slices.Concat(d.Family, d.Successors)
			err = removeTokens(ctx, q, userID, idsOf(revoked))
		}
		if err != nil {
			return err
		}
		log.addRevoked(userID, event.ActorOf(d.Event), revoked)
		return addEvent(ctx, q, d.Event)
	})
}

func loadDeletion(ctx context.Context, q *db.Queries, userID, id, callerID string) (d auth.Deletion, err error) {
	_, err = tokenOfUser(ctx, q, userID, id)
	d.Exists = err == nil
	if err != nil && !errors.Is(err, auth.ErrTokenNotFound) {
		return d, err
	}
	if d.Ancestors, err = q.AncestorsOfToken(ctx, id); err != nil {
		return d, fmt.Errorf("select the token's ancestors: %w", err)
	}
	d.CallerPredecessors, err = q.PredecessorsOfToken(ctx, db.PredecessorsOfTokenParams{UserID: userID, TokenID: callerID})
	if err != nil {
		return d, fmt.Errorf("select the caller's predecessors: %w", err)
	}
	if d.Family, err = familyOf(ctx, q, userID, id, false); err != nil {
		return d, err
	}
	all, err := familyOf(ctx, q, userID, id, true)
	for _, t := range all {
		if !slices.Contains(d.Family, t) {
			d.Successors = append(d.Successors, t)
		}
	}
	return d, err
}

// familyOf returns a token and its descendants, the tokens created with it. If
// withSuccessors is set, it also returns the successors of these from rotations by
// tokens, and the families of the successors.
func familyOf(ctx context.Context, q *db.Queries, userID, id string, withSuccessors bool) ([]auth.TokenName, error) {
	rows, err := q.FamilyOfToken(ctx, db.FamilyOfTokenParams{UserID: userID, WithSuccessors: withSuccessors, TokenID: id})
	if err != nil {
		return nil, fmt.Errorf("select a token's family: %w", err)
	}
	names := make([]auth.TokenName, len(rows))
	for i, row := range rows {
		names[i] = auth.TokenName{ID: row.TokenID, Description: row.Description}
	}
	return names, nil
}

func idsOf(tokens []auth.TokenName) []string {
	ids := make([]string, len(tokens))
	for i, t := range tokens {
		ids[i] = t.ID
	}
	return ids
}

// removeTokens deletes tokens. The database also deletes their descendants and successors
// that are not in ids.
func removeTokens(ctx context.Context, q *db.Queries, userID string, ids []string) error {
	for _, id := range ids {
		if err := q.DeleteToken(ctx, db.DeleteTokenParams{TokenID: id, UserID: userID}); err != nil {
			return fmt.Errorf("delete a token: %w", err)
		}
	}
	return nil
}

// removeTokensAlone deletes tokens but not their successors. Unless forget is set, a
// later deletion of the same tokens includes the successors.
func removeTokensAlone(ctx context.Context, q *db.Queries, userID string, ids []string, forget bool) error {
	var rotations []db.Rotation
	for _, id := range ids {
		rows, err := q.TakeRotations(ctx, db.TakeRotationsParams{UserID: userID, PredecessorID: id})
		if err != nil {
			return fmt.Errorf("read the rotations: %w", err)
		}
		rotations = append(rotations, rows...)
	}
	if err := removeTokens(ctx, q, userID, ids); err != nil || forget {
		return err
	}
	for _, r := range rotations {
		if err := addRotation(ctx, q, r); err != nil {
			return err
		}
	}
	return nil
}

func addRotation(ctx context.Context, q *db.Queries, r db.Rotation) error {
	if err := q.AddRotation(ctx, db.AddRotationParams(r)); err != nil {
		return fmt.Errorf("insert a rotation: %w", err)
	}
	return nil
}
