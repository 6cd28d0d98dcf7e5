package wallet_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/testenv/testkit"
	"github.com/specterd/specterd/internal/wallet"
)

// invite invites a user to a wallet of alice.
func (r *fixture) invite(alias, user string, role auth.WalletRole) wallet.Invitation {
	r.t.Helper()
	i, err := r.Invite(r.t.Context(), r.access(r.alice, alias), user, role)
	testkit.Check(r.t, err)
	return i
}

// wantPending checks which users have pending invitations to a wallet of alice.
func (r *fixture) wantPending(alias string, want ...string) {
	r.t.Helper()
	invitations, err := r.Invitations(r.t.Context(), r.access(r.alice, alias))
	testkit.Check(r.t, err)
	var got []string
	for _, i := range invitations {
		got = append(got, i.UserName+" "+string(i.Role))
	}
	if !slices.Equal(got, want) {
		r.t.Errorf("pending are %q, want %q", got, want)
	}
}

func testInvitations(r *fixture) {
	t, ctx := r.t, r.t.Context()
	v := r.storeWallet(r.alice, "vault")
	begin := time.Now()
	i := r.invite("vault", "BOB", auth.RoleSigner)
	r.wantEvent(r.alice, "invitation.create", v.ID)
	if i.UserName != "BOB" || i.InviterName != "alice" || i.ExpiresAt.Sub(begin).Round(time.Minute) != 14*24*time.Hour {
		t.Errorf("invited %+v", i)
	}
	r.wantPending("vault", "BOB signer")
	_, err := r.Get(ctx, r.access(r.bob, "vault"))
	wantErr(t, err, wallet.ErrNotFound)
	mine, err := r.OwnInvitations(ctx, r.bob)
	testkit.Check(t, err)
	if len(mine) != 1 || mine[0].ID != i.ID || mine[0].WalletName != "vault" || mine[0].Role != auth.RoleSigner || mine[0].InviterName != "alice" {
		t.Errorf("bob's invitations are %+v", mine)
	}

	// Other users cannot use it, and a token for other wallets does not show it.
	carol := r.user("carol")
	_, err = r.Accept(ctx, carol, i.ID, "")
	wantErr(t, err, wallet.ErrInvitationNotFound)
	wantErr(t, r.EndInvitation(ctx, carol, i.ID), wallet.ErrInvitationNotFound)
	_, err = r.Accept(ctx, r.alice, i.ID, "again")
	wantErr(t, err, wallet.ErrInvitationNotFound)
	_, err = r.Accept(ctx, limited(r.bob, "another"), i.ID, "")
	wantErr(t, err, wallet.ErrInvitationNotFound)
	wantErr(t, r.EndInvitation(ctx, limited(r.bob, "another"), i.ID), wallet.ErrInvitationNotFound)
	if hidden, err := r.OwnInvitations(ctx, limited(r.bob, "another")); err != nil || len(hidden) > 0 {
		t.Errorf("a token for another wallet shows %+v, %v", hidden, err)
	}

	_, err = r.Accept(ctx, r.bob, i.ID, "A b")
	wantField(t, err, "alias")
	joined, err := r.Accept(ctx, r.bob, i.ID, "ours")
	testkit.Check(t, err)
	r.wantEvent(r.bob, "invitation.accept", v.ID)
	if joined.ID != v.ID || joined.Alias != "ours" || joined.Role != auth.RoleSigner {
		t.Errorf("joined %+v", joined)
	}
	r.wantPending("vault")
	_, err = r.Accept(ctx, r.bob, i.ID, "twice")
	wantErr(t, err, wallet.ErrInvitationNotFound)
	_, err = r.Invite(ctx, r.access(r.alice, "vault"), "bob", auth.RoleOwner)
	wantErr(t, err, wallet.ErrMemberExists)

	_, err = r.Invite(ctx, r.access(r.alice, "vault"), "carol", "king")
	wantField(t, err, "role")
	for _, name := range []string{"", "a:b", " a", "a\nb", strings.Repeat("x", 65)} {
		_, err = r.Invite(ctx, r.access(r.alice, "vault"), name, auth.RoleViewer)
		wantField(t, err, "user")
	}
	r.invite("vault", "Carol", auth.RoleViewer)
	_, err = r.Invite(ctx, r.access(r.alice, "vault"), "carol", auth.RoleOwner)
	wantErr(t, err, wallet.ErrInvitationExists)

	// The number of invitations is limited, including those for unknown names.
	r.storeWallet(r.alice, "popular")
	for n := range 100 {
		r.invite("popular", fmt.Sprint("guest ", n), auth.RoleViewer)
	}
	_, err = r.Invite(ctx, r.access(r.alice, "popular"), "one more", auth.RoleViewer)
	wantFault(t, err, fault.Conflict, "too_many_invitations")

	// Of many concurrent calls, one succeeds.
	i = r.invite("vault", "dave", auth.RoleViewer)
	dave := r.user("dave")
	wantErr(t, func() error { _, err := r.Accept(ctx, dave, i.ID, ""); return err }(), wallet.ErrInvitationNotFound)
	testkit.Check(t, r.EndInvitation(ctx, r.alice, i.ID))
	i = r.invite("vault", "dave", auth.RoleViewer)
	var all sync.WaitGroup
	results := make(chan error, 5)
	for n := range cap(results) {
		all.Go(func() {
			_, err := r.Accept(ctx, dave, i.ID, fmt.Sprint("try_", n))
			results <- err
		})
	}
	all.Wait()
	close(results)
	accepted := 0
	for err := range results {
		if err == nil {
			accepted++
		} else {
			wantErr(t, err, wallet.ErrInvitationNotFound)
		}
	}
	if n := r.count("SELECT count(*) FROM members WHERE user_id = $1", dave.UserID); accepted != 1 || n != 1 {
		t.Errorf("%d calls succeeded, with %d memberships", accepted, n)
	}
}

// testInvitationsEnd checks that an invitation ends when it expires, when either side
// deletes it, and when the inviter loses the right to invite.
func testInvitationsEnd(r *fixture) {
	t, ctx := r.t, r.t.Context()
	v := r.storeWallet(r.alice, "vault")
	carol := r.user("carol")
	gone := func(what string, i wallet.Invitation) {
		t.Helper()
		if _, err := r.Accept(ctx, r.bob, i.ID, ""); faultOf(err).Code != "invitation_not_found" {
			t.Errorf("%s: accepting it: %v", what, err)
		}
		wantErr(t, r.EndInvitation(ctx, r.bob, i.ID), wallet.ErrInvitationNotFound)
		wantErr(t, r.EndInvitation(ctx, r.alice, i.ID), wallet.ErrInvitationNotFound)
		if mine, err := r.OwnInvitations(ctx, r.bob); err != nil || len(mine) > 0 {
			t.Errorf("%s: bob's are %+v, %v", what, mine, err)
		}
	}
	i := r.invite("vault", "bob", auth.RoleViewer)
	testkit.Check(t, r.EndInvitation(ctx, r.bob, i.ID))
	r.wantEvent(r.bob, "invitation.decline", v.ID)
	gone("declined", i)
	i = r.invite("vault", "bob", auth.RoleViewer)
	testkit.Check(t, r.EndInvitation(ctx, r.alice, i.ID))
	r.wantEvent(r.alice, "invitation.delete", v.ID)
	gone("withdrawn", i)
	i = r.invite("vault", "bob", auth.RoleViewer)
	r.exec("UPDATE invitations SET expires_at = $1", time.Now().UnixMicro())
	gone("expired", i)
	r.wantPending("vault")
	again := r.invite("vault", "bob", auth.RoleViewer)
	if n := r.count("SELECT count(*) FROM invitations"); n != 1 {
		t.Errorf("%d invitations are stored", n)
	}
	testkit.Check(t, r.EndInvitation(ctx, r.bob, again.ID))

	// A member who is not an owner cannot see or delete invitations.
	r.member("vault", carol, auth.RoleSigner)
	i = r.invite("vault", "bob", auth.RoleViewer)
	wantErr(t, r.EndInvitation(ctx, carol, i.ID), wallet.ErrInvitationNotFound)
	testkit.Check(t, r.EndInvitation(ctx, r.bob, i.ID))

	for what, end := range map[string]func(){
		"demoted":  func() { r.member("vault", carol, auth.RoleSigner) },
		"removed":  func() { testkit.Check(t, r.RemoveMember(ctx, r.access(r.alice, "vault"), "carol")) },
		"disabled": func() { r.exec("UPDATE users SET disabled_at = 1 WHERE name = 'carol'") },
		"out of tokens": func() {
			_, err := r.store.EditUser(ctx, auth.Operator("test"), "carol", func(e *auth.UserEdit) error { e.DropTokens = true; return nil })
			testkit.Check(t, err)
		},
	} {
		r.exec("UPDATE users SET disabled_at = NULL WHERE name = 'carol'")
		r.member("vault", carol, auth.RoleOwner)
		i, err := r.Invite(ctx, r.access(carol, "vault"), "bob", auth.RoleOwner)
		testkit.Check(t, err)
		end()
		if _, err := r.Accept(ctx, r.bob, i.ID, ""); faultOf(err).Code != "invitation_not_found" {
			t.Errorf("the inviter is %s: %v", what, err)
		}
		if mine, err := r.OwnInvitations(ctx, r.bob); err != nil || len(mine) > 0 {
			t.Errorf("the inviter is %s: bob's are %+v, %v", what, mine, err)
		}
		if what == "disabled" {
			testkit.Check(t, r.EndInvitation(ctx, r.alice, i.ID))
		}
	}

	// An invitation stays if its inviter is demoted in a shell, but cannot be accepted.
	r.member("vault", carol, auth.RoleOwner)
	i, err := r.Invite(ctx, r.access(carol, "vault"), "bob", auth.RoleOwner)
	testkit.Check(t, err)
	r.exec("UPDATE members SET role = 'signer' WHERE user_id = $1", carol.UserID)
	_, err = r.Accept(ctx, r.bob, i.ID, "")
	wantErr(t, err, wallet.ErrInvitationNotFound)
	testkit.Check(t, r.EndInvitation(ctx, r.bob, i.ID))

	i = r.invite("vault", "bob", auth.RoleViewer)
	testkit.Check(t, r.Delete(ctx, r.access(r.alice, "vault"), false))
	gone("the wallet is deleted", i)
	if n := r.count("SELECT count(*) FROM invitations"); n != 0 {
		t.Errorf("%d invitations are left", n)
	}
}

// testInvitationsDoNotRevealUsers checks that owners get the same responses for users
// who exist, are disabled or do not exist, from the invitation and from later
// requests.
func testInvitationsDoNotRevealUsers(r *fixture) {
	t, ctx := r.t, r.t.Context()
	r.storeWallet(r.alice, "vault")
	disabled := r.user("disabled")
	r.exec("UPDATE users SET disabled_at = 1 WHERE user_id = $1", disabled.UserID)
	names := []string{"bob", "disabled", "unknown"}
	same := func(what string, do func(name string) (any, error)) {
		t.Helper()
		var first string
		for i, name := range names {
			value, err := do(name)
			got := strings.ReplaceAll(fmt.Sprintf("%+v, %v", value, err), name, "NAME")
			if i == 0 {
				first = got
			} else if got != first {
				t.Errorf("%s: the response for %s is\n%s\nfor %s\n%s", what, names[0], first, name, got)
			}
		}
	}
	ids := map[string]string{}
	shown := func(i wallet.Invitation) wallet.Invitation { // the fields that an owner sees
		return wallet.Invitation{UserName: i.UserName, WalletName: i.WalletName, Role: i.Role, InviterName: i.InviterName}
	}
	same("role", func(name string) (any, error) {
		m, created, err := r.PutMember(ctx, r.access(r.alice, "vault"), name, auth.RoleViewer)
		return fmt.Sprint(m, created), err
	})
	same("removal", func(name string) (any, error) { return nil, r.RemoveMember(ctx, r.access(r.alice, "vault"), name) })
	same("invitation", func(name string) (any, error) {
		i, err := r.Invite(ctx, r.access(r.alice, "vault"), name, auth.RoleViewer)
		ids[name] = i.ID
		return shown(i), err
	})
	same("second invitation", func(name string) (any, error) {
		i, err := r.Invite(ctx, r.access(r.alice, "vault"), name, auth.RoleViewer)
		return shown(i), err
	})
	r.wantPending("vault", "bob viewer", "disabled viewer", "unknown viewer")

	// An invitation is not for a user who gets the name later, even if the invited user
	// was deleted.
	unknown := r.user("unknown")
	_, err := r.store.EditUser(ctx, auth.Operator("test"), "disabled", func(e *auth.UserEdit) error { e.Remove = true; return nil })
	testkit.Check(t, err)
	r.wantPending("vault", "bob viewer", "disabled viewer", "unknown viewer")
	for _, who := range []*auth.Principal{unknown, r.user("disabled"), auth.Operator("nobody")} {
		mine, err := r.OwnInvitations(ctx, who)
		testkit.Check(t, err)
		if len(mine) > 0 {
			t.Errorf("%s sees %+v", who.UserName, mine)
		}
		for name, id := range ids {
			if _, err := r.Accept(ctx, who, id, ""); faultOf(err).Code != "invitation_not_found" {
				t.Errorf("%s accepts the invitation for %s: %v", who.UserName, name, err)
			}
		}
	}
	same("withdrawal", func(name string) (any, error) { return nil, r.EndInvitation(ctx, r.alice, ids[name]) })
}

// testAliases_Kept checks that an alias that a user has used refers to another wallet
// only if that user requests it.
func testAliases_Kept(r *fixture) {
	t, ctx := r.t, r.t.Context()
	first := r.storeWallet(r.alice, "vault")
	r.member("vault", r.bob, auth.RoleViewer)

	// As an attacker, alice removes bob and invites him to another wallet of the same
	// name.
	testkit.Check(t, r.RemoveMember(ctx, r.access(r.alice, "vault"), "bob"))
	testkit.Check(t, r.Delete(ctx, r.access(r.alice, "vault"), false))
	second := r.storeWallet(r.alice, "vault")
	i := r.invite("vault", "bob", auth.RoleViewer)
	_, err := r.Accept(ctx, r.bob, i.ID, "")
	wantFault(t, err, fault.Conflict, "alias_exists")
	if !strings.Contains(faultOf(err).Message, "vault") {
		t.Errorf("message %q", faultOf(err).Message)
	}
	_, err = r.Get(ctx, r.access(r.bob, "vault"))
	wantErr(t, err, wallet.ErrNotFound)
	v, err := r.Accept(ctx, r.bob, i.ID, "vault") // requested by bob
	testkit.Check(t, err)
	if v.ID != second.ID || v.ID == first.ID {
		t.Errorf("bob's vault is %s", v.ID)
	}
	// When bob joins the same wallet again, he gets the same alias.
	testkit.Check(t, r.RemoveMember(ctx, r.access(r.alice, "vault"), "bob"))
	r.member("vault", r.bob, auth.RoleViewer)

	// An alias that was given up by renaming counts as used.
	other := "other"
	_, err = r.Rename(ctx, r.access(r.bob, "vault"), nil, &other)
	testkit.Check(t, err)
	third, name := r.storeWallet(r.alice, "third"), "vault"
	_, err = r.Rename(ctx, r.access(r.alice, "third"), &name, nil)
	testkit.Check(t, err)
	i = r.invite("third", "bob", auth.RoleViewer)
	_, err = r.Accept(ctx, r.bob, i.ID, "")
	wantFault(t, err, fault.Conflict, "alias_exists")
	_, err = r.Accept(ctx, r.bob, i.ID, "other")
	wantFault(t, err, fault.Conflict, "alias_exists")
	_, err = r.Accept(ctx, r.bob, i.ID, "third")
	testkit.Check(t, err)
	_, err = r.Rename(ctx, r.access(r.bob, "third"), nil, &name) // requested by bob
	testkit.Check(t, err)
	if v, err := r.Get(ctx, r.access(r.bob, "vault")); err != nil || v.ID != third.ID {
		t.Errorf("bob's vault is %s, %v", v.ID, err)
	}

	// Renaming by others does not change his aliases.
	renamed := "Another name"
	_, err = r.Rename(ctx, r.access(r.alice, "third"), &renamed, nil)
	testkit.Check(t, err)
	if v, err := r.Get(ctx, r.access(r.bob, "vault")); err != nil || v.ID != third.ID {
		t.Errorf("bob's vault is %s, %v", v.ID, err)
	}

	// An import cannot use a former alias either. The alias of a wallet that was
	// never ready does not count as used.
	_, err = r.Create(ctx, r.bob, wallet.Plan{Name: "Other", Descriptor: descriptor(), Birthday: fromNow, KeepAlias: true})
	wantFault(t, err, fault.Conflict, "alias_exists")
	_, err = r.Create(ctx, r.bob, wallet.Plan{Name: "Other", Descriptor: descriptor(), Birthday: fromNow})
	wantFault(t, err, fault.Conflict, "alias_exists") // the alias is in use
	_, err = r.Create(ctx, r.bob, wallet.Plan{Name: "Third", Descriptor: descriptor(), Birthday: fromNow, KeepAlias: true})
	wantFault(t, err, fault.Conflict, "alias_exists")
	if !strings.Contains(faultOf(err).Message, "had another wallet") {
		t.Errorf("message %q", faultOf(err).Message)
	}
	r.storeCreating(r.bob, "half", 0)
	if n := r.count("SELECT count(*) FROM used_aliases WHERE alias = 'half'"); n != 0 {
		t.Error("the alias of a wallet that is not ready counts as used")
	}
}

// testAddedMembers checks that only admins who own a wallet may add members, and only if
// that is enabled.
func testAddedMembers(r *fixture) {
	t, ctx := r.t, r.t.Context()
	boss := *r.alice
	boss.Admin = true
	r.storeWallet(r.alice, "vault")
	_, _, err := r.PutMember(ctx, r.access(&boss, "vault"), "bob", auth.RoleViewer)
	wantErr(t, err, wallet.ErrMemberMissing)
	r.WithAdminsAddingMembers(true)
	narrow, plain := boss, boss
	plain.Admin = false
	narrow.Scopes = auth.AllScopes &^ auth.UsersRead
	for name, who := range map[string]*auth.Principal{"no admin": &plain, "an admin who may not read users": &narrow} {
		_, _, err := r.PutMember(ctx, r.access(who, "vault"), "bob", auth.RoleViewer)
		if faultOf(err).Code != "member_not_found" {
			t.Errorf("%s: %v", name, err)
		}
	}
	r.storeWallet(r.bob, "vault")
	theirs := r.user("theirs")
	theirs.Admin = true
	_, _, err = r.PutMember(ctx, r.access(theirs, "vault"), "bob", auth.RoleViewer)
	wantErr(t, err, wallet.ErrNotFound)

	// The new alias is not one of the user's current or former aliases.
	i := r.invite("vault", "bob", auth.RoleOwner)
	for n, want := range []string{"vault_2", "vault_3"} {
		alias := "vault"
		if n > 0 {
			alias = fmt.Sprint("mine_", n)
			name := "Vault"
			r.storeWallet(r.alice, alias)
			_, err := r.Rename(ctx, r.access(r.alice, alias), &name, nil)
			testkit.Check(t, err)
		}
		m, created, err := r.PutMember(ctx, r.access(&boss, alias), "BOB", auth.RoleProposer)
		testkit.Check(t, err)
		if !created || m.Alias != want || m.UserName != "bob" {
			t.Errorf("added %+v, %v; want the alias %s", m, created, want)
		}
		testkit.Check(t, r.RemoveMember(ctx, r.access(r.bob, want), "bob"))
	}
	_, err = r.Accept(ctx, r.bob, i.ID, "x")
	wantErr(t, err, wallet.ErrInvitationNotFound)
	r.storeWallet(r.alice, "snowman")
	name := "☃"
	_, err = r.Rename(ctx, r.access(r.alice, "snowman"), &name, nil)
	testkit.Check(t, err)
	m, _, err := r.PutMember(ctx, r.access(&boss, "snowman"), "bob", auth.RoleProposer)
	testkit.Check(t, err)
	if m.Alias != "snowman" {
		t.Errorf("bob's alias is %s", m.Alias)
	}
	_, _, err = r.PutMember(ctx, r.access(&boss, "vault"), "nobody", auth.RoleViewer)
	wantErr(t, err, auth.ErrUserNotFound)
	r.exec("UPDATE users SET disabled_at = 1 WHERE name = 'theirs'")
	_, _, err = r.PutMember(ctx, r.access(&boss, "vault"), "theirs", auth.RoleViewer)
	wantFault(t, err, fault.Conflict, "user_disabled")
}

const otherKey = "tpubDEgV6mZ5ew6cQeD8AFZkSd7NsR8G5qKfChYDuFdmmaAyPM4j6qVaDjTVyXHgfSbiuRH3WTK4ipTxLcWQfftLcSmuijrNbVKe88zuzfHsA1u"

// testSameAddresses checks that no user gets two wallets with a common address,
// regardless of their creators, and that no user learns of such a wallet of another user.
func testSameAddresses(r *fixture) {
	t, ctx := r.t, r.t.Context()
	d := descriptor()
	plan := func(name string) wallet.Plan {
		return wallet.Plan{Name: name, Descriptor: d, Birthday: fromNow}
	}
	hers, err := r.Create(ctx, r.alice, plan("hers"))
	testkit.Check(t, err)
	_, err = r.Create(ctx, r.bob, plan("bobs_own")) // alice is not a member of that wallet
	testkit.Check(t, err)
	i := r.invite("hers", "bob", auth.RoleViewer)
	_, err = r.Accept(ctx, r.bob, i.ID, "ours")
	wantFault(t, err, fault.Conflict, "wallet_exists")
	if got := faultOf(err).Details["alias"]; got != "bobs_own" {
		t.Errorf("message names %q", got)
	}
	r.wantPending("hers", "bob viewer")

	boss := *r.alice
	boss.Admin = true
	r.WithAdminsAddingMembers(true)
	_, _, err = r.PutMember(ctx, r.access(&boss, "hers"), "bob", auth.RoleViewer)
	wantFault(t, err, fault.Conflict, "member_not_added")
	if f := faultOf(err); len(f.Details) > 0 || strings.Contains(f.Error(), "bobs_own") || strings.Contains(f.Error(), "descriptor") {
		t.Errorf("for an admin: %v", f)
	}

	testkit.Check(t, r.Delete(ctx, r.access(r.bob, "bobs_own"), false))
	_, err = r.Accept(ctx, r.bob, i.ID, "ours")
	testkit.Check(t, err)
	_, err = r.Create(ctx, r.bob, plan("bobs_own"))
	wantFault(t, err, fault.Conflict, "wallet_exists")
	if got := faultOf(err).Details["alias"]; got != "ours" {
		t.Errorf("message names %q", got)
	}

	// The same addresses from other descriptors: two keys in a different order.
	one, two := "[d34db33f/48h/1h/0h/2h]"+tpub, "[0badcafe/48h/1h/0h/2h]"+otherKey
	vault := func(name, first, second string) error {
		_, err := r.Create(ctx, r.alice, wallet.Plan{
			Name: name, Birthday: fromNow,
			Descriptor: fmt.Sprintf("wsh(sortedmulti(2,%s/<0;1>/*,%s/<0;1>/*))", first, second),
		})
		return err
	}
	testkit.Check(t, vault("one", one, two))
	wantFault(t, vault("two", two, one), fault.Conflict, "wallet_exists")

	// Of two concurrent creations, one is rejected.
	var both sync.WaitGroup
	d = descriptor()
	results := make(chan error, 2)
	for n := range 2 {
		both.Go(func() {
			_, err := r.Create(ctx, r.alice, plan(fmt.Sprint("at once ", n)))
			results <- err
		})
	}
	both.Wait()
	if a, b := <-results, <-results; (a == nil) == (b == nil) {
		t.Errorf("not exactly one was created: %v, %v", a, b)
	}
	if n := r.count("SELECT count(*) FROM members WHERE wallet_id = $1", hers.ID); n != 2 {
		t.Errorf("%d members", n)
	}
}
