package auth

import (
	"crypto/sha256"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// FuzzToken checks that a Signer accepts exactly the tokens that it signed.
func FuzzToken(f *testing.F) {
	now := time.Date(2026, 12, 1, 10, 0, 0, 0, time.UTC)
	signer := newTestSigner(f, func() time.Time { return now })
	signed := map[string]string{}
	for id, lifetime := range map[string]time.Duration{testID: time.Hour, testID[:35] + "1": 100 * 365 * 24 * time.Hour, testID[:35] + "2": -time.Second} {
		text, err := signer.sign(&Token{ID: id, Description: "x é \"", CreatedAt: now.Add(-time.Minute), ExpiresAt: now.Add(lifetime)}, "bob smith")
		if err != nil {
			f.Fatal(err)
		}
		if lifetime > 0 {
			signed[text] = id
		}
		for _, seed := range []string{text, text + "=", text + "\n", " " + text, text[:len(text)-1], strings.Replace(text, ".", "..", 1), "x" + text} {
			f.Add(seed)
		}
	}
	none, _ := jwt.NewWithClaims(jwt.SigningMethodNone, jwt.MapClaims{"jwt_token_id": testID, "exp": 1e10}).SignedString(jwt.UnsafeAllowNoneSignatureType)
	for _, seed := range []string{none, "", ".", "..", "a.b.c", "eyJhbGciOiJIUzI1NiJ9..", strings.Repeat("x", maxTokenBytes+1)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for range 2 { // the second verification uses the cache
			p, ok := accepts(t, signer, text)
			if want, known := signed[text]; ok != known || ok && p.id != want {
				t.Fatalf("%q: %v %q, want %v %q", text, ok, p.id, known, want)
			}
			if ok && p.hash != sha256.Sum256([]byte(text)) {
				t.Fatal("another hash")
			}
		}
	})
}
