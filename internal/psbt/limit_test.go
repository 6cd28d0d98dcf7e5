package psbt_test

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"testing"

	"github.com/specterd/specterd/internal/psbt"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// TestSizeLimit checks that a PSBT of MaxSize is accepted in every format, that none of
// the formats exceeds MaxTextSize, and that a PSBT that is one byte larger is rejected in
// every format.
func TestSizeLimit(t *testing.T) {
	p := newWallet(t, "wpkh").pay(t)
	padded := func(size int) []byte {
		raw := p.signed(0)
		key := []byte("\xfcpadding")
		set(&raw.global, key, make([]byte, 70_000)) // reserves the final number of bytes for the encoded length
		set(&raw.global, key, make([]byte, 70_000+size-len(raw.bytes())))
		return raw.bytes()
	}
	for size, want := range map[int]error{psbt.MaxSize: nil, psbt.MaxSize + 1: psbt.ErrTooLarge} {
		binary := padded(size)
		if len(binary) != size {
			t.Fatalf("%d bytes, want %d", len(binary), size)
		}
		inBase64, inHex := base64.StdEncoding.EncodeToString(binary), hex.EncodeToString(binary)
		for name, text := range map[string]string{
			"binary": string(binary), "base64": inBase64, "base64 in lines": lines(inBase64), "hexadecimal": inHex, "hexadecimal in lines": lines(inHex),
		} {
			t.Run(name, func(t *testing.T) {
				if _, err := psbt.Decode([]byte(text)); !errors.Is(err, want) {
					t.Errorf("%s of %d bytes: %v, want %v", name, size, err, want)
				}
				if name == "binary" || want != nil {
					return
				}
				if body := testkit.Value(json.Marshal(map[string]string{"psbt": text}))(t); len(body) > psbt.MaxTextSize {
					t.Errorf("%s in JSON has %d bytes, the limit is %d", name, len(body), psbt.MaxTextSize)
				}
			})
		}
	}
}

// TestSize_Signed checks that signing does not make the PSBT of any wallet type larger
// than predicted.
func TestSize_Signed(t *testing.T) {
	for _, f := range forms {
		name := f.name
		p := newWallet(t, name).pay(t)
		stored := p.stored()
		most := stored.SizeWhenSigned(p.inputs)
		var all []int
		for key := range p.inputs[0].Solution.Keys {
			all = append(all, key)
		}
		signatures, err := p.collect(stored, p.signed(all...).bytes())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if size := len(stored.WithSignatures(p.inputs, signatures).Bytes()); size > most || size < most-3*len(signatures) {
			t.Errorf("%s: %d bytes with %d signatures, want at most %d", name, size, len(signatures), most)
		}
	}
}
