package proposal_test

import (
	"errors"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/psbt"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// deciders are the members of a vault who decide about payments.
type deciders struct {
	vault

	bob, carol *auth.Principal // signers, as alice
}

func (d deciders) approve(who *auth.Principal, p proposal.Proposal, want error) {
	d.t.Helper()
	if _, err := d.Approve(d.t.Context(), d.access(who, d.alias), p.ID, nil); !errors.Is(err, want) {
		d.t.Errorf("%s approves: got %v, want %v", who.UserName, err, want)
	}
}

func (d deciders) send(p proposal.Proposal, want error) {
	d.t.Helper()
	if _, err := d.Broadcast(d.t.Context(), d.access(d.alice, d.alias), p.ID, proposal.BroadcastParams{}); !errors.Is(err, want) {
		d.t.Errorf("broadcast: got %v, want %v", err, want)
	}
}

// after sets the clock forward, tries the releases that are due, and checks the status of a proposal.
func (d deciders) after(wait time.Duration, p proposal.Proposal, want proposal.Status) {
	d.t.Helper()
	d.clock.forward(wait)
	testkit.Check(d.t, d.ReleaseDue(d.t.Context()))
	if got := d.get(p); got.Status != want {
		d.t.Errorf("after %s the proposal is %s with %+v, want %s", wait, got.Status, got.Review, want)
	}
}

func (d deciders) wantMissing(p proposal.Proposal, missing, approvals int) {
	d.t.Helper()
	got := d.get(p)
	if got.Status != proposal.AwaitingApproval || len(got.Review.Missing) != 1 || got.Review.Missing[0] != missing || len(got.Approvals) != approvals {
		d.t.Errorf("the proposal is %s, lacks %v and has %d approvals, want %d and %d", got.Status, got.Review.Missing, len(got.Approvals), missing, approvals)
	}
}

// TestPolicy_Release checks that a payment is released, and can be sent, only under the policies and in
// the circumstances of the moment.
func TestPolicy_Release(t *testing.T) {
	t.Parallel()
	onBoth(t, newNode(t), func(w *world) {
		v := w.vault(testkit.WPKH, 1_000_000, 1_000_000, 1_000_000)
		d := deciders{v, w.memberAs(v, "bob", auth.RoleSigner), w.memberAs(v, "carol", auth.RoleSigner)}
		d.approvals()
		d.circumstances()
		d.rejected()
		d.refusedMeanwhile()
	})
}

// approvals are counted again after the policies have changed.
func (d deciders) approvals() {
	d.setPolicy(`{"version":1,"allow":[{"name":"a","approvals":{"count":2}}]}`)
	p := d.create(pay(100_000, 2000))
	d.approve(d.bob, p, nil)
	d.approve(d.bob, p, nil)
	d.wantMissing(p, 1, 1)
	d.setPolicy(`{"version":1,"allow":[{"name":"a","approvals":{"count":2,"not_proposer":true}}]}`)
	d.approve(d.carol, p, proposal.ErrPolicyChanged)
	d.wantMissing(p, 2, 1)
	d.approve(d.carol, p, nil)
	d.wantMissing(p, 1, 2)
	d.approve(d.bob, p, nil)
	if got := d.get(p); got.Status != proposal.Created {
		d.t.Errorf("with two approvals the proposal is %s", got.Status)
	}
	d.approve(d.carol, p, proposal.ErrWrongState) // released
	testkit.Check(d.t, d.Cancel(d.t.Context(), d.access(d.alice, d.alias), p.ID, nil))

	d.setPolicy(`{"version":1,"allow":[{"name":"a","approvals":{"count":1,"of":["role:owner"]}}]}`)
	p = d.create(pay(100_000, 2000))
	d.approve(d.bob, p, proposal.ErrNotApprover) // who could reject it
	d.wantMissing(p, 1, 0)
	testkit.Check(d.t, d.Cancel(d.t.Context(), d.access(d.alice, d.alias), p.ID, nil))
}

// circumstances are compared again at the release and at the broadcast.
func (d deciders) circumstances() {
	d.setPolicy(`{"version":1,"allow":[{"name":"kept","max_payment_sat":200000,"keep_at_least_sat":2500000,"delay":"1h"},{"name":"large","approvals":{"count":1}}]}`)
	large := func() func() {
		p := d.create(pay(600_000, 2000))
		return func() { testkit.Check(d.t, d.Cancel(d.t.Context(), d.access(d.alice, d.alias), p.ID, nil)) }
	}
	p := d.create(pay(100_000, 2000))
	cancel := large()
	d.after(time.Hour, p, proposal.AwaitingApproval)
	cancel()
	d.after(time.Minute, p, proposal.AwaitingApproval) // not tried yet
	d.after(10*time.Minute, p, proposal.Created)
	p = d.sign(d.get(p), 0)
	cancel = large()
	d.send(p, proposal.ErrPolicyRefused)
	if got := d.get(p); got.Status != proposal.Complete {
		d.t.Errorf("the refused proposal is %s", got.Status)
	}
	cancel()
	// A new delay begins when the payment counted first.
	d.setPolicy(`{"version":1,"allow":[{"name":"slow","delay":"3h"}]}`)
	d.send(p, proposal.ErrPolicyChanged)
	d.after(time.Minute, p, proposal.AwaitingApproval)
	d.after(110*time.Minute, p, proposal.Complete)
	d.send(p, nil)
	d.setPolicy(`{"version":1,"allow":[]}`)
	d.send(p, nil) // again
	d.mine()
}

// rejected is a signed payment that another policy sends back to the approvers: it loses its signatures.
func (d deciders) rejected() {
	d.setPolicy(`{"version":1}`)
	p := d.create(pay(100_000, 2000))
	d.sign(p, 0)
	d.setPolicy(`{"version":1,"allow":[{"name":"a","approvals":{"count":1}}]}`)
	d.send(p, proposal.ErrPolicyChanged)
	_, err := d.Reject(d.t.Context(), d.access(d.bob, d.alias), p.ID, "unknown recipient", nil)
	testkit.Check(d.t, err)
	stored := testkit.Must(d.store.Proposal(d.t.Context(), p.WalletID, p.ID))
	if packet, err := psbt.Parse(stored.PSBT); err != nil || packet.HasSignatures() || len(stored.Raw) > 0 {
		d.t.Errorf("the rejected proposal has signatures (%v)", err)
	}
	if a := stored.Approvals; stored.Status != proposal.Rejected || len(a) != 1 || !a[0].Rejects || a[0].Reason != "unknown recipient" {
		d.t.Errorf("the proposal is %s with %+v", stored.Status, a)
	}
}

// refusedMeanwhile is a payment that the policies refuse while it awaits its release.
func (d deciders) refusedMeanwhile() {
	const slow = `{"version":1,"allow":[{"name":"slow","delay":"1h"}]}`
	d.setPolicy(slow)
	p := d.create(pay(100_000, 2000))
	d.setPolicy(`{"version":1,"allow":[{"name":"slow","max_payment_sat":5}]}`)
	d.after(time.Hour, p, proposal.AwaitingApproval)
	d.setPolicy(slow)
	d.after(10*time.Minute, p, proposal.Created)

	d.setPolicy(`{"version":1,"allow":[{"name":"a","approvals":{"count":1}}]}`)
	p = d.create(pay(100_000, 2000))
	d.clock.forward(p.ExpiresAt.Sub(d.clock.now()))
	d.approve(d.bob, p, proposal.ErrWrongState) // has expired
}
