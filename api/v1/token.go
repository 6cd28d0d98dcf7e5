package v1

import (
	"time"
)

// TokenDetails is a token as its user and admins see it.
type TokenDetails struct {
	ID          string    `json:"id" required:"true" format:"uuid"`
	Description string    `json:"description" required:"true"`
	Scopes      []string  `json:"scopes" required:"true" nullable:"false"`
	ParentID    *string   `json:"parent_id" required:"true" description:"Id of the token that created it; null if it was created with a password."`
	RotatedFrom *string   `json:"rotated_from" required:"true" description:"Id of the token that it replaced; null if it did not replace one."`
	CreatedAt   time.Time `json:"created_at" required:"true"`
	ExpiresAt   time.Time `json:"expires_at" required:"true"`
	Expired     bool      `json:"expired" required:"true"`
	Imported    bool      `json:"imported" required:"true" description:"Whether the token was imported from Specter Desktop."`
	Policy      *Document `json:"policy" required:"true" description:"Spending policy of the token, with the ids of wallets; null for none. It never changes, and successors keep it."`
	LastUsed    *LastUse  `json:"last_used" required:"true" description:"Last use, accurate to a minute; null before the first use."`
}

// Token is an access token, without its secret.
type Token struct {
	TokenDetails
	Wallets *[]string `json:"wallets" required:"true" description:"Aliases of the wallets that the token is limited to; null without a limit."`
}

// LastUse is the last use of a token.
type LastUse struct {
	At      time.Time `json:"at" required:"true"`
	Address string    `json:"address" required:"true"`
	Agent   string    `json:"agent" required:"true" description:"Value of the header User-Agent."`
}

// TokenWithSecret is a new access token with its secret.
type TokenWithSecret struct {
	Token
	Secret string `json:"token" required:"true" description:"The token itself. It is not stored and never shown again."`
}

// CreateTokenRequest is a token to create.
type CreateTokenRequest struct {
	Description string     `json:"description" required:"true" minLength:"1" maxLength:"128" example:"backup script" description:"What the token is for; unique among your tokens."`
	Lifetime    *string    `json:"lifetime,omitzero" example:"30 days" description:"Lifetime, such as \"30 days\", \"6 months\" or \"1h30m\"; at most 1 year, unless the server is configured otherwise. Specify either lifetime or expires_at."`
	ExpiresAt   *time.Time `json:"expires_at,omitzero" description:"Time of expiry. Specify either expires_at or lifetime."`
	Scopes      []string   `json:"scopes,omitzero" example:"[\"node:read\"]" description:"Scopes of the token. Default: node:read, wallets:*, addresses:write and proposals:*, as far as you have them."`
	Policy      Document   `json:"policy,omitzero" description:"Spending policy of the token, which never changes. A token can only give another one a policy that permits no more than its own."`
	Wallets     []string   `json:"wallets,omitzero" description:"Aliases of the wallets that the token is limited to. Default: all of your wallets; an empty list: no wallets."`
}

// TokensDeleted lists the tokens that a deletion revoked, and the successors that it kept.
type TokensDeleted struct {
	Deleted []TokenName `json:"deleted" required:"true" nullable:"false" description:"Revoked tokens: the token, tokens created with it, and its successors."`
	Kept    []TokenName `json:"kept" required:"true" nullable:"false" description:"Successors that are still accepted."`
}

// TokenName has the id and the description of an access token.
type TokenName struct {
	ID          string `json:"id" required:"true" format:"uuid"`
	Description string `json:"description" required:"true"`
}

// RotateTokenRequest has the options of the replacement of a token; all fields are optional.
type RotateTokenRequest struct {
	GracePeriod *string `json:"grace_period,omitzero" example:"1h" description:"How long the old token stays valid, such as \"1h\"; \"0s\" revokes it immediately. Without it: 1 hour. Tokens that were created with the old token are revoked together with it."`
}
