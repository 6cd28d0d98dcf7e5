package auth

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/specterd/specterd/internal/fault"
)

// errNotOwnToken is returned if a token tries to delete or rotate a token that is
// neither itself nor its descendant.
var errNotOwnToken = fault.New(fault.Forbidden, "not_own_token",
	"a token can delete or rotate only itself and tokens created with it; for others use your user name and password")

// TokenName identifies a token.
type TokenName struct{ ID, Description string }

// Deletion describes the deletion of a token and of the tokens related to it.
type Deletion struct {
	Exists    bool     // whether the token itself still exists
	Ancestors []string // of the token
	// CallerPredecessors are the tokens that the caller's token replaced in
	// rotations that were requested with a token.
	CallerPredecessors []string
	// Family is the token, if it exists, and its descendants.
	Family []TokenName
	// Successors are the tokens that replaced tokens of the family in rotations that
	// were requested with a token and not with a password, and their descendants.
	Successors []TokenName

	// The fields below are set by the callback. If KeepSuccessors is set, the
	// Successors stay valid. If ForgetRotations is set, they are also excluded from
	// later deletions of the token.
	KeepSuccessors  bool
	ForgetRotations bool
	Event           Event
}

// Deleted is the result of a deletion.
type Deleted struct {
	Ended []TokenName
	Kept  []TokenName // successors that stay valid
}

// errUndecided makes the store delete nothing.
var errUndecided = errors.New("nothing is deleted")

// Deletable returns what Delete would delete with keepSuccessors, without deleting anything,
// for a caller with a password. Kept are the successors that it would also delete otherwise.
func (s *Tokens) Deletable(ctx context.Context, who *Principal, id string) (Deleted, error) {
	var out Deleted
	err := s.store.DeleteToken(ctx, who.UserID, id, who.TokenID, func(d *Deletion) error {
		if !d.Exists {
			return ErrTokenNotFound
		}
		out = Deleted{Ended: d.Family, Kept: d.Successors}
		return errUndecided
	})
	if errors.Is(err, errUndecided) {
		err = nil
	}
	return out, err
}

// Delete deletes one of the caller's tokens and its descendants. If these tokens
// were replaced in rotations that were requested with a token, it also deletes their
// successors and the descendants of the successors, unless keepSuccessors is set or
// the caller's token is such a successor. Id may be the id of a deleted token that
// has successors. Once Delete has returned, all processes reject the deleted tokens.
//
// A token can delete itself, its descendants, and the tokens that it replaced.
func (s *Tokens) Delete(ctx context.Context, who *Principal, id string, keepSuccessors bool) (Deleted, error) {
	return s.delete(ctx, who, who.UserID, id, func(d *Deletion) error {
		isPredecessor := slices.Contains(d.CallerPredecessors, id)
		if !who.ByPassword() {
			if !d.Exists {
				return ErrTokenNotFound
			}
			if id != who.TokenID && !slices.Contains(d.Ancestors, who.TokenID) && !isPredecessor {
				return errNotOwnToken
			}
		}
		d.KeepSuccessors = keepSuccessors || isPredecessor
		d.ForgetRotations = keepSuccessors && who.ByPassword()
		return nil
	})
}

// DeleteOf deletes a token of a user on behalf of an admin, including its
// successors; see Delete.
func (s *Tokens) DeleteOf(ctx context.Context, who *Principal, userID, id string) (Deleted, error) {
	return s.delete(ctx, who, userID, id, func(*Deletion) error { return nil })
}

func (s *Tokens) delete(ctx context.Context, who *Principal, userID, id string, decide func(*Deletion) error) (Deleted, error) {
	var out Deleted
	err := s.store.DeleteToken(ctx, userID, id, who.TokenID, func(d *Deletion) error {
		if len(d.Family)+len(d.Successors) == 0 {
			return ErrTokenNotFound
		}
		if err := decide(d); err != nil {
			return err
		}
		out = Deleted{Ended: slices.Concat(d.Family, d.Successors)}
		if d.KeepSuccessors {
			out = Deleted{Ended: d.Family, Kept: d.Successors}
		}
		d.Event = who.Event(s.now(), "token.delete", id, others(id, out.Ended))
		return nil
	})
	return out, err
}

// maxOthers is the maximum number of tokens that the audit log lists as deleted
// together with a token.
const maxOthers = 20

// others returns a text for the audit log that lists the tokens deleted together
// with the token id.
func others(id string, ended []TokenName) string {
	var ids []string
	for _, t := range ended {
		if t.ID != id {
			ids = append(ids, t.ID)
		}
	}
	switch n := len(ids); {
	case n == 0:
		return ""
	case n > maxOthers:
		return fmt.Sprintf("with %s and %d more", strings.Join(ids[:maxOthers], " "), n-maxOthers)
	}
	return "with " + strings.Join(ids, " ")
}
