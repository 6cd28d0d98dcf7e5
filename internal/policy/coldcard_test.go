package policy

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/specterd/specterd/internal/btc"
)

// gapLines returns gaps as "rule field".
func gapLines(gaps []Gap) string {
	lines := make([]string, len(gaps))
	for i, g := range gaps {
		lines[i] = strings.TrimSpace(g.Rule + " " + g.Field)
	}
	return strings.Join(lines, ", ")
}

func TestColdcardHSM(t *testing.T) {
	long := strings.Repeat("x", 21)
	allow := func(rules ...string) string { return `{"version":1,"allow":[` + strings.Join(rules, ",") + `]}` }
	options := ColdcardOptions{
		Network: btc.Main, Lists: Lists{"suppliers": {{Address: "y"}, {Address: "x"}}},
		Addresses: func(id string) []string { return map[string][]string{"w": {"w-1", "w-2"}}[id] },
	}
	tests := []struct {
		name, document string
		change         func(o *ColdcardOptions)
		want           string // without notes
		gaps           string
	}{
		{"everything", `{"version":1}`, nil, `{"rules":[{"wallet":"1"}]}`, ""},
		{"nothing", `{"version":1,"allow":[]}`, nil, `{"rules":[]}`, ""},
		{"no recipients: not any recipient", allow(`{"name":"a","to":[]}`), nil, `{"rules":[]}`, "a to"},
		{"address and list", allow(`{"name":"a","to":[{"address":"x"},{"list":"suppliers"}],"max_payment_sat":5}`), nil, `{"rules":[{"whitelist":["x","y"],"max_amount":5,"wallet":"1"}]}`, ""},
		{"empty list: not any recipient", allow(`{"name":"a","to":[{"list":"staff"}]}`), nil, `{"rules":[]}`, "a to"},
		{"wallet", allow(`{"name":"a","to":[{"wallet":"w"}]}`), nil, `{"rules":[{"whitelist":["w-1","w-2"],"wallet":"1"}]}`, "a to"},
		{"unknown wallet: not any recipient", allow(`{"name":"a","to":[{"wallet":"v"}]}`), nil, `{"rules":[]}`, "a to, a to"},
		{"without addresses of wallets", allow(`{"name":"a","to":[{"wallet":"w"},{"address":"x"}]}`), func(o *ColdcardOptions) { o.Addresses = nil }, `{"rules":[{"whitelist":["x"],"wallet":"1"}]}`, "a to"},
		{
			"descriptor", allow(fmt.Sprintf(`{"name":"a","to":[{"descriptor":%q,"up_to":3}]}`, wpkhDescriptor)), nil,
			`{"rules":[{"whitelist":["` + strings.Join(slices.Sorted(slices.Values(derived[:3])), `","`) + `"],"wallet":"1"}]}`, "",
		},
		{"multisig", allow(`{"name":"a"}`), func(o *ColdcardOptions) { o.Multisig = "vault" }, `{"rules":[{"wallet":"vault"}]}`, ""},
		{"long name of a multisig wallet", allow(`{"name":"a"}`), func(o *ColdcardOptions) { o.Multisig = long }, `{"rules":[{}]}`, "a"},
		{"window", allow(`{"name":"a","windows":[{"per":"24h","max_sat":5}]}`), nil, `{"period":1440,"rules":[{"per_period":5,"wallet":"1"}]}`, "a windows"},
		{"two windows", allow(`{"name":"a","windows":[{"per":"24h","max_sat":5},{"per":"1h","max_sat":2,"max_count":1}]}`), nil, `{"period":60,"rules":[{"per_period":2,"wallet":"1"}]}`, "a windows, a windows, a windows"},
		{"long window", allow(`{"name":"a","windows":[{"per":"7d","max_sat":5}]}`), nil, `{"period":4320,"rules":[{"per_period":5,"wallet":"1"}]}`, "a windows, a windows"},
		{"count", allow(`{"name":"a","windows":[{"per":"24h","max_count":5}]}`), nil, `{"rules":[{"wallet":"1"}]}`, "a windows"},
		{"payments of zero: not of any amount", allow(`{"name":"a","max_payment_sat":0}`, `{"name":"b","max_payment_sat":1}`), nil, `{"rules":[{"max_amount":1,"wallet":"1"}]}`, "a max_payment_sat"},
		{"window of zero: not any amount", allow(`{"name":"a","windows":[{"per":"24h","max_sat":0}]}`), nil, `{"period":1440,"rules":[]}`, "a windows"},
		{"too large", allow(`{"name":"a","to":[{"wallet":"large"}]}`), func(o *ColdcardOptions) {
			o.Addresses = func(string) []string { return []string{strings.Repeat("x", coldcardMaxSize)} }
		}, `{"rules":[{"whitelist":["` + strings.Repeat("x", coldcardMaxSize) + `"],"wallet":"1"}]}`, "a to, "},
		{
			"users", allow(`{"name":"a","approvals":{"count":1,"of":["user:bob","user:carol"],"above_sat":5,"not_proposer":true}}`), nil,
			`{"rules":[{"users":["bob","carol"],"min_users":1,"wallet":"1"}]}`, "a approvals, a approvals, a approvals",
		},
		{"roles", allow(`{"name":"a","approvals":{"count":1}}`, `{"name":"b","approvals":{"count":1,"of":["user:bob","role:owner"]}}`), nil, `{"rules":[{"wallet":"1"},{"wallet":"1"}]}`, "a approvals, b approvals"},
		{"too few users", allow(`{"name":"a","approvals":{"count":2,"of":["user:bob"]}}`), nil, `{"rules":[{"wallet":"1"}]}`, "a approvals"},
		{"long name of a user", allow(`{"name":"a","approvals":{"count":1,"of":["user:` + long + `"]}}`), nil, `{"rules":[{"wallet":"1"}]}`, "a approvals"},
		{
			"order", allow(`{"name":"c","approvals":{"count":1,"of":["user:bob"]}}`, `{"name":"b","max_payment_sat":2}`, `{"name":"a","max_payment_sat":1}`), nil,
			`{"rules":[{"max_amount":1,"wallet":"1"},{"max_amount":2,"wallet":"1"},{"users":["bob"],"min_users":1,"wallet":"1"}]}`, "c approvals",
		},
		{
			"other fields", `{"version":1,"allow":[{"name":"a","max_recipients":1,"fee":{"max_sat":1},"hours":{"zone":"UTC"},"coins":{"confirmations":1},"keep_at_least_sat":1,"delay":"1h"}],"deny":[{"address":"x"}],"change":{"delay":"1h"}}`,
			nil, `{"rules":[{"wallet":"1"}]}`, "a max_recipients, a fee, a hours, a coins, a keep_at_least_sat, a delay, deny, change",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			o := options
			if test.change != nil {
				test.change(&o)
			}
			p := stored(t, test.document)
			data, gaps, err := ColdcardHSM(p, o)
			if err != nil {
				t.Fatal(err)
			}
			notes := `{"notes":"specterd policy ` + Version(p, o.Lists)[:16] + `",`
			if got := strings.Replace(string(data), notes, "{", 1); got != test.want || got == string(data) {
				t.Errorf("got  %s\nwant %s", data, test.want)
			}
			if !json.Valid(data) {
				t.Error("not JSON")
			}
			if got := gapLines(gaps); got != test.gaps {
				t.Errorf("gaps %s", got)
			}
		})
	}
}

// coldcardFields are the fields that firmware accepts (shared/hsm.py); it refuses others.
var coldcardFields = map[string][]string{
	"policy": {"must_log", "never_log", "priv_over_ux", "warnings_ok", "msg_paths", "share_xpubs", "share_addrs", "notes", "period", "allow_sl", "set_sl", "boot_to_hsm", "rules"},
	"rule":   {"per_period", "max_amount", "users", "whitelist", "whitelist_opts", "min_users", "local_conf", "wallet", "min_pct_self_transfer", "patterns"},
}

// The device permits no recipient that no rule permits, whatever the policy is.
func TestColdcardHSM_Generated(t *testing.T) {
	g, e := newGenerator(t), NewEvaluator()
	for range 3000 {
		p, lists := g.policy(), g.lists()
		data, _, err := ColdcardHSM(p, ColdcardOptions{Network: btc.Main, Lists: lists})
		if err != nil {
			t.Fatal(err)
		}
		var policy map[string]any
		if err := json.Unmarshal(data, &policy); err != nil {
			t.Fatal(err)
		}
		for name := range policy {
			if !slices.Contains(coldcardFields["policy"], name) {
				t.Fatalf("field %s", name)
			}
		}
		pay := Payment{Network: btc.Main, Outputs: []Output{{Address: pick(g, append(derived, addresses...)...)}}, At: monday}
		var permitting Policy // the recipients alone
		if p.Allow != nil {
			permitting.Allow = []Rule{}
		}
		for _, r := range p.Allow {
			permitting.Allow = append(permitting.Allow, Rule{Name: r.Name, To: r.To})
		}
		_, permits := permitted(t, e, pay, permitting, lists, charges{})
		if device := devicePermits(t, policy, pay.Outputs[0].Address); device && !permits {
			t.Fatalf("%s\n%s\npermits %s", p.Canonical(), data, pay.Outputs[0].Address)
		}
	}
}

// devicePermits applies the lists of recipients as the device does.
func devicePermits(t *testing.T, policy map[string]any, address string) bool {
	t.Helper()
	permits := false
	for _, r := range policy["rules"].([]any) {
		rule := r.(map[string]any)
		for name := range rule {
			if !slices.Contains(coldcardFields["rule"], name) {
				t.Fatalf("field %s", name)
			}
		}
		if rule["per_period"] != nil && policy["period"] == nil {
			t.Fatal("per_period without period")
		}
		list, _ := rule["whitelist"].([]any)
		permits = permits || len(list) == 0 || slices.Contains(list, any(address))
	}
	return permits
}
