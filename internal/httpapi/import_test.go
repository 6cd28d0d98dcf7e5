package httpapi_test

import (
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// imports returns an importer like the one of the import command. It writes users and tokens
// to the database of the running server.
func (s *server) imports() *auth.Imports {
	return auth.NewImports(s.store, testkit.Must(auth.NewPasswords(4, 16)), s.clock.now)
}

// foreign returns a user in the format of Specter Desktop.
func foreign(name, password string, admin bool) auth.ForeignUser {
	salt := base64.StdEncoding.EncodeToString(make([]byte, 32))
	hash := testkit.Must(pbkdf2.Key(sha256.New, password, []byte(salt), 10_000, 32))
	return auth.ForeignUser{Origin: "specter/" + name, Name: name, Admin: admin, Salt: salt, Hash: hash}
}

func (s *server) imported(t *testing.T, name, password string, admin bool) testUser {
	t.Helper()
	in := foreign(name, password, admin)
	s.secret(base64.StdEncoding.EncodeToString(in.Hash)) // the weak hash must not be stored
	u, outcome, err := s.imports().User(t.Context(), auth.Operator("me"), in, false)
	testkit.Check(t, err)
	if outcome != auth.OutcomeNew {
		t.Errorf("%s: %s", name, outcome)
	}
	return testUser{User: u, password: password}
}

// foreignToken returns a token as Specter Desktop creates it, signed with a key that specterd
// does not have.
func foreignToken(p testUser, life time.Duration, now time.Time) auth.ForeignToken {
	id := uuid.NewString()
	text := testkit.Must(jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
		"username": p.Name, "jwt_token_id": id, "jwt_token_description": "x", "exp": now.Add(life).Unix(), "iat": now.Unix(),
	}).SignedString([]byte("a key of Specter Desktop")))
	return auth.ForeignToken{Origin: "specter/" + id, ID: id, UserName: p.Name, Text: text, Description: "x", Lifetime: life}
}

// TestImportedPasswords checks that imported passwords of any length remain valid until the
// user changes the password.
func TestImportedPasswords(t *testing.T) {
	t.Parallel()
	onEachEngine(t, func(t *testing.T, s *server) {
		for name, password := range map[string]string{"short": "pw", "Ünï Cödé": "pä", "long": strings.Repeat("long ", 40)} {
			t.Run(name, func(t *testing.T) {
				p := s.imported(t, name, password, false)
				s.call(t, "GET", "/api/v1/users/me", p.basic(), "").want(t, 200)
				for _, wrong := range []string{"", password + "x", password[1:], strings.ToUpper(password)} {
					s.call(t, "GET", "/api/v1/users/me", basic(name, wrong), "").want(t, 401)
				}
				s.call(t, "PATCH", "/api/v1/users/me", p.basic(), `{"password": "a new password"}`).want(t, 200)
				s.call(t, "GET", "/api/v1/users/me", p.basic(), "").want(t, 401)
				s.call(t, "GET", "/api/v1/users/me", basic(name, "a new password"), "").want(t, 200)
				if u := testkit.Must(s.store.UserByName(t.Context(), name)); !strings.HasPrefix(u.PasswordHash, "$2a$04$") {
					t.Errorf("the new password is stored as %.20s", u.PasswordHash)
				}
			})
		}
	})
}

// TestImportedTokens_Description checks that control characters and invisible characters in the
// description of an imported token are removed.
func TestImportedTokens_Description(t *testing.T) {
	t.Parallel()
	s := start(t)
	p := s.imported(t, "p", "a password", false)
	in := foreignToken(p, time.Hour, s.clock.now())
	s.secret(in.Text)
	in.Description = "sav\u200bings\u202e\x1b[2J"
	_, _, err := s.imports().Token(t.Context(), auth.Operator("me"), p.User, in, false)
	testkit.Check(t, err)
	s.call(t, "GET", tokens+"/"+in.ID, p.basic(), "").want(t, 200, `"description":"savings [2J"`)
}

// TestImportedTokens checks that imported tokens are authenticated by their hash and otherwise
// behave like all other tokens.
func TestImportedTokens(t *testing.T) {
	t.Parallel()
	onEachEngine(t, func(t *testing.T, s *server) {
		p := s.imported(t, "p", "a password", true)
		in := foreignToken(p, time.Hour, s.clock.now())
		s.secret(in.Text)
		k := token{in.ID, in.Text}
		s.works(t, k, false)
		_, _, err := s.imports().Token(t.Context(), auth.Operator("me"), p.User, in, true)
		testkit.Check(t, err)
		s.works(t, k, false) // the import was a dry run
		_, _, err = s.imports().Token(t.Context(), auth.Operator("me"), p.User, in, false)
		testkit.Check(t, err)
		s.call(t, "GET", "/api/v1/wallets", k.bearer(), "").want(t, 200)
		s.call(t, "GET", "/api/v1alpha/specter", k.bearer(), "").want(t, 200)
		s.call(t, "GET", "/api/v1/users", k.bearer(), "").wantProblem(t, 403, "insufficient_scope")
		s.call(t, "GET", tokens+"/"+k.id, p.basic(), "").want(t, 200, `"imported":true`, `"expired":false`,
			`"scopes":["node:read","wallets:read","proposals:read","proposals:create"]`)
		s.call(t, "GET", "/api/v1alpha/token/"+k.id, p.basic(), "").want(t, 200, `"expiry_status":"Valid"`)

		// Only the exact text is accepted, and only if the token's row allows it.
		parts := strings.Split(in.Text, ".")
		for _, other := range []string{
			in.Text + "=", in.Text[:len(in.Text)-1], parts[0] + "." + parts[1] + ".", parts[0] + "." + parts[1] + "." + strings.Repeat("A", 43),
			testkit.Must(jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{"jwt_token_id": k.id, "username": "p", "exp": 1e10}).SignedString([]byte("another"))),
			testkit.Must(jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{"jwt_token_id": k.id, "username": "p", "exp": 1e10}).SignedString(s.key)),
		} {
			s.works(t, token{k.id, other}, false)
		}
		for statement, undo := range map[string]string{
			"UPDATE tokens SET imported = FALSE":    "UPDATE tokens SET imported = TRUE",
			"UPDATE tokens SET expires_at = 1":      "UPDATE tokens SET expires_at = 4000000000000000",
			"UPDATE users SET disabled_at = 1":      "UPDATE users SET disabled_at = NULL",
			"UPDATE tokens SET scopes = 'no:thing'": "UPDATE tokens SET scopes = 'node:read'",
		} {
			t.Run(statement, func(t *testing.T) {
				s.sql(t, statement)
				if got := s.call(t, "GET", "/api/v1/node", k.bearer(), ""); got.status != 401 && got.status != 403 {
					t.Errorf("%s: status %d", statement, got.status)
				}
				s.sql(t, undo)
				s.works(t, k, true)
			})
		}

		// The successor is signed by specterd. A deleted token stays deleted.
		made := s.rotate(t, p.basic(), k.id, "").want(t, 201, `"imported":false`)
		s.works(t, token{made.text("id"), made.text("token")}, true)
		s.works(t, k, true)
		s.call(t, "DELETE", tokens+"/"+k.id, p.basic(), "").want(t, 200)
		s.works(t, k, false)
		_, _, err = s.imports().Token(t.Context(), auth.Operator("me"), p.User, in, false)
		if !errors.Is(err, auth.ErrImportDeleted) {
			t.Errorf("a deleted token was imported again: %v", err)
		}
		s.works(t, k, false)
	})
}

// TestImportedTokens_Expiry checks that an imported token is accepted until it expires.
func TestImportedTokens_Expiry(t *testing.T) {
	t.Parallel()
	s := start(t)
	p := s.imported(t, "p", "a password", false)
	in := foreignToken(p, time.Hour, s.clock.now())
	_, _, err := s.imports().Token(t.Context(), auth.Operator("me"), p.User, in, false)
	testkit.Check(t, err)
	k := token{in.ID, in.Text}
	s.clock.advance(59 * time.Minute)
	s.works(t, k, true)
	s.clock.advance(time.Minute)
	s.works(t, k, false)
}

// TestDefaultPasswords_ReachableServer checks that a server that other hosts can reach refuses
// default passwords, including the passwords of users that were imported after its start.
func TestDefaultPasswords_ReachableServer(t *testing.T) {
	t.Parallel()
	s := start(t)
	p := s.imported(t, "satoshi", "admin", true)
	if !p.PasswordIsDefault {
		t.Error("the default password was not recognized")
	}
	s.call(t, "GET", "/api/v1/users/me", p.basic(), "").want(t, 200)
	public := start(t, func(set *setup) { set.Loopback = false })
	public.Login.RefuseDefaultPasswords()
	p = public.imported(t, "satoshi", "admin", true)
	other := public.imported(t, "other", "not admin", true)
	public.call(t, "GET", "/api/v1/users/me", p.basic(), "").wantProblem(t, 401, "unauthenticated")
	public.call(t, "GET", "/api/v1/users/me", other.basic(), "").want(t, 200)
}
