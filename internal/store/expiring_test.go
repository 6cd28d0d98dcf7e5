package store_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/event"
	"github.com/specterd/specterd/internal/store"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

const day = 24 * time.Hour

// lasting creates a token with a lifetime.
func (b *fixture) lasting(u auth.User, description string, life time.Duration) auth.Token {
	b.t.Helper()
	t, err := b.signed(u, description, "", life)
	testkit.Check(b.t, err)
	return t
}

// expiring makes several processes record the tokens that will expire, and returns the ids
// of the tokens with new events.
func (b *fixture) expiring(u auth.User, stores ...*store.Store) (ids []string) {
	b.t.Helper()
	before := len(b.userEvents(u))
	var running sync.WaitGroup
	for _, s := range append(stores, b.Store) {
		running.Go(func() { testkit.Check(b.t, s.RecordExpiringTokens(b.t.Context())) })
	}
	running.Wait()
	for _, e := range b.userEvents(u)[before:] {
		if e.Kind == event.TokenExpiring {
			ids = append(ids, e.Subject)
		}
	}
	return ids
}

// TestExpiringTokens: each token has one event before each of its expiry dates, in time,
// however many processes look for them.
func TestExpiringTokens(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		alice := b.user("alice", false)
		other := b.reopen()
		want := func(tokens ...auth.Token) {
			t.Helper()
			ids := b.expiring(alice, other, b.reopen())
			for _, tok := range tokens {
				if !strings.Contains(fmt.Sprint(ids), tok.ID) {
					t.Errorf("the token %q has no event", tok.Description)
				}
			}
			if len(ids) != len(tokens) {
				t.Errorf("%d events instead of %d", len(ids), len(tokens))
			}
		}
		next := func(at time.Time) {
			t.Helper()
			if got, err := other.NextExpiringToken(t.Context()); err != nil || !got.Equal(at) {
				t.Errorf("the next event is due at %v, not %v: %v", got, at, err)
			}
		}
		next(time.Time{})
		begin := b.now
		long, short := b.lasting(alice, "long", 90*day), b.lasting(alice, "short", 2*time.Hour)
		revoked := b.lasting(alice, "revoked", 90*day)
		missed := b.lasting(alice, "missed", time.Hour)
		next(missed.ExpiresAt.Add(-missed.ExpiresAt.Sub(begin) / 2).Truncate(time.Microsecond))
		b.now = begin.Add(29 * time.Minute)
		want()
		b.now = begin.Add(61 * time.Minute) // missed has expired
		want(short)
		next(long.ExpiresAt.Add(-7 * day))
		_, err := b.delete(alice, revoked.ID, false, false)
		testkit.Check(t, err)
		b.now = long.ExpiresAt.Add(-7*day - time.Microsecond)
		want()
		b.now = long.ExpiresAt.Add(-7 * day)
		want(long)
		b.now = long.ExpiresAt.Add(-time.Hour)
		want()
		next(time.Time{})
		list := b.userEvents(alice)
		last := list[len(list)-1]
		wanted := fmt.Sprintf(`{"token_id":%q,"description":"long","expires_at":%q}`, long.ID, long.ExpiresAt.UTC().Format(time.RFC3339))
		if string(last.Data) != wanted || last.Actor != (event.Actor{}) {
			t.Errorf("%+v %s is not %s", last.Actor, last.Data, wanted)
		}
	})
}

// TestExpiringTokens_Rotation: a rotated token and its descendants have an event for their
// new expiry, the successor has its own, and an expiry that stays has no second event.
func TestExpiringTokens_Rotation(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		alice := b.user("alice", false)
		old := b.lasting(alice, "old", 90*day)
		child := b.token(alice, "child", old.ID)
		b.now = old.ExpiresAt.Add(-6 * day)
		if ids := b.expiring(alice); len(ids) != 1 || ids[0] != old.ID { // the child has expired
			t.Errorf("events of %v", ids)
		}
		child = b.token(alice, "second child", old.ID)
		rotated := rotate(b, alice, old.ID, true, b.now.Add(time.Hour))
		if ids := b.expiring(alice); ids != nil {
			t.Errorf("events of %v", ids)
		}
		b.now = b.now.Add(40 * time.Minute)
		if ids := b.expiring(alice); !sameIDs(ids, old.ID, child.ID) {
			t.Errorf("events of %v, not of %s, which was rotated, and its child", ids, old.ID)
		}
		b.now = rotated.ExpiresAt.Add(-time.Minute)
		if ids := b.expiring(alice); !sameIDs(ids, rotated.ID) {
			t.Errorf("events of %v, not of the successor", ids)
		}
		rotate(b, alice, rotated.ID, true, rotated.ExpiresAt)
		b.now = rotated.ExpiresAt.Add(-time.Second)
		for _, id := range b.expiring(alice) {
			if id == rotated.ID {
				t.Error("a token has two events for the same expiry")
			}
		}
	})
}

// TestExpiringTokens_Many: the tokens that are due are found by an index, and all of them
// have an event.
func TestExpiringTokens_Many(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		alice := b.user("alice", false)
		const due = 250
		for i := range due {
			b.token(alice, fmt.Sprint("token ", i), "")
		}
		b.now = b.now.Add(time.Hour)
		if ids := b.expiring(alice, b.reopen()); len(ids) != due {
			t.Errorf("%d events", len(ids))
		}
		var d event.ExpiringData
		list := b.userEvents(alice)
		testkit.Check(t, json.Unmarshal(list[len(list)-1].Data, &d))
		if !strings.HasPrefix(d.Description, "token ") {
			t.Errorf("%+v", d)
		}
		fill := "INSERT INTO tokens (token_id, user_id, description, token_hash, scopes, lifetime, created_at, expires_at, expiring_at) SELECT "
		if b.engine == "sqlite" {
			b.exec("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) "+fill+
				"'t' || i, $1, 't' || i, CAST(i AS BLOB), '', 1, 1, 4000000000000000, 3000000000000000 FROM n", alice.ID)
		} else {
			b.exec(fill+"'t' || i, $1, 't' || i, decode(lpad(to_hex(i), 64, '0'), 'hex'), '', 1, 1, 4000000000000000, 3000000000000000 FROM generate_series(1, 5000) AS i", alice.ID)
		}
		b.exec("ANALYZE tokens")
		for _, query := range []string{
			"SELECT token_id FROM tokens WHERE expiring_at <= 5 ORDER BY expiring_at, token_id LIMIT 100",
			"SELECT min(expiring_at) FROM tokens WHERE expiring_at IS NOT NULL",
		} {
			if plan := b.plan(query); !strings.Contains(plan, "tokens_by_expiring") {
				t.Errorf("%s does not use the index:\n%s", query, plan)
			}
		}
	})
}
