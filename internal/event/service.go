package event

import (
	"context"
	"slices"
	"strconv"
	"sync"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/fault"
)

// Options are the dependencies of a Service.
type Options struct {
	Store Store
	// Recheck returns the caller with the permissions of the moment, or an error if the
	// credential has become invalid.
	Recheck func(ctx context.Context, p *auth.Principal) (*auth.Principal, error)
	// Open counts an open stream of a user until closeStream is called, and refuses it if there
	// are too many. CloseStream has no effect if it is called again.
	Open func(userID string) (closeStream func(), err error)
	// NotFound is returned for a wallet that the caller may not see.
	NotFound error
	// Committed, if not nil, is called after this process has committed events. It must not
	// block.
	Committed func()
}

// Service gives readers the events that they may see: their own events, and the events of
// the wallets that they are a member of and that their token includes; each kind only with
// its Scope.
type Service struct {
	o   Options
	hub *hub

	mu     sync.Mutex
	sealer *sealer // nil until it is used
}

// New returns a Service.
func New(o Options) *Service {
	return &Service{o: o, hub: newHub(o.Store, o.Committed)}
}

// Query selects events.
type Query struct {
	// WalletID is the id of a wallet; empty for all of the caller's wallets and the
	// caller's own events.
	WalletID string
	// After is the id of the last event that the reader knows. Empty is before the oldest
	// event, and Latest after the newest.
	After string
	Kinds []Kind // nil for all
	Limit int
}

// Listed is an event with its id for the reader.
type Listed struct {
	Event
	ID string
}

// Page are some events in their order.
type Page struct {
	Events []Listed
	// Next is the position after the events, and after those before them that the reader
	// does not see.
	Next string
	// More is set if further events exist.
	More bool
}

// read checks the caller's credential, and returns them with the permissions of the moment
// and a page of events. If w is not nil, later events of the query wake it.
func (s *Service) read(ctx context.Context, who *auth.Principal, q Query, w *waiter) (*auth.Principal, Page, error) {
	who, err := s.o.Recheck(ctx, who)
	if err != nil {
		return nil, Page{}, err
	}
	wallets, err := s.wallets(ctx, who)
	if err != nil {
		return nil, Page{}, err
	}
	if w != nil { // before the events are read, so that none is missed
		s.hub.watch(w, targetsOf(who, wallets, q))
	}
	page, err := s.page(ctx, who, q, wallets)
	return who, page, err
}

// page returns a page of events. It returns ErrPruned.
func (s *Service) page(ctx context.Context, who *auth.Principal, q Query, wallets []auth.Membership) (Page, error) {
	kinds, err := visibleKinds(who, q.Kinds)
	if err != nil {
		return Page{}, err
	}
	if q.WalletID == "" {
		return s.readAll(ctx, who, q, kinds)
	}
	for _, m := range wallets {
		if m.WalletID == q.WalletID {
			return s.readWallet(ctx, m.WalletID, q, kinds)
		}
	}
	return Page{}, s.o.NotFound
}

// visibleKinds returns the kinds that the caller asked for, or if asked is nil, all kinds that the
// caller's scopes include; nil stands for all kinds. It returns a Forbidden fault if the
// caller asked for a kind that their scopes do not include, or that is for admins.
func visibleKinds(who *auth.Principal, asked []Kind) ([]Kind, error) {
	if !who.Scopes.Has(auth.EventsRead) {
		return nil, errScope(auth.EventsRead)
	}
	for _, k := range asked {
		if !who.Scopes.Has(k.Scope()) {
			return nil, errScope(k.Scope())
		}
		if k.ForAdmins() && !who.Admin {
			return nil, errNotAdmin
		}
	}
	return permitted(who, asked), nil
}

var errNotAdmin = fault.New(fault.Forbidden, "insufficient_role", "only admins may see these events").WithDetail("required_role", "admin")

func errScope(scope auth.Scopes) error {
	return fault.New(fault.Forbidden, "insufficient_scope", "the token lacks the scope %s", scope).WithDetail("required_scope", scope.String())
}

// targetsOf returns the wallets and the user whose events wake the reader of a query: the
// user also for one wallet, which may be removed.
func targetsOf(who *auth.Principal, wallets []auth.Membership, q Query) []string {
	targets := []string{who.UserID}
	for _, m := range wallets {
		if q.WalletID == "" || m.WalletID == q.WalletID {
			targets = append(targets, m.WalletID)
		}
	}
	return targets
}

// wallets returns the wallets that the caller may see now.
func (s *Service) wallets(ctx context.Context, who *auth.Principal) ([]auth.Membership, error) {
	all, err := s.o.Store.Memberships(ctx, who.UserID)
	return slices.DeleteFunc(all, func(m auth.Membership) bool { return !who.MaySeeWallet(m.WalletID) }), err
}

func (s *Service) readWallet(ctx context.Context, walletID string, q Query, kinds []Kind) (Page, error) {
	var after int64
	var err error
	if isRelative(q.After) {
		_, bounds, err := s.o.Store.EventsOfWallet(ctx, walletID, 0, nil, 0)
		if err != nil {
			return Page{}, err
		}
		after = resolve(q.After, bounds)
	} else if after, err = parseNumber(q.After); err != nil {
		return Page{}, err
	}
	events, bounds, err := s.o.Store.EventsOfWallet(ctx, walletID, after, kinds, q.Limit+1)
	switch {
	case err != nil:
		return Page{}, err
	case after < bounds.First-1:
		return Page{}, ErrPruned.WithDetail("oldest_id", strconv.FormatInt(bounds.First, 10))
	case after > bounds.Last: // from before a restore
		return Page{}, ErrPruned
	}
	id := func(n int64) string { return strconv.FormatInt(n, 10) }
	return pageOf(events, q.Limit, bounds.Last, func(e Event) int64 { return e.N }, id, id), nil
}

func (s *Service) readAll(ctx context.Context, who *auth.Principal, q Query, kinds []Kind) (Page, error) {
	sealed, err := s.sealed(ctx)
	if err != nil {
		return Page{}, err
	}
	var after int64
	if isRelative(q.After) {
		_, bounds, err := s.o.Store.EventsOfUser(ctx, who.UserID, nil, 0, nil, 0)
		if err != nil {
			return Page{}, err
		}
		after = resolve(q.After, bounds)
	} else if after, err = sealed.open(who.UserID, q.After); err != nil {
		return Page{}, err
	}
	events, bounds, err := s.o.Store.EventsOfUser(ctx, who.UserID, who.MaySeeWallet, after, kinds, q.Limit+1)
	if err != nil {
		return Page{}, err
	}
	if after < bounds.First-1 {
		return Page{}, ErrPruned
	}
	id := func(seq int64) string { return sealed.seal(who.UserID, seq) }
	mark := func(seq int64) string { return sealed.mark(who.UserID, seq) }
	// The last events may have been deleted with their wallet: the position never goes back.
	page := pageOf(events, q.Limit, max(after, bounds.Last), func(e Event) int64 { return e.Seq }, id, mark)
	page.Events = slices.DeleteFunc(page.Events, func(e Listed) bool { return !maySee(who, e.Event) })
	return page, nil
}

// maySee reports whether the caller's token includes the wallet that an event of a user is
// about, and whether the caller is still an admin if it is an event for admins.
func maySee(who *auth.Principal, e Event) bool {
	if e.Kind.ForAdmins() && !who.Admin {
		return false
	}
	aboutWallet := e.UserID != "" && (e.Kind == WalletRemoved || e.Kind == MemberRemoved)
	return !aboutWallet || who.MaySeeWallet(e.Subject)
}

// pageOf returns a page of limit events. Last is the position of the reader after
// all events, and mark returns its text.
func pageOf(events []Event, limit int, last int64, position func(Event) int64, id, mark func(int64) string) Page {
	page := Page{More: len(events) > limit}
	if page.More {
		events = events[:limit]
		last = position(events[limit-1])
	}
	for _, e := range events {
		page.Events = append(page.Events, Listed{e, id(position(e))})
	}
	page.Next = mark(last)
	return page
}

// sealed returns the encryption of positions.
func (s *Service) sealed(ctx context.Context) (sealer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sealer == nil {
		key, err := s.o.Store.EventKey(ctx)
		if err != nil {
			return sealer{}, err
		}
		sealed, err := newSealer(key)
		if err != nil {
			return sealer{}, err
		}
		s.sealer = &sealed
	}
	return *s.sealer, nil
}
