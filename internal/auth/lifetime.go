package auth

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/specterd/specterd/internal/fault"
)

// MaxLifetime is the maximum lifetime of a token: 100 years of 365 days.
const MaxLifetime = 100 * 365 * 24 * time.Hour

// maxLifetimeText is the maximum length in bytes of a lifetime, checked before it
// is parsed.
const maxLifetimeText = 100

// lifetimeForms are the patterns of pytimeparse 1.1.8, which Specter Desktop uses,
// extended by years and months before the weeks. The first match wins.
var lifetimeForms = func() []*regexp.Regexp {
	part := func(name, units string) string {
		return `(?:(?P<` + name + `>[\d.]+)\s*(?:` + units + `)\s*(?:[,/]\s*)?)?`
	}
	const seconds = `(?P<seconds>\d{2}(?:\.\d+)?)`
	years := part("years", `y|yrs?|years?`)
	months := part("months", `mo|mths?|months?`)
	weeks := part("weeks", `w|wks?|weeks?`)
	days := part("days", `d|dys?|days?`)
	forms := []string{
		years + `\s*` + months + `\s*` + weeks + `\s*` + days + `\s*` +
			part("hours", `h|hrs?|hours?`) + `\s*` +
			part("minutes", `m|mins?|minutes?`) + `\s*` +
			`(?:(?P<seconds>[\d.]+)\s*(?:s|secs?|seconds?))?`,
		`(?P<minutes>\d{1,2}):` + seconds,
		years + `\s*` + months + `\s*` + weeks + `\s*` + days + `\s*` +
			`(?P<hours>\d+):(?P<minutes>\d{2}):` + seconds,
		`(?P<days>\d+):(?P<hours>\d{2}):(?P<minutes>\d{2}):` + seconds,
		`:` + seconds,
	}
	compiled := make([]*regexp.Regexp, len(forms))
	for i, form := range forms {
		compiled[i] = regexp.MustCompile(`(?i)^\s*` + form + `\s*$`)
	}
	return compiled
}()

var lifetimeSign = regexp.MustCompile(`^\s*([+|-])?\s*(.*)$`)

// secondsPer is the length of each unit in seconds. A month has 30 days and a year
// 365, as in Specter Desktop's documentation.
var secondsPer = map[string]float64{
	"years": 365 * 86400, "months": 30 * 86400, "weeks": 7 * 86400, "days": 86400,
	"hours": 3600, "minutes": 60, "seconds": 1,
}

// ParseLifetime parses the lifetime of a token, such as "30 days", "1h30m" or
// "2:04:13:02". It accepts every format of pytimeparse 1.1.8, with the same result,
// and also months and years. The result is exact to the microsecond, positive and
// at most MaxLifetime; for anything else it returns an Invalid fault.
func ParseLifetime(text string) (time.Duration, error) {
	d, err := ParseGracePeriod(text)
	if err == nil && d == 0 {
		return 0, errLifetime("must be greater than zero")
	}
	return d, err
}

// ParseGracePeriod parses the grace period of a rotation. It accepts the same
// formats as ParseLifetime, and also zero.
func ParseGracePeriod(text string) (time.Duration, error) {
	if len(text) > maxLifetimeText {
		return 0, errLifetime("must be at most %d bytes long", maxLifetimeText)
	}
	signed := lifetimeSign.FindStringSubmatch(strings.TrimSpace(text))
	if signed == nil {
		return 0, errLifetimeForm
	}
	sign := 1.0
	if signed[1] == "-" {
		sign = -1
	}
	for _, form := range lifetimeForms {
		match := form.FindStringSubmatch(signed[2])
		if match == nil || strings.TrimSpace(match[0]) == "" {
			continue
		}
		seconds, err := addUp(form.SubexpNames(), match, sign)
		if err != nil {
			return 0, err
		}
		switch {
		case seconds < 0:
			return 0, errLifetime("must not be negative")
		case seconds > MaxLifetime.Seconds():
			return 0, errLifetime("must be at most 100 years")
		}
		return time.Duration(math.Round(seconds*1e6)) * time.Microsecond, nil
	}
	return 0, errLifetimeForm
}

// addUp returns the sum of the matched parts in seconds. Like pytimeparse, it adds
// them in floating point. If a part other than the seconds has a fraction and the seconds
// have none, it truncates the sum of the other parts and adds the seconds without the
// sign.
func addUp(names, match []string, sign float64) (float64, error) {
	var rest, seconds float64
	var fraction, fractionalSeconds bool
	for i, name := range names {
		if name == "" || match[i] == "" {
			continue
		}
		n, err := strconv.ParseFloat(match[i], 64)
		if err != nil {
			return 0, errLifetimeForm
		}
		isFraction := strings.Contains(match[i], ".")
		fraction = fraction || isFraction
		if name == "seconds" {
			seconds, fractionalSeconds = n, isFraction
		} else {
			rest += n * secondsPer[name]
		}
	}
	switch {
	case fractionalSeconds, !fraction:
		return sign * (rest + seconds), nil
	default:
		return sign*math.Trunc(rest) + seconds, nil
	}
}

func errLifetime(format string, args ...any) error {
	return fault.InvalidField("lifetime", format, args...)
}

var errLifetimeForm = errLifetime(`must be a duration such as "30 days", "6 months", "1h30m" or "1:30:00"`)
