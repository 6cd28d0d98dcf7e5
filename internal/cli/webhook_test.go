package cli

import (
	"testing"
	"time"

	"github.com/specterd/specterd/internal/webhook"
)

func TestWebhookStatus(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		name string
		hook webhook.Webhook
		want string
	}{
		{"active", webhook.Webhook{}, "active"},
		{"failing", webhook.Webhook{FailingSince: at}, "active, failing since 2026-11-30 12:00 UTC"},
		{"disabled", webhook.Webhook{FailingSince: at, DisabledAt: at, Reason: webhook.ByUser}, "disabled 2026-11-30 12:00 UTC: user"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := webhookStatus(test.hook); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}
