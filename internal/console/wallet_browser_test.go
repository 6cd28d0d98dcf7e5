package console_test

import (
	"fmt"
	"testing"
)

// TestBrowser_WalletPages looks at the pages of a wallet with payments, a replaced one, a frozen
// and a reserved UTXO; and checks that a payment appears without a reload.
func TestBrowser_WalletPages(t *testing.T) {
	t.Parallel()
	s := open(t, onOwnNode)
	alice := s.user(t, "alice", false)
	w := alice.vault("treasury")
	b := s.chromium(t)
	b.open("/login")
	b.signIn("alice", alice.password)
	b.see("Home")
	for _, path := range []string{"", "/receive", "/history", "/utxos"} { // empty
		b.inspect("/wallets/treasury" + path)
	}
	var address, txid string
	for i := range 3 {
		address = alice.address(w.alias, fmt.Sprintf("Invoice %d of a customer with a long name", i))
		txid = alice.pay(w.alias, address, "0.2")
	}
	alice.replace(w.alias, address)
	alice.propose(w.alias)
	alice.post("/wallets/treasury/utxos", "action", "freeze", "utxo", txid+":0", "utxo", txid+":1").want(200)
	open := alice.address(w.alias, "open")
	for _, path := range []string{
		"", "?period=1y", "/receive", "/receive?amount=150000&message=Thanks&address=" + open, "/receive?amount=x", "/receive?address=" + address, "/history", "/history?from=x&kind=y",
		"/history?q=nothing", "/transactions/" + txid, "/utxos", "/utxos?state=frozen&order=largest", "/utxos?least=x",
	} {
		b.inspect("/wallets/treasury" + path)
	}
	b.inspect("/")
	b.open("/wallets/treasury/history")
	b.see("Invoice 2")
	alice.pay(w.alias, open, "0.12345678")
	b.see("12 345 678")
}
