// Package v1alpha is the drop-in for the REST API of Specter Desktop: its
// paths, fields and messages, with the mistakes mended that
// docs/compatibility.md lists. It never grows; whatever is new goes to v1.
package v1alpha

import (
	"context"
	"strings"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/node/nodestatus"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/wallet"
)

// Node says what is known of the node, without waiting for it.
type Node interface{ Status() nodestatus.Status }

// Memberships says which wallets a user is a member of.
type Memberships interface {
	Memberships(ctx context.Context, userID string) ([]auth.Membership, error)
}

// Options are what the handlers work with.
type Options struct {
	Tokens      *auth.Tokens
	Memberships Memberships
	Wallets     *wallet.Service
	Proposals   *proposal.Service
	Node        Node
	Now         func() time.Time
	// DataFolder is shown to admins.
	DataFolder string
	// UID is this installation's own, 16 hexadecimal digits.
	UID string
}

// API holds the handlers.
type API struct{ o Options }

// New returns the handlers.
func New(o Options) *API { return &API{o} }

// maxEcho is how many bytes of what was asked an answer repeats.
const maxEcho = 256

var errNotOurs = fault.New(fault.Forbidden, "wallet_not_found", "The wallet does not belong to the user in the request.")

// NoWallet is told for a wallet that does not exist, that the caller is no
// member of or that their token is not for: they cannot tell which.
func NoWallet(path, alias string) *fault.Error {
	if strings.HasSuffix(path, "/psbt") {
		return errNotOurs
	}
	shown := strings.ToValidUTF8(alias[:min(len(alias), maxEcho)], "\uFFFD")
	return fault.New(fault.Forbidden, "wallet_not_found", "Wallet %s does not exist", shown)
}

type messageResponse struct {
	Message string `json:"message"`
}
