// Package v1alpha is a drop-in replacement for the REST API of Specter Desktop: it has
// the same paths, fields and messages. docs/compatibility.md describes the differences.
// It is frozen; new features belong to v1.
package v1alpha

import (
	"strings"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/node/nodestatus"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/wallet"
)

// Node returns the last known status of the node without waiting for it.
type Node interface{ Status() nodestatus.Status }

// Options are the dependencies and the settings of the handlers.
type Options struct {
	Tokens    *auth.Tokens
	Wallets   *wallet.Service
	Proposals *proposal.Service
	Node      Node
	Now       func() time.Time
	// DataFolder is shown to admins.
	DataFolder string
	// UID identifies this installation, with 16 hexadecimal digits.
	UID string
}

// API holds the handlers.
type API struct {
	o    Options
	kept *semaphore.Weighted // bytes of the transactions that requests keep in memory
}

// New returns the handlers.
func New(o Options) *API { return &API{o, semaphore.NewWeighted(maxKeptTotal)} }

// maxEcho is the maximum number of bytes of a request that a response repeats.
const maxEcho = 256

var errNotOurs = fault.New(fault.Forbidden, "wallet_not_found", "The wallet does not belong to the user in the request.")

// NoWallet returns the error for a wallet that does not exist, of which the caller is
// not a member, or for which the token is not valid. The caller cannot distinguish these
// cases. The message depends on the route's path, as it does in Specter Desktop.
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
