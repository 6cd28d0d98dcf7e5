package policy

import "time"

// Limits of the search for a time that the hours of several layers have in common. The period
// includes a year after the longest window, so that all changes of the offsets of time zones occur
// in it. The steps suffice for the whole period unless there are dozens of rules with hours, and
// take some milliseconds.
const (
	searchPeriod   = 2 * 366 * day
	maxSearchSteps = 20_000
)

// opening is when a rule permits a payment if nothing else changes: within its hours, from a time
// on.
type opening struct {
	from  time.Time
	hours *Hours // nil for any
}

// next returns the first time from at on, and false if there is none.
func (o opening) next(at time.Time) (time.Time, bool) {
	if at.Before(o.from) {
		at = o.from
	}
	if o.hours == nil {
		return at, true
	}
	return o.hours.next(at)
}

// permittedAt returns the first time at which each layer has a rule that permits the payment, and
// zero if none was found. The rules of layers that permit it now count as well: their hours may be
// over by the time at which the others permit it.
func (ev *evaluation) permittedAt(layers []Layer, from Usage) (time.Time, error) {
	if ev.denied {
		return time.Time{}, nil
	}
	var opens [][]opening
	for _, of := range ev.opens {
		if len(of) == 0 {
			return time.Time{}, nil
		}
		opens = append(opens, of)
	}
	for i := range layers {
		l := &layers[i]
		if _, refuses := ev.opens[l]; refuses || l.Policy.Allow == nil {
			continue
		}
		of, err := ev.openings(l, &layerUsage{from: from, subject: l.Subject, end: ev.windowsEnd})
		if err != nil {
			return time.Time{}, err
		}
		opens = append(opens, of)
	}
	return ev.firstOpen(opens), nil
}

// openings returns when the rules of a layer permit the payment.
func (ev *evaluation) openings(l *Layer, usage *layerUsage) ([]opening, error) {
	var all []opening
	m := ev.recipients.matcher(l.Lists)
	for i := range l.Policy.Allow {
		c := ruleCheck{evaluation: ev, layer: l, rule: &l.Policy.Allow[i], explain: true}
		if err := c.fields(m); err != nil {
			return nil, err
		}
		if err := c.windows(usage); err != nil {
			return nil, err
		}
		all = append(all, c.opens()...)
	}
	return all, nil
}

// opens returns when the rule permits the payment, according to its refusals; none if waiting does
// not help.
func (c *ruleCheck) opens() []opening {
	o := opening{from: c.At, hours: c.rule.Hours}
	for _, r := range c.refusals {
		switch {
		case r.FreesAt.IsZero():
			return nil
		case r.FreesAt.After(o.from):
			o.from = r.FreesAt
		}
	}
	return []opening{o}
}

// firstOpen returns the first time that one opening of each layer includes, and zero if none was
// found. No such time can be named while the clock is in doubt.
func (ev *evaluation) firstOpen(layers [][]opening) time.Time {
	if !ev.TrustedAt.IsZero() && !ev.TrustedAt.Equal(ev.At) {
		return time.Time{}
	}
	at, end, steps := ev.At, ev.At.Add(searchPeriod), 0
	for at.Before(end) && steps < maxSearchSteps {
		begin := at
		for _, openings := range layers {
			next, ok := earliest(openings, at)
			if !ok {
				return time.Time{}
			}
			at = next
			steps += len(openings)
		}
		if at.Equal(begin) {
			return at
		}
	}
	return time.Time{}
}

// earliest returns the first time from at on that one of the openings includes, and false if there
// is none.
func earliest(openings []opening, at time.Time) (first time.Time, found bool) {
	for _, o := range openings {
		if next, ok := o.next(at); ok && (!found || next.Before(first)) {
			first, found = next, true
		}
	}
	return first, found
}
