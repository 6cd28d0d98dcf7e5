package btc_test

import (
	"strings"
	"testing"

	"github.com/specterd/specterd/internal/btc"
)

// TestAlias compares Alias with the aliases that Specter Desktop derived from these
// names.
func TestAlias(t *testing.T) {
	for name, want := range map[string]string{
		"Simple One": "simple_one", "Vault 2/3 - Fam": "vault_23_fam", "Cold-Card  Mk4": "cold_card_mk4", "Überweisung": "überweisung",
		"": "", "  ": "", " - ": "_", "a -_- b": "a_b", "a -/- b": "a__b", "../../etc": "etc", "a\tb\x00c": "abc", "Кошелёк №2": "кошелёк_2", "貯金²½Ⅳ": "貯金²½ⅳ", "e\u0301": "e", "💰": "",
		strings.Repeat("Ü", 100): strings.Repeat("ü", 64),
		"\xff\xfea":              "a",
	} {
		t.Run(name, func(t *testing.T) {
			if got := btc.Alias(name); got != want {
				t.Errorf("%q: got %q, want %q", name, got, want)
			}
		})
	}
}

func TestIsAlias(t *testing.T) {
	for text, want := range map[string]bool{
		"a": true, "a__b": true, "_": true, "кошелёк_2": true, strings.Repeat("ü", 64): true,
		"": false, "A": false, "a b": false, "a-b": false, "../x": false, "a/b": false, "a\x00": false, "\xff": false, strings.Repeat("ü", 65): false,
	} {
		t.Run(text, func(t *testing.T) {
			if got := btc.IsAlias(text); got != want {
				t.Errorf("%q: got %v", text, got)
			}
		})
	}
}
