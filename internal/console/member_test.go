package console_test

import (
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"
)

// actionsOf returns the targets of the forms in the main part of a page.
func (d *document) actionsOf() string {
	var out []string
	for _, main := range d.all("main", nil) {
		for n := range main.Descendants() {
			if n.Type == html.ElementNode && n.Data == "form" {
				out = append(out, attr(n, "action"))
			}
		}
	}
	return strings.Join(out, " ")
}

// TestMembers invites a user with a role, changes the role, and removes the user.
func TestMembers(t *testing.T) {
	t.Parallel()
	n := minedNode(t)
	onEachEngine(t, func(t *testing.T, s *site) {
		const page = "/wallets/vault/members"
		owner, ben := s.user(t, "olga", false), s.user(t, "ben", false)
		owner.createVault("Vault")
		ben.get(page).want(404, "There is no such page")

		p := owner.get(page).want(200, "1 member", "olga (you)", "The last owner", "You are the last owner", "signatures from 2 of the 3 devices")
		p.submit(page, "user", "", "role", "signer").want(400)
		p.submit(page, "user", "ben", "role", "king").want(400, "Must be viewer, proposer, signer or owner")
		p = p.submit(page, "user", "ben", "role", "viewer").want(200, "The invitation was created", "1 pending invitation", "ben")
		p.submit(page, "user", "ben", "role", "owner").want(409, "This user already has a pending invitation")
		p = p.submit(page, "user", "no_such_user", "role", "owner").want(200, "2 pending invitations")
		ben.get("/").want(200, "olga invites you to the wallet Vault as viewer.")
		withdraw := ""
		for _, action := range strings.Fields(p.actionsOf()) {
			if strings.HasSuffix(action, "/withdraw") {
				withdraw = action // of the last one
			}
		}
		owner.post(withdraw).want(200, "The invitation was withdrawn", "1 pending invitation")
		owner.post(withdraw).want(200, "Nothing was changed")
		ben.accept()

		shown := ben.get(page).want(200, "2 members", "Only owners invite", "viewer")
		if got := shown.actionsOf(); got != "/wallets/vault/members/ben/remove" {
			t.Errorf("a viewer has the forms %s", got)
		}
		ben.post(page, "user", "olga", "role", "viewer").want(403, "Your role in this wallet is viewer")
		ben.post(page+"/ben", "role", "owner").want(403)
		ben.post(page + "/olga/remove").want(403)
		owner.post(page+"/olga", "role", "viewer").want(409, "This is the wallet's last owner")
		owner.post(page+"/olga/remove").want(409, "This is the wallet's last owner")
		owner.post(page+"/ben", "role", "king").want(400)
		owner.post(page+"/zoe", "role", "owner").want(404)
		owner.post(page+"/ben", "role", "viewer").want(200, "Nothing was changed")
		owner.post(page+"/BEN", "role", "owner").want(200, "The role was changed")
		if got := ben.get(page).want(200, "2 members").actionsOf(); !strings.Contains(got, "/wallets/vault/members/olga/remove") {
			t.Errorf("an owner has the forms %s", got)
		}
		owner.get(page).submit(page+"/ben", "role", "signer").want(200, "The role was changed")
		owner.get(page).submit(page+"/ben/remove").want(200, "The member was removed", "1 member")
		ben.get(page).want(404)
	}, onNode(n))
}

// TestMembers_Leave leaves a wallet, which requires the password.
func TestMembers_Leave(t *testing.T) {
	t.Parallel()
	s, owner, ben := vaultWith(t, "signer")
	s.late.Add(int64(11 * time.Minute))
	const leave = "/wallets/vault/members/ben/remove"
	for _, c := range []struct {
		path   string
		fields []string
	}{
		{"/wallets/vault/members", []string{"user", "zoe", "role", "owner"}},
		{"/wallets/vault/members/ben", []string{"role", "owner"}},
		{leave, nil},
	} {
		owner.post(c.path, c.fields...).want(403, "Enter your password again", "Nothing was changed yet")
	}
	p := ben.get("/wallets/vault/members").submit(leave).want(403, "Enter your password again")
	p.submit(leave, "_password", "wrong").want(403, "The password is wrong")
	if p = p.submit(leave, "_password", ben.password).want(200, "You left the wallet"); p.path() != "/" {
		t.Errorf("the user is at %s", p.path())
	}
	ben.get("/wallets/vault/members").want(404)
	owner.get("/wallets/vault/members").want(200, "1 member")
}
