package qrcodec

import (
	"encoding/hex"
	"regexp"
	"strconv"
	"strings"

	"github.com/fxamacker/cbor/v2"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/text"
)

// Tags of the functions of descriptors (BCR-2020-010).
const (
	tagSh, tagWsh, tagPk, tagPkh, tagWpkh, tagCombo = 400, 401, 402, 403, 404, 405
	tagMulti, tagSortedMulti, tagTr, tagCosigner    = 406, 407, 409, 410
)

var functions = map[uint64]string{
	tagSh: "sh", tagWsh: "wsh", tagPk: "pk", tagPkh: "pkh", tagWpkh: "wpkh", tagCombo: "combo",
	tagMulti: "multi", tagSortedMulti: "sortedmulti", tagTr: "tr", tagCosigner: "cosigner",
}

// maxKeys is the maximum number of keys of a multisig script.
const maxKeys = 20

// defaultChildren follows a key whose children are not specified.
const defaultChildren = "/<0;1>/*"

// descriptorDecoder builds the text of a descriptor.
type descriptorDecoder struct {
	master uint32 // fingerprint for keys without one
	text   strings.Builder
	keys   []string
	name   string // of the descriptor
	named  string // the name of its last key
}

// expression decodes a script or key expression of version 1.
func (d *descriptorDecoder) expression(v any) error {
	tag, ok := v.(cbor.Tag)
	if !ok {
		return badStructure()
	}
	if tag.Number == tagHDKey || tag.Number == tagECKey || tag.Number == tagHDKey+tagsV2 || tag.Number == tagECKey+tagsV2 {
		return d.key(tag, true)
	}
	function, known := functions[tag.Number]
	if !known {
		return unsupported("is a descriptor of a kind that is not supported, such as an address or a raw script")
	}
	d.text.WriteString(function + "(")
	var err error
	switch tag.Number {
	case tagMulti, tagSortedMulti:
		err = d.multisig(tag.Content)
	case tagCosigner:
		key, isTag := tag.Content.(cbor.Tag)
		if !isTag {
			return badStructure()
		}
		err = d.key(key, false)
	default:
		err = d.expression(tag.Content)
	}
	d.text.WriteByte(')')
	return err
}

// multisig decodes the arguments of multi or sortedmulti.
func (d *descriptorDecoder) multisig(v any) error {
	m, ok := v.(map[uint64]any)
	if !ok {
		return badStructure()
	}
	required, okRequired := uint32At(m, 1)
	keys, okKeys := m[2].([]any)
	if !okRequired || !okKeys || len(keys) == 0 || len(keys) > maxKeys {
		return badStructure()
	}
	d.text.WriteString(strconv.FormatUint(uint64(required), 10))
	for _, key := range keys {
		tag, isTag := key.(cbor.Tag)
		if !isTag {
			return badStructure()
		}
		d.text.WriteByte(',')
		if err := d.key(tag, true); err != nil {
			return err
		}
	}
	return nil
}

// key decodes a key expression. If the children of a key are not specified, it adds the
// usual ones if withChildren is set.
func (d *descriptorDecoder) key(tag cbor.Tag, withChildren bool) error {
	if content, ok := untag(tag, tagHDKey); ok {
		k, err := decodeHDKey(content, d.master)
		if err != nil {
			return err
		}
		d.keys, d.named = append(d.keys, k.text), k.name
		if k.children == "" && withChildren {
			k.children = defaultChildren
		}
		d.text.WriteString(k.text + k.children)
		return nil
	}
	content, ok := untag(tag, tagECKey)
	m, isMap := content.(map[uint64]any)
	if !ok || !isMap {
		return unsupported("is a descriptor with a key of a kind that is not supported")
	}
	data, isBytes := m[3].([]byte)
	switch {
	case m[2] == true, isPrivate(data):
		return btc.ErrPrivateKey
	case !isBytes || len(data) != 33 && len(data) != 65:
		return badStructure()
	}
	d.keys = append(d.keys, hex.EncodeToString(data))
	d.text.WriteString(hex.EncodeToString(data))
	return nil
}

var placeholder = regexp.MustCompile(`@[0-9]+`)

// source decodes a descriptor of version 3: its text with placeholders for the keys.
func (d *descriptorDecoder) source(v any) error {
	m, _ := v.(map[uint64]any)
	source, ok := m[1].(string)
	if !ok || source == "" {
		return badStructure()
	}
	if name, ok := m[3].(string); ok {
		d.name = text.Clean(name)
	}
	keys, _ := m[2].([]any)
	if len(keys) > maxKeys || len(placeholder.FindAllStringIndex(source, maxKeys+1)) > maxKeys {
		return badStructure()
	}
	end := 0
	for _, at := range placeholder.FindAllStringIndex(source, -1) {
		n, err := strconv.Atoi(source[at[0]+1 : at[1]])
		if err != nil || n >= len(keys) {
			return badStructure()
		}
		tag, isTag := keys[n].(cbor.Tag)
		if !isTag {
			return badStructure()
		}
		before := source[end:at[0]]
		d.text.WriteString(before)
		withChildren := !strings.HasSuffix(before, cosignerForm) && !strings.HasPrefix(source[at[1]:], "/")
		if err := d.key(tag, withChildren); err != nil {
			return err
		}
		end = at[1]
	}
	d.text.WriteString(source[end:])
	return nil
}
