package backend_test

import (
	"bytes"
	"slices"
	"testing"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/psbt"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// TestFund_Duplicates checks that the node refuses an address twice, and that Fund
// nevertheless creates such a payment, for every type of address.
func TestFund_Duplicates(t *testing.T) {
	t.Parallel()
	p := provide(t)
	p.payer(t, "payer")
	v := p.vault(t, testkit.WPKH, 1_000_000)
	f := v.payment(10_000, 1000)
	f.Outputs = append(f.Outputs, f.Outputs[0])
	_, err := v.core.Wallet(v.name).FundPSBT(t.Context(), f, 290000)
	wantErr(t, err, proposal.ErrDuplicateAddress)

	scripts := map[string][]byte{
		"p2pkh": slices.Concat([]byte{0x76, 0xa9, 20}, make([]byte, 20), []byte{0x88, 0xac}), "p2sh": slices.Concat([]byte{0xa9, 20}, make([]byte, 20), []byte{0x87}),
		"p2wpkh": slices.Concat([]byte{0, 20}, make([]byte, 20)), "p2wsh": slices.Concat([]byte{0, 32}, make([]byte, 32)), "p2tr": slices.Concat([]byte{0x51, 32}, bytes.Repeat([]byte{7}, 32)),
		"p2a": {0x51, 2, 0x4e, 0x73},
	}
	f.Outputs = nil
	var want [][]byte
	for _, script := range scripts {
		for range 3 {
			f.Outputs = append(f.Outputs, proposal.FundingOutput{Address: btc.AddressOf(script, btc.Regtest), Amount: 5000 + btc.Amount(len(want))})
			want = append(want, script)
		}
	}
	slices.Reverse(f.Outputs)
	slices.Reverse(want)
	funded, err := v.Fund(t.Context(), in(v.name), f)
	testkit.Check(t, err)
	packet, err := psbt.Parse(funded.PSBT)
	testkit.Check(t, err)
	outputs := packet.Tx().TxOut
	if funded.ChangePosition < 0 || len(outputs) != len(want)+1 {
		t.Fatalf("%d outputs, change at %d", len(outputs), funded.ChangePosition)
	}
	outputs = slices.Delete(outputs, funded.ChangePosition, funded.ChangePosition+1)
	for i, out := range outputs {
		if !bytes.Equal(out.PkScript, want[i]) || out.Value != int64(f.Outputs[i].Amount) {
			t.Errorf("output %d pays %d to %x, want %d to %x", i, out.Value, out.PkScript, f.Outputs[i].Amount, want[i])
		}
	}
}
