package store_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/policy"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/store"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// TestPolicies_Speed measures the evaluation of policies of 200 rules, one of which has 10,000
// payments in its window.
func TestPolicies_Speed(t *testing.T) {
	const others = policy.MaxRules - 1
	for name, test := range map[string]struct {
		other    string // rule, with its number
		interval int64  // between payments, in microseconds
		amount   btc.Amount
		refused  bool
	}{
		"permitted by one rule of 200":       {`{"name":"rule %[1]d","to":[{"wallet":"%[1]d"}],"windows":[{"per":"7d","max_sat":1000000}]}`, 60e6, 1000, false},
		"all 200 rules have full windows":    {`{"name":"rule %[1]d","windows":[{"per":"7d","max_sat":10}]}`, 60e6, 1000, false},
		"payments at one per 10 ms":          {`{"name":"rule %[1]d","to":[{"wallet":"%[1]d"}],"windows":[{"per":"7d","max_sat":1000000}]}`, 1e4, 1000, false},
		"refused by the windows of one rule": {`{"name":"rule %[1]d","to":[{"wallet":"%[1]d"}],"windows":[{"per":"7d","max_sat":1000000}]}`, 60e6, 999999999, true},
	} {
		t.Run(name, func(t *testing.T) {
			onBothEngines(t, func(t *testing.T, b *fixture) {
				w := b.wallet(b.user("alice", false), "vault")
				subject := "wallet:" + w.ID
				var rules []string
				for i := range others {
					rules = append(rules, fmt.Sprintf(test.other, i))
				}
				rules = append(rules, `{"name":"used","windows":[{"per":"7d","max_sat":1000000000,"max_count":20000}]}`)
				b.setPolicy(subject, `{"version":1,"allow":[`+strings.Join(rules, ",")+`]}`)
				b.exec(`WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)
					INSERT INTO spends (proposal_id, subject, rule, at, amount_sat, counted_sat, counts) SELECT 'p' || i, $1, 'used', CAST($2 AS BIGINT) - i * CAST($3 AS BIGINT), 1000, 1000, 1 FROM n`,
					subject, b.now.UnixMicro(), test.interval)
				b.exec("ANALYZE")
				p := pays(b, w, 1, test.amount)
				var took []time.Duration
				for range testkit.Size(200, 2000) {
					d, err := store.TimeEvaluation(t.Context(), b.Store, &p, b.moment())
					testkit.Check(t, err)
					took = append(took, d)
				}
				slices.Sort(took)
				p99 := took[len(took)*99/100]
				testkit.Figure(t, "%s: median %v, p99 %v", t.Name(), took[len(took)/2], p99)
				err := b.propose(p)
				if refused := errors.Is(err, proposal.ErrPolicyRefused); refused != test.refused || err != nil && !refused {
					t.Errorf("proposing it: %v", err)
				}
			})
		})
	}
}
