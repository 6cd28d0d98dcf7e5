package policy

import (
	"fmt"
	"strings"
	"testing"
)

// lines returns fields as "rule field: old → new".
func lines(wider []Wider) string {
	var b strings.Builder
	for _, w := range wider {
		b.WriteString(strings.TrimSpace(fmt.Sprintf("%s %s: %s → %s", w.Rule, w.Field, w.Old, w.New)) + "\n")
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func stored(t *testing.T, document string) Policy {
	t.Helper()
	p, err := ParseStored(Wallet, []byte(document))
	if err != nil {
		t.Fatalf("%s: %v", document, err)
	}
	return p
}

// Each line compares a field in both directions: the second value permits more, unless both
// are wider because they cannot be compared.
func TestLoosens_Fields(t *testing.T) {
	const none = ""
	descriptor := func(upTo int) string { return fmt.Sprintf(`{"descriptor":%q,"up_to":%d}`, wpkhDescriptor, upTo) }
	tests := []struct {
		field, narrow, wide string // fields of the rule; none for missing
		both                bool   // whether the reverse is also wider
	}{
		{"to", `"to":[]`, `"to":[{"address":"x"}]`, false},
		{"to", `"to":[{"address":"x"}]`, none, false},
		{"to", `"to":[{"address":"x"}]`, `"to":[{"address":"y"},{"address":"x"}]`, false},
		{"to", `"to":[{"address":"x"}]`, `"to":[{"address":"y"}]`, true},
		{"to", `"to":[{"address":"x"}]`, `"to":[{"wallet":"x"}]`, true},
		{"to", `"to":[{"wallet":"x"}]`, `"to":[{"wallet":"x"},{"wallet":"y"}]`, false},
		{"to", `"to":[` + descriptor(5) + `]`, `"to":[` + descriptor(6) + `]`, false},
		{"to", `"to":[` + descriptor(5) + `]`, `"to":[{"address":"x"}]`, true},
		{"max_payment_sat", `"max_payment_sat":5`, `"max_payment_sat":6`, false},
		{"max_payment_sat", `"max_payment_sat":0`, none, false},
		{"max_recipients", `"max_recipients":5`, `"max_recipients":6`, false},
		{"max_recipients", `"max_recipients":0`, none, false},
		{"windows", `"windows":[{"per":"2h","max_sat":5}]`, none, false},
		{"windows", `"windows":[{"per":"2h","max_sat":5}]`, `"windows":[{"per":"1h","max_sat":5}]`, false},
		{"windows", `"windows":[{"per":"2h","max_sat":5}]`, `"windows":[{"per":"2h","max_sat":6}]`, false},
		{"windows", `"windows":[{"per":"2h","max_count":5}]`, `"windows":[{"per":"2h","max_count":6}]`, false},
		{"windows", `"windows":[{"per":"2h","max_count":5}]`, `"windows":[{"per":"2h","max_sat":5}]`, true},
		{"windows", `"windows":[{"per":"2h","max_sat":5,"max_count":5}]`, `"windows":[{"per":"2h","max_sat":5}]`, false},
		{"windows", `"windows":[{"per":"2h","max_sat":5},{"per":"7d","max_sat":9}]`, `"windows":[{"per":"2h","max_sat":5}]`, false},
		{"windows", `"windows":[{"per":"2h","max_sat":5}]`, `"windows":[{"per":"3h","max_sat":6}]`, true},
		{"fee.max_sat_vb", `"fee":{"max_sat_vb":5}`, `"fee":{"max_sat_vb":5.001}`, false},
		{"fee.max_sat_vb", `"fee":{"max_sat_vb":5}`, none, false},
		{"fee.max_sat", `"fee":{"max_sat":5}`, `"fee":{"max_sat":6}`, false},
		{"fee.max_sat", `"fee":{"max_sat":0}`, none, false},
		{"fee.max_percent", `"fee":{"max_percent":5}`, `"fee":{"max_percent":6}`, false},
		{"fee.max_percent", `"fee":{"max_percent":100}`, none, false},
		{"hours", `"hours":{"zone":"UTC","from":"00:00","to":"24:00"}`, none, false},
		{"hours", `"hours":{"zone":"UTC","days":["mon"],"from":"00:00","to":"24:00"}`, `"hours":{"zone":"UTC","from":"00:00","to":"24:00"}`, false},
		{"hours", `"hours":{"zone":"UTC","days":[],"from":"00:00","to":"24:00"}`, `"hours":{"zone":"UTC","days":["mon"],"from":"00:00","to":"24:00"}`, false},
		{"hours", `"hours":{"zone":"UTC","days":["mon"],"from":"00:00","to":"24:00"}`, `"hours":{"zone":"UTC","days":["tue"],"from":"00:00","to":"24:00"}`, true},
		{"hours", `"hours":{"zone":"UTC","from":"08:00","to":"24:00"}`, `"hours":{"zone":"UTC","from":"07:59","to":"24:00"}`, false},
		{"hours", `"hours":{"zone":"UTC","from":"00:00","to":"18:00"}`, `"hours":{"zone":"UTC","from":"00:00","to":"18:01"}`, false},
		{"hours", `"hours":{"zone":"UTC","from":"00:00","to":"18:00"}`, `"hours":{"zone":"Etc/UTC","from":"00:00","to":"18:00"}`, true},
		{"coins.confirmations", `"coins":{"confirmations":1}`, none, false},
		{"coins.confirmations", `"coins":{"confirmations":2}`, `"coins":{"confirmations":1}`, false},
		{"keep_at_least_sat", `"keep_at_least_sat":6`, `"keep_at_least_sat":5`, false},
		{"keep_at_least_sat", `"keep_at_least_sat":0`, none, false},
		{"approvals", `"approvals":{"count":1}`, none, false},
		{"approvals", `"approvals":{"count":2}`, `"approvals":{"count":1}`, false},
		{"approvals", `"approvals":{"count":1,"above_sat":5}`, `"approvals":{"count":1,"above_sat":6}`, false},
		{"approvals", `"approvals":{"count":1}`, `"approvals":{"count":2,"above_sat":6}`, true},
		{"approvals", `"approvals":{"count":1,"not_proposer":true}`, `"approvals":{"count":1}`, false},
		{"approvals", `"approvals":{"count":1,"of":["role:owner"]}`, `"approvals":{"count":1}`, false},
		{"approvals", `"approvals":{"count":1}`, `"approvals":{"count":1,"of":["role:proposer"]}`, false},
		{"approvals", `"approvals":{"count":1,"of":["role:owner"]}`, `"approvals":{"count":1,"of":["role:owner","user:bob"]}`, false},
		{"approvals", `"approvals":{"count":1,"of":["role:owner"]}`, `"approvals":{"count":1,"of":["user:bob"]}`, true},
		{"approvals", `"approvals":{"count":1,"of":["role:admin"]}`, `"approvals":{"count":1,"of":["role:proposer"]}`, true},
		{"approvals", `"approvals":{"count":1,"of":[]}`, `"approvals":{"count":1,"of":["user:bob"]}`, false},
		{"delay", `"delay":"1h"`, none, false},
		{"delay", `"delay":"2h"`, `"delay":"119m"`, false},
	}
	value := func(field, fields string) string {
		if name, inner, ok := strings.Cut(field, "."); ok {
			fields = strings.TrimSuffix(strings.TrimPrefix(fields, `"`+name+`":{`), "}")
			field = inner
		}
		return strings.Trim(strings.TrimPrefix(fields, `"`+field+`":`), `"`)
	}
	kind := Server // has all roles
	for _, test := range tests {
		t.Run(test.narrow+" and "+test.wide, func(t *testing.T) {
			parse := func(fields string) Policy {
				p, err := ParseStored(kind, []byte(strings.Replace(inRule(fields), ", }", "}", 1)))
				if err != nil {
					t.Fatal(err)
				}
				return p
			}
			narrow, wide := parse(test.narrow), parse(test.wide)
			want := strings.TrimSpace(fmt.Sprintf("a %s: %s → %s", test.field, value(test.field, test.narrow), value(test.field, test.wide)))
			if got := lines(Loosens(kind, narrow, wide, nil, nil)); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
			if got := lines(Narrower(wide, narrow)); got != want {
				t.Errorf("Narrower: got  %s\nwant %s", got, want)
			}
			if got := len(Loosens(kind, wide, narrow, nil, nil)) > 0; got != test.both {
				t.Errorf("reverse: %t", got)
			}
			if got := len(Narrower(narrow, wide)) > 0; got != test.both {
				t.Errorf("reverse of Narrower: %t", got)
			}
		})
	}
}

func TestLoosens_Policies(t *testing.T) {
	const (
		everything = `{"version":1}`
		nothing    = `{"version":1,"allow":[]}`
		a          = `{"name":"a","max_payment_sat":5}`
		b          = `{"name":"b","max_payment_sat":9}`
	)
	allow := func(rules ...string) string { return `{"version":1,"allow":[` + strings.Join(rules, ",") + `]}` }
	tests := []struct{ name, before, after, want string }{
		{"first policy", everything, allow(a), ""},
		{"rules removed", allow(a), everything, "allow: [" + a + "] →"},
		{"nothing to everything", nothing, everything, "allow: [] →"},
		{"nothing to something", nothing, allow(a), "a allow:  → " + a},
		{"rule removed", allow(a, b), allow(a), ""},
		{"all rules removed", allow(a, b), nothing, ""},
		{"rule added", allow(a), allow(a, b), "b allow:  → " + b},
		{"rule renamed", allow(a), allow(`{"name":"c","max_payment_sat":5}`), `c allow:  → {"name":"c","max_payment_sat":5}`},
		{"other order", allow(a, b), allow(b, a), ""},
		{"two fields of two rules", allow(a, b), allow(`{"name":"b"}`, `{"name":"a","max_payment_sat":6}`), "b max_payment_sat: 9 →\na max_payment_sat: 5 → 6"},
		{"deny removed", `{"version":1,"deny":[{"address":"x"},{"wallet":"w"}]}`, `{"version":1,"deny":[{"address":"x"}]}`, `deny: [{"address":"x"},{"wallet":"w"}] → [{"address":"x"}]`},
		{"deny added", everything, `{"version":1,"deny":[{"address":"x"}]}`, ""},
		{"deny removed from a policy that permits nothing", `{"version":1,"deny":[{"address":"x"}]}`, nothing, ""},
		// A payment of 4 sat needed a delay, because rule a has the fewest approvals.
		{"rule with a delay removed", allow(`{"name":"a","delay":"2h"}`, `{"name":"b","approvals":{"count":1}}`), allow(`{"name":"b","approvals":{"count":1}}`), "b delay: 2h →"},
		{"rule with a delay tightened", allow(`{"name":"a","delay":"2h"}`, `{"name":"b","approvals":{"count":1}}`), allow(`{"name":"a","delay":"2h","max_payment_sat":3}`, `{"name":"b","approvals":{"count":1}}`), "b delay: 2h →"},
		{"rule with a delay unchanged", allow(`{"name":"a","delay":"2h"}`, `{"name":"b","approvals":{"count":1}}`), allow(`{"name":"a","delay":"2h"}`, `{"name":"b","approvals":{"count":2}}`), ""},
		{"rule that another one precedes removed", allow(`{"name":"a","approvals":{"count":2},"delay":"2h"}`, `{"name":"b","approvals":{"count":1}}`), allow(`{"name":"b","approvals":{"count":1}}`), ""},
		{"rule with a longer delay removed", allow(`{"name":"a","approvals":{"count":1},"delay":"2h"}`, `{"name":"b","approvals":{"count":1}}`), allow(`{"name":"b","approvals":{"count":1}}`), ""},
		{
			"rule of other approvers removed", allow(`{"name":"a","approvals":{"count":1,"of":["role:owner"]}}`, `{"name":"b","approvals":{"count":1}}`), allow(`{"name":"b","approvals":{"count":1}}`),
			`b approvals: {"count":1,"of":["role:owner"]} → {"count":1}`,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := lines(Loosens(Wallet, stored(t, test.before), stored(t, test.after), nil, nil)); got != test.want {
				t.Errorf("got:\n%s\nwant:\n%s", got, test.want)
			}
		})
	}
}

func TestDifferences(t *testing.T) {
	allow := func(rules ...string) string { return `{"version":1,"allow":[` + strings.Join(rules, ",") + `]}` }
	tests := []struct{ name, before, after, want string }{
		{"same", allow(`{"name":"a","delay":"1h"}`), allow(`{"name":"a","delay":"60m"}`), ""},
		{"both directions", allow(`{"name":"a","max_payment_sat":5,"delay":"1h"}`), allow(`{"name":"a","max_payment_sat":6,"delay":"2h"}`), "+ a max_payment_sat: 5 → 6\n- a delay: 1h → 2h"},
		{"field that cannot be compared", allow(`{"name":"a","to":[{"address":"x"}]}`), allow(`{"name":"a","to":[{"address":"y"}]}`), `+ a to: [{"address":"x"}] → [{"address":"y"}]`},
		{"rule removed", allow(`{"name":"a"}`, `{"name":"b"}`), allow(`{"name":"b"}`), `- a allow: {"name":"a"} →`},
		// The new rule a precedes b; its delay is not one of b.
		{"rule added", allow(`{"name":"b","approvals":{"count":1}}`), allow(`{"name":"a","delay":"1h"}`, `{"name":"b","approvals":{"count":1}}`), `+ a allow:  → {"name":"a","delay":"1h"}`},
		{"rules of a policy without rules", `{"version":1}`, allow(), "- allow:  → []"},
		{
			"deny and change", `{"version":1,"change":{"approvals":2}}`, `{"version":1,"deny":[{"address":"x"}],"change":{"approvals":1,"delay":"1h"}}`,
			`+ change.approvals: 2 → 1` + "\n" + `- deny:  → [{"address":"x"}]` + "\n- change.delay:  → 1h",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			for _, d := range Differences(Wallet, stored(t, test.before), stored(t, test.after), nil, nil) {
				sign := "- "
				if d.Loosens {
					sign = "+ "
				}
				got = append(got, sign+lines([]Wider{d.Wider}))
			}
			if got := strings.Join(got, "\n"); got != test.want {
				t.Errorf("got:\n%s\nwant:\n%s", got, test.want)
			}
		})
	}
}

func TestLoosens_Lists(t *testing.T) {
	p := stored(t, `{"version":1,"allow":[{"name":"a","to":[{"list":"suppliers"},{"address":"z"}]}],"deny":[{"list":"blocked"}]}`)
	x, y := Target{Address: "x"}, Target{Address: "y"}
	labelled := Target{Address: "x", Label: "ACME"}
	tests := []struct {
		name          string
		before, after Lists
		want          string
	}{
		{"same", Lists{"suppliers": {x}}, Lists{"suppliers": {x}}, ""},
		{"label", Lists{"suppliers": {x}, "blocked": {x}}, Lists{"suppliers": {labelled}, "blocked": {labelled}}, ""},
		{"entry added", Lists{"suppliers": {x}}, Lists{"suppliers": {x, y}}, `a to: [{"list":"suppliers"},{"address":"z"}] → [{"list":"suppliers"},{"address":"z"}]`},
		{"entry removed", Lists{"suppliers": {x, y}}, Lists{"suppliers": {y}}, ""},
		{"list removed", Lists{"suppliers": {x, y}}, nil, ""},
		{"entry that is another target", Lists{}, Lists{"suppliers": {{Address: "z"}}}, ""},
		{"denied entry added", Lists{"blocked": {x}}, Lists{"blocked": {y, x}}, ""},
		{"denied entry removed", Lists{"blocked": {x, y}}, Lists{"blocked": {y}}, `deny: [{"list":"blocked"}] → [{"list":"blocked"}]`},
		{"list of no policy", Lists{"other": {x}}, Lists{"other": {x, y}}, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := lines(Loosens(Wallet, p, p, test.before, test.after)); got != test.want {
				t.Errorf("got %s", got)
			}
		})
	}
	// A list replaced by its entries is the same, and Narrower compares lists by name.
	entries := stored(t, `{"version":1,"allow":[{"name":"a","to":[{"address":"x"},{"address":"z"}]}],"deny":[{"list":"blocked"}]}`)
	if got := lines(Loosens(Wallet, p, entries, Lists{"suppliers": {labelled}}, nil)); got != "" {
		t.Errorf("got %s", got)
	}
	if got := Narrower(entries, p); len(got) != 1 || got[0].Field != "to" {
		t.Errorf("got %+v", got)
	}
}

func TestLoosens_Change(t *testing.T) {
	tests := []struct {
		kind                Kind
		before, after, want string
	}{
		{Wallet, ``, `"approvals":2`, ""},
		{Wallet, `"approvals":2`, `"approvals":2`, ""},
		{Wallet, `"approvals":2`, `"approvals":3,"delay":"1h"`, ""},
		{Wallet, `"approvals":2,"of":["role:signer"]`, `"approvals":2,"of":["role:owner"]`, ""},
		{Wallet, `"approvals":2,"of":["role:owner"]`, `"approvals":2`, ""},
		{Wallet, `"approvals":2`, `"approvals":2,"of":["role:signer"]`, `change.of: ["role:owner"] → ["role:signer"]`},
		{Server, `"approvals":2`, `"approvals":2,"of":["role:admin","user:bob"]`, `change.of: ["role:admin"] → ["role:admin","user:bob"]`},
		{Wallet, `"approvals":2,"delay":"48h"`, `"approvals":1,"delay":"47h"`, "change.approvals: 2 → 1\nchange.delay: 48h → 47h"},
		{Wallet, `"approvals":2,"delay":"48h"`, ``, "change.approvals: 2 → 0\nchange.delay: 48h →"},
		{Wallet, `"delay":"48h"`, `"delay":"48h","of":["role:proposer"]`, ""},
	}
	for _, test := range tests {
		t.Run(test.before+" to "+test.after, func(t *testing.T) {
			parse := func(fields string) Policy {
				document := `{"version":1,"change":{` + fields + `}}`
				if fields == "" {
					document = `{"version":1}`
				}
				p, err := ParseStored(test.kind, []byte(document))
				if err != nil {
					t.Fatal(err)
				}
				return p
			}
			if got := lines(Loosens(test.kind, parse(test.before), parse(test.after), nil, nil)); got != test.want {
				t.Errorf("got %s", got)
			}
		})
	}
}

func TestNarrower_Policies(t *testing.T) {
	const (
		everything = `{"version":1}`
		nothing    = `{"version":1,"allow":[]}`
		parent     = `{"version":1,"allow":[{"name":"a","max_payment_sat":5,"delay":"1h"},{"name":"b","max_payment_sat":9}]}`
	)
	tests := []struct{ name, child, parent, want string }{
		{"everything", everything, everything, ""},
		{"parent without rules", parent, everything, ""},
		{"child without rules", everything, nothing, "allow: [] →"},
		{"child permits nothing", nothing, parent, ""},
		{"parent permits nothing", `{"version":1,"allow":[{"name":"x"}]}`, nothing, `x allow:  → {"name":"x"}`},
		{"within one rule", `{"version":1,"allow":[{"name":"x","max_payment_sat":8}]}`, parent, ""},
		{"within the other rule", `{"version":1,"allow":[{"name":"x","max_payment_sat":5,"delay":"2h"}]}`, parent, ""},
		{"within none: the nearest", `{"version":1,"allow":[{"name":"x","max_payment_sat":10}]}`, parent, "x max_payment_sat: 9 → 10"},
		{"within none: the same name", `{"version":1,"allow":[{"name":"a","max_payment_sat":10,"delay":"1h"}]}`, parent, "a max_payment_sat: 5 → 10"},
		{"deny is not repeated", `{"version":1}`, `{"version":1,"deny":[{"list":"blocked"}]}`, `deny: [{"list":"blocked"}] →`},
		{"deny is repeated", `{"version":1,"deny":[{"address":"x"},{"list":"blocked"}]}`, `{"version":1,"deny":[{"list":"blocked"}]}`, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := lines(Narrower(stored(t, test.child), stored(t, test.parent))); got != test.want {
				t.Errorf("got:\n%s\nwant:\n%s", got, test.want)
			}
		})
	}
}

// A policy is narrower than itself, and the relation is transitive.
func TestComparison_IsAnOrder(t *testing.T) {
	g := newGenerator(t)
	chains := 0
	for range samples() {
		a, lists := g.policy(), g.lists()
		if got := Narrower(a, a); len(got) > 0 {
			t.Fatalf("%s: got %+v", a.Canonical(), got)
		}
		if got := Loosens(Wallet, a, a, lists, lists); len(got) > 0 {
			t.Fatalf("%s: got %+v", a.Canonical(), got)
		}
		b := g.variant(a)
		c := g.variant(b)
		if len(Narrower(b, a))+len(Narrower(c, b)) == 0 {
			chains++
			if got := Narrower(c, a); len(got) > 0 {
				t.Fatalf("%s\n%s\n%s\ngot %+v", a.Canonical(), b.Canonical(), c.Canonical(), got)
			}
		}
		if len(Loosens(Wallet, a, b, lists, lists))+len(Loosens(Wallet, b, c, lists, lists)) == 0 {
			if got := Loosens(Wallet, a, c, lists, lists); len(got) > 0 {
				t.Fatalf("%s\n%s\n%s\ngot %+v", a.Canonical(), b.Canonical(), c.Canonical(), got)
			}
		}
	}
	if chains < samples()/50 {
		t.Errorf("only %d chains", chains)
	}
}
