package v1

import (
	"time"
)

// AuditEntry is an event of the audit log.
type AuditEntry struct {
	ID           int64     `json:"id" required:"true"`
	At           time.Time `json:"at" required:"true"`
	User         *string   `json:"user" required:"true" description:"User who did it, by the name at that time; null if unknown."`
	TokenID      *string   `json:"token_id" required:"true" description:"Id of the token that was used; null if none was."`
	Address      *string   `json:"address" required:"true" description:"Address that the request came from; command line for a command on the server."`
	Action       string    `json:"action" required:"true" example:"token.create"`
	Target       *string   `json:"target" required:"true" description:"Object of the event: a user's name, or the id of a token, a wallet or a proposal."`
	Outcome      string    `json:"outcome" required:"true" enum:"ok,refused"`
	Detail       *string   `json:"detail" required:"true" description:"Further details, without names, labels, addresses, transactions or amounts of wallets. Earlier versions recorded some; they are omitted here, but hash covers them."`
	Position     *int64    `json:"position" required:"true" description:"Position in the hash chain, starting at 1; null during the first second."`
	PreviousHash *string   `json:"previous_hash" required:"true" description:"Hash of the previous entry in the chain."`
	Hash         *string   `json:"hash" required:"true" description:"SHA-256 of the entry and previous_hash."`
}
