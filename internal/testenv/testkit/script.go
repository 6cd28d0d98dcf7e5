package testkit

import (
	"strings"
	"testing"
)

// Script is a script type of test wallets. The fields open and close are the parts
// of a descriptor before and after the keys.
type Script struct {
	Name        string
	open, close string
	Keys        int // number of keys; two signatures are required if there are several
}

// The script types of test wallets. Types with several keys have three.
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

// SignaturesRequired returns the number of required signatures.
func (s Script) SignaturesRequired() int { return min(2, s.Keys) }

// Descriptor returns a descriptor with the keys of consecutive test devices,
// beginning with number first, for a branch such as 0 or <0;1>. It contains the
// private key of the device with index signer, counted from 0; if signer is
// negative, it contains only public keys.
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
