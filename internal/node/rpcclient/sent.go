package rpcclient

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"unicode"
)

// shortestSent is the minimum length of a string that is left out of messages.
// shortestPart is that of a part of a string, such as the key in a descriptor. Shorter
// ones may occur in messages by chance.
const (
	shortestSent = 4
	shortestPart = 16
)

// Text returns the node's message without the strings that were sent to it, such as
// the names of wallets, labels and descriptors, so that it can be logged. Hashes
// and other hexadecimal strings remain.
func (e *RPCError) Text() string {
	text := e.Message
	for sent := range strings.SplitSeq(e.sent, "\x00") {
		if sent != "" {
			text = strings.ReplaceAll(text, sent, "…")
		}
	}
	return text
}

// WithoutSent returns a copy of e whose Text leaves out the strings in params.
func (e *RPCError) WithoutSent(params any) *RPCError {
	var texts []string
	if encoded, err := json.Marshal(params); err == nil {
		var value any
		if json.Unmarshal(encoded, &value) == nil {
			texts = stringsIn(value, nil)
		}
	}
	slices.SortFunc(texts, func(a, b string) int { return len(b) - len(a) }) // a text may be part of another
	c := *e
	c.sent = strings.Join(texts, "\x00")
	return &c
}

// withoutSent applies WithoutSent to err if it is an *RPCError, and also leaves out
// the wallet's name.
func (c *Client) withoutSent(err error, params []any) error {
	e, ok := errors.AsType[*RPCError](err)
	if !ok {
		return err
	}
	if c.wallet != nil {
		params = append(slices.Clone(params), *c.wallet)
	}
	*e = *e.WithoutSent(params)
	return err
}

// stringsIn appends the strings in a value decoded from JSON to found, except short
// and hexadecimal ones.
func stringsIn(value any, found []string) []string {
	switch v := value.(type) {
	case string:
		if isSent(v, shortestSent) {
			found = append(found, v)
		}
		for part := range strings.FieldsFuncSeq(v, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
			if isSent(part, shortestPart) {
				found = append(found, part)
			}
		}
	case []any:
		for _, one := range v {
			found = stringsIn(one, found)
		}
	case map[string]any:
		for _, one := range v {
			found = stringsIn(one, found)
		}
	}
	return found
}

func isSent(text string, shortest int) bool {
	_, err := hex.DecodeString(text)
	return err != nil && len(text) >= shortest
}
