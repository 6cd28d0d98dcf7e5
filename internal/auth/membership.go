package auth

import (
	"slices"

	"github.com/specterd/specterd/internal/fault"
)

// WalletRole is what a member may do with a wallet.
type WalletRole string

// The roles in a wallet, each with the rights of those before it.
const (
	RoleViewer   WalletRole = "viewer"   // reads
	RoleProposer WalletRole = "proposer" // also proposes payments and hands out addresses
	RoleSigner   WalletRole = "signer"   // also signs and broadcasts
	RoleOwner    WalletRole = "owner"    // also manages the wallet and its members
)

var walletRoles = []WalletRole{RoleViewer, RoleProposer, RoleSigner, RoleOwner}

// Covers reports whether a member in the role r may do what needs another. No
// role covers what is not a role, and what is none covers nothing.
func (r WalletRole) Covers(needed WalletRole) bool {
	have, need := slices.Index(walletRoles, r), slices.Index(walletRoles, needed)
	return need >= 0 && have >= need
}

// Check returns a Forbidden fault that says what is missing where r does not
// cover needed.
func (r WalletRole) Check(needed WalletRole) error {
	if r.Covers(needed) {
		return nil
	}
	return fault.New(fault.Forbidden, "role_missing", "your role in this wallet is %s, and this takes %s", r, needed).
		With("required_role", string(needed))
}

// Membership is a wallet that a user is a member of.
type Membership struct {
	WalletID string
	Name     string
	Alias    string // the user's own name for it
	Role     WalletRole
}
