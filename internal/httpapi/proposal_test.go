package httpapi_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/psbt"
	"github.com/specterd/specterd/internal/testenv/testkit"
	"github.com/specterd/specterd/internal/wallet"
)

// spending is a server with a real node, a 2-of-3 wallet, and a member of it in each role.
type spending struct {
	*server
	node  *testkit.Node
	purse *nodeWallet
	owner testUser
	role  map[string]string // Authorization of a member, by role
	path  string            // URL path of the proposals
}

const payee = "bcrt1qgc6h85z43g3ss2dl5zdrzrp3ef6av4neqcqhh8"

// TestProposals tests the proposal routes with one real node, on which Core wallets sign.
func TestProposals(t *testing.T) {
	t.Parallel()
	n := testkit.Bitcoind(t)
	w := &spending{server: start(t, onNode(n)), node: n, purse: newNodeWallet(t, n), role: map[string]string{}, path: "/api/v1/wallets/vault_23_fam/proposals"}
	w.owner = w.user(t, "admin", true)
	id := w.multisig(t, "vault_23_fam")
	for _, role := range []string{"viewer", "proposer", "signer", "owner"} {
		p := w.owner
		if role != "owner" {
			p = w.user(t, role, false)
			w.sql(t, "INSERT INTO members (wallet_id, user_id, role, alias, created_at) VALUES ($1, $2, $3, 'vault_23_fam', 0)", id, p.ID, role)
		}
		w.role[role] = w.token(t, p, 0).bearer()
	}
	w.purse.pay(t, w.server, id, slices.Repeat([]btc.Amount{btc.BTC / 2}, 8)...)
	for _, c := range []struct { // not in parallel: they share the UTXOs
		name string
		test func(*testing.T, *spending)
	}{
		{"flow", testProposalFlow},
		{"work", testProposalWork},
		{"qr", testProposalQR},
		{"signature formats", testSignatureFormats},
		{"roles", testProposalRoles},
		{"cancel", testProposalCancel},
		{"amounts", testProposalAmounts},
		{"list", testProposalList},
		{"recipients", testProposalRecipients},
		{"v1alpha recipients", testAlphaRecipients},
		{"v1alpha", testAlphaProposal},
		{"scripts", testAlphaScripts},
		{"fees", testProposalFees},
		{"size", testProposalSize},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, w) })
	}
}

// multisig creates a 2-of-3 wallet with consecutive devices, starting at firstDevice, and a
// signing wallet on the node for each device. It returns the id of the 2-of-3 wallet.
func (w *spending) multisig(t *testing.T, alias string) string {
	t.Helper()
	const firstDevice = 1
	script := testkit.WSH
	for i := range script.Keys {
		w.node.Signer(t, fmt.Sprint("device", i), script.Descriptor(t, firstDevice, "0", i), script.Descriptor(t, firstDevice, "1", i))
	}
	view, err := w.Wallets.Create(t.Context(), w.owner.principal(), wallet.Plan{
		Name: alias, Alias: alias, Descriptor: script.Descriptor(t, firstDevice, "<0;1>", -1), Birthday: wallet.Birthday{Now: true},
	})
	testkit.Check(t, err)
	return view.ID
}

// propose creates a proposal that pays 100,000 satoshis and returns the response. more
// contains additional members of the request, each after a comma.
func (w *spending) propose(t *testing.T, role, more string) answer {
	t.Helper()
	return w.call(t, "POST", w.path, w.role[role], `{"recipients": [{"address": "`+payee+`", "amount_sat": 100000, "label": "rent"}], "fee_rate_sat_vb": 3.5`+more+`}`)
}

func (w *spending) ask(t *testing.T, method, path, role, body string, header map[string]string) answer {
	t.Helper()
	return w.do(t, request{method: method, path: w.path + path, auth: []string{w.role[role]}, body: body, header: header})
}

// signed returns the PSBT of a response after adding the signatures of a device.
func (w *spending) signed(t *testing.T, a answer, device int) []byte {
	t.Helper()
	return w.node.Sign(t, testkit.Must(base64.StdEncoding.DecodeString(a.text("psbt"))), fmt.Sprint("device", device))
}

func testProposalFlow(t *testing.T, w *spending) {
	before := w.dump(t, true)
	tried := w.propose(t, "proposer", `, "dry_run": true`).want(t, 200, `"id":null`, `"status":"created"`)
	if tried.header.Get("Etag") != "" || w.dump(t, true) != before {
		t.Error("the response to a dry run has an ETag, or the dry run changed the database")
	}
	estimated := w.call(t, "POST", w.path, w.role["proposer"], `{"recipients": [{"address": "`+payee+`", "amount_sat": 100000}], "dry_run": true}`)
	estimated.want(t, 200, `"requested_fee_rate_sat_vb":null,"fee_source":"fallback","target_blocks":6`)
	dust := `{"recipients": [{"address": "` + payee + `", "amount_sat": 293}], "fee_rate_sat_vb": 2}`
	w.ask(t, "POST", "", "proposer", dust, nil).wantProblem(t, 400, "amount_too_small").want(t, 400, `"field":"recipients[0].amount_sat"`)
	made := w.propose(t, "proposer", "").want(t, 201)
	id, etag := made.text("id"), made.header.Get("Etag")
	if etag != `"1"` {
		t.Errorf("ETag %s", etag)
	}
	made.wantJSON(t, fmt.Sprintf(`{"id": %q, "status": "created", "status_at": "…", "reason": null, "txid": "…", "final_txid": null,
		"amount_sat": 100000, "fee_sat": "…", "fee_rate_sat_vb": "…", "requested_fee_rate_sat_vb": 3.5, "fee_source": "requested", "target_blocks": null, "excess_fee_sat": 0,
		"vsize": "…", "vsize_estimated": true, "replaceable": true, "send_max": false, "subtract_fee_from": [],
		"replaces": null, "replaces_id": null, "replaced_by": null, "evicts": [], "warnings": [], "inputs": "…", "outputs": "…", "signatures_required": 2, "signers": "…",
		"created_by": {"user": "proposer", "token_id": "…"}, "created_at": "2026-12-01T10:00:00.25Z", "expires_at": "2026-12-31T10:00:00.25Z",
		"review": null, "steps": [{"at": "…", "action": "created", "user": "proposer", "token_id": "…", "detail": null}], "psbt": "…", "raw_hex": null, "signatures_withheld": false}`, id))
	made.want(t, 201, `"signed_inputs":0,"signed":false,"signed_at":null,"user":null}`, `"kind":"external","branch":null,"index":null,"recipient":0}`,
		`"kind":"change","branch":"change","index":`, `"recipient":null}`, `"signatures":0}`)
	wantRate(t, made, 3.5)

	if got := w.ask(t, "GET", "/"+id, "viewer", "", map[string]string{"If-None-Match": etag}).want(t, 304); got.body != "" || got.header.Get("Etag") != etag {
		t.Errorf("%v %s", got.header, got.body)
	}
	if got := w.ask(t, "GET", "/"+id, "viewer", "", nil).want(t, 200); got.body != made.body || got.header.Get("Etag") != etag {
		t.Error("the proposal differs from the response that created it")
	}
	first := w.signed(t, made, 0)
	for tag, status := range map[string]int{`"2"`: 412, `W/"1"`: 412, `"x"`: 412, `"01"`: 412, `1`: 400, ``: 400} {
		w.ask(t, "POST", "/"+id+"/signatures", "signer", string(first), map[string]string{"Content-Type": "application/octet-stream", "If-Match": tag}).want(t, status)
	}
	half := w.ask(t, "POST", "/"+id+"/signatures", "signer", string(first), map[string]string{"Content-Type": "application/octet-stream", "If-Match": `"9", "1"`}).
		want(t, 200, `"status":"partially_signed"`, `"signed_inputs":1,"signed":true,"signed_at":"2026-12-01T10:00:00.25Z","user":"signer"`, `"signatures":1}`, `"action":"signed"`)
	if half.header.Get("Etag") != `"2"` || half.fields["raw_hex"] != nil {
		t.Errorf("ETag %s", half.header.Get("Etag"))
	}
	w.ask(t, "POST", "/"+id+"/broadcast", "signer", "", nil).wantProblem(t, 409, "invalid_status")
	// Posting the same signature again changes nothing; another device signs the original PSBT.
	w.ask(t, "POST", "/"+id+"/signatures", "owner", string(first), map[string]string{"Content-Type": "application/octet-stream"}).want(t, 200)
	body := fmt.Sprintf(`{"psbt": %q}`, base64.StdEncoding.EncodeToString(w.signed(t, made, 2)))
	whole := w.ask(t, "POST", "/"+id+"/signatures", "owner", body, nil).want(t, 200, `"status":"complete"`, `"vsize_estimated":false`, `"raw_hex":"02`)
	w.ask(t, "POST", "/"+id+"/signatures", "owner", base64.StdEncoding.EncodeToString(first), map[string]string{"Content-Type": "text/plain"}).want(t, 200)
	w.ask(t, "GET", "/"+id, "owner", "", map[string]string{"If-None-Match": etag}).want(t, 200)

	w.wantWithheld(t, made, whole)

	w.ask(t, "POST", "/"+id+"/broadcast", "signer", "", map[string]string{"If-Match": `"2"`}).wantProblem(t, 412, "proposal_changed")
	once := map[string]string{"Idempotency-Key": "send-it-once", "If-Match": whole.header.Get("Etag")}
	w.ask(t, "POST", "/"+id+"/broadcast", "signer", "[]", nil).wantProblem(t, 400, "invalid_json")
	sent := w.ask(t, "POST", "/"+id+"/broadcast", "signer", "null", once).want(t, 200, `"status":"broadcast"`)
	if again := w.ask(t, "POST", "/"+id+"/broadcast", "signer", "null", once).want(t, 200); again.body != sent.body || again.header.Get("Idempotency-Replayed") != "true" {
		t.Error("the response to the repeated request is not a replay")
	}
	w.node.CLI(t, "getmempoolentry", sent.text("final_txid"))

	more := fmt.Sprintf("/%s/bump", id)
	w.ask(t, "POST", more, "proposer", `{"fee_rate_sat_vb": 3.5}`, nil).wantProblem(t, 400, "fee_rate_too_low").want(t, 400, `"field":"fee_rate_sat_vb"`)
	w.ask(t, "POST", more, "proposer", `{"fee_rate_sat_vb": 20.125, "dry_run": true}`, nil).want(t, 200, `"id":null`, `"evicts":[]`)
	w.ask(t, "POST", "/"+id+"/abandon", "signer", "", nil).wantProblem(t, 409, "payment_pending")
	bumped := w.ask(t, "POST", more, "proposer", `{"fee_rate_sat_vb": 20.125}`, nil).want(t, 201, `"replaces_id":"`+id+`"`, `"replaces":"`+sent.text("final_txid")+`"`, `"requested_fee_rate_sat_vb":20.125`)
	wantRate(t, bumped, 20.125)
	w.ask(t, "DELETE", "/"+bumped.text("id"), "proposer", "", map[string]string{"If-Match": `"2"`}).wantProblem(t, 412, "proposal_changed")
	w.ask(t, "DELETE", "/"+bumped.text("id"), "proposer", "", map[string]string{"If-Match": "*"}).want(t, 200, `"status":"cancelled"`, `"warnings":[]`, `"remedy":null`)
	w.ask(t, "DELETE", "/"+bumped.text("id"), "proposer", "", nil).wantProblem(t, 409, "invalid_status")
	w.ask(t, "GET", "/"+bumped.text("id"), "viewer", "", nil).want(t, 200, `"status":"cancelled"`, `"reason":"cancelled by proposer"`)
}

// wantWithheld checks that callers that may neither sign nor broadcast get a complete proposal
// without its signatures.
func (w *spending) wantWithheld(t *testing.T, made, whole answer) {
	t.Helper()
	path := w.path + "/" + made.text("id")
	readOnly := w.token(t, w.owner, auth.ProposalsRead|auth.ProposalsCreate).bearer()
	for who, credential := range map[string]string{"viewer": w.role["viewer"], "proposer": w.role["proposer"], "token that cannot sign": readOnly} {
		t.Run(who, func(t *testing.T) {
			got := w.call(t, "GET", path, credential, "").want(t, 200, `"raw_hex":null,"signatures_withheld":true`, `"status":"complete"`, `"vsize_estimated":false`)
			if got.text("psbt") != made.text("psbt") {
				t.Errorf("%s: the PSBT differs from the unsigned one", who)
			}
		})
	}
	for _, scope := range []auth.Scopes{auth.ProposalsSign, auth.ProposalsBroadcast} {
		got := w.call(t, "GET", path, w.token(t, w.owner, auth.ProposalsRead|scope).bearer(), "").want(t, 200, `"signatures_withheld":false`)
		if got.text("psbt") != whole.text("psbt") || got.text("raw_hex") != whole.text("raw_hex") || got.text("raw_hex") == "" {
			t.Errorf("with the scope %s the signatures are withheld", scope)
		}
	}
}

func hasSignatures(base64PSBT string) bool {
	return testkit.Must(psbt.Parse(testkit.Must(base64.StdEncoding.DecodeString(base64PSBT)))).HasSignatures()
}

// wantRate checks that the fee rate of a proposal is not below the requested one and at most
// 2% above it, and that it equals the fee divided by the size, apart from rounding.
func wantRate(t *testing.T, a answer, asked float64) {
	t.Helper()
	fee, size, rate := a.fields["fee_sat"].(float64), a.fields["vsize"].(float64), a.fields["fee_rate_sat_vb"].(float64)
	if rate < asked*0.999 || rate > asked*1.02 || rate < fee/size-0.001 || rate > fee/size+0.001 {
		t.Errorf("%v sat for %v vB at %v, asked for %v", fee, size, rate, asked)
	}
}

// testProposalRoles checks that a viewer can read proposals, a proposer can create proposals
// and cancel their own, and a signer can sign, broadcast and cancel any proposal.
func testProposalRoles(t *testing.T, w *spending) {
	w.propose(t, "viewer", "").wantProblem(t, 403, "insufficient_role")
	mine, theirs := w.propose(t, "proposer", "").want(t, 201), w.propose(t, "signer", "").want(t, 201)
	for _, c := range []struct {
		role, method, path string
		status             int
	}{
		{"viewer", "GET", "", 200},
		{"viewer", "DELETE", "", 403},
		{"viewer", "POST", "/bump", 403},
		{"proposer", "POST", "/signatures", 403},
		{"proposer", "POST", "/broadcast", 403},
	} {
		body := ""
		if c.method == "POST" {
			body = `{}`
		}
		got := w.ask(t, c.method, "/"+mine.text("id")+c.path, c.role, body, nil).want(t, c.status)
		if c.status == 403 {
			got.wantProblem(t, 403, "insufficient_role")
		}
	}
	w.ask(t, "DELETE", "/"+theirs.text("id"), "proposer", "", nil).wantProblem(t, 403, "insufficient_role")
	w.ask(t, "DELETE", "/"+mine.text("id"), "proposer", "", nil).want(t, 200, `"status":"cancelled"`, `"warnings":[]`, `"remedy":null`)
	again := w.propose(t, "proposer", "").want(t, 201)
	w.ask(t, "DELETE", "/"+again.text("id"), "signer", "", nil).want(t, 200, `"status":"cancelled"`, `"warnings":[]`, `"remedy":null`)
	w.ask(t, "DELETE", "/"+theirs.text("id"), "signer", "", nil).want(t, 200, `"status":"cancelled"`, `"warnings":[]`, `"remedy":null`)
	// The scopes of a token restrict the rights of its user.
	reader := w.token(t, w.owner, auth.ProposalsRead).bearer()
	w.call(t, "POST", w.path, reader, "{}").wantProblem(t, 403, "insufficient_scope")
	w.call(t, "POST", alphaWallets+"vault_23_fam/psbt", reader, "{}").wantMessage(t, 403, "the token lacks the scope proposals:create")
	blind := w.token(t, w.owner, auth.WalletsRead).bearer()
	w.propose(t, "owner", "").want(t, 201)
	w.call(t, "GET", alphaWallets+"vault_23_fam", blind, "").want(t, 200, `"pending_psbts":{}`)
	w.call(t, "GET", alphaWallets+"vault_23_fam", w.role["viewer"], "").want(t, 200, `"pending_psbts":{"`)
	w.testUnseen(t)
	w.cancelAll(t)
}

// testUnseen checks that a token without proposals:read gets the proposal in the response to
// its creation, but no body, only an ETag, in the response to a change.
func (w *spending) testUnseen(t *testing.T) {
	t.Helper()
	limited := func(scope auth.Scopes) string { return w.token(t, w.owner, scope).bearer() }
	creator, signer := limited(auth.ProposalsCreate), limited(auth.ProposalsSign)
	body := `{"recipients": [{"address": "` + payee + `", "amount_sat": 100000}], "fee_rate_sat_vb": 3.5}`
	made := w.call(t, "POST", w.path, creator, body).want(t, 201, `"psbt":"`)
	path := w.path + "/" + made.text("id")
	w.call(t, "GET", path, creator, "").wantProblem(t, 403, "insufficient_scope")
	post := fmt.Sprintf(`{"psbt": %q}`, base64.StdEncoding.EncodeToString(w.signed(t, made, 0)))
	for _, got := range []answer{w.call(t, "POST", path+"/signatures", signer, post), w.call(t, "DELETE", path, creator, "")} {
		if got.want(t, 204); got.body != "" || got.header.Get("Content-Type") != "" || got.header.Get("Etag") == "" {
			t.Errorf("%v %s", got.header, got.body)
		}
	}
	w.call(t, "GET", path, w.role["viewer"], "").want(t, 200, `"status":"cancelled"`)
}

// testProposalCancel checks that the response to the cancellation of a signed proposal has a
// warning and a remedy: a request that creates a proposal with a conflicting transaction.
func testProposalCancel(t *testing.T, w *spending) {
	const stillValid, stillSendable = `"warnings":[{"code":"still_valid","message":"the proposal had enough signatures`, `anyone who has a copy of its transaction can still send it"`
	path := "/" + w.propose(t, "proposer", "").want(t, 201).text("id")
	w.ask(t, "POST", path+"/broadcast", "signer", "", nil).wantProblem(t, 409, "invalid_status").
		want(t, 409, "the proposal is created; this requires the status complete or broadcast; missing: 2 signatures", `"allowed_statuses":"complete broadcast"`)
	w.ask(t, "POST", "", "proposer", `{"recipients": [{"amount_sat": 1000}]}`, nil).wantProblem(t, 400, "invalid_input").
		want(t, 400, `"field":"recipients[0].address","message":"is required"`)
	var whole answer
	for device := range 2 {
		made := w.ask(t, "GET", path, "signer", "", nil).want(t, 200)
		whole = w.ask(t, "POST", path+"/signatures", "signer", string(w.signed(t, made, device)), map[string]string{"Content-Type": "application/octet-stream"}).want(t, 200)
	}
	cancelled := w.ask(t, "DELETE", path, "proposer", "", map[string]string{"If-Match": whole.header.Get("Etag")}).
		want(t, 200, `"status":"cancelled"`, `"raw_hex":null,"signatures_withheld":false,"remedy":{`, `"signed":true`, stillValid, stillSendable)
	if hasSignatures(cancelled.text("psbt")) || cancelled.header.Get("Etag") == whole.header.Get("Etag") {
		t.Errorf("the cancelled proposal has signatures: %s", cancelled.body)
	}
	w.ask(t, "GET", path, "signer", "", nil).want(t, 200, `"raw_hex":null,"signatures_withheld":false}`, stillValid, stillSendable)
	remedy := string(testkit.Must(json.Marshal(cancelled.fields["remedy"])))
	w.ask(t, "POST", "", "proposer", remedy, nil).want(t, 201, `"kind":"own"`, `"send_max":true`)
	w.cancelAll(t)
}

func (w *spending) cancelAll(t *testing.T) {
	t.Helper()
	for _, id := range w.ask(t, "GET", "?status=created,partially_signed&status=complete", "owner", "", nil).want(t, 200).list("id") {
		w.ask(t, "DELETE", "/"+id, "owner", "", nil).want(t, 200, `"status":"cancelled"`)
	}
}

// testProposalAmounts checks that amounts are exact to the satoshi.
func testProposalAmounts(t *testing.T, w *spending) {
	paid := func(a answer) (amounts []int64) {
		t.Helper()
		tx := testkit.Must(psbt.Parse(testkit.Must(base64.StdEncoding.DecodeString(a.text("psbt"))))).Tx()
		for _, out := range tx.TxOut {
			amounts = append(amounts, out.Value)
		}
		return amounts
	}
	const other = "bcrt1q3kfetuxpxvujasww6xas94nawklvpz0e52uw8a"
	for text, want := range map[string]int64{"294": 294, "10000000": 10_000_000, "12345679": 12_345_679, "30000000": 30_000_000} {
		t.Run(text, func(t *testing.T) {
			got := w.call(t, "POST", w.path, w.role["proposer"], `{"recipients": [{"address": "`+payee+`", "amount_sat": `+text+`}], "fee_rate_sat_vb": 1, "dry_run": true}`).want(t, 200)
			if !slices.Contains(paid(got), want) {
				t.Errorf("%s: %v", text, paid(got))
			}
		})
	}
	w.call(t, "POST", w.path, w.role["proposer"], `{"recipients": [{"address": "`+payee+`", "amount_sat": 2099999997690000}]}`).wantProblem(t, 409, "insufficient_funds")
	path := alphaWallets + "vault_23_fam/psbt/"
	for body, want := range map[string][]int64{
		`0.1, "unit": "btc"}, {"address": "` + other + `", "amount": 0.2, "unit": "btc"`: {10_000_000, 20_000_000},
		`"0.10", "unit": "btc"`:     {10_000_000},
		`0.29999999, "unit": "btc"`: {29_999_999},
		`294e-8, "unit": "btc"`:     {294},
		`1.1e-05, "unit": "btc"`:    {1100},
		`1e3, "unit": "sat"`:        {1000},
		`1000.0, "unit": "sat"`:     {1000},
		`"111211", "unit": "sat"`:   {111_211},
	} {
		t.Run(body, func(t *testing.T) {
			got := w.call(t, "POST", path, w.role["proposer"], `{"recipients": [{"address": "`+strings.ToUpper(payee)+`", "amount": `+body+`}], "fee_rate": "1"}`).want(t, 200, `"fee_rate_source":"request"`)
			tx := got.fields["result"].(map[string]any)["tx"].(map[string]any)
			for _, amount := range want {
				if !slices.ContainsFunc(tx["vout"].([]any), func(o any) bool { return o.(map[string]any)["sats"] == float64(amount) }) {
					t.Errorf("%s: %v", body, tx["vout"])
				}
			}
			w.cancelAll(t)
		})
	}
	mixed := strings.Replace(payee, "bcrt1qgc6h", "BCRT1QGC6h", 1)
	w.call(t, "POST", path, w.role["proposer"], `{"recipients": [{"address": "`+mixed+`", "amount": "+.001", "unit": "btc"}], "fee_rate": "2.00049"}`).want(t, 200, `"`+payee+`"`)
	w.call(t, "POST", w.path, w.role["proposer"], `{"recipients": [{"address": "`+mixed+`", "amount_sat": 100000}]}`).wantProblem(t, 400, "invalid_address")
	w.cancelAll(t)
	for _, amount := range []string{`2099999997690000, "unit": "sat"`, `20999999.9769, "unit": "btc"`} {
		w.call(t, "POST", path, w.role["proposer"], `{"recipients": [{"address": "`+payee+`", "amount": `+amount+`}], "fee_rate": 1}`).
			wantMessage(t, 412, "Wallet does not have sufficient funds to make the transaction.")
	}
}

func testProposalList(t *testing.T, w *spending) {
	var ids []string
	for range 3 {
		w.clock.advance(time.Second)
		ids = append([]string{w.propose(t, "proposer", "").want(t, 201).text("id")}, ids...)
	}
	got := w.ask(t, "GET", "?limit=2&status=created", "viewer", "", nil).want(t, 200)
	next := w.ask(t, "GET", "?limit=2&status=created&cursor="+got.text("next_cursor"), "viewer", "", nil).want(t, 200, `"next_cursor":null`)
	if found := append(got.list("id"), next.list("id")...); !slices.Equal(found, ids) {
		t.Errorf("%v, want %v", found, ids)
	}
	for _, secret := range []string{`"psbt"`, `"raw_hex"`} {
		if strings.Contains(got.body, secret) {
			t.Errorf("the list contains %s", secret)
		}
	}
	one := w.ask(t, "GET", "/"+ids[0], "viewer", "", nil).want(t, 200)
	if found := w.ask(t, "GET", "?txid="+one.text("txid"), "viewer", "", nil).want(t, 200).list("id"); !slices.Equal(found, ids[:1]) {
		t.Errorf("by txid: %v", found)
	}
	etag := got.header.Get("Etag")
	w.ask(t, "GET", "?limit=2&status=created", "viewer", "", map[string]string{"If-None-Match": etag}).want(t, 304)
	w.cancelAll(t)
}

// testAlphaProposal creates proposals as a script for Specter Desktop does and compares them
// with their representation in v1.
func testAlphaProposal(t *testing.T, w *spending) {
	path := alphaWallets + "vault_23_fam/psbt"
	w.call(t, "GET", path+"/", w.role["viewer"], "").want(t, 200, `{"result":{}}`)
	for _, rate := range []string{`, "fee_rate": "0"`, `, "fee_rate": 0.0`, `, "fee_rate": null`, ""} { // the node falls back to -fallbackfee
		w.call(t, "POST", path, w.role["proposer"], `{"recipients": [{"address": "`+payee+`", "amount": 1000, "unit": "sat"}], "colour": 1`+rate+`}`).want(t, 200, `"fee_rate_source":"estimate"`)
	}
	w.cancelAll(t)
	body := `{"recipients": [{"address": "` + payee + `", "amount": 0.001, "unit": "btc", "label": "rent"}], "fee_rate": 5, "rbf": %s, "subtract": %s, "subtract_from": "0", "rbf_tx_id": ""}`
	for rbf, sequence := range map[string]float64{`"false"`: 4294967294, `"yes"`: 4294967293, `0`: 4294967294, `true`: 4294967293, `null`: 4294967294} {
		t.Run(rbf, func(t *testing.T) {
			got := w.call(t, "POST", path+"/", w.role["proposer"], fmt.Sprintf(body, rbf, `"no"`)).want(t, 200, `"sats":[100000]`, `"amount":[0.001]`)
			vin := got.fields["result"].(map[string]any)["tx"].(map[string]any)["vin"].([]any)
			if vin[0].(map[string]any)["sequence"] != sequence {
				t.Errorf("rbf %s: %v", rbf, vin)
			}
			w.cancelAll(t)
		})
	}
	made := w.call(t, "POST", path, w.role["proposer"], fmt.Sprintf(body, "true", `"1"`)).want(t, 200, `"fee_rate":5.`, `"sigs_count":0`, `"devices_signed":[]`)
	result := made.fields["result"].(map[string]any)
	if sats := result["sats"].([]any); sats[0].(float64)+result["fee_sat"].(float64) != 100_000 {
		t.Errorf("the recipient gets %v, with a fee of %v", sats, result["fee_sat"])
	}
	txid := result["tx"].(map[string]any)["txid"].(string)
	id := w.ask(t, "GET", "?txid="+txid, "viewer", "", nil).want(t, 200).list("id")[0]
	for i, want := range []string{`"sigs_count":1`, `"sigs_count":2`} {
		one := w.ask(t, "GET", "/"+id, "viewer", "", nil).want(t, 200)
		w.ask(t, "POST", "/"+id+"/signatures", "signer", string(w.signed(t, one, i)), map[string]string{"Content-Type": "application/octet-stream"}).want(t, 200)
		for role, isSigner := range map[string]bool{"viewer": false, "signer": true} {
			listed := w.call(t, "GET", path, w.role[role], "").want(t, 200, `{"result":{"`+txid+`":{"tx":{`, want)
			signed := listed.fields["result"].(map[string]any)[txid].(map[string]any)
			if raw, _ := signed["raw"].(string); len(signed["devices_signed"].([]any)) != i+1 || (raw != "") != (i == 1 && isSigner) {
				t.Errorf("to a %s: %v, %v", role, signed["devices_signed"], signed["raw"])
			}
			if hasSignatures(signed["base64"].(string)) != isSigner {
				t.Errorf("to a %s: %v", role, signed["base64"])
			}
			shown := w.call(t, "GET", alphaWallets+"vault_23_fam", w.role[role], "").want(t, 200)
			if pending := shown.fields["vault_23_fam"].(map[string]any)["pending_psbts"]; string(testkit.Must(json.Marshal(pending))) != string(testkit.Must(json.Marshal(listed.fields["result"]))) {
				t.Error("pending_psbts differs from the list")
			}
		}
	}
	sent := w.ask(t, "POST", "/"+id+"/broadcast", "signer", "", nil).want(t, 200)
	w.call(t, "GET", path, w.role["viewer"], "").want(t, 200, `{"result":{}}`)
	w.node.CLI(t, "getmempoolentry", sent.text("final_txid"))
	w.call(t, "POST", path, w.role["proposer"], `{"recipients": [{"address": "`+payee+`", "amount": 1, "unit": "btc"}], "fee_rate": 5, "rbf_tx_id": "`+txid+`x"}`).
		wantMessage(t, 400, "rbf_tx_id: must be the id of a proposal or the txid of a transaction in this wallet")
	replacing := w.call(t, "POST", path, w.role["proposer"], strings.Replace(fmt.Sprintf(body, "true", "false"), `"rbf_tx_id": ""`, `"rbf_tx_id": "`+id+`"`, 1))
	replacing.want(t, 400, `"message":"fee_rate: must be at least`)
	for _, amount := range []string{`1e-8, "unit": "btc"`, `293, "unit": "sat"`} {
		w.call(t, "POST", path, w.role["proposer"], `{"recipients": [{"address": "`+payee+`", "amount": `+amount+`}], "fee_rate": 5}`).
			wantMessage(t, 400, "recipients[0].amount: must be at least 294 sat for an address of this type: a lower amount is dust, which the Bitcoin node does not relay")
	}
}

// testAlphaScripts compares the inputs and outputs that v1alpha returns for single-key wallets
// with decodepsbt of the node.
func testAlphaScripts(t *testing.T, w *spending) {
	for i, form := range []string{"pkh(%s)", "sh(wpkh(%s))", "wpkh(%s)", "tr(%s)"} {
		alias := fmt.Sprintf("script_%d", i)
		public, _ := testkit.Key(t, 10+i)
		view, err := w.Wallets.Create(t.Context(), w.owner.principal(), wallet.Plan{
			Name: alias, Alias: alias, Descriptor: fmt.Sprintf(form, public+"/<0;1>/*"), Birthday: wallet.Birthday{Now: true},
		})
		testkit.Check(t, err)
		w.purse.pay(t, w.server, view.ID, btc.BTC)
		made := w.call(t, "POST", alphaWallets+alias+"/psbt", w.role["owner"], `{"recipients": [{"address": "`+payee+`", "amount": 0.1, "unit": "btc"}], "fee_rate": 2}`).want(t, 200)
		type scope struct {
			Derivations    any                       `json:"bip32_derivs"`
			TapDerivations any                       `json:"taproot_bip32_derivs"`
			TapInternalKey string                    `json:"taproot_internal_key"`
			WitnessUTXO    *struct{ Amount float64 } `json:"witness_utxo"`
			NonWitnessUTXO *struct{ Txid string }    `json:"non_witness_utxo"`
		}
		var got struct {
			Result struct {
				Base64          string
				Inputs, Outputs []scope
			}
		}
		testkit.Check(t, json.Unmarshal([]byte(made.body), &got))
		var want struct{ Inputs, Outputs []scope }
		testkit.Check(t, json.Unmarshal(w.node.CLI(t, "decodepsbt", got.Result.Base64), &want))
		for at, said := range map[string][2][]scope{"input": {got.Result.Inputs, want.Inputs}, "output": {got.Result.Outputs, want.Outputs}} {
			for n := range said[1] {
				ours, theirs := said[0][n], said[1][n]
				if ours.WitnessUTXO != nil || ours.NonWitnessUTXO == nil || form != "pkh(%s)" { // v1alpha shows either WitnessUTXO or NonWitnessUTXO
					theirs.NonWitnessUTXO = ours.NonWitnessUTXO
				}
				if diff := gocmp.Diff(theirs, ours); diff != "" {
					t.Errorf("%s, %s %d: %s", form, at, n, diff)
				}
			}
		}
		if in := got.Result.Inputs[0]; (in.WitnessUTXO == nil) != (i == 0) || (in.NonWitnessUTXO == nil) == (i == 0) || (in.TapInternalKey == "") == (i == 3) {
			t.Errorf("%s: the input is %+v", form, in)
		}
	}
}
