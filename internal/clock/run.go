package clock

import (
	"context"
	"time"
)

// Run checks the system time every ten seconds until ctx ends, so that a jump is
// logged even if neither Settled nor Problem is called.
func (w *Watch) Run(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			w.Settled()
		case <-ctx.Done():
			return
		}
	}
}
