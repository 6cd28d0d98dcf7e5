package btc

import (
	"encoding/hex"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
)

// TestMultisig covers the vectors of BIP-67 whose keys are on the curve.
func TestMultisig(t *testing.T) {
	for want, texts := range map[string][]string{
		"39bgKC7RFbpoCRbtD5KEdkYKtNyhpsNa3Z": {
			"02ff12471208c14bd580709cb2358d98975247d8765f92bc25eab3b2763ed605f8",
			"02fe6f0a5a297eb38c391581c4413e084773ea23954d93f7753db7dc0adc188b2f",
		},
		"3CKHTjBKxCARLzwABMu9yD85kvtm7WnMfH": {
			"02632b12f4ac5b1d1b72b2a3b508c19172de44f6f46bcee50ba33f3f9291e47ed0",
			"027735a29bae7780a9755fae7a1c4374c656ac6a69ea9f3697fda61bb99a4f3e77",
			"02e2cc6bd5f45edd43bebe7cb9b675f0ce9ed3efe613b177588290ad188d11b404",
		},
		"3Q4sF6tv9wsdqu2NtARzNCpQgwifm2rAba": {
			"022df8750480ad5b26950b25c7ba79d3e37d75f640f8e5d9bcd5b150a0f85014da",
			"03e3818b65bcc73a7d64064106a859cc1a5a728c4345ff0b641209fba0d90de6e9",
			"021f2f6e1e50cb6a953935c3601284925decd3fd21bc445712576873fb8c6ebc18",
		},
	} {
		t.Run(want, func(t *testing.T) {
			var keys []*btcec.PublicKey
			for _, text := range texts {
				raw, err := hex.DecodeString(text)
				if err != nil {
					t.Fatal(err)
				}
				key, err := btcec.ParsePubKey(raw)
				if err != nil {
					t.Fatal(err)
				}
				keys = append(keys, key)
			}
			d := Descriptor{form: newForm(Sh), network: Main, required: 2}
			if got := AddressOf(d.scriptFor(keys), Main); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
}
