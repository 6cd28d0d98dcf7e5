package store_test

import (
	"errors"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/spending"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// TestRestore_Policies restores a backup with charges, a held proposal with an approval, a list and
// a pending change on both engines: nothing frees, the proposal stays held, and the change takes
// effect when it was due.
func TestRestore_Policies(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		const rules = `"allow":[{"name":"day","windows":[{"per":"24h","max_sat":10000}],"approvals":{"count":2,"above_sat":5000,"not_proposer":true}}],"change":{"approvals":1,"delay":"48h"}`
		w, ctx := newPolicyWorld(t, b), t.Context()
		begin := b.now
		w.put(w.alice, []byte(`{"version":1,`+rules+`}`))
		_, err := w.policies.PutList(ctx, w.access(w.alice), "known", []byte(`{"entries":[]}`), nil)
		testkit.Check(t, err)
		open, cancelled, held := pays(b, w.w, 1, 2000), pays(b, w.w, 2, 2000), pays(b, w.w, 3, 7000)
		for _, p := range []proposal.Proposal{open, cancelled, held} {
			testkit.Check(t, b.propose(p))
			if p.ID == cancelled.ID {
				b.moveTo(p, proposal.Cancelled)
			}
		}
		_, err = b.UpdateProposal(ctx, w.w.ID, held.ID, func(u *proposal.Update) error {
			u.Approvals = append(u.Approvals, proposal.Approval{At: b.now, By: proposal.Actor{UserID: w.carol.ID, UserName: "carol"}, Hash: u.Review.Hash})
			u.Changed = true
			return nil
		})
		testkit.Check(t, err)
		before := testkit.Must(b.Proposal(ctx, w.w.ID, held.ID))
		pending := w.put(w.bob, []byte(`{"version":1,"allow":[{"name":"day"}],"change":{"approvals":1,"delay":"48h"}}`)).Pending
		if before.Status != proposal.AwaitingApproval || pending == nil || b.counted("wallet:"+w.w.ID, "day") != "9000 2" {
			t.Fatalf("before the backup: %s, %v, %s", before.Status, pending, b.counted("wallet:"+w.w.ID, "day"))
		}
		f := b.backUp()
		for name, to := range map[string]*fixture{"SQLite": openSQLite(t), "PostgreSQL": openPostgres(t)} {
			t.Run("to "+name, func(t *testing.T) {
				_, err := to.Restore(ctx, f, to.restoreOptions("another key"))
				testkit.Check(t, err)
				to.Store = to.reopen()
				r := *w
				r.fixture, to.now = to, begin.Add(time.Hour)
				r.services()

				if got := to.counted("wallet:"+w.w.ID, "day"); got != "9000 2" {
					t.Errorf("%s counts", got)
				}
				wantFault(t, to.propose(pays(to, w.w, 4, 1001)), proposal.ErrPolicyRefused)
				testkit.Check(t, to.propose(pays(to, w.w, 4, 1000)))
				after := testkit.Must(to.Proposal(ctx, w.w.ID, held.ID))
				if after.Status != before.Status || !after.Held() || len(after.Approvals) != 1 || after.Approvals[0].By.UserID != w.carol.ID || after.Review.Hash != before.Review.Hash {
					t.Errorf("the held proposal is %s with %+v, held: %t", after.Status, after.Approvals, after.Held())
				}
				_, err = r.policies.GetList(ctx, r.access(w.alice), "known")
				testkit.Check(t, err)

				to.now = pending.EffectiveAt.Add(-time.Microsecond)
				testkit.Check(t, r.policies.ApplyDue(ctx))
				if next := testkit.Must(r.policies.NextChange(ctx, time.Time{})); !next.Equal(begin.Add(48 * time.Hour)) {
					t.Errorf("the change is due at %s", next)
				}
				r.wantLimit("before the change is due", "10000")
				to.now = pending.EffectiveAt
				testkit.Check(t, r.policies.ApplyDue(ctx))
				if p, err := r.policies.Get(ctx, r.access(w.alice)); err != nil || len(p.Allow[0].Windows) > 0 {
					t.Errorf("after the change is due the policy is %s, %v", p.JSON(), err)
				}
				if _, err := r.policies.ApproveChange(ctx, r.access(w.alice), pending.ID); !errors.Is(err, spending.ErrChangeNotFound) {
					t.Errorf("the change is still pending: %v", err)
				}
				testkit.Check(t, to.propose(pays(to, w.w, 5, btc.Amount(50_000))))
			})
		}
	})
}
