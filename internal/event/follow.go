package event

import (
	"context"
	"errors"
	"time"

	"github.com/specterd/specterd/internal/auth"
)

const (
	// heartbeatInterval is the interval at which a stream without events sends something,
	// so that proxies keep it open, and a client notices that it is broken.
	heartbeatInterval = 15 * time.Second
)

// Run wakes readers until ctx ends.
func (s *Service) Run(ctx context.Context) { s.hub.run(ctx) }

// End ends all open streams, for a server that stops.
func (s *Service) End() { s.hub.end() }

// Wait returns a page of events. If it has none, Wait calls idle, and then waits for
// events up to the given time.
func (s *Service) Wait(ctx context.Context, who *auth.Principal, q Query, patience time.Duration, idle func()) (Page, error) {
	who, page, err := s.read(ctx, who, q, nil)
	if err != nil || len(page.Events) > 0 || page.More || patience == 0 {
		return page, err
	}
	idle()
	q.After = page.Next
	patient, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err = s.follow(patient, who, q, func(p Page) (sent bool, err error) {
		page = p
		if len(p.Events) > 0 {
			err = errEnough
		}
		return false, err
	}, func(string) error { return nil })
	if errors.Is(err, errEnough) || patient.Err() != nil && ctx.Err() == nil {
		err = nil
	}
	return page, err
}

var errEnough = errors.New("a page with events was found")

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

// Follow calls send with pages of events, one after the other, until ctx ends, the server
// stops, the caller loses their access or send returns an error. The first page is sent
// even if it is empty; later ones have events or More. After 15 seconds without events, it
// calls idle with the position of the reader.
func (s *Service) Follow(ctx context.Context, who *auth.Principal, q Query, send func(Page) error, idle func(next string) error) error {
	first, more := true, false
	return s.follow(ctx, who, q, func(p Page) (sent bool, err error) {
		if !first && !more && !p.More && len(p.Events) == 0 {
			return false, nil
		}
		first, more = false, p.More // after a page with More, send must learn that this is the last
		return true, send(p)
	}, idle)
}

// follow is Follow, with all pages. Send reports whether something was sent.
func (s *Service) follow(ctx context.Context, who *auth.Principal, q Query, send func(Page) (sent bool, err error), idle func(next string) error) error {
	closeStream, err := s.o.Open(who.UserID)
	if err != nil {
		return err
	}
	defer closeStream()
	w := s.hub.join(who.TokenID)
	defer s.hub.leave(w)
	heartbeat := time.NewTicker(heartbeatInterval)
	defer heartbeat.Stop()
	for {
		now, page, err := s.read(ctx, who, q, w)
		if err != nil {
			return err
		}
		sent, err := send(page)
		if err != nil {
			return err
		}
		if sent {
			heartbeat.Reset(heartbeatInterval)
		}
		who, q.After = now, page.Next
		if page.More {
			continue
		}
		woken, err := s.await(ctx, w, who, heartbeat.C, func() error { return idle(page.Next) })
		if err != nil || !woken {
			return err
		}
	}
}

// await waits for an event. It reports false if ctx ended or the server stops.
func (s *Service) await(ctx context.Context, w *waiter, who *auth.Principal, heartbeat <-chan time.Time, idle func() error) (woken bool, err error) {
	for {
		select {
		case <-ctx.Done():
			return false, nil
		case <-s.hub.ended:
			return false, nil
		case <-w.woken: // the credential is checked before the next page is read
			return true, nil
		case <-heartbeat:
			if err := idle(); err != nil {
				return false, err
			}
		case <-w.doubted:
			if who, err = s.o.Recheck(ctx, who); err != nil {
				return false, err
			}
		}
	}
}
