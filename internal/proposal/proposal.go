// Package proposal manages proposals, the payments that users request from a wallet, from
// creation to confirmation. Each proposal contains its payment as a PSBT (BIP-174). The
// package decides who may do what with a proposal and which status it has; a [Store]
// stores proposals, and [Node] is its interface to Bitcoin Core. It contains no SQL, HTTP
// or RPC, and it never signs.
//
// Invariants: the transaction of a proposal never changes, only signatures are added to
// it; every signature was verified against our own descriptor and the outputs that it
// spends; no UTXO is in two open proposals; and only callers who may sign or broadcast
// receive signatures from this package.
package proposal

import (
	"slices"
	"time"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/wallet"
)

const insufficientFunds = "insufficient funds for the payment and its fee"

// Errors of requests about proposals.
var (
	ErrNotFound = fault.New(fault.NotFound, "proposal_not_found", "proposal not found in this wallet")
	// ErrInsufficientFunds is returned if the available funds do not cover the payment
	// and its fee.
	ErrInsufficientFunds = fault.New(fault.Conflict, "insufficient_funds", insufficientFunds+"; UTXOs that are reserved or frozen do not count")
	ErrUTXOReserved      = fault.New(fault.Conflict, "utxo_reserved", "another open proposal spends one of these UTXOs; cancel or replace it first")
	ErrUTXOFrozen        = fault.New(fault.Conflict, "utxo_frozen", "one of these UTXOs is frozen; unfreeze it first")
	ErrUTXOLocked        = fault.New(fault.Conflict, "utxo_locked", "one of these UTXOs is locked in Bitcoin Core (RPC lockunspent), but not by specterd; unlock it there first")
	// ErrWrongState is returned if the operation is not possible in the status of the
	// proposal.
	ErrWrongState = fault.New(fault.Conflict, "invalid_status", "not possible in the current status of the proposal")
	// ErrChanged is returned if the proposal has changed since the caller read it.
	ErrChanged = fault.New(fault.PreconditionFailed, "proposal_changed", "the proposal has changed since you read it; read it again")
	// ErrChangeTaken is returned if another open proposal already uses the change address;
	// the request can be retried with another address.
	ErrChangeTaken = fault.New(fault.Conflict, "change_address_in_use", "another proposal was created at the same time; try again")
	// ErrFeeRateTooLow is returned if the node does not relay a payment with this fee
	// rate.
	ErrFeeRateTooLow = fault.InvalidAs("fee_rate_too_low", "fee_rate_sat_vb", "must be higher: the Bitcoin node does not accept a payment with this fee rate")
	// ErrDataRefused is returned if the node does not relay the data of a payment.
	ErrDataRefused = fault.InvalidAs("data_refused", fieldData,
		"must have shorter data or none: the Bitcoin node does not relay this data (settings datacarrier and datacarriersize in its bitcoin.conf)")
	// ErrAmountTooSmall is returned if the node does not relay an output with this amount
	// because it is dust, or would be after the fee is subtracted.
	ErrAmountTooSmall = fault.InvalidAs("amount_too_small", "recipients", "must have higher amounts: one is dust, which the Bitcoin node does not relay")
	// ErrTooManyEvictions is returned if a replacement would evict more transactions than
	// the node allows (BIP-125, rule 5).
	ErrTooManyEvictions = fault.New(fault.Conflict, "too_many_evictions",
		"the replacement would evict more unconfirmed transactions than the Bitcoin node allows; wait until some are confirmed")
	// ErrEvicts is returned if a replacement would evict payments that are not the caller's
	// own, and the request does not permit it.
	ErrEvicts = fault.New(fault.Conflict, "evicts_payments",
		"the replacement would evict later payments that are not your own; check them with dry_run, and repeat the request with evict set to true if they may be evicted")
	// ErrNotAbandonable is returned if a transaction cannot be abandoned because it is in
	// the mempool or in the chain.
	ErrNotAbandonable = fault.New(fault.Conflict, "payment_pending",
		"the transaction is in the mempool or in the chain, so it cannot be abandoned; replace it with a higher fee rate instead")
	// ErrRejected is returned if the node does not accept the transaction into its
	// mempool.
	ErrRejected = fault.New(fault.Conflict, "broadcast_rejected", "the Bitcoin node does not accept this transaction")
)

// Status is the status of a proposal.
type Status string

// The statuses. The first four are open: their inputs are reserved.
const (
	AwaitingApproval Status = "awaiting_approval" // or the end of a delay, because of a spending policy
	Created          Status = "created"
	PartiallySigned  Status = "partially_signed"
	Complete         Status = "complete" // has enough signatures
	Broadcast        Status = "broadcast"
	Confirmed        Status = "confirmed"
	Cancelled        Status = "cancelled"
	Expired          Status = "expired"
	Rejected         Status = "rejected"   // by an approver
	Conflicted       Status = "conflicted" // another transaction spent its inputs, or they no longer exist
	Replaced         Status = "replaced"   // another proposal took over its inputs
)

// Statuses are all statuses.
var Statuses = []Status{AwaitingApproval, Created, PartiallySigned, Complete, Broadcast, Confirmed, Cancelled, Expired, Rejected, Conflicted, Replaced}

// ParseStatuses returns the statuses with these names, nil if there are none. Its error is
// an Invalid fault about a field.
func ParseStatuses(field string, names []string) ([]Status, error) {
	var statuses []Status
	for _, name := range names {
		if !slices.Contains(Statuses, Status(name)) {
			return nil, fault.InvalidField(field, "must be a list of awaiting_approval, created, partially_signed, complete, broadcast, confirmed, cancelled, expired, rejected, conflicted and replaced")
		}
		statuses = append(statuses, Status(name))
	}
	return statuses, nil
}

// Open reports whether the proposal reserves its inputs.
func (s Status) Open() bool {
	return s == AwaitingApproval || s == Created || s == PartiallySigned || s == Complete
}

// Active reports whether a payment in this status counts in the windows of policies.
func (s Status) Active() bool { return s.Open() || s == Broadcast || s == Confirmed }

// Actor is a user who performed an action, and the token that authenticated it.
type Actor struct {
	UserID, UserName string
	TokenID          string // empty if no token was used, as for events of the chain or the clock
}

// Proposal is a requested payment from a wallet.
type Proposal struct {
	ID       string // UUIDv4
	WalletID string
	Txid     string // of the transaction without signatures
	// FinalTxid is the txid of the signed transaction, which differs from Txid if
	// signatures are not in the witness; empty until it is known.
	FinalTxid string
	Status    Status
	StatusAt  time.Time
	Reason    string // why it was closed, for users; empty if it is not closed
	Version   int    // increases with every change, starting at 1
	Creator   Actor
	CreatedAt time.Time
	ExpiresAt time.Time
	// Imported is set if the proposal was imported; see Service.Import. An imported proposal
	// may have the same change address as another one.
	Imported bool
	Terms

	PSBT []byte // version 0, with its signatures
	Raw  []byte // the signed transaction, once complete
	// SignaturesWithheld is set if signatures exist that the caller may not see: PSBT and
	// Raw do not contain them. It is not stored.
	SignaturesWithheld bool

	Inputs  []Input
	Outputs []Output
	Fee     btc.Amount
	// VSize is the virtual size of the signed transaction, an estimate until the proposal is
	// complete.
	VSize int
	// ExcessFee is the part of the fee beyond the fee rate: change that was dropped
	// because it would be dust or cost more than it is worth, and the deficit of
	// unconfirmed ancestors with a lower fee rate.
	ExcessFee btc.Amount
	// Ancestors are the unconfirmed ancestors of a new proposal or a dry run. They are not
	// stored.
	Ancestors Ancestors
	// Paid and Relabels are the addresses of a new proposal or a dry run that received payments
	// before, and the labels that it replaces. They are not stored. Both are nil if the creator may
	// not read the wallet.
	Paid     []PaidAddress
	Relabels []Relabel

	// Evicts are the payments that can no longer be confirmed once this replacement is sent,
	// as determined when it was created.
	Evicts []Eviction

	// ReplacesID is the id of the proposal that this one replaces, and ReplacedBy the id
	// of the proposal that replaces it; empty for none.
	ReplacesID, ReplacedBy string

	Signatures []Signature
	Steps      []Step

	// Review contains what policies require of it; nil if none applied when it was created.
	Review    *Review
	Approvals []Approval
	// PoliciesChanged is set if the policies have changed since they released it for signing, or
	// permitted it: they apply again at the broadcast. It is not stored.
	PoliciesChanged bool
	// TryAt is when its release must be tried; zero if that is not due.
	TryAt time.Time
}

// Terms are the requested parameters of a payment, without the recipients.
type Terms struct {
	FeeRate      btc.FeeRate // requested, or estimated for TargetBlocks
	FeeSource    FeeSource
	TargetBlocks int  // 0 if a fee rate was requested
	Replaceable  bool // signals BIP-125
	SendMax      bool
	SubtractFrom []int  // positions of the recipients that pay the fee, from 0
	Replaces     string // txid of the transaction whose inputs it spends; empty for none
}

// FeeSource is the source of the fee rate of a proposal; empty if it was not recorded.
type FeeSource string

// The sources of a fee rate.
const (
	FeeRequested FeeSource = "requested"
	FeeEstimate  FeeSource = "estimate" // the node's estimate for TargetBlocks
	// FeeFallback is the node's -fallbackfee, which it uses if it has no estimate.
	FeeFallback FeeSource = "fallback"
	// FeeMinimum is the minimum fee rate of the node's mempool, which applies if the estimate
	// is not above it.
	FeeMinimum FeeSource = "minimum"
)

// EstimateSource returns the source of a fee rate that was not requested. Estimate is the
// node's estimate for the confirmation target, or 0 if it has none; minimum is the minimum
// fee rate of its mempool.
func EstimateSource(estimate, minimum btc.FeeRate) FeeSource {
	switch {
	case estimate == 0:
		return FeeFallback
	case estimate <= minimum:
		return FeeMinimum
	}
	return FeeEstimate
}

// Input is a UTXO that a proposal spends.
type Input struct {
	btc.Outpoint
	wallet.Place

	Address string
	Amount  btc.Amount
}

// Kind is the kind of an output according to our own descriptor.
type Kind string

// The kinds of output.
const (
	External Kind = "external" // does not belong to the wallet
	Own      Kind = "own"      // belongs to the wallet, and was requested
	Change   Kind = "change"   // returns the remainder to the wallet
)

// Output is an output of a proposal; its index among the outputs is its vout.
type Output struct {
	Address string // empty for a script without an address
	Amount  btc.Amount
	// Asked is the requested amount, before the fee was subtracted; 0 for the recipient
	// of the remainder, for data, and for change.
	Asked btc.Amount
	// Data is the data of an output of the form of btc.DataScript; nil for others. It is not
	// stored, but read from the PSBT; see ReadData.
	Data      []byte
	Kind      Kind
	Own       *wallet.Place // nil for External
	Recipient int           // position among the recipients; -1 for change
}

// Signature records that a key has signed an input. The signature was verified.
type Signature struct {
	Input int // position among the inputs of the proposal
	Key   int // position among the wallet's keys
	At    time.Time
	By    Actor
}

// Step is an entry in the history of a proposal.
type Step struct {
	At     time.Time
	Action string // created, signed, or the new status
	By     Actor
	Detail string
}
