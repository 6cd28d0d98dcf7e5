package v1

import (
	"time"
)

// Invitation is an invitation as the owners of the wallet see it. It does not reveal
// whether the user exists.
type Invitation struct {
	ID        string    `json:"id" required:"true"`
	User      string    `json:"user" required:"true" description:"Name of the invited user, as given in the request; such a user may not exist."`
	Role      string    `json:"role" required:"true" enum:"viewer,proposer,signer,owner" description:"Role in the wallet once the invitation is accepted."`
	InvitedBy string    `json:"invited_by" required:"true"`
	CreatedAt time.Time `json:"created_at" required:"true"`
	ExpiresAt time.Time `json:"expires_at" required:"true"`
}

// CreateInvitationRequest names a user to invite to a wallet.
type CreateInvitationRequest struct {
	User string `json:"user" required:"true" minLength:"1" maxLength:"64" example:"alice" description:"Name of the user to invite, without regard to case."`
	Role string `json:"role" required:"true" enum:"viewer,proposer,signer,owner" example:"viewer" description:"A viewer reads; a proposer also proposes payments and reveals addresses; a signer also signs and broadcasts; an owner also manages the wallet and its members."`
}

// OwnInvitation is an invitation as the invited user sees it.
type OwnInvitation struct {
	ID        string    `json:"id" required:"true"`
	Wallet    string    `json:"wallet_name" required:"true" description:"Name of the wallet for all members."`
	Role      string    `json:"role" required:"true" enum:"viewer,proposer,signer,owner" description:"Role in the wallet once the invitation is accepted."`
	InvitedBy string    `json:"invited_by" required:"true"`
	ExpiresAt time.Time `json:"expires_at" required:"true"`
}

// AcceptInvitationRequest has the options of a new membership; all fields are optional.
type AcceptInvitationRequest struct {
	Alias string `json:"alias,omitzero" maxLength:"64" example:"family_vault" description:"Your own name for the wallet in paths. Default: the name in lower case, with _ for spaces, unless you have, or had, another wallet with that alias."`
}

// Membership is a wallet that the caller has become a member of.
type Membership struct {
	Alias string `json:"alias" required:"true"`
	Name  string `json:"name" required:"true" description:"Name of the wallet for all members."`
	Role  string `json:"role" required:"true" enum:"viewer,proposer,signer,owner"`
}
