package store_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// TestPolicies_PermittedAt_Random refuses payments under random policies of the server, the wallet,
// the member and a token, after random spends, and evaluates each again. It is permitted at the time
// that the refusal names, and not a microsecond before, nor at an earlier time at which a spend leaves
// a window. Without such a time, it is refused even when no spend counts. The rounds continue until
// both kinds of refusals have occurred.
func TestPolicies_PermittedAt_Random(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		r := rand.New(rand.NewPCG(testkit.Seed(t), 1))
		alice := b.user("alice", false)
		w := b.wallet(alice, "vault")
		token := b.token(alice, "shop", "")
		p := proposalFor(b, w, 1, utxoNumber(1)) // of 1450 sat with its fee
		p.Replaces, p.Creator.TokenID = "", token.ID
		p.Creator.UserID = alice.ID
		subjects := []string{"server", "wallet:" + w.ID, "member:" + w.ID + ":" + alice.ID, "token:t"}
		rounds, named, never := testkit.Size(60, 600), 0, 0
		for n := 0; n < rounds || named < 10 || never < 3; n++ {
			if n == 20*rounds {
				t.Fatalf("only %d refusals with a time and %d without in %d rounds", named, never, n)
			}
			document := func() string { return randomWindows(r) }
			for _, subject := range subjects[:3] {
				b.setPolicy(subject, document())
			}
			b.exec("UPDATE tokens SET policy = $1, policy_id = 't' WHERE token_id = $2", document(), token.ID)
			times := randomSpends(r, b, subjects)
			try := func(at time.Time) *fault.Error {
				t.Helper()
				_, err := b.TryProposal(t.Context(), p, proposal.Moment{Network: b.moment().Network, Now: at, Trusted: at}, nil)
				f, ok := errors.AsType[*fault.Error](err)
				if err != nil && (!ok || f.Code != proposal.ErrPolicyRefused.Code) {
					t.Fatal(err)
				}
				return f
			}
			refused := try(b.now)
			if refused == nil {
				continue
			}
			end := refused.PermittedAt
			if end.IsZero() {
				never++
				end = b.now.Add(10 * 24 * time.Hour)
			} else {
				named++
				times = append(times, end.Add(-time.Microsecond))
				if f := try(end); f != nil {
					t.Fatalf("refused at %s: %v\nnow: %v", end, f.Limits, refused.Limits)
				}
			}
			for _, at := range times {
				if at.After(b.now) && at.Before(end) && try(at) == nil {
					t.Fatalf("permitted at %s, before %s: %v", at, end, refused.Limits)
				}
			}
			if refused.PermittedAt.IsZero() && try(end) == nil {
				t.Fatalf("permitted at %s: %v", end, refused.Limits)
			}
		}
	})
}

// windowLengths are the periods of the windows of randomWindows.
var windowLengths = map[string]time.Duration{"1h": time.Hour, "24h": 24 * time.Hour, "7d": 7 * 24 * time.Hour}

// randomWindows returns a policy with one or two rules, each with one or two windows, which sometimes
// never permit a payment.
func randomWindows(r *rand.Rand) string {
	rules := make([]string, 1+r.IntN(2))
	for i := range rules {
		windows := make([]string, 1+r.IntN(2))
		for j := range windows {
			per := []string{"1h", "24h", "7d"}[r.IntN(3)]
			limit := fmt.Sprintf(`"max_sat":%d`, 1400+r.IntN(3000))
			if r.IntN(2) == 0 {
				limit = fmt.Sprintf(`"max_count":%d`, min(3, r.IntN(30)))
			}
			windows[j] = fmt.Sprintf(`{"per":%q,%s}`, per, limit)
		}
		rules[i] = fmt.Sprintf(`{"name":"rule %d","windows":[%s]}`, i, strings.Join(windows, ","))
	}
	return `{"version":1,"allow":[` + strings.Join(rules, ",") + `]}`
}

// randomSpends replaces all spends, and returns the times at which they leave windows.
func randomSpends(r *rand.Rand, b *fixture, subjects []string) (times []time.Time) {
	b.t.Helper()
	b.exec("DELETE FROM spends")
	for i := range r.IntN(24) {
		at := b.now.Add(-time.Duration(r.Int64N(int64(8 * 24 * time.Hour)))).Truncate(time.Microsecond)
		if r.IntN(2) == 0 {
			at = b.now.Add(-time.Duration(r.Int64N(int64(time.Hour)))).Truncate(time.Microsecond)
		}
		b.exec("INSERT INTO spends (proposal_id, subject, rule, at, amount_sat, counted_sat, counts) VALUES ($1, $2, $3, $4, 1000, $5, 1)",
			fmt.Sprint("p", i), subjects[r.IntN(len(subjects))], fmt.Sprint("rule ", r.IntN(2)), at.UnixMicro(), 1+r.IntN(1500))
		for _, length := range windowLengths {
			times = append(times, at.Add(length))
		}
	}
	return times
}

// checkPermittedAt checks that a refused payment is permitted from a time on, and not a microsecond
// before; never if the time is zero.
func (m *spendModel) checkPermittedAt(x *modelPayment, subjects []string, from time.Time) {
	m.t.Helper()
	now := m.now
	defer func() { m.now = now }()
	at := func(at time.Time) bool {
		m.now, x.at = at, at
		was := proposal.Status("")
		if x.replaces != nil {
			was = x.replaces.status
		}
		permitted := m.try(x, subjects)
		if permitted {
			m.undo(x, was)
		}
		return permitted
	}
	if from.IsZero() {
		if at(now.Add(48 * time.Hour)) { // all windows are shorter
			m.t.Errorf("the payment %+v of %v is permitted later, and the refusal names no time", x, subjects)
		}
		return
	}
	m.results["refused with a time"]++
	if !at(from) || at(from.Add(-time.Microsecond)) {
		m.t.Errorf("the payment %+v of %v is not permitted exactly from %s, now %s", x, subjects, from, now)
	}
}
