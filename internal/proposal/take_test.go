package proposal_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	btcutilpsbt "github.com/btcsuite/btcd/btcutil/psbt"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/testenv/testkit"
	"github.com/specterd/specterd/internal/wallet"
)

// TestCreate_OwnRecipients checks that a payment to the wallet's own next change address
// sends its change to another address, and that its replacement does so as well.
func TestCreate_OwnRecipients(t *testing.T) {
	t.Parallel()
	onBoth(t, newNode(t), func(w *world) {
		v := w.vault(testkit.WPKH, 1_000_000, 2_000_000)
		own := func(branch wallet.Branch, index uint32) string {
			a, err := w.store.AddressAt(w.t.Context(), v.get0().ID, wallet.Place{Branch: branch, Index: index})
			testkit.Check(w.t, err)
			return a.Address
		}
		o := proposal.CreateParams{FeeRate: 2000, Recipients: []proposal.Recipient{{Address: own(wallet.ChangeBranch, 0), Amount: 300_000}, {Address: own(wallet.ChangeBranch, 1), Amount: 200_000}}}
		check := func(what string, p proposal.Proposal, change string) {
			w.t.Helper()
			if len(p.Outputs) != 3 || changeOf(p) != change {
				w.t.Errorf("%s: %+v, want the change at %s", what, p.Outputs, change)
			}
		}
		p := v.create(o)
		check("first", p, own(wallet.ChangeBranch, 2))
		bumped, err := v.Bump(w.t.Context(), v.access(v.alice, v.alias), p.ID, proposal.BumpParams{FeeRate: 4000})
		testkit.Check(w.t, err)
		check("bumped", bumped, own(wallet.ChangeBranch, 3))
		bumped = v.broadcast(v.complete(bumped))
		o.FeeRate, o.Replaces = 20_000, bumped.ID
		o.Recipients[0].Address = changeOf(bumped)
		replacing := v.create(o)
		for _, r := range o.Recipients { // the free address depends on the state of the index
			if len(replacing.Outputs) != 3 || changeOf(replacing) == "" || changeOf(replacing) == r.Address {
				w.t.Errorf("replacing: %+v", replacing.Outputs)
			}
		}
		testkit.Check(w.t, v.Cancel(w.t.Context(), v.access(v.alice, v.alias), replacing.ID, nil))

		v.mine()
		all := v.create(proposal.CreateParams{FeeRate: 2000, SendMax: true, Recipients: []proposal.Recipient{{Address: own(wallet.ChangeBranch, 0)}}})
		if len(all.Outputs) != 1 || all.Outputs[0].Kind != proposal.Own {
			w.t.Errorf("send max: %+v", all.Outputs)
		}
	})
}

// TestSubtractFee_RemainderTooSmallForChange checks that recipients who pay the fee never
// receive more than requested. Core would add a remainder that is too small for change to
// their amounts.
func TestSubtractFee_RemainderTooSmallForChange(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newNode(t), t.TempDir()+"/specterd.db")
	for _, k := range testkit.Scripts {
		v := w.vault(k, 1_000_000)
		o := proposal.CreateParams{FeeRate: 1000, SubtractFrom: []int{0, 1}, Recipients: []proposal.Recipient{{Address: payee, Amount: 500_000}, {Address: otherPayee, Amount: 499_300}}}
		p := v.create(o)
		if p.Fee != 700 || len(p.Outputs) != 2 || p.ExcessFee == 0 || !slices.Equal(p.SubtractFrom, o.SubtractFrom) {
			t.Errorf("%s: fee %d, excess %d, %+v, %+v", k.Name, p.Fee, p.ExcessFee, p.Outputs, p.Terms)
		}
		v.broadcast(v.complete(p))
	}
}

// TestLargePSBT requests a payment whose PSBT, with the whole previous transaction of
// each input, exceeds even the limit for the node's responses.
func TestLargePSBT(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newNode(t), t.TempDir()+"/specterd.db")
	v := w.vault(testkit.PKH, slices.Repeat([]btc.Amount{20_000}, 450)...)
	v.wantRefused(proposal.CreateParams{FeeRate: 2000, SendMax: true, Recipients: []proposal.Recipient{{Address: payee}}}, proposal.ErrPSBTTooLarge.Code)
}

// wantRefused checks that a request is refused with the error code want, or with an error
// about the field want.
func (v vault) wantRefused(o proposal.CreateParams, want string) {
	v.t.Helper()
	for _, dryRun := range []bool{false, true} {
		o.DryRun = dryRun
		_, err := v.Create(v.t.Context(), v.access(v.alice, v.alias), o)
		f, ok := errors.AsType[*fault.Error](err)
		if !ok || f.Code != want && (len(f.Fields) != 1 || f.Fields[0].Name != want) {
			v.t.Errorf("%+v: got %v, want %s", o, err, want)
		}
	}
}

// TestUnknownFields checks that unknown PSBT fields from the node, which a later version
// of Core may add, are dropped.
func TestUnknownFields(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	relay := testkit.NewRelay(t, n)
	w := newWorldAt(t, n, relay.URL(), t.TempDir()+"/specterd.db")
	v := w.vault(testkit.WSH, 1_000_000, 2_000_000, 3_000_000)
	v.alterFunding(relay, func(a *answer) {
		a.in(0).Unknowns, a.output().Unknowns, a.Unknowns = unknown(), unknown(), unknown()
	})
	p := v.create(usual())
	packet, err := btcutilpsbt.NewFromRawBytes(bytes.NewReader(p.PSBT), false)
	testkit.Check(t, err)
	left := len(packet.Unknowns)
	for _, in := range packet.Inputs {
		left += len(in.Unknowns)
	}
	for _, out := range packet.Outputs {
		left += len(out.Unknowns)
	}
	if left > 0 {
		t.Errorf("%d unknown fields were not dropped", left)
	}
	v.complete(p)
}
