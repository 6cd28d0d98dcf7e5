//go:build !linux

package clock

import "time"

var start = time.Now() //nolint:forbidigo // for its monotonic reading

// Steady returns the time since the process was started, excluding sleep: waking up
// looks like a jump of the clock.
func Steady() time.Duration { return time.Since(start) }
