package httpapi_test

import (
	"testing"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/testenv/testkit"
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
	s.call(t, "PUT", members+"/p", bobs, `{"role": "viewer"}`).wantProblem(t, 403, "insufficient_role")
	s.call(t, "DELETE", members+"/p", bobs, "").wantProblem(t, 403, "insufficient_role")
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
func (s *server) member(t *testing.T, owner testUser, alias string, who testUser, role auth.WalletRole) {
	t.Helper()
	i, err := s.Wallets.Invite(t.Context(), testkit.Access(t, s.Wallets, owner.principal(), alias), who.Name, role)
	testkit.Check(t, err)
	_, err = s.Wallets.Accept(t.Context(), who.principal(), i.ID, "")
	testkit.Check(t, err)
}

func testRescan(t *testing.T, s *server, _ *testkit.Node) {
	p := s.user(t, "p", false)
	v := s.vault(t, p, "vault")
	k := s.token(t, p, 0).bearer()
	const path = "/api/v1/wallets/vault/rescan"
	ready := `{"status": "ready", "rescan": null, "problem": null, "as_of": {"height": 186, "hash": "` + tipHash + `"}}`
	s.call(t, "GET", path, k, "").want(t, 200).wantJSON(t, ready)
	s.call(t, "POST", path, k, `{"from": 1, "addresses": 1600}`).want(t, 202).
		wantJSON(t, `{"status": "rescanning", "rescan": {"from_height": 1, "progress": 0, "addresses": 1600, "addresses_ready": 60}, "problem": null, "as_of": {"height": 186, "hash": "`+tipHash+`"}}`)
	s.call(t, "GET", path, k, "").want(t, 200, `"status":"rescanning"`)
	s.call(t, "POST", path, k, `{"from": 0}`).wantProblem(t, 409, "rescan_in_progress")
	s.call(t, "DELETE", path, k, "").want(t, 204)
	s.call(t, "GET", path, k, "").want(t, 200).wantJSON(t, ready)
	s.call(t, "DELETE", path, k, "").want(t, 204)
	s.sql(t, "UPDATE wallets SET rescan_problem = 'the node refused it' WHERE wallet_id = $1", v.id)
	s.call(t, "GET", path, k, "").want(t, 200, `"status":"ready","rescan":null,"problem":"the node refused it"`)
	for body, field := range map[string]string{
		`{}`: "from", `{"from": -1}`: "from", `{"from": 1000000}`: "from", `{"from": "2999-01-01"}`: "from",
		`{"from": 0, "addresses": -1}`: "addresses", `{"from": 0, "addresses": 100001}`: "addresses", `{"from": 0, "addresses": "x"}`: "addresses",
	} {
		s.call(t, "POST", path, k, body).wantProblem(t, 400, "invalid_input").want(t, 400, `"field":"`+field+`"`)
	}
	begin := time.Now()
	s.call(t, "POST", path, k, `{"from": 0, "addresses": 100000}`).want(t, 202, `"addresses":100000,"addresses_ready":60`, `"problem":null`)
	if took := time.Since(begin); took > time.Second {
		t.Errorf("it took %s", took)
	}
}
