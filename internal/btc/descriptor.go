package btc

import (
	"bytes"
	"slices"
	"strconv"
	"strings"

	"github.com/btcsuite/btcd/btcutil/hdkeychain"

	"github.com/specterd/specterd/internal/fault"
)

// Faults of a descriptor, about the field "descriptor". None repeats its text.
var (
	// ErrDescriptor is returned for text that is not a descriptor.
	ErrDescriptor = fault.InvalidAs("invalid_descriptor", "descriptor", "must be an output descriptor such as wpkh([d34db33f/84h/0h/0h]xpub…/<0;1>/*)")
	// ErrUnsupportedDescriptor is returned for a descriptor of a kind that wallets do not
	// support.
	ErrUnsupportedDescriptor = fault.InvalidAs("unsupported_descriptor", "descriptor", "is not supported; %s", supported)
	// ErrKeyType is returned for a key whose SLIP-132 prefix is for another script type.
	ErrKeyType = fault.InvalidAs("script_type_mismatch", "descriptor", "has a key with the prefix of another script type")
	// ErrDuplicateKey is returned for a key that occurs twice.
	ErrDuplicateKey = fault.InvalidAs("duplicate_key", "descriptor", "contains a key twice")
)

const supported = "supported are pkh, wpkh, sh(wpkh) and tr with one key, and multi and sortedmulti in sh, wsh or sh(wsh)"

// Descriptor is a ranged output descriptor (BIP-380) of a supported script type, with
// extended public keys. It has one branch or, if it is multipath (BIP-389), two.
// Descriptors are immutable and come from ParseDescriptor or FromKeys.
type Descriptor struct {
	form     form
	network  Network
	required int // number of signatures; 1 for one key
	keys     []descriptorKey
}

// form is the syntax of a descriptor around its keys.
type form struct {
	script      Script
	open, close string
	sorted      bool // whether each script sorts its keys (BIP-67)
}

var forms = []form{
	{PKH, "pkh(", ")", false},
	{WPKH, "wpkh(", ")", false},
	{ShWPKH, "sh(wpkh(", "))", false},
	{TR, "tr(", ")", false},
	{Sh, "sh(multi(", "))", false},
	{Sh, "sh(sortedmulti(", "))", true},
	{WSh, "wsh(multi(", "))", false},
	{WSh, "wsh(sortedmulti(", "))", true},
	{ShWSh, "sh(wsh(multi(", ")))", false},
	{ShWSh, "sh(wsh(sortedmulti(", ")))", true},
}

// descriptorKey is a key and the path from it to the derived children.
type descriptorKey struct {
	Key
	origin   string // with brackets; empty if there is none
	extended *hdkeychain.ExtendedKey
	steps    []step
}

// step is a path step, with its number in each of the two branches. The numbers
// differ only in a multipath step.
type step [2]uint32

func (s step) isMultipath() bool { return s[0] != s[1] }

// Network returns the network for which the descriptor was parsed.
func (d Descriptor) Network() Network { return d.network }

// Script returns the script type of the outputs.
func (d Descriptor) Script() Script { return d.form.script }

// Sorted reports whether the keys are sorted by BIP-67 in each script, rather than
// in the order of the descriptor.
func (d Descriptor) Sorted() bool { return d.form.sorted }

// SignaturesRequired returns the number of signatures that are required to spend an
// output.
func (d Descriptor) SignaturesRequired() int { return d.required }

// Keys returns the keys in the order of the descriptor.
func (d Descriptor) Keys() []Key {
	keys := make([]Key, len(d.keys))
	for i, k := range d.keys {
		keys[i] = k.Key
	}
	return keys
}

// IsMultipath reports whether the descriptor describes two branches, as with
// /<0;1>/*.
func (d Descriptor) IsMultipath() bool {
	return len(d.keys) > 0 && d.keys[0].branch() >= 0
}

// branch returns the index of the step that differs between the branches, or -1.
func (k descriptorKey) branch() int {
	for i, s := range k.steps {
		if s.isMultipath() {
			return i
		}
	}
	return -1
}

// sameKey reports whether k and other derive the same children.
func (k descriptorKey) sameKey(other descriptorKey) bool {
	return bytes.Equal(k.extended.ChainCode(), other.extended.ChainCode()) && Fingerprint(k.extended) == Fingerprint(other.extended)
}

// Split returns the two descriptors of a multipath descriptor, for receiving and
// for change addresses. For any other descriptor it returns the descriptor twice.
func (d Descriptor) Split() (receive, change Descriptor) {
	return d.only(0), d.only(1)
}

func (d Descriptor) only(branch int) Descriptor {
	keys := make([]descriptorKey, len(d.keys))
	for i, k := range d.keys {
		keys[i] = k
		keys[i].steps = make([]step, len(k.steps))
		for j, s := range k.steps {
			keys[i].steps[j] = step{s[branch], s[branch]}
		}
	}
	d.keys = keys
	return d
}

// impliedChange returns the descriptor with /1/* instead of /0/* at the end of each
// key, as importers of Specter Desktop's account maps do. It returns false if a key
// does not end in /0/* or has a multipath step.
func (d Descriptor) impliedChange() (Descriptor, bool) {
	keys := make([]descriptorKey, len(d.keys))
	for i, k := range d.keys {
		last := len(k.steps) - 1
		if last < 0 || k.steps[last] != (step{0, 0}) || k.branch() >= 0 {
			return Descriptor{}, false
		}
		keys[i] = k
		keys[i].steps = append(slices.Clone(k.steps[:last]), step{1, 1})
	}
	d.keys = keys
	return d, true
}

// String returns the canonical form with a checksum, as in Bitcoin Core's
// getdescriptorinfo, with h for hardened steps.
func (d Descriptor) String() string {
	var b strings.Builder
	b.WriteString(d.form.open)
	if d.form.script.IsMultisig() {
		b.WriteString(strconv.Itoa(d.required) + ",")
	}
	for i, k := range d.keys {
		if i > 0 {
			b.WriteByte(',')
		}
		k.write(&b)
	}
	b.WriteString(d.form.close)
	text := b.String()
	sum, _ := Checksum(text)
	return text + "#" + sum
}

func (k descriptorKey) write(b *strings.Builder) {
	b.WriteString(k.origin)
	b.WriteString(k.XPub)
	for _, s := range k.steps {
		b.WriteByte('/')
		if s.isMultipath() {
			b.WriteString("<" + FormatStep(s[0]) + ";" + FormatStep(s[1]) + ">")
		} else {
			b.WriteString(FormatStep(s[0]))
		}
	}
	b.WriteString("/*")
}
