package backend

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/node/rpcclient"
)

// What the node's refusals mean, for errors.Is. Each wraps the
// *rpcclient.RPCError that it was made of.
var (
	// ErrWalletNotLoaded says that the node has no wallet of that name loaded (-18).
	ErrWalletNotLoaded = fault.New(fault.Unavailable, "wallet_not_loaded",
		"the Bitcoin node does not have this wallet loaded; load it, or try again shortly").After(retryAfter)
	// ErrWalletMissing says that the node has no file of that wallet, or one that
	// is no wallet's (-18 of loadwallet).
	ErrWalletMissing = fault.New(fault.Unavailable, "wallet_missing",
		"the Bitcoin node has no file of this wallet; put it back among the node's wallets").After(retryAfter)
	// ErrWalletExists says that the node has a wallet of that name, loaded or not.
	ErrWalletExists = fault.New(fault.Conflict, "node_wallet_exists", "the Bitcoin node has a wallet of this name already")
	// ErrBlockNotFound says that the node knows no block of that hash, or that its
	// chain is not that high.
	ErrBlockNotFound = fault.New(fault.NotFound, "block_not_found", "the Bitcoin node does not know this block")
	// ErrBlocksPruned says that the node has deleted blocks that the call needs.
	ErrBlocksPruned = fault.New(fault.Conflict, "blocks_pruned",
		"the Bitcoin node is pruned and no longer has the blocks that this needs; start at a later block")
	// ErrScanning says that the wallet is rescanning, and that this has to wait (-4).
	ErrScanning = fault.New(fault.Conflict, "wallet_scanning",
		"the Bitcoin node is rescanning the chain for this wallet; wait until it is done, or abort it")
	// ErrScanAborted says that somebody aborted this rescan.
	ErrScanAborted = fault.New(fault.Conflict, "scan_aborted", "the rescan was aborted")
	// ErrDescriptor says that the node does not accept a descriptor, or derives no
	// such addresses from it. Why is in the RPCError, which may quote the descriptor.
	ErrDescriptor = fault.New(fault.Invalid, "descriptor_refused", "the Bitcoin node does not accept this descriptor")
	// ErrCoinUnavailable says that one of the coins cannot be locked: it is not the
	// wallet's, spent or locked already.
	ErrCoinUnavailable = fault.New(fault.Conflict, "coin_unavailable",
		"one of the coins is spent, locked already or not this wallet's")
	// ErrCoinNotLocked says that one of the coins cannot be unlocked: it is not
	// locked, spent or not the wallet's.
	ErrCoinNotLocked = fault.New(fault.Conflict, "coin_not_locked", "one of the coins is not locked")
)

const retryAfter = 5 * time.Second

// meaning returns the fault that a refusal is whatever the method.
func meaning(err error) error {
	switch {
	case refused(err, rpcclient.CodeWalletNotFound, ""):
		return ErrWalletNotLoaded.Because(err)
	case refused(err, rpcclient.CodeWalletError, "rescanning"):
		return ErrScanning.Because(err)
	default:
		return err
	}
}

// refused reports whether err is the node's refusal with that code and a message
// that contains text. Core has codes for more than one thing, and then nothing
// but the text, which it does not translate, tells them apart.
func refused(err error, code int, text string) bool {
	e, ok := errors.AsType[*rpcclient.RPCError](err)
	return ok && e.Code == code && strings.Contains(e.Message, text)
}

// badAnswer is rpcclient.ErrBadAnswer for what decodes but cannot be.
func badAnswer(format string, args ...any) error {
	return rpcclient.ErrBadAnswer.Because(fmt.Errorf(format, args...))
}
