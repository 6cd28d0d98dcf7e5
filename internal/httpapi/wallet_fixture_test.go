package httpapi_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/testenv/testkit"
	"github.com/specterd/specterd/internal/wallet"
)

// onNode makes the wallets of a server use a real node.
func onNode(n *testkit.Node) func(*setup) { return func(s *setup) { s.bitcoind = n } }

const tpub = "tpubD6NzVbkrYhZ4XJkWPt6cgTyouAqQFiCyggyo5B1ccrLubuk5tYBcSH861VJwtrnFUgKT79eh4fNYoULdaLzHz3SBrxN1QZHzJaTG9xwpj4P"

var accounts atomic.Int64

// descriptor returns a unique descriptor.
func descriptor() string {
	return fmt.Sprintf("wpkh([d34db33f/84h/1h/0h]%s/%d/<0;1>/*)", tpub, accounts.Add(1))
}

// firstDevice is the device number of the first vault; see testkit.Key.
const firstDevice = 1000

// vault is a wallet with a history.
type vault struct {
	id, alias       string
	private         string   // extended private key with its key origin
	receive, change []string // addresses
	generated       string   // txid of an immature coinbase transaction
	received        string   // txid of the transaction whose output sent spends
	sent            string   // txid of the outgoing transaction
	pending         string   // txid of an incoming transaction in the mempool
	replaced        string   // txid of the transaction that pending has replaced
	utxo            btc.Outpoint
	foreign         string // the address that sent pays
	label, note     string // labels of sent and of the first receive address
}

const tipHeight = 186

var tipHash = strings.Repeat("0", 61) + "186"

// mining prevents new blocks while a wallet is created, because the new wallet would need a
// rescan for them.
var mining sync.RWMutex

// vault creates a wallet of a user and writes a history into the index in place of the
// indexer.
func (s *server) vault(t *testing.T, owner testUser, alias string) vault {
	t.Helper()
	mining.RLock()
	defer mining.RUnlock()
	public, private := testkit.Key(t, int(firstDevice+accounts.Add(1)))
	view, err := s.Wallets.Create(t.Context(), owner.principal(), wallet.Plan{
		Name: alias, Alias: alias, Descriptor: "wpkh(" + public + "/<0;1>/*)", Birthday: wallet.Birthday{Now: true},
	})
	testkit.Check(t, err)
	v := vault{
		id: view.ID, alias: alias, private: private, foreign: "bcrt1q6rhpng9evdsfnn833a4f4vej0asu6dk5srld6x",
		generated: hash(view.ID, "generated"), received: hash(view.ID, "received"), sent: hash(view.ID, "sent"),
		pending: hash(view.ID, "pending"), replaced: hash(view.ID, "replaced"), label: "rent of " + alias, note: "faucet of " + alias,
	}
	v.utxo = btc.Outpoint{Txid: v.sent, Vout: 1}
	for branch, to := range map[wallet.Branch]*[]string{wallet.ReceiveBranch: &v.receive, wallet.ChangeBranch: &v.change} {
		addresses, err := s.store.AddressesOf(t.Context(), v.id, wallet.AddressFilter{Branch: &branch}, nil, 5)
		testkit.Check(t, err)
		for _, a := range addresses {
			*to = append(*to, a.Address)
		}
	}
	testkit.Check(t, s.store.WriteIndex(t.Context(), []wallet.Change{{
		WalletID: v.id, Added: v.history(s.clock.now()), Synced: &wallet.Tip{Height: tipHeight, Hash: tipHash}, CoreTxCount: 5, CoreInfo: "{}",
	}}))
	testkit.Check(t, s.store.SetLabels(t.Context(), v.id, []btc.Label{
		{Type: "tx", Ref: v.sent, Label: &v.label}, {Type: "addr", Ref: v.receive[0], Label: &v.note},
	}, auth.Event{}))
	return v
}

func (v *vault) history(now time.Time) []wallet.Transaction {
	own := func(b wallet.Branch, index uint32) *wallet.Place { return &wallet.Place{Branch: b, Index: index} }
	at := func(txid string, ago time.Duration, flow btc.Amount, address string, place *wallet.Place, s wallet.State, c wallet.Category) wallet.Transaction {
		return wallet.Transaction{
			Txid: txid, Time: now.Add(-ago), ReceivedAt: now.Add(-ago), State: s, Category: c, Flow: flow, VSize: 141,
			Address: address, Own: place, Raw: []byte("the bytes of " + txid),
		}
	}
	in := func(height int) wallet.State {
		return wallet.State{
			Status: wallet.Confirmed, Replaceable: "no", Trusted: true,
			Block: &wallet.Block{Height: height, Hash: hash("block", fmt.Sprint(height)), Time: now.Add(-time.Hour)},
		}
	}
	generated := at(v.generated, 5*time.Hour, 5_000_000_000, v.receive[1], own(0, 1), in(180), wallet.Generate)
	generated.Outputs = []wallet.Output{{Vout: 0, Address: v.receive[1], Amount: 5_000_000_000, Own: own(0, 1)}}
	received := at(v.received, 4*time.Hour, 300_000, v.receive[0], own(0, 0), in(181), wallet.Receive)
	received.Outputs = []wallet.Output{{Vout: 0, Address: v.receive[0], Amount: 300_000, Own: own(0, 0)}}
	sent := at(v.sent, 3*time.Hour, -100_332, v.foreign, nil, in(182), wallet.Send)
	sent.Fee = new(btc.Amount(332))
	sent.Inputs = []wallet.Input{{Prev: btc.Outpoint{Txid: v.received}, Amount: 300_000}}
	sent.Outputs = []wallet.Output{
		{Vout: 0, Address: v.foreign, Amount: 100_000},
		{Vout: 1, Address: v.change[0], Amount: 199_668, Own: own(1, 0)},
	}
	pending := at(v.pending, 2*time.Hour, 7_000, v.receive[2], own(0, 2), wallet.State{Status: wallet.InMempool, Replaceable: "yes", Conflicts: []string{v.replaced}}, wallet.Receive)
	pending.Outputs = []wallet.Output{{Vout: 0, Address: v.receive[2], Amount: 7_000, Own: own(0, 2)}}
	replaced := at(v.replaced, 2*time.Hour, 6_000, v.receive[2], own(0, 2), wallet.State{Status: wallet.Replaced, Replaceable: "yes", Conflicts: []string{v.pending}}, wallet.Receive)
	replaced.Outputs = []wallet.Output{{Vout: 0, Address: v.receive[2], Amount: 6_000, Own: own(0, 2)}}
	return []wallet.Transaction{generated, received, sent, pending, replaced}
}

// hash returns the SHA-256 hash of texts as 64 hexadecimal digits, for fictitious txids and
// block hashes.
func hash(texts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(texts, " ")))
	return hex.EncodeToString(sum[:])
}

// minedUTXO mines a block to a wallet, writes its coinbase output into the index, and returns
// the output.
func (s *server) minedUTXO(t *testing.T, n *testkit.Node, v *vault) btc.Outpoint {
	t.Helper()
	mining.Lock()
	defer mining.Unlock()
	var hashes []string
	testkit.Check(t, json.Unmarshal(n.CLI(t, "generatetoaddress", 1, v.receive[4]), &hashes))
	var block struct{ Tx []string }
	testkit.Check(t, json.Unmarshal(n.CLI(t, "getblock", hashes[0]), &block))
	now := s.clock.now()
	place := &wallet.Place{Branch: wallet.ReceiveBranch, Index: 4}
	testkit.Check(t, s.store.WriteIndex(t.Context(), []wallet.Change{{WalletID: v.id, Added: []wallet.Transaction{{
		Txid: block.Tx[0], Time: now, ReceivedAt: now, Category: wallet.Generate, Flow: 5_000_000_000, VSize: 100, Address: v.receive[4], Own: place,
		Raw:     []byte{0},
		State:   wallet.State{Status: wallet.Confirmed, Replaceable: "no", Trusted: true, Block: &wallet.Block{Height: 186, Hash: tipHash, Time: now}},
		Outputs: []wallet.Output{{Vout: 0, Address: v.receive[4], Amount: 5_000_000_000, Own: place}},
	}}}}))
	return btc.Outpoint{Txid: block.Tx[0]}
}
