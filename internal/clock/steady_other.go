//go:build !linux

package clock

import "time"

var start = time.Now() //nolint:forbidigo // for its monotonic reading

// Steady returns the time since the process was started. It does not include the time
// that the machine sleeps, so waking up looks like a jump of the system time.
func Steady() time.Duration { return time.Since(start) }
