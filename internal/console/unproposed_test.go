package console_test

import (
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/specterd/specterd/internal/testenv/testkit"
)

// spendElsewhere pays from a vault with the wallets of its signers alone, and returns the txid.
func (v *visitor) spendElsewhere(w vault, amount string) string {
	v.t.Helper()
	n := v.site.node
	outputs := map[string]json.Number{purseAddress(v.t, n): json.Number(amount)}
	var funded struct{ PSBT []byte }
	testkit.Check(v.t, json.Unmarshal(n.WalletCLI(v.t, w.signers[0], "walletcreatefundedpsbt", []any{}, outputs, 0, map[string]any{"fee_rate": 5, "changeAddress": v.address(w.alias, "")}), &funded))
	raw := n.Finalize(v.t, n.Sign(v.t, funded.PSBT, w.signers[:2]...))
	var txid string
	testkit.Check(v.t, json.Unmarshal(n.CLI(v.t, "sendrawtransaction", hex.EncodeToString(raw)), &txid))
	return txid
}

// TestUnproposed: a payment that the holders of the keys sign elsewhere is a warning on the pages
// of the members for 7 days, an event, which webhooks deliver, and a metric. Proposals and the imported history are not.
func TestUnproposed(t *testing.T) {
	t.Parallel()
	onEachEngine(t, func(t *testing.T, s *site) {
		t.Helper()
		const warning = "left a wallet without a proposal"
		alice, bob := s.user(t, "alice", false), s.user(t, "bob", false)
		w := alice.funded("treasury")
		messages := make(chan string, 10)
		receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			messages <- string(body)
		}))
		t.Cleanup(receiver.Close)
		alice.api("POST", "/api/v1/webhooks", map[string]any{"description": "alert", "url": receiver.URL, "kinds": []string{"spend"}})
		made := alice.propose(w.alias)
		alice.sign(made, w.signers[:2]...)
		alice.get(pageOf(made)).submit(pageOf(made) + "/broadcast")
		s.node.Mine(t, 1)
		for _, page := range []string{"/", "/wallets/treasury"} {
			alice.get(page).want(http.StatusOK).lacks(warning)
		}

		txid := alice.spendElsewhere(w, "0.01")
		testkit.Eventually(t, "the warning appears", func() bool { return strings.Contains(alice.get("/").text(), warning) })
		alice.get("/wallets/treasury").want(http.StatusOK, warning)
		alice.get("/").follow("Treasury,").want(http.StatusOK, txid[:8])
		bob.get("/").want(http.StatusOK).lacks(warning)
		if n := s.count(t, "events WHERE kind = 'spend.unproposed' AND subject = '"+txid+"'"); n != 1 {
			t.Errorf("%d events", n)
		}
		if message := <-messages; !strings.Contains(message, `"type":"spend.unproposed"`) || !strings.Contains(message, txid) {
			t.Errorf("the webhook got %s", message)
		}
		stats, err := s.Store.Stats(t.Context())
		if testkit.Check(t, err); stats.UnproposedSpends != 1 {
			t.Errorf("%d in the metrics", stats.UnproposedSpends)
		}

		// After 7 days, and for a wallet that was created later.
		s.sql(t, "UPDATE wallets SET created_at = created_at + 86400000000")
		alice.get("/").want(http.StatusOK).lacks(warning)
		s.sql(t, "UPDATE wallets SET created_at = created_at - 86400000000 * 30")
		alice.get("/").want(http.StatusOK, warning)
		s.sql(t, "UPDATE transactions SET time = time - 86400000000 * 8")
		alice.get("/").want(http.StatusOK).lacks(warning)
	}, onOwnNode, with("SPECTER_WEBHOOK_HOSTS", "127.0.0.1"))
}

// TestBrowser_Unproposed looks at the warning on the pages.
func TestBrowser_Unproposed(t *testing.T) {
	t.Parallel()
	s, alice, w := treasury(t)
	alice.spendElsewhere(w, "0.01")
	testkit.Eventually(t, "the warning appears", func() bool { return strings.Contains(alice.get("/").text(), "without a proposal") })
	b := s.chromium(t)
	b.open("/login")
	b.signIn(alice.name, alice.password)
	b.see("Home")
	b.inspect("/")
	b.inspect("/wallets/treasury")
}
