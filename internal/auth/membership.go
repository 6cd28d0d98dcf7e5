package auth

import (
	"slices"

	"github.com/specterd/specterd/internal/fault"
)

// WalletRole is the role of a member in a wallet.
type WalletRole string

// The roles in a wallet, each with the permissions of those before it.
const (
	RoleViewer   WalletRole = "viewer"   // reads
	RoleProposer WalletRole = "proposer" // also reveals addresses and proposes payments
	RoleSigner   WalletRole = "signer"   // also signs and broadcasts
	RoleOwner    WalletRole = "owner"    // also manages the wallet and its members
)

var walletRoles = []WalletRole{RoleViewer, RoleProposer, RoleSigner, RoleOwner}

// Covers reports whether r includes the permissions of needed. Unknown roles cover
// nothing and are covered by none.
func (r WalletRole) Covers(needed WalletRole) bool {
	have, need := slices.Index(walletRoles, r), slices.Index(walletRoles, needed)
	return need >= 0 && have >= need
}

// roleScopes are the scopes that each role permits in a wallet, in addition to the
// scopes of lower roles. A member who is authenticated with a password can create a
// token with all of them.
var roleScopes = map[WalletRole]Scopes{
	RoleViewer:   WalletsRead | ProposalsRead | EventsRead | PoliciesRead | ProposalsApprove, // if a policy names the user as an approver
	RoleProposer: WalletsWrite | AddressesWrite | ProposalsCreate,
	RoleSigner:   ProposalsSign | ProposalsBroadcast,
	RoleOwner:    MembersWrite | PoliciesWrite,
}

// Scopes returns all scopes that the role permits in its wallet.
func (r WalletRole) Scopes() Scopes {
	var s Scopes
	for _, role := range walletRoles {
		if r.Covers(role) {
			s |= roleScopes[role]
		}
	}
	return s
}

// CheckRoleGrant returns a Forbidden fault if the caller's token lacks a scope that the
// role permits: a token must not give others more permissions than it has. A caller who
// is authenticated with a password may grant every role.
func (p *Principal) CheckRoleGrant(role WalletRole) error {
	missing := role.Scopes() &^ p.Scopes &^ (EventsRead | PoliciesRead) // these show nothing that gives rights
	if !role.Covers(RoleSigner) {
		missing &^= ProposalsApprove // usable only by users whom a policy names
	}
	if p.ByPassword() || missing == 0 {
		return nil
	}
	return fault.New(fault.Forbidden, "scope_exceeded", "to grant the role %s, a token must have every scope that the role makes usable; it lacks %s", role, missing).
		WithDetail("required_scope", missing.String())
}

// Check returns a Forbidden fault that names both roles if r does not cover needed.
func (r WalletRole) Check(needed WalletRole) error {
	if r.Covers(needed) {
		return nil
	}
	return fault.New(fault.Forbidden, "insufficient_role", "your role in this wallet is %s; the role %s is required", r, needed).
		WithDetail("required_role", string(needed))
}

// Membership is a wallet that a user is a member of.
type Membership struct {
	WalletID string
	Name     string
	Alias    string // the user's own name for it
	Role     WalletRole
}
