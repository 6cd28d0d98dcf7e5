package policy

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"time"
	_ "time/tzdata" // embeds all time zones
)

const day = 24 * time.Hour

// weekdays are the names of days in documents, from Monday.
var weekdays = []string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"}

// position returns the position of a day in a week that begins on Monday.
func position(d time.Weekday) int { return (int(d) + 6) % 7 }

func (r *reader) hours(path string, v value) *Hours {
	h := Hours{To: day}
	present := r.object(path, v, []field{
		{"zone", func(path string, v value) { h.Zone = r.zone(path, v) }},
		{"days", func(path string, v value) { h.Days = r.days(path, v) }},
		{"from", func(path string, v value) { h.From = r.clock(path, v, "00:00", "23:59") }},
		{"to", func(path string, v value) { h.To = r.clock(path, v, "00:01", "24:00") }},
	})
	r.require(path, v, present, "zone")
	if v.kind == '{' && h.From >= h.To && !r.reported(path) {
		r.add(path, `from must be earlier than to; hours that include midnight need two rules, one up to "24:00" and one from "00:00"`)
	}
	return &h
}

// reported reports whether there are already problems with the hours at a path.
func (r *reader) reported(path string) bool {
	return slices.ContainsFunc(r.errs, func(err error) bool { return strings.HasPrefix(err.Error(), path+".") })
}

func (r *reader) zone(path string, v value) *time.Location {
	name, ok := r.string(path, v, "Europe/Zurich")
	if !ok {
		return time.UTC
	}
	zone, err := loadZone(name)
	if err != nil {
		r.add(path, `must be the name of an IANA time zone such as "Europe/Zurich" or "UTC"`)
		return time.UTC
	}
	return zone
}

var errZone = errors.New("not a zone of an IANA name")

// zones contains the loaded time zones by name. Only names of existing zones are added.
var zones sync.Map

func loadZone(name string) (*time.Location, error) {
	if zone, ok := zones.Load(name); ok {
		return zone.(*time.Location), nil
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil, err
	}
	// The zones of right/ count leap seconds, and Local depends on the server.
	if name == "" || name == "Local" || strings.HasPrefix(name, "right/") || strings.HasPrefix(name, "posix/") {
		return nil, errZone
	}
	loaded, _ := zones.LoadOrStore(name, zone)
	return loaded.(*time.Location), nil
}

func (r *reader) days(path string, v value) []time.Weekday {
	days := []time.Weekday{}
	r.array(path, v, len(weekdays), "days", func(path string, v value) {
		i := slices.Index(weekdays, v.text)
		d := time.Weekday((i + 1) % 7)
		switch {
		case v.kind != '"' || i < 0:
			r.add(path, "must be one of %s", strings.Join(weekdays, ", "))
		case slices.Contains(days, d):
			r.add(path, "occurs twice")
		default:
			days = append(days, d)
		}
	})
	slices.SortFunc(days, func(a, b time.Weekday) int { return position(a) - position(b) })
	return days
}

// clock reads a time of day.
func (r *reader) clock(path string, v value, least, most string) time.Duration {
	s := v.text
	switch {
	case v.kind == '"' && strings.Count(s, ":") == 2:
		r.add(path, `must be hours and minutes such as "18:00", without seconds; leap seconds cannot be named, and "24:00" as the end of a day includes them`)
		return 0
	case v.kind != '"' || !isClock(s) || s < least || s > most:
		r.add(path, "must be a time of day in hours and minutes from %q to %q", least, most)
		return 0
	}
	return time.Duration(number(s[:2]))*time.Hour + time.Duration(number(s[3:]))*time.Minute
}

// isClock reports whether s is a time from 00:00 to 24:00.
func isClock(s string) bool {
	if len(s) != len("18:00") || s[2] != ':' || strings.Trim(s[:2]+s[3:], "0123456789") != "" {
		return false
	}
	return s[3:] < "60" && s <= "24:00"
}

func number(digits string) int { return int(digits[0]-'0')*10 + int(digits[1]-'0') }

// clockText returns a time of day in the form of documents.
func clockText(d time.Duration) string {
	if d == day {
		return "24:00"
	}
	return time.Unix(0, int64(d)).UTC().Format("15:04")
}

// permits reports whether the local clock of the zone shows one of the hours.
func (h *Hours) permits(at time.Time) bool {
	_, offset := at.In(h.Zone).Zone()
	local := at.Unix() + int64(offset)
	d := floorDiv(local, daySeconds)
	clock := time.Duration(local-d*daySeconds) * time.Second
	return h.on(d) && h.From <= clock && clock < h.To
}

const daySeconds = int64(24 * 3600)

// on reports whether a day is one of the days. The day is the number since 1 January 1970,
// a Thursday.
func (h *Hours) on(d int64) bool {
	return h.Days == nil || slices.Contains(h.Days, time.Weekday(((d+int64(time.Thursday))%7+7)%7))
}

// next returns the first instant from a time on at which the local clock shows one of the
// hours, and false if there is none. Between two changes of the zone's offset, the local
// clock is the time plus the offset.
func (h *Hours) next(at time.Time) (time.Time, bool) {
	const maxChanges = 20 // of the offset; hours that a change skips occur on one of the following days
	if h.Days != nil && len(h.Days) == 0 {
		return time.Time{}, false // without a search
	}
	t := at.In(h.Zone)
	for range maxChanges {
		_, offset := t.Zone()
		_, end := t.ZoneBounds()
		local := t.Unix() + int64(offset)
		today := floorDiv(local, daySeconds)
		for d := today; d <= today+7; d++ {
			opens := max(local, d*daySeconds+int64(h.From/time.Second))
			if !h.on(d) || opens >= d*daySeconds+int64(h.To/time.Second) {
				continue
			}
			if opens == local {
				return t, true
			}
			if found := time.Unix(opens-int64(offset), 0); end.IsZero() || found.Before(end) {
				return found, true
			}
			break
		}
		if end.IsZero() {
			return time.Time{}, false
		}
		t = end.In(h.Zone)
	}
	return time.Time{}, false
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
