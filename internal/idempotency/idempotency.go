// Package idempotency stores responses to requests that carry an Idempotency-Key,
// so that a retried request is not executed twice. It does not depend on HTTP or
// SQL.
//
// Invariant: of the requests of one user with one key to one route, only one is
// processed at a time, and once one has succeeded, the others get its response.
//
// The response is stored after the action, not in its transaction. If the process
// ends in between, the key stays claimed; after Patience the next request with it
// is processed, and the action may be executed again. An action that must never be
// repeated even then must prevent that on its own, as creating a wallet does,
// because aliases are unique.
package idempotency

import (
	"bytes"
	"context"
	"crypto/sha256"
	"time"

	"github.com/google/uuid"

	"github.com/specterd/specterd/internal/clock"
	"github.com/specterd/specterd/internal/fault"
)

const (
	// KeptFor is how long a response is stored.
	KeptFor = 24 * time.Hour
	// RunsFor is the maximum processing time of a request with a key.
	RunsFor = time.Minute
	// Patience is how long a request in progress blocks others. It exceeds RunsFor,
	// so that a request that takes longer must have been interrupted.
	Patience = 90 * time.Second
)

// Errors for a further request with a key that cannot be answered with the stored
// response.
var (
	ErrRunning = fault.New(fault.Conflict, "request_in_progress",
		"a request with this Idempotency-Key is in progress; retry to get its response").WithRetryAfter(time.Second)
	ErrReused = fault.New(fault.Unprocessable, "idempotency_key_reused",
		"this Idempotency-Key was used for a different request; use a new key for each request, and the same key only to repeat it")
)

// Request is a request with a key.
type Request struct {
	UserID string
	Route  string // method and pattern of the path
	Key    string // chosen by the client
	// Fingerprint is a hash of everything that the response depends on.
	Fingerprint [sha256.Size]byte
}

// Answer is a successful response.
type Answer struct {
	Status int
	Body   []byte
}

// Entry is the state of the requests with a key.
type Entry struct {
	Fingerprint []byte
	ClaimID     string // of the last request that was processed
	ClaimedAt   time.Time
	Answer      *Answer // nil while in progress
}

// Store stores entries.
type Store interface {
	// ClaimKey deletes all entries that were claimed before a time, loads the entry
	// of a key, or nil, and stores the result of decide, in one transaction. decide
	// may be called more than once; if it returns nil or an error, nothing is
	// stored.
	ClaimKey(ctx context.Context, r Request, before time.Time, decide func(found *Entry) (*Entry, error)) error
	// KeepAnswer adds the response to an entry if it still has this claim.
	KeepAnswer(ctx context.Context, r Request, claimID string, a Answer) error
	// ReleaseKey deletes an entry if it still has this claim.
	ReleaseKey(ctx context.Context, r Request, claimID string) error
}

// Keys manages the keys in use.
type Keys struct {
	store Store
	now   func() time.Time
	watch *clock.Watch
}

// New returns Keys. While the clock is in doubt, no entries are deleted.
func New(store Store, now func() time.Time, watch *clock.Watch) *Keys {
	return &Keys{store, now, watch}
}

// Claim is the right to process a request. It ends with Keep or Release.
type Claim struct {
	keys    *Keys
	request Request
	id      string
}

// Begin returns a claim to process the request, or the stored response. It returns
// ErrRunning and ErrReused.
func (k *Keys) Begin(ctx context.Context, r Request) (*Claim, *Answer, error) {
	now := k.now()
	id := uuid.NewString()
	settled := k.watch.Settled()
	before := now.Add(-KeptFor)
	if !settled {
		before = time.Time{}
	}
	var kept *Answer
	err := k.store.ClaimKey(ctx, r, before, func(found *Entry) (*Entry, error) {
		kept = nil
		switch {
		case found == nil || found.Answer == nil && settled && now.Sub(found.ClaimedAt) >= Patience:
			return &Entry{Fingerprint: r.Fingerprint[:], ClaimID: id, ClaimedAt: now}, nil
		case !bytes.Equal(found.Fingerprint, r.Fingerprint[:]):
			return nil, ErrReused
		case found.Answer == nil:
			return nil, ErrRunning
		}
		kept = found.Answer
		return nil, nil
	})
	if err != nil || kept != nil {
		return nil, kept, err
	}
	return &Claim{k, r, id}, nil, nil
}

// Keep stores the response for repeated requests.
func (c *Claim) Keep(ctx context.Context, a Answer) error {
	return c.keys.store.KeepAnswer(ctx, c.request, c.id, a)
}

// Release allows the next request with the key to be processed immediately.
func (c *Claim) Release(ctx context.Context) error {
	return c.keys.store.ReleaseKey(ctx, c.request, c.id)
}
