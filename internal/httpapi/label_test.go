package httpapi_test

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

func testAddressDetails(t *testing.T, s *server, _ *testkit.Node) {
	p := s.user(t, "p", false)
	v := s.vault(t, p, "vault")
	k := s.token(t, p, auth.WalletsRead).bearer()
	const path = "/api/v1/wallets/vault/addresses/"
	details := func(address, label, totals string) string {
		return fmt.Sprintf(`{"address": %q, "branch": "receive", "index": %d, "label": %q, "revealed": true, "used": true, %s, "as_of": {"height": 186, "hash": %q}}`,
			address, slices.Index(v.receive, address), label, totals, tipHash)
	}
	received := details(v.receive[0], v.note, `"received_sat": 300000, "confirmed_sat": 300000, "transactions": 1, "txids": ["`+v.received+`"]`)
	got := s.call(t, "GET", path+v.receive[0], k, "").want(t, 200)
	got.wantJSON(t, received)
	s.do(t, request{method: "GET", path: path + v.receive[0], auth: []string{k}, header: map[string]string{"If-None-Match": got.header.Get("Etag")}}).want(t, 304)
	s.call(t, "GET", path+strings.ToUpper(v.receive[0]), k, "").want(t, 200).wantJSON(t, received)
	s.call(t, "GET", path+"bitcoin:"+v.receive[0], k, "").want(t, 200).wantJSON(t, received)
	uri := url.PathEscape(strings.ToUpper("bitcoin:" + v.receive[0] + "?amount=0.1"))
	s.call(t, "GET", path+uri, k, "").want(t, 200).wantJSON(t, received)
	s.call(t, "GET", path+url.PathEscape("bitcoin:"+v.receive[0]+"?req-pop=x"), k, "").wantProblem(t, 400, "invalid_payment_uri")
	// Two transactions pay to this address; one of them was replaced.
	s.call(t, "GET", path+v.receive[2], k, "").want(t, 200).
		wantJSON(t, details(v.receive[2], "", `"received_sat": 7000, "confirmed_sat": 0, "transactions": 1, "txids": ["`+v.pending+`"]`))
	s.call(t, "GET", path+v.receive[4], k, "").want(t, 200, `"received_sat":0`, `"transactions":0`, `"txids":[]`, `"used":false`)
	for _, unknown := range []string{v.foreign, "x", s.vault(t, p, "other").receive[0]} {
		s.call(t, "GET", path+unknown, k, "").wantProblem(t, 404, "address_not_found")
	}
	s.call(t, "GET", path+v.receive[0]+"?min_height=-1", k, "").wantProblem(t, 400, "invalid_input")
}

// testSetLabel sets and removes the label of each kind of object.
func testSetLabel(t *testing.T, s *server, _ *testkit.Node) {
	p, viewer := s.user(t, "p", false), s.user(t, "viewer", false)
	v := s.vault(t, p, "vault")
	s.sql(t, "INSERT INTO members (wallet_id, user_id, role, alias, created_at) VALUES ($1, $2, 'viewer', 'vault', 0)", v.id, viewer.ID)
	k := s.token(t, p, 0).bearer()
	const path = "/api/v1/wallets/vault"
	export := func() string { return s.call(t, "GET", path+"/labels", k, "").want(t, 200).body }
	paths := map[string]string{ // by the start of the object's line in the export
		fmt.Sprintf(`{"type":"addr","ref":%q,`, v.receive[0]):      "/addresses/" + v.receive[0],
		fmt.Sprintf(`{"type":"tx","ref":%q,`, v.received):          "/transactions/" + v.received,
		fmt.Sprintf(`{"type":"output","ref":"%s:0",`, v.received):  "/outputs/" + v.received + ":0", // a spent output of the wallet
		fmt.Sprintf(`{"type":"output","ref":"%s:0",`, v.sent):      "/outputs/" + v.sent + ":0",     // an output of the recipient
		fmt.Sprintf(`{"type":"output","ref":%q,`, v.utxo.String()): "/outputs/" + v.utxo.String(),
	}
	for record, to := range paths {
		t.Run(record, func(t *testing.T) {
			got := s.call(t, "PATCH", path+to, k, `{"label": "Straße \"1\""}`).want(t, 200, `"label":"Straße \"1\""`)
			if exported := export(); !strings.Contains(exported, record+`"label":"Straße \"1\""}`) {
				t.Errorf("%s: after %s the export is %s", to, got.body, exported)
			}
			acts := s.audit(t, v.id)
			got = s.call(t, "PATCH", path+to, k, `{"label": ""}`).want(t, 200)
			if exported := export(); strings.Contains(exported, record) {
				t.Errorf("%s: after %s the export is %s", to, got.body, exported)
			}
			s.call(t, "PATCH", path+to, k, `{"label": ""}`).want(t, 200) // changes nothing
			if n := s.audit(t, v.id) - acts; n != 1 {
				t.Errorf("%s: %d entries in the audit log", to, n)
			}
			for body, code := range map[string]string{
				`{"label": "` + strings.Repeat("x", 256) + `"}`: "invalid_input", `{"label": "a\u0007b"}`: "invalid_input", `{}`: "invalid_input", `{"label": null}`: "invalid_input",
			} {
				s.call(t, "PATCH", path+to, k, body).wantProblem(t, 400, code)
			}
			s.call(t, "PATCH", path+to, s.token(t, viewer, 0).bearer(), `{"label": "x"}`).wantProblem(t, 403, "insufficient_role")
		})
	}
	for to, code := range map[string]string{
		"/addresses/" + v.foreign: "address_not_found", "/transactions/" + hash("x"): "transaction_not_found",
		"/outputs/" + v.sent + ":7": "output_not_found", "/outputs/" + hash("x") + ":0": "output_not_found",
	} {
		s.call(t, "PATCH", path+to, k, `{"label": "x"}`).wantProblem(t, 404, code)
	}
	s.call(t, "PATCH", path+"/outputs/x", k, `{"label": "x"}`).want(t, 400)
	s.call(t, "PATCH", path+"/outputs/"+v.sent+":1", k, `{"label": "rest"}`).want(t, 200).
		wantJSON(t, fmt.Sprintf(`{"vout": 1, "address": %q, "amount_sat": 199668, "mine": true, "branch": "change", "index": 0, "label": "rest", "address_label": ""}`, v.change[0]))
	if got := s.call(t, "GET", path+"/transactions?label=rest", k, "").want(t, 200).list("txid"); fmt.Sprint(got) != fmt.Sprint([]string{v.sent}) {
		t.Errorf("transactions with the new label: %v", got)
	}
	s.call(t, "PATCH", path+"/addresses/"+url.PathEscape("bitcoin:"+v.change[0]+"?label=other"), k, `{"label": "spare"}`).want(t, 200, `"label":"spare"`)
	s.call(t, "PATCH", path+"/addresses/"+url.PathEscape("bitcoin:?lightning=x"), k, `{"label": "spare"}`).wantProblem(t, 400, "invalid_payment_uri")
	s.call(t, "PATCH", path+"/addresses/"+strings.ToUpper(v.change[0]), k, `{"label": "savings"}`).want(t, 200, `"address":"`+v.change[0]+`"`, `"label":"savings"`)
	s.call(t, "PATCH", path+"/outputs/"+v.sent+":1", k, `{"label": ""}`).want(t, 200, `"label":"savings","address_label":"savings"`)
}

// audit counts the audit events about labels of a wallet.
func (s *server) audit(t *testing.T, walletID string) (n int) {
	t.Helper()
	testkit.Check(t, s.db.QueryRowContext(t.Context(), "SELECT count(*) FROM audit WHERE action = 'wallet.label' AND target = $1", walletID).Scan(&n))
	return n
}
