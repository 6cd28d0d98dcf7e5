package cli

import (
	"net/http"

	"github.com/specterd/specterd/internal/event"
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
	// idempotencyKey makes a repeated request return the first response.
	idempotencyKey string
	// pays is an address that receives a payment before the request.
	pays string
	// atNode is set if the request goes to the node instead of specterd.
	atNode bool
	// note is a comment for readers who paste the printed command.
	note string
	// stream is set if the response is a stream of events, which stays open.
	stream bool

	status int
	expect []expectation
	// shows is the kind of the event that the stream shows after the request.
	shows event.Kind
	// keep maps members of the response to the names under which later steps use them.
	keep map[string]string
}

// walkThrough shows Specter Desktop's API, v1, a wallet, its events and a proposal.
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
		note:   "the next steps use the demo's own token",
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
		body:   `{"description": "{description} for wallets", "lifetime": "1 hour", "scopes": ["wallets:*", "addresses:write", "proposals:*", "events:read"]}`,
		note:   "the next steps use the demo's own token",
		status: http.StatusCreated,
		expect: []expectation{has("expired", false)},
		keep:   map[string]string{"token": "wallet_token"},
	},
	{
		title:  "Create a multisig wallet with three keys of which two must sign",
		method: http.MethodPost, path: "/api/v1/wallets", bearer: "{wallet_token}",
		body:   `{"name": "{wallet_name}", "keys": {keys}, "signatures_required": 2, "script": "{script}", "birthday": "now"}`,
		note:   "the next steps use the demo's own vault, {vault}, which has the same keys",
		status: http.StatusCreated,
		expect: []expectation{has("name", "{wallet_name}"), has("status", "ready"), has("signatures_required", 2.0), has("balances.trusted_sat", 0.0)},
		keep:   map[string]string{"alias": "vault"},
	},
	{
		title:  "Reveal a receive address",
		method: http.MethodPost, path: "/api/v1/wallets/{vault}/addresses", bearer: "{wallet_token}",
		body:   `{"label": "membership fees"}`,
		note:   "the next steps use the demo's own address",
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
			atLeast("items.0.flow_sat", 5_000_000), has("items.0.category", "receive"), has("items.0.confirmations", 1.0),
			has("items.0.address", "{address}"), has("items.0.address_label", "membership fees"),
		},
	},
	{
		title: "Read the same wallet in the format of Specter Desktop",
		path:  "/api/v1alpha/wallets/{vault}/", bearer: "{wallet_token}",
		status: http.StatusOK,
		expect: []expectation{
			has("{vault}.balance.trusted", 0.25), has("{vault}.description", "{description_of_vault}"), atLeast("txlist.0.flow_amount", 0.05),
			has("txlist.0.label", "membership fees"),
		},
	},
	{
		title: "Open a stream of the vault's events, which stays open in the background",
		path:  "/api/v1/wallets/{vault}/events?kinds=transaction&after=latest", bearer: "{wallet_token}",
		note:   "events are printed into this terminal; kill %1 ends the stream",
		stream: true, status: http.StatusOK,
	},
	{
		title:  "Pay 0.05 BTC to the vault from another wallet of the node: the stream shows it within a second",
		atNode: true, method: http.MethodPost, path: "/wallet/" + payer, basic: "{node_user}",
		body:   `{"method": "sendtoaddress", "params": ["{address}", 0.05]}`,
		status: http.StatusOK, expect: []expectation{has("error", nil)},
		shows: event.TransactionSeen,
	},
	{
		title:  "Mine a block, which confirms the payment",
		atNode: true, method: http.MethodPost, path: "/", basic: "{node_user}",
		body:   `{"method": "generatetoaddress", "params": [1, "{shop}"]}`,
		status: http.StatusOK, expect: []expectation{has("error", nil)},
		shows: event.TransactionConfirmed,
	},
	{
		title:  "Create a proposal: a payment from the vault that waits for signatures, since specterd has no private keys",
		method: http.MethodPost, path: "/api/v1/wallets/{vault}/proposals", bearer: "{wallet_token}",
		idempotencyKey: "new-roof",
		body:           `{"recipients": [{"address": "{shop}", "amount_sat": 5000000, "label": "new roof"}], "fee_rate_sat_vb": 2.5}`,
		status:         http.StatusCreated,
		expect: []expectation{
			has("status", "created"), has("amount_sat", 5_000_000.0), has("signatures_required", 2.0), has("signers.0.signed", false),
		},
		keep: map[string]string{"id": "proposal", "psbt": "psbt"},
	},
	{
		title:  "Sign the PSBT with Ann's wallet, which stands in for a hardware wallet; specterd is not involved",
		atNode: true, method: http.MethodPost, path: "/wallet/ann", basic: "{node_user}",
		body:   `{"method": "walletprocesspsbt", "params": ["{psbt}"]}`,
		note:   "with this Idempotency-Key, the demo has created the proposal; the response and the next steps have its id",
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
		note:   "the next steps use the demo's own token",
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
