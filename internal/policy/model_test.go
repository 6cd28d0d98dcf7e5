package policy

import (
	"slices"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/btc"
)

// modelPermits decides whether a rule covers a payment, by the words of the documentation
// and without the code of Evaluate. It ignores windows.
func modelPermits(p *Payment, r *Rule, lists Lists) bool {
	var amount btc.Amount
	for _, o := range p.Outputs {
		amount += o.Amount
		if r.To != nil && !slices.ContainsFunc(r.To, func(t Target) bool { return modelMatches(t, o, lists) }) {
			return false
		}
	}
	hours := func() bool {
		local := p.At.In(r.Hours.Zone)
		clock := time.Duration(local.Hour())*time.Hour + time.Duration(local.Minute())*time.Minute
		return clock >= r.Hours.From && clock < r.Hours.To && (r.Hours.Days == nil || slices.Contains(r.Hours.Days, local.Weekday()))
	}
	return (r.To == nil || len(r.To) > 0) &&
		(r.MaxPayment == nil || amount <= *r.MaxPayment) &&
		(r.MaxRecipients == nil || len(p.Outputs) <= *r.MaxRecipients) &&
		(r.Fee.MaxRate == nil || p.FeeRate <= *r.Fee.MaxRate) &&
		(r.Fee.Max == nil || p.Fee <= *r.Fee.Max) &&
		(r.Fee.MaxPercent == nil || 100*int(p.Fee) <= *r.Fee.MaxPercent*int(amount)) &&
		(r.Hours == nil || hours()) &&
		p.Confirmations >= r.Confirmations &&
		(r.KeepAtLeast == nil || p.Remaining >= *r.KeepAtLeast)
}

func modelMatches(t Target, o Output, lists Lists) bool {
	switch {
	case t.List != "":
		return slices.ContainsFunc(lists[t.List], func(entry Target) bool { return modelMatches(entry, o, nil) })
	case t.Address != "":
		return t.Address == o.Address
	case t.WalletID != "":
		return slices.Contains(o.WalletIDs, t.WalletID)
	}
	i := slices.Index(descriptors, t.Descriptor)
	return slices.Contains(derived[3*i:3*i+int(t.UpTo)], o.Address)
}

// modelWindows decides whether a payment fits the windows of a rule.
func modelWindows(p *Payment, r *Rule, usage charges) bool {
	need := p.Fee
	for _, o := range p.Outputs {
		need += o.Amount
	}
	for _, w := range r.Windows {
		spent, count := need, 1
		for _, c := range usage {
			if c.Rule == r.Name && c.at.Add(w.Per).After(p.At) {
				spent += c.amount
				count++
			}
		}
		if w.MaxSat != nil && spent > *w.MaxSat || w.MaxCount != nil && count > *w.MaxCount {
			return false
		}
	}
	return true
}

// modelChoice returns the rule that decides, or nil.
func modelChoice(p *Payment, policy Policy, lists Lists, usage charges) *Rule {
	var chosen *Rule
	for i := range policy.Allow {
		r := &policy.Allow[i]
		if !modelPermits(p, r, lists) || !modelWindows(p, r, usage) {
			continue
		}
		if chosen == nil || modelAsksLess(p, r, chosen) {
			chosen = r
		}
	}
	return chosen
}

func modelApprovals(p *Payment, r *Rule) int {
	var amount btc.Amount
	for _, o := range p.Outputs {
		amount += o.Amount
	}
	if r.Approvals == nil || r.Approvals.Above > 0 && amount <= r.Approvals.Above {
		return 0
	}
	return r.Approvals.Count
}

func modelAsksLess(p *Payment, a, b *Rule) bool {
	if x, y := modelApprovals(p, a), modelApprovals(p, b); x != y {
		return x < y
	}
	if a.Delay != b.Delay {
		return a.Delay < b.Delay
	}
	return a.Name < b.Name
}

// Evaluate decides as the model does, and names at least one reason of every rule that
// does not permit a refused payment.
func TestEvaluate_Model(t *testing.T) {
	g, e := newGenerator(t), NewEvaluator()
	permits, refuses := 0, 0
	for range samples() {
		p, lists, pay := g.policy(), g.lists(), g.payment()
		usage := g.charges("s", pay.At)
		d, ok := permitted(t, e, pay, p, lists, usage)
		denied := slices.ContainsFunc(pay.Outputs, func(o Output) bool {
			return slices.ContainsFunc(p.Deny, func(t Target) bool { return modelMatches(t, o, lists) })
		})
		rule := modelChoice(&pay, p, lists, usage)
		want := !denied && (p.Allow == nil || rule != nil)
		if ok != want {
			t.Fatalf("%s %v\n%+v\n%v\ngot %+v, want %t", p.Canonical(), lists, pay, usage, d, want)
		}
		if !ok {
			refuses++
			checkRefusals(t, d, p, lists, pay, usage)
			continue
		}
		permits++
		if p.Allow == nil {
			if len(d.Charges)+len(d.Required) > 0 || d.Delay != 0 {
				t.Fatalf("got %+v", d)
			}
			continue
		}
		required := 0
		if len(d.Required) > 0 {
			required = d.Required[0].Count
		}
		if d.Charges[0] != (Charge{"s", rule.Name}) || d.Delay != rule.Delay || required != modelApprovals(&pay, rule) {
			t.Fatalf("%s %v\n%+v\n%v\ngot %+v, want rule %s", p.Canonical(), lists, pay, usage, d, rule.Name)
		}
	}
	if permits < samples()/10 || refuses < samples()/10 {
		t.Errorf("only %d permitted and %d refused", permits, refuses)
	}
}

// checkRefusals removes all limits that the refusals of a rule name: the model then permits
// the payment. It also compares the times at which windows and hours permit it.
func checkRefusals(t *testing.T, d Decision, p Policy, lists Lists, pay Payment, usage charges) {
	t.Helper()
	if modelChoice(&pay, p, lists, usage) != nil {
		return // a recipient is denied
	}
	for _, r := range p.Allow {
		without, named := r, 0
		without.Windows = slices.Clone(r.Windows)
		for _, refusal := range d.Refusals {
			if refusal.Rule == r.Name {
				removeField(&without, refusal.Field)
				named++
				checkFrees(t, r, refusal, pay, usage)
			}
		}
		if named == 0 || !modelPermits(&pay, &without, lists) || !modelWindows(&pay, &without, usage) {
			t.Fatalf("%s %v\n%+v\n%v\nrule %s: got %+v", p.Canonical(), lists, pay, usage, r.Name, d.Refusals)
		}
	}
}

func removeField(r *Rule, field string) {
	switch field {
	case "to":
		r.To = nil
	case "max_payment_sat":
		r.MaxPayment = nil
	case "max_recipients":
		r.MaxRecipients = nil
	case "fee.max_sat_vb":
		r.Fee.MaxRate = nil
	case "fee.max_sat":
		r.Fee.Max = nil
	case "fee.max_percent":
		r.Fee.MaxPercent = nil
	case "hours":
		r.Hours = nil
	case "coins.confirmations":
		r.Confirmations = 0
	case "keep_at_least_sat":
		r.KeepAtLeast = nil
	case "windows[0].max_sat":
		r.Windows[0].MaxSat = nil
	case "windows[0].max_count":
		r.Windows[0].MaxCount = nil
	case "windows[1].max_sat":
		r.Windows[1].MaxSat = nil
	case "windows[1].max_count":
		r.Windows[1].MaxCount = nil
	}
}

// checkFrees checks that a limit alone permits the payment at FreesAt, and not a
// nanosecond before; and never if FreesAt is zero.
func checkFrees(t *testing.T, r Rule, refusal Refusal, pay Payment, usage charges) {
	t.Helper()
	only := Rule{Name: r.Name}
	switch refusal.Field {
	case "hours":
		only.Hours = r.Hours
	case "windows[0].max_sat":
		only.Windows = []Window{{Per: r.Windows[0].Per, MaxSat: r.Windows[0].MaxSat}}
	case "windows[0].max_count":
		only.Windows = []Window{{Per: r.Windows[0].Per, MaxCount: r.Windows[0].MaxCount}}
	case "windows[1].max_sat":
		only.Windows = []Window{{Per: r.Windows[1].Per, MaxSat: r.Windows[1].MaxSat}}
	case "windows[1].max_count":
		only.Windows = []Window{{Per: r.Windows[1].Per, MaxCount: r.Windows[1].MaxCount}}
	default:
		if !refusal.FreesAt.IsZero() {
			t.Fatalf("%s frees at %s", refusal.Field, refusal.FreesAt)
		}
		return
	}
	at := func(at time.Time) bool {
		pay.At = at
		return modelPermits(&pay, &only, nil) && modelWindows(&pay, &only, usage)
	}
	if refusal.FreesAt.IsZero() {
		if at(pay.At.Add(400 * day)) {
			t.Fatalf("%+v: %s never frees", only, refusal.Field)
		}
		return
	}
	if !refusal.FreesAt.After(pay.At) || !at(refusal.FreesAt) || at(refusal.FreesAt.Add(-1)) {
		t.Fatalf("%+v\n%+v\n%v\ngot %+v", only, pay, usage, refusal)
	}
}

// However payments follow each other, no window of any rule is ever exceeded.
func TestEvaluate_Sequences(t *testing.T) {
	g, e := newGenerator(t), NewEvaluator()
	for range samples() / 200 {
		p, lists := g.policy(), g.lists()
		var usage charges
		now := monday
		for range 60 {
			now = now.Add(time.Duration(g.IntN(6*3600)) * time.Second)
			pay := g.payment()
			pay.At = now
			d, ok := permitted(t, e, pay, p, lists, usage)
			if !ok || p.Allow == nil {
				continue
			}
			amount := pay.Fee
			for _, o := range pay.Outputs {
				amount += o.Amount
			}
			usage = append(usage, charged{d.Charges[0], now, amount})
		}
		for _, r := range p.Allow {
			for _, w := range r.Windows {
				checkWindow(t, r, w, usage)
			}
		}
	}
}

// checkWindow checks each window that ends with a charge.
func checkWindow(t *testing.T, r Rule, w Window, usage charges) {
	t.Helper()
	for _, last := range usage {
		var spent Spent
		for _, c := range usage {
			if c.Rule == r.Name && !c.at.After(last.at) && c.at.After(last.at.Add(-w.Per)) {
				spent.Amount += c.amount
				spent.Count++
			}
		}
		if w.MaxSat != nil && spent.Amount > *w.MaxSat || w.MaxCount != nil && spent.Count > *w.MaxCount {
			t.Fatalf("rule %s, window %+v: %+v until %s", r.Name, w, spent, last.at)
		}
	}
}
