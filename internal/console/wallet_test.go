package console_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// TestOverview shows a wallet that is empty, has a payment, and has a proposal.
func TestOverview(t *testing.T) {
	t.Parallel()
	onEachEngine(t, func(t *testing.T, s *site) {
		alice, carol, w := s.viewed(t)
		const page = "/wallets/treasury"
		alice.get(page).want(200, "No transactions yet", "0 sat", "Receive", "Send").lacks("<figure")

		txid := alice.pay(w.alias, alice.address(w.alias, "Invoice <b>7</b>"), "0.5")
		p := alice.get(page).want(200, "50 000 000 sat", "+50 000 000 sat in 7 days", "Balance over time", "Invoice <b>7</b>", "1 of 6 confirmations", "can be spent now")
		p.lacks("<b>7</b>")
		if rows := p.all("figure", nil)[0]; !strings.Contains(textOf(rows), "50 000 000") {
			t.Errorf("the table beside the chart is %s", textOf(rows))
		}
		p.follow("Invoice").want(200, txid, "Received")
		for period, marked := range map[string]string{"": "All", "30d": "30 days", "90d": "90 days", "1y": "1 year", "all": "All", "nonsense": "All"} {
			p := alice.get(page + "?period=" + period).want(200)
			if now := p.all("a", func(n *html.Node) bool { return attr(n, "aria-current") == "true" }); len(now) != 1 || textOf(now[0]) != marked {
				t.Errorf("the period %q marks %d links", period, len(now))
			}
		}

		alice.proposeWith(w.alias, "Hosting <i>")
		for _, path := range []string{"/", page, page + "/proposals"} {
			alice.get(path).want(200, "Hosting <i>").lacks("<i>")
		}
		alice.get(page).want(200, "1 proposal waits for you", "0 of 2 signatures", "Sign", "Reserved 50 000 000 sat", "Available 0 sat").follow("by open proposals").want(200, "Reserved", "1 UTXO")
		p = carol.get(page).want(200, "1 open proposal", "Your role in this wallet is viewer").lacks("/treasury/send\" ")
		if buttons := p.all("a", func(n *html.Node) bool {
			return strings.Contains(attr(n, "class"), "btn") && strings.HasSuffix(attr(n, "href"), "/send")
		}); len(buttons) != 0 {
			t.Error("a viewer has a button to send")
		}

		home := alice.get("/").want(200, "+50 000 000 sat in 7 days", "1 waits for you")
		if home.all("svg", func(n *html.Node) bool { return attr(n, "class") == "spark" }) == nil {
			t.Error("the home page has no chart of the balance")
		}
	}, onOwnNode)
}

// TestOverview_Problems shows the states in which a wallet is not complete.
func TestOverview_Problems(t *testing.T) {
	t.Parallel()
	s := open(t, onNode(minedNode(t)))
	alice := s.user(t, "alice", false)
	alice.vault("treasury")
	for name, test := range map[string]struct{ set, want string }{
		"problem":       {"problem = 'the wallet is <missing>'", "the wallet is <missing>"},
		"rescan":        {"problem = '', rescan_from = 7, rescan_progress = 0.25", "25 %, from block 7"},
		"failed rescan": {"rescan_from = NULL, rescan_problem = 'no blocks'", "The last rescan failed"},
	} {
		t.Run(name, func(t *testing.T) {
			s.sql(t, "UPDATE wallets SET "+test.set)
			p := alice.get("/wallets/treasury")
			if p.status != http.StatusOK || !strings.Contains(p.text(), test.want) && !strings.Contains(p.text(), "first time") {
				t.Errorf("%d %s", p.status, p.text())
			}
		})
	}
}

// TestUTXOs freezes UTXOs one by one and by a filter.
func TestUTXOs(t *testing.T) {
	t.Parallel()
	onEachEngine(t, func(t *testing.T, s *site) {
		alice, bob := s.user(t, "alice", false), s.user(t, "bob", false)
		w := alice.vault("treasury")
		alice.member(w.alias, bob, "proposer")
		const page = "/wallets/treasury/utxos"
		alice.get(page).want(200, "No UTXOs yet")
		var txids []string
		for i, amount := range []string{"0.1", "0.3", "0.2"} {
			txids = append(txids, alice.pay(w.alias, alice.address(w.alias, fmt.Sprintf("rent %d", i)), amount))
			s.sql(t, "UPDATE utxos SET time = time + $1 WHERE txid = $2", 1_000_000*i, txids[i]) // they may be of the same second
		}
		for query, want := range map[string][]string{
			"": {"rent 2", "rent 1", "rent 0"}, "?order=oldest": {"rent 0", "rent 1", "rent 2"},
			"?order=largest":                 {"rent 1", "rent 2", "rent 0"},
			"?least=20000000&order=smallest": {"rent 2", "rent 1"}, "?most=10000000": {"rent 0"}, "?label=rent+1": {"rent 1"}, "?state=frozen": nil, "?state=available&label=rent+2": {"rent 2"},
		} {
			p := alice.get(page + query).want(200)
			var got []string
			for _, n := range p.all("th", func(n *html.Node) bool { return attr(n, "scope") == "row" }) {
				got = append(got, textOf(n)[:6])
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s lists %v, not %v", query, got, want)
			}
		}
		p := alice.get(page).want(200, "3 UTXOs", "60 000 000 sat")
		boxes := p.all("input", func(n *html.Node) bool { return attr(n, "name") == "utxo" })
		p.submit(page, "action", "freeze", "utxo", attr(boxes[0], "value")).want(200, "The selected UTXOs are frozen")
		alice.get(page+"?state=frozen").want(200, "1 UTXO", "rent 2", "20 000 000 sat")
		alice.get("/wallets/treasury").want(200, "Frozen 20 000 000 sat")

		// All of a filter, which the form repeats.
		p = alice.get(page + "?state=available&least=1000000")
		p = p.submit(page, "action", "freeze", "all", "1").want(200, "The selected UTXOs are frozen", "No UTXO matches this filter")
		if q := p.at.Query(); q.Get("state") != "available" || q.Get("least") != "1000000" {
			t.Errorf("the filter became %s", p.at)
		}
		alice.get(page+"?state=frozen").want(200, "3 UTXOs").submit(page, "action", "unfreeze", "all", "1").want(200, "not frozen any more")
		alice.get(page).want(200, "3 UTXOs").submit(page, "action", "unfreeze", "all", "1").want(200, "Nothing was changed")

		for name, fields := range map[string][]string{
			"nothing selected": {"action", "freeze"}, "no action": {"utxo", txids[0] + ":0"}, "no outpoint": {"action", "freeze", "utxo", "x"}, "bad filter": {"action", "freeze", "all", "1", "least", "many"},
		} {
			p := alice.post(page, fields...)
			if p.status != http.StatusBadRequest || len(p.all("", isAlert)) == 0 {
				t.Errorf("%s: %d %s", name, p.status, p.text())
			}
		}
		alice.get(page+"?state=frozen").want(200, "No UTXO matches")
		for _, query := range []string{"?least=x", "?most=-1", "?least=3&most=2", "?order=random", "?state=lost", "?after=1.2"} {
			if p := alice.get(page + query); p.status != http.StatusBadRequest || len(p.all("", isAlert)) == 0 {
				t.Errorf("%s: %d", query, p.status)
			}
		}
		bob.get(page).want(200, "Your role in this wallet is proposer", "3 UTXOs").lacks("checkbox")
		bob.post(page, "action", "freeze", "all", "1").want(403)
		alice.get(page+"?state=frozen").want(200, "No UTXO matches")

		made := alice.propose(w.alias)
		alice.get(page+"?state=available").want(200, "2 UTXOs")
		p = alice.get(page+"?state=reserved").want(200, "1 UTXO", "Reserved")
		if p = p.follow("by a proposal"); !strings.HasSuffix(p.path(), made["id"].(string)) {
			t.Errorf("the link leads to %s", p.path())
		}
	}, onOwnNode)
}
