package policy

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
)

var errWallet = fault.New(fault.NotFound, "wallet_not_found", "wallet not found")

var parser = Parser{Kind: Wallet, Network: btc.Main, WalletID: func(name string) (string, error) {
	if name != "cold" {
		return "", errWallet
	}
	return "id-of-cold", nil
}}

const address = "bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu"

// complete is a policy with all fields.
const complete = `{"version": 1,
 "allow": [{
   "name": "to cold storage",
   "to": [{"wallet": "cold"}, {"address": "BC1QCR8TE4KR609GCAWUTMRZA0J4XV80JY8Z306FYU"}, {"list": "suppliers"}, {"descriptor": "` + wpkhDescriptor + `", "up_to": 5000}],
   "max_payment_sat": 50000000, "max_recipients": 20,
   "windows": [{"per": "24h", "max_sat": 200000000, "max_count": 20}, {"per": "7d", "max_sat": 500000000}],
   "fee": {"max_sat_vb": 50.5, "max_sat": 90000, "max_percent": 2},
   "hours": {"zone": "Europe/Zurich", "days": ["fri", "mon", "tue", "wed", "thu"], "from": "08:00", "to": "18:00"},
   "coins": {"confirmations": 1}, "keep_at_least_sat": 10000000,
   "approvals": {"count": 2, "of": ["role:signer", "user:bob"], "not_proposer": true, "above_sat": 10000000},
   "delay": "2h"}],
 "deny": [{"list": "blocked"}],
 "change": {"approvals": 2, "of": ["role:owner"], "delay": "48h"}}`

const completeCanonical = `{"version":1,"allow":[{"name":"to cold storage",` +
	`"to":[{"wallet":"id-of-cold"},{"address":"` + address + `"},{"list":"suppliers"},{"descriptor":"` + wpkhDescriptor + `#kj7aqcx6","up_to":5000}],` +
	`"max_payment_sat":50000000,"max_recipients":20,` +
	`"windows":[{"per":"24h","max_sat":200000000,"max_count":20},{"per":"7d","max_sat":500000000}],` +
	`"fee":{"max_sat_vb":50.5,"max_sat":90000,"max_percent":2},` +
	`"hours":{"zone":"Europe/Zurich","days":["mon","tue","wed","thu","fri"],"from":"08:00","to":"18:00"},` +
	`"coins":{"confirmations":1},"keep_at_least_sat":10000000,` +
	`"approvals":{"count":2,"of":["role:signer","user:bob"],"not_proposer":true,"above_sat":10000000},` +
	`"delay":"2h"}],"deny":[{"list":"blocked"}],"change":{"approvals":2,"of":["role:owner"],"delay":"48h"}}`

func TestParser_Complete(t *testing.T) {
	p, err := parser.Policy([]byte(complete))
	if err != nil {
		t.Fatal(err)
	}
	if got := string(p.Canonical()); got != completeCanonical {
		t.Errorf("got  %s\nwant %s", got, completeCanonical)
	}
	stored, err := ParseStored(Wallet, p.Canonical())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(p, stored, sameZone); diff != "" {
		t.Error(diff)
	}
	named := p.Document(func(id string) string { return strings.TrimPrefix(id, "id-of-") })
	if again, err := parser.Policy(named); err != nil || string(again.Canonical()) != completeCanonical {
		t.Errorf("got %s, %v", again.Canonical(), err)
	}
	// Every field of the type is set, so that none is forgotten above.
	for _, v := range []any{p, p.Allow[0], p.Allow[0].Windows[0], p.Allow[0].Fee, *p.Allow[0].Hours, *p.Allow[0].Approvals, *p.Change} {
		for f, value := range reflect.ValueOf(v).Fields() {
			if value.IsZero() {
				t.Errorf("%T.%s is not set", v, f.Name)
			}
		}
	}
}

var sameZone = cmp.Comparer(func(a, b *time.Location) bool { return a.String() == b.String() })

func TestParser_RoundTrip(t *testing.T) {
	g := newGenerator(t)
	for range 5000 {
		p := g.policy()
		again, err := ParseStored(Wallet, p.Canonical())
		if err != nil {
			t.Fatalf("%s: %v", p.Canonical(), err)
		}
		if diff := cmp.Diff(p, again, sameZone); diff != "" {
			t.Fatalf("%s\n%s", p.Canonical(), diff)
		}
		entries := g.targets(true)
		list, err := ParseStoredList(CanonicalList(entries))
		if diff := cmp.Diff(entries, list); err != nil || diff != "" {
			t.Fatal(diff, err)
		}
	}
}

// fieldsOf returns the problems of an error as lines.
func fieldsOf(t *testing.T, err error) string {
	t.Helper()
	f, ok := errors.AsType[*fault.Error](err)
	if !ok || f.Kind != fault.Invalid {
		t.Fatalf("got %v", err)
	}
	var lines []string
	for _, field := range f.Fields {
		lines = append(lines, field.Name+": "+field.Message)
	}
	if len(lines) == 0 {
		return f.Message
	}
	return strings.Join(lines, "\n")
}

func inRule(fields string) string { return `{"version": 1, "allow": [{"name": "a", ` + fields + `}]}` }

func TestParser_Problems(t *testing.T) {
	const amount = "must be a whole number of satoshis from 0 to 2100000000000000"
	const wants = `must be a duration of "1m" to "366d": a whole number of minutes (m), hours (h) or days (d), such as "24h" or "7d"`
	const ruleFields = "expected one of name, to, max_payment_sat, max_recipients, windows, fee, hours, coins, keep_at_least_sat, approvals, delay"
	tests := []struct{ name, document, want string }{
		{"no JSON", `{"version": 1`, "the policy is not well-formed JSON in UTF-8 (near byte 13)"},
		{"not UTF-8", "{\"version\": \"\xff\"}", "the policy is not well-formed JSON in UTF-8 (near byte 10)"},
		{"two documents", `{"version": 1} {}`, "the policy has data after its JSON object"},
		{"nested", strings.Repeat("[", 9), "the policy has more than 8 levels"},
		{"large", strings.Repeat(" ", MaxDocument+1), "the policy must not be larger than 262144 bytes"},
		{"array", `[]`, "policy: must be an object"},
		{"no version", `{}`, "version: is required"},
		{"another version", `{"version": 2}`, "version: must be 1"},
		{"version as text", `{"version": "1"}`, "version: must be 1"},
		{"misspelt field", `{"version": 1, "alow": []}`, "alow: unknown field; did you mean allow?"},
		{"unknown field", `{"version": 1, "webhooks": []}`, "webhooks: unknown field; expected one of version, allow, deny, change"},
		{"unknown field that can be a secret", `{"version": 1, "xprv9s21": []}`, "policy: has an unknown field; expected one of version, allow, deny, change"},
		{"upper case", inRule(`"Delay": "2h"`), "allow[0]: has an unknown field; " + ruleFields},
		{
			"duplicate fields", `{"version": 1, "version": 1, "deny": [], "allow": [{"name": "a", "delay": "1h", "delay": "2h"}], "deny": []}`,
			"version: occurs twice in one object\nallow[0].delay: occurs twice in one object\ndeny: occurs twice in one object",
		},
		{
			"duplicate unknown field", `{"version": 1, "webhooks": 1, "webhooks": 1}`,
			"webhooks: unknown field; expected one of version, allow, deny, change\nwebhooks: unknown field; expected one of version, allow, deny, change",
		},
		{
			"null", `{"version": 1, "allow": null, "deny": null, "change": null}`,
			"allow: must be an array of rules\ndeny: must be an array of targets\nchange: must be an object",
		},
		{
			"rules of other types", `{"version": 1, "allow": [1, "a", [], null]}`,
			"allow[0]: must be an object\nallow[1]: must be an object\nallow[2]: must be an object\nallow[3]: must be an object",
		},
		{"no name", `{"version": 1, "allow": [{}]}`, "allow[0].name: is required"},
		{
			"names", `{"version": 1, "allow": [{"name": ""}, {"name": " a"}, {"name": "` + strings.Repeat("é", 65) + `"}, {"name": "a\u200db"}, {"name": 5}]}`,
			"allow[0].name: must be 1 to 64 characters long\nallow[1].name: must not begin or end with a space\nallow[2].name: must be 1 to 64 characters long\n" +
				"allow[3].name: must not contain control characters, invisible characters or marks of text direction\nallow[4].name: must be a text such as \"to cold storage\"",
		},
		{
			"same name", `{"version": 1, "allow": [{"name": "a"}, {"name": "b"}, {"name": "a"}, {"name": "a"}]}`,
			"allow[2].name: is also the name of allow[0]\nallow[3].name: is also the name of allow[0]",
		},
		{
			"amounts", inRule(`"max_payment_sat": -1, "keep_at_least_sat": 2100000000000001, "fee": {"max_sat": 1.5}, "windows": [{"per": "1h", "max_sat": "5"}]`),
			"allow[0].max_payment_sat: " + amount + "\nallow[0].keep_at_least_sat: " + amount + "\nallow[0].fee.max_sat: " + amount + "\nallow[0].windows[0].max_sat: " + amount,
		},
		{
			"more amounts", inRule(`"max_payment_sat": 1e3, "keep_at_least_sat": -0, "fee": {"max_sat": 92233720368547758070}`),
			"allow[0].max_payment_sat: " + amount + "\nallow[0].keep_at_least_sat: " + amount + "\nallow[0].fee.max_sat: " + amount,
		},
		{
			"counts", inRule(`"max_recipients": 10001, "windows": [{"per": "1h", "max_count": 1000001}], "coins": {"confirmations": 0}`),
			"allow[0].max_recipients: must be a whole number from 0 to 10000\nallow[0].windows[0].max_count: must be a whole number from 0 to 1000000\nallow[0].coins.confirmations: must be a whole number from 1 to 10000",
		},
		{
			"windows", inRule(`"windows": [{}, {"per": "1h"}, {"max_sat": 1}, 5]`),
			"allow[0].windows[0].per: is required\nallow[0].windows[0]: must have max_sat, max_count or both\nallow[0].windows[1]: must have max_sat, max_count or both\nallow[0].windows[2].per: is required\nallow[0].windows[3]: must be an object",
		},
		{"many windows", inRule(`"windows": [{}, {}, {}, {}, {}, {}]`), "allow[0].windows: must not have more than 5 windows"},
		{
			"fee", inRule(`"fee": {"max_sat_vb": 0, "max_percent": 101}`),
			"allow[0].fee.max_sat_vb: must be a number of sat/vB above 0 and up to 100000, with at most three decimals\nallow[0].fee.max_percent: must be a whole number from 0 to 100",
		},
		{"fee rate as text", inRule(`"fee": {"max_sat_vb": "5"}`), "allow[0].fee.max_sat_vb: must be a number of sat/vB above 0 and up to 100000, with at most three decimals"},
		{
			"empty objects", inRule(`"fee": {}, "coins": {}, "approvals": {}, "hours": {}`),
			"allow[0].fee: must have at least one of max_sat_vb, max_sat and max_percent\nallow[0].coins.confirmations: is required\nallow[0].approvals.count: is required\nallow[0].hours.zone: is required",
		},
		{"change", `{"version": 1, "change": {"of": ["role:owner"]}}`, "change: must have approvals, delay or both"},
		{
			"approvals", inRule(`"approvals": {"count": 0, "of": ["role:viewer", "bob", "user:", 5, "role:owner", "role:owner", "role:admin"], "not_proposer": 1, "above_sat": true}`),
			"allow[0].approvals.count: must be a whole number from 1 to 100\n" +
				`allow[0].approvals.of[0]: must be "role:" with one of the roles proposer, signer, owner, or "user:" with the name of a user` + "\n" +
				`allow[0].approvals.of[1]: must be "role:" with one of the roles proposer, signer, owner, or "user:" with the name of a user` + "\n" +
				`allow[0].approvals.of[2]: must be "role:" with one of the roles proposer, signer, owner, or "user:" with the name of a user` + "\n" +
				`allow[0].approvals.of[3]: must be a text such as "role:owner"` + "\n" +
				"allow[0].approvals.of[5]: occurs twice\n" +
				`allow[0].approvals.of[6]: must be "role:" with one of the roles proposer, signer, owner, or "user:" with the name of a user` + "\n" +
				"allow[0].approvals.not_proposer: must be true or false\nallow[0].approvals.above_sat: " + amount,
		},
		{
			"targets", `{"version": 1, "deny": [{}, {"address": "` + address + `", "list": "a"}, {"address": "` + address + `", "up_to": 5}, {"descriptor": "` + wpkhDescriptor + `"}, {"label": "a", "list": "a"}]}`,
			"deny[0]: must have exactly one of address, wallet, descriptor and list\ndeny[1]: must have exactly one of address, wallet, descriptor and list\n" +
				"deny[2].up_to: belongs only to a descriptor\ndeny[3].up_to: is required\ndeny[4].label: unknown field; expected one of address, wallet, descriptor, list, up_to",
		},
		{
			"addresses", `{"version": 1, "deny": [{"address": "bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyv"}, {"address": "tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx"}, {"address": ""}, {"address": 1}]}`,
			"deny[0].address: must be a valid Bitcoin address; check it for typing errors\ndeny[1].address: is a testnet address; this node is on mainnet\ndeny[2].address: must be a valid Bitcoin address; check it for typing errors\ndeny[3].address: must be a text such as \"bc1q…\"",
		},
		{"wallet", `{"version": 1, "deny": [{"wallet": "warm"}, {"wallet": 1}]}`, "deny[0].wallet: wallet not found\ndeny[1].wallet: must be a text such as \"cold\""},
		{
			"descriptor", `{"version": 1, "deny": [{"descriptor": "wpkh(a)", "up_to": 0}, {"descriptor": 1, "up_to": 10001}]}`,
			"deny[0].descriptor: key 1 must be an extended public key such as [d34db33f/84h/0h/0h]xpub…; this one is incomplete or mistyped\ndeny[0].up_to: must be a whole number from 1 to 10000\n" +
				"deny[1].descriptor: must be a text such as \"wpkh([d34db33f/84h/0h/0h]xpub…/0/*)\"\ndeny[1].up_to: must be a whole number from 1 to 10000",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := parser.Policy([]byte(test.document))
			if got := fieldsOf(t, err); got != test.want {
				t.Errorf("got:\n%s\nwant:\n%s", got, test.want)
			}
		})
	}
	for _, d := range []string{`"0m"`, `"m"`, `"367d"`, `"1s"`, `"-1h"`, `"1.5h"`, `"01h"`, `"h"`, `""`, `60`, `"1h30m"`, `"8785h"`, `"527041m"`, `"99999999999h"`, `"213504d"`, `"2147483647d"`, `"+5m"`} {
		t.Run("duration "+d, func(t *testing.T) {
			_, err := parser.Policy([]byte(inRule(`"delay": ` + d)))
			if got := fieldsOf(t, err); got != "allow[0].delay: "+wants {
				t.Errorf("got %s", got)
			}
		})
	}
}

func TestParser_Durations(t *testing.T) {
	tests := []struct {
		text, canonical string
		want            time.Duration
	}{
		{"1m", "1m", time.Minute},
		{"60m", "1h", time.Hour},
		{"90m", "90m", 90 * time.Minute},
		{"1d", "24h", day},
		{"48h", "48h", 2 * day},
		{"168h", "7d", 7 * day},
		{"366d", "366d", 366 * day},
		{"527040m", "366d", 366 * day},
	}
	for _, test := range tests {
		t.Run(test.text, func(t *testing.T) {
			p, err := parser.Policy([]byte(inRule(`"delay": "` + test.text + `"`)))
			if err != nil || p.Allow[0].Delay != test.want {
				t.Fatal(p, err)
			}
			if got := durationText(p.Allow[0].Delay); got != test.canonical {
				t.Errorf("got %s", got)
			}
		})
	}
}

func TestParser_Kinds(t *testing.T) {
	tests := []struct {
		kind           Kind
		document, want string
	}{
		{Server, `{"version": 1, "deny": [{"list": "a"}]}`, "deny[0].list: unknown field; expected one of address, wallet, descriptor, up_to\ndeny[0]: must have exactly one of address, wallet and descriptor"},
		{Server, `{"version": 1, "change": {"approvals": 1, "of": ["role:owner"]}}`, `change.of[0]: must be "role:" with one of the roles admin, or "user:" with the name of a user`},
		{Server, `{"version": 1, "change": {"approvals": 1, "of": ["role:admin"]}}`, ""},
		{Server, inRule(`"approvals": {"count": 1, "of": ["role:admin", "role:owner"]}`), ""},
		{Member, `{"version": 1, "change": {"approvals": 1}}`, "change: unknown field; expected one of version, allow, deny"},
		{Token, `{"version": 1, "change": {"approvals": 1}}`, "change: unknown field; expected one of version, allow, deny"},
		{Token, `{"version": 1, "deny": [{"list": "a"}]}`, ""},
	}
	for _, test := range tests {
		t.Run(fmt.Sprint(test.kind, " ", test.document), func(t *testing.T) {
			p := parser
			p.Kind = test.kind
			_, err := p.Policy([]byte(test.document))
			if test.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if got := fieldsOf(t, err); got != test.want {
				t.Errorf("got %s", got)
			}
		})
	}
}

// Errors of the resolver that are not about the request are returned alone.
func TestParser_ResolverFails(t *testing.T) {
	broken := errors.New("database is down")
	p := Parser{Kind: Wallet, Network: btc.Main, WalletID: func(string) (string, error) { return "", broken }}
	if _, err := p.Policy([]byte(`{"version": 2, "deny": [{"wallet": "cold"}]}`)); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

func TestCheckLists(t *testing.T) {
	descriptors := func(n int) []Target { return slices.Repeat([]Target{{Descriptor: "a"}}, n) }
	lists := Lists{"a": descriptors(MaxDescriptors / 2), "b": append(descriptors(MaxDescriptors/2), Target{Address: "x"}), "c": nil}
	if err := CheckLists(lists); err != nil {
		t.Error(err)
	}
	lists["c"] = descriptors(1)
	if err := CheckLists(lists); err == nil || err.Error() != "the lists of a wallet can have 20 descriptors together; they would have 21" {
		t.Errorf("got %v", err)
	}
}

// A document with too many descriptors has one problem, and its other descriptors are not parsed.
func TestParser_Descriptors(t *testing.T) {
	document := func(n int) []byte {
		one := fmt.Sprintf(`{"descriptor": %q, "up_to": 1}`, wpkhDescriptor)
		return []byte(`[` + strings.TrimSuffix(strings.Repeat(one+",", n), ",") + `]`)
	}
	const want = "is one descriptor too many; a document can have 20"
	for name, parse := range map[string]func(n int) error{
		"deny[20].descriptor: ": func(n int) error {
			_, err := parser.Policy(fmt.Appendf(nil, `{"version": 1, "deny": %s}`, document(n)))
			return err
		},
		"entries[20].descriptor: ": func(n int) error {
			_, err := parser.List(fmt.Appendf(nil, `{"entries": %s}`, document(n)))
			return err
		},
	} {
		if err := parse(MaxDescriptors); err != nil {
			t.Error(err)
		}
		if got := fieldsOf(t, parse(MaxDescriptors+2)); got != name+want {
			t.Errorf("got %s, want %s", got, name+want)
		}
	}
}

// A list cannot contain lists, and one that does nevertheless matches only its other entries.
func TestLists_InLists(t *testing.T) {
	_, err := parser.List([]byte(`{"entries": [{"list": "suppliers"}]}`))
	if got := fieldsOf(t, err); got != "entries[0].list: unknown field; expected one of address, wallet, descriptor, up_to, label\nentries[0]: must have exactly one of address, wallet and descriptor" {
		t.Errorf("got %s", got)
	}
	p := stored(t, inRule(`"to": [{"list": "outer"}]`))
	lists := Lists{"outer": {{List: "inner"}, {Address: "y"}}, "inner": {{Address: "x"}}}
	for address, permitted := range map[string]bool{"x": false, "y": true} {
		d, err := NewEvaluator().Evaluate(Payment{Outputs: []Output{{Address: address}}}, []Layer{{Kind: Wallet, Policy: p, Lists: lists}}, charges{})
		if err != nil || len(d.Refusals) == 0 != permitted {
			t.Errorf("a payment to %s: %s, %v", address, d.summary(), err)
		}
	}
}
