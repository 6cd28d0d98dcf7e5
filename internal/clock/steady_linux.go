package clock

import (
	"time"

	"golang.org/x/sys/unix"
)

// Steady returns the time since the machine was started, sleep included: a laptop
// that wakes up has not jumped. Go's own monotonic clock stands still meanwhile.
func Steady() time.Duration {
	var at unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &at); err != nil {
		panic("clock: no CLOCK_BOOTTIME, which every Linux that Go runs on has: " + err.Error())
	}
	return time.Duration(at.Nano())
}
