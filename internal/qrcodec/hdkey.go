package qrcodec

import (
	"encoding/binary"
	"encoding/hex"
	"strings"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcutil/hdkeychain"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/text"
)

// Tags of version 1 (BCR-2020-006).
const (
	tagHDKey    = 303
	tagKeyPath  = 304
	tagCoinInfo = 305
	tagECKey    = 306
	tagOutput   = 308
)

// Keys of the maps of BCR-2020-007.
const (
	keyIsMaster, keyIsPrivate, keyData, keyChainCode, keyUseInfo = 1, 2, 3, 4, 5
	keyOrigin, keyChildren, keyParent, keyName                   = 6, 7, 8, 9
	pathComponents, pathSource, pathDepth                        = 1, 2, 3
	coinType, coinNetwork                                        = 1, 2
)

var (
	xpubVersion = []byte{0x04, 0x88, 0xb2, 0x1e}
	tpubVersion = []byte{0x04, 0x35, 0x87, 0xcf}
)

const hardened = hdkeychain.HardenedKeyStart

// hdKey is a decoded extended public key.
type hdKey struct {
	text     string // with its origin, without children
	children string // such as /<0;1>/*; empty if not specified
	name     string
}

// decodeHDKey decodes a key (BCR-2020-007). The fingerprint master is for a key that does
// not contain one; 0 if it is unknown.
func decodeHDKey(v any, master uint32) (hdKey, error) {
	m, ok := v.(map[uint64]any)
	if !ok {
		return hdKey{}, badStructure()
	}
	data, _ := m[keyData].([]byte)
	chainCode, _ := m[keyChainCode].([]byte)
	switch {
	case m[keyIsMaster] == true, m[keyIsPrivate] == true, isPrivate(data):
		return hdKey{}, btc.ErrPrivateKey
	case len(data) != btcec.PubKeyBytesLenCompressed:
		return hdKey{}, badStructure()
	case len(chainCode) != 32:
		return hdKey{}, unsupported("is a key without a chain code, from which no addresses can be derived")
	}
	if _, err := btcec.ParsePubKey(data); err != nil {
		return hdKey{}, badStructure()
	}
	version, err := keyVersion(m[keyUseInfo])
	if err != nil {
		return hdKey{}, err
	}
	origin, err := decodeKeyPath(m[keyOrigin])
	if err != nil {
		return hdKey{}, err
	}
	children, err := decodeKeyPath(m[keyChildren])
	if err != nil {
		return hdKey{}, err
	}
	parent, ok := uint32At(m, keyParent)
	if !ok {
		return hdKey{}, badStructure()
	}
	k := hdKey{children: children.text}
	if name, ok := m[keyName].(string); ok {
		k.name = text.Clean(name)
	}
	k.text, err = origin.keyText(version, data, chainCode, parent, master)
	return k, err
}

// keyText returns the extended public key with its origin.
func (p keyPath) keyText(version, data, chainCode []byte, parent, master uint32) (string, error) {
	if !p.isFixed {
		return "", badStructure()
	}
	depth, child := len(p.steps), uint32(0)
	if p.depth > 0 {
		depth = p.depth
	}
	if len(p.steps) > 0 {
		child = p.steps[len(p.steps)-1]
	}
	source := p.source
	switch {
	case source == 0 && master != 0:
		source = master
	case source == 0 && len(p.steps) == 1 && depth == 1:
		source = parent
	}
	switch {
	case depth > 255:
		return "", badStructure()
	case depth == 0: // a master key, or a key of which the depth is unknown
		parent = 0
	case depth == 1 && parent == 0:
		parent = source
	}
	serialized := hdkeychain.NewExtendedKey(version, data, chainCode, uint32Bytes(parent), uint8(depth), child, false).String()
	if source == 0 && len(p.steps) == 0 {
		return serialized, nil
	}
	return "[" + hex.EncodeToString(uint32Bytes(source)) + strings.TrimPrefix(btc.FormatPath(p.steps), "m") + "]" + serialized, nil
}

func uint32Bytes(n uint32) []byte { return binary.BigEndian.AppendUint32(nil, n) }

// keyVersion returns the version of extended public keys for the network of a key, which is
// the main network if v is nil.
func keyVersion(v any) ([]byte, error) {
	if v == nil {
		return xpubVersion, nil
	}
	content, ok := untag(v, tagCoinInfo)
	m, isMap := content.(map[uint64]any)
	if !ok || !isMap {
		return nil, badStructure()
	}
	coin, okCoin := uint32At(m, coinType)
	network, okNetwork := uint32At(m, coinNetwork)
	switch {
	case !okCoin || !okNetwork || network > 1:
		return nil, badStructure()
	case coin > 1: // 1 is the coin type of all test networks (SLIP-44)
		return nil, unsupported("is a key of another currency than Bitcoin")
	case network == 1 || coin == 1:
		return tpubVersion, nil
	}
	return xpubVersion, nil
}

// keyPath is a decoded path.
type keyPath struct {
	steps   []uint32 // if isFixed
	isFixed bool     // without wildcards and pairs
	text    string   // such as /<0;1>/*
	source  uint32   // fingerprint; 0 if unknown
	depth   int      // 0 if it is the number of steps
}

// decodeKeyPath decodes a path. It returns the empty path if v is nil.
func decodeKeyPath(v any) (keyPath, error) {
	p := keyPath{isFixed: true}
	if v == nil {
		return p, nil
	}
	content, ok := untag(v, tagKeyPath)
	m, isMap := content.(map[uint64]any)
	if !ok || !isMap {
		return p, badStructure()
	}
	source, okSource := uint32At(m, pathSource)
	depth, okDepth := uint32At(m, pathDepth)
	components, okComponents := m[pathComponents].([]any)
	if !okSource || !okDepth || depth > 255 || !okComponents || len(components) > 2*maxSteps {
		return p, badStructure()
	}
	p.source, p.depth = source, int(depth)
	for len(components) > 0 {
		n, err := p.component(components)
		if err != nil {
			return p, err
		}
		components = components[n:]
	}
	return p, nil
}

// maxSteps is the maximum number of steps of a path.
const maxSteps = 32

// component decodes the first component of a path, and returns the number of its elements.
func (p *keyPath) component(elements []any) (int, error) {
	switch first := elements[0].(type) {
	case uint64: // an index, and whether it is hardened
		step, ok := stepOf(elements)
		if !ok {
			return 0, badStructure()
		}
		p.steps = append(p.steps, step)
		p.text += "/" + btc.FormatStep(step)
		return 2, nil
	case []any:
		p.isFixed = false
		switch len(first) {
		case 0: // any index, and whether it is hardened
			if len(elements) < 2 || elements[1] != false {
				return 0, unsupported("has a hardened wildcard, whose addresses cannot be derived from a public key")
			}
			p.text += "/*"
			return 2, nil
		case 4: // a pair of indexes
			receive, okReceive := stepOf(first)
			change, okChange := stepOf(first[2:])
			if !okReceive || !okChange {
				return 0, badStructure()
			}
			p.text += "/<" + btc.FormatStep(receive) + ";" + btc.FormatStep(change) + ">"
			return 1, nil
		}
		return 0, unsupported("has a path with a range of indexes")
	}
	return 0, badStructure()
}

// stepOf decodes an index and whether it is hardened.
func stepOf(elements []any) (uint32, bool) {
	if len(elements) < 2 {
		return 0, false
	}
	index, okIndex := elements[0].(uint64)
	isHardened, okHardened := elements[1].(bool)
	if !okIndex || !okHardened || index >= hardened {
		return 0, false
	}
	if isHardened {
		index += hardened
	}
	return uint32(index), true
}
