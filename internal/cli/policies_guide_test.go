package cli

import (
	"os"
	"testing"

	"github.com/specterd/specterd/internal/testenv/testkit"
)

// TestPoliciesGuide runs the recipes of docs/policies.md as on the demo.
func TestPoliciesGuide(t *testing.T) {
	testkit.NeedsServer(t, "bitcoind")
	blocks := walkThroughBlocks(t, "docs/policies.md", 5)
	g := &cliGuide{dir: t.TempDir(), environment: append(os.Environ(), serveWalkThroughs(t)...)}

	g.run(t, blocks[0], "petty cash: payments to any recipient.", "The payment is permitted.\n1 approval of signers, by rule \"approved\" of the wallet", `rule "petty cash", max_payment_sat: `,
		`rule "approved", windows[0].max_sat: `, "The payment is not permitted.")
	g.run(t, blocks[1], "awaits approval, which lacks 1 approval of owners", "not released yet", "alice has approved proposal ", " of 0.20000000", "Permits more than before: allow: ",
		"is pending; it lacks 1 approval, and takes effect at ", "Cancelled the change ")
	g.run(t, blocks[2], "\ncreated\n", `["policy_refused","rebalance","to"]`, `"status": 403,`, `"field": "windows[0].max_sat",`, `"limit": "300000",`,
		`"message": "Within 24 hours, at most 300000 sat including fees can be paid; `, `"permitted_at": "`, `"frees_at": "`, "\ncancelled\n")
	g.run(t, blocks[3], "cold storage: payments to ", `"whitelist"`)
	g.run(t, blocks[4], "Changed the policy of alice in community_vault.")
}
