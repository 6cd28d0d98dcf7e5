package v1

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	api "github.com/specterd/specterd/api/v1"
	"github.com/specterd/specterd/internal/fault"
)

func TestParseBirthday(t *testing.T) {
	day := time.Date(2026, 1, 31, 0, 0, 0, 0, time.UTC)
	for text, want := range map[string]any{
		`"now"`: true, `0`: 0, `186`: 186, `99999999`: 99999999,
		`"2026-01-31"`: day, `"2026-01-31T12:00:00Z"`: day.Add(12 * time.Hour), `"2026-01-31T12:00:00.5+01:00"`: day.Add(11*time.Hour + time.Second/2),
		`"\u006eow"`: true,
	} {
		t.Run(text, func(t *testing.T) {
			got, err := parseBirthday("birthday", api.Start(text))
			var is any
			switch {
			case got.Now:
				is = true
			case got.Height != nil:
				is = *got.Height
			case got.Time != nil && got.Time.Equal(want.(time.Time)):
				is = want
			}
			if err != nil || is != want {
				t.Errorf("%s: %+v, %v", text, got, err)
			}
		})
	}
	for _, text := range []string{
		``, `null`, `true`, `-1`, `1.0`, `1e2`, `100000000`, `99999999999999999999`, `"186"`, `"Now"`, `""`, `"2026-02-30"`, `"2026-1-1"`, `"31.01.2026"`,
		`"2026-01-31 12:00:00"`, `"2026-01-31T12:00:00"`, `"2026-01-31T25:00:00Z"`, `["now"]`, `{}`, `"-5"`,
	} {
		var value api.Start
		if text != "" {
			value = api.Start(text)
		}
		_, err := parseBirthday("birthday", value)
		if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), `"now", the height of a block`) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// TestBirthdayAdvice checks that the examples in error messages about birthdays are valid.
func TestBirthdayAdvice(t *testing.T) {
	for _, wrong := range []string{"", "true"} {
		t.Run(fmt.Sprintf("%q", wrong), func(t *testing.T) {
			_, err := parseBirthday("birthday", api.Start(wrong))
			examples := regexp.MustCompile(`"[^"]+"`).FindAllString(err.Error(), -1)
			if len(examples) < 2 {
				t.Errorf("%v has the examples %q", err, examples)
			}
			for _, example := range examples {
				if _, err := parseBirthday("birthday", api.Start(example)); err != nil {
					t.Errorf("%s: %v", example, err)
				}
			}
		})
	}
}

func TestHistoryFilter(t *testing.T) {
	day := time.Date(2026, 1, 31, 0, 0, 0, 0, time.UTC)
	f, err := history{period: period{Since: "2026-01-31", Until: "2026-01-31"}, Category: "send", Label: "x", Unconfirmed: true, Dead: true, Hex: true}.filter()
	if err != nil || !f.Since.Equal(day) || !f.Until.Equal(day.AddDate(0, 0, 1)) || f.Category != "send" || f.Label != "x" ||
		!f.Unconfirmed || !f.Dead || !f.Raw || !f.Outputs {
		t.Errorf("%+v, %v", f, err)
	}
	f, err = history{period: period{Until: "2026-01-31T01:00:00+01:00"}}.filter()
	if err != nil || !f.Since.IsZero() || !f.Until.Equal(day) {
		t.Errorf("%+v, %v", f, err)
	}
	for params, want := range map[string]bool{"": false, "desc": false, "asc": true} {
		t.Run(params, func(t *testing.T) {
			if f, err := (history{Order: params}).filter(); err != nil || f.Ascending != want {
				t.Errorf("%s: %+v, %v", params, f, err)
			}
		})
	}
	for field, in := range map[string]history{"since": {period: period{Since: "x"}}, "until": {period: period{Until: "now"}}, "category": {Category: "Send"}} {
		t.Run(field, func(t *testing.T) {
			if _, err := in.filter(); err == nil || !strings.HasPrefix(err.Error(), field+": must be") {
				t.Errorf("%s: %v", field, err)
			}
		})
	}
}
