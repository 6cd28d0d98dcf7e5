package qrcodec

import (
	"math"
	"reflect"

	"github.com/fxamacker/cbor/v2"
)

// CBOR is the encoding of Uniform Resources. Encoders must use its deterministic form
// (RFC 8949, section 4.2); the decoder accepts any definite-length encoding, because some
// devices do not encode integers in the shortest form.
const (
	maxCBORDepth    = 16
	maxCBORElements = 1024
)

// decodeCBOR decodes all of data. Maps without a target type become map[uint64]any.
func decodeCBOR(data []byte, to any) error {
	mode, err := cbor.DecOptions{
		DupMapKey: cbor.DupMapKeyEnforcedAPF, IndefLength: cbor.IndefLengthForbidden,
		MaxNestedLevels: maxCBORDepth, MaxArrayElements: maxCBORElements, MaxMapPairs: maxCBORElements,
		DefaultMapType: reflect.TypeFor[map[uint64]any](),
	}.DecMode()
	if err != nil {
		return err // unreachable: the options are constant
	}
	return mode.Unmarshal(data, to)
}

// encodeCBOR encodes values of our own types, which cannot fail.
func encodeCBOR(v any) []byte {
	mode, err := cbor.CoreDetEncOptions().EncMode()
	if err != nil {
		panic(err)
	}
	data, err := mode.Marshal(v)
	if err != nil {
		panic(err)
	}
	return data
}

// tagged is a value with one of the two tags of a type of BCR-2020-006: the tag of version 1,
// or the same plus 40000 for version 2.
const tagsV2 = 40000

// untag returns the content of a value with a tag of version 1 or 2.
func untag(v any, number uint64) (any, bool) {
	tag, ok := v.(cbor.Tag)
	if !ok || tag.Number != number && tag.Number != number+tagsV2 {
		return nil, false
	}
	return tag.Content, true
}

// uint32At returns the number at a key of a map; 0 if the key is missing.
func uint32At(m map[uint64]any, key uint64) (uint32, bool) {
	v, has := m[key]
	if !has {
		return 0, true
	}
	n, ok := v.(uint64)
	if !ok || n > math.MaxUint32 {
		return 0, false
	}
	return uint32(n), true
}
