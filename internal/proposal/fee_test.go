package proposal_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// TestFeeSources checks that a proposal, stored or from a dry run, states the source of
// its fee rate.
func TestFeeSources(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	onBoth(t, n, func(w *world) {
		v := w.vault(testkit.WPKH, 10_000_000)
		v.wantFee(pay(10_000, 5000), proposal.FeeRequested, 5000)
		v.wantFee(pay(10_000, 0), proposal.FeeFallback, 10_000)
	})
	w := newWorld(t, n, t.TempDir()+"/specterd.db")
	v := w.vault(testkit.WPKH, 10_000_000)
	v.makeFeesEstimable()
	var estimate struct{ FeeRate btc.JSONBTC }
	testkit.Check(t, json.Unmarshal(n.CLI(t, "estimatesmartfee", 2, "economical"), &estimate))
	o := pay(10_000, 0)
	o.TargetBlocks = 2
	v.wantFee(o, proposal.FeeEstimate, btc.FeeRate(estimate.FeeRate))

	// The mempool's minimum fee rate is above the estimate.
	n.Stop(t)
	settings := filepath.Join(filepath.Dir(n.WalletFolder()), "settings.json")
	testkit.Check(t, os.WriteFile(settings, []byte(`{"minrelaytxfee": "0.0005"}`), 0o600))
	n.Start(t)
	n.CLI(t, "loadwallet", payer)
	w = newWorld(t, n, t.TempDir()+"/specterd.db")
	v = w.vault(testkit.WPKH, 10_000_000)
	v.wantFee(o, proposal.FeeMinimum, 50_000)
}

// wantFee checks a proposal's fee rate and its source.
func (v vault) wantFee(o proposal.CreateParams, source proposal.FeeSource, rate btc.FeeRate) {
	v.t.Helper()
	dry := o
	dry.DryRun = true
	rehearsed, p := v.create(dry), v.create(o)
	for what, got := range map[string]proposal.Proposal{"a dry run": rehearsed, "made": p, "stored": v.get(p)} {
		if got.FeeSource != source || float64(got.FeeRate) < float64(rate) || float64(got.FeeRate) > 1.02*float64(rate) {
			v.t.Errorf("%s: %s from %q, want %s from %q", what, got.FeeRate, got.FeeSource, rate, source)
		}
	}
	testkit.Check(v.t, v.Cancel(v.t.Context(), v.access(v.alice, v.alias), p.ID, nil))
	v.wantLocks()
}

// makeFeesEstimable makes payments until the node can estimate fee rates.
func (v vault) makeFeesEstimable() {
	v.t.Helper()
	const blocks, each = 12, 10
	outputs := map[string]btc.JSONBTC{}
	for range blocks * each {
		outputs[text(v.t, v.node.WalletCLI(v.t, payer, "getnewaddress"))] = btc.JSONBTC(btc.BTC / 10)
	}
	v.node.WalletCLI(v.t, payer, "sendmany", "", outputs)
	v.mine()
	for range blocks {
		for range each {
			v.node.WalletCLI(v.t, payer, "sendtoaddress", payee, "0.05")
		}
		v.mine()
	}
}
