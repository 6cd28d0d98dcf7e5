package auth

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/trustelem/zxcvbn"
	"github.com/trustelem/zxcvbn/match"
)

// minScore is zxcvbn's 3 of 4: at least 10⁸ guesses by somebody who knows how
// passwords are made, which takes months with a stolen hash of bcrypt's cost 12
// and one processor.
const minScore = 3

// maxEstimated is how many bytes of a password are estimated at once, because the
// time grows with their square. A password is as good as the better of its parts.
const maxEstimated = 36

// productWords are what an attacker tries first here.
var productWords = []string{"specter", "specterd", "specter desktop", "bitcoin", "satoshi", "nakamoto", "wallet", "hodl", "knots", "admin", "btc"}

// maxKnownWords bounds what a user's wallets add to the time of an estimate.
const maxKnownWords = 1000

// weaknessOf says why a password is easy to guess, or nothing if it is not. It
// estimates the number of guesses with lists of common passwords, words and names,
// and the given words.
func weaknessOf(password string, known []string) string {
	words := wordsOf(append(productWords[:len(productWords):len(productWords)], known...))
	weakness := ""
	for rest := password; rest != ""; {
		part := rest[:cut(rest)]
		rest = rest[len(part):]
		r := zxcvbn.PasswordStrength(part, words)
		if r.Score >= minScore {
			return ""
		}
		if weakness == "" {
			weakness = explain(r.Sequence)
		}
	}
	return weakness
}

// cut returns the length of the first part of a text, of whole characters.
func cut(text string) int {
	if len(text) <= maxEstimated {
		return len(text)
	}
	length := maxEstimated
	for !utf8.RuneStart(text[length]) {
		length--
	}
	return length
}

// wordsOf returns texts as an attacker tries them: in whole, without what separates
// their words, and in words.
func wordsOf(texts []string) []string {
	separates := func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }
	var words []string
	for _, text := range texts {
		text = strings.ToLower(text)
		parts := strings.FieldsFunc(text, separates)
		words = append(words, text)
		if len(parts) > 1 {
			words = append(append(words, strings.Join(parts, "")), parts...)
		}
		if len(words) >= maxKnownWords {
			break
		}
	}
	return words
}

// explain says what is weak about a password, by the longest part that was found
// in it. It does not repeat the password.
func explain(found []*match.Match) string {
	longest := &match.Match{}
	for _, m := range found {
		if m.Pattern != "bruteforce" && len(m.Token) > len(longest.Token) {
			longest = m
		}
	}
	switch longest.Pattern {
	case "dictionary":
		// Which list a word is found in first is not always the same.
		return "it consists of common passwords or words, or of names that are known here, such as those of the user, of a wallet, of this host or of the program"
	case "spatial":
		return "it consists of keys that are next to each other"
	case "repeat":
		return "it repeats itself"
	case "sequence":
		return "it contains a sequence such as abc or 6543"
	case "regex", "date":
		return "it contains a date or a year"
	}
	return "it is too short"
}
