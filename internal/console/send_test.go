package console_test

import (
	"fmt"
	"image"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/specterd/specterd/internal/testenv/testkit"
)

// last returns pairs of a name and a value except the ones that a later pair of the same name
// replaces.
func last(pairs []string) (out []string) {
	for i := 0; i+1 < len(pairs); i += 2 {
		isReplaced := false
		for k := i + 2; k+1 < len(pairs); k += 2 {
			isReplaced = isReplaced || pairs[k] == pairs[i]
		}
		if !isReplaced {
			out = append(out, pairs[i], pairs[i+1])
		}
	}
	return out
}

const (
	address1 = "recipients[0].address"
	amount1  = "recipients[0].amount_sat"
	label1   = "recipients[0].label"
)

// TestSend follows a user from the empty form to the proposal.
func TestSend(t *testing.T) {
	t.Parallel()
	onEachEngine(t, func(t *testing.T, s *site) {
		alice := s.user(t, "alice", false)
		w := alice.funded("treasury")
		alice.pay(w.alias, alice.address(w.alias, ""), "0.3")
		const send = "/wallets/treasury/send"
		to := purseAddress(t, s.node)

		p := alice.get(send).want(200, "Recipients", "Preview").lacks(`value="create"`)
		p = p.submit(send, address1, to, amount1, "1500000", label1, "Nordwind, invoice 4471", "target_blocks", "own", "fee_rate_sat_vb", "4", "action", "preview")
		p.want(200, "Nordwind, invoice 4471", to, "1 500 000 sat", "Create proposal", "4 sat/vB", "1 UTXO is spent", "Nothing is stored yet")
		if n := s.count(t, "proposals"); n != 0 {
			t.Fatalf("the preview has stored %d proposals", n)
		}

		changed := p.submit(send, amount1, "2000000", "action", "create")
		changed.want(200, "The form was changed after the preview", "2 000 000 sat")
		if n := s.count(t, "proposals"); n != 0 {
			t.Fatalf("a changed form has stored %d proposals", n)
		}

		var twice sync.WaitGroup
		results := make([]*document, 3)
		for i := range results {
			twice.Go(func() { results[i] = p.submit(send, "action", "create") })
		}
		twice.Wait()
		for _, r := range results {
			r.want(200, "The proposal is created", "0 of 2 signatures", to, "Next: sign with your device")
			if r.path() != results[0].path() {
				t.Errorf("the same form leads to %s and %s", r.path(), results[0].path())
			}
		}
		if n := s.count(t, "proposals"); n != 1 {
			t.Fatalf("the form that was sent %d times has stored %d proposals", len(results), n)
		}
		p.submit(send, "action", "create").want(200, "The proposal is created")
		again := changed.submit(send, "action", "create") // the user went back and changed the form
		again.want(409, "This form was sent before with other values")
		again.submit(send, "action", "preview").submit(send, "action", "create").want(200, "The proposal is created", "2 000 000 sat")
		if n := s.count(t, "proposals"); n != 2 {
			t.Fatalf("%d proposals", n)
		}
	}, onOwnNode)
}

// TestSend_Forms checks the fields of the form, and the preview for their values.
func TestSend_Forms(t *testing.T) {
	t.Parallel()
	s := open(t, onOwnNode)
	alice := s.user(t, "alice", false)
	w := alice.vault("treasury")
	own := alice.address(w.alias, "")
	first := alice.pay(w.alias, own, "0.5")
	alice.pay(w.alias, alice.address(w.alias, ""), "0.3")
	const send = "/wallets/treasury/send"
	to, other := purseAddress(t, s.node), purseAddress(t, s.node)
	utxo := ""
	for _, item := range alice.api("GET", "/api/v1/wallets/treasury/utxos", nil)["items"].([]any) {
		if u := item.(map[string]any); u["txid"] == first {
			utxo = fmt.Sprintf("%s:%.0f", u["txid"], u["vout"])
		}
	}
	fee := []string{"target_blocks", "own", "fee_rate_sat_vb", "2.5"}
	preview := func(v *visitor, changes ...string) *document {
		return v.get(send).submit(send, last(slices.Concat([]string{"action", "preview"}, fee, changes))...)
	}

	t.Run("more and fewer recipients", func(*testing.T) {
		p := alice.get(send).submit(send, address1, to, amount1, "1000", "action", "add")
		p.want(200, "Recipient 1: address", "Recipient 2: address")
		p = p.submit(send, "recipients[1].address", other, "recipients[1].amount_sat", "2 000", "action", "add")
		p = p.submit(send, append([]string{"action", "preview"}, fee...)...)
		p.want(200, "2 recipients 3 000 sat", other).lacks("Recipient 3")
		p = p.submit(send, "action", "remove 1")
		p.want(200, "Address or bitcoin: link").lacks(to, "Recipient 2")
		p.submit(send, "action", "preview").want(200, "1 recipient 2 000 sat", other)
	})
	t.Run("empty form", func(*testing.T) {
		preview(alice).want(400, "Available 80 000 000 sat", "Enter an address.")
	})
	t.Run("CSV", func(*testing.T) {
		preview(alice, "recipients_csv", "address;amount_btc;label\n"+to+";0.01;rent\n"+other+";0.02;\n").want(200, "2 recipients 3 000 000 sat", "rent")
		preview(alice, "recipients_csv", "address,amount_sat\nnope,1\n").want(400, "Line 2, column address")
	})
	t.Run("bitcoin: link", func(*testing.T) {
		preview(alice, address1, "bitcoin:"+to+"?amount=0.01&label=shop").want(200, "1 000 000 sat", to)
	})
	t.Run("bitcoin: link fills the recipient", func(t *testing.T) {
		for name, c := range map[string]struct {
			changes                []string
			address, amount, label string
		}{
			"all":                    {[]string{address1, "bitcoin:" + to + "?amount=0.01&label=shop"}, to, "1000000", "shop"},
			"message, in upper case": {[]string{address1, "BITCOIN:" + to + "?AMOUNT=0.01&message=order%207"}, to, "1000000", "order 7"},
			"own amount and label":   {[]string{address1, "bitcoin:" + to + "?label=shop", amount1, "5000", label1, "rent"}, to, "5000", "rent"},
			"same amount":            {[]string{address1, "bitcoin:" + to + "?amount=0.01", amount1, "1 000 000"}, to, "1000000", ""},
			"in BTC":                 {[]string{address1, "bitcoin:" + to + "?amount=0.015", "unit", "btc"}, to, "0.015", ""},
		} {
			t.Run(name, func(t *testing.T) {
				p := preview(alice, c.changes...).want(200, "Create proposal")
				if form := fields(p.forms(send)[0]); form.Get(address1) != c.address || form.Get(amount1) != c.amount || form.Get(label1) != c.label {
					t.Errorf("the form has %s, %s and %s", form.Get(address1), form.Get(amount1), form.Get(label1))
				}
			})
		}
		preview(alice, address1, "bitcoin:"+to+"?amount=0.01", amount1, "5").want(400, "Must be 1000000 satoshis, the amount of the bitcoin: URI")
	})
	t.Run("maximum", func(*testing.T) {
		preview(alice, address1, to, "send_max", "1").want(200, "2 UTXOs are spent", "Change 0 sat")
		preview(alice, address1, to, "send_max", "1", "utxos", utxo).want(200, "1 UTXO is spent", "1 UTXO is chosen")
	})
	t.Run("values in the address", func(*testing.T) {
		p := alice.get(send + "?recipients%5B0%5D.address=" + to + "&send_max=1&utxos=" + utxo)
		p.submit(send, append([]string{"action", "preview"}, fee...)...).want(200, "1 UTXO is spent", "Change 0 sat", to)
	})
	t.Run("BTC", func(*testing.T) {
		alice.post("/display", "unit", "btc")
		p := preview(alice, address1, to, amount1, "0.015").want(200, "Amount in BTC", "0.01500000 BTC")
		alice.post("/display", "unit", "sat") // the amounts of an open form keep their unit
		p.submit(send, "action", "preview").want(200, "1 500 000 sat")
	})
	t.Run("an address that was used", func(*testing.T) {
		preview(alice, address1, own, amount1, "10000").want(200, "An address was paid before", own+", ", "An address of this wallet")
	})
	t.Run("another wallet of the user", func(t *testing.T) {
		savings := alice.vault("savings")
		to := alice.address(savings.alias, "")
		p := preview(alice, address1, to, amount1, "10000", label1, "to savings").want(200, "Belongs to your wallet Savings")
		p = p.submit(send, "action", "create").want(200, "Belongs to your wallet Savings")
		if !strings.Contains(p.body, "<q><bdi>to savings</bdi></q>") {
			t.Error("the label in the title is not in quotation marks")
		}
		alice.get(p.path()).submit(p.path() + "/cancel")
		s.sql(t, "DELETE FROM proposals")
	})
	t.Run("high fee", func(*testing.T) {
		preview(alice, address1, to, amount1, "1000", "fee_rate_sat_vb", "2,5").want(200, "2.5 sat/vB", "Create proposal")
		preview(alice, address1, to, amount1, "1000", "fee_rate_sat_vb", "90").want(200, "The fee is high for this amount")
	})
	t.Run("no more rights than the role", func(t *testing.T) {
		bob := s.user(t, "bob", false)
		alice.member(w.alias, bob, "viewer")
		bob.get(send).want(200, "You cannot propose payments from this wallet").lacks(`<form class="cols"`)
		bob.post(send, address1, to, amount1, "1000", "target_blocks", "6", "action", "preview").want(403)
	})
	for name, c := range map[string]struct {
		changes []string
		field   string
		message string
	}{
		"no recipient":    {nil, address1, "Enter an address"},
		"comma":           {[]string{address1, to, amount1, "1,5"}, amount1, "Must not have a comma"},
		"no amount":       {[]string{address1, to}, amount1, "Is required"},
		"no address":      {[]string{address1, " ", amount1, "1000"}, address1, "Enter an address"},
		"BTC as sat":      {[]string{address1, to, amount1, "0,01"}, amount1, "Amounts are whole satoshis; switch to BTC in the settings, or enter 1 000 000"},
		"BTC with point":  {[]string{address1, to, amount1, "0.01"}, amount1, "or enter 1 000 000"},
		"mainnet address": {[]string{address1, "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", amount1, "1000"}, address1, "Is a mainnet address; this node is on regtest"},
		"fraction":        {[]string{address1, to, amount1, "1.5"}, amount1, "Must be a whole number of satoshis"},
		"negative amount": {[]string{address1, to, amount1, "-5"}, amount1, "Must be a whole number of satoshis"},
		"address":         {[]string{address1, "bcrt1qqq", amount1, "1000"}, address1, ""},
		"dust":            {[]string{address1, to, amount1, "100"}, amount1, "a lower amount is dust"},
		"fee rate":        {[]string{address1, to, amount1, "1000", "fee_rate_sat_vb", "1,200"}, "fee_rate_sat_vb", "with a decimal point"},
		"high fee rate":   {[]string{address1, to, amount1, "1000", "fee_rate_sat_vb", "1000"}, "fee_rate_sat_vb", "Must not exceed"},
		"UTXO":            {[]string{address1, to, amount1, "1000", "utxos", strings.Repeat("ab", 32) + ":0"}, "", "Is not an unspent output of this wallet"},
		"too much":        {[]string{address1, to, amount1, "90000000"}, "", "Insufficient funds"},
	} {
		t.Run("refused/"+name, func(t *testing.T) {
			p := preview(alice, c.changes...)
			if p.status < 400 || p.status >= 500 {
				t.Fatalf("status %d: %s", p.status, p.text())
			}
			p.want(p.status, c.message).lacks(`value="create"`)
			if c.field != "" && !strings.Contains(p.body, `id="`+c.field+`-problem"`) {
				t.Errorf("no problem at %s: %s", c.field, p.text())
			}
			typing := alice.get(send).submit(send, last(slices.Concat(fee, c.changes, []string{"action", "typing"}))...)
			typing.want(200, c.message).lacks(`role="alert"`, `value="create"`)
		})
	}
	if n := s.count(t, "proposals"); n != 0 {
		t.Errorf("%d proposals are stored", n)
	}
}

// TestSend_Scan reads QR codes into the recipients, as a browser without scripts and as the script.
func TestSend_Scan(t *testing.T) {
	t.Parallel()
	s, alice, w := treasury(t)
	const send = "/wallets/treasury/send"
	first, second := purseAddress(t, s.node), purseAddress(t, s.node)
	scan := func(p *document, photo []byte, scanned string) *document {
		values := fields(p.forms(send)[0])
		values.Set("action", "scan")
		values.Set("scanned", scanned)
		return alice.upload(send, values, file{"photo", "code.jpg", photo})
	}
	p := scan(alice.get(send), codePicture(t, "bitcoin:"+first+"?amount=0.01&label=shop"), "").want(200, "1 000 000 sat", "shop")
	own := alice.address(w.alias, "")
	scan(alice.get(send), codePicture(t, "BITCOIN:"+strings.ToUpper(own)), "").want(200).lacks(strings.ToUpper(own)) // as on the page Receive
	p = scan(p, nil, second).want(200, "Recipient 2: address")
	form := fields(p.forms(send)[0])
	for name, want := range map[string]string{address1: first, amount1: "1000000", label1: "shop", "recipients[1].address": second, "recipients[1].amount_sat": "", "scanned": ""} {
		if form.Get(name) != want {
			t.Errorf("%s is %q and not %q", name, form.Get(name), want)
		}
	}
	p = p.submit(send, "recipients[1].amount_sat", "5000", "target_blocks", "own", "fee_rate_sat_vb", "2", "action", "preview").want(200, "2 recipients 1 005 000 sat")
	for name, c := range map[string]struct {
		photo   []byte
		scanned string
		want    string
	}{
		"nothing":         {nil, "", "Choose a photo of a QR code"},
		"no code":         {asJPEG(image.NewGray(image.Rect(0, 0, 640, 360))), "", "No QR code was found in the picture"},
		"no picture":      {[]byte("text"), "", ""},
		"another text":    {codePicture(t, "https://example.org/"), "", "contains neither an address nor a bitcoin: link"},
		"script's text":   {nil, "L1aW4aubDFB7yfras2S1mN3bqg9nwySY8nkoLmJebSLD5BWv3ENZ", "contains neither an address nor a bitcoin: link"},
		"mainnet address": {nil, "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", "Is a mainnet address; this node is on regtest"},
	} {
		t.Run(name, func(t *testing.T) {
			bad := scan(p, c.photo, c.scanned)
			bad.want(bad.status, c.want).lacks("L1aW4aub", `value="create"`)
			if got := fields(bad.forms(send)[0]); bad.status != 400 || got.Get(address1) != first || !strings.Contains(bad.body, `id="photo-problem"`) {
				t.Errorf("status %d, the form has %v", bad.status, got)
			}
		})
	}
	frame := alice.upload(send+"/scan", nil, file{"frame", "x.jpg", codePicture(t, first)})
	if frame.status != 200 || !strings.Contains(frame.body, `"text":"`+first+`"`) {
		t.Errorf("the frame of a camera: %d %s", frame.status, frame.body)
	}
	viewer := s.user(t, "viewer", false)
	alice.member(w.alias, viewer, "viewer")
	viewer.upload(send+"/scan", nil, file{"frame", "x.jpg", codePicture(t, first)}).want(403)
}

// TestSend_OwnWallet pays another wallet of the user, chosen by its name.
func TestSend_OwnWallet(t *testing.T) {
	t.Parallel()
	onEachEngine(t, func(t *testing.T, s *site) {
		alice, bob := s.user(t, "alice", false), s.user(t, "bob", false)
		w, savings, watched := alice.funded("treasury"), alice.vault("savings"), bob.vault("watched")
		foreign := bob.vault("foreign")
		bob.member(watched.alias, alice, "viewer")
		const send, wallet1 = "/wallets/treasury/send", "recipients[0].wallet"
		next := alice.nextAddress(savings.alias)
		revealed := func() (n int) {
			testkit.Check(t, s.db.QueryRowContext(t.Context(), "SELECT receive_next FROM wallets WHERE name = 'Savings'").Scan(&n))
			return n
		}
		form := alice.get(send).want(200, "Or your wallet", "Savings").lacks(`value="watched"`, `value="treasury"`, `value="foreign"`)
		fee := []string{"target_blocks", "own", "fee_rate_sat_vb", "2"}
		preview := func(changes ...string) *document {
			return form.submit(send, last(slices.Concat([]string{"action", "preview"}, fee, changes))...)
		}

		for name, c := range map[string][]string{
			"a wallet of others": {wallet1, foreign.alias}, "a wallet that the user only views": {wallet1, watched.alias}, "this wallet": {wallet1, w.alias}, "none such": {wallet1, "nothing"},
		} {
			t.Run(name, func(*testing.T) {
				preview(append(c, amount1, "1000")...).want(400, "Must be one of your other wallets, in which you may reveal addresses").lacks("Foreign")
			})
		}
		preview(wallet1, savings.alias, address1, purseAddress(t, s.node), amount1, "1000").want(400, "Must not be chosen for a recipient with an address")
		preview(wallet1, savings.alias, amount1, "1000", "recipients[1].wallet", savings.alias, "recipients[1].address", "", "recipients[1].amount_sat", "1000").want(400, "Must not be the wallet of another recipient")
		preview(wallet1, savings.alias, amount1, "900000000").want(409, "Insufficient funds", " sat are available").lacks(next, "0.0 BTC")

		p := preview(wallet1, savings.alias, amount1, "150000", label1, "reserve").want(200, "A new address of your wallet Savings", "150 000 sat", "reserve")
		p.lacks(next, strings.ToUpper(next))
		refused := p.submit(send, amount1, "900000000", "action", "create") // a preview of other values
		refused.lacks(next)
		if n := revealed(); n != 0 {
			t.Fatalf("previews and refused payments have revealed %d addresses", n)
		}
		results := make([]*document, 4)
		var all sync.WaitGroup
		for i := range results {
			all.Go(func() { results[i] = p.submit(send, "action", "create") })
		}
		all.Wait()
		for _, r := range results {
			r.want(200, "The proposal is created", "Belongs to your wallet Savings", next)
		}
		if proposals := s.count(t, "proposals"); proposals != 1 || revealed() != 1 {
			t.Errorf("a form that was sent %d times has created %d proposals and revealed %d addresses", len(results), proposals, revealed())
		}
		if label := alice.get("/wallets/savings/receive").want(200, next).text(); !strings.Contains(label, "reserve") {
			t.Errorf("the address has no label in the wallet that receives: %s", label)
		}
	}, onOwnNode)
}

// TestSend_UnconfirmedChain proposes a payment that spends the change of an unconfirmed one.
func TestSend_UnconfirmedChain(t *testing.T) {
	t.Parallel()
	s, alice, w := treasury(t)
	const send = "/wallets/treasury/send"
	alice.send(w, alice.propose(w.alias)) // at 5 sat/vB
	preview := func(changes ...string) *document {
		return alice.get(send).submit(send, last(append([]string{address1, purseAddress(t, s.node), amount1, "1000000", "action", "preview"}, changes...))...)
	}
	const warning = "The payment spends unconfirmed UTXOs"
	p := preview("target_blocks", "own", "fee_rate_sat_vb", "20").want(200, warning, "1 of its UTXOs is unconfirmed",
		"It is not confirmed before 1 earlier transaction", "Its fee rate is lower", "sat above 20 sat/vB, for the unconfirmed transactions that this payment depends on")
	preview("target_blocks", "own", "fee_rate_sat_vb", "2").want(200, warning, "Together with the earlier transactions, this payment pays 3.").lacks("sat above")
	preview().want(200, "The node has no estimate and used its fallback fee rate. It raised the fee", warning)
	made := p.submit(send, "action", "create").want(200, warning, "1 of its UTXOs is unconfirmed", "If one of them is replaced")
	s.node.Mine(t, 1)
	testkit.Eventually(t, "the change is confirmed", func() bool { return !strings.Contains(alice.get(made.path()).text(), warning) })
}

// send signs and broadcasts a proposal.
func (v *visitor) send(w vault, made map[string]any) {
	v.t.Helper()
	id := made["id"].(string)
	signed := v.site.node.Sign(v.t, psbtOf(v.t, made), w.signers[:2]...)
	v.upload("/wallets/"+w.alias+"/proposals/"+id+"/signatures", nil, file{"file", "signed.psbt", signed}).want(200)
	v.api("POST", "/api/v1/wallets/"+w.alias+"/proposals/"+id+"/broadcast", map[string]any{})
}
