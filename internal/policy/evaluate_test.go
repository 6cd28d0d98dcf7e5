package policy

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/btc"
)

var monday = time.Date(2026, time.November, 30, 12, 0, 0, 0, time.UTC)

// evaluate evaluates a payment under one policy, given as the fields of its document.
func evaluate(t *testing.T, document string, change func(p *Payment), usage charges) Decision {
	t.Helper()
	p, err := ParseStored(Wallet, []byte(document))
	if err != nil {
		t.Fatal(err)
	}
	pay := Payment{
		WalletID: "wallet", Network: btc.Main, Outputs: []Output{{Address: "supplier", Amount: 1000}}, Fee: 10, FeeRate: 1000, Confirmations: 6,
		Remaining: 100_000, At: monday,
	}
	if change != nil {
		change(&pay)
	}
	lists := Lists{"suppliers": {{Address: "supplier"}, {WalletID: "w-2"}}}
	d, err := NewEvaluator().Evaluate(pay, []Layer{{Kind: Wallet, Subject: "s", Policy: p, Lists: lists}}, usage)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// summary returns the refusals of a decision, one a line.
func (d Decision) summary() string {
	lines := make([]string, len(d.Refusals))
	for i, r := range d.Refusals {
		lines[i] = strings.TrimSpace(fmt.Sprintf("%s %s", r.Rule, r.Field))
		if r.Limit != "" {
			lines[i] += " limit " + r.Limit
		}
		if r.Used != "" {
			lines[i] += " used " + r.Used
		}
		if !r.FreesAt.IsZero() {
			lines[i] += " frees " + r.FreesAt.UTC().Format("2006-01-02T15:04:05Z")
		}
	}
	return strings.Join(lines, "\n")
}

func outputs(list ...Output) func(p *Payment) { return func(p *Payment) { p.Outputs = list } }

func TestEvaluate_Fields(t *testing.T) {
	payTwo := outputs(Output{Address: "supplier", Amount: 600}, Output{Address: "other", Amount: 400})
	tests := []struct {
		name, rule string
		change     func(p *Payment)
		want       string
	}{
		{"no limit", ``, nil, ""},
		{"no recipients", `"to": []`, nil, "a to limit []"},
		{"no recipients, only change", `"to": []`, outputs(), "a to limit []"},
		{"only change", `"to": [{"address": "x"}]`, outputs(), ""},
		{"address", `"to": [{"address": "supplier"}]`, nil, ""},
		{"another address", `"to": [{"address": "x"}]`, nil, "a to"},
		{"one of two recipients", `"to": [{"address": "supplier"}]`, payTwo, "a to"},
		{"two recipients of two targets", `"to": [{"address": "supplier"}, {"address": "other"}]`, payTwo, ""},
		{"same recipient twice", `"to": [{"address": "supplier"}]`, outputs(Output{Address: "supplier", Amount: 1}, Output{Address: "supplier", Amount: 2}), ""},
		{"list", `"to": [{"list": "suppliers"}]`, nil, ""},
		{"wallet in a list", `"to": [{"list": "suppliers"}]`, outputs(Output{Address: "x", WalletIDs: []string{"w-1", "w-2"}}), ""},
		{"unknown list", `"to": [{"list": "staff"}]`, nil, "a to"},
		{"wallet", `"to": [{"wallet": "w-1"}]`, outputs(Output{Address: "x", WalletIDs: []string{"w-1"}}), ""},
		{"another wallet", `"to": [{"wallet": "w-1"}]`, outputs(Output{Address: "x", WalletIDs: []string{"w-2"}}), "a to"},
		{"descriptor", `"to": [{"descriptor": "` + wpkhDescriptor + `", "up_to": 3}]`, outputs(Output{Address: derived[2], Amount: 5}), ""},
		{"descriptor beyond its index", `"to": [{"descriptor": "` + wpkhDescriptor + `", "up_to": 2}]`, outputs(Output{Address: derived[2], Amount: 5}), "a to"},
		{"data", `"to": [{"address": "supplier"}, {"descriptor": "` + wpkhDescriptor + `", "up_to": 2}]`, outputs(Output{}), "a to"},
		{"data to any recipient", ``, outputs(Output{}), ""},
		{"payment at the limit", `"max_payment_sat": 1000`, payTwo, ""},
		{"payment over the limit", `"max_payment_sat": 999`, payTwo, "a max_payment_sat limit 999"},
		{"recipients at the limit", `"max_recipients": 2`, payTwo, ""},
		{"recipients over the limit", `"max_recipients": 1`, payTwo, "a max_recipients limit 1"},
		{"fee rate at the limit", `"fee": {"max_sat_vb": 1}`, nil, ""},
		{"fee rate over the limit", `"fee": {"max_sat_vb": 0.999}`, nil, "a fee.max_sat_vb limit 0.999"},
		{"fee at the limit", `"fee": {"max_sat": 10}`, nil, ""},
		{"fee over the limit", `"fee": {"max_sat": 9}`, nil, "a fee.max_sat limit 9"},
		{"confirmations at the limit", `"coins": {"confirmations": 6}`, nil, ""},
		{"confirmations below the limit", `"coins": {"confirmations": 7}`, nil, "a coins.confirmations limit 7"},
		{"rest at the limit", `"keep_at_least_sat": 100000`, nil, ""},
		{"rest below the limit", `"keep_at_least_sat": 100001`, nil, "a keep_at_least_sat limit 100001"},
		{
			"all fields at once", `"to": [{"address": "x"}], "max_payment_sat": 1, "max_recipients": 0, "windows": [{"per": "1h", "max_sat": 1, "max_count": 0}],
			"fee": {"max_sat_vb": 0.5, "max_sat": 1, "max_percent": 0}, "hours": {"zone": "UTC", "from": "13:00"}, "coins": {"confirmations": 7}, "keep_at_least_sat": 100001`, nil,
			"a to\na max_payment_sat limit 1\na max_recipients limit 0\na fee.max_sat_vb limit 0.5\na fee.max_sat limit 1\na fee.max_percent limit 0\n" +
				`a hours limit {"zone":"UTC","from":"13:00","to":"24:00"} frees 2026-11-30T13:00:00Z` +
				"\na coins.confirmations limit 7\na keep_at_least_sat limit 100001\na windows[0].max_sat limit 1 used 0\na windows[0].max_count limit 0 used 0",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			d := evaluate(t, inRule(strings.TrimPrefix(test.rule+`, "approvals": {"count": 1}`, ", ")), test.change, nil)
			if got := d.summary(); got != test.want {
				t.Errorf("got:\n%s\nwant:\n%s", got, test.want)
			}
			if permitted := len(d.Charges) == 1 && len(d.Required) == 1; permitted != (test.want == "") {
				t.Errorf("got %+v", d)
			}
		})
	}
}

func TestEvaluate_FeePercent(t *testing.T) {
	tests := []struct {
		fee     btc.Amount
		percent int
		amounts []btc.Amount
		ok      bool
	}{
		{20, 2, []btc.Amount{1000}, true},
		{21, 2, []btc.Amount{1000}, false},
		{20, 2, []btc.Amount{999}, false}, // 2.002 %
		{19, 2, []btc.Amount{999}, true},  // 1.902 %
		{20, 2, []btc.Amount{500, 499, 1}, true},
		{0, 0, []btc.Amount{1000}, true},
		{1, 0, []btc.Amount{1000}, false},
		{1, 1, []btc.Amount{99}, false},
		{1, 1, []btc.Amount{100}, true},
		{0, 5, []btc.Amount{0}, true},
		{1, 100, []btc.Amount{0}, false},
		{1, 100, []btc.Amount{1}, true},
		{btc.MaxMoney, 100, []btc.Amount{btc.MaxMoney}, true},
		{btc.MaxMoney, 99, []btc.Amount{btc.MaxMoney}, false},
		{btc.MaxMoney, 100, []btc.Amount{btc.MaxMoney - 1}, false},
		{math.MaxInt64, 100, []btc.Amount{math.MaxInt64, math.MaxInt64}, true},
		{math.MaxInt64, 99, []btc.Amount{math.MaxInt64, math.MaxInt64}, false},
		{100_000_000 * btc.BTC * 10, 60, []btc.Amount{1}, false},
		{100_000_000 * btc.BTC * 10, 3, []btc.Amount{math.MaxInt64}, true}, // the products differ in their upper halves
	}
	for _, test := range tests {
		t.Run(fmt.Sprint(test.fee, " ", test.percent, " ", test.amounts), func(t *testing.T) {
			d := evaluate(t, inRule(fmt.Sprintf(`"fee": {"max_percent": %d}`, test.percent)), func(p *Payment) {
				p.Outputs, p.Fee = nil, test.fee
				for _, a := range test.amounts {
					p.Outputs = append(p.Outputs, Output{Amount: a})
				}
			}, nil)
			if (len(d.Refusals) == 0) != test.ok {
				t.Errorf("got %s", d.summary())
			}
		})
	}
}

func charge(at time.Time, amount btc.Amount) charged { return charged{Charge{"s", "a"}, at, amount} }

// TestEvaluate_WindowMessages shows that a refusal states the amount that is left, and whether waiting helps. It does
// not offer a lower amount, which another limit may not permit.
func TestEvaluate_WindowMessages(t *testing.T) {
	used := charges{charge(monday.Add(-time.Hour), 300)}
	tests := map[string]struct {
		window string
		usage  charges
		want   string
	}{
		"waiting helps":           {`"max_sat": 1010`, used, "Within 24 hours, at most 1010 sat including fees can be paid; 300 sat are used, so 710 sat are left, and this payment needs 1010 sat with its fee."},
		"waiting helps, all":      {`"max_sat": 1010`, charges{charge(monday.Add(-time.Hour), 1011)}, "Within 24 hours, at most 1010 sat including fees can be paid; 1011 sat are used, so 0 sat are left, and this payment needs 1010 sat with its fee."},
		"above the limit":         {`"max_sat": 1009`, nil, "Within 24 hours, at most 1009 sat including fees can be paid, and this payment alone needs 1010 sat with its fee. Waiting does not help."},
		"above the limit, used":   {`"max_sat": 1009`, used, "Within 24 hours, at most 1009 sat including fees can be paid; 300 sat are used, so 709 sat are left, and this payment alone needs 1010 sat with its fee. Waiting does not help."},
		"above the limit, all":    {`"max_sat": 200`, used, "Within 24 hours, at most 200 sat including fees can be paid; 300 sat are used, so 0 sat are left, and this payment alone needs 1010 sat with its fee. Waiting does not help."},
		"no amount":               {`"max_sat": 0`, used, "Within 24 hours, the rule permits no payments."},
		"number of payments":      {`"max_count": 1`, used, "Within 24 hours, the maximum number of payments is 1; used: 1."},
		"number of payments is 0": {`"max_count": 0`, used, "Within 24 hours, the rule permits no payments."},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			d := evaluate(t, inRule(`"windows": [{"per": "24h", `+test.window+`}]`), nil, test.usage)
			if len(d.Refusals) != 1 || d.Refusals[0].Message.String() != test.want {
				t.Fatalf("got %v", d.Refusals)
			}
		})
	}
}

func TestEvaluate_Windows(t *testing.T) {
	ago := func(d time.Duration) time.Time { return monday.Add(-d) }
	const hour = time.Hour
	tests := []struct {
		name, windows string
		usage         charges
		want          string
	}{
		{"unused", `{"per": "24h", "max_sat": 1010}`, nil, ""},
		{"fee counts", `{"per": "24h", "max_sat": 1009}`, nil, "a windows[0].max_sat limit 1009 used 0"},
		{"used up to the limit", `{"per": "24h", "max_sat": 2000}`, charges{charge(ago(hour), 990)}, ""},
		{"used over the limit", `{"per": "24h", "max_sat": 2000}`, charges{charge(ago(hour), 991)}, "a windows[0].max_sat limit 2000 used 991 frees 2026-12-01T11:00:00Z"},
		{"charge at the start of the window", `{"per": "24h", "max_sat": 2000}`, charges{charge(ago(24*hour), 2000)}, ""},
		{"charge a second after the start", `{"per": "24h", "max_sat": 2000}`, charges{charge(ago(24*hour-time.Second), 2000)}, "a windows[0].max_sat limit 2000 used 2000 frees 2026-11-30T12:00:01Z"},
		{"charge in the future", `{"per": "24h", "max_sat": 2000}`, charges{charge(ago(-hour), 2000)}, "a windows[0].max_sat limit 2000 used 2000 frees 2026-12-01T13:00:00Z"},
		{
			"frees after two of three", `{"per": "24h", "max_sat": 2000}`,
			charges{charge(ago(3*hour), 300), charge(ago(2*hour), 300), charge(ago(hour), 900)},
			"a windows[0].max_sat limit 2000 used 1500 frees 2026-12-01T10:00:00Z",
		},
		{"never", `{"per": "24h", "max_sat": 1000}`, charges{charge(ago(hour), 1)}, "a windows[0].max_sat limit 1000 used 1"},
		{"count at the limit", `{"per": "24h", "max_count": 2}`, charges{charge(ago(hour), 1)}, ""},
		{"count over the limit", `{"per": "24h", "max_count": 2}`, charges{charge(ago(2*hour), 1), charge(ago(hour), 1)}, "a windows[0].max_count limit 2 used 2 frees 2026-12-01T10:00:00Z"},
		{"count far over the limit", `{"per": "24h", "max_count": 1}`, charges{charge(ago(2*hour), 1), charge(ago(hour), 1)}, "a windows[0].max_count limit 1 used 2 frees 2026-12-01T11:00:00Z"},
		{
			"two windows", `{"per": "1h", "max_sat": 1500, "max_count": 1}, {"per": "7d", "max_count": 2}`,
			charges{charge(ago(25*hour), 1), charge(ago(hour/2), 900)},
			"a windows[0].max_sat limit 1500 used 900 frees 2026-11-30T12:30:00Z\na windows[0].max_count limit 1 used 1 frees 2026-11-30T12:30:00Z\na windows[1].max_count limit 2 used 2 frees 2026-12-06T11:00:00Z",
		},
		{"other rules and subjects", `{"per": "24h", "max_count": 1}`, charges{{Charge{"s", "b"}, ago(hour), 1}, {Charge{"t", "a"}, ago(hour), 1}}, ""},
		{"overflow", `{"per": "24h", "max_sat": 2100000000000000}`, charges{charge(ago(hour), math.MaxInt64)}, "a windows[0].max_sat limit 2100000000000000 used 9223372036854775807 frees 2026-12-01T11:00:00Z"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			document := inRule(`"windows": [` + test.windows + `]`)
			d := evaluate(t, document, nil, test.usage)
			if got := d.summary(); got != test.want {
				t.Fatalf("got:\n%s\nwant:\n%s", got, test.want)
			}
			// FreesAt is exact: at that time, the field permits the payment, and not a second before.
			for _, r := range d.Refusals {
				if r.FreesAt.IsZero() {
					continue
				}
				for _, shift := range []time.Duration{0, -time.Second} {
					then := evaluate(t, document, func(p *Payment) { p.At = r.FreesAt.Add(shift) }, test.usage)
					refused := slices.ContainsFunc(then.Refusals, func(other Refusal) bool { return other.Field == r.Field })
					if refused != (shift < 0) {
						t.Errorf("%s at %s: refused %t", r.Field, r.FreesAt.Add(shift), refused)
					}
				}
			}
		})
	}
}

// While the clock is in doubt, nothing leaves a window.
func TestEvaluate_ClockInDoubt(t *testing.T) {
	document := inRule(`"windows": [{"per": "1h", "max_count": 1}]`)
	usage := charges{charge(monday.Add(-30*time.Minute), 1)}
	tests := []struct {
		name        string
		at, trusted time.Time
		permitted   bool
	}{
		{"clock is trusted", monday.Add(30 * time.Minute), time.Time{}, true},
		{"clock jumped ahead", monday.Add(48 * time.Hour), monday, false},
		{"clock jumped back", monday.Add(-48 * time.Hour), monday, false},
		{"clock jumped back within the window", monday, monday.Add(time.Hour), false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			d := evaluate(t, document, func(p *Payment) { p.At, p.TrustedAt = test.at, test.trusted }, usage)
			if (len(d.Refusals) == 0) != test.permitted {
				t.Errorf("got %s", d.summary())
			}
		})
	}
}

// While the clock is in doubt, hours must include also the last trusted time.
func TestEvaluate_HoursInDoubt(t *testing.T) {
	document := inRule(`"hours": {"zone": "UTC", "from": "10:00", "to": "12:00"}`)
	inside, outside := monday.Truncate(24*time.Hour).Add(11*time.Hour), monday.Truncate(24*time.Hour).Add(15*time.Hour)
	tests := []struct {
		name        string
		at, trusted time.Time
		permitted   bool
	}{
		{"clock is trusted", inside, time.Time{}, true},
		{"clock jumped within the hours", inside, inside.Add(30 * time.Minute), true},
		{"clock jumped into the hours", inside, outside, false},
		{"clock jumped out of the hours", outside, inside, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			d := evaluate(t, document, func(p *Payment) { p.At, p.TrustedAt = test.at, test.trusted }, charges{})
			if (len(d.Refusals) == 0) != test.permitted {
				t.Errorf("got %s", d.summary())
			}
		})
	}
}

func TestEvaluate_Choice(t *testing.T) {
	rules := func(rules ...string) string { return `{"version": 1, "allow": [` + strings.Join(rules, ",") + `]}` }
	tests := []struct {
		name, document string
		usage          charges
		rule           string
		required       int
		delay          time.Duration
	}{
		{"fewest approvals", rules(`{"name": "a", "approvals": {"count": 2}}`, `{"name": "b", "approvals": {"count": 1}, "delay": "1h"}`), nil, "b", 1, time.Hour},
		{"approvals above an amount", rules(`{"name": "a", "approvals": {"count": 2, "above_sat": 1000}, "delay": "2h"}`, `{"name": "b", "approvals": {"count": 1, "above_sat": 999}}`), nil, "a", 0, 2 * time.Hour},
		{"shortest delay", rules(`{"name": "a", "delay": "2h"}`, `{"name": "b", "delay": "1h"}`), nil, "b", 0, time.Hour},
		{"byte order", rules(`{"name": "b"}`, `{"name": "a"}`), nil, "a", 0, 0},
		{"upper case first", rules(`{"name": "b"}`, `{"name": "C"}`), nil, "C", 0, 0},
		{"the window of the first is full", rules(`{"name": "a", "windows": [{"per": "1h", "max_count": 1}]}`, `{"name": "b", "approvals": {"count": 1}}`), charges{charge(monday, 1)}, "b", 1, 0},
		{"the first does not cover it", rules(`{"name": "a", "max_payment_sat": 1}`, `{"name": "b", "delay": "1h"}`), nil, "b", 0, time.Hour},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			d := evaluate(t, test.document, nil, test.usage)
			if len(d.Refusals) > 0 || len(d.Charges) != 1 || d.Charges[0] != (Charge{"s", test.rule}) || d.Delay != test.delay {
				t.Fatalf("got %+v", d)
			}
			if test.required == 0 && len(d.Required) > 0 || test.required > 0 && (len(d.Required) != 1 || d.Required[0].Count != test.required || d.Required[0].Rule != test.rule) {
				t.Errorf("got %+v", d.Required)
			}
		})
	}
}

func TestEvaluate_WholePolicy(t *testing.T) {
	tests := []struct{ name, document, want string }{
		{"empty", `{"version": 1}`, ""},
		{"no rules", `{"version": 1, "allow": []}`, "allow limit []"},
		{"denied", `{"version": 1, "deny": [{"address": "x"}, {"list": "suppliers"}]}`, `deny[1] limit {"list":"suppliers"}`},
		{"denied and permitted", `{"version": 1, "allow": [{"name": "a"}], "deny": [{"address": "supplier"}]}`, `deny[0] limit {"address":"supplier"}`},
		{
			"two rules", `{"version": 1, "allow": [{"name": "a", "to": []}, {"name": "b", "max_payment_sat": 1, "max_recipients": 0}]}`,
			"a to limit []\nb max_payment_sat limit 1\nb max_recipients limit 0",
		},
		// One rule must cover the whole payment.
		{"two half rules", `{"version": 1, "allow": [{"name": "a", "max_payment_sat": 1}, {"name": "b", "fee": {"max_sat": 0}}]}`, "a max_payment_sat limit 1\nb fee.max_sat limit 0"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := evaluate(t, test.document, nil, nil).summary(); got != test.want {
				t.Errorf("got:\n%s\nwant:\n%s", got, test.want)
			}
		})
	}
}

func TestEvaluate_Layers(t *testing.T) {
	layer := func(kind Kind, subject, document string) Layer {
		p, err := ParseStored(kind, []byte(document))
		if err != nil {
			t.Fatal(err)
		}
		return Layer{Kind: kind, Subject: subject, Policy: p}
	}
	pay := Payment{Outputs: []Output{{Address: "x", Amount: 100}}, At: monday}
	layers := []Layer{
		layer(Server, "server", `{"version": 1, "deny": [{"address": "y"}]}`),
		layer(Wallet, "wallet:1", inRule(`"delay": "1h", "approvals": {"count": 1}`)),
		layer(Token, "token:1", inRule(`"delay": "2h", "max_payment_sat": 100`)),
		layer(Token, "token:2", inRule(`"approvals": {"count": 2, "of": ["user:bob"]}`)),
	}
	d, err := NewEvaluator().Evaluate(pay, layers, charges{})
	if err != nil || len(d.Refusals) > 0 {
		t.Fatal(d, err)
	}
	if want := []Charge{{"wallet:1", "a"}, {"token:1", "a"}, {"token:2", "a"}}; !slices.Equal(d.Charges, want) || d.Delay != 2*time.Hour {
		t.Errorf("got %+v", d)
	}
	if len(d.Required) != 2 || d.Required[0].Kind != Wallet || d.Required[0].Count != 1 || d.Required[1].Subject != "token:2" || d.Required[1].Count != 2 {
		t.Errorf("got %+v", d.Required)
	}
	pay.Outputs = []Output{{Address: "y", Amount: 101}}
	if d, err = NewEvaluator().Evaluate(pay, layers, charges{}); err != nil || len(d.Refusals) != 2 {
		t.Fatal(d, err)
	}
	if a, b := d.Refusals[0], d.Refusals[1]; a.Kind != Server || a.Subject != "server" || b.Kind != Token || b.Subject != "token:1" || b.Field != "max_payment_sat" {
		t.Errorf("got %+v", d.Refusals)
	}
}

func TestEvaluate_Negative(t *testing.T) {
	for _, pay := range []Payment{{Fee: -1}, {Outputs: []Output{{Amount: 5}, {Amount: -1}}}} {
		if d, err := NewEvaluator().Evaluate(pay, nil, charges{}); err == nil {
			t.Errorf("%+v: got %+v", pay, d)
		}
	}
}

func TestRecheck(t *testing.T) {
	p, err := ParseStored(Wallet, []byte(inRule(`"to": [], "max_payment_sat": 0, "windows": [{"per": "1h", "max_count": 0}], "fee": {"max_sat": 0}, "delay": "1h", "approvals": {"count": 1},
		"hours": {"zone": "UTC", "days": ["mon"], "to": "12:00"}, "coins": {"confirmations": 2}, "keep_at_least_sat": 10`)))
	if err != nil {
		t.Fatal(err)
	}
	sameName := Policy{Allow: []Rule{{Name: "a"}}}
	layers := []Layer{{Kind: Server, Subject: "server", Policy: sameName}, {Kind: Wallet, Subject: "s", Policy: p}, {Kind: Member, Subject: "m", Policy: sameName}}
	pay := Payment{Outputs: []Output{{Address: "x", Amount: 100}}, Fee: 1, At: monday.Add(-time.Second), Confirmations: 2, Remaining: 10}
	e := NewEvaluator()
	if d, err := e.Recheck(pay, layers, []Charge{{"s", "a"}}); err != nil || len(d.Refusals) > 0 {
		t.Errorf("got %s, %v", d.summary(), err)
	}
	pay.At, pay.Confirmations, pay.Remaining = monday, 1, 9
	d, err := e.Recheck(pay, layers, []Charge{{"s", "a"}})
	if want := `a hours limit {"zone":"UTC","days":["mon"],"from":"00:00","to":"12:00"} frees 2026-12-07T00:00:00Z` + "\na coins.confirmations limit 2\na keep_at_least_sat limit 10"; err != nil || d.summary() != want {
		t.Errorf("got:\n%s, %v", d.summary(), err)
	}
	if _, err := e.Recheck(pay, layers, []Charge{{"s", "b"}}); err == nil {
		t.Error("no error for a charge without its rule")
	}
}
