package auth

import (
	"sync"
	"time"

	"github.com/specterd/specterd/internal/fault"
)

// ErrTooManyFailures is returned for a login that must wait because of failed
// ones before it.
var ErrTooManyFailures = fault.New(fault.TooMany, "too_many_failed_logins",
	"too many failed logins as this user from this address; wait before the next one, or use a token, which need not wait")

// MaxFailures is how many logins as one user may fail from one address before
// each further failure is followed by a wait. FailureForgottenAfter is how long
// it takes until one of them does not count any more.
const (
	MaxFailures           = 5
	FailureForgottenAfter = 15 * time.Minute
)

const (
	// maxAddressFailures is the same for one address and all user names
	// (password spraying). It is higher, because users may share an address.
	maxAddressFailures      = 60
	addressFailureForgotten = time.Minute
	// The first wait, and the longest. Each is twice as long as the one before.
	firstWait = time.Second
	maxWait   = 15 * time.Minute
	// provedFor is how long after a login its user is exempt from the limit of
	// the address, so that others at the same address cannot lock them out.
	provedFor = 30 * 24 * time.Hour
	// maxFailureKeys bounds how many counts are kept.
	maxFailureKeys = 20_000
)

// throttle counts failed logins, by user and address and by address, in the
// memory of this process. A user is never held up by what comes from another
// address, because the counts of a user always belong to one address.
type throttle struct {
	mu     sync.Mutex
	counts map[loginKey]loginCount
}

// loginKey is a user (folded name) at an origin. With an empty user it is all
// users at that origin.
type loginKey struct{ user, origin string }

type loginCount struct {
	failures int       // as of last
	last     time.Time // failure
	proved   time.Time // last login with the right password
}

func newThrottle() *throttle { return &throttle{counts: map[loginKey]loginCount{}} }

// limit is how many failures are free, and after what time one is forgotten.
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

// left returns how many failures of c still count.
func (l limit) left(c loginCount, now time.Time) int {
	return max(0, c.failures-int(max(0, now.Sub(c.last))/l.forget))
}

// wait returns how long the next login must wait. It is not positive if it need not.
func (l limit) wait(c loginCount, now time.Time) time.Duration {
	over := l.left(c, now) - l.free
	if over < 0 {
		return 0
	}
	wait := maxWait
	if over < 16 { // beyond, the shift would overflow in the end
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
		return ErrTooManyFailures.After(wait)
	}
	if now.Sub(c.proved) < provedFor {
		return nil
	}
	address := key.ofAddress()
	if wait := address.limit().wait(t.counts[address], now); wait > 0 {
		return ErrTooManyFailures.Saying("too many failed logins from this address; wait before the next one, or use a token, which need not wait").After(wait)
	}
	return nil
}

// failed counts a failure.
func (t *throttle) failed(key loginKey, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, k := range []loginKey{key, key.ofAddress()} {
		c := t.counts[k]
		// No count grows further than the longest wait needs.
		c.failures = min(k.limit().left(c, now)+1, k.limit().free+10)
		c.last = now
		t.put(k, c, now)
	}
}

// proved notes a login with the right password.
func (t *throttle) proved(key loginKey, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.put(key, loginCount{proved: now}, now)
}

// put stores a count. If there are too many, it removes those that say nothing
// any more, and then any.
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
