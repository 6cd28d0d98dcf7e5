package console

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/policy"
)

// sentence returns a sentence about a policy in the language and the unit of l. Texts of users
// are isolated.
func (l *look) sentence(s policy.Sentence) string {
	format := s.Format
	if message, ok := l.sentences[format]; ok {
		format = message
	}
	args := make([]any, len(s.Args))
	for i, a := range s.Args {
		args[i] = l.part(a)
	}
	return fmt.Sprintf(format, args...)
}

func (l *look) part(a any) any {
	switch a := a.(type) {
	case string:
		return isolate + a + popIsolate
	case btc.Amount:
		return l.amountText(a)
	case btc.FeeRate:
		return a.String()
	case time.Duration:
		return l.sentence(policy.Period(a))
	case policy.Sentence:
		return l.sentence(a)
	case policy.Enumeration:
		return l.enumeration(a)
	}
	return a
}

// enumeration joins parts by commas, and the last one by and or or.
func (l *look) enumeration(e policy.Enumeration) string {
	last := l.T("and")
	if e.Or {
		last = l.T("or")
	}
	var b strings.Builder
	for i, p := range e.Parts {
		switch {
		case i == 0:
		case i == len(e.Parts)-1:
			b.WriteString(" " + last + " ")
		default:
			b.WriteString(", ")
		}
		b.WriteString(l.sentence(p))
	}
	return b.String()
}

// ruleText is a part of a policy in sentences.
type ruleText struct {
	Name      string // of the rule; empty for the other parts
	Sentences []string
}

// paragraphs returns a policy in sentences. The name of a rule is not repeated in its first
// sentence.
func (l *look) paragraphs(all []policy.Paragraph) []ruleText {
	out := make([]ruleText, len(all))
	for i, p := range all {
		out[i].Name = p.Rule
		for j, s := range p.Sentences {
			text := l.sentence(s)
			if j == 0 && p.Rule != "" && len(s.Args) == 2 {
				text = upper(fmt.Sprint(l.part(s.Args[1]))) + "."
			}
			out[i].Sentences = append(out[i].Sentences, text)
		}
	}
	return out
}

// asSentence returns a message of a service as a sentence: with a capital and a full stop.
func asSentence(text string) string {
	if text == "" {
		return ""
	}
	if !strings.ContainsAny(text[len(text)-1:], ".:!?") && !strings.HasSuffix(text, "…") {
		text += "."
	}
	return upper(text)
}

// upper returns a text whose first letter is a capital.
func upper(text string) string {
	first, size := utf8.DecodeRuneInString(text)
	return string(unicode.ToUpper(first)) + text[size:]
}
