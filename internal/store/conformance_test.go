package store_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/store"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

func mkdir(t testing.TB, path string) {
	t.Helper()
	testkit.Check(t, os.MkdirAll(path, 0o700))
}

func isFault(err error, want *fault.Error) bool { return errors.Is(err, want) }

func wantFault(t *testing.T, err error, want *fault.Error) {
	t.Helper()
	if !isFault(err, want) {
		t.Fatalf("got %v, want the fault %s", err, want.Code)
	}
}

func TestUsers_RoundTrip(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		want := auth.User{
			ID: uuid.NewString(), Name: "Bob Smíth", PasswordHash: "$2a$…", PasswordIsDefault: true, Admin: true,
			DisabledAt: b.now.Add(time.Hour), CreatedAt: b.now,
		}
		testkit.Check(t, b.CreateUser(t.Context(), operator, want, auth.Event{At: b.now}))
		for _, name := range []string{"Bob Smíth", "bob smíth", "BOB SMÍTH", "bob smi\u0301th"} {
			got, err := b.UserByName(t.Context(), name)
			testkit.Check(t, err)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%q: %s", name, diff)
			}
		}
		_, err := b.UserByName(t.Context(), "bob")
		wantFault(t, err, auth.ErrUserNotFound)

		same := want
		same.ID, same.Name = uuid.NewString(), "BOB smíth"
		wantFault(t, b.CreateUser(t.Context(), operator, same, auth.Event{At: b.now, Action: "nothing"}), auth.ErrUserExists)
		if n := b.count("SELECT count(*) FROM audit WHERE action = 'nothing'"); n != 0 {
			t.Error("a refused user left a trace in the audit record")
		}
	})
}

func TestListUsers_Order(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		for _, name := range []string{"carol", "Alice", "bob", "Éve"} {
			b.user(name, false)
		}
		var got []string
		for after := ""; ; {
			page, err := b.ListUsers(t.Context(), after, 3)
			testkit.Check(t, err)
			for _, u := range page {
				got = append(got, u.Name)
				after = auth.FoldName(u.Name)
			}
			if len(page) < 3 {
				break
			}
		}
		if want := []string{"Alice", "bob", "carol", "Éve"}; !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

func TestEditUser(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		u := b.user("alice", true)
		kept := b.token(u, "kept", "")
		refusal := errors.New("no")
		_, err := b.EditUser(t.Context(), operator, "alice", func(e *auth.UserEdit) error {
			e.Admin, e.DropTokens = false, true
			return refusal
		})
		if !errors.Is(err, refusal) || !b.tokenExists(kept.ID) {
			t.Fatalf("got %v; a refused edit changed something", err)
		}
		_, err = b.EditUser(t.Context(), operator, "nobody", func(*auth.UserEdit) error { t.Error("called"); return nil })
		wantFault(t, err, auth.ErrUserNotFound)

		b.user("second", true)
		edited, err := b.EditUser(t.Context(), operator, "ALICE", func(e *auth.UserEdit) error {
			if e.OtherAdmins != 1 {
				t.Errorf("%d other admins, want 1", e.OtherAdmins)
			}
			e.PasswordHash, e.DisabledAt, e.DropTokens = "new", b.now, true
			e.Event = auth.Event{At: b.now, Action: "edited"}
			return nil
		})
		testkit.Check(t, err)
		if edited.PasswordHash != "new" || b.tokenExists(kept.ID) {
			t.Error("the edit was not carried out")
		}
		if n := b.count("SELECT count(*) FROM audit WHERE action = 'edited'"); n != 1 {
			t.Errorf("%d entries in the audit record, want 1", n)
		}
		_, err = b.EditUser(t.Context(), operator, "alice", func(e *auth.UserEdit) error { e.Remove = true; return nil })
		testkit.Check(t, err)
		_, err = b.UserByName(t.Context(), "alice")
		wantFault(t, err, auth.ErrUserNotFound)
	})
}

// TestEditUser_Concurrent checks that, if two admins demote themselves at the
// same time, only one succeeds.
func TestEditUser_Concurrent(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		for round := range 10 {
			names := []string{fmt.Sprintf("a%d", round), fmt.Sprintf("b%d", round)}
			b.exec("UPDATE users SET is_admin = FALSE")
			for _, name := range names {
				b.user(name, true)
			}
			var wg sync.WaitGroup
			for _, name := range names {
				wg.Go(func() {
					_, err := b.EditUser(t.Context(), operator, name, func(e *auth.UserEdit) error {
						if e.OtherAdmins == 0 {
							return auth.ErrLastAdmin
						}
						e.Admin = false
						return nil
					})
					if err != nil && !isFault(err, auth.ErrLastAdmin) {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			if n := b.count("SELECT count(*) FROM users WHERE is_admin"); n != 1 {
				t.Fatalf("%d admins are left, want 1", n)
			}
		}
	})
}

func TestTokens_RoundTrip(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		u, other := b.user("alice", false), b.user("bob", false)
		for _, wallets := range [][]string{nil, {}, {"w1"}, {"w1", "w2"}} {
			t.Run(fmt.Sprintf("%#v", wallets), func(t *testing.T) {
				want := tokenFor(u, fmt.Sprintf("%#v", wallets), "", b.now)
				want.Wallets, want.RotatedFrom = wallets, "earlier"
				want.Lifetime = 1200 * time.Millisecond
				testkit.Check(t, b.CreateToken(t.Context(), operator, want, auth.Event{At: b.now}))
				got, err := b.TokenOfUser(t.Context(), u.ID, want.ID)
				testkit.Check(t, err)
				if diff := cmp.Diff(want, got); diff != "" {
					t.Error(diff)
				}
				_, err = b.TokenOfUser(t.Context(), other.ID, want.ID)
				wantFault(t, err, auth.ErrTokenNotFound)

				c, err := b.CredentialByID(t.Context(), want.ID)
				testkit.Check(t, err)
				wantCredential := &auth.Credential{Token: want, UserName: "alice", Active: true}
				if diff := cmp.Diff(wantCredential, c); diff != "" {
					t.Error(diff)
				}
			})
		}
	})
}

func TestTokenDescriptions_UniquePerUser(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		u, other := b.user("alice", false), b.user("bob", false)
		b.token(u, "backup", "")
		b.token(other, "backup", "")
		b.token(u, "Backup", "") // descriptions are case-sensitive, as in Specter Desktop
		err := b.CreateToken(t.Context(), operator, tokenFor(u, "backup", "", b.now), auth.Event{})
		wantFault(t, err, auth.ErrDescriptionTaken)
	})
}

func TestCreateToken_UserOrParentInvalid(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		u := b.user("alice", false)
		parent := b.token(u, "parent", "")
		testkit.Check(t, b.DeleteToken(t.Context(), u.ID, parent.ID, "", func(*auth.Deletion) error { return nil }))
		err := b.CreateToken(t.Context(), operator, tokenFor(u, "orphan", parent.ID, b.now), auth.Event{})
		wantFault(t, err, auth.ErrUnauthenticated)

		b.exec("UPDATE users SET disabled_at = 1")
		wantFault(t, b.CreateToken(t.Context(), operator, tokenFor(u, "a", "", b.now), auth.Event{}), auth.ErrUnauthenticated)
		b.exec("DELETE FROM users")
		wantFault(t, b.CreateToken(t.Context(), operator, tokenFor(u, "b", "", b.now), auth.Event{}), auth.ErrUnauthenticated)
	})
}

// TestDeleteToken_Descendants checks that deleting a token deletes its descendants, even in an
// SQL shell that does not enforce foreign keys.
func TestDeleteToken_Descendants(t *testing.T) {
	deletions := map[string]func(b *fixture, u auth.User, id string){
		"by the store": func(b *fixture, u auth.User, id string) {
			testkit.Check(b.t, b.DeleteToken(b.t.Context(), u.ID, id, "", func(*auth.Deletion) error { return nil }))
		},
		"in a shell":         func(b *fixture, _ auth.User, id string) { b.exec("DELETE FROM tokens WHERE token_id = $1", id) },
		"user by the store":  func(b *fixture, _ auth.User, _ string) { removeUser(b, "alice") },
		"user in a shell":    func(b *fixture, u auth.User, _ string) { b.exec("DELETE FROM users WHERE user_id = $1", u.ID) },
		"user loses them":    func(b *fixture, _ auth.User, _ string) { dropTokens(b, "alice") },
		"all, in one go":     func(b *fixture, u auth.User, _ string) { b.exec("DELETE FROM tokens WHERE user_id = $1", u.ID) },
		"rotated at once":    func(b *fixture, u auth.User, id string) { rotate(b, u, id, false, time.Time{}) },
		"rotated by a token": func(b *fixture, u auth.User, id string) { rotate(b, u, id, true, time.Time{}) },
	}
	for name, del := range deletions {
		t.Run(name, func(t *testing.T) {
			onBothEngines(t, func(t *testing.T, b *fixture) {
				u, other := b.user("alice", false), b.user("bob", false)
				root := b.token(u, "root", "")
				family := []auth.Token{root}
				for i := range 4 {
					family = append(family, b.token(u, fmt.Sprint("descendant ", i), family[i].ID))
				}
				bystander := b.token(other, "bystander", "")
				del(b, u, root.ID)
				for _, member := range family {
					if b.tokenExists(member.ID) {
						t.Errorf("%s is still there", member.Description)
					}
				}
				if !b.tokenExists(bystander.ID) {
					t.Error("another user's token was also deleted")
				}
			})
		})
	}
}

func removeUser(b *fixture, name string) {
	_, err := b.EditUser(b.t.Context(), operator, name, func(e *auth.UserEdit) error { e.Remove = true; return nil })
	testkit.Check(b.t, err)
}

func dropTokens(b *fixture, name string) {
	_, err := b.EditUser(b.t.Context(), operator, name, func(e *auth.UserEdit) error { e.DropTokens = true; return nil })
	testkit.Check(b.t, err)
}

// rotate replaces a token by one with the same description. The old one expires at
// retireAt, or is deleted if retireAt is zero.
func rotate(b *fixture, u auth.User, id string, byToken bool, retireAt time.Time) auth.Token {
	var successor auth.Token
	testkit.Check(b.t, b.RotateToken(b.t.Context(), b.byPassword(u.Name), id, func(r *auth.Rotation) error {
		successor = tokenFor(u, r.Old.Description, r.Old.ParentID, b.now)
		r.Successor, r.RetireAt, r.RetiredAs, r.ByToken = successor, retireAt, r.Old.Description+" "+r.Old.ID, byToken
		r.Event = auth.Event{At: b.now, Action: "token.rotate"}
		return nil
	}))
	return successor
}

func TestRotation(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		u := b.user("alice", false)
		root := b.token(u, "root", "")
		old := b.token(u, "worker", root.ID)
		child := b.token(u, "child", old.ID)
		grandchild := b.token(u, "grandchild", child.ID)
		retireAt := b.now.Add(10 * time.Minute).Truncate(time.Second)
		b.exec("UPDATE tokens SET expires_at = $1 WHERE token_id = $2", b.now.Add(time.Minute).UnixMicro(), grandchild.ID)

		testkit.Check(t, b.RotateToken(t.Context(), b.caller(grandchild.ID), old.ID, func(r *auth.Rotation) error {
			if want := []string{root.ID}; !slices.Equal(r.OldAncestors, want) {
				t.Errorf("ancestors %v, want %v", r.OldAncestors, want)
			}
			r.Successor, r.RetireAt, r.RetiredAs = tokenFor(u, "worker", root.ID, b.now), retireAt, "worker (old)"
			return nil
		}))
		for id, want := range map[string]time.Time{
			old.ID: retireAt, child.ID: retireAt, root.ID: root.ExpiresAt,
			grandchild.ID: b.now.Add(time.Minute), // its own expiry is earlier
		} {
			t.Run(id, func(t *testing.T) {
				got, err := b.TokenOfUser(t.Context(), u.ID, id)
				testkit.Check(t, err)
				if !got.ExpiresAt.Equal(want) {
					t.Errorf("%s ends at %v, want %v", got.Description, got.ExpiresAt, want)
				}
			})
		}
		err := b.RotateToken(t.Context(), b.byPassword(u.Name), uuid.NewString(), func(*auth.Rotation) error { return nil })
		wantFault(t, err, auth.ErrTokenNotFound)
	})
}

func TestListTokens_Order(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		u := b.user("alice", false)
		var want, got []string
		for i := range 7 {
			b.now = b.now.Add(time.Duration(i%2) * time.Microsecond) // some have the same time
			want = append(want, b.token(u, fmt.Sprint(i), "").ID)
		}
		for after := (auth.TokenCursor{}); ; {
			page, err := b.TokensOfUser(t.Context(), u.ID, after, 2)
			testkit.Check(t, err)
			for _, token := range page {
				got = append(got, token.ID)
				after = auth.TokenCursor{CreatedAt: token.CreatedAt, ID: token.ID}
			}
			if len(page) < 2 {
				break
			}
		}
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
}

// TestCredentials_ChangedInShell checks that changes made in an SQL shell are
// visible to the next authentication.
func TestCredentials_ChangedInShell(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		u := b.user("alice", true)
		token := b.token(u, "x", "")
		look := func() *auth.Credential {
			t.Helper()
			c, err := b.CredentialByID(t.Context(), token.ID)
			testkit.Check(t, err)
			return c
		}
		for i := range 50 {
			expiry := b.now.Add(time.Duration(i) * time.Second)
			b.exec("UPDATE tokens SET expires_at = $1", expiry.UnixMicro())
			if got := look().ExpiresAt; !got.Equal(expiry) {
				t.Fatalf("look %d: %v, want %v", i, got, expiry)
			}
		}
		b.exec("UPDATE tokens SET scopes = 'node:read nonsense', wallet_ids = ''")
		b.exec("UPDATE users SET is_admin = FALSE, disabled_at = 1")
		c := look()
		if c.Scopes != auth.NodeRead || c.Wallets == nil || len(c.Wallets) != 0 || c.Admin || c.Active {
			t.Errorf("got %+v", c)
		}
		b.exec("DELETE FROM tokens")
		if b.tokenExists(token.ID) {
			t.Error("a deleted token is still found")
		}
	})
}

func TestCredentialByID_Concurrent(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		u := b.user("alice", false)
		token := b.token(u, "x", "")
		var wg sync.WaitGroup
		for range 32 {
			wg.Go(func() {
				for range 50 {
					if c, err := b.CredentialByID(t.Context(), token.ID); err != nil || c.UserName != "alice" {
						t.Errorf("got %+v, %v", c, err)
						return
					}
				}
			})
		}
		wg.Wait()
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := b.CredentialByID(ended, token.ID); err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

func TestWriters_Concurrent(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		u := b.user("alice", false)
		second := b.reopen() // like another process
		var wg sync.WaitGroup
		for i, s := range []*store.Store{b.Store, second} {
			for j := range 8 {
				wg.Go(func() {
					for k := range 10 {
						token := tokenFor(u, fmt.Sprint(i, j, k), "", b.now)
						if err := s.CreateToken(t.Context(), operator, token, auth.Event{At: b.now}); err != nil {
							t.Error(err)
						}
					}
				})
			}
		}
		wg.Wait()
		if n := b.count("SELECT count(*) FROM tokens"); n != 160 {
			t.Errorf("%d tokens, want 160", n)
		}
	})
}

func TestWriteEvents(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		u := b.user("alice", false)
		token := b.token(u, "x", "")
		use := auth.Use{At: b.now, Address: "2001:db8::1", Agent: "curl/8 ☕"}
		testkit.Check(t, b.WriteEvents(t.Context(),
			[]auth.Event{{At: b.now, UserName: "alice", Action: "login", Outcome: "ok"}, {At: b.now, Action: "login", Outcome: "refused"}},
			map[string]auth.Use{token.ID: use, uuid.NewString(): use}))
		got, err := b.TokenOfUser(t.Context(), u.ID, token.ID)
		testkit.Check(t, err)
		if diff := cmp.Diff(use, got.LastUse); diff != "" {
			t.Error(diff)
		}
		if n := b.count("SELECT count(*) FROM audit WHERE action = 'login'"); n != 2 {
			t.Errorf("%d logins in the audit log, want 2", n)
		}
	})
}

func TestSettings_FirstWriterWins(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		second := b.reopen()
		testkit.Check(t, b.BindKey(t.Context(), "aaaa"))
		testkit.Check(t, second.BindKey(t.Context(), "bbbb"))
		if keys, err := second.SigningKeys(t.Context()); err != nil || len(keys) != 1 || keys[0].Fingerprint != "aaaa" {
			t.Errorf("after another key: got %v, %v", keys, err)
		}
		testkit.Check(t, b.CheckChain(t.Context(), "regtest", "00aa"))
		testkit.Check(t, b.CheckChain(t.Context(), "regtest", "00aa"))
		for _, other := range [][2]string{{"main", "00aa"}, {"regtest", "00bb"}} {
			err := second.CheckChain(t.Context(), other[0], other[1])
			if f, ok := errors.AsType[*fault.Error](err); !ok || f.Code != "wrong_chain" {
				t.Errorf("%v: got %v", other, err)
			}
		}
		first, err := b.FirstStart(t.Context())
		testkit.Check(t, err)
		testkit.Check(t, b.RecordFirstStart(t.Context()))
		again, err := second.FirstStart(t.Context())
		testkit.Check(t, err)
		if !first || again {
			t.Errorf("first start: %v, then %v", first, again)
		}
	})
}

func TestAllTokens(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		alice, bob := b.user("alice", false), b.user("Bob", false)
		b.token(alice, "a", "")
		mine := b.token(bob, "b", "")
		for name, want := range map[string][]string{"": {"alice", "Bob"}, "BOB": {"Bob"}, "carol": nil} {
			t.Run(name, func(t *testing.T) {
				_, owners, err := b.AllTokens(t.Context(), name)
				testkit.Check(t, err)
				if !slices.Equal(owners, want) {
					t.Errorf("%q: got %q, want %q", name, owners, want)
				}
			})
		}
		owner, err := b.OwnerOfToken(t.Context(), mine.ID)
		testkit.Check(t, err)
		if owner != bob.ID {
			t.Error("wrong owner")
		}
		_, err = b.OwnerOfToken(t.Context(), "nothing")
		wantFault(t, err, auth.ErrTokenNotFound)
	})
}
