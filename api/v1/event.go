package v1

import (
	"encoding/json"
	"time"
)

// LoggedEvent is an event of a wallet, of the caller, or of the node.
type LoggedEvent struct {
	ID        string          `json:"id" required:"true" description:"Position of the event, for after and Last-Event-ID. In one wallet, the number of the event, which has no gaps; otherwise an opaque text that differs per user."`
	Type      string          `json:"type" required:"true" example:"transaction.confirmed" description:"Kind of the event; docs/events.md lists them. More kinds can be added."`
	Timestamp time.Time       `json:"timestamp" required:"true" description:"Time when the event was recorded."`
	Actor     *EventActor     `json:"actor" required:"true" description:"Who caused the event; null if the blockchain, the passage of time or specterd itself did."`
	Data      json.RawMessage `json:"data" required:"true" oneof:"object" description:"What happened: ids, amounts in satoshis, and the state before and after. It never changes. An event of a wallet has its wallet_id and its number n."`
}

// EventActor is the user who caused an event, and the token used for it.
type EventActor struct {
	User    *string `json:"user" required:"true" description:"Name of the user at that time; null for an operator who used the command line of the server."`
	TokenID *string `json:"token_id" required:"true" description:"Id of the token that was used; null if none was, or if it is not your own."`
}

// EventPage is a page of events.
type EventPage struct {
	Items     []LoggedEvent `json:"items" required:"true" nullable:"false"`
	NextAfter string        `json:"next_after" required:"true" description:"Value of after for the next request."`
	More      bool          `json:"more" required:"true" description:"Whether more events exist already."`
}
