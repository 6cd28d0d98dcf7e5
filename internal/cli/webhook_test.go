package cli

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	api "github.com/specterd/specterd/api/v1"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

func TestWebhookStatus(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		name string
		hook api.Webhook
		want string
	}{
		{"active", api.Webhook{}, "active"},
		{"failing", api.Webhook{FailingSince: &at}, "active, failing since 2026-11-30 12:00 UTC"},
		{"disabled", api.Webhook{FailingSince: &at, DisabledAt: &at, DisabledReason: new("user")}, "disabled 2026-11-30 12:00 UTC: user"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := webhookStatus(test.hook); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

// TestServerCommands_Webhooks compares webhook commands on the machine of a server and on another
// machine.
func TestServerCommands_Webhooks(t *testing.T) {
	onBoth(t, func(t *testing.T, postgres bool) {
		s, keys := newShell(t, postgres)
		s.settings["SPECTER_WEBHOOK_HOSTS"] = "127.0.0.1"
		s.serve(t)
		s.createVault(t, keys, 1)
		status := make(chan int, 100)
		receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(<-status) }))
		t.Cleanup(receiver.Close)
		t.Cleanup(func() { close(status) })
		r, other := s.remoteAs(t, "admin", "webhooks:*,wallets:read,events:read,addresses:write"), s.remoteAs(t, "admin", "webhooks:*")
		contains := func(out string, text string) {
			t.Helper()
			if !strings.Contains(out, text) {
				t.Errorf("the output does not contain %q:\n%s", text, out)
			}
		}

		out := r.run(t, "webhook", "create", "Admin", receiver.URL+"/secret-path", "--description", "shop", "--kinds", "address", "--wallets", "vault")
		id := uuidText.FindString(out)
		contains(out, "Secret: whsec_")
		r.refuse(t, "a webhook belongs to the user of the token", "webhook", "create", "bob", receiver.URL)
		r.refuse(t, "--wallets", "webhook", "create", "admin", receiver.URL, "--wallets", "none")
		r.refuse(t, "one of your webhooks has this description already", "webhook", "create", "admin", receiver.URL, "--description", "shop")
		status <- http.StatusNoContent
		contains(r.run(t, "webhook", "test", id), "status 204")
		status <- http.StatusTeapot
		r.refuse(t, "the receiver did not accept the message: status 418", "webhook", "test", id)

		for range 2 {
			status <- http.StatusOK
			s.run(t, "wallet", "address", "vault")
		}
		testkit.Eventually(t, "the messages are delivered", func() bool {
			return strings.Count(s.run(t, "webhook", "deliveries", id), " delivered ") == 2
		})
		for _, line := range []string{"list", "show " + id, "deliveries " + id, "deliveries " + id + " --limit 1", "deliveries " + id + " --status failed"} {
			for _, args := range [][]string{strings.Fields("webhook " + line), strings.Fields("webhook " + line + " --json")} {
				compareOutput(t, s, r, args)
			}
		}
		delivery := strings.Fields(strings.Split(r.run(t, "webhook", "deliveries", id), "\n")[1])[0]
		status <- http.StatusOK
		contains(r.run(t, "webhook", "redeliver", id, delivery), "The server sends "+delivery+" again.")
		r.refuse(t, `delivery "msg_x" not found; "specterd webhook deliveries `, "webhook", "redeliver", id, "msg_x")
		contains(r.run(t, "webhook", "disable", id), "is disabled ")
		contains(r.run(t, "webhook", "disable", id), "already; nothing was changed.")
		contains(r.run(t, "webhook", "enable", id), "is active.")
		contains(r.run(t, "webhook", "recover", id, "--since", "2026-11-30T00:00:00Z"), "The server sends again what had failed or was skipped (0)")
		contains(r.run(t, "webhook", "rotate", id, "--grace-period", "0s"), "Secret: whsec_")

		if out := other.run(t, "webhook", "list"); strings.Contains(out, id) {
			t.Errorf("another token lists the webhook:\n%s", out)
		}
		other.refuse(t, "webhook "+id+` not found; "specterd webhook list" shows the ids`, "webhook", "delete", id, "--yes")
		contains(r.run(t, "webhook", "delete", id, "--yes"), "Deleted "+id)
		s.refuse(t, "not found", "webhook", "show", id)
	})
}
