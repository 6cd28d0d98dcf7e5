package console_test

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/qrcodec"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// psbtOf returns the PSBT in the response of the API.
func psbtOf(t *testing.T, p map[string]any) []byte {
	t.Helper()
	return testkit.Value(base64.StdEncoding.DecodeString(p["psbt"].(string)))(t)
}

// payeeOf returns the address of the recipient in the response of the API.
func payeeOf(p map[string]any) string {
	for _, o := range p["outputs"].([]any) {
		if o := o.(map[string]any); o["amount_sat"] == float64(100_000) {
			return o["address"].(string)
		}
	}
	return ""
}

// wantActivity checks the history of a proposal, without the times.
func (d *document) wantActivity(want ...string) {
	d.by.t.Helper()
	section := d.all("section", func(n *html.Node) bool { return attr(n, "id") == "proposal-activity" })
	if len(section) != 1 {
		d.by.t.Fatalf("%d sections of the activity", len(section))
	}
	var got []string
	for _, item := range d.all("span", func(n *html.Node) bool { return attr(n, "class") == "grow" && n.Parent.Parent.Parent == section[0] }) {
		got = append(got, strings.NewReplacer("( ", "(", " )", ")").Replace(textOf(item)))
	}
	if !slices.Equal(got, want) {
		d.by.t.Errorf("the activity is %q, want %q", got, want)
	}
}

// TestSign follows a payment from the proposal to the block, by two signers: one with a file,
// the other with the texts of QR codes.
func TestSign(t *testing.T) {
	t.Parallel()
	onEachEngine(t, func(t *testing.T, s *site) {
		alice, bob, carol := s.user(t, "alice", false), s.user(t, "bob", false), s.user(t, "carol", false)
		w := alice.funded("treasury")
		alice.member(w.alias, bob, "signer")
		alice.member(w.alias, carol, "viewer")
		alice.pay(w.alias, alice.address(w.alias, ""), "0.5")
		first := alice.api("GET", "/api/v1/wallets/"+w.alias, nil)["keys"].([]any)[0].(map[string]any)
		alice.api("PATCH", "/api/v1/devices/"+first["device"].(string), map[string]any{"name": "Passport of Alice"})
		made := alice.propose(w.alias)
		id := made["id"].(string)
		page := pageOf(made)

		alice.get(page).want(200, "Next: sign with your device", "0 of 2 signatures", "2 signatures are missing", "These members can also sign: bob", "Passport of Alice", "Key 2", "Missing", "Belongs to this wallet", "100 000 sat", "By QR code", "By file or memory card", "Total in BTC", "The link works only on this computer")
		carol.get(page).want(200, "Waiting for 2 signatures", "These members can sign: alice, bob", "You cannot: your role in this wallet is viewer").lacks("/signatures", "/cancel", "/bump")
		other := s.node.Sign(t, psbtOf(t, alice.propose(w.alias)), w.signers[0])
		for name, content := range map[string]string{"no PSBT": "hello", "an image without a code": "\x89PNG\r\n\x1a\n", "nothing": "", "another payment": string(other)} {
			t.Run("refused/"+name, func(t *testing.T) {
				r := alice.upload(page+"/signatures", nil, file{"file", "x.psbt", []byte(content)})
				if r.status < 400 || r.status >= 500 || len(r.all("", isAlert)) == 0 {
					t.Errorf("status %d: %s", r.status, r.text())
				}
			})
		}
		alice.upload(page+"/signatures", nil, file{"file", "x.psbt", other}).want(400, "This file signs another payment. Nothing was added. Show this payment to the device again").lacks("outpoint")
		if n := s.count(t, "proposal_signatures"); n != 0 {
			t.Fatalf("bad files have left %d signatures", n)
		}

		download := alice.get(page + "/psbt")
		if got := download.header.Get("Content-Disposition"); !strings.HasPrefix(got, "attachment") || download.body != string(psbtOf(t, made)) {
			t.Errorf("the file is not the PSBT of the proposal: %s", got)
		}
		signed := s.node.Sign(t, []byte(download.body), w.signers[0])
		p := alice.upload(page+"/signatures", nil, file{"file", "signed.psbt", signed})
		p.want(200, "The signature of this key is added", "1 more signature is required", "1 of 2 signatures", "Signed", "alice").lacks("Signatures added, more required")
		fingerprint := made["signers"].([]any)[2].(map[string]any)["fingerprint"].(string)
		p.wantActivity("Proposed · alice", "Signature added · alice (Passport of Alice)")
		if p.path() != page {
			t.Errorf("after signing, the user is at %s", p.path())
		}
		alice.upload(page+"/signatures", nil, file{"file", "signed.psbt", signed}).want(200, "The proposal already has these signatures")

		bob.post("/logout")
		p = bob.get("/p/" + id) // the link that alice sent
		if p.path() != "/login" {
			t.Fatalf("/p leads to %s", p.path())
		}
		p = p.submit("/login", "user", "bob", "password", bob.password).want(200, "Next: sign with your device", "1 of 2 signatures")
		texts := urTexts(t, s.node.Sign(t, psbtOf(t, made), w.signers[2]))
		p.submit(page+"/signatures", "psbt", texts[0]).want(400, "are missing")
		slices.Reverse(texts)
		p = p.submit(page+"/signatures", "psbt", strings.Join(texts, "\r\n"))
		p.want(200, "The signature of this key is added", "It can be broadcast now", "Next: broadcast the payment", "Not required", "Link for the other members").lacks("Link for the other signers")
		p.wantActivity("Proposed · alice", "Signature added · alice (Passport of Alice)", "Signatures completed · bob ("+fingerprint+")")
		carol.get(page).want(200, "Ready to broadcast "+payeeOf(made)+" 100 000 sat Fee", "Total", "These members can broadcast it: alice, bob").lacks(page+"/broadcast", "Signed transaction in hexadecimal")
		carol.post(page + "/broadcast").want(403)

		s.sql(t, "UPDATE sessions SET proved_at = proved_at - $1", auth.ProofLifetime.Microseconds())
		p = bob.get(page).submit(page+"/broadcast").want(403, "Enter your password again", "To broadcast a payment of Treasury, enter your password again.")
		p = p.submit(page+"/broadcast", "_password", bob.password).want(200, "The payment was broadcast", "Waiting for a block").lacks("Link for the other", "The payment is broadcast")
		if n := p.all("a", func(n *html.Node) bool { return strings.HasPrefix(attr(n, "href"), "/wallets/treasury/transactions/") }); len(n) != 1 {
			t.Errorf("%d links to the transaction", len(n))
		}
		s.node.Mine(t, 1)
		testkit.Eventually(t, "the page says that the payment is confirmed", func() bool {
			return strings.Contains(alice.get(page).text(), "The payment is confirmed")
		})
		alice.get("/wallets/treasury/proposals").want(200, "Confirmed", "100 000 sat")
	}, onOwnNode)
}

// TestEndProposal cancels, bumps and abandons payments.
func TestEndProposal(t *testing.T) {
	t.Parallel()
	s := open(t, onOwnNode)
	alice, bob := s.user(t, "alice", false), s.user(t, "bob", false)
	w := alice.vault("treasury")
	alice.member(w.alias, bob, "proposer")
	for range 3 {
		alice.pay(w.alias, alice.address(w.alias, ""), "0.1")
	}

	t.Run("cancel", func(*testing.T) {
		made := alice.propose(w.alias)
		page := pageOf(made)
		bob.get(page).want(200, "Only signers, owners and the member who proposed it can cancel it").lacks(page + "/cancel")
		bob.post(page + "/cancel").want(403)
		p := alice.get(page)
		alice.sign(made, w.signers[0], w.signers[1]).want(200, "The signatures of these keys are added")
		p.submit(page+"/cancel").want(412, "The proposal has changed since you read it")
		p = alice.get(page).submit(page + "/cancel")
		p.want(200, "The proposal is cancelled", "The signed transaction is still valid", "cancelled by alice")
		p = p.follow("Prepare that payment").want(200, "1 UTXO is chosen")
		p.submit("/wallets/treasury/send", "target_blocks", "own", "fee_rate_sat_vb", "3", "action", "preview").want(200, "Change 0 sat", "An address of this wallet")
		alice.post(page+"/cancel").want(409, "this requires the status")
	})
	t.Run("bump", func(t *testing.T) {
		made := alice.propose(w.alias)
		page := pageOf(made)
		alice.sign(made, w.signers[0], w.signers[1]).want(200, "Increase the fee")
		alice.get(page).submit(page+"/broadcast").want(200, "Waiting for a block")
		alice.get("/wallets/treasury/transactions/"+made["txid"].(string)).want(200, "Increase the fee")
		p := alice.get(page).follow("Increase the fee").want(200, "5 sat/vB")
		before := s.count(t, "proposals")
		p.submit(page+"/bump", "fee_rate_sat_vb", "5", "action", "preview").want(400, "Must be at least")
		p.submit(page+"/bump", "fee_rate_sat_vb", "x", "action", "preview").want(400, "with a decimal point")
		p = p.submit(page+"/bump", "fee_rate_sat_vb", "20", "action", "preview").want(200, "20 sat/vB", "Additional fee", "100 000 sat")
		if n := s.count(t, "proposals"); n != before {
			t.Fatalf("the preview has stored %d proposals", n-before)
		}
		first := p.submit(page+"/bump", "action", "create").want(200, "The proposal is created", "Replaces", "20 sat/vB")
		if second := p.submit(page+"/bump", "action", "create"); second.path() != first.path() || s.count(t, "proposals") != before+1 {
			t.Errorf("sent twice, the form has created %d proposals", s.count(t, "proposals")-before)
		}
		alice.get(page).submit(page+"/abandon").want(409, "The transaction is in the mempool")
	})
}

// TestProposals_Pages reads the list page by page.
func TestProposals_Pages(t *testing.T) {
	t.Parallel()
	onEachEngine(t, func(t *testing.T, s *site) {
		alice := s.user(t, "alice", false)
		w := alice.vault("treasury")
		alice.get("/wallets/treasury/proposals").want(200, "No proposals yet")
		alice.pay(w.alias, alice.address(w.alias, ""), "0.5")
		const count = 28
		for range count {
			p := alice.propose(w.alias)
			alice.api("DELETE", "/api/v1/wallets/treasury/proposals/"+p["id"].(string), nil)
		}
		alice.propose(w.alias)
		seen := map[string]int{}
		p := alice.get("/wallets/treasury/proposals").want(200, "Cancelled", "Signatures missing")
		for pages := 1; ; pages++ {
			for _, n := range p.all("a", nil) {
				if href := attr(n, "href"); strings.HasPrefix(href, "/wallets/treasury/proposals/") {
					seen[href]++
				}
			}
			if !strings.Contains(p.text(), "Older proposals") {
				break
			}
			if pages > 2 {
				t.Fatal("the list does not end")
			}
			p = p.follow("Older proposals")
		}
		if len(seen) != count+1 {
			t.Errorf("%d of %d proposals are listed", len(seen), count+1)
		}
		for href, n := range seen {
			if n != 1 {
				t.Errorf("%s is listed %d times", href, n)
			}
		}
		alice.get("/wallets/treasury/proposals?status=open").want(200, "Signatures missing", "0 of 2 signatures").lacks("badge\">")
		alice.get("/wallets/treasury/proposals?status=broadcast").want(200, "No proposal has this status")
		alice.get("/wallets/treasury/proposals?status=x").want(400)
		alice.get("/wallets/treasury/proposals?after=x").want(404)
	}, onOwnNode)
}

// TestProposal_Foreign requests the proposal of another wallet in every way.
func TestProposal_Foreign(t *testing.T) {
	t.Parallel()
	s, alice, w := treasury(t)
	mallory := s.user(t, "mallory", false)
	mallory.vault("own")
	id := alice.propose(w.alias)["id"].(string)
	before := fmt.Sprint(alice.api("GET", "/api/v1/wallets/treasury/proposals/"+id, nil))
	for _, path := range []string{"", "/psbt", "/qr", "/bump"} {
		mallory.get("/wallets/own/proposals/"+id+path).want(404).lacks("treasury", "Treasury")
	}
	mallory.get("/p/" + id).want(404)
	alice.get("/p/no-id").want(404)
	for _, path := range []string{"/signatures", "/broadcast", "/cancel", "/abandon", "/bump"} {
		mallory.post("/wallets/own/proposals/"+id+path, "psbt", "x", "fee_rate_sat_vb", "9").want(404)
	}
	if after := fmt.Sprint(alice.api("GET", "/api/v1/wallets/treasury/proposals/"+id, nil)); after != before {
		t.Errorf("the proposal has changed:\n%s\n%s", before, after)
	}
}

// urTexts returns the texts of QR codes as a device shows them.
func urTexts(t *testing.T, psbt []byte) []string {
	t.Helper()
	return urOf(t, qrcodec.PSBTResource(psbt), 200)
}

// urOf returns the texts of the codes of a resource, with at most so many bytes in each.
func urOf(t *testing.T, r qrcodec.Resource, fragment int) []string {
	t.Helper()
	parts := testkit.Value(qrcodec.NewURParts(r, fragment))(t)
	texts := make([]string, parts.Len())
	for i := range texts {
		texts[i] = parts.Text(uint32(i + 1))
	}
	return texts
}

func isAlert(n *html.Node) bool { return attr(n, "role") == "alert" }

// TestEvictions increases the fee of a payment whose change another member has spent.
func TestEvictions(t *testing.T) {
	t.Parallel()
	s, alice, w := treasury(t)
	bob := s.user(t, "bob", false)
	alice.member(w.alias, bob, "signer")
	send := func(v *visitor) string {
		made := v.propose(w.alias)
		page := pageOf(made)
		v.sign(made, w.signers[0], w.signers[1])
		v.get(page).submit(page+"/broadcast").want(200, "Waiting for a block")
		return page
	}
	page := send(alice)
	spent := send(bob)

	p := alice.get(page+"/bump").submit(page+"/bump", "fee_rate_sat_vb", "40", "action", "preview")
	p.want(200, "Evicts an unconfirmed payment", "Show the proposal by bob", "The payments above may be evicted")
	p.submit(page+"/bump", "action", "create").want(409, "would evict later payments that are not your own")
	p = p.submit(page+"/bump", "action", "create", "evict", "1").want(200, "The proposal is created", "Evicts an unconfirmed payment", "Next: sign with your device")
	if warning, sign := strings.Index(p.text(), "Evicts an unconfirmed"), strings.Index(p.text(), "Next: sign"); warning > sign {
		t.Error("the warning is below the form")
	}
	replacement := p.path()
	signed := s.node.Sign(t, []byte(alice.get(replacement+"/psbt").body), w.signers[0], w.signers[2])
	alice.upload(replacement+"/signatures", nil, file{"file", "s.psbt", signed}).want(200, "The payments that it evicts may be dropped")
	alice.get(replacement).submit(replacement+"/broadcast").want(200, "Waiting for a block")
	for _, gone := range []string{page, spent} {
		testkit.Eventually(t, "the evicted payments have ended", func() bool {
			text := alice.get(gone).text()
			return strings.Contains(text, "Replaced") || strings.Contains(text, "Conflicted")
		})
	}
}
