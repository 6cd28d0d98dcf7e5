package proposal

import "fmt"

// Warning is something that signers should know about a proposal. It does not prevent
// signing.
type Warning struct {
	Code    string // stable, for programs
	Message string // for people
}

// WarnHighFee is the code of the warning that the fee is high for the amount.
const WarnHighFee = "high_fee"

// highFeePart is the threshold of a high fee: more than 1/highFeePart of the amount.
const highFeePart = 10

// Warnings returns the warnings about the proposal. The result changes only with the
// proposal's version.
func (p *Proposal) Warnings() []Warning {
	amount := p.Sent()
	if amount == 0 { // an imported one may pay only to change addresses
		for _, out := range p.Outputs {
			amount += out.Amount
		}
	}
	if p.Fee*highFeePart <= amount {
		return nil
	}
	return []Warning{{WarnHighFee, fmt.Sprintf("the fee of %d sat is more than %d %% of the amount of %d sat", p.Fee, 100/highFeePart, amount)}}
}
