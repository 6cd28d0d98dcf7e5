package auth

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/specterd/specterd/internal/fault"
)

// TestGuessablePasswords checks that common guesses are rejected, with a message that
// explains the weakness and does not repeat the password.
func TestGuessablePasswords(t *testing.T) {
	t.Parallel()
	known := []string{"alice smith", "Family Savings", "family_savings", "node7.example.org"}
	for password, want := range map[string]string{
		"short":                   "at least 8 characters",
		"ünïcödé":                 "at least 8 characters",
		strings.Repeat("x", 73):   "72 bytes",
		"with\x00zero in it":      "NUL",
		"Password123":             "common password",
		"P@ssw0rd2024":            "common password",
		"drowssap321":             "common password",
		"letmein123456":           "common password",
		"specter2024!":            "known here",
		"Specterd123!":            "known here",
		"b1tc01n2025":             "known here",
		"alicesmith1990":          "known here",
		"familysavings1":          "known here",
		"node7example":            "known here",
		"foofoofoo":               "repeats",
		"zxcvbnm,./qwer":          "next to each other",
		strings.Repeat("a", 72):   "repeats",
		strings.Repeat("abc", 24): "repeats",
		"2024-11-28":              "date",
		"abcdefghijklmnop":        "sequence",
		"correct horse battery":   "",
		"J7F4KQ2XWZ9B":            "",
		"ひみつのパスワード":               "",
		"        correct horse":   "",
		strings.Repeat("a", 40) + "J7F4KQ2XWZ9BJ7F4": "",
	} {
		t.Run(password, func(t *testing.T) {
			err := checkNewPassword(password)
			got := ""
			if err != nil {
				got = err.Error()
			} else {
				got = weaknessOf(password, known)
			}
			if (want == "") != (got == "") || !strings.Contains(got, want) || strings.Contains(got, password) {
				t.Errorf("%q: %q, want %q", password, got, want)
			}
		})
	}
}

// TestGuessablePasswords_Everywhere checks that every way to set a password rejects
// easily guessed ones.
func TestGuessablePasswords_Everywhere(t *testing.T) {
	t.Parallel()
	p, err := NewPasswords(4, 1)
	if err != nil {
		t.Fatal(err)
	}
	p.AddKnownWords("thishost")
	for _, password := range []string{"Password123", "thishost2026", "alice2026!"} {
		_, err := p.hashNew(t.Context(), "", password, "alice")
		if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "too easy to guess") {
			t.Errorf("%q: %v", password, err)
		}
	}
	if _, err := p.hashNew(t.Context(), "", "correct horse battery", "alice"); err != nil {
		t.Error(err)
	}
}

func FuzzWeakness(f *testing.F) {
	f.Add("correct horse battery", "alice")
	f.Add("4@8({[<369 1!|70$5+%2漢字aaaa", "é")
	f.Fuzz(func(_ *testing.T, password, known string) {
		if checkNewPassword(password) == nil && utf8.ValidString(known) {
			weaknessOf(password, []string{known})
		}
	})
}

func BenchmarkWeakness(b *testing.B) {
	for _, password := range []string{"correct horse battery", "4@8({[<369 1!|70$5+%2aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", strings.Repeat("aaaa4@8({[<369 1!|70$5+%2aaaaaaaaaaa", 2)} {
		b.Run(password, func(b *testing.B) {
			for b.Loop() {
				weaknessOf(password, nil)
			}
		})
	}
}
