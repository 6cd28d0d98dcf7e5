package wallet

import (
	"context"
	"time"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
)

// ErrNodeScanning is what a Node returns where Core would have to be told of
// something while it looks through the chain for that wallet. The message is the
// Node's.
var ErrNodeScanning = fault.New(fault.Conflict, "wallet_scanning", "the Bitcoin node looks through the chain for this wallet")

// Node is what the wallets need of Bitcoin Core while somebody waits for the
// answer. Its faults are those of the package bitcoind: Unavailable while the
// node is away, BadGateway for nonsense.
type Node interface {
	// Ready returns why the node cannot be used now, or nil.
	Ready() error
	// Chain returns the network, the height of the tip, and the height of the
	// first block that the node still has; 0 unless it is pruned. It returns what
	// was last known. The network is empty before the first contact; until then
	// Ready returns an error.
	Chain() (network btc.Network, height, pruneHeight int)
	// CanonicalDescriptor returns a descriptor as Core writes it, with its
	// checksum (RPC getdescriptorinfo).
	CanonicalDescriptor(ctx context.Context, descriptor string) (string, error)
	// DeriveAddresses returns the addresses of the indexes from first up to, and
	// without, end (RPC deriveaddresses).
	DeriveAddresses(ctx context.Context, descriptor string, first, end uint32) ([]string, error)
	// HeightAt returns the height of a block before which nothing was
	// transacted that is as late as t.
	HeightAt(ctx context.Context, t time.Time) (int, error)
	// Provide makes sure that Core has a watch-only wallet of this name, loaded,
	// with both descriptors up to rangeEnd. It may be called again at any time.
	// It reports whether the wallet was made now, and so knows no history. It
	// returns ErrNodeScanning, unless Core knows as much already.
	Provide(ctx context.Context, coreName, receive, change string, rangeEnd uint32) (created bool, err error)
	// Unload unloads a wallet, for good: Core does not load it at its next start.
	Unload(ctx context.Context, coreName string) error
	// SetLocked has Core not spend outputs by itself, or lets it again, across
	// restarts (RPC lockunspent). What is as it should be is fine. It returns a
	// Conflict where some cannot be locked, because they are spent for example; the
	// others are then.
	SetLocked(ctx context.Context, coreName string, coins []btc.Outpoint, locked bool) error
	// UnlockAll unlocks outputs of a wallet that Core keeps. One that is not loaded is
	// loaded for that and unloaded again. What Core does not have, the wallet
	// included, is fine.
	UnlockAll(ctx context.Context, coreName string, coins []btc.Outpoint) error
	// AbortRescan ends a scan that is under way (RPC abortrescan).
	AbortRescan(ctx context.Context, coreName string) error

	Adoption
	Files
}

// Files are what Core keeps of its wallets, in a folder that may be out of reach.
type Files interface {
	// CheckFiles returns why the files of a wallet cannot be deleted, a Conflict
	// such as wallet_folder_unknown, or nil. It changes nothing.
	CheckFiles(coreName string) error
	// RemoveFiles unloads a wallet as Unload does, and then deletes its files. It
	// may be called again at any time; files that are gone are fine.
	RemoveFiles(ctx context.Context, coreName string) error
}
