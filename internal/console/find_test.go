package console_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// TestFind searches for what a wallet has, as a member and as another user.
func TestFind(t *testing.T) {
	t.Parallel()
	s := open(t, onOwnNode)
	olga, ben, eve := s.user(t, "olga", false), s.user(t, "ben", false), s.user(t, "eve", false)
	w := olga.vault("treasury")
	olga.member(w.alias, ben, "viewer")
	address := olga.address(w.alias, "an invoice")
	txid := olga.pay(w.alias, address, "0.5")
	id := olga.propose(w.alias)["id"].(string)
	find := func(v *visitor, query string) *document { return v.get("/find?" + url.Values{"q": {query}}.Encode()) }
	for query, want := range map[string]string{
		address: "/receive?address=" + address, "  " + address: "/receive?address=" + address, strings.ToUpper(address): "/receive?address=" + address,
		"bitcoin:" + address: "/receive?address=" + address, txid: "/transactions/" + txid, strings.ToUpper(txid): "/transactions/" + txid, txid + ":1": "/transactions/" + txid,
		id: "/proposals/" + id, "TREAS": "",
	} {
		t.Run(query, func(t *testing.T) {
			for _, v := range []*visitor{olga, ben} {
				if p := find(v, query); p.at.RequestURI() != "/wallets/treasury"+want {
					t.Errorf("%s is at %s: %s", v.name, p.at.RequestURI(), p.text())
				}
			}
			find(eve, query).want(200, "Nothing was found")
		})
	}
	if p := find(olga, "an invoice").want(200, "Nothing was found", "names of your wallets"); !slices.ContainsFunc(p.all("a", nil), func(n *html.Node) bool {
		return attr(n, "href") == "/wallets/treasury/history?q=an+invoice"
	}) {
		t.Error("a search for a label does not link to the history")
	}
	olga.get("/wallets/treasury/history?q=an+invoice").want(200, txid)
	for _, query := range []string{"<b>x", strings.Repeat("f", 64), "00000000-0000-4000-8000-000000000000", "bitcoin:?x", strings.Repeat("x", 5000)} {
		find(olga, query).want(200, "Nothing was found").lacks("<b>x")
	}
	find(olga, " ").want(200, "Search").lacks("Nothing was found")
	olga.vault("treasury_2")
	find(olga, "treas").want(200, "2 results", "in the wallet Treasury_2")
	olga.api("PATCH", "/api/v1/wallets/treasury_2", map[string]any{"name": "Grün & Co"})
	if p := find(olga, "GRÜN"); p.path() != "/wallets/treasury_2" {
		t.Errorf("the name of a wallet leads to %s", p.path())
	}
	olga.get("/").want(200).submitSearch(t, address)
}

// submitSearch searches with the form in the navigation.
func (d *document) submitSearch(t *testing.T, query string) {
	t.Helper()
	forms := d.forms("/find")
	if len(forms) != 1 {
		t.Fatalf("%d forms", len(forms))
	}
	values := fields(forms[0])
	values.Set("q", query)
	if p := d.by.get("/find?" + values.Encode()); !strings.HasSuffix(p.at.RequestURI(), "address="+query) {
		t.Errorf("the search leads to %s", p.at)
	}
}
