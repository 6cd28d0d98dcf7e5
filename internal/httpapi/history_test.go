package httpapi_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/testenv/testkit"
	"github.com/specterd/specterd/internal/wallet"
)

func testTransactions(t *testing.T, s *server, _ *testkit.Node) {
	p := s.user(t, "p", false)
	v := s.vault(t, p, "vault")
	k := s.token(t, p, auth.WalletsRead).bearer()
	const path = "/api/v1/wallets/vault/transactions"
	list := func(query string) answer {
		t.Helper()
		return s.call(t, "GET", path+"?"+query, k, "").want(t, 200)
	}
	sent := fmt.Sprintf(`{
		"txid": %q, "wallet": "vault", "time": "2026-12-01T07:00:00.25Z", "status": "confirmed", "confirmations": 5,
		"block": {"height": 182, "hash": %q, "time": "2026-12-01T09:00:00.25Z"}, "category": "send", "flow_sat": -100332, "fee_sat": 332, "vsize": 141,
		"replaceable": "no", "conflicts": [], "address": %q, "address_label": "", "label": %q, "outputs": [
			{"vout": 0, "address": %[3]q, "amount_sat": 100000, "mine": false, "branch": null, "index": null, "label": "", "address_label": ""},
			{"vout": 1, "address": %[5]q, "amount_sat": 199668, "mine": true, "branch": "change", "index": 0, "label": "", "address_label": ""}]}`,
		v.sent, hash("block", "182"), v.foreign, v.label, v.change[0])
	list("category=send").wantJSON(t, `{"items": [`+sent+`], "next_cursor": null, "as_of": {"height": 186, "hash": "`+tipHash+`"}}`)
	whole := strings.Replace(sent, `"outputs"`, `"hex": "`+hex.EncodeToString([]byte("the bytes of "+v.sent))+`", "outputs"`, 1)
	list("category=send&hex=true").wantJSON(t, `{"items": [`+whole+`], "next_cursor": null, "as_of": {"height": 186, "hash": "`+tipHash+`"}}`)
	one := s.call(t, "GET", path+"/"+v.sent, k, "").want(t, 200)
	one.wantJSON(t, strings.TrimSuffix(whole, "}")+`, "as_of": {"height": 186, "hash": "`+tipHash+`"}}`)
	s.do(t, request{method: "GET", path: path + "/" + v.sent, auth: []string{k}, header: map[string]string{"If-None-Match": one.header.Get("Etag")}}).want(t, 304)
	s.call(t, "GET", path+"/"+v.pending, k, "").want(t, 200, `"block":null`, `"status":"mempool"`, `"fee_sat":null`, `"replaceable":"yes"`, `"conflicts":["`+v.replaced+`"]`)
	s.call(t, "GET", path+"/"+v.received, k, "").want(t, 200, `"address_label":"`+v.note+`"`, `"label":"`+v.note+`"`) // the output inherits the label of its address
	for _, unknown := range []string{hash("x"), "x", strings.ToUpper(v.sent)} {
		s.call(t, "GET", path+"/"+unknown, k, "").wantProblem(t, 404, "transaction_not_found")
	}

	alive := []string{v.pending, v.sent, v.received, v.generated}
	for query, want := range map[string][]string{
		"": alive, "limit=2": alive[:2], "unconfirmed=true": {v.pending}, "unconfirmed=false": alive, "category=generate": {v.generated}, "category=mixed": nil,
		"label=" + url.QueryEscape(v.label): {v.sent}, "label=" + url.QueryEscape(v.note): {v.received}, "label=none": nil,
		"address=" + v.foreign: {v.sent}, "address=" + strings.ToUpper(v.foreign): {v.sent}, "address=" + v.change[0]: {v.sent}, "address=" + v.receive[0]: {v.received}, "address=x": nil,
		"address=" + url.QueryEscape("bitcoin:"+v.foreign+"?amount=1&label=x"): {v.sent},
		"since=2026-12-01T06:00:00.25Z":                                        {v.pending, v.sent, v.received}, "since=2026-12-01T06:00:00.250001Z": {v.pending, v.sent},
		"until=2026-12-01T06:00:00.25Z": {v.generated}, "until=2026-12-01T07:00:00.25%2B01:00": {v.generated},
		"since=2026-12-01&until=2026-12-01": alive, "since=2026-12-02": nil, "until=2026-11-30": nil,
		"order=desc": alive, "order=asc": reversed(alive), "order=asc&limit=2": reversed(alive)[:2], "order=asc&unconfirmed=true": {v.pending},
	} {
		t.Run(query, func(t *testing.T) {
			if got := list(query).list("txid"); fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("%s: %v, want %v", query, got, want)
			}
		})
	}
	testAmounts(t, list)
	if got := list("dead=true").list("txid"); len(got) != 5 || !strings.Contains(fmt.Sprint(got), v.replaced) {
		t.Errorf("with dead transactions: %v", got)
	}
	for _, query := range []string{"since=x", "until=2026-13-01", "category=Send", "limit=0", "limit=1001", "cursor=x", "dead=maybe", "Category=send", "order=ASC", "order=x", "min_amount_sat=-1", "max_amount_sat=-1", "min_amount_sat=x", "min_amount_sat=0.5", "min_amount_sat=2&max_amount_sat=1", "max_amount_sat=2100000000000001"} {
		s.call(t, "GET", path+"?"+query, k, "").want(t, 400)
	}
	testAllTransactions(t, s, p, v)
}

// testAmounts filters by ranges of amounts that begin or end at the amount of a transaction.
func testAmounts(t *testing.T, list func(string) answer) {
	t.Helper()
	amounts := map[string]int64{} // by txid, without the sign
	for _, item := range list("dead=true").fields["items"].([]any) {
		tx := item.(map[string]any)
		amounts[tx["txid"].(string)] = int64(math.Abs(tx["flow_sat"].(float64)))
	}
	for _, n := range amounts {
		for query, isIn := range map[string]func(int64) bool{
			"min_amount_sat=N":                  func(a int64) bool { return a >= n },
			"max_amount_sat=N&order=asc":        func(a int64) bool { return a <= n },
			"min_amount_sat=N&max_amount_sat=N": func(a int64) bool { return a == n },
			"min_amount_sat=M":                  func(a int64) bool { return a > n },
			"min_amount_sat=0&max_amount_sat=0": func(int64) bool { return true },
		} {
			query := strings.NewReplacer("N", fmt.Sprint(n), "M", fmt.Sprint(n+1)).Replace(query)
			t.Run(query, func(t *testing.T) {
				var want []string
				for txid, a := range amounts {
					if isIn(a) {
						want = append(want, txid)
					}
				}
				slices.Sort(want)
				if got := slices.Sorted(slices.Values(list(query + "&dead=true").list("txid"))); !slices.Equal(got, want) {
					t.Errorf("%v, want %v", got, want)
				}
			})
		}
	}
}

// testAllTransactions tests the paginated list of transactions of several wallets.
func testAllTransactions(t *testing.T, s *server, p testUser, v vault) {
	t.Helper()
	other := s.vault(t, p, "other")
	k := s.token(t, p, 0).bearer()
	pages := func(order string) (txids, aliases []string) {
		for cursor := ""; ; {
			got := s.call(t, "GET", "/api/v1/transactions?limit=3&order="+order+"&cursor="+url.QueryEscape(cursor), k, "").want(t, 200, `"as_of":{"height":186`)
			txids = append(txids, got.list("txid")...)
			aliases = append(aliases, got.list("wallet")...)
			if cursor = got.text("next_cursor"); cursor == "" {
				return txids, aliases
			}
		}
	}
	txids, aliases := pages("desc")
	ascending, _ := pages("asc")
	if !slices.Equal(reversed(ascending), txids) {
		t.Errorf("ascending %v, descending %v", ascending, txids)
	}
	for _, accept := range []string{"text/csv", "application/jsonl"} {
		get := func(order string) []string {
			got := s.do(t, request{method: "GET", path: "/api/v1/transactions?order=" + order, auth: []string{k}, header: map[string]string{"Accept": accept}}).want(t, 200)
			return slices.DeleteFunc(slices.Collect(strings.Lines(got.body)), func(line string) bool { return strings.HasPrefix(line, "time,") })
		}
		s.do(t, request{method: "GET", path: "/api/v1/transactions?limit=3", auth: []string{k}, header: map[string]string{"Accept": accept}}).
			wantProblem(t, 400, "invalid_input").want(t, 400, "limit: must not be used with CSV or JSON Lines")
		if asc := get("asc"); len(asc) != 8 || !slices.Equal(reversed(asc), get("desc")) {
			t.Errorf("%s: ascending %v", accept, asc)
		}
	}
	if len(txids) != 8 || strings.Count(fmt.Sprint(aliases), "vault") != 4 || strings.Count(fmt.Sprint(aliases), "other") != 4 {
		t.Errorf("%v of %v", txids, aliases)
	}
	for i, pair := range [][]string{{v.pending, other.pending}, {v.sent, other.sent}, {v.received, other.received}, {v.generated, other.generated}} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			got := txids[:2]
			slices.Sort(got)
			slices.Sort(pair)
			if txids = txids[2:]; !slices.Equal(got, pair) {
				t.Errorf("got %v, want %v", got, pair)
			}
		})
	}
	if got := s.call(t, "GET", "/api/v1/transactions", s.token(t, p, 0, "other").bearer(), "").want(t, 200).list("wallet"); fmt.Sprint(got) != "[other other other other]" {
		t.Errorf("a token for one wallet sees transactions of %v", got)
	}
	if got := s.call(t, "GET", "/api/v1/transactions", s.token(t, s.user(t, "no wallets", false), 0).bearer(), "").want(t, 200); got.body != `{"items":[],"next_cursor":null,"as_of":null}`+"\n" {
		t.Errorf("a user without wallets gets %s", got.body)
	}
}

func reversed(list []string) []string {
	list = slices.Clone(list)
	slices.Reverse(list)
	return list
}

func testExport(t *testing.T, s *server, _ *testkit.Node) {
	p := s.user(t, "p", false)
	v := s.vault(t, p, "vault")
	k := s.token(t, p, auth.WalletsRead).bearer()
	ask := func(method, path, accept string) answer {
		t.Helper()
		return s.do(t, request{method: method, path: path, auth: []string{k}, header: map[string]string{"Accept": accept}})
	}
	const path = "/api/v1/wallets/vault/transactions"
	got := ask("GET", path, "text/csv").want(t, 200)
	for name, want := range map[string]string{
		"Content-Type": "text/csv; charset=utf-8; header=present", "Content-Disposition": "attachment; filename=vault-transactions.csv",
		"Vary": "Accept", "Etag": "", "Cache-Control": "no-store", "X-As-Of-Height": "186", "X-As-Of-Hash": tipHash,
	} {
		t.Run(name, func(t *testing.T) {
			if got.header.Get(name) != want {
				t.Errorf("%s: %s, want %s", name, got.header.Get(name), want)
			}
		})
	}
	lines := testkit.Must(csv.NewReader(strings.NewReader(got.body)).ReadAll())
	if len(lines) != 5 {
		t.Fatalf("%d lines: %s", len(lines), got.body)
	}
	line := fmt.Sprint(strings.Join(lines[2], "|"))
	if want := fmt.Sprintf("2026-12-01T07:00:00Z|vault|%s|confirmed|5|send|-100332|-0.00100332|332|0.00000332|141|%s||%s|182|%s|2026-12-01T09:00:00Z|no|",
		v.sent, v.foreign, v.label, hash("block", "182")); line != want {
		t.Errorf("got  %s\nwant %s", line, want)
	}
	if head := ask("HEAD", path, "text/csv").want(t, 200); head.body != "" || head.header.Get("Content-Type") != got.header.Get("Content-Type") {
		t.Errorf("HEAD: %q %v", head.body, head.header)
	}
	for accept, contentType := range map[string]string{
		"application/jsonl": "application/jsonl", "application/x-ndjson": "application/x-ndjson", "application/json;q=0.1, application/jsonl": "application/jsonl",
	} {
		t.Run(accept, func(t *testing.T) {
			got := ask("GET", path+"?dead=true&category=receive&hex=true", accept).want(t, 200)
			if got.header.Get("Content-Type") != contentType || got.header.Get("Content-Disposition") != "attachment; filename=vault-transactions.jsonl" {
				t.Errorf("%v", got.header)
			}
			seen := map[any]bool{}
			for line := range strings.Lines(got.body) {
				var one map[string]any
				testkit.Check(t, json.Unmarshal([]byte(line), &one))
				if seen[one["txid"]] = true; one["category"] != "receive" || one["hex"] == nil || one["outputs"] == nil {
					t.Errorf("%s", line)
				}
			}
			if len(seen) != 3 {
				t.Errorf("%s: %d lines: %s", accept, len(seen), got.body)
			}
		})
	}
	s.vault(t, p, "other")
	all := ask("GET", "/api/v1/transactions", "text/csv").want(t, 200)
	if lines := testkit.Must(csv.NewReader(strings.NewReader(all.body)).ReadAll()); len(lines) != 9 || all.header.Get("Content-Disposition") != "attachment; filename=transactions.csv" {
		t.Errorf("%d lines, %v", len(lines), all.header)
	}
	for _, accept := range []string{"", "*/*", "application/json", "text/html", "text/csv;q=0.5, */*"} {
		if got := ask("GET", path, accept).want(t, 200, `"next_cursor":null`); got.header.Get("Content-Type") != "application/json" || !strings.Contains(fmt.Sprint(got.header["Vary"]), "Accept") {
			t.Errorf("%s: %v", accept, got.header)
		}
	}
	ask("GET", path+"?cursor=MSB4IHk", "text/csv").wantProblem(t, 400, "invalid_input")
	ask("GET", path+"?since=x", "text/csv").wantProblem(t, 400, "invalid_input")
	s.call(t, "PATCH", "/api/v1/wallets/vault", s.token(t, p, 0).bearer(), `{"alias": "épargne"}`).want(t, 200)
	if got := ask("GET", "/api/v1/wallets/épargne/transactions", "text/csv").want(t, 200); got.header.Get("Content-Disposition") != "attachment; filename=_pargne-transactions.csv; filename*=utf-8''%C3%A9pargne-transactions.csv" {
		t.Errorf("%v", got.header)
	}
}

func testLabels(t *testing.T, s *server, n *testkit.Node) {
	p, proposer := s.user(t, "p", false), s.user(t, "proposer", false)
	v := s.vault(t, p, "vault")
	s.sql(t, "INSERT INTO members (wallet_id, user_id, role, alias, created_at) VALUES ($1, $2, 'proposer', 'vault', 0)", v.id, proposer.ID)
	k := s.token(t, p, 0).bearer()
	const path = "/api/v1/wallets/vault/labels"
	send := func(authorization, lines string) answer {
		t.Helper()
		return s.do(t, request{method: "POST", path: path, auth: []string{authorization}, body: lines, header: map[string]string{"Content-Type": "application/jsonl"}})
	}
	export := func() string {
		t.Helper()
		got := s.call(t, "GET", path, k, "").want(t, 200)
		if got.header.Get("Content-Type") != "application/jsonl" || got.header.Get("Content-Disposition") != "attachment; filename=vault-labels.jsonl" {
			t.Errorf("%v", got.header)
		}
		return got.body
	}
	first := fmt.Sprintf(`{"type":"addr","ref":%q,"label":%q}`+"\n"+`{"type":"tx","ref":%q,"label":%q}`+"\n", v.receive[0], v.note, v.sent, v.label)
	if got := export(); got != first {
		t.Errorf("got %s, want %s", got, first)
	}
	utxo := s.minedUTXO(t, n, &v)
	const secret = "a label that must not be repeated"
	s.secret("xprv" + secret)
	got := send(k, strings.Join([]string{
		fmt.Sprintf(`{"type": "tx", "ref": %q, "label": ""}`, v.sent), "",
		fmt.Sprintf(`{"type": "addr", "ref": %q, "label": "Straße \"1\"", "extra": 1}`, v.receive[1]),
		`{"type": "tx", "ref": "x", "label": "` + secret + `"}`, `nonsense ` + secret, `{"type": "` + secret + `", "ref": "x"}`,
		fmt.Sprintf(`{"type": "output", "ref": %q, "spendable": false}`, utxo),
		fmt.Sprintf(`{"type": "output", "ref": "%s:0", "label": "gone", "spendable": false}`, v.received),
	}, "\r\n")).want(t, 200)
	got.wantJSON(t, `{"imported": 4, "unchanged": false, "ignored": [{"line": 6, "message": "…"}], "failed": [{"line": 4, "message": "…"}, {"line": 5, "message": "…"}]}`)
	if strings.Contains(got.body, secret) {
		t.Errorf("the response repeats a label: %s", got.body)
	}
	exported := export()
	for _, line := range []string{
		fmt.Sprintf(`{"type":"addr","ref":%q,"label":%q}`, v.receive[0], v.note), fmt.Sprintf(`{"type":"addr","ref":%q,"label":"Straße \"1\""}`, v.receive[1]),
		fmt.Sprintf(`{"type":"output","ref":"%s:0","label":"gone"`, v.received), fmt.Sprintf(`{"type":"output","ref":%q,"spendable":false}`, utxo),
	} {
		if !strings.Contains(exported, line) {
			t.Errorf("the export lacks %s:\n%s", line, exported)
		}
	}
	if strings.Contains(exported, v.label) || strings.Count(exported, "\n") != 4 {
		t.Errorf("export:\n%s", exported)
	}
	if locked := string(n.WalletCLI(t, "specterd-"+v.id, "listlockunspent")); !strings.Contains(locked, utxo.Txid) {
		t.Errorf("the UTXO is not locked: %s", locked)
	}
	send(k, exported).want(t, 200).wantJSON(t, `{"imported": 4, "unchanged": true, "ignored": [], "failed": []}`)
	testLabelsFromElsewhere(t, s, k, send, v)
	if again := export(); again != exported {
		t.Errorf("the export differs after it was imported:\n%s", again)
	}

	proposes := s.token(t, proposer, 0).bearer()
	again := fmt.Sprintf(`{"type": "tx", "ref": %q, "label": "by a proposer"}`, v.sent)
	send(proposes, again).want(t, 200, `"imported":1,"unchanged":false`)
	send(proposes, again).want(t, 200, `"imported":1,"unchanged":true`)
	send(s.token(t, proposer, auth.WalletsWrite).bearer(), again).want(t, 200, `"imported":1,"unchanged":false`) // it must not confirm a guess
	send(proposes, fmt.Sprintf(`{"type": "output", "ref": %q, "spendable": true}`, utxo)).wantProblem(t, 403, "insufficient_role")
	send(k, strings.Repeat("{}\n", 10_001)).wantProblem(t, 400, "too_many_labels")
	send(k, "").want(t, 200, `"imported":0`)
	s.call(t, "POST", path, k, "{}").wantProblem(t, 415, "unsupported_media_type")
}

// testLabelsFromElsewhere checks that an import of labels from other programs uses the records
// that apply to the wallet and ignores the rest.
func testLabelsFromElsewhere(t *testing.T, s *server, k string, send func(authorization, lines string) answer, v vault) {
	t.Helper()
	foreign := strings.Repeat("ab", 32)
	send(k, strings.Join([]string{
		"\ufeff" + `{"type":"addr","ref":"` + v.foreign + `","label":"first line","height":7,"rate":{"USD":1.5},"x":null}`,
		`{"type":"account","ref":"x","label":"of a later version"}`,
		`{"type":"output","ref":"` + foreign + `:0","spendable":false}`,
		`{"type":"output","ref":"` + foreign + `:1","label":"labelled","spendable":false}`,
	}, "\n")).want(t, 200).wantJSON(t, `{"imported": 2, "unchanged": false, "ignored": [{"line": 2, "message": "…"},
		{"line": 3, "message": "spendable is ignored: the output does not belong to this wallet"}, {"line": 4, "message": "…"}], "failed": []}`)
	s.call(t, "GET", "/api/v1/wallets/vault/labels", k, "").want(t, 200, `"label":"first line"`, `"label":"labelled"}`)
	var frozen strings.Builder
	if s.dumpTable(t, &frozen, "frozen"); strings.Contains(frozen.String(), foreign) {
		t.Errorf("a foreign output is frozen: %s", frozen.String())
	}
	send(k, fmt.Sprintf(`{"type":"addr","ref":%q,"label":""}`+"\n"+`{"type":"output","ref":"%s:1","label":""}`, v.foreign, foreign)).want(t, 200, `"imported":2`)
	// While the history is incomplete, any output may belong to the wallet.
	s.sql(t, "UPDATE wallets SET rescan_from = 5 WHERE wallet_id = $1", v.id)
	send(k, `{"type":"output","ref":"`+foreign+`:2","spendable":false}`).want(t, 200).wantJSON(t, `{"imported": 1, "unchanged": false, "ignored": [], "failed": []}`)
	s.sql(t, "UPDATE wallets SET rescan_from = -1 WHERE wallet_id = $1", v.id)
}

// TestExport_DatabaseError checks that a client can detect an incomplete export if the
// database fails during the export.
func TestExport_DatabaseError(t *testing.T) {
	testkit.NeedsTime(t)
	t.Parallel()
	s := start(t)
	s.mayFail = true
	p := s.user(t, "p", false)
	id := s.wallet(t, p, "vault", "viewer")
	const number = 8_000 // more than fits into the buffers of a connection
	for first := 0; first < number; first += 1000 {
		part := wallet.Change{WalletID: id, Synced: &wallet.Tip{Height: 10, Hash: tipHash}}
		for i := range 1000 {
			part.Added = append(part.Added, received(first+i, 1))
		}
		testkit.Check(t, s.store.WriteIndex(t.Context(), []wallet.Change{part}))
	}
	k := s.token(t, p, 0).bearer()
	open := func() *http.Response {
		req := testkit.Must(http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/api/v1/wallets/vault/transactions", nil))
		req.Header = http.Header{"Authorization": {k}, "Accept": {"application/jsonl"}}
		res := testkit.Must(s.client.Do(req))
		t.Cleanup(func() { _ = res.Body.Close() })
		return res
	}
	whole, err := io.ReadAll(open().Body) //nolint:bodyclose // at the end of the test
	testkit.Check(t, err)
	if n := bytes.Count(whole, []byte("\n")); n != number {
		t.Fatalf("%d lines", n)
	}
	res := open() //nolint:bodyclose // at the end of the test
	_, err = io.ReadFull(res.Body, make([]byte, 1000))
	testkit.Check(t, err)
	_, err = s.db.ExecContext(t.Context(), "ALTER TABLE outputs RENAME TO elsewhere")
	testkit.Check(t, err)
	rest, err := io.ReadAll(res.Body)
	if err == nil || len(rest) >= len(whole)-1000 {
		t.Errorf("%d of %d bytes, %v", len(rest), len(whole), err)
	}
	if line := s.waitFor(t, "response aborted", res.Header.Get("X-Request-Id")); line["level"] != "ERROR" {
		t.Errorf("%v", line)
	}
	_, err = s.db.ExecContext(context.Background(), "ALTER TABLE elsewhere RENAME TO outputs")
	testkit.Check(t, err)
}
