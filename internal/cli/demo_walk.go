package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// step is one request of the walk-through and its expected response. In path,
// credentials and body, {name} is replaced by a value of the walk.
type step struct {
	title  string
	method string // empty means GET
	path   string
	basic  string // user:password
	bearer string
	body   string
	// pays is an address that receives a payment before the request.
	pays string
	// atNode is set if the request goes to the node instead of specterd.
	atNode bool

	status int
	expect []expectation
	// keep maps members of the response to the names under which later steps use them.
	keep map[string]string
}

// walkThrough shows Specter Desktop's API, v1, a wallet and a proposal.
var walkThrough = []step{
	{
		title: "Check that the server is ready and the node is usable",
		path:  "/api/healthz/readyness", status: http.StatusOK,
		expect: []expectation{has("message", "i am ready")},
	},
	{
		title:  "Create a token as admin, with name and password (Basic auth)",
		method: http.MethodPost, path: "/api/v1alpha/token/", basic: "admin:{admin_password}",
		body:   `{"jwt_token_description": "{description}", "jwt_token_life": "1 hour"}`,
		status: http.StatusCreated,
		expect: []expectation{has("message", "Token generated"), has("jwt_token_life", 3600.0)},
		keep:   map[string]string{"jwt_token_id": "admin_token_id", "jwt_token": "admin_token"},
	},
	{
		title: "Read the token's details",
		path:  "/api/v1alpha/token/{admin_token_id}/", basic: "admin:{admin_password}",
		status: http.StatusOK,
		expect: []expectation{has("message", "Token exists"), has("expiry_status", "Valid")},
	},
	{
		title: "Read the state of the server and its node with the token",
		path:  "/api/v1alpha/specter", bearer: "{admin_token}",
		status: http.StatusOK,
		expect: []expectation{has("info.chain", "regtest"), atLeast("info.blocks", demoBlocks)},
	},
	{
		title: "Read the token's scopes with v1, the new API",
		path:  "/api/v1/tokens/self", bearer: "{admin_token}",
		status: http.StatusOK,
		expect: []expectation{has("id", "{admin_token_id}"), has("expired", false)},
	},
	{
		title: "Read the status of the node",
		path:  "/api/v1/node", bearer: "{admin_token}",
		status: http.StatusOK,
		expect: []expectation{has("reachable", true), has("chain", "regtest"), atLeast("blocks", demoBlocks)},
	},
	{
		title:  "Create a token with scopes: tokens of v1alpha have only the rights of Specter Desktop's tokens",
		method: http.MethodPost, path: "/api/v1/tokens", basic: "admin:{admin_password}",
		body:   `{"description": "{description} for wallets", "lifetime": "1 hour", "scopes": ["wallets:*", "addresses:write", "proposals:*"]}`,
		status: http.StatusCreated,
		expect: []expectation{has("expired", false)},
		keep:   map[string]string{"token": "wallet_token"},
	},
	{
		title:  "Create a multisig wallet, the vault, with three keys of which two must sign",
		method: http.MethodPost, path: "/api/v1/wallets", bearer: "{wallet_token}",
		body:   `{"name": "{wallet_name}", "keys": {keys}, "signatures_required": 2, "script": "{script}", "birthday": "now"}`,
		status: http.StatusCreated,
		expect: []expectation{has("name", "{wallet_name}"), has("status", "ready"), has("signatures_required", 2.0), has("balances.trusted_sat", 0.0)},
		keep:   map[string]string{"alias": "vault"},
	},
	{
		title:  "Reveal a receive address",
		method: http.MethodPost, path: "/api/v1/wallets/{vault}/addresses", bearer: "{wallet_token}",
		body:   `{"label": "membership fees"}`,
		status: http.StatusCreated,
		expect: []expectation{has("label", "membership fees"), has("warning", nil)},
		keep:   map[string]string{"address": "address"},
	},
	{
		title: "Read the balance, after a payment of " + demoPayment + " BTC to that address",
		pays:  "{address}",
		path:  "/api/v1/wallets/{vault}?min_height={height}", bearer: "{wallet_token}",
		status: http.StatusOK,
		expect: []expectation{has("balances.trusted_sat", 25_000_000.0), has("balances.available_sat", 25_000_000.0)},
	},
	{
		title: "List the transactions",
		path:  "/api/v1/wallets/{vault}/transactions", bearer: "{wallet_token}",
		status: http.StatusOK,
		expect: []expectation{
			atLeast("items.0.flow_sat", 10_000_000), has("items.0.category", "receive"), has("items.0.confirmations", 1.0),
			has("items.0.address", "{address}"), has("items.0.address_label", "membership fees"),
		},
	},
	{
		title: "Read the same wallet in the format of Specter Desktop",
		path:  "/api/v1alpha/wallets/{vault}/", bearer: "{wallet_token}",
		status: http.StatusOK,
		expect: []expectation{
			has("{vault}.balance.trusted", 0.25), has("{vault}.description", "{description_of_vault}"), atLeast("txlist.0.flow_amount", 0.1),
			has("txlist.0.label", "membership fees"),
		},
	},
	{
		title:  "Create a proposal: a payment from the vault that waits for signatures, since specterd has no private keys",
		method: http.MethodPost, path: "/api/v1/wallets/{vault}/proposals", bearer: "{wallet_token}",
		body:   `{"recipients": [{"address": "{shop}", "amount_sat": 5000000, "label": "new roof"}], "fee_rate_sat_vb": 2.5}`,
		status: http.StatusCreated,
		expect: []expectation{
			has("status", "created"), has("amount_sat", 5_000_000.0), has("signatures_required", 2.0), has("signers.0.signed", false),
		},
		keep: map[string]string{"id": "proposal", "psbt": "psbt"},
	},
	{
		title:  "Sign the PSBT with Ann's wallet, which stands in for a hardware wallet; specterd is not involved",
		atNode: true, method: http.MethodPost, path: "/wallet/ann", basic: "{node_user}",
		body:   `{"method": "walletprocesspsbt", "params": ["{psbt}"]}`,
		status: http.StatusOK, expect: []expectation{has("error", nil)},
		keep: map[string]string{"result.psbt": "signed_by_ann"},
	},
	{
		title:  "Submit the signed PSBT; specterd verifies the signatures and uses nothing else of it",
		method: http.MethodPost, path: "/api/v1/wallets/{vault}/proposals/{proposal}/signatures", bearer: "{wallet_token}",
		body:   `{"psbt": "{signed_by_ann}"}`,
		status: http.StatusOK, expect: []expectation{has("status", "partially_signed")},
	},
	{
		title:  "Sign the PSBT with Cleo's wallet",
		atNode: true, method: http.MethodPost, path: "/wallet/cleo", basic: "{node_user}",
		body:   `{"method": "walletprocesspsbt", "params": ["{psbt}"]}`,
		status: http.StatusOK, expect: []expectation{has("error", nil)},
		keep: map[string]string{"result.psbt": "signed_by_cleo"},
	},
	{
		title:  "Submit it: with two of three signatures the proposal is complete",
		method: http.MethodPost, path: "/api/v1/wallets/{vault}/proposals/{proposal}/signatures", bearer: "{wallet_token}",
		body:   `{"psbt": "{signed_by_cleo}"}`,
		status: http.StatusOK, expect: []expectation{has("status", "complete")},
	},
	{
		title:  "Broadcast the transaction, after a mempool acceptance test by the node",
		method: http.MethodPost, path: "/api/v1/wallets/{vault}/proposals/{proposal}/broadcast", bearer: "{wallet_token}",
		status: http.StatusOK, expect: []expectation{has("status", "broadcast")},
	},
	{
		title:  "Mine a block",
		atNode: true, method: http.MethodPost, path: "/", basic: "{node_user}",
		body:   `{"method": "generatetoaddress", "params": [1, "{shop}"]}`,
		status: http.StatusOK, expect: []expectation{has("error", nil)},
	},
	{
		title: "Read the new balance, once the block is indexed",
		path:  "/api/v1/wallets/{vault}?min_height={next_height}", bearer: "{wallet_token}",
		status: http.StatusOK, expect: []expectation{has("balances.reserved_sat", 0.0)},
	},
	{
		title: "Read the proposal, which is now confirmed",
		path:  "/api/v1/wallets/{vault}/proposals/{proposal}", bearer: "{wallet_token}",
		status: http.StatusOK, expect: []expectation{has("status", "confirmed")},
	},
	{
		title:  "Create a token as alice, who is not an admin",
		method: http.MethodPost, path: "/api/v1alpha/token/", basic: "alice:{alice_password}",
		body:   `{"jwt_token_description": "{description}", "jwt_token_life": "1 hour"}`,
		status: http.StatusCreated,
		expect: []expectation{has("message", "Token generated")},
		keep:   map[string]string{"jwt_token": "alice_token"},
	},
	{
		title: "Alice's token is refused where an admin is required",
		path:  "/api/v1alpha/specter", bearer: "{alice_token}",
		status: http.StatusForbidden,
	},
	{
		title: "It is also refused for wallets of which she is not a member, as if they did not exist",
		path:  "/api/v1/wallets/{vault}", bearer: "{alice_token}",
		status: http.StatusNotFound,
	},
	{
		title:  "Delete the admin's first token",
		method: http.MethodDelete, path: "/api/v1alpha/token/{admin_token_id}/", basic: "admin:{admin_password}",
		status: http.StatusOK,
		expect: []expectation{has("message", "Token deleted")},
	},
	{
		title: "The deleted token is refused at once",
		path:  "/api/v1alpha/specter", bearer: "{admin_token}",
		status: http.StatusUnauthorized,
	},
}

// walk executes or prints the walk-through for one server.
type walk struct {
	out    io.Writer
	client *http.Client
	url    string
	node   string
	pay    func(ctx context.Context, address string) error
	values map[string]string
}

func newWalk(out io.Writer, url string, s *scene) *walk {
	return &walk{out: out, client: &http.Client{Timeout: 2 * time.Minute}, url: url, node: s.nodeURL, pay: s.pay, values: map[string]string{
		"admin_password": s.adminPassword, "alice_password": s.userPassword,
		"keys": `["` + strings.Join(s.keys, `", "`) + `"]`, "height": strconv.Itoa(s.height + 1), // of the block with the payment
		"next_height": strconv.Itoa(s.height + 2), "shop": s.shop, "node_user": s.nodeUser,
		"wallet_name": "Community Vault", "script": "wsh", "description_of_vault": "2 of 3 Multisig (Segwit)",
	}}
}

// run executes the walk-through and prints each step. It stops at the first unexpected
// response.
func (w *walk) run(ctx context.Context) error {
	defer w.client.CloseIdleConnections()
	w.values["description"] = "walk-through"
	for i, template := range walkThrough {
		s := w.fillIn(template)
		w.printStep(i, s)
		answer, err := w.do(ctx, s)
		if answer != nil {
			fmt.Fprintf(w.out, "   %s\n", answer.status)
			for _, line := range shorten(answer.body) {
				fmt.Fprintf(w.out, "     %s\n", line)
			}
			fmt.Fprintln(w.out)
		}
		if err != nil {
			return fmt.Errorf("step %d of the walk-through, %s %s: %w", i+1, s.method, s.path, err)
		}
	}
	fmt.Fprintf(w.out, "All %d steps succeeded.\n", len(walkThrough))
	return nil
}

// print prints the walk-through as commands. Before that, it executes the steps whose
// results other steps use, with different names of objects, so that each command works
// when it is pasted.
func (w *walk) print(ctx context.Context) error {
	defer w.client.CloseIdleConnections()
	w.values["description"] = "created by the demo"
	for _, template := range walkThrough {
		if template.keep == nil && template.pays == "" {
			continue
		}
		if _, err := w.do(ctx, w.fillIn(template)); err != nil {
			return fmt.Errorf("prepare the walk-through: %w", err)
		}
	}
	w.values["description"], w.values["wallet_name"], w.values["script"] = "walk-through", "Second Vault", "sh-wsh"
	fmt.Fprint(w.out, "Paste the commands below into another terminal, one after the other.\n\n")
	for i, template := range walkThrough {
		s := w.fillIn(template)
		w.printStep(i, s)
		fmt.Fprintf(w.out, "   # %d %s\n\n", s.status, http.StatusText(s.status))
	}
	return nil
}

func (w *walk) printStep(i int, s step) {
	fmt.Fprintf(w.out, "%d. %s\n\n   %s\n\n", i+1, s.title, strings.Join(w.curl(s), " \\\n     "))
}

// fillIn replaces the placeholders in a step by the values of the walk.
func (w *walk) fillIn(s step) step {
	var pairs []string
	for _, name := range slices.Sorted(maps.Keys(w.values)) {
		pairs = append(pairs, "{"+name+"}", w.values[name])
	}
	r := strings.NewReplacer(pairs...)
	if s.method == "" {
		s.method = http.MethodGet
	}
	s.path, s.basic, s.bearer, s.body, s.pays = r.Replace(s.path), r.Replace(s.basic), r.Replace(s.bearer), r.Replace(s.body), r.Replace(s.pays)
	return s
}

// curl returns the request of a step as a command, one part per line. No value of the
// walk contains a character that is special to the shell.
func (w *walk) curl(s step) []string {
	first := "curl"
	if s.status >= http.StatusBadRequest {
		first += " -i"
	}
	if s.method != http.MethodGet {
		first += " -X " + s.method
	}
	if s.basic != "" {
		first += " -u " + s.basic
	}
	url := w.urlOf(s)
	if strings.Contains(url, "?") {
		url = "'" + url + "'"
	}
	parts := []string{first + " " + url}
	if len(parts[0]) > shortLine {
		parts = []string{first, url}
	}
	if s.body != "" {
		parts = append(parts, "-H 'Content-Type: application/json'", "-d '"+s.body+"'")
	}
	if s.bearer != "" {
		parts = append(parts, "-H 'Authorization: Bearer "+s.bearer+"'")
	}
	return parts
}

func (w *walk) urlOf(s step) string {
	if s.atNode {
		return w.node + s.path
	}
	return w.url + s.path
}

// answer is the response to the request of a step.
type answer struct {
	status string
	body   []byte
}

// do sends the request of a step and keeps the values for later steps. If the response
// is unexpected, it returns both the response and an error.
func (w *walk) do(ctx context.Context, s step) (*answer, error) {
	if s.pays != "" {
		if err := w.pay(ctx, s.pays); err != nil {
			return nil, err
		}
	}
	request, err := http.NewRequestWithContext(ctx, s.method, w.urlOf(s), strings.NewReader(s.body))
	if err != nil {
		return nil, err
	}
	if s.body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	if name, password, ok := strings.Cut(s.basic, ":"); ok {
		request.SetBasicAuth(name, password)
	}
	if s.bearer != "" {
		request.Header.Set("Authorization", "Bearer "+s.bearer)
	}
	response, err := w.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, fmt.Errorf("read the response: %w", err)
	}
	a := &answer{status: response.Status, body: body}
	if response.StatusCode != s.status {
		return a, fmt.Errorf("the response is %s, want %d %s", response.Status, s.status, http.StatusText(s.status))
	}
	return a, w.judge(s, body)
}

// judge checks a response against the expectations of a step, and stores the values that
// later steps use.
func (w *walk) judge(s step, body []byte) error {
	var members map[string]any
	if err := json.Unmarshal(body, &members); err != nil {
		return fmt.Errorf("the response is not a JSON object: %w", err)
	}
	var err error
	for _, meets := range s.expect {
		err = errors.Join(err, meets(members, w.values))
	}
	for name, value := range s.keep {
		text, ok := member(members, name).(string)
		if !ok {
			err = errors.Join(err, fmt.Errorf("%s is missing in the response", name))
		}
		w.values[value] = text
	}
	return err
}

// expectation is a condition on the members of a response.
type expectation func(members map[string]any, values map[string]string) error

// has returns an expectation that the member at path, such as items.0.label, equals want.
// A want of the form {name}, and a first element {name} of path, are replaced by values
// of the walk.
func has(path string, want any) expectation {
	return func(members map[string]any, values map[string]string) error {
		wanted := want
		if text, ok := want.(string); ok && strings.HasPrefix(text, "{") {
			wanted = values[strings.Trim(text, "{}")]
		}
		path := path
		if first, rest, ok := strings.Cut(path, "}."); ok {
			path = values[strings.Trim(first, "{")] + "." + rest
		}
		if got := member(members, path); got != wanted {
			return fmt.Errorf("%s is %v, want %v", path, got, wanted)
		}
		return nil
	}
}

// atLeast returns an expectation that the member at path is a number not less than least.
func atLeast(path string, least float64) expectation {
	return func(members map[string]any, _ map[string]string) error {
		if got, ok := member(members, path).(float64); !ok || got < least {
			return fmt.Errorf("%s is %v, want at least %v", path, member(members, path), least)
		}
		return nil
	}
}

func member(members map[string]any, path string) any {
	var value any = members
	for name := range strings.SplitSeq(path, ".") {
		switch in := value.(type) {
		case map[string]any:
			value = in[name]
		case []any:
			i, err := strconv.Atoi(name)
			if err != nil || i >= len(in) {
				return nil
			}
			value = in[i]
		default:
			return nil
		}
	}
	return value
}

const (
	shortLine  = 94 // characters, so that an indented line fits into 100 columns
	shortLines = 11 // members
)

// shorten returns the first members of a JSON object, one per line and cut to the
// line length.
func shorten(body []byte) []string {
	dec := jsontext.NewDecoder(bytes.NewReader(body))
	if token, err := dec.ReadToken(); err != nil || token.Kind() != '{' {
		return []string{cut(string(bytes.TrimSpace(body)))}
	}
	var lines []string
	left := 0
	for dec.PeekKind() == '"' {
		name, err := dec.ReadToken()
		if err != nil {
			break
		}
		line := name.String() + ": " // before the next read, which invalidates the token
		value, err := dec.ReadValue()
		if err != nil {
			break
		}
		if len(lines) < shortLines {
			lines = append(lines, cut(line+string(value)))
		} else {
			left++
		}
	}
	if left > 0 {
		lines = append(lines, fmt.Sprintf("… and %d more", left))
	}
	return lines
}

func cut(line string) string {
	if runes := []rune(line); len(runes) > shortLine {
		return string(runes[:shortLine-1]) + "…"
	}
	return line
}
