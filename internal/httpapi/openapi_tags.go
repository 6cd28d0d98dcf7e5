package httpapi

import (
	"slices"
	"strings"
)

// tag is an OpenAPI tag, which groups the routes of one noun.
type tag struct{ name, description string }

// tags contains all tags in the order of the API reference. The tag of a v1 route is the
// last tag name in its path; see tagOf.
var tags = []tag{
	{"tokens", "Access tokens: create, list, rotate and revoke them. A token can be limited by scopes, by wallets and in time."},
	{"users", "User accounts and passwords."},
	{"wallets", "Watch-only wallets with their balances, and rescans of the blockchain for them."},
	{"members", "The users of a wallet and their roles in it."},
	{"devices", "Signing devices of the caller, which are named when a wallet is created from their keys."},
	{"invitations", "Invitations to become a member of a wallet, which the invited user accepts or declines. They expire after 14 days."},
	{"addresses", "Addresses of wallets."},
	{"transactions", "Transaction history of one wallet or of all wallets of the caller."},
	{"utxos", "Unspent transaction outputs: list, freeze and unfreeze them."},
	{"labels", "Labels of outputs, and import and export of all labels (BIP-329)."},
	{"proposals", "Payments that wait for signatures, as PSBTs: create, sign, broadcast, bump and cancel them."},
	{"policies", "Spending policies: what may be paid to whom, in which time, and who must approve it; and the lists of recipients that they name."},
	{"events", "What happened to the caller's wallets, proposals and tokens, and for admins to the node, in order: pages, long polls and streams."},
	{"webhooks", "Addresses of other programs to which events are sent, and the log of their deliveries."},
	{"fees", "Fee rate estimates of the Bitcoin node."},
	{"node", "Status of the Bitcoin node."},
	{"audit", "The audit log."},
	{"health", "Liveness and readiness probes. They require no credentials and answer also while the rest of the API is disabled."},
	{"v1alpha", "The REST API of Specter Desktop, for existing clients. Paths, fields and messages are the same; nothing new is added."},
}

// nounTags has the tags of nouns in paths that are not themselves names of tags.
var nounTags = map[string]string{"rescan": "wallets", "outputs": "labels", "policy": "policies", "lists": "policies"}

// apiOf returns the part of the API that a path belongs to: health, v1alpha, or v1 for
// all other paths, including paths without a route.
func apiOf(path string) string {
	switch {
	case strings.HasPrefix(path, "/api/healthz/"):
		return "health"
	case strings.HasPrefix(path+"/", "/api/v1alpha/"):
		return "v1alpha"
	}
	return "v1"
}

// tagOf returns the name of the tag for the path of a route, or "" if there is none.
func tagOf(path string) string {
	api := apiOf(path)
	if api != "v1" {
		return api
	}
	name := ""
	for noun := range strings.SplitSeq(strings.TrimPrefix(path, "/api/v1/"), "/") {
		if other, ok := nounTags[noun]; ok {
			noun = other
		}
		if slices.ContainsFunc(tags, func(t tag) bool { return t.name == noun }) {
			name = noun
		}
	}
	return name
}
