package text

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Escape makes a text safe to print within a line of a terminal. Line breaks and
// characters that Problem rejects are escaped as in JSON (\u001b), and bytes that are
// not UTF-8 as \xff.
func Escape(s string) string {
	if Problem(s) == "" {
		return s
	}
	var b strings.Builder
	escape(&b, s, -1, func(rune) bool { return false })
	return b.String()
}

// escape writes s to b, and escapes hidden characters except those for which keep returns
// true. The argument before is the character before s, or -1 at the start. It returns
// the last character of s, or -1 if that was escaped.
func escape(b *strings.Builder, s string, before rune, keep func(rune) bool) rune {
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		valid := r != utf8.RuneError || size != 1
		if valid && (keep(r) || !isHidden(before, r, s[i+size:])) {
			b.WriteString(s[i : i+size])
			before = r
		} else {
			b.WriteString(escaped(r, s[i], valid))
			before = -1
		}
		i += size
	}
	return before
}

func escaped(r rune, first byte, valid bool) string {
	switch {
	case !valid:
		return fmt.Sprintf(`\x%02x`, first)
	case r > 0xffff:
		high, low := utf16.EncodeRune(r)
		return fmt.Sprintf(`\u%04x\u%04x`, high, low)
	}
	return fmt.Sprintf(`\u%04x`, r)
}

// NewWriter returns a writer that escapes text like Escape, except line breaks and tabs.
// An escaped JSON document decodes to the same value.
func NewWriter(w io.Writer) io.Writer { return &writer{w: w, before: -1} }

type writer struct {
	w       io.Writer
	pending []byte // the beginning of a character
	before  rune
}

func isLayout(r rune) bool { return r == '\n' || r == '\t' }

// Write implements io.Writer. A character may be split between calls.
func (e *writer) Write(p []byte) (int, error) {
	if len(e.pending) == 0 && isPlain(p) {
		e.before = -1
		return e.w.Write(p)
	}
	all := append(e.pending, p...) //nolint:gocritic // pending is set below
	whole := len(all) - incomplete(all)
	e.pending = append([]byte(nil), all[whole:]...)
	var b strings.Builder
	e.before = escape(&b, string(all[:whole]), e.before, isLayout)
	if _, err := io.WriteString(e.w, b.String()); err != nil {
		return 0, err
	}
	return len(p), nil
}

// isPlain reports whether p is ASCII that needs no escape, which most output is.
func isPlain(p []byte) bool {
	for _, c := range p {
		if (c < ' ' || c > '~') && !isLayout(rune(c)) {
			return false
		}
	}
	return true
}

// incomplete returns the length in bytes of the incomplete character at the end of p,
// or 0 if p ends with a complete one.
func incomplete(p []byte) int {
	for i := 1; i < utf8.UTFMax && i <= len(p); i++ {
		if last := p[len(p)-i:]; utf8.RuneStart(last[0]) {
			if utf8.FullRune(last) {
				return 0
			}
			return i
		}
	}
	return 0
}
