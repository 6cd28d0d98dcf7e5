package wallet

import (
	"context"
	"log/slog"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/clock"
	"github.com/specterd/specterd/internal/keymutex"
)

// Service implements all operations on wallets and enforces access: operations on one
// wallet take an Access, and return ErrNotFound if it is the zero value or the wallet is
// gone or being removed. A caller whose role is insufficient gets a Forbidden fault with
// the code insufficient_role. Operations that require the node return an Unavailable
// fault while it is unreachable.
type Service struct {
	log   *slog.Logger
	store Store
	users Users
	node  Node
	now   func() time.Time
	// kick notifies the indexer, if this process runs it, that a wallet must be
	// synced.
	kick      func(walletID string)
	lookahead uint32 // Lookahead, except in tests
	// adminsAddMembers is set if admins may add members without an invitation.
	adminsAddMembers bool

	ranges keymutex.Mutex // keyed by wallet id; held while the range is extended
	utxos  keymutex.Mutex // keyed by wallet id; held while UTXOs are selected or locked
}

// Users looks up users by name.
type Users interface {
	// UserByName returns auth.ErrUserNotFound if the user does not exist.
	UserByName(ctx context.Context, name string) (auth.User, error)
}

// New returns a Service. Kick is called whenever the indexer should sync a wallet; it
// must not block.
func New(log *slog.Logger, store Store, users Users, node Node, now func() time.Time, kick func(walletID string)) *Service {
	return &Service{log: log, store: store, users: users, node: node, now: clock.Microseconds(now), kick: kick, lookahead: Lookahead}
}

// WithAdminsAddingMembers sets whether admins may add members, without an invitation,
// to wallets that they own, and returns s.
func (s *Service) WithAdminsAddingMembers(add bool) *Service {
	s.adminsAddMembers = add
	return s
}

// WithLookahead replaces Lookahead, and returns s. It is for tests that require fewer
// addresses, because most of the time for creating a wallet is spent on deriving
// addresses.
func (s *Service) WithLookahead(addresses uint32) *Service {
	s.lookahead = addresses
	return s
}

// LockSelection waits until no other goroutine of this process selects or locks UTXOs
// of the wallet. The caller must call done afterwards.
func (s *Service) LockSelection(ctx context.Context, walletID string) (done func(), err error) {
	return s.utxos.Lock(ctx, walletID)
}

// edit changes a wallet. It returns ErrNotFound if the wallet does not exist, or is
// being created or removed.
func (s *Service) edit(ctx context.Context, id string, change func(*Edit) error) (Wallet, error) {
	return s.store.EditWallet(ctx, id, func(e *Edit) error {
		if e.Stage != Ready {
			return ErrNotFound
		}
		return change(e)
	})
}
