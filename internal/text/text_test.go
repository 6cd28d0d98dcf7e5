package text_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"github.com/specterd/specterd/internal/text"
)

// TestProblem checks that text in any script is valid, and that deceptive text is
// not.
func TestProblem(t *testing.T) {
	t.Parallel()
	for _, good := range []string{
		"", "invoice 17", "Zürich – Genève", "日本語 漢字", "葛\U000e0100飾区", "עברית", "می\u200cخواهم", "क्\u200dष", "ශ්\u200dරී", "🏳️\u200d🌈", "👩🏽\u200d💻", "❤️", "1️⃣", "☕", "a\u00a0b", "\u0601 1",
	} {
		if problem := text.Problem(good); problem != "" {
			t.Errorf("%+q: %s", good, problem)
		}
	}
	for what, bad := range map[string]string{
		"escape sequence": "\x1b[2J", "line break": "a\nb", "tab": "a\tb", "NUL": "a\x00", "C1 control": "a\u009b2J", "line separator": "a\u2028b",
		"right-to-left override": "invoice \u202egnp.exe", "isolate": "\u2066a", "right-to-left mark": "a\u200f", "Arabic letter mark": "a\u061c",
		"zero-width space": "sav\u200bings", "zero-width joiner in Latin": "sav\u200dings", "zero-width non-joiner in Latin": "sav\u200cings", "two joiners": "می\u200c\u200cخ", "joiner at the start": "\u200dа",
		"word joiner": "a\u2060b", "byte order mark": "\ufeffa", "soft hyphen": "a\u00adb", "Hangul filler": "a\u3164b", "Braille blank": "a\u2800b", "combining grapheme joiner": "a\u034fb",
		"variation selector in Latin": "Savings\ufe0f", "tag characters": "a\U000e0041\U000e0042", "private use": "\ue000", "noncharacter": "\ufdd0", "not UTF-8": "a\xff",
	} {
		t.Run(what, func(t *testing.T) {
			if text.Problem(bad) == "" {
				t.Errorf("%s is accepted", what)
			}
			if clean := text.Clean(bad); text.Problem(clean) != "" || !utf8.ValidString(clean) {
				t.Errorf("%s: cleaned to %+q", what, clean)
			}
		})
	}
	for _, name := range []string{"می\u200cخواهم", "❤️"} {
		if text.NameProblem(name) == "" {
			t.Errorf("%+q is accepted as a name that is compared", name)
		}
	}
}

func TestClean(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"plain": "plain", "two\r\nlines": "two  lines", "sav\u200bings\u202e": "savings", "می\u200cخواهم": "می\u200cخواهم", "a\xffb": "a\ufffdb",
	} {
		t.Run(in, func(t *testing.T) {
			if got := text.Clean(in); got != want {
				t.Errorf("%+q: %+q", in, got)
			}
		})
	}
}

// TestTerminalEscapes checks that escaped text has nothing that a terminal
// interprets.
func TestTerminalEscapes(t *testing.T) {
	t.Parallel()
	value := "a\x1b[2J\u009b31m\u202eb\U000e0041\xff 日本 👩🏽\u200d💻\n\tc"
	if got, want := text.Escape(value), `a\u001b[2J\u009b31m\u202eb\udb40\udc41\xff 日本 👩🏽`+"\u200d"+`💻\u000a\u0009c`; got != want {
		t.Errorf("Escape: %+q, want %+q", got, want)
	}
	var out bytes.Buffer
	w := text.NewWriter(&out)
	if _, err := io.Copy(w, iotest.OneByteReader(strings.NewReader("日\x1b[2J\u202e本\n\tü"))); err != nil {
		t.Fatal(err)
	}
	if got, want := out.String(), "日\\u001b[2J\\u202e本\n\tü"; got != want {
		t.Errorf("NewWriter: %+q, want %+q", got, want)
	}
}

// TestTerminalEscapes_JSON checks that an escaped JSON document decodes to the same
// value.
func TestTerminalEscapes_JSON(t *testing.T) {
	t.Parallel()
	in := "\x1b \u202e \u200b \U000e0041 \u009b \" \\ 日本"
	document, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	var shown bytes.Buffer
	if _, err := text.NewWriter(&shown).Write(document); err != nil {
		t.Fatal(err)
	}
	var out string
	if err := json.Unmarshal(shown.Bytes(), &out); err != nil || out != in || strings.Contains(shown.String(), "\u202e") {
		t.Errorf("%s: %q, %v", shown.Bytes(), out, err)
	}
}

func FuzzEscape(f *testing.F) {
	f.Add("a\x1b\u202e\xff")
	f.Fuzz(func(t *testing.T, in string) {
		if out := text.Escape(in); text.Problem(out) != "" {
			t.Errorf("%+q", out)
		}
		if out := text.Clean(in); text.Problem(out) != "" {
			t.Errorf("%+q", out)
		}
	})
}

func TestOptional(t *testing.T) {
	t.Parallel()
	if got := text.Optional(""); got != nil {
		t.Errorf("of an empty text: %q", *got)
	}
	if got := text.Optional("a"); got == nil || *got != "a" {
		t.Error("of a text: another one")
	}
}

func TestCount(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]string{0: "0 tokens", 1: "1 token", 2: "2 tokens"} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			if got := text.Count(n, "token"); got != want {
				t.Errorf("%d: %q", n, got)
			}
		})
	}
}

func TestList(t *testing.T) {
	t.Parallel()
	for want, texts := range map[string][]string{"a or b": {"a", "b"}, "a, b or c": {"a", "b", "c"}} {
		t.Run(want, func(t *testing.T) {
			if got := text.List(texts, "or"); got != want {
				t.Errorf("got %q", got)
			}
		})
	}
}
