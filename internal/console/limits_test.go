package console_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/admission"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// limited opens a server with one slot, and so many places for each user, on which alice has the
// wallet treasury and bob views it.
func limited(t *testing.T, places int, patience time.Duration) (s *site, alice, bob *visitor) {
	t.Helper()
	limits := admission.Limits{Slots: 1, PerUser: places, Waiting: 1, UserBytes: 1 << 20, Bytes: 1 << 20, Patience: patience}
	s = open(t, onNode(minedNode(t)), func(set *setup) { set.gate = admission.New(limits) })
	alice, bob = s.user(t, "alice", false), s.user(t, "bob", false)
	alice.vault("treasury")
	alice.member("treasury", bob, "viewer")
	return s, alice, bob
}

func (s *site) userID(t *testing.T, name string) (id string) {
	t.Helper()
	testkit.Check(t, s.db.QueryRowContext(t.Context(), "SELECT user_id FROM users WHERE name = $1", name).Scan(&id))
	return id
}

// occupy takes one of a user's places and the slot.
func (s *site) occupy(t *testing.T, userID string, kind admission.Kind) *admission.Slot {
	t.Helper()
	slot, err := s.Gate.Enter(t.Context(), userID, kind)
	testkit.Check(t, err)
	return slot
}

// TestLimits requests pages and files while the user's places, or all slots, are occupied.
func TestLimits(t *testing.T) {
	t.Parallel()
	s, alice, bob := limited(t, 1, 200*time.Millisecond)
	id := s.userID(t, "alice")
	const w = "/wallets/treasury"
	for path, kind := range map[string]admission.Kind{
		"/": admission.Page, w: admission.Page, w + "/history": admission.Page, w + "/utxos": admission.Page, w + "/proposals": admission.Page,
		w + "/settings": admission.Page, "/tokens": admission.Page, "/find?q=nothing": admission.Page,
		w + "/history.csv": admission.Stream, w + "/history.jsonl": admission.Stream, w + "/ledger.csv": admission.Stream,
	} {
		t.Run(path, func(t *testing.T) {
			slot := s.occupy(t, id, kind)
			slot.Pause() // another user's request can have it
			refused := alice.get(path)
			served := bob.get(path)
			slot.Leave()
			refused.want(http.StatusTooManyRequests, "Too many requests", "Too many of your requests are in progress").follow("Try again").want(200)
			if after := refused.header.Get("Retry-After"); after != "1" {
				t.Errorf("Retry-After: %s", after)
			}
			served.want(200)
			slot = s.occupy(t, "another user", admission.Work)
			refused = bob.get(path)
			slot.Leave()
			refused.want(http.StatusServiceUnavailable, "Not available at the moment", "Too many requests are in progress").follow("Try again").want(200)
			if after := refused.header.Get("Retry-After"); after != "2" {
				t.Errorf("Retry-After: %s", after)
			}
		})
	}
	t.Run("forms", func(t *testing.T) {
		slot := s.occupy(t, id, admission.Work)
		refused := alice.post(w+"/send", "nothing", "at all")
		slot.Pause()
		alice.get(w + "/send").want(200) // pages have places of their own
		scan := alice.post(scanPath, "texts", "x")
		slot.Leave()
		refused.want(http.StatusTooManyRequests, "You can go back in your browser and send the form again").lacks("Try again")
		if scan.status != http.StatusTooManyRequests {
			t.Errorf("scanning: %d", scan.status)
		}
		all := strings.Repeat("x", 1<<20)
		release, err := s.Gate.Buffer(t.Context(), id, 1<<20)
		testkit.Check(t, err)
		alice.post("/tokens", "description", all[:1000]).want(http.StatusTooManyRequests, "Too many requests")
		release()
	})
	t.Run("revoking works while the server is busy", func(t *testing.T) {
		alice.bearer()
		token := alice.get("/tokens").follow("for the tests").path()
		slot := s.occupy(t, "another user", admission.Work)
		alice.post(token + "/revoke").want(http.StatusServiceUnavailable) // the page that it leads to
		slot.Leave()
		if n := s.count(t, "tokens WHERE user_id = '"+id+"'"); n != 0 {
			t.Errorf("%d tokens are left", n)
		}
	})
}

// TestLimits_ConcurrentUsers sends many pages of one user at the same time. Another user's pages are
// all served.
func TestLimits_ConcurrentUsers(t *testing.T) {
	t.Parallel()
	_, alice, bob := limited(t, 2, 5*time.Second)
	ctx, stop := context.WithCancel(t.Context())
	var all sync.WaitGroup
	statuses := make([]map[int]int, 20)
	for i := range statuses {
		statuses[i] = map[int]int{}
		all.Go(func() {
			for ctx.Err() == nil {
				statuses[i][alice.get("/wallets/treasury").status]++
			}
		})
	}
	for range 30 {
		bob.get("/wallets/treasury").want(200)
	}
	stop()
	all.Wait()
	count := map[int]int{}
	for _, some := range statuses {
		for status, n := range some {
			count[status] += n
		}
	}
	if count[200] == 0 || count[429] == 0 || len(count) != 2 {
		t.Errorf("statuses of alice: %v", count)
	}
}

// TestLimits_EndedSession ends a session while requests of the script live.js wait.
func TestLimits_EndedSession(t *testing.T) {
	t.Parallel()
	s, alice, _ := limited(t, 1, 20*time.Second)
	slot := s.occupy(t, "another user", admission.Work)
	pages := make(chan *document, 3)
	for range 3 {
		r := testkit.Must(http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/wallets/treasury", nil))
		r.Header.Set("Specterd-Refresh", "1")
		go func() { pages <- alice.do(r) }()
	}
	(<-pages).want(http.StatusTooManyRequests) // of the other two, one waits for the slot, and one for the place
	s.sql(t, "DELETE FROM sessions WHERE user_id = $1", s.userID(t, "alice"))
	slot.Leave()
	for range 2 {
		if p := <-pages; p.path() != "/login" {
			t.Errorf("%d %s", p.status, p.path())
		}
	}
}
