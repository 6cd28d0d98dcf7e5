package auth

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

const (
	// countLoginsFor is how long logins that are alike are counted, before one entry
	// tells how many there were.
	countLoginsFor = time.Minute
	// maxOrigins bounds from how many addresses logins of one user, or of names that
	// are no user's, are counted apart in that time; those from further ones are
	// counted together.
	maxOrigins = 32
)

// countKey is what logins have in common that are counted together.
type countKey struct {
	outcome string
	user    string // the id; empty for all names that are no user's
	origin  string // empty for further ones than maxOrigins
}

// loginCounts has the audit log grow by a bounded number of entries for logins,
// however many there are: of those that are alike, the first of each minute is
// recorded, and how many followed.
type loginCounts struct {
	last    map[countKey]countedLogin
	origins map[countKey]int // by keys without origin
}

type countedLogin struct {
	Event
	more int // after the first
}

func newLoginCounts() loginCounts {
	return loginCounts{last: map[countKey]countedLogin{}, origins: map[countKey]int{}}
}

// add counts a login, of the user of this id if there is one, and reports whether it
// is the first of its kind, which is to be recorded.
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
		e.Target = "" // names that are no user's differ, and may be passwords
	}
	c.last[key] = countedLogin{e, before.more}
	return !ok
}

// events returns how many logins followed the first ones, in the order of the last of each.
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
