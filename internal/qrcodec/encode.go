package qrcodec

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"github.com/btcsuite/btcd/btcutil/hdkeychain"
	"github.com/fxamacker/cbor/v2"

	"github.com/specterd/specterd/internal/btc"
)

// OutputResource returns the resource of the type crypto-output for a descriptor. The
// children /<0;1>/* of keys are omitted, because many devices assume them and cannot read
// them.
func OutputResource(d btc.Descriptor) (Resource, error) {
	keys := d.Keys()
	encoded := make([]any, len(keys))
	for i, key := range keys {
		m, err := encodeHDKey(key, d.Network())
		if err != nil {
			return Resource{}, err
		}
		if children := d.Children(i); !slices.Equal(children, [][2]uint32{{0, 1}}) {
			m[keyChildren] = cbor.Tag{Number: tagKeyPath, Content: map[uint64]any{pathComponents: encodeChildren(children)}}
		}
		encoded[i] = cbor.Tag{Number: tagHDKey, Content: m}
	}
	inner := encoded[0]
	if d.Script().IsMultisig() {
		function := uint64(tagMulti)
		if d.Sorted() {
			function = tagSortedMulti
		}
		inner = cbor.Tag{Number: function, Content: map[uint64]any{1: uint64(d.SignaturesRequired()), 2: encoded}} //nolint:gosec // at least 1
	}
	return Resource{typeOutput, encodeCBOR(wrapped(d.Script(), inner))}, nil
}

// AccountResource returns the resource of the type crypto-account for the key of one signer:
// the only key of a wallet, or one of a multisig wallet, with the wallet's script type.
func AccountResource(key btc.Key, script btc.Script, network btc.Network) (Resource, error) {
	m, err := encodeHDKey(key, network)
	if err != nil {
		return Resource{}, err
	}
	fingerprint, err := fingerprintOf(key)
	if err != nil {
		return Resource{}, err
	}
	var inner any = cbor.Tag{Number: tagHDKey, Content: m}
	if script.IsMultisig() {
		inner = cbor.Tag{Number: tagCosigner, Content: inner}
	}
	output := cbor.Tag{Number: tagOutput, Content: wrapped(script, inner)}
	return Resource{typeAccount, encodeCBOR(map[uint64]any{1: uint64(fingerprint), 2: []any{output}})}, nil
}

// wrapped returns an expression within the functions of a script type.
func wrapped(script btc.Script, inner any) any {
	functions := map[btc.Script][]uint64{
		btc.PKH: {tagPkh}, btc.WPKH: {tagWpkh}, btc.TR: {tagTr}, btc.ShWPKH: {tagWpkh, tagSh},
		btc.Sh: {tagSh}, btc.WSh: {tagWsh}, btc.ShWSh: {tagWsh, tagSh},
	}
	for _, function := range functions[script] {
		inner = cbor.Tag{Number: function, Content: inner}
	}
	return inner
}

// encodeHDKey returns the map of a key (BCR-2020-007).
func encodeHDKey(key btc.Key, network btc.Network) (map[uint64]any, error) {
	extended, err := hdkeychain.NewKeyFromString(key.XPub)
	if err != nil {
		return nil, fmt.Errorf("encode a key: %w", err)
	}
	public, err := extended.ECPubKey()
	if err != nil {
		return nil, fmt.Errorf("encode a key: %w", err)
	}
	fingerprint, err := fingerprintOf(key)
	if err != nil {
		return nil, err
	}
	path, err := key.Path()
	if err != nil {
		return nil, fmt.Errorf("encode a key: %w", err)
	}
	components := []any{}
	for _, step := range path {
		components = append(components, uint64(step%hardened), step >= hardened)
	}
	origin := map[uint64]any{pathComponents: components}
	if fingerprint != 0 {
		origin[pathSource] = uint64(fingerprint)
	}
	if depth := int(extended.Depth()); depth != len(path) {
		origin[pathDepth] = uint64(extended.Depth())
	}
	m := map[uint64]any{keyData: public.SerializeCompressed(), keyChainCode: extended.ChainCode(), keyOrigin: cbor.Tag{Number: tagKeyPath, Content: origin}}
	if network != btc.Main {
		m[keyUseInfo] = cbor.Tag{Number: tagCoinInfo, Content: map[uint64]any{coinNetwork: uint64(1)}}
	}
	if parent := extended.ParentFingerprint(); parent != 0 {
		m[keyParent] = uint64(parent)
	}
	return m, nil
}

func encodeChildren(children [][2]uint32) []any {
	components := []any{}
	for _, step := range children {
		if step[0] == step[1] {
			components = append(components, uint64(step[0]), false)
		} else {
			components = append(components, []any{uint64(step[0]), false, uint64(step[1]), false})
		}
	}
	return append(components, []any{}, false)
}

func fingerprintOf(key btc.Key) (uint32, error) {
	raw, err := hex.DecodeString(key.Fingerprint)
	if err != nil || len(raw) != 4 {
		return 0, errors.New("a key has an invalid fingerprint")
	}
	return binary.BigEndian.Uint32(raw), nil
}
