package wallet_test

import (
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// testMaxFeeRate checks that a maximum fee rate is stored for all members, and that
// its changes are recorded in the audit log.
func testMaxFeeRate(r *fixture) {
	t, ctx := r.t, r.t.Context()
	v := r.storeWallet(r.alice, "vault")
	for _, rate := range []btc.FeeRate{2500, 1, 0} {
		changed, err := r.SetMaxFeeRate(ctx, r.access(r.alice, "vault"), rate)
		testkit.Check(t, err)
		r.wantEvent(r.alice, "wallet.max_fee_rate", v.ID)
		got, err := r.Get(ctx, r.access(r.alice, "vault"))
		testkit.Check(t, err)
		if changed.MaxFeeRate != rate || got.MaxFeeRate != rate || got.Name != v.Name {
			t.Errorf("set to %s, got %s", rate, got.MaxFeeRate)
		}
	}
}
