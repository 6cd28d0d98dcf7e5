// Package text validates the characters of names, labels and descriptions, and
// escapes text for terminals. Valid text has no control characters, no characters
// that change the direction of text, and no invisible characters except the ones that
// a script or an emoji requires.
package text

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	zeroWidthNonJoiner = '\u200c'
	zeroWidthJoiner    = '\u200d'
)

const refused = "must not contain control characters, invisible characters or marks of text direction"

// joiningScripts are written with joiners (RFC 5892, appendix A.1 and A.2).
var joiningScripts = []*unicode.RangeTable{
	unicode.Arabic, unicode.Syriac, unicode.Mandaic, unicode.Nko, unicode.Mongolian, unicode.Phags_Pa,
	unicode.Devanagari, unicode.Bengali, unicode.Gurmukhi, unicode.Gujarati, unicode.Oriya, unicode.Tamil,
	unicode.Telugu, unicode.Kannada, unicode.Malayalam, unicode.Sinhala, unicode.Khmer, unicode.Myanmar, unicode.Tibetan,
}

// Problem returns the reason why a label, a description or the name of a wallet is
// invalid, or an empty string.
func Problem(s string) string {
	if !utf8.ValidString(s) {
		return "must be UTF-8 text"
	}
	before := rune(-1)
	for i, r := range s {
		if isHidden(before, r, s[i+utf8.RuneLen(r):]) {
			return refused
		}
		before = r
	}
	return ""
}

// NameProblem is like Problem for names that are compared, such as user names. It also
// rejects the invisible characters that scripts and emoji require, so that no two names
// differ only in invisible characters.
func NameProblem(s string) string {
	if problem := Problem(s); problem != "" {
		return problem
	}
	if strings.ContainsFunc(s, isInvisible) {
		return refused
	}
	return ""
}

// Clean makes text from another program valid: line breaks and other control characters
// become spaces, other characters that Problem rejects are removed, and bytes that are
// not UTF-8 become U+FFFD.
func Clean(s string) string {
	if Problem(s) == "" {
		return s
	}
	s = strings.ToValidUTF8(s, "\ufffd")
	var b strings.Builder
	before := rune(-1)
	for i, r := range s {
		switch {
		case !isHidden(before, r, s[i+utf8.RuneLen(r):]):
			before = r
		case unicode.IsControl(r) || isSeparator(r):
			before = ' '
		default:
			continue
		}
		b.WriteRune(before)
	}
	return b.String()
}

// isHidden reports whether Problem rejects the character r, given the preceding
// character and the following text.
func isHidden(before, r rune, rest string) bool {
	switch {
	case r >= ' ' && r <= '~':
		return false
	case r == zeroWidthNonJoiner:
		return !isJoining(before)
	case r == zeroWidthJoiner:
		return !isJoining(before) && !joinsEmoji(before, rest)
	case unicode.Is(unicode.Variation_Selector, r):
		return !hasVariants(before)
	case unicode.Is(unicode.Prepended_Concatenation_Mark, r): // is visible, unlike other format characters
		return false
	}
	return isInvisible(r) || isSeparator(r) || unicode.In(r, unicode.Cc, unicode.Co, unicode.Cs, unicode.Noncharacter_Code_Point)
}

func isSeparator(r rune) bool { return unicode.In(r, unicode.Zl, unicode.Zp) }

// isInvisible reports whether a character has no width of its own.
func isInvisible(r rune) bool {
	return unicode.In(r, unicode.Cf, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point) &&
		!unicode.Is(unicode.Prepended_Concatenation_Mark, r) || r == '\u2800' // a Braille pattern without dots
}

// isJoining reports whether a joiner after r changes how the text is written.
func isJoining(r rune) bool {
	return r >= 0 && unicode.In(r, joiningScripts...) && unicode.In(r, unicode.L, unicode.M)
}

// joinsEmoji reports whether a zero-width joiner combines the preceding and the
// following character into one emoji.
func joinsEmoji(before rune, rest string) bool {
	after, _ := utf8.DecodeRuneInString(rest)
	return before >= 0 && (unicode.In(before, unicode.So, unicode.Sk) || before == '\ufe0f') && unicode.Is(unicode.So, after)
}

// hasVariants reports whether a variation selector after r can change its shape.
func hasVariants(r rune) bool {
	return r >= 0 && unicode.In(r, unicode.S, unicode.P, unicode.N, unicode.Han, unicode.Mongolian, unicode.Myanmar)
}

// Optional returns nil for an empty text.
func Optional(s string) *string {
	if s == "" {
		return nil
	}
	return new(s)
}

// Count returns a number with a noun in the singular or, by adding s, in the plural: "1
// token", "2 tokens".
func Count[N ~int | ~int64](n N, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}

// List joins two or more texts, the last one with a conjunction: "a, b and c".
func List(texts []string, conjunction string) string {
	last := len(texts) - 1
	return strings.Join(texts[:last], ", ") + " " + conjunction + " " + texts[last]
}
