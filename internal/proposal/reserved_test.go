package proposal_test

import (
	"errors"
	"testing"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// TestReservedUTXOs checks that a request for a reserved UTXO is refused with and without
// dry_run, and that the error names the proposal only to users who may read proposals.
func TestReservedUTXOs(t *testing.T) {
	t.Parallel()
	onBoth(t, newNode(t), func(w *world) {
		t := w.t
		v := w.vault(testkit.WPKH, 10_000_000, 20_000_000)
		sent := v.sent(pay(100_000, 2000))
		bumped, err := v.bump(sent, proposal.BumpParams{FeeRate: 9000})
		testkit.Check(t, err)
		open := v.create(pay(50_000, 2000))
		named := pay(40_000, 2000)
		named.UTXOs = []btc.Outpoint{open.Inputs[0].Outpoint}
		writer := *v.alice
		writer.Scopes &^= auth.ProposalsRead
		for _, dryRun := range []bool{true, false} {
			_, err := v.bump(sent, proposal.BumpParams{FeeRate: 20_000, DryRun: dryRun})
			wantReserved(t, err, bumped.ID)
			named.DryRun = dryRun
			_, err = v.Create(t.Context(), v.access(v.alice, v.alias), named)
			wantReserved(t, err, open.ID)
			_, err = v.Create(t.Context(), v.access(&writer, v.alias), named)
			wantReserved(t, err, "")
			_, err = v.Bump(t.Context(), v.access(&writer, v.alias), sent.ID, proposal.BumpParams{FeeRate: 20_000, DryRun: dryRun})
			wantReserved(t, err, "")
		}
		v.wantLocks(open)
		// An open proposal gives its UTXOs to its replacement.
		dry, err := v.bump(bumped, proposal.BumpParams{FeeRate: 20_000, DryRun: true})
		testkit.Check(t, err)
		if dry.ID != "" || v.get(bumped).Status != proposal.Created {
			t.Errorf("the dry run has the ID %q, and the proposal it would replace is %s", dry.ID, v.get(bumped).Status)
		}
		v.wantLocks(open)
		if list, err := v.List(t.Context(), v.access(v.alice, v.alias), proposal.Filter{}, proposal.Cursor{}, 10); err != nil || len(list) != 3 {
			t.Errorf("%d proposals after dry runs: %v", len(list), err)
		}
	})
}

// wantReserved checks that a request was refused because another proposal reserves a UTXO.
func wantReserved(t testing.TB, err error, id string) {
	t.Helper()
	f, ok := errors.AsType[*fault.Error](err)
	if !ok || !errors.Is(f, proposal.ErrUTXOReserved) || f.Details["proposals"] != id || f.Details["utxos"] == "" {
		t.Errorf("got %[2]v, want a UTXO reserved by the proposal %[1]q", id, err)
		if ok {
			t.Errorf("details: %v", f.Details)
		}
	}
}
