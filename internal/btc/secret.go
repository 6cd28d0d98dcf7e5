package btc

import (
	"strings"

	"github.com/btcsuite/btcd/btcutil/base58"

	"github.com/specterd/specterd/internal/fault"
)

// ErrPrivateKey is returned for text that contains a private key or seed words,
// well-formed or not.
var ErrPrivateKey = fault.InvalidAs("private_key", "key", "contains a PRIVATE KEY or seed words, which NEVER belong here. "+
	"If this was sent over a network, treat it as exposed: move its funds to new keys. Only extended public keys (xpub) are accepted")

const (
	base58Alphabet = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
	seedWords      = 12 // the minimum of BIP-39
	serializedKey  = 78 // bytes of an extended key (BIP-32), without the checksum
	keyByte        = 45 // offset of the key in an extended key
)

// HoldsPrivateKey reports whether a word of text looks like a private key, or
// twelve consecutive words look like seed words. It checks the format and not the
// checksums, since a mistyped secret is still a secret. Words are consecutive if
// only spaces, commas, semicolons, full stops or numbers are between them; the
// names and values of JSON are not.
func HoldsPrivateKey(text string) bool {
	isWord := func(c rune) bool { return c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' }
	isBreak := func(c rune) bool { return !isWord(c) && !strings.ContainsRune(" \t\r\n,;.", c) }
	for _, passage := range strings.FieldsFunc(text, isBreak) {
		seed := 0
		for _, word := range strings.FieldsFunc(passage, func(c rune) bool { return !isWord(c) }) {
			switch {
			case isExtendedPrivateKey(word), isWIF(word), isEncodedSecret(word):
				return true
			case isSeedWord(word):
				if seed++; seed == seedWords {
					return true
				}
			case strings.Trim(word, "0123456789") != "":
				seed = 0
			}
		}
	}
	return false
}

// isSeedWord reports whether a word could be in a word list of BIP-39: it has 3 to
// 8 letters, in lower case or all in upper case.
func isSeedWord(word string) bool {
	const lower = "abcdefghijklmnopqrstuvwxyz"
	return len(word) >= 3 && len(word) <= 8 && (strings.Trim(word, lower) == "" || strings.Trim(word, strings.ToUpper(lower)) == "")
}

// isEncodedSecret reports whether a word looks like an encrypted key (BIP-38), a seed in
// codex32 (BIP-93), or the numbers of 12 or 24 seed words, as in the QR codes of SeedSigner.
func isEncodedSecret(word string) bool {
	switch {
	case len(word) == 58 && strings.HasPrefix(word, "6P"):
		return strings.Trim(word, base58Alphabet) == ""
	case len(word) >= 48 && strings.EqualFold(word[:3], "ms1"):
		return true
	case len(word) == 4*seedWords || len(word) == 8*seedWords:
		return strings.Trim(word, "0123456789") == ""
	}
	return false
}

// isExtendedPrivateKey reports whether a word has the prefix xprv, tprv or a
// corresponding one of SLIP-132, or decodes to an extended private key with another
// version.
func isExtendedPrivateKey(word string) bool {
	if len(word) < 40 || len(word) > 120 {
		return false
	}
	if strings.HasPrefix(word[1:], "prv") && strings.IndexByte("xyzYZtuvUV", word[0]) >= 0 {
		return true
	}
	raw := base58.Decode(word)
	return len(raw) == serializedKey+4 && raw[keyByte] == 0
}

// isWIF reports whether a word looks like a key in the wallet import format, by its
// length and its first letter: 5, K and L on the main network, 9 and c on the others.
func isWIF(word string) bool {
	return (len(word) == 51 || len(word) == 52) && strings.IndexByte("5KL9c", word[0]) >= 0 && strings.Trim(word, base58Alphabet) == ""
}
