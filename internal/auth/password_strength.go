package auth

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/trustelem/zxcvbn"
	"github.com/trustelem/zxcvbn/match"
)

// minScore is zxcvbn's score 3 of 4: an attacker who knows common patterns needs at
// least 10⁸ guesses, which takes months for a stolen hash with bcrypt cost 12 on
// one processor.
const minScore = 3

// maxEstimated is the maximum number of bytes whose strength is estimated at once,
// because the time grows with the square of the length. A longer password is split
// into parts, and the strongest part counts.
const maxEstimated = 36

// productWords are words related to the product, which attackers try first.
var productWords = []string{"specter", "specterd", "specter desktop", "bitcoin", "satoshi", "nakamoto", "wallet", "hodl", "knots", "admin", "btc"}

// maxKnownWords is the maximum number of words. It limits the time of an estimate
// for a user with many wallets.
const maxKnownWords = 1000

// weaknessOf explains why a password is easy to guess; it returns an empty string
// if it is not. It estimates the number of guesses with lists of common passwords,
// words and names, and the given words.
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

// cut returns the length in bytes of the first part of a text, which is at most
// maxEstimated and ends at a character boundary.
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

// wordsOf returns the variants of the texts that attackers try: each text, the text
// without separators, and its words.
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

// explain describes the weakness of a password by the longest pattern that was
// found in it. It does not repeat the password.
func explain(found []*match.Match) string {
	longest := &match.Match{}
	for _, m := range found {
		if m.Pattern != "bruteforce" && len(m.Token) > len(longest.Token) {
			longest = m
		}
	}
	switch longest.Pattern {
	case "dictionary":
		// The list in which zxcvbn finds a word first is random, so the message
		// names no list.
		return "it consists of common passwords or words, or of names known here, such as the names of the user, of the user's own wallets, of this host or of the program"
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
