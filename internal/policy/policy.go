// Package policy defines spending policies: which payments a server, a wallet, a member or
// a token permits, and whose approval they need. It parses and compares policies, states
// them as sentences and evaluates payments, without I/O.
package policy

import (
	"time"

	"github.com/specterd/specterd/internal/btc"
)

// Policy is a policy document. Its zero value permits everything.
type Policy struct {
	// Allow are the rules of which one must cover a payment. Nil permits every payment; an
	// empty list permits none.
	Allow []Rule
	Deny  []Target // recipients that no payment may have
	// Change contains the conditions of changes that loosen the policy; nil for none.
	Change *Change
}

// Rule permits payments. The zero value of an optional field sets no limit.
type Rule struct {
	Name string // unique in the policy
	// To are the permitted recipients. Nil permits every recipient; an empty list permits
	// none.
	To            []Target
	MaxPayment    *btc.Amount // of all recipients together, without the fee
	MaxRecipients *int
	Windows       []Window
	Fee           Fee
	Hours         *Hours
	Confirmations int         // least number of confirmations of each input
	KeepAtLeast   *btc.Amount // what must remain in the wallet
	Approvals     *Approvals
	Delay         time.Duration // from creation to release
}

// Target is a set of addresses. Exactly one of Address, WalletID, List and Descriptor is set.
type Target struct {
	Address    string
	WalletID   string
	List       string // name of a list of the wallet
	Descriptor string // with the addresses below the index UpTo
	UpTo       uint32
	Label      string // only for entries of lists
}

// Window limits what a rule permits within a sliding period, including fees.
type Window struct {
	Per      time.Duration
	MaxSat   *btc.Amount
	MaxCount *int
}

// Fee limits the fee of a payment.
type Fee struct {
	MaxRate    *btc.FeeRate
	Max        *btc.Amount
	MaxPercent *int // of the amount of all recipients
}

// Hours are the times of day at which a payment is permitted, by the local time of a zone.
type Hours struct {
	Zone *time.Location
	Days []time.Weekday // nil for every day
	From time.Duration  // since midnight
	To   time.Duration  // exclusive
}

// Approvals are the approvals that a payment requires before it is released.
type Approvals struct {
	Count       int
	Of          []Group // nil for signers
	NotProposer bool
	Above       btc.Amount // required only for payments of more than this
}

// Group is a set of members: those with at least a role, or one user.
type Group struct {
	Role string // proposer, signer or owner; of the server: admin
	User string // name
}

// Change contains the conditions of changes that loosen a policy.
type Change struct {
	Approvals int
	Of        []Group // nil for owners
	Delay     time.Duration
}

// Lists are the lists that a policy names, by name.
type Lists map[string][]Target

// Kind is the kind of a layer.
type Kind string

// The kinds of layers.
const (
	Server Kind = "server"
	Wallet Kind = "wallet"
	Member Kind = "member"
	Token  Kind = "token"
)

// Layer is a policy that applies to a payment.
type Layer struct {
	Kind    Kind
	Subject string // what the charges of its rules are counted for
	Policy  Policy
	Lists   Lists
}

// Payment is a payment as policies see it.
type Payment struct {
	WalletID string
	Network  btc.Network
	// Outputs are the outputs that are not change of the wallet.
	Outputs []Output
	Fee     btc.Amount
	FeeRate btc.FeeRate // of the whole transaction, with the excess fee
	// Confirmations is the lowest number of confirmations of its inputs.
	Confirmations int
	Remaining     btc.Amount // what remains in the wallet after it and all open proposals
	At            time.Time
	// TrustedAt is the last time at which the clock was trusted, while it is in doubt: windows
	// extend back from there, so that nothing frees, and hours must include both times. It is zero for At.
	TrustedAt time.Time
}

// Output is an output of a payment.
type Output struct {
	Address string // empty for data and other scripts without an address
	Amount  btc.Amount
	// WalletIDs are the wallets on this server that have the address.
	WalletIDs []string
}

// Usage provides what was spent under rules.
type Usage interface {
	// Spent returns the sum and the number of the active charges after a time, by rule. Rules
	// without charges may be missing.
	Spent(subject string, after time.Time) (map[string]Spent, error)
	// Frees returns the time of the newest charge among the oldest ones after a time that
	// together have at least the given amount and number. It is called only after Spent has
	// returned that much for the same time.
	Frees(subject, rule string, after time.Time, amount btc.Amount, count int) (time.Time, error)
}

// Spent is the sum of charges.
type Spent struct {
	Amount btc.Amount
	Count  int
}

// Decision is the result of an evaluation.
type Decision struct {
	// Refusals are the reasons why the payment is refused: for each layer that refuses it,
	// those of every rule. It is allowed if there are none.
	Refusals []Refusal
	Charges  []Charge      // one for each layer with rules
	Required []Requirement // approvals, one for each layer that requires some
	Delay    time.Duration // the longest of all layers
	// PermittedAt is the first time at which all layers permit a refused payment if nothing else
	// changes. It is zero if waiting does not help, while the clock is in doubt, or if no such
	// time was found within two years.
	PermittedAt time.Time
}

// Charge is the rule of a layer that permits the payment.
type Charge struct {
	Subject, Rule string
}

// Requirement is a number of approvals that a layer requires.
type Requirement struct {
	Kind    Kind
	Subject string // of the layer
	Rule    string
	Approvals
}

// Refusal is a limit that a payment exceeds.
type Refusal struct {
	Kind    Kind
	Subject string // of the layer
	Rule    string // empty for deny and for a policy without rules
	Field   string // such as windows[0].max_sat
	Limit   string // in the form of the document; empty for to
	Used    string // of a window, in the form of its limit
	// FreesAt is the first time at which this field alone permits the payment if nothing else
	// changes: for windows and hours. It is zero if waiting does not help. Other fields may
	// refuse the payment then; see Decision.PermittedAt.
	FreesAt time.Time
	Message Sentence
}
