package auth

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"
	"golang.org/x/crypto/bcrypt"
)

// The salt and the hash of the password "admin", as recorded from Specter Desktop.
const (
	recordedSalt = "DojcWaXCmrygHubn87aoJDwfPG/M+6vYZg8ues1ZsNo="
	recordedHash = "DxaLVao1NuwwIIwbcy16WwCpjp6Zpg5b1nVn07PSKPE="
)

func newTestPasswords(t *testing.T) *Passwords {
	t.Helper()
	p, err := NewPasswords(bcrypt.MinCost, 2)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func matches(t *testing.T, p *Passwords, hashed, password string) bool {
	t.Helper()
	good, err := p.matches(t.Context(), "", hashed, password, func() error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	return good
}

func TestSpecterPasswords(t *testing.T) {
	p := newTestPasswords(t)
	raw, err := base64.StdEncoding.DecodeString(recordedHash)
	if err != nil {
		t.Fatal(err)
	}
	if !isDefaultOf(recordedSalt, raw) || isDefaultOf(recordedSalt, make([]byte, specterBytes)) {
		t.Error("the default password is not recognized")
	}
	hashed, err := p.hashSpecter(t.Context(), "", recordedSalt, raw)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(hashed, recordedHash) || !strings.HasPrefix(hashed, "$specter$"+recordedSalt+"$2a$04$") {
		t.Errorf("stored as %s", hashed)
	}
	again, err := p.rehash(t.Context(), "", hashed, "admin")
	if err != nil || again == hashed || !strings.HasPrefix(again, "$specter$"+recordedSalt+"$2a$04$") {
		t.Errorf("rehashed as %s, %v", again, err)
	}
	for password, want := range map[string]bool{
		"admin": true, "Admin": false, "adminadmin": false, "": false, recordedHash: false, string(raw): false, strings.Repeat("admin", 200): false,
	} {
		t.Run(password, func(t *testing.T) {
			if matches(t, p, hashed, password) != want || matches(t, p, again, password) != want {
				t.Errorf("%q: accepted is not %v", password, want)
			}
		})
	}
	if p.outdated(hashed) || !(&Passwords{cost: 5}).outdated(hashed) {
		t.Error("outdated does not recognize the cost")
	}
}

// TestLongPasswords checks that passwords beyond the 72 bytes that bcrypt reads are never
// compared in part: imported passwords are compared completely, others are rejected.
func TestLongPasswords(t *testing.T) {
	p := newTestPasswords(t)
	for _, length := range []int{71, 72, 73, 200, maxTriedBytes} {
		t.Run(fmt.Sprint(length, " bytes"), func(t *testing.T) {
			password := strings.Repeat("é", length/2) + strings.Repeat("x", length%2)
			hash, err := specterHash(password, recordedSalt)
			if err != nil {
				t.Fatal(err)
			}
			raw, _ := base64.StdEncoding.DecodeString(string(hash))
			brought, err := p.hashSpecter(t.Context(), "", recordedSalt, raw)
			if err != nil {
				t.Fatal(err)
			}
			if !matches(t, p, brought, password) || matches(t, p, brought, password+"x") || matches(t, p, brought, password[:length-1]) {
				t.Errorf("%d bytes, imported", length)
			}
			if length > maxPasswordBytes {
				return
			}
			set, err := p.hash(t.Context(), "", password)
			if err != nil {
				t.Fatal(err)
			}
			if !matches(t, p, set, password) || matches(t, p, set, password+strings.Repeat("x", 73-length)) {
				t.Errorf("%d bytes, set here", length)
			}
		})
	}
}

func TestImportUser_InvalidHash(t *testing.T) {
	p := newTestPasswords(t)
	good := make([]byte, specterBytes)
	for _, salt := range []string{"", "not base64", "$2a$", "AA==\n", strings.Repeat("A", 132)} {
		if _, err := p.hashSpecter(t.Context(), "", salt, good); err == nil {
			t.Errorf("the salt %q is accepted", salt)
		}
	}
	if _, err := p.hashSpecter(t.Context(), "", recordedSalt, good[1:]); err == nil {
		t.Error("a short hash is accepted")
	}
}

// FuzzForeignID checks that parsing an unverified token yields a valid id or nothing.
func FuzzForeignID(f *testing.F) {
	sign := func(method jwt.SigningMethod, claims jwt.MapClaims, key any) string {
		text, err := jwt.NewWithClaims(method, claims).SignedString(key)
		if err != nil {
			f.Fatal(err)
		}
		return text
	}
	const id = "d55e6396-f818-4e70-bf4a-67886514bac2"
	good := sign(jwt.SigningMethodHS256, jwt.MapClaims{"jwt_token_id": id, "exp": 2e9}, []byte("x"))
	if got, ok := unverifiedClaims(good); !ok || got.TokenID != id {
		f.Fatalf("%q, %v", got, ok)
	}
	for what, text := range map[string]string{
		"no algorithm":      sign(jwt.SigningMethodNone, jwt.MapClaims{"jwt_token_id": id, "exp": 2e9}, jwt.UnsafeAllowNoneSignatureType),
		"another algorithm": sign(jwt.SigningMethodHS512, jwt.MapClaims{"jwt_token_id": id, "exp": 2e9}, []byte("x")),
		"no expiry":         sign(jwt.SigningMethodHS256, jwt.MapClaims{"jwt_token_id": id}, []byte("x")),
		"no id":             sign(jwt.SigningMethodHS256, jwt.MapClaims{"exp": 2e9}, []byte("x")),
		"another id":        sign(jwt.SigningMethodHS256, jwt.MapClaims{"jwt_token_id": strings.ToUpper(id), "exp": 2e9}, []byte("x")),
		"too long":          sign(jwt.SigningMethodHS256, jwt.MapClaims{"jwt_token_id": id, "exp": 2e9, "x": strings.Repeat("x", maxTokenBytes)}, []byte("x")),
		"line break":        good + "\n",
		"nothing":           "",
	} {
		if _, ok := unverifiedClaims(text); ok {
			f.Errorf("accepted: %s", what)
		}
		f.Add(text)
	}
	f.Add(good)
	f.Fuzz(func(t *testing.T, text string) {
		if c, ok := unverifiedClaims(text); ok && (!isTokenID(c.TokenID) || len(text) > maxTokenBytes) {
			t.Errorf("%q yields %q", text, id)
		}
	})
}

// BenchmarkLogin compares the cost of a login for different kinds of users.
func BenchmarkLogin(b *testing.B) {
	p, err := NewPasswords(10, 2)
	if err != nil {
		b.Fatal(err)
	}
	raw, _ := base64.StdEncoding.DecodeString(recordedHash)
	brought, err1 := p.hashSpecter(b.Context(), "", recordedSalt, raw)
	set, err2 := p.hash(b.Context(), "", "a password")
	if err1 != nil || err2 != nil {
		b.Fatal(err1, err2)
	}
	for name, hashed := range map[string]string{"imported": brought, "set here": set, "unknown": ""} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := p.matches(b.Context(), "", hashed, "wrong", func() error { return nil }); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("PBKDF2 only", func(b *testing.B) {
		for b.Loop() {
			_, _ = specterHash("wrong", dummySalt)
		}
	})
}
