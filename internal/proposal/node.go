package proposal

import (
	"context"

	"github.com/specterd/specterd/internal/btc"
)

// Node is what proposals need of Bitcoin Core. Its faults are those of the
// package bitcoind: Unavailable while the node is away, BadGateway for nonsense.
type Node interface {
	// Ready returns why the node cannot be used now, or nil.
	Ready() error
	// Chain returns the network, the height of the tip, and the height of the
	// first block that the node still has; see wallet.Node.
	Chain() (network btc.Network, height, pruneHeight int)
	// EstimateFee returns the fee rate with which the node expects a transaction to be
	// confirmed within a number of blocks, and the minimum of its mempool, which that
	// is not below (RPC estimatesmartfee, getmempoolinfo). The estimate is 0 if it has
	// none.
	EstimateFee(ctx context.Context, targetBlocks int) (estimate, minimum btc.FeeRate, err error)
	// Fund has Core choose coins and make a PSBT (RPC walletcreatefundedpsbt), of
	// version 0. Nothing is locked. It returns ErrInsufficientFunds, and Invalid
	// faults for what Core does not take.
	Fund(ctx context.Context, coreName string, f Funding) (Funded, error)
	// Test asks whether the mempool would take a transaction (RPC
	// testmempoolaccept), and returns ErrRejected with the reason as
	// reject_reason where not. One that it has already is fine.
	Test(ctx context.Context, raw []byte) error
	// Check asks whether the mempool would take a transaction once its signatures are
	// valid, by its rules for fees, sizes, outputs and replacement. It returns
	// ErrFeeRateTooLow, ErrTooManyEvictions, faults as Fund does, and ErrRejected with
	// the reason for all else.
	Check(ctx context.Context, raw []byte) error
	// Evicted returns the transactions of the mempool that a transaction would evict
	// that spends these outpoints: those that spend one of them, and all of their
	// descendants, each once.
	Evicted(ctx context.Context, spent []btc.Outpoint) ([]MempoolTx, error)
	// Ancestry returns those of the transactions that are in the mempool, and all of
	// their ancestors there, by their txids (RPC getmempoolentry). It returns a
	// BadGateway fault if there are more than any transaction can have.
	Ancestry(ctx context.Context, txids []string) (map[string]MempoolTx, error)
	// RelayMinimum is the fee rate below which the node relays nothing (RPC
	// getnetworkinfo).
	RelayMinimum() btc.FeeRate
	// IncrementalFee is by how much more per virtual byte of its own a replacement has
	// to pay than what it evicts (BIP-125, rule 4; RPC getnetworkinfo).
	IncrementalFee() btc.FeeRate
	// Abandon makes Core's wallet treat a transaction that is not in the mempool as if
	// it will never be confirmed (RPC abandontransaction), and those that descend from
	// it. It returns ErrNotAbandonable.
	Abandon(ctx context.Context, coreName, txid string) error
	// Send sends a transaction (RPC sendrawtransaction). It returns ErrRejected.
	Send(ctx context.Context, raw []byte) error
	// Locked returns what Core does not spend by itself (RPC listlockunspent).
	Locked(ctx context.Context, coreName string) ([]btc.Outpoint, error)
	// SetLocked has Core not spend outputs by itself, or lets it again; see
	// wallet.Node.
	SetLocked(ctx context.Context, coreName string, coins []btc.Outpoint, locked bool) error

	Outputs
}

// MempoolTx is a transaction in the mempool.
type MempoolTx struct {
	Txid  string
	Fee   btc.Amount // as the rules of replacement count it
	VSize int64      // virtual bytes
	// Direct is whether it spends an outpoint that was asked about, and is not only a
	// descendant of one that does.
	Direct bool
	// Parents are the txids of the unconfirmed transactions that it spends from; filled
	// in by Ancestry.
	Parents []string
}

// Funding is what a PSBT is to be made of.
type Funding struct {
	Outputs []FundingOutput
	Inputs  []btc.Outpoint // to be spent in any case
	// AddInputs has Core add coins of its choice, with at least MinConf
	// confirmations.
	AddInputs bool
	MinConf   int

	ChangeAddress string
	LockTime      uint32
	Replaceable   bool
	FeeRate       btc.FeeRate // 0 for what Core takes for TargetBlocks if it has no estimate
	TargetBlocks  int
	SubtractFrom  []int
}

// FundingOutput is an output that a PSBT is to have.
type FundingOutput struct {
	Address string
	Amount  btc.Amount
}

// Funded is what Core made.
type Funded struct {
	PSBT []byte
	Fee  btc.Amount
	// ChangePosition is the position of the change among the outputs; -1 for none.
	ChangePosition int
}
