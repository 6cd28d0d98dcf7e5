package event

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/fault"
)

// logOf is a Store with the events of one wallet.
type logOf struct {
	Store // nil: other methods must not be called

	signal chan struct{}

	mu      sync.Mutex // protects what follows
	events  []Event
	revoked bool // the only token
}

func (l *logOf) Memberships(context.Context, string) ([]auth.Membership, error) {
	return []auth.Membership{{WalletID: "w"}}, nil
}

func (l *logOf) EventsOfWallet(_ context.Context, _ string, after int64, kinds []Kind, limit int) ([]Event, Bounds, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var found []Event
	for _, e := range l.events {
		if e.N > after && len(found) < limit && (kinds == nil || slices.Contains(kinds, e.Kind)) {
			found = append(found, e)
		}
	}
	return found, Bounds{First: 1, Last: int64(len(l.events))}, nil
}

func (l *logOf) ValidTokens(_ context.Context, ids []string) ([]string, error) {
	if l.isRevoked() {
		return nil, nil
	}
	return ids, nil
}

func (l *logOf) EventHead(context.Context) (int64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return int64(len(l.events)), nil
}

func (l *logOf) EventTargets(_ context.Context, after int64, _ int) (targets []Target, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range l.events[after:] {
		targets = append(targets, Target{Seq: e.Seq, WalletID: e.WalletID})
	}
	return targets, nil
}

func (l *logOf) EventSignal() <-chan struct{} { return l.signal }

func (l *logOf) revoke() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.revoked = true
}

func (l *logOf) isRevoked() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.revoked
}

func (l *logOf) add(kind Kind) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := int64(len(l.events)) + 1
	l.events = append(l.events, Event{Seq: n, WalletID: "w", N: n, Kind: kind})
}

var (
	errRevoked = fault.New(fault.Unauthenticated, "invalid_token", "the token was revoked")
	reader     = &auth.Principal{UserID: "u", Scopes: auth.EventsRead | auth.WalletsRead}
)

// service returns a service that rechecks credentials with check.
func service(l *logOf, check func() error) *Service {
	return New(Options{
		Store: l, NotFound: errors.New("no wallet"),
		Open:    func(string) (func(), error) { return func() {}, nil },
		Recheck: func(_ context.Context, p *auth.Principal) (*auth.Principal, error) { return p, check() },
	})
}

// follow calls send and idle like a stream, until ctx ends or the reader loses their access.
func (s *Service) follow(ctx context.Context, who *auth.Principal, q Query, send func(Page) error, idle func(next string) error) error {
	r, err := s.Open(who, q)
	if err != nil {
		return err
	}
	defer r.Close()
	for err == nil {
		if err = r.Read(ctx, send, idle); err == nil {
			err = r.rest(ctx)
		}
	}
	return err
}

// TestRevokedInBacklog: a token that is revoked while its reader gets old events reads no
// further page.
func TestRevokedInBacklog(t *testing.T) {
	l := &logOf{}
	for range 25 {
		l.add(UTXOFrozen)
	}
	var revoked error
	s := service(l, func() error { return revoked })
	q := Query{WalletID: "w", Limit: 10}
	for name, read := range map[string]func(send func(Page) error) error{
		"stream": func(send func(Page) error) error {
			return s.follow(t.Context(), reader, q, send, func(string) error { return nil })
		},
		"lines": func(send func(Page) error) error { return s.Each(t.Context(), reader, q, send) },
	} {
		pages := 0
		revoked = nil
		err := read(func(p Page) error {
			if pages++; pages == 2 {
				revoked = errRevoked
			}
			if len(p.Events) != 10 {
				return fmt.Errorf("%d events", len(p.Events))
			}
			return nil
		})
		if pages != 2 || !errors.Is(err, errRevoked) {
			t.Errorf("%s: %d pages, %v", name, pages, err)
		}
	}
}

// TestRecheckTogether: the tokens of streams that wait are checked in one query, and a stream
// ends within a second if its token is revoked.
func TestRecheckTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		l, checks := &logOf{}, atomic.Int64{}
		s := service(l, func() error {
			checks.Add(1)
			if l.isRevoked() {
				return errRevoked
			}
			return nil
		})
		go s.Run(ctx)
		ended := make(chan error, 1)
		go func() {
			ended <- s.follow(ctx, reader, Query{WalletID: "w", Limit: 10}, func(Page) error { return nil }, func(string) error { return nil })
		}()
		time.Sleep(10 * time.Second)
		if n := checks.Load(); n > 2 {
			t.Errorf("a stream that waits was checked %d times", n)
		}
		l.revoke()
		began := time.Now()
		if err := <-ended; !errors.Is(err, errRevoked) || time.Since(began) > time.Second {
			t.Errorf("it ended after %v: %v", time.Since(began), err)
		}
	})
}

// TestHeartbeats: a stream sends something every 15 seconds, also if events that it does not
// show wake it, with a position after these events; and less often if it sends events.
func TestHeartbeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		l := &logOf{signal: make(chan struct{})}
		s := service(l, func() error { return nil })
		go s.Run(ctx)
		var beats []string
		began := time.Now()
		go func() {
			_ = s.follow(ctx, reader, Query{WalletID: "w", Limit: 10, Kinds: []Kind{UTXOFrozen}}, func(Page) error { return nil }, func(next string) error {
				beats = append(beats, fmt.Sprint(time.Since(began), " after ", next))
				return nil
			})
		}()
		time.Sleep(500 * time.Millisecond)
		for range 34 {
			time.Sleep(time.Second)
			l.add(UTXOUnfrozen)
			l.signal <- struct{}{}
			synctest.Wait()
		}
		l.add(UTXOFrozen) // is shown after 34.5 s
		for range 15 {
			l.signal <- struct{}{}
			time.Sleep(1100 * time.Millisecond)
			l.add(UTXOUnfrozen)
		}
		cancel()
		synctest.Wait()
		if got, want := fmt.Sprint(beats), "[15s after 14 30s after 29 49.5s after 48]"; got != want {
			t.Errorf("the heartbeats were %s, not %s", got, want)
		}
	})
}

// TestTurns: an event wakes a few readers at a time, and the next one when a reader has read
// its events, or was closed instead.
func TestTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 50
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		l := &logOf{signal: make(chan struct{})}
		s := service(l, func() error { return nil })
		go s.Run(ctx)
		woken := make(chan *Reader, n)
		pages := 0
		read := func(r *Reader) error {
			return r.Read(ctx, func(Page) error { pages++; return nil }, func(string) error { return nil })
		}
		await := func(r *Reader) {
			if err := read(r); err != nil {
				t.Fatal(err)
			}
			r.Await(func() { woken <- r })
		}
		for i := range n {
			r, err := s.Open(reader, Query{WalletID: "w", Limit: 10})
			if err != nil {
				t.Fatal(err)
			}
			await(r)
			if i == 0 { // the hub looks at the log for the first time, which wakes the readers that exist
				await(<-woken)
			}
		}
		l.add(UTXOFrozen)
		l.signal <- struct{}{}
		for i := range n {
			synctest.Wait()
			if want := min(readersAtATime, n-i); len(woken) != want {
				t.Fatalf("after %d readers %d are awake, not %d", i, len(woken), want)
			}
			if r := <-woken; i%2 == 0 {
				r.Close()
			} else if err := read(r); err != nil {
				t.Fatal(err)
			} else {
				defer r.Close()
			}
		}
		if pages != n+n/2 {
			t.Errorf("%d pages were read", pages)
		}
	})
}
