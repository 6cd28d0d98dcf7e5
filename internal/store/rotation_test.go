package store_test

import (
	"slices"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/auth"
)

// delete deletes a token and returns the deletion that the store passed to the callback.
func (b *bench) delete(u auth.User, id string, keep, forget bool) (told auth.Deletion, err error) {
	b.t.Helper()
	err = b.DeleteToken(b.t.Context(), u.ID, id, "", func(d *auth.Deletion) error {
		d.KeepSuccessors, d.ForgetRotations = keep, forget
		told = *d
		return nil
	})
	return told, err
}

// line is a token with two rotations by tokens: first was rotated to second with a grace
// period, and second to third without one, which deleted second. The token child was
// created with third.
type line struct{ first, second, third, child auth.Token }

func (b *bench) line(u auth.User) line {
	b.t.Helper()
	l := line{first: b.token(u, "first", "")}
	l.second = rotate(b, u, l.first.ID, true, b.now.Add(time.Hour))
	l.third = rotate(b, u, l.second.ID, true, time.Time{})
	l.child = b.token(u, "child", l.third.ID)
	return l
}

// TestSuccessorsGoAlong checks that deleting a token also deletes its successors from
// rotations by tokens, even in an SQL shell and if a token in between was deleted before.
// Successors from rotations with a password are kept.
func TestSuccessorsGoAlong(t *testing.T) {
	deletions := map[string]func(b *bench, u auth.User, l line){
		"first, by the store": func(b *bench, u auth.User, l line) {
			told, err := b.delete(u, l.first.ID, false, false)
			must(b.t, err)
			if !told.Exists || !slices.Equal(ids(told.Family), []string{l.first.ID}) || !sameIDs(ids(told.Successors), l.third.ID, l.child.ID) {
				b.t.Errorf("told of %+v", told)
			}
		},
		"second, which is gone, by the store": func(b *bench, u auth.User, l line) {
			told, err := b.delete(u, l.second.ID, false, false)
			must(b.t, err)
			if told.Exists || len(told.Family) != 0 || !sameIDs(ids(told.Successors), l.third.ID, l.child.ID) {
				b.t.Errorf("told of %+v", told)
			}
			if !b.tokenExists(l.first.ID) {
				b.t.Error("the predecessor was also deleted")
			}
		},
		"first, in a shell":               func(b *bench, _ auth.User, l line) { b.exec("DELETE FROM tokens WHERE token_id = $1", l.first.ID) },
		"first, by a password's rotation": func(b *bench, u auth.User, l line) { rotate(b, u, l.first.ID, false, time.Time{}) },
		"second, in a shell, as docs/sql.md has it": func(b *bench, _ auth.User, l line) {
			b.exec(`DELETE FROM tokens WHERE token_id IN (
				WITH RECURSIVE line (token_id) AS (
					SELECT CAST($1 AS TEXT)
					UNION
					SELECT r.successor_id FROM rotations AS r JOIN line ON r.predecessor_id = line.token_id
				)
				SELECT token_id FROM line)`, l.second.ID)
		},
		"user, in a shell": func(b *bench, u auth.User, _ line) {
			b.exec("DELETE FROM users WHERE user_id = $1", u.ID)
			if b.count("SELECT count(*) FROM rotations") != 0 {
				b.t.Error("rotations are left")
			}
		},
	}
	for name, del := range deletions {
		t.Run(name, func(t *testing.T) {
			onBothEngines(t, func(t *testing.T, b *bench) {
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

func TestSuccessorsOfPasswordsStay(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *bench) {
		u := b.user("alice", false)
		old := b.token(u, "old", "")
		safe := rotate(b, u, old.ID, false, b.now.Add(time.Hour))
		told, err := b.delete(u, old.ID, false, false)
		must(t, err)
		if len(told.Successors) != 0 || !b.tokenExists(safe.ID) {
			t.Errorf("told of %+v", told)
		}
	})
}

// TestSuccessorsThatAreKept checks that a deletion that keeps the successors determines
// whether a later deletion includes them.
func TestSuccessorsThatAreKept(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *bench) {
		u := b.user("alice", false)
		for _, forget := range []bool{false, true} {
			l := b.line(u)
			_, err := b.delete(u, l.first.ID, true, forget)
			must(t, err)
			if b.tokenExists(l.first.ID) || !b.tokenExists(l.third.ID) || !b.tokenExists(l.child.ID) {
				t.Error("not just the first is gone")
			}
			told, err := b.delete(u, l.first.ID, false, false)
			must(t, err)
			if found := len(told.Successors) == 2; found == forget || b.tokenExists(l.third.ID) != forget {
				t.Errorf("forget %v: reported %+v", forget, told)
			}
			must(t, b.deleteAll(u, l.second.ID, l.third.ID))
		}
	})
}

// TestRotationByATokenLeavesOtherSuccessors checks that a token that rotates itself again
// does not affect its earlier successor.
func TestRotationByATokenLeavesOtherSuccessors(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *bench) {
		u := b.user("alice", false)
		old := b.token(u, "old", "")
		first := rotate(b, u, old.ID, true, b.now.Add(time.Hour))
		b.exec("UPDATE tokens SET description = 'first' WHERE token_id = $1", first.ID)
		second := rotate(b, u, old.ID, true, time.Time{})
		if b.tokenExists(old.ID) || !b.tokenExists(first.ID) || !b.tokenExists(second.ID) {
			t.Error("not just the predecessor is gone")
		}
		told, err := b.delete(u, old.ID, false, false)
		must(t, err)
		if !sameIDs(ids(told.Successors), first.ID, second.ID) {
			t.Errorf("told of %+v", told)
		}
		owner, err := b.OwnerOfToken(t.Context(), old.ID)
		must(t, err)
		if owner != u.ID {
			t.Errorf("the owner of a token that is gone is %q", owner)
		}
	})
}

func (b *bench) deleteAll(u auth.User, tokens ...string) error {
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
