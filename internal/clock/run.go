package clock

import (
	"context"
	"time"
)

// Run looks at the clock now and then until ctx ends, so that a jump is logged also
// where nobody asks.
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
