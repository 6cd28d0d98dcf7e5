package policy

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/text"
)

// Sentence is a text in English with its arguments, which can be translated: Format is a
// format of package fmt with one %s or %d for each argument. Arguments are texts (string),
// numbers (int), amounts (btc.Amount), fee rates (btc.FeeRate), durations (time.Duration),
// parts of sentences (Sentence) and lists of parts (Enumeration).
type Sentence struct {
	Format string
	Args   []any
}

// Enumeration is a list of one or more parts of a sentence.
type Enumeration struct {
	Parts []Sentence
	Or    bool // joined by or, and otherwise by and
}

func say(format string, args ...any) Sentence { return Sentence{Format: format, Args: args} }

// String returns the sentence in English, with amounts in satoshis.
func (s Sentence) String() string {
	args := slices.Clone(s.Args)
	for i, a := range args {
		switch a := a.(type) {
		case btc.Amount:
			args[i] = sats(a) + " sat"
		case time.Duration:
			args[i] = Period(a).String()
		}
	}
	return fmt.Sprintf(s.Format, args...)
}

// String returns the list in English.
func (e Enumeration) String() string {
	parts := make([]string, len(e.Parts))
	for i, p := range e.Parts {
		parts[i] = p.String()
	}
	conjunction := "and"
	if e.Or {
		conjunction = "or"
	}
	if len(parts) < 2 {
		return strings.Join(parts, "")
	}
	return text.List(parts, conjunction)
}

// Period returns a duration in words, such as "2 hours" and "7 days".
func Period(d time.Duration) Sentence {
	switch {
	case d == day:
		return say("24 hours")
	case d%day == 0:
		return say("%d days", int(d/day))
	case d == time.Hour:
		return say("1 hour")
	case d%time.Hour == 0:
		return say("%d hours", int(d/time.Hour))
	case d == time.Minute:
		return say("1 minute")
	}
	return say("%d minutes", int(d/time.Minute))
}

// counted returns one of two phrases, the second with %d, by a number.
func counted(n int, one, many string) Sentence {
	if n == 1 {
		return say(one)
	}
	return say(many, n)
}

func confirmations(n int) Sentence { return counted(n, "1 confirmation", "%d confirmations") }
