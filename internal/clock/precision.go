package clock

import "time"

// Microseconds returns a function that truncates the result of now to microseconds,
// the precision of the database, so that a time does not change when it is stored.
func Microseconds(now func() time.Time) func() time.Time {
	return func() time.Time { return now().Truncate(time.Microsecond) }
}
