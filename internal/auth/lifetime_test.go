package auth

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/fault"
)

// TestLifetimeAdvice checks that the examples in the error message for a malformed
// lifetime are accepted.
func TestLifetimeAdvice(t *testing.T) {
	_, err := ParseLifetime("x")
	examples := regexp.MustCompile(`"[^"]+"`).FindAllString(err.Error(), -1)
	if len(examples) < 4 {
		t.Errorf("%v has the examples %q", err, examples)
	}
	for _, example := range examples {
		if _, err := ParseLifetime(strings.Trim(example, `"`)); err != nil {
			t.Errorf("%s: %v", example, err)
		}
	}
}

func TestParseLifetime(t *testing.T) {
	// The values of pytimeparse 1.1.8 in seconds, as recorded from the original.
	for text, want := range map[string]float64{
		"30 days": 2592000, "6 minutes": 360, "1h30m": 5400, "2:04:13:02": 187982,
		"1.2 minutes": 72, "1.2 secs": 1.2, "2w": 1209600, "1 w, 2 d": 777600,
		"5hr34m56s": 20096, "1:24": 84, ":22": 22, "4:13:02.266": 15182.266,
		"2 days,  4:13:02": 187982, "1h/2m": 3720, "32m 17.5s": 1937.5, "+5m": 300,
		"|5m": 300, "30 DAYS": 2592000, ".5s": 0.5, "  1 d  ": 86400, "5m\n": 300,
		"0.7 days":  60479, // 60479.99… in floating point, then truncated
		"-0.1m 10s": 4,     // the sign does not apply to a number of whole seconds
		"25:70:99":  94299,
		// Months and years are extensions of specterd.
		"12 months": 31104000, "1 month": 2592000, "1mo": 2592000, "2 mth": 5184000,
		"1 year": 31536000, "1y": 31536000, "2 yrs": 63072000, "1 year, 6 months": 47088000,
		"1mo 1m": 2592060, "1y 2:00:00": 31543200, "100 years": 3153600000,
	} {
		t.Run(text, func(t *testing.T) {
			got, err := ParseLifetime(text)
			if err != nil || got != time.Duration(want*1e6+0.5)*time.Microsecond {
				t.Errorf("%q: got %v, %v, want %v seconds", text, got, err, want)
			}
		})
	}
}

func TestParseLifetime_Invalid(t *testing.T) {
	for _, text := range []string{
		"360", "", " ", "-", "5 mns", "1,2 minutes", "1d-2h", "1h 30", "1m1h", "1e3s",
		"1 second ago", "1h;2m", "0s", "- 5 m", "-300s", "1..2h", ".s", "5m\n3s",
		"101 years", "100 years 1s", "9999999999999999999999999999999999 weeks",
		"Inf days", "NaN s", "0x10 s", "1_0 s", "１ day", "m", "1 d 2 y",
	} {
		if got, err := ParseLifetime(text); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%q: got %v, %v, want Invalid", text, got, err)
		}
	}
}

func FuzzParseLifetime(f *testing.F) {
	for _, text := range []string{"30 days", "1h30m", "2:04:13:02", ":22", "-1.5m 10s", "1 year, 6 months"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := ParseLifetime(text)
		switch {
		case err == nil && (d <= 0 || d > MaxLifetime):
			t.Fatalf("%q is accepted as %v", text, d)
		case err != nil && fault.KindOf(err) != fault.Invalid:
			t.Fatalf("%q: %v is not Invalid", text, err)
		}
	})
}
