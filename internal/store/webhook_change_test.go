package store_test

import (
	"errors"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/egress"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/testenv/testkit"
	"github.com/specterd/specterd/internal/webhook"
)

// TestWebhook_ChangedRules checks that a webhook whose host is not allowed any more can still be
// changed and disabled, but not enabled, and neither can one without a secret.
func TestWebhook_ChangedRules(t *testing.T) {
	senderTest(t, func(t *testing.T, s *senders) {
		s.user("alice", false)
		who := s.byPassword("alice")
		w := s.hook(who, s.receiver(), nil)
		strict := webhook.New(webhook.Options{Store: s, Client: egress.New(egress.Options{Now: time.Now}), Now: s.time, Wake: func() {}})
		text, yes, no := "other", true, false
		for _, c := range []struct {
			name    string
			service *webhook.Service
			change  webhook.Change
			want    string // code of the error
		}{
			{"description", strict, webhook.Change{Description: &text}, ""},
			{"the same URL", strict, webhook.Change{URL: &w.URL}, "invalid_input"},
			{"disable", strict, webhook.Change{Enabled: &no}, ""},
			{"description of a disabled one", strict, webhook.Change{Description: &text}, ""},
			{"enable", strict, webhook.Change{Enabled: &yes}, "invalid_input"},
			{"enable if it is allowed", s.hooks, webhook.Change{Enabled: &yes}, ""},
		} {
			t.Run(c.name, func(t *testing.T) {
				_, err := c.service.Change(t.Context(), who, w.ID, c.change)
				if got := codeOf(err); got != c.want {
					t.Errorf("the error is %v with the code %q", err, got)
				}
			})
		}
		_, err := s.hooks.Change(t.Context(), who, w.ID, webhook.Change{Enabled: &no})
		testkit.Check(t, err)
		s.exec("DELETE FROM webhook_secrets")
		if _, err = s.hooks.Change(t.Context(), who, w.ID, webhook.Change{Enabled: &yes}); codeOf(err) != "webhook_without_secret" {
			t.Errorf("without a secret: %v", err)
		}
	})
}

// codeOf returns the code of a fault, and otherwise the empty string.
func codeOf(err error) string {
	if f, ok := errors.AsType[*fault.Error](err); ok {
		return f.Code
	}
	return ""
}
