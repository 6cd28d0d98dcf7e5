package wallet_test

import (
	"github.com/specterd/specterd/internal/testenv/testkit"
	"github.com/specterd/specterd/internal/wallet"
)

// testFinalAfter checks that the number of confirmations is stored for all members, within
// its range, and that its changes are recorded in the audit log.
func testFinalAfter(r *fixture) {
	t, ctx := r.t, r.t.Context()
	v := r.storeWallet(r.alice, "vault")
	want := func(v wallet.View, confirmations int) {
		t.Helper()
		if v.FinalAfter != confirmations {
			t.Errorf("final after %d confirmations, want %d", v.FinalAfter, confirmations)
		}
	}
	get := func() wallet.View {
		t.Helper()
		v, err := r.Get(ctx, r.access(r.alice, "vault"))
		testkit.Must(t, err)
		return v
	}
	want(get(), wallet.DefaultFinalAfter)
	for _, n := range []int{1, wallet.MaxFinalAfter} {
		changed, err := r.SetFinalAfter(ctx, r.access(r.alice, "vault"), n)
		testkit.Must(t, err)
		r.wantEvent(r.alice, "wallet.final_after", v.ID)
		want(changed, n)
		want(get(), n)
	}
	for _, n := range []int{0, -1, wallet.MaxFinalAfter + 1} {
		if _, err := r.SetFinalAfter(ctx, r.access(r.alice, "vault"), n); err == nil {
			t.Errorf("%d is accepted", n)
		}
	}
	want(get(), wallet.MaxFinalAfter)
}
