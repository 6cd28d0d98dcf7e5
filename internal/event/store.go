package event

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/specterd/specterd/internal/auth"
)

// Bounds are the first and the last event that exist: numbers in a wallet, or positions in
// the log. If the log has no events, First is Last + 1.
type Bounds struct{ First, Last int64 }

// Target is whom an event wakes: the readers of a wallet or of a user.
type Target struct {
	Seq              int64
	WalletID, UserID string
}

// Store reads the event log. Limits are numbers of events; with the limit 0, only bounds
// are returned. Kinds nil selects all kinds.
type Store interface {
	// Memberships returns the wallets that a user is a member of.
	Memberships(ctx context.Context, userID string) ([]auth.Membership, error)
	// EventsOfWallet returns the events of a wallet after the number after, and the bounds
	// of its numbers in the same snapshot.
	EventsOfWallet(ctx context.Context, walletID string, after int64, kinds []Kind, limit int) ([]Event, Bounds, error)
	// EventsOfUser returns the events of a user, and of those wallets that the user is a
	// member of for which sees is true, after the position after, in their order, and the
	// bounds of the positions. The memberships are read in the same snapshot: otherwise the
	// position could pass the events of a wallet that the user has just joined.
	EventsOfUser(ctx context.Context, userID string, sees func(walletID string) bool, after int64, kinds []Kind, limit int) ([]Event, Bounds, error)
	// ValidTokens returns the ids of the tokens among ids that are valid now.
	ValidTokens(ctx context.Context, ids []string) ([]string, error)
	// EventHead returns the position of the last event; 0 if the log is empty.
	EventHead(ctx context.Context) (int64, error)
	// EventTargets returns the targets of up to limit events after a position, in their
	// order; several for an event that makes users members of a wallet.
	EventTargets(ctx context.Context, after int64, limit int) ([]Target, error)
	// EventKey returns 16 random bytes, which are the same for all processes.
	EventKey(ctx context.Context) ([]byte, error)
	// EventSignal receives a value after this process has committed events. Events of
	// other processes are found only by polling.
	EventSignal() <-chan struct{}
	// PruneEvents deletes the events from before a time and all but about the last keep
	// ones, beginning with the oldest, and returns their number.
	PruneEvents(ctx context.Context, before time.Time, keep int64) (pruned int64, err error)
}

// Merge merges two lists of events in the order of their positions, and returns the first
// limit events.
func Merge(a, b []Event, limit int) []Event {
	merged := slices.Concat(a, b)
	slices.SortFunc(merged, func(x, y Event) int { return cmp.Compare(x.Seq, y.Seq) })
	return merged[:min(len(merged), limit)]
}
