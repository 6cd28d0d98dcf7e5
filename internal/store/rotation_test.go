package store_test

import (
	"slices"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// delete deletes a token and returns the deletion that the store passed to the callback.
func (b *fixture) delete(u auth.User, id string, keep, forget bool) (deleted auth.Deletion, err error) {
	b.t.Helper()
	err = b.DeleteToken(b.t.Context(), u.ID, id, "", func(d *auth.Deletion) error {
		d.KeepSuccessors, d.ForgetRotations = keep, forget
		deleted = *d
		return nil
	})
	return deleted, err
}

// line is a token with two rotations by tokens: first was rotated to second with a grace
// period, and second to third without one, which deleted second. The token child was
// created with third.
type line struct{ first, second, third, child auth.Token }

func (b *fixture) line(u auth.User) line {
	b.t.Helper()
	l := line{first: b.token(u, "first", "")}
	l.second = rotate(b, u, l.first.ID, true, b.now.Add(time.Hour))
	l.third = rotate(b, u, l.second.ID, true, time.Time{})
	l.child = b.token(u, "child", l.third.ID)
	return l
}

// TestDeleteToken_Successors checks that deleting a token also deletes its successors from
// rotations by tokens, even in an SQL shell and if a token in between was deleted before.
// Successors from rotations with a password are kept.
func TestDeleteToken_Successors(t *testing.T) {
	deletions := map[string]func(b *fixture, u auth.User, l line){
		"first, by the store": func(b *fixture, u auth.User, l line) {
			deleted, err := b.delete(u, l.first.ID, false, false)
			testkit.Check(b.t, err)
			if !deleted.Exists || !slices.Equal(ids(deleted.Family), []string{l.first.ID}) || !sameIDs(ids(deleted.Successors), l.third.ID, l.child.ID) {
				b.t.Errorf("told of %+v", deleted)
			}
		},
		"second, which is gone, by the store": func(b *fixture, u auth.User, l line) {
			deleted, err := b.delete(u, l.second.ID, false, false)
			testkit.Check(b.t, err)
			if deleted.Exists || len(deleted.Family) != 0 || !sameIDs(ids(deleted.Successors), l.third.ID, l.child.ID) {
				b.t.Errorf("told of %+v", deleted)
			}
			if !b.tokenExists(l.first.ID) {
				b.t.Error("the predecessor was also deleted")
			}
		},
		"first, in a shell":               func(b *fixture, _ auth.User, l line) { b.exec("DELETE FROM tokens WHERE token_id = $1", l.first.ID) },
		"first, by a password's rotation": func(b *fixture, u auth.User, l line) { rotate(b, u, l.first.ID, false, time.Time{}) },
		"second, in a shell, as docs/sql.md has it": func(b *fixture, _ auth.User, l line) {
			b.exec(`DELETE FROM tokens WHERE token_id IN (
				WITH RECURSIVE line (token_id) AS (
					SELECT CAST($1 AS TEXT)
					UNION
					SELECT r.successor_id FROM rotations AS r JOIN line ON r.predecessor_id = line.token_id
				)
				SELECT token_id FROM line)`, l.second.ID)
		},
		"user, in a shell": func(b *fixture, u auth.User, _ line) {
			b.exec("DELETE FROM users WHERE user_id = $1", u.ID)
			if b.count("SELECT count(*) FROM rotations") != 0 {
				b.t.Error("rotations are left")
			}
		},
	}
	for name, del := range deletions {
		t.Run(name, func(t *testing.T) {
			onBothEngines(t, func(t *testing.T, b *fixture) {
				u, other := b.user("alice", false), b.user("bob", false)
				l := b.line(u)
				bystander := b.token(other, "bystander", "")
				safe := rotate(b, other, b.token(other, "leaked", "").ID, false, time.Time{})
				del(b, u, l)
				if b.tokenExists(l.third.ID) || b.tokenExists(l.child.ID) {
					t.Error("what it was rotated to is still there")
				}
				if !b.tokenExists(bystander.ID) || !b.tokenExists(safe.ID) {
					t.Error("another user's token was also deleted")
				}
			})
		})
	}
}

func TestDeleteToken_RotatedWithPassword(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		u := b.user("alice", false)
		old := b.token(u, "old", "")
		safe := rotate(b, u, old.ID, false, b.now.Add(time.Hour))
		deleted, err := b.delete(u, old.ID, false, false)
		testkit.Check(t, err)
		if len(deleted.Successors) != 0 || !b.tokenExists(safe.ID) {
			t.Errorf("told of %+v", deleted)
		}
	})
}

// TestDeleteToken_KeptSuccessors checks that a deletion that keeps the successors determines
// whether a later deletion includes them.
func TestDeleteToken_KeptSuccessors(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		u := b.user("alice", false)
		for _, forget := range []bool{false, true} {
			l := b.line(u)
			_, err := b.delete(u, l.first.ID, true, forget)
			testkit.Check(t, err)
			if b.tokenExists(l.first.ID) || !b.tokenExists(l.third.ID) || !b.tokenExists(l.child.ID) {
				t.Error("not just the first is gone")
			}
			deleted, err := b.delete(u, l.first.ID, false, false)
			testkit.Check(t, err)
			if found := len(deleted.Successors) == 2; found == forget || b.tokenExists(l.third.ID) != forget {
				t.Errorf("forget %v: reported %+v", forget, deleted)
			}
			testkit.Check(t, b.deleteAll(u, l.second.ID, l.third.ID))
		}
	})
}

// TestRotation_EarlierSuccessor checks that a token that rotates itself again
// does not affect its earlier successor.
func TestRotation_EarlierSuccessor(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		u := b.user("alice", false)
		old := b.token(u, "old", "")
		first := rotate(b, u, old.ID, true, b.now.Add(time.Hour))
		b.exec("UPDATE tokens SET description = 'first' WHERE token_id = $1", first.ID)
		second := rotate(b, u, old.ID, true, time.Time{})
		if b.tokenExists(old.ID) || !b.tokenExists(first.ID) || !b.tokenExists(second.ID) {
			t.Error("not just the predecessor is gone")
		}
		deleted, err := b.delete(u, old.ID, false, false)
		testkit.Check(t, err)
		if !sameIDs(ids(deleted.Successors), first.ID, second.ID) {
			t.Errorf("told of %+v", deleted)
		}
		owner, err := b.OwnerOfToken(t.Context(), old.ID)
		testkit.Check(t, err)
		if owner != u.ID {
			t.Errorf("the owner of a token that is gone is %q", owner)
		}
	})
}

func (b *fixture) deleteAll(u auth.User, tokens ...string) error {
	for _, id := range tokens {
		if _, err := b.delete(u, id, false, false); err != nil {
			return err
		}
	}
	return nil
}

func ids(tokens []auth.TokenName) []string {
	var all []string
	for _, t := range tokens {
		all = append(all, t.ID)
	}
	return all
}

func sameIDs(got []string, want ...string) bool {
	slices.Sort(got)
	slices.Sort(want)
	return slices.Equal(got, want)
}
