package store_test

import (
	"crypto/sha256"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/idempotency"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

func keyed(u auth.User, key, asked string) idempotency.Request {
	return idempotency.Request{UserID: u.ID, Route: "POST /x", Key: key, Fingerprint: sha256.Sum256([]byte(asked))}
}

func TestIdempotencyKeys(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		alice, bob := b.user("alice", false), b.user("bob", false)
		keys := idempotency.New(b.Store, func() time.Time { return b.now }, nil)
		// begin calls Begin. It returns the claim with "claimed" or, without a claim, the
		// stored response or the code of the fault.
		begin := func(r idempotency.Request) (*idempotency.Claim, string) {
			t.Helper()
			claim, kept, err := keys.Begin(t.Context(), r)
			switch f, ok := errors.AsType[*fault.Error](err); {
			case ok:
				return nil, f.Code
			case err != nil:
				t.Fatal(err)
			case kept != nil:
				return nil, string(kept.Body)
			}
			return claim, "claimed"
		}
		want := func(r idempotency.Request, what string) *idempotency.Claim {
			t.Helper()
			claim, got := begin(r)
			if got != what {
				t.Fatalf("got %s, want %s", got, what)
			}
			return claim
		}
		first := keyed(alice, "k", "a")
		claim := want(first, "claimed")
		want(first, "request_in_progress")
		want(keyed(alice, "k", "b"), "idempotency_key_reused")
		testkit.Check(t, want(keyed(bob, "k", "b"), "claimed").Release(t.Context()))
		testkit.Check(t, want(keyed(alice, "K", "b"), "claimed").Release(t.Context()))
		other := first
		other.Route = "POST /y"
		testkit.Check(t, want(other, "claimed").Release(t.Context()))

		testkit.Check(t, claim.Release(t.Context()))
		claim = want(first, "claimed")
		testkit.Check(t, claim.Keep(t.Context(), idempotency.Answer{Status: 201, Body: []byte("the answer")}))
		want(first, "the answer")
		want(keyed(alice, "k", "b"), "idempotency_key_reused")
		testkit.Check(t, want(keyed(bob, "k", "b"), "claimed").Release(t.Context()))

		b.now = b.now.Add(idempotency.KeptFor)
		want(first, "the answer")
		b.now = b.now.Add(time.Microsecond)
		want(keyed(alice, "k", "b"), "claimed")

		// A claim that a crash left is taken over after a while. Its former owner cannot
		// change anything after that.
		lost := want(keyed(alice, "lost", "a"), "claimed")
		b.now = b.now.Add(idempotency.Patience - time.Microsecond)
		want(keyed(alice, "lost", "a"), "request_in_progress")
		b.now = b.now.Add(time.Microsecond)
		taker := want(keyed(alice, "lost", "a"), "claimed")
		if err := lost.Keep(t.Context(), idempotency.Answer{Status: 201, Body: []byte("late")}); err == nil {
			t.Error("who lost the key keeps an answer")
		}
		testkit.Check(t, lost.Release(t.Context()))
		want(keyed(alice, "lost", "a"), "request_in_progress")
		testkit.Check(t, taker.Keep(t.Context(), idempotency.Answer{Status: 200, Body: []byte("taken over")}))
		want(keyed(alice, "lost", "a"), "taken over")

		b.exec("DELETE FROM users WHERE user_id = $1", bob.ID)
		want(keyed(bob, "k2", "b"), "unauthenticated")
	})
}

// TestIdempotencyKeys_Concurrent checks that only one of several concurrent requests
// claims a key, in one process and in several.
func TestIdempotencyKeys_Concurrent(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		alice := b.user("alice", false)
		now := b.now
		clock := func() time.Time { return now }
		all := []*idempotency.Keys{idempotency.New(b.Store, clock, nil), idempotency.New(b.reopen(), clock, nil)}
		for _, key := range []string{"a", "b", "c", "d", "e"} {
			var claims atomic.Int64
			var callers sync.WaitGroup
			for i := range 8 {
				callers.Go(func() {
					claim, kept, err := all[i%len(all)].Begin(t.Context(), keyed(alice, key, "a"))
					switch {
					case claim != nil && kept == nil && err == nil:
						claims.Add(1)
					case !errors.Is(err, idempotency.ErrRunning):
						t.Errorf("%v %v %v", claim, kept, err)
					}
				})
			}
			callers.Wait()
			if claims.Load() != 1 {
				t.Errorf("%d requests have the key", claims.Load())
			}
		}
	})
}
