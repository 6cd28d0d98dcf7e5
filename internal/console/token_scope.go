package console

import (
	"strings"

	"github.com/specterd/specterd/internal/auth"
)

// scopeGroup is a part of the list of scopes from which a user chooses.
type scopeGroup struct {
	Title  string
	Scopes []scopeInfo
}

// scopeInfo describes a scope in words.
type scopeInfo struct {
	Scope       auth.Scopes
	Title, Text string
}

// Name returns the name of the scope in the API.
func (s scopeInfo) Name() string { return s.Scope.String() }

// guardedScopes are the scopes with which a token can do something for which the console asks
// for the password.
const guardedScopes = auth.TokensWrite | auth.UsersWrite | auth.WalletsWrite | auth.MembersWrite | auth.WebhooksWrite |
	auth.PoliciesWrite | auth.ProposalsApprove |
	auth.ProposalsCreate | auth.ProposalsSign | auth.ProposalsBroadcast

var scopeGroups = []scopeGroup{
	{"Wallets", []scopeInfo{
		{auth.WalletsRead, "Read wallets", "Balances, history, addresses, labels, members and descriptors."},
		{auth.AddressesWrite, "Reveal addresses", "A new receive address for each payment."},
		{auth.WalletsWrite, "Change wallets", "Labels and frozen UTXOs; create, rename, rescan and delete wallets."},
		{auth.MembersWrite, "Manage members", "Invite and remove members, and change their roles."},
		{auth.PoliciesRead, "Read spending policies", "Limits, required approvals and remaining budgets."},
		{auth.PoliciesWrite, "Change spending policies", "Tighten policies, and request changes that loosen them."},
	}},
	{"Proposals", []scopeInfo{
		{auth.ProposalsRead, "Read proposals", "Payments that wait for signatures, without the signatures."},
		{auth.ProposalsCreate, "Create proposals", "Also bump and cancel. Nothing is sent without signatures."},
		{auth.ProposalsSign, "Add signatures", "Pass on signatures that a device has made."},
		{auth.ProposalsBroadcast, "Broadcast proposals", "Send complete proposals to the network."},
		{auth.ProposalsApprove, "Approve proposals", "Approve or reject payments if a spending policy asks for it."},
	}},
	{"Events", []scopeInfo{
		{auth.EventsRead, "Read events", "Follow payments, confirmations and proposals as they happen."},
		{auth.WebhooksRead, "Read webhooks", "Webhooks and their deliveries."},
		{auth.WebhooksWrite, "Manage webhooks", "Create, change and delete webhooks that this token created."},
	}},
	{"Access", []scopeInfo{
		{auth.TokensRead, "Read tokens", "Your tokens, without their secrets."},
		{auth.TokensWrite, "Manage tokens", "Create tokens with the same rights or fewer; rotate and revoke them."},
		{auth.UsersRead, "Read users", "Names, roles and quotas of all users."},
		{auth.UsersWrite, "Manage users", "Disable users, revoke their tokens, and set quotas."},
		{auth.AuditRead, "Read the audit log", "Who did what, from which address."},
		{auth.NodeRead, "Read the node's status", "Sync, version and fee estimates."},
	}},
}

// scopeGroupsFor returns the scopes that a caller can give to a token.
func scopeGroupsFor(who *auth.Principal) []scopeGroup {
	var out []scopeGroup
	for _, g := range scopeGroups {
		own := scopeGroup{Title: g.Title}
		for _, s := range g.Scopes {
			if who.Scopes.Has(s.Scope) {
				own.Scopes = append(own.Scopes, s)
			}
		}
		if len(own.Scopes) > 0 {
			out = append(out, own)
		}
	}
	return out
}

// infoOf returns the descriptions of scopes.
func infoOf(scopes auth.Scopes) []scopeInfo {
	var out []scopeInfo
	for _, g := range scopeGroups {
		for _, s := range g.Scopes {
			if scopes.Has(s.Scope) {
				out = append(out, s)
			}
		}
	}
	return out
}

// tokenPreset is a set of scopes for a purpose.
type tokenPreset struct {
	Name, Title, Text string
	Scopes            auth.Scopes
}

// ownScopes is the name of the preset with which the user chooses the scopes.
const ownScopes = "own"

var tokenPresets = []tokenPreset{
	{"accountant", "Read-only accountant", "Reads balances, the whole history, addresses, labels, members, descriptors, proposals and the state of the node. Changes nothing.", auth.NodeRead | auth.WalletsRead | auth.ProposalsRead},
	{"shop", "Shop: addresses", "Reveals receive addresses and follows events. Also reads balances, the whole history, addresses, labels, members and descriptors. Cannot propose payments.", auth.AddressesWrite | auth.WalletsRead | auth.EventsRead},
	{"proposer", "Proposer", "Creates, bumps and cancels proposals. Also reads proposals, balances, the whole history, addresses, labels, members, descriptors and the state of the node. Cannot sign or broadcast.", auth.NodeRead | auth.WalletsRead | auth.ProposalsRead | auth.ProposalsCreate},
}

func presetNamed(name string) (tokenPreset, bool) {
	for _, p := range tokenPresets {
		if p.Name == name {
			return p, true
		}
	}
	return tokenPreset{}, false
}

// rights returns the scopes of a token in words: the title of a preset, or of each scope.
func (l *look) rights(scopes auth.Scopes) string {
	for _, p := range tokenPresets {
		if p.Scopes == scopes {
			return l.T(p.Title)
		}
	}
	infos := infoOf(scopes)
	if len(infos) == 0 {
		return l.T("No rights")
	}
	titles := make([]string, len(infos))
	for i, s := range infos {
		titles[i] = l.T(s.Title)
	}
	return strings.Join(titles, ", ")
}
