package webhook

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/egress"
)

// guide returns docs/webhooks.md.
func guide(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/webhooks.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestGuide_Delays compares the table of attempts in docs/webhooks.md with the delays.
func TestGuide_Delays(t *testing.T) {
	attempts, row := []string{"| Attempt"}, []string{"| Delay | 0"}
	for i := range MaxAttempts {
		attempts = append(attempts, fmt.Sprint(i+1))
	}
	for _, d := range delays {
		row = append(row, inWords(d))
	}
	for _, cells := range [][]string{attempts, row} {
		if line := "\n" + strings.Join(cells, " | ") + " |\n"; !strings.Contains(guide(t), line) {
			t.Errorf("docs/webhooks.md has no line %q", line)
		}
	}
	if len(delays) != MaxAttempts-1 {
		t.Errorf("%d attempts have %d delays", MaxAttempts, len(delays))
	}
}

// inWords returns a duration in its largest unit up to hours.
func inWords(d time.Duration) string {
	switch {
	case d >= time.Hour:
		return fmt.Sprintf("%d h", d/time.Hour)
	case d >= time.Minute:
		return fmt.Sprintf("%d min", d/time.Minute)
	}
	return fmt.Sprintf("%d s", d/time.Second)
}

// TestGuide_Statuses compares the statuses, and the reasons for which deliveries are skipped
// and webhooks are disabled.
func TestGuide_Statuses(t *testing.T) {
	var statuses, reasons []string
	rows := regexp.MustCompile("(?m)^\\| `(\\w+)` \\| (.*) \\|$").FindAllStringSubmatch(guide(t), -1)
	for _, row := range rows {
		statuses = append(statuses, row[1])
		if row[1] == string(Skipped) {
			reasons = inParentheses(row[2])
		}
	}
	if want := []string{string(Pending), string(Delivered), string(Failed), string(Skipped)}; !slices.Equal(statuses, want) {
		t.Errorf("the statuses are %v, want %v", statuses, want)
	}
	if want := []string{NotVisible, EventDeleted, AtRestore}; !slices.Equal(reasons, want) {
		t.Errorf("the reasons are %v, want %v", reasons, want)
	}
	_, section, _ := strings.Cut(guide(t), "\nStatus 410 disables ")
	section, _, _ = strings.Cut(section, "; the event ")
	disabled := slices.DeleteFunc(codes(section), func(name string) bool { return name == "disabled_reason" })
	want := []string{
		string(Gone), string(Failing), string(ByUser), string(TokenRevoked), string(TokenExpired), string(UserDisabled), string(AccessRevoked), string(Restored),
	}
	if !slices.Equal(disabled, want) {
		t.Errorf("webhooks are disabled because of %v, want %v", disabled, want)
	}
}

// codes returns the words in the code spans of a text.
func codes(text string) (words []string) {
	for _, span := range regexp.MustCompile("`(\\w+)`").FindAllStringSubmatch(text, -1) {
		words = append(words, span[1])
	}
	return words
}

// inParentheses returns the words in code spans that are alone in parentheses.
func inParentheses(text string) (words []string) {
	for _, span := range regexp.MustCompile("\\(`(\\w+)`\\)").FindAllStringSubmatch(text, -1) {
		words = append(words, span[1])
	}
	return words
}

// TestGuide_Limits compares the limits in docs/webhooks.md with the constants.
func TestGuide_Limits(t *testing.T) {
	quota, _ := auth.QuotaWebhooks.Info()
	days := func(d time.Duration) string { return fmt.Sprintf("%d days", d/(24*time.Hour)) }
	for _, text := range []string{
		fmt.Sprintf("varies by ±%.0f %%", jitter*100),
		fmt.Sprintf("may request up to %.0f hours", egress.MaxRetryAfter.Hours()),
		"about three days after the first",
		"a failure " + days(DisableAfter) + " after its first one",
		"**within " + fmt.Sprintf("%.0f", egress.Timeout.Seconds()) + " seconds**",
		"kept for " + days(KeepFor) + " after they have ended",
		"all events of up to " + days(KeepFor),
		fmt.Sprintf("up to %s bytes of the response", grouped(egress.MaxExcerpt)),
		fmt.Sprintf("can have %d webhooks", quota.Default),
		fmt.Sprintf("At most %d messages are sent at the same time to a host and port, and %d of a user.", maxPerHost, maxPerUser),
		fmt.Sprintf("while %s messages are pending", grouped(maxUnordered)),
	} {
		if !strings.Contains(guide(t), text) {
			t.Errorf("docs/webhooks.md does not contain %q", text)
		}
	}
	var total time.Duration
	for _, d := range delays {
		total += d
	}
	if total < 60*time.Hour || total > 80*time.Hour {
		t.Errorf("the last attempt is made %s after the first, which is not about three days", total)
	}
}

// grouped returns a number between 1,000 and 999,999 with a comma.
func grouped(n int) string { return fmt.Sprintf("%d,%03d", n/1000, n%1000) }
