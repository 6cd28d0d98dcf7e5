package datadir

import (
	"fmt"

	"github.com/go-json-experiment/json/jsontext"
)

// Device is a signing device.
type Device struct {
	Path  string // of its file, relative to the directory
	Alias string // the name of its file without .json
	Name  string
	Type  string // such as coldcard; see Specter Desktop
	Keys  []Key
}

// Key is an extended public key of a device or a wallet, unchanged from the file.
type Key struct {
	Original    string // the format that was imported: xpub, zpub, Vpub, …
	XPub        string // the same key in the format xpub or tpub
	Fingerprint string
	Derivation  string
	Type        string // empty, wpkh, sh-wpkh, wsh, sh-wsh or tr
	Purpose     string
}

// Devices reads the devices of a user for all chains.
func (f *Folder) Devices(u User) []Device {
	if !u.HasFolders {
		return nil
	}
	folder := "devices" + u.Folder
	entries := f.list(folder)
	var devices []Device
	for _, alias := range jsonFiles(entries) {
		path := join(folder, alias+".json")
		f.read(path, maxDeviceBytes, func(text []byte) ([]string, error) {
			o, err := parseObject(text)
			if err != nil {
				return nil, err
			}
			d := Device{Path: path, Alias: alias}
			d.Name = o.name(alias)
			o.optional("type", &d.Type)
			d.Keys = o.keys()
			if o.err == nil {
				devices = append(devices, d)
			}
			return o.warnings, o.err
		})
	}
	return devices
}

// maxName is the maximum length of a name in bytes.
const maxName = 1000

// name returns the display name. For a missing or invalid name, it returns the value of
// the parameter otherwise. An invalid name also adds a warning.
func (o *object) name(otherwise string) string {
	var name string
	o.optional("name", &name)
	if len(name) > maxName || !IsPrintable(name) {
		o.warn("name", "is too long or has unprintable characters; the name of the file is used")
		return otherwise
	}
	if name == "" {
		return otherwise
	}
	return name
}

// keys reads the required field "keys". It skips damaged keys with a warning.
func (o *object) keys() []Key {
	var values []jsontext.Value
	o.required("keys", &values)
	var keys []Key
	for i, value := range values {
		field := fmt.Sprintf("key %d", i+1)
		k, err := parseObject(value)
		if err != nil {
			o.warn(field, "has the wrong type; skipped")
			continue
		}
		var key Key
		for name, into := range map[string]*string{
			"original": &key.Original, "xpub": &key.XPub, "fingerprint": &key.Fingerprint,
			"derivation": &key.Derivation, "type": &key.Type, "purpose": &key.Purpose,
		} {
			k.optional(name, into)
			if len(*into) > maxName || !IsPrintable(*into) {
				*into = ""
				k.warn(name, "is too long or has unprintable characters; skipped")
			}
		}
		if len(k.warnings) > 0 {
			o.warn(field, "has invalid fields; they are skipped")
		}
		if key.XPub == "" && key.Original == "" {
			o.warn(field, "has no key; skipped")
			continue
		}
		keys = append(keys, key)
	}
	return keys
}
