package btc

import (
	"encoding/hex"
	"errors"
	"strconv"
	"strings"

	"github.com/btcsuite/btcd/btcutil"
	"github.com/btcsuite/btcd/btcutil/hdkeychain"

	"github.com/specterd/specterd/internal/fault"
)

// Key is an extended public key (BIP-32) with its origin, in the format of Specter
// Desktop.
type Key struct {
	Original    string // the extended key as given, without its origin
	Fingerprint string // of the master key, 8 lower-case hexadecimal digits
	Derivation  string // from the master key, such as "m/48h/1h/0h/2h"
	XPub        string // the extended key as xpub or tpub
	Type        Script // the script type that the key is meant for; empty if unknown
	Purpose     string // human-readable Type, such as "Multisig (Segwit)" or "General"
}

// ErrKey is returned for text that is not an extended public key.
var ErrKey = fault.InvalidAs("invalid_key", "key", "must be an extended public key such as [d34db33f/84h/0h/0h]xpub…")

// maxKey is the maximum length of a key expression in bytes.
const maxKey = 1024

// ParseKey parses an extended public key with or without its origin, such as
// "[d34db33f/84h/0h/0h]xpub…". A key without an origin is treated as a master key.
// Prefixes of SLIP-132 (ypub, Zpub, vpub, …) are converted to xpub and tpub, and
// determine the type. It returns ErrKey, ErrWrongNetwork and ErrPrivateKey, about the
// field "key"; none of them repeats the text.
func ParseKey(text string, network Network) (Key, error) {
	e, err := parseBareKey(text, network)
	return e.Key, err
}

// parseBareKey parses a key without a path after it.
func parseBareKey(text string, network Network) (keyExpression, error) {
	e, err := parseKeyExpression(strings.TrimSpace(text), network)
	if err == nil && e.hasPath {
		return keyExpression{}, keyFault(ErrKey, "must end with the extended public key, without a path after it")
	}
	return e, err
}

// keyExpression is a KEY of BIP-380: an extended public key, its origin and
// optionally a path.
type keyExpression struct {
	Key
	prefixType Script // the type of its SLIP-132 prefix
	hasOrigin  bool
	hasPath    bool
	path       []string // the steps after the extended key
	extended   *hdkeychain.ExtendedKey
}

func parseKeyExpression(text string, network Network) (keyExpression, error) {
	if len(text) > maxKey {
		return keyExpression{}, ErrKey
	}
	if HoldsPrivateKey(text) {
		return keyExpression{}, ErrPrivateKey
	}
	e := keyExpression{}
	origin, rest, hasOrigin := "", text, strings.HasPrefix(text, "[")
	if hasOrigin {
		var closed bool
		if origin, rest, closed = strings.Cut(text[1:], "]"); !closed {
			return keyExpression{}, ErrKey
		}
	}
	e.Original, rest, e.hasPath = strings.Cut(rest, "/")
	if e.hasPath {
		e.path = strings.Split(rest, "/")
	}
	var err error
	if e.extended, e.prefixType, err = parseExtended(e.Original, network); err != nil {
		return keyExpression{}, err
	}
	e.XPub, e.Type = e.extended.String(), e.prefixType
	e.hasOrigin = hasOrigin
	if hasOrigin {
		err = e.setOrigin(origin)
	} else {
		e.Fingerprint, e.Derivation = Fingerprint(e.extended), "m"
	}
	e.Purpose = e.Type.purpose()
	return e, err
}

// setOrigin parses the text between the brackets before a key.
func (e *keyExpression) setOrigin(origin string) error {
	steps := strings.Split(origin, "/")
	e.Fingerprint = strings.ToLower(steps[0])
	if !isLowerHex(e.Fingerprint, 8) {
		return keyFault(ErrKey, "has an origin that does not begin with a fingerprint of 8 hexadecimal digits, as in [d34db33f/84h/0h/0h]")
	}
	path := make([]uint32, 0, len(steps)-1)
	for _, step := range steps[1:] {
		n, ok := parseStep(step)
		if !ok {
			return keyFault(ErrKey, "has an origin whose path is not like the one in [d34db33f/84h/0h/0h]")
		}
		path = append(path, n)
	}
	e.Derivation = FormatPath(path)
	if e.Type == "" {
		e.Type = typeOfPath(path)
	}
	return nil
}

// origin returns the origin in the format of descriptors; empty if there is none.
func (e *keyExpression) origin() string {
	if !e.hasOrigin {
		return ""
	}
	return "[" + e.Fingerprint + strings.TrimPrefix(e.Derivation, "m") + "]"
}

// slip132 maps the version bytes of extended public keys to their script type (SLIP-132).
// The versions of BIP-32 have no script type: their keys can be used with any.
var slip132 = map[[4]byte]struct {
	script Script
	xpub   [4]byte // the BIP-32 version of the same network
}{
	xpubVersion:              {"", xpubVersion},
	{0x04, 0x9d, 0x7c, 0xb2}: {ShWPKH, xpubVersion}, // ypub
	{0x04, 0xb2, 0x47, 0x46}: {WPKH, xpubVersion},   // zpub
	{0x02, 0x95, 0xb4, 0x3f}: {ShWSh, xpubVersion},  // Ypub
	{0x02, 0xaa, 0x7e, 0xd3}: {WSh, xpubVersion},    // Zpub
	tpubVersion:              {"", tpubVersion},
	{0x04, 0x4a, 0x52, 0x62}: {ShWPKH, tpubVersion}, // upub
	{0x04, 0x5f, 0x1c, 0xf6}: {WPKH, tpubVersion},   // vpub
	{0x02, 0x42, 0x89, 0xef}: {ShWSh, tpubVersion},  // Upub
	{0x02, 0x57, 0x54, 0x83}: {WSh, tpubVersion},    // Vpub
}

// parseExtended parses a serialized extended public key. It returns the key with
// the version of BIP-32, and the script type of its original prefix.
func parseExtended(text string, network Network) (*hdkeychain.ExtendedKey, Script, error) {
	key, err := hdkeychain.NewKeyFromString(text)
	if err != nil {
		// The cause is omitted: no part of the text may be logged.
		return nil, "", keyFault(ErrKey, "must be an extended public key such as [d34db33f/84h/0h/0h]xpub…; this one is incomplete or mistyped")
	}
	if key.IsPrivate() {
		return nil, "", ErrPrivateKey
	}
	version, known := slip132[[4]byte(key.Version())]
	switch {
	case !known:
		return nil, "", keyFault(ErrKey, "is an extended key that does not begin with xpub, ypub, zpub, Ypub, Zpub, tpub, upub, vpub, Upub or Vpub")
	case key.Depth() == 0 && (key.ParentFingerprint() != 0 || key.ChildIndex() != 0):
		return nil, "", keyFault(ErrKey, "claims to be both a master key and a derived key")
	case version.xpub != network.encoding().xpub:
		return nil, "", wrongNetwork(network)
	}
	key, err = key.CloneWithVersion(version.xpub[:])
	if err != nil {
		return nil, "", ErrKey
	}
	return key, version.script, nil
}

// wrongNetwork returns the fault about a key that is not for the network of the node.
func wrongNetwork(network Network) *fault.Error {
	if network == Main {
		return keyFault(ErrWrongNetwork, "is a key of a test network, but the node is on mainnet; export the key for mainnet")
	}
	return keyFault(ErrWrongNetwork, "is a mainnet key, but the node is on %s; export the key for a test network, or use a node on mainnet", network)
}

// WithOrigin returns the extended key with its origin, as in descriptors; without one if it is
// unknown.
func (k Key) WithOrigin() string {
	if x, err := hdkeychain.NewKeyFromString(k.XPub); err == nil && k.Derivation == "m" && k.Fingerprint == Fingerprint(x) {
		return k.XPub
	}
	return "[" + k.Fingerprint + strings.TrimPrefix(k.Derivation, "m") + "]" + k.XPub
}

// Fingerprint returns the first four bytes of the key's HASH160 (BIP-32).
func Fingerprint(key *hdkeychain.ExtendedKey) string {
	public, err := key.ECPubKey()
	if err != nil {
		return "" // unreachable: the key was parsed
	}
	return hex.EncodeToString(btcutil.Hash160(public.SerializeCompressed())[:4])
}

const hardened = hdkeychain.HardenedKeyStart

// parseStep parses one step of a path: a number below 2^31, hardened if h or '
// follows it. Leading zeros are accepted, as in Bitcoin Core.
func parseStep(text string) (uint32, bool) {
	digits := strings.TrimSuffix(strings.TrimSuffix(text, "h"), "'")
	if len(text)-len(digits) > 1 || len(digits) > 10 || strings.Trim(digits, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseUint(digits, 10, 31)
	if err != nil {
		return 0, false
	}
	step := uint32(n)
	if digits != text {
		step += hardened
	}
	return step, true
}

// FormatStep formats one step of a path, such as 84h.
func FormatStep(step uint32) string {
	if step >= hardened {
		return strconv.FormatUint(uint64(step-hardened), 10) + "h"
	}
	return strconv.FormatUint(uint64(step), 10)
}

// FormatPath formats a path as in m/84h/1h/0h, the format of Key.Derivation.
func FormatPath(path []uint32) string {
	var b strings.Builder
	b.WriteByte('m')
	for _, step := range path {
		b.WriteByte('/')
		b.WriteString(FormatStep(step))
	}
	return b.String()
}

// Path returns the derivation as the numbers of BIP-32; 2^31 is added to a hardened step.
// It returns an error if the derivation is malformed.
func (k Key) Path() ([]uint32, error) {
	var path []uint32
	for _, text := range strings.Split(k.Derivation, "/")[1:] {
		step, ok := parseStep(text)
		if !ok {
			return nil, errors.New("the derivation does not have the form m/84h/1h/0h")
		}
		path = append(path, step)
	}
	return path, nil
}

// typeOfPath returns the script type of a path by the conventions of BIP-48,
// BIP-49, BIP-84 and BIP-86; empty for other paths.
func typeOfPath(path []uint32) Script {
	if len(path) == 0 {
		return ""
	}
	switch path[0] {
	case hardened + 49:
		return ShWPKH
	case hardened + 84:
		return WPKH
	case hardened + 86:
		return TR
	case hardened + 48:
		if len(path) > 3 {
			return map[uint32]Script{hardened + 1: ShWSh, hardened + 2: WSh}[path[3]]
		}
	}
	return ""
}
