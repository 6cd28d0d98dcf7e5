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
	// usePrecision is how often the use of one token is written down at most.
	usePrecision = time.Minute
	// flushEvery is how long an entry waits to be written with others.
	flushEvery    = time.Second
	maxPending    = 10_000
	maxAgentRunes = 200
)

// Use is when and from where a token was used last.
type Use struct {
	At      time.Time
	Address string
	Agent   string // what the client calls itself
}

// JournalStore keeps what the Journal writes.
type JournalStore interface {
	// WriteJournal adds events to the audit record and sets the last use of
	// tokens by their ids, in one transaction.
	WriteJournal(ctx context.Context, events []Event, uses map[string]Use) error
	// SealAudit is as in AuditStore.
	SealAudit(ctx context.Context) error
}

// Journal writes down logins, counted if there are many, and the use of tokens, many at
// a time and off the path of the requests. A crash loses at most the last second of both.
// Acts that change something are recorded with the change and not here. All of it is
// sealed here, by the second.
type Journal struct {
	log   *slog.Logger
	store JournalStore

	sealed bool // the last time; for Run only

	mu      sync.Mutex
	logins  loginCounts
	events  []Event
	uses    map[string]Use
	dropped int
}

// NewJournal returns a Journal that Run has to write for.
func NewJournal(log *slog.Logger, store JournalStore) *Journal {
	return &Journal{log: log, store: store, sealed: true, logins: newLoginCounts(), uses: map[string]Use{}}
}

// Run writes what comes in until ctx ends, and then once more.
func (j *Journal) Run(ctx context.Context) {
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	counted := time.NewTicker(countLoginsFor)
	defer counted.Stop()
	writing := context.WithoutCancel(ctx) // the end must not break off what is being written
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

// Flush writes what is pending. What cannot be written waits for the next time.
func (j *Journal) Flush(ctx context.Context) {
	j.mu.Lock()
	events, uses, dropped := j.events, j.uses, j.dropped
	j.events, j.uses, j.dropped = nil, map[string]Use{}, 0
	j.mu.Unlock()
	if dropped > 0 {
		j.log.ErrorContext(ctx, "audit entries were lost because the database was away too long", "entries", dropped)
	}
	if len(events) == 0 && len(uses) == 0 {
		return
	}
	err := j.store.WriteJournal(ctx, events, uses)
	if err == nil {
		return
	}
	j.log.ErrorContext(ctx, "logins and last uses could not be written; they are kept for the next try",
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

// seal seals the audit record. Where that fails it is told of once, and tried again.
func (j *Journal) seal(ctx context.Context) {
	err := j.store.SealAudit(ctx)
	if err != nil && j.sealed {
		j.log.ErrorContext(ctx, "the audit record could not be sealed; it will be tried again", "error", err)
	}
	j.sealed = err == nil
}

// login records a login, of the user of this id if there is one, or counts it.
func (j *Journal) login(e Event, userID string) {
	e.Target = printable(e.Target)
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.logins.add(e, userID) {
		j.add(e)
	}
}

// EndLoginCounts records how many logins were counted and not recorded, and begins
// to count again. Run does so each minute.
func (j *Journal) EndLoginCounts() {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, e := range j.logins.events() {
		j.add(e)
	}
	j.logins = newLoginCounts()
}

// add is called with j.mu held.
func (j *Journal) add(e Event) {
	if len(j.events) >= maxPending {
		j.dropped++
		return
	}
	j.events = append(j.events, e)
}

// used notes the use of a token that was last written down at lastWritten.
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

// printable makes a text from outside fit for the database and for a terminal.
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
