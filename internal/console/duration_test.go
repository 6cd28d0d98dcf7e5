package console_test

import (
	"net/http"
	"strings"
	"testing"
)

// TestPolicy_Durations enters durations in words, in English and in German, in the form of a policy.
func TestPolicy_Durations(t *testing.T) {
	t.Parallel()
	s := open(t)
	admin := s.admin(t)
	const page = "/policy/edit"
	for entered, want := range map[string]string{
		"24h": "Within 24 hours", "1 day": "Within 24 hours", "24 h": "Within 24 hours", "7 days": "Within 7 days", "1 week": "Within 7 days", "90 minutes": "Within 90 minutes",
		"1 Tag": "Within 24 hours", "7 Tage": "Within 7 days", "2 Stunden": "Within 2 hours", "30 Std.": "Within 30 hours", "2 Wochen": "Within 14 days", "45 Minuten": "Within 45 minutes",
	} {
		t.Run(entered, func(t *testing.T) {
			v := *admin
			v.t = t
			p := v.get(page+"?preset=petty-cash").submit(page, "allow[0].windows[0].per", entered, "allow[0].delay", entered, "change.delay", entered)
			p.want(http.StatusOK, "Check the change", want)
			if duration := strings.TrimPrefix(want, "Within "); strings.Count(p.text(), duration) != 3 {
				t.Errorf("%s does not have %s three times", p.text(), duration)
			}
		})
	}
	for _, entered := range []string{"90 seconds", "soon", "1 Mond", "400 days"} {
		admin.get(page+"?preset=petty-cash").submit(page, "allow[0].windows[0].per", entered).want(http.StatusBadRequest, "Must be a duration", "Within")
	}
	admin.get("/tokens/new").submit("/tokens", "description", "words", "preset", "accountant", "lifetime", "other", "other", "45 Tage").want(http.StatusOK, "Token words created")
}
