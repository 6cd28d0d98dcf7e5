package console

import (
	"errors"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/node/nodestatus"
	"github.com/specterd/specterd/internal/proposal"
)

// bumpPage is the form that replaces a payment by one with a higher fee, with its preview.
type bumpPage struct {
	Form    form
	Path    string
	Base    string // path of the proposal's page
	Key     string
	Current payment
	Fees    []feeOption
	Preview *preview
}

// state implements stateful.
func (p bumpPage) state() string { return stateOf(p.Current.ID, p.Current.Version, p.Current.Status) }

func (c *call) showBump() error {
	p, err := c.proposal()
	if err != nil {
		return err
	}
	c.form.Set(rateField, suggestedRate(p, c.Node.Status()).String())
	page, err := c.bumpPage(p, nil)
	if err != nil {
		return err
	}
	return c.render("bump", c.look.T("Increase the fee"), &page)
}

// suggestedRate returns the fee rate that a bump begins with: the node's estimate for the
// next blocks if that is a clear increase, and otherwise one more sat/vB.
func suggestedRate(p proposal.Proposal, s nodestatus.Status) btc.FeeRate {
	const step = 1000
	least := max(p.FeeRate, p.PaidRate())/step*step + 2*step
	if len(s.Fees.PerKvB) > 0 { // the first is the fastest
		return max(least, btc.FeeRate(s.Fees.PerKvB[0]))
	}
	return least
}

func (c *call) bumpPage(p proposal.Proposal, f *fault.Error) (page bumpPage, err error) {
	page = bumpPage{Form: c.newForm(f), Path: c.proposalPath(p.ID, "bump"), Base: c.proposalPath(p.ID), Key: c.formKey(), Fees: feeOptions(c.Node.Status())}
	page.Current, err = c.paymentOf(p)
	return page, err
}

// bump previews or creates the replacement.
func (c *call) bump() error {
	p, err := c.proposal()
	if err != nil {
		return err
	}
	create := c.form.Get(actionField) == actionCreate && c.form.Get(seenField) == c.seen()
	var made preview
	rate, err := c.feeRate()
	params := proposal.BumpParams{FeeRate: rate, Evict: c.form.Has(evictField), DryRun: !create}
	if err == nil && create {
		var path string
		path, err = c.once(func() (string, error) {
			made, err := c.Proposals.Bump(c.r.Context(), c.access, p.ID, params)
			return c.proposalPath(made.ID), err
		})
		if err == nil {
			return c.redirect(path, "proposal-created")
		}
	} else if err == nil {
		if made.Proposal, err = c.Proposals.Bump(c.r.Context(), c.access, p.ID, params); err == nil {
			made.payment, err = c.paymentOf(made.Proposal)
			if made.Review != nil {
				made.Needs = c.needs(*made.Review)
			}
		}
	}
	f, err := again(err)
	if err != nil {
		return err
	}
	if f != nil && errors.Is(f, errSentBefore) {
		c.form.Del(keyField)
	}
	page, err := c.bumpPage(p, f)
	if err != nil {
		return err
	}
	if f != nil {
		return c.renderAs(f, "bump", c.look.T("Increase the fee"), &page)
	}
	made.Seen, made.Stale = c.seen(), c.form.Get(actionField) == actionCreate
	page.Preview = &made
	return c.render("bump", c.look.T("Increase the fee"), &page)
}

// More returns the difference between the fees.
func (p bumpPage) More() btc.Amount { return p.Preview.Fee - p.Current.Fee }
