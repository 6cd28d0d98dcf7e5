package walletfile

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"

	"github.com/btcsuite/btcd/btcutil/hdkeychain"

	"github.com/specterd/specterd/internal/btc"
)

// Warning is a property of a wallet that is probably unintended.
type Warning struct {
	Code    string // stable
	Message string
}

// Check returns the warnings about a wallet, however it was described.
func Check(p btc.Policy) []Warning {
	warnings := checkKeys(p.Keys, p.Script, p.Receive.Network())
	if p.Script.IsMultisig() && len(p.Keys) > 1 && !p.Receive.Sorted() {
		warnings = append(warnings, Warning{
			"multisig_unsorted", "the keys are not sorted (multi instead of sortedmulti), so their order is part of the wallet; " +
				"many hardware wallets and programs support only sorted keys",
		})
	}
	return warnings
}

func checkKeys(keys []btc.Key, script btc.Script, network btc.Network) []Warning {
	var warnings []Warning
	seen := map[string]int{}
	for i, k := range keys {
		warn := func(code, format string, args ...any) {
			message := fmt.Sprintf(format, args...)
			if len(keys) > 1 {
				message = fmt.Sprintf("key %d: %s", i+1, message)
			}
			warnings = append(warnings, Warning{code, message})
		}
		checkOrigin(k, warn)
		checkPurpose(k, script, network, warn)
		if first, ok := seen[k.Fingerprint]; ok && k.Fingerprint != noFingerprint {
			warn("fingerprint_repeated", "has the same fingerprint as key %d, so one device may sign with both keys", first)
		} else {
			seen[k.Fingerprint] = i + 1
		}
	}
	return warnings
}

const noFingerprint = "00000000"

type warner func(code, format string, args ...any)

// checkOrigin compares the origin of a key with the key, which contains its depth, its
// child number and the fingerprint of its parent.
func checkOrigin(k btc.Key, warn warner) {
	x, err := hdkeychain.NewKeyFromString(k.XPub)
	if err != nil {
		return // unreachable: the key was parsed
	}
	path, err := k.Path()
	if err != nil {
		return // unreachable, for the same reason
	}
	own := btc.Fingerprint(x)
	switch {
	case len(path) == 0 && x.Depth() > 0 && k.Fingerprint == own:
		warn("fingerprint_missing", "has no origin, so hardware wallets may not recognize the key as theirs and refuse to sign; add it, as in [d34db33f/84h/0h/0h]xpub…")
		return
	case k.Fingerprint == noFingerprint:
		warn("fingerprint_zero", "has the fingerprint 00000000, so hardware wallets may not recognize the key as theirs and refuse to sign; use the fingerprint of the device's master key")
	case len(path) == 0 && x.Depth() == 0 && k.Fingerprint != own,
		len(path) == 1 && x.Depth() == 1 && k.Fingerprint != parentOf(x):
		warn("origin_mismatch", "has an origin whose fingerprint contradicts the key")
		return
	}
	switch {
	case len(path) != int(x.Depth()):
		warn("origin_mismatch", "has an origin whose path has %d steps, but the key is at depth %d", len(path), x.Depth())
	case len(path) > 0 && path[len(path)-1] != x.ChildIndex():
		warn("origin_mismatch", "has an origin whose path ends in %s, but the key has the child number %s", btc.FormatStep(path[len(path)-1]), btc.FormatStep(x.ChildIndex()))
	}
}

func parentOf(x *hdkeychain.ExtendedKey) string {
	return hex.EncodeToString(binary.BigEndian.AppendUint32(nil, x.ParentFingerprint()))
}

// purposes are the script types of account keys by the first step of their path (BIP-44,
// 45, 49, 84, 86); 48 and 87 depend on more.
var purposes = map[uint32]btc.Script{44: btc.PKH, 45: btc.Sh, 49: btc.ShWPKH, 84: btc.WPKH, 86: btc.TR}

// scriptOf returns the script type of keys with this path, and whether there is a
// convention. The script type is empty if the convention is for any multisig wallet.
func scriptOf(path []uint32) (btc.Script, bool) {
	const hardened = hdkeychain.HardenedKeyStart
	if len(path) == 0 || path[0] < hardened {
		return "", false
	}
	purpose := path[0] - hardened
	switch script, ok := purposes[purpose]; {
	case ok:
		return script, true
	case purpose == 48 && len(path) > 3 && path[3] == hardened+1:
		return btc.ShWSh, true
	case purpose == 48 && len(path) > 3 && path[3] == hardened+2:
		return btc.WSh, true
	}
	return "", purpose == 48 || purpose == 87
}

// checkPurpose compares the path of a key with the conventions for the script type and the
// network.
func checkPurpose(k btc.Key, script btc.Script, network btc.Network, warn warner) {
	const hardened = hdkeychain.HardenedKeyStart
	path, err := k.Path()
	if err != nil {
		return // unreachable: the key was parsed
	}
	usual, known := scriptOf(path)
	switch {
	case !known:
		return
	case usual != "" && usual != script:
		warn("purpose_mismatch", "has a path for %s, but the script type is %s; other software would look for its funds elsewhere", usual, script)
	case usual == "" && !script.IsMultisig():
		warn("purpose_mismatch", "has a path for multisig wallets, but the script type is %s; other software would look for its funds elsewhere", script)
	}
	if len(path) < 2 || path[0] == hardened+45 {
		return
	}
	want := coinTypeOf(network)
	if path[1] != want && (path[1] == hardened || path[1] == hardened+1) {
		warn("coin_type_mismatch", "has a path for another network: its second step is %s, and keys of the network %s have %s", btc.FormatStep(path[1]), network, btc.FormatStep(want))
	}
}

// coinTypeOf returns the second step of paths for a network (SLIP-44).
func coinTypeOf(network btc.Network) uint32 {
	if network == btc.Main {
		return hdkeychain.HardenedKeyStart
	}
	return hdkeychain.HardenedKeyStart + 1
}
