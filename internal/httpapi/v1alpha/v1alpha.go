// Package v1alpha is the drop-in for the REST API of Specter Desktop: its
// paths, fields and messages, with the mistakes mended that
// docs/compatibility.md lists. It never grows; whatever is new goes to v1.
package v1alpha

import (
	"context"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/node"
)

// Node says what is known of the node, without waiting for it.
type Node interface{ Status() node.Status }

// Memberships says which wallets a user is a member of.
type Memberships interface {
	Memberships(ctx context.Context, userID string) ([]auth.Membership, error)
}

// Options are what the handlers work with.
type Options struct {
	Tokens  *auth.Tokens
	Wallets Memberships
	Node    Node
	Now     func() time.Time
	// DataFolder is shown to admins.
	DataFolder string
	// UID is this installation's own, 16 hexadecimal digits.
	UID string
}

// API holds the handlers.
type API struct{ o Options }

// New returns the handlers.
func New(o Options) *API { return &API{o} }

type messageResponse struct {
	Message string `json:"message"`
}
