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
	// usePrecision is the minimum interval between stored uses of one token.
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

// JournalStore stores the events and uses of a Journal.
type JournalStore interface {
	// WriteJournal adds events to the audit log and sets the last use of tokens by
	// their ids, in one transaction.
	WriteJournal(ctx context.Context, events []Event, uses map[string]Use) error
	// SealAudit is described in AuditStore.
	SealAudit(ctx context.Context) error
}

// Journal records logins, aggregated if there are many, and the last use of tokens.
// It writes them in batches and outside of requests. A crash loses at most the last
// second of both. Events of changes are not recorded here but in the transaction of
// the change. The Journal also seals the audit log, once per second.
type Journal struct {
	log   *slog.Logger
	store JournalStore

	sealed bool // result of the last attempt; for Run only

	mu      sync.Mutex
	logins  loginCounts
	events  []Event
	uses    map[string]Use
	dropped int
}

// NewJournal returns a Journal. Run must be running for it to write.
func NewJournal(log *slog.Logger, store JournalStore) *Journal {
	return &Journal{log: log, store: store, sealed: true, logins: newLoginCounts(), uses: map[string]Use{}}
}

// Run writes pending entries until ctx ends, and then a last time.
func (j *Journal) Run(ctx context.Context) {
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	counted := time.NewTicker(countLoginsFor)
	defer counted.Stop()
	writing := context.WithoutCancel(ctx) // the end of ctx must not interrupt a write
	for {
		select {
		case <-tick.C:
			j.Flush(writing)
			j.seal(writing)
		case <-counted.C:
			j.EndLoginCounts()
		case <-ctx.Done():
			j.EndLoginCounts()
			j.Flush(writing)
			j.seal(writing)
			return
		}
	}
}

// Flush writes what is pending. If that fails, it is kept for the next attempt.
func (j *Journal) Flush(ctx context.Context) {
	j.mu.Lock()
	events, uses, dropped := j.events, j.uses, j.dropped
	j.events, j.uses, j.dropped = nil, map[string]Use{}, 0
	j.mu.Unlock()
	if dropped > 0 {
		j.log.ErrorContext(ctx, "audit events lost: database unavailable for too long", "entries", dropped)
	}
	if len(events) == 0 && len(uses) == 0 {
		return
	}
	err := j.store.WriteJournal(ctx, events, uses)
	if err == nil {
		return
	}
	j.log.ErrorContext(ctx, "writing logins and token uses failed; will retry",
		"events", len(events), "uses", len(uses), "error", err)
	j.mu.Lock()
	defer j.mu.Unlock()
	j.events = append(events, j.events...)
	for id, use := range uses {
		if _, newer := j.uses[id]; !newer {
			j.uses[id] = use
		}
	}
}

// seal seals the audit log. A failure is logged once and retried.
func (j *Journal) seal(ctx context.Context) {
	err := j.store.SealAudit(ctx)
	if err != nil && j.sealed {
		j.log.ErrorContext(ctx, "sealing the audit log failed; will retry", "error", err)
	}
	j.sealed = err == nil
}

// login records a login, or counts it. UserID is empty for an unknown user.
func (j *Journal) login(e Event, userID string) {
	e.Target = printable(e.Target)
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.logins.add(e, userID) {
		j.add(e)
	}
}

// EndLoginCounts records the logins that were counted but not recorded, and resets
// the counts. Run calls it once a minute.
func (j *Journal) EndLoginCounts() {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, e := range j.logins.events() {
		j.add(e)
	}
	j.logins = newLoginCounts()
}

// add must be called with j.mu held.
func (j *Journal) add(e Event) {
	if len(j.events) >= maxPending {
		j.dropped++
		return
	}
	j.events = append(j.events, e)
}

// used records the use of a token whose use was last stored at lastWritten.
func (j *Journal) used(tokenID string, lastWritten time.Time, use Use) {
	if use.At.Sub(lastWritten) < usePrecision {
		return
	}
	use.Agent = printable(use.Agent)
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.uses) < maxPending {
		j.uses[tokenID] = use
	}
}

// printable returns external text in a form that is safe for the database and for a
// terminal.
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
