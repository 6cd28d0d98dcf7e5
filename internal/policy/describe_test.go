package policy

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/btc"
)

var names = Names{Wallet: func(id string) string {
	return map[string]string{"id-of-cold": "Cold", "w-2": "Café 100 %d"}[id]
}}

func describe(p Policy, kind Kind) string {
	var lines []string
	for _, paragraph := range p.Describe(kind, names) {
		lines = append(lines, paragraph.String())
	}
	return strings.Join(lines, "\n")
}

func TestPolicy_Describe(t *testing.T) {
	p, err := parser.Policy([]byte(complete))
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Join([]string{
		"to cold storage: payments to addresses of the wallet Cold, to the address " + address + ", to the list suppliers or to the first 5000 addresses of the descriptor " + p.Allow[0].To[3].Descriptor + ".",
		"A payment is at most 50000000 sat.",
		"A payment has at most 20 recipients.",
		"Within 24 hours: at most 200000000 sat including fees and at most 20 payments.",
		"Within 7 days: at most 500000000 sat including fees.",
		"The fee is at most 50.5 sat/vB, 90000 sat and 2 % of the payment.",
		"Payments are made only from Monday to Friday, from 08:00 to 18:00 (Europe/Zurich).",
		"Only UTXOs with at least 1 confirmation are spent.",
		"At least 10000000 sat remains in the wallet.",
		"A payment of more than 10000000 sat requires 2 approvals by signers, owners or the user bob, but not by the user who proposed it.",
		"A payment waits for 2 hours before it can be signed.\n" +
			"Payments to the list blocked are never permitted.\n" +
			"A change that loosens the policy requires 2 approvals by owners. A change that loosens the policy takes effect after 2 days.",
	}, " ")
	if got := describe(p, Wallet); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestPolicy_DescribeFields(t *testing.T) {
	tests := []struct{ name, rule, want string }{
		{"nothing", `"delay": "1m"`, "payments to any recipient. A payment waits for 1 minute before it can be signed."},
		{"no recipients", `"to": []`, "no payments, because the list of recipients is empty."},
		{"name with a percent sign", `"to": [{"wallet": "w-2"}]`, "payments to addresses of the wallet Café 100 %d."},
		{"unknown wallet", `"to": [{"wallet": "w-3"}]`, "payments to addresses of a wallet that you cannot see or that was deleted (w-3)."},
		{
			"one", `"max_recipients": 1, "windows": [{"per": "1h", "max_count": 1}], "approvals": {"count": 1}`,
			"payments to any recipient. A payment has at most 1 recipient. Within 1 hour: at most 1 payment. A payment requires 1 approval by signers or owners.",
		},
		{"nobody can approve", `"approvals": {"count": 1, "of": []}`, "payments to any recipient. A payment requires 1 approval, which no member can give, because the list of approvers is empty."},
		{"one limit of the fee", `"fee": {"max_percent": 0}`, "payments to any recipient. The fee is at most 0 % of the payment."},
		{"small amount", `"max_payment_sat": 99999`, "payments to any recipient. A payment is at most 99999 sat."},
		{"larger amount", `"max_payment_sat": 100000`, "payments to any recipient. A payment is at most 100000 sat."},
		{"large amount", `"max_payment_sat": 2000000000`, "payments to any recipient. A payment is at most 2000000000 sat."},
		{"any time", `"hours": {"zone": "UTC"}`, "payments to any recipient. Payments are made at any time."},
		{"never", `"hours": {"zone": "UTC", "days": []}`, "payments to any recipient. No payments are made, because the list of days is empty."},
		{"days", `"hours": {"zone": "UTC", "days": ["mon", "wed"]}`, "payments to any recipient. Payments are made only on Monday and Wednesday (UTC)."},
		{"two days in a row", `"hours": {"zone": "UTC", "days": ["sat", "sun"]}`, "payments to any recipient. Payments are made only on Saturday and Sunday (UTC)."},
		{"every day", `"hours": {"zone": "UTC", "days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], "from": "08:00"}`, "payments to any recipient. Payments are made only from 08:00 to 24:00 (UTC)."},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p, err := ParseStored(Wallet, []byte(inRule(test.rule)))
			if err != nil {
				t.Fatal(err)
			}
			if got, want := describe(p, Wallet), "a: "+test.want; got != want {
				t.Errorf("got:\n%s\nwant:\n%s", got, want)
			}
		})
	}
	for _, test := range []struct {
		kind           Kind
		document, want string
	}{
		{Wallet, `{"version": 1}`, "All payments are permitted."},
		{Wallet, `{"version": 1, "allow": []}`, "No payments are permitted."},
		{Server, `{"version": 1, "change": {"approvals": 1}}`, "All payments are permitted.\nA change that loosens the policy requires 1 approval by admins."},
		{Wallet, `{"version": 1, "change": {"approvals": 0}}`, "All payments are permitted.\nA change that loosens the policy takes effect at once."},
		{Wallet, `{"version": 1, "change": {"approvals": 1, "of": []}}`, "All payments are permitted.\nA change that loosens the policy requires 1 approval, which no member can give, because the list of approvers is empty."},
	} {
		t.Run(test.document, func(t *testing.T) {
			p, err := ParseStored(test.kind, []byte(test.document))
			if err != nil {
				t.Fatal(err)
			}
			if got := describe(p, test.kind); got != test.want {
				t.Errorf("got %s", got)
			}
		})
	}
}

func TestPeriod(t *testing.T) {
	for d, want := range map[time.Duration]string{
		time.Minute: "1 minute", 90 * time.Minute: "90 minutes", time.Hour: "1 hour", 36 * time.Hour: "36 hours", day: "24 hours", 2 * day: "2 days", 366 * day: "366 days",
	} {
		if got := Period(d).String(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// Every sentence has an argument for each verb, of a type that Sentence documents.
func TestSentences_Arguments(t *testing.T) {
	g, e := newGenerator(t), NewEvaluator()
	for range 3000 {
		p := g.policy()
		for _, paragraph := range p.Describe(Wallet, names) {
			for _, s := range paragraph.Sentences {
				checkSentence(t, s)
			}
		}
		pay := g.payment()
		d, _ := permitted(t, e, pay, p, g.lists(), g.charges("s", pay.At))
		for _, r := range d.Refusals {
			checkSentence(t, r.Message)
		}
		_, gaps, err := ColdcardHSM(p, ColdcardOptions{Network: btc.Main})
		if err != nil {
			t.Fatal(err)
		}
		for _, gap := range gaps {
			checkSentence(t, gap.Message)
		}
	}
}

var verb = regexp.MustCompile(`%[sd]`)

func checkSentence(t *testing.T, s Sentence) {
	t.Helper()
	if n := len(verb.FindAllString(s.Format, -1)); n != len(s.Args) {
		t.Fatalf("%q has %d arguments", s.Format, len(s.Args))
	}
	if text := s.String(); strings.Contains(text, "%!") {
		t.Fatalf("%q becomes %q", s.Format, text)
	}
	for _, a := range s.Args {
		switch a := a.(type) {
		case string, int, btc.Amount, btc.FeeRate, time.Duration:
		case Sentence:
			checkSentence(t, a)
		case Enumeration:
			if len(a.Parts) == 0 {
				t.Fatalf("%q has an empty list", s.Format)
			}
			for _, part := range a.Parts {
				checkSentence(t, part)
			}
		default:
			t.Fatalf("%q has an argument of type %T", s.Format, a)
		}
	}
}
