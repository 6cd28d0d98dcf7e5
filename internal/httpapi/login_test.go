package httpapi_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// loginAttempts is a server that trusts X-Forwarded-For, so that tests can try passwords from
// any address.
type loginAttempts struct{ *server }

func newLoginAttempts(t *testing.T) loginAttempts {
	return loginAttempts{start(t, func(s *setup) { s.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")} })}
}

func (s loginAttempts) from(t *testing.T, address, authorization string) answer {
	t.Helper()
	return s.do(t, request{method: "GET", path: "/api/v1/users/me", auth: []string{authorization}, header: map[string]string{"X-Forwarded-For": address}})
}

// TestUnauthenticated_NamesRequiredCredentials checks that a 401 names the credentials that
// the route accepts, and that a route that accepts only tokens neither checks passwords nor
// counts them as failed logins.
func TestUnauthenticated_NamesRequiredCredentials(t *testing.T) {
	t.Parallel()
	s := start(t)
	bob := s.user(t, "bob", false)
	ask := func(method, path string, authorization ...string) answer {
		got := s.do(t, request{method: method, path: path, auth: authorization})
		return got.wantProblem(t, 401, "unauthenticated")
	}
	const createOne = "this route requires an access token (Authorization: Bearer TOKEN); create one with POST /api/v1/tokens"
	for range auth.MaxFailures + 1 {
		for _, password := range []string{bob.password, "not the password"} {
			got := ask("GET", "/api/v1/wallets", basic("bob", password))
			if got.text("detail") != createOne {
				t.Fatalf("detail %q, want %q", got.text("detail"), createOne)
			}
			wantChallenges(t, got.header.Values("WWW-Authenticate"), `Bearer realm="specterd"`)
		}
	}
	s.do(t, request{method: "GET", path: "/api/v1/users/me", auth: []string{bob.basic()}}).want(t, 200)

	ask("GET", "/api/v1/wallets").want(t, 401, "no credentials; this route requires an access token (Authorization: Bearer TOKEN)\"")
	ask("GET", "/api/v1/tokens").want(t, 401, "no credentials; this route requires an access token (Authorization: Bearer TOKEN), or your user name and password (HTTP Basic)")
	ask("GET", "/api/v1/wallets", bearer("x")).want(t, 401, "invalid credentials")
	ask("GET", "/api/v1/users/me", basic("bob", "not the password")).want(t, 401, "invalid credentials")
}

// TestUnauthenticated_NamesMistakes checks that a 401 says if a token was sent as a password,
// or another text as a token, and that it is the same for users who exist and others.
func TestUnauthenticated_NamesMistakes(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.user(t, "bob", false)
	const token = "eyJhbGciOiJIUzI1NiJ9.eyJpZCI6IngifQ.c2lnbmF0dXJl"
	for _, test := range []struct{ name, path, authorization, want string }{
		{"wrong password", "/api/v1/tokens", basic("bob", "wrong"), "invalid credentials; check user name and password"},
		{"unknown user", "/api/v1/tokens", basic("ghost", "wrong"), "invalid credentials; check user name and password"},
		{"a token as password", "/api/v1/tokens", basic("bob", token), "invalid credentials; the password looks like an access token, which must be sent as: Authorization: Bearer TOKEN"},
		{"a token as password of an unknown user", "/api/v1/tokens", basic("ghost", token), "invalid credentials; the password looks like an access token, which must be sent as: Authorization: Bearer TOKEN"},
		{"a token as password, where only passwords are accepted", "/api/v1/users", basic("bob", token), "invalid credentials; the password looks like an access token, but this route requires your user name and password (HTTP Basic)"},
		{"not a token", "/api/v1/tokens", bearer("bob:wrong"), "invalid credentials; the text after Bearer is not a token of specterd, which begins with eyJ and has two dots"},
		{"an unknown token", "/api/v1/tokens", bearer(token), "invalid credentials; the token may have expired or been revoked"},
		{"a token without a scheme", "/api/v1/wallets", token, "this route requires an access token (Authorization: Bearer TOKEN); create one with POST /api/v1/tokens"},
	} {
		t.Run(test.name, func(t *testing.T) {
			method := "GET"
			if test.path == "/api/v1/users" {
				method = "POST"
			}
			got := s.do(t, request{method: method, path: test.path, auth: []string{test.authorization}}).wantProblem(t, 401, "unauthenticated")
			if got.text("detail") != test.want {
				t.Errorf("detail %q, want %q", got.text("detail"), test.want)
			}
		})
	}
}

// TestLoginThrottle_WaitsGrow checks that logins are delayed by one second after
// auth.MaxFailures failures, and that each further failure doubles the delay, up to 15 minutes.
func TestLoginThrottle_WaitsGrow(t *testing.T) {
	t.Parallel()
	s := newLoginAttempts(t)
	bob := s.user(t, "bob smith", false)
	const address = "2001:db8:1:2::1"
	for range auth.MaxFailures {
		s.from(t, address, basic("Bob Smith", "not the password")).wantProblem(t, 401, "unauthenticated")
	}
	for _, wait := range []int{1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900} {
		got := s.from(t, address, bob.basic()).wantProblem(t, 429, "too_many_failed_logins")
		if retry := got.header.Get("Retry-After"); retry != strconv.Itoa(wait) {
			t.Fatalf("Retry-After is %s, want %d", retry, wait)
		}
		s.from(t, "2001:db8:1:2:ffff::9", bob.basic()).wantProblem(t, 429, "too_many_failed_logins") // the same /64
		s.clock.advance(time.Duration(wait) * time.Second)
		s.from(t, address, basic("BOB SMITH", "not it")).wantProblem(t, 401, "unauthenticated")
	}
	s.do(t, request{
		method: "GET", path: "/api/v1alpha/token/", auth: []string{bob.basic()}, header: map[string]string{"X-Forwarded-For": address},
	}).want(t, 429, `"message":"too many failed logins`)
}

// TestLoginThrottle_DoesNotLockOutOthers checks that failures from one address do not delay
// the same user at other addresses, other users, or tokens. The correct password after the
// delay resets the count.
func TestLoginThrottle_DoesNotLockOutOthers(t *testing.T) {
	t.Parallel()
	s := newLoginAttempts(t)
	bob, other := s.user(t, "bob", false), s.user(t, "other", false)
	token := s.token(t, bob, 0)
	const address = "198.51.100.9"
	for range auth.MaxFailures + 3 {
		s.from(t, address, basic("bob", "not the password")).wantProblem(t, 401, "unauthenticated")
		s.clock.advance(5 * time.Second)
	}
	s.clock.advance(-5 * time.Second)
	s.from(t, address, bob.basic()).wantProblem(t, 429, "too_many_failed_logins")
	s.from(t, "198.51.100.10", bob.basic()).want(t, 200)
	s.from(t, address, other.basic()).want(t, 200)
	s.from(t, address, token.bearer()).want(t, 200)
	s.clock.advance(15 * time.Minute)
	s.from(t, address, bob.basic()).want(t, 200)
	for range auth.MaxFailures {
		s.from(t, address, basic("bob", "not the password")).wantProblem(t, 401, "unauthenticated")
	}
	s.from(t, address, bob.basic()).wantProblem(t, 429, "too_many_failed_logins")
}

// TestLoginThrottle_PasswordSpraying checks that attempts with many user names are limited by
// address, and that a user who has logged in from that address is not delayed.
func TestLoginThrottle_PasswordSpraying(t *testing.T) {
	testkit.NeedsTime(t)
	t.Parallel()
	s := newLoginAttempts(t)
	known, other := s.user(t, "known", false), s.user(t, "other", false)
	s.from(t, "2001:db8:9::1", known.basic()).want(t, 200)
	tried := 0
	for i := range 100 {
		got := s.from(t, fmt.Sprintf("2001:db8:9::%x", i+2), basic(fmt.Sprintf("name%d", i), "Summer2026!"))
		if got.status == 429 {
			break
		}
		got.wantProblem(t, 401, "unauthenticated")
		tried++
	}
	if tried > 60 {
		t.Errorf("%d user names could be tried without a delay", tried)
	}
	s.from(t, "2001:db8:9::1", other.basic()).wantProblem(t, 429, "too_many_failed_logins")
	s.from(t, "2001:db8:9::1", known.basic()).want(t, 200)
	s.from(t, "2001:db8:a::1", other.basic()).want(t, 200)
}

// TestLoginThrottle_UnknownName checks that unknown user names are limited like known ones;
// otherwise a client could find out which names exist.
func TestLoginThrottle_UnknownName(t *testing.T) {
	t.Parallel()
	s := start(t)
	for range auth.MaxFailures {
		s.call(t, "GET", "/api/v1/users/me", basic("unknown", "not the password"), "").wantProblem(t, 401, "unauthenticated")
	}
	s.call(t, "GET", "/api/v1/users/me", basic("unknown", "not the password"), "").wantProblem(t, 429, "too_many_failed_logins")
}

// TestLogin_RefusedPasswords checks that every refused password costs the same hash operations and
// gets the same response, so that neither the response nor its time reveals whether a user exists.
func TestLogin_RefusedPasswords(t *testing.T) {
	t.Parallel()
	operations := make(chan auth.HashOperation, 100)
	s := start(t, func(s *setup) { s.cost, s.hashed = 5, func(o auth.HashOperation) { operations <- o } })
	known, disabled, deleted := s.user(t, "known", false), s.user(t, "disabled", false), s.user(t, "deleted", false)
	imported := s.imported(t, "imported", "a password", false)
	_, err := s.store.EditUser(t.Context(), auth.Operator("test"), "imported", func(u *auth.UserEdit) error { // use the bcrypt cost of this server
		u.PasswordHash = strings.Replace(u.PasswordHash, "$04$", "$05$", 1)
		return nil
	})
	testkit.Check(t, err)
	s.sql(t, "UPDATE users SET disabled_at = 1 WHERE user_id = $1", disabled.ID)
	s.sql(t, "DELETE FROM users WHERE user_id = $1", deleted.ID)
	done := func() (all []auth.HashOperation) {
		for len(operations) > 0 {
			all = append(all, <-operations)
		}
		return all
	}
	if created := done(); len(created) != 3 {
		t.Fatalf("three passwords were hashed with %v", created)
	}
	want, body := []auth.HashOperation{{Function: "PBKDF2", Effort: 10_000}, {Function: "bcrypt", Effort: 5}}, ""
	for who, authorization := range map[string]string{
		"known": basic(known.Name, "not the password"), "unknown": basic("unknown", "not the password"),
		"disabled": disabled.basic(), "deleted": deleted.basic(), "imported": basic(imported.Name, "not the password"),
		"longer than bcrypt reads": basic(known.Name, strings.Repeat("x", 100)),
	} {
		t.Run(who, func(t *testing.T) {
			got := s.do(t, request{method: "GET", path: "/api/v1/users/me", auth: []string{authorization}, header: map[string]string{"X-Request-Id": "same"}})
			if body == "" {
				body = got.body
			}
			if got.wantProblem(t, 401, "unauthenticated").body != body {
				t.Errorf("the response differs: %s", got.body)
			}
			if all := done(); !slices.Equal(all, want) {
				t.Errorf("the hash operations are %v, want %v", all, want)
			}
		})
	}
}
