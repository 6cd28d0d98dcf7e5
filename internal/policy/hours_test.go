package policy

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"
)

func hoursOf(t *testing.T, document string) *Hours {
	t.Helper()
	p, err := ParseStored(Wallet, []byte(inRule(`"hours": `+document)))
	if err != nil {
		t.Fatal(err)
	}
	return p.Allow[0].Hours
}

func TestHours(t *testing.T) {
	const closed = ""
	tests := []struct {
		name, hours, at string
		opens           string // at itself if the hours permit it; closed for never
	}{
		{"at the start", `{"zone": "UTC", "from": "08:00", "to": "18:00"}`, "2026-11-30T08:00:00Z", "2026-11-30T08:00:00Z"},
		{"a second before", `{"zone": "UTC", "from": "08:00", "to": "18:00"}`, "2026-11-30T07:59:59Z", "2026-11-30T08:00:00Z"},
		{"a nanosecond before", `{"zone": "UTC", "from": "08:00", "to": "18:00"}`, "2026-11-30T07:59:59.999999999Z", "2026-11-30T08:00:00Z"},
		{"the last second", `{"zone": "UTC", "from": "08:00", "to": "18:00"}`, "2026-11-30T17:59:59.999999999Z", "2026-11-30T17:59:59.999999999Z"},
		{"at the end", `{"zone": "UTC", "from": "08:00", "to": "18:00"}`, "2026-11-30T18:00:00Z", "2026-12-01T08:00:00Z"},
		{"until midnight", `{"zone": "UTC", "from": "08:00", "to": "24:00"}`, "2026-11-30T23:59:59Z", "2026-11-30T23:59:59Z"},
		{"from midnight", `{"zone": "UTC", "to": "18:00"}`, "2026-11-30T18:00:00Z", "2026-12-01T00:00:00Z"},
		{"all day", `{"zone": "UTC"}`, "2026-11-30T00:00:00Z", "2026-11-30T00:00:00Z"},
		{"no days", `{"zone": "UTC", "days": []}`, "2026-11-30T08:00:00Z", closed},
		{"Sunday to Monday", `{"zone": "UTC", "days": ["mon"]}`, "2026-11-29T23:59:59Z", "2026-11-30T00:00:00Z"},
		{"a week later", `{"zone": "UTC", "days": ["mon"], "to": "08:00"}`, "2026-11-30T08:00:00Z", "2026-12-07T00:00:00Z"},
		{"before 1970", `{"zone": "UTC", "days": ["wed"]}`, "1969-12-30T12:00:00Z", "1969-12-31T00:00:00Z"},
		{"open before 1970", `{"zone": "UTC", "days": ["tue"], "from": "08:00", "to": "18:00"}`, "1969-12-30T12:00:00Z", "1969-12-30T12:00:00Z"},

		{"day of the zone, not of UTC", `{"zone": "Pacific/Auckland", "days": ["tue"]}`, "2026-11-30T11:00:00Z", "2026-11-30T11:00:00Z"},
		{"east of UTC", `{"zone": "Asia/Kathmandu", "from": "08:00", "to": "18:00"}`, "2026-11-30T02:14:59Z", "2026-11-30T02:15:00Z"},
		{"west of UTC", `{"zone": "America/New_York", "from": "08:00", "to": "18:00"}`, "2026-11-30T12:59:59Z", "2026-11-30T13:00:00Z"},
		{"offset of half an hour", `{"zone": "Australia/Lord_Howe", "from": "08:00", "to": "18:00"}`, "2026-06-30T21:29:59Z", "2026-06-30T21:30:00Z"},

		// Zurich: 28 March 2027, 02:00 becomes 03:00; 31 October 2027, 03:00 becomes 02:00.
		{"winter time", `{"zone": "Europe/Zurich", "from": "08:00", "to": "18:00"}`, "2027-03-27T06:59:59Z", "2027-03-27T07:00:00Z"},
		{"summer time", `{"zone": "Europe/Zurich", "from": "08:00", "to": "18:00"}`, "2027-03-28T05:59:59Z", "2027-03-28T06:00:00Z"},
		{"start is skipped", `{"zone": "Europe/Zurich", "from": "02:30", "to": "04:00"}`, "2027-03-28T00:59:59Z", "2027-03-28T01:00:00Z"},
		{"end is skipped", `{"zone": "Europe/Zurich", "from": "01:00", "to": "02:30"}`, "2027-03-28T01:00:00Z", "2027-03-28T23:00:00Z"},
		{"all hours are skipped", `{"zone": "Europe/Zurich", "from": "02:00", "to": "03:00"}`, "2027-03-28T00:59:59Z", "2027-03-29T00:00:00Z"},
		{"the only day's hours are skipped", `{"zone": "Europe/Zurich", "days": ["sun"], "from": "02:00", "to": "03:00"}`, "2027-03-28T00:59:59Z", "2027-04-04T00:00:00Z"},
		{"repeated hour, first", `{"zone": "Europe/Zurich", "from": "02:30", "to": "03:00"}`, "2027-10-31T00:29:59Z", "2027-10-31T00:30:00Z"},
		{"repeated hour, between", `{"zone": "Europe/Zurich", "from": "02:30", "to": "03:00"}`, "2027-10-31T01:00:00Z", "2027-10-31T01:30:00Z"},
		{"repeated hour, second", `{"zone": "Europe/Zurich", "from": "02:30", "to": "03:00"}`, "2027-10-31T01:59:59Z", "2027-10-31T01:59:59Z"},
		{"repeated hour, after", `{"zone": "Europe/Zurich", "from": "02:30", "to": "03:00"}`, "2027-10-31T02:00:00Z", "2027-11-01T01:30:00Z"},
		{"repeated hour reopens", `{"zone": "Europe/Zurich", "from": "01:00", "to": "02:30"}`, "2027-10-31T00:30:00Z", "2027-10-31T01:00:00Z"},
		{"day of 25 hours", `{"zone": "Europe/Zurich", "days": ["mon"], "from": "08:00"}`, "2027-10-30T22:00:00Z", "2027-11-01T07:00:00Z"},
		{"change of half an hour", `{"zone": "Australia/Lord_Howe", "from": "02:00", "to": "02:15"}`, "2026-10-03T15:29:59Z", "2026-10-04T15:00:00Z"},
		// Samoa had no 30 December 2011.
		{"day that does not exist", `{"zone": "Pacific/Apia", "days": ["fri"], "from": "08:00"}`, "2011-12-30T09:59:59Z", "2012-01-05T18:00:00Z"},
		{"far future", `{"zone": "Europe/Zurich", "from": "08:00", "to": "18:00"}`, "2099-07-01T05:59:59Z", "2099-07-01T06:00:00Z"},
		// Leap second at 2016-12-31T23:59:60Z: Go's clock repeats a second of the day.
		{"end of a day with a leap second", `{"zone": "UTC", "days": ["sat"], "to": "24:00"}`, "2016-12-31T23:59:59.999Z", "2016-12-31T23:59:59.999Z"},
		{"after a leap second", `{"zone": "UTC", "days": ["sat"], "to": "24:00"}`, "2017-01-01T00:00:00Z", "2017-01-07T00:00:00Z"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			h := hoursOf(t, test.hours)
			at, err := time.Parse(time.RFC3339, test.at)
			if err != nil {
				t.Fatal(err)
			}
			opens, ok := h.next(at)
			if test.opens == closed {
				if ok || h.permits(at) {
					t.Errorf("got %s", opens)
				}
				return
			}
			if got := opens.UTC().Format(time.RFC3339Nano); !ok || got != test.opens {
				t.Errorf("got %s", got)
			}
			if h.permits(at) != (test.opens == test.at) {
				t.Errorf("permits: %t", h.permits(at))
			}
		})
	}
}

// next must agree with the local clock, minute by minute, around all changes of offset.
func TestHours_Minutes(t *testing.T) {
	clocks := []string{"00:00", "00:30", "01:00", "01:30", "02:00", "02:30", "03:00", "03:30", "24:00"}
	for _, zone := range []string{"Europe/Zurich", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca", "America/Asuncion"} {
		for i, from := range clocks {
			for _, to := range clocks[i+1:] {
				h := hoursOf(t, fmt.Sprintf(`{"zone": %q, "days": ["sun", "sat"], "from": %q, "to": %q}`, zone, from, to))
				start := time.Date(2026, 1, 1, 0, 0, 0, 0, h.Zone)
				for range 4 {
					_, change := start.ZoneBounds()
					if change.IsZero() {
						break
					}
					checkMinutes(t, h, change.Add(-36*time.Hour), change.Add(60*time.Hour))
					start = change
				}
			}
		}
	}
}

// checkMinutes compares permits and next with a clock that is read every minute.
func checkMinutes(t *testing.T, h *Hours, from, to time.Time) {
	t.Helper()
	var open time.Time // the first open minute at or after the current one
	for at := to; !at.Before(from); at = at.Add(-time.Minute) {
		local := at.In(h.Zone)
		clock := time.Duration(local.Hour())*time.Hour + time.Duration(local.Minute())*time.Minute
		isOpen := (local.Weekday() == time.Saturday || local.Weekday() == time.Sunday) && h.From <= clock && clock < h.To
		if isOpen {
			open = at
		}
		if h.permits(at) != isOpen {
			t.Fatalf("%s %s–%s at %s: permits is %t", h.Zone, h.From, h.To, local, h.permits(at))
		}
		if got, ok := h.next(at); !open.IsZero() && (!ok || !got.Equal(open)) {
			t.Fatalf("%s %s–%s at %s: next is %s, want %s", h.Zone, h.From, h.To, local, got, open)
		}
	}
}

func TestParser_Hours(t *testing.T) {
	const (
		path    = "allow[0].hours"
		from    = path + `.from: must be a time of day in hours and minutes from "00:00" to "23:59"`
		to      = path + `.to: must be a time of day in hours and minutes from "00:01" to "24:00"`
		seconds = `must be hours and minutes such as "18:00", without seconds; leap seconds cannot be named, and "24:00" as the end of a day includes them`
		order   = path + `: from must be earlier than to; hours that include midnight need two rules, one up to "24:00" and one from "00:00"`
		zone    = path + `.zone: must be the name of an IANA time zone such as "Europe/Zurich" or "UTC"`
		days    = "must be one of mon, tue, wed, thu, fri, sat, sun"
	)
	tests := []struct{ name, hours, want string }{
		{"leap second", `{"zone": "UTC", "from": "08:00", "to": "23:59:60"}`, path + ".to: " + seconds},
		{"seconds", `{"zone": "UTC", "from": "08:00:00", "to": "18:00:00"}`, path + ".from: " + seconds + "\n" + path + ".to: " + seconds},
		{"60 minutes", `{"zone": "UTC", "to": "23:60"}`, to},
		{"after the end of the day", `{"zone": "UTC", "to": "24:01"}`, to},
		{"from the end of the day", `{"zone": "UTC", "from": "24:00"}`, from},
		{"to the start of the day", `{"zone": "UTC", "to": "00:00"}`, to},
		{"one digit", `{"zone": "UTC", "from": "8:00"}`, from},
		{"sign", `{"zone": "UTC", "from": "+8:00"}`, from},
		{"no colon", `{"zone": "UTC", "from": "08.00"}`, from},
		{"number", `{"zone": "UTC", "from": 8}`, from},
		{"equal", `{"zone": "UTC", "from": "08:00", "to": "08:00"}`, order},
		{"includes midnight", `{"zone": "UTC", "from": "22:00", "to": "06:00"}`, order},
		{"no zone", `{"from": "08:00"}`, path + ".zone: is required"},
		{"empty zone", `{"zone": ""}`, zone},
		{"zone of the server", `{"zone": "Local"}`, zone},
		{"unknown zone", `{"zone": "Europe/Zurch"}`, zone},
		{"zone with leap seconds", `{"zone": "right/Europe/Zurich"}`, zone},
		{"file", `{"zone": "../../etc/passwd"}`, zone},
		{"absolute file", `{"zone": "/usr/share/zoneinfo/Europe/Zurich"}`, zone},
		{"offset", `{"zone": "+01:00"}`, zone},
		{"zone as number", `{"zone": 1}`, path + `.zone: must be a text such as "Europe/Zurich"`},
		{
			"days", `{"zone": "UTC", "days": ["mon", "Mon", "monday", 1, "mon"]}`,
			path + ".days[1]: " + days + "\n" + path + ".days[2]: " + days + "\n" + path + ".days[3]: " + days + "\n" + path + ".days[4]: occurs twice",
		},
		{"no array", `{"zone": "UTC", "days": "mon"}`, path + ".days: must be an array of days"},
		{"many days", `{"zone": "UTC", "days": [1, 2, 3, 4, 5, 6, 7, 8]}`, path + ".days: must not have more than 7 days"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := parser.Policy([]byte(inRule(`"hours": ` + test.hours)))
			if got := fieldsOf(t, err); got != test.want {
				t.Errorf("got:\n%s\nwant:\n%s", got, test.want)
			}
		})
	}
	for _, test := range []struct{ hours, want string }{
		{`{"zone": "UTC"}`, `{"zone":"UTC","from":"00:00","to":"24:00"}`},
		{`{"zone": "Europe/Zurich", "days": ["sun", "mon"], "from": "23:59", "to": "24:00"}`, `{"zone":"Europe/Zurich","days":["mon","sun"],"from":"23:59","to":"24:00"}`},
		{`{"zone": "UTC", "days": [], "to": "00:01"}`, `{"zone":"UTC","days":[],"from":"00:00","to":"00:01"}`},
	} {
		t.Run(test.hours, func(t *testing.T) {
			if got := jsonOf(func(w *writer) { w.hours(hoursOf(t, test.hours)) }); got != test.want {
				t.Errorf("got %s", got)
			}
			if !json.Valid([]byte(test.want)) {
				t.Error("want is not JSON")
			}
		})
	}
}
