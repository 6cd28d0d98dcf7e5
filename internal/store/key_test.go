package store_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// signed adds a token that was signed with the given key.
func (b *fixture) signed(u auth.User, description, key string, life time.Duration) (auth.Token, error) {
	t := tokenFor(u, description, "", b.now)
	t.SigningKey, t.ExpiresAt = key, b.now.Add(life).Truncate(time.Second)
	return t, b.CreateToken(context.WithoutCancel(b.t.Context()), operator, t, auth.Event{At: b.now, Action: "token.create"})
}

func (b *fixture) rotate(from, to string) error {
	b.now = b.now.Add(time.Second)
	return b.RotateKey(context.WithoutCancel(b.t.Context()), from, to, auth.Event{At: b.now, Action: "key.rotate", Target: to})
}

func (b *fixture) dropKeys(end bool) string {
	b.t.Helper()
	dropped, err := b.DropKeys(b.t.Context(), end, func(d auth.DroppedKey) auth.Event {
		return auth.Event{At: b.now, Action: "key.drop", Target: d.Fingerprint}
	})
	testkit.Check(b.t, err)
	return fmt.Sprint(dropped)
}

// TestSigningKeys checks that one key signs, that its predecessors are accepted until
// their last token has expired, and that a dropped key cannot be used again.
func TestSigningKeys(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		u := b.user("alice", false)
		testkit.Check(t, b.BindKey(t.Context(), "k1"))
		short, err := b.signed(u, "short", "k1", time.Minute)
		testkit.Check(t, err)
		testkit.Check(t, b.rotate("k1", "k2"))
		if _, err := b.signed(u, "late", "k1", time.Hour); !errors.Is(err, auth.ErrKeyRetired) {
			t.Errorf("a token of a key that has retired: %v", err)
		}
		if err := b.rotate("k1", "k9"); !errors.Is(err, auth.ErrKeyRetired) {
			t.Errorf("rotated twice from one key: %v", err)
		}
		long, err := b.signed(u, "long", "k2", time.Hour)
		testkit.Check(t, err)
		testkit.Check(t, b.rotate("k2", "k3"))
		if dropped := b.dropKeys(false); dropped != "[]" {
			t.Errorf("dropped %s while their tokens live", dropped)
		}
		b.now = b.now.Add(2 * time.Minute)
		if dropped := b.dropKeys(false); dropped != "[{k1 0}]" {
			t.Errorf("dropped %s, want k1", dropped)
		}
		keys, err := b.SigningKeys(t.Context())
		testkit.Check(t, err)
		for i, want := range []string{"k3 true true", "k2 false true", "k1 false false"} {
			if got := fmt.Sprint(keys[i].Fingerprint, " ", keys[i].Signs(), " ", keys[i].Accepted()); got != want {
				t.Errorf("key %d: got %s, want %s", i, got, want)
			}
		}
		for _, used := range []string{"k1", "k2", "k3"} {
			if err := b.rotate("k3", used); err == nil {
				t.Errorf("%s signs again", used)
			}
		}
		if _, err := b.signed(u, "still", "k3", time.Hour); err != nil {
			t.Errorf("a refused rotation changed something: %v", err)
		}
		if !b.tokenExists(short.ID) || !b.tokenExists(long.ID) {
			t.Error("rows went with their keys")
		}
		if got := b.count("SELECT count(*) FROM audit WHERE action IN ('key.rotate', 'key.drop')"); got != 3 {
			t.Errorf("%d entries in the audit record, want 3", got)
		}
	})
}

// TestRevokeTokensOfKey checks that revoking the tokens of a leaked key also revokes
// the tokens created with them and the tokens of earlier keys, but not imported tokens,
// which have no key.
func TestRevokeTokensOfKey(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		u := b.user("alice", false)
		testkit.Check(t, b.BindKey(t.Context(), "k1"))
		first, err := b.signed(u, "first", "k1", time.Hour)
		testkit.Check(t, err)
		imported := tokenFor(u, "imported", "", b.now)
		imported.Imported = true
		testkit.Check(t, b.ImportToken(t.Context(), "there", imported, auth.Event{At: b.now}))
		testkit.Check(t, b.rotate("k1", "k2"))
		child := tokenFor(u, "child", first.ID, b.now)
		child.SigningKey = "k2"
		testkit.Check(t, b.CreateToken(t.Context(), operator, child, auth.Event{At: b.now}))
		second, err := b.signed(u, "second", "k2", time.Hour)
		testkit.Check(t, err)
		testkit.Check(t, b.rotate("k2", "k3"))
		if dropped := b.dropKeys(true); dropped != "[{k2 2} {k1 1}]" {
			t.Errorf("dropped %s", dropped)
		}
		for _, gone := range []auth.Token{first, child, second} {
			if b.tokenExists(gone.ID) {
				t.Errorf("%q is still there", gone.Description)
			}
		}
		if !b.tokenExists(imported.ID) {
			t.Error("the imported one is gone")
		}
		b.wantTokenEvents(u)
		if n := b.count("SELECT count(*) FROM signing_keys WHERE dropped_at IS NULL"); n != 1 {
			t.Errorf("%d keys are accepted", n)
		}
	})
}

// TestRotateKey_ConcurrentTokens checks that concurrent requests create no token signed
// with the old key after a rotation.
func TestRotateKey_ConcurrentTokens(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		u := b.user("alice", false)
		testkit.Check(t, b.BindKey(t.Context(), "k0"))
		for round := range 10 {
			from, to := fmt.Sprintf("k%d", round), fmt.Sprintf("k%d", round+1)
			var making sync.WaitGroup
			begun := make(chan struct{}, 3)
			for worker := range cap(begun) {
				making.Go(func() {
					for i := 0; ; i++ {
						_, err := b.signed(u, fmt.Sprintf("%d/%d/%d", round, worker, i), from, time.Hour)
						if i == 0 {
							begun <- struct{}{}
						}
						if errors.Is(err, auth.ErrKeyRetired) {
							return
						}
						if err != nil {
							t.Error(err)
							return
						}
					}
				})
			}
			for range cap(begun) {
				<-begun
			}
			testkit.Check(t, b.RotateKey(t.Context(), from, to, auth.Event{At: b.now, Action: "key.rotate", Target: to})) // without advancing the clock
			b.dropKeys(true)
			making.Wait()
			if n := b.count("SELECT count(*) FROM tokens"); n != 0 {
				t.Fatalf("%d tokens of %s outlived it", n, from)
			}
		}
	})
}
