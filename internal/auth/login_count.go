package auth

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

const (
	// countLoginsFor is the period over which similar logins are counted. At its
	// end, one entry records their number.
	countLoginsFor = time.Minute
	// maxOrigins is the maximum number of addresses that are counted separately in
	// that period, for each user and for all unknown names together. Logins from
	// further addresses are counted together.
	maxOrigins = 32
)

// countKey identifies logins that are counted together.
type countKey struct {
	outcome string
	user    string // the id; empty for all unknown names
	origin  string // empty for addresses beyond maxOrigins
}

// loginCounts limits the number of audit entries for logins: of similar logins, only
// the first in each minute gets an entry, and a second entry has the number of the
// remaining logins.
type loginCounts struct {
	last    map[countKey]countedLogin
	origins map[countKey]int // number of origins with a count of their own; the keys have an empty origin
}

type countedLogin struct {
	Event
	more int // number of logins after the first
}

func newLoginCounts() loginCounts {
	return loginCounts{last: map[countKey]countedLogin{}, origins: map[countKey]int{}}
}

// add counts a login and reports whether it is the first of its kind and must be
// recorded. UserID is empty for an unknown user.
func (c loginCounts) add(e Event, userID string) (first bool) {
	all := countKey{outcome: e.Outcome, user: userID}
	key := all
	key.origin = originOf(e.Address)
	if _, ok := c.last[key]; !ok {
		if c.origins[all] >= maxOrigins {
			key, e.Address = all, "several addresses"
		} else {
			c.origins[all]++
		}
	}
	before, ok := c.last[key]
	if ok {
		before.more++
	}
	if userID == "" {
		e.Target = "" // unknown names may be mistyped passwords
	}
	c.last[key] = countedLogin{e, before.more}
	return !ok
}

// events returns an event for each key that has further logins, with their number,
// ordered by the time of the last login.
func (c loginCounts) events() []Event {
	var events []Event
	for _, l := range c.last {
		if l.more == 0 {
			continue
		}
		l.Detail = fmt.Sprintf("%d more within a minute", l.more)
		if l.Outcome != outcomeOK && l.Target == "" {
			l.Detail += ", of unknown users"
		}
		events = append(events, l.Event)
	}
	slices.SortFunc(events, func(a, b Event) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Target, b.Target), cmp.Compare(a.Address, b.Address))
	})
	return events
}
