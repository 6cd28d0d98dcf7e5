package v1alpha

import (
	"encoding/json"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/proposal"
)

// FuzzAmount checks that every accepted amount is parsed exactly to the satoshi.
func FuzzAmount(f *testing.F) {
	for _, text := range []string{
		"0.1", `"0.10"`, "0.2", "1e-8", "1E+2", "20999999.9769", "0.123456789", "-1", "NaN", "1e400", `"1,5"`, `" 7 "`, "9007199254740993", "2099999997690000",
		"null", `""`, `"1e1e1"`, `"0x10"`, "1000.0", `"01"`, `"1."`, `"é"`, "{}", "true",
	} {
		f.Add(text, "btc")
		f.Add(text, "sat")
	}
	f.Fuzz(func(t *testing.T, text, unit string) {
		if !json.Valid([]byte(text)) {
			return
		}
		text = strings.TrimSpace(text)
		r := recipient{Unit: unit}
		if err := r.Amount.UnmarshalJSON([]byte(text)); err != nil {
			return
		}
		got, err := r.amount("recipients[0]")
		if err != nil {
			if fault.KindOf(err) != fault.Invalid {
				t.Errorf("%s: %v", text, err)
			}
			return
		}
		want, ok := new(big.Rat).SetString(string(r.Amount))
		if unit == "btc" {
			want.Mul(want, big.NewRat(int64(btc.BTC), 1))
		}
		if !ok || !want.IsInt() || want.Num().Cmp(big.NewInt(int64(got))) != 0 || got <= 0 || got > btc.MaxMoney {
			t.Errorf("%s %s is parsed as %d", text, unit, got)
		}
	})
}

func TestYesNo(t *testing.T) {
	for text, want := range map[string]bool{
		"true": true, "false": false, `"true"`: true, `"false"`: false, `"Yes"`: true, `"NO"`: false, `"1"`: true, `"0"`: false, "1": true, "0": false, "null": false,
	} {
		t.Run(text, func(t *testing.T) {
			y := yesNo(!want)
			if err := y.UnmarshalJSON([]byte(text)); err != nil || bool(y) != want {
				t.Errorf("%s is %v, %v", text, y, err)
			}
		})
	}
	for _, text := range []string{`""`, `"maybe"`, "2", "1.0", "[]", "{}", `"null"`, `"y"`} {
		if err := new(yesNo).UnmarshalJSON([]byte(text)); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestTwoDecimals(t *testing.T) {
	for rate, want := range map[btc.FeeRate]decimal{64000: "64.0", 3004: "3.0", 3005: "3.01", 9930: "9.93", 9999: "10.0", 100: "0.1", 14: "0.01", 5100: "5.1", 5110: "5.11"} {
		t.Run(fmt.Sprint(rate), func(t *testing.T) {
			if got := twoDecimals(rate); got != want {
				t.Errorf("%d is %s, want %s", rate, got, want)
			}
		})
	}
}

// TestAsOriginal checks that faults of the service, which name fields of v1, are converted
// to the fields and messages of v1alpha.
func TestAsOriginal(t *testing.T) {
	field := func(name string) error { return fault.InvalidField(name, "must be valid") }
	for _, c := range []struct {
		err  error
		want string
		kind fault.Kind
	}{
		{field("recipients[12].amount_sat"), "recipients[12].amount: must be valid", fault.Invalid},
		{field("recipients[0].address"), "recipients[0].address: must be valid", fault.Invalid},
		{field("fee_rate_sat_vb"), "fee_rate: must be valid", fault.Invalid},
		{field("subtract_fee_from[0]"), "subtract_from: must be valid", fault.Invalid},
		{field("replaces"), "rbf_tx_id: must be valid", fault.Invalid},
		{proposal.ErrUTXOFrozen.WithDetail("utxos", "x"), errNotEnough.Message, fault.PreconditionFailed},
		{proposal.ErrInsufficientFunds, errNotEnough.Message, fault.PreconditionFailed},
		{proposal.ErrWrongState.WithMessage("the transaction is confirmed"), "rbf_tx_id: the transaction is confirmed", fault.Invalid},
		{
			fault.New(fault.Invalid, "fee_too_high", "give max_fee_sat").WithDetail("fee_sat", "7").WithDetail("max_fee_sat", "5"),
			"fee_rate: results in a fee of 7 sat; the maximum is 5 sat", fault.Invalid,
		},
		{proposal.ErrEstimateTooHigh.WithField("fee_rate_sat_vb", "must be given"), "fee_rate: must be given", fault.Conflict},
		{proposal.ErrChangeTaken, proposal.ErrChangeTaken.Message, fault.Conflict},
	} {
		t.Run(c.want, func(t *testing.T) {
			if got := asOriginal(c.err); got.Error() != c.want || fault.KindOf(got) != c.kind {
				t.Errorf("%v becomes %v", c.err, got)
			}
		})
	}
}
