//go:build !linux

package clock

import "time"

var start = time.Now() //nolint:forbidigo // for its monotonic reading

// Steady returns the time since the process was started, without the time that the
// machine slept: after that the clock seems to have jumped.
func Steady() time.Duration { return time.Since(start) }
