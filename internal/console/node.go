package console

import (
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/node/nodestatus"
	"github.com/specterd/specterd/internal/proposal"
)

var nodeRoutes = []route{
	{method: get, path: "/node", audience: users, handle: (*call).showNode},
}

// nodePage shows the status of the node and its estimates of fee rates.
type nodePage struct {
	Status  nodestatus.Status
	Notices []nodestatus.Notice
	Fees    []feeRow
	Minimum string // fee rate of the mempool, in sat/vB
	Maximum string // fee rate of proposals on this server
}

// feeRow is the estimate for a confirmation target.
type feeRow struct {
	target

	Rate   string // in sat/vB; empty if the node has no estimate
	Source string // of the fee rate of a proposal for the target
}

// Progress returns the percentage of blocks that the node has.
func (p nodePage) Progress() int {
	if p.Status.Headers <= 0 {
		return 0
	}
	return int(min(100, p.Status.Blocks*100/p.Status.Headers))
}

// Transactions returns the number of transactions in the mempool.
func (p nodePage) Transactions() int { return int(p.Status.MempoolSize) }

// Known reports whether the node has answered.
func (p nodePage) Known() bool { return !p.Status.LastContact.IsZero() }

// feeSources are the sources of fee rates in words.
var feeSources = map[proposal.FeeSource]string{
	proposal.FeeEstimate: "estimate of the node",
	proposal.FeeFallback: "fallback fee of the node, because it has no estimate",
	proposal.FeeMinimum:  "minimum of the mempool",
}

func (c *call) showNode() error {
	s := c.Node.Status()
	p := nodePage{Status: s, Notices: s.Notices(), Minimum: btc.FeeRate(s.MempoolMinimum()).String(), Maximum: c.Proposals.MaxFeeRate().String()}
	if s.Ready() == nil {
		p.Fees = feeRows(s)
	}
	return c.render("node", c.look.T("Node"), p)
}

// target is a confirmation target.
type target struct{ Blocks int }

// minutesPerBlock is the average time between two blocks.
const minutesPerBlock = 10

// Minutes, Hours and Days return about how long the blocks of the target take.
func (t target) Minutes() int { return t.Blocks * minutesPerBlock }
func (t target) Hours() int   { return t.Minutes() / 60 }
func (t target) Days() int    { return t.Hours() / 24 }

func feeRows(s nodestatus.Status) []feeRow {
	rows := make([]feeRow, len(s.Fees.PerKvB))
	for i, perKvB := range s.Fees.PerKvB {
		rows[i] = feeRow{target: target{nodestatus.FeeTargets[i]}, Source: feeSources[proposal.EstimateSource(btc.FeeRate(perKvB), btc.FeeRate(s.MempoolMinimum()))]}
		if perKvB > 0 {
			rows[i].Rate = btc.FeeRate(perKvB).String()
		}
	}
	return rows
}
