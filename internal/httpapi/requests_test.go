package httpapi_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/egress"
	"github.com/specterd/specterd/internal/event"
	"github.com/specterd/specterd/internal/policy"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/testenv/testkit"
	"github.com/specterd/specterd/internal/webhook"
)

// requests contains a function for each route, by method and path. The function returns the
// path and the body of a valid request; whose is the owner of the requested resource.
var requests = map[string]func(t *testing.T, w *world, whose testUser) (path, body string){
	"GET /api/healthz/liveness":               plain("/api/healthz/liveness"),
	"GET /api/healthz/readyness":              plain("/api/healthz/readyness"),
	"GET /api/v1alpha/token":                  plain("/api/v1alpha/token/"),
	"POST /api/v1alpha/token":                 fresh("/api/v1alpha/token/", `{"jwt_token_description": %q, "jwt_token_life": "6 minutes"}`),
	"GET /api/v1alpha/token/{id}":             ofToken("/api/v1alpha/token/%s/", ""),
	"GET /api/v1alpha/specter":                plain("/api/v1alpha/specter"),
	"GET /api/v1alpha/specter/full_txlist":    plain("/api/v1alpha/specter/full_txlist/"),
	"GET /api/v1alpha/wallets/{alias}":        ofWallet("/api/v1alpha/wallets/{alias}/", ""),
	"GET /api/v1/tokens":                      plain("/api/v1/tokens"),
	"POST /api/v1/tokens":                     fresh("/api/v1/tokens", `{"description": %q, "lifetime": "6 minutes", "scopes": ["node:read"]}`),
	"GET /api/v1/tokens/self":                 plain("/api/v1/tokens/self"),
	"DELETE /api/v1/tokens/self":              plain("/api/v1/tokens/self"),
	"GET /api/v1/tokens/{id}":                 ofToken("/api/v1/tokens/%s", ""),
	"DELETE /api/v1/tokens/{id}":              ofToken("/api/v1/tokens/%s", ""),
	"GET /api/v1/users":                       plain("/api/v1/users"),
	"POST /api/v1/users":                      fresh("/api/v1/users", `{"name": %q, "password": "correct horse of the new"}`),
	"GET /api/v1/users/me":                    plain("/api/v1/users/me"),
	"PATCH /api/v1/users/me":                  ownPassword,
	"GET /api/v1/users/{name}":                ofUser("/api/v1/users/%s", ""),
	"PATCH /api/v1/users/{name}":              ofUser("/api/v1/users/%s", `{"disabled": true}`),
	"DELETE /api/v1/users/{name}":             ofUser("/api/v1/users/%s", ""),
	"GET /api/v1/users/{name}/tokens":         ofUser("/api/v1/users/%s/tokens", ""),
	"DELETE /api/v1/users/{name}/tokens":      ofUser("/api/v1/users/%s/tokens", ""),
	"DELETE /api/v1/users/{name}/tokens/{id}": ofUserToken,
	"GET /api/v1/audit":                       plain("/api/v1/audit"),
	"GET /api/v1/node":                        plain("/api/v1/node"),
	"DELETE /api/v1alpha/token/{id}":          ofToken("/api/v1alpha/token/%s/", ""),
	"POST /api/v1/tokens/{id}/rotate":         ofToken("/api/v1/tokens/%s/rotate", `{}`),
	"GET /api/v1/fees":                        plain("/api/v1/fees"),

	"GET /api/v1/wallets":                                    plain("/api/v1/wallets"),
	"POST /api/v1/wallets":                                   newWallet,
	"POST /api/v1/wallets/inspect":                           walletFile,
	"GET /api/v1/wallets/{alias}":                            ofWallet("", ""),
	"GET /api/v1/wallets/{alias}/export":                     ofWallet("/export?format=descriptor", ""),
	"PATCH /api/v1/wallets/{alias}":                          ofWallet("", `{"name": "Renamed vault"}`),
	"DELETE /api/v1/wallets/{alias}":                         oldWallet,
	"GET /api/v1/wallets/{alias}/members":                    ofWallet("/members", ""),
	"PUT /api/v1/wallets/{alias}/members/{user}":             ofWallet("/members/{user}", `{"role": "owner"}`),
	"DELETE /api/v1/wallets/{alias}/members/{user}":          oldMember,
	"GET /api/v1/wallets/{alias}/invitations":                ofWallet("/invitations", ""),
	"POST /api/v1/wallets/{alias}/invitations":               newInvitation,
	"GET /api/v1/invitations":                                plain("/api/v1/invitations"),
	"POST /api/v1/invitations/{id}/accept":                   ofInvitation("/accept", true),
	"DELETE /api/v1/invitations/{id}":                        ofInvitation("", false),
	"POST /api/v1/wallets/{alias}/rescan":                    newScan,
	"GET /api/v1/wallets/{alias}/rescan":                     ofWallet("/rescan", ""),
	"DELETE /api/v1/wallets/{alias}/rescan":                  ofWallet("/rescan", ""),
	"GET /api/v1/wallets/{alias}/addresses":                  ofWallet("/addresses", ""),
	"POST /api/v1/wallets/{alias}/addresses":                 ofWallet("/addresses", `{}`),
	"GET /api/v1/wallets/{alias}/addresses/{address}":        ofWallet("/addresses/{address}", ""),
	"PATCH /api/v1/wallets/{alias}/addresses/{address}":      ofWallet("/addresses/{address}", `{"label": "x"}`),
	"GET /api/v1/devices":                                    plain("/api/v1/devices"),
	"PATCH /api/v1/devices/{device}":                         ofDevice,
	"GET /api/v1/addresses/{address}":                        ofWallet("/api/v1/addresses/{address}", ""),
	"GET /api/v1/wallets/{alias}/utxos":                      ofWallet("/utxos", ""),
	"PUT /api/v1/wallets/{alias}/utxos/{outpoint}/freeze":    ofWallet("/utxos/{outpoint}/freeze", ""),
	"DELETE /api/v1/wallets/{alias}/utxos/{outpoint}/freeze": ofWallet("/utxos/{outpoint}/freeze", ""),
	"GET /api/v1/wallets/{alias}/transactions":               ofWallet("/transactions", ""),
	"GET /api/v1/wallets/{alias}/transactions/{txid}":        ofWallet("/transactions/{txid}", ""),
	"PATCH /api/v1/wallets/{alias}/transactions/{txid}":      ofWallet("/transactions/{txid}", `{"label": "x"}`),
	"PATCH /api/v1/wallets/{alias}/outputs/{outpoint}":       ofWallet("/outputs/{outpoint}", `{"label": "x"}`),
	"GET /api/v1/transactions":                               plain("/api/v1/transactions"),
	"GET /api/v1alpha/wallets/{alias}/psbt":                  ofWallet("/api/v1alpha/wallets/{alias}/psbt/", ""),
	"POST /api/v1alpha/wallets/{alias}/psbt":                 ofRichWallet("/api/v1alpha/wallets/{alias}/psbt", `{"recipients": [{"address": "{foreign}", "amount": 0.001, "unit": "btc"}], "fee_rate": 2}`),

	"GET /api/v1/wallets/{alias}/proposals":                  ofWallet("/proposals", ""),
	"POST /api/v1/wallets/{alias}/proposals":                 ofRichWallet("/proposals", `{"recipients": [{"address": "{foreign}", "amount_sat": 100000}], "fee_rate_sat_vb": 2, "dry_run": true}`),
	"GET /api/v1/wallets/{alias}/proposals/{id}":             ofProposal("", ""),
	"GET /api/v1/wallets/{alias}/proposals/{id}/qr":          ofProposal("/qr?device=passport", ""),
	"DELETE /api/v1/wallets/{alias}/proposals/{id}":          ofProposal("", ""),
	"POST /api/v1/wallets/{alias}/proposals/{id}/approve":    ofHeldProposal("/approve", ""),
	"POST /api/v1/wallets/{alias}/proposals/{id}/reject":     ofHeldProposal("/reject", `{"reason": "unknown recipient"}`),
	"POST /api/v1/wallets/{alias}/proposals/{id}/signatures": ofProposal("/signatures", "{signed}"),
	"POST /api/v1/wallets/{alias}/proposals/{id}/broadcast":  ofSignedProposal,
	"POST /api/v1/wallets/{alias}/proposals/{id}/bump":       ofProposal("/bump", `{"fee_rate_sat_vb": {more}}`),
	"POST /api/v1/wallets/{alias}/proposals/{id}/abandon":    ofLostProposal,

	"GET /api/v1/wallets/{alias}/policy":                       withPolicies("/policy?format=coldcard-hsm", ""),
	"PUT /api/v1/wallets/{alias}/policy":                       withPolicies("/policy", `{"policy": {"version": 1, "allow": [{"name": "all", "max_recipients": 3000}]}}`),
	"DELETE /api/v1/wallets/{alias}/policy":                    withPolicies("/policy", ""),
	"POST /api/v1/wallets/{alias}/policy/simulate":             ofRichWallet("/policy/simulate", `{"recipients": [{"address": "{foreign}", "amount_sat": 100000}], "fee_rate_sat_vb": 2}`),
	"GET /api/v1/wallets/{alias}/policy/usage":                 withPolicies("/policy/usage", ""),
	"GET /api/v1/wallets/{alias}/policy/changes":               withPolicies("/policy/changes", ""),
	"POST /api/v1/wallets/{alias}/policy/changes/{id}/approve": withPolicies("/policy/changes/{approved}/approve", ""),
	"DELETE /api/v1/wallets/{alias}/policy/changes/{id}":       withPolicies("/policy/changes/{cancelled}", ""),
	"GET /api/v1/wallets/{alias}/lists":                        withPolicies("/lists", ""),
	"GET /api/v1/wallets/{alias}/lists/{name}":                 withPolicies("/lists/suppliers", ""),
	"PUT /api/v1/wallets/{alias}/lists/{name}":                 withPolicies("/lists/suppliers", `{"entries": [{"address": "{foreign}", "label": "paper"}]}`),
	"DELETE /api/v1/wallets/{alias}/lists/{name}":              withPolicies("/lists/old", ""),
	"GET /api/v1/wallets/{alias}/members/{user}/policy":        withPolicies("/members/{user}/policy", ""),
	"PUT /api/v1/wallets/{alias}/members/{user}/policy":        withPolicies("/members/{user}/policy", `{"policy": {"version": 1, "allow": [{"name": "all", "max_recipients": 3000}]}}`),
	"DELETE /api/v1/wallets/{alias}/members/{user}/policy":     withPolicies("/members/{user}/policy", ""),

	"GET /api/v1/policy":                       withServerPolicy("/api/v1/policy", ""),
	"PUT /api/v1/policy":                       withServerPolicy("/api/v1/policy", `{"policy": {"version": 1, "allow": [{"name": "all", "max_recipients": 3000}]}}`),
	"DELETE /api/v1/policy":                    withServerPolicy("/api/v1/policy", ""),
	"GET /api/v1/policy/changes":               withServerPolicy("/api/v1/policy/changes", ""),
	"POST /api/v1/policy/changes/{id}/approve": withServerPolicy("/api/v1/policy/changes/server1/approve", ""),
	"DELETE /api/v1/policy/changes/{id}":       withServerPolicy("/api/v1/policy/changes/server1", ""),

	"GET /api/v1/wallets/{alias}/events": ofWallet("/events", ""),
	"GET /api/v1/events":                 plain("/api/v1/events"),

	"GET /api/v1/webhooks":                                       plain("/api/v1/webhooks"),
	"POST /api/v1/webhooks":                                      fresh("/api/v1/webhooks", `{"description": %q, "url": "https://shop.example/hooks/specterd", "kinds": ["token"]}`),
	"GET /api/v1/webhooks/{id}":                                  ofWebhook("", ""),
	"PATCH /api/v1/webhooks/{id}":                                ofWebhook("", `{"kinds": ["transaction", "proposal.signed"], "enabled": true}`),
	"DELETE /api/v1/webhooks/{id}":                               ofWebhook("", ""),
	"POST /api/v1/webhooks/{id}/test":                            ofWebhook("/test", ""),
	"POST /api/v1/webhooks/{id}/rotate-secret":                   ofWebhook("/rotate-secret", `{}`),
	"POST /api/v1/webhooks/{id}/recover":                         ofWebhook("/recover", `{"since": "{now}"}`),
	"GET /api/v1/webhooks/{id}/deliveries":                       ofWebhook("/deliveries", ""),
	"GET /api/v1/webhooks/{id}/deliveries/{delivery}":            ofWebhook("/deliveries/{delivery}", ""),
	"POST /api/v1/webhooks/{id}/deliveries/{delivery}/redeliver": ofWebhook("/deliveries/{delivery}/redeliver", ""),

	"GET /api/v1/wallets/{alias}/labels":  ofWallet("/labels", ""),
	"POST /api/v1/wallets/{alias}/labels": ofWallet("/labels", `{"type": "tx", "ref": "{txid}", "label": "x"}`),
}

// vaults contains the wallets and proposals that requests refer to, by the id of the user.
type vaults struct {
	sync.Mutex
	of map[string]vault
	// open and signed contain the id of one open and one signed proposal for each user.
	open, signed map[string]string
	// lost contains the ids of broadcast proposals whose transactions the node does not have.
	lost map[string]string
	// held contains the ids of proposals that await approval, by the path of the request.
	held map[string]map[string]string
}

// vaultOf returns a user's wallet, which it creates on the first call. It mines a block to the
// wallet, so that the wallet has a UTXO that the node can lock.
func (w *world) vaultOf(t *testing.T, whose testUser) vault {
	t.Helper()
	w.vaults.Lock()
	defer w.vaults.Unlock()
	v, ok := w.vaults.of[whose.ID]
	if !ok {
		v = w.vault(t, whose, "vault_of_"+whose.Name)
		v.utxo = w.minedUTXO(t, w.bitcoind, &v)
		w.vaults.of[whose.ID] = v
	}
	return v
}

// ofRichWallet returns a function that makes requests for a wallet with spendable UTXOs.
func ofRichWallet(path, body string) func(*testing.T, *world, testUser) (string, string) {
	return func(t *testing.T, w *world, whose testUser) (string, string) {
		v := w.richVaultOf(t, whose)
		path, body := ofWallet(path, body)(t, w, whose)
		return path, strings.ReplaceAll(body, "{foreign}", v.foreign)
	}
}

// richVaultOf returns a user's wallet with enough UTXOs for all requests.
func (w *world) richVaultOf(t *testing.T, whose testUser) vault {
	t.Helper()
	v := w.vaultOf(t, whose)
	w.vaults.Lock()
	defer w.vaults.Unlock()
	if w.vaults.open == nil {
		w.vaults.open, w.vaults.signed, w.vaults.lost, w.vaults.held = map[string]string{}, map[string]string{}, map[string]string{}, map[string]map[string]string{"/approve": {}, "/reject": {}}
	}
	if _, ok := w.vaults.open[whose.ID]; !ok {
		w.purse.pay(t, w.server, v.id, slices.Repeat([]btc.Amount{btc.BTC / 10}, 20)...)
		w.vaults.open[whose.ID], w.vaults.signed[whose.ID] = "", ""
	}
	return v
}

// proposalOf returns the proposal of a user in kept if it has one of these statuses; otherwise
// it creates one and adds it to kept.
func (w *world) proposalOf(t *testing.T, whose testUser, kept func() map[string]string, statuses ...proposal.Status) proposal.Proposal {
	t.Helper()
	v := w.richVaultOf(t, whose)
	who, ctx := whose.principal(), t.Context()
	if id := kept()[whose.ID]; id != "" {
		p, err := w.Proposals.Get(ctx, testkit.Access(t, w.Wallets, who, v.alias), id)
		testkit.Check(t, err)
		if slices.Contains(statuses, p.Status) {
			return p
		}
	}
	p, err := w.Proposals.Create(ctx, testkit.Access(t, w.Wallets, who, v.alias), proposal.CreateParams{Recipients: []proposal.Recipient{{Address: v.foreign, Amount: 100_000}}, FeeRate: 2000})
	testkit.Check(t, err)
	kept()[whose.ID] = p.ID
	return p
}

// ofProposal returns a function that makes requests for an open proposal.
func ofProposal(path, body string) func(*testing.T, *world, testUser) (string, string) {
	return func(t *testing.T, w *world, whose testUser) (string, string) {
		open := func() map[string]string { return w.vaults.open }
		p := w.proposalOf(t, whose, open, proposal.Created, proposal.PartiallySigned, proposal.Complete)
		v := w.vaultOf(t, whose)
		text := body
		if text == "{signed}" {
			text = hex.EncodeToString(v.sign(t, p))
		}
		return "/api/v1/wallets/" + v.alias + "/proposals/" + p.ID + path, strings.ReplaceAll(text, "{more}", (p.FeeRate + 1000).String())
	}
}

// ofHeldProposal returns a function that makes requests for a proposal by another user that
// awaits the approval of a signer.
func ofHeldProposal(path, body string) func(*testing.T, *world, testUser) (string, string) {
	return func(t *testing.T, w *world, whose testUser) (string, string) {
		p := w.proposalOf(t, whose, func() map[string]string { return w.vaults.held[path] }, proposal.AwaitingApproval)
		if p.Status != proposal.AwaitingApproval {
			w.sql(t, "UPDATE proposals SET user_id = 'x', user_name = 'other', status = 'awaiting_approval', review = $1 WHERE proposal_id = $2",
				fmt.Sprintf(`{"hash": %q, "required": [{"Kind": "wallet", "Rule": "large", "Count": 1}], "missing": [1]}`, heldHash(t, p)), p.ID)
		}
		w.putPolicy(t, "server", nil, nil, serverPolicy)
		w.putPolicy(t, "wallet:"+p.WalletID, p.WalletID, nil, walletPolicy)
		return "/api/v1/wallets/" + w.vaultOf(t, whose).alias + "/proposals/" + p.ID + path, body
	}
}

// The policies that requests refer to.
const (
	serverPolicy = `{"version":1,"allow":[{"name":"all","windows":[{"per":"24h","max_sat":2000000000}]}],"change":{"approvals":2}}`
	walletPolicy = `{"version":1,"allow":[{"name":"all","windows":[{"per":"24h","max_sat":2000000000}]}],"change":{"approvals":1}}`
	memberPolicy = `{"version":1,"allow":[{"name":"all","windows":[{"per":"24h","max_sat":2000000000}]}]}`
)

func (w *world) putPolicy(t *testing.T, subject string, walletID, userID any, document string) {
	t.Helper()
	w.sql(t, "INSERT INTO policies (subject, wallet_id, user_id, document, user_name, set_at) VALUES ($1, $2, $3, $4, 'x', 0) "+
		"ON CONFLICT (subject) DO UPDATE SET document = excluded.document", subject, walletID, userID, document)
}

func (w *world) putPolicyChange(t *testing.T, subject, id string, walletID any) {
	t.Helper()
	w.sql(t, "INSERT INTO policy_changes (subject, change_id, wallet_id, document, approvals, maker_id, maker_name, token_id, requested_at, effective_at) "+
		"VALUES ($1, $2, $3, '', '[]', 'x', 'x', '', 0, 0) ON CONFLICT (subject) DO UPDATE SET document = '', approvals = '[]', change_id = excluded.change_id", subject, id, walletID)
}

// withServerPolicy returns a function that makes requests for a server with a policy and a
// pending change.
func withServerPolicy(path, body string) func(*testing.T, *world, testUser) (string, string) {
	return func(t *testing.T, w *world, _ testUser) (string, string) {
		w.putPolicy(t, "server", nil, nil, serverPolicy)
		w.putPolicyChange(t, "server", "server1", nil)
		return path, body
	}
}

// withPolicies returns a function that makes requests for a wallet that has a policy of its own
// and of its member, two lists, and pending changes.
func withPolicies(path, body string) func(*testing.T, *world, testUser) (string, string) {
	return func(t *testing.T, w *world, whose testUser) (string, string) {
		path, body := ofWallet(path, body)(t, w, whose)
		v := w.vaultOf(t, whose)
		w.putPolicy(t, "wallet:"+v.id, v.id, nil, walletPolicy)
		w.putPolicy(t, "member:"+v.id+":"+whose.ID, v.id, whose.ID, memberPolicy)
		for _, name := range []string{"suppliers", "old"} {
			w.sql(t, "INSERT INTO policy_lists (wallet_id, name, entries, user_name, set_at) VALUES ($1, $2, '{\"entries\":[]}', 'x', 0) "+
				"ON CONFLICT (wallet_id, name) DO UPDATE SET entries = excluded.entries", v.id, name)
		}
		approved, cancelled := "a-"+v.id, "c-"+v.id
		w.putPolicyChange(t, "list:"+v.id+":gone", approved, v.id)
		w.putPolicyChange(t, "list:"+v.id+":lost", cancelled, v.id)
		fill := strings.NewReplacer("{approved}", approved, "{cancelled}", cancelled, "{foreign}", v.foreign)
		return fill.Replace(path), fill.Replace(body)
	}
}

// heldHash returns the hash to which approvals of a proposal by a user without a policy are
// bound.
func heldHash(t *testing.T, p proposal.Proposal) string {
	t.Helper()
	version := func(kind policy.Kind, document string) string {
		return policy.Version(testkit.Must(policy.ParseStored(kind, []byte(document))), nil)
	}
	text := fmt.Sprintf("%s\nserver %s\nwallet:%s %s\n", p.Txid, version(policy.Server, serverPolicy), p.WalletID, version(policy.Wallet, walletPolicy))
	return fmt.Sprintf("%x", sha256.Sum256([]byte(text)))
}

// ofSignedProposal returns a request that broadcasts a signed proposal.
func ofSignedProposal(t *testing.T, w *world, whose testUser) (string, string) {
	p := w.proposalOf(t, whose, func() map[string]string { return w.vaults.signed }, proposal.Created, proposal.Complete, proposal.Broadcast)
	v := w.vaultOf(t, whose)
	if p.Status == proposal.Created {
		_, err := w.Proposals.AddSignatures(t.Context(), testkit.Access(t, w.Wallets, whose.principal(), v.alias), p.ID, v.sign(t, p), nil)
		testkit.Check(t, err)
	}
	return "/api/v1/wallets/" + v.alias + "/proposals/" + p.ID + "/broadcast", ""
}

// ofLostProposal returns a request that abandons a lost proposal.
func ofLostProposal(t *testing.T, w *world, whose testUser) (string, string) {
	p := w.proposalOf(t, whose, func() map[string]string { return w.vaults.lost }, proposal.Broadcast)
	if p.Status != proposal.Broadcast {
		_, err := w.store.UpdateProposal(t.Context(), p.WalletID, p.ID, func(u *proposal.Update) error {
			u.Status, u.FinalTxid, u.Changed = proposal.Broadcast, u.Txid, true
			return nil
		})
		testkit.Check(t, err)
	}
	return "/api/v1/wallets/" + w.vaultOf(t, whose).alias + "/proposals/" + p.ID + "/abandon", ""
}

// ofWallet returns a function that makes requests for a user's wallet.
func ofWallet(path, body string) func(*testing.T, *world, testUser) (string, string) {
	if !strings.HasPrefix(path, "/api/") {
		path = "/api/v1/wallets/{alias}" + path
	}
	return func(t *testing.T, w *world, whose testUser) (string, string) {
		v := w.vaultOf(t, whose)
		fill := strings.NewReplacer("{alias}", v.alias, "{user}", whose.Name, "{address}", v.receive[1], "{outpoint}", v.utxo.String(), "{txid}", v.sent)
		return fill.Replace(path), fill.Replace(body)
	}
}

func newWallet(*testing.T, *world, testUser) (string, string) {
	return "/api/v1/wallets", fmt.Sprintf(`{"name": %q, "descriptor": %q, "birthday": "now"}`, unique("new"), descriptor())
}

func walletFile(*testing.T, *world, testUser) (string, string) {
	return "/api/v1/wallets/inspect", fmt.Sprintf(`{"file": %q}`, descriptor())
}

// oldWallet adds a wallet, and returns the path of the request that deletes it.
func oldWallet(t *testing.T, w *world, whose testUser) (string, string) {
	alias := strings.ReplaceAll(unique("old"), "-", "_")
	w.wallet(t, whose, alias, "owner")
	return "/api/v1/wallets/" + alias, ""
}

// oldMember adds a member to the user's wallet, and returns the path of the request that
// removes the member.
func oldMember(t *testing.T, w *world, whose testUser) (string, string) {
	v := w.vaultOf(t, whose)
	name := unique("member")
	w.sql(t, "INSERT INTO members (wallet_id, user_id, role, alias, created_at) VALUES ($1, $2, 'viewer', 'x', 0)", v.id, w.user(t, name, false).ID)
	return "/api/v1/wallets/" + v.alias + "/members/" + name, ""
}

// newInvitation returns a request that invites a user name that does not exist.
func newInvitation(t *testing.T, w *world, whose testUser) (string, string) {
	return ofWallet("/invitations", fmt.Sprintf(`{"user": %q, "role": "viewer"}`, unique("guest")))(t, w, whose)
}

// ofDevice returns a request that renames a device of the user.
func ofDevice(t *testing.T, w *world, whose testUser) (string, string) {
	w.vault(t, whose, strings.ReplaceAll(unique("devices_of"), "-", "_"))
	devices := testkit.Must(w.Wallets.Devices(t.Context(), whose.principal()))
	return "/api/v1/devices/" + devices[0].Alias, `{"name": "Ann's Coldcard"}`
}

// ofInvitation returns a function that makes requests for an invitation of a user to another
// user's wallet. If named is true, the body contains an alias.
func ofInvitation(path string, named bool) func(*testing.T, *world, testUser) (string, string) {
	return func(t *testing.T, w *world, whose testUser) (string, string) {
		host, alias, body := w.user(t, unique("host"), false), strings.ReplaceAll(unique("vault"), "-", "_"), ""
		w.wallet(t, host, alias, "owner")
		i, err := w.Wallets.Invite(t.Context(), testkit.Access(t, w.Wallets, host.principal(), alias), whose.Name, auth.RoleViewer)
		testkit.Check(t, err)
		if named {
			body = fmt.Sprintf(`{"alias": %q}`, alias)
		}
		return "/api/v1/invitations/" + i.ID + path, body
	}
}

// newScan returns a request that starts a rescan. It first marks the previous rescan as
// completed.
func newScan(t *testing.T, w *world, whose testUser) (string, string) {
	w.sql(t, "UPDATE wallets SET rescan_from = NULL WHERE wallet_id = $1", w.vaultOf(t, whose).id)
	return ofWallet("/rescan", `{"from": 0}`)(t, w, whose)
}

func plain(path string) func(*testing.T, *world, testUser) (string, string) {
	return withBody(path, "")
}

func withBody(path, body string) func(*testing.T, *world, testUser) (string, string) {
	return func(*testing.T, *world, testUser) (string, string) { return path, body }
}

func fresh(path, body string) func(*testing.T, *world, testUser) (string, string) {
	return func(*testing.T, *world, testUser) (string, string) {
		return path, fmt.Sprintf(body, unique("something new"))
	}
}

func ofToken(path, body string) func(*testing.T, *world, testUser) (string, string) {
	return func(t *testing.T, w *world, whose testUser) (string, string) {
		return fmt.Sprintf(path, w.token(t, whose, 0).id), body
	}
}

// ofWebhook returns a function that makes requests for a new webhook of the user, which has
// one delivery.
func ofWebhook(path, body string) func(*testing.T, *world, testUser) (string, string) {
	return func(t *testing.T, w *world, whose testUser) (string, string) {
		hook, delivery := w.webhook(t, whose.principal())
		fill := strings.NewReplacer("{delivery}", delivery, "{now}", w.clock.now().UTC().Format(time.RFC3339Nano))
		return "/api/v1/webhooks/" + hook.ID + fill.Replace(path), fill.Replace(body)
	}
}

// webhook creates a webhook with one delivery, whose first attempt has failed.
func (s *server) webhook(t *testing.T, who *auth.Principal) (webhook.Webhook, string) {
	t.Helper()
	ctx := t.Context()
	hook, _, err := s.Webhooks.Create(ctx, who, webhook.Params{Description: unique("hook"), URL: s.receiver})
	testkit.Check(t, err)
	t.Cleanup(func() { _ = s.Webhooks.Delete(context.Background(), who, hook.ID) }) // the quota
	e := event.Event{
		UserID: who.UserID, Kind: event.TokenCreated, At: s.clock.now(), Subject: unique("subject"), Data: []byte(`{"token_id":"x","description":"y"}`),
	}
	testkit.Check(t, s.db.QueryRowContext(ctx, "INSERT INTO events (user_id, kind, at, subject, data, actor_user, actor_token) VALUES ($1, $2, $3, $4, $5, '', '') RETURNING seq",
		e.UserID, e.Kind, e.At.UnixMicro(), e.Subject, string(e.Data)).Scan(&e.Seq))
	testkit.Check(t, s.store.AddDeliveries(ctx, hook, []event.Event{e}, hook.EventsUntil))
	claim := webhook.Claim{Now: s.clock.now(), Until: s.clock.now().Add(time.Minute), Holder: "test", PerHost: 100, PerUser: 100, Limit: 100}
	claimed, err := s.store.ClaimDeliveries(ctx, claim)
	testkit.Check(t, err)
	for _, d := range claimed {
		_, err := s.store.EndAttempt(ctx, d, "test", &egress.Result{Status: 503, Excerpt: "maintenance", Took: 25 * time.Millisecond}, func(w *webhook.Webhook, d *webhook.Delivery) {
			w.FailingSince, d.Failures, d.NextAt = s.clock.now(), 1, s.clock.now().Add(5*time.Second)
		})
		testkit.Check(t, err)
	}
	return hook, webhook.DeliveryID(hook.ID, e)
}

func ofUser(path, body string) func(*testing.T, *world, testUser) (string, string) {
	return func(t *testing.T, w *world, _ testUser) (string, string) {
		name := unique("user")
		return fmt.Sprintf(path, w.user(t, name, false).Name), body
	}
}

func ofUserToken(t *testing.T, w *world, _ testUser) (string, string) {
	p := w.user(t, unique("user"), false)
	return "/api/v1/users/" + p.Name + "/tokens/" + w.token(t, p, 0).id, ""
}

// ownPassword returns a request that sets the caller's password to its current value.
func ownPassword(_ *testing.T, w *world, _ testUser) (string, string) {
	return "/api/v1/users/me", fmt.Sprintf(`{"password": %q}`, w.caller.password)
}
