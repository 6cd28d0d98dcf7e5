package policy

import "time"

// DurationText returns a duration in the form of documents, such as 24h.
func DurationText(d time.Duration) string { return durationText(d) }
