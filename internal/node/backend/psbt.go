package backend

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strings"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/node/rpcclient"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/psbt"
)

// Errors of walletcreatefundedpsbt, besides proposal.ErrInsufficientFunds and
// ErrUTXOUnavailable.
var (
	errAmountBelowFee = proposal.ErrAmountTooSmall.WithField("recipients", "must have higher amounts: one does not cover the fee subtracted from it")
	// ErrFeeTooHigh: the fee exceeds the node's limit for its wallets (-maxtxfee).
	ErrFeeTooHigh = fault.New(fault.Invalid, "fee_too_high",
		"the fee would exceed the limit of the Bitcoin node; use a lower fee rate, or raise maxtxfee in its bitcoin.conf")
	// ErrFeeUnknown: the node has no fee estimate.
	ErrFeeUnknown = fault.New(fault.Conflict, "fee_unknown", "the Bitcoin node has no fee estimate; specify a fee rate")
	// ErrTooLarge: the transaction would exceed the weight limit for relaying, or spend
	// more UTXOs than the node can handle.
	ErrTooLarge = fault.New(fault.Conflict, "transaction_too_large",
		"the transaction would be too large to be relayed; send a smaller amount, or first consolidate small UTXOs by sending them to the wallet itself")
	errTooManyUTXOs = ErrTooLarge.WithMessage("the Bitcoin node cannot create a transaction with so many UTXOs at this fee rate; " +
		"send a smaller amount, use another fee rate, or first consolidate small UTXOs by sending them to the wallet itself")
	// ErrChainTooLong: the UTXOs are in a chain of unconfirmed transactions that has the
	// maximum length or size.
	ErrChainTooLong = fault.New(fault.Conflict, "unconfirmed_chain_too_long",
		"the UTXOs depend on too many unconfirmed transactions; wait until some are confirmed, or choose other UTXOs")
)

// psbtVersionSince is the first version of Core that creates PSBTs of version 2 (BIP
// 370) unless requested otherwise; earlier versions do not have a parameter for the
// version.
const psbtVersionSince = 320000

// FundPSBT makes the wallet select UTXOs and create a PSBT (walletcreatefundedpsbt). It
// locks nothing, and because the change address is given, it reveals no address. The PSBT
// has version 0, provided that nodeVersion, such as 290403, is the node's version.
//
// The UTXOs in f.Inputs are spent even if they are locked or already spent: the node does
// not check that. If UTXOs are unconfirmed, the fee also compensates for low fee rates of
// their transactions. It returns proposal.ErrInsufficientFunds, ErrUTXOUnavailable if a
// UTXO in f.Inputs does not belong to the wallet, proposal.ErrAmountTooSmall,
// proposal.ErrDuplicateAddress, ErrFeeTooHigh, ErrFeeUnknown, ErrTooLarge and ErrChainTooLong.
func (w *Wallet) FundPSBT(ctx context.Context, f proposal.Funding, nodeVersion int) (proposal.Funded, error) {
	var wire struct {
		PSBT           []byte      `json:"psbt"`
		Fee            btc.JSONBTC `json:"fee"`
		ChangePosition int         `json:"changepos"`
	}
	const method = "walletcreatefundedpsbt"
	call := caller{w.rpc.WithMaxAnswer(maxFunded)}
	err := call.write(ctx, &wire, method, fundingParams(f, nodeVersion)...)
	if f.FeeRate > 0 && refused(err, rpcclient.CodeWalletError, forgottenBytes) {
		f.FeeRate++
		err = call.write(ctx, &wire, method, fundingParams(f, nodeVersion)...)
	}
	if errors.Is(err, rpcclient.ErrTooLong) {
		return proposal.Funded{}, proposal.ErrPSBTTooLarge.WithCause(err)
	}
	if err != nil {
		return proposal.Funded{}, fundingFault(err)
	}
	if len(wire.PSBT) == 0 || wire.Fee < 0 || wire.ChangePosition < -1 {
		return proposal.Funded{}, invalidResponse("an impossible PSBT")
	}
	return proposal.Funded{PSBT: wire.PSBT, Fee: btc.Amount(wire.Fee), ChangePosition: wire.ChangePosition}, nil
}

// maxFunded is the maximum size in bytes of a response of walletcreatefundedpsbt,
// which exceeds a PSBT of psbt.MaxSize in base64.
const maxFunded = 2 * psbt.MaxSize

// forgottenBytes is Core's error if it selected more than 252 UTXOs. Core counts one
// byte for the number of inputs, which then takes three bytes, and so finds the fee
// too low. At a fee rate slightly above a whole number of sat/vB, Core rounds up the
// fee of each UTXO, which compensates for this up to about 100 sat/vB. FundPSBT
// therefore raises the fee rate by 0.001 sat/vB and tries again.
const forgottenBytes = "Fee needed > fee paid"

func fundingParams(f proposal.Funding, nodeVersion int) []any {
	outputs := make([]map[string]any, len(f.Outputs))
	for i, out := range f.Outputs {
		outputs[i] = map[string]any{out.Address: btc.JSONBTC(out.Amount)}
		if out.Data != nil {
			outputs[i] = map[string]any{"data": hex.EncodeToString(out.Data)}
		}
	}
	options := map[string]any{
		"add_inputs":             f.AddInputs,
		"minconf":                f.MinConf,
		"changeAddress":          f.ChangeAddress,
		"lockUnspents":           false,
		"replaceable":            f.Replaceable,
		"subtractFeeFromOutputs": append([]int{}, f.SubtractFrom...),
	}
	if f.FeeRate > 0 {
		options["fee_rate"] = json.RawMessage(f.FeeRate.String())
	} else {
		options["conf_target"] = f.TargetBlocks
	}
	const bip32Derivs = true
	params := []any{outpoints(f.Inputs), outputs, f.LockTime, options, bip32Derivs}
	if nodeVersion >= psbtVersionSince {
		const psbtVersion = 0
		params = append(params, nil /* version of the transaction */, psbtVersion)
	}
	return params
}

// fundingRefusals maps error messages of walletcreatefundedpsbt to faults; see
// CreateTransaction and SelectCoins in Core's src/wallet/spend.cpp. Most of them
// share one code.
var fundingRefusals = []struct {
	text  string
	fault *fault.Error
}{
	{"Insufficient funds", proposal.ErrInsufficientFunds}, // also "… for fees after creating specified outputs"
	{"preselected coins total amount does not cover", proposal.ErrInsufficientFunds},
	{"total exceeds your balance", proposal.ErrInsufficientFunds},
	{"Unconfirmed UTXOs are available", ErrChainTooLong},
	{"too many unconfirmed", ErrChainTooLong},
	{"exceeds ancestor", ErrChainTooLong},
	{"exceeds descendant", ErrChainTooLong},
	{"too many descendants", ErrChainTooLong},
	{"enormous cluster", ErrChainTooLong},
	{"amount too small", proposal.ErrAmountTooSmall},
	{"amount is too small", errAmountBelowFee},
	{"duplicated address", proposal.ErrDuplicateAddress},
	{"Fee exceeds maximum", ErrFeeTooHigh},
	{"Fee estimation failed", ErrFeeUnknown},
	{forgottenBytes, errTooManyUTXOs},
	{"Transaction too large", ErrTooLarge},
	{"maximum weight", ErrTooLarge},
	{"Maximum transaction weight", ErrTooLarge},
	{"pre-selected input", ErrUTXOUnavailable},
	{"UTXO for external input", ErrUTXOUnavailable},
	{"Missing solving data", ErrUTXOUnavailable},
}

// fundingFault returns the fault for an error of walletcreatefundedpsbt.
func fundingFault(err error) error {
	e, ok := errors.AsType[*rpcclient.RPCError](err)
	if !ok {
		return err
	}
	switch e.Code {
	case rpcclient.CodeWalletError, rpcclient.CodeInsufficient, rpcclient.CodeInvalidValue:
		for _, r := range fundingRefusals {
			if strings.Contains(e.Message, r.text) {
				return r.fault.WithCause(err)
			}
		}
	}
	if e.Code == rpcclient.CodeInsufficient {
		return proposal.ErrInsufficientFunds.WithCause(err)
	}
	return err
}

// anyFeeRate disables the node's own fee rate limit.
const anyFeeRate = 0

// TestMempoolAccept returns nil if the node would accept a transaction to its
// mempool, regardless of its fee, or if it is already in the mempool or in the chain
// (testmempoolaccept). Otherwise it returns proposal.ErrRejected with the reason.
func (n *Node) TestMempoolAccept(ctx context.Context, raw []byte) error {
	var wire []struct {
		Allowed bool   `json:"allowed"`
		Reason  string `json:"reject-reason"`
	}
	if err := n.write(ctx, &wire, "testmempoolaccept", []string{hex.EncodeToString(raw)}, anyFeeRate); err != nil {
		return err
	}
	switch {
	case len(wire) != 1:
		return invalidResponse("%d results for one transaction", len(wire))
	case wire[0].Allowed:
		return nil
	}
	switch reason := wire[0].Reason; reason {
	case "txn-already-in-mempool", "txn-already-known",
		"txn-same-nonwitness-data-in-mempool": // the same transaction with other signatures
		return nil
	default:
		return rejected(reason)
	}
}

// SendRawTransaction broadcasts a transaction, regardless of its fee
// (sendrawtransaction). It succeeds if the transaction is already in the node's
// mempool or chain. It returns proposal.ErrRejected with the same reason as
// TestMempoolAccept. Without a response, it is unknown whether the transaction was
// sent.
func (n *Node) SendRawTransaction(ctx context.Context, raw []byte) error {
	err := n.write(ctx, nil, "sendrawtransaction", hex.EncodeToString(raw), anyFeeRate)
	e, ok := errors.AsType[*rpcclient.RPCError](err)
	switch {
	case !ok:
		return err
	case e.Code == rpcclient.CodeAlreadyInChain:
		return nil
	case e.Code == rpcclient.CodeVerifyError, e.Code == rpcclient.CodeVerifyRejected:
		reason, _, _ := strings.Cut(e.Message, ", ") // the rest are details
		if reason == "bad-txns-inputs-missingorspent" {
			reason = "missing-inputs"
		}
		return rejected(reason).WithCause(err)
	default:
		return err
	}
}

const maxReason = 200

func rejected(reason string) *fault.Error {
	reason = strings.ToValidUTF8(reason[:min(len(reason), maxReason)], "")
	return proposal.ErrRejected.WithDetail("reject_reason", reason)
}
