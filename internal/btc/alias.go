package btc

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxAlias is the length of an alias in characters.
const maxAlias = 64

// Alias returns the name by which a wallet or a device is known in paths, made
// of the one that its owner gave it, by Specter Desktop's rule: spaces and "-"
// become "_", and runs of "_" one; only letters, numbers and "_" are kept, in
// lower case. It has at most 64 characters, and may be empty. "Vault 2/3 - Fam"
// becomes "vault_23_fam". Unlike there, each letter becomes one letter, which
// makes a difference for İ, and for Σ at the end of a word.
func Alias(name string) string {
	var b strings.Builder
	length, separated := 0, false
	for _, r := range strings.TrimSpace(name) {
		isSeparator := r == ' ' || r == '-' || r == '_'
		switch {
		case isSeparator && separated:
			continue
		case isSeparator:
			r = '_'
		case !unicode.IsLetter(r) && !unicode.IsNumber(r):
			r = -1
		}
		// A character that is dropped still ends a run, as in Specter Desktop.
		separated = isSeparator
		if r < 0 {
			continue
		}
		if length == maxAlias {
			break
		}
		b.WriteRune(unicode.ToLower(r))
		length++
	}
	return b.String()
}

// IsAlias reports whether Alias can make this of a name: small letters, numbers and
// "_", also several in a row, which it makes of "Tom & Jerry".
func IsAlias(text string) bool {
	return text != "" && utf8.RuneCountInString(text) <= maxAlias &&
		!strings.ContainsFunc(text, func(r rune) bool { return r != '_' && Alias(string(r)) != string(r) })
}
