package btc_test

import (
	"bytes"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/btcsuite/btcd/wire"
	"github.com/google/go-cmp/cmp"

	"github.com/specterd/specterd/internal/btc"
)

func FuzzParseKey(f *testing.F) {
	for _, seed := range []string{xpub, "[d34db33f/84h/0'/0]" + xpub, xprv, wif, words, "[d34db33f]" + master, "[/]", "zpub6rFR7y4Q2AijBEqTUquhVz398htDFrtymD9xYYfG1m4wAcvPhXNfE3EfH1r1ADqtfSdVCToUG868RvUUkgDKf31mGDtKsAYz2oz2AGutZYs"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		key, err := btc.ParseKey(text, btc.Main)
		if err != nil {
			wantFault(t, err, faultOf(t, err).Code, "", text)
			return
		}
		again, err := btc.ParseKey("["+key.Fingerprint+strings.TrimPrefix(key.Derivation, "m")+"]"+key.Original, btc.Main)
		if diff := cmp.Diff(key, again); err != nil || diff != "" {
			t.Fatalf("%q: %v %s", text, err, diff)
		}
	})
}

func FuzzParseDescriptor(f *testing.F) {
	for _, seed := range []string{
		"wpkh([d34db33f/84h/0'/0]" + xpub + "/<0;1>/*)", "tr(" + xpub + "/5/*)#00000000", "sh(wpkh(" + master + "/*))", "sh(wsh(sortedmulti(2," + xpub + "/0/*,[d34db33f/1]" + xpub2 + "/1/*)))",
		"wsh(multi(1," + xpub + "/<1;2>/3/*))", "raw(deadbeef)#89f8spxm", "wpkh(" + xprv + "/0/*)", "wsh(and_v(v:pk(" + xpub + "),older(1)))",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := btc.ParseDescriptor(text, btc.Main)
		if err != nil {
			wantFault(t, err, faultOf(t, err).Code, "", text)
			return
		}
		again, err := btc.ParseDescriptor(d.String(), btc.Main)
		if err != nil || again.String() != d.String() || again.SignaturesRequired() != d.SignaturesRequired() || again.Script() != d.Script() {
			t.Fatalf("%q is formatted as %s and parsed as %s, %v", text, d, again, err)
		}
		receive, change := d.Split()
		if _, err := receive.Address(0); err != nil {
			t.Fatalf("%q has no address: %v", text, err)
		}
		policy, err := btc.FromDescriptors(receive.String(), change.String(), btc.Main)
		if (err == nil) != d.IsMultipath() || err == nil && (policy.Receive.String() != receive.String() || policy.Change.String() != change.String()) {
			t.Fatalf("%q: %v", text, err)
		}
	})
}

func FuzzParseOutpoint(f *testing.F) {
	f.Add(txid + ":0")
	f.Add(txid + ":4294967295")
	f.Fuzz(func(t *testing.T, text string) {
		if o, err := btc.ParseOutpoint(text); err == nil && o.String() != text {
			t.Fatalf("%q is parsed as %s", text, o)
		}
	})
}

func FuzzParseAddress(f *testing.F) {
	for _, seed := range []string{"bcrt1pfeesnyr2tx", "BC1SW50QGDZ25J", "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2", "2MzQwSSnBHWHqSAqtTVQ6v47XtaisrJa1Vc", "tb1qqqqqp399et2xygdj5xreqhjjvcmzhxw4aywxecjdzew6hylgvsesrxh6hy"} {
		f.Add(seed, []byte{0x51, 2, 0x4e, 0x73})
	}
	f.Fuzz(func(t *testing.T, text string, script []byte) {
		for _, network := range []btc.Network{btc.Main, btc.Testnet4, btc.Regtest} {
			if address := btc.AddressOf(script, network); address != "" {
				if back, err := btc.ScriptOf(address, network); err != nil || !bytes.Equal(back, script) {
					t.Fatalf("%x has the address %s, which stands for %x, %v", script, address, back, err)
				}
			}
			address, err := btc.ParseAddress(text, network)
			if err != nil {
				wantFault(t, err, faultOf(t, err).Code, "address", text)
				continue
			}
			if !strings.EqualFold(address, strings.TrimSpace(text)) {
				t.Fatalf("%q becomes %s", text, address)
			}
			if again, err := btc.ParseAddress(address, network); err != nil || again != address {
				t.Fatalf("%s becomes %s, %v", address, again, err)
			}
		}
	})
}

// FuzzParseTx compares ParseTx with btcd's decoder.
func FuzzParseTx(f *testing.F) {
	f.Add(unhex(f, segwitTx))
	f.Add(unhex(f, genesisTx))
	f.Fuzz(func(t *testing.T, raw []byte) {
		got, err := btc.ParseTx(raw)
		if err != nil {
			return
		}
		var want wire.MsgTx
		if err := want.Deserialize(bytes.NewReader(raw)); err != nil {
			t.Fatal(err)
		}
		vsize := (3*want.SerializeSizeStripped() + want.SerializeSize() + 3) / 4
		if got.Txid != want.TxHash().String() || got.VSize != vsize || len(got.Inputs) != len(want.TxIn) || len(got.Outputs) != len(want.TxOut) {
			t.Fatalf("got %+v, want %+v", got, want)
		}
		for i, in := range want.TxIn {
			if got.Inputs[i].Outpoint.String() != in.PreviousOutPoint.String() || got.Inputs[i].Sequence != in.Sequence {
				t.Fatalf("got %+v, want %+v", got.Inputs[i], in)
			}
		}
		for i, out := range want.TxOut {
			if int64(got.Outputs[i].Amount) != out.Value || !bytes.Equal(got.Outputs[i].Script, out.PkScript) {
				t.Fatalf("got %+v, want %+v", got.Outputs[i], out)
			}
		}
	})
}

func FuzzParseLabel(f *testing.F) {
	for _, line := range strings.Split(labelVectors, "\n") {
		f.Add([]byte(line))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		label, err := btc.ParseLabel(line)
		if err != nil {
			wantFault(t, err, faultOf(t, err).Code, "", string(line))
			return
		}
		text, err := label.Append(nil)
		if err != nil || bytes.Count(text, []byte("\n")) != 1 {
			t.Fatalf("%q is written as %q, %v", line, text, err)
		}
		again, err := btc.ParseLabel(text)
		if diff := cmp.Diff(label, again); err != nil || diff != "" {
			t.Fatalf("%q: %v %s", line, err, diff)
		}
	})
}

func FuzzAlias(f *testing.F) {
	f.Add("Vault 2/3 - Fam")
	f.Fuzz(func(t *testing.T, name string) {
		alias := btc.Alias(name)
		if utf8.RuneCountInString(alias) > 64 {
			t.Fatalf("%q becomes %q", name, alias)
		}
		for _, r := range alias {
			if r != '_' && !unicode.IsLetter(r) && !unicode.IsNumber(r) || unicode.ToLower(r) != r {
				t.Fatalf("%q becomes %q", name, alias)
			}
		}
	})
}
