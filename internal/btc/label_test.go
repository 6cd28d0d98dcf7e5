package btc_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/specterd/specterd/internal/btc"
)

// labelVectors are the test vectors of BIP-329.
const labelVectors = `{ "type": "tx", "ref": "f91d0a8a78462bc59398f2c5d7a84fcff491c26ba54c4833478b202796c8aafd", "label": "Transaction", "origin": "wpkh([d34db33f/84'/0'/0'])" }
{ "type": "addr", "ref": "bc1q34aq5drpuwy3wgl9lhup9892qp6svr8ldzyy7c", "label": "Address" }
{ "type": "pubkey", "ref": "0283409659355b6d1cc3c32decd5d561abaac86c37a353b52895a5e6c196d6f448", "label": "Public Key" }
{ "type": "input", "ref": "f91d0a8a78462bc59398f2c5d7a84fcff491c26ba54c4833478b202796c8aafd:0", "label": "Input" }
{ "type": "output", "ref": "f91d0a8a78462bc59398f2c5d7a84fcff491c26ba54c4833478b202796c8aafd:1", "label": "Output", "spendable": false }
{ "type": "xpub", "ref": "xpub661MyMwAqRbcFtXgS5sYJABqqG9YLmC4Q1Rdap9gSE8NqtwybGhePY2gZ29ESFjqJoCu1Rupje8YtGqsefD265TMg7usUDFdp6W1EGMcet8", "label": "Extended Public Key" }
{ "type": "tx", "ref": "f546156d9044844e02b181026a1a407abfca62e7ea1159f87bbeaa77b4286c74", "label": "Account #1 Transaction", "origin": "wpkh([d34db33f/84'/0'/1'])" }`

func TestLabelVectors(t *testing.T) {
	no := false
	label := func(kind, ref, text, origin string, spendable *bool) btc.Label {
		return btc.Label{Type: kind, Ref: ref, Label: &text, Origin: origin, Spendable: spendable}
	}
	want := []btc.Label{
		label("tx", txid, "Transaction", "wpkh([d34db33f/84'/0'/0'])", nil),
		label("addr", "bc1q34aq5drpuwy3wgl9lhup9892qp6svr8ldzyy7c", "Address", "", nil),
		label("pubkey", "0283409659355b6d1cc3c32decd5d561abaac86c37a353b52895a5e6c196d6f448", "Public Key", "", nil),
		label("input", txid+":0", "Input", "", nil),
		label("output", txid+":1", "Output", "", &no),
		label("xpub", "xpub661MyMwAqRbcFtXgS5sYJABqqG9YLmC4Q1Rdap9gSE8NqtwybGhePY2gZ29ESFjqJoCu1Rupje8YtGqsefD265TMg7usUDFdp6W1EGMcet8", "Extended Public Key", "", nil),
		label("tx", "f546156d9044844e02b181026a1a407abfca62e7ea1159f87bbeaa77b4286c74", "Account #1 Transaction", "wpkh([d34db33f/84'/0'/1'])", nil),
	}
	var export []byte
	for i, line := range strings.Split(labelVectors, "\n") {
		got, err := btc.ParseLabel([]byte(line))
		if diff := cmp.Diff(want[i], got); err != nil || diff != "" {
			t.Error(err, diff)
		}
		if export, err = got.Append(export); err != nil {
			t.Error(err)
		}
	}
	if got := strings.NewReplacer("{ ", "{", " }", "}", `": `, `":`, `, "`, `,"`).Replace(labelVectors) + "\n"; got != string(export) {
		t.Errorf("exported as\n%s", export)
	}
}

func TestLabels(t *testing.T) {
	for line, want := range map[string]string{
		`{"type":"tx","ref":"` + txid + `"}`:                                                                                                      "",
		`{"type":"tx","ref":"` + txid + `","label":null,"origin":null,"spendable":null}`:                                                          `{"type":"tx","ref":"` + txid + `"}`,
		`{"type":"tx","ref":"` + txid + `","label":""}`:                                                                                           "",
		`{"ref":"` + txid + `","type":"tx","height":5,"rate":{"USD":1.5},"heights":[1],"x":[[[{}]]]}`:                                             `{"type":"tx","ref":"` + txid + `"}`,
		`{"type":"output","ref":"` + txid + `:4294967295","spendable":true}` + "\r\n":                                                             `{"type":"output","ref":"` + txid + `:4294967295","spendable":true}`,
		`{"type":"addr","ref":"BC1Q34AQ5DRPUWY3WGL9LHUP9892QP6SVR8LDZYY7C","label":"\u00fc<\"\ud83d\ude00"}`:                                      `{"type":"addr","ref":"bc1q34aq5drpuwy3wgl9lhup9892qp6svr8ldzyy7c","label":"ü<\"😀"}`,
		`{"type":"addr","ref":"2Mww8dCYPUpKHofjgcXcBCEGmniw9CoaiD2"}`:                                                                             "",
		`{"type":"tx","ref":"` + txid + `","label":"` + strings.Repeat("ü", 255) + `"}`:                                                           "",
		`{"type":"xpub","ref":"zpub6rFR7y4Q2AijBEqTUquhVz398htDFrtymD9xYYfG1m4wAcvPhXNfE3EfH1r1ADqtfSdVCToUG868RvUUkgDKf31mGDtKsAYz2oz2AGutZYs"}`: `{"type":"xpub","ref":"xpub6CatWdiZiodmUeTDp8LT5or8nmbKNcuyvz7WyksVFkKB4RHwCD3XyuvPEbvqAQY3rAPshWcMLoP2fMFMKHPJ4ZeZXYVUhLv1VMrjPC7PW6V"}`,
		`{"type":"xpub","ref":"tpubDCSdidzHdMQemRVvEZVRYkDCeTqNWR9S2nAy1WnBr26cSkN1VkXJGgipFDtAiWEJeXPzb1U6GSdrGbu35odWJXst7myq85oevPo1Vtyq5nr"}`: "",
	} {
		t.Run(line, func(t *testing.T) {
			if want == "" {
				want = line
			}
			label, err := btc.ParseLabel([]byte(line))
			if err != nil {
				t.Errorf("%s: %v", line, err)
				return
			}
			if got, err := label.Append(nil); err != nil || string(got) != want+"\n" {
				t.Errorf("%s: got %s, %v", line, got, err)
			}
		})
	}
}

func TestBadLabels(t *testing.T) {
	for line, code := range map[string]string{
		``: "invalid_label", `[]`: "invalid_label", `{`: "invalid_label", `null`: "invalid_label", `{}`: "invalid_label", `{"type":"tx"}`: "invalid_label", `{"ref":"` + txid + `"}`: "invalid_label", `{"type":"tx","ref":""}`: "invalid_label",
		`{"type":"tx","type":"tx","ref":"` + txid + `"}`: "invalid_label", `{"type":"tx","ref":"` + txid + `","x":1,"x":2}`: "invalid_label", `{"type":"tx","ref":"` + txid + `"}{}`: "invalid_label",
		`{"type":"tx","ref":"` + txid + `","Label":"x"}`: "invalid_label", `{"Type":"tx","ref":"` + txid + `"}`: "invalid_label", `{"type":"tx","ref":"` + txid + "\",\"label\":\"\xff\"}": "invalid_label",
		`{"type":"tx","ref":"` + txid + `","label":5}`: "invalid_label", `{"type":"tx","ref":"` + txid + `","label":"` + strings.Repeat("ü", 256) + `"}`: "invalid_label",
		`{"type":"tx","ref":"` + txid + `","spendable":true}`: "invalid_label", `{"type":"output","ref":"` + txid + `:0","spendable":"true"}`: "invalid_label",
		`{"type":"tx","ref":"` + strings.ToUpper(txid) + `"}`: "invalid_label", `{"type":"tx","ref":"` + txid + `:0"}`: "invalid_label", `{"type":"output","ref":"` + txid + `"}`: "invalid_label", `{"type":"input","ref":"` + txid + `:-1"}`: "invalid_label",
		`{"type":"pubkey","ref":"02"}`: "invalid_label", `{"type":"pubkey","ref":"` + xpub + `"}`: "invalid_label", `{"type":"addr","ref":"x"}`: "invalid_label", `{"type":"addr","ref":" bc1q34aq5drpuwy3wgl9lhup9892qp6svr8ldzyy7c"}`: "invalid_label",
		`{"type":"xpub","ref":"[d34db33f]` + xpub + `"}`: "invalid_label", `{"type":"xpub","ref":"x"}`: "invalid_label", `{"type":"tx","ref":"` + txid + `","origin":"ü"}`: "invalid_label",
		`{"type":"tx","ref":"` + txid + `","x":"` + strings.Repeat("x", 1<<16) + `"}`: "invalid_label",
		`{"type":"xprv","ref":"x"}`: "unknown_label_type", `{"type":"TX","ref":"` + txid + `"}`: "unknown_label_type",
		`{"type":"xpub","ref":"` + xprv + `"}`: "private_key", `{"type":"pubkey","ref":"` + wif + `"}`: "private_key", `{"type":"tx","ref":"` + txid + `","origin":"wpkh(` + xprv + `)"}`: "private_key",
	} {
		_, err := btc.ParseLabel([]byte(line))
		wantFault(t, err, code, "", line)
	}
	bad := "\xff"
	if _, err := (btc.Label{Type: "tx", Ref: txid, Label: &bad}).Append(nil); err == nil {
		t.Error("a label that is not UTF-8 is exported")
	}
}
