package v1

import (
	"time"
	_ "time/tzdata" // embeds all time zones

	"github.com/specterd/specterd/internal/fault"
)

// period contains the query parameters for the period of a history or of the audit log.
type period struct {
	Since string `query:"since" json:"-" description:"Only entries at or after this time (RFC 3339), or from the start of this date in the time zone tz."`
	Until string `query:"until" json:"-" description:"Only entries before this time (RFC 3339), or up to the end of this date in the time zone tz."`
	Zone  string `query:"tz" json:"-" example:"Europe/Berlin" description:"Time zone (IANA name) of the dates in since and until, and of a ledger's dates; the default is UTC."`
}

// zone returns the time zone of the dates in since and until.
func (p period) zone() (*time.Location, error) {
	zone, err := time.LoadLocation(p.Zone)
	if err != nil || p.Zone == "Local" {
		return nil, fault.InvalidField("tz", `must be the name of an IANA time zone such as "Europe/Berlin" or "UTC"`)
	}
	return zone, nil
}

func (p period) times() (since, until time.Time, err error) {
	const form = `must be a date such as "2026-01-31", or a time such as "2026-01-31T12:00:00Z"`
	zone, err := p.zone()
	if err != nil {
		return since, until, err
	}
	var ok, isDate bool
	if since, _, ok = parseTime(p.Since, zone); !ok && p.Since != "" {
		return since, until, fault.InvalidField("since", form)
	}
	if until, isDate, ok = parseTime(p.Until, zone); !ok && p.Until != "" {
		return since, until, fault.InvalidField("until", form)
	}
	if isDate {
		until = until.AddDate(0, 0, 1)
	}
	if !since.IsZero() && !until.IsZero() && !since.Before(until) {
		return since, until, fault.InvalidField("since", "must be earlier than until")
	}
	return since, until, nil
}
