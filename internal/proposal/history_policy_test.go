package proposal_test

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/policy"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// historyRule is a rule of a policy. An amount or a number of 0 sets no limit.
type historyRule struct {
	name       string
	maxPayment btc.Amount
	per        time.Duration // length of its window
	maxSat     btc.Amount
	maxCount   int
	approval   bool // whether bob must approve payments of more than above
	above      btc.Amount
	delay      time.Duration
}

// historyLayer is the policy of a wallet, or of its owner as a member.
type historyLayer struct {
	kind  policy.Kind
	rules []historyRule
}

// policiesOfHistory are the policies of the wallets. They stay the same, so that a difference can
// be reproduced from its seed.
var policiesOfHistory = [historiesAtOnce][]historyLayer{
	1: {{policy.Wallet, []historyRule{{name: "any", maxPayment: 1_000_000, per: 30 * time.Minute, maxSat: 1_600_000, maxCount: 4}}}},
	2: {{policy.Wallet, []historyRule{
		{name: "small", maxPayment: 300_000, per: time.Hour, maxSat: 700_000},
		{name: "slow", per: time.Hour, maxSat: 2_500_000, delay: 5 * time.Minute},
	}}},
	3: {{policy.Wallet, []historyRule{{name: "any", per: time.Hour, maxSat: 3_000_000, maxCount: 5, approval: true, above: 200_000}}}},
	4: {
		{policy.Wallet, []historyRule{
			{name: "small", maxPayment: 150_000, per: 30 * time.Minute, maxSat: 400_000, maxCount: 2},
			{name: "large", per: time.Hour, maxSat: 2_000_000, approval: true, delay: 5 * time.Minute},
		}},
		{policy.Member, []historyRule{{name: "budget", per: 10 * time.Minute, maxSat: 1_500_000}}},
	},
}

func (l historyLayer) document() string {
	allow := []map[string]any{}
	for _, r := range l.rules {
		rule, window := map[string]any{"name": r.name}, map[string]any{"per": fmt.Sprintf("%dm", r.per/time.Minute)}
		if r.maxPayment > 0 {
			rule["max_payment_sat"] = int64(r.maxPayment)
		}
		if r.maxSat > 0 {
			window["max_sat"] = int64(r.maxSat)
		}
		if r.maxCount > 0 {
			window["max_count"] = r.maxCount
		}
		if r.approval {
			rule["approvals"] = map[string]any{"count": 1, "of": []string{"role:signer"}, "not_proposer": true, "above_sat": int64(r.above)}
		}
		if r.delay > 0 {
			rule["delay"] = fmt.Sprintf("%dm", r.delay/time.Minute)
		}
		rule["windows"] = []any{window}
		allow = append(allow, rule)
	}
	document, err := json.Marshal(map[string]any{"version": 1, "allow": allow})
	if err != nil {
		panic(err)
	}
	return string(document)
}

// subject returns what the rules of a layer are charged for.
func (s *testWallet) subject(l historyLayer) string {
	if l.kind == policy.Member {
		return "member:" + s.id + ":" + s.owner
	}
	return "wallet:" + s.id
}

// setPolicies sets the policies of a new wallet.
func (h *histories) setPolicies(s *testWallet, layers []historyLayer) {
	h.t.Helper()
	s.policies, s.owner = layers, h.alice.UserID
	i, err := h.wallets.Invite(h.t.Context(), h.access(h.alice, s.alias), h.bob.UserName, "signer")
	testkit.Check(h.t, err)
	_, err = h.wallets.Accept(h.t.Context(), h.bob, i.ID, "")
	testkit.Check(h.t, err)
	for _, l := range layers {
		var user any
		if l.kind == policy.Member {
			user = s.owner
		}
		testkit.Eventually(h.t, "the database is not locked", func() bool {
			_, err := h.shell.ExecContext(h.t.Context(), "INSERT INTO policies (subject, wallet_id, user_id, document, user_name, set_at) VALUES ($1, $2, $3, $4, 'alice', 1)",
				s.subject(l), s.id, user, l.document())
			return err == nil
		})
	}
}

// charged contains the expected effects of policies on a proposal.
type charged struct {
	amount, spent btc.Amount // without and with the fee
	at            time.Time  // when it counts
	charges       []policy.Charge
	approval      bool // required
	releaseAt     time.Time
	approved      bool
	unreleased    bool
	// status and sent are the status as of the last check, and whether the transaction was
	// ever in the mempool or in the chain. evicted is set if it has left the mempool, but no block
	// conflicts with it.
	status        proposal.Status
	sent, evicted bool
}

// mayConfirm reports whether the payment counts, unless its replacements do.
func (e *expected) mayConfirm(all []*expected) bool {
	switch e.status {
	case proposal.AwaitingApproval, proposal.Created, proposal.PartiallySigned, proposal.Complete, proposal.Broadcast, proposal.Confirmed:
		return true
	case proposal.Replaced:
		isConfirmed := func(o *expected) bool { return o.supersedes(e) && o.status == proposal.Confirmed }
		return e.sent && !slices.ContainsFunc(all, isConfirmed)
	case proposal.Conflicted:
		return e.sent && e.evicted
	case proposal.Cancelled, proposal.Expired, proposal.Rejected:
	}
	return false
}

// counts returns the amount and the number of payments that e counts for in a rule. What is
// charged to the same rule for a replacement is not counted twice.
func (e *expected) counts(c policy.Charge, all []*expected) (sat btc.Amount, count int) {
	if !slices.Contains(e.charges, c) || !e.mayConfirm(all) {
		return 0, 0
	}
	sat, count = e.spent, 1
	for _, o := range all {
		wasSent := o.status == proposal.Replaced && o.sent
		if o.supersedes(e) && slices.Contains(o.charges, c) && (wasSent || o.mayConfirm(all)) {
			sat, count = max(0, min(sat, e.spent-o.spent)), 0
		}
	}
	return sat, count
}

// decision is the result of the test's own evaluation of a payment.
type decision struct {
	refusals map[string]refused // by layer, rule and field
	charges  []policy.Charge
	approval bool
	delay    time.Duration
	// permittedAt is when a refused payment is permitted if nothing else changes; zero for never.
	permittedAt time.Time
}

// decide evaluates a payment that is not stored yet.
func (s *testWallet) decide(x *expected, now time.Time) decision {
	d := decision{refusals: map[string]refused{}}
	never := false
	for _, l := range s.policies {
		var permitted []historyRule
		var first time.Time // at which one of the rules permits it
		refusals := map[string]refused{}
		for _, r := range l.rules {
			exceeded := s.exceeded(l, r, x, now)
			if len(exceeded) == 0 {
				permitted = append(permitted, r)
			} else if at := lastFree(exceeded); !at.IsZero() && (first.IsZero() || at.Before(first)) {
				first = at
			}
			maps.Copy(refusals, exceeded)
		}
		if len(permitted) == 0 {
			maps.Copy(d.refusals, refusals)
			if never = never || first.IsZero(); first.After(d.permittedAt) {
				d.permittedAt = first
			}
			continue
		}
		r := slices.MinFunc(permitted, func(a, b historyRule) int {
			return cmp.Or(compareBool(a.needsApproval(x), b.needsApproval(x)), cmp.Compare(a.delay, b.delay), cmp.Compare(a.name, b.name))
		})
		d.charges = append(d.charges, policy.Charge{Subject: s.subject(l), Rule: r.name})
		d.approval, d.delay = d.approval || r.needsApproval(x), max(d.delay, r.delay)
	}
	if never {
		d.permittedAt = time.Time{}
	}
	return d
}

func (r historyRule) needsApproval(x *expected) bool {
	return r.approval && (x.amount > r.above || r.above == 0)
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// exceeded returns the limits of a rule that a payment exceeds.
func (s *testWallet) exceeded(l historyLayer, r historyRule, x *expected, now time.Time) map[string]refused {
	c := policy.Charge{Subject: s.subject(l), Rule: r.name}
	all := append(slices.Clone(s.proposals), x)
	x.charges, x.status = []policy.Charge{c}, proposal.Created
	var uses []use
	var used use // the sum
	for _, e := range s.proposals {
		if !e.at.After(now.Add(-r.per)) || e == x.replaces && e.status.Open() { // x ends it
			continue
		}
		sat, count := e.counts(c, all)
		uses = append(uses, use{e.at, sat, count})
		used.sat, used.count = used.sat+sat, used.count+count
	}
	exceeded := map[string]refused{}
	name := fmt.Sprintf("%s %s ", l.kind, r.name)
	if r.maxPayment > 0 && x.amount > r.maxPayment {
		exceeded[name+"max_payment_sat"] = refused{amounts: fmt.Sprint([]btc.Amount{r.maxPayment, x.amount})}
	}
	if most := r.maxSat; most > 0 && used.sat+x.spent > most {
		e := refused{used: fmt.Sprint(int64(used.sat)), amounts: fmt.Sprint(r.windowAmounts(used.sat, x.spent))}
		if x.spent <= most {
			e.freesAt = r.freesAt(uses, use{sat: used.sat + x.spent - most})
		}
		exceeded[name+"windows[0].max_sat"] = e
	}
	if most := r.maxCount; most > 0 && used.count+1 > most {
		exceeded[name+"windows[0].max_count"] = refused{used: fmt.Sprint(used.count), amounts: "[]", freesAt: r.freesAt(uses, use{count: used.count + 1 - most})}
	}
	return exceeded
}

// windowAmounts returns the amounts in the message about a payment that exceeds the window: the
// limit; the amounts of other payments and of the rest, if there are any; and the amount with its fee.
func (r historyRule) windowAmounts(used, spent btc.Amount) []btc.Amount {
	if used == 0 {
		return []btc.Amount{r.maxSat, spent}
	}
	return []btc.Amount{r.maxSat, used, max(0, r.maxSat-used), spent}
}

// admitted returns an error unless a new proposal pays what was asked for, and the test's own
// evaluation permits it with the same charges and requirements.
func (h *histories) admitted(s *testWallet, a asked, e *expected, p proposal.Proposal, from, to time.Time) error {
	e.status = p.Status
	for _, in := range p.Inputs {
		e.spent += in.Amount
	}
	for i, out := range p.Outputs {
		amount := btc.Amount(e.tx.TxOut[i].Value)
		if out.Address == e.change && e.change != "" {
			e.spent -= amount
		} else {
			e.amount += amount
		}
	}
	if err := a.allows(e.amount, e.spent); err != nil {
		return fmt.Errorf("%s was created, but %w", e.name, err)
	}
	if len(s.policies) == 0 {
		if p.Review != nil {
			return fmt.Errorf("%s has a review without policies", e.name)
		}
		return nil
	}
	want := s.decide(e, from)
	if len(want.refusals) > 0 {
		want = s.decide(e, to)
	}
	e.charges, e.status = want.charges, p.Status
	if len(want.refusals) > 0 {
		return fmt.Errorf("%s was created, but exceeds %v", e.name, want.refusals)
	}
	r := p.Review
	if r == nil || r.ChargedAt.Before(from.Truncate(time.Microsecond)) || r.ChargedAt.After(to) || !slices.Equal(r.Charges, want.charges) || len(r.Required) > 0 != want.approval {
		return fmt.Errorf("%s has the review %+v, want %+v", e.name, r, want)
	}
	e.at, e.approval, e.unreleased = r.ChargedAt, want.approval, want.approval || want.delay > 0
	wanted := proposal.Created
	if e.unreleased {
		h.results["held"]++
		wanted = proposal.AwaitingApproval
	}
	if want.delay > 0 {
		e.releaseAt = e.at.Add(want.delay)
	}
	if p.Status != wanted || !r.ReleaseAt.Equal(e.releaseAt) {
		return fmt.Errorf("%s is %s until %s, want %s until %s", e.name, p.Status, r.ReleaseAt, wanted, e.releaseAt)
	}
	return nil
}

// release updates the expected status of a proposal that awaits approval if its requirements are
// met.
func (h *histories) release(e *expected) {
	if e.last != proposal.AwaitingApproval || e.approval && !e.approved || h.clock.now().Before(e.releaseAt) {
		return
	}
	h.results["released"]++
	e.unreleased, e.base, e.last = false, proposal.Created, proposal.Created
}

func (h *histories) approve(s *testWallet, n [5]uint32) (string, error) {
	e := s.some(n[0], proposal.AwaitingApproval)
	if e == nil {
		return h.send(s, n)
	}
	who, said := h.bob, e.name+" is approved"
	if n[1]%4 == 0 {
		who, said = h.alice, said+" by its proposer"
	}
	p, err := h.Approve(h.t.Context(), h.access(who, s.alias), e.id, nil)
	if err != nil {
		said += ": " + err.Error()
	}
	awaits := e.last == proposal.AwaitingApproval && !e.overdue
	counts := awaits && e.approval && who == h.bob
	switch {
	case counts != (err == nil):
		return said, fmt.Errorf("%s was %s and its approval counts: %t, but the result is %w", e.name, e.last, counts, err)
	case awaits && !counts && !errors.Is(err, proposal.ErrNotApprover):
		return said, fmt.Errorf("the approval does not count, but the result is %w", err)
	case !counts:
		return said, nil
	}
	h.results["approved"]++
	e.approved = true
	if h.release(e); p.Status != e.last {
		return said, fmt.Errorf("%s is %s after its approval, want %s", e.name, p.Status, e.last)
	}
	return said, nil
}

func (h *histories) reject(s *testWallet, n [5]uint32) (string, error) {
	e := s.some(n[0], proposal.AwaitingApproval)
	if e == nil {
		return "", nil
	}
	_, err := h.Reject(h.t.Context(), h.access(h.bob, s.alias), e.id, "unknown recipient", nil)
	if awaits := e.last == proposal.AwaitingApproval && !e.overdue; awaits != (err == nil) {
		return "reject " + e.name, fmt.Errorf("%s was %s, but the result of a rejection is %w", e.name, e.last, err)
	}
	if err != nil {
		return "reject " + e.name + ": " + err.Error(), refusal(err)
	}
	h.results["rejected"]++
	e.base, e.last = proposal.Rejected, proposal.Rejected
	return "reject " + e.name, nil
}

// compareReview returns the differences in what is withheld of a proposal.
func (e *expected) compareReview(p proposal.Proposal) (wrong []string) {
	held := e.unreleased && p.Status != proposal.Broadcast && p.Status != proposal.Confirmed
	if held && len(p.PSBT)+len(p.Raw) > 0 {
		wrong = append(wrong, fmt.Sprintf("is %s and was not released, but its PSBT is shown", p.Status))
	}
	if !held && len(p.PSBT) == 0 {
		wrong = append(wrong, fmt.Sprintf("is %s and was released or required nothing, but its PSBT is not shown", p.Status))
	}
	if p.Review != nil && p.Review.Released == e.unreleased {
		wrong = append(wrong, fmt.Sprintf("is released: %t", p.Review.Released))
	}
	return wrong
}

// compareSpends returns the differences in what proposals count for, and in the sums of it if
// sums is set.
func (h *histories) compareSpends(s *testWallet, looked []*expected, sums bool) (wrong []string) {
	want, got := map[string]string{}, map[string]string{}
	names := map[string]string{}
	for _, e := range looked {
		names[e.id] = e.name
		for _, c := range e.charges {
			sat, count := e.counts(c, s.proposals)
			want[e.name+" for "+c.Subject+" "+c.Rule] = fmt.Sprintf("%d of %d, %d", sat, e.spent, count)
		}
	}
	rows, err := h.shell.QueryContext(h.t.Context(),
		"SELECT proposal_id, subject, rule, amount_sat, counted_sat, counts FROM spends WHERE proposal_id IN (SELECT proposal_id FROM proposals WHERE wallet_id = $1)", s.id)
	if err != nil {
		return []string{err.Error()}
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var id, subject, rule string
		var amount, sat, count int64
		if err := rows.Scan(&id, &subject, &rule, &amount, &sat, &count); err != nil {
			return []string{err.Error()}
		}
		if names[id] != "" {
			got[names[id]+" for "+subject+" "+rule] = fmt.Sprintf("%d of %d, %d", sat, amount, count)
		}
	}
	if err := rows.Err(); err != nil {
		return []string{err.Error()}
	}
	if !maps.Equal(want, got) {
		wrong = append(wrong, fmt.Sprintf("the proposals count for %v, want %v", got, want))
	}
	if sums {
		wrong = append(wrong, h.compareSums(s)...)
	}
	return wrong
}

// compareSums returns the differences between the sums of spends by 10 minutes and by day, and the
// spends.
func (h *histories) compareSums(s *testWallet) (wrong []string) {
	for _, minutes := range []int{10, 1440} {
		for _, l := range s.policies {
			var sat, count, sumSat, sumCount int64
			err := h.shell.QueryRowContext(h.t.Context(), "SELECT (SELECT coalesce(sum(counted_sat), 0) FROM spends WHERE subject = $1), (SELECT coalesce(sum(counts), 0) FROM spends WHERE subject = $1), "+
				"(SELECT coalesce(sum(counted_sat), 0) FROM spend_sums WHERE subject = $1 AND minutes = $2), (SELECT coalesce(sum(counts), 0) FROM spend_sums WHERE subject = $1 AND minutes = $2)",
				s.subject(l), minutes).Scan(&sat, &count, &sumSat, &sumCount)
			if err != nil || sat != sumSat || count != sumCount {
				wrong = append(wrong, fmt.Sprintf("the sums of %d minutes are %d and %d, want %d and %d (%v)", minutes, sumSat, sumCount, sat, count, err))
			}
		}
	}
	return wrong
}
