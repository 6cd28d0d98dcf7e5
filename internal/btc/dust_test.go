package btc_test

import (
	"testing"

	"github.com/specterd/specterd/internal/btc"
)

// TestDustLimit compares DustLimit with the dust limits of Bitcoin Core's policy for
// scripts that have addresses.
func TestDustLimit(t *testing.T) {
	for address, want := range map[string]btc.Amount{
		"1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2":                             546,
		"3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy":                             540,
		"bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq":                     294,
		"bc1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3qccfmv3": 330,
		"bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0": 330,
	} {
		t.Run(address, func(t *testing.T) {
			script, err := btc.ScriptOf(address, btc.Main)
			if err != nil {
				t.Fatal(err)
			}
			if got := btc.DustLimit(script); got != want {
				t.Errorf("%s: got %d, want %d", address, got, want)
			}
		})
	}
}
