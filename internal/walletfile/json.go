package walletfile

import (
	"regexp"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
)

// object is a JSON object.
type object map[string]any

var arrayStart = regexp.MustCompile(`^\[\s*[\[{"\]]`)

// isJSONArray distinguishes a JSON array from a key with its origin in brackets.
func isJSONArray(text string) bool { return arrayStart.MatchString(text) }

// readJSON detects the format of a JSON document and reads it.
func (d *draft) readJSON(text string) {
	var value any
	if json.Unmarshal([]byte(text), &value) != nil {
		d.err = fault.InvalidAs(ErrFile.Code, field, "begins like JSON, but is not well-formed; it may be incomplete, or have a field twice")
		return
	}
	if holdsPrivate(value) {
		d.err = errPrivate
		return
	}
	if all, ok := value.([]any); ok {
		value = map[string]any{"descriptors": all}
	}
	fields, ok := value.(map[string]any)
	if !ok {
		d.err = ErrUnknownFormat
		return
	}
	o := object(fields)
	for _, f := range jsonFormats {
		if f.has(o) {
			d.format = f.format
			f.read(d, o)
			return
		}
	}
	d.err = ErrUnknownFormat
}

// jsonFormats are the JSON formats, by the fields that distinguish them.
var jsonFormats = []struct {
	format Format
	has    func(o object) bool
	read   func(d *draft, o object)
}{
	{Core, func(o object) bool { return o.isList("descriptors") }, (*draft).readCore},
	{Specter, with("recv_descriptor"), (*draft).readSpecter},
	{Policy, with("descriptor_template"), (*draft).readPolicy},
	{Caravan, with("extendedPublicKeys", "quorum"), (*draft).readCaravan},
	{Sparrow, with("keystores"), (*draft).readSparrow},
	{Electrum, with("wallet_type"), (*draft).readElectrum},
	{AccountMap, with("descriptor"), (*draft).readAccountMap},
	{Coldcard, func(o object) bool { return with("xfp")(o) && o.hasAny("bip44", "bip49", "bip84", "bip86") }, (*draft).readColdcard},
	{ColdcardKeys, func(o object) bool {
		return with("xfp")(o) && o.hasAny("p2wsh", "p2sh_p2wsh", "p2wsh_p2sh", "p2sh")
	}, (*draft).readColdcardKeys},
	{AccountKey, with("ExtPubKey"), (*draft).readAccountKey},
	{SpecterDevice, func(o object) bool { return o.isList("keys") }, (*draft).readSpecterDevice},
}

// with returns a function that reports whether an object has all of these fields.
func with(names ...string) func(object) bool {
	return func(o object) bool {
		return !slices.ContainsFunc(names, func(name string) bool { return o[name] == nil })
	}
}

func (o object) hasAny(names ...string) bool {
	return slices.ContainsFunc(names, func(name string) bool { return o[name] != nil })
}

func (o object) isList(name string) bool {
	_, ok := o[name].([]any)
	return ok
}

// text returns a text field without surrounding white space; empty if it is missing or has
// another type.
func (o object) text(name string) string {
	s, _ := o[name].(string)
	return strings.TrimSpace(s)
}

// number returns a whole number in a field, or fallback.
func (o object) number(name string, fallback int) int {
	const most = 1 << 53
	n, ok := o[name].(float64)
	if !ok || n != float64(int(n)) || n < -most || n > most {
		return fallback
	}
	return int(n)
}

func (o object) child(name string) object {
	c, _ := o[name].(map[string]any)
	return c
}

// children returns the objects in a list. Other values in it become empty objects, so that
// they are reported as incomplete.
func (o object) children(name string) []object {
	list, _ := o[name].([]any)
	all := make([]object, len(list))
	for i, v := range list {
		all[i], _ = v.(map[string]any)
	}
	return all
}

// need returns a required text field of an element of the file, such as "key 2".
func (d *draft) need(o object, name, of string) string {
	s := o.text(name)
	if s == "" {
		d.problem("is incomplete: %s%s is missing or not a text", of, name)
	}
	return s
}

// secretNames are the names of fields with private data, in lower case and without
// separators. A file in which one has a value is refused, even if the value is encrypted.
var secretNames = []string{
	"seed", "seeds", "seedphrase", "seedwords", "mnemonic", "mnemonics", "mnemonicstring", "mnemonicwords", "recoveryphrase", "words", "bip39", "entropy",
	"xprv", "tprv", "yprv", "zprv", "xpriv", "tpriv", "wif", "privatekey", "privatekeys", "privkey", "privkeys", "secretkey", "secret", "passphrase", "hdseed",
	"masterprivatekey", "masterprivateextendedkey", "extendedprivatekey", "bip32xprv", "keypairs",
}

var separators = strings.NewReplacer("_", "", "-", "", " ", "")

// holdsPrivate reports whether a JSON value contains private data, by the names of fields and
// by the decoded texts. The names of devices may look like seed words.
func holdsPrivate(value any) bool {
	switch v := value.(type) {
	case string:
		return btc.HoldsPrivateKey(v)
	case []any:
		return isSeed(v) || slices.ContainsFunc(v, holdsPrivate)
	case map[string]any:
		for name, e := range v {
			list, _ := e.([]any)
			isNames := list != nil && strings.EqualFold(name, "devices")
			switch {
			case btc.HoldsPrivateKey(name),
				!isEmpty(e) && slices.Contains(secretNames, separators.Replace(strings.ToLower(name))),
				isNames && slices.ContainsFunc(list, holdsPrivate),
				!isNames && holdsPrivate(e):
				return true
			}
		}
	}
	return false
}

// isSeed reports whether a list has the length of a seed, and texts that look like seed words.
func isSeed(list []any) bool {
	if len(list) < 12 || len(list) > 24 || len(list)%3 != 0 {
		return false
	}
	words := make([]string, len(list))
	for i, v := range list {
		words[i], _ = v.(string)
	}
	return btc.HoldsPrivateKey(strings.Join(words, " "))
}

func isEmpty(value any) bool {
	switch v := value.(type) {
	case nil:
		return true
	case bool:
		return true // such as "seed": false, which has no key
	case string:
		return strings.TrimSpace(v) == ""
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	}
	return false
}
