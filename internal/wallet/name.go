package wallet

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/text"
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
// can be a label: it is cleaned (text.Clean), and cut if it is too long. Nothing may
// be left.
func FitName(text string) string { return fit(text, maxName) }

// FitLabel is as FitName is.
func FitLabel(text string) string { return fit(text, maxLabel) }

func fit(s string, most int) string {
	s = strings.TrimSpace(text.Clean(s))
	if runes := []rune(s); len(runes) > most {
		s = strings.TrimSpace(string(runes[:most]))
	}
	return text.Clean(s) // the cut may have left a joiner without what it joins
}

func checkText(field, s string, most int) error {
	if utf8.RuneCountInString(s) > most {
		return fault.InvalidField(field, "must not be longer than %d characters", most)
	}
	if problem := text.Problem(s); problem != "" {
		return fault.InvalidField(field, "%s", problem)
	}
	return nil
}

// checkAlias is the rule for aliases: what Specter's rule can make of a name.
func checkAlias(alias string) error {
	if n := utf8.RuneCountInString(alias); n == 0 || n > maxName {
		return fault.InvalidField("alias", "has to be 1 to %d characters long", maxName)
	}
	if !btc.IsAlias(alias) {
		return fault.InvalidField("alias", "may have small letters, digits and underscores only")
	}
	if problem := text.NameProblem(alias); problem != "" {
		return fault.InvalidField("alias", "%s", problem)
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
