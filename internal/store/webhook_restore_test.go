package store_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/testenv/testkit"
	"github.com/specterd/specterd/internal/webhook"
)

// populateWebhook adds a webhook with two deliveries, of which one is pending and has an
// attempt.
func (b *fixture) populateWebhook(u auth.User) {
	b.t.Helper()
	ctx := b.t.Context()
	w := webhook.Webhook{ID: "hook", UserID: u.ID, Description: "shop", URL: "https://shop.example/hook", Order: webhook.OrderWallet, CreatedAt: b.now}
	testkit.Check(b.t, b.AddWebhook(ctx, operator, w, webhook.Secret{Key: "whsec_x", CreatedAt: b.now}, auth.Event{At: b.now}))
	events := b.userEvents(u)
	testkit.Check(b.t, b.AddDeliveries(ctx, w, events[:2], events[1].Seq))
	_, err := b.ClaimDeliveries(ctx, webhook.Claim{Now: b.now, Until: b.now, Holder: "x", PerHost: 9, PerUser: 9, Limit: 1})
	testkit.Check(b.t, err)
	b.exec("UPDATE deliveries SET status = 'delivered', next_at = NULL WHERE seq = $1", events[0].Seq)
}

// wantRestoredWebhook checks that the webhook of populateWebhook is disabled, that nothing is
// pending, and that new events are the first to be sent once it is enabled.
func (b *fixture) wantRestoredWebhook() {
	b.t.Helper()
	head, err := b.EventHead(b.t.Context())
	testkit.Check(b.t, err)
	got := b.rows("SELECT disabled_reason, events_until, (SELECT count(*) FROM deliveries WHERE status = 'pending'), (SELECT count(*) FROM deliveries WHERE status = 'delivered') FROM webhooks WHERE disabled_at IS NOT NULL")
	want := fmt.Sprintf("restored %d 0 1", head-b.since("hook"))
	if got != want {
		b.t.Errorf("the restored webhook is %q, want %q", got, want)
	}
}

// since returns the number of events after the position of a webhook.
func (b *fixture) since(id string) int64 {
	return int64(b.count("SELECT count(*) FROM events WHERE seq > (SELECT events_until FROM webhooks WHERE webhook_id = $1)", id))
}

// TestRestoredWebhook: a restored webhook sends nothing until its user has rotated the secret
// and enabled it, and then what happens from then on. What is known to be missing can be
// recovered.
func TestRestoredWebhook(t *testing.T) {
	senderTest(t, func(t *testing.T, s *senders) {
		alice := s.user("alice", false)
		w := s.wallet(alice, "vault")
		s.pass(time.Second)
		r := s.receiver()
		hook := s.hook(s.byPassword("alice"), r, nil)
		s.rename(w, "delivered")
		s.one.work()
		r.wantKinds(t, "wallet.renamed")
		s.rename(w, "after the backup, as far as it knows")
		f := s.backUp()
		restored := openEmpty(t, s.fixture)
		_, err := restored.Restore(t.Context(), f, restored.restoreOptions("another key"))
		testkit.Check(t, err)
		restored.now = s.now
		again := newSenders(restored)
		again.one.work()
		r.wantKinds(t)
		who := again.byPassword("alice")
		if _, err := again.hooks.Test(t.Context(), who, hook.ID); err == nil {
			t.Error("a message was sent without a secret")
		}
		_, _, err = again.hooks.RotateSecret(t.Context(), who, hook.ID, 0)
		testkit.Check(t, err)
		_, err = again.hooks.Change(t.Context(), who, hook.ID, webhook.Change{Enabled: new(true)})
		testkit.Check(t, err)
		again.one.work()
		r.wantKinds(t, "webhook.recovered")
		again.rename(w, "new")
		again.one.work()
		r.wantKinds(t, "wallet.renamed")
		_, err = again.hooks.Recover(t.Context(), who, hook.ID, hook.CreatedAt)
		testkit.Check(t, err)
		again.one.work()
		if got := r.wantKinds(t, "wallet.renamed"); len(got) == 1 && got[0].data().N != 4 {
			t.Errorf("the recovered event is %s", got[0].body)
		}
	})
}
