package console_test

import (
	"net/http"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// TestGerman_Problems shows problems whose English texts consist of parts, in both languages.
func TestGerman_Problems(t *testing.T) {
	t.Parallel()
	s := open(t, onOwnNode)
	alice := s.user(t, "alice", false)
	w := alice.funded("treasury")
	alice.pay(w.alias, alice.address(w.alias, ""), "0.3")
	id := alice.proposeWith(w.alias, "Rent <3>")["id"].(string)
	const send = "/wallets/treasury/send"
	to := purseAddress(t, s.node)
	pay := func(amount, rate, action string) *document {
		return alice.get(send).submit(send, address1, to, amount1, amount, "target_blocks", "own", "fee_rate_sat_vb", rate, "action", action)
	}
	newWallet := func() *document { return alice.get(newWalletPath).send(nil, "text", "wpkh(xyz)") }
	sign := func(text string) *document {
		page := "/wallets/treasury/proposals/" + id
		return alice.get(page).submit(page+"/signatures", "psbt", text)
	}
	policy := func() *document {
		const page = "/wallets/treasury/policy/edit"
		return alice.get(page).submit(page, "allow[0].name", "a", "allow[0].delay", "soon", "allow[0].max_payment_sat", "many", "change.approvals", "many", "change.delay", "a fortnight")
	}
	tests := []struct {
		name             string
		do               func() *document
		status           int
		english, german  []string
		notGerman, never string
	}{
		{
			"not enough, while typing", func() *document { return pay("2000000000", "5", "typing") }, 200,
			[]string{"Insufficient funds for the payment and its fee", " sat are available, ", " sat reserved by open proposals. The balance of the wallet is too low"},
			[]string{"Das Guthaben reicht nicht für die Zahlung und ihre Gebühr", " sat sind verfügbar, ", " sat durch offene Vorschläge reserviert. Die Wallet hat zu wenig Guthaben"},
			"are available", "",
		},
		{
			"not enough", func() *document { return pay("2000000000", "5", "preview") }, 409,
			[]string{" sat are available, "},
			[]string{" sat sind verfügbar, ", " sat durch offene Vorschläge reserviert. Die Wallet hat zu wenig Guthaben"},
			"are available", "",
		},
		{
			"not enough without the reserved UTXO", func() *document { return pay("75000000", "5", "preview") }, 409,
			[]string{" sat are available. Open proposals reserve ", " sat: Rent <3> (", " sat). The payment is possible if they are cancelled or expire."},
			[]string{" sat sind verfügbar. Offene Vorschläge reservieren ", " sat: Rent <3> (", " sat). Die Zahlung ist möglich, wenn sie zurückgezogen werden oder ablaufen."},
			"reserve ", "",
		},
		{
			"dust", func() *document { return pay("100", "5", "preview") }, 400,
			[]string{"Must be at least 546 sat for an address of this type"},
			[]string{"Muss für eine Adresse dieser Art mindestens 546 sat sein: Ein kleinerer Betrag ist Dust"},
			"must be", "",
		},
		{
			"wrong, while typing", func() *document { return pay("100000", "99999", "typing") }, 200,
			[]string{"This payment is not possible yet: Fee rate: must not exceed"},
			[]string{"Diese Zahlung ist so noch nicht möglich: Gebührenrate: darf"},
			"must not", "Not complete yet",
		},
		{
			"missing, while typing", func() *document { return pay("", "5", "typing") }, 200,
			[]string{"Not complete yet: Amount of recipient 1"},
			[]string{"Noch nicht vollständig: Betrag des Empfängers 1"},
			"", "This payment is not possible yet",
		},
		{
			"preview", func() *document { return pay("100000", "5", "preview") }, 200,
			[]string{"Available once confirmed"},
			[]string{"Nach der Bestätigung verfügbar"},
			"", "Available afterwards",
		},
		{
			"wrong key", newWallet, 400,
			[]string{"ey 1 must be an extended public key"},
			[]string{"Schlüssel 1 muss ein erweiterter öffentlicher Schlüssel wie", "dieser ist unvollständig oder falsch eingegeben"},
			"must be an", "",
		},
		{
			"nothing to add", func() *document { return sign("") }, 400,
			[]string{"Choose the signed file, or paste its text."},
			[]string{"Wählen Sie die signierte Datei, oder fügen Sie ihren Text ein."},
			"", "Correct this value",
		},
		{
			"a URL to add", func() *document { return sign("https://example.org") }, 400,
			[]string{"but a URL; send the signed PSBT"},
			[]string{"sondern eine URL; senden Sie die signierte PSBT"},
			"a URL", "",
		},
		{
			"policy", policy, 400,
			[]string{"Delay", "Approvals of changes", "Delay of changes", "Must be a duration of at least 1 minute and at most 366 days, such as 24h, 1 day or 2 weeks."},
			[]string{"Muss eine Dauer von mindestens 1 Minute und höchstens 366 Tagen sein, zum Beispiel 24h, 1 Tag oder 2 Wochen."},
			"must be", "",
		},
	}
	for _, action := range []string{"typing", "preview"} { // the error links the proposal if its UTXO would help
		for amount, want := range map[string]int{"75000000": 1, "2000000000": 0} {
			p := pay(amount, "5", action)
			if links := p.all("a", func(n *html.Node) bool { return attr(n, "href") == "/p/"+id }); len(links) != want {
				t.Errorf("%s %s sat: %d links to the proposal", action, amount, len(links))
			}
		}
	}
	for _, lang := range []string{"en", "de"} {
		alice.get("/settings").submit("/display", "lang", lang).want(http.StatusOK)
		for _, test := range tests {
			t.Run(test.name+" "+lang, func(t *testing.T) {
				was := alice.t
				alice.t = t
				defer func() { alice.t = was }()
				p := test.do()
				if test.never != "" {
					p.lacks(test.never)
				}
				if lang == "en" {
					p.want(test.status, test.english...)
					return
				}
				p.want(test.status, test.german...)
				if test.notGerman != "" && strings.Contains(p.text(), test.notGerman) {
					t.Errorf("the page has %q: %s", test.notGerman, p.text())
				}
			})
		}
	}
}
