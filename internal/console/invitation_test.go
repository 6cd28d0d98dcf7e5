package console_test

import "testing"

// TestInvitations shows that a user accepts invitations, with another alias if the alias of the
// wallet is taken, or declines them.
func TestInvitations(t *testing.T) {
	t.Parallel()
	s := open(t, onOwnNode)
	owner, bob, eve := s.user(t, "owner", false), s.user(t, "bob", false), s.user(t, "eve", false)
	owner.vault("treasury")
	owner.vault("savings")
	bob.vault("savings")
	invite := func(alias, role string) string {
		i := owner.api("POST", "/api/v1/wallets/"+alias+"/invitations", map[string]any{"user": "bob", "role": role})
		return "/invitations/" + i["id"].(string)
	}
	first, declined := invite("treasury", "signer"), invite("savings", "owner")
	home := bob.get("/").want(200, "owner invites you to the wallet Treasury as signer.")
	for name, p := range map[string]*document{"page": eve.get(first), "accept": eve.post(first + "/accept"), "decline": eve.post(first + "/decline")} {
		t.Run("by others: "+name, func(*testing.T) { p.want(404, "This invitation does not exist any more").lacks("Treasury") })
	}
	owner.get(first).want(404, "This invitation does not exist any more").lacks("as signer") // her own wallets are in the navigation
	home.submit(first + "/accept")
	bob.get("/").want(200, "Treasury", "signer")
	bob.post(first + "/accept").want(404)

	bob.get(declined).want(200, "You will also manage its members").by.post(declined+"/decline").want(200, "You have declined the invitation.")
	bob.get(declined).want(404)
	second := invite("savings", "viewer")
	p := bob.get("/").submit(second+"/accept").want(409, "choose an alias for this one", "Your own short name for the wallet", "You will see its balances")
	p.submit(second+"/accept", "alias", "a/b").want(400, "Must consist")
	bob.get(second).want(200, "Accept until")
	p.submit(second+"/accept", "alias", "shared_savings")
	if got := bob.api("GET", "/api/v1/wallets/shared_savings", nil)["role"]; got != "viewer" {
		t.Errorf("in the second wallet, bob has the role %v", got)
	}
}
