package btc

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxAlias is the maximum length of an alias in characters.
const maxAlias = 64

// Alias derives the name of a wallet or a device in paths from its display name, by
// Specter Desktop's rule: spaces and "-" become "_", and a run of these becomes a single
// "_"; only letters, numbers and "_" are kept, in lower case. The result has at most 64
// characters, and may be empty. "Vault 2/3 - Fam" becomes "vault_23_fam". Unlike Specter
// Desktop, it maps each letter to one letter; the results differ for İ, and for Σ at the
// end of a word.
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
		// A dropped character still ends a run, as in Specter Desktop.
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

// IsAlias reports whether text can be a non-empty result of Alias: 1 to 64 lower-case
// letters, numbers and "_". Several "_" in a row are possible: the alias of "Tom & Jerry"
// is "tom__jerry".
func IsAlias(text string) bool {
	return text != "" && utf8.RuneCountInString(text) <= maxAlias &&
		!strings.ContainsFunc(text, func(r rune) bool { return r != '_' && Alias(string(r)) != string(r) })
}
