package console

import (
	"cmp"
	"embed"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
)

//go:embed messages
var messageFiles embed.FS

// catalogue has the messages of a language: the texts of the console, and those of services
// that pages show, such as the problems of forms.
type catalogue struct {
	messages map[string]string // by the English text
	services map[string]string // by the English text
	filled   []filledMessage   // of services
	// sentences are the formats of sentences of package policy, by the English format.
	sentences map[string]string
}

// filledMessage is a message with placeholders, for English texts in which they are filled in.
type filledMessage struct {
	english *regexp.Regexp
	text    string // with $1 and so on instead of the placeholders
}

// readMessages returns the messages in a file by the English text.
func readMessages(name string) map[string]string {
	messages := map[string]string{}
	data, err := messageFiles.ReadFile("messages/" + name)
	if err == nil {
		err = json.Unmarshal(data, &messages)
	}
	if err != nil {
		panic(fmt.Sprintf("messages/%s: %v", name, err)) // a mistake in the file, which the tests would find
	}
	return messages
}

// placeholder matches a placeholder of package fmt, with its index if it has one.
var placeholder = regexp.MustCompile(`%(?:\[(\d+)\])?([a-z%])`)

// catalogueOf returns the messages of a language. The ones in English, their keys, need no file.
func catalogueOf(lang string) *catalogue {
	if lang == languages[0] {
		return &catalogue{}
	}
	c := &catalogue{messages: readMessages(lang + ".json"), services: readMessages(lang + "-services.json"), sentences: readMessages(lang + "-policy.json")}
	c.fill()
	return c
}

// fill prepares the messages of services with placeholders. The most specific, which has the
// longest English text, comes first.
func (c *catalogue) fill() {
	texts := slices.SortedFunc(maps.Keys(c.services), func(a, b string) int {
		return cmp.Or(len(b)-len(a), strings.Compare(a, b))
	})
	for _, english := range texts {
		if placeholder.MatchString(english) {
			c.filled = append(c.filled, filledMessage{patternOf(english), templateOf(c.services[english])})
		}
	}
}

// patternOf returns a pattern that matches an English text whose placeholders are filled in.
func patternOf(english string) *regexp.Regexp {
	var b strings.Builder
	at := 0
	for _, m := range placeholder.FindAllStringSubmatchIndex(english, -1) {
		b.WriteString(regexp.QuoteMeta(english[at:m[0]]))
		switch english[m[4]:m[5]] {
		case "%":
			b.WriteString("%")
		case "d":
			b.WriteString(`(-?\d+)`)
		default:
			b.WriteString(`(.+)`)
		}
		at = m[1]
	}
	b.WriteString(regexp.QuoteMeta(english[at:]))
	return regexp.MustCompile(`^` + b.String() + `$`)
}

// templateOf returns a message with the references of package regexp instead of placeholders.
func templateOf(message string) string {
	next := 0
	return placeholder.ReplaceAllStringFunc(strings.ReplaceAll(message, "$", "$$"), func(found string) string {
		m := placeholder.FindStringSubmatch(found)
		if m[2] == "%" {
			return "%"
		}
		if next++; m[1] != "" {
			return "${" + m[1] + "}"
		}
		return fmt.Sprintf("${%d}", next)
	})
}

// contextMark separates an English text from its context, for a text with several meanings: both
// are the key of the catalogue, and pages in English show the text alone.
const contextMark = "¦"

// contexts are the contexts of texts. A text that ends in anything else keeps the mark.
var contexts = []string{"verb", "label", "wallet", "recipients"}

// withoutContext returns an English text without its context.
func withoutContext(text string) string {
	before, context, found := strings.Cut(text, contextMark)
	if found && slices.Contains(contexts, context) {
		return before
	}
	return text
}

// find returns the message for an English text: the text of a page, or the text of a service
// in which placeholders are filled in. Without a message, it returns the English text.
func (c *catalogue) find(english string) string {
	for _, messages := range []map[string]string{c.messages, c.services} {
		if message, ok := messages[english]; ok {
			return message
		}
	}
	return c.findFilled(withoutContext(english))
}

// findFilled returns the message of a service for a text in which placeholders are filled in. What
// fills them may be a message as well.
func (c *catalogue) findFilled(english string) string {
	for _, m := range c.filled {
		values := m.english.FindStringSubmatch(english)
		if values == nil {
			continue
		}
		return os.Expand(m.text, func(name string) string {
			n, err := strconv.Atoi(name)
			if err != nil {
				return name // of "$$", which is "$"
			}
			return c.findValue(values[n])
		})
	}
	return english
}

// conjunctions join the parts of a list in texts of services, with their German forms.
var conjunctions = []struct{ english, german string }{{", ", ", "}, {" and ", " und "}, {" or ", " oder "}}

// findValue returns the message for what fills a placeholder: a message, or a list whose parts all
// are messages. Anything else is returned unchanged.
func (c *catalogue) findValue(english string) string {
	if message, ok := c.services[english]; ok {
		return message
	}
	for _, by := range conjunctions {
		parts := strings.Split(english, by.english)
		if len(parts) == 1 {
			continue
		}
		known := true
		for i, part := range parts {
			parts[i] = c.findValue(part)
			known = known && parts[i] != part
		}
		if known {
			return strings.Join(parts, by.german)
		}
	}
	return c.findFilled(english)
}

// Marks that isolate text of users from the direction of the text around it (UAX #9).
const (
	isolate    = "\u2068"
	popIsolate = "\u2069"
)

// T returns the message in the language of l. The English text is its key. Texts among the
// arguments are isolated, because users wrote some of them.
func (l *look) T(text string, args ...any) string {
	if len(args) == 0 {
		return l.find(text)
	}
	message, ok := l.messages[text]
	if !ok {
		message = withoutContext(text)
	}
	for i, a := range args {
		if s, ok := a.(string); ok {
			args[i] = isolate + s + popIsolate
		}
	}
	return fmt.Sprintf(message, args...)
}

// N returns one of two messages by a number, which is the first argument of a message with %d.
func (l *look) N(n int, one, many string, args ...any) string {
	text := many
	if n == 1 {
		text = one
	}
	if strings.Contains(text, "%d") {
		args = append([]any{n}, args...)
	}
	return l.T(text, args...)
}
