// Package backoff delays repeated attempts at an operation that failed temporarily. The
// caller decides which errors are temporary, and how often to try.
package backoff

import (
	"context"
	"math/rand/v2"
	"time"
)

// Backoff is a series of delays that double up to a maximum. Each delay varies randomly
// by up to 50 %, so that callers that failed at the same time do not try again at the
// same time. It is not safe for concurrent use.
type Backoff struct {
	first, maximum, next time.Duration
}

// New returns a series that begins with a delay of first, which must be positive.
func New(first, maximum time.Duration) *Backoff {
	return &Backoff{first: first, maximum: maximum, next: first}
}

// Wait waits for the next delay of the series. It returns ctx.Err() if ctx ends first.
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

// Reset makes the series start again with its first delay. Call it after a successful
// attempt.
func (b *Backoff) Reset() { b.next = b.first }

// Retry calls do with the number of the attempt, from 1 to most, and waits in between,
// while it fails with errors for which isTemporary returns true. It returns the last
// result of do, even if ctx ends.
func (b *Backoff) Retry(ctx context.Context, most int, isTemporary func(error) bool, do func(attempt int) error) error {
	for attempt := 1; ; attempt++ {
		err := do(attempt)
		if err == nil || !isTemporary(err) || attempt == most || b.Wait(ctx) != nil {
			return err
		}
	}
}
