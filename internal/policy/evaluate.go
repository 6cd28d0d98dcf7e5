package policy

import (
	"cmp"
	"errors"
	"math"
	"math/bits"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/specterd/specterd/internal/btc"
)

var errNegative = errors.New("policy: a payment with a negative amount")

// Evaluate decides whether all layers permit a payment. Each layer with rules must have a
// rule that covers the whole payment; of several, the one with the fewest approvals, then
// the shortest delay, then the first name in byte order decides, and is charged.
func (e *Evaluator) Evaluate(p Payment, layers []Layer, usage Usage) (Decision, error) {
	ev, err := e.evaluation(&p)
	if err != nil {
		return Decision{}, err
	}
	var d Decision
	for i := range layers {
		if err := ev.layer(&layers[i], usage, &d); err != nil {
			return Decision{}, err
		}
	}
	if len(d.Refusals) > 0 {
		d.PermittedAt, err = ev.permittedAt(layers, usage)
	}
	return d, err
}

// Recheck decides whether the charged rules still permit a payment under the same policies
// at a later moment: their hours, coins and keep_at_least_sat. The decision has only
// refusals. The rule of a charge must exist.
func (e *Evaluator) Recheck(p Payment, layers []Layer, charges []Charge) (Decision, error) {
	ev, err := e.evaluation(&p)
	if err != nil {
		return Decision{}, err
	}
	var d Decision
	var opens [][]opening
	for _, c := range charges {
		l, r := ruleOf(layers, c)
		if r == nil {
			return Decision{}, errors.New("policy: a charge without its rule")
		}
		check := ruleCheck{evaluation: ev, layer: l, rule: r, explain: true}
		check.moment()
		d.Refusals = append(d.Refusals, check.refusals...)
		opens = append(opens, check.opens())
	}
	if len(d.Refusals) > 0 {
		d.PermittedAt = ev.firstOpen(opens)
	}
	return d, nil
}

func ruleOf(layers []Layer, c Charge) (*Layer, *Rule) {
	for i := range layers {
		if layers[i].Subject != c.Subject {
			continue
		}
		for j := range layers[i].Policy.Allow {
			if layers[i].Policy.Allow[j].Name == c.Rule {
				return &layers[i], &layers[i].Policy.Allow[j]
			}
		}
	}
	return nil, nil
}

// evaluation is the state of one evaluation.
type evaluation struct {
	*Payment
	recipients *recipients
	amount     btc.Amount // of all outputs
	charge     btc.Amount // including the fee
	windowsEnd time.Time  // windows extend back from this time
	// opens are when the rules of a layer permit the payment, for each layer whose rules refuse it.
	opens  map[*Layer][]opening
	denied bool
}

func (e *Evaluator) evaluation(p *Payment) (*evaluation, error) {
	ev := &evaluation{Payment: p, recipients: e.recipients(p), windowsEnd: p.At, opens: map[*Layer][]opening{}}
	if p.Fee < 0 {
		return nil, errNegative
	}
	for _, o := range p.Outputs {
		if o.Amount < 0 {
			return nil, errNegative
		}
		ev.amount = sum(ev.amount, o.Amount)
	}
	ev.charge = sum(ev.amount, p.Fee)
	if !p.TrustedAt.IsZero() && p.TrustedAt.Before(p.At) {
		ev.windowsEnd = p.TrustedAt
	}
	return ev, nil
}

// sum returns the sum of two amounts that are not negative, or the largest amount if it is
// larger.
func sum(a, b btc.Amount) btc.Amount {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}

// layer adds the decision of one layer.
func (ev *evaluation) layer(l *Layer, from Usage, d *Decision) error {
	usage := &layerUsage{from: from, subject: l.Subject, end: ev.windowsEnd}
	m := ev.recipients.matcher(l.Lists)
	if err := ev.deny(l, m, d); err != nil {
		return err
	}
	if l.Policy.Allow == nil {
		return nil
	}
	var passed []*ruleCheck
	for i := range l.Policy.Allow {
		c := ruleCheck{evaluation: ev, layer: l, rule: &l.Policy.Allow[i]}
		if err := c.fields(m); err != nil {
			return err
		}
		if !c.failed {
			passed = append(passed, &c)
		}
	}
	slices.SortFunc(passed, (*ruleCheck).compare)
	for _, c := range passed {
		if err := c.windows(usage); err != nil {
			return err
		}
		if !c.failed {
			c.permit(d)
			return nil
		}
	}
	return ev.refuse(l, m, usage, d)
}

// deny adds a refusal for each denied target that an output matches.
func (ev *evaluation) deny(l *Layer, m *layerMatcher, d *Decision) error {
	for i := range l.Policy.Deny {
		found := m.none()
		if err := m.match(&l.Policy.Deny[i], found); err != nil {
			return err
		}
		if output := found.first(); output >= 0 {
			ev.denied = true
			d.Refusals = append(d.Refusals, Refusal{
				Kind: l.Kind, Subject: l.Subject, Field: "deny[" + strconv.Itoa(i) + "]", Limit: jsonOf(func(w *writer) { w.target(&l.Policy.Deny[i]) }),
				Message: say("The policy forbids payments to recipient %d.", output+1),
			})
		}
	}
	return nil
}

// refuse adds the reasons of all rules of a layer, including windows.
func (ev *evaluation) refuse(l *Layer, m *layerMatcher, usage *layerUsage, d *Decision) error {
	if len(l.Policy.Allow) == 0 {
		d.Refusals = append(d.Refusals, Refusal{Kind: l.Kind, Subject: l.Subject, Field: "allow", Limit: "[]", Message: say("The policy permits no payments.")})
	}
	d.Refusals = slices.Grow(d.Refusals, 2*len(l.Policy.Allow))
	ev.opens[l] = nil
	for i := range l.Policy.Allow {
		c := ruleCheck{evaluation: ev, layer: l, rule: &l.Policy.Allow[i], explain: true}
		if err := c.fields(m); err != nil {
			return err
		}
		if err := c.windows(usage); err != nil {
			return err
		}
		d.Refusals = append(d.Refusals, c.refusals...)
		ev.opens[l] = append(ev.opens[l], c.opens()...)
	}
	return nil
}

// ruleCheck compares a payment with one rule.
type ruleCheck struct {
	*evaluation
	layer    *Layer
	rule     *Rule
	failed   bool
	explain  bool // whether all reasons are required, and not only failed
	refusals []Refusal
}

// fails notes that the rule does not permit the payment, and returns whether to add the
// reason.
func (c *ruleCheck) fails() bool {
	c.failed = true
	return c.explain
}

// compare orders rules by their requirements.
func (c *ruleCheck) compare(other *ruleCheck) int {
	return cmp.Or(
		cmp.Compare(c.approvals(), other.approvals()),
		cmp.Compare(c.rule.Delay, other.rule.Delay),
		strings.Compare(c.rule.Name, other.rule.Name),
	)
}

// approvals returns the number of approvals that the rule requires for the payment.
func (c *ruleCheck) approvals() int {
	if a := c.rule.Approvals; a != nil && c.amount > a.Above {
		return a.Count
	}
	if a := c.rule.Approvals; a != nil && a.Above == 0 {
		return a.Count // also for payments of nothing but data
	}
	return 0
}

// permit adds what the rule requires, and its charge.
func (c *ruleCheck) permit(d *Decision) {
	d.Charges = append(d.Charges, Charge{Subject: c.layer.Subject, Rule: c.rule.Name})
	d.Delay = max(d.Delay, c.rule.Delay)
	if c.approvals() > 0 {
		d.Required = append(d.Required, Requirement{Kind: c.layer.Kind, Subject: c.layer.Subject, Rule: c.rule.Name, Approvals: *c.rule.Approvals})
	}
}

func (c *ruleCheck) refuse(field, limit, used string, freesAt time.Time, message Sentence) {
	c.refusals = append(c.refusals, Refusal{
		Kind: c.layer.Kind, Subject: c.layer.Subject, Rule: c.rule.Name, Field: field, Limit: limit, Used: used, FreesAt: freesAt, Message: message,
	})
}

// fields compares the payment with everything except windows.
func (c *ruleCheck) fields(m *layerMatcher) error {
	if c.explain {
		if err := c.to(m); err != nil {
			return err
		}
	}
	c.limits()
	c.fee()
	c.moment()
	if c.explain || c.failed {
		return nil
	}
	return c.to(m) // is the slowest comparison
}

func (c *ruleCheck) to(m *layerMatcher) error {
	to := c.rule.To
	if to == nil {
		return nil
	}
	if len(to) == 0 {
		if c.fails() {
			c.refuse("to", "[]", "", time.Time{}, say("The rule permits no recipients."))
		}
		return nil
	}
	found := m.none()
	for i := range to {
		if err := m.match(&to[i], found); err != nil {
			return err
		}
	}
	if !found.full() && c.fails() {
		c.refuse("to", "", "", time.Time{}, say("Recipient %d is not one of the permitted recipients.", found.firstMissing()+1))
	}
	return nil
}

func (c *ruleCheck) limits() {
	r := c.rule
	if r.MaxPayment != nil && c.amount > *r.MaxPayment && c.fails() {
		c.refuse("max_payment_sat", sats(*r.MaxPayment), "", time.Time{}, say("A payment is at most %s; this one is %s.", *r.MaxPayment, c.amount))
	}
	if r.MaxRecipients != nil && len(c.Outputs) > *r.MaxRecipients && c.fails() {
		c.refuse("max_recipients", strconv.Itoa(*r.MaxRecipients), "", time.Time{}, say("The maximum number of recipients is %d; this payment has %d.", *r.MaxRecipients, len(c.Outputs)))
	}
}

func (c *ruleCheck) fee() {
	f := &c.rule.Fee
	if f.MaxRate != nil && c.FeeRate > *f.MaxRate && c.fails() {
		c.refuse("fee.max_sat_vb", f.MaxRate.String(), "", time.Time{}, say("The fee rate is at most %s sat/vB; this payment has %s sat/vB.", *f.MaxRate, c.FeeRate))
	}
	if f.Max != nil && c.Fee > *f.Max && c.fails() {
		c.refuse("fee.max_sat", sats(*f.Max), "", time.Time{}, say("The fee is at most %s; this payment has %s.", *f.Max, c.Fee))
	}
	if f.MaxPercent != nil && exceedsPercent(c.Fee, *f.MaxPercent, c.amount) && c.fails() {
		c.refuse("fee.max_percent", strconv.Itoa(*f.MaxPercent), "", time.Time{}, say("The fee is at most %d %% of the payment; this payment has a fee of %s.", *f.MaxPercent, c.Fee))
	}
}

// exceedsPercent reports whether fee·100 > percent·amount, for any amounts.
func exceedsPercent(fee btc.Amount, percent int, amount btc.Amount) bool {
	feeHigh, feeLow := bits.Mul64(uint64(fee), 100)                    //nolint:gosec // not negative
	limitHigh, limitLow := bits.Mul64(uint64(amount), uint64(percent)) //nolint:gosec // not negative
	return feeHigh > limitHigh || feeHigh == limitHigh && feeLow > limitLow
}

// moment compares the fields that depend on the moment.
func (c *ruleCheck) moment() {
	r := c.rule
	if r.Hours != nil && !c.isWithin(r.Hours) && c.fails() {
		var opens time.Time
		if !r.Hours.permits(c.At) {
			opens, _ = r.Hours.next(c.At)
		}
		c.refuse("hours", jsonOf(func(w *writer) { w.hours(r.Hours) }), "", opens, r.Hours.describe())
	}
	if c.Confirmations < r.Confirmations && c.fails() {
		c.refuse("coins.confirmations", strconv.Itoa(r.Confirmations), "", time.Time{}, say("Each input must have at least %s; one has %d.", confirmations(r.Confirmations), c.Confirmations))
	}
	if r.KeepAtLeast != nil && c.Remaining < *r.KeepAtLeast && c.fails() {
		c.refuse("keep_at_least_sat", sats(*r.KeepAtLeast), "", time.Time{}, say("At least %s must remain in the wallet; %s would remain.", *r.KeepAtLeast, c.Remaining))
	}
}

// isWithin reports whether hours permit the payment. While the clock is in doubt, they must also
// include the last trusted time.
func (c *ruleCheck) isWithin(h *Hours) bool {
	return h.permits(c.At) && (c.TrustedAt.IsZero() || h.permits(c.TrustedAt))
}

// windows compares the payment with the windows of the rule.
func (c *ruleCheck) windows(usage *layerUsage) error {
	for i, w := range c.rule.Windows {
		within, err := usage.within(w.Per)
		if err != nil {
			return err
		}
		spent := within[c.rule.Name]
		if total := sum(spent.Amount, c.charge); w.MaxSat != nil && total > *w.MaxSat && c.fails() {
			frees, err := c.frees(usage, w, c.charge <= *w.MaxSat, total-*w.MaxSat, 0)
			if err != nil {
				return err
			}
			c.refuse(windowField(i, "max_sat"), sats(*w.MaxSat), sats(spent.Amount), frees, w.exceeded(spent.Amount, c.charge))
		}
		if w.MaxCount != nil && spent.Count >= *w.MaxCount && c.fails() {
			frees, err := c.frees(usage, w, *w.MaxCount > 0, 0, spent.Count+1-*w.MaxCount)
			if err != nil {
				return err
			}
			c.refuse(windowField(i, "max_count"), strconv.Itoa(*w.MaxCount), strconv.Itoa(spent.Count), frees, w.exhausted(spent.Count))
		}
		if c.failed && !c.explain {
			return nil
		}
	}
	return nil
}

// exceeded says why the window does not permit a charge. It does not say that a lower charge can be
// paid now, because another limit may not permit it.
func (w Window) exceeded(used, charge btc.Amount) Sentence {
	limit, left := *w.MaxSat, max(0, *w.MaxSat-used)
	switch {
	case limit == 0:
		return w.permitsNothing()
	case charge <= limit:
		return say("Within %s, at most %s including fees can be paid; %s are used, so %s are left, and this payment needs %s with its fee.", w.Per, limit, used, left, charge)
	case used == 0:
		return say("Within %s, at most %s including fees can be paid, and this payment alone needs %s with its fee. Waiting does not help.", w.Per, limit, charge)
	}
	return say("Within %s, at most %s including fees can be paid; %s are used, so %s are left, and this payment alone needs %s with its fee. Waiting does not help.", w.Per, limit, used, left, charge)
}

// exhausted says why the window does not permit a further payment.
func (w Window) exhausted(used int) Sentence {
	if *w.MaxCount == 0 {
		return w.permitsNothing()
	}
	return say("Within %s, the maximum number of payments is %d; used: %d.", w.Per, *w.MaxCount, used)
}

func (w Window) permitsNothing() Sentence {
	return say("Within %s, the rule permits no payments.", w.Per)
}

// layerUsage asks at most once for each length of a window in a layer.
type layerUsage struct {
	from    Usage
	subject string
	end     time.Time // of the windows
	spent   map[time.Duration]map[string]Spent
}

// within returns the use of each rule in a window of a length.
func (u *layerUsage) within(per time.Duration) (map[string]Spent, error) {
	if spent, ok := u.spent[per]; ok {
		return spent, nil
	}
	spent, err := u.from.Spent(u.subject, u.end.Add(-per))
	if err != nil {
		return nil, err
	}
	if u.spent == nil {
		u.spent = map[time.Duration]map[string]Spent{}
	}
	u.spent[per] = spent
	return spent, nil
}

func windowField(i int, name string) string { return "windows[" + strconv.Itoa(i) + "]." + name }

// frees returns the time at which charges of the given amount and number have left a window,
// and zero if the payment does not fit even then.
func (c *ruleCheck) frees(usage *layerUsage, w Window, fits bool, amount btc.Amount, count int) (time.Time, error) {
	if !fits {
		return time.Time{}, nil
	}
	last, err := usage.from.Frees(c.layer.Subject, c.rule.Name, c.windowsEnd.Add(-w.Per), amount, count)
	if err != nil || last.IsZero() {
		return time.Time{}, err
	}
	return last.Add(w.Per), nil
}

func sats(a btc.Amount) string { return strconv.FormatInt(int64(a), 10) }
