package auth

import (
	"sync"
	"time"

	"github.com/specterd/specterd/internal/fault"
)

// ErrTooManyFailures is returned for a login that must wait because of earlier
// failed logins.
var ErrTooManyFailures = fault.New(fault.TooMany, "too_many_failed_logins",
	"too many failed logins as this user from this address; wait before the next one, or use a token, which is not limited")

// MaxFailures is the number of failed logins, as one user from one address, after
// which further logins must wait. FailureForgottenAfter is the time after which one
// failure no longer counts.
const (
	MaxFailures           = 5
	FailureForgottenAfter = 15 * time.Minute
)

const (
	// maxAddressFailures is the limit for all user names together from one address,
	// against password spraying. It is higher because users may share an address.
	maxAddressFailures      = 60
	addressFailureForgotten = time.Minute
	// firstWait and maxWait are the shortest and the longest wait. Each wait is
	// twice as long as the previous one.
	firstWait = time.Second
	maxWait   = 15 * time.Minute
	// provedFor is the time after a successful login during which the user is
	// exempt from the limit of that address, so that others at the same address
	// cannot lock the user out.
	provedFor = 30 * 24 * time.Hour
	// maxFailureKeys is the maximum number of counts in memory.
	maxFailureKeys = 20_000
)

// throttle counts failed logins in memory: one count for each user at an address,
// and one for all users at that address. Every count belongs to one address, so
// failures from one address never delay a user at another.
type throttle struct {
	mu     sync.Mutex
	counts map[loginKey]loginCount
}

// loginKey is a user (folded name) at an origin. An empty user means all users at
// that origin.
type loginKey struct{ user, origin string }

type loginCount struct {
	failures int       // number of failures at the time last, without forgotten ones
	last     time.Time // time of the last failure
	proved   time.Time // time of the last successful login
}

func newThrottle() *throttle { return &throttle{counts: map[loginKey]loginCount{}} }

// limit is the number of failures after which a login must wait, and the time after
// which one failure no longer counts.
type limit struct {
	free   int
	forget time.Duration
}

func (k loginKey) limit() limit {
	if k.user == "" {
		return limit{maxAddressFailures, addressFailureForgotten}
	}
	return limit{MaxFailures, FailureForgottenAfter}
}

func (k loginKey) ofAddress() loginKey { return loginKey{origin: k.origin} }

// left returns the number of failures in c that are not forgotten yet.
func (l limit) left(c loginCount, now time.Time) int {
	return max(0, c.failures-int(max(0, now.Sub(c.last))/l.forget))
}

// wait returns how long the next login must wait. A result of zero or less means
// that it need not wait.
func (l limit) wait(c loginCount, now time.Time) time.Duration {
	over := l.left(c, now) - l.free
	if over < 0 {
		return 0
	}
	wait := maxWait
	if over < 16 { // from 16 on, the wait is maxWait, and a larger shift could overflow
		wait = min(maxWait, firstWait<<over)
	}
	return min(wait, wait-now.Sub(c.last))
}

// check returns a TooMany fault if a login must wait.
func (t *throttle) check(key loginKey, now time.Time) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.counts[key]
	if wait := key.limit().wait(c, now); wait > 0 {
		return ErrTooManyFailures.WithRetryAfter(wait)
	}
	if now.Sub(c.proved) < provedFor {
		return nil
	}
	address := key.ofAddress()
	if wait := address.limit().wait(t.counts[address], now); wait > 0 {
		return ErrTooManyFailures.WithMessage("too many failed logins from this address; wait before the next one, or use a token, which is not limited").WithRetryAfter(wait)
	}
	return nil
}

// failed counts a failed login for the user at the address, and for the address.
func (t *throttle) failed(key loginKey, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, k := range []loginKey{key, key.ofAddress()} {
		c := t.counts[k]
		// Further failures would not make the wait longer.
		c.failures = min(k.limit().left(c, now)+1, k.limit().free+10)
		c.last = now
		t.put(k, c, now)
	}
}

// proved records a login with the right password, and resets the failures of the
// user at that address.
func (t *throttle) proved(key loginKey, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.put(key, loginCount{proved: now}, now)
}

// put stores a count. If there are too many, it removes expired ones first, and
// then arbitrary ones.
func (t *throttle) put(key loginKey, c loginCount, now time.Time) {
	if _, known := t.counts[key]; !known && len(t.counts) >= maxFailureKeys {
		t.makeRoom(now)
	}
	t.counts[key] = c
}

func (t *throttle) makeRoom(now time.Time) {
	for key, c := range t.counts {
		if key.limit().left(c, now) == 0 && now.Sub(c.proved) >= provedFor {
			delete(t.counts, key)
		}
	}
	for key := range t.counts {
		if len(t.counts) < maxFailureKeys {
			return
		}
		delete(t.counts, key)
	}
}
