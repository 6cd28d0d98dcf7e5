package wallet_test

import (
	"errors"
	"testing"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/testenv/testkit"
	"github.com/specterd/specterd/internal/wallet"
)

// testAccess checks that an access stays bound to its wallet when the alias later refers
// to another one, and that it ends with the membership and with the wallet.
func testAccess(r *fixture) {
	t, ctx := r.t, r.t.Context()
	vault, other := r.wallet(r.alice, "vault"), r.wallet(r.alice, "other")
	r.member("vault", r.bob, auth.RoleSigner)
	alices, bobs := r.access(r.alice, "vault"), r.access(r.bob, "vault")
	if bobs.Caller() != r.bob || bobs.WalletID() != vault.ID || bobs.Alias() != "vault" || bobs.Role() != auth.RoleSigner {
		t.Errorf("bob's access is %+v", bobs)
	}
	wantErr(t, bobs.Need(auth.RoleSigner), nil)
	if d := faultOf(bobs.Need(auth.RoleOwner)).Details; d["required_role"] != "owner" {
		t.Errorf("a signer is refused with %v", d)
	}
	for name, who := range map[string]*auth.Principal{"another wallet": limited(r.alice, other.ID), "no wallet": limited(r.alice), "no user": {}} {
		if _, err := r.Access(ctx, who, "vault"); !errors.Is(err, wallet.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}

	for _, alias := range []string{"moved", "elsewhere"} { // in between, the alias "vault" is given to the other wallet
		v, err := r.Rename(ctx, alices, nil, &alias)
		testkit.Check(t, err)
		if v.ID != vault.ID || v.Alias != alias {
			t.Fatalf("renamed %s to %s", v.ID, v.Alias)
		}
		if alias == "moved" {
			_, err = r.Rename(ctx, r.access(r.alice, "other"), nil, new("vault"))
			testkit.Check(t, err)
		}
	}
	if got := r.access(r.alice, "vault").WalletID(); got != other.ID {
		t.Errorf("the alias refers to %s", got)
	}
	views, err := r.View(ctx, alices, auth.RoleOwner)
	testkit.Check(t, err)
	if views.ID != vault.ID || views.Alias != "elsewhere" {
		t.Errorf("the access is to %s", views.Alias)
	}

	r.exec("UPDATE members SET role = 'viewer' WHERE user_id = $1", r.bob.UserID)
	_, err = r.View(ctx, bobs, auth.RoleViewer)
	wantErr(t, err, nil)
	_, err = r.View(ctx, bobs, auth.RoleSigner)
	if faultOf(err).Code != "insufficient_role" {
		t.Errorf("an access from before the role was lowered: %v", err)
	}
	testkit.Check(t, r.RemoveMember(ctx, alices, r.bob.UserName))
	wantGone(t, r, bobs)
	testkit.Check(t, r.Delete(ctx, alices, false))
	wantGone(t, r, alices)
	_, err = r.Access(ctx, r.alice, "elsewhere")
	wantErr(t, err, wallet.ErrNotFound)
}

// wantGone checks that reads, changes and waits with an access return ErrNotFound.
func wantGone(t *testing.T, r *fixture, a wallet.Access) {
	t.Helper()
	ctx := t.Context()
	_, err := r.Get(ctx, a)
	wantErr(t, err, wallet.ErrNotFound)
	_, err = r.Addresses(ctx, a, wallet.AddressFilter{}, nil, 1)
	wantErr(t, err, wallet.ErrNotFound)
	_, err = r.NextAddress(ctx, a, "")
	wantErr(t, err, wallet.ErrNotFound)
	_, err = r.WaitForHeight(ctx, wallet.One(a), 0)
	wantErr(t, err, wallet.ErrNotFound)
	_, _, err = r.EachTransaction(ctx, wallet.One(a), wallet.Filter{})
	wantErr(t, err, wallet.ErrNotFound)
}
