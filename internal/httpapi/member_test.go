package httpapi_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/testkit"
)

func testMembers(t *testing.T, s *server, _ *testkit.Node) {
	p, bob := s.user(t, "p", false), s.user(t, "Bob", false)
	s.vault(t, p, "vault")
	k, bobs := s.token(t, p, 0).bearer(), s.token(t, bob, 0).bearer()
	members := "/api/v1/wallets/vault/members"
	s.call(t, "GET", members, k, "").want(t, 200).wantJSON(t, `{"items": [{"user": "p", "role": "owner", "created_at": "2026-12-01T10:00:00.25Z"}], "next_cursor": null}`)
	s.member(t, p, "vault", bob, auth.RoleViewer)
	s.call(t, "PUT", members+"/BOB", k, `{"role": "signer"}`).want(t, 200, `"role":"signer"`)
	s.call(t, "GET", members, bobs, "").want(t, 200, `"user":"Bob","role":"signer"`, `"user":"p","role":"owner"`)
	s.call(t, "PUT", members+"/p", bobs, `{"role": "viewer"}`).wantProblem(t, 403, "role_missing")
	s.call(t, "DELETE", members+"/p", bobs, "").wantProblem(t, 403, "role_missing")
	s.call(t, "PUT", members+"/p", k, `{"role": "viewer"}`).wantProblem(t, 409, "last_owner")
	s.call(t, "DELETE", members+"/p", k, "").wantProblem(t, 409, "last_owner")
	s.call(t, "PUT", members+"/nobody", k, `{"role": "viewer"}`).wantProblem(t, 404, "member_not_found")
	s.call(t, "DELETE", members+"/nobody", k, "").wantProblem(t, 404, "member_not_found")
	for _, body := range []string{`{"role": "king"}`, `{"role": ""}`, `{}`} {
		s.call(t, "PUT", members+"/bob", k, body).wantProblem(t, 400, "invalid_input").want(t, 400, `"field":"role"`)
	}
	s.call(t, "DELETE", members+"/bob", bobs, "").want(t, 204)
	s.call(t, "GET", members, bobs, "").wantProblem(t, 404, "wallet_not_found")
	s.call(t, "DELETE", members+"/bob", k, "").wantProblem(t, 404, "member_not_found")
}

// member makes a user a member of an owner's wallet.
func (s *server) member(t *testing.T, owner person, alias string, who person, role auth.WalletRole) {
	t.Helper()
	i, err := s.Wallets.Invite(t.Context(), owner.principal(), alias, who.Name, role)
	check(t, err)
	_, err = s.Wallets.Accept(t.Context(), who.principal(), i.ID, "")
	check(t, err)
}

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
	s.call(t, "GET", path, bobs, "").wantProblem(t, 403, "role_missing")
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

// testNoUserEnumeration: the answers about users who exist, who are disabled and who do not
// exist are the same to users who are not admins, to the byte, also if admins may add
// members.
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
				t.Errorf("%s %s for %s:\n%s\nand before\n%s", ask.method, ask.path, name, text, first)
			}
			first = text
		}
	}
	if len(ids) != 3 {
		t.Errorf("invited were %v", ids)
	}
}

func testRescan(t *testing.T, s *server, _ *testkit.Node) {
	p := s.user(t, "p", false)
	v := s.vault(t, p, "vault")
	k := s.token(t, p, 0).bearer()
	const path = "/api/v1/wallets/vault/rescan"
	ready := `{"status": "ready", "scan": null, "problem": null, "as_of": {"height": 186, "hash": "` + tipHash + `"}}`
	s.call(t, "GET", path, k, "").want(t, 200).wantJSON(t, ready)
	s.call(t, "POST", path, k, `{"from": 1, "addresses": 1600}`).want(t, 202).
		wantJSON(t, `{"status": "scanning", "scan": {"from_height": 1, "progress": 0, "addresses": 1600, "addresses_ready": 1500}, "problem": null, "as_of": {"height": 186, "hash": "`+tipHash+`"}}`)
	s.call(t, "GET", path, k, "").want(t, 200, `"status":"scanning"`)
	s.call(t, "POST", path, k, `{"from": 0}`).wantProblem(t, 409, "scan_running")
	s.call(t, "DELETE", path, k, "").want(t, 204)
	s.call(t, "GET", path, k, "").want(t, 200).wantJSON(t, ready)
	s.call(t, "DELETE", path, k, "").want(t, 204)
	s.sql(t, "UPDATE wallets SET scan_problem = 'the node refused it' WHERE wallet_id = $1", v.id)
	s.call(t, "GET", path, k, "").want(t, 200, `"status":"ready","scan":null,"problem":"the node refused it"`)
	for body, field := range map[string]string{
		`{}`: "from", `{"from": -1}`: "from", `{"from": 1000000}`: "from", `{"from": "2999-01-01"}`: "from",
		`{"from": 0, "addresses": -1}`: "addresses", `{"from": 0, "addresses": 100001}`: "addresses", `{"from": 0, "addresses": "x"}`: "addresses",
	} {
		s.call(t, "POST", path, k, body).wantProblem(t, 400, "invalid_input").want(t, 400, `"field":"`+field+`"`)
	}
	begin := time.Now()
	s.call(t, "POST", path, k, `{"from": 0, "addresses": 100000}`).want(t, 202, `"addresses":100000,"addresses_ready":1500`, `"problem":null`)
	if took := time.Since(begin); took > time.Second {
		t.Errorf("it took %s", took)
	}
}
