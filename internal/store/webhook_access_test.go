package store_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/event"
	"github.com/specterd/specterd/internal/testenv/testkit"
	"github.com/specterd/specterd/internal/wallet"
	"github.com/specterd/specterd/internal/webhook"
)

// readingToken adds a token that can create webhooks, and returns its principal.
func (s *senders) readingToken(u auth.User, description string, wallets ...string) *auth.Principal {
	s.t.Helper()
	t := tokenFor(u, description, "", s.now)
	t.Scopes = event.ReadScopes | auth.WebhooksWrite
	if wallets != nil {
		t.Wallets = wallets
	}
	testkit.Check(s.t, s.CreateToken(s.t.Context(), operator, t, auth.Event{At: s.now, Action: "token.create"}))
	return s.caller(t.ID)
}

// leave removes a user from a wallet.
func (s *senders) leave(w wallet.Wallet, u auth.User) {
	s.t.Helper()
	testkit.Check(s.t, s.EditMembers(s.t.Context(), operator, w.ID, func(e *wallet.MemberEdit) error {
		e.Members = slices.DeleteFunc(e.Members, func(m wallet.Member) bool { return m.UserID == u.ID })
		return nil
	}))
}

// TestDelivery_LostMembership: events that wait for their delivery are not sent any more when
// the user has left the wallet, and later ones never; other deliveries continue.
func TestDelivery_LostMembership(t *testing.T) {
	senderTest(t, func(t *testing.T, s *senders) {
		alice, bob := s.user("alice", false), s.user("bob", false)
		shared, own := s.wallet(alice, "shared"), s.wallet(bob, "own")
		s.join(shared, bob, auth.RoleOwner, "shared")
		r := s.receiver()
		r.answer = responding(http.StatusInternalServerError)
		hook := s.hook(s.byPassword("bob"), r, nil)
		s.rename(shared, "a", "b")
		s.one.work()
		r.wantKinds(t, "wallet.renamed")
		s.leave(shared, bob)
		s.rename(shared, "c")
		s.pass(time.Hour)
		r.answer = responding(http.StatusOK)
		s.rename(own, "d")
		s.one.work()
		got := r.take()
		for _, m := range got {
			if m.data().N > 0 && m.data().WalletID == shared.ID {
				t.Errorf("after bob has left the wallet, he got %s", m.body)
			}
		}
		if len(got) != 2 { // his removal, and his own wallet
			t.Errorf("bob got %v", got)
		}
		s.wantStatus(hook, webhook.Skipped, webhook.Skipped, webhook.Delivered, webhook.Delivered)
		d := s.deliveries(hook)[0]
		if a := s.attempts(d); d.Reason != webhook.NotVisible || len(a) != 1 || d.Attempts != 1 {
			t.Errorf("the first delivery is %+v with the log %+v", d, a)
		}
	})
}

// TestDelivery_LostToken: the webhooks of a token are disabled when it is deleted through the
// API or in a shell, expires, or loses its user, and nothing is sent from then on.
func TestDelivery_LostToken(t *testing.T) {
	for name, c := range map[string]struct {
		lose func(s *senders, u auth.User, token string)
		why  webhook.Reason
	}{
		"API": {func(s *senders, u auth.User, token string) {
			testkit.Value(s.delete(u, token, false, false))(s.t)
		}, webhook.TokenRevoked},
		"SQL":    {func(s *senders, _ auth.User, token string) { s.exec("DELETE FROM tokens WHERE token_id = $1", token) }, webhook.TokenRevoked},
		"expiry": {func(s *senders, _ auth.User, _ string) { s.pass(91 * time.Minute) }, webhook.TokenExpired},
		"disabled": {func(s *senders, u auth.User, _ string) {
			s.exec("UPDATE users SET disabled_at = 1 WHERE user_id = $1", u.ID)
		}, webhook.UserDisabled},
		"password reset": {func(s *senders, u auth.User, _ string) {
			_, err := s.EditUser(s.t.Context(), operator, u.Name, func(e *auth.UserEdit) error { e.DropTokens = true; return nil })
			testkit.Check(s.t, err)
		}, webhook.AccessRevoked},
	} {
		t.Run(name, func(t *testing.T) {
			senderTest(t, func(t *testing.T, s *senders) {
				alice := s.user("alice", false)
				w := s.wallet(alice, "vault")
				who := s.readingToken(alice, "script")
				r := s.receiver()
				hook := s.hook(who, r, nil)
				s.rename(w, "a")
				s.one.work()
				r.wantKinds(t, "wallet.renamed")
				c.lose(s, alice, who.TokenID)
				s.rename(w, "b")
				s.one.work()
				r.wantKinds(t)
				hook = s.load(alice, hook)
				if hook.Active() || hook.Reason != c.why {
					t.Errorf("the webhook is disabled because of %q", hook.Reason)
				}
				events := s.userEvents(alice)
				var d event.WebhookData
				last := events[slices.IndexFunc(events, func(e event.Event) bool { return e.Kind == event.WebhookDisabled })]
				testkit.Check(t, json.Unmarshal(last.Data, &d))
				if d.WebhookID != hook.ID || d.Reason != string(c.why) {
					t.Errorf("the event is %s", last.Data)
				}
			})
		})
	}
}

// TestDelivery_AccessLostMeanwhile: the rights are checked for each attempt, not only when a
// pass begins.
func TestDelivery_AccessLostMeanwhile(t *testing.T) {
	senderTest(t, func(t *testing.T, s *senders) {
		alice := s.user("alice", false)
		w := s.wallet(alice, "vault")
		who := s.readingToken(alice, "script")
		first, second := s.receiver(), s.receiver()
		s.hook(who, first, nil)
		s.rename(w, "a")
		events, _, err := s.EventsOfWallet(t.Context(), w.ID, 0, nil, 100)
		testkit.Check(t, err)
		first.answer = func(http.ResponseWriter, received) {
			s.exec("DELETE FROM tokens WHERE token_id = $1", who.TokenID)
		}
		hook := s.hook(who, second, nil)
		hook.EventsUntil = s.load(alice, hook).EventsUntil
		testkit.Check(t, s.AddDeliveries(t.Context(), hook, events[len(events)-1:], hook.EventsUntil))
		testkit.Check(t, s.one.Run(t.Context()))
		s.one.Wait()
		if got := len(first.take()); got != 1 {
			t.Errorf("the first receiver got %d messages", got)
		}
		second.take() // it may have been sent before the token was deleted
		s.pass(time.Hour)
		s.one.work()
		first.wantKinds(t)
		second.wantKinds(t)
	})
}

// TestDelivery_Stopped: a process that stops does not wait for a receiver. The attempt is in
// the log as interrupted, does not count as a failure, and another process makes the next one
// at once.
func TestDelivery_Stopped(t *testing.T) {
	senderTest(t, func(t *testing.T, s *senders) {
		alice := s.user("alice", false)
		w := s.wallet(alice, "vault")
		r := s.receiver()
		stop := make(chan struct{})
		defer close(stop)
		r.answer = func(http.ResponseWriter, received) { <-stop }
		hook := s.hook(s.byPassword("alice"), r, nil)
		s.rename(w, "a")
		ctx, cancel := context.WithCancel(t.Context())
		testkit.Check(t, s.one.Run(ctx))
		testkit.Eventually(t, "the request arrives", func() bool { return len(r.take()) == 1 })
		cancel()
		s.one.Wait()
		d := s.deliveries(hook)[0]
		if a := s.attempts(d); d.Failures != 0 || len(a) != 1 || !a[0].Ended || a[0].Result.Problem == "" || !s.load(alice, hook).FailingSince.IsZero() {
			t.Errorf("the delivery is %+v with the log %+v", d, a)
		}
		r.answer = responding(http.StatusOK)
		s.pass(webhook.PollInterval)
		s.sender().work()
		s.wantStatus(hook, webhook.Delivered)
	})
}

// TestWebhook_RotatedToken: the webhooks of a rotated token continue with its successor.
func TestWebhook_RotatedToken(t *testing.T) {
	senderTest(t, func(t *testing.T, s *senders) {
		alice := s.user("alice", false)
		w := s.wallet(alice, "vault")
		who := s.readingToken(alice, "script")
		r := s.receiver()
		hook := s.hook(who, r, nil)
		var successor auth.Token
		testkit.Check(t, s.RotateToken(t.Context(), who, who.TokenID, func(rot *auth.Rotation) error {
			successor = tokenFor(alice, "script", "", s.now)
			successor.Scopes, successor.RotatedFrom = rot.Old.Scopes, rot.Old.ID
			rot.Successor, rot.ByToken = successor, true
			return nil
		}))
		s.one.work()
		r.wantKinds(t, "token.revoked", "token.rotated")
		s.rename(w, "a")
		s.one.work()
		r.wantKinds(t, "wallet.renamed")
		if got := s.load(alice, hook); got.TokenID != successor.ID || !got.Active() {
			t.Errorf("the webhook is %+v", got)
		}
	})
}

// TestDelivery_TokenRights: a webhook sends only what its token may see: its scopes and
// wallets, also if they are reduced later.
func TestDelivery_TokenRights(t *testing.T) {
	senderTest(t, func(t *testing.T, s *senders) {
		alice := s.user("alice", false)
		one, two := s.wallet(alice, "one"), s.wallet(alice, "two")
		who := s.readingToken(alice, "script", one.ID)
		r := s.receiver()
		hook := s.hook(who, r, nil)
		if !slices.Equal(hook.Wallets, []string{one.ID}) || !slices.Equal(hook.Aliases, []string{"one"}) {
			t.Errorf("the webhook has the wallets %v", hook.Wallets)
		}
		s.rename(one, "a")
		s.rename(two, "b")
		s.one.work()
		r.wantKinds(t, "wallet.renamed")
		s.exec("UPDATE tokens SET scopes = 'events:read tokens:read' WHERE token_id = $1", who.TokenID)
		s.rename(one, "c")
		s.token(alice, "another", "")
		s.one.work()
		r.wantKinds(t, "token.created")

		poor := s.readingToken(alice, "poor")
		poor.Scopes = auth.WebhooksWrite | auth.WalletsRead
		if _, _, err := s.hooks.Create(t.Context(), poor, webhook.Params{Description: "x", URL: r.URL}); err == nil {
			t.Error("a token without events:read created a webhook")
		}
		// A token finds only its own webhooks, and a password all.
		other := s.readingToken(alice, "other")
		if _, err := s.hooks.Get(t.Context(), other, hook.ID); !errors.Is(err, webhook.ErrNotFound) {
			t.Errorf("another token reads the webhook: %v", err)
		}
		if list := testkit.Value(s.hooks.List(t.Context(), other, webhook.Cursor{}, 10))(t); len(list) != 0 {
			t.Errorf("another token lists %v", list)
		}
		if err := s.hooks.Delete(t.Context(), other, hook.ID); !errors.Is(err, webhook.ErrNotFound) {
			t.Errorf("another token deletes the webhook: %v", err)
		}
		_, err := s.hooks.Get(t.Context(), s.byPassword("alice"), hook.ID)
		testkit.Check(t, err)
		s.user("bob", false)
		if _, err := s.hooks.Get(t.Context(), s.byPassword("bob"), hook.ID); !errors.Is(err, webhook.ErrNotFound) {
			t.Errorf("another user reads the webhook: %v", err)
		}
	})
}

// TestWebhook_Deleted: no message is sent after a webhook was deleted, in the API or in a
// shell.
func TestWebhook_Deleted(t *testing.T) {
	senderTest(t, func(t *testing.T, s *senders) {
		alice := s.user("alice", false)
		w := s.wallet(alice, "vault")
		r := s.receiver()
		r.answer = responding(http.StatusInternalServerError)
		who := s.byPassword("alice")
		hook := s.hook(who, r, nil)
		s.rename(w, "a", "b")
		s.one.work()
		r.wantKinds(t, "wallet.renamed")
		testkit.Check(t, s.hooks.Delete(t.Context(), who, hook.ID))
		s.pass(time.Hour)
		s.one.work()
		r.wantKinds(t)
		hook = s.hook(who, r, nil)
		s.rename(w, "c", "d")
		s.one.work()
		r.wantKinds(t, "wallet.renamed")
		s.exec("DELETE FROM webhooks WHERE webhook_id = $1", hook.ID)
		s.pass(time.Hour)
		s.one.work()
		r.wantKinds(t)
		if n := s.count("SELECT count(*) FROM deliveries") + s.count("SELECT count(*) FROM delivery_attempts") + s.count("SELECT count(*) FROM webhook_secrets"); n != 0 {
			t.Errorf("%d rows are left", n)
		}
	})
}

// TestWebhook_Failing: five days without a success disable a webhook, and the event says so.
// Enabling it sends everything that has happened, in order.
func TestWebhook_Failing(t *testing.T) {
	senderTest(t, func(t *testing.T, s *senders) {
		alice := s.user("alice", false)
		w := s.wallet(alice, "vault")
		r := s.receiver()
		r.answer = responding(http.StatusInternalServerError)
		who := s.byPassword("alice")
		hook := s.hook(who, r, nil)
		for i := range 4 * 24 {
			s.rename(w, "name "+time.Duration(i).String())
			s.one.work()
			s.pass(time.Hour)
		}
		if got := s.load(alice, hook); !got.Active() || got.FailingSince.IsZero() {
			t.Errorf("after four days, the webhook is %+v", got)
		}
		s.pass(25 * time.Hour)
		s.one.work()
		hook = s.load(alice, hook)
		if hook.Active() || hook.Reason != webhook.Failing {
			t.Errorf("after five days, the webhook is %+v", hook)
		}
		r.take()
		s.rename(w, "last")
		s.pass(48 * time.Hour)
		s.one.work()
		r.wantKinds(t)
		r.answer = responding(http.StatusOK)
		hook, err := s.hooks.Change(t.Context(), who, hook.ID, webhook.Change{Enabled: new(true)})
		testkit.Check(t, err)
		s.one.work()
		var numbers []int64
		for _, m := range r.take() {
			if m.data().WalletID == w.ID {
				numbers = append(numbers, m.data().N)
			}
		}
		events := s.events(w, 0)
		failed := 0
		for _, d := range s.deliveries(hook) {
			if d.Status == webhook.Failed {
				failed++
			}
		}
		if len(numbers) != 4*24+1-failed || !slices.IsSorted(numbers) || numbers[len(numbers)-1] != events[len(events)-1].N || failed == 0 {
			t.Errorf("%d have failed, and then these were sent: %v", failed, numbers)
		}
		if got := summary(s.userEvents(alice)); got != "webhook.disabled "+hook.ID+"\nwebhook.recovered "+hook.ID {
			t.Errorf("the events are %s", got)
		}
		if got := s.load(alice, hook); !got.FailingSince.IsZero() {
			t.Errorf("the webhook still fails since %s", got.FailingSince)
		}
	})
}

// TestWebhook_Recover: the events since a time that have failed are sent again in their
// order, with the same ids, and delivered ones are not.
func TestWebhook_Recover(t *testing.T) {
	senderTest(t, func(t *testing.T, s *senders) {
		alice := s.user("alice", false)
		w := s.wallet(alice, "vault")
		r := s.receiver()
		who := s.byPassword("alice")
		hook := s.hook(who, r, nil)
		s.rename(w, "delivered")
		s.one.work()
		r.take()
		start := s.time()
		s.pass(time.Second)
		s.rename(w, "a", "b", "c")
		s.one.work()
		ids := []string{}
		for _, m := range r.take() {
			ids = append(ids, m.id)
		}
		s.exec("UPDATE deliveries SET status = 'failed' WHERE delivery_id = $1", ids[0])
		s.exec("DELETE FROM deliveries WHERE delivery_id = $1", ids[1]) // as if it had never existed
		n, err := s.hooks.Recover(t.Context(), who, hook.ID, start.Add(time.Microsecond))
		testkit.Check(t, err)
		s.one.work()
		var again []string
		for _, m := range r.take() {
			again = append(again, m.id)
		}
		if n != 1 || !slices.Equal(again, ids[:2]) {
			t.Errorf("%d were recovered, and %v of %v sent again", n, again, ids)
		}
		for _, since := range []time.Time{s.time().Add(time.Second), s.time().Add(-31 * 24 * time.Hour)} {
			if _, err := s.hooks.Recover(t.Context(), who, hook.ID, since); err == nil {
				t.Errorf("%s was accepted", since)
			}
		}
	})
}

// TestWebhook_Redeliver: a delivery can be repeated at any time, independently of others.
func TestWebhook_Redeliver(t *testing.T) {
	senderTest(t, func(t *testing.T, s *senders) {
		alice := s.user("alice", false)
		w := s.wallet(alice, "vault")
		r := s.receiver()
		who := s.byPassword("alice")
		hook := s.hook(who, r, nil)
		s.rename(w, "a")
		s.one.work()
		first := r.wantKinds(t, "wallet.renamed")[0]
		r.answer = responding(http.StatusInternalServerError)
		_, err := s.hooks.Redeliver(t.Context(), who, hook.ID, first.id)
		testkit.Check(t, err)
		s.one.work()
		if again := r.wantKinds(t, "wallet.renamed")[0]; again.id != first.id || again.body != first.body {
			t.Errorf("another message was sent: %+v", again)
		}
		r.answer = responding(http.StatusOK)
		s.rename(w, "b") // does not wait for the first
		s.one.work()
		r.wantKinds(t, "wallet.renamed")
		s.wantStatus(hook, webhook.Pending, webhook.Delivered)
		_, err = s.hooks.Redeliver(t.Context(), who, hook.ID, first.id) // at once
		testkit.Check(t, err)
		s.one.work()
		r.wantKinds(t, "wallet.renamed")
		s.wantStatus(hook, webhook.Delivered, webhook.Delivered)
		if a := s.attempts(s.deliveries(hook)[0]); len(a) != 3 {
			t.Errorf("the log is %+v", a)
		}

		r.answer = responding(http.StatusInternalServerError)
		s.rename(w, "c", "d")
		s.one.work()
		list := s.deliveries(hook)
		if _, err := s.hooks.Redeliver(t.Context(), who, hook.ID, list[3].ID); err == nil {
			t.Error("a delivery that waits for another was sent")
		}
		if _, err := s.hooks.Redeliver(t.Context(), who, hook.ID, "msg_x"); !errors.Is(err, webhook.ErrDeliveryNotFound) {
			t.Errorf("an unknown delivery: %v", err)
		}
		s.exec("DELETE FROM events WHERE seq = $1", list[0].Seq)
		if _, err := s.hooks.Redeliver(t.Context(), who, hook.ID, first.id); !errors.Is(err, webhook.ErrEventDeleted) {
			t.Errorf("a delivery without its event: %v", err)
		}
	})
}

// TestWebhook_ChangedOrder: deliveries that wait for others are sent at once if the order is
// given up, and wait again if it is required again.
func TestWebhook_ChangedOrder(t *testing.T) {
	senderTest(t, func(t *testing.T, s *senders) {
		alice := s.user("alice", false)
		w := s.wallet(alice, "vault")
		r := s.receiver()
		r.answer = responding(http.StatusInternalServerError)
		who := s.byPassword("alice")
		hook := s.hook(who, r, nil)
		s.rename(w, "a", "b", "c")
		s.one.work()
		r.wantKinds(t, "wallet.renamed")
		for _, c := range []struct {
			order webhook.Order
			sent  int
		}{{webhook.OrderNone, 3}, {webhook.OrderWallet, 1}} {
			_, err := s.hooks.Change(t.Context(), who, hook.ID, webhook.Change{Order: &c.order})
			testkit.Check(t, err)
			s.one.work()
			if got := len(r.take()); got != c.sent {
				t.Errorf("with the order %s, %d were sent", c.order, got)
			}
		}
	})
}

// TestWebhook_RotateSecret: during the grace period messages have two signatures.
func TestWebhook_RotateSecret(t *testing.T) {
	senderTest(t, func(t *testing.T, s *senders) {
		s.user("alice", false)
		r := s.receiver()
		who := s.byPassword("alice")
		hook, first, err := s.hooks.Create(t.Context(), who, webhook.Params{Description: "shop", URL: r.URL})
		testkit.Check(t, err)
		s.pass(time.Second)
		_, second, err := s.hooks.RotateSecret(t.Context(), who, hook.ID, time.Hour)
		testkit.Check(t, err)
		test := func(valid, invalid []string) {
			t.Helper()
			result, err := s.hooks.Test(t.Context(), who, hook.ID)
			testkit.Check(t, err)
			m := r.wantKinds(t, "webhook.test")[0]
			if result.Status != 204 {
				t.Errorf("the result is %+v", result)
			}
			for _, key := range valid {
				testkit.Check(t, verify(t, key, m))
			}
			for _, key := range invalid {
				if verify(t, key, m) == nil {
					t.Error("an old secret is used")
				}
			}
		}
		test([]string{first.Key, second.Key}, nil)
		s.pass(time.Hour)
		test([]string{second.Key}, []string{first.Key})
		s.pass(time.Second)
		_, third, err := s.hooks.RotateSecret(t.Context(), who, hook.ID, 0)
		testkit.Check(t, err)
		test([]string{third.Key}, []string{first.Key, second.Key})
		_, err = s.PruneDeliveries(t.Context(), s.time())
		testkit.Check(t, err)
		if n := s.count("SELECT count(*) FROM webhook_secrets"); n != 1 {
			t.Errorf("there are %d secrets", n)
		}
	})
}

// TestPruneDeliveries: deliveries are kept for a time after their end, and after the event.
func TestPruneDeliveries(t *testing.T) {
	senderTest(t, func(t *testing.T, s *senders) {
		w := s.wallet(s.user("alice", false), "vault")
		r := s.receiver()
		hook := s.hook(s.byPassword("alice"), r, nil)
		s.rename(w, "a")
		s.one.work()
		r.answer = responding(http.StatusInternalServerError)
		s.rename(w, "b", "c")
		s.one.work()
		s.pass(time.Hour)
		before := s.time()
		for _, want := range []int64{1, 0} {
			if n := testkit.Value(s.PruneDeliveries(t.Context(), before))(t); n != want {
				t.Errorf("%d were deleted", n)
			}
		}
		s.wantStatus(hook, webhook.Pending, webhook.Pending)
		// A row that was deleted in a shell holds up no other one.
		s.exec("DELETE FROM deliveries WHERE delivery_id = $1", s.deliveries(hook)[0].ID)
		r.answer = responding(http.StatusOK)
		testkit.Value(s.PruneDeliveries(t.Context(), before))(t)
		r.take()
		s.one.work()
		s.wantStatus(hook, webhook.Delivered)
	})
}

// verify verifies a message with a secret.
func verify(t *testing.T, secret string, m received) error {
	t.Helper()
	v, err := standardwebhooks.NewWebhook(secret)
	testkit.Check(t, err)
	return v.VerifyIgnoringTimestamp([]byte(m.body), m.header)
}
