package proposal_test

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/policy"
	"github.com/specterd/specterd/internal/proposal"
)

// refused is a limit that a payment exceeds.
type refused struct {
	used    string
	amounts string    // in the message
	freesAt time.Time // zero if waiting does not help
}

func (r refused) equal(other refused) bool {
	return r.used == other.used && r.amounts == other.amounts && r.freesAt.Equal(other.freesAt)
}

// lastFree returns the time from which a rule permits a payment; zero if waiting does not help.
func lastFree(exceeded map[string]refused) (last time.Time) {
	for _, e := range exceeded {
		switch {
		case e.freesAt.IsZero():
			return time.Time{}
		case e.freesAt.After(last):
			last = e.freesAt
		}
	}
	return last
}

// use is the part of a window that a payment takes.
type use struct {
	at    time.Time
	sat   btc.Amount
	count int
}

// freesAt returns when so many payments have left the window that it has room for what is missing.
func (r historyRule) freesAt(uses []use, missing use) time.Time {
	slices.SortFunc(uses, func(a, b use) int { return a.at.Compare(b.at) })
	for _, u := range uses {
		missing.sat, missing.count = missing.sat-u.sat, missing.count-u.count
		if missing.sat <= 0 && missing.count <= 0 {
			return u.at.Add(r.per)
		}
	}
	return time.Time{}
}

// asked contains the amounts of a requested payment.
type asked struct {
	amount   btc.Amount // 0 if it depends on the fee
	spent    btc.Amount // with the fee; 0 if it is not known
	least    btc.Amount // of spent, if recipients pay the fee
	replaces *expected  // nil for none
}

// maxExcess is the most that a payment without change spends in addition to the requested amount, if
// recipients pay the fee.
const maxExcess = 20_000

// allows returns an error if a payment with these amounts is not the one that was asked for. An
// amount of 0 is not known.
func (a asked) allows(amount, spent btc.Amount) error {
	fee := spent - amount
	switch {
	case a.amount > 0 && amount > 0 && amount != a.amount,
		a.spent > 0 && spent > 0 && spent != a.spent,
		a.least > 0 && spent > 0 && (spent < a.least || spent > a.least+maxExcess),
		amount > 0 && spent > 0 && (fee <= 0 || fee > 300_000):
		return fmt.Errorf("it pays %s, %s with the fee, but %s, %s and at least %s with the fee were asked for", amount, spent, a.amount, a.spent, a.least)
	}
	return nil
}

// named returns the amount of a payment, without or with its fee, in the message of a refusal.
var named = struct{ amount, spent *regexp.Regexp }{
	regexp.MustCompile(`this one is (\d+) sat\.`), regexp.MustCompile(`this payment (?:alone )?needs (\d+) sat with its fee`),
}

// amountIn returns the amount that a pattern finds in a message; 0 for none.
func amountIn(message policy.Sentence, pattern *regexp.Regexp) btc.Amount {
	found := pattern.FindStringSubmatch(message.String())
	if found == nil {
		return 0
	}
	n, err := strconv.ParseInt(found[1], 10, 64)
	if err != nil {
		panic(err)
	}
	return btc.Amount(n)
}

func amountsOf(message policy.Sentence) string {
	amounts := []btc.Amount{}
	for _, arg := range message.Args {
		if amount, ok := arg.(btc.Amount); ok {
			amounts = append(amounts, amount)
		}
	}
	return fmt.Sprint(amounts)
}

// refused returns an error unless the test's own evaluation gives the same limits.
func (h *histories) refused(s *testWallet, a asked, f *fault.Error, from, to time.Time) error {
	h.results["refused"]++
	got := map[string]refused{}
	x := &expected{replaces: a.replaces}
	x.amount, x.spent = a.amount, a.spent
	for _, l := range f.Limits {
		message, ok := l.Message.(policy.Sentence)
		if !ok {
			return fmt.Errorf("the message of a limit is %T", l.Message)
		}
		amount, spent := amountIn(message, named.amount), amountIn(message, named.spent)
		if err := a.allows(amount, spent); err != nil {
			return fmt.Errorf("%w: %s", err, message)
		}
		x.amount, x.spent = cmp.Or(amount, x.amount), cmp.Or(spent, x.spent)
		got[fmt.Sprintf("%s %s %s", l.Layer, l.Rule, l.Field)] = refused{l.Used, amountsOf(message), l.FreesAt}
	}
	if err := a.allows(x.amount, x.spent); err != nil {
		return err
	}
	x.spent = max(x.amount, x.spent)
	isWanted := func(d decision) bool {
		return maps.EqualFunc(d.refusals, got, refused.equal) && d.permittedAt.Equal(f.PermittedAt)
	}
	want := s.decide(x, from)
	if !isWanted(want) {
		want = s.decide(x, to)
	}
	if len(got) == 0 || !isWanted(want) {
		return fmt.Errorf("the payment of %s, %s with the fee, exceeds %v and is permitted at %s, but is refused for %v until %s",
			x.amount, x.spent, want.refusals, want.permittedAt, got, f.PermittedAt)
	}
	return nil
}

// tried returns an error unless a dry run has the result of the test's own evaluation.
func (h *histories) tried(s *testWallet, a asked, create func() (proposal.Proposal, error)) error {
	from := h.clock.now()
	p, err := create()
	to := h.clock.now()
	if f := new(fault.Error); errors.As(err, &f) && errors.Is(f, proposal.ErrPolicyRefused) {
		return h.refused(s, a, f, from, to)
	}
	if err != nil {
		return refusal(err)
	}
	x := &expected{replaces: a.replaces}
	for _, out := range p.Outputs {
		if out.Kind != proposal.Change {
			x.amount += out.Amount
		}
	}
	x.spent = x.amount + p.Fee
	if err := a.allows(x.amount, x.spent); err != nil {
		return err
	}
	want := s.decide(x, from)
	if len(want.refusals) > 0 {
		want = s.decide(x, to)
	}
	held := want.approval || want.delay > 0
	if len(want.refusals) > 0 || held != (p.Status == proposal.AwaitingApproval) || held && len(p.PSBT) > 0 {
		return fmt.Errorf("a dry run of a payment of %s, %s with the fee, has the status %s, want %+v", x.amount, x.spent, p.Status, want)
	}
	h.results["tried"]++
	return nil
}
