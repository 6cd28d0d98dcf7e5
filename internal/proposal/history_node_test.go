package proposal_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcutil"
	"github.com/btcsuite/btcd/btcutil/hdkeychain"
	"github.com/btcsuite/btcd/txscript"
	"github.com/btcsuite/btcd/wire"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/testenv/regtest"
	"github.com/specterd/specterd/internal/testenv/testkit"
	"github.com/specterd/specterd/internal/wallet"
)

// chain is a node and a payer: a key with UTXOs outside of all the node's wallets.
type chain struct {
	*testkit.Node

	t     *testing.T
	payer *btcec.PrivateKey
	utxos []utxo // confirmed, unused UTXOs of the payer
	clock int64  // the node's clock in Unix seconds; behind real time so that it can be set forward
	mined int    // number of addresses that miner has returned
}

// utxo is an output with the keys that can spend it.
type utxo struct {
	at      wire.OutPoint
	amount  int64
	script  []byte
	witness []byte // the witness script of wsh
	keys    []*btcec.PrivateKey
}

// payerUTXO is the amount of each UTXO of the payer.
const payerUTXO = 4_000_000

// newChain starts a node whose mempool can be emptied by a restart, or by setting its
// clock forward. Its wallets do not broadcast automatically.
func newChain(t *testing.T) *chain {
	t.Helper()
	c := &chain{Node: testkit.Bitcoind(t, "-unsafesqlitesync", "-persistmempool=0", "-walletbroadcast=0", "-mempoolexpiry=1", "-blockfilterindex=0", "-maxtipage=1000000000"), t: t}
	c.setClock(time.Now().AddDate(-1, 0, 0).Unix())
	c.payer, _ = btcec.PrivKeyFromBytes(bytes.Repeat([]byte{7}, 32))
	script := c.payerScript()
	c.CLI(t, "generatetoaddress", 1, btc.AddressOf(script, btc.Regtest))
	c.CLI(t, "generatetoaddress", 100, otherPayee)
	var block struct{ Tx []struct{ Txid string } }
	testkit.Check(t, json.Unmarshal(c.CLI(t, "getblock", text(t, c.CLI(t, "getblockhash", 1)), 2), &block))
	tx := wire.NewMsgTx(2)
	from := utxo{at: outpoint(t, block.Tx[0].Txid, 0), amount: 50 * btcutil.SatoshiPerBitcoin, script: script, keys: []*btcec.PrivateKey{c.payer}}
	tx.AddTxIn(wire.NewTxIn(&from.at, nil, nil))
	for range 1200 {
		tx.AddTxOut(wire.NewTxOut(payerUTXO, script))
	}
	testkit.Check(t, sign(tx, []utxo{from}))
	c.CLI(t, "sendrawtransaction", hexOf(serialize(tx)), 0)
	c.CLI(t, "generatetoaddress", 10, otherPayee)
	for i := range tx.TxOut {
		c.utxos = append(c.utxos, utxo{at: wire.OutPoint{Hash: tx.TxHash(), Index: uint32(i)}, amount: payerUTXO, script: script, keys: from.keys})
	}
	return c
}

// utxo removes and returns a UTXO of the payer.
func (c *chain) utxo() utxo {
	c.t.Helper()
	if len(c.utxos) == 0 {
		c.t.Fatal("the payer has no UTXOs left")
	}
	taken := c.utxos[0]
	c.utxos = c.utxos[1:]
	return taken
}

// setClock sets the node's clock.
func (c *chain) setClock(seconds int64) {
	c.clock = seconds
	c.CLI(c.t, "setmocktime", seconds)
}

func (c *chain) payerScript() []byte {
	hash := btcutil.Hash160(c.payer.PubKey().SerializeCompressed())
	return slices.Concat([]byte{txscript.OP_0, 20}, hash)
}

// pay returns a transaction of the payer with these outputs and this fee. The rest goes
// to an address outside of all wallets.
func (c *chain) pay(from utxo, fee int64, to ...*wire.TxOut) *wire.MsgTx {
	c.t.Helper()
	tx := spendOf(from)
	rest := from.amount - fee
	for _, out := range to {
		tx.AddTxOut(out)
		rest -= out.Value
	}
	tx.AddTxOut(wire.NewTxOut(rest, scriptOf(otherPayee)))
	testkit.Check(c.t, sign(tx, []utxo{from}))
	return tx
}

// miner returns an address to which no block was mined yet. A block mined to the same
// address in the same second as an invalidated block may be identical to it.
func (c *chain) miner() string {
	c.mined++
	return btc.AddressOf(fmt.Appendf([]byte{txscript.OP_0, 20}, "miner %014d", c.mined), btc.Regtest)
}

// tip returns the height and the hash of the best block.
func (c *chain) tip() (height int, hash string) {
	c.t.Helper()
	height = number(c.t, c.CLI(c.t, "getblockcount"))
	return height, text(c.t, c.CLI(c.t, "getblockhash", height))
}

// request is one call of a batch.
type request struct {
	method string
	params []any
}

// reply is the result of one call of a batch.
type reply struct {
	ID     int             `json:"id"`
	Result json.RawMessage `json:"result"`
	Error  *regtest.Error  `json:"error"`
}

// batch makes several calls to one of the node's wallets in one request and returns
// the replies in the order of the calls.
func (c *chain) batch(name string, requests []request) ([]reply, error) {
	var calls []map[string]any
	for i, r := range requests {
		calls = append(calls, map[string]any{"id": i, "method": r.method, "params": r.params})
	}
	body, err := json.Marshal(calls)
	if err != nil {
		return nil, err
	}
	response, err := http.Post(c.URL()+"/wallet/"+url.PathEscape(name), "application/json", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	var answers []reply
	if err := json.NewDecoder(response.Body).Decode(&answers); err != nil {
		return nil, fmt.Errorf("%s: %w", response.Status, err)
	}
	slices.SortFunc(answers, func(a, b reply) int { return a.ID - b.ID })
	return answers, nil
}

// keys are the private keys of a wallet's signers.
type keys struct {
	kind     testkit.Script
	accounts []*hdkeychain.ExtendedKey
	derived  map[wallet.Place][]*btcec.PrivateKey
}

func newKeys(t *testing.T, kind testkit.Script, first int) *keys {
	t.Helper()
	k := &keys{kind: kind, derived: map[wallet.Place][]*btcec.PrivateKey{}}
	for i := range kind.Keys {
		_, private := testkit.Key(t, first+i)
		account, err := hdkeychain.NewKeyFromString(private[len("[d34db33f/48h/1h/0h]"):])
		testkit.Check(t, err)
		k.accounts = append(k.accounts, account)
	}
	return k
}

// at returns the private keys of an address.
func (k *keys) at(t *testing.T, place wallet.Place) []*btcec.PrivateKey {
	t.Helper()
	if found := k.derived[place]; found != nil {
		return found
	}
	var found []*btcec.PrivateKey
	for _, account := range k.accounts {
		branch, err := account.Derive(uint32(place.Branch))
		testkit.Check(t, err)
		child, err := branch.Derive(place.Index)
		testkit.Check(t, err)
		key, err := child.ECPrivKey()
		testkit.Check(t, err)
		found = append(found, key)
	}
	slices.SortFunc(found, func(a, b *btcec.PrivateKey) int {
		return bytes.Compare(a.PubKey().SerializeCompressed(), b.PubKey().SerializeCompressed())
	})
	k.derived[place] = found
	return found
}

// utxo returns an output of the wallet, with the keys of its address.
func (k *keys) utxo(t *testing.T, at btc.Outpoint, place wallet.Place, address string, amount btc.Amount) utxo {
	t.Helper()
	c := utxo{at: outpoint(t, at.Txid, at.Vout), amount: int64(amount), script: scriptOf(address), keys: k.at(t, place)}
	if k.kind.Keys > 1 {
		b := txscript.NewScriptBuilder().AddInt64(2)
		for _, key := range c.keys {
			b.AddData(key.PubKey().SerializeCompressed())
		}
		var err error
		c.witness, err = b.AddInt64(int64(k.kind.Keys)).AddOp(txscript.OP_CHECKMULTISIG).Script()
		testkit.Check(t, err)
	}
	return c
}

// spendOf returns a replaceable transaction without outputs that spends these outputs.
func spendOf(utxos ...utxo) *wire.MsgTx {
	tx := wire.NewMsgTx(2)
	for _, c := range utxos {
		in := wire.NewTxIn(&c.at, nil, nil)
		in.Sequence = wire.MaxTxInSequenceNum - 2
		tx.AddTxIn(in)
	}
	return tx
}

// sign signs a transaction that spends these outputs in this order.
func sign(tx *wire.MsgTx, utxos []utxo) error {
	fetcher := txscript.NewMultiPrevOutFetcher(nil)
	for _, c := range utxos {
		fetcher.AddPrevOut(c.at, wire.NewTxOut(c.amount, c.script))
	}
	hashes := txscript.NewTxSigHashes(tx, fetcher)
	for i, c := range utxos {
		in := tx.TxIn[i]
		var err error
		switch {
		case c.witness != nil:
			in.Witness = wire.TxWitness{nil}
			for _, key := range c.keys[:2] {
				signature, err := txscript.RawTxInWitnessSignature(tx, hashes, i, c.amount, c.witness, txscript.SigHashAll, key)
				if err != nil {
					return err
				}
				in.Witness = append(in.Witness, signature)
			}
			in.Witness = append(in.Witness, c.witness)
		case txscript.IsPayToWitnessPubKeyHash(c.script):
			in.Witness, err = txscript.WitnessSignature(tx, hashes, i, c.amount, c.script, txscript.SigHashAll, c.keys[0], true)
		default:
			in.SignatureScript, err = txscript.SignatureScript(tx, i, c.script, txscript.SigHashAll, c.keys[0], true)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func outpoint(t *testing.T, txid string, vout uint32) wire.OutPoint {
	t.Helper()
	raw, err := hex.DecodeString(txid)
	testkit.Check(t, err)
	slices.Reverse(raw)
	at := wire.OutPoint{Index: vout}
	copy(at.Hash[:], raw)
	return at
}

func outpointOf(at wire.OutPoint) btc.Outpoint {
	return btc.Outpoint{Txid: at.Hash.String(), Vout: at.Index}
}

func serialize(tx *wire.MsgTx) []byte {
	var b bytes.Buffer
	_ = tx.Serialize(&b)
	return b.Bytes()
}

// scriptOf returns the script of a valid address.
func scriptOf(address string) []byte {
	script, err := btc.ScriptOf(address, btc.Regtest)
	if err != nil {
		panic(err)
	}
	return script
}
