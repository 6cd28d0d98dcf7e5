package webhook_test

import (
	"strings"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/event"
	"github.com/specterd/specterd/internal/webhook"
)

// TestDeliveryID: the id of a message depends on the webhook and on everything that identifies
// the event, but not on its position in the log of all users.
func TestDeliveryID(t *testing.T) {
	t.Parallel()
	e := event.Event{
		Seq: 1, WalletID: "w", N: 2, Kind: event.WalletRenamed, At: time.UnixMicro(3), Subject: "w", Data: []byte(`{"n":2}`),
	}
	id := webhook.DeliveryID("hook", e)
	if !strings.HasPrefix(id, "msg_") || strings.Contains(id, ".") {
		t.Errorf("the id is %s", id)
	}
	moved := e
	moved.Seq = 9
	if webhook.DeliveryID("hook", moved) != id {
		t.Error("the id depends on the position")
	}
	others := map[string]string{"webhook": webhook.DeliveryID("another hook", e)}
	for name, change := range map[string]func(*event.Event){
		"wallet":  func(e *event.Event) { e.WalletID = "v" },
		"number":  func(e *event.Event) { e.N = 3 },
		"user":    func(e *event.Event) { e.UserID = "u" },
		"kind":    func(e *event.Event) { e.Kind = event.WalletSynced },
		"time":    func(e *event.Event) { e.At = time.UnixMicro(4) },
		"subject": func(e *event.Event) { e.Subject = "x" },
		"data":    func(e *event.Event) { e.Data = []byte(`{"n":3}`) },
	} {
		changed := e
		change(&changed)
		others[name] = webhook.DeliveryID("hook", changed)
	}
	seen := map[string]string{id: "the event"}
	for name, other := range others {
		if was, ok := seen[other]; ok {
			t.Errorf("another %s has the same id as %s", name, was)
		}
		seen[other] = name
	}
}
