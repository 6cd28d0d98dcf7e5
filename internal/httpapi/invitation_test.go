package httpapi_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

func testInvitations(t *testing.T, s *server, _ *testkit.Node) {
	p, bob := s.user(t, "p", false), s.user(t, "bob", false)
	s.vault(t, p, "vault")
	k, bobs := s.token(t, p, 0).bearer(), s.token(t, bob, 0).bearer()
	const path = "/api/v1/wallets/vault/invitations"
	made := s.call(t, "POST", path, k, `{"user": "BOB", "role": "signer"}`).want(t, 201)
	id := made.text("id")
	shown := `{"id": "` + id + `", "user": "BOB", "role": "signer", "invited_by": "p", "created_at": "2026-12-01T10:00:00.25Z", "expires_at": "2026-12-15T10:00:00.25Z"}`
	made.wantJSON(t, shown)
	s.call(t, "GET", path, k, "").want(t, 200).wantJSON(t, `{"items": [`+shown+`], "next_cursor": null}`)
	s.call(t, "GET", "/api/v1/invitations", bobs, "").want(t, 200).
		wantJSON(t, `{"items": [{"id": "`+id+`", "wallet_name": "vault", "role": "signer", "invited_by": "p", "expires_at": "2026-12-15T10:00:00.25Z"}], "next_cursor": null}`)
	s.call(t, "GET", "/api/v1/wallets", bobs, "").want(t, 200).wantJSON(t, `{"items": [], "next_cursor": null}`)
	s.call(t, "GET", path, bobs, "").wantProblem(t, 404, "wallet_not_found")
	s.call(t, "POST", "/api/v1/invitations/"+id+"/accept", k, "").wantProblem(t, 404, "invitation_not_found")
	s.call(t, "POST", "/api/v1/invitations/"+id+"/accept", bobs, `{"alias": "A b"}`).wantProblem(t, 400, "invalid_input").want(t, 400, `"field":"alias"`)
	s.call(t, "POST", "/api/v1/invitations/"+id+"/accept", bobs, "").want(t, 201).wantJSON(t, `{"alias": "vault", "name": "vault", "role": "signer"}`)
	s.call(t, "GET", path, bobs, "").wantProblem(t, 403, "insufficient_role")
	s.call(t, "GET", "/api/v1/invitations", bobs, "").want(t, 200).wantJSON(t, `{"items": [], "next_cursor": null}`)
	s.call(t, "POST", path, k, `{"user": "bob", "role": "owner"}`).wantProblem(t, 409, "member_exists")
	for body, field := range map[string]string{`{"user": "carol", "role": "king"}`: "role", `{"user": "a:b", "role": "viewer"}`: "user", `{"role": "viewer"}`: "user", `{"user": "carol"}`: "role"} {
		s.call(t, "POST", path, k, body).wantProblem(t, 400, "invalid_input").want(t, 400, `"field":"`+field+`"`)
	}

	id = s.call(t, "POST", path, k, `{"user": "carol", "role": "viewer"}`).want(t, 201).text("id")
	s.call(t, "POST", path, k, `{"user": "Carol", "role": "owner"}`).wantProblem(t, 409, "invitation_exists")
	s.call(t, "DELETE", "/api/v1/invitations/"+id, bobs, "").wantProblem(t, 404, "invitation_not_found")
	s.call(t, "DELETE", "/api/v1/invitations/"+id, k, "").want(t, 204)
	s.call(t, "DELETE", "/api/v1/invitations/"+id, k, "").wantProblem(t, 404, "invitation_not_found")
	s.call(t, "POST", path, k, `{"user": "Carol", "role": "owner"}`).want(t, 201)
	s.clock.advance(14 * 24 * time.Hour)
	s.call(t, "GET", path, s.token(t, p, 0).bearer(), "").want(t, 200).wantJSON(t, `{"items": [], "next_cursor": null}`)
}

// testNoUserEnumeration checks that the responses about existing, disabled and unknown users
// are byte for byte the same if the caller is not an admin, also if admins may add members.
func testNoUserEnumeration(t *testing.T, s *server, _ *testkit.Node) {
	s.Wallets.WithAdminsAddingMembers(true)
	p := s.user(t, "p", false)
	s.vault(t, p, "vault")
	s.user(t, "existing", false)
	off := s.user(t, "disabled", false)
	s.sql(t, "UPDATE users SET disabled_at = 1 WHERE user_id = $1", off.ID)
	k := s.token(t, p, 0).bearer()
	const wallet = "/api/v1/wallets/vault"
	ids := map[string]string{}
	for _, ask := range []struct{ method, path, body string }{
		{"PUT", wallet + "/members/NAME", `{"role": "viewer"}`},
		{"DELETE", wallet + "/members/NAME", ""},
		{"POST", wallet + "/invitations", `{"user": "NAME", "role": "viewer"}`},
		{"POST", wallet + "/invitations", `{"user": "NAME", "role": "viewer"}`},
		{"GET", wallet + "/invitations", ""},
		{"POST", "/api/v1/invitations/ID/accept", ""},
		{"PUT", wallet + "/members/NAME", `{"role": "viewer"}`},
		{"DELETE", "/api/v1/invitations/ID", ""},
		{"DELETE", "/api/v1/invitations/ID", ""},
	} {
		t.Run(ask.method, func(t *testing.T) {
			var first string
			for _, name := range []string{"existing", "disabled", "imagined"} {
				fill := strings.NewReplacer("NAME", name, "ID", ids[name])
				got := s.do(t, request{
					method: ask.method, path: fill.Replace(ask.path), auth: []string{k}, body: fill.Replace(ask.body), header: map[string]string{"X-Request-Id": "same"},
				})
				if id := got.text("id"); id != "" {
					ids[name] = id
				}
				delete(got.header, "Date")
				text := strings.NewReplacer(name, "NAME", ids[name], "ID").Replace(fmt.Sprint(got.status, got.header, got.body))
				if ask.method != "GET" && first != "" && text != first {
					t.Errorf("%s %s for %s:\n%s\nfor the previous user:\n%s", ask.method, ask.path, name, text, first)
				}
				first = text
			}
		})
	}
	if len(ids) != 3 {
		t.Errorf("invitations %v, want 3", ids)
	}
}

// testRepointedAlias checks that an owner who removes a member cannot make the member's alias
// of the wallet refer to another wallet, for example to receive the member's deposits.
func testRepointedAlias(t *testing.T, s *server, _ *testkit.Node) {
	mallory, victim := s.user(t, "mallory", false), s.user(t, "victim", false)
	s.vault(t, mallory, "savings")
	s.member(t, mallory, "savings", victim, auth.RoleProposer)
	k, victims := s.token(t, mallory, 0).bearer(), s.token(t, victim, 0).bearer()
	const deposit = "/api/v1/wallets/savings/addresses"
	s.call(t, "GET", deposit, victims, "").want(t, 200)
	s.call(t, "DELETE", "/api/v1/wallets/savings/members/victim", k, "").want(t, 204)
	s.call(t, "PATCH", "/api/v1/wallets/savings", k, `{"alias": "old", "name": "old"}`).want(t, 200)
	s.vault(t, mallory, "savings")
	s.call(t, "PUT", "/api/v1/wallets/savings/members/victim", k, `{"role": "proposer"}`).wantProblem(t, 404, "member_not_found")
	s.call(t, "GET", deposit, victims, "").wantProblem(t, 404, "wallet_not_found")
	id := s.call(t, "POST", "/api/v1/wallets/savings/invitations", k, `{"user": "victim", "role": "proposer"}`).want(t, 201).text("id")
	accept := "/api/v1/invitations/" + id + "/accept"
	s.call(t, "POST", accept, victims, "").wantProblem(t, 409, "alias_exists")
	s.call(t, "POST", accept, victims, `{"alias": "from_mallory"}`).want(t, 201)
	s.call(t, "GET", deposit, victims, "").wantProblem(t, 404, "wallet_not_found")
	s.call(t, "PATCH", "/api/v1/wallets/savings", k, `{"name": "savings again"}`).want(t, 200)
	s.call(t, "GET", deposit, victims, "").wantProblem(t, 404, "wallet_not_found")
}

// testUninvitedMember checks that an owner cannot make another user a member of a wallet, and
// thereby occupy an alias that this user is likely to use, without the user's consent.
func testUninvitedMember(t *testing.T, s *server, _ *testkit.Node) {
	mallory, victim := s.user(t, "mallory", false), s.user(t, "victim", false)
	k, victims := s.token(t, mallory, 0).bearer(), s.token(t, victim, 0).bearer()
	for _, alias := range []string{"savings", "checking"} {
		s.wallet(t, mallory, alias, "owner")
		s.sql(t, "UPDATE wallets SET name = $1 WHERE name = $2", alias, "The "+alias)
		s.call(t, "PUT", "/api/v1/wallets/"+alias+"/members/victim", k, `{"role": "owner"}`)
		s.call(t, "POST", "/api/v1/wallets/"+alias+"/invitations", k, `{"user": "victim", "role": "owner"}`)
	}
	if got := s.call(t, "GET", "/api/v1/wallets", victims, "").want(t, 200).list("alias"); len(got) > 0 {
		t.Errorf("the victim is a member of the wallets %v", got)
	}
	mining.RLock()
	defer mining.RUnlock()
	body := fmt.Sprintf(`{"name": "Savings", "descriptor": %q, "birthday": "now"}`, descriptor())
	s.call(t, "POST", "/api/v1/wallets", victims, body).want(t, 201, `"alias":"savings"`)
}
