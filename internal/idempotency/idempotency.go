// Package idempotency stores responses to requests that carry an Idempotency-Key,
// so that a retried request is not executed twice. It does not depend on HTTP or
// SQL.
//
// Invariant: of the requests of one user with one key to one route, only one is
// processed at a time, and once one has succeeded, the others get its response.
//
// The response is stored after the action, not in its transaction. If the process
// ends in between, the key stays claimed; after Patience the next request with it
// is processed, and the action may be executed again. An action that must not be
// repeated even then requires a check of its own, such as the unique alias of a new
// wallet.
package idempotency

import (
	"bytes"
	"context"
	"crypto/sha256"
	"strings"
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

// MaxKey is the maximum length of a key.
const MaxKey = 255

// IsKey reports whether text can be a key: 1 to MaxKey visible ASCII characters.
func IsKey(text string) bool {
	return text != "" && len(text) <= MaxKey && !strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' })
}

// Errors of Begin for a key that was used before but has no response for this request.
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

// Entry is the stored state of the requests of one user with one key to one route.
type Entry struct {
	Fingerprint []byte
	ClaimID     string // of the latest claim of the key
	ClaimedAt   time.Time
	Answer      *Answer // nil while in progress
}

// Store stores entries.
type Store interface {
	// ClaimKey deletes all entries claimed before the given time, calls decide with
	// the entry of the request's key, or nil, and stores the entry that decide
	// returns, all in one transaction. decide may be called more than once; if it
	// returns nil or an error, nothing is stored.
	ClaimKey(ctx context.Context, r Request, before time.Time, decide func(found *Entry) (*Entry, error)) error
	// KeepAnswer adds the response to an entry. It returns an error unless the entry
	// still has this claim.
	KeepAnswer(ctx context.Context, r Request, claimID string, a Answer) error
	// ReleaseKey deletes an entry if it still has this claim.
	ReleaseKey(ctx context.Context, r Request, claimID string) error
}

// Keys claims idempotency keys and stores the responses to their requests.
type Keys struct {
	store Store
	now   func() time.Time
	watch *clock.Watch
}

// New returns Keys. While watch does not trust the clock, no entries are deleted, and
// interrupted requests continue to block their keys.
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
// ErrRunning while another request with the key is in progress, and ErrReused if the key
// was used for a different request.
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
