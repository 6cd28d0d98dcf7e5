package btc_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/specterd/specterd/internal/btc"
)

// exports are JSON documents that users may paste as a descriptor, by the name of
// the field that contains the descriptor.
var exports = map[string]string{
	"descriptor": `{
    "label": "cold vault of the firm",
    "blockheight": 1,
    "descriptor": "wsh(sortedmulti(2,[d34db33f/48h/0h/0h/2h]` + xpub + `/0/*,` + xpub2 + `/0/*))",
    "devices": [
        {"type": "other", "label": "first"}, {"type": "other", "label": "second"}, {"type": "coldcard", "label": "third"},
        {"type": "other", "label": "spare"}, {"type": "other", "label": "vault"}
    ]
}`,
	"desc":            `[{"desc": "wpkh(` + xpub + `/0/*)", "active": true, "internal": false, "range": [0, 999], "timestamp": "now"}, {"desc": "wpkh(` + xpub + `/1/*)", "active": true, "internal": true, "timestamp": "now", "label": "spare", "watch": true}]`,
	"recv_descriptor": `{"name": "vault", "alias": "vault", "address": "", "keypool": 0, "recv_descriptor": "wpkh(` + xpub + `/0/*)", "keys": [], "devices": ["one", "spare", "third", "vault", "alice", "carol", "david", "erin", "frank", "grace", "heidi", "ivan"], "blockheight": 0}`,
}

// TestPastedExports checks that JSON pasted as a descriptor is not reported as a
// private key, and that the message names the field whose value is the descriptor.
func TestPastedExports(t *testing.T) {
	for field, pasted := range exports {
		t.Run(field, func(t *testing.T) {
			_, err := btc.ParseDescriptor(pasted, btc.Main)
			if !errors.Is(err, btc.ErrDescriptor) || !strings.HasSuffix(err.Error(), "give the value of its field "+field) {
				t.Errorf("%s: %v", field, err)
			}
		})
	}
	_, err := btc.ParseDescriptor(`{"label": "vault", "type": "other"}`, btc.Main)
	if !errors.Is(err, btc.ErrDescriptor) {
		t.Error(err)
	}
}

// TestSecretsInText checks that secrets are found in any text, including JSON.
func TestSecretsInText(t *testing.T) {
	spaced := func(sep string) string { return strings.Join(strings.Fields(words), sep) }
	for _, text := range []string{
		words, "wpkh(" + words + ")", spaced("\n"), spaced("\t"), spaced("  "), spaced(", "), "my " + words, `{"descriptor": "` + words + `"}`,
		"1. " + strings.Join(strings.Fields(words), " 2. "), words + " xpub", "DESCRIPTOR: " + words,
		strings.ToUpper(words), strings.Repeat("0000", 11) + "0003", "6PRVWUbkzzsbcVac2qwfssoUJAN1Xhrg6bNk8J7Nzm5H7kxEbn2Nh2ZoGg", // the last one is of BIP-38
		"ms10testsxxxxxxxxxxxxxxxxxxxxxxxxxx4nzvca9cmczlw", // of BIP-93
		xprv, `{"descriptor": "wpkh(` + xprv + `/0/*)"}`, `{"label": "x", "key": "` + wif + `"}`, "wpkh(" + wif + ")",
	} {
		if _, err := btc.ParseDescriptor(text, btc.Main); !errors.Is(err, btc.ErrPrivateKey) {
			t.Errorf("%q: %v", text, err)
		}
	}
}
