package webhook

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/specterd/specterd/internal/auth"
)

// feed adds deliveries for new events. It reads the events of a user's webhooks only if some
// of the new events concern the user.
type feed struct {
	last int64 // position up to which the users of events are known; -1 if it is unknown
	// scanned has, for each active webhook, the position up to which this process has found
	// no further events for it.
	scanned map[string]mark
}

// mark is a position of a webhook.
type mark struct {
	stored  int64 // Webhook.EventsUntil; if it changes, the mark is not valid
	until   int64
	savedAt time.Time // when until was stored, or the mark was made
}

const (
	// targetsAtATime is the number of events whose users are read at once.
	targetsAtATime = 1000
	// saveInterval is the interval at which the position of a webhook is stored that gets none
	// of the events.
	saveInterval = time.Minute
)

func newFeed() feed { return feed{last: -1, scanned: map[string]mark{}} }

// add adds deliveries. More is set if there may be further events.
func (f *feed) add(ctx context.Context, d *Deliverer) (more bool, err error) {
	webhooks, err := d.o.Queue.ActiveWebhooks(ctx)
	if err != nil {
		return false, err
	}
	head, err := d.o.Queue.EventHead(ctx)
	if err != nil {
		return false, err
	}
	concerned, err := f.concerned(ctx, d, head)
	if err != nil {
		return false, err
	}
	scanned := make(map[string]mark, len(webhooks))
	for _, w := range webhooks {
		m, known := f.scanned[w.ID]
		if !known || m.stored != w.EventsUntil {
			m = mark{w.EventsUntil, w.EventsUntil, d.now()}
		} else if concerned != nil && !concerned[w.UserID] && m.until >= f.last {
			m.until = max(m.until, head) // its user has none of the new events
		}
		scanned[w.ID] = m
		if m.until >= head {
			continue
		}
		m, again, err := f.addFor(ctx, d, w, m)
		if err != nil {
			return false, err
		}
		scanned[w.ID] = m
		more = more || again
	}
	f.last, f.scanned = head, scanned
	return more, nil
}

// concerned returns the users whom the events from the last position to head concern; nil if
// all may be concerned.
func (f *feed) concerned(ctx context.Context, d *Deliverer, head int64) (map[string]bool, error) {
	if f.last < 0 || head < f.last || head-f.last > targetsAtATime {
		return nil, nil
	}
	targets, err := d.o.Queue.EventTargets(ctx, f.last, targetsAtATime)
	if err != nil {
		return nil, err
	}
	users, wallets := map[string]bool{}, []string{}
	for _, t := range targets {
		if t.UserID != "" {
			users[t.UserID] = true
		}
		if t.WalletID != "" && !slices.Contains(wallets, t.WalletID) {
			wallets = append(wallets, t.WalletID)
		}
	}
	if len(wallets) == 0 {
		return users, nil
	}
	members, err := d.o.Queue.UsersOfWallets(ctx, wallets)
	for _, id := range members {
		users[id] = true
	}
	return users, err
}

// addFor adds the deliveries of some events after the mark of a webhook, and returns the mark
// after them.
func (f *feed) addFor(ctx context.Context, d *Deliverer, w Webhook, m mark) (mark, bool, error) {
	who, err := d.principal(ctx, &w)
	if errors.Is(err, auth.ErrUnauthenticated) {
		return m, false, nil // endAccess disables the webhook
	}
	if err != nil {
		return m, false, err
	}
	if w.Order == OrderNone {
		pending, err := d.o.Queue.CountPending(ctx, w.ID)
		if err != nil || pending >= maxUnordered {
			return m, false, err
		}
	}
	kinds, err := kindsOf(w.Kinds)
	if err != nil {
		return m, false, nil //nolint:nilerr // the row was changed outside of specterd, and selects no events
	}
	events, next, more, err := d.o.Events.Scan(ctx, who, kinds, m.until, eventsAtATime)
	if err != nil {
		return m, false, err
	}
	m.until = next
	if len(events) == 0 && !more && d.now().Sub(m.savedAt) < saveInterval {
		return m, false, nil
	}
	if err := d.o.Queue.AddDeliveries(ctx, w, events, next); err != nil {
		return m, false, err
	}
	return mark{next, next, d.now()}, more, nil
}
