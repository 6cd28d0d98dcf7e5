package store

import (
	"fmt"
	"math"
	"time"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/policy"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/store/db"
	"github.com/specterd/specterd/internal/store/sqltype"
)

// usage implements policy.Usage.
type usage struct {
	rules
	ignored []ignored
}

// ignored is a part of a row of spends that does not count in an evaluation.
type ignored struct {
	subject, rule string
	at            time.Time
	amount        btc.Amount
	count         int64
}

// exclude ignores what p counts for, and of the payments that it replaces what it takes over.
func (u *usage) exclude(p *proposal.Proposal) error {
	own, err := u.q.SpendsOf(u.ctx, p.ID)
	if err != nil {
		return fmt.Errorf("select what a proposal counts for: %w", err)
	}
	for _, row := range own {
		u.ignored = append(u.ignored, ignored{row.Subject, row.Rule, row.At.Time, row.CountedSat, row.Counts})
	}
	amount := p.Sent() + p.Fee
	return eachReplaced(u.ctx, u.q, p.ReplacesID, func(id string) error {
		rows, err := u.q.SpendsOf(u.ctx, id)
		if err != nil {
			return fmt.Errorf("select what a proposal counts for: %w", err)
		}
		for _, row := range rows {
			keeps := max(0, row.AmountSat-amount)
			u.ignored = append(u.ignored, ignored{row.Subject, row.Rule, row.At.Time, max(0, row.CountedSat-keeps), row.Counts})
		}
		return nil
	})
}

// sumSpan is the length of the shorter spans that spend_sums has sums of. The others are days.
const (
	sumSpan = 10 * time.Minute
	sumDay  = 24 * time.Hour
)

// nextSpans returns the next starts of a span and of a day after a time, which may be the same.
func nextSpans(after time.Time) (span, day time.Time) {
	return after.Truncate(sumSpan).Add(sumSpan), after.Truncate(sumDay).Add(sumDay)
}

// Spent implements policy.Usage.
func (u usage) Spent(subject string, after time.Time) (map[string]policy.Spent, error) {
	span, day := nextSpans(after)
	rows, err := u.q.SpentSince(u.ctx, db.SpentSinceParams{
		Subject: subject, After: sqltype.Time{Time: after}, NextSpan: sqltype.Time{Time: span}, NextDay: sqltype.Time{Time: day},
	})
	if err != nil {
		return nil, fmt.Errorf("sum what was spent under rules: %w", err)
	}
	spent := make(map[string]policy.Spent, len(rows))
	for _, row := range rows {
		spent[row.Rule] = policy.Spent{Amount: btc.Amount(row.CountedSat), Count: int(row.Counts)}
	}
	for _, x := range u.ignored {
		if x.subject == subject && x.at.After(after) {
			sum := spent[x.rule]
			spent[x.rule] = policy.Spent{Amount: sum.Amount - x.amount, Count: sum.Count - int(x.count)}
		}
	}
	return spent, nil
}

// Frees implements policy.Usage.
func (u usage) Frees(subject, rule string, after time.Time, amount btc.Amount, count int) (time.Time, error) {
	s := spendSearch{usage: u, subject: subject, rule: rule, amount: amount, count: int64(count)}
	span, day := nextSpans(after)
	for _, part := range []struct {
		length      time.Duration
		first, last time.Time
	}{
		{0, after.Truncate(time.Microsecond).Add(time.Microsecond), span},
		{sumSpan, span, day},
		{sumDay, day, time.UnixMicro(math.MaxInt64)},
	} {
		if at, err := s.find(part.length, part.first, part.last); err != nil || !at.IsZero() {
			return at, err
		}
	}
	return time.Time{}, nil
}

// spendSearch searches the first spend with which all spends so far have an amount and a number.
type spendSearch struct {
	usage
	subject, rule string
	amount        btc.Amount // still missing
	count         int64
}

// find searches between two times, with sums of spans of a length; 0 for single spends. It
// returns the zero time if there is too little.
func (s *spendSearch) find(length time.Duration, first, before time.Time) (time.Time, error) {
	sums, err := s.sums(length, first, before)
	if err != nil {
		return time.Time{}, fmt.Errorf("list what was spent under a rule: %w", err)
	}
	var last time.Time
	for _, x := range sums {
		if !x.At.Equal(last) { // several spends can have the same time
			s.ignore(&x, length)
			last = x.At.Time
		}
		switch {
		case x.CountedSat < s.amount || x.Counts < s.count:
			s.amount -= x.CountedSat
			s.count -= x.Counts
		case length == 0:
			return x.At.Time, nil
		case length == sumSpan:
			return s.find(0, x.At.Time, x.At.Add(sumSpan))
		default:
			return s.find(sumSpan, x.At.Time, x.At.Add(sumDay))
		}
	}
	return time.Time{}, nil
}

// ignore subtracts from a sum of a span what does not count.
func (s *spendSearch) ignore(sum *db.SpendsBetweenRow, length time.Duration) {
	end := sum.At.Add(max(length, time.Microsecond))
	for _, x := range s.ignored {
		if x.subject == s.subject && x.rule == s.rule && !x.at.Before(sum.At.Time) && x.at.Before(end) {
			sum.CountedSat -= x.amount
			sum.Counts -= x.count
		}
	}
}

func (s *spendSearch) sums(length time.Duration, first, before time.Time) ([]db.SpendsBetweenRow, error) {
	if length == 0 {
		return s.q.SpendsBetween(s.ctx, db.SpendsBetweenParams{Subject: s.subject, Rule: s.rule, First: sqltype.Time{Time: first}, Before: sqltype.Time{Time: before}})
	}
	rows, err := s.q.SpendSums(s.ctx, db.SpendSumsParams{
		Subject: s.subject, Rule: s.rule, Minutes: int64(length / time.Minute), First: sqltype.Time{Time: first}, Before: sqltype.Time{Time: before},
	})
	sums := make([]db.SpendsBetweenRow, len(rows))
	for i, row := range rows {
		sums[i] = db.SpendsBetweenRow(row)
	}
	return sums, err
}
