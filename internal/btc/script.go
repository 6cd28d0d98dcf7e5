package btc

import (
	"fmt"

	"github.com/specterd/specterd/internal/fault"
)

// Script is a script type, by its name in Specter Desktop.
type Script string

// The supported script types.
const (
	PKH    Script = "pkh"
	WPKH   Script = "wpkh"
	ShWPKH Script = "sh-wpkh"
	TR     Script = "tr" // key path only
	Sh     Script = "sh" // multisig, like the next two
	WSh    Script = "wsh"
	ShWSh  Script = "sh-wsh"
)

// ParseScript returns the script type with this name. It returns an Invalid fault about
// the field "script" for other names.
func ParseScript(name string) (Script, error) {
	switch s := Script(name); s {
	case PKH, WPKH, ShWPKH, TR, Sh, WSh, ShWSh:
		return s, nil
	}
	return "", fault.InvalidField("script", "must be wpkh, sh-wpkh, pkh or tr for one key, or wsh, sh-wsh or sh for several")
}

// IsMultisig reports whether s is a multisig type.
func (s Script) IsMultisig() bool { return s == Sh || s == WSh || s == ShWSh }

// AddressType returns the name of the address type of s in Specter Desktop and Bitcoin
// Core: bech32, p2sh-segwit, legacy, or taproot, which Core calls bech32m.
func (s Script) AddressType() string {
	switch s {
	case WPKH, WSh:
		return "bech32"
	case ShWPKH, ShWSh:
		return "p2sh-segwit"
	case TR:
		return "taproot"
	}
	return "legacy"
}

// Description returns Specter Desktop's description of a wallet with this script type,
// for example "Single (Segwit)" or "2 of 3 Multisig (Nested)".
func (s Script) Description(required, keys int) string {
	if s.IsMultisig() {
		return fmt.Sprintf("%d of %d %s", required, keys, s.purpose())
	}
	return s.purpose()
}

// purpose returns Specter Desktop's description of a key for this script type.
func (s Script) purpose() string {
	switch s {
	case PKH:
		return "Single (Legacy)"
	case WPKH:
		return "Single (Segwit)"
	case ShWPKH:
		return "Single (Nested)"
	case TR:
		return "Taproot"
	case Sh:
		return "Multisig (Legacy)"
	case WSh:
		return "Multisig (Segwit)"
	case ShWSh:
		return "Multisig (Nested)"
	}
	return "General"
}

// DustLimit returns the minimum amount that nodes relay in an output with this script:
// the dust limit at the default of -dustrelayfee, three satoshis per virtual byte. A node
// may be configured with another limit, which then applies.
func DustLimit(script []byte) Amount {
	const relayFee FeeRate = 3000
	return DustLimitAt(script, relayFee)
}

// DustLimitAt returns the dust limit at a fee rate: the cost of creating and spending an
// output with this script (Bitcoin Core, GetDustThreshold).
func DustLimitAt(script []byte, rate FeeRate) Amount {
	const (
		output          = 8 + 1
		spending        = 32 + 4 + 1 + 107 + 4
		spendingWitness = 32 + 4 + 1 + 107/witnessFactor + 4
	)
	if _, _, ok := witnessProgram(script); ok {
		return rate.Fee(output + len(script) + spendingWitness)
	}
	return rate.Fee(output + len(script) + spending)
}

// maxKeys returns the maximum number of keys in Bitcoin Core: a P2SH redeem script
// has at most 520 bytes, and a multisig script at most 20 keys
// (MAX_PUBKEYS_PER_MULTISIG).
func (s Script) maxKeys() int {
	switch s {
	case Sh:
		return 15
	case WSh, ShWSh:
		return 20
	}
	return 1
}
