package httpapi_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

const alphaTokens = "/api/v1alpha/token/"

func (s *server) alphaToken(t *testing.T, p testUser, description, life string) answer {
	t.Helper()
	return s.call(t, "POST", alphaTokens, p.basic(), fmt.Sprintf(`{"jwt_token_description": %s, "jwt_token_life": %q}`, description, life))
}

// TestAlphaTokenLifecycle creates, lists, uses and deletes a token as a script written for Specter
// Desktop does.
func TestAlphaTokenLifecycle(t *testing.T) {
	t.Parallel()
	s := start(t)
	admin := s.user(t, "admin", true)
	s.call(t, "GET", alphaTokens, admin.basic(), "").wantMessage(t, 404, "Tokens does not exist")

	made := s.alphaToken(t, admin, `"A token"`, "30 days").wantMessage(t, 201, "Token generated")
	id, secret := made.text("jwt_token_id"), made.text("jwt_token")
	if made.fields["jwt_token_life"] != 2592000.0 || made.text("jwt_token_description") != "A token" || len(made.fields) != 5 {
		t.Errorf("created: %s", made.body)
	}
	wantClaims(t, s, secret, id)

	s.clock.advance(1500 * time.Millisecond) // now 10:00:01.75; the lifetime counts from 10:00:00
	s.call(t, "GET", alphaTokens, admin.basic(), "").want(t, 200,
		`"`+id+`":{"jwt_token_description":"A token","jwt_token_life":2592000,"jwt_token_remaining_life":2591998.25}`)
	s.call(t, "GET", alphaTokens+id, admin.basic(), "").want(t, 200,
		`"jwt_token_life_remaining":2591998.25,"expiry_status":"Valid"`)
	s.call(t, "GET", "/api/v1alpha/specter", bearer(secret), "").want(t, 200)

	s.clock.advance(30 * 24 * time.Hour)
	s.call(t, "GET", "/api/v1alpha/specter", bearer(secret), "").wantMessage(t, 401, unauthorized)
	s.call(t, "GET", alphaTokens+id+"/", admin.basic(), "").want(t, 200, `"jwt_token_life_remaining":0,"expiry_status":"Expired"`)
	s.alphaToken(t, admin, `"A token"`, "30 days").wantMessage(t, 400, "Token description already exists or is blank")

	s.call(t, "DELETE", alphaTokens+id+"/", admin.basic(), "").wantMessage(t, 200, "Token deleted")
	for _, method := range []string{"DELETE", "GET"} {
		s.call(t, method, alphaTokens+id+"/", admin.basic(), "").
			wantMessage(t, 404, "Token does not exist, make sure to enter correct token id")
	}
	s.alphaToken(t, admin, `"A token"`, "30 days").want(t, 201)
}

// wantClaims checks that a token has exactly the claims of a Specter Desktop token.
func wantClaims(t *testing.T, s *server, secret, id string) {
	t.Helper()
	parts := strings.Split(secret, ".")
	head := string(testkit.Must(base64.RawURLEncoding.DecodeString(parts[0])))
	if !regexp.MustCompile(`^{"alg":"HS256","salt":"[A-Z2-7]{26}","typ":"JWT"}$`).MatchString(head) { // the salt is specterd's addition
		t.Errorf("the token's header is %s", head)
	}
	var claims map[string]any
	testkit.Check(t, json.Unmarshal(testkit.Must(base64.RawURLEncoding.DecodeString(parts[1])), &claims))
	now := float64(s.clock.now().Unix())
	want := map[string]any{"username": "admin", "jwt_token_id": id, "jwt_token_description": "A token", "iat": now, "exp": now + 2592000}
	if fmt.Sprint(claims) != fmt.Sprint(want) {
		t.Errorf("claims %v, want %v", claims, want)
	}
}

func TestAlphaToken_DescriptionAndLifetime(t *testing.T) {
	t.Parallel()
	s := start(t)
	p, other := s.user(t, "p", false), s.user(t, "other", false)
	s.alphaToken(t, p, `"taken"`, "1 day").want(t, 201)
	s.alphaToken(t, other, `"taken"`, "1 day").want(t, 201) // descriptions are unique per user only
	const blank = "Token description already exists or is blank"
	for _, c := range []struct {
		description, life string
		status            int
		message           string
	}{
		{`"taken"`, "1 day", 400, blank},
		{`""`, "1 day", 400, blank},
		{`null`, "1 day", 400, blank},
		{`"Taken"`, "1 day", 201, "Token generated"}, // descriptions are case-sensitive, as in Specter Desktop
		{`"  "`, "1 day", 400, "jwt_token_description: is missing or blank"},
		{`5`, "1 day", 201, "Token generated"},
		{`"5"`, "1 day", 400, blank},
		{`true`, "1 day", 201, "Token generated"},
		{`"True"`, "1 day", 400, blank},
		{`["a", "b"]`, "1 day", 201, "Token generated"},
		{`"a"`, "1 day", 400, blank},
		{`[]`, "1 day", 400, "jwt_token_description: must be a string"},
		{`"a\nb"`, "1 day", 400, "jwt_token_description: must not contain control characters, invisible characters or marks of text direction"},
		{`"a\u0000b"`, "1 day", 400, "jwt_token_description: must not contain control characters, invisible characters or marks of text direction"},
		{`"` + strings.Repeat("é", 128) + `"`, "1 day", 201, "Token generated"},
		{`"` + strings.Repeat("x", 129) + `"`, "1 day", 400, "jwt_token_description: must be at most 128 characters long"},
		{`"zero"`, "0s", 400, "jwt_token_life: must be greater than zero"},
		{`"negative"`, "-5 minutes", 400, "jwt_token_life: must not be negative"},
		{`"endless"`, "101 years", 400, "jwt_token_life: must be at most 100 years"},
		{`"nothing"`, "", 400, `jwt_token_life: must be a duration such as "30 days", "6 months", "1h30m" or "1:30:00"`},
		{`"number"`, "360", 400, `jwt_token_life: must be a duration such as "30 days", "6 months", "1h30m" or "1:30:00"`},
		{`"month"`, "6 months", 201, "Token generated"},
		{`"clock"`, "1:30:00", 201, "Token generated"},
		{`"fraction"`, "1.2 secs", 201, "Token generated"},
	} {
		t.Run(c.description, func(t *testing.T) {
			if got := s.alphaToken(t, p, c.description, c.life); got.status != c.status || got.text("message") != c.message {
				t.Errorf("%s for %s: %d %s, want %d %s", c.description, c.life, got.status, got.body, c.status, c.message)
			}
		})
	}
}

// TestAlphaEndpoints tests the field endpoints, which limits the scopes of a new token.
// Specter Desktop does not have this field.
func TestAlphaEndpoints(t *testing.T) {
	t.Parallel()
	s := start(t)
	admin := s.user(t, "admin", true)
	limited := s.call(t, "POST", alphaTokens, admin.basic(),
		`{"jwt_token_description": "limited", "jwt_token_life": "1 day", "endpoints": ["wallets:read", "proposals:read"]}`).
		want(t, 201, `"endpoints":["wallets:read","proposals:read"]`)
	for _, path := range []string{alphaTokens, alphaTokens + limited.text("jwt_token_id")} {
		s.call(t, "GET", path, admin.basic(), "").want(t, 200, `"endpoints":["wallets:read"`)
	}
	s.call(t, "GET", "/api/v1alpha/specter", bearer(limited.text("jwt_token")), "").
		wantMessage(t, 403, "the token lacks the scope node:read")

	for endpoints, message := range map[string]string{
		`["users:read"]`:   "endpoints: tokens of this API version can only have ",
		`["tokens:write"]`: "endpoints: tokens of this API version can only have ",
		`["proposals:*"]`:  "endpoints: tokens of this API version can only have node:read wallets:read proposals:read proposals:create; ",
		`["nonsense"]`:     "endpoints: contains an unknown scope",
		`[]`:               "endpoints: is empty",
		`"wallets:read"`:   "endpoints: must be a list",
		`[1]`:              "endpoints",
	} {
		s.call(t, "POST", alphaTokens, admin.basic(),
			`{"jwt_token_description": "x", "jwt_token_life": "1 day", "endpoints": `+endpoints+`}`).want(t, 400, message)
	}

	made := s.alphaToken(t, admin, `"default"`, "1 day").want(t, 201)
	if made.fields["endpoints"] != nil {
		t.Errorf("endpoints without a limit: %s", made.body)
	}
	self := s.call(t, "GET", "/api/v1/tokens/self", bearer(made.text("jwt_token")), "").want(t, 200)
	if got := fmt.Sprint(self.fields["scopes"]); got != fmt.Sprint(auth.SpecterScopes.Names()) {
		t.Errorf("the default scopes of an admin's token are %s", got)
	}
	for _, path := range []string{"/api/v1/users", "/api/v1/tokens"} {
		s.call(t, "GET", path, bearer(made.text("jwt_token")), "").wantProblem(t, 403, "insufficient_scope")
	}
}

// TestAlphaTokenList_NotPaginated checks that the token list is not paginated, as in Specter
// Desktop.
func TestAlphaTokenList_NotPaginated(t *testing.T) {
	t.Parallel()
	s := start(t)
	p := s.user(t, "p", false)
	first := s.token(t, p, 0)
	s.sql(t, `INSERT INTO tokens (token_id, user_id, description, token_hash, scopes, lifetime, created_at, expires_at)
		WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2100)
		SELECT 'id ' || i, $1, 'description ' || i, CAST('hash ' || i AS BLOB), '', 1, $2, 1 FROM n`, p.ID, s.clock.now().UnixMicro())
	got := s.call(t, "GET", alphaTokens, p.basic(), "").want(t, 200, first.id)
	if n := len(got.fields["jwt_tokens"].(map[string]any)); n != 2101 {
		t.Errorf("%d tokens", n)
	}
}
