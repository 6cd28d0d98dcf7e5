// Package idempotency owns what was answered to requests that carry a key of
// their client's (Idempotency-Key), so that a client that heard no answer can ask
// again without anything being done twice. It knows no HTTP and no SQL.
//
// The invariant: of the requests of one user with one key to one route, one is
// under way at a time, and once one was answered with success, the others get
// that answer.
//
// The answer is kept after the act, not in its transaction. A process that dies in
// between leaves a key whose request is under way for ever; after Patience the
// next request with it is let through, and the act may be done again. What must
// never be done again even then has to see to that itself, as wallets do, whose
// aliases are unique.
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
	// KeptFor is how long an answer is kept.
	KeptFor = 24 * time.Hour
	// RunsFor is how long a request with a key may take at most.
	RunsFor = time.Minute
	// Patience is how long one that is under way keeps others out. It is longer
	// than RunsFor, so that what it outlasts has died.
	Patience = 90 * time.Second
)

// What the second request with a key is told where it does not get an answer.
var (
	ErrRunning = fault.New(fault.Conflict, "request_under_way",
		"a request with this Idempotency-Key is under way; ask again for its answer").After(time.Second)
	ErrReused = fault.New(fault.Unprocessable, "idempotency_key_reused",
		"this Idempotency-Key was used for another request; every request needs a key of its own, and only its repetitions have the same")
)

// Request is a request with a key.
type Request struct {
	UserID string
	Route  string // method and pattern of the path
	Key    string // the client's
	// Fingerprint is of everything that the answer depends on.
	Fingerprint [sha256.Size]byte
}

// Answer is one of success.
type Answer struct {
	Status int
	Body   []byte
}

// Entry is what is known of the requests with a key.
type Entry struct {
	Fingerprint []byte
	ClaimID     string // of the last that was let through
	ClaimedAt   time.Time
	Answer      *Answer // nil while it is under way
}

// Store keeps entries.
type Store interface {
	// ClaimKey drops all entries that were claimed before a time, loads the one of
	// a key, or nil, and saves what decide makes of it, in one transaction. decide
	// may be called more than once; where it returns nil or an error, nothing is saved.
	ClaimKey(ctx context.Context, r Request, before time.Time, decide func(found *Entry) (*Entry, error)) error
	// KeepAnswer adds the answer to an entry, if that has this claim still.
	KeepAnswer(ctx context.Context, r Request, claimID string, a Answer) error
	// ReleaseKey deletes an entry, if it has this claim still.
	ReleaseKey(ctx context.Context, r Request, claimID string) error
}

// Keys are the keys in use.
type Keys struct {
	store Store
	now   func() time.Time
	watch *clock.Watch
}

// New returns Keys. While the clock is in doubt, none is forgotten.
func New(store Store, now func() time.Time, watch *clock.Watch) *Keys {
	return &Keys{store, now, watch}
}

// Claim is the right to answer a request. It ends with Keep or Release.
type Claim struct {
	keys    *Keys
	request Request
	id      string
}

// Begin lets a request through with a claim, or returns the answer that there is
// already. It returns ErrRunning and ErrReused.
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

// Keep keeps the answer for those who ask again.
func (c *Claim) Keep(ctx context.Context, a Answer) error {
	return c.keys.store.KeepAnswer(ctx, c.request, c.id, a)
}

// Release lets the next request with the key through at once.
func (c *Claim) Release(ctx context.Context) error {
	return c.keys.store.ReleaseKey(ctx, c.request, c.id)
}
