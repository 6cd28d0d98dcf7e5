package btc_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/wire"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// The signed native P2WPKH transaction of BIP-143, and the coinbase of the
// genesis block.
const (
	segwitTx = "01000000000102fff7f7881a8099afa6940d42d1e7f6362bec38171ea3edf433541db4e4ad969f00000000494830450221008b9d1dc26ba6a9cb62127b02742fa9d754cd3bebf337f7a55d114c8e5cdd30be022040529b194ba3f9281a99f2b1c0a19c0489bc22ede944ccf4ecbab4cc618ef3ed01eeffffff" +
		"ef51e1b804cc89d182d279655c3aa89e815b1b309fe287d9b2b55d57b90ec68a0100000000ffffffff02202cb206000000001976a9148280b37df378db99f66f85c95a783a76ac7a6d5988ac9093510d000000001976a9143bde42dbee7e4dbe6a21b2d50ce2f0167faa815988ac" +
		"000247304402203609e17b84f6a7d30c80bfa610b5b4542f32a8a0d5447a12fb1366d7f01cc44a0220573a954c4518331561406f90300e8f3358f51928d43c212a8caed02de67eebee0121025476c2e83188368da1ff3e292e7acafcdb3566bb0ad253f62fc70f07aeee635711000000"
	genesisTx = "01000000010000000000000000000000000000000000000000000000000000000000000000ffffffff4d04ffff001d0104455468652054696d65732030332f4a616e2f32303039204368616e63656c6c6f72206f6e206272696e6b206f66207365636f6e64206261696c6f757420666f722062616e6b73ffffffff" +
		"0100f2052a01000000434104678afdb0fe5548271967f1a67130b7105cd6a828e03909a67962e0ea1f61deb649f6bc3f4cef38c4f35504e51ec112de5c384df7ba0b8d578a4c702b6bf11d5fac00000000"
)

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	raw, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestParseTx(t *testing.T) {
	tx, err := btc.ParseTx(unhex(t, segwitTx))
	if err != nil {
		t.Fatal(err)
	}
	if want := wireTx(t, unhex(t, segwitTx)).TxHash().String(); tx.Txid != want {
		t.Errorf("got %s, want %s", tx.Txid, want)
	}
	if tx.Coinbase || !tx.Replaceable() || len(tx.Inputs) != 2 || len(tx.Outputs) != 2 || tx.Outputs[0].Amount != 112_340_000 || tx.Outputs[1].Amount != 223_450_000 {
		t.Errorf("%+v", tx)
	}
	if in := tx.Inputs[1]; in.Outpoint.String() != "8ac60eb9575db5b2d987e29f301b5b819ea83a5c6579d282d189cc04b8e151ef:1" || in.Sequence != 0xffffffff {
		t.Errorf("%+v", in)
	}
	genesis, err := btc.ParseTx(unhex(t, genesisTx))
	if err != nil {
		t.Fatal(err)
	}
	if genesis.Txid != "4a5e1e4baab89f3a32518a88c31bc87f618f76673e2cc77ab2127b7afdeda33b" || !genesis.Coinbase || genesis.VSize != 204 || genesis.Outputs[0].Amount != 50*btc.BTC {
		t.Errorf("%+v", genesis)
	}
}

// TestReplaceable covers the limit of BIP-125, and a coinbase, which cannot be
// replaced.
func TestReplaceable(t *testing.T) {
	for last, want := range map[string]bool{"ffffffff": false, "feffffff": false, "fdffffff": true, "00000000": true} {
		t.Run(last, func(t *testing.T) {
			text := strings.Replace(segwitTx, "01eeffffffef51", "01"+last+"ef51", 1)
			tx, err := btc.ParseTx(unhex(t, text))
			if err != nil || tx.Replaceable() != want {
				t.Errorf("%s: got %v, %v", last, tx.Replaceable(), err)
			}
		})
	}
	tx, err := btc.ParseTx(unhex(t, strings.Replace(genesisTx, "6273ffffffff0100", "627300000000"+"0100", 1)))
	if err != nil || !tx.Coinbase || tx.Replaceable() {
		t.Error(tx, err)
	}
}

func TestBadTransactions(t *testing.T) {
	whole := unhex(t, segwitTx)
	for n := range whole {
		if tx, err := btc.ParseTx(whole[:n]); err == nil {
			t.Errorf("the first %d bytes are accepted as %s", n, tx.Txid)
		}
	}
	const head, tail = "01000000", "00000000"
	input, output := strings.Repeat("00", 36)+"00"+"ffffffff", strings.Repeat("00", 8)+"00"
	if _, err := btc.ParseTx(unhex(t, head+"01"+input+"01"+output+tail)); err != nil {
		t.Fatal(err)
	}
	for what, text := range map[string]string{
		"trailing":             segwitTx + "00",
		"no input":             head + "00" + "01" + output + tail,
		"no output":            head + "01" + input + "00" + tail,
		"long count":           head + "fd0100" + input + "01" + output + tail,
		"longer count":         head + "fe01000000" + input + "01" + output + tail,
		"longest count":        head + "ff0100000000000000" + input + "01" + output + tail,
		"huge count":           head + "ffffffffffffffffff" + input + "01" + output + tail,
		"huge script":          head + "01" + strings.Repeat("00", 36) + "ffffffffffffffffff" + "ffffffff" + "01" + output + tail,
		"other flag":           head + "0002" + "01" + input + "01" + output + "0101ff" + tail,
		"empty witness":        head + "0001" + "01" + input + "01" + output + "00" + tail,
		"no witness":           head + "0001" + "01" + input + "01" + output + tail,
		"negative amount":      head + "01" + input + "01" + "ffffffffffffffff" + "00" + tail,
		"more than all":        head + "01" + input + "01" + "0140075af0750700" + "00" + tail,
		"more than all in sum": head + "01" + input + "02" + "0040075af0750700" + "00" + "0100000000000000" + "00" + tail,
	} {
		t.Run(what, func(t *testing.T) {
			if tx, err := btc.ParseTx(unhex(t, text)); err == nil {
				t.Errorf("%s: got %+v", what, tx)
			}
		})
	}
	if _, err := btc.ParseTx(make([]byte, 5_000_000)); err == nil {
		t.Error("5 MB are accepted")
	}
}

// TestParseTx_BoundedMemory checks that a few bytes that claim millions of inputs are
// rejected without allocating memory for them.
func TestParseTx_BoundedMemory(t *testing.T) {
	raw := unhex(t, "01000000"+"feffffff00"+"00000000")
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 100 {
		if _, err := btc.ParseTx(raw); err == nil {
			t.Fatal("accepted")
		}
	}
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 1<<20 {
		t.Errorf("%d bytes were allocated", n)
	}
}

func wireTx(t testing.TB, raw []byte) *wire.MsgTx {
	t.Helper()
	var tx wire.MsgTx
	if err := tx.Deserialize(bytes.NewReader(raw)); err != nil {
		t.Fatal(err)
	}
	return &tx
}

// TestParseTx_SameAsCore compares ParseTx with the node's decoding of wallet transactions
// from and to all address types.
func TestParseTx_SameAsCore(t *testing.T) {
	node := testkit.Bitcoind(t)
	node.CLI(t, "createwallet", "w")
	call := func(method string, params ...any) string {
		t.Helper()
		var text string
		decode(t, node.WalletCLI(t, "w", method, params...), &text)
		return text
	}
	node.CLI(t, "generatetoaddress", 101, call("getnewaddress"))
	for range 3 {
		for _, kind := range []string{"legacy", "p2sh-segwit", "bech32", "bech32m"} {
			call("sendtoaddress", call("getnewaddress", "", kind), 1.5)
		}
		node.Mine(t, 1)
	}
	call("sendtoaddress", "bcrt1pfeesnyr2tx", 0.1)
	node.Mine(t, 1)
	count := 0
	for height := 101; height <= 105; height++ {
		var hash string
		decode(t, node.CLI(t, "getblockhash", height), &hash)
		var block struct{ Tx []json.RawMessage }
		decode(t, node.CLI(t, "getblock", hash, 2), &block)
		for _, tx := range block.Tx {
			compareTx(t, tx)
			count++
		}
	}
	if count != 18 {
		t.Errorf("%d transactions", count)
	}
}

func compareTx(t *testing.T, text json.RawMessage) {
	t.Helper()
	var want struct {
		Hex, Txid string
		VSize     int
		Vin       []struct {
			Coinbase, Txid string
			Vout           uint32
			Sequence       uint32
		}
		Vout []struct {
			Value        btc.JSONBTC
			ScriptPubKey struct{ Hex, Address string }
		}
	}
	decode(t, text, &want)
	got, err := btc.ParseTx(unhex(t, want.Hex))
	if err != nil {
		t.Fatal(err)
	}
	if got.Txid != want.Txid || got.VSize != want.VSize || len(got.Inputs) != len(want.Vin) || len(got.Outputs) != len(want.Vout) || got.Coinbase != (want.Vin[0].Coinbase != "") {
		t.Fatalf("got %+v, want %s", got, text)
	}
	for i, in := range want.Vin {
		if in.Coinbase == "" && got.Inputs[i].Outpoint.String() != fmt.Sprintf("%s:%d", in.Txid, in.Vout) || got.Inputs[i].Sequence != in.Sequence {
			t.Errorf("got %+v, want %+v", got.Inputs[i], in)
		}
	}
	for i, out := range want.Vout {
		script := got.Outputs[i].Script
		if got.Outputs[i].Amount != btc.Amount(out.Value) || hex.EncodeToString(script) != out.ScriptPubKey.Hex || btc.AddressOf(script, btc.Regtest) != out.ScriptPubKey.Address {
			t.Errorf("got %+v, want %+v", got.Outputs[i], out)
		}
	}
}
