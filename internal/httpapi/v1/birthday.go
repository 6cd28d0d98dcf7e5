package v1

import (
	"strconv"
	"time"

	"github.com/go-json-experiment/json"

	api "github.com/specterd/specterd/api/v1"
	"github.com/specterd/specterd/internal/fault"
	wallets "github.com/specterd/specterd/internal/wallet"
)

// maxHeight exceeds any height that the chain can reach within a thousand years.
const maxHeight = 99_999_999

// parseBirthday parses a birthday: "now", a block height, a date or a time. It is an error
// if value is nil. Errors name field, the field of the request.
func parseBirthday(field string, value api.Start) (wallets.Birthday, error) {
	if value == nil {
		return wallets.Birthday{}, fault.InvalidField(field, `is required: "now", the height of a block, or a date such as "2026-01-31"`)
	}
	if height, err := strconv.Atoi(string(value)); err == nil && height >= 0 && height <= maxHeight {
		return wallets.Birthday{Height: &height}, nil
	}
	var text string
	if json.Unmarshal(value, &text) == nil {
		if text == "now" {
			return wallets.Birthday{Now: true}, nil
		}
		if at, _, ok := parseTime(text, time.UTC); ok {
			return wallets.Birthday{Time: &at}, nil
		}
	}
	return wallets.Birthday{}, fault.InvalidField(field, `must be "now", the height of a block as a whole number, a date such as "2026-01-31", or a time such as "2026-01-31T12:00:00Z"`)
}

// parseTime parses a time (RFC 3339), or a date, for which it returns the start of the
// day in zone. ok is false for any other text.
func parseTime(text string, zone *time.Location) (at time.Time, isDate, ok bool) {
	if at, err := time.ParseInLocation(time.DateOnly, text, zone); err == nil {
		return at, true, true
	}
	at, err := time.Parse(time.RFC3339, text)
	return at.UTC(), false, err == nil
}
