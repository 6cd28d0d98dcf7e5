package testkit

import (
	"strings"
	"testing"
)

// Script is a kind of wallet by its script, as a descriptor has it around the keys.
type Script struct {
	Name        string
	open, close string
	Keys        int // of which two sign where there are more
}

// The kinds of wallet that there are, without those that differ in the number of
// keys alone.
var (
	WPKH   = Script{"wpkh", "wpkh(", ")", 1}
	SHWPKH = Script{"sh-wpkh", "sh(wpkh(", "))", 1}
	PKH    = Script{"pkh", "pkh(", ")", 1}
	TR     = Script{"tr", "tr(", ")", 1}
	WSH    = Script{"wsh", "wsh(sortedmulti(2,", "))", 3}
	SHWSH  = Script{"sh-wsh", "sh(wsh(sortedmulti(2,", ")))", 3}
	SH     = Script{"sh", "sh(sortedmulti(2,", "))", 3}

	Scripts = []Script{WPKH, SHWPKH, PKH, TR, WSH, SHWSH, SH}
)

// Required is how many keys have to sign.
func (s Script) Required() int { return min(2, s.Keys) }

// Descriptor returns the descriptor of the test devices from a number on, for a
// branch such as 0 or <0;1>, with the private key of one of the signers, who are
// counted from 0, or of none.
func (s Script) Descriptor(t testing.TB, first int, branch string, signer int) string {
	t.Helper()
	keys := make([]string, s.Keys)
	for i := range keys {
		public, private := Key(t, first+i)
		if keys[i] = public; i == signer {
			keys[i] = private
		}
		keys[i] += "/" + branch + "/*"
	}
	return s.open + strings.Join(keys, ",") + s.close
}
