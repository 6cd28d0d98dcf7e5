package proposal_test

import (
	"fmt"
	"maps"
	"regexp"
	"strconv"
	"time"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/policy"
)

func withAmounts(used string, amounts ...btc.Amount) string {
	return fmt.Sprintf("%s used; the message has %v", used, amounts)
}

// asked is a requested payment.
type asked struct {
	amount   btc.Amount // 0 if it depends on the fee
	spent    btc.Amount // with the fee; 0 if it is not known
	replaces *expected  // nil for none
}

// named returns the amount of a payment, without or with its fee, in the message of a refusal.
var named = struct{ amount, spent *regexp.Regexp }{
	regexp.MustCompile(`this one is (\d+) sat\.`), regexp.MustCompile(`this payment (?:alone )?needs (\d+) sat with its fee`),
}

// read sets an amount that a message names. It returns an error if the amount is known and differs.
func (a *asked) read(message policy.Sentence) error {
	for _, from := range []struct {
		pattern *regexp.Regexp
		into    *btc.Amount
	}{{named.amount, &a.amount}, {named.spent, &a.spent}} {
		found := from.pattern.FindStringSubmatch(message.String())
		if found == nil {
			continue
		}
		n, err := strconv.ParseInt(found[1], 10, 64)
		if err != nil {
			return err
		}
		if *from.into > 0 && *from.into != btc.Amount(n) {
			return fmt.Errorf("the payment has %d sat, but the message is %q", int64(*from.into), message)
		}
		*from.into = btc.Amount(n)
	}
	return nil
}

func amountsOf(message policy.Sentence) (amounts []btc.Amount) {
	for _, arg := range message.Args {
		if amount, ok := arg.(btc.Amount); ok {
			amounts = append(amounts, amount)
		}
	}
	return amounts
}

// refused returns an error unless the test's own evaluation gives the same limits.
func (h *histories) refused(s *testWallet, a asked, f *fault.Error, from, to time.Time) error {
	h.results["refused"]++
	got := map[string]string{}
	for _, l := range f.Limits {
		message, ok := l.Message.(policy.Sentence)
		if !ok {
			return fmt.Errorf("the message of a limit is %T", l.Message)
		}
		if err := a.read(message); err != nil {
			return err
		}
		got[fmt.Sprintf("%s %s %s", l.Layer, l.Rule, l.Field)] = withAmounts(l.Used, amountsOf(message)...)
	}
	if a.amount > 0 && a.spent > 0 && (a.spent <= a.amount || a.spent > a.amount+300_000) {
		return fmt.Errorf("a payment of %s is refused as one of %s with the fee", a.amount, a.spent)
	}
	x := &expected{replaces: a.replaces}
	x.amount, x.spent = a.amount, max(a.amount, a.spent)
	want := s.decide(x, from).refusals
	if !maps.Equal(want, got) {
		want = s.decide(x, to).refusals
	}
	if len(got) == 0 || !maps.Equal(want, got) {
		return fmt.Errorf("the payment of %s, %s with the fee, exceeds %v, but is refused for %v", x.amount, x.spent, want, got)
	}
	return nil
}
