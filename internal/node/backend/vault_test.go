package backend_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/testenv/testkit"
	"github.com/specterd/specterd/internal/wallet"
)

// vault is a wallet with separate signers: a watch-only wallet created by the
// provider, and one wallet for each signer.
type vault struct {
	provider

	name      string
	signers   []string // names of the signers' wallets, as many as signatures are required
	addresses []string // to receive payments
	change    string
}

// vault creates a wallet of a script type with one confirmed UTXO for each of the
// amounts. The payer must exist.
func (p provider) vault(t testing.TB, k testkit.Script, amounts ...btc.Amount) vault {
	t.Helper()
	ctx, v := t.Context(), vault{provider: p, name: k.Name}
	receive, err := p.CanonicalDescriptor(ctx, wallet.NodeWallet{}, k.Descriptor(t, 0, "0", -1))
	testkit.Check(t, err)
	change, err := p.CanonicalDescriptor(ctx, wallet.NodeWallet{}, k.Descriptor(t, 0, "1", -1))
	testkit.Check(t, err)
	_, err = p.Provide(ctx, in(v.name), receive, change, uint32(max(1000, len(amounts))))
	testkit.Check(t, err)
	v.addresses, err = p.DeriveAddresses(ctx, wallet.NodeWallet{}, receive, 0, uint32(max(10, len(amounts))))
	testkit.Check(t, err)
	changes, err := p.DeriveAddresses(ctx, wallet.NodeWallet{}, change, 0, 1)
	testkit.Check(t, err)
	v.change = changes[0]
	for i := range k.SignaturesRequired() {
		name := fmt.Sprintf("%s signer %d", k.Name, i)
		p.Signer(t, name, k.Descriptor(t, 0, "0", i), k.Descriptor(t, 0, "1", i))
		v.signers = append(v.signers, name)
	}
	v.fund(t, amounts...)
	return v
}

// fund pays each of the amounts to an address of the vault, and mines a block.
func (v vault) fund(t testing.TB, amounts ...btc.Amount) {
	t.Helper()
	const most = 400
	for from := 0; from < len(amounts); from += most {
		outputs := map[string]btc.JSONBTC{}
		for i := from; i < min(from+most, len(amounts)); i++ {
			outputs[v.addresses[i]] = btc.JSONBTC(amounts[i])
		}
		v.WalletCLI(t, "payer", "sendmany", "", outputs)
	}
	v.Mine(t, 1)
	v.CLI(t, "syncwithvalidationinterfacequeue")
}

// utxos returns the UTXOs that the vault may spend, and their sum.
func (v vault) utxos(t testing.TB) (at []btc.Outpoint, total btc.Amount) {
	t.Helper()
	utxos, err := v.core.Wallet(v.name).Unspent(t.Context())
	testkit.Check(t, err)
	for _, c := range utxos {
		at = append(at, c.Outpoint)
		total += c.Amount
	}
	return at, total
}

// payment returns a payment of the vault to anyoneAddress.
func (v vault) payment(amount btc.Amount, rate btc.FeeRate) proposal.Funding {
	return proposal.Funding{
		Outputs:       []proposal.FundingOutput{{Address: anyoneAddress, Amount: amount}},
		AddInputs:     true,
		ChangeAddress: v.change,
		Replaceable:   true,
		FeeRate:       rate,
	}
}

// make makes Core create a PSBT, and checks it against the fee and change position
// that Core returned.
func (v vault) make(t testing.TB, f proposal.Funding) (proposal.Funded, decodedPSBT) {
	t.Helper()
	funded, err := v.Fund(t.Context(), in(v.name), f)
	testkit.Check(t, err)
	d := v.decode(t, funded.PSBT)
	if funded.Fee != btc.Amount(d.Fee) {
		t.Errorf("fee %d, but the PSBT has %d", funded.Fee, d.Fee)
	}
	if len(d.Tx.Vout) != len(f.Outputs)+min(1, funded.ChangePosition+1) {
		t.Errorf("%d outputs for %d recipients, change at %d", len(d.Tx.Vout), len(f.Outputs), funded.ChangePosition)
	}
	if at := funded.ChangePosition; at >= 0 && d.Tx.Vout[at].ScriptPubKey.Address != v.change {
		t.Errorf("the change goes to %s", d.Tx.Vout[at].ScriptPubKey.Address)
	}
	return funded, d
}

// signed returns the signed transaction of a PSBT.
func (v vault) signed(t testing.TB, psbt []byte) (raw []byte, tx btc.Tx) {
	t.Helper()
	raw = v.Finalize(t, v.Sign(t, psbt, v.signers...))
	tx, err := btc.ParseTx(raw)
	testkit.Check(t, err)
	return raw, tx
}

// pay funds, signs and sends a payment.
func (v vault) pay(t testing.TB, f proposal.Funding) (raw []byte, tx btc.Tx) {
	t.Helper()
	funded, _ := v.make(t, f)
	raw, tx = v.signed(t, funded.PSBT)
	testkit.Check(t, v.Send(t.Context(), wallet.NodeWallet{}, raw))
	v.CLI(t, "syncwithvalidationinterfacequeue")
	return raw, tx
}

// decodedPSBT is a PSBT as decoded by the node.
type decodedPSBT struct {
	Tx struct {
		Version  int
		LockTime uint32
		Vin      []struct {
			Txid     string
			Vout     uint32
			Sequence uint32
		}
		Vout []struct {
			Value        btc.JSONBTC
			ScriptPubKey struct{ Address string }
		}
	}
	Version int `json:"psbt_version"`
	Fee     btc.JSONBTC
	Inputs  []map[string]json.RawMessage
}

func (v vault) decode(t testing.TB, psbt []byte) (d decodedPSBT) {
	t.Helper()
	testkit.Check(t, json.Unmarshal(v.CLI(t, "decodepsbt", psbt), &d))
	return d
}
