package event

import (
	"context"
	"errors"
	"time"

	"github.com/specterd/specterd/internal/auth"
)

// heartbeatInterval is the interval at which a stream without events sends something, so that
// proxies keep it open, and a client notices that it is broken.
const heartbeatInterval = 15 * time.Second

// Run wakes readers until ctx ends.
func (s *Service) Run(ctx context.Context) { s.hub.run(ctx) }

// End ends all readers, for a server that stops.
func (s *Service) End() { s.hub.end() }

// ErrEnded is returned to a reader if the server stops.
var ErrEnded = errors.New("the server stops")

// Each calls send with all pages of events that exist, and rechecks the caller's credential
// before each.
func (s *Service) Each(ctx context.Context, who *auth.Principal, q Query, send func(Page) error) error {
	for {
		now, page, err := s.read(ctx, who, q, nil)
		if err != nil {
			return err
		}
		if err := send(page); err != nil || !page.More {
			return err
		}
		who, q.After = now, page.Next
	}
}

// Wait returns a page of events. If it has none, Wait calls idle, and then waits for
// events up to the given time.
func (s *Service) Wait(ctx context.Context, who *auth.Principal, q Query, patience time.Duration, idle func()) (Page, error) {
	who, page, err := s.read(ctx, who, q, nil)
	if err != nil || len(page.Events) > 0 || page.More || patience == 0 {
		return page, err
	}
	idle()
	q.After = page.Next
	r, err := s.Open(who, q)
	if err != nil {
		return page, err
	}
	defer r.Close()
	patient, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		err := r.Read(patient, func(p Page) error {
			page = p
			if len(p.Events) > 0 {
				return errEnough
			}
			return nil
		}, func(string) error { return nil })
		if err == nil {
			err = r.rest(patient)
		}
		switch {
		case errors.Is(err, errEnough) || errors.Is(err, ErrEnded) || patient.Err() != nil && ctx.Err() == nil:
			page.Next = r.q.After
			return page, nil
		case err != nil:
			return page, err
		}
	}
}

var errEnough = errors.New("a page with events was found")

// Reader reads the events of a query when they are recorded. While it waits, it needs no
// goroutine, so that a server can have thousands. Its methods must be called one after the
// other, except Close.
type Reader struct {
	s       *Service
	who     *auth.Principal
	q       Query
	waiter  *waiter
	release func()
	begun   bool // a page was sent
}

// Open returns a Reader, which is one of the caller's open streams until it is closed.
func (s *Service) Open(who *auth.Principal, q Query) (*Reader, error) {
	release, err := s.o.Open(who.UserID)
	if err != nil {
		return nil, err
	}
	return &Reader{s: s, who: who, q: q, waiter: s.hub.join(who.TokenID), release: release}, nil
}

// Close ends the reader. A second call has no effect.
func (r *Reader) Close() {
	r.s.hub.leave(r.waiter)
	r.release()
}

// Await calls wake once, as soon as there is something to do for Read, or immediately. It calls
// it in any goroutine, so that wake must not block or use the Reader, and not after Close.
func (r *Reader) Await(wake func()) { r.s.hub.await(r.waiter, wake) }

// Read calls send with pages of events, one after the other, until there are no more. The first
// page is sent even if it is empty; later ones have events, or follow one with More. If nothing
// was sent for 15 seconds, Read calls idle with the position of the reader. It returns an error
// if the caller has lost their access, or ErrEnded.
func (r *Reader) Read(ctx context.Context, send func(Page) error, idle func(next string) error) error {
	defer r.s.hub.exit(r.waiter)
	due := r.s.hub.take(r.waiter)
	sent := false
	var err error
	switch {
	case due&dueEnd != 0 && r.begun:
		return ErrEnded
	case due&dueNews != 0: // the credential is checked before each page
		sent, err = r.readPages(ctx, send)
	case due&dueCheck != 0:
		err = r.recheck(ctx)
	}
	if err != nil || sent || due&dueHeartbeat == 0 {
		return err
	}
	r.waiter.heartbeat.Reset(heartbeatInterval)
	r.s.hub.exit(r.waiter) // before a write, which can take long
	return idle(r.q.After)
}

// readPages calls send with pages until there are no more events.
func (r *Reader) readPages(ctx context.Context, send func(Page) error) (sent bool, err error) {
	for more := true; more; {
		page, err := r.next(ctx)
		if err != nil {
			return sent, err
		}
		more = page.More
		if !r.begun || sent || more || len(page.Events) > 0 { // after a page with More, send must learn which is the last
			r.begun, sent = true, true
			r.waiter.heartbeat.Reset(heartbeatInterval)
			if err := send(page); err != nil {
				return sent, err
			}
		}
	}
	return sent, nil
}

// next returns the next page.
func (r *Reader) next(ctx context.Context) (Page, error) {
	if err := r.s.hub.enter(ctx, r.waiter); err != nil {
		return Page{}, err
	}
	defer r.s.hub.exit(r.waiter)
	who, page, err := r.s.read(ctx, r.who, r.q, r.waiter)
	if err == nil {
		r.who, r.q.After = who, page.Next
	}
	return page, err
}

func (r *Reader) recheck(ctx context.Context) error {
	if err := r.s.hub.enter(ctx, r.waiter); err != nil {
		return err
	}
	defer r.s.hub.exit(r.waiter)
	who, err := r.s.o.Recheck(ctx, r.who)
	if err == nil {
		r.who = who
	}
	return err
}

// rest waits until there is something to do for Read.
func (r *Reader) rest(ctx context.Context) error {
	woken := make(chan struct{}, 1)
	r.Await(func() { woken <- struct{}{} })
	select {
	case <-woken:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
