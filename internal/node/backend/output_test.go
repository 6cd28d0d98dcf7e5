package backend_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"testing"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/testenv/testkit"
	"github.com/specterd/specterd/internal/wallet"
)

func decode(t testing.TB, raw json.RawMessage, into any) {
	t.Helper()
	testkit.Check(t, json.Unmarshal(raw, into))
}

// TestOrigin checks that Origin finds the transaction of an unspent output in the mempool
// and in the chain without a transaction index, and that Spender finds the transaction in
// the mempool that spends the output.
func TestOrigin(t *testing.T) {
	t.Parallel()
	p := provide(t, "-txindex=0")
	ctx := t.Context()
	p.payer(t, "payer")
	to := p.address(t, "payer")
	utxo := func(txid string) btc.Outpoint {
		var tx struct {
			Details []struct {
				Address string
				Vout    uint32
			}
		}
		decode(t, p.WalletCLI(t, "payer", "gettransaction", txid), &tx)
		for _, d := range tx.Details {
			if d.Address == to {
				return btc.Outpoint{Txid: txid, Vout: d.Vout}
			}
		}
		t.Fatalf("%+v pays nothing to %s", tx, to)
		return btc.Outpoint{}
	}
	raw := func(txid string) []byte {
		var tx struct{ Hex string }
		decode(t, p.WalletCLI(t, "payer", "gettransaction", txid), &tx)
		b, err := hex.DecodeString(tx.Hex)
		testkit.Check(t, err)
		return b
	}
	at := utxo(p.pay(t, "payer", to, "1.5"))
	for range 2 { // in the mempool, and in a block below the tip
		got, err := p.Origin(ctx, wallet.NodeWallet{}, at)
		testkit.Check(t, err)
		if !bytes.Equal(got, raw(at.Txid)) {
			t.Errorf("got %x", got)
		}
		p.Mine(t, 2)
	}
	spender, err := p.Spender(ctx, wallet.NodeWallet{}, at)
	testkit.Check(t, err)
	if spender != nil {
		t.Errorf("spent by %x", spender)
	}
	var sent struct{ Txid string }
	decode(t, p.WalletCLI(t, "payer", "send", []map[string]any{{to: 1}}, nil, nil, nil, map[string]any{"inputs": []map[string]any{{"txid": at.Txid, "vout": at.Vout}}}), &sent)
	_, err = p.Origin(ctx, wallet.NodeWallet{}, at)
	wantErr(t, err, wallet.ErrUTXONotFound)
	spender, err = p.Spender(ctx, wallet.NodeWallet{}, at)
	testkit.Check(t, err)
	if !bytes.Equal(spender, raw(sent.Txid)) {
		t.Errorf("spent by %x", spender)
	}
	p.Mine(t, 1)
	_, err = p.Origin(ctx, wallet.NodeWallet{}, at)
	wantErr(t, err, wallet.ErrUTXONotFound)
	if spender, err = p.Spender(ctx, wallet.NodeWallet{}, at); spender != nil || err != nil {
		t.Errorf("spent in the mempool by %x, %v", spender, err)
	}
}

// TestOriginPruned covers a pruned node, which has the output but not its
// transaction.
func TestOriginPruned(t *testing.T) {
	t.Parallel()
	p := provide(t, "-prune=1", "-fastprune", "-txindex=0")
	p.payer(t, "payer")
	txid := p.pay(t, "payer", p.address(t, "payer"), "1.5")
	p.Mine(t, 500)
	p.CLI(t, "pruneblockchain", 400)
	at := btc.Outpoint{Txid: txid}
	if raw, err := p.Origin(t.Context(), wallet.NodeWallet{}, at); raw != nil || err != nil {
		t.Errorf("%x, %v", raw, err)
	}
}
