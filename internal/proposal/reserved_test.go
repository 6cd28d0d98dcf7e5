package proposal_test

import (
	"errors"
	"fmt"
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

// TestInsufficientFunds_Reserved checks that the error names the open proposals that reserve UTXOs,
// with their amounts, only to users who may read proposals.
func TestInsufficientFunds_Reserved(t *testing.T) {
	t.Parallel()
	onBoth(t, newNode(t), func(w *world) {
		t := w.t
		v := w.vault(testkit.WPKH, 10_000_000, 20_000_000, 5_000_000)
		utxos, err := v.wallets.UTXOs(t.Context(), v.access(v.alice, v.alias), btc.Outpoint{}, 10)
		testkit.Check(t, err)
		ids := map[btc.Amount]string{}
		for _, u := range utxos {
			if u.Amount == 5_000_000 {
				testkit.Check(t, w.wallets.Freeze(t.Context(), w.access(v.alice, v.alias), u.Outpoint, true))
				continue
			}
			o := pay(50_000, 2000)
			o.UTXOs = []btc.Outpoint{u.Outpoint}
			ids[u.Amount] = v.create(o).ID
		}
		writer := *v.alice
		writer.Scopes &^= auth.ProposalsRead
		const (
			prefix  = "insufficient funds for the payment and its fee: 0.00000000 BTC are available"
			amounts = prefix + ", 0.30000000 BTC reserved by open proposals, 0.05000000 BTC frozen"
			tooLow  = ". The balance of the wallet is too low"
		)
		named := prefix + fmt.Sprintf(", 0.05000000 BTC frozen. Open proposals reserve 0.30000000 BTC: %s (0.20000000 BTC), %s (0.10000000 BTC). The payment is possible if they are cancelled or expire", ids[20_000_000], ids[10_000_000])
		both := ids[20_000_000] + " " + ids[10_000_000]
		// Two inputs of 68 vB and the rest of 42 vB cost 356 sat at 2 sat/vB, and at most 388 by the estimate.
		const fee, most = 356, 388
		lessFee := pay(30_000_000, 2000)
		lessFee.SubtractFrom = []int{0}
		possible := map[string]proposal.CreateParams{
			"all of the reserved UTXOs":                        pay(30_000_000-most, 2000),
			"the recipient pays the fee":                       lessFee,
			"all of the reserved UTXOs at an unknown fee rate": pay(29_970_000, 0),
		}
		// Nothing is promised that the highest fee rate of 100 sat/vB would prevent.
		uncertain := pay(29_990_000, 0)
		impossible := map[string]proposal.CreateParams{
			"the fee exceeds the reserved UTXOs": pay(30_000_000-fee+1, 2000),
			"the reserved UTXOs without a fee":   pay(30_000_000, 2000),
			"more than the reserved UTXOs":       pay(30_000_001, 2000),
			"the fee rate is too high for two":   pay(29_990_000, 60_000),
		}
		tests := map[string]struct {
			who       *auth.Principal
			o         proposal.CreateParams
			want      string
			proposals string
		}{
			"at an unknown fee rate":            {v.alice, uncertain, amounts, ""},
			"may read proposals":                {v.alice, pay(1_000_000, 2000), named, both},
			"more than all UTXOs":               {v.alice, pay(35_000_001, 2000), amounts + tooLow, ""},
			"may not read proposals":            {&writer, pay(1_000_000, 2000), amounts + ". Unfreezing UTXOs makes the payment possible", ""},
			"may not read proposals, all UTXOs": {&writer, pay(35_000_001, 2000), amounts + tooLow, ""},
		}
		for name, o := range possible {
			test := tests["may read proposals"]
			test.o = o
			tests[name] = test
		}
		for name, o := range impossible {
			test := tests["at an unknown fee rate"]
			test.o = o
			tests[name] = test
		}
		for name, c := range tests {
			t.Run(name, func(*testing.T) {
				_, err := v.Create(t.Context(), v.access(c.who, v.alias), c.o)
				f, ok := errors.AsType[*fault.Error](err)
				if !ok || f.Code != "insufficient_funds" || f.Message != c.want || f.Details["proposals"] != c.proposals {
					t.Errorf("%s: %v", name, err)
				}
			})
		}
		// The remedy is true: without these proposals, exactly these payments are possible.
		for _, id := range ids {
			testkit.Check(t, v.Cancel(t.Context(), v.access(v.alice, v.alias), id, nil))
		}
		for name, o := range possible {
			o.DryRun = true
			if _, err := v.Create(t.Context(), v.access(v.alice, v.alias), o); err != nil {
				t.Errorf("%s, after the proposals were cancelled: %v", name, err)
			}
		}
		for name, o := range impossible {
			o.DryRun = true
			_, err := v.Create(t.Context(), v.access(v.alice, v.alias), o)
			if !errors.Is(err, proposal.ErrInsufficientFunds) {
				t.Errorf("%s, after the proposals were cancelled: %v", name, err)
			}
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
