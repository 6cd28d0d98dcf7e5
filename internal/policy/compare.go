package policy

import (
	"cmp"
	"slices"
	"strconv"
	"time"

	"github.com/specterd/specterd/internal/btc"
)

// Wider is a field in which a policy permits more than another one, or may do so.
type Wider struct {
	Rule  string // empty for fields of the policy
	Field string // such as max_payment_sat or windows; allow for a rule as a whole
	// Old and New are the values of the other policy and of this one, in the form of the
	// document; empty if the field is missing.
	Old, New string
}

// Narrower returns the fields in which a child permits more than its parent. Without such
// fields, the parent permits every payment that the child permits, as far as windows are
// unused. Each rule of the child must be at most as wide as one rule of the parent. If that
// cannot be decided, for example because the child has an address and the parent a wallet,
// the field counts as wider.
func Narrower(child, parent Policy) []Wider {
	c := comparison{of: sameTargets, fields: ruleFields}
	return c.narrower(child, parent)
}

// Loosens returns the fields in which a policy with its lists permits more than before.
// Without such fields, every payment that the policy permits was permitted before, with the same
// charges and with at most the same approvals and the same delay; and the policy is at least
// as hard to change. Rules are compared by name.
func Loosens(kind Kind, before, after Policy, beforeLists, afterLists Lists) []Wider {
	c := comparison{of: expanded(beforeLists, afterLists), fields: ruleFields}
	wider := append(c.direct(before, after), c.uncovered(before, after)...)
	return append(wider, changeWider(kind, before.Change, after.Change)...)
}

// Difference is a field in which a policy permits more or less than before.
type Difference struct {
	Wider
	Loosens bool
}

// Differences returns the fields that Loosens returns, and the ones in which a policy with
// its lists only permits less than before.
func Differences(kind Kind, before, after Policy, beforeLists, afterLists Lists) []Difference {
	var all []Difference
	for _, w := range Loosens(kind, before, after, beforeLists, afterLists) {
		all = append(all, Difference{w, true})
	}
	reverse := comparison{of: expanded(afterLists, beforeLists), fields: ruleFields}
	for _, w := range append(reverse.direct(after, before), changeWider(kind, after.Change, before.Change)...) {
		w.Old, w.New = w.New, w.Old
		if !slices.ContainsFunc(all, func(d Difference) bool { return d.Rule == w.Rule && d.Field == w.Field }) {
			all = append(all, Difference{w, false})
		}
	}
	return all
}

// comparison compares a policy with another one: a child with its parent, or a changed
// policy with the one before.
type comparison struct {
	// of replaces the lists among the targets of the other policy and of this one.
	of     func(other, this []Target) (others, these []Target)
	fields []ruleField
}

// sameTargets keeps lists, which have the same entries in both policies.
func sameTargets(other, this []Target) (others, these []Target) { return other, this }

// expanded replaces lists by their entries.
func expanded(before, after Lists) func(other, this []Target) (others, these []Target) {
	expand := func(targets []Target, lists Lists) []Target {
		var all []Target
		for _, t := range targets {
			if t.List != "" {
				all = append(all, lists[t.List]...)
				continue
			}
			all = append(all, t)
		}
		return all
	}
	return func(other, this []Target) (others, these []Target) {
		return expand(other, before), expand(this, after)
	}
}

// subset reports whether each of the targets is one of the others. Labels do not count.
func subset(targets, others []Target) bool {
	known := make(map[Target]bool, len(others))
	upTo := map[string]uint32{} // by descriptor
	for _, t := range others {
		t.Label = ""
		known[t] = true
		upTo[t.Descriptor] = max(upTo[t.Descriptor], t.UpTo)
	}
	return !slices.ContainsFunc(targets, func(t Target) bool {
		t.Label = ""
		return !known[t] && (t.Descriptor == "" || t.UpTo > upTo[t.Descriptor])
	})
}

func (c *comparison) narrower(child, parent Policy) []Wider {
	if child.permitsNothing() {
		return nil
	}
	wider := c.denyWider(parent, child)
	if parent.Allow == nil {
		return wider
	}
	if child.Allow == nil {
		return append(wider, Wider{Field: "allow", Old: allowText(parent)})
	}
	for i := range child.Allow {
		wider = append(wider, c.least(&child.Allow[i], parent.Allow)...)
	}
	return wider
}

func (p *Policy) permitsNothing() bool { return p.Allow != nil && len(p.Allow) == 0 }

// least returns the fields in which a rule is wider than the rule of others from which it
// differs in the fewest fields; of several, the one with the same name, then the first.
func (c *comparison) least(rule *Rule, others []Rule) []Wider {
	if len(others) == 0 {
		return []Wider{added(rule)}
	}
	var least []Wider
	for i := range others {
		wider := c.rule(&others[i], rule)
		if len(wider) == 0 {
			return nil
		}
		if i == 0 || len(wider) < len(least) || len(wider) == len(least) && others[i].Name == rule.Name {
			least = wider
		}
	}
	return least
}

// direct returns the fields in which a policy is wider than before, each compared with the
// same field before.
func (c *comparison) direct(before, after Policy) []Wider {
	if after.permitsNothing() {
		return nil
	}
	wider := c.denyWider(before, after)
	if before.Allow == nil {
		return wider
	}
	if after.Allow == nil {
		return append(wider, Wider{Field: "allow", Old: allowText(before)})
	}
	old := byName(before.Allow)
	for i := range after.Allow {
		rule := &after.Allow[i]
		if other := old[rule.Name]; other != nil {
			wider = append(wider, c.rule(other, rule)...)
			continue
		}
		wider = append(wider, added(rule))
	}
	return wider
}

// uncovered returns the requirements that payments can lose because a rule that asked for
// them was removed or tightened: of several rules, Evaluate takes the one with the fewest
// approvals. If that rule no longer covers a payment, another one with more approvals but
// without its delay, or with approvals of other members, can apply.
func (c *comparison) uncovered(before, after Policy) []Wider {
	if before.Allow == nil || after.Allow == nil {
		return nil
	}
	old := byName(before.Allow)
	reverse := comparison{fields: c.fields, of: func(other, this []Target) (others, these []Target) {
		these, others = c.of(this, other)
		return others, these
	}}
	var wider []Wider
	now := byName(after.Allow)
	for i := range before.Allow {
		gone := &before.Allow[i]
		if r := now[gone.Name]; r != nil && len(reverse.rule(r, gone)) == 0 {
			continue // it still covers at least the same payments, with at most the same requirements
		}
		for j := range after.Allow {
			rule := &after.Allow[j]
			if other := old[rule.Name]; rule.Name == gone.Name || other == nil || neverFirst(gone, other) {
				continue
			}
			for _, f := range requirementFields {
				if !f.narrower(c, gone, rule) {
					wider = append(wider, Wider{Rule: rule.Name, Field: f.name, Old: f.text(gone), New: f.text(rule)})
				}
			}
		}
	}
	return wider
}

// neverFirst reports whether Evaluate prefers another rule to a rule for every payment that
// both cover.
func neverFirst(rule, other *Rule) bool {
	var a, b Approvals
	if rule.Approvals != nil {
		a = *rule.Approvals
	}
	if other.Approvals != nil {
		b = *other.Approvals
	}
	more := a.Count > b.Count && a.Above == 0
	same := b.Count == 0 || a.Count >= b.Count && a.Above <= b.Above
	return more || same && rule.Delay > other.Delay
}

func byName(rules []Rule) map[string]*Rule {
	found := make(map[string]*Rule, len(rules))
	for i := range rules {
		found[rules[i].Name] = &rules[i]
	}
	return found
}

func (c *comparison) denyWider(other, this Policy) []Wider {
	others, these := c.of(other.Deny, this.Deny)
	if subset(others, these) {
		return nil
	}
	return []Wider{{Field: "deny", Old: targetsText(other.Deny), New: targetsText(this.Deny)}}
}

// targetsText returns targets in the form of the document; empty if they are missing.
func targetsText(targets []Target) string {
	if targets == nil {
		return ""
	}
	return jsonOf(func(w *writer) { w.targetItems(targets) })
}

func allowText(p Policy) string {
	return jsonOf(func(w *writer) { w.rules(p.Allow) })
}

func added(rule *Rule) Wider {
	return Wider{Rule: rule.Name, Field: "allow", New: jsonOf(func(w *writer) { w.rule(rule) })}
}

// rule returns the fields in which a rule is wider than another one.
func (c *comparison) rule(other, rule *Rule) []Wider {
	var wider []Wider
	for _, f := range c.fields {
		if !f.narrower(c, other, rule) {
			wider = append(wider, Wider{Rule: rule.Name, Field: f.name, Old: f.text(other), New: f.text(rule)})
		}
	}
	return wider
}

// ruleField compares one field of two rules.
type ruleField struct {
	name string
	// narrower reports whether a rule permits at most as much as another one, by this field.
	narrower func(c *comparison, other, rule *Rule) bool
	text     func(r *Rule) string // in the form of the document; empty if it is missing
}

// requirementFields are the fields that ask for something instead of limiting payments.
var requirementFields = []ruleField{
	{"approvals", func(_ *comparison, other, rule *Rule) bool { return approvalsNarrower(other.Approvals, rule.Approvals) }, func(r *Rule) string {
		if r.Approvals == nil {
			return ""
		}
		return jsonOf(func(w *writer) { w.approvals(r.Approvals) })
	}},
	{"delay", func(_ *comparison, other, rule *Rule) bool { return rule.Delay >= other.Delay }, func(r *Rule) string { return optionalDuration(r.Delay) }},
}

// ruleFields are all fields of a rule.
var ruleFields = append([]ruleField{
	{"to", toNarrower, func(r *Rule) string { return targetsText(r.To) }},
	atMost("max_payment_sat", func(r *Rule) *btc.Amount { return r.MaxPayment }, sats),
	atMost("max_recipients", func(r *Rule) *int { return r.MaxRecipients }, strconv.Itoa),
	{"windows", windowsNarrower, func(r *Rule) string {
		if len(r.Windows) == 0 {
			return ""
		}
		return jsonOf(func(w *writer) { w.windows(r.Windows) })
	}},
	atMost("fee.max_sat_vb", func(r *Rule) *btc.FeeRate { return r.Fee.MaxRate }, btc.FeeRate.String),
	atMost("fee.max_sat", func(r *Rule) *btc.Amount { return r.Fee.Max }, sats),
	atMost("fee.max_percent", func(r *Rule) *int { return r.Fee.MaxPercent }, strconv.Itoa),
	{"hours", func(_ *comparison, other, rule *Rule) bool { return hoursNarrower(other.Hours, rule.Hours) }, func(r *Rule) string {
		if r.Hours == nil {
			return ""
		}
		return jsonOf(func(w *writer) { w.hours(r.Hours) })
	}},
	{"coins.confirmations", func(_ *comparison, other, rule *Rule) bool { return rule.Confirmations >= other.Confirmations }, func(r *Rule) string {
		if r.Confirmations == 0 {
			return ""
		}
		return strconv.Itoa(r.Confirmations)
	}},
	{"keep_at_least_sat", func(_ *comparison, other, rule *Rule) bool {
		return other.KeepAtLeast == nil || rule.KeepAtLeast != nil && *rule.KeepAtLeast >= *other.KeepAtLeast
	}, func(r *Rule) string { return optional(r.KeepAtLeast, sats) }},
}, requirementFields...)

// atMost returns a field that is an upper limit.
func atMost[N cmp.Ordered](name string, of func(r *Rule) *N, text func(N) string) ruleField {
	return ruleField{name, func(_ *comparison, other, rule *Rule) bool {
		limit, n := of(other), of(rule)
		return limit == nil || n != nil && *n <= *limit
	}, func(r *Rule) string { return optional(of(r), text) }}
}

func optional[N any](n *N, text func(N) string) string {
	if n == nil {
		return ""
	}
	return text(*n)
}

func optionalDuration(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return durationText(d)
}

func toNarrower(c *comparison, other, rule *Rule) bool {
	if other.To == nil || rule.To != nil && len(rule.To) == 0 {
		return true
	}
	if rule.To == nil || len(other.To) == 0 {
		return false
	}
	others, these := c.of(other.To, rule.To)
	return subset(these, others)
}

// windowsNarrower reports whether each limit of the other rule's windows follows from a
// window of the rule that is at least as long.
func windowsNarrower(_ *comparison, other, rule *Rule) bool {
	for _, o := range other.Windows {
		amount, count := o.MaxSat == nil, o.MaxCount == nil
		for _, w := range rule.Windows {
			if w.Per < o.Per {
				continue
			}
			amount = amount || w.MaxSat != nil && *w.MaxSat <= *o.MaxSat
			count = count || w.MaxCount != nil && *w.MaxCount <= *o.MaxCount
		}
		if !amount || !count {
			return false
		}
	}
	return true
}

// hoursNarrower reports whether the hours are within the other ones. Hours of different
// zones are not compared.
func hoursNarrower(other, hours *Hours) bool {
	if other == nil {
		return true
	}
	if hours == nil || hours.Zone.String() != other.Zone.String() || hours.From < other.From || hours.To > other.To {
		return false
	}
	if other.Days == nil {
		return true
	}
	days := hours.Days
	if days == nil {
		days = []time.Weekday{0, 1, 2, 3, 4, 5, 6}
	}
	return !slices.ContainsFunc(days, func(d time.Weekday) bool { return !slices.Contains(other.Days, d) })
}

// approvalsNarrower reports whether every payment requires at least the other approvals.
func approvalsNarrower(other, a *Approvals) bool {
	if other == nil {
		return true
	}
	return a != nil && a.Count >= other.Count && a.Above <= other.Above &&
		(a.NotProposer || !other.NotProposer) && include(other.Groups(), a.Groups())
}

// changeWider returns the fields in which the conditions of changes ask for less than before.
func changeWider(kind Kind, before, after *Change) []Wider {
	if before == nil {
		return nil
	}
	if after == nil {
		after = &Change{}
	}
	var wider []Wider
	if after.Approvals < before.Approvals {
		wider = append(wider, Wider{Field: "change.approvals", Old: strconv.Itoa(before.Approvals), New: strconv.Itoa(after.Approvals)})
	}
	if before.Approvals > 0 && !include(before.Groups(kind), after.Groups(kind)) {
		text := func(c *Change) string { return jsonOf(func(w *writer) { w.groupItems(c.Groups(kind)) }) }
		wider = append(wider, Wider{Field: "change.of", Old: text(before), New: text(after)})
	}
	if after.Delay < before.Delay {
		wider = append(wider, Wider{Field: "change.delay", Old: optionalDuration(before.Delay), New: optionalDuration(after.Delay)})
	}
	return wider
}
