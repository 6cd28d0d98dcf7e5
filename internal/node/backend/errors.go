package backend

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/node/rpcclient"
)

// Faults that this package returns for RPC errors, for use with errors.Is. Each returned
// fault wraps the *rpcclient.RPCError.
var (
	// ErrWalletNotLoaded: the node has no wallet of that name loaded (-18).
	ErrWalletNotLoaded = fault.New(fault.Unavailable, "wallet_not_loaded",
		"the Bitcoin node does not have this wallet loaded; load it, or try again shortly").WithRetryAfter(retryAfter)
	// ErrWalletMissing: the node has no file of that wallet, or an invalid one (-18
	// of loadwallet).
	ErrWalletMissing = fault.New(fault.Unavailable, "wallet_missing",
		"the Bitcoin node has no file of this wallet; restore it in the node's wallet directory").WithRetryAfter(retryAfter)
	// ErrWalletExists: a wallet of that name exists at the node, loaded or not.
	ErrWalletExists = fault.New(fault.Conflict, "node_wallet_exists", "a wallet of this name already exists at the Bitcoin node")
	// ErrBlockNotFound: the node has no block of that hash, or its chain has no block at
	// that height.
	ErrBlockNotFound = fault.New(fault.NotFound, "block_not_found", "the Bitcoin node does not know this block")
	// ErrBlocksPruned: the node has pruned blocks that the call requires.
	ErrBlocksPruned = fault.New(fault.Conflict, "blocks_pruned",
		"the Bitcoin node is pruned and no longer has the required blocks; start at a later block")
	// ErrScanning: the wallet is rescanning, and the call must wait (-4).
	ErrScanning = fault.New(fault.Conflict, "rescan_in_progress",
		"the Bitcoin node is rescanning the blockchain for this wallet; wait until it has finished, or abort it")
	// ErrScanAborted: the rescan was aborted by another call.
	ErrScanAborted = fault.New(fault.Conflict, "rescan_aborted", "the rescan was aborted")
	// ErrDescriptor: the node rejects a descriptor, or cannot derive the addresses.
	// The RPCError has the reason and may quote the descriptor.
	ErrDescriptor = fault.New(fault.Invalid, "descriptor_rejected", "the Bitcoin node does not accept this descriptor")
	// ErrUTXOUnavailable: a UTXO cannot be locked or spent, because it does not belong to
	// the wallet, or is already spent or locked.
	ErrUTXOUnavailable = fault.New(fault.Conflict, "utxo_unavailable",
		"one of the UTXOs is spent, already locked or does not belong to this wallet")
	// ErrUTXONotLocked: a UTXO cannot be unlocked, because it is not locked, is
	// spent, or does not belong to the wallet.
	ErrUTXONotLocked = fault.New(fault.Conflict, "utxo_not_locked", "one of the UTXOs is not locked")
)

const retryAfter = 5 * time.Second

// commonFault returns the fault for an error whose meaning does not depend on the
// method.
func commonFault(err error) error {
	switch {
	case refused(err, rpcclient.CodeWalletNotFound, ""):
		return ErrWalletNotLoaded.WithCause(err)
	case refused(err, rpcclient.CodeWalletError, "rescanning"):
		return ErrScanning.WithCause(err)
	default:
		return err
	}
}

// refused reports whether err is an RPC error with that code and a message that
// contains text. Core uses some codes for several errors, which differ only in the
// text; Core does not translate it.
func refused(err error, code int, text string) bool {
	e, ok := errors.AsType[*rpcclient.RPCError](err)
	return ok && e.Code == code && strings.Contains(e.Message, text)
}

// invalidResponse returns an rpcclient.ErrInvalidResponse for a response that can be decoded
// but is impossible.
func invalidResponse(format string, args ...any) error {
	return rpcclient.ErrInvalidResponse.WithCause(fmt.Errorf(format, args...))
}
