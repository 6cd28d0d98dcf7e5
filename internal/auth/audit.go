package auth

import "time"

// Event is one entry of the audit record: who did what, on what, when, and how
// it ended. It never holds a password, a token or a key.
type Event struct {
	At       time.Time
	UserID   string
	UserName string
	TokenID  string
	Address  string
	Action   string // such as "token.create"
	Target   string // what it was done to: a user's name, a token's id
	Outcome  string // "ok" or "refused"
	Detail   string
}

// Event returns the record of an act of p that is done now.
func (p *Principal) Event(now time.Time, action, target, detail string) Event {
	return Event{
		At: now, UserID: p.UserID, UserName: p.UserName, TokenID: p.TokenID, Address: p.Address,
		Action: action, Target: target, Outcome: "ok", Detail: detail,
	}
}
