package cli

import "context"

// webhooks prints a warning if webhooks fail, or were disabled by specterd.
func (d *doctor) webhooks(ctx context.Context) {
	stats, err := d.Store.Stats(ctx)
	if err != nil {
		d.error("webhooks", "%v", err)
		return
	}
	w := stats.Webhooks
	switch {
	case w.Disabled > 0 || w.Failing > 0:
		d.warning("webhooks", "disabled: %d; failing: %d; list them with specterd webhook list, and see why with specterd webhook deliveries", w.Disabled, w.Failing)
	default:
		d.ok("webhooks", "%d active; deliveries pending: %d", w.Active, w.Pending)
	}
}
