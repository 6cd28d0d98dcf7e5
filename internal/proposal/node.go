package proposal

import (
	"context"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/wallet"
)

// Node is the part of Bitcoin Core that proposals use. Its methods take the wallet for the
// reason that wallet.NodeWallet gives. Its faults are Unavailable while the node cannot be
// reached, and BadGateway for an invalid response.
type Node interface {
	// Ready returns the reason why the node cannot be used now, or nil.
	Ready(w wallet.NodeWallet) error
	// Network returns the network. Chain returns the height of the tip and the height of the
	// first block that the node still has; see wallet.Node.
	Network() btc.Network
	Chain(w wallet.NodeWallet) (height, pruneHeight int)
	// EstimateFee returns the node's estimate of the fee rate at which a transaction is
	// confirmed within a number of blocks, and the minimum fee rate of its mempool (RPC
	// estimatesmartfee, getmempoolinfo). The estimate is 0 if the node has none, and
	// otherwise not below the minimum.
	EstimateFee(ctx context.Context, w wallet.NodeWallet, targetBlocks int) (estimate, minimum btc.FeeRate, err error)
	// Fund makes Core select UTXOs and create a PSBT of version 0 (RPC
	// walletcreatefundedpsbt). Several outputs may have one address. Nothing is locked. It returns ErrInsufficientFunds, and
	// Invalid faults for parameters that Core does not accept.
	Fund(ctx context.Context, w wallet.NodeWallet, f Funding) (Funded, error)
	// Test checks whether the mempool would accept a transaction (RPC testmempoolaccept). If
	// not, it returns ErrRejected with the reason in the detail reject_reason. A transaction
	// that is already in the mempool is accepted.
	Test(ctx context.Context, w wallet.NodeWallet, raw []byte) error
	// Check checks whether the mempool would accept a transaction once its signatures are
	// valid, according to the mempool's rules for fees, sizes, outputs and replacement. It
	// returns ErrFeeRateTooLow, ErrTooManyEvictions, the faults of Fund, and ErrRejected with
	// the reason in all other cases.
	Check(ctx context.Context, w wallet.NodeWallet, raw []byte) error
	// Evicted returns the mempool transactions that would be evicted by a transaction
	// that spends these outpoints: the transactions that spend one of them, and all their
	// descendants, each once.
	Evicted(ctx context.Context, w wallet.NodeWallet, spent []btc.Outpoint) ([]MempoolTx, error)
	// Ancestry returns, by txid, the given transactions that are in the mempool and all
	// their ancestors there (RPC getmempoolentry). It returns a BadGateway fault if there
	// are more than any transaction can have.
	Ancestry(ctx context.Context, w wallet.NodeWallet, txids []string) (map[string]MempoolTx, error)
	// RelayMinimum returns the fee rate below which the node does not relay transactions (RPC
	// getnetworkinfo).
	RelayMinimum(w wallet.NodeWallet) btc.FeeRate
	// IncrementalFee returns the fee rate that a replacement must pay for its own size in
	// addition to the fees of the transactions that it evicts (BIP-125, rule 4; RPC
	// getnetworkinfo).
	IncrementalFee(w wallet.NodeWallet) btc.FeeRate
	// Abandon marks a transaction that is not in the mempool, and its descendants, as
	// abandoned in Core's wallet, so that their inputs can be spent again (RPC
	// abandontransaction). It returns ErrNotAbandonable if the transaction is in the mempool
	// or in the chain.
	Abandon(ctx context.Context, w wallet.NodeWallet, txid string) error
	// Send broadcasts a transaction (RPC sendrawtransaction). It returns
	// ErrRejected if the node does not accept it.
	Send(ctx context.Context, w wallet.NodeWallet, raw []byte) error
	// Locked returns the outputs that Core does not select automatically (RPC
	// listlockunspent).
	Locked(ctx context.Context, w wallet.NodeWallet) ([]btc.Outpoint, error)
	// SetLocked locks outputs, so that Core does not select them automatically, or
	// unlocks them; see wallet.Node.
	SetLocked(ctx context.Context, w wallet.NodeWallet, utxos []btc.Outpoint, locked bool) error

	Outputs
}

// MempoolTx is a transaction in the mempool.
type MempoolTx struct {
	Txid  string
	Fee   btc.Amount // the modified fee, which the replacement rules use
	VSize int64      // virtual bytes
	// Direct reports whether the transaction itself spends one of the requested outpoints;
	// otherwise it is a descendant of one that does. Evicted sets it.
	Direct bool
	// Parents are the txids of the unconfirmed transactions whose outputs it spends;
	// filled in by Ancestry.
	Parents []string
}

// Funding contains the parameters of Fund.
type Funding struct {
	Outputs []FundingOutput
	Inputs  []btc.Outpoint // must be spent
	// AddInputs allows Core to add UTXOs of its choice with at least MinConf
	// confirmations.
	AddInputs bool
	MinConf   int

	ChangeAddress string
	LockTime      uint32
	Replaceable   bool
	FeeRate       btc.FeeRate // 0 makes Core use TargetBlocks, or its -fallbackfee if it has no estimate
	TargetBlocks  int
	SubtractFrom  []int
}

// FundingOutput is an output of the PSBT.
type FundingOutput struct {
	Address string // canonical; empty for data
	Amount  btc.Amount
	Data    []byte // see Recipient
}

// Script returns the script of the output.
func (o FundingOutput) Script(network btc.Network) ([]byte, error) {
	if o.Data != nil {
		return btc.DataScript(o.Data), nil
	}
	return btc.ScriptOf(o.Address, network)
}

// Funded is the result of Fund.
type Funded struct {
	PSBT []byte
	Fee  btc.Amount
	// ChangePosition is the position of the change among the outputs; -1 for a transaction
	// without change.
	ChangePosition int
}
