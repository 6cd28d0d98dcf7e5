package auth

import (
	"fmt"
	"testing"
	"time"
)

// TestLoginThrottle_BoundedMemory checks that the number of counts is bounded, even if an
// attacker uses a new name for each login.
func TestLoginThrottle_BoundedMemory(t *testing.T) {
	t.Parallel()
	f, now := newThrottle(), time.Date(2026, 12, 1, 10, 0, 0, 0, time.UTC)
	for i := range maxFailureKeys + 20 {
		f.failed(loginKey{user: fmt.Sprint(i), origin: "192.0.2.1"}, now.Add(time.Duration(i)*time.Millisecond))
	}
	if n := len(f.counts); n > maxFailureKeys {
		t.Errorf("%d keys", n)
	}
}

// TestLoginThrottle_GuessesPerDay checks that an attacker who retries as soon as possible
// gets about a hundred guesses per day for one user, and 1,500 for all users.
func TestLoginThrottle_GuessesPerDay(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ names, most int }{{1, 115}, {100_000, 1520}} {
		f, now := newThrottle(), time.Date(2026, 12, 1, 10, 0, 0, 0, time.UTC)
		guesses := 0
		for end := now.Add(24 * time.Hour); now.Before(end); {
			key := loginKey{user: fmt.Sprint(guesses % tc.names), origin: "192.0.2.1"}
			if f.check(key, now) != nil {
				now = now.Add(time.Second)
				continue
			}
			f.failed(key, now)
			guesses++
		}
		if guesses > tc.most {
			t.Errorf("%d guesses a day with %d names", guesses, tc.names)
		}
	}
}

// TestLoginThrottle_ClockSetBack checks that no wait exceeds maxWait if the clock is set
// back.
func TestLoginThrottle_ClockSetBack(t *testing.T) {
	t.Parallel()
	f, now := newThrottle(), time.Date(2026, 12, 1, 10, 0, 0, 0, time.UTC)
	key := loginKey{user: "bob", origin: "192.0.2.1"}
	for range 100 {
		f.failed(key, now)
	}
	now = now.AddDate(-1, 0, 0)
	if wait := key.limit().wait(f.counts[key], now); wait != maxWait {
		t.Errorf("wait %v", wait)
	}
	f.failed(key, now)
	if err := f.check(key, now.Add(maxWait)); err != nil {
		t.Errorf("after the longest wait: %v", err)
	}
}
