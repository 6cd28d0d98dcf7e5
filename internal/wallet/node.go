package wallet

import (
	"context"
	"time"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
)

// ErrNodeScanning is returned by a Node if an operation is not possible while
// Bitcoin Core rescans the blockchain for the wallet. A Node may return a fault with the
// same code and another message.
var ErrNodeScanning = fault.New(fault.Conflict, "rescan_in_progress", "the Bitcoin node is rescanning the blockchain for this wallet")

// NodeWallet identifies the Bitcoin Core wallet of a Wallet, whether or not it exists yet.
// Methods of a Node take it even if they do not concern that wallet: if a server uses
// several nodes, it selects the node. The zero value selects the server's node before
// there is a wallet.
type NodeWallet struct {
	Name string
}

// NodeWallet identifies the Bitcoin Core wallet of w.
func (w *Wallet) NodeWallet() NodeWallet { return NodeWallet{Name: w.CoreName} }

// Node is the part of Bitcoin Core that operations on wallets call synchronously. It
// returns the faults of package rpcclient: Unavailable if the node is unreachable,
// BadGateway for an invalid response.
type Node interface {
	// Ready returns the reason why the node cannot be used now, or nil.
	Ready(w NodeWallet) error
	// Network returns the network. It takes no wallet, because the wallets of a server
	// are on one network, the one of its database. It is empty before the first contact;
	// until then Ready returns an error.
	Network() btc.Network
	// Chain returns the height of the tip, and the height of the first block that the
	// node has, which is 0 unless it is pruned. The values are the latest known ones;
	// both are 0 before the first contact.
	Chain(w NodeWallet) (height, pruneHeight int)
	// CanonicalDescriptor returns a descriptor as Bitcoin Core writes it, with its
	// checksum (RPC getdescriptorinfo).
	CanonicalDescriptor(ctx context.Context, w NodeWallet, descriptor string) (string, error)
	// DeriveAddresses returns the addresses of the indexes from first to end,
	// exclusive (RPC deriveaddresses).
	DeriveAddresses(ctx context.Context, w NodeWallet, descriptor string, first, end uint32) ([]string, error)
	// HeightAt returns the height of a block such that all earlier blocks are older
	// than t.
	HeightAt(ctx context.Context, w NodeWallet, t time.Time) (int, error)
	// Provide ensures that Bitcoin Core has a watch-only wallet of this name loaded,
	// with both descriptors up to rangeEnd. It is idempotent. Created reports whether
	// the wallet was created by this call and so has no history. It returns
	// ErrNodeScanning during a rescan, unless Bitcoin Core already has that range.
	Provide(ctx context.Context, w NodeWallet, receive, change string, rangeEnd uint32) (created bool, err error)
	// Unload unloads a wallet permanently: Bitcoin Core does not load it at its
	// next start.
	Unload(ctx context.Context, w NodeWallet) error
	// SetLocked persistently excludes outputs from Core's coin selection, or includes
	// them again (RPC lockunspent). It ignores outputs that are already in the
	// requested state. It returns a Conflict fault if some cannot be locked, for
	// example because they are spent; the others are locked.
	SetLocked(ctx context.Context, w NodeWallet, utxos []btc.Outpoint, locked bool) error
	// UnlockAll unlocks outputs of a wallet that stays in Bitcoin Core. A wallet
	// that is not loaded is loaded for that and unloaded again. It ignores a
	// missing wallet and outputs that Bitcoin Core does not have.
	UnlockAll(ctx context.Context, w NodeWallet, utxos []btc.Outpoint) error
	// AbortRescan aborts a running rescan (RPC abortrescan).
	AbortRescan(ctx context.Context, w NodeWallet) error

	Adoption
	Files
}

// Files manages the files of Bitcoin Core's wallets, whose directory may not be
// accessible.
type Files interface {
	// CheckFiles returns the reason why the files of a wallet cannot be deleted, a
	// Conflict such as wallet_directory_unknown, or nil. It changes nothing.
	CheckFiles(w NodeWallet) error
	// RemoveFiles unloads a wallet as Unload does, and then deletes its files. It
	// is idempotent; missing files are not an error.
	RemoveFiles(ctx context.Context, w NodeWallet) error
}
