package httpapi

import (
	"encoding/base64"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzBasic checks that every accepted Basic credential is the canonical encoding of the
// parsed user name and password.
func FuzzBasic(f *testing.F) {
	for _, text := range []string{"admin:admin", "bob smith:a:b", ":", "admin", "a\x00b:c", "\xff:\xff", "é:é"} {
		encoded := base64.StdEncoding.EncodeToString([]byte(text))
		f.Add(encoded)
		f.Add(encoded + "\n")
		f.Add(strings.TrimRight(encoded, "="))
		f.Add(base64.URLEncoding.EncodeToString([]byte(text)))
	}
	f.Add("YR==") // has non-zero trailing bits
	f.Fuzz(func(t *testing.T, credential string) {
		name, password, ok := parseBasic(credential)
		if !ok {
			return
		}
		if base64.StdEncoding.EncodeToString([]byte(name+":"+password)) != credential {
			t.Errorf("%q was accepted in the non-canonical encoding %q", name+":"+password, credential)
		}
		if strings.Contains(name, ":") || !utf8.ValidString(name) || !utf8.ValidString(password) {
			t.Errorf("name %q, password %q", name, password)
		}
	})
}
