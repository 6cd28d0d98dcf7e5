package wallet

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/specterd/specterd/internal/fault"
)

func TestCheckName(t *testing.T) {
	t.Parallel()
	for name, ok := range map[string]bool{
		"Vault": true, "Ünser Tresor №2": true, "a b": true, "👨\u200d👩\u200d👧": true, strings.Repeat("ü", 64): true,
		"": false, " a": false, "a ": false, "a\n": false, "a\tb": false, "a\x00b": false, "\xff": false,
		"\u202eevil": false, strings.Repeat("ü", 65): false,
	} {
		t.Run(name, func(t *testing.T) {
			if err := checkName(name); (err == nil) != ok || err != nil && fault.KindOf(err) != fault.Invalid {
				t.Errorf("%q: %v", name, err)
			}
		})
	}
}

func TestCheckLabel(t *testing.T) {
	t.Parallel()
	for label, ok := range map[string]bool{
		"": true, "invoice 17": true, strings.Repeat("ß", 255): true,
		strings.Repeat("ß", 256): false, "two\nlines": false, "\xc3": false,
	} {
		t.Run(label, func(t *testing.T) {
			if err := CheckLabel("label", label); (err == nil) != ok {
				t.Errorf("%q: %v", label, err)
			}
		})
	}
}

// TestFit checks that the result is valid for every text.
func TestFit(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"Rent": "Rent", " a": "a", "a  b ": "a  b", "two\r\nlines": "two  lines", "\x00": "", "\u202eevil": "evil", "\xff": "\uFFFD",
		"👨\u200d👩": "👨\u200d👩", strings.Repeat("ß", 300): strings.Repeat("ß", 255), strings.Repeat("ß", 254) + " ßß": strings.Repeat("ß", 254),
	} {
		t.Run(text, func(t *testing.T) {
			got := FitLabel(text)
			if err := CheckLabel("label", got); got != want || err != nil {
				t.Errorf("%q: %q, %v", text, got, err)
			}
			if name := FitName(text); name != "" && checkName(name) != nil {
				t.Errorf("%q: %q, %v", text, name, checkName(name))
			}
		})
	}
}

func TestAliasFor(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, asked, want string }{ // an empty want means an error
		{"Vault 2/3 - Fam", "", "vault_23_fam"},
		{"Überweisung", "", "überweisung"},
		{"Vault", "mine_2", "mine_2"},
		{"Vault", "größe", "größe"},
		{"!!!", "", ""},
		{"!!!", "alarm", "alarm"},
		{"Vault", "Mine", ""},
		{"Vault", "my vault", ""},
		{"Vault", "my-vault", ""},
		{"Vault", "../x", ""},
		{"Vault", "a__b", "a__b"},
		{"Tom & Jerry", "", "tom__jerry"},
		{"Vault", "a_\u0301b", ""},
		{"Vault", "a\u3164b", ""}, // a letter that is invisible
		{"Vault", strings.Repeat("a", 65), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := aliasFor(c.name, c.asked)
			if err == nil && got != c.want || (err == nil) != (c.want != "") || err != nil && fault.KindOf(err) != fault.Invalid {
				t.Errorf("%q, %q: %q, %v", c.name, c.asked, got, err)
			}
		})
	}
}

func TestNumberedAlias(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]string{1: "vault", 2: "vault_2", 10: "vault_10"} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			if got := numberedAlias("vault", n); got != want {
				t.Errorf("%d: %q", n, got)
			}
		})
	}
	for _, long := range []string{strings.Repeat("ü", 64), strings.Repeat("a_", 32)} {
		for _, n := range []int{1, 2, 12, 100} {
			if got := numberedAlias(long, n); checkAlias(got) != nil || utf8.RuneCountInString(got) > 64 {
				t.Errorf("%d: %q", n, got)
			}
		}
	}
}
