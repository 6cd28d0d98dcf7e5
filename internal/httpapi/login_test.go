package httpapi_test

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/auth"
)

// TestFailedLogins: ten a minute for a user from an address, and only failed
// ones count. Tokens and other addresses are not held up.
func TestFailedLogins(t *testing.T) {
	t.Parallel()
	s := start(t, func(s *setup) { s.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")} })
	p, other := s.user(t, "bob smith", false), s.user(t, "other", false)
	k := s.token(t, p, 0)
	from := func(address, authorization string) answer {
		return s.do(t, request{method: "GET", path: "/api/v1/users/me", auth: []string{authorization}, header: map[string]string{"X-Forwarded-For": address}})
	}
	const here = "2001:db8:1:2::1"
	for range 12 {
		from(here, p.basic()).want(t, 200)
	}
	for range 10 {
		from(here, basic("Bob Smith", "not the password")).wantProblem(t, 401, "unauthenticated")
	}
	s.clock.advance(20500 * time.Millisecond)
	for _, authorization := range []string{basic("bob smith", "not the password"), basic("BOB SMITH", "neither"), p.basic()} {
		got := from(here, authorization).wantProblem(t, 429, "too_many_failed_logins")
		if got.header.Get("Retry-After") != strconv.Itoa(40) {
			t.Errorf("Retry-After %s", got.header.Get("Retry-After"))
		}
	}
	from("2001:db8:1:2:ffff::9", p.basic()).wantProblem(t, 429, "too_many_failed_logins") // of the same /64
	from("2001:db8:1:3::1", p.basic()).want(t, 200)
	from("198.51.100.1", p.basic()).want(t, 200)
	from(here, other.basic()).want(t, 200)
	from(here, k.bearer()).want(t, 200)
	s.do(t, request{
		method: "GET", path: "/api/v1alpha/token/", auth: []string{p.basic()}, header: map[string]string{"X-Forwarded-For": here},
	}).want(t, 429, `"message":"too many failed logins`)
	s.clock.advance(39500 * time.Millisecond)
	from(here, p.basic()).want(t, 200)
}

// TestFailedLoginsOfNobody: a name that nobody has is limited, too, or else it
// could be told from one that somebody has.
func TestFailedLoginsOfNobody(t *testing.T) {
	t.Parallel()
	s := start(t)
	for range 10 {
		s.call(t, "GET", "/api/v1/users/me", basic("nobody", "not the password"), "").wantProblem(t, 401, "unauthenticated")
	}
	s.call(t, "GET", "/api/v1/users/me", basic("nobody", "not the password"), "").wantProblem(t, 429, "too_many_failed_logins")
}

// TestUnknownUsersCostAsMuch: a refusal takes one comparison whoever it is. The
// bounds are wide, since machines are busy; without the comparison an answer
// takes a tenth.
func TestUnknownUsersCostAsMuch(t *testing.T) {
	t.Parallel()
	s := start(t, func(s *setup) { s.cost = 6 })
	known, disabled, deleted := s.user(t, "known", false), s.user(t, "disabled", false), s.user(t, "deleted", false)
	imported := s.imported(t, "imported", "a password", false)
	_, err := s.store.EditUser(t.Context(), "imported", func(u *auth.UserEdit) error { // with this server's cost
		u.PasswordHash = strings.Replace(u.PasswordHash, "$04$", "$06$", 1)
		return nil
	})
	check(t, err)
	s.sql(t, "UPDATE users SET disabled_at = 1 WHERE user_id = $1", disabled.ID)
	s.sql(t, "DELETE FROM users WHERE user_id = $1", deleted.ID)
	credentials := map[string]string{
		"known": basic(known.Name, "not the password"), "unknown": basic("unknown", "not the password"),
		"disabled": disabled.basic(), "deleted": deleted.basic(), "imported": basic(imported.Name, "not the password"),
	}
	took := map[string][]time.Duration{}
	var want string
	for range 9 {
		for who, authorization := range credentials {
			begin := time.Now()
			got := s.do(t, request{method: "GET", path: "/api/v1/users/me", auth: []string{authorization}, header: map[string]string{"X-Request-Id": "same"}})
			took[who] = append(took[who], time.Since(begin))
			if want == "" {
				want = got.body
			}
			if got.wantProblem(t, 401, "unauthenticated").body != want {
				t.Errorf("%s: another answer: %s", who, got.body)
			}
		}
	}
	reference := median(took["known"])
	for who, times := range took {
		if ratio := float64(median(times)) / float64(reference); ratio < 0.4 || ratio > 2.5 {
			t.Errorf("%s takes %v, known %v", who, median(times), reference)
		}
	}
}

func median(times []time.Duration) time.Duration {
	slices.Sort(times)
	return times[len(times)/2]
}
