package btc_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/btcutil/hdkeychain"
	"github.com/google/go-cmp/cmp"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
)

// Keys of BIP-32's test vectors 2 and 3 (xpub2), the compressed WIF key of BIP-380's test
// vectors, and a BIP-39 mnemonic.
const (
	xpub   = "xpub6ERApfZwUNrhLCkDtcHTcxd75RbzS1ed54G1LkBUHQVHQKqhMkhgbmJbZRkrgZw4koxb5JaHWkY4ALHY2grBGRjaDMzQLcgJvLJuZZvRcEL"
	xpub2  = "xpub68NZiKmJWnxxS6aaHmn81bvJeTESw724CRDs6HbuccFQN9Ku14VQrADWgqbhhTHBaohPX4CjNLf9fq9MYo6oDaPPLPxSb7gwQN3ih19Zm4Y"
	master = "xpub661MyMwAqRbcFW31YEwpkMuc5THy2PSt5bDMsktWQcFF8syAmRUapSCGu8ED9W6oDMSgv6Zz8idoc4a6mr8BDzTJY47LJhkJ8UB7WEGuduB"
	xprv   = "xprvA1RpRA33e1JQ7ifknakTFpgNXPmW2YvmhqLQYMmrj4xJXXWYpDPS3xz7iAxn8L39njGVyuoseXzU6rcxFLJ8HFsTjSyQbLYnMpCqE2VbFWc"
	wif    = "L4rK1yDtCWekvXuE6oXD9jCYfFNV2cWRpVuPLBcCU2z8TrisoyY1"
	words  = "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about"
)

// wantFault checks the code and the field of a fault, and that the fault does not repeat
// the input.
func wantFault(t testing.TB, err error, code, field, input string) {
	t.Helper()
	f, ok := errors.AsType[*fault.Error](err)
	if !ok || f.Kind != fault.Invalid || f.Code != code {
		t.Errorf("%q: got %v, want %s", input, err, code)
		return
	}
	if field != "" && (len(f.Fields) != 1 || f.Fields[0].Name != field || f.Message != field+": "+f.Fields[0].Message) {
		t.Errorf("%q: got %q about %v, want it about %s", input, f.Message, f.Fields, field)
	}
	wantNoEcho(t, err, input)
}

func wantNoEcho(t testing.TB, err error, input string) {
	t.Helper()
	for _, word := range strings.FieldsFunc(input, func(r rune) bool { return strings.ContainsRune(" ()[]/,#:\"", r) }) {
		if len(word) >= 16 && strings.Contains(err.Error(), word) {
			t.Errorf("%v repeats the input", err)
		}
	}
}

func TestParseKey(t *testing.T) {
	for text, want := range map[string]btc.Key{
		"[D34DB33F/84'/0h/0']" + xpub: {Fingerprint: "d34db33f", Derivation: "m/84h/0h/0h", Type: btc.WPKH, Purpose: "Single (Segwit)"},
		" [d34db33f]" + xpub + "\n":   {Fingerprint: "d34db33f", Derivation: "m", Purpose: "General"},
		xpub:                          {Fingerprint: "31a507b8", Derivation: "m", Purpose: "General"},
		"[d34db33f/49h]" + xpub:       {Fingerprint: "d34db33f", Derivation: "m/49h", Type: btc.ShWPKH, Purpose: "Single (Nested)"},
		"[d34db33f/86h/1/2]" + xpub:   {Fingerprint: "d34db33f", Derivation: "m/86h/1/2", Type: btc.TR, Purpose: "Taproot"},
		"[d34db33f/86/1/2]" + xpub:    {Fingerprint: "d34db33f", Derivation: "m/86/1/2", Purpose: "General"},
		"[d34db33f/48h/0h/0h/1h]" + xpub: {
			Fingerprint: "d34db33f", Derivation: "m/48h/0h/0h/1h", Type: btc.ShWSh, Purpose: "Multisig (Nested)",
		},
		"[d34db33f/48h/0h/0h]" + xpub: {Fingerprint: "d34db33f", Derivation: "m/48h/0h/0h", Purpose: "General"},
		"[d34db33f/2147483647h/00000]" + xpub: {
			Fingerprint: "d34db33f", Derivation: "m/2147483647h/0", Purpose: "General",
		},
	} {
		t.Run(text, func(t *testing.T) {
			want.Original, want.XPub = xpub, xpub
			got, err := btc.ParseKey(text, btc.Main)
			if diff := cmp.Diff(want, got); err != nil || diff != "" {
				t.Errorf("%s: %v %s", text, err, diff)
			}
		})
	}
}

// TestPrefixes covers every prefix of SLIP-132, for each network.
func TestPrefixes(t *testing.T) {
	key, err := hdkeychain.NewKeyFromString(xpub)
	if err != nil {
		t.Fatal(err)
	}
	for prefix, of := range map[string]struct {
		version []byte
		want    btc.Script
	}{
		"xpub": {[]byte{0x04, 0x88, 0xb2, 0x1e}, ""},
		"ypub": {[]byte{0x04, 0x9d, 0x7c, 0xb2}, btc.ShWPKH},
		"zpub": {[]byte{0x04, 0xb2, 0x47, 0x46}, btc.WPKH},
		"Ypub": {[]byte{0x02, 0x95, 0xb4, 0x3f}, btc.ShWSh},
		"Zpub": {[]byte{0x02, 0xaa, 0x7e, 0xd3}, btc.WSh},
		"tpub": {[]byte{0x04, 0x35, 0x87, 0xcf}, ""},
		"upub": {[]byte{0x04, 0x4a, 0x52, 0x62}, btc.ShWPKH},
		"vpub": {[]byte{0x04, 0x5f, 0x1c, 0xf6}, btc.WPKH},
		"Upub": {[]byte{0x02, 0x42, 0x89, 0xef}, btc.ShWSh},
		"Vpub": {[]byte{0x02, 0x57, 0x54, 0x83}, btc.WSh},
	} {
		t.Run(prefix, func(t *testing.T) {
			same, err := key.CloneWithVersion(of.version)
			if err != nil || !strings.HasPrefix(same.String(), prefix) {
				t.Fatal(same, err)
			}
			canonical, own, other := xpub, btc.Main, btc.Signet
			if strings.ContainsAny(prefix[:1], "tuvUV") {
				tpub, err := key.CloneWithVersion([]byte{0x04, 0x35, 0x87, 0xcf})
				if err != nil {
					t.Fatal(err)
				}
				canonical, own, other = tpub.String(), btc.Testnet4, btc.Main
			}
			got, err := btc.ParseKey("[d34db33f/44h]"+same.String(), own)
			if err != nil || got.Type != of.want || got.XPub != canonical || got.Original != same.String() {
				t.Errorf("%s: got %+v, %v", prefix, got, err)
			}
			_, err = btc.ParseKey(same.String(), other)
			wantFault(t, err, "wrong_network", "key", same.String())

			for script, fits := range map[btc.Script]bool{
				btc.PKH: of.want == "", btc.TR: of.want == "", btc.Sh: of.want == "",
				btc.WPKH: of.want == "" || of.want == btc.WPKH, btc.ShWPKH: of.want == "" || of.want == btc.ShWPKH,
				btc.WSh: of.want == "" || of.want == btc.WSh, btc.ShWSh: of.want == "" || of.want == btc.ShWSh,
			} {
				t.Run(fmt.Sprint(script), func(t *testing.T) {
					policy, err := btc.FromKeys([]string{same.String()}, 1, string(script), own)
					if fits && (err != nil || policy.Keys[0].XPub != canonical) {
						t.Errorf("%s for %s: %v", prefix, script, err)
					}
					if !fits {
						wantFault(t, err, "script_type_mismatch", "keys", same.String())
					}
				})
			}
		})
	}
}

// TestBadKeys covers, among others, the invalid keys of BIP-32's test vector 5.
func TestBadKeys(t *testing.T) {
	for _, text := range []string{
		"", "[", "[d34db33f/0h", "[d34db33f]", "xpub", xpub[1:], xpub + "1", strings.Replace(xpub, "R", "S", 1), xpub + xpub, "[" + xpub, "d34db33f]" + xpub,
		"[d34db33f][d34db33f]" + xpub, "[]" + xpub, "[d34db3f]" + xpub, "[d34db33ff]" + xpub, "[d34db33g]" + xpub, "[d34db33f/]" + xpub, "[d34db33f//1]" + xpub,
		"[d34db33f/0H]" + xpub, "[d34db33f/0h']" + xpub, "[d34db33f/0hh]" + xpub, "[d34db33f/h]" + xpub, "[d34db33f/-1]" + xpub, "[d34db33f/+1]" + xpub,
		"[d34db33f/2147483648]" + xpub, "[d34db33f/*]" + xpub, "[d34db33f/<0;1>]" + xpub, "[d34db33f/1_0]" + xpub, "[d34db33f/0x1]" + xpub, "[d34db33f/٣]" + xpub,
		xpub + "/0", xpub + "/*", xpub + "/", strings.Repeat("1", 5000), "[d34db33f" + strings.Repeat("/1", 1000) + "]" + xpub,
		"02c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee5", "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", "\x00" + xpub, "ü",
		"xpub661MyMwAqRbcEYS8w7XLSVeEsBXy79zSzH1J8vCdxAZningWLdN3zgtU6Txnt3siSujt9RCVYsx4qHZGc62TG4McvMGcAUjeuwZdduYEvFn",
		"xpub661MyMwAqRbcEYS8w7XLSVeEsBXy79zSzH1J8vCdxAZningWLdN3zgtU6N8ZMMXctdiCjxTNq964yKkwrkBJJwpzZS4HS2fxvyYUA4q2Xe4",
		"xpub661no6RGEX3uJkY4bNnPcw4URcQTrSibUZ4NqJEw5eBkv7ovTwgiT91XX27VbEXGENhYRCf7hyEbWrR3FewATdCEebj6znwMfQkhRYHRLpJ",
		"xpub661MyMwAuDcm6CRQ5N4qiHKrJ39Xe1R1NyfouMKTTWcguwVcfrZJaNvhpebzGerh7gucBvzEQWRugZDuDXjNDRmXzSZe4c7mnTK97pTvGS8",
		"xpub661MyMwAqRbcEYS8w7XLSVeEsBXy79zSzH1J8vCdxAZningWLdN3zgtU6Q5JXayek4PRsn35jii4veMimro1xefsM58PgBMrvdYre8QyULY",
	} {
		_, err := btc.ParseKey(text, btc.Main)
		wantFault(t, err, "invalid_key", "key", text)
	}
}

func TestParseKey_PrivateKeys(t *testing.T) {
	damaged := xprv[:60] + "1" + xprv[61:]
	for _, secret := range []string{
		xprv, wif, words, damaged, xprv[:len(xprv)-3], wif[:len(wif)-1] + "2", "5KYZdUEo39z3FPrtuX2QbbwGnNP5zTd7yyr2SC1j299sBCnWjss", "cULrpoZGXiuC19Uhvykx7NugygA3k86b3hmdCeyvHYQZSxojGyXJ",
		"zprvAdG4iTXWBoARxkkzNpNh8r6Qag3irQB8PzEMkAFeTRXxHpbF9z4QgEvBRmfvqWvGp42t42nvgGpNgYSJA9iefm1yYNZKEm7z6qUWCroSQnE",
		"uprv91G7gZkzehuMVxDJTYE6tLivdF8e4rvzSu1LFfKw3b2Qx1Aj8vpoFnHdfUZ3hmi9jsvPifmZ24RTN2KhwB8BfMLTVqaBReibyaFFcTP1s9n",
		// From BIP-32's test vector 5: private keys with a public or an unknown version,
		// and public keys with a private version.
		"xpub661MyMwAqRbcEYS8w7XLSVeEsBXy79zSzH1J8vCdxAZningWLdN3zgtU6LBpB85b3D2yc8sfvZU521AAwdZafEz7mnzBBsz4wKY5fTtTQBm",
		"DMwo58pR1QLEFihHiXPVykYB6fJmsTeHvyTp7hRThAtCX8CvYzgPcn8XnmdfHGMQzT7ayAmfo4z3gY5KfbrZWZ6St24UVf2Qgo6oujFktLHdHY4",
		"xprv9s21ZrQH143K24Mfq5zL5MhWK9hUhhGbd45hLXo2Pq2oqzMMo63oStZzFGTQQD3dC4H2D5GBj7vWvSQaaBv5cxi9gafk7NF3pnBju6dwKvH",
	} {
		for _, text := range []string{secret, "[d34db33f/84h]" + secret, secret + "/0/*", "my key: " + secret} {
			_, err := btc.ParseKey(text, btc.Main)
			wantFault(t, err, "private_key", "key", text)
		}
		for _, text := range []string{"wpkh(" + secret + "/<0;1>/*)", "wsh(sortedmulti(1," + xpub + "/0/*,[d34db33f]" + secret + "/0/*))", "wpkh(" + secret, "raw(" + secret + ")#abcdefgh"} {
			_, err := btc.ParseDescriptor(text, btc.Main)
			wantFault(t, err, "private_key", "descriptor", text)
			_, err = btc.FromDescriptors("wpkh("+xpub+"/0/*)", text, btc.Main)
			wantFault(t, err, "private_key", "change_descriptor", text)
		}
		_, err := btc.FromKeys([]string{xpub, secret}, 1, "wsh", btc.Main)
		wantFault(t, err, "private_key", "keys", secret)
		if !strings.Contains(err.Error(), "key 2 ") || !strings.Contains(err.Error(), "PRIVATE KEY") {
			t.Error(err)
		}
	}
}
