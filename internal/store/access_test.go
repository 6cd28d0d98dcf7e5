package store_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/testenv/testkit"
	"github.com/specterd/specterd/internal/wallet"
)

// TestAccess_AfterChanges checks that memberships and wallets are read with every change that
// another connection has made before, and that callers may modify the results.
func TestAccess_AfterChanges(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		alice, bob := b.user("alice", false), b.user("bob", false)
		w := b.wallet(alice, "vault")
		b.join(w, bob, auth.RoleSigner, "shared")
		const rounds = 30 // more than there are connections that cache
		read := func() ([]auth.Membership, wallet.View, error) {
			members := testkit.Must(b.Memberships(t.Context(), bob.ID))
			v, err := b.View(t.Context(), bob.ID, w.ID)
			return members, v, err
		}
		for _, c := range []struct {
			change string
			role   auth.WalletRole
			alias  string
		}{
			{"UPDATE members SET role = 'viewer' WHERE user_id = $1", auth.RoleViewer, "shared"},
			{"UPDATE members SET alias = 'renamed' WHERE user_id = $1", auth.RoleViewer, "renamed"},
			{"UPDATE members SET role = 'owner' WHERE user_id = $1", auth.RoleOwner, "renamed"},
		} {
			t.Run(c.change, func(t *testing.T) {
				b.exec(c.change, bob.ID)
				for range rounds {
					members, v, err := read()
					want := []auth.Membership{{WalletID: w.ID, Name: w.Name, Alias: c.alias, Role: c.role}}
					if diff := cmp.Diff(want, members); diff != "" || err != nil || v.Role != c.role || v.Alias != c.alias || v.Keys[0].Fingerprint == "" {
						t.Fatalf("%s, %s as %s, %v", diff, v.Alias, v.Role, err)
					}
					members[0].Role, v.Keys[0].Fingerprint = auth.RoleOwner, ""
				}
			})
		}
		b.exec("DELETE FROM members WHERE user_id = $1", bob.ID)
		for range rounds {
			members, _, err := read()
			if len(members) != 0 || !errors.Is(err, wallet.ErrNotFound) {
				t.Fatalf("after the membership was deleted: %v, %v", members, err)
			}
		}
	})
}
