package wallet

import (
	"context"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
)

// maxTrendSteps is the maximum number of steps of a trend.
const maxTrendSteps = 1000

// Trend is the balance of a wallet in steps of equal length. The balance is the running balance
// of a ledger, which at the end is the sum of the trusted, untrusted pending and immature
// balances.
type Trend struct {
	Since    time.Time
	Step     time.Duration
	Opening  btc.Amount   // at Since
	Balances []btc.Amount // at the end of each step; the last one is the current balance
}

// Change returns the difference between the current balance and the one at the beginning.
func (t Trend) Change() btc.Amount {
	if len(t.Balances) == 0 {
		return 0
	}
	return t.Balances[len(t.Balances)-1] - t.Opening
}

// Trends returns how the balances of a set of wallets developed since a time, by the id of the
// wallet. It reads only the transactions since then. The number of steps must not exceed 1000. A
// transaction with a time in the future, by a node whose clock is ahead, belongs to the last
// step.
func (s *Service) Trends(ctx context.Context, set Set, since time.Time, step time.Duration) (map[string]Trend, error) {
	views, err := s.openSet(ctx, set)
	if err != nil {
		return nil, err
	}
	since, step = since.Truncate(time.Microsecond), step.Truncate(time.Microsecond) // as stored, so that the steps have no gaps
	steps, err := trendSteps(s.now().Sub(since), step)
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(views))
	for i, v := range views {
		ids[i] = v.ID
	}
	flows, err := s.store.FlowsByStep(ctx, ids, since, step, steps)
	if err != nil {
		return nil, err
	}
	trends := make(map[string]Trend, len(views))
	for _, v := range views {
		trends[v.ID] = trendOf(v.Balances.Total(), flows[v.ID], since, step)
	}
	return trends, nil
}

func trendSteps(took, step time.Duration) (int, error) {
	if took < 0 {
		return 0, fault.InvalidField("since", "must not be in the future")
	}
	if step <= 0 || took/step >= maxTrendSteps {
		return 0, fault.InvalidField("step", "must be above 0, and result in at most %d steps", maxTrendSteps)
	}
	return int(took/step) + 1, nil
}

// trendOf calculates the balances back from the current one.
func trendOf(current btc.Amount, flows []btc.Amount, since time.Time, step time.Duration) Trend {
	t := Trend{Since: since, Step: step, Balances: make([]btc.Amount, len(flows))}
	for i := len(flows) - 1; i >= 0; i-- {
		t.Balances[i] = current
		current -= flows[i]
	}
	t.Opening = current
	return t
}

// RunningBalances returns the balance of a wallet after each of the transactions of a page,
// which must be consecutive in its history, the latest first. It is the running balance of a
// ledger.
func (s *Service) RunningBalances(ctx context.Context, access Access, page []Record) ([]btc.Amount, error) {
	v, err := s.View(ctx, access, auth.RoleViewer)
	if err != nil {
		return nil, err
	}
	balances := make([]btc.Amount, len(page))
	for i, r := range page {
		if i > 0 && page[i-1].Status != Inactive {
			balances[i] = balances[i-1] - page[i-1].counted()
			continue
		}
		// The effect of an inactive transaction is not in its record.
		if balances[i], err = s.store.BalanceAfter(ctx, v.ID, HistoryCursor{Time: r.Time, Txid: r.Txid}); err != nil {
			return nil, err
		}
	}
	return balances, nil
}

// counted returns the amount that the transaction adds to the running balance.
func (r *Record) counted() btc.Amount {
	if r.Counts() {
		return r.Flow
	}
	return 0
}

// Begins returns the time of the earliest transaction of a wallet; the zero time without one.
func (s *Service) Begins(ctx context.Context, access Access) (time.Time, error) {
	v, err := s.View(ctx, access, auth.RoleViewer)
	if err != nil {
		return time.Time{}, err
	}
	first, err := s.store.Transactions(ctx, v.ID, Filter{Ascending: true}, HistoryCursor{}, 1)
	if err != nil || len(first) == 0 {
		return time.Time{}, err
	}
	return first[0].Time, nil
}
