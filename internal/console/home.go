package console

import (
	"html/template"
	"slices"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/wallet"
)

// homePage shows all wallets of the user, and the next actions.
type homePage struct {
	Waiting     []waitingProposal
	Invitations []wallet.Invitation
	Wallets     []homeWallet
	Total       btc.Amount
	Week        btc.Amount // by which Total changed in the last seven days
	Rescans     []wallet.View
	Unproposed  []unproposedRow // recent payments without a proposal
}

// homeWallet is a wallet with its balance in the last seven days.
type homeWallet struct {
	wallet.View

	Week    wallet.Trend
	Waiting int // number of proposals that wait for the user
}

// Spark returns a small chart of the balance.
func (w homeWallet) Spark() template.HTML { return sparkline(w.Week) }

// waitingProposal is a proposal that waits for the user: for an approval, a signature, or to
// be broadcast.
type waitingProposal struct {
	Alias, Wallet string
	Required      int // signatures
	payment
}

// Path returns the path of the proposal's page.
func (w waitingProposal) Path() string { return walletPath(w.Alias, "proposals", w.ID) }

// Ready reports whether the proposal can be broadcast.
func (w waitingProposal) Ready() bool { return w.Status == proposal.Complete }

// maxWaiting is the maximum number of proposals of a wallet that the home page lists.
const maxWaiting = 20

// waitingIn are the proposals of a wallet that wait for the caller.
type waitingIn struct {
	access    wallet.Access
	view      wallet.View
	proposals []proposal.Proposal // the newest first
}

// Approves reports whether the proposal awaits approval.
func (w waitingProposal) Approves() bool { return w.Status == proposal.AwaitingApproval }

// findWaiting returns the wallets in which proposals wait for the caller.
func (c *call) findWaiting() ([]waitingIn, error) {
	accesses, err := c.Wallets.Accesses(c.r.Context(), c.who)
	if err != nil {
		return nil, err
	}
	views, err := c.wallets()
	if err != nil {
		return nil, err
	}
	var out []waitingIn
	for _, access := range accesses {
		i := slices.IndexFunc(views, func(v wallet.View) bool { return v.ID == access.WalletID() })
		if i < 0 {
			continue
		}
		statuses := openStatuses
		if !access.Role().Covers(auth.RoleSigner) { // a policy may name every member as an approver
			statuses = []proposal.Status{proposal.AwaitingApproval}
		}
		found, err := c.Proposals.List(c.r.Context(), access, proposal.Filter{Statuses: statuses}, proposal.Cursor{}, maxWaiting)
		if err != nil {
			return nil, err
		}
		found = slices.DeleteFunc(found, func(p proposal.Proposal) bool { return !c.waitsFor(views[i], p) })
		if len(found) > 0 {
			out = append(out, waitingIn{access, views[i], found})
		}
	}
	return out, nil
}

// allWaiting returns the proposals that wait for the caller in all wallets, with the labels of
// their recipients.
func (c *call) allWaiting() (out []waitingProposal, err error) {
	waiting, err := c.waiting()
	if err != nil {
		return nil, err
	}
	for _, w := range waiting {
		payments, err := c.paymentsIn(w.access, w.view.Keys, w.proposals)
		if err != nil {
			return nil, err
		}
		for _, p := range payments {
			out = append(out, waitingProposal{w.view.Alias, w.view.Name, w.view.SignaturesRequired, p})
		}
	}
	return out, nil
}

func (c *call) home() error {
	ctx := c.r.Context()
	var h homePage
	var err error
	if h.Waiting, err = c.allWaiting(); err != nil {
		return err
	}
	if h.Invitations, err = c.Wallets.OwnInvitations(ctx, c.who); err != nil {
		return err
	}
	if h.Unproposed, err = c.unproposed(wallet.All(c.who)); err != nil {
		return err
	}
	if err = c.addWallets(&h); err != nil {
		return err
	}
	return c.render("home", c.look.T("Home"), h)
}

// addWallets adds the wallets with their balances and how they changed in the last seven days.
func (c *call) addWallets(h *homePage) error {
	views, err := c.wallets()
	if err != nil {
		return err
	}
	trends, err := c.Wallets.Trends(c.r.Context(), wallet.All(c.who), c.Now().Add(-week), weekStep)
	if err != nil {
		return err
	}
	waiting := map[string]int{}
	for _, p := range h.Waiting {
		waiting[p.Alias]++
	}
	for _, v := range views {
		w := homeWallet{View: v, Week: trends[v.ID], Waiting: waiting[v.Alias]}
		h.Wallets = append(h.Wallets, w)
		h.Total += v.Balances.Trusted
		h.Week += w.Week.Change()
		if v.Rescanning() {
			h.Rescans = append(h.Rescans, v)
		}
	}
	return nil
}
