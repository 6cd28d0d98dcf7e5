package store_test

import (
	"slices"
	"testing"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// TestProposals_PoliciesChanged checks that a list of proposals reports a change of policies for
// exactly those to which the policies apply: of all members, of one member, or with a token.
func TestProposals_PoliciesChanged(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		alice, bob := b.user("alice", false), b.user("bob", false)
		w := b.wallet(alice, "vault")
		b.setPolicy("wallet:"+w.ID, dayLimit(100_000))
		token := b.token(alice, "shop", "")
		b.exec("UPDATE tokens SET policy = $1, policy_id = 'p' WHERE token_id = $2", dayLimit(50_000), token.ID)
		names := map[string]string{}
		for i, x := range []struct {
			name  string
			by    auth.User
			token string
		}{{"alice", alice, ""}, {"shop", alice, token.ID}, {"bob", bob, ""}, {"alice again", alice, ""}} {
			p := pays(b, w, i+1, 1000)
			p.Creator = proposal.Actor{UserID: x.by.ID, UserName: x.by.Name, TokenID: x.token}
			testkit.Check(t, b.propose(p))
			names[p.ID] = x.name
		}
		want := func(when string, changed ...string) {
			t.Helper()
			list, err := b.Proposals(t.Context(), w.ID, proposal.Filter{}, proposal.Cursor{}, 10)
			testkit.Check(t, err)
			var got []string
			for _, p := range list {
				if p.PoliciesChanged {
					got = append(got, names[p.ID])
				}
				one, err := b.Proposal(t.Context(), w.ID, p.ID)
				if testkit.Check(t, err); one.PoliciesChanged != p.PoliciesChanged {
					t.Errorf("%s: the policies of the proposal of %s changed: %t, in the list %t", when, names[p.ID], one.PoliciesChanged, p.PoliciesChanged)
				}
			}
			if slices.Sort(got); !slices.Equal(got, changed) {
				t.Errorf("%s: the policies of %q changed, want %q", when, got, changed)
			}
		}
		want("before a change")
		b.setPolicy("member:"+w.ID+":"+bob.ID, dayLimit(20_000))
		want("after a change for bob", "bob")
		b.setPolicy("wallet:"+w.ID, dayLimit(90_000))
		want("after a change for all", "alice", "alice again", "bob", "shop")
		for _, p := range testkit.Must(b.Proposals(t.Context(), w.ID, proposal.Filter{}, proposal.Cursor{}, 10)) {
			switch names[p.ID] {
			case "alice":
				b.moveTo(p, proposal.AwaitingApproval)
			case "bob":
				b.moveTo(p, proposal.Broadcast)
			case "shop":
				b.moveTo(p, proposal.Complete)
			}
		}
		want("of open proposals that do not await approval", "alice again", "shop")
		b.exec("DELETE FROM policies")
		b.exec("DELETE FROM proposals")
		p := pays(b, w, 5, 1000)
		testkit.Check(t, b.propose(p))
		names[p.ID] = "carol"
		want("without policies")
		b.setPolicy("server", dayLimit(90_000))
		want("after the first policy", "carol")
	})
}
