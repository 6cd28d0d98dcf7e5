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

// What walletcreatefundedpsbt is refused for, beside proposal.ErrInsufficientFunds
// and ErrCoinUnavailable.
var (
	errAmountBelowFee = proposal.ErrAmountTooSmall.About("recipients", "must have higher amounts: one does not cover the fee that is subtracted from it")
	// ErrDuplicateAddress says that two outputs have one address.
	ErrDuplicateAddress = fault.InvalidAs("duplicate_address", "recipients", "have an address twice")
	// ErrFeeTooHigh says that the fee exceeds what the node allows its wallets (-maxtxfee).
	ErrFeeTooHigh = fault.New(fault.Invalid, "fee_too_high",
		"the fee would be higher than the Bitcoin node allows its wallets; ask for a lower fee rate, or raise maxtxfee in its bitcoin.conf")
	// ErrFeeUnknown says that the node cannot estimate.
	ErrFeeUnknown = fault.New(fault.Conflict, "fee_unknown", "the Bitcoin node does not know enough to estimate a fee now; give a fee rate")
	// ErrTooLarge says that the transaction would have more weight than is relayed, or
	// more coins than the node can cope with.
	ErrTooLarge = fault.New(fault.Conflict, "transaction_too_large",
		"the transaction would be too large to be relayed; pay less at once, or first join small coins by paying them to the wallet itself")
	errTooManyCoins = ErrTooLarge.Saying("the Bitcoin node cannot make a transaction of so many coins at this fee rate; " +
		"pay less at once, ask for another fee rate, or first join small coins by paying them to the wallet itself")
	// ErrChainTooLong says that the coins come from too many transactions that wait
	// for confirmation and spend from each other.
	ErrChainTooLong = fault.New(fault.Conflict, "unconfirmed_chain_too_long",
		"the coins come from too long a chain of unconfirmed transactions; wait until some are confirmed, or choose other coins")
)

// psbtVersionSince is the first version of Core whose PSBTs are of version 2
// (BIP 370) unless it is asked for another; those before refuse to be asked.
const psbtVersionSince = 320000

// FundPSBT has the wallet choose coins and make a PSBT (walletcreatefundedpsbt).
// Nothing is locked, and since the change address is given, no address is handed
// out. The PSBT is of version 0 as long as nodeVersion, such as 290403, is the
// node's.
//
// Coins that are named are spent even where they are locked, or spent already:
// the node does not look. Where coins are unconfirmed, the fee also makes up for
// what their transactions pay too little. It returns proposal.ErrInsufficientFunds,
// ErrCoinUnavailable for a named coin of others, proposal.ErrAmountTooSmall,
// ErrDuplicateAddress, ErrFeeTooHigh, ErrFeeUnknown, ErrTooLarge and
// ErrChainTooLong.
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
		return proposal.Funded{}, proposal.ErrPSBTTooLarge.Because(err)
	}
	if err != nil {
		return proposal.Funded{}, fundingFault(err)
	}
	if len(wire.PSBT) == 0 || wire.Fee < 0 || wire.ChangePosition < -1 {
		return proposal.Funded{}, badAnswer("a PSBT that cannot be")
	}
	return proposal.Funded{PSBT: wire.PSBT, Fee: btc.Amount(wire.Fee), ChangePosition: wire.ChangePosition}, nil
}

// maxFunded is how many bytes an answer of walletcreatefundedpsbt may have: more than
// a PSBT of psbt.MaxSize takes in base64.
const maxFunded = 2 * psbt.MaxSize

// forgottenBytes is what Core says where it chose more than 252 coins. It counts
// one byte for their number, which takes three then, and finds that the fee is too
// low by two, unless what it rounds up for each coin makes up for that. It does at
// a thousandth more than a whole fee rate, up to 100 sat/vB or so.
const forgottenBytes = "Fee needed > fee paid"

func fundingParams(f proposal.Funding, nodeVersion int) []any {
	outputs := make([]map[string]btc.JSONBTC, len(f.Outputs))
	for i, out := range f.Outputs {
		outputs[i] = map[string]btc.JSONBTC{out.Address: btc.JSONBTC(out.Amount)}
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

// fundingRefusals are the words for what walletcreatefundedpsbt is refused for;
// see CreateTransaction and SelectCoins in Core's src/wallet/spend.cpp. Most of it
// has one code.
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
	{"duplicated address", ErrDuplicateAddress},
	{"Fee exceeds maximum", ErrFeeTooHigh},
	{"Fee estimation failed", ErrFeeUnknown},
	{forgottenBytes, errTooManyCoins},
	{"Transaction too large", ErrTooLarge},
	{"maximum weight", ErrTooLarge},
	{"Maximum transaction weight", ErrTooLarge},
	{"pre-selected input", ErrCoinUnavailable},
	{"UTXO for external input", ErrCoinUnavailable},
	{"Missing solving data", ErrCoinUnavailable},
}

// fundingFault returns what a refusal of walletcreatefundedpsbt means.
func fundingFault(err error) error {
	e, ok := errors.AsType[*rpcclient.RPCError](err)
	if !ok {
		return err
	}
	switch e.Code {
	case rpcclient.CodeWalletError, rpcclient.CodeInsufficient, rpcclient.CodeInvalidValue:
		for _, r := range fundingRefusals {
			if strings.Contains(e.Message, r.text) {
				return r.fault.Because(err)
			}
		}
	}
	if e.Code == rpcclient.CodeInsufficient {
		return proposal.ErrInsufficientFunds.Because(err)
	}
	return err
}

// anyFeeRate lifts the node's own limit of what a transaction may pay.
const anyFeeRate = 0

// TestMempoolAccept returns nil where the node would take a transaction into its
// mempool, whatever it pays, or has it already, there or in its chain
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
		return badAnswer("%d results for one transaction", len(wire))
	case wire[0].Allowed:
		return nil
	}
	switch reason := wire[0].Reason; reason {
	case "txn-already-in-mempool", "txn-already-known",
		"txn-same-nonwitness-data-in-mempool": // it, with other signatures
		return nil
	default:
		return rejected(reason)
	}
}

// SendRawTransaction hands a transaction to the network, whatever it pays
// (sendrawtransaction). One that the node has already, in its mempool or in its
// chain, is fine. It returns proposal.ErrRejected with the reason, which is that of
// TestMempoolAccept. Where there was no answer, the transaction may have been
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
		reason, _, _ := strings.Cut(e.Message, ", ") // what follows are particulars
		if reason == "bad-txns-inputs-missingorspent" {
			reason = "missing-inputs"
		}
		return rejected(reason).Because(err)
	default:
		return err
	}
}

const maxReason = 200

func rejected(reason string) *fault.Error {
	reason = strings.ToValidUTF8(reason[:min(len(reason), maxReason)], "")
	return proposal.ErrRejected.With("reject_reason", reason)
}
