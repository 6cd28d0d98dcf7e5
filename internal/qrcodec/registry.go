package qrcodec

import (
	"bytes"
	"slices"
	"strings"

	"github.com/specterd/specterd/internal/btc"
)

// Types of Uniform Resources (BCR-2020-006). Version 2 has other names and tags for the same
// content, except for output descriptors.
const (
	typeBytes         = "bytes"
	typePSBT          = "crypto-psbt"
	typeHDKey         = "crypto-hdkey"
	typeOutput        = "crypto-output"
	typeAccount       = "crypto-account"
	typeMultiAccounts = "crypto-multi-accounts" // of Keystone
	typeOutputV3      = "output-descriptor"
)

// typesV2 are the names of version 2.
var typesV2 = map[string]string{"psbt": typePSBT, "hdkey": typeHDKey, "account-descriptor": typeAccount}

// secretTypes are the types that contain a private key, seed words or a share of them.
var secretTypes = []string{"crypto-seed", "seed", "crypto-sskr", "sskr", "crypto-bip39", "crypto-slip39", "crypto-prvkeys", "crypto-prvkey-base", "ssh-private"}

// supportedType returns an error for a type that Content does not decode.
func supportedType(urType string) error {
	if slices.Contains(secretTypes, urType) {
		return btc.ErrPrivateKey
	}
	switch v1(urType) {
	case typeBytes, typePSBT, typeHDKey, typeOutput, typeAccount, typeMultiAccounts, typeOutputV3:
		return nil
	}
	return unsupported("is a Uniform Resource of a type that is not supported; supported are bytes, psbt, hdkey, output-descriptor, account-descriptor, their names with crypto-, and crypto-multi-accounts")
}

// v1 returns the name of a type in version 1.
func v1(urType string) string {
	if name, ok := typesV2[urType]; ok {
		return name
	}
	return urType
}

// PSBTResource returns the resource of the type crypto-psbt for a PSBT in binary. Devices
// also accept this type that do not know its new name psbt.
func PSBTResource(psbt []byte) Resource { return Resource{typePSBT, encodeCBOR(psbt)} }

// Content decodes the resource.
func (r Resource) Content() (Content, error) {
	if err := supportedType(r.Type); err != nil {
		return Content{}, err
	}
	var v any
	if err := decodeCBOR(r.CBOR, &v); err != nil {
		return Content{}, malformed("does not contain well-formed CBOR")
	}
	var outputs []Output
	var err error
	switch v1(r.Type) {
	case typeBytes, typePSBT:
		data, ok := v.([]byte)
		if !ok {
			return Content{}, malformed("does not contain a byte string")
		}
		if v1(r.Type) == typePSBT {
			return checked(PSBT, data)
		}
		return checked(Bytes, data)
	case typeHDKey:
		outputs, err = keyOutputs([]any{v}, 0)
	case typeOutput, typeOutputV3:
		outputs, err = outputsOf([]any{v}, 0)
	case typeAccount, typeMultiAccounts:
		outputs, err = accountOutputs(v, v1(r.Type) == typeMultiAccounts)
	}
	return Content{Kind: Outputs, Outputs: outputs}, err
}

// accountOutputs decodes an account (BCR-2020-015, BCR-2023-019), or several keys of a
// device.
func accountOutputs(v any, isKeys bool) ([]Output, error) {
	m, ok := v.(map[uint64]any)
	if !ok {
		return nil, badStructure()
	}
	master, okMaster := uint32At(m, 1)
	elements, okElements := m[2].([]any)
	if !okMaster || !okElements || len(elements) == 0 {
		return nil, badStructure()
	}
	if isKeys {
		return keyOutputs(elements, master)
	}
	return outputsOf(elements, master)
}

func badStructure() error {
	return malformed("contains a structure that does not follow BCR-2020-007, BCR-2020-010, BCR-2020-015 or BCR-2023-010")
}

// keyOutputs decodes keys. The fingerprint of the master key is for keys without one; 0 if it
// is unknown.
func keyOutputs(elements []any, master uint32) ([]Output, error) {
	outputs := make([]Output, 0, len(elements))
	for _, element := range elements {
		if content, ok := untag(element, tagHDKey); ok {
			element = content
		}
		k, err := decodeHDKey(element, master)
		if err != nil {
			return nil, err
		}
		outputs = append(outputs, Output{Keys: []string{k.text}, Name: k.name})
	}
	return outputs, nil
}

// outputsOf decodes output descriptors of version 1 (BCR-2020-010) or 3 (BCR-2023-010).
func outputsOf(elements []any, master uint32) ([]Output, error) {
	outputs := make([]Output, 0, len(elements))
	for _, element := range elements {
		if content, ok := untag(element, tagOutput); ok {
			element = content
		}
		d := descriptorDecoder{master: master}
		decode := d.expression
		if _, isMap := element.(map[uint64]any); isMap {
			decode = d.source
		}
		if err := decode(element); err != nil {
			return nil, err
		}
		outputs = append(outputs, d.output())
	}
	return outputs, nil
}

// output returns the decoded descriptor.
func (d *descriptorDecoder) output() Output {
	text := d.text.String()
	o := Output{Descriptor: text, Keys: d.keys, Name: d.name}
	if o.Name == "" && len(d.keys) == 1 {
		o.Name = d.named
	}
	for _, f := range scriptForms {
		if rest, ok := strings.CutPrefix(text, f.open); ok && strings.HasPrefix(rest, f.inner) {
			o.Script, o.Cosigner = f.script, f.inner == cosignerForm
			break
		}
	}
	if o.Cosigner {
		o.Descriptor = ""
	}
	return o
}

const cosignerForm = "cosigner("

// scriptForms are the beginnings of descriptors of the script types.
var scriptForms = []struct {
	open, inner string
	script      btc.Script
}{
	{"pkh(", "", btc.PKH},
	{"wpkh(", "", btc.WPKH},
	{"tr(", "", btc.TR},
	{"sh(wpkh(", "", btc.ShWPKH},
	{"sh(wsh(", cosignerForm, btc.ShWSh},
	{"sh(wsh(", "multi(", btc.ShWSh},
	{"sh(wsh(", "sortedmulti(", btc.ShWSh},
	{"sh(", cosignerForm, btc.Sh},
	{"sh(", "multi(", btc.Sh},
	{"sh(", "sortedmulti(", btc.Sh},
	{"wsh(", cosignerForm, btc.WSh},
	{"wsh(", "multi(", btc.WSh},
	{"wsh(", "sortedmulti(", btc.WSh},
}

// isPrivate reports whether key data is a private key.
func isPrivate(data []byte) bool { return len(data) == 32 || bytes.HasPrefix(data, []byte{0}) }
