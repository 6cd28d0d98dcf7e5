package proposal

import (
	"slices"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/policy"
)

// TestReviewHash checks that approvals are bound to the transaction, and to the policy, the entries of
// its lists and the subject of each layer.
func TestReviewHash(t *testing.T) {
	layer := func(change func(*policy.Layer)) policy.Layer {
		l := policy.Layer{
			Subject: "wallet:w", Policy: policy.Policy{Deny: []policy.Target{{List: "blocked"}}}, Lists: policy.Lists{"blocked": {{Address: "x"}}},
		}
		change(&l)
		return l
	}
	same := layer(func(*policy.Layer) {})
	hashes := map[string]string{
		"same":                reviewHash(&Proposal{Txid: "a"}, []policy.Layer{same}),
		"another transaction": reviewHash(&Proposal{Txid: "b"}, []policy.Layer{same}),
		"another policy":      reviewHash(&Proposal{Txid: "a"}, []policy.Layer{layer(func(l *policy.Layer) { l.Policy.Allow = []policy.Rule{} })}),
		"another list":        reviewHash(&Proposal{Txid: "a"}, []policy.Layer{layer(func(l *policy.Layer) { l.Lists = policy.Lists{"blocked": {}} })}),
		"another subject":     reviewHash(&Proposal{Txid: "a"}, []policy.Layer{layer(func(l *policy.Layer) { l.Subject = "member:w:u" })}),
		"another layer":       reviewHash(&Proposal{Txid: "a"}, []policy.Layer{same, {Subject: "server"}}),
	}
	if again := reviewHash(&Proposal{Txid: "a", Status: Complete}, []policy.Layer{same}); again != hashes["same"] {
		t.Errorf("the hashes of the same payment are %s and %s", again, hashes["same"])
	}
	for name, hash := range hashes {
		for other, its := range hashes {
			if name != other && hash == its {
				t.Errorf("%s has the hash of %s", name, other)
			}
		}
	}
}

// TestMoment checks that a time has come only if it has come by the clock and by the last trusted time,
// and that a payment counts at the later of both.
func TestMoment(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	for _, test := range []struct {
		name             string
		trusted          time.Time
		reached, charged time.Time // the latest time that has come; the time at which a payment counts
	}{
		{"trusted", now, now, now},
		{"unknown", time.Time{}, now, now},
		{"the clock jumped ahead", now.Add(-time.Hour), now.Add(-time.Hour), now},
		{"the clock went back", now.Add(time.Hour), now, now.Add(time.Hour)},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := Moment{Now: now, Trusted: test.trusted}
			if !m.reached(test.reached) || m.reached(test.reached.Add(1)) || !m.reached(time.Time{}) {
				t.Errorf("the latest time that has come is not %s", test.reached)
			}
			if got := m.charged(); !got.Equal(test.charged) {
				t.Errorf("a payment counts at %s", got)
			}
		})
	}
}

// TestProposal_Missing checks which approvals count for which requirement.
func TestProposal_Missing(t *testing.T) {
	approvers := []Approver{
		{UserID: "a", UserName: "alice", Role: auth.RoleOwner},
		{UserID: "b", UserName: "Bob", Role: auth.RoleSigner, Admin: true},
		{UserID: "c", UserName: "carol", Role: auth.RoleProposer},
		{UserID: "d", UserName: "dave", Role: auth.RoleSigner},
	}
	by := func(user, token string) Approval {
		return Approval{By: Actor{UserID: user, TokenID: token}, Hash: "now"}
	}
	old, rejection := by("b", ""), by("d", "")
	old.Hash, rejection.Rejects = "before", true
	signers, others := policy.Approvals{Count: 2}, policy.Approvals{Count: 2, NotProposer: true}
	of := func(groups ...policy.Group) policy.Approvals { return policy.Approvals{Count: 2, Of: groups} }
	for _, test := range []struct {
		name      string
		requires  policy.Approvals
		approvals []Approval
		want      int
	}{
		{"none", signers, nil, 2},
		{"two signers", signers, []Approval{by("b", ""), by("d", "")}, 0},
		{"three signers", signers, []Approval{by("a", ""), by("b", ""), by("d", "")}, 0},
		{"the same signer twice", signers, []Approval{by("b", ""), by("b", "t"), by("b", "u")}, 1},
		{"under older policies", signers, []Approval{old, by("d", "")}, 1},
		{"a rejection", signers, []Approval{rejection, by("b", "")}, 1},
		{"a former member", signers, []Approval{by("e", ""), by("b", "")}, 1},
		{"a proposer by role", signers, []Approval{by("c", ""), by("b", "")}, 1},
		{"the proposer of the payment", signers, []Approval{by("a", ""), by("b", "")}, 0},
		{"a token of its proposer", signers, []Approval{by("a", "t"), by("b", "")}, 1},
		{"a token of another signer", signers, []Approval{by("d", "t"), by("b", "")}, 0},
		{"only others, its proposer", others, []Approval{by("a", ""), by("b", "")}, 1},
		{"only others", others, []Approval{by("d", ""), by("b", "")}, 0},
		{"a user in another case", of(policy.Group{User: "bob"}, policy.Group{User: "dave"}), []Approval{by("b", ""), by("d", "")}, 0},
		{"another user", of(policy.Group{User: "bob"}), []Approval{by("b", ""), by("d", "")}, 1},
		{"admins", of(policy.Group{Role: "admin"}), []Approval{by("a", ""), by("b", "")}, 1},
		{"owners", of(policy.Group{Role: "owner"}), []Approval{by("a", ""), by("b", "")}, 1},
		{"no members", of([]policy.Group{}...), []Approval{by("a", ""), by("b", "")}, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := Proposal{Creator: Actor{UserID: "a", TokenID: "x"}, Approvals: test.approvals, Review: &Review{Hash: "now", Required: []policy.Requirement{{Approvals: test.requires}, {Approvals: policy.Approvals{Count: 1, Of: []policy.Group{}}}}}}
			if got := p.missing(approvers); !slices.Equal(got, []int{test.want, 1}) {
				t.Errorf("%v are missing, want %d", got, test.want)
			}
		})
	}
}
