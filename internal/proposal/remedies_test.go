package proposal_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// TestInsufficientFunds_Ancestors checks that an error does not recommend to cancel a proposal if the
// payment would then lack the fee for unconfirmed transactions, and that the remedy of a fee above the
// maximum names them.
func TestInsufficientFunds_Ancestors(t *testing.T) {
	t.Parallel()
	onBoth(t, newNode(t), func(w *world) {
		t := w.t
		const low, high = 1000, 50_000
		v := w.vault(testkit.WPKH, 10_000_000, 5_000_000)
		whole := pay(1_000_000, low)
		whole.UTXOs = []btc.Outpoint{v.utxo(10_000_000)}
		sent := v.sent(whole)
		reserving := pay(100_000, low)
		reserving.UTXOs = []btc.Outpoint{v.utxo(5_000_000)}
		open := v.create(reserving)
		deficit := btc.FeeRate(high).Fee(sent.VSize) - sent.Fee
		total := 10_000_000 - 1_000_000 - sent.Fee + 5_000_000
		refused := func(amount btc.Amount) *fault.Error {
			_, err := v.Create(t.Context(), v.access(v.alice, v.alias), pay(amount, high))
			f, ok := errors.AsType[*fault.Error](err)
			if !ok || !errors.Is(f, proposal.ErrInsufficientFunds) {
				t.Fatalf("%d sat: %v", amount, err)
			}
			return f
		}
		// Two inputs of 68 vB and the rest of 42 vB cost 8900 sat, and at most 9700 by the estimate.
		const fee, most = 8900, 9700
		possible, impossible := total-most-deficit, total-fee-deficit/2
		if f := refused(possible); f.Details["proposals"] != open.ID {
			t.Errorf("a payment that is possible without the proposal: %v", f)
		}
		if f := refused(impossible); f.Details["proposals"] != "" {
			t.Errorf("a payment that is impossible without the proposal: %v", f)
		}
		testkit.Check(t, v.Cancel(t.Context(), v.access(v.alice, v.alias), open.ID, nil))
		dry := pay(possible, high)
		dry.DryRun = true
		if _, err := v.Create(t.Context(), v.access(v.alice, v.alias), dry); err != nil {
			t.Errorf("after the proposal was cancelled: %v", err)
		}
		_ = refused(impossible)

		v.limit(high)
		sendMax := proposal.CreateParams{Recipients: []proposal.Recipient{{Address: payee}}, SendMax: true, FeeRate: high, DryRun: true}
		_, err := v.Create(t.Context(), v.access(v.alice, v.alias), sendMax)
		f, ok := errors.AsType[*fault.Error](err)
		if !ok || !errors.Is(f, proposal.ErrFeeTooHigh) || !strings.Contains(f.Message, " sat of the fee are for unconfirmed transactions with lower fee rates") {
			t.Errorf("a fee above the maximum: %v", err)
		}
		sendMax.FeeRate, sendMax.MaxFee = 20_000, 100
		_, err = v.Create(t.Context(), v.access(v.alice, v.alias), sendMax)
		if f, ok := errors.AsType[*fault.Error](err); !ok || !strings.Contains(f.Message, "unconfirmed transactions") {
			t.Errorf("a fee above max_fee_sat: %v", err)
		}
	})
}

// TestPolicy_ExpiresBeforeRelease checks that a proposal is refused if it would expire before a policy
// releases it.
func TestPolicy_ExpiresBeforeRelease(t *testing.T) {
	t.Parallel()
	onBoth(t, newNode(t), func(w *world) {
		t := w.t
		v := w.vault(testkit.WPKH, 1_000_000)
		v.setPolicy(`{"version":1,"allow":[{"name":"slow","delay":"2h"}]}`)
		for _, dryRun := range []bool{true, false} {
			o := pay(100_000, 2000)
			o.ExpiresAt, o.DryRun = time.Now().Add(time.Hour), dryRun
			_, err := v.Create(t.Context(), v.access(v.alice, v.alias), o)
			f, ok := errors.AsType[*fault.Error](err)
			if !ok || f.Kind != fault.Invalid || len(f.Fields) != 1 || f.Fields[0].Name != "expires_at" || !strings.HasPrefix(f.Fields[0].Message, "must be more than 2 hours in the future") {
				t.Errorf("dry run %t: %v", dryRun, err)
			}
			o.ExpiresAt = time.Now().Add(3 * time.Hour)
			if _, err := v.Create(t.Context(), v.access(v.alice, v.alias), o); err != nil {
				t.Errorf("dry run %t, a later expiry: %v", dryRun, err)
			}
		}
	})
}
