package btc_test

import (
	"strings"
	"testing"

	"github.com/specterd/specterd/internal/btc"
)

const txid = "f91d0a8a78462bc59398f2c5d7a84fcff491c26ba54c4833478b202796c8aafd"

func TestParseOutpoint(t *testing.T) {
	for text, want := range map[string]btc.Outpoint{
		txid + ":0":          {Txid: txid},
		txid + ":4294967295": {Txid: txid, Vout: 4294967295},
	} {
		if got, err := btc.ParseOutpoint(text); err != nil || got != want || got.String() != text {
			t.Errorf("%s: got %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{
		"", ":", txid, txid + ":", ":0", txid + ":-1", txid + ":+1", txid + ":01", txid + ":4294967296", txid + ":0:0", txid + ": 0", " " + txid + ":0", txid + ":0x1", txid + ":1_0",
		strings.ToUpper(txid) + ":0", txid[1:] + ":0", "g" + txid[1:] + ":0", txid + "00:0", strings.Repeat("0", 100_000),
	} {
		_, err := btc.ParseOutpoint(text)
		wantFault(t, err, "invalid_outpoint", "outpoint", text)
	}
}
