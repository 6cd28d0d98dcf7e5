package console

import (
	"net/url"

	"github.com/specterd/specterd/internal/proposal"
)

// proposalsOnPage is the number of proposals on a page of the list.
const proposalsOnPage = 25

// proposalList is a page of the list of a wallet's proposals.
type proposalList struct {
	Statuses []statusOption
	Rows     []payment
	Base     string
	Next     string // path of the next page; empty on the last
	Filtered bool
	Required int // signatures
}

// statusOption is a choice of the filter by status.
type statusOption struct {
	Name, Title string
	Selected    bool
}

// openOnly is the filter for all open statuses.
const openOnly = "open"

func (c *call) listProposals() error {
	status, filter := c.query("status"), proposal.Filter{}
	switch status {
	case "":
	case openOnly:
		filter.Statuses = openStatuses
	default:
		var err error
		if filter.Statuses, err = proposal.ParseStatuses("status", []string{status}); err != nil {
			return err
		}
	}
	after, err := afterOf(c.query("after"))
	if err != nil {
		return err
	}
	found, err := c.Proposals.List(c.r.Context(), c.access, filter, proposal.Cursor(after), proposalsOnPage+1)
	if err != nil {
		return err
	}
	list := proposalList{Base: c.walletPath("proposals"), Filtered: status != "", Statuses: c.statusOptions(status), Required: c.view.SignaturesRequired}
	if len(found) > proposalsOnPage {
		found = found[:proposalsOnPage]
		last := found[len(found)-1]
		values := url.Values{"after": {afterText(last.CreatedAt, last.ID)}}
		if status != "" {
			values.Set("status", status)
		}
		list.Next = list.Base + "?" + values.Encode()
	}
	if list.Rows, err = c.payments(found); err != nil {
		return err
	}
	return c.render("proposals", c.look.T("Proposals"), &list)
}

func (c *call) statusOptions(chosen string) []statusOption {
	options := []statusOption{{"", c.look.T("All"), chosen == ""}, {openOnly, c.look.T("Open"), chosen == openOnly}}
	for _, s := range proposal.Statuses {
		options = append(options, statusOption{string(s), c.look.T(proposalBadges[s][2]), string(s) == chosen})
	}
	return options
}

// Signatures returns the number of signatures that every input of the proposal has.
func (p payment) Signatures() int { return p.FewestSignatures() }
