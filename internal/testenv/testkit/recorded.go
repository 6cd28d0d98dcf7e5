package testkit

import (
	"crypto/sha512"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/btcutil/hdkeychain"
	"github.com/btcsuite/btcd/chaincfg"
)

// recordedKey matches an account key with its origin in a descriptor.
var recordedKey = regexp.MustCompile(`(\[[0-9a-f]{8}((?:/[0-9]+h)+)\])(tpub[0-9A-Za-z]+)`)

// RecordedKey takes a descriptor of the Specter Desktop recorded in
// testdata/specter-desktop/real, and returns it without checksum and with the
// private key of one of its devices. It also reports whether the descriptor
// contains a key of that device. The admin's devices have the numbers 1 to 3, and
// someuser's have 11 to 13.
func RecordedKey(t testing.TB, descriptor string, device int) (private string, has bool) {
	t.Helper()
	body, _, _ := strings.Cut(descriptor, "#")
	seed := sha512.Sum512(fmt.Appendf(nil, "specter-live-%d", device))
	master, err := hdkeychain.NewMaster(seed[:], &chaincfg.RegressionNetParams)
	Check(t, err)
	private = recordedKey.ReplaceAllStringFunc(body, func(text string) string {
		parts := recordedKey.FindStringSubmatch(text)
		key := master
		for step := range strings.SplitSeq(strings.TrimPrefix(parts[2], "/"), "/") {
			index, err := strconv.ParseUint(strings.TrimSuffix(step, "h"), 10, 31)
			Check(t, err)
			key, err = key.Derive(hdkeychain.HardenedKeyStart + uint32(index))
			Check(t, err)
		}
		public, err := key.Neuter()
		Check(t, err)
		if public.String() != parts[3] {
			return text
		}
		has = true
		return parts[1] + key.String()
	})
	return private, has
}
