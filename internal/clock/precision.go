package clock

import "time"

// Microseconds returns now with the precision of the database, so that a time is
// returned by the request that stores it exactly as by later ones.
func Microseconds(now func() time.Time) func() time.Time {
	return func() time.Time { return now().Truncate(time.Microsecond) }
}
