package proposal

import "fmt"

// Warning is something that people should know about a proposal before they sign it.
// It does not prevent signing.
type Warning struct {
	Code    string // stable, for programs
	Message string // for people
}

// WarnHighFee is the code of the warning that the fee is high for the amount.
const WarnHighFee = "high_fee"

// highFeePart is the part of the amount, one in so many, above which a fee is high.
const highFeePart = 10

// Warnings returns what people should know about the proposal. It depends on nothing
// that changes while the proposal has the same version.
func (p *Proposal) Warnings() []Warning {
	amount := p.Sent()
	if amount == 0 { // one that was imported may pay to change addresses only
		for _, out := range p.Outputs {
			amount += out.Amount
		}
	}
	if p.Fee*highFeePart <= amount {
		return nil
	}
	return []Warning{{WarnHighFee, fmt.Sprintf("the fee of %d sat is more than %d %% of the amount of %d sat", p.Fee, 100/highFeePart, amount)}}
}
