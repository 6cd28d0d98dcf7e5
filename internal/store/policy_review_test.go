package store_test

import (
	"testing"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/policy"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// counts returns what a proposal counts for.
func (b *fixture) counts(p proposal.Proposal) string {
	b.t.Helper()
	return b.rows("SELECT rule, counted_sat, counts FROM spends WHERE proposal_id = $1", p.ID)
}

// TestSpends_NewReview checks that a proposal counts for the rules of its last review only.
func TestSpends_NewReview(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		w := b.wallet(b.user("alice", false), "vault")
		subject := "wallet:" + w.ID
		b.setPolicy(subject, dayLimit(10_000))
		p := pays(b, w, 1, 7000)
		testkit.Check(t, b.propose(p))
		_, err := b.UpdateProposal(t.Context(), w.ID, p.ID, func(u *proposal.Update) error {
			u.Changed, u.Review = true, &proposal.Review{Hash: "other", Charges: []policy.Charge{{Subject: subject, Rule: "other"}}, ChargedAt: u.Review.ChargedAt}
			return nil
		})
		testkit.Check(t, err)
		if got := b.counts(p); got != "other 7000 1" {
			t.Errorf("the proposal counts for %q", got)
		}
	})
}

// TestSpends_OwnCharge checks that a proposal that is evaluated again does not count twice, and that
// a replacement takes over only a charge of its own amount.
func TestSpends_OwnCharge(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		w := b.wallet(b.user("alice", false), "vault")
		subject := "wallet:" + w.ID
		b.setPolicy(subject, dayLimit(10_000))
		first := pays(b, w, 1, 9000)
		testkit.Check(t, b.propose(first))
		_, err := b.UpdateProposal(t.Context(), w.ID, first.ID, func(u *proposal.Update) error {
			layers, err := u.Rules.Layers(&u.Proposal)
			testkit.Check(t, err)
			if d, err := u.Rules.Evaluate(&u.Proposal, layers, b.moment()); err != nil || len(d.Refusals) > 0 {
				t.Errorf("the proposal is refused when it is evaluated again: %+v, %v", d.Refusals, err)
			}
			return nil
		})
		testkit.Check(t, err)
		b.sent(first)
		small := pays(b, w, 2, 2000)
		small.Inputs, small.ReplacesID, small.Replaces = first.Inputs, first.ID, first.Txid
		b.setPolicy(subject, dayLimit(8999))
		wantFault(t, b.propose(small), proposal.ErrPolicyRefused)
		b.setPolicy(subject, dayLimit(9000))
		testkit.Check(t, b.propose(small))
	})
}

// sent records that a proposal was sent.
func (b *fixture) sent(p proposal.Proposal) {
	b.t.Helper()
	_, err := b.UpdateProposal(b.t.Context(), p.WalletID, p.ID, func(u *proposal.Update) error {
		u.Status, u.Changed = proposal.Broadcast, true
		u.Steps = append(u.Steps, proposal.Step{At: b.now, Action: string(proposal.Broadcast)})
		return nil
	})
	testkit.Check(b.t, err)
}

// TestSpends_ConfirmedReplacement checks that a payment that was sent and replaced by a smaller one
// counts for the difference until the replacement is confirmed, and again after a reorganization.
func TestSpends_ConfirmedReplacement(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		w := b.wallet(b.user("alice", false), "vault")
		b.setPolicy("wallet:"+w.ID, dayLimit(10_000))
		first, second := pays(b, w, 1, 9000), pays(b, w, 2, 2000)
		testkit.Check(t, b.propose(first))
		b.sent(first)
		second.Inputs, second.ReplacesID, second.Replaces = first.Inputs, first.ID, first.Txid
		testkit.Check(t, b.propose(second))
		b.sent(second)
		b.moveTo(first, proposal.Replaced)
		for _, step := range []struct {
			status proposal.Status
			want   string
		}{{proposal.Broadcast, "day 7000 0"}, {proposal.Confirmed, "day 0 0"}, {proposal.Broadcast, "day 7000 0"}, {proposal.Cancelled, "day 9000 1"}} {
			b.moveTo(second, step.status)
			if got := b.counts(first); got != step.want {
				t.Errorf("while its replacement is %s the payment counts for %s, want %s", step.status, got, step.want)
			}
		}
	})
}

// TestProposals_Held checks when a payment counts and when its release is due, also while the clock is
// in doubt, and that a payment that must not wait is refused.
func TestProposals_Held(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		ctx := t.Context()
		w := b.wallet(b.user("alice", false), "vault")
		b.setPolicy("wallet:"+w.ID, `{"version":1,"allow":[{"name":"slow","delay":"2h"}]}`)
		begin := b.now
		for i, test := range []struct {
			name         string
			now, charged time.Duration // since the last trusted time
		}{{"a trusted clock", 0, 0}, {"a clock that went back", -time.Hour, 0}, {"a clock that jumped ahead", time.Hour, time.Hour}} {
			p := pays(b, w, i+1, 1000)
			p.CreatedAt, p.ExpiresAt = begin.Add(test.now), begin.Add(24*time.Hour)
			m := proposal.Moment{Now: p.CreatedAt, Trusted: begin, AtOnce: true}
			_, err := b.AddProposal(ctx, p, m, nil, auth.Event{At: b.now, Action: "proposal.create"})
			wantFault(t, err, proposal.ErrAwaiting)
			m.AtOnce = false
			_, err = b.AddProposal(ctx, p, m, nil, auth.Event{At: b.now, Action: "proposal.create"})
			testkit.Check(t, err)
			held, err := b.Proposal(ctx, w.ID, p.ID)
			testkit.Check(t, err)
			release := begin.Add(test.charged + 2*time.Hour)
			if r := held.Review; held.Status != proposal.AwaitingApproval || !held.Held() || !r.ChargedAt.Equal(begin.Add(test.charged)) || !r.ReleaseAt.Equal(release) || !held.TryAt.Equal(release) {
				t.Errorf("%s: %s, %+v, due at %s", test.name, held.Status, r, held.TryAt)
			}
			var at int64
			testkit.Check(t, b.shell.QueryRowContext(ctx, "SELECT at FROM spends WHERE proposal_id = $1", p.ID).Scan(&at))
			if want := begin.Add(test.charged); at != want.UnixMicro() {
				t.Errorf("%s: it counts at %s, want %s", test.name, time.UnixMicro(at).UTC(), want)
			}
			if next := testkit.Must(b.NextRelease(ctx)); !next.Equal(release) {
				t.Errorf("%s: the next release is at %s, want %s", test.name, next, release)
			}
			for at, n := range map[time.Time]int{release.Add(-time.Microsecond): 0, release: 1} {
				if due := testkit.Must(b.DueReleases(ctx, at)); len(due) != n {
					t.Errorf("%s: %d releases are due at %s", test.name, len(due), at)
				}
			}
			b.moveTo(p, proposal.Cancelled)
			if next := testkit.Must(b.NextRelease(ctx)); !next.IsZero() {
				t.Errorf("%s: a release is due at %s after the proposal was cancelled", test.name, next)
			}
		}
	})
}

// TestApprovals_RoundTrip checks that all fields of approvals and rejections are stored.
func TestApprovals_RoundTrip(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		w := b.wallet(b.user("alice", false), "vault")
		p := pays(b, w, 1, 1000)
		testkit.Check(t, b.propose(p))
		want := []proposal.Approval{
			{At: b.now, By: proposal.Actor{UserID: "u1", UserName: "bob", TokenID: "t1"}, Hash: "h1"},
			{At: b.now.Add(time.Second), By: proposal.Actor{UserID: "u2", UserName: "carol"}, Rejects: true, Reason: "unknown recipient", Hash: "h2"},
		}
		for _, a := range want {
			_, err := b.UpdateProposal(t.Context(), w.ID, p.ID, func(u *proposal.Update) error {
				u.Approvals, u.Changed = append(u.Approvals, a), true
				return nil
			})
			testkit.Check(t, err)
		}
		got := testkit.Must(b.Proposal(t.Context(), w.ID, p.ID)).Approvals
		if len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
			t.Errorf("got %+v", got)
		}
	})
}

// TestPolicyChanges_Proposals checks that a change of a policy makes the release of held proposals be
// tried, and changes the version of released ones, which show a warning: of the wallet, or of all
// wallets for the server.
func TestPolicyChanges_Proposals(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		w, ctx := newPolicyWorld(t, b), t.Context()
		other := b.wallet(w.alice, "other")
		held, released, elsewhere := pays(b, w.w, 1, 1000), pays(b, w.w, 2, 1000), pays(b, other, 3, 1000)
		testkit.Check(t, b.propose(released))
		testkit.Check(t, b.propose(elsewhere))
		b.setPolicy("wallet:"+w.w.ID, `{"version":1,"allow":[{"name":"all","approvals":{"count":1}}]}`)
		testkit.Check(t, b.propose(held))
		version := func(p proposal.Proposal) int { return testkit.Must(b.Proposal(ctx, p.WalletID, p.ID)).Version }
		want := func(when string, versions ...int) {
			t.Helper()
			for i, p := range []proposal.Proposal{held, released, elsewhere} {
				if got := version(p); got != versions[i] {
					t.Errorf("%s: proposal %d has the version %d, want %d", when, i, got, versions[i])
				}
			}
			if next := testkit.Must(b.NextRelease(ctx)); !next.Equal(b.now) {
				t.Errorf("%s: the next release is at %s, want %s", when, next, b.now)
			}
		}
		w.put(w.alice, []byte(`{"version":1,"allow":[{"name":"all","approvals":{"count":2}}]}`))
		want("the policy of the wallet changed", 1, 2, 1)
		b.now = b.now.Add(time.Minute)
		_, err := w.policies.PutServer(ctx, auth.Operator("root").For(w.alice), []byte(`{"version":1,"allow":[{"name":"all"}]}`), nil)
		testkit.Check(t, err)
		want("the policy of the server changed", 1, 3, 2)
	})
}

// TestPolicyChanges_CallerRecheck checks that a policy is not changed if the caller's password was
// changed after the request was authorized.
func TestPolicyChanges_CallerRecheck(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		w := newPolicyWorld(t, b)
		access := testkit.Access(t, w.wallets, w.bob.Credential().Principal(""), "vault")
		b.exec("UPDATE users SET password_hash = 'changed' WHERE user_id = $1", w.bob.ID)
		_, err := w.policies.Put(t.Context(), access, strict("5000"), nil)
		wantFault(t, err, auth.ErrUnauthenticated)
		if got := b.rows("SELECT subject FROM policies"); got != "" {
			t.Errorf("the policy of %s was set", got)
		}
	})
}

// TestProposals_TokenGone checks that a proposal without policies can be read and changed after its
// token was deleted.
func TestProposals_TokenGone(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		alice := b.user("alice", false)
		w := b.wallet(alice, "vault")
		p := pays(b, w, 1, 1000)
		p.Creator = proposal.Actor{UserID: alice.ID, UserName: alice.Name, TokenID: b.token(alice, "shop", "").ID}
		testkit.Check(t, b.propose(p))
		b.exec("DELETE FROM tokens")
		testkit.Must(b.Proposal(t.Context(), w.ID, p.ID))
		b.moveTo(p, proposal.Cancelled)
	})
}
