package httpapi_test

import (
	"sync/atomic"
	"testing"
	"time"

	watching "github.com/specterd/specterd/internal/clock"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// TestClockJumps checks that tokens expire by the current wall clock, that deleted tokens
// stay deleted regardless of the clock, and that rows that become valid again when the clock
// is corrected have not been deleted. The readiness probe reports the jump until the clock is
// corrected or Doubt has elapsed.
func TestClockJumps(t *testing.T) {
	t.Parallel()
	for name, setting := range engines {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, steady := &counter{}, new(atomic.Int64)
			s := start(t, setting(t), func(s *setup) {
				s.routes = c.routes
				s.Watch = watching.NewWatch(s.Log, s.Now, func() time.Duration { return time.Duration(steady.Load()) })
			})
			s.mayFail = true // a jump is logged as an error
			pass := func(d time.Duration) { s.clock.advance(d); steady.Add(int64(d)) }
			p := s.user(t, "p", false)
			works := func(want bool, tokens ...token) {
				t.Helper()
				for _, k := range tokens {
					s.works(t, k, want)
				}
			}
			ready := func(want int, reason string) {
				t.Helper()
				s.call(t, "GET", "/api/healthz/readyness", "", "").want(t, want, reason)
			}
			once := func(key, want string) {
				t.Helper()
				s.do(t, keyedRequest("/api/v1/count", p.basic(), key, `{"text": "a"}`)).want(t, 201, want)
			}
			rows := func() (n int) {
				testkit.Check(t, s.db.QueryRowContext(t.Context(), "SELECT count(*) FROM tokens").Scan(&n))
				return n
			}

			ended := s.tokenFor(t, p, 10*time.Minute, 0, nil)
			works(true, ended)
			pass(time.Hour)
			var living, revoked []token
			for range testkit.Size(10, 200) {
				living, revoked = append(living, s.token(t, p, 0)), append(revoked, s.token(t, p, 0))
			}
			for _, k := range revoked[1:] {
				works(true, k)
				s.call(t, "DELETE", tokens+"/"+k.id, p.basic(), "").want(t, 200)
			}
			works(true, living...)
			works(false, ended)
			ready(200, "")
			once("k", "1. time")
			before := rows()

			s.clock.advance(48 * time.Hour)
			ready(503, "jumped forward by 48h0m0s")
			works(false, living...)
			works(false, revoked...)
			s.call(t, "DELETE", tokens+"/"+revoked[0].id, p.basic(), "").want(t, 200)
			once("l", "2. time")
			once("k", "1. time") // replayed, not executed again
			if n := rows(); n != before-1 {
				t.Errorf("%d tokens in the database, want %d", n, before-1)
			}

			s.clock.advance(-48 * time.Hour)
			ready(200, "")
			works(true, living...)
			works(false, revoked...)
			works(false, ended)
			once("k", "1. time")
			once("l", "2. time")

			s.clock.advance(-55 * time.Minute)
			ready(503, "jumped back by 55m0s")
			works(true, ended) // its expiry is in the future again, and its row was not deleted
			works(false, revoked...)
			once("k", "1. time")
			pass(watching.Doubt)
			ready(200, "")
			works(false, ended)
			works(false, revoked...)
			testkit.Figure(t, "%s, clock 48 h forward and back, 55 min back: %d valid tokens refused and accepted again, %d deleted tokens refused throughout, no row lost, no request executed twice",
				name, len(living), len(revoked))
		})
	}
}
