package console

import (
	"strings"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/proposal"
)

var simulateRoutes = []route{
	{method: get, path: "/wallets/{alias}/policy/simulate", audience: users, role: auth.RoleProposer, handle: (*call).showSimulation},
	{method: post, path: "/wallets/{alias}/policy/simulate", audience: users, role: auth.RoleProposer, heavy: true, handle: (*call).simulate},
}

// simulatePage is the form of a payment that the policies evaluate, with the result.
type simulatePage struct {
	Form   form
	Unit   string
	Result *simulated
}

// simulated is the decision of the policies about a payment.
type simulated struct {
	Limits      []limitRow // that the payment exceeds; it is permitted if there are none
	PermittedAt time.Time  // when all policies permit it; zero if no time can be named
	Amount, Fee btc.Amount
	Needs       []need
	ReleaseAt   time.Time // zero without a delay
	Warnings    []string
}

func (c *call) showSimulation() error {
	c.form.Set(rateField, "5")
	c.form.Set(unitField, c.look.unit)
	return c.renderSimulation(c.newForm(nil), nil)
}

func (c *call) renderSimulation(f form, result *simulated) error {
	return c.renderForm(f, "policy-simulate", c.look.T("Try a payment"), &simulatePage{Form: f, Unit: c.formUnit(), Result: result})
}

func (c *call) simulate() error {
	result, err := c.simulation()
	if err != nil {
		f, err := again(err)
		if err != nil {
			return err
		}
		return c.renderSimulation(c.newForm(f), nil)
	}
	return c.renderSimulation(c.newForm(nil), &result)
}

func (c *call) simulation() (simulated, error) {
	params, err := c.simulateParams()
	if err != nil {
		return simulated{}, err
	}
	s, err := c.Spending.Simulate(c.r.Context(), c.access, params)
	if err != nil {
		return simulated{}, err
	}
	out := simulated{Limits: c.limits(s.Limits), PermittedAt: wholeMinute(s.PermittedAt), Amount: s.Amount, Fee: s.Fee}
	for _, w := range s.Warnings {
		out.Warnings = append(out.Warnings, c.look.sentence(w.Message))
	}
	if s.Review != nil {
		out.Needs, out.ReleaseAt = c.needs(*s.Review), s.Review.ReleaseAt
	}
	return out, nil
}

// simulateParams reads the form.
func (c *call) simulateParams() (proposal.CreateParams, error) {
	var params proposal.CreateParams
	amountField, addressField := recipientField(0, "amount_sat"), recipientField(0, "address")
	var errs [3]error
	amount, err := c.parseAmount(c.form.Get(amountField))
	if err != nil {
		errs[0] = fieldFault(err, amountField)
	}
	address := strings.TrimSpace(c.form.Get(addressField))
	if address == "" {
		errs[1] = fault.InvalidField(addressField, "enter an address")
	}
	params.FeeRate, errs[2] = c.feeRate()
	params.Recipients = []proposal.Recipient{{Address: address, Amount: amount}}
	return params, fault.JoinErrors(errs[:]...)
}
