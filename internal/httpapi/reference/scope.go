package reference

import (
	"strings"

	"github.com/specterd/specterd/internal/auth"
)

// scope is a scope of tokens with the operations that require it.
type scope struct {
	Name, Description string
	Words             string // for the search
	Default, Admin    bool   // whether a token gets it by default; whether it has an effect only for admins
	Operations        []shownOperation
}

// Slug returns the id of the scope's HTML element.
func (s scope) Slug() string { return scopeSlug(s.Name) }

func scopeSlug(name string) string { return "scope-" + strings.ReplaceAll(name, ":", "-") }

// scopeTexts describe the scopes, with words that occur in questions about them.
var scopeTexts = []struct {
	scope              auth.Scopes
	description, words string
}{
	{auth.WalletsRead, "Read wallets: balances, addresses, UTXOs, transactions, labels and members, and descriptors.", "balance history export"},
	{auth.WalletsWrite, "Create, update, rescan and delete wallets; update labels; freeze and unfreeze UTXOs; accept invitations.", "freeze label rename"},
	{auth.AddressesWrite, "Reveal receive addresses.", "new create invoice"},
	{auth.MembersWrite, "Invite and remove members, and change their roles.", "share invitation"},
	{auth.ProposalsRead, "Read proposals with their PSBTs.", "payment"},
	{auth.ProposalsCreate, "Create, bump and cancel proposals, and simulate policies.", "payment pay spend"},
	{auth.ProposalsSign, "Add signatures to proposals.", "payment psbt"},
	{auth.ProposalsBroadcast, "Broadcast complete proposals, and abandon payments.", "send publish payment transaction"},
	{auth.ProposalsApprove, "Approve and reject proposals that await approval.", "payment policy"},
	{auth.PoliciesRead, "Read spending policies, lists of recipients and budgets.", "limit"},
	{auth.PoliciesWrite, "Set spending policies and lists of recipients.", "limit change"},
	{auth.EventsRead, "Read and stream events. Also requires the scope that reads the object of the event.", "stream follow sse"},
	{auth.WebhooksRead, "Read webhooks and their deliveries.", "callback"},
	{auth.WebhooksWrite, "Create, update, test and delete webhooks.", "callback"},
	{auth.TokensRead, "Read your tokens, without their secrets.", "credential"},
	{auth.TokensWrite, "Create, rotate and delete tokens.", "credential revoke"},
	{auth.NodeRead, "Read the status of the Bitcoin node and fee rate estimates.", "fee estimate"},
	{auth.UsersRead, "Read users, their quotas and tokens.", "admin account"},
	{auth.UsersWrite, "Update and delete users, and delete their tokens.", "admin account"},
	{auth.AuditRead, "Read the audit log.", "admin log"},
}

func scopesOf(nouns []noun) []scope {
	var scopes []scope
	for _, t := range scopeTexts {
		s := scope{
			Name: t.scope.String(), Description: t.description, Words: t.words,
			Default: auth.DefaultScopes.Has(t.scope), Admin: auth.AdminScopes.Has(t.scope),
		}
		for _, n := range nouns {
			for _, op := range n.Operations {
				if op.Scope == s.Name {
					s.Operations = append(s.Operations, op)
				}
			}
		}
		scopes = append(scopes, s)
	}
	return scopes
}
