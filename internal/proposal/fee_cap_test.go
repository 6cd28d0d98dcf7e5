package proposal_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// limit sets the maximum fee rate of a vault; 0 selects the server's maximum.
func (v vault) limit(rate btc.FeeRate) {
	v.t.Helper()
	_, err := v.wallets.SetMaxFeeRate(v.t.Context(), v.access(v.alice, v.alias), rate)
	testkit.Check(v.t, err)
}

// wantLimited checks that a request is refused with a code, that details and message
// contain the maximum fee rate, and that the message names the remedy.
func (v vault) wantLimited(o proposal.CreateParams, code, maximum, remedy string) {
	v.t.Helper()
	before := v.rows()
	_, err := v.Create(v.t.Context(), v.access(v.alice, v.alias), o)
	v.wantOver(err, code, maximum, remedy)
	if after := v.rows(); after != before {
		v.t.Errorf("rows changed: got %s, want %s", after, before)
	}
}

func (v vault) wantOver(err error, code, maximum, remedy string) {
	v.t.Helper()
	f, ok := errors.AsType[*fault.Error](err)
	if !ok || f.Code != code || f.Details["max_fee_rate_sat_vb"] != maximum || !strings.Contains(f.Message, maximum+" sat/vB") || !strings.Contains(f.Message, remedy) {
		v.t.Errorf("got %v, want %s for %s sat/vB with %s", err, code, maximum, remedy)
	}
}

const (
	byServer = "SPECTER_MAX_FEE_RATE"
	byWallet = "max_fee_rate_sat_vb"
)

// TestMaxFeeRate checks that no request leads to a fee rate beyond the maximum,
// whatever the amount and max_fee_sat.
func TestMaxFeeRate(t *testing.T) {
	t.Parallel()
	onBoth(t, newNode(t), func(w *world) {
		v := w.vault(testkit.WPKH, 10_000_000, 20_000_000)
		v.wantLimited(pay(10_000_000, 100_001), proposal.ErrFeeTooHigh.Code, "100", byServer)
		over := pay(10_000_000, 8_000_000)
		over.MaxFee = btc.BTC
		v.wantLimited(over, proposal.ErrFeeTooHigh.Code, "100", byServer)
		p := v.create(pay(10_000_000, 100_000))
		testkit.Check(w.t, v.Cancel(w.t.Context(), v.access(v.alice, v.alias), p.ID, nil))
		v.wantLocks()

		v.limit(5000)
		v.wantLimited(pay(10_000, 5001), proposal.ErrFeeTooHigh.Code, "5", byWallet)
		v.wantLimited(pay(10_000, 0), proposal.ErrEstimateTooHigh.Code, "5", byWallet) // -fallbackfee of 10 sat/vB
		lower := pay(10_000, 5000)
		lower.MaxFee = 600
		v.wantRefused(lower, proposal.ErrFeeTooHigh.Code)
		// Without change the remainder is added to the fee.
		whole := pay(0, 5000)
		whole.UTXOs = []btc.Outpoint{v.utxo(10_000_000)}
		whole.Recipients[0].Amount = 10_000_000 - 1400
		v.wantLimited(whole, proposal.ErrFeeTooHigh.Code, "5", byWallet)
		whole.MaxFee = btc.BTC
		v.wantLimited(whole, proposal.ErrFeeTooHigh.Code, "5", byWallet)
		v.limit(500)
		v.wantLimited(pay(10_000, 400), proposal.ErrMinimumTooHigh.Code, "0.5", byWallet)

		v.limit(2500)
		sent := v.sent(pay(10_000, 2000))
		_, err := v.bump(sent, proposal.BumpParams{FeeRate: 2400})
		v.wantOver(err, proposal.ErrMinimumTooHigh.Code, "2.5", byWallet)
		_, err = v.bump(sent, proposal.BumpParams{FeeRate: 3000})
		v.wantOver(err, proposal.ErrFeeTooHigh.Code, "2.5", byWallet)
		v.limit(1_000_000) // above the server's maximum, which applies
		_, err = v.bump(sent, proposal.BumpParams{FeeRate: 200_000})
		v.wantOver(err, proposal.ErrFeeTooHigh.Code, "100", byServer)
		v.limit(0)
		if bumped, err := v.bump(sent, proposal.BumpParams{FeeRate: 90_000}); err != nil || bumped.Fee < 90*100 {
			w.t.Errorf("bumped to %d: %v", bumped.Fee, err)
		}
	})
}

// TestLyingEstimates checks that no fee data from the node leads to a fee rate above
// the maximum.
func TestLyingEstimates(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	relay := testkit.NewRelay(t, n)
	w := newWorldAt(t, n, relay.URL(), t.TempDir()+"/specterd.db")
	v := w.vault(testkit.WPKH, 1_000_000)
	says := func(method, result string) {
		relay.Intercept(func(x *testkit.Exchange) {
			if len(x.Methods) == 1 && x.Calls(method) {
				x.Answer(http.StatusOK, []byte(`{"id": `+x.ID()+`, "error": null, "result": `+result+`}`))
				return
			}
			x.Forward()
		})
	}
	says("estimatesmartfee", `{"feerate": 0.08, "blocks": 6}`)
	v.wantLimited(pay(10_000, 0), proposal.ErrEstimateTooHigh.Code, "100", byServer)
	says("getmempoolinfo", `{"mempoolminfee": 0.01}`)
	v.wantLimited(pay(10_000, 0), proposal.ErrMinimumTooHigh.Code, "100", byServer)

	// The node reports a deficit of ancestors that is larger than possible.
	relay.Intercept(nil)
	v.sent(pay(100_000, 1100))
	overpay := v.changed(func(a *answer) { a.overpay(500_000) })
	relay.Intercept(func(x *testkit.Exchange) {
		if x.Calls("getmempoolentry") {
			x.Answer(http.StatusOK, inMempool(t, x))
			return
		}
		overpay(x)
	})
	v.wantLimited(pay(100_000, 10_000), proposal.ErrFeeTooHigh.Code, "100", byServer)
}
