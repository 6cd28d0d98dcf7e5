package btc_test

import (
	"strings"
	"testing"

	"github.com/specterd/specterd/internal/btc"
)

// BenchmarkThousandAddresses derives 1,000 addresses of one branch.
func BenchmarkThousandAddresses(b *testing.B) {
	for name, text := range map[string]string{
		"wpkh":       "wpkh(" + xpub + "/0/*)",
		"tr":         "tr(" + xpub + "/0/*)",
		"2-of-3-wsh": "wsh(sortedmulti(2," + xpub + "/0/*," + xpub2 + "/0/*," + master + "/0/*))",
	} {
		d, err := btc.ParseDescriptor(text, btc.Main)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				deriver, err := d.Deriver()
				if err != nil {
					b.Fatal(err)
				}
				for i := range uint32(1000) {
					if _, err := deriver.Address(i); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}

func BenchmarkParseDescriptor(b *testing.B) {
	text := "wsh(sortedmulti(2," + strings.Join([]string{xpub, xpub2, master}, "/0/*,") + "/0/*))"
	for b.Loop() {
		if _, err := btc.ParseDescriptor(text, btc.Main); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseTx(b *testing.B) {
	raw := unhex(b, segwitTx)
	for b.Loop() {
		if _, err := btc.ParseTx(raw); err != nil {
			b.Fatal(err)
		}
	}
}
