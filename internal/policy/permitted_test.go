package policy

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/btc"
)

// layersOf returns one layer for each list of rules, with the subjects "s0", "s1" and so on.
func layersOf(t *testing.T, rules ...string) []Layer {
	t.Helper()
	layers := make([]Layer, len(rules))
	for i, list := range rules {
		p, err := ParseStored(Wallet, []byte(`{"version": 1, `+list+`}`))
		if err != nil {
			t.Fatal(err)
		}
		layers[i] = Layer{Kind: Wallet, Subject: fmt.Sprint("s", i), Policy: p}
	}
	return layers
}

func TestEvaluate_PermittedAt(t *testing.T) {
	allow := func(rules ...string) string { return `"allow": [` + strings.Join(rules, ", ") + `]` }
	spent := func(layer int, rule string, hoursAgo int, amount btc.Amount) charged {
		return charged{Charge{fmt.Sprint("s", layer), rule}, monday.Add(-time.Duration(hoursAgo) * time.Hour), amount}
	}
	tests := map[string]struct {
		layers []string
		usage  charges
		want   string // hours from noon on Monday, 30 November; "" for no time
	}{
		"one window":                          {[]string{allow(`{"name": "a", "windows": [{"per": "24h", "max_sat": 2000}]}`)}, charges{spent(0, "a", 1, 1500)}, "23h"},
		"two windows, the longer one is last": {[]string{allow(`{"name": "a", "windows": [{"per": "24h", "max_sat": 2000}, {"per": "7d", "max_sat": 3000}]}`)}, charges{spent(0, "a", 1, 1500), spent(0, "a", 30, 1500)}, "138h"},
		"two windows, the shorter one is last": {
			[]string{allow(`{"name": "a", "windows": [{"per": "24h", "max_sat": 1100}, {"per": "7d", "max_sat": 2700}]}`)},
			charges{spent(0, "a", 1, 800), spent(0, "a", 160, 1000)},
			"23h",
		},
		"amount and count of one window": {
			[]string{allow(`{"name": "a", "windows": [{"per": "24h", "max_sat": 1500, "max_count": 2}]}`)},
			charges{spent(0, "a", 20, 1), spent(0, "a", 2, 1000)},
			"22h",
		},
		"the amount never fits": {[]string{allow(`{"name": "a", "windows": [{"per": "24h", "max_count": 1}, {"per": "7d", "max_sat": 1000}]}`)}, charges{spent(0, "a", 1, 1)}, ""},
		"the count is zero":     {[]string{allow(`{"name": "a", "windows": [{"per": "24h", "max_sat": 2000, "max_count": 0}]}`)}, charges{spent(0, "a", 1, 1500)}, ""},
		"another field refuses": {[]string{allow(`{"name": "a", "max_payment_sat": 999, "windows": [{"per": "24h", "max_sat": 2000}]}`)}, charges{spent(0, "a", 1, 1500)}, ""},
		"a recipient is denied": {[]string{allow(`{"name": "a", "windows": [{"per": "24h", "max_sat": 2000}]}`) + `, "deny": [{"address": "supplier"}]`}, charges{spent(0, "a", 1, 1500)}, ""},
		"the earlier of two rules": {
			[]string{allow(`{"name": "a", "windows": [{"per": "24h", "max_sat": 2000}]}`, `{"name": "b", "windows": [{"per": "2h", "max_count": 1}]}`)},
			charges{spent(0, "a", 1, 1500), spent(0, "b", 1, 1)},
			"1h",
		},
		"the rule that frees first never permits it": {
			[]string{allow(`{"name": "a", "windows": [{"per": "24h", "max_sat": 2000}]}`, `{"name": "b", "max_payment_sat": 1, "windows": [{"per": "2h", "max_count": 1}]}`)},
			charges{spent(0, "a", 1, 1500), spent(0, "b", 1, 1)},
			"23h",
		},
		"two layers": {
			[]string{allow(`{"name": "a", "windows": [{"per": "24h", "max_sat": 2000}]}`), allow(`{"name": "a", "windows": [{"per": "7d", "max_count": 1}]}`)},
			charges{spent(0, "a", 1, 1500), spent(1, "a", 1, 1)},
			"167h",
		},
		"another layer never permits it": {
			[]string{allow(`{"name": "a", "windows": [{"per": "24h", "max_sat": 2000}]}`), allow(`{"name": "a", "windows": [{"per": "7d", "max_sat": 1000}]}`)},
			charges{spent(0, "a", 1, 1500)},
			"",
		},
		"the window frees at night": {[]string{allow(`{"name": "a", "windows": [{"per": "8h", "max_sat": 2000}], "hours": {"zone": "UTC", "from": "08:00", "to": "18:00"}}`)}, charges{spent(0, "a", 1, 1500)}, "20h"},
		"the window of a layer frees after the hours of another": {
			[]string{allow(`{"name": "a", "hours": {"zone": "UTC", "from": "08:00", "to": "18:00"}}`), allow(`{"name": "a", "windows": [{"per": "8h", "max_sat": 2000}]}`)},
			charges{spent(1, "a", 1, 1500)},
			"20h",
		},
		"a rule that is not charged now permits it then": {
			[]string{allow(`{"name": "a", "hours": {"zone": "UTC", "from": "08:00", "to": "18:00"}}`, `{"name": "b", "approvals": {"count": 1}}`), allow(`{"name": "a", "windows": [{"per": "8h", "max_sat": 2000}]}`)},
			charges{spent(1, "a", 1, 1500)},
			"7h",
		},
		"hours of two layers": {
			[]string{allow(`{"name": "a", "hours": {"zone": "UTC", "days": ["tue", "fri"], "to": "12:00"}}`), allow(`{"name": "a", "hours": {"zone": "UTC", "days": ["wed", "fri"], "from": "10:00"}}`)},
			nil, "94h",
		},
		"hours that never meet": {
			[]string{allow(`{"name": "a", "hours": {"zone": "UTC", "to": "10:00"}}`), allow(`{"name": "a", "hours": {"zone": "UTC", "from": "10:00"}}`)},
			nil, "",
		},
		"hours that meet only in summer": {
			[]string{allow(`{"name": "a", "hours": {"zone": "UTC", "from": "06:00", "to": "07:00"}}`), allow(`{"name": "a", "hours": {"zone": "Europe/Zurich", "from": "08:00", "to": "09:00"}}`)},
			nil, "2826h", // 28 March 2027, 06:00
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			layers := layersOf(t, test.layers...)
			pay := Payment{Network: btc.Main, Outputs: []Output{{Address: "supplier", Amount: 1000}}, Fee: 10, At: monday}
			at := func(at time.Time) Decision {
				pay.At, pay.TrustedAt = at, at
				d, err := NewEvaluator().Evaluate(pay, layers, test.usage)
				if err != nil {
					t.Fatal(err)
				}
				return d
			}
			d := at(monday)
			if len(d.Refusals) == 0 {
				t.Fatal("the payment is permitted")
			}
			var want time.Time
			if test.want != "" {
				after, err := time.ParseDuration(test.want)
				if err != nil {
					t.Fatal(err)
				}
				want = monday.Add(after)
			}
			if !d.PermittedAt.Equal(want) {
				t.Fatalf("permitted from %s, want %s\n%s", d.PermittedAt, want, d.summary())
			}
			if want.IsZero() {
				return
			}
			if len(at(want).Refusals) > 0 || len(at(want.Add(-1)).Refusals) == 0 {
				t.Errorf("it is not exact: %s", at(want).summary())
			}
		})
	}
}

// PermittedAt is zero while the clock is in doubt, and after a payment that is permitted.
func TestEvaluate_PermittedAt_None(t *testing.T) {
	document := inRule(`"windows": [{"per": "24h", "max_count": 1}]`)
	used := charges{charge(monday.Add(-time.Hour), 1)}
	if d := evaluate(t, document, func(p *Payment) { p.TrustedAt = monday.Add(time.Hour) }, used); len(d.Refusals) == 0 || !d.PermittedAt.IsZero() {
		t.Errorf("the clock is in doubt: %s, %s", d.summary(), d.PermittedAt)
	}
	if d := evaluate(t, document, nil, nil); len(d.Refusals) > 0 || !d.PermittedAt.IsZero() {
		t.Errorf("permitted: %s, %s", d.summary(), d.PermittedAt)
	}
}

// timed returns layers whose rules often permit a payment at another time.
func (g generator) timed() []Layer {
	layers := make([]Layer, 1+g.IntN(3))
	for i := range layers {
		l := Layer{Kind: Wallet, Subject: fmt.Sprint("s", i), Policy: Policy{Allow: []Rule{}}}
		for _, name := range ruleNames[:1+g.IntN(len(ruleNames))] {
			from := g.rule(name)
			r := Rule{Name: name, Windows: from.Windows}
			if g.chance(40) {
				r.Hours = g.hours()
			}
			if g.chance(20) {
				r.MaxPayment = from.MaxPayment
			}
			l.Policy.Allow = append(l.Policy.Allow, r)
		}
		layers[i] = l
	}
	return layers
}

// TestEvaluate_PermittedAt_Model compares PermittedAt with the first hour at which the model permits
// the payment. Charges and hours of the generator begin and end with an hour, and all windows are
// free and all hours occur within 15 days.
func TestEvaluate_PermittedAt_Model(t *testing.T) {
	g, e := newGenerator(t), NewEvaluator()
	named, never := 0, 0
	for range samples() / 20 {
		layers, pay := g.timed(), g.payment()
		var usage charges
		for _, l := range layers {
			usage = append(usage, g.charges(l.Subject, pay.At)...)
		}
		permits := func(at time.Time) bool {
			p := pay
			p.At = at
			return !slices.ContainsFunc(layers, func(l Layer) bool { return modelChoice(&p, l.Policy, nil, usage.of(l.Subject)) == nil })
		}
		d, err := e.Evaluate(pay, layers, usage)
		if err != nil {
			t.Fatal(err)
		}
		var want time.Time
		for at := pay.At; want.IsZero() && at.Before(pay.At.Add(15*day)); at = at.Add(time.Hour) {
			if permits(at) {
				want = at
			}
		}
		if want.Equal(pay.At) {
			want = time.Time{} // permitted now
		}
		if !d.PermittedAt.Equal(want) || !want.IsZero() && permits(want.Add(-1)) {
			t.Fatalf("%+v\n%+v\n%v\n%s\ngot %s, want %s", layers, pay, usage, d.summary(), d.PermittedAt, want)
		}
		switch {
		case !want.IsZero():
			named++
		case len(d.Refusals) > 0:
			never++
		}
	}
	if named < samples()/200 || never < samples()/200 {
		t.Errorf("only %d times and %d without a time", named, never)
	}
}

// of returns the charges of a subject.
func (c charges) of(subject string) (found charges) {
	for _, x := range c {
		if x.Subject == subject {
			found = append(found, x)
		}
	}
	return found
}

// TestRecheck_PermittedAt checks that all rules that a payment was charged to permit it then.
func TestRecheck_PermittedAt(t *testing.T) {
	layers := layersOf(t,
		`"allow": [{"name": "a", "hours": {"zone": "UTC", "to": "11:00"}}, {"name": "b"}]`,
		`"allow": [{"name": "a", "hours": {"zone": "UTC", "days": ["wed"], "from": "10:00"}}]`,
		`"allow": [{"name": "a", "coins": {"confirmations": 1}}]`)
	pay := Payment{Outputs: []Output{{Address: "x", Amount: 100}}, At: monday}
	tests := map[string]struct {
		charges []Charge
		want    time.Time
	}{
		"hours":              {[]Charge{{"s0", "a"}}, monday.Add(12 * time.Hour)},
		"hours of two rules": {[]Charge{{"s0", "a"}, {"s1", "a"}}, monday.Add(46 * time.Hour)},
		"permitted now":      {[]Charge{{"s0", "b"}}, time.Time{}},
		"confirmations":      {[]Charge{{"s0", "a"}, {"s2", "a"}}, time.Time{}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if d, err := NewEvaluator().Recheck(pay, layers, test.charges); err != nil || !d.PermittedAt.Equal(test.want) {
				t.Errorf("got %s, %v, want %s", d.PermittedAt, err, test.want)
			}
		})
	}
}
