package store_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/store"
	"github.com/specterd/specterd/internal/testenv/testkit"
	"github.com/specterd/specterd/internal/wallet"
)

// granting is a database with a user who may grant access: alice, an admin and the owner
// of a wallet.
type granting struct {
	*fixture
	alice  auth.User
	token  auth.Token // of alice
	wallet wallet.Wallet
}

func newGranting(b *fixture) *granting {
	g := &granting{fixture: b, alice: b.user("alice", true)}
	b.user("second", true)
	b.user("bob", false)
	g.token, g.wallet = b.token(g.alice, "alice's", ""), b.wallet(g.alice, "vault")
	return g
}

// grants returns all transactions that grant access, by name.
func (g *granting) grants() map[string]func(who *auth.Principal) error {
	ctx, e := g.t.Context(), auth.Event{At: g.now, Action: "grant"}
	return map[string]func(who *auth.Principal) error{
		"create a token": func(who *auth.Principal) error {
			t := tokenFor(g.alice, uuid.NewString(), who.TokenID, g.now)
			t.ExpiresAt = g.now.Add(time.Second)
			return g.CreateToken(ctx, who, t, e)
		},
		"rotate a token": func(who *auth.Principal) error {
			return g.RotateToken(ctx, who, g.token.ID, func(r *auth.Rotation) error {
				r.Successor, r.RetireAt, r.RetiredAs = tokenFor(g.alice, uuid.NewString(), "", g.now), g.token.ExpiresAt, uuid.NewString()
				r.Event = e
				return nil
			})
		},
		"create a user": func(who *auth.Principal) error {
			u := auth.User{ID: uuid.NewString(), Name: uuid.NewString(), PasswordHash: "x", CreatedAt: g.now}
			return g.CreateUser(ctx, who, u, e)
		},
		"set a password": func(who *auth.Principal) error {
			_, err := g.EditUser(ctx, who, "bob", func(u *auth.UserEdit) error { u.PasswordHash, u.Event = uuid.NewString(), e; return nil })
			return err
		},
		"add a member": func(who *auth.Principal) error {
			u := g.user(uuid.NewString(), false)
			return g.EditMembers(ctx, who, g.wallet.ID, func(m *wallet.MemberEdit) error {
				m.Members = append(m.Members, wallet.Member{UserID: u.ID, Role: auth.RoleOwner, Alias: "x", CreatedAt: g.now})
				m.Event = e
				return nil
			})
		},
	}
}

// change edits the user alice on behalf of the operator.
func (g *granting) change(edit func(u *auth.UserEdit)) {
	_, err := g.EditUser(g.t.Context(), operator, "alice", func(u *auth.UserEdit) error { edit(u); return nil })
	testkit.Check(g.t, err)
}

// endings are ways to end or reduce alice's access after a request was authorized. A
// grant with her token then fails with code. If withPassword is set, a grant with her
// password also fails.
var endings = []struct {
	name         string
	end          func(g *granting)
	code         string
	withPassword bool
}{
	{"token deleted", func(g *granting) {
		testkit.Check(g.t, g.DeleteToken(g.t.Context(), g.alice.ID, g.token.ID, "", func(*auth.Deletion) error { return nil }))
	}, "unauthenticated", false},
	{"token deleted in a shell", func(g *granting) { g.exec("DELETE FROM tokens") }, "unauthenticated", false},
	{"token expired", func(g *granting) { g.now = g.token.ExpiresAt }, "unauthenticated", false},
	{"token ended in a shell", func(g *granting) { g.exec("UPDATE tokens SET expires_at = $1", g.now.UnixMicro()) }, "unauthenticated", false},
	{"token narrowed in a shell", func(g *granting) { g.exec("UPDATE tokens SET scopes = 'wallets:read'") }, "access_changed", false},
	{"token limited in a shell", func(g *granting) { g.exec("UPDATE tokens SET wallet_ids = ''") }, "access_changed", false},
	{"password reset", func(g *granting) { g.change(func(u *auth.UserEdit) { u.PasswordHash, u.DropTokens = "new", true }) }, "unauthenticated", true},
	{"password changed in a shell", func(g *granting) { g.exec("UPDATE users SET password_hash = 'new' WHERE name = 'alice'") }, "", true},
	{"user disabled", func(g *granting) { g.change(func(u *auth.UserEdit) { u.DisabledAt = g.now }) }, "unauthenticated", true},
	{"user disabled and enabled", func(g *granting) {
		g.change(func(u *auth.UserEdit) { u.DisabledAt, u.DropTokens = g.now, true })
		g.change(func(u *auth.UserEdit) { u.DisabledAt = time.Time{} })
	}, "unauthenticated", true},
	{"user disabled in a shell", func(g *granting) { g.exec("UPDATE users SET disabled_at = 1 WHERE name = 'alice'") }, "unauthenticated", true},
	{"user disabled and enabled in a shell", func(g *granting) {
		g.exec("UPDATE users SET disabled_at = 1 WHERE name = 'alice'")
		g.exec("UPDATE users SET disabled_at = NULL WHERE name = 'alice'")
	}, "", true},
	{"role taken", func(g *granting) { g.change(func(u *auth.UserEdit) { u.Admin = false }) }, "access_changed", true},
	{"role taken in a shell", func(g *granting) { g.exec("UPDATE users SET is_admin = FALSE WHERE name = 'alice'") }, "access_changed", true},
	{"user deleted", func(g *granting) { g.change(func(u *auth.UserEdit) { u.Remove = true }) }, "unauthenticated", true},
}

// TestGrants_CredentialEnded checks that no transaction grants access on behalf of a
// caller whose credential has become invalid or lost permissions since the request was
// authorized.
func TestGrants_CredentialEnded(t *testing.T) {
	for _, ending := range endings {
		t.Run(ending.name, func(t *testing.T) {
			onBothEngines(t, func(t *testing.T, b *fixture) {
				g := newGranting(b)
				byToken, byPassword, inSession := b.caller(g.token.ID), b.byPassword("alice"), b.session(g.alice)
				ending.end(g)
				for name, grant := range g.grants() {
					g.wantRefusal(t, name+" with a token", ending.code, func() error { return grant(byToken) })
					code := "unauthenticated"
					if !ending.withPassword {
						code = ""
					}
					if name != "rotate a token" || ending.withPassword { // otherwise the token no longer exists
						g.wantRefusal(t, name+" with a password", code, func() error { return grant(byPassword) })
						if ending.name == "token expired" { // and the session is idle
							code = "unauthenticated"
						}
						g.wantRefusal(t, name+" in a session", code, func() error { return grant(inSession) })
					}
				}
			})
		})
	}
}

// wantRefusal checks that do returns a fault with this code and changes nothing, or, if
// code is empty, that it succeeds.
func (g *granting) wantRefusal(t *testing.T, name, code string, do func() error) {
	t.Helper()
	acts := func() int { return g.count("SELECT count(*) FROM audit WHERE action = 'grant'") }
	before := acts()
	err := do()
	if code == "" {
		if err != nil || acts() != before+1 {
			t.Errorf("%s: %v, and %d acts", name, err, acts()-before)
		}
		return
	}
	if f, ok := errors.AsType[*fault.Error](err); !ok || f.Code != code || acts() != before {
		t.Errorf("%s: %v, want %s, and %d acts", name, err, code, acts()-before)
	}
}

// TestGrants_Trusted checks that the command line and background tasks can grant access
// without a credential in the database, and that other principals cannot.
func TestGrants_Trusted(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		g := newGranting(b)
		program := auth.Program("test")
		program.UserID = g.alice.ID
		grants := g.grants()
		bobs := b.session(testkit.Value(b.UserByName(t.Context(), "bob"))(t))
		g.wantRefusal(t, "operator", "", func() error { return grants["set a password"](operator) })
		g.wantRefusal(t, "program", "", func() error { return grants["add a member"](program) })
		for name, grant := range grants {
			g.wantRefusal(t, name, "unauthenticated", func() error { return grant(auth.PrincipalFrom(t.Context())) })
			g.wantRefusal(t, name, "unauthenticated", func() error { return grant(&auth.Principal{UserID: "none", Admin: true, Scopes: auth.AllScopes}) })
			forged := &auth.Principal{UserID: g.alice.ID, Admin: true, Scopes: auth.AllScopes, TokenID: g.token.ID}
			g.wantRefusal(t, name, "unauthenticated", func() error { return grant(forged) })
			forged = &auth.Principal{UserID: g.alice.ID, Admin: true, Scopes: auth.AllScopes, SessionID: bobs.SessionID}
			g.wantRefusal(t, name+" in a session of bob", "unauthenticated", func() error { return grant(forged) })
		}
	})
}

// TestCreateToken_ParentRetired checks that a token never outlives its parent, whose
// expiry may have changed since the request was authorized.
func TestCreateToken_ParentRetired(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		u := b.user("alice", false)
		parent := b.token(u, "parent", "")
		who := b.caller(parent.ID)
		retiresAt := b.now.Add(5 * time.Minute).Truncate(time.Second)
		rotate(b, u, parent.ID, true, retiresAt)
		child := tokenFor(u, "child", parent.ID, b.now)
		err := b.CreateToken(t.Context(), who, child, auth.Event{At: b.now})
		if f, ok := errors.AsType[*fault.Error](err); !ok || f.Code != "expiry_exceeded" {
			t.Errorf("a child until %v of a parent until %v: %v", child.ExpiresAt, retiresAt, err)
		}
		child.ExpiresAt = retiresAt
		testkit.Check(t, b.CreateToken(t.Context(), who, child, auth.Event{At: b.now}))
	})
}

// TestCreateToken_ExceedsCreator checks that a token never gets a scope or a wallet that the
// token that creates it lacks.
func TestCreateToken_ExceedsCreator(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		u := b.user("alice", true)
		one, other := b.wallet(u, "one"), b.wallet(u, "other")
		creator := tokenFor(u, "creator", "", b.now)
		creator.Scopes, creator.Wallets = auth.TokensWrite|auth.WalletsRead, []string{one.ID}
		testkit.Check(t, b.CreateToken(t.Context(), operator, creator, auth.Event{At: b.now}))
		for name, c := range map[string]struct {
			scopes  auth.Scopes
			wallets []string
			code    string
		}{
			"the same":             {creator.Scopes, []string{one.ID}, ""},
			"fewer":                {auth.WalletsRead, []string{}, ""},
			"a scope more":         {creator.Scopes | auth.NodeRead, []string{one.ID}, "scope_exceeded"},
			"a scope of admins":    {auth.UsersWrite, []string{one.ID}, "scope_exceeded"},
			"another wallet":       {creator.Scopes, []string{other.ID}, "token_limited_to_wallets"},
			"a wallet more":        {creator.Scopes, []string{one.ID, other.ID}, "token_limited_to_wallets"},
			"no limit for wallets": {creator.Scopes, nil, "token_limited_to_wallets"},
		} {
			t.Run(name, func(t *testing.T) {
				child := tokenFor(u, name, creator.ID, b.now)
				child.Scopes, child.Wallets = c.scopes, c.wallets
				err := b.CreateToken(t.Context(), b.caller(creator.ID), child, auth.Event{At: b.now})
				if f, ok := errors.AsType[*fault.Error](err); ok != (c.code != "") || ok && f.Code != c.code || b.tokenExists(child.ID) != (err == nil) {
					t.Errorf("%s: %v", name, err)
				}
			})
		}
	})
}

// TestAccessVersion checks that changes to the password, the role or the state of a user
// increment AccessVersion, and that other changes do not.
func TestAccessVersion(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		g := newGranting(b)
		version := func() int { return b.count("SELECT access_version FROM users WHERE name = 'alice'") }
		for _, c := range []struct {
			name  string
			edit  func(u *auth.UserEdit)
			raise int
		}{
			{"nothing", func(*auth.UserEdit) {}, 0},
			{"the same password", func(u *auth.UserEdit) { u.PasswordHash = "x" }, 0},
			{"another password", func(u *auth.UserEdit) { u.PasswordHash = "y" }, 1},
			{"another hash of the same password", func(u *auth.UserEdit) { u.PasswordHash, u.KeepAccess = "z", true }, 0},
			{"no default password", func(u *auth.UserEdit) { u.PasswordIsDefault = !u.PasswordIsDefault }, 0},
			{"another role", func(u *auth.UserEdit) { u.Admin = !u.Admin }, 1},
			{"disabled", func(u *auth.UserEdit) { u.DisabledAt = b.now }, 1},
			{"enabled", func(u *auth.UserEdit) { u.DisabledAt = time.Time{} }, 1},
			{"tokens dropped", func(u *auth.UserEdit) { u.DropTokens = true }, 0},
		} {
			t.Run(c.name, func(t *testing.T) {
				before := version()
				g.change(c.edit)
				if got := version() - before; got != c.raise {
					t.Errorf("%s raises the version by %d, want %d", c.name, got, c.raise)
				}
			})
		}
		if n := b.count("SELECT sum(access_version) FROM users WHERE name <> 'alice'"); n != 0 {
			t.Errorf("the versions of other users were raised by %d", n)
		}
	})
}

// TestGrants_Lock checks that the caller's token or user cannot be changed between the check in a
// transaction that grants access and its commit. It runs on PostgreSQL, because SQLite has
// only one writer.
func TestGrants_Lock(t *testing.T) {
	for name, c := range map[string]struct {
		who func(g *granting) *auth.Principal
		end func(g *granting, other *store.Store) error
	}{
		"token": {
			func(g *granting) *auth.Principal { return g.caller(g.token.ID) },
			func(g *granting, other *store.Store) error {
				return other.DeleteToken(g.t.Context(), g.alice.ID, g.token.ID, "", func(*auth.Deletion) error { return nil })
			},
		},
		"session": {
			func(g *granting) *auth.Principal { return g.session(g.alice) },
			func(g *granting, other *store.Store) error {
				_, err := other.DeleteOtherSessions(g.t.Context(), g.alice.ID, "", func(int) auth.Event { return auth.Event{At: g.now} })
				return err
			},
		},
		"user": {
			func(g *granting) *auth.Principal { return g.byPassword("alice") },
			func(g *granting, other *store.Store) error {
				_, err := other.EditUser(g.t.Context(), operator, "alice", func(u *auth.UserEdit) error { u.DisabledAt = g.now; return nil })
				return err
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGranting(openPostgres(t))
			other, who := g.reopen(), c.who(g)
			ended := make(chan error, 1)
			hasBegun, isEarly := false, false
			_, err := g.EditUser(t.Context(), who, "bob", func(u *auth.UserEdit) error {
				if !hasBegun {
					hasBegun = true
					go func() { ended <- c.end(g, other) }()
				}
				testkit.Eventually(t, "the change ended or waits for this transaction", func() bool {
					return len(ended) > 0 || g.count("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'") > 0
				})
				isEarly = len(ended) > 0
				u.PasswordHash = "new"
				return nil
			})
			if isEarly || err != nil {
				t.Errorf("the change ended before the transaction: %t, %v", isEarly, err)
			}
			testkit.Check(t, <-ended)
		})
	}
}

// TestGrants_DeletionInAnotherProcess checks that, once another process has deleted a
// token or a session, no transaction that grants access on its behalf commits, even if it
// began before.
func TestGrants_DeletionInAnotherProcess(t *testing.T) {
	event := auth.Event{Action: "delete"}
	for name, c := range map[string]struct {
		who func(b *fixture, u auth.User) *auth.Principal
		end func(other *store.Store, who *auth.Principal) error
	}{
		"token": {
			func(b *fixture, u auth.User) *auth.Principal { return b.caller(b.token(u, uuid.NewString(), "").ID) },
			func(other *store.Store, who *auth.Principal) error {
				return other.DeleteToken(t.Context(), who.UserID, who.TokenID, "", func(d *auth.Deletion) error { d.Event = event; return nil })
			},
		},
		"session": {
			func(b *fixture, u auth.User) *auth.Principal { return b.session(u) },
			func(other *store.Store, who *auth.Principal) error {
				return other.DeleteSession(t.Context(), who.UserID, who.SessionID, event)
			},
		},
	} {
		t.Run(name, func(t *testing.T) { testDeletionInAnotherProcess(t, c.who, c.end) })
	}
}

func testDeletionInAnotherProcess(t *testing.T, principal func(b *fixture, u auth.User) *auth.Principal, end func(other *store.Store, who *auth.Principal) error) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		u := b.user("alice", true)
		b.user("second", true)
		other := b.reopen()
		granted := 0
		for round := range 40 {
			who := principal(b, u)
			name := fmt.Sprint("made ", round)
			done := make(chan error)
			begin := make(chan struct{})
			go func() {
				<-begin
				made := auth.User{ID: uuid.NewString(), Name: name, PasswordHash: "x", Admin: true, CreatedAt: b.now}
				done <- b.CreateUser(t.Context(), who, made, auth.Event{At: b.now})
			}()
			close(begin)
			testkit.Check(t, end(other, who))
			_, err := other.UserByName(t.Context(), name)
			there := err == nil
			err = <-done
			if err != nil && !isFault(err, auth.ErrUnauthenticated) && !isFault(err, store.ErrUnavailable) {
				t.Fatal(err)
			}
			if err == nil {
				granted++
			}
			if there != (err == nil) {
				t.Fatalf("round %d: after the deletion the user was there: %v, and then the request ended with %v", round, there, err)
			}
		}
		t.Logf("%d of 40 came first", granted)
	})
}
