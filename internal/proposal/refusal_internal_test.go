package proposal

import (
	"testing"
	"time"

	"github.com/specterd/specterd/internal/policy"
)

// TestRefusedBy shows that the message of a refusal names every exceeded limit. If there are too many,
// it names first those for which waiting does not help, and says how many it omits.
func TestRefusedBy(t *testing.T) {
	soon := time.Unix(1_800_000_000, 0)
	refusal := func(kind policy.Kind, rule, message string, frees time.Time) policy.Refusal {
		return policy.Refusal{Kind: kind, Rule: rule, FreesAt: frees, Message: policy.Sentence{Format: message}}
	}
	count := refusal(policy.Wallet, "a", "One payment is permitted.", soon)
	amount := refusal(policy.Wallet, "a", "The amount is too high.", time.Time{})
	other := refusal(policy.Wallet, "b", "The fee is too high.", time.Time{})
	server := refusal(policy.Server, "", "The policy permits no payments.", time.Time{})
	const start = "the payment is not permitted by a spending policy ("
	for _, test := range []struct {
		name     string
		refusals []policy.Refusal
		want     string
	}{
		{"one", []policy.Refusal{server}, "the policy of the server: The policy permits no payments)"},
		{"two of a rule", []policy.Refusal{count, amount}, `the policy of the wallet, rule "a": One payment is permitted. The amount is too high)`},
		{"several rules and policies", []policy.Refusal{count, other, server}, `the policy of the wallet, rule "a": One payment is permitted; the policy of the wallet, rule "b": The fee is too high; the policy of the server: The policy permits no payments)`},
		{"many", []policy.Refusal{count, count, amount, count, amount, count}, `the policy of the wallet, rule "a": The amount is too high. The amount is too high. One payment is permitted. One payment is permitted; and 2 more limits)`},
		{"one more", []policy.Refusal{count, count, count, count, amount}, `the policy of the wallet, rule "a": The amount is too high. One payment is permitted. One payment is permitted. One payment is permitted; and 1 more limit)`},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := refusedBy(policy.Decision{Refusals: test.refusals})
			if f.Message != start+test.want || len(f.Limits) != len(test.refusals) {
				t.Errorf("got %d limits and %s\nwant %s", len(f.Limits), f.Message, start+test.want)
			}
		})
	}
}
