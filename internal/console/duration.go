package console

import (
	"regexp"
	"strings"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/policy"
)

// germanUnits are the German names of units of time, in all forms, by the English ones.
var germanUnits = map[string]*regexp.Regexp{
	"years": unitPattern(`jahre?n?`), "months": unitPattern(`monate?n?`), "weeks": unitPattern(`wochen?`),
	"days": unitPattern(`tage?n?`), "hours": unitPattern(`stunden?|std\.?`), "minutes": unitPattern(`minuten?`),
}

// unitPattern returns a pattern for a unit after a number.
func unitPattern(names string) *regexp.Regexp {
	return regexp.MustCompile(`(?i)([\d.]\s*)(?:` + names + `)(\W|$)`)
}

// duration returns a field with a duration in the words of package auth, such as "7 days", which the
// user may have entered in German.
func (c *call) duration(name string) string {
	text := c.form.Get(name)
	for english, pattern := range germanUnits {
		text = pattern.ReplaceAllString(text, "${1}"+english+"${2}")
	}
	return text
}

// policyDuration returns a field with a duration as documents of policies have it. Text that is not
// a duration in whole minutes is returned unchanged, for the parser of documents to refuse.
func (c *call) policyDuration(name string) string {
	d, err := auth.ParseLifetime(c.duration(name))
	if err != nil || d%time.Minute != 0 {
		return strings.TrimSpace(c.form.Get(name))
	}
	return policy.DurationText(d)
}
