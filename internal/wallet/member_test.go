package wallet_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/store"
	"github.com/specterd/specterd/internal/testenv/testkit"
	"github.com/specterd/specterd/internal/wallet"
)

func testMembers(r *fixture) {
	t, ctx := r.t, r.t.Context()
	v := r.storeWallet(r.alice, "vault")
	r.member("vault", r.bob, auth.RoleViewer)
	m, created, err := r.PutMember(ctx, r.access(r.alice, "vault"), "BOB", auth.RoleSigner)
	testkit.Check(t, err)
	r.wantEvent(r.alice, "member.put", v.ID)
	if created || m.Role != auth.RoleSigner {
		t.Errorf("changed %+v, %v", m, created)
	}
	members, err := r.Members(ctx, r.access(r.bob, "vault"))
	testkit.Check(t, err)
	var got []string
	for _, m := range members {
		got = append(got, fmt.Sprint(m.UserName, " ", m.Role))
	}
	if !slices.Equal(got, []string{"alice owner", "bob signer"}) {
		t.Errorf("members %q", got)
	}

	_, _, err = r.PutMember(ctx, r.access(r.alice, "vault"), "bob", "admin")
	wantField(t, err, "role")

	// A wallet always has an owner.
	_, _, err = r.PutMember(ctx, r.access(r.alice, "vault"), "alice", auth.RoleViewer)
	wantErr(t, err, wallet.ErrLastOwner)
	wantErr(t, r.RemoveMember(ctx, r.access(r.alice, "vault"), "alice"), wallet.ErrLastOwner)
	wantErr(t, r.RemoveMember(ctx, r.access(r.alice, "vault"), "carol"), wallet.ErrMemberMissing)
	wantFault(t, r.RemoveMember(ctx, r.access(r.bob, "vault"), "alice"), fault.Forbidden, "insufficient_role")
	r.member("vault", r.bob, auth.RoleOwner)
	testkit.Check(t, r.RemoveMember(ctx, r.access(r.alice, "vault"), "alice"))
	r.wantEvent(r.alice, "member.remove", v.ID)
	_, err = r.Get(ctx, r.access(r.alice, "vault"))
	wantErr(t, err, wallet.ErrNotFound)
	wantErr(t, r.RemoveMember(ctx, r.access(r.bob, "vault"), "bob"), wallet.ErrLastOwner)

	// Every member may leave.
	r.join(r.bob, "vault", r.alice, auth.RoleViewer)
	testkit.Check(t, r.RemoveMember(ctx, r.access(r.alice, "vault"), "Alice"))
	r.join(r.bob, "vault", r.alice, auth.RoleViewer)
	testkit.Check(t, r.RemoveMember(ctx, r.access(r.bob, "vault"), "alice"))
	_, err = r.Get(ctx, r.access(r.alice, "vault"))
	wantErr(t, err, wallet.ErrNotFound)
}

func testRename(r *fixture) {
	t, ctx := r.t, r.t.Context()
	text := func(s string) *string { return &s }
	v := r.storeWallet(r.alice, "vault")
	r.storeWallet(r.alice, "other")
	r.member("vault", r.bob, auth.RoleViewer)

	got, err := r.Rename(ctx, r.access(r.bob, "vault"), nil, text("alices"))
	testkit.Check(t, err)
	if got.Alias != "alices" || got.Name != "vault" {
		t.Errorf("got %+v", got)
	}
	r.wantEvent(r.bob, "wallet.alias", v.ID)
	_, err = r.Rename(ctx, r.access(r.bob, "alices"), text("Mine"), nil)
	wantFault(t, err, fault.Forbidden, "insufficient_role")
	_, err = r.Rename(ctx, r.access(r.bob, "alices"), text("Mine"), text("mine"))
	wantFault(t, err, fault.Forbidden, "insufficient_role")
	_, err = r.Get(ctx, r.access(r.bob, "alices"))
	testkit.Check(t, err)

	got, err = r.Rename(ctx, r.access(r.alice, "vault"), text("Tresor"), nil)
	testkit.Check(t, err)
	if got.Alias != "vault" || got.Name != "Tresor" {
		t.Errorf("got %+v", got)
	}
	r.wantEvent(r.alice, "wallet.rename", v.ID)
	_, err = r.Rename(ctx, r.access(r.alice, "vault"), text("Safe"), text("other"))
	wantErr(t, err, wallet.ErrAliasTaken)
	_, err = r.Rename(ctx, r.access(r.alice, "vault"), text(" "), nil)
	wantField(t, err, "name")
	_, err = r.Rename(ctx, r.access(r.alice, "vault"), nil, text("a b"))
	wantField(t, err, "alias")
	got, err = r.Rename(ctx, r.access(r.alice, "vault"), text("Safe"), text("safe"))
	testkit.Check(t, err)
	if got.Alias != "safe" || got.Name != "Safe" {
		t.Errorf("got %+v", got)
	}
	if theirs, err := r.Get(ctx, r.access(r.bob, "alices")); err != nil || theirs.Name != "Safe" {
		t.Errorf("bob sees %+v, %v", theirs, err)
	}
}

// operation is an operation on the wallet "vault", with the role that it requires.
type operation struct {
	name   string
	needed auth.WalletRole
	do     func(who *auth.Principal) error
}

func (r *fixture) operations() []operation {
	ctx := r.t.Context()
	text := "x"
	yes := true
	tx := "00000000000000000000000000000000000000000000000000000000000000aa"
	utxo := btc.Outpoint{Txid: tx}
	return []operation{
		{"Get", auth.RoleViewer, func(who *auth.Principal) error { _, err := r.Get(ctx, r.access(who, "vault")); return err }},
		{"WaitForHeight", auth.RoleViewer, func(who *auth.Principal) error {
			_, err := r.WaitForHeight(ctx, wallet.One(r.access(who, "vault")), -1)
			return err
		}},
		{"Members", auth.RoleViewer, func(who *auth.Principal) error { _, err := r.Members(ctx, r.access(who, "vault")); return err }},
		{"PeekAddress", auth.RoleViewer, func(who *auth.Principal) error {
			_, err := r.PeekAddress(ctx, r.access(who, "vault"), wallet.ReceiveBranch)
			return err
		}},
		{"Addresses", auth.RoleViewer, func(who *auth.Principal) error {
			_, err := r.Addresses(ctx, r.access(who, "vault"), wallet.AddressFilter{}, nil, 1)
			return err
		}},
		{"Portrait", auth.RoleViewer, func(who *auth.Principal) error { _, err := r.Details(ctx, r.access(who, "vault"), 1); return err }},
		{"UTXOs", auth.RoleViewer, func(who *auth.Principal) error {
			_, err := r.UTXOs(ctx, r.access(who, "vault"), btc.Outpoint{}, 1)
			return err
		}},
		{"Transactions", auth.RoleViewer, func(who *auth.Principal) error {
			_, _, err := r.Transactions(ctx, wallet.One(r.access(who, "vault")), wallet.Filter{}, wallet.HistoryCursor{}, 1)
			return err
		}},
		{"EachTransaction", auth.RoleViewer, func(who *auth.Principal) error {
			_, _, err := r.EachTransaction(ctx, wallet.One(r.access(who, "vault")), wallet.Filter{})
			return err
		}},
		{"Transaction", auth.RoleViewer, func(who *auth.Principal) error { _, err := r.Transaction(ctx, r.access(who, "vault"), tx); return err }},
		{"Labels", auth.RoleViewer, func(who *auth.Principal) error { _, err := r.Labels(ctx, r.access(who, "vault")); return err }},
		{"AddressLabels", auth.RoleViewer, func(who *auth.Principal) error {
			_, err := r.AddressLabels(ctx, r.access(who, "vault"), nil)
			return err
		}},
		{"NextAddress", auth.RoleProposer, func(who *auth.Principal) error {
			_, err := r.NextAddress(ctx, r.access(who, "vault"), "")
			return err
		}},
		{"SetLabels", auth.RoleProposer, func(who *auth.Principal) error {
			return r.SetLabels(ctx, r.access(who, "vault"), []btc.Label{{Type: "tx", Ref: tx, Label: &text}})
		}},
		{"SetLabels, spendable", auth.RoleSigner, func(who *auth.Principal) error {
			return r.SetLabels(ctx, r.access(who, "vault"), []btc.Label{{Type: "output", Ref: utxo.String(), Spendable: &yes}})
		}},
		{"Freeze", auth.RoleSigner, func(who *auth.Principal) error { return r.Freeze(ctx, r.access(who, "vault"), utxo, true) }},
		{"Rename", auth.RoleOwner, func(who *auth.Principal) error {
			_, err := r.Rename(ctx, r.access(who, "vault"), &text, nil)
			return err
		}},
		{"SetMaxFeeRate", auth.RoleOwner, func(who *auth.Principal) error {
			_, err := r.SetMaxFeeRate(ctx, r.access(who, "vault"), 5000)
			return err
		}},
		{"SetFinalAfter", auth.RoleOwner, func(who *auth.Principal) error {
			_, err := r.SetFinalAfter(ctx, r.access(who, "vault"), 3)
			return err
		}},
		{"Rescan", auth.RoleOwner, func(who *auth.Principal) error {
			_, err := r.Rescan(ctx, r.access(who, "vault"), height(3), 0)
			return err
		}},
		{"StopRescan", auth.RoleOwner, func(who *auth.Principal) error { return r.StopRescan(ctx, r.access(who, "vault")) }},
		{"PutMember", auth.RoleOwner, func(who *auth.Principal) error {
			_, _, err := r.PutMember(ctx, r.access(who, "vault"), "guest", auth.RoleViewer)
			return err
		}},
		{"Invite", auth.RoleOwner, func(who *auth.Principal) error {
			_, err := r.Invite(ctx, r.access(who, "vault"), "another guest", auth.RoleViewer)
			return err
		}},
		{"Invitations", auth.RoleOwner, func(who *auth.Principal) error { _, err := r.Invitations(ctx, r.access(who, "vault")); return err }},
		{"RemoveMember", auth.RoleOwner, func(who *auth.Principal) error { return r.RemoveMember(ctx, r.access(who, "vault"), "guest") }},
		{"Delete", auth.RoleOwner, func(who *auth.Principal) error { return r.Delete(ctx, r.access(who, "vault"), false) }},
	}
}

// interruptedStore is a store that calls the function then after it has loaded a
// wallet.
type interruptedStore struct {
	*store.Store

	then func()
}

func (s interruptedStore) View(ctx context.Context, userID, walletID string) (wallet.View, error) {
	v, err := s.Store.View(ctx, userID, walletID)
	s.then()
	return v, err
}

// interruptedUsers is a store that calls the function then after it has loaded a user.
type interruptedUsers interruptedStore

func (s interruptedUsers) UserByName(ctx context.Context, name string) (auth.User, error) {
	u, err := s.Store.UserByName(ctx, name)
	s.then()
	return u, err
}

// testRoleTaken checks that an owner who loses the role while a request is processed cannot
// change, add, invite or remove members with that request.
func testRoleTaken(r *fixture) {
	t, ctx := r.t, r.t.Context()
	r.storeWallet(r.alice, "vault")
	r.member("vault", r.user("carol"), auth.RoleViewer)
	r.user("dave")
	for statement, code := range map[string]string{
		"UPDATE members SET role = 'signer' WHERE user_id = $1": "insufficient_role",
		"DELETE FROM members WHERE user_id = $1":                "wallet_not_found",
	} {
		end := func() { r.exec(statement, r.bob.UserID) }
		as := func() wallet.Access { return r.access(r.bob, "vault") }
		during := wallet.New(r.logger(), interruptedStore{r.store, end}, r.store, r.provider, time.Now, r.kick)
		adding := wallet.New(r.logger(), r.store, interruptedUsers{r.store, end}, r.provider, time.Now, r.kick).WithAdminsAddingMembers(true)
		for what, do := range map[string]func() error{
			"role":       func() error { _, _, err := during.PutMember(ctx, as(), "carol", auth.RoleOwner); return err },
			"addition":   func() error { _, _, err := adding.PutMember(ctx, as(), "dave", auth.RoleOwner); return err },
			"invitation": func() error { _, err := during.Invite(ctx, as(), "dave", auth.RoleOwner); return err },
			"removal":    func() error { return during.RemoveMember(ctx, as(), "carol") },
		} {
			r.member("vault", r.bob, auth.RoleOwner)
			if err := do(); faultOf(err).Code != code {
				t.Errorf("%s after %s: %v", what, statement, err)
			}
			if n := r.count("SELECT count(*) FROM members WHERE role = 'viewer'"); n != 1 || r.count("SELECT count(*) FROM members WHERE role = 'owner'") != 1 {
				t.Errorf("%s after %s changed the members", what, statement)
			}
			r.wantPending("vault")
		}
	}
}

// testRoles checks that each operation is allowed exactly for the roles that cover it.
func testRoles(r *fixture) {
	t := r.t
	v := r.wallet(r.alice, "vault")
	r.member("vault", r.user("guest"), auth.RoleViewer)
	acts := r.operations()
	members := map[auth.WalletRole]*auth.Principal{auth.RoleOwner: r.alice}
	for _, role := range []auth.WalletRole{auth.RoleViewer, auth.RoleProposer, auth.RoleSigner} {
		members[role] = r.user("a " + string(role))
		r.member("vault", members[role], role)
	}
	callers := []struct {
		name string
		who  *auth.Principal
	}{
		{"bob", r.bob},
		{"a token for another wallet", limited(r.alice, "another")},
		{"a token for no wallet", limited(r.alice)},
		{"unauthenticated", &auth.Principal{}},
		{"no user, with a token for the wallet", &auth.Principal{Wallets: []string{v.ID}}},
	}
	for _, a := range acts {
		for _, c := range callers {
			if err := a.do(c.who); !errors.Is(err, wallet.ErrNotFound) {
				t.Errorf("%s by %s: %v", a.name, c.name, err)
			}
		}
		for _, role := range []auth.WalletRole{auth.RoleViewer, auth.RoleProposer, auth.RoleSigner, auth.RoleOwner} {
			who := limited(members[role], v.ID)
			err := a.do(who)
			if !role.Covers(a.needed) {
				wantFault(t, err, fault.Forbidden, "insufficient_role")
				if d := faultOf(err).Details; d["required_role"] != string(a.needed) {
					t.Errorf("%s by a %s: %v", a.name, role, d)
				}
				continue
			}
			if err != nil && !errors.Is(err, wallet.ErrUTXONotFound) && !errors.Is(err, wallet.ErrTransactionNotFound) && !errors.Is(err, wallet.ErrMemberMissing) {
				t.Errorf("%s by a %s: %v", a.name, role, err)
			}
		}
	}
}

func testLimitedTokens(r *fixture) {
	t, ctx := r.t, r.t.Context()
	var all []wallet.View
	for _, name := range []string{"a", "b", "c", "d"} {
		all = append(all, r.storeWallet(r.alice, name))
	}
	who := limited(r.alice, all[1].ID, all[3].ID)
	aliases := func(after string, limit int) (got []string) {
		t.Helper()
		views, err := r.List(ctx, who, after, limit)
		testkit.Check(t, err)
		for _, v := range views {
			got = append(got, v.Alias)
		}
		return got
	}
	if got := aliases("", 0); !slices.Equal(got, []string{"b", "d"}) {
		t.Errorf("listed %q", got)
	}
	if got := aliases("", 1); !slices.Equal(got, []string{"b"}) {
		t.Errorf("listed %q", got)
	}
	if got := aliases("b", 5); !slices.Equal(got, []string{"d"}) {
		t.Errorf("listed %q", got)
	}
	for i, v := range all {
		a, err := r.PeekAddress(ctx, r.access(r.alice, v.Alias), wallet.ReceiveBranch)
		testkit.Check(t, err)
		_, err = r.FindAddress(ctx, who, a.Address)
		if visible := i == 1 || i == 3; visible != (err == nil) || !visible && !errors.Is(err, wallet.ErrAddressNotFound) {
			t.Errorf("address of %s: %v", v.Alias, err)
		}
	}
}
