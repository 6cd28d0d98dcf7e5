// Package backoff delays repeated attempts of an operation that failed temporarily. The
// caller decides which errors are temporary, and how often to try.
package backoff

import (
	"context"
	"math/rand/v2"
	"time"
)

// Backoff is a series of delays that double up to a maximum. Each varies randomly by 50 %,
// so that several callers that failed together do not try again together. It is not safe
// for concurrent use.
type Backoff struct {
	first, maximum, next time.Duration
}

// New returns a series that begins with a delay of first, which must be positive.
func New(first, maximum time.Duration) *Backoff {
	return &Backoff{first: first, maximum: maximum, next: first}
}

// Wait waits for the next delay. It returns the error of ctx if ctx ends first.
func (b *Backoff) Wait(ctx context.Context) error {
	timer := time.NewTimer(b.next/2 + rand.N(b.next)) //nolint:gosec // jitter, not a secret
	defer timer.Stop()
	b.next = min(2*b.next, b.maximum)
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Reset makes the series begin again, after an attempt that succeeded.
func (b *Backoff) Reset() { b.next = b.first }
