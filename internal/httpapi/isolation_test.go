package httpapi_test

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/httpapi"
	"github.com/specterd/specterd/internal/httpapi/route"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// identifiers has the values that a caller can put into paths, queries and bodies.
type identifiers struct{ alias, address, txid, outpoint, label, user, cursor, etag, key, proposal, proposed, invitation string }

func (i identifiers) fill(text string) string {
	return strings.NewReplacer("{alias}", i.alias, "{address}", i.address, "{txid}", i.txid, "{outpoint}", i.outpoint,
		"{label}", strings.ReplaceAll(i.label, " ", "%20"), "{user}", i.user, "{cursor}", i.cursor, "{etag}", i.etag, "{key}", i.key,
		"{id}", i.proposal, "{proposed}", i.proposed, "{invitation}", i.invitation).Replace(text)
}

// probe is a request with placeholders for identifiers. {own} is the alias of the caller's
// own wallet, and {me} the name of the caller.
type probe struct{ method, path, body string }

// probes has requests to every wallet route for resources of another user. They name either
// the other user's wallet by its alias, or the caller's own wallet, {own}, together with other
// identifiers of the other user.
var probes = []probe{
	{"GET", "/api/v1/wallets?cursor={cursor}", ""},
	{"POST", "/api/v1/wallets", `{"name": "x", "descriptor": "wpkh({alias})", "birthday": "now"}`}, // see testIsolationOfKeys
	{"POST", "/api/v1/wallets/inspect", `{"file": "wpkh({alias})"}`},
	{"GET", "/api/v1/wallets/{alias}", ""},
	{"GET", "/api/v1/wallets/{alias}?min_height=999999", ""},
	{"GET", "/api/v1/wallets/{alias}/export?format=core", ""},
	{"PATCH", "/api/v1/wallets/{alias}", `{"name": "mine"}`},
	{"PATCH", "/api/v1/wallets/{alias}", `{"alias": "{own}"}`},
	{"DELETE", "/api/v1/wallets/{alias}", ""},
	{"GET", "/api/v1/wallets/{alias}/members", ""},
	{"PUT", "/api/v1/wallets/{alias}/members/{user}", `{"role": "viewer"}`},
	{"PUT", "/api/v1/wallets/{alias}/members/{me}", `{"role": "owner"}`},
	{"DELETE", "/api/v1/wallets/{alias}/members/{user}", ""},
	{"DELETE", "/api/v1/wallets/{own}/members/{user}", ""},
	{"GET", "/api/v1/wallets/{alias}/invitations", ""},
	{"POST", "/api/v1/wallets/{alias}/invitations", `{"user": "{me}", "role": "owner"}`},
	{"GET", "/api/v1/invitations", ""},
	{"POST", "/api/v1/invitations/{invitation}/accept", `{"alias": "mine"}`},
	{"DELETE", "/api/v1/invitations/{invitation}", ""},
	{"GET", "/api/v1/wallets/{alias}/rescan", ""},
	{"POST", "/api/v1/wallets/{alias}/rescan", `{"from": 0}`},
	{"DELETE", "/api/v1/wallets/{alias}/rescan", ""},
	{"GET", "/api/v1/wallets/{alias}/addresses", ""},
	{"GET", "/api/v1/wallets/{own}/addresses?label={label}", ""},
	{"POST", "/api/v1/wallets/{alias}/addresses", `{"label": "{label}"}`},
	{"GET", "/api/v1/addresses/{address}", ""},
	{"GET", "/api/v1/wallets/{alias}/addresses/{address}", ""},
	{"GET", "/api/v1/wallets/{own}/addresses/{address}", ""},
	{"PATCH", "/api/v1/wallets/{alias}/addresses/{address}", `{"label": "mine"}`},
	{"PATCH", "/api/v1/wallets/{own}/addresses/{address}", `{"label": "mine"}`},
	{"PATCH", "/api/v1/wallets/{alias}/transactions/{txid}", `{"label": "mine"}`},
	{"PATCH", "/api/v1/wallets/{own}/transactions/{txid}", `{"label": "mine"}`},
	{"PATCH", "/api/v1/wallets/{alias}/outputs/{outpoint}", `{"label": "mine"}`},
	{"PATCH", "/api/v1/wallets/{own}/outputs/{outpoint}", `{"label": "mine"}`},
	{"GET", "/api/v1/wallets/{own}/utxos?label={label}", ""},
	{"GET", "/api/v1/wallets/{own}/utxos?address={address}", ""},
	{"GET", "/api/v1/wallets/{own}/transactions?address={address}", ""},
	{"GET", "/api/v1/wallets/{alias}/utxos", ""},
	{"PUT", "/api/v1/wallets/{alias}/utxos/{outpoint}/freeze", ""},
	{"PUT", "/api/v1/wallets/{own}/utxos/{outpoint}/freeze", ""},
	{"DELETE", "/api/v1/wallets/{alias}/utxos/{outpoint}/freeze", ""},
	{"DELETE", "/api/v1/wallets/{own}/utxos/{outpoint}/freeze", ""},
	{"GET", "/api/v1/wallets/{alias}/events", ""},
	{"GET", "/api/v1/wallets/{alias}/transactions", ""},
	{"GET", "/api/v1/wallets/{alias}/transactions?view=ledger", ""},
	{"GET", "/api/v1/wallets/{own}/transactions?label={label}", ""},
	{"GET", "/api/v1/wallets/{own}/transactions?cursor={cursor}", ""},
	{"GET", "/api/v1/wallets/{alias}/transactions/{txid}", ""},
	{"GET", "/api/v1/wallets/{own}/transactions/{txid}", ""},
	{"GET", "/api/v1/transactions?label={label}", ""},
	{"GET", "/api/v1/transactions?cursor={cursor}", ""},
	{"GET", "/api/v1/wallets/{alias}/labels", ""},
	{"POST", "/api/v1/wallets/{alias}/labels", `{"type": "tx", "ref": "{txid}", "label": "{new}"}`},
	{"POST", "/api/v1/wallets/{own}/labels", `{"type": "tx", "ref": "{txid}", "label": "{new}"}`},
	{"POST", "/api/v1/wallets/{own}/labels", `{"type": "addr", "ref": "{address}", "label": "{new}"}`},
	{"POST", "/api/v1/wallets/{own}/labels", `{"type": "output", "ref": "{outpoint}", "label": "{new}", "spendable": false}`},
	{"GET", "/api/v1/wallets/{alias}/proposals", ""},
	{"GET", "/api/v1/wallets/{own}/proposals?txid={proposed}", ""},
	{"POST", "/api/v1/wallets/{alias}/proposals", toForeign + `}`},
	{"POST", "/api/v1/wallets/{own}/proposals", toForeign + `, "utxos": ["{outpoint}"]}`},
	{"POST", "/api/v1/wallets/{own}/proposals", toForeign + `, "replaces": "{id}"}`},
	{"POST", "/api/v1/wallets/{own}/proposals", toForeign + `, "replaces": "{proposed}"}`},
	{"POST", "/api/v1/wallets/{own}/proposals", toForeign + `, "replaces": "{txid}", "dry_run": true}`},
	{"GET", "/api/v1/wallets/{alias}/proposals/{id}", ""},
	{"GET", "/api/v1/wallets/{own}/proposals/{id}", ""},
	{"GET", "/api/v1/wallets/{alias}/proposals/{id}/qr", ""},
	{"GET", "/api/v1/wallets/{own}/proposals/{id}/qr?format=bbqr", ""},
	{"DELETE", "/api/v1/wallets/{alias}/proposals/{id}", ""},
	{"DELETE", "/api/v1/wallets/{own}/proposals/{id}", ""},
	{"GET", "/api/v1/wallets/{alias}/policy", ""},
	{"PUT", "/api/v1/wallets/{alias}/policy", `{"policy": {"version": 1, "allow": [{"name": "all", "max_recipients": 3000}]}}`},
	{"DELETE", "/api/v1/wallets/{alias}/policy", ""},
	{"POST", "/api/v1/wallets/{alias}/policy/simulate", toForeign + `}`},
	{"GET", "/api/v1/wallets/{alias}/policy/usage", ""},
	{"GET", "/api/v1/wallets/{alias}/policy/changes", ""},
	{"POST", "/api/v1/wallets/{alias}/policy/changes/{id}/approve", ""},
	{"DELETE", "/api/v1/wallets/{alias}/policy/changes/{id}", ""},
	{"GET", "/api/v1/wallets/{alias}/lists", ""},
	{"GET", "/api/v1/wallets/{alias}/lists/{name}", ""},
	{"PUT", "/api/v1/wallets/{alias}/lists/{name}", `{"entries": []}`},
	{"DELETE", "/api/v1/wallets/{alias}/lists/{name}", ""},
	{"GET", "/api/v1/wallets/{alias}/members/{user}/policy", ""},
	{"PUT", "/api/v1/wallets/{alias}/members/{user}/policy", `{"policy": {"version": 1, "allow": [{"name": "all", "max_recipients": 3000}]}}`},
	{"DELETE", "/api/v1/wallets/{alias}/members/{user}/policy", ""},
	{"POST", "/api/v1/wallets/{alias}/proposals/{id}/approve", ""},
	{"POST", "/api/v1/wallets/{own}/proposals/{id}/approve", ""},
	{"POST", "/api/v1/wallets/{alias}/proposals/{id}/reject", `{"reason": "no"}`},
	{"POST", "/api/v1/wallets/{own}/proposals/{id}/reject", `{"reason": "no"}`},
	{"POST", "/api/v1/wallets/{alias}/proposals/{id}/signatures", `{"psbt": "{psbt}"}`},
	{"POST", "/api/v1/wallets/{own}/proposals/{id}/signatures", `{"psbt": "{psbt}"}`},
	{"POST", "/api/v1/wallets/{alias}/proposals/{id}/broadcast", ""},
	{"POST", "/api/v1/wallets/{own}/proposals/{id}/broadcast", ""},
	{"POST", "/api/v1/wallets/{alias}/proposals/{id}/bump", `{"fee_rate_sat_vb": 50}`},
	{"POST", "/api/v1/wallets/{own}/proposals/{id}/bump", `{"fee_rate_sat_vb": 50}`},
	{"POST", "/api/v1/wallets/{alias}/proposals/{id}/abandon", ""},
	{"POST", "/api/v1/wallets/{own}/proposals/{id}/abandon", ""},
	{"GET", "/api/v1alpha/wallets/{alias}/psbt", ""},
	{"POST", "/api/v1alpha/wallets/{alias}/psbt", toForeignAlpha + `}`},
	{"POST", "/api/v1alpha/wallets/{own}/psbt", toForeignAlpha + `, "rbf_tx_id": "{txid}"}`},
	{"POST", "/api/v1alpha/wallets/{own}/psbt", toForeignAlpha + `, "rbf_tx_id": "{id}"}`},
	{"POST", "/api/v1/tokens", `{"description": "x", "lifetime": "1 hour", "wallets": ["{alias}"]}`},
}

const (
	toForeign      = `{"recipients": [{"address": "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080", "amount_sat": 1000}], "fee_rate_sat_vb": 2`
	toForeignAlpha = `{"recipients": [{"address": "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080", "amount": 1000, "unit": "sat"}], "fee_rate": 2`
)

// TestIsolation_EveryRouteHasAProbe checks that there is a probe for every v1 route for
// wallets, invitations, addresses or transactions, and for every v1alpha route for PSBTs.
func TestIsolation_EveryRouteHasAProbe(t *testing.T) {
	t.Parallel()
	for _, to := range httpapi.Routes(httpapi.Options{}) {
		if !strings.HasPrefix(to.Path, "/api/v1/") && !strings.HasSuffix(to.Path, "/psbt") || !to.Role.OfWallet() && !strings.Contains(to.Path, "wallet") && !strings.Contains(to.Path, "invitation") && !strings.Contains(to.Path, "address") && !strings.Contains(to.Path, "transaction") {
			continue
		}
		if !slices.ContainsFunc(probes, func(p probe) bool {
			path, _, _ := strings.Cut(p.path, "?")
			path = strings.NewReplacer("{own}", "{alias}", "{me}", "{user}", "{invitation}", "{id}").Replace(path)
			return p.method == to.Method && path == to.Path
		}) {
			t.Errorf("there are no probes for %s %s", to.Method, to.Path)
		}
	}
}

// TestIsolation gives two users different wallets with the same alias and makes a third user a
// viewer of one of them. A request for a resource of another user must get byte for byte the
// same response as a request for a resource that does not exist.
func TestIsolation(t *testing.T) {
	t.Parallel()
	n := testkit.Bitcoind(t)
	n.Mine(t, 1)
	for engine, setting := range engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			s := start(t, setting(t), onNode(n))
			alice, bob, carol := s.user(t, "alice", false), s.user(t, "bob", false), s.user(t, "carol", false)
			hers, secret := s.vault(t, alice, "vault"), s.vault(t, alice, "secret_one")
			secret.utxo = s.minedUTXO(t, n, &secret)
			s.vault(t, bob, "vault")
			s.sql(t, "INSERT INTO members (wallet_id, user_id, role, alias, created_at) VALUES ($1, $2, 'viewer', 'vault', 0)", hers.id, carol.ID)
			his := s.vault(t, bob, "savings")

			alices := s.token(t, alice, 0).bearer()
			known := s.identify(t, alices, alice, secret)
			unknown := identifiers{
				alias: "nothing_so", address: "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080", txid: hash("nothing"), outpoint: hash("nothing") + ":0",
				label: "no such label", user: "unknown", cursor: known.cursor, etag: `"0123"`, key: "another key",
				proposal: "00000000-0000-4000-8000-00000000dead", proposed: hash("nothing proposed"), invitation: "00000000-0000-4000-8000-00000000dead",
			}
			for name, authorization := range map[string]string{
				"bob": s.token(t, bob, 0).bearer(), "carol": s.token(t, carol, 0).bearer(),
				"bob, for one wallet": s.tokenFor(t, bob, time.Hour, 0, []string{"vault"}).bearer(),
			} {
				asked := known
				if name == "carol" { // carol may see alice, who is a member of the same wallet
					asked.user = bob.Name
				}
				for _, p := range probes {
					s.compare(t, name, authorization, p, asked, unknown)
				}
			}
			// A token of bob that is limited to one of his wallets must not reach the others.
			mine := s.identify(t, s.token(t, bob, 0).bearer(), bob, his)
			mine.user, mine.cursor = alice.Name, known.cursor // a cursor is a point in time and does not belong to a wallet
			other := s.tokenFor(t, bob, time.Hour, 0, []string{"vault"}).bearer()
			for _, p := range probes {
				s.compare(t, "bob, for the other wallet", other, p, mine, unknown)
			}
			// Aliases are unique per user only.
			s.call(t, "PATCH", "/api/v1/wallets/savings", s.token(t, bob, 0).bearer(), `{"alias": "secret_one"}`).want(t, 200)
			s.wantUntouched(t, alices, secret)
			testIsolationOfKeys(t, s, alice, bob)
			testIsolationOfMembers(t, s, alice, alices, s.token(t, carol, 0).bearer(), hers)
		})
	}
}

// identify returns all identifiers of a wallet and of the resources in it. It creates a
// proposal and an invitation for this purpose.
func (s *server) identify(t *testing.T, owner string, who testUser, v vault) identifiers {
	t.Helper()
	page := s.call(t, "GET", "/api/v1/wallets/"+v.alias+"/transactions?limit=1", owner, "").want(t, 200)
	p := s.proposal(t, who, &v, 0)
	i, err := s.Wallets.Invite(t.Context(), testkit.Access(t, s.Wallets, who.principal(), v.alias), "a guest", auth.RoleViewer)
	testkit.Check(t, err)
	return identifiers{
		alias: v.alias, address: v.receive[0], txid: v.sent, outpoint: v.utxo.String(), label: v.label, user: who.Name,
		cursor: page.text("next_cursor"), etag: page.header.Get("Etag"), key: "her key",
		proposal: p.ID, proposed: p.Txid, invitation: i.ID,
	}
}

// compare makes the same request for a resource of another user and for a resource that does
// not exist, and checks that the responses are equal and show no data of the other user.
func (s *server) compare(t *testing.T, name, authorization string, p probe, known, unknown identifiers) {
	t.Helper()
	me, _, _ := strings.Cut(name, ",")
	ask := func(i identifiers) answer {
		t.Helper()
		own := strings.NewReplacer("{own}", "vault", "{me}", me, "{psbt}", anyPSBT, "{new}", rand.Text())
		r := request{
			method: p.method, path: i.fill(own.Replace(p.path)), auth: []string{authorization}, body: i.fill(own.Replace(p.body)),
			header: map[string]string{"X-Request-Id": "same", "If-None-Match": i.etag},
		}
		if strings.HasSuffix(p.path, "/labels") && p.body != "" {
			r.header["Content-Type"] = "application/jsonl"
		}
		return s.do(t, r)
	}
	a, b := ask(known), ask(unknown)
	delete(a.header, "Date")
	delete(b.header, "Date")
	if a.status != b.status || a.body != b.body || fmt.Sprint(a.header) != fmt.Sprint(b.header) {
		t.Errorf("%s: %s %s for a resource of another user: %d %s %v\nfor an unknown one: %d %s %v", name, p.method, p.path, a.status, a.body, a.header, b.status, b.body, b.header)
	}
	for _, secret := range []string{known.txid, known.address, known.label, known.proposed} {
		if strings.Contains(a.body, secret) {
			t.Errorf("%s: %s %s shows %s: %s", name, p.method, p.path, secret, a.body)
		}
	}
}

// wantUntouched checks that no request of another user has changed a wallet.
func (s *server) wantUntouched(t *testing.T, owner string, v vault) {
	t.Helper()
	s.call(t, "GET", "/api/v1/wallets/"+v.alias, owner, "").want(t, 200, `"name":"secret_one"`, `"status":"ready"`, `"frozen_sat":0`, `"next_index":5`)
	s.call(t, "GET", "/api/v1/wallets/"+v.alias+"/proposals", owner, "").want(t, 200, `"status":"created"`, `"replaced_by":null`, `"next_cursor":null`)
	s.call(t, "GET", "/api/v1/wallets/"+v.alias+"/members", owner, "").want(t, 200, `{"items":[{"user":"alice","role":"owner"`)
	got := s.call(t, "GET", "/api/v1/wallets/"+v.alias+"/labels", owner, "").want(t, 200, v.label, v.note)
	if strings.Contains(got.body, "mine") || strings.Contains(got.body, "spendable") {
		t.Errorf("labels: %s", got.body)
	}
	if utxos := s.call(t, "GET", "/api/v1/wallets/"+v.alias+"/utxos", owner, "").want(t, 200); strings.Contains(utxos.body, `"frozen":true`) {
		t.Errorf("UTXOs: %s", utxos.body)
	}
}

// testIsolationOfKeys checks that idempotency keys belong to one user, and that two users can
// create wallets with the same descriptor.
func testIsolationOfKeys(t *testing.T, s *server, alice, bob testUser) {
	t.Helper()
	body := fmt.Sprintf(`{"name": "Same", "descriptor": %q, "birthday": "now"}`, descriptor())
	for _, p := range []testUser{alice, bob} {
		got := s.do(t, keyedRequest("/api/v1/wallets", s.token(t, p, 0).bearer(), "k", body)).want(t, 201, `"alias":"same"`)
		if got.header.Get("Idempotency-Replayed") != "" {
			t.Error("the response to another user's request was replayed")
		}
	}
	var count int
	testkit.Check(t, s.db.QueryRow("SELECT count(*) FROM wallets WHERE name = 'Same'").Scan(&count))
	if count != 2 {
		t.Errorf("%d wallets", count)
	}
}

// testIsolationOfMembers checks that a viewer can only read, and loses access as soon as the
// membership is deleted.
func testIsolationOfMembers(t *testing.T, s *server, alice testUser, owner, viewer string, v vault) {
	t.Helper()
	id := s.proposal(t, alice, &v, 0).ID
	s.sql(t, "INSERT INTO policies (subject, wallet_id, document, user_name, set_at) VALUES ($1, $2, '{\"version\":1}', 'x', 0)", "wallet:"+v.id, v.id)
	s.sql(t, "INSERT INTO policies (subject, wallet_id, document, user_name, set_at) VALUES ($1, $2, '{\"version\":1}', 'x', 0)", "member:"+v.id+":"+alice.ID, v.id)
	s.sql(t, "INSERT INTO policy_lists (wallet_id, name, entries, user_name, set_at) VALUES ($1, 'suppliers', '{\"entries\":[]}', 'x', 0)", v.id)
	for _, to := range httpapi.Routes(httpapi.Options{}) {
		alpha := strings.HasPrefix(to.Path, "/api/v1alpha/")
		if !strings.Contains(to.Path, "{alias}") {
			continue
		}
		path := strings.NewReplacer("{alias}", "vault", "{user}", "alice", "{outpoint}", v.utxo.String(), "{txid}", v.sent, "{address}", v.receive[0], "{id}", id, "{name}", "suppliers").Replace(to.Path)
		if to.Handler.Name == "ExportWallet" {
			path += "?format=core"
		}
		r := request{method: to.Method, path: path, auth: []string{viewer}}
		switch {
		case to.Method == http.MethodPatch:
			r.body = `{"name": "mine"}`
		case to.Handler.Name == "RejectProposal":
			r.body = `{"reason": "no"}`
		case to.Handler.NeedsBody:
			r.body = `{"role": "owner", "from": 0}`
		}
		got := s.do(t, r)
		switch {
		case to.Method == http.MethodGet && to.Role == route.Viewer:
			got.want(t, 200)
		case to.Handler.Name == "ApprovePolicyChange":
			got.wantProblem(t, 404, "policy_change_not_found")
		case to.Scope == auth.ProposalsApprove: // which a policy can permit to a viewer
			got.wantProblem(t, 403, "not_an_approver")
		case alpha:
			got.want(t, 403, "your role in this wallet is viewer")
		default:
			got.wantProblem(t, 403, "insufficient_role")
		}
	}
	if got := s.call(t, "GET", "/api/v1/wallets", viewer, "").want(t, 200).list("alias"); fmt.Sprint(got) != "[vault]" {
		t.Errorf("a viewer of one wallet sees %v", got)
	}
	if got := s.call(t, "GET", "/api/v1/transactions?limit=1000", viewer, "").want(t, 200).list("wallet"); len(got) != 4 {
		t.Errorf("a viewer of one wallet sees %d transactions", len(got))
	}
	s.call(t, "DELETE", "/api/v1/wallets/vault/members/carol", owner, "").want(t, 204)
	s.call(t, "GET", "/api/v1/wallets/vault", viewer, "").wantProblem(t, 404, "wallet_not_found")
	if got := s.call(t, "GET", "/api/v1/transactions", viewer, "").want(t, 200); got.body != `{"items":[],"next_cursor":null,"as_of":null}`+"\n" {
		t.Errorf("a removed member gets %s", got.body)
	}
}
