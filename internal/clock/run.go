package clock

import (
	"context"
	"time"
)

// Run checks the clock periodically until ctx ends, so that a jump is logged even
// if no caller asks.
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
