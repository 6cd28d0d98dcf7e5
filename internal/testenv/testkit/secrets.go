package testkit

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"strings"
)

// Secrets finds secrets in text that others may read. It finds them verbatim and
// encoded, and parts of them from gram bytes on.
type Secrets struct {
	grams map[string]string // name and encoding of each secret, by its parts of gram bytes
}

// gram is the length in bytes of the parts that are searched for. A shorter text is
// not searched for.
const gram = 12

// Add adds a secret under a name.
func (s *Secrets) Add(name, secret string) {
	if s.grams == nil {
		s.grams = map[string]string{}
	}
	add := func(form, text string) {
		for i := 0; i+gram <= len(text); i++ {
			s.grams[text[i:i+gram]] = name + ", " + form
		}
	}
	quoted, _ := json.Marshal(secret)
	add("as it is", secret)
	add("JSON", strings.Trim(string(quoted), `"`))
	add("URL", url.QueryEscape(secret))
	add("URL", url.PathEscape(secret))
	add("hexadecimal", hex.EncodeToString([]byte(secret)))
	add("hexadecimal", strings.ToUpper(hex.EncodeToString([]byte(secret))))
	for skip := range min(3, len(secret)) { // it may begin at any offset of the encoded text
		for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			text := encoding.EncodeToString([]byte(secret[skip:]))
			add("base64", text[:max(0, len(text)-1)]) // the last character depends on the following text
		}
	}
}

// Find returns the names of the secrets that occur in a text.
func (s *Secrets) Find(text string) (found []string) {
	seen := map[string]bool{}
	for i := 0; i+gram <= len(text); i++ {
		if name, ok := s.grams[text[i:i+gram]]; ok && !seen[name] {
			seen[name] = true
			found = append(found, name)
		}
	}
	return found
}
