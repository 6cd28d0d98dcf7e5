package clock

import (
	"time"

	"golang.org/x/sys/unix"
)

// Steady returns the time since the machine was started, including the time that it
// sleeps, so that waking up does not look like a jump. Go's own monotonic clock stops
// during sleep.
func Steady() time.Duration {
	var at unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &at); err != nil {
		panic("clock: CLOCK_BOOTTIME unavailable, although every supported Linux has it: " + err.Error())
	}
	return time.Duration(at.Nano())
}
