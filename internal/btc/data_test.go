package btc_test

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/specterd/specterd/internal/btc"
)

func TestData(t *testing.T) {
	for _, c := range []struct {
		length int
		header string
	}{{1, "6a01"}, {75, "6a4b"}, {76, "6a4c4c"}, {80, "6a4c50"}, {255, "6a4cff"}, {256, "6a4d0001"}, {btc.MaxData, "6a4dffff"}} {
		t.Run(c.header, func(t *testing.T) {
			data := bytes.Repeat([]byte{0xab}, c.length)
			script := btc.DataScript(data)
			if got := hex.EncodeToString(script); got != c.header+strings.Repeat("ab", c.length) {
				t.Errorf("%d bytes: %.20s", c.length, got)
			}
			if got := btc.DataOf(script); !bytes.Equal(got, data) {
				t.Errorf("%d bytes: got %d", c.length, len(got))
			}
			if address := btc.AddressOf(script, btc.Regtest); address != "" {
				t.Errorf("%d bytes: the address is %s", c.length, address)
			}
		})
	}
	for _, script := range []string{"", "6a", "6a00", "6a51", "6a02ab", "6a01abab", "6a4c01ab", "6a4d0100ab", "6a4c", "6a4d01", "0001ab", "6a01ab01ab"} {
		raw, err := hex.DecodeString(script)
		if got := btc.DataOf(raw); err != nil || got != nil {
			t.Errorf("%s: %x, %v", script, got, err)
		}
	}
}

func FuzzDataOf(f *testing.F) {
	f.Add([]byte{0x6a, 1, 0xab})
	f.Add(append([]byte{0x6a, 0x4c, 80}, make([]byte, 80)...))
	f.Fuzz(func(t *testing.T, script []byte) {
		if data := btc.DataOf(script); data != nil && !bytes.Equal(btc.DataScript(data), script) {
			t.Fatalf("%x has the data %x", script, data)
		}
	})
}
