package console_test

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/html"

	"github.com/specterd/specterd/internal/testenv/testkit"
)

// revealed returns the number of revealed addresses of the only wallet.
func (s *site) revealed(t *testing.T) (n int) {
	t.Helper()
	testkit.Check(t, s.db.QueryRowContext(t.Context(), "SELECT receive_next FROM wallets").Scan(&n))
	return n
}

// wholeAddress returns the address that a page shows in groups.
func (d *document) wholeAddress() string {
	for _, n := range d.all("code", func(n *html.Node) bool { return attr(n, "class") == "addr" }) {
		return strings.ReplaceAll(textOf(n), " ", "")
	}
	return ""
}

// paymentURI returns the bitcoin: URI of a page.
func (d *document) paymentURI() string {
	for _, n := range d.all("a", func(n *html.Node) bool { return strings.HasPrefix(strings.ToLower(attr(n, "href")), "bitcoin:") }) {
		return attr(n, "href")
	}
	return ""
}

func TestReceive(t *testing.T) {
	t.Parallel()
	onEachEngine(t, func(t *testing.T, s *site) {
		alice, carol, w := s.viewed(t)
		const page = "/wallets/treasury/receive"
		empty := alice.get(page).want(200, "No address was revealed yet", "Reveal address 0")
		alice.get(page)
		alice.post(page+"/label", "label", strings.Repeat("x", 256)).want(400, "No address was revealed yet")
		if n := s.revealed(t); n != 0 {
			t.Fatalf("loading the page has revealed %d addresses", n)
		}
		p := empty.submit(page, "new-label", "Invoice <i>7</i>").want(200, "The address is revealed", "Receive address 0", "Invoice <i>7</i>", "Not used", "Verify on your device", "/0/0")
		p.lacks("<i>7</i>")
		first := p.wholeAddress()
		if p.paymentURI() != "BITCOIN:"+strings.ToUpper(first) || len(p.all("svg", func(n *html.Node) bool { return attr(n, "class") == "qr" })) != 1 {
			t.Errorf("the address %s has the URI %s", first, p.paymentURI())
		}
		empty.submit(page, "new-label", "sent twice").want(200, "was revealed in the meantime", "Receive address 0", "Invoice")
		if n := s.revealed(t); n != 1 {
			t.Errorf("a form that was sent twice revealed %d addresses", n)
		}
		alice.post(page, "key", "receive-test", "next", "1", "new-label", strings.Repeat("x", 256)).want(400, "Must", "Receive address 0")
		if n := s.revealed(t); n != 1 {
			t.Errorf("a bad label revealed %d addresses", n)
		}

		at := page + "?" + url.Values{"address": {first}}.Encode()
		if got := alice.get(at + "&amount=150000&message=a+b").want(200).paymentURI(); got != "BITCOIN:"+strings.ToUpper(first)+"?amount=0.0015&label=a%20b" {
			t.Errorf("with an amount, the URI is %s", got)
		}
		for _, query := range []string{"&amount=0.5", "&amount=x", "&amount=99999999999999999", "&message=" + strings.Repeat("x", 101)} {
			if p := alice.get(at + query); p.status != http.StatusBadRequest || p.paymentURI() != "" || len(p.all("", isAlert)) == 0 {
				t.Errorf("%s: %d %s", query, p.status, p.paymentURI())
			}
		}

		label := page + "/label"
		alice.get(at).submit(label, "label", "rent").want(200, "The label is saved", "rent").lacks("Invoice")
		alice.get(at).submit(label, "label", strings.Repeat("x", 256)).want(400, "Must", "Receive address 0")
		alice.get(at).want(200, "rent")
		other := s.user(t, "bob", false)
		foreign := other.vault("elsewhere")
		theirs := other.address(foreign.alias, "secret")
		for _, address := range []string{theirs, "nonsense"} {
			alice.get(page + "?address=" + address).want(404).lacks("secret")
			if address != theirs {
				continue
			}
			alice.post(label, "address", address, "label", "x").want(404)
		}
		if p := alice.get(page+"?address="+alice.nextAddress(w.alias)).want(200, "This address was not revealed yet"); p.paymentURI() != "" || p.wholeAddress() == "" {
			t.Errorf("an address that was not revealed can be shared: %s", p.paymentURI())
		}
		change := alice.api("GET", "/api/v1/wallets/treasury/addresses?branch=change&limit=1", nil)["items"].([]any)[0].(map[string]any)["address"].(string)
		if p := alice.get(page+"?address="+change).want(200, "Change address 0", "Do not share it"); p.paymentURI() != "" {
			t.Errorf("a change address can be shared: %s", p.paymentURI())
		}
		carol.get(at).want(200, "rent", "Your role in this wallet is viewer").lacks(label, "new-label")
		carol.post(page, "next", "1").want(403)
		carol.post(label, "address", first, "label", "x").want(403)
		other.get(at).want(404).lacks(first)

		const compare = "Compare the address with your device before you share it."
		alice.get(at+"&done=revealed").want(200, "The address is revealed.", compare)
		spend(t, s.node, first, "0.25")
		testkit.Eventually(t, "the page shows the unconfirmed payment", func() bool {
			return strings.Contains(alice.get(at).text(), "Receive address 0 Unconfirmed")
		})
		alice.get(at+"&done=revealed").want(200, "This address was paid already").lacks(compare)
		s.node.Mine(t, 1)
		testkit.Eventually(t, "the page shows the confirmed payment", func() bool {
			return strings.Contains(alice.get(at).text(), "Receive address 0 Used")
		})
		alice.get(at).want(200, "This address was paid already", "25 000 000 sat", "Used")
		alice.get(page).want(200, "The latest address is used", "Reveal address 1", "25 000 000 sat")
		alice.post(page).want(400)
	}, onOwnNode)
}

// TestReceive_Concurrent sends the same form several times at once.
func TestReceive_Concurrent(t *testing.T) {
	t.Parallel()
	onEachEngine(t, func(t *testing.T, s *site) {
		alice := s.user(t, "alice", false)
		alice.vault("treasury")
		const page = "/wallets/treasury/receive"
		form := alice.get(page)
		results := make([]*document, 8)
		var all sync.WaitGroup
		for i := range results {
			all.Go(func() { results[i] = form.submit(page, "new-label", "rent") })
		}
		all.Wait()
		for _, p := range results {
			if p.want(200, "The address is revealed", "rent").at.String() != results[0].at.String() {
				t.Errorf("the same form leads to %s and %s", p.at, results[0].at)
			}
		}
		if n := s.revealed(t); n != 1 {
			t.Errorf("a form that was sent %d times has revealed %d addresses", len(results), n)
		}
		form.submit(page, "new-label", "rent").want(200, "The address is revealed", "Receive address 0")
		alice.post(page, "next", "1").want(400, "The form is incomplete")
	}, onNode(minedNode(t)))
}

// nextAddress returns the address that would be revealed next.
func (v *visitor) nextAddress(alias string) string {
	v.t.Helper()
	for _, item := range v.api("GET", "/api/v1/wallets/"+alias+"/addresses?branch=receive&revealed=false&limit=1", nil)["items"].([]any) {
		return item.(map[string]any)["address"].(string)
	}
	return ""
}

// TestReceive_Pages follows the pages of the list, and checks the warning about unused addresses.
func TestReceive_Pages(t *testing.T) {
	t.Parallel()
	s := open(t, onNode(minedNode(t)))
	alice := s.user(t, "alice", false)
	alice.vault("treasury")
	for range 60 {
		alice.address("treasury", "")
	}
	p := alice.get("/wallets/treasury/receive").want(200, "60 addresses in a row", "Receive address 59")
	seen := map[string]int{}
	pages := 0
	for ; pages < 4; pages++ {
		for _, n := range p.all("tr", nil) {
			seen[textOf(n)]++
		}
		if len(p.all("a", func(n *html.Node) bool { return textOf(n) == "Older" })) == 0 {
			break
		}
		p = p.follow("Older").want(200)
	}
	if pages != 2 || len(seen) != 61 { // with the row of the headings
		t.Errorf("%d rows on %d pages", len(seen)-1, pages+1)
	}
	p = p.follow("Newer").follow("Newer")
	if !strings.Contains(p.text(), " 59 ") || len(p.all("a", func(n *html.Node) bool { return textOf(n) == "Newer" })) != 0 {
		t.Errorf("the first page is %s", p.text())
	}
	for _, below := range []string{"x", "-1", "99999999999"} {
		alice.get("/wallets/treasury/receive?below=" + below).want(404)
	}
}
