package policy_test

import (
	"testing"

	"github.com/specterd/specterd/internal/policy"
)

// TestEquivalent shows which documents have the same meaning.
func TestEquivalent(t *testing.T) {
	rules := func(windows string) string {
		return `{"version": 1, "allow": [{"name": "a", "windows": [` + windows + `]}]}`
	}
	const short, long, other = `{"per": "1h", "max_sat": 5}`, `{"per": "24h", "max_sat": 9, "max_count": 2}`, `{"per": "1h", "max_count": 2}`
	for _, test := range []struct {
		name, a, b string
		want       bool
	}{
		{"no denied recipients", `{"version": 1, "allow": []}`, `{"version": 1, "allow": [], "deny": []}`, true},
		{"no permitted payments", `{"version": 1}`, `{"version": 1, "allow": []}`, false},
		{"windows in another order", rules(short + "," + long + "," + other), rules(other + "," + long + "," + short), true},
		{"another window", rules(short + "," + long), rules(short + "," + other), false},
		{"fewer windows", rules(short + "," + long), rules(short), false},
	} {
		t.Run(test.name, func(t *testing.T) {
			parse := func(document string) policy.Policy {
				p, err := policy.ParseStored(policy.Wallet, []byte(document))
				if err != nil {
					t.Fatal(err)
				}
				return p
			}
			if a, b := parse(test.a), parse(test.b); policy.Equivalent(policy.Wallet, a, b) != test.want || policy.Equivalent(policy.Wallet, b, a) != test.want {
				t.Errorf("equivalent: %t, want %t", !test.want, test.want)
			}
		})
	}
}
