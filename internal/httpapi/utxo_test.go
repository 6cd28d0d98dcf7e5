package httpapi_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/testenv/testkit"
	"github.com/specterd/specterd/internal/wallet"
)

func testAddresses(t *testing.T, s *server, _ *testkit.Node) {
	p := s.user(t, "p", false)
	v := s.vault(t, p, "vault")
	k := s.token(t, p, auth.WalletsRead|auth.AddressesWrite).bearer()
	const path = "/api/v1/wallets/vault/addresses"
	s.call(t, "GET", path+"?limit=2", k, "").want(t, 200).wantJSON(t, fmt.Sprintf(`{"items": [
		{"address": %q, "branch": "receive", "index": 0, "label": %q, "revealed": true, "used": true},
		{"address": %q, "branch": "receive", "index": 1, "label": "", "revealed": true, "used": true}],
		"next_cursor": "…", "as_of": {"height": 186, "hash": %q}}`, v.receive[0], v.note, v.receive[1], tipHash))
	for query, want := range map[string][]string{
		"branch=change&used=true": v.change[:1], "branch=receive&revealed=true": v.receive[:3], "label=" + url.QueryEscape(v.note): v.receive[:1],
		"branch=change&limit=2&label=": v.change[:2], "used=true": {v.receive[0], v.receive[1], v.receive[2], v.change[0]},
		"revealed=false&branch=receive&limit=2": v.receive[3:5], "label=none": nil,
	} {
		t.Run(query, func(t *testing.T) {
			if got := s.call(t, "GET", path+"?"+query, k, "").want(t, 200).list("address"); fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("%s: %v, want %v", query, got, want)
			}
		})
	}
	var all []string
	for cursor := ""; ; {
		got := s.call(t, "GET", path+"?limit=50&cursor="+url.QueryEscape(cursor), k, "").want(t, 200)
		all = append(all, got.list("address")...)
		if cursor = got.text("next_cursor"); cursor == "" {
			break
		}
	}
	if each := testkit.Lookahead * 3 / 2; len(all) != 2*each || all[0] != v.receive[0] || all[each] != v.change[0] {
		t.Errorf("%d addresses", len(all))
	}
	s.call(t, "GET", path+"?branch=both", k, "").wantProblem(t, 400, "invalid_input")

	s.call(t, "POST", path, k, `{"label": "invoice 17"}`).want(t, 201).wantJSON(t, fmt.Sprintf(
		`{"address": %q, "branch": "receive", "index": 3, "label": "invoice 17", "unused_in_a_row": 1, "warning": null}`, v.receive[3]))
	s.call(t, "POST", path, k, "").want(t, 201).wantJSON(t, fmt.Sprintf(
		`{"address": %q, "branch": "receive", "index": 4, "label": "", "unused_in_a_row": 2, "warning": null}`, v.receive[4]))
	for range wallet.MaxUnused - 2 {
		s.call(t, "POST", path, k, "{}").want(t, 201, `"warning":null`)
	}
	s.call(t, "POST", path, k, "{}").want(t, 201, `"unused_in_a_row":21,"warning":"21 addresses in a row`)
	s.call(t, "POST", path, k, `{"label": "a\nb"}`).wantProblem(t, 400, "invalid_input")

	found := fmt.Sprintf(`{"address": %q, "items": [{"wallet": "vault", "branch": "change", "index": 1, "path": "1/1", "label": "", "revealed": false, "used": false,
		"as_of": {"height": 186, "hash": %q}}]}`, v.change[1], tipHash)
	for _, spelled := range []string{v.change[1], strings.ToUpper(v.change[1])} {
		s.call(t, "GET", "/api/v1/addresses/"+spelled, k, "").want(t, 200).wantJSON(t, found)
	}
	for _, unknown := range []string{v.foreign, "nonsense", "%00", "a%2Fb"} {
		if got := s.call(t, "GET", "/api/v1/addresses/"+unknown, k, ""); got.status != 404 && unknown != "%00" || got.status == 200 {
			t.Errorf("%s: %d %s", unknown, got.status, got.body)
		}
	}
}

func testUTXOs(t *testing.T, s *server, n *testkit.Node) {
	p := s.user(t, "p", false)
	v := s.vault(t, p, "vault")
	k := s.token(t, p, 0).bearer()
	const path = "/api/v1/wallets/vault/utxos"
	all := map[string]any{}
	var order []string
	for cursor := ""; ; {
		got := s.call(t, "GET", path+"?limit=1&cursor="+url.QueryEscape(cursor), k, "").want(t, 200, `"as_of":{"height":186`)
		for _, item := range got.fields["items"].([]any) {
			txid := item.(map[string]any)["txid"].(string)
			all[txid] = item
			order = append(order, txid)
		}
		if cursor = got.text("next_cursor"); cursor == "" {
			break
		}
	}
	if len(order) != 3 || order[0] > order[1] || order[1] > order[2] {
		t.Errorf("UTXOs of %v", order)
	}
	answer{body: string(testkit.Must(json.Marshal(all)))}.wantJSON(t, fmt.Sprintf(`{
		%q: {"txid": %[1]q, "vout": 1, "address": %q, "amount_sat": 199668, "branch": "change", "index": 0, "label": "", "time": "2026-12-01T07:00:00.25Z",
			"status": "confirmed", "height": 182, "confirmations": 5, "trusted": true, "immature": false, "frozen": false, "reserved": false, "locked": false},
		%q: {"txid": %[3]q, "vout": 0, "address": %q, "amount_sat": 5000000000, "branch": "receive", "index": 1, "label": "", "time": "2026-12-01T05:00:00.25Z",
			"status": "confirmed", "height": 180, "confirmations": 7, "trusted": false, "immature": true, "frozen": false, "reserved": false, "locked": false},
		%q: {"txid": %[5]q, "vout": 0, "address": %q, "amount_sat": 7000, "branch": "receive", "index": 2, "label": "", "time": "2026-12-01T08:00:00.25Z",
			"status": "mempool", "height": null, "confirmations": 0, "trusted": false, "immature": false, "frozen": false, "reserved": false, "locked": false}}`,
		v.sent, v.change[0], v.generated, v.receive[1], v.pending, v.receive[2]))

	utxo := s.minedUTXO(t, n, &v)
	freeze := path + "/" + utxo.String() + "/freeze"
	frozen := func() bool {
		got := s.call(t, "GET", path, k, "").want(t, 200)
		return strings.Contains(got.body, `"frozen":true`)
	}
	for range 2 {
		s.call(t, "PUT", freeze, k, "").want(t, 204)
		if !frozen() || !strings.Contains(string(n.WalletCLI(t, "specterd-"+v.id, "listlockunspent")), utxo.Txid) {
			t.Error("the UTXO is not frozen")
		}
	}
	for range 2 {
		s.call(t, "DELETE", freeze, k, "").want(t, 204)
		if frozen() || string(n.WalletCLI(t, "specterd-"+v.id, "listlockunspent")) != "[]" {
			t.Error("the UTXO is still frozen")
		}
	}
	for _, method := range []string{"PUT", "DELETE"} {
		for outpoint, status := range map[string]int{
			v.received + ":0": 404, v.sent + ":0": 404, hash("x") + ":0": 404, "x": 400, v.sent: 400, v.sent + ":01": 400, strings.ToUpper(v.sent) + ":1": 400, v.sent + ":4294967296": 400,
		} {
			s.call(t, method, path+"/"+outpoint+"/freeze", k, "").want(t, status)
		}
	}
}

func testUTXOFilters(t *testing.T, s *server, n *testkit.Node) {
	p := s.user(t, "p", false)
	v := s.vault(t, p, "vault")
	k := s.token(t, p, 0).bearer()
	mined := s.minedUTXO(t, n, &v)
	s.call(t, "PUT", "/api/v1/wallets/vault/utxos/"+mined.String()+"/freeze", k, "").want(t, 204)
	testkit.Check(t, s.store.SetLabels(t.Context(), v.id, []btc.Label{
		{Type: "addr", Ref: v.change[0], Label: new("savings")},
		{Type: "output", Ref: v.utxo.String(), Label: new("change")},
		{Type: "addr", Ref: v.receive[1], Label: new("savings")},
	}, auth.Event{}))
	all := []string{v.generated, v.sent, v.pending, mined.Txid}
	for query, want := range map[string][]string{
		"": all, "label=savings": {v.sent, v.generated}, "label=change": {v.sent}, "label=": {v.pending, mined.Txid}, "label=none": nil,
		"address=" + v.receive[2]: {v.pending}, "address=" + strings.ToUpper(v.receive[2]): {v.pending}, "address=" + v.foreign: nil, "address=BITCOIN:" + strings.ToUpper(v.receive[2]): {v.pending},
		"frozen=true": {mined.Txid}, "frozen=false": {v.generated, v.sent, v.pending}, "frozen=false&label=savings&address=" + v.change[0]: {v.sent},
	} {
		t.Run(query, func(t *testing.T) {
			for _, limit := range []int{1, 100} {
				seen := map[string]bool{}
				for cursor := ""; ; {
					got := s.call(t, "GET", fmt.Sprintf("/api/v1/wallets/vault/utxos?%s&limit=%d&cursor=%s", query, limit, url.QueryEscape(cursor)), k, "").want(t, 200)
					for _, txid := range got.list("txid") {
						seen[txid] = true
					}
					if cursor = got.text("next_cursor"); cursor == "" {
						break
					}
				}
				missing := 0
				for _, txid := range want {
					if !seen[txid] {
						missing++
					}
				}
				if missing > 0 || len(seen) != len(want) {
					t.Errorf("%s, %d at a time: %v, want %v", query, limit, seen, want)
				}
			}
		})
	}
	s.call(t, "GET", "/api/v1/wallets/vault/utxos?frozen=maybe", k, "").wantProblem(t, 400, "invalid_input")
}
