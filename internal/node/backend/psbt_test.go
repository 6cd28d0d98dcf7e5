package backend_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/node/backend"
	"github.com/specterd/specterd/internal/node/rpcclient"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/testenv/testkit"
	"github.com/specterd/specterd/internal/wallet"
)

// feeRates are the tested fee rates in satoshis per 1000 virtual bytes.
var feeRates = []btc.FeeRate{1000, 3333, 25_000}

// TestFeeRates checks for every script type that the fee rate of a signed transaction
// is the requested one, plus at most 2 %. Without a change output, the remainder is
// added to the fee.
func TestFeeRates(t *testing.T) {
	t.Parallel()
	p := provide(t)
	p.payer(t, "payer")
	for _, k := range testkit.Scripts {
		v := p.vault(t, k, 1_000_000, 2_000_000, 3_000_000, 4_000_000, 5_000_000)
		for _, rate := range feeRates {
			v.testChange(t, rate)
			v.testSubtracted(t, rate)
			v.testSendMax(t, rate)
			v.testNoChange(t, rate)
		}
	}
}

func (v vault) testChange(t *testing.T, rate btc.FeeRate) {
	t.Helper()
	funded, d := v.make(t, v.payment(6_500_000, rate))
	if funded.ChangePosition < 0 || v.paid(d) != 6_500_000 {
		t.Errorf("%s: change at %d, %d paid", v.name, funded.ChangePosition, v.paid(d))
	}
	v.wantRate(t, "change", rate, funded, 0)
}

func (v vault) testSubtracted(t *testing.T, rate btc.FeeRate) {
	t.Helper()
	f := v.payment(2_500_000, rate)
	f.SubtractFrom = []int{0}
	funded, d := v.make(t, f)
	if funded.ChangePosition < 0 || v.paid(d) != 2_500_000-funded.Fee {
		t.Errorf("%s: change at %d, %d paid, fee %d", v.name, funded.ChangePosition, v.paid(d), funded.Fee)
	}
	v.wantRate(t, "subtracted", rate, funded, 0)
}

func (v vault) testSendMax(t *testing.T, rate btc.FeeRate) {
	t.Helper()
	utxos, total := v.utxos(t)
	f := v.payment(total, rate)
	f.AddInputs, f.Inputs, f.SubtractFrom = false, utxos, []int{0}
	funded, d := v.make(t, f)
	if funded.ChangePosition >= 0 || v.paid(d) != total-funded.Fee || len(d.Tx.Vin) != len(utxos) {
		t.Errorf("%s: change at %d, %d paid, fee %d", v.name, funded.ChangePosition, v.paid(d), funded.Fee)
	}
	v.wantRate(t, "send max", rate, funded, 0)
}

// testNoChange pays an amount that leaves slightly too little for a change output.
func (v vault) testNoChange(t *testing.T, rate btc.FeeRate) {
	t.Helper()
	utxos, total := v.utxos(t)
	f := v.payment(total/2, rate)
	f.AddInputs, f.Inputs = false, utxos
	withChange, _ := v.make(t, f)
	f.Outputs[0].Amount = total - withChange.Fee
	funded, d := v.make(t, f)
	if funded.ChangePosition >= 0 || v.paid(d) != f.Outputs[0].Amount {
		t.Errorf("%s: change at %d, %d paid", v.name, funded.ChangePosition, v.paid(d))
	}
	v.wantRate(t, "no change", rate, funded, costOfChange(rate))
}

// costOfChange returns an amount that exceeds the dust limit, and the cost of creating
// and spending a change output of any type at Core's discard rate of 10 sat/vB.
func costOfChange(rate btc.FeeRate) btc.Amount {
	const output, input, discardRate, dust = 43, 300, btc.FeeRate(10_000), 546
	return rate.Fee(output) + discardRate.Fee(input) + dust
}

// paid returns the sum of the outputs to anyoneAddress.
func (v vault) paid(d decodedPSBT) (sum btc.Amount) {
	for _, out := range d.Tx.Vout {
		if out.ScriptPubKey.Address == anyoneAddress {
			sum += btc.Amount(out.Value)
		}
	}
	return sum
}

// wantRate signs a PSBT and checks that its fee rate is at most 2 % above the
// requested one, plus excess.
func (v vault) wantRate(t *testing.T, how string, rate btc.FeeRate, funded proposal.Funded, excess btc.Amount) {
	t.Helper()
	raw, tx := v.signed(t, funded.PSBT)
	testkit.Check(t, v.Test(t.Context(), wallet.NodeWallet{}, raw))
	exact := rate.Fee(tx.VSize)
	above := 100 * float64(funded.Fee-exact) / float64(exact)
	t.Logf("%-8s %-10s asked %6s: %6d sat for %4d vB, %7.3f sat/vB, %+6.2f %%, %d inputs",
		v.name, how, rate, funded.Fee, tx.VSize, float64(funded.Fee)/float64(tx.VSize), above, len(tx.Inputs))
	if funded.Fee < exact || float64(funded.Fee-excess) > float64(exact)*1.02 {
		t.Errorf("%s, %s: asked for %s, pays %d sat for %d vB", v.name, how, rate, funded.Fee, tx.VSize)
	}
}

// TestFund checks that the PSBT contains exactly the requested payment.
func TestFund(t *testing.T) {
	t.Parallel()
	p := provide(t)
	p.payer(t, "payer")
	v := p.vault(t, testkit.WPKH, 1_000_000, 2_000_000, 3_000_000)
	utxos, _ := v.utxos(t)

	f := v.payment(12_345, 1000)
	f.Inputs, f.AddInputs = utxos[:2], false
	f.Outputs = append(f.Outputs, proposal.FundingOutput{Address: v.addresses[3], Amount: 20_000})
	_, d := v.make(t, f)
	if d.Version != 0 || d.Tx.LockTime != 0 || len(d.Tx.Vin) != 2 || d.Tx.Vin[0].Sequence != 0xfffffffd || d.Inputs[0]["bip32_derivs"] == nil {
		t.Errorf("got %+v", d)
	}
	for i, in := range d.Tx.Vin {
		if at := (btc.Outpoint{Txid: in.Txid, Vout: in.Vout}); !slices.Contains(utxos[:2], at) {
			t.Errorf("input %d is %s", i, at)
		}
	}
	f = v.payment(12_345, 1000)
	f.LockTime, f.Replaceable = 104, false
	if _, d := v.make(t, f); d.Tx.LockTime != 104 || d.Tx.Vin[0].Sequence != 0xfffffffe {
		t.Errorf("got %+v", d)
	}

	// The node may choose the fee rate: here -fallbackfee.
	f = v.payment(12_345, 0)
	f.TargetBlocks = 6
	funded, _ := v.make(t, f)
	v.wantRate(t, "estimated", 10_000, funded, 0)

	// Unconfirmed UTXOs received from others are not spent, nor those with fewer
	// confirmations than requested.
	v.WalletCLI(t, "payer", "sendtoaddress", v.addresses[4], "10")
	v.CLI(t, "syncwithvalidationinterfacequeue")
	_, err := v.Fund(t.Context(), in(v.name), v.payment(btc.BTC, 1000))
	wantErr(t, err, proposal.ErrInsufficientFunds)
	v.Mine(t, 1)
	f = v.payment(btc.BTC, 1000)
	v.make(t, f)
	f.MinConf = 2
	_, err = v.Fund(t.Context(), in(v.name), f)
	wantErr(t, err, proposal.ErrInsufficientFunds)
}

// TestFund_NoSideEffects checks that funding has no side effects: it locks nothing
// and reveals no address.
func TestFund_NoSideEffects(t *testing.T) {
	t.Parallel()
	p := provide(t)
	p.payer(t, "payer")
	v := p.vault(t, testkit.WPKH, 1_000_000, 2_000_000)
	before, err := p.core.Wallet(v.name).Descriptors(t.Context())
	testkit.Check(t, err)
	for range 3 {
		v.make(t, v.payment(1_500_000, 1000)) // also checks the change address
	}
	after, err := p.core.Wallet(v.name).Descriptors(t.Context())
	testkit.Check(t, err)
	if !slices.Equal(before, after) {
		t.Errorf("was %+v, is %+v", before, after)
	}
	if utxos, _ := v.utxos(t); len(utxos) != 2 {
		t.Errorf("left %v", utxos)
	}
}

// TestNamedUTXOs checks that Core does not select locked UTXOs, but spends named
// UTXOs even if they are locked or already spent; the caller must reject these.
func TestNamedUTXOs(t *testing.T) {
	t.Parallel()
	p := provide(t)
	p.payer(t, "payer")
	v := p.vault(t, testkit.WPKH, 1_000_000)
	ctx := t.Context()
	utxos, _ := v.utxos(t)
	testkit.Check(t, v.SetLocked(ctx, in(v.name), utxos[:1], true))
	_, err := v.Fund(ctx, in(v.name), v.payment(10_000, 1000))
	wantErr(t, err, proposal.ErrInsufficientFunds)
	named := v.payment(10_000, 1000)
	named.Inputs, named.AddInputs = utxos, false
	v.make(t, named)
	v.pay(t, named)
	named.Outputs[0].Amount++ // makes each transaction different
	funded, _ := v.make(t, named)
	raw, _ := v.signed(t, funded.PSBT)
	t.Logf("spent by the mempool already, Core tests it with %q", reason(v.Test(ctx, wallet.NodeWallet{}, raw)))
	v.Mine(t, 1)
	v.make(t, named)
	wantRejected(t, v.Test(ctx, wallet.NodeWallet{}, raw), "missing-inputs")
}

func TestFund_Refused(t *testing.T) {
	t.Parallel()
	p := provide(t)
	p.payer(t, "payer")
	v := p.vault(t, testkit.WPKH, 1_000_000, 2_000_000)
	utxos, total := v.utxos(t)
	foreign, err := p.core.Wallet("payer").Unspent(t.Context())
	testkit.Check(t, err)
	named := func(f proposal.Funding, at ...btc.Outpoint) proposal.Funding {
		f.Inputs, f.AddInputs = at, false
		return f
	}
	subtracted := func(f proposal.Funding) proposal.Funding {
		f.SubtractFrom = []int{0}
		return f
	}
	fee, _ := v.make(t, v.payment(10_000, 25_000))
	for _, c := range []struct {
		name    string
		funding proposal.Funding
		want    error
	}{
		{"more than there is", v.payment(btc.BTC, 1000), proposal.ErrInsufficientFunds},
		{"all, and no fee", v.payment(total, 1000), proposal.ErrInsufficientFunds},
		{"all but half the fee", v.payment(total-100, 1000), proposal.ErrInsufficientFunds},
		{"more than the named have", named(v.payment(total, 1000), utxos[0]), proposal.ErrInsufficientFunds},
		{"all that the named have", named(v.payment(total, 1000), utxos...), proposal.ErrInsufficientFunds},
		{"named and others are not enough", func() proposal.Funding {
			f := v.payment(btc.BTC, 1000)
			f.Inputs = utxos[:1]
			return f
		}(), proposal.ErrInsufficientFunds},
		{"dust", v.payment(100, 1000), proposal.ErrAmountTooSmall},
		{"less than its fee", subtracted(v.payment(1000, 25_000)), proposal.ErrAmountTooSmall},
		{"dust after its fee", subtracted(v.payment(fee.Fee+100, 25_000)), proposal.ErrAmountTooSmall},
		{"much too high a fee", v.payment(10_000, btc.MaxFeeRate), proposal.ErrInsufficientFunds},
		{"a nonexistent UTXO", named(v.payment(10_000, 1000), btc.Outpoint{Txid: noHash}), backend.ErrUTXOUnavailable},
		{"a nonexistent output", named(v.payment(10_000, 1000), btc.Outpoint{Txid: utxos[0].Txid, Vout: 99}), backend.ErrUTXOUnavailable},
		{"a UTXO of others", named(v.payment(10_000, 1000), foreign[0].Outpoint), backend.ErrUTXOUnavailable},
	} {
		v.wantRefused(t, c.name, c.funding, c.want)
	}

	_, err = v.Fund(t.Context(), in("none"), v.payment(10_000, 1000))
	wantErr(t, err, backend.ErrWalletNotLoaded)
	bad := v.payment(10_000, 1000)
	bad.Outputs[0].Address = "nonsense"
	_, err = v.Fund(t.Context(), in(v.name), bad)
	if _, ok := errors.AsType[*rpcclient.RPCError](err); !ok || fault.KindOf(err) != fault.Refused {
		t.Errorf("an invalid address: %v", err)
	}
}

// wantRefused checks an error, and logs its message.
func (v vault) wantRefused(t *testing.T, name string, f proposal.Funding, want error) {
	t.Helper()
	_, err := v.Fund(t.Context(), in(v.name), f)
	e, ok := errors.AsType[*rpcclient.RPCError](err)
	if !errors.Is(err, want) || !ok {
		t.Errorf("%s: got %v, want %v", name, err, want)
		return
	}
	t.Logf("%-26s %d %s", name, e.Code, e.Message)
}

// TestFund_BelowRelayFee checks that a fee rate below the minimum relay fee is
// rejected, although Core accepts it.
func TestFund_BelowRelayFee(t *testing.T) {
	t.Parallel()
	p := provide(t)
	p.payer(t, "payer")
	v := p.vault(t, testkit.WPKH, 1_000_000)
	low := v.payment(10_000, 500)
	_, err := v.Fund(t.Context(), in(v.name), low)
	f, ok := errors.AsType[*fault.Error](err)
	if !ok || f.Kind != fault.Invalid || f.Fields[0].Name != "fee_rate_sat_vb" || !strings.Contains(f.Message, "at least 1 sat/vB,") {
		t.Errorf("got %v", err)
	}
	funded, err := p.core.Wallet(v.name).FundPSBT(t.Context(), low, 0)
	testkit.Check(t, err)
	raw, _ := v.signed(t, funded.PSBT)
	wantRejected(t, v.Test(t.Context(), wallet.NodeWallet{}, raw), "min relay fee not met")
	wantRejected(t, v.Send(t.Context(), wallet.NodeWallet{}, raw), "min relay fee not met")
}

func TestFund_InsufficientFunds(t *testing.T) {
	t.Parallel()
	p := provide(t)
	p.payer(t, "payer")
	amounts := slices.Repeat([]btc.Amount{100_000}, 400)
	v := p.vault(t, testkit.SH, amounts...) // the largest inputs
	utxos, total := v.utxos(t)
	v.wantRefused(t, "more UTXOs than fit", v.payment(total*9/10, 1000), backend.ErrTooLarge)
	all := v.payment(total*9/10, 1000)
	all.Inputs, all.AddInputs = utxos, false
	v.wantRefused(t, "more named than fit", all, backend.ErrTooLarge)
	mixed := v.payment(total*9/10, 1000)
	mixed.Inputs = utxos[:200]
	v.wantRefused(t, "named and others", mixed, backend.ErrTooLarge)

	many := v.payment(1000, 1000)
	many.Outputs = nil
	descriptor, err := p.CanonicalDescriptor(t.Context(), wallet.NodeWallet{}, receiveDescriptor)
	testkit.Check(t, err)
	addresses, err := p.DeriveAddresses(t.Context(), wallet.NodeWallet{}, descriptor, 0, proposal.MaxRecipients+500)
	testkit.Check(t, err)
	for _, a := range addresses {
		many.Outputs = append(many.Outputs, proposal.FundingOutput{Address: a, Amount: 1000})
	}
	v.wantRefused(t, "more recipients than fit", many, backend.ErrTooLarge)

	rich := p.vault(t, testkit.WPKH, 5*btc.BTC)
	rich.wantRefused(t, "a fee beyond -maxtxfee", rich.payment(btc.BTC, btc.MaxFeeRate), backend.ErrFeeTooHigh)
}

// TestFund_ManyUTXOs covers more than 252 UTXOs, with which Core fails if the fee rate
// is a whole number of sat/vB.
func TestFund_ManyUTXOs(t *testing.T) {
	t.Parallel()
	p := provide(t)
	p.payer(t, "payer")
	v := p.vault(t, testkit.WPKH, slices.Repeat([]btc.Amount{1_000_000}, 290)...)
	utxos, total := v.utxos(t)
	for _, rate := range []btc.FeeRate{1000, 25_000} {
		f := v.payment(total*9/10, rate)
		funded, d := v.make(t, f)
		if len(d.Tx.Vin) < 253 {
			t.Errorf("%d UTXOs", len(d.Tx.Vin))
		}
		v.wantRate(t, "many", rate, funded, 0)
		f.Inputs, f.AddInputs = utxos, false
		v.make(t, f)
	}
	v.wantRefused(t, "many UTXOs at a high rate", v.payment(total*19/20, 300_000), backend.ErrTooLarge)
	f := v.payment(total*9/10, 0)
	f.TargetBlocks = 6 // without an estimate, the node uses its fallback of 10 sat/vB
	v.wantRefused(t, "many UTXOs, estimated", f, backend.ErrTooLarge)
}

// TestFund_WithoutEstimates checks that funding returns ErrFeeUnknown if the node has
// no fee estimates.
func TestFund_WithoutEstimates(t *testing.T) {
	t.Parallel()
	p := provide(t, "-fallbackfee=0")
	p.payer(t, "payer")
	p.WalletCLI(t, "payer", "settxfee", "0.0001")
	v := p.vault(t, testkit.WPKH, 1_000_000)
	f := v.payment(10_000, 0)
	f.TargetBlocks = proposal.DefaultTarget
	v.wantRefused(t, "no estimate", f, backend.ErrFeeUnknown)
	f.TargetBlocks, f.FeeRate = 0, 1000
	v.make(t, f)
}

// TestFund_LongChains covers UTXOs at the end of a chain of unconfirmed transactions
// that has the maximum length.
func TestFund_LongChains(t *testing.T) {
	t.Parallel()
	p := provide(t, "-limitancestorcount=3", "-limitdescendantcount=3")
	p.payer(t, "payer")
	v := p.vault(t, testkit.WPKH, 1_000_000)
	for range 3 {
		v.pay(t, v.payment(10_000, 1000))
	}
	v.wantRefused(t, "a long chain", v.payment(10_000, 1000), backend.ErrChainTooLong)
	utxos, _ := v.utxos(t)
	f := v.payment(10_000, 1000)
	f.Inputs, f.AddInputs = utxos, false
	v.wantRefused(t, "a long chain, named", f, backend.ErrChainTooLong)
	v.Mine(t, 1)
	v.make(t, v.payment(10_000, 1000))
}

// TestFund_ParentsWithLowFees checks that, if the transaction of an unconfirmed UTXO
// has a lower fee rate, the spending transaction compensates for it, and its own fee
// rate is above the requested one.
func TestFund_ParentsWithLowFees(t *testing.T) {
	t.Parallel()
	p := provide(t)
	p.payer(t, "payer")
	v := p.vault(t, testkit.WPKH, 1_000_000)
	cheap, _ := v.make(t, v.payment(10_000, 1000))
	raw, parent := v.signed(t, cheap.PSBT)
	testkit.Check(t, v.Send(t.Context(), wallet.NodeWallet{}, raw))
	v.CLI(t, "syncwithvalidationinterfacequeue")
	funded, _ := v.make(t, v.payment(10_000, 10_000))
	_, child := v.signed(t, funded.PSBT)
	wanted := btc.FeeRate(10_000).Fee(parent.VSize + child.VSize)
	both := funded.Fee + cheap.Fee // which is for the maximum size: a signature may be a byte shorter
	t.Logf("asked 10, pays %.2f sat/vB", float64(funded.Fee)/float64(child.VSize))
	if both < wanted || both > wanted*102/100 {
		t.Errorf("both pay %d, want %d", both, wanted)
	}
}

func TestTestAndSend(t *testing.T) {
	t.Parallel()
	p := provide(t)
	p.payer(t, "payer")
	v := p.vault(t, testkit.WPKH, 1_000_000, 2_000_000)
	ctx := t.Context()
	utxos, _ := v.utxos(t)
	named := v.payment(10_000, 100_000)
	named.Inputs, named.AddInputs = utxos[:1], false
	funded, _ := v.make(t, named)
	raw, tx := v.signed(t, funded.PSBT)
	testkit.Check(t, v.Test(ctx, wallet.NodeWallet{}, raw))

	broken := slices.Clone(raw)
	broken[len(broken)-4] = 1 // the lock time, which was signed as 0
	wantReason(t, v.Test(ctx, wallet.NodeWallet{}, broken), "script-verify-flag-failed")
	wantReason(t, v.Send(ctx, wallet.NodeWallet{}, broken), "script-verify-flag-failed")
	for name, err := range map[string]error{"Test": v.Test(ctx, wallet.NodeWallet{}, raw[:50]), "Send": v.Send(ctx, wallet.NodeWallet{}, raw[:50])} {
		if _, ok := errors.AsType[*rpcclient.RPCError](err); !ok || errors.Is(err, proposal.ErrRejected) {
			t.Errorf("%s of half a transaction: %v", name, err)
		}
	}

	again := func(when string) {
		t.Helper()
		if err := errors.Join(v.Test(ctx, wallet.NodeWallet{}, raw), v.Send(ctx, wallet.NodeWallet{}, raw)); err != nil {
			t.Errorf("%s: %v", when, err)
		}
	}
	testkit.Check(t, v.Send(ctx, wallet.NodeWallet{}, raw))
	again("in the mempool")
	v.CLI(t, "syncwithvalidationinterfacequeue")

	// A conflicting transaction with a lower fee.
	named.FeeRate = 50_000
	rival, _ := v.make(t, named)
	other, _ := v.signed(t, rival.PSBT)
	t.Logf("a conflicting transaction with a lower fee: %v; %v", reason(v.Test(ctx, wallet.NodeWallet{}, other)), reason(v.Send(ctx, wallet.NodeWallet{}, other)))
	wantErr(t, v.Test(ctx, wallet.NodeWallet{}, other), proposal.ErrRejected)
	wantErr(t, v.Send(ctx, wallet.NodeWallet{}, other), proposal.ErrRejected)

	v.Mine(t, 1)
	again("in the chain")
	wantRejected(t, v.Test(ctx, wallet.NodeWallet{}, other), "missing-inputs")
	wantRejected(t, v.Send(ctx, wallet.NodeWallet{}, other), "missing-inputs")
	var change btc.Outpoint
	for i, out := range tx.Outputs {
		if btc.AddressOf(out.Script, btc.Regtest) == v.change {
			change = btc.Outpoint{Txid: tx.Txid, Vout: uint32(i)}
		}
	}
	named.Inputs, named.FeeRate = []btc.Outpoint{change}, 2_000_000 // above the node's own limit
	v.pay(t, named)
	v.Mine(t, 1)
	again("in the chain, and its change spent")
}

// reason returns the node's reject reason from err, or an empty string.
func reason(err error) string {
	if f, ok := errors.AsType[*fault.Error](err); ok {
		return f.Details["reject_reason"]
	}
	return ""
}

func wantRejected(t testing.TB, err error, why string) {
	t.Helper()
	if !errors.Is(err, proposal.ErrRejected) || reason(err) != why {
		t.Errorf("got %v for %q, want %q", err, reason(err), why)
	}
}

func wantReason(t testing.TB, err error, part string) {
	t.Helper()
	if !errors.Is(err, proposal.ErrRejected) || !strings.Contains(reason(err), part) {
		t.Errorf("got %v for %q, want %q", err, reason(err), part)
	}
	t.Log(err)
}
