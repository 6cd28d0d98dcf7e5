package wallet

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
)

// The longest texts, in characters. BIP-329 suggests 255 for labels.
const (
	maxName  = 64
	maxLabel = 255
)

// checkName is the rule for names of wallets: 1 to 64 characters that can be
// seen, and no space at the ends.
func checkName(name string) error {
	switch {
	case name == "":
		return fault.InvalidField("name", "has to be 1 to %d characters long", maxName)
	case strings.TrimSpace(name) != name:
		return fault.InvalidField("name", "must not begin or end with a space")
	}
	return checkText("name", name, maxName)
}

// CheckLabel returns a fault about a field unless a text can be a label.
func CheckLabel(field, label string) error { return checkText(field, label, maxLabel) }

// FitName returns what can be a name of a text that may be none, and FitLabel what
// can be a label: what cannot be seen becomes a space, and what is too long is cut.
// Nothing may be left.
func FitName(text string) string { return fit(text, maxName) }

// FitLabel is as FitName is.
func FitLabel(text string) string { return fit(text, maxLabel) }

func fit(text string, most int) string {
	text = strings.TrimSpace(strings.Map(func(r rune) rune {
		if isUnseen(r) {
			return ' '
		}
		return r
	}, text))
	if runes := []rune(text); len(runes) > most {
		text = strings.TrimSpace(string(runes[:most]))
	}
	return text
}

func checkText(field, text string, most int) error {
	switch {
	case !utf8.ValidString(text):
		return fault.InvalidField(field, "has to be UTF-8 text")
	case utf8.RuneCountInString(text) > most:
		return fault.InvalidField(field, "must not be longer than %d characters", most)
	case strings.ContainsFunc(text, isUnseen):
		return fault.InvalidField(field, "has a character that cannot be seen, such as a line break")
	}
	return nil
}

func isUnseen(r rune) bool { return !unicode.IsGraphic(r) && r != zeroWidthJoiner }

// zeroWidthJoiner makes one emoji of several.
const zeroWidthJoiner = '\u200d'

// checkAlias is the rule for aliases: what Specter's rule can make of a name.
func checkAlias(alias string) error {
	if n := utf8.RuneCountInString(alias); n == 0 || n > maxName {
		return fault.InvalidField("alias", "has to be 1 to %d characters long", maxName)
	}
	if !btc.IsAlias(alias) {
		return fault.InvalidField("alias", "may have small letters, digits and underscores only")
	}
	return nil
}

// aliasFor returns the alias that a wallet of this name gets: the one that is
// asked for, or what Specter's rule makes of the name.
func aliasFor(name, asked string) (string, error) {
	if asked != "" {
		return asked, checkAlias(asked)
	}
	alias := btc.Alias(name)
	if alias == "" || checkAlias(alias) != nil {
		return "", fault.InvalidField("alias", "is needed, since the name has no letters or digits to make one of")
	}
	return alias, nil
}

// numberedAlias returns the alias to try as the nth, from 1 on, so that names
// that are alike stay apart.
func numberedAlias(alias string, n int) string {
	if n == 1 {
		return alias
	}
	suffix := "_" + strconv.Itoa(n)
	runes := []rune(alias)
	return strings.TrimRight(string(runes[:min(len(runes), maxName-len(suffix))]), "_") + suffix
}
