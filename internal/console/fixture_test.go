package console_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/specterd/specterd/internal/testenv/testkit"
)

// api sends a request with a JSON body to the API, as a user's script with a token of all
// scopes, and decodes the response into a map. It fails the test after an error.
func (v *visitor) api(method, path string, body any) map[string]any {
	v.t.Helper()
	if v.token == "" {
		var created struct{ Token string }
		v.call(http.MethodPost, "/api/v1/tokens", map[string]any{"description": "for the tests", "scopes": v.scopes(), "lifetime": "1 day"}, &created)
		v.token = created.Token
	}
	var out map[string]any
	v.call(method, path, body, &out)
	return out
}

// scopes returns all scopes that a user can have.
func (v *visitor) scopes() []string {
	return []string{
		"wallets:read", "wallets:write", "addresses:write", "members:write", "proposals:read", "proposals:create", "proposals:sign",
		"proposals:broadcast", "events:read", "tokens:read", "tokens:write", "webhooks:read", "webhooks:write",
	}
}

func (v *visitor) call(method, path string, body, out any) {
	v.t.Helper()
	r := testkit.Must(http.NewRequestWithContext(v.t.Context(), method, v.site.url+path, bytes.NewReader(testkit.Must(json.Marshal(body)))))
	r.Header.Set("Content-Type", "application/json")
	if v.token == "" {
		r.SetBasicAuth(v.name, v.password)
	} else {
		r.Header.Set("Authorization", "Bearer "+v.token)
	}
	answer, err := http.DefaultClient.Do(r)
	testkit.Check(v.t, err)
	defer func() { _ = answer.Body.Close() }()
	data := testkit.Must(io.ReadAll(answer.Body))
	if answer.StatusCode >= 300 {
		v.t.Fatalf("%s %s: %d %s", method, path, answer.StatusCode, data)
	}
	if len(data) > 0 {
		testkit.Check(v.t, json.Unmarshal(data, out))
	}
}

// vault is a 2-of-3 multisig wallet whose keys are in wallets of the node.
type vault struct {
	alias   string
	signers []string // wallets of the node, one for each key
}

// vault creates a wallet, of which v is the owner, and its signers on the node.
func (v *visitor) vault(alias string) vault {
	v.t.Helper()
	w := vault{alias: alias}
	first := int(2000 + 10*uniqueNumber.Add(1))
	for i := range 3 {
		name := fmt.Sprintf("%s signer %d of %d", alias, i, first)
		v.site.node.Signer(v.t, name, testkit.WSH.Descriptor(v.t, first, "0", i), testkit.WSH.Descriptor(v.t, first, "1", i))
		w.signers = append(w.signers, name)
	}
	v.api("POST", "/api/v1/wallets", map[string]any{
		"name": strings.ToUpper(alias[:1]) + alias[1:], "alias": alias, "birthday": "now",
		"descriptor": testkit.WSH.Descriptor(v.t, first, "<0;1>", -1),
	})
	return w
}

// funded creates a vault and pays 0.5 BTC to an address of it.
func (v *visitor) funded(alias string) vault {
	v.t.Helper()
	w := v.vault(alias)
	v.pay(alias, v.address(alias, ""), "0.5")
	return w
}

// treasury opens a server with a node of its own, on which alice has the funded vault treasury.
func treasury(t *testing.T) (s *site, alice *visitor, w vault) {
	t.Helper()
	s = open(t, onOwnNode)
	alice = s.user(t, "alice", false)
	return s, alice, alice.funded("treasury")
}

// member adds a user to a wallet of v.
func (v *visitor) member(alias string, other *visitor, role string) {
	v.t.Helper()
	invitation := v.api("POST", "/api/v1/wallets/"+alias+"/invitations", map[string]any{"user": other.name, "role": role})
	other.api("POST", "/api/v1/invitations/"+invitation["id"].(string)+"/accept", map[string]any{"alias": alias})
}

// address reveals a receive address.
func (v *visitor) address(alias, label string) string {
	v.t.Helper()
	return v.api("POST", "/api/v1/wallets/"+alias+"/addresses", map[string]any{"label": label})["address"].(string)
}

// purse is the node's wallet that pays.
const purse = "purse"

// fund gives the node a wallet with mature coins.
func fund(t *testing.T, n *testkit.Node) {
	t.Helper()
	n.CLI(t, "createwallet", purse)
	var address string
	testkit.Check(t, json.Unmarshal(n.WalletCLI(t, purse, "getnewaddress"), &address))
	n.CLI(t, "generatetoaddress", 5, address)
	n.Mine(t, 100)
}

// pay pays BTC to an address of a wallet, mines a block, and waits for the index. It returns
// the txid.
func (v *visitor) pay(alias, address, amount string) string {
	v.t.Helper()
	n := v.site.node
	var txid string
	testkit.Check(v.t, json.Unmarshal(n.WalletCLI(v.t, purse, "send", map[string]json.Number{address: json.Number(amount)}), &struct{ Txid *string }{&txid}))
	n.Mine(v.t, 1)
	testkit.Eventually(v.t, "the payment is in the history", func() bool {
		for _, item := range v.api("GET", "/api/v1/wallets/"+alias+"/transactions", nil)["items"].([]any) {
			if tx := item.(map[string]any); tx["txid"] == txid && tx["confirmations"] != float64(0) {
				return true
			}
		}
		return false
	})
	return txid
}

// propose creates a proposal that pays 100,000 satoshis to an address of the node's wallet,
// and returns it.
func (v *visitor) propose(alias string) map[string]any {
	v.t.Helper()
	return v.proposeWith(alias, "")
}

// proposeWith does the same with a label of the recipient.
func (v *visitor) proposeWith(alias, label string) map[string]any {
	v.t.Helper()
	var to string
	testkit.Check(v.t, json.Unmarshal(v.site.node.WalletCLI(v.t, purse, "getnewaddress"), &to))
	return v.api("POST", "/api/v1/wallets/"+alias+"/proposals", map[string]any{
		"recipients": []any{map[string]any{"address": to, "amount_sat": 100_000, "label": label}}, "fee_rate_sat_vb": 5,
	})
}

// try sends a request with a JSON body to the API, and returns the status of the response.
func (v *visitor) try(method, path string, body any) int {
	v.t.Helper()
	r := testkit.Must(http.NewRequestWithContext(v.t.Context(), method, v.site.url+path, bytes.NewReader(testkit.Must(json.Marshal(body)))))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+v.token)
	status, _ := v.site.send(v.t, r)
	return status
}

// status returns the status of the response to a request of the API with a token.
func (s *site) status(t *testing.T, path, token string) int {
	t.Helper()
	r := testkit.Must(http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+path, nil))
	r.Header.Set("Authorization", "Bearer "+token)
	status, _ := s.send(t, r)
	return status
}

// body returns the body of the response to a request of the API with a token, in a media type.
func (s *site) body(t *testing.T, path, token, mediaType string) string {
	t.Helper()
	r := testkit.Must(http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+path, nil))
	r.Header.Set("Accept", mediaType)
	r.Header.Set("Authorization", "Bearer "+token)
	_, body := s.send(t, r)
	return body
}

func (s *site) send(t *testing.T, r *http.Request) (status int, body string) {
	t.Helper()
	answer, err := http.DefaultClient.Do(r)
	testkit.Check(t, err)
	defer func() { _ = answer.Body.Close() }()
	return answer.StatusCode, string(testkit.Must(io.ReadAll(answer.Body)))
}
