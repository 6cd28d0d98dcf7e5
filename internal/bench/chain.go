package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/txscript"
	"github.com/btcsuite/btcd/wire"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/testenv/regtest"
)

// chain is a node on a private chain. It has UTXOs that anyone can spend, so that
// payments require neither a wallet nor a signature.
type chain struct {
	*regtest.Node
	utxos []utxo // not spent yet
}

type utxo struct {
	at     wire.OutPoint
	amount btc.Amount
}

// openScript is the script that locks the chain's UTXOs. It drops two items, which
// have the sizes of a signature and a key, so that payments have a realistic size.
var openScript = []byte{txscript.OP_2DROP, txscript.OP_TRUE}

const (
	fanSize    = 2000 // UTXOs created from one coinbase output
	subsidy    = 50 * bitcoin
	bitcoin    = 100_000_000
	maturity   = 100 // blocks
	networkFee = 1000
)

// startChain starts a node and creates at least the given number of UTXOs of about
// 0.02 BTC.
func startChain(ctx context.Context, dir string, utxos int, args ...string) (*chain, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	node, err := regtest.Start(ctx, regtest.Options{Dir: dir, ExtraArgs: args})
	if err != nil {
		return nil, err
	}
	c := &chain{Node: node}
	if err := c.fund(ctx, utxos); err != nil {
		node.Kill()
		return nil, fmt.Errorf("make UTXOs: %w", err)
	}
	return c, nil
}

// withoutZMQ has the arguments that disable all ZMQ publishers of a node.
var withoutZMQ = []string{"-nozmqpubhashblock", "-nozmqpubrawtx", "-nozmqpubsequence"}

func (c *chain) fund(ctx context.Context, utxos int) error {
	hashes, err := c.generate(ctx, (utxos+fanSize-1)/fanSize, openAddress())
	if err != nil {
		return err
	}
	if _, err := c.Mine(ctx, maturity); err != nil {
		return err
	}
	for _, hash := range hashes {
		var block struct{ Tx []string }
		if err := c.into(ctx, &block, "getblock", hash); err != nil {
			return err
		}
		coinbase, err := chainhash.NewHashFromStr(block.Tx[0])
		if err != nil {
			return err
		}
		if err := c.fan(ctx, utxo{at: wire.OutPoint{Hash: *coinbase}, amount: subsidy}); err != nil {
			return err
		}
	}
	return nil
}

// fan splits one UTXO into fanSize UTXOs and mines a block with that transaction.
func (c *chain) fan(ctx context.Context, from utxo) error {
	tx := spending(from)
	amount := (from.amount - 100*networkFee) / fanSize
	for range fanSize {
		tx.AddTxOut(wire.NewTxOut(int64(amount), openOutput()))
	}
	id := tx.TxHash()
	for i := range tx.TxOut {
		c.utxos = append(c.utxos, utxo{at: wire.OutPoint{Hash: id, Index: uint32(i)}, amount: amount})
	}
	return c.block(ctx, serialize(tx))
}

// payment returns a transaction that spends one of the chain's UTXOs: one third goes
// to the given script, the rest to an external address.
func (c *chain) payment(to []byte) *wire.MsgTx {
	from := c.utxos[0]
	c.utxos = c.utxos[1:]
	tx := spending(from)
	part := from.amount / 3
	tx.AddTxOut(wire.NewTxOut(int64(part), to))
	tx.AddTxOut(wire.NewTxOut(int64(from.amount-part-networkFee), somebody(len(c.utxos))))
	return tx
}

// block mines a block with the given transactions, which need not be in the
// mempool.
func (c *chain) block(ctx context.Context, raws ...string) error {
	_, err := c.Call(ctx, "generateblock", openAddress(), raws)
	return err
}

// generate mines blocks to an address and returns their hashes.
func (c *chain) generate(ctx context.Context, count int, address string) (hashes []string, err error) {
	return hashes, c.into(ctx, &hashes, "generatetoaddress", count, address)
}

// into calls an RPC method and decodes its result.
func (c *chain) into(ctx context.Context, result any, method string, params ...any) error {
	answer, err := c.Call(ctx, method, params...)
	if err != nil {
		return err
	}
	return json.Unmarshal(answer, result)
}

// spending returns a transaction that spends a UTXO and has no outputs yet.
func spending(from utxo) *wire.MsgTx {
	const signature, key = 72, 33 // bytes
	tx := wire.NewMsgTx(2)
	in := wire.NewTxIn(&from.at, nil, wire.TxWitness{make([]byte, signature), make([]byte, key), openScript})
	in.Sequence = wire.MaxTxInSequenceNum - 2
	tx.AddTxIn(in)
	return tx
}

// openOutput returns the P2WSH output script of openScript.
func openOutput() []byte {
	hash := sha256.Sum256(openScript)
	return append([]byte{txscript.OP_0, txscript.OP_DATA_32}, hash[:]...)
}

func openAddress() string { return btc.AddressOf(openOutput(), btc.Regtest) }

// somebody returns a P2WPKH script without a known key.
func somebody(i int) []byte {
	hash := sha256.Sum256(fmt.Append(nil, i))
	return append([]byte{txscript.OP_0, txscript.OP_DATA_20}, hash[:20]...)
}

func serialize(tx *wire.MsgTx) string {
	var b bytes.Buffer
	_ = tx.Serialize(&b) // a buffer accepts all writes
	return hex.EncodeToString(b.Bytes())
}

// chainFolder returns the data directory of a node.
func (b *bench) chainFolder(name string) string { return filepath.Join(b.dir, "bitcoind-"+name) }
