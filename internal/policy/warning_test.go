package policy_test

import (
	"testing"

	"github.com/specterd/specterd/internal/policy"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// TestWarnings: a rule that limits single payments has a warning unless a window limits their sum or
// their number.
func TestWarnings(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		rule  string
		warns bool
	}{
		"no limit":                  {`"max_recipients": 2`, false},
		"payment":                   {`"max_payment_sat": 5000`, true},
		"payment and sum":           {`"max_payment_sat": 5000, "windows": [{"per": "24h", "max_sat": 9000}]`, false},
		"payment and number":        {`"max_payment_sat": 5000, "windows": [{"per": "24h", "max_count": 3}]`, false},
		"approvals above an amount": {`"approvals": {"count": 1, "above_sat": 5000}`, true},
		"approvals above, window":   {`"approvals": {"count": 1, "above_sat": 5000}, "windows": [{"per": "24h", "max_count": 3}]`, false},
		"approvals for all":         {`"approvals": {"count": 1}`, false},
		"only a delay":              {`"delay": "2h"`, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, err := policy.ParseStored(policy.Wallet, []byte(`{"version": 1, "allow": [{"name": "other"}, {"name": "small", `+test.rule+`}]}`))
			testkit.Check(t, err)
			all := p.Warnings()
			if len(all) > 0 != test.warns {
				t.Fatalf("%v", all)
			}
			if test.warns && (all[0].Code != "splittable" || all[0].Rule != "small" ||
				all[0].Message.String() != "The rule small limits only single payments: several small ones can pay any amount. Add a window.") {
				t.Errorf("%v", all)
			}
		})
	}
}
