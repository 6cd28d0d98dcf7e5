package console

import (
	"slices"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/wallet"
)

// walletRoutes are the pages of a wallet that show what it has: overview, receive, history, transactions, UTXOs.
var walletRoutes = slices.Concat([]route{
	{method: get, path: "/wallets/{alias}", audience: users, role: auth.RoleViewer, handle: (*call).overview},
}, receiveRoutes, historyRoutes, utxoRoutes)

// walletNotices are the notices of these pages.
var walletNotices = merged(receiveNotices, historyNotices, utxoNotices)

// overviewPage is the first page of a wallet.
type overviewPage struct {
	Shares  []share // of the available, the reserved and the frozen amount in the balance
	Chart   chart
	Periods []chartPeriod
	Period  string
	Week    btc.Amount // change of the balance in the last seven days
	Latest  []txRow
	Open    []openProposal
	Waiting int // number of the open proposals that wait for the user
	// Unproposed are recent payments without a proposal.
	Unproposed []unproposedRow
}

// openProposal is a proposal that reserves UTXOs.
type openProposal struct {
	waitingProposal

	// Mine is set if it waits for the user.
	Mine bool
}

const (
	latestTransactions = 6
	maxOpenProposals   = 10
	week               = 7 * 24 * time.Hour
	weekStep           = 6 * time.Hour
)

// chartPeriod is a period that the balance chart can show.
type chartPeriod struct {
	Name, Title string
	length      time.Duration // 0 for the whole history
	step        time.Duration
}

// chartPeriods are the periods with at most 400 steps each. The second is the default, unless
// the history is shorter.
var chartPeriods = []chartPeriod{
	{"30d", "30 days", 30 * 24 * time.Hour, 2 * time.Hour},
	{"90d", "90 days", 90 * 24 * time.Hour, 6 * time.Hour},
	{"1y", "1 year", 365 * 24 * time.Hour, 24 * time.Hour},
	{"all", "All", 0, 0},
}

const maxChartSteps = 400

func (c *call) overview() error {
	ctx := c.r.Context()
	b := c.view.Balances
	p := overviewPage{Periods: chartPeriods, Shares: sharesOf(b.Available(), b.Reserved, b.Frozen)}
	var err error
	if err = c.addChart(&p); err != nil {
		return err
	}
	if p.Unproposed, err = c.unproposed(wallet.One(c.access)); err != nil {
		return err
	}
	latest, _, err := c.Wallets.Transactions(ctx, wallet.One(c.access), wallet.Filter{Dead: true}, wallet.HistoryCursor{}, latestTransactions)
	if err != nil {
		return err
	}
	p.Latest = c.txRows(latest)
	open, err := c.Proposals.List(ctx, c.access, proposal.Filter{Statuses: openStatuses}, proposal.Cursor{}, maxOpenProposals)
	if err != nil {
		return err
	}
	payments, err := c.payments(open)
	if err != nil {
		return err
	}
	for _, found := range payments {
		one := openProposal{waitingProposal{c.view.Alias, c.view.Name, c.view.SignaturesRequired, found}, c.waitsFor(c.view, found.Proposal)}
		if one.Mine {
			p.Waiting++
		}
		p.Open = append(p.Open, one)
	}
	return c.render("wallet", c.look.T("Overview"), p)
}

// openStatuses are the statuses in which a proposal reserves UTXOs.
var openStatuses = []proposal.Status{proposal.AwaitingApproval, proposal.Created, proposal.PartiallySigned, proposal.Complete}

// addChart adds the balance in the period of the query, and in the last seven days.
func (c *call) addChart(p *overviewPage) error {
	now := c.Now()
	first, err := c.Wallets.Begins(c.r.Context(), c.access)
	if err != nil {
		return err
	}
	period := chartPeriods[1]
	if now.Sub(first) < period.length {
		period = chartPeriods[len(chartPeriods)-1]
	}
	if i := slices.IndexFunc(chartPeriods, func(one chartPeriod) bool { return one.Name == c.query("period") }); i >= 0 {
		period = chartPeriods[i]
	}
	p.Period = period.Name
	since := now.Add(-period.length)
	if period.length == 0 {
		since, period.step = wholeHistory(first, now)
	}
	trend, err := c.trend(since, period.step)
	if err != nil {
		return err
	}
	p.Chart = chartOf(trend, now)
	trend, err = c.trend(now.Add(-week), week)
	p.Week = trend.Change()
	return err
}

func (c *call) trend(since time.Time, step time.Duration) (wallet.Trend, error) {
	trends, err := c.Wallets.Trends(c.r.Context(), wallet.One(c.access), since, step)
	return trends[c.access.WalletID()], err
}

// wholeHistory returns the beginning and the step of a chart of the whole history. It begins
// before the first transaction, or with the last day if there is none.
func wholeHistory(first, now time.Time) (since time.Time, step time.Duration) {
	const margin = 20 // part of the history before the first transaction
	since = now.Add(-24 * time.Hour)
	if age := now.Sub(first); !first.IsZero() && age > 0 {
		since = first.Add(-age/margin - time.Minute)
	}
	return since, now.Sub(since)/(maxChartSteps-1) + time.Second
}
