package store_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/backup"
	"github.com/specterd/specterd/internal/store"
	"github.com/specterd/specterd/internal/testenv/testkit"
	"github.com/specterd/specterd/internal/wallet"
)

func TestInvitations_RoundTrip(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		alice, bob := b.user("alice", false), b.user("Bob", false)
		w, other := b.wallet(alice, "vault"), b.wallet(alice, "other")
		known, unknown := b.invite(w, alice, "BOB"), b.invite(w, alice, "carol")
		known.UserID = bob.ID
		elsewhere := b.invite(other, alice, "bob")
		elsewhere.UserID = bob.ID
		got, err := b.InvitationsOfWallet(t.Context(), w.ID)
		testkit.Check(t, err)
		byName := func(x, y wallet.Invitation) int { return len(x.UserName) - len(y.UserName) }
		slices.SortFunc(got, byName)
		if diff := cmp.Diff([]wallet.Invitation{known, unknown}, got); diff != "" {
			t.Error(diff)
		}
		got, err = b.InvitationsOfUser(t.Context(), bob.ID)
		testkit.Check(t, err)
		if len(got) != 2 || !slices.ContainsFunc(got, func(i wallet.Invitation) bool { return cmp.Equal(i, known) }) || !slices.ContainsFunc(got, func(i wallet.Invitation) bool { return cmp.Equal(i, elsewhere) }) {
			t.Errorf("bob's are %+v", got)
		}
		if id, err := b.WalletOfInvitation(t.Context(), unknown.ID); err != nil || id != w.ID {
			t.Errorf("the wallet is %s, %v", id, err)
		}
		_, err = b.WalletOfInvitation(t.Context(), "none")
		wantFault(t, err, wallet.ErrInvitationNotFound)

		err = b.EditMembers(t.Context(), operator, w.ID, func(e *wallet.MemberEdit) error {
			again := known
			again.ID, again.UserName = "another", "bOB"
			e.Invitations = append(e.Invitations, again)
			return nil
		})
		wantFault(t, err, wallet.ErrInvitationExists)

		// Adding an invitation deletes expired ones.
		b.exec("UPDATE invitations SET expires_at = 1 WHERE invitation_id = $1", elsewhere.ID)
		b.invite(w, alice, "dave")
		if n := b.count("SELECT count(*) FROM invitations"); n != 3 {
			t.Errorf("%d invitations", n)
		}
		view := b.rows("SELECT wallet_name, user_name, user_id, role, invited_by, created_at, expires_at FROM v_invitations WHERE user_name = 'BOB'")
		if want := w.Name + " BOB " + bob.ID + " signer alice 2026-11-21T20:30:00Z 2026-11-21T21:30:00Z"; view != want {
			t.Errorf("the view has\n%s\nwant\n%s", view, want)
		}
	})
}

// TestInvitations_DeletedWithUser checks that deleting a user deletes the invitations
// from that user, also in a shell that does not enforce foreign keys.
func TestInvitations_DeletedWithUser(t *testing.T) {
	for name, remove := range map[string]func(b *fixture, u auth.User){
		"by the store": func(b *fixture, u auth.User) { removeUser(b, u.Name) },
		"in a shell":   func(b *fixture, u auth.User) { b.exec("DELETE FROM users WHERE user_id = $1", u.ID) },
	} {
		t.Run(name, func(t *testing.T) {
			onBothEngines(t, func(t *testing.T, b *fixture) {
				alice, bob, carol := b.user("alice", false), b.user("bob", false), b.user("carol", false)
				w := b.wallet(alice, "vault")
				b.join(w, bob, auth.RoleOwner, "b")
				b.invite(w, bob, "dave")
				kept := b.invite(w, alice, "carol")
				remove(b, bob)
				remove(b, carol)
				got, err := b.InvitationsOfWallet(t.Context(), w.ID)
				testkit.Check(t, err)
				if diff := cmp.Diff([]wallet.Invitation{kept}, got); diff != "" { // carol's no longer refers to a user
					t.Error(diff)
				}
				if n := b.count("SELECT count(*) FROM used_aliases WHERE user_id <> $1", alice.ID); n != 0 {
					t.Errorf("%d aliases of deleted users are left", n)
				}
				testkit.Check(t, b.DeleteWallet(t.Context(), w.ID, auth.Event{}))
				if n := b.count("SELECT count(*) FROM invitations"); n != 0 {
					t.Errorf("%d invitations to a deleted wallet are left", n)
				}
				if used, err := b.AliasUse(t.Context(), alice.ID, "vault"); err != nil || used != w.ID {
					t.Errorf("the alias was used for %s, %v", used, err)
				}
			})
		})
	}
}

// TestUsedAliases checks that an alias counts as used once its wallet is ready, for every
// method that stores an alias, and for wallets that existed before the migration.
func TestUsedAliases(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		alice, bob := b.user("alice", false), b.user("bob", false)
		half, addresses := walletFor(b.now)
		testkit.Check(t, b.AddWallet(t.Context(), half, alice.ID, "half", addresses, auth.Event{At: b.now, Action: "wallet.create"}))
		w := b.wallet(alice, "vault")
		b.join(w, bob, auth.RoleViewer, "first")
		testkit.Check(t, b.EditMembers(t.Context(), operator, w.ID, func(e *wallet.MemberEdit) error {
			e.Members[slices.IndexFunc(e.Members, func(m wallet.Member) bool { return m.UserID == bob.ID })].Alias = "second"
			return nil
		}))
		for _, c := range []struct {
			of          auth.User
			alias, want string
		}{{alice, "half", ""}, {alice, "vault", w.ID}, {bob, "vault", ""}, {bob, "first", w.ID}, {bob, "second", w.ID}} {
			t.Run(c.alias, func(t *testing.T) {
				if got, err := b.AliasUse(t.Context(), c.of.ID, c.alias); err != nil || got != c.want {
					t.Errorf("%s of %s: %q, %v, want %q", c.alias, c.of.Name, got, err, c.want)
				}
			})
		}
		other := b.wallet(alice, "other")
		join := func(keep bool) error {
			return b.EditMembers(t.Context(), operator, other.ID, func(e *wallet.MemberEdit) error {
				e.Members = append(e.Members, wallet.Member{UserID: bob.ID, Role: auth.RoleViewer, Alias: "first", CreatedAt: b.now})
				e.KeepAliases = keep
				return nil
			})
		}
		wantFault(t, join(true), wallet.ErrAliasTaken)
		testkit.Check(t, join(false))
		if got, err := b.AliasUse(t.Context(), bob.ID, "first"); err != nil || got != other.ID {
			t.Errorf("now it is %s, %v", got, err)
		}

		// A database without the table of used aliases, which was added later.
		tables, err := store.TablesAt(t.Context(), 14)
		testkit.Check(t, err)
		src := oldSource{facts: backup.Facts{Schema: 14, Engine: "SQLite", SigningKeys: []string{"old"}}, tables: tables, rows: map[string][][]any{
			"settings":     {{"first_start", "2026-11-20T09:00:00Z"}},
			"signing_keys": {{"old", int64(1), nil, nil}},
			"users":        {{"u1", "Alice", "alice", "hash", int64(0), int64(1), nil, int64(5)}},
			"members":      {{"w1", "u1", "owner", "mine", int64(1)}},
		}}
		values := map[string]any{"wallet_id": "w1", "stage": "ready", "script": "wpkh", "scan_from": nil, "scan_progress": float64(0)}
		i := slices.IndexFunc(tables, func(t backup.Table) bool { return t.Name == "wallets" })
		row := make([]any, len(tables[i].Columns))
		for n, c := range tables[i].Columns {
			value, ok := values[c.Name]
			switch {
			case ok:
				row[n] = value
			case c.Type == backup.Text:
				row[n] = ""
			default:
				row[n] = int64(0)
			}
		}
		src.rows["wallets"] = [][]any{row}
		to := openEmpty(t, b)
		_, err = to.Restore(t.Context(), openBackup(t, writeBackup(t, src)), to.restoreOptions("new"))
		testkit.Check(t, err)
		if got, err := to.reopen().AliasUse(t.Context(), "u1", "mine"); err != nil || got != "w1" {
			t.Errorf("after the migration it is %q, %v", got, err)
		}
	})
}
