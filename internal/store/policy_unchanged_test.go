package store_test

import (
	"testing"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/policy"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/spending"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// everything returns all rows of all tables.
func (b *fixture) everything() map[string]string {
	b.t.Helper()
	all := map[string]string{}
	for _, table := range b.tables() {
		all[table] = b.rows("SELECT * FROM " + table)
	}
	return all
}

// TestPolicies_Unchanged sets each policy and a list to their current content, by another owner and
// later, while a proposal has an approval and a change is pending: no row of the database changes. The smallest
// difference is a change.
func TestPolicies_Unchanged(t *testing.T) {
	const address = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"
	const approvals = `{"version":1,"allow":[{"name":"day","approvals":{"count":2},"windows":[{"per":"24h","max_sat":90000}]}],"change":{"approvals":2,"delay":"48h"}}`
	onBothEngines(t, func(t *testing.T, b *fixture) {
		w, ctx := newPolicyWorld(t, b), t.Context()
		root := auth.Operator("root")
		targets := map[string]func(document string, expected spending.Versions) (spending.Result, error){
			"wallet": func(document string, expected spending.Versions) (spending.Result, error) {
				return w.policies.Put(ctx, w.access(w.bob), []byte(document), expected)
			},
			"member": func(document string, expected spending.Versions) (spending.Result, error) {
				return w.policies.PutMember(ctx, w.access(w.bob), "carol", []byte(document), expected)
			},
			"server": func(document string, expected spending.Versions) (spending.Result, error) {
				return w.policies.PutServer(ctx, root.For(w.alice), []byte(document), expected)
			},
			"list": func(document string, expected spending.Versions) (spending.Result, error) {
				return w.policies.PutList(ctx, w.access(w.bob), "known", []byte(document), expected)
			},
		}
		steps := []struct{ name, target, document, same, other string }{
			{"a policy", "wallet", approvals, approvals, ""},
			{
				"a policy that names the default approvers", "wallet", approvals,
				`{"change": {"delay": "2d", "approvals": 2, "of": ["role:owner"]}, "version": 1, "allow": [{"name": "day", "windows": [{"max_sat": 90000, "per": "1d"}], "approvals": {"of": ["role:signer"], "count": 2}}]}`,
				`{"version":1,"allow":[{"name":"day","approvals":{"count":2,"of":["role:owner"]},"windows":[{"per":"24h","max_sat":90000}]}],"change":{"approvals":2,"delay":"48h"}}`,
			},
			{"a policy of a member", "member", `{"version":1}`, `{"version": 1}`, ""},
			{"a policy that permits everything", "server", `{"version":1}`, `{"version":1}`, `{"version":1,"change":{"approvals":1}}`},
			{
				"a list", "list", `{"entries":[{"address":"` + address + `","label":"paper"}]}`, `{"entries": [{"label": "paper", "address": "` + address + `"}]}`,
				`{"entries":[{"address":"` + address + `","label":"ink"}]}`,
			},
		}
		for _, step := range steps {
			r, err := targets[step.target](step.document, nil)
			if testkit.Check(t, err); r.Pending != nil || r.Unchanged && step.name != steps[1].name {
				t.Fatalf("%s: %+v", step.name, r)
			}
		}
		p := pays(b, w.w, 1, 9000)
		testkit.Check(t, b.propose(p))
		_, err := b.UpdateProposal(ctx, w.w.ID, p.ID, func(u *proposal.Update) error {
			u.Approvals = append(u.Approvals, proposal.Approval{At: b.now, By: proposal.Actor{UserID: w.bob.ID, UserName: "bob"}, Hash: u.Review.Hash})
			u.Changed = true
			return nil
		})
		testkit.Check(t, err)
		r, err := targets["wallet"](`{"version":1}`, nil)
		if testkit.Check(t, err); r.Pending == nil {
			t.Fatalf("the change is not pending: %+v", r)
		}
		b.now = b.now.Add(time.Minute)
		before := b.everything()
		for _, step := range steps {
			t.Run(step.name, func(t *testing.T) {
				r, err := targets[step.target](step.same, nil)
				if err != nil || !r.Unchanged || r.Pending != nil || len(r.Loosens) > 0 {
					t.Errorf("got %+v, %v", r, err)
				}
				for table, rows := range b.everything() {
					if rows != before[table] {
						t.Errorf("%s has changed from\n%s\nto\n%s", table, before[table], rows)
					}
				}
				want := spending.ErrModified
				if step.target == "list" {
					want = spending.ErrListModified
				}
				_, err = targets[step.target](step.same, spending.Versions{"other"})
				wantFault(t, err, want)
			})
		}
		if q, err := b.Proposal(ctx, w.w.ID, p.ID); err != nil || len(q.Approvals) != 1 || q.Status != proposal.AwaitingApproval {
			t.Errorf("the proposal is %s with the approvals %v, %v", q.Status, q.Approvals, err)
		}
		for _, step := range steps {
			if step.other == "" {
				continue
			}
			if r, err := targets[step.target](step.other, nil); err != nil || r.Unchanged {
				t.Errorf("%s, changed: %+v, %v", step.name, r, err)
			}
		}
		if r, err := w.policies.PutList(ctx, w.access(w.alice), "none", []byte(`{"entries":[]}`), nil); err != nil || r.Unchanged {
			t.Errorf("an empty new list: %+v, %v", r, err)
		}
		preview, err := w.policies.PreviewPut(ctx, w.access(w.alice), []byte(`{"version":1,"allow":[]}`))
		if err != nil || preview.Unchanged {
			t.Errorf("a preview of a change: %+v, %v", preview, err)
		}
		if l, err := w.policies.GetList(ctx, w.access(w.alice), "known"); err != nil || l.Version == policy.ListVersion(nil) {
			t.Errorf("the list is %+v, %v", l, err)
		}
	})
}
