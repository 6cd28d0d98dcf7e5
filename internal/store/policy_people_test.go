package store_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// TestPolicies_Approvers checks that approvers of payments are the members of the wallet, and approvers
// of changes for the server the admins, who are not disabled.
func TestPolicies_Approvers(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		w, ctx := newPolicyWorld(t, b), t.Context()
		dave, former := b.user("dave", true), b.user("former", true)
		b.wallet(dave, "other")
		b.join(w.w, former, auth.RoleOwner, "vault")
		b.exec("UPDATE users SET disabled_at = 1 WHERE user_id = $1", former.ID)
		p := pays(b, w.w, 1, 1000)
		testkit.Check(t, b.propose(p))
		_, err := b.UpdateProposal(ctx, w.w.ID, p.ID, func(u *proposal.Update) error {
			var names []string
			for _, a := range testkit.Must(u.Rules.Approvers(&u.Proposal)) {
				names = append(names, a.UserName)
			}
			if want := []string{"alice", "bob", "carol"}; !slices.Equal(names, want) {
				t.Errorf("the approvers are %q, want %q", names, want)
			}
			return nil
		})
		testkit.Check(t, err)

		root := auth.Operator("root")
		server := func(document string) string {
			t.Helper()
			r, err := w.policies.PutServer(ctx, root.For(w.alice), []byte(document), nil)
			if testkit.Check(t, err); r.Pending == nil {
				return ""
			}
			return r.Pending.ID
		}
		server(`{"version":1,"allow":[],"change":{"approvals":2}}`)
		id := server(`{"version":1,"allow":[{"name":"all"}],"change":{"approvals":2}}`)
		if id == "" {
			t.Fatal("one admin loosens the policy")
		}
		b.exec("UPDATE policy_changes SET approvals = $1", `[{"user_id":"`+w.alice.ID+`","user_name":"alice","at":"2026-01-01T00:00:00Z"},{"user_id":"`+former.ID+`","user_name":"former","at":"2026-01-01T00:00:00Z"},{"user_id":"`+w.bob.ID+`","user_name":"bob","at":"2026-01-01T00:00:00Z"}]`)
		testkit.Check(t, w.policies.ApplyDue(ctx))
		changes, err := w.policies.ServerChanges(ctx, root.For(w.alice))
		if testkit.Check(t, err); len(changes) != 1 || changes[0].Missing != 1 || len(changes[0].Approvals) != 3 {
			t.Fatalf("with approvals of a disabled admin and of a user: %+v", changes)
		}
		r, err := w.policies.ApproveServerChange(ctx, root.For(dave), id)
		if testkit.Check(t, err); r.Pending != nil {
			t.Errorf("with the approval of another admin the change is pending: %+v", r.Pending)
		}
	})
}

// TestTokenPolicies_Order checks that the policies of a token and of its ancestors are in this order, and
// that the policy of a new token must not permit more than the first one.
func TestTokenPolicies_Order(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		alice := b.user("alice", false)
		var want []string
		id := ""
		for _, sat := range []int{4000, 3000, 2000} {
			token := b.token(alice, "shop", id)
			b.exec("UPDATE tokens SET policy = $1, policy_id = $2, description = $2 WHERE token_id = $2", dayLimit(sat), token.ID)
			id, want = token.ID, append([]string{dayLimit(sat)}, want...)
		}
		if got := testkit.Must(b.TokenPolicies(t.Context(), id)); !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
		// A new token is compared with the nearest.
		w := &policyWorld{fixture: b}
		w.services()
		who := alice.Credential().Principal("")
		who.TokenID = id
		for sat, permitted := range map[int]bool{2000: true, 2001: false} {
			if _, err := w.policies.TokenPolicy(t.Context(), who, []byte(dayLimit(sat))); (err == nil) != permitted {
				t.Errorf("a policy of %d sat: got %v", sat, err)
			}
		}
	})
}

// TestPolicyChanges_Wallets checks that a policy names only wallets of the caller, or wallets that it
// named before.
func TestPolicyChanges_Wallets(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		w := newPolicyWorld(t, b)
		cold, foreign := b.wallet(w.alice, "cold"), b.wallet(b.user("dave", false), "hers")
		put := func(u auth.User, name, problem string) {
			t.Helper()
			_, err := w.policies.Put(t.Context(), w.access(u), []byte(`{"version":1,"deny":[{"wallet":"`+name+`"}]}`), nil)
			if problem == "" {
				testkit.Check(t, err)
			} else if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), problem) {
				t.Errorf("%s: got %v", name, err)
			}
		}
		const unknown = "is not among your wallets"
		put(w.alice, foreign.ID, unknown)
		put(w.alice, "hers", unknown)
		put(w.alice, cold.ID, unknown) // by its alias only
		put(w.bob, "cold", unknown)
		put(w.alice, "cold", "")
		put(w.bob, cold.ID, "")
		put(w.bob, foreign.ID, unknown)
	})
}
