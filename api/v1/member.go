package v1

import (
	"time"
)

// Member is a user with a role in a wallet.
type Member struct {
	User      string    `json:"user" required:"true" description:"The user's name."`
	Role      string    `json:"role" required:"true" enum:"viewer,proposer,signer,owner"`
	CreatedAt time.Time `json:"created_at" required:"true" description:"Time when the user became a member."`
}

// PutMemberRequest sets the role of a member.
type PutMemberRequest struct {
	Role string `json:"role" required:"true" enum:"viewer,proposer,signer,owner" example:"viewer" description:"A viewer reads; a proposer also proposes payments and reveals addresses; a signer also signs and broadcasts; an owner also manages the wallet and its members."`
}
