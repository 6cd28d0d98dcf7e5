package event

import (
	"context"
	"slices"
	"time"

	"github.com/specterd/specterd/internal/auth"
)

// ReadScopes are all scopes that decide which events a reader sees.
const ReadScopes = auth.EventsRead | auth.WalletsRead | auth.ProposalsRead | auth.TokensRead | auth.NodeRead | auth.WebhooksRead | auth.PoliciesRead

// Scan returns up to limit events after a position in the log of all users, for a reader
// inside of specterd that stores its position: those of the given kinds that the caller may
// see now, which the caller must have rechecked. Kinds that the caller's scopes exclude are
// left out. Next is the position after the events, and more is set if further ones exist.
func (s *Service) Scan(ctx context.Context, who *auth.Principal, kinds []Kind, after int64, limit int) (events []Event, next int64, more bool, err error) {
	events, bounds, err := s.o.Store.EventsOfUser(ctx, who.UserID, who.MaySeeWallet, after, permitted(who, kinds), limit+1)
	if err != nil {
		return nil, 0, false, err
	}
	next = max(after, bounds.Last)
	if more = len(events) > limit; more {
		events = events[:limit]
		next = events[limit-1].Seq
	}
	events = slices.DeleteFunc(events, func(e Event) bool { return !maySee(who, e) })
	return events, next, more, nil
}

// MaySee reports whether the caller, who must have been rechecked, may see an event now.
func (s *Service) MaySee(ctx context.Context, who *auth.Principal, e Event) (bool, error) {
	if len(permitted(who, []Kind{e.Kind})) == 0 || !maySee(who, e) {
		return false, nil
	}
	if e.WalletID == "" {
		return e.UserID == who.UserID, nil
	}
	wallets, err := s.wallets(ctx, who)
	return slices.Contains(idsOf(wallets), e.WalletID), err
}

// CheckKinds returns a Forbidden fault if the caller may not read events of these kinds, or
// no events at all.
func CheckKinds(who *auth.Principal, kinds []Kind) error {
	_, err := visibleKinds(who, kinds)
	return err
}

// permitted returns the kinds of a list that the caller's scopes include. A nil list stands
// for all kinds.
func permitted(who *auth.Principal, list []Kind) []Kind {
	if list == nil && who.Scopes.Has(ReadScopes) {
		return nil
	}
	if list == nil {
		list = kinds
	}
	return slices.DeleteFunc(slices.Clone(list), func(k Kind) bool { return !who.Scopes.Has(auth.EventsRead | k.Scope()) })
}

func idsOf(wallets []auth.Membership) []string {
	ids := make([]string, len(wallets))
	for i, m := range wallets {
		ids[i] = m.WalletID
	}
	return ids
}

// Payload returns the message with which an event is sent to other programs: its type,
// timestamp and data as in the API. It never changes.
func (e Event) Payload() []byte {
	b := append([]byte(`{"type":"`), e.Kind...)
	b = append(b, `","timestamp":"`...)
	b = e.At.UTC().AppendFormat(b, time.RFC3339Nano)
	b = append(b, `","data":`...)
	b = append(b, e.Data...)
	return append(b, '}')
}
