package console_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/specterd/specterd/internal/testenv/testkit"
)

// rowNames returns the names of the transactions in a list.
func (d *document) rowNames() (names []string) {
	for _, n := range d.all("th", func(n *html.Node) bool { return attr(n, "scope") == "row" }) {
		for b := range n.Descendants() {
			if b.Data == "bdi" {
				names = append(names, textOf(b))
			}
		}
	}
	return names
}

// replace pays to an address of a wallet and replaces the payment with another one. It returns
// the txid of the replaced transaction after the index has it.
func (v *visitor) replace(alias, address string) string {
	v.t.Helper()
	n := v.site.node
	txid := spend(v.t, n, address, "0.3")
	status := func() any {
		for _, item := range v.api("GET", "/api/v1/wallets/"+alias+"/transactions?dead=true", nil)["items"].([]any) {
			if tx := item.(map[string]any); tx["txid"] == txid {
				return tx["status"]
			}
		}
		return nil
	}
	testkit.Eventually(v.t, "the payment is in the history", func() bool { return status() == "mempool" })
	n.WalletCLI(v.t, purse, "bumpfee", txid)
	testkit.Eventually(v.t, "the payment is replaced", func() bool { return status() == "replaced" })
	return txid
}

func TestHistory(t *testing.T) {
	t.Parallel()
	onEachEngine(t, func(t *testing.T, s *site) {
		alice, bob := s.user(t, "alice", false), s.user(t, "bob", false)
		w := alice.vault("treasury")
		const page = "/wallets/treasury/history"
		alice.get(page).want(200, "No transactions yet")
		var txids, addresses []string
		for i, amount := range []string{"0.1", "0.3", "0.2"} {
			addresses = append(addresses, alice.address(w.alias, fmt.Sprintf("rent %d", i)))
			if i != 1 {
				txids = append(txids, alice.pay(w.alias, addresses[i], amount))
			}
		}
		old := alice.replace(w.alias, addresses[1])
		yesterday, tomorrow := time.Now().UTC().AddDate(0, 0, -1).Format(time.DateOnly), time.Now().UTC().AddDate(0, 0, 2).Format(time.DateOnly)
		all, confirmed := []string{"rent 0", "rent 1", "rent 1", "rent 2"}, []string{"rent 0", "rent 1", "rent 2"}
		for query, want := range map[string][]string{
			"": all, "state=effective": confirmed, "state=pending": {"rent 1"}, "kind=receive": all, "kind=send": nil,
			"q=rent+0": {"rent 0"}, "q=rent": nil, "q=" + addresses[2]: {"rent 2"}, "q=bitcoin:" + addresses[2]: {"rent 2"}, "q=" + strings.ToUpper(txids[1]): {"rent 2"},
			"q=" + old: {"rent 1"}, "state=effective&q=" + old: nil, "state=pending&q=" + old: nil, "state=pending&q=" + txids[0]: nil,
			"q=" + strings.Repeat("a", 64): nil, "from=" + yesterday: all, "to=" + yesterday: nil, "from=" + tomorrow: nil, "kind=send&q=" + txids[0]: nil, "from=" + tomorrow + "&q=" + txids[0]: nil,
			"min=1&max=2": nil, "min=20000000&max=20000000": {"rent 2"}, "min=20000001": {"rent 1", "rent 1"}, "max=20+000+000": {"rent 0", "rent 2"}, "min=0": all,
			"min=5&q=" + txids[0]: {"rent 0"}, "max=5&q=" + txids[0]: nil, "min=30000000&state=effective": {"rent 1"}, "min=30000000&state=pending&unit=sat": {"rent 1"},
		} {
			t.Run(query, func(t *testing.T) {
				p := alice.get(page + "?" + query).want(200)
				if got := slices.Sorted(slices.Values(p.rowNames())); !slices.Equal(got, want) {
					t.Errorf("lists %v, not %v", got, want)
				}
				for name, value := range testkit.Must(url.ParseQuery(query)) {
					if got := fields(p.forms(page)[0]); got.Get(name) != value[0] {
						t.Errorf("the form has %v", got)
					}
				}
			})
		}
		for query, field := range map[string]string{"from=1.2.2026": "from", "to=x": "to", "kind=gift": "kind", "state=lost": "state", "from=2026-02-02&to=2026-01-01": "from", "before=x": "", "q=bitcoin:nonsense": "q", "min=x": "min", "max=1.5": "max", "min=3&max=2": "min", "max=1,5": "max"} {
			p := alice.get(page + "?" + query).want(400)
			if bad := p.all("", func(n *html.Node) bool { return attr(n, "aria-invalid") == "true" }); len(p.all("", isAlert)) == 0 || field != "" && (len(bad) != 1 || attr(bad[0], "name") != field) {
				t.Errorf("%s: %d fields are marked: %s", query, len(bad), p.text())
			}
		}
		p := alice.get(page + "?kind=x&from=y").want(400)
		if len(p.all("", func(n *html.Node) bool { return attr(n, "aria-invalid") == "true" })) != 2 {
			t.Error("not all problems are shown at once")
		}
		p = alice.get(page).want(200, "Replaced", "+20 000 000 sat", "60 000 000 sat", "Balance after it")
		gone := p.all("tr", func(n *html.Node) bool { return attr(n, "class") == "gone" })
		if len(gone) != 1 || !strings.Contains(textOf(gone[0]), "rent 1") {
			t.Errorf("%d transactions are struck", len(gone))
		}
		alice.get(page + "?q=rent+0").lacks("Balance after it")
		inBTC := alice.get(page + "?max=0.15&unit=btc").want(200) // a link of a browser with another unit
		if form := fields(inBTC.forms(page)[0]); form.Get("max") != "15000000" || form.Get("unit") != "sat" || !slices.Equal(inBTC.rowNames(), []string{"rent 0"}) {
			t.Errorf("the page for amounts in BTC lists %v, and its form has %v", inBTC.rowNames(), form)
		}
		if p := inBTC.follow("CSV of this filter"); p.at.Query().Get("max") != "15000000" || strings.Count(p.body, "\n") != 2 {
			t.Errorf("%s: %s", p.at, p.body)
		}
		wantDownloads(t, alice, addresses[0])
		bob.get(page).want(404).lacks("rent")
		bob.get(page + ".csv").want(404).lacks("rent")
		alice.get(page + ".csv?from=x").want(400)
	}, onOwnNode)
}

// wantDownloads compares the files of the console with the API's for the same filters.
func wantDownloads(t *testing.T, alice *visitor, address string) {
	t.Helper()
	const page, api = "/wallets/treasury/history", "/api/v1/wallets/treasury/transactions?"
	today := time.Now().UTC().Format(time.DateOnly)
	for query, same := range map[string]string{
		"": "dead=true", "state=effective": "", "q=rent+0": "label=rent+0&dead=true", "q=" + address: "dead=true&address=" + address, "state=pending": "unconfirmed=true",
		"from=2026-01-01&to=" + today: "dead=true&since=2026-01-01&until=" + today, "kind=send": "dead=true&category=send",
		"min=25+000+000": "dead=true&min_amount_sat=25000000", "min=0.1&max=0.3&unit=btc&state=effective": "min_amount_sat=10000000&max_amount_sat=30000000",
	} {
		for extension, accept := range map[string]string{".csv": "text/csv", ".jsonl": "application/jsonl"} {
			p := alice.get(page + extension + "?" + query)
			if want := alice.file(api+same, accept).body; p.status != http.StatusOK || p.body != want {
				t.Errorf("%s%s: %d\n%s\nnot\n%s", query, extension, p.status, p.body, want)
			}
			if name := p.header.Get("Content-Disposition"); !strings.HasPrefix(name, "attachment; filename=treasury-transactions") || !strings.HasSuffix(name, extension) {
				t.Errorf("%s: the file is %s", query, name)
			}
		}
	}
	wantLedgers(t, alice)
	p := alice.get(page + "?q=rent+0")
	if links := p.all("a", func(n *html.Node) bool { return strings.Contains(textOf(n), "CSV of this filter") }); len(links) != 1 || attr(links[0], "href") != page+".csv?q=rent+0" {
		t.Error("the link does not have the filter of the page")
	}
}

// wantLedgers compares the ledgers of the console with the API's for the same periods.
func wantLedgers(t *testing.T, alice *visitor) {
	t.Helper()
	const page, ledger = "/wallets/treasury/history", "/wallets/treasury/ledger.csv"
	today := time.Now().UTC().Format(time.DateOnly)
	for query, same := range map[string]string{"": "", "?from=2026-01-01&to=" + today: "&since=2026-01-01&until=" + today, "?to=2020-01-01": "&until=2020-01-01", "?state=effective": ""} {
		p := alice.get(ledger + query)
		if want := alice.file("/api/v1/wallets/treasury/transactions?view=ledger"+same, "text/csv").body; p.status != http.StatusOK || p.body != want {
			t.Errorf("the ledger %s: %d\n%s\nnot\n%s", query, p.status, p.body, want)
		}
		if name := p.header.Get("Content-Disposition"); !strings.HasPrefix(name, "attachment; filename=treasury-ledger") {
			t.Errorf("%s: the file is %s", query, name)
		}
	}
	links := func(query string) []*html.Node {
		return alice.get(page+query).all("a", func(n *html.Node) bool { return strings.HasPrefix(attr(n, "href"), ledger) })
	}
	if found := links("?from=2026-01-01"); len(found) != 1 || attr(found[0], "href") != ledger+"?from=2026-01-01" {
		t.Error("the page has no link to the ledger of its period")
	}
	for _, query := range []string{"?kind=receive", "?q=rent+0", "?state=pending", "?min=1", "?max=1"} {
		if len(links(query)) != 0 {
			t.Errorf("%s has a link to a ledger, which would have other transactions", query)
		}
		alice.get(ledger+query).want(400, "leave out kind, amounts, search and unconfirmed")
	}
}

// TestHistory_Pages follows the pages of a history in both directions.
func TestHistory_Pages(t *testing.T) {
	t.Parallel()
	onEachEngine(t, func(t *testing.T, s *site) {
		alice := s.user(t, "alice", false)
		w := alice.vault("treasury")
		txid := alice.pay(w.alias, alice.address(w.alias, ""), "0.5")
		for i := range 99 { // older ones, several at the same time
			s.sql(t, `INSERT INTO transactions (wallet_id, txid, time, status, category, flow_sat, vsize, replaceable, trusted, address, received_at, raw)
				SELECT wallet_id, $1, time - $2, 'mempool', 'receive', 1000, 100, 'no', trusted, '', received_at, raw FROM transactions WHERE txid = $3`,
				fmt.Sprintf("%064x", i), 1_000_000*(1+i/3), txid)
		}
		p := alice.get("/wallets/treasury/history").want(200)
		var forward [][]string
		for {
			forward = append(forward, p.txids())
			if len(p.all("a", func(n *html.Node) bool { return textOf(n) == "Older" })) == 0 {
				break
			}
			p = p.follow("Older").want(200)
		}
		all := slices.Concat(forward...)
		if sorted := slices.Clone(all); len(forward) != 3 || len(all) != 100 || all[0] != txid || len(slices.Compact(slices.Sorted(slices.Values(sorted)))) != 100 {
			t.Fatalf("%d transactions on %d pages", len(all), len(forward))
		}
		for i := len(forward) - 2; i >= 0; i-- {
			p = p.follow("Newer").want(200)
			if got := p.txids(); !slices.Equal(got, forward[i]) {
				t.Errorf("page %d differs on the way back", i)
			}
		}
		if len(p.all("a", func(n *html.Node) bool { return textOf(n) == "Newer" })) != 0 {
			t.Error("the first page has a link to a newer one")
		}
	}, onOwnNode)
}

// txids returns the ids of the transactions in a list.
func (d *document) txids() (ids []string) {
	for _, n := range d.all("code", func(n *html.Node) bool { return attr(n, "class") == "id" && len(attr(n, "title")) == 64 }) {
		ids = append(ids, attr(n, "title"))
	}
	return ids
}

// TestTransaction shows a payment to the wallet and one from it, and sets labels.
func TestTransaction(t *testing.T) {
	t.Parallel()
	onEachEngine(t, func(t *testing.T, s *site) {
		alice, carol, w := s.viewed(t)
		received := alice.pay(w.alias, alice.address(w.alias, "Invoice 7"), "0.5")
		page := "/wallets/treasury/transactions/" + received
		p := alice.get(page).want(200, "Received", "+50 000 000 sat", "Invoice 7", "1, final after 6", "unknown, because others paid it", "from another wallet", "This wallet", "to others")
		if raw := alice.get(page + "/hex"); !strings.HasPrefix(raw.body, "0200000") || !strings.Contains(p.body, strings.TrimSpace(raw.body)) {
			t.Errorf("the serialized transaction is %s", raw.body)
		}
		if len(p.all("svg", func(n *html.Node) bool { return attr(n, "class") == "flow" })) != 1 {
			t.Error("the page has no diagram")
		}
		label := page + "/label"
		p.submit(label, "label", "November <u>").want(200, "The label is saved", "November <u>").lacks("<u>")
		alice.get("/wallets/treasury/history?q=November+%3Cu%3E").want(200, "November")
		alice.post(label, "label", strings.Repeat("x", 256)).want(400, "Must")
		own := 0
		if strings.Contains(alice.get("/wallets/treasury/utxos").body, received+":1") {
			own = 1
		}
		alice.post(label, "vout", fmt.Sprint(own), "label", "kept").want(200, "kept")
		alice.post(label, "vout", fmt.Sprint(own), "label", strings.Repeat("x", 256)).want(400, "Must")
		alice.post(label, "vout", fmt.Sprint(1-own), "label", "theirs").want(404)
		alice.post(label, "vout", "x", "label", "theirs").want(404)
		carol.get(page).want(200, "kept", "November").lacks(label)
		carol.post(label, "label", "x").want(403)
		for _, txid := range []string{strings.Repeat("a", 64), "x", strings.ToUpper(received)} {
			alice.get("/wallets/treasury/transactions/" + txid).want(404)
		}
		s.user(t, "bob", false).get(page).want(404).lacks("Invoice", received+":")

		made := alice.propose(w.alias)
		id := made["id"].(string)
		for _, signer := range w.signers[:2] {
			alice.upload("/wallets/treasury/proposals/"+id+"/signatures", nil, file{"file", "x.psbt", s.node.Sign(t, psbtOf(t, made), signer)}).want(200)
		}
		sent := alice.api("POST", "/api/v1/wallets/treasury/proposals/"+id+"/broadcast", map[string]any{})["txid"].(string)
		page = "/wallets/treasury/transactions/" + sent
		p = alice.get(page).want(200, "Sent", "Unconfirmed", "Proposed by alice", "Signatures were added by alice", "Change", "sat/vB", "fee")
		p.follow("Proposed by").want(200, "Broadcast")
		p.follow("Increase the fee").want(200)
		carol.get(page).want(200, "Proposed by alice").lacks("/bump")
		s.node.Mine(t, 1)
		testkit.Eventually(t, "the payment is confirmed", func() bool { return !strings.Contains(alice.get(page).text(), "Unconfirmed") })
		// The node is shared with the other database, whose test may mine a block as well.
		alice.get(page).want(200, "1 of 6 confirmations", "Confirmations 1, final after 6").lacks("/bump")
		alice.get("/wallets/treasury/proposals").want(200, "Confirmed")
		alice.post("/wallets/treasury/settings/limits", "final_after", "1")
		alice.get(page).want(200, "Sent Final").lacks("Confirmed,", "final after")
		alice.get("/wallets/treasury").want(200, "Final").lacks("Confirmed,")
	}, onOwnNode)
}
