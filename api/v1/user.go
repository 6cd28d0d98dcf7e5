package v1

import (
	"time"
)

// User is a user account.
type User struct {
	Name            string    `json:"name" required:"true"`
	Admin           bool      `json:"admin" required:"true"`
	Disabled        bool      `json:"disabled" required:"true"`
	DefaultPassword bool      `json:"default_password" required:"true" description:"Whether the user still has the initial password of specterd."`
	CreatedAt       time.Time `json:"created_at" required:"true"`
}

// UserDetails is a user account with its quotas.
type UserDetails struct {
	User
	Quotas map[string]Quota `json:"quotas" required:"true" description:"Limits of the user and their current use, by name."`
}

// Quota is a limit of a user and its current use.
type Quota struct {
	Limit     int64 `json:"limit" required:"true"`
	Own       bool  `json:"own" required:"true"`
	Used      int64 `json:"used" required:"true"`
	PerWallet bool  `json:"per_wallet" required:"true"`
}

// CreateUserRequest is a user to create.
type CreateUserRequest struct {
	Name     string `json:"name" required:"true" minLength:"1" maxLength:"64" example:"alice" description:"Unique without regard to case; printable, without a colon and without spaces at the ends."`
	Password string `json:"password" required:"true" minLength:"8" maxLength:"72" format:"password" example:"a new pass phrase" description:"Initial password: at least 8 characters (15 or more recommended), at most 72 bytes, any characters; must not be easy to guess."`
	Admin    bool   `json:"admin,omitzero" description:"Whether the user is an admin. Default: false."`
}

// ChangeUserRequest has the changes to a user; at least one field is required.
type ChangeUserRequest struct {
	Password *string           `json:"password,omitzero" minLength:"8" maxLength:"72" format:"password" description:"New password; setting it revokes all tokens of the user. Requires authentication with your password, not a token."`
	Admin    *bool             `json:"admin,omitzero" description:"Whether the user is an admin. Granting the role requires authentication with your password, not a token."`
	Disabled *bool             `json:"disabled,omitzero" example:"true" description:"A disabled user cannot log in and loses all tokens."`
	Quotas   map[string]*int64 `json:"quotas,omitzero" description:"Limits for this user, by the name of the quota; null restores the limit of the server. Omitted quotas are unchanged."`
}

// ChangeSelfRequest sets the password of the caller.
type ChangeSelfRequest struct {
	Password     string `json:"password" required:"true" minLength:"8" maxLength:"72" format:"password" example:"a new pass phrase" description:"New password: at least 8 characters (15 or more recommended), at most 72 bytes, any characters; must not be easy to guess."`
	RevokeTokens bool   `json:"revoke_tokens,omitzero" description:"Whether to also revoke all of your tokens."`
}
