package auth

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"
	"unicode"
)

const (
	// usePrecision is the minimum interval between two stored uses of a token.
	usePrecision = time.Minute
	// flushEvery is the interval at which entries are written in batches.
	flushEvery    = time.Second
	maxPending    = 10_000
	maxAgentRunes = 200
)

// Use is the time and origin of a token's last use.
type Use struct {
	At      time.Time
	Address string
	Agent   string // user agent of the client
}

// RecorderStore stores the events and uses of a Recorder.
type RecorderStore interface {
	// WriteEvents adds events to the audit log and sets the last use of tokens by
	// their ids, in one transaction.
	WriteEvents(ctx context.Context, events []Event, uses map[string]Use) error
	// SealAudit is described in AuditStore.
	SealAudit(ctx context.Context) error
}

// Recorder records logins, aggregated if there are many, and the last use of
// tokens. It writes them in batches, independently of requests, so a crash loses at
// most the last second of both. Events of changes are not written by the Recorder
// but in the transaction of the change. The Recorder also seals the audit log once
// per second.
type Recorder struct {
	log   *slog.Logger
	store RecorderStore

	sealed bool // whether the last attempt to seal the audit log succeeded; used only by Run

	mu      sync.Mutex
	logins  loginCounts
	events  []Event
	uses    map[string]Use
	dropped int
}

// NewRecorder returns a Recorder. It writes only while Run is running.
func NewRecorder(log *slog.Logger, store RecorderStore) *Recorder {
	return &Recorder{log: log, store: store, sealed: true, logins: newLoginCounts(), uses: map[string]Use{}}
}

// Run writes pending entries until ctx ends, and then a last time.
func (r *Recorder) Run(ctx context.Context) {
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	counted := time.NewTicker(countLoginsFor)
	defer counted.Stop()
	writing := context.WithoutCancel(ctx) // the end of ctx must not interrupt a write
	for {
		select {
		case <-tick.C:
			r.Flush(writing)
			r.seal(writing)
		case <-counted.C:
			r.EndLoginCounts()
		case <-ctx.Done():
			r.EndLoginCounts()
			r.Flush(writing)
			r.seal(writing)
			return
		}
	}
}

// Flush writes the pending events and uses. If that fails, it keeps them for the
// next call.
func (r *Recorder) Flush(ctx context.Context) {
	r.mu.Lock()
	events, uses, dropped := r.events, r.uses, r.dropped
	r.events, r.uses, r.dropped = nil, map[string]Use{}, 0
	r.mu.Unlock()
	if dropped > 0 {
		r.log.ErrorContext(ctx, "audit events lost: database unavailable for too long", "entries", dropped)
	}
	if len(events) == 0 && len(uses) == 0 {
		return
	}
	err := r.store.WriteEvents(ctx, events, uses)
	if err == nil {
		return
	}
	r.log.ErrorContext(ctx, "writing logins and token uses failed; will retry",
		"events", len(events), "uses", len(uses), "error", err)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(events, r.events...)
	for id, use := range uses {
		if _, newer := r.uses[id]; !newer {
			r.uses[id] = use
		}
	}
}

// seal seals the audit log. A failure is logged once and retried.
func (r *Recorder) seal(ctx context.Context) {
	err := r.store.SealAudit(ctx)
	if err != nil && r.sealed {
		r.log.ErrorContext(ctx, "sealing the audit log failed; will retry", "error", err)
	}
	r.sealed = err == nil
}

// login records a login, or only counts it if a similar one was recorded before.
// UserID is empty for an unknown user.
func (r *Recorder) login(e Event, userID string) {
	e.Target = printable(e.Target)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.logins.add(e, userID) {
		r.add(e)
	}
}

// EndLoginCounts records the logins that were counted but not recorded, and resets
// the counts. Run calls it once a minute.
func (r *Recorder) EndLoginCounts() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.logins.events() {
		r.add(e)
	}
	r.logins = newLoginCounts()
}

// add adds an event to the pending ones. The caller must hold r.mu.
func (r *Recorder) add(e Event) {
	if len(r.events) >= maxPending {
		r.dropped++
		return
	}
	r.events = append(r.events, e)
}

// used records the use of a token, unless a use within the last minute is stored
// already; lastWritten is the time of the stored use.
func (r *Recorder) used(tokenID string, lastWritten time.Time, use Use) {
	if use.At.Sub(lastWritten) < usePrecision {
		return
	}
	use.Agent = printable(use.Agent)
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.uses) < maxPending {
		r.uses[tokenID] = use
	}
}

// printable returns external text with each unprintable character replaced by "?",
// cut to maxAgentRunes, so that it is safe to store and to show in a terminal.
func printable(text string) string {
	text = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, strings.ToValidUTF8(text, "?"))
	if runes := []rune(text); len(runes) > maxAgentRunes {
		return string(runes[:maxAgentRunes])
	}
	return text
}
