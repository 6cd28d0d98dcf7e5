package console

import "testing"

// TestCatalogue_Contexts translates an English text with two meanings.
func TestCatalogue_Contexts(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ lang, text, want string }{
		"a verb in English":    {"en", "Change¦verb", "Change"},
		"a verb in German":     {"de", "Change¦verb", "Ändern"},
		"a noun in German":     {"de", "Change", "Wechselgeld"},
		"another mark is kept": {"en", "rent¦June", "rent¦June"},
	} {
		t.Run(name, func(t *testing.T) {
			l := &look{lang: c.lang, catalogue: catalogueOf(c.lang)}
			if got := l.T(c.text); got != c.want {
				t.Errorf("%q is %q, not %q", c.text, got, c.want)
			}
		})
	}
}
