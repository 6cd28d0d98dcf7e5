package wallet

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/text"
)

// Maximum lengths of texts, in characters. BIP-329 suggests 255 for labels.
const (
	maxName  = 64
	maxLabel = 255
)

// checkName validates a wallet name: 1 to 64 visible characters, without leading or
// trailing spaces.
func checkName(name string) error { return checkNameAs("name", name) }

// checkNameAs validates the name in a field as checkName does.
func checkNameAs(field, name string) error {
	switch {
	case name == "":
		return fault.InvalidField(field, "must be 1 to %d characters long", maxName)
	case strings.TrimSpace(name) != name:
		return fault.InvalidField(field, "must not begin or end with a space")
	}
	return checkText(field, name, maxName)
}

// CheckLabel returns a fault about a field unless the text is valid as a label.
func CheckLabel(field, label string) error { return checkText(field, label, maxLabel) }

// FitName turns any text into a valid wallet name: it cleans the text (text.Clean)
// and truncates it if it is too long. The result may be empty.
func FitName(text string) string { return fit(text, maxName) }

// FitLabel is FitName for labels.
func FitLabel(text string) string { return fit(text, maxLabel) }

func fit(s string, most int) string {
	s = strings.TrimSpace(text.Clean(s))
	if runes := []rune(s); len(runes) > most {
		s = strings.TrimSpace(string(runes[:most]))
	}
	return text.Clean(s) // truncation may have left a joiner without the character that it joins
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

// checkAlias validates an alias: a text that Specter's rule can derive from a name.
func checkAlias(alias string) error {
	if n := utf8.RuneCountInString(alias); n == 0 || n > maxName {
		return fault.InvalidField("alias", "must be 1 to %d characters long", maxName)
	}
	if !btc.IsAlias(alias) {
		return fault.InvalidField("alias", "must consist of lower-case letters, digits and underscores")
	}
	if problem := text.NameProblem(alias); problem != "" {
		return fault.InvalidField("alias", "%s", problem)
	}
	return nil
}

// aliasFor returns the alias of a wallet of this name: the requested one, or the
// one that Specter's rule derives from the name.
func aliasFor(name, asked string) (string, error) {
	if asked != "" {
		return asked, checkAlias(asked)
	}
	alias := btc.Alias(name)
	if alias == "" || checkAlias(alias) != nil {
		return "", fault.InvalidField("alias", "is required, because the name has no letters or digits")
	}
	return alias, nil
}

// numberedAlias returns the nth alias to try, from 1 on, so that similar names get
// different aliases.
func numberedAlias(alias string, n int) string {
	if n == 1 {
		return alias
	}
	suffix := "_" + strconv.Itoa(n)
	runes := []rune(alias)
	return strings.TrimRight(string(runes[:min(len(runes), maxName-len(suffix))]), "_") + suffix
}
