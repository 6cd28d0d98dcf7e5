package console_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// answer is a response of the API.
type answer struct {
	status int
	header http.Header
	body   string
}

// request sends a request to the API, with the value of the header Authorization, unless it is
// empty, and a JSON body, unless it is nil. Accept may name a media type.
func (s *site) request(t *testing.T, method, path, authorization string, body any, accept ...string) answer {
	t.Helper()
	var content []byte
	if body != nil {
		content = testkit.Must(json.Marshal(body))
	}
	r := testkit.Must(http.NewRequestWithContext(t.Context(), method, s.url+path, bytes.NewReader(content)))
	r.Header["Accept"] = accept
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	got, err := http.DefaultClient.Do(r)
	testkit.Check(t, err)
	defer func() { _ = got.Body.Close() }()
	return answer{got.StatusCode, got.Header, string(testkit.Must(io.ReadAll(got.Body)))}
}

// status returns the status of the response to a request of the API with a token.
func (s *site) status(t *testing.T, path, token string) int {
	t.Helper()
	return s.request(t, http.MethodGet, path, "Bearer "+token, nil).status
}

// basic returns the value of the header Authorization for a name and a password.
func basic(name, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(name+":"+password))
}

// bearer returns the value of the header Authorization for a token of the user with all scopes,
// which it creates at the first call.
func (v *visitor) bearer() string {
	v.t.Helper()
	if v.token == "" {
		body := map[string]any{"description": "for the tests", "scopes": auth.ScopesOf(false).Names(), "lifetime": "1 day"}
		v.token = v.call("POST", "/api/v1/tokens", basic(v.name, v.password), body)["token"].(string)
	}
	return "Bearer " + v.token
}

// api sends a request with a JSON body to the API, as a user's script with a token of all
// scopes, and decodes the response into a map. It fails the test after an error.
func (v *visitor) api(method, path string, body any) map[string]any {
	v.t.Helper()
	return v.call(method, path, v.bearer(), body)
}

func (v *visitor) call(method, path, authorization string, body any) (out map[string]any) {
	v.t.Helper()
	got := v.site.request(v.t, method, path, authorization, body)
	if got.status >= 300 {
		v.t.Fatalf("%s %s: %d %s", method, path, got.status, got.body)
	}
	if got.body != "" {
		testkit.Check(v.t, json.Unmarshal([]byte(got.body), &out))
	}
	return out
}

// try sends a request with a JSON body to the API, and returns the status of the response.
func (v *visitor) try(method, path string, body any) int {
	v.t.Helper()
	return v.site.request(v.t, method, path, v.bearer(), body).status
}

// file requests a file of the API. Accept may name a media type.
func (v *visitor) file(path string, accept ...string) answer {
	v.t.Helper()
	got := v.site.request(v.t, http.MethodGet, path, v.bearer(), nil, accept...)
	if got.status != http.StatusOK {
		v.t.Fatalf("%s: %d %s", path, got.status, got.body)
	}
	return got
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
func treasury(t *testing.T, settings ...func(*setup)) (s *site, alice *visitor, w vault) {
	t.Helper()
	s = open(t, append(settings, onOwnNode)...)
	alice = s.user(t, "alice", false)
	return s, alice, alice.funded("treasury")
}

// viewed returns alice, who has the vault treasury, and carol, who is a viewer of it.
func (s *site) viewed(t *testing.T) (alice, carol *visitor, w vault) {
	t.Helper()
	alice, carol = s.user(t, "alice", false), s.user(t, "carol", false)
	w = alice.vault("treasury")
	alice.member(w.alias, carol, "viewer")
	return alice, carol, w
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
	n.CLI(t, "generatetoaddress", 5, purseAddress(t, n))
	n.Mine(t, 100)
}

// purseAddress returns a new address of the purse.
func purseAddress(t *testing.T, n *testkit.Node) (address string) {
	t.Helper()
	testkit.Check(t, json.Unmarshal(n.WalletCLI(t, purse, "getnewaddress"), &address))
	return address
}

// spend pays BTC from the purse to an address, and returns the txid.
func spend(t *testing.T, n *testkit.Node, address, amount string) string {
	t.Helper()
	var sent struct{ Txid string }
	testkit.Check(t, json.Unmarshal(n.WalletCLI(t, purse, "send", map[string]json.Number{address: json.Number(amount)}), &sent))
	return sent.Txid
}

// pay pays BTC to an address of a wallet, mines a block, and waits for the index. It returns
// the txid.
func (v *visitor) pay(alias, address, amount string) string {
	v.t.Helper()
	n := v.site.node
	txid := spend(v.t, n, address, amount)
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
	to := purseAddress(v.t, v.site.node)
	return v.api("POST", "/api/v1/wallets/"+alias+"/proposals", map[string]any{
		"recipients": []any{map[string]any{"address": to, "amount_sat": 100_000, "label": label}}, "fee_rate_sat_vb": 5,
	})
}

// pageOf returns the path of the page of a proposal in the vault treasury.
func pageOf(made map[string]any) string { return "/wallets/treasury/proposals/" + made["id"].(string) }

// sign adds the signatures of some signers to a proposal, as a file.
func (v *visitor) sign(made map[string]any, signers ...string) *document {
	v.t.Helper()
	return v.upload(pageOf(made)+"/signatures", nil, file{"file", "s.psbt", v.site.node.Sign(v.t, psbtOf(v.t, made), signers...)})
}
