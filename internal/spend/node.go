package spend

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
	// Fund has Core choose coins and make a PSBT (RPC walletcreatefundedpsbt), of
	// version 0. Nothing is locked. It returns ErrInsufficientFunds, and Invalid
	// faults for what Core does not take.
	Fund(ctx context.Context, coreName string, f Funding) (Funded, error)
	// Test asks whether the mempool would take a transaction (RPC
	// testmempoolaccept), and returns ErrRejected with the reason as
	// reject_reason where not. One that it has already is fine.
	Test(ctx context.Context, raw []byte) error
	// Send sends a transaction (RPC sendrawtransaction). It returns ErrRejected.
	Send(ctx context.Context, raw []byte) error
	// Locked returns what Core does not spend by itself (RPC listlockunspent).
	Locked(ctx context.Context, coreName string) ([]btc.Outpoint, error)
	// SetLocked has Core not spend outputs by itself, or lets it again; see
	// wallet.Node.
	SetLocked(ctx context.Context, coreName string, coins []btc.Outpoint, locked bool) error

	Outputs
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
	FeeRate       btc.FeeRate // 0 for TargetBlocks
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
