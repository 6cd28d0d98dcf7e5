package httpapi_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// TestWallets tests the wallet routes with one real node.
func TestWallets(t *testing.T) {
	t.Parallel()
	n := testkit.Bitcoind(t)
	n.Mine(t, 3)
	for name, test := range map[string]func(t *testing.T, s *server, n *testkit.Node){
		"create":         testCreateWallet,
		"create once":    testCreateWalletOnce,
		"files":          testWalletFiles,
		"private files":  testPrivateFiles,
		"signers' files": testSignersFiles,
		"show":           testShowWallet,
		"change":         testChangeWallet,
		"members":        testMembers,
		"invitations":    testInvitations,
		"no users":       testNoUserEnumeration,
		"re-pointed":     testRepointedAlias,
		"uninvited":      testUninvitedMember,
		"rescan":         testRescan,
		"addresses":      testAddresses,
		"utxos":          testUTXOs,
		"transactions":   testTransactions,
		"export":         testExport,
		"ledger":         testLedger,
		"labels":         testLabels,
		"one address":    testAddressDetails,
		"some UTXOs":     testUTXOFilters,
		"one label":      testSetLabel,
		"deceptive text": testDeceptiveText,
	} {
		for engine, setting := range engines {
			t.Run(name+" on "+engine, func(t *testing.T) {
				t.Parallel()
				test(t, start(t, setting(t), onNode(n)), n)
			})
		}
	}
	t.Run("min_height", func(t *testing.T) { // mostly waits, so SQLite alone is enough
		t.Parallel()
		testMinHeight(t, start(t, onNode(n)))
	})
}

// wantJSON compares a response with JSON. The value "…" matches anything.
func (a answer) wantJSON(t *testing.T, want string) {
	t.Helper()
	var w, g any
	testkit.Check(t, json.Unmarshal([]byte(want), &w))
	testkit.Check(t, json.Unmarshal([]byte(a.body), &g))
	if diff := cmp.Diff(w, g, cmp.FilterValues(func(x, y any) bool { return x == "…" || y == "…" }, cmp.Ignore())); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func testCreateWallet(t *testing.T, s *server, _ *testkit.Node) {
	mining.RLock()
	defer mining.RUnlock()
	p := s.user(t, "p", false)
	k := s.token(t, p, auth.WalletsRead|auth.WalletsWrite).bearer()
	d := descriptor()
	made := s.call(t, "POST", "/api/v1/wallets", k, fmt.Sprintf(`{"name": "Vault 2/3 - Fam", "descriptor": %q, "birthday": "now"}`, d)).want(t, 201)
	made.wantJSON(t, fmt.Sprintf(`{
		"alias": "vault_23_fam", "name": "Vault 2/3 - Fam", "role": "owner", "status": "ready", "rescan": null, "problem": null,
		"balances": {"trusted_sat": 0, "untrusted_pending_sat": 0, "immature_sat": 0, "confirmed_sat": 0, "reserved_sat": 0, "frozen_sat": 0, "available_sat": 0},
		"script": "wpkh", "signatures_required": 1,
		"keys": [{"fingerprint": "d34db33f", "derivation": "…", "xpub": %q, "device": "…"}],
		"descriptor": "…", "change_descriptor": "…", "birthday_height": "…", "next_index": 0, "next_change_index": 0, "max_fee_rate_sat_vb": null, "final_after": 6,
		"created_at": "2026-12-01T10:00:00.25Z", "as_of": null, "change_descriptor_implied": false,
		"warnings": [{"code": "origin_mismatch", "message": "has an origin whose path has 3 steps, but the key is at depth 0"}]}`, tpub))
	got := s.call(t, "GET", "/api/v1/wallets/vault_23_fam", k, "").want(t, 200)
	if shown, _, _ := strings.Cut(made.body, `,"change_descriptor_implied":false`); got.body != shown+"}\n" && got.body != shown+"}" {
		t.Errorf("created %s, but it is %s", made.body, got.body)
	}
	receive := strings.Replace(d, "<0;1>", "0", 1)
	if text := made.text("descriptor"); !strings.HasPrefix(text, receive+"#") {
		t.Errorf("descriptor %s, want %s", text, receive)
	}

	s.call(t, "POST", "/api/v1/wallets", k, fmt.Sprintf(`{"name": "x", "alias": "vault_23_fam", "descriptor": %q, "birthday": 0}`, descriptor())).
		wantProblem(t, 409, "alias_exists")
	s.call(t, "POST", "/api/v1/wallets", k, fmt.Sprintf(`{"name": "x", "descriptor": %q, "birthday": "now"}`, d)).wantProblem(t, 409, "wallet_exists").
		want(t, 409, `"details":{"alias":"vault_23_fam"}`)
	change := strings.Replace(descriptor(), "<0;1>", "5", 1)
	two := s.call(t, "POST", "/api/v1/wallets", k, fmt.Sprintf(`{"name": "two", "descriptor": %q, "change_descriptor": %q, "birthday": 1}`,
		strings.Replace(change, "/5/", "/4/", 1), change)).want(t, 201, `"status":"rescanning"`, `"rescan":{"from_height":1,"progress":0,"addresses":60,"addresses_ready":60}`)
	if two.text("alias") != "two" {
		t.Errorf("alias %s", two.text("alias"))
	}
	testImpliedChange(t, s, k)
	keys := `["[d34db33f/48h/1h/0h/2h]` + tpub + `", "[d34db34f/48h/1h/0h/2h]tpubDEeRvN7EHGzzyaJpgezsyPNfXYbxybhq57iJqtp9Nii4fV9TXKLF2NV4t9BLLsLBFWjEEwsfh5y1XZV6vQyiZjkQhPpqoQuTmZo3vLWnLeE"]`
	s.call(t, "POST", "/api/v1/wallets", k, `{"name": "multi", "keys": `+keys+`, "signatures_required": 2, "script": "wsh", "birthday": "2026-11-01"}`).
		want(t, 201, `"script":"wsh"`, `"signatures_required":2`, `"descriptor":"wsh(sortedmulti(2,[d34db33f/48h/1h/0h/2h]tpub`)

	for body, field := range map[string]string{
		`{"name": "x", "birthday": "now"}`:                                                                        "descriptor",
		fmt.Sprintf(`{"name": "x", "descriptor": %q, "keys": ["x"], "birthday": "now"}`, d):                       "descriptor",
		fmt.Sprintf(`{"name": "x", "descriptor": %q}`, descriptor()):                                              "birthday",
		fmt.Sprintf(`{"name": "x", "descriptor": %q, "birthday": null}`, descriptor()):                            "birthday",
		fmt.Sprintf(`{"name": "x", "descriptor": %q, "birthday": "yesterday"}`, descriptor()):                     "birthday",
		fmt.Sprintf(`{"name": "x", "descriptor": %q, "birthday": 99999}`, descriptor()):                           "birthday",
		fmt.Sprintf(`{"name": "", "descriptor": %q, "birthday": "now"}`, descriptor()):                            "name",
		fmt.Sprintf(`{"name": "x", "alias": "Not One", "descriptor": %q, "birthday": "now"}`, descriptor()):       "alias",
		fmt.Sprintf(`{"name": "x", "descriptor": %q, "change_descriptor": "x", "birthday": "now"}`, descriptor()): "change_descriptor",
		fmt.Sprintf(`{"name": "x", "descriptor": %q, "script": "wsh", "birthday": "now"}`, descriptor()):          "keys",
		`{"name": "x", "descriptor": "wpkh(nonsense)", "birthday": "now"}`:                                        "descriptor",
		fmt.Sprintf(`{"name": 5, "descriptor": %q, "birthday": "now"}`, descriptor()):                             "name",
		`{"name": "x", "keys": "x", "birthday": "now"}`:                                                           "keys",
		`{"name": "x", "keys": ["x"], "signatures_required": 1.5, "birthday": "now"}`:                             "signatures_required",
		`{"name": "x", "keys": ["x", "y"], "signatures_required": 1, "script": "nothing", "birthday": "now"}`:     "script",
	} {
		t.Run(body, func(t *testing.T) {
			got := s.call(t, "POST", "/api/v1/wallets", k, body).want(t, 400)
			if !strings.Contains(got.body, `"field":"`+field) {
				t.Errorf("%s: %s, want an error for the field %s", body, got.body, field)
			}
		})
	}
	private := "tprv8ZgxMBicQKsPd7Uf69XL1XwhmjHopUGep8GuEiJDZmbQz6o58LninorQAfcKZWARbtRtfnLcJ5MQ2AtHcQJCCRUcMRvmDUjyEmNUWwx8UbK"
	s.secret(private)
	if got := s.call(t, "POST", "/api/v1/wallets", k, `{"name": "x", "descriptor": "wpkh(`+private+`/<0;1>/*)", "birthday": "now"}`).want(t, 400); strings.Contains(got.body, private) {
		t.Error("the response repeats a private key")
	}
	limited := s.token(t, p, 0, "two")
	s.call(t, "POST", "/api/v1/wallets", limited.bearer(), fmt.Sprintf(`{"name": "y", "descriptor": %q, "birthday": "now"}`, descriptor())).
		wantProblem(t, 403, "token_limited_to_wallets")
	if got := s.call(t, "GET", "/api/v1/wallets", k, "").want(t, 200).list("alias"); fmt.Sprint(got) != "[multi two vault_23_fam]" {
		t.Errorf("the wallets are %v", got)
	}
}

// testImpliedChange checks that a receive descriptor that ends in /0/* implies the change
// descriptor, and that it describes the same wallet as a descriptor with <0;1>.
func testImpliedChange(t *testing.T, s *server, k string) {
	t.Helper()
	d := descriptor()
	made := s.call(t, "POST", "/api/v1/wallets", k, fmt.Sprintf(`{"name": "implied", "descriptor": %q, "birthday": "now"}`, strings.Replace(d, "<0;1>", "0", 1))).
		want(t, 201, `"change_descriptor_implied":true`)
	if change := strings.Replace(d, "<0;1>", "1", 1); !strings.HasPrefix(made.text("change_descriptor"), change+"#") {
		t.Errorf("the change descriptor is %s, want %s", made.text("change_descriptor"), change)
	}
	s.call(t, "POST", "/api/v1/wallets", k, fmt.Sprintf(`{"name": "x", "descriptor": %q, "birthday": "now"}`, d)).wantProblem(t, 409, "wallet_exists")
	s.call(t, "POST", "/api/v1/wallets", k, fmt.Sprintf(`{"name": "x", "descriptor": %q, "birthday": "now"}`, strings.Replace(descriptor(), "<0;1>", "2", 1))).
		want(t, 400, "in /0/*, which implies /1/* for change")
	s.sql(t, "DELETE FROM members WHERE alias = 'implied'")
}

// testCreateWalletOnce checks that concurrent and repeated requests with the same idempotency
// key create one wallet.
func testCreateWalletOnce(t *testing.T, s *server, _ *testkit.Node) {
	p := s.user(t, "p", false)
	k := s.token(t, p, 0).bearer()
	r := keyedRequest("/api/v1/wallets", k, "k", fmt.Sprintf(`{"name": "once", "descriptor": %q, "birthday": "now"}`, descriptor()))
	answers := make(chan answer)
	for range 2 {
		go func() { answers <- s.do(t, r) }()
	}
	for range 2 {
		if got := <-answers; got.status != 201 && got.text("code") != "request_in_progress" {
			t.Errorf("%d %s", got.status, got.body)
		}
	}
	made := s.do(t, r).want(t, 201, `"alias":"once"`)
	if again := s.do(t, r).want(t, 201); again.body != made.body || again.header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("%s %v", again.body, again.header)
	}
	next := keyedRequest("/api/v1/wallets/once/addresses", k, "k", `{"label": "a"}`)
	first := s.do(t, next).want(t, 201)
	if again := s.do(t, next).want(t, 201); again.body != first.body {
		t.Errorf("first %s, then %s", first.body, again.body)
	}
	next.body = `{"label": "b"}`
	s.do(t, next).wantProblem(t, 422, "idempotency_key_reused")
	if n := s.call(t, "GET", "/api/v1/wallets/once", k, "").fields["next_index"]; n != 1.0 {
		t.Errorf("the next index is %v", n)
	}
}

func testShowWallet(t *testing.T, s *server, _ *testkit.Node) {
	p := s.user(t, "p", false)
	v := s.vault(t, p, "vault")
	k := s.token(t, p, auth.WalletsRead).bearer()
	got := s.call(t, "GET", "/api/v1/wallets/vault", k, "").want(t, 200)
	got.wantJSON(t, `{
		"alias": "vault", "name": "vault", "role": "owner", "status": "ready", "rescan": null, "problem": null,
		"balances": {"trusted_sat": 199668, "untrusted_pending_sat": 7000, "immature_sat": 5000000000, "confirmed_sat": 199668,
			"reserved_sat": 0, "frozen_sat": 0, "available_sat": 199668},
		"script": "wpkh", "signatures_required": 1, "keys": "…", "descriptor": "…", "change_descriptor": "…", "birthday_height": "…",
		"next_index": 3, "next_change_index": 1, "max_fee_rate_sat_vb": null, "final_after": 6, "created_at": "…", "as_of": {"height": 186, "hash": "`+tipHash+`"}}`)
	again := s.do(t, request{method: "GET", path: "/api/v1/wallets/vault", auth: []string{k}, header: map[string]string{"If-None-Match": got.header.Get("Etag")}})
	if again.want(t, 304).body != "" {
		t.Errorf("304 with %s", again.body)
	}
	s.sql(t, "UPDATE wallets SET problem = 'the node lost it', rescan_from = 7, rescan_progress = 0.5 WHERE wallet_id = $1", v.id)
	testkit.Check(t, s.store.SetFrozen(t.Context(), v.id, []btc.Outpoint{v.utxo}, true, s.clock.now(), auth.Event{}))
	s.do(t, request{method: "GET", path: "/api/v1/wallets/vault", auth: []string{k}, header: map[string]string{"If-None-Match": got.header.Get("Etag")}}).
		want(t, 200, `"problem":"the node lost it"`, `"status":"rescanning"`, `"rescan":{"from_height":7,"progress":0.5,"addresses":60,"addresses_ready":60}`, `"frozen_sat":199668,"available_sat":0`)

	s.vault(t, p, "a")
	first := s.call(t, "GET", "/api/v1/wallets?limit=1", k, "").want(t, 200)
	second := s.call(t, "GET", "/api/v1/wallets?limit=1&cursor="+url.QueryEscape(first.text("next_cursor")), k, "").want(t, 200, `"next_cursor":null`)
	if fmt.Sprint(first.list("alias"), second.list("alias")) != "[a] [vault]" {
		t.Errorf("%v, %v", first.list("alias"), second.list("alias"))
	}
	if got := s.call(t, "GET", "/api/v1/wallets", s.token(t, p, 0, "vault").bearer(), "").want(t, 200).list("alias"); fmt.Sprint(got) != "[vault]" {
		t.Errorf("a token for one wallet sees %v", got)
	}
}

func testChangeWallet(t *testing.T, s *server, _ *testkit.Node) {
	p, viewer := s.user(t, "p", false), s.user(t, "viewer", false)
	v, other := s.vault(t, p, "vault"), s.vault(t, p, "other")
	s.sql(t, "INSERT INTO members (wallet_id, user_id, role, alias, created_at) VALUES ($1, $2, 'viewer', 'theirs', 0)", v.id, viewer.ID)
	k, reader := s.token(t, p, 0).bearer(), s.token(t, viewer, 0).bearer()
	s.call(t, "PATCH", "/api/v1/wallets/vault", k, `{"name": "Savings"}`).want(t, 200, `"name":"Savings"`, `"alias":"vault"`)
	s.call(t, "PATCH", "/api/v1/wallets/vault", k, `{"alias": "savings"}`).want(t, 200, `"name":"Savings"`, `"alias":"savings"`)
	s.call(t, "GET", "/api/v1/wallets/vault", k, "").wantProblem(t, 404, "wallet_not_found")
	s.call(t, "PATCH", "/api/v1/wallets/savings", k, `{"alias": "other"}`).wantProblem(t, 409, "alias_exists")
	s.call(t, "PATCH", "/api/v1/wallets/savings", k, `{"alias": "Not One"}`).wantProblem(t, 400, "invalid_input")
	s.call(t, "PATCH", "/api/v1/wallets/savings", k, `{}`).wantProblem(t, 400, "no_changes")
	s.call(t, "PATCH", "/api/v1/wallets/theirs", reader, `{"alias": "mine"}`).want(t, 200, `"name":"Savings"`, `"alias":"mine"`, `"role":"viewer"`)
	s.call(t, "PATCH", "/api/v1/wallets/mine", reader, `{"name": "Mine"}`).wantProblem(t, 403, "insufficient_role")
	s.call(t, "DELETE", "/api/v1/wallets/mine", reader, "").wantProblem(t, 403, "insufficient_role")
	s.call(t, "GET", "/api/v1/wallets/savings", k, "").want(t, 200, `"name":"Savings"`)
	s.call(t, "PATCH", "/api/v1/wallets/savings", k, `{"alias": "épargne"}`).want(t, 200, `"alias":"épargne"`)
	for _, path := range []string{"%C3%A9pargne", "%c3%a9pargne", "%C3%A9p%61rgne"} {
		s.call(t, "GET", "/api/v1/wallets/"+path, k, "").want(t, 200, `"alias":"épargne"`)
	}
	s.call(t, "DELETE", "/api/v1/wallets/%C3%A9pargne", k, "").want(t, 204)
	for _, authorization := range []string{k, reader} {
		if got := s.call(t, "GET", "/api/v1/wallets", authorization, "").want(t, 200); strings.Contains(got.body, "Savings") {
			t.Errorf("the response has a deleted wallet: %s", got.body)
		}
	}
	s.call(t, "GET", "/api/v1/wallets/"+other.alias, k, "").want(t, 200)
}

func testMinHeight(t *testing.T, s *server) {
	p := s.user(t, "p", false)
	v := s.vault(t, p, "vault")
	k := s.token(t, p, 0).bearer()
	for _, path := range []string{
		"/api/v1/wallets/vault", "/api/v1/wallets/vault/addresses", "/api/v1/wallets/vault/utxos", "/api/v1/wallets/vault/transactions",
		"/api/v1/wallets/vault/transactions/" + v.sent, "/api/v1/transactions",
	} {
		s.call(t, "GET", path+"?min_height=186", k, "").want(t, 200)
		s.call(t, "GET", path+"?min_height=0", k, "").want(t, 200)
		s.call(t, "GET", path+"?min_height=-1", k, "").wantProblem(t, 400, "invalid_input")
		s.call(t, "GET", path+"?min_height=x", k, "").wantProblem(t, 400, "invalid_input")
	}
	var waiting sync.WaitGroup
	defer waiting.Wait()
	waiting.Go(func() {
		if got := s.call(t, "GET", "/api/v1/transactions?min_height=188", k, ""); got.status != 409 || got.text("code") != "index_behind" {
			t.Errorf("%d %s", got.status, got.body)
		}
	})
	// Longer than the read timeout of the server, which must not abort a waiting request.
	const later = 6 * time.Second
	waiting.Go(func() {
		time.Sleep(later)
		if _, err := s.db.ExecContext(context.Background(), "UPDATE wallets SET synced_height = 187 WHERE wallet_id = $1", v.id); err != nil {
			t.Error(err)
		}
	})
	begun := time.Now()
	s.call(t, "GET", "/api/v1/wallets/vault/transactions?min_height=187", k, "").want(t, 200, `"as_of":{"height":187`)
	if waited := time.Since(begun); waited < later-time.Second {
		t.Errorf("the request waited only %v", waited)
	}
}
