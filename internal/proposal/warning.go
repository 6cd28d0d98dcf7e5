package proposal

import "fmt"

// Warning is something that signers should know about a proposal. It does not prevent
// signing.
type Warning struct {
	Code    string // stable, for programs
	Message string // for people
}

const (
	// WarnHighFee is the code of the warning that the fee is high for the amount.
	WarnHighFee = "high_fee"
	// WarnStillValid is the code of the warning that the signed transaction of a proposal
	// that was cancelled or has expired can still be sent.
	WarnStillValid = "still_valid"
	// WarnUnconfirmed is the code of the warning that a new proposal, or a dry run, spends
	// outputs of unconfirmed transactions.
	WarnUnconfirmed = "unconfirmed_utxos"
	// WarnAddressPaid is the code of the warning that an address of a new proposal, or a dry run,
	// received a payment before.
	WarnAddressPaid = "address_paid"
	// WarnLabelReplaced is the code of the warning that a label of a new proposal, or a dry run,
	// replaces another label of the address.
	WarnLabelReplaced = "label_replaced"
	// WarnPolicyChanged is the code of the warning that the policies have changed since the
	// proposal was created or approved; see Proposal.PoliciesChanged.
	WarnPolicyChanged = "policy_changed"
)

const policyChanged = "the spending policies have changed since the proposal was created or approved: they apply again at the broadcast, and approvals from before do not count"

const stillValid = "the proposal had enough signatures: anyone who has the signed transaction can still send it, until another transaction that spends one of its UTXOs is confirmed, such as a payment to the wallet itself"

// highFeePart is the threshold of a high fee: more than 1/highFeePart of the amount.
const highFeePart = 10

// Warnings returns the warnings about the proposal. The result changes only with the
// proposal's version, except that only a new proposal has
// WarnUnconfirmed, WarnAddressPaid and WarnLabelReplaced.
func (p *Proposal) Warnings() []Warning {
	amount := p.Sent()
	if amount == 0 { // an imported proposal may pay only to change addresses
		for _, out := range p.Outputs {
			amount += out.Amount
		}
	}
	var list []Warning
	if (p.Status == Cancelled || p.Status == Expired || p.Status == Rejected) && p.IsSigned() {
		list = append(list, Warning{WarnStillValid, stillValid})
	}
	if p.PoliciesChanged {
		list = append(list, Warning{WarnPolicyChanged, policyChanged})
	}
	if p.Fee*highFeePart > amount {
		list = append(list, warningOf(WarnHighFee, "the fee of %d sat is more than %d %% of the amount of %d sat", p.Fee, 100/highFeePart, amount))
	}
	if p.Ancestors.Transactions > 0 {
		list = append(list, p.ancestorWarning())
	}
	return append(list, p.recipientWarnings()...)
}

func warningOf(code, format string, args ...any) Warning {
	return Warning{code, fmt.Sprintf(format, args...)}
}
