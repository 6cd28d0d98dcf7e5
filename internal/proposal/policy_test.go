package proposal_test

import (
	"errors"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// setPolicy sets the policy of a vault's wallet.
func (v vault) setPolicy(document string) {
	v.t.Helper()
	id := v.access(v.alice, v.alias).WalletID()
	_, err := v.shell.ExecContext(v.t.Context(), "DELETE FROM policies")
	testkit.Check(v.t, err)
	_, err = v.shell.ExecContext(v.t.Context(), "INSERT INTO policies (subject, wallet_id, document, user_name, set_at) VALUES ($1, $2, $3, 'x', 1)", "wallet:"+id, id, document)
	testkit.Check(v.t, err)
}

// TestPolicy_Approvals checks that a payment that requires approvals and a delay has no PSBT, and
// cannot be signed, before both are there; and that the policy of the moment applies when it is
// broadcast.
func TestPolicy_Approvals(t *testing.T) {
	t.Parallel()
	onBoth(t, newNode(t), func(w *world) {
		t, ctx := w.t, w.t.Context()
		v := w.vault(testkit.WPKH, 1_000_000, 1_000_000, 1_000_000)
		bob, carol := w.memberAs(v, "bob", auth.RoleSigner), w.memberAs(v, "carol", auth.RoleSigner)
		viewer := w.memberAs(v, "viewer", auth.RoleViewer)
		const twoSigners = `{"version":1,"allow":[{"name":"large","approvals":{"count":2,"not_proposer":true},"delay":"2h"}]}`
		v.setPolicy(twoSigners)
		p := v.create(pay(100_000, 2000))
		if p.Status != proposal.AwaitingApproval || p.Review == nil || p.Review.Missing[0] != 2 {
			t.Fatalf("the proposal is %s with %+v", p.Status, p.Review)
		}
		list, err := v.List(ctx, v.access(v.alice, v.alias), proposal.Filter{}, proposal.Cursor{}, 10)
		testkit.Check(t, err)
		o := pay(100_000, 2000)
		o.DryRun = true
		for _, shown := range append(list, v.get(p), p, v.create(o)) {
			if len(shown.PSBT) > 0 || len(shown.Raw) > 0 {
				t.Error("the PSBT is shown before the release")
			}
		}
		stored, err := v.store.Proposal(ctx, p.WalletID, p.ID)
		testkit.Check(t, err)
		signed := v.signed(stored, 0)
		sign := func() error {
			_, err := v.AddSignatures(ctx, v.access(v.alice, v.alias), p.ID, signed, nil)
			return err
		}
		wants := func(what string, err error, want error) {
			t.Helper()
			if !errors.Is(err, want) {
				t.Errorf("%s: got %v, want %v", what, err, want)
			}
		}
		approve := func(who *auth.Principal) error {
			_, err := v.Approve(ctx, v.access(who, v.alias), p.ID, nil)
			return err
		}
		wants("signatures before the release", sign(), proposal.ErrAwaiting)
		wants("a viewer approves", approve(viewer), proposal.ErrNotApprover)
		wants("the proposer approves", approve(v.alice), proposal.ErrNotApprover)
		testkit.Check(t, approve(bob))
		testkit.Check(t, approve(bob)) // counts once
		wants("signatures after one approval", sign(), proposal.ErrAwaiting)
		testkit.Check(t, approve(carol))
		wants("signatures before the end of the delay", sign(), proposal.ErrAwaiting)
		testkit.Check(t, v.ReleaseDue(ctx))
		wants("signatures before the end of the delay", sign(), proposal.ErrAwaiting)
		w.clock.forward(2 * time.Hour)
		next, err := v.NextRelease(ctx, time.Time{})
		if testkit.Check(t, err); next.IsZero() || next.After(w.clock.now()) {
			t.Errorf("the release is due at %s", next)
		}
		testkit.Check(t, v.ReleaseDue(ctx))
		if got := v.get(p); got.Status != proposal.Created || len(got.PSBT) == 0 {
			t.Fatalf("after approvals and delay the proposal is %s", got.Status)
		}
		testkit.Check(t, sign())

		// Under another policy, it must be approved again.
		send := func() error {
			_, err := v.Broadcast(ctx, v.access(v.alice, v.alias), p.ID, proposal.BroadcastParams{})
			return err
		}
		v.setPolicy(`{"version":1,"allow":[{"name":"small","max_payment_sat":5}]}`)
		wants("a broadcast that the new policy refuses", send(), proposal.ErrPolicyChanged)
		v.setPolicy(`{"version":1,"allow":[{"name":"large","approvals":{"count":1,"not_proposer":true}}]}`)
		wants("a broadcast that the new policy does not permit yet", send(), proposal.ErrPolicyChanged)
		if got := v.get(p); got.Status != proposal.AwaitingApproval || len(got.PSBT)+len(got.Raw) > 0 {
			t.Errorf("after the change the proposal is %s, and its PSBT is shown", got.Status)
		}
		testkit.Check(t, approve(bob))
		if got := v.get(p); got.Status != proposal.Complete {
			t.Errorf("after another approval the proposal is %s", got.Status)
		}
		testkit.Check(t, send())
		v.mine()
		v.until(p, proposal.Confirmed)

		// A rejection ends a proposal.
		other := v.create(pay(100_000, 2000))
		_, err = v.Reject(ctx, v.access(viewer, v.alias), other.ID, "no", nil)
		wants("a viewer rejects", err, proposal.ErrNotApprover)
		other, err = v.Reject(ctx, v.access(bob, v.alias), other.ID, "unknown recipient", nil)
		if testkit.Check(t, err); other.Status != proposal.Rejected || len(other.PSBT) > 0 {
			t.Errorf("the rejected proposal is %s", other.Status)
		}
		v.wantLocks()
		o = pay(100_000, 2000)
		o.AtOnce = true
		_, err = v.Create(ctx, v.access(v.alice, v.alias), o)
		wants("a payment that must not wait", err, proposal.ErrAwaiting)
	})
}
