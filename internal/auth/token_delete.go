package auth

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/specterd/specterd/internal/fault"
)

// errNotOwnToken is returned to a token for one that is neither itself nor was made
// with it.
var errNotOwnToken = fault.New(fault.Forbidden, "not_own_token",
	"a token can delete or rotate only itself and tokens made with it; for others use your user name and password")

// TokenName is what a token is known by.
type TokenName struct{ ID, Description string }

// Deletion is a token in the middle of being deleted.
type Deletion struct {
	Exists    bool     // whether the token itself is still there
	Ancestors []string // of the token
	// CallerPredecessors are the tokens whose place the caller's token took, by
	// rotations that were made with tokens.
	CallerPredecessors []string
	// Family is the token, as far as it exists, and those that were made with it.
	Family []TokenName
	// Successors are those that it and its family were rotated to by tokens, and what
	// was made with these.
	Successors []TokenName

	// To be filled: whether the Successors go on working, and if so, whether later
	// deletions of the token are to know of them.
	KeepSuccessors  bool
	ForgetRotations bool
	Event           Event
}

// Deleted is what became of the tokens that a deletion is about.
type Deleted struct {
	Ended []TokenName
	Kept  []TokenName // successors that go on working
}

// Delete deletes one of the caller's tokens and all that were made with it, and also
// the successors by rotations that were made with a token, and theirs, unless
// keepSuccessors is set or the caller is such a successor. Id may be that of a token that
// is gone, for the sake of its successors. When it has returned, what was deleted is
// accepted nowhere.
//
// A token can delete itself, those made with it, and those whose place it took.
func (s *Tokens) Delete(ctx context.Context, who *Principal, id string, keepSuccessors bool) (Deleted, error) {
	return s.delete(ctx, who, who.UserID, id, func(d *Deletion) error {
		tookItsPlace := slices.Contains(d.CallerPredecessors, id)
		if !who.ByPassword() {
			if !d.Exists {
				return ErrTokenNotFound
			}
			if id != who.TokenID && !slices.Contains(d.Ancestors, who.TokenID) && !tookItsPlace {
				return errNotOwnToken
			}
		}
		d.KeepSuccessors = keepSuccessors || tookItsPlace
		d.ForgetRotations = keepSuccessors && who.ByPassword()
		return nil
	})
}

// DeleteOf deletes a token of a user for an admin, as Delete does for its user.
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

// maxOthers is how many tokens the audit record names beside the one that was deleted.
const maxOthers = 20

// others returns what the audit record says of tokens that ended with one.
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
