package btc_test

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/specterd/specterd/internal/btc"
)

// TestAddresses covers the valid vectors of BIP-350, and base58 addresses.
func TestAddresses(t *testing.T) {
	for address, script := range map[string]string{
		"BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4":                                 "0014751e76e8199196d454941c45d1b3a323f1433bd6",
		"tb1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3q0sl5k7":             "00201863143c14c5166804bd19203356da136c985678cd4d27a1b8c6329604903262",
		"bc1pw508d6qejxtdg4y5r3zarvary0c5xw7kw508d6qejxtdg4y5r3zarvary0c5xw7kt5nd6y": "5128751e76e8199196d454941c45d1b3a323f1433bd6751e76e8199196d454941c45d1b3a323f1433bd6",
		"BC1SW50QGDZ25J":                       "6002751e",
		"bc1zw508d6qejxtdg4y5r3zarvaryvaxxpcs": "5210751e76e8199196d454941c45d1b3a323",
		"tb1qqqqqp399et2xygdj5xreqhjjvcmzhxw4aywxecjdzew6hylgvsesrxh6hy": "0020000000c4a5cad46221b2a187905e5266362b99d5e91c6ce24d165dab93e86433",
		"tb1pqqqqp399et2xygdj5xreqhjjvcmzhxw4aywxecjdzew6hylgvsesf3hn0c": "5120000000c4a5cad46221b2a187905e5266362b99d5e91c6ce24d165dab93e86433",
		"bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0": "512079be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798",
		"bcrt1pfeesnyr2tx":                     "51024e73", // P2A
		"1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2\n": "76a91477bff20c60e522dfaa3350c39b030a5d004e839a88ac",
		"3P14159f73E4gFr7JterCCQh9QjiTjiZrG":   "a914e9c3dd0c07aac76179ebc76a6c78d4d67c6c160a87",
		"mipcBbFg9gMiCh81Kj8tqqdgoZub1ZJRfn":   "76a914243f1394f44554f4ce3fd68649c19adc483ce92488ac",
		"2MzQwSSnBHWHqSAqtTVQ6v47XtaisrJa1Vc":  "a9144e9f39ca4688ff102128ea4ccda34105324305b087",
	} {
		t.Run(address, func(t *testing.T) {
			network := btc.Main
			for prefix, n := range map[string]btc.Network{"tb1": btc.Signet, "bcrt1": btc.Regtest, "m": btc.Regtest, "2": btc.Test} {
				if strings.HasPrefix(address, prefix) {
					network = n
				}
			}
			got, err := btc.ScriptOf(address, network)
			if err != nil || hex.EncodeToString(got) != script {
				t.Errorf("%s: got %x, %v, want %s", address, got, err, script)
				return
			}
			normal := strings.TrimSpace(address)
			if strings.EqualFold(address[:3], "bc1") {
				normal = strings.ToLower(normal)
			}
			if again, err := btc.ParseAddress(address, network); err != nil || again != normal || btc.AddressOf(got, network) != normal {
				t.Errorf("%s: got %s, %v", address, again, err)
			}
			other := btc.Main
			if network == btc.Main {
				other = btc.Regtest
			}
			_, err = btc.ParseAddress(address, other)
			wantFault(t, err, "wrong_network", "address", address)
		})
	}
}

// TestBadAddresses covers the invalid vectors of BIP-350.
func TestBadAddresses(t *testing.T) {
	for _, address := range []string{
		"tc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vq5zuyut", "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqh2y7hd",
		"tb1z0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqglt7rf", "BC1S0XLXVLHEMJA6C4DQV22UAPCTQUPFHLXM9H8Z3K2E72Q4K9HCZ7VQ54WELL",
		"bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kemeawh", "tb1q0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vq24jc47",
		"bc1p38j9r5y49hruaue7wxjce0updqjuyyx0kh56v8s25huc6995vvpql3jow4", "BC130XLXVLHEMJA6C4DQV22UAPCTQUPFHLXM9H8Z3K2E72Q4K9HCZ7VQ7ZWS8R", "bc1pw5dgrnzv",
		"bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7v8n0nx0muaewav253zgeav", "BC1QR508D6QEJXTDG4Y5R3ZARVARYV98GJ9P",
		"tb1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vq47Zagq", "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7v07qwwzcrf",
		"tb1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vpggkg4j", "bc1gmk9yu", "", "bc1", "bc", "1", xpub, wif, "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5",
		"1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN3", "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN", "LM2WMpR1Rp6j3Sa59cMXMs1SPzj9eXpGc1", "ltc1qw508d6qejxtdg4y5r3zarvary0c5xw7kgmn4n9", strings.Repeat("1", 100_000),
	} {
		for _, network := range []btc.Network{btc.Main, btc.Test, btc.Regtest} {
			_, err := btc.ParseAddress(address, network)
			wantFault(t, err, "invalid_address", "address", address)
		}
	}
}

// TestScriptsWithoutAddress covers scripts for which Bitcoin Core has no address
// either.
func TestScriptsWithoutAddress(t *testing.T) {
	for _, script := range []string{
		"", "51", "6a0b68656c6c6f20776f726c64",
		"2102c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee5ac",     // P2PK
		"512102c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee551ae", // 1 of 1
		"0013751e76e8199196d454941c45d1b3a323f1433b", "5101ff", "5129" + strings.Repeat("00", 41), "5003000000",
		"76a914751e76e8199196d454941c45d1b3a323f1433bd688", "a914751e76e8199196d454941c45d1b3a323f1433bd688", "0015751e76e8199196d454941c45d1b3a323f1433bd6",
	} {
		raw, err := hex.DecodeString(script)
		if err != nil {
			t.Fatal(err)
		}
		if got := btc.AddressOf(raw, btc.Main); got != "" {
			t.Errorf("%s has the address %s", script, got)
		}
	}
}
