package httpapi_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// testUser is a user and their password in plain text.
type testUser struct {
	auth.User
	password string
}

func (p testUser) basic() string { return basic(p.Name, p.password) }

func basic(name, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(name+":"+password))
}

func bearer(token string) string { return "Bearer " + token }

// user creates a user with the password "correct horse of " + name.
func (s *server) user(t *testing.T, name string, admin bool) testUser {
	t.Helper()
	p := testUser{password: "correct horse of " + name}
	s.secret(p.password)
	var err error
	p.User, err = s.Users.Create(t.Context(), auth.Operator("test"), name, p.password, admin)
	testkit.Check(t, err)
	return p
}

// principal returns the principal of a request with the user's password, without checking
// that the user still exists or is active.
func (p testUser) principal() *auth.Principal {
	who := auth.Operator(p.Name)
	who.UserID, who.Admin, who.Scopes, who.Address = p.ID, p.Admin, auth.ScopesOf(p.Admin), "127.0.0.1"
	return who
}

// token is the id of an access token and its secret, the JWT.
type token struct {
	id, secret string
}

func (k token) bearer() string { return bearer(k.secret) }

// token creates a token that expires in an hour, with the given scopes or, if scopes is 0,
// with every scope that the user can have. If aliases of wallets are given, the token is
// limited to these wallets.
func (s *server) token(t *testing.T, p testUser, scopes auth.Scopes, wallets ...string) token {
	t.Helper()
	return s.tokenFor(t, p, time.Hour, scopes, wallets)
}

func (s *server) tokenFor(t *testing.T, p testUser, life time.Duration, scopes auth.Scopes, wallets []string) token {
	t.Helper()
	if scopes == 0 {
		scopes = auth.ScopesOf(p.Admin)
	}
	order := auth.CreateTokenParams{Description: unique("token"), Lifetime: life, Scopes: scopes, Wallets: wallets}
	made, secret, err := s.Tokens.Create(t.Context(), p.principal(), order)
	testkit.Check(t, err)
	s.secret(secret)
	return token{made.ID, secret}
}

// child creates a token over HTTP, with parent as the credential. The default scopes are
// tokens:* and node:read.
func (s *server) child(t *testing.T, parent token, scopes ...string) token {
	t.Helper()
	if scopes == nil {
		scopes = []string{"tokens:*", "node:read"}
	}
	body := fmt.Sprintf(`{"description": %q, "lifetime": "10 minutes", "scopes": %s}`, unique("child"), testkit.Must(json.Marshal(scopes)))
	made := s.call(t, "POST", "/api/v1/tokens", parent.bearer(), body).want(t, 201)
	return token{made.text("id"), made.text("token")}
}

// wallet inserts a wallet without keys, which the node does not have, and makes a user a
// member with the given role. It returns the wallet's id.
func (s *server) wallet(t *testing.T, p testUser, alias, role string) (id string) {
	t.Helper()
	id = unique("wallet")
	s.sql(t, `INSERT INTO wallets (wallet_id, name, stage, core_name, script, signatures_required, receive_descriptor, change_descriptor, birthday_height, created_at)
		VALUES ($1, $2, 'ready', $1, 'wpkh', 1, '', '', 0, 0)`, id, "The "+alias)
	s.sql(t, "INSERT INTO members (wallet_id, user_id, role, alias, created_at) VALUES ($1, $2, $3, $4, 0)", id, p.ID, role, alias)
	return id
}

// request is an HTTP request of a test.
type request struct {
	method, path string
	auth         []string
	header       map[string]string
	host         string
	body         string // JSON, unless header has a Content-Type
}

// answer is a response whose body has been read.
type answer struct {
	status int
	header http.Header
	body   string
	fields map[string]any // the decoded body if it is a JSON object
}

// call makes a request with one Authorization header, or without one if authorization is
// empty.
func (s *server) call(t testing.TB, method, path, authorization, body string) answer {
	t.Helper()
	r := request{method: method, path: path, body: body}
	if authorization != "" {
		r.auth = []string{authorization}
	}
	return s.do(t, r)
}

func (s *server) do(t testing.TB, r request) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), r.method, s.url+r.path, strings.NewReader(r.body))
	testkit.Check(t, err)
	if r.body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if r.host != "" {
		req.Host = r.host
	}
	for name, value := range r.header {
		req.Header.Set(name, value)
	}
	for _, value := range r.auth {
		req.Header.Add("Authorization", value)
		s.credentialIsSecret(value)
	}
	res, err := s.client.Do(req)
	testkit.Check(t, err)
	defer func() { _ = res.Body.Close() }()
	return s.read(t, res)
}

func (s *server) read(t testing.TB, res *http.Response) answer {
	t.Helper()
	body, err := io.ReadAll(res.Body)
	testkit.Check(t, err)
	a := answer{status: res.StatusCode, header: res.Header, body: string(body)}
	if contentType := res.Header.Get("Content-Type"); strings.HasSuffix(contentType, "json") && contentType != "application/x-ndjson" && len(body) > 0 && body[0] != '[' {
		if err := json.Unmarshal(body, &a.fields); err != nil {
			t.Errorf("the body is not a JSON object: %v: %s", err, body)
		}
	}
	for _, name := range []string{"token", "jwt_token"} {
		if secret, ok := a.fields[name].(string); ok {
			s.secret(secret)
		}
	}
	return a
}

func (s *server) credentialIsSecret(header string) {
	_, credential, _ := strings.Cut(header, " ")
	s.secret(credential)
	if text, err := base64.StdEncoding.DecodeString(credential); err == nil {
		_, password, _ := strings.Cut(string(text), ":")
		s.secret(password)
	}
}

// want fails the test unless the response has this status and its body contains all parts.
func (a answer) want(t testing.TB, status int, parts ...string) answer {
	t.Helper()
	if a.status != status {
		t.Fatalf("status %d, want %d: %s", a.status, status, a.body)
	}
	for _, part := range parts {
		if !strings.Contains(a.body, part) {
			t.Errorf("the body lacks %q: %s", part, a.body)
		}
	}
	return a
}

// text returns a string field of the response, or "" if there is none with this name.
func (a answer) text(name string) string {
	text, _ := a.fields[name].(string)
	return text
}

// list returns the values of a string field in all items of a page.
func (a answer) list(field string) []string {
	var out []string
	items, _ := a.fields["items"].([]any)
	for _, item := range items {
		text, _ := item.(map[string]any)[field].(string)
		out = append(out, text)
	}
	return out
}

// wantProblem fails the test unless the response is a problem document (RFC 9457) with this
// status and code.
func (a answer) wantProblem(t testing.TB, status int, code string) answer {
	t.Helper()
	a.want(t, status)
	if got := a.header.Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("content type %q", got)
	}
	if a.text("code") != code || a.fields["status"] != float64(status) || a.text("title") != http.StatusText(status) ||
		a.text("detail") == "" || a.text("request_id") != a.header.Get("X-Request-Id") {
		t.Errorf("the body is not a problem document with the code %s: %s", code, a.body)
	}
	return a
}

// wantMessage fails the test unless the response has this status and is this message in the
// format of Specter Desktop.
func (a answer) wantMessage(t testing.TB, status int, message string) answer {
	t.Helper()
	a.want(t, status)
	if got := a.header.Get("Content-Type"); got != "application/json" {
		t.Errorf("content type %q", got)
	}
	if a.text("message") != message {
		t.Errorf("message %q, want %q", a.text("message"), message)
	}
	return a
}

const unauthorized = "The server could not verify that you are authorized to access the URL requested. " +
	"You either supplied the wrong credentials (e.g. a bad password), or your browser doesn't understand how to supply the credentials required."

// wantRefused fails the test unless the response is the 401 of the API version of path.
func (a answer) wantRefused(t testing.TB, path string) {
	t.Helper()
	if strings.HasPrefix(path, "/api/v1alpha/") {
		a.wantMessage(t, http.StatusUnauthorized, unauthorized)
	} else {
		a.wantProblem(t, http.StatusUnauthorized, "unauthenticated")
	}
}

var uniqueNumber atomic.Int64

// unique returns a name that no other call returns.
func unique(name string) string { return name + "-" + strconv.FormatInt(uniqueNumber.Add(1), 10) }

// eventually waits until holds returns true. It is for rows that are written in the
// background.
func eventually(t *testing.T, holds func() bool) {
	t.Helper()
	testkit.Eventually(t, "it is so", holds)
}

// jsonText returns text as a JSON string.
func jsonText(text string) (string, error) {
	quoted, err := json.Marshal(text)
	return string(quoted), err
}
