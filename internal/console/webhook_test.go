package console_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/event"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// receiver is a web service that gets the messages of a webhook.
type receiver struct {
	url    string
	status atomic.Int64 // of its responses

	mu         sync.Mutex
	bodies     []string
	signatures []string
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{}
	r.status.Store(http.StatusNoContent)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		body, _ := io.ReadAll(q.Body)
		r.mu.Lock()
		r.bodies = append(r.bodies, string(body))
		r.signatures = append(r.signatures, q.Header.Get("Webhook-Signature"))
		r.mu.Unlock()
		w.WriteHeader(int(r.status.Load()))
	}))
	t.Cleanup(server.Close)
	r.url = server.URL + "/hook"
	return r
}

// has reports whether the receiver got a message with a text.
func (r *receiver) has(text string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Contains(strings.Join(r.bodies, "\n"), text)
}

// lastSignatures returns the number of signatures of the last message.
func (r *receiver) lastSignatures() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(strings.Fields(r.signatures[len(r.signatures)-1]))
}

// allowing returns the setting that allows a receiver.
func allowing(r *receiver) func(*setup) {
	return with("SPECTER_WEBHOOK_HOSTS", strings.TrimSuffix(strings.TrimPrefix(r.url, "http://"), "/hook"))
}

// TestWebhooks follows a webhook whose receiver fails for some time.
func TestWebhooks(t *testing.T) {
	t.Parallel()
	for name, setting := range engines {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newReceiver(t)
			s := open(t, allowing(r), setting(t))
			bob := s.user(t, "bob", false)
			create := bob.get("/").follow("Webhooks").want(200, "You have no webhooks").follow("Create webhook")
			shown := create.submit("/webhooks", "description", "shop", "url", r.url, "events", "only", "kinds", "token").want(200, "Secret of the webhook shop", "only this time")
			secret := shown.preText("secret")
			if !strings.HasPrefix(secret, "whsec_") || shown.header.Get("Cache-Control") != "no-store" {
				t.Errorf("the secret is %s", secret)
			}
			page := shown.follow("Continue").want(200, "shop", "Active", "No event has happened").lacks(secret)
			path := page.path()
			bob.get("/webhooks").want(200, "shop", "token", "All wallets", "Active").lacks(secret)
			page.submit(path+"/test").want(200, "The receiver accepted the test message.", "Status 204")
			if !r.has("webhook.test") {
				t.Error("the receiver got no test message")
			}

			bob.get("/tokens/new").submit("/tokens", "description", "first token").want(200)
			eventually(t, bob, path, "Delivered")
			r.status.Store(http.StatusInternalServerError)
			bob.get(path).submit(path+"/test").want(200, "The receiver did not accept the test message.", "Status 500")
			bob.get("/tokens/new").submit("/tokens", "description", "second token").want(200)
			eventually(t, bob, path, "Status 500")
			bob.get(path).want(200, "The receiver fails", "Pending")
			bob.get("/webhooks").want(200, "Failing", "failing since")
			bob.get(path+"?status=delivered").want(200, "Delivered", "Status 204").lacks("Status 500")
			bob.get(path+"?status=skipped").want(200, "No delivery has this status.")
			bob.get(path + "?status=lost").want(400)

			delivery := bob.get(path+"?status=pending").follow("token.created").want(200, "Attempt 1", "Status 500", "Webhook-Id: msg_", "Next attempt")
			r.status.Store(http.StatusOK)
			delivery.submit(delivery.path()+"/redeliver").want(200, "The event is sent again.")
			eventually(t, bob, delivery.path(), "Attempt 2")
			eventually(t, bob, delivery.path(), "Delivered")

			bob.get(path).submit(path+"/status").want(200, "The webhook is disabled.", "It was disabled by you.", "No events are sent")
			bob.get(delivery.path()).submit(delivery.path()+"/redeliver").want(409, "The webhook is disabled")
			bob.post(path+"/recover", "age", "1 hour").want(409, "The webhook is disabled")
			bob.get(path).submit(path+"/status").want(200, "The webhook is enabled.", "Active")
			bob.post(path+"/status", "status", "x").want(400)
			for _, age := range []string{"1 hour", "30 days"} {
				bob.get(path).submit(path+"/recover", "age", age).want(200, "Events that were not delivered are sent again.")
			}
			bob.post(path+"/recover", "age", "31 days").want(400, "Must be at most 30 days")

			rotated := bob.get(path).submit(path+"/secret", "grace", "24 hours").want(200, "also signed with the previous secret until")
			if rotated.preText("secret") == secret {
				t.Error("the secret is the same after its rotation")
			}
			bob.get(path).submit(path+"/test").want(200, "accepted")
			if n := r.lastSignatures(); n != 2 {
				t.Errorf("after the rotation, messages have %d signatures", n)
			}
			bob.post(path+"/secret", "grace", "soon").want(400, "Must be a duration")
			bob.get(path).submit(path+"/delete").want(200, "The webhook is deleted.", "You have no webhooks")
			bob.get(path).want(404)
		})
	}
}

// eventually waits until a page contains a text.
func eventually(t *testing.T, v *visitor, path, text string) {
	t.Helper()
	testkit.Eventually(t, path+" contains "+text, func() bool { return strings.Contains(v.get(path).text(), text) })
}

// TestWebhooks_Form shows the problems of the form, and changes of a webhook.
func TestWebhooks_Form(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	s := open(t, allowing(r))
	admin, bob := s.admin(t), s.user(t, "bob", false)
	for name, c := range map[string]struct {
		fields []string
		want   string
	}{
		"description": {[]string{"description", " ", "url", r.url}, "Is missing or blank"},
		"url":         {[]string{"description", "x", "url", "http://127.0.0.1:1/"}, "URL of the receiver Must not be an address of this machine"},
		"kinds":       {[]string{"description", "x", "url", r.url, "events", "only"}, "Must be omitted for all kinds, or contain at least one"},
		"kind":        {[]string{"description", "x", "url", r.url, "events", "only", "kinds", "weather"}, "Contains an unknown kind"},
		"wallet":      {[]string{"description", "x", "url", r.url, "reach", "only", "wallets", "vault"}, "Contains a wallet that is not among your wallets"},
		"admins":      {[]string{"description", "x", "url", r.url, "events", "only", "kinds", "node"}, "Only admins may see these events"},
	} {
		t.Run(name, func(t *testing.T) {
			p := bob.get("/webhooks/new").submit("/webhooks", c.fields...)
			if p.status < 400 || p.status > 499 || !strings.Contains(p.text(), c.want) || len(p.forms("/webhooks")) == 0 {
				t.Errorf("%d: %s", p.status, p.text())
			}
		})
	}
	bob.get("/webhooks").want(200, "You have no webhooks")
	bob.get("/webhooks/new").lacks(`value="node"`)
	form := admin.get("/webhooks/new")
	for _, k := range event.Kinds() {
		group, _, _ := strings.Cut(string(k), ".")
		if len(form.all("input", func(n *html.Node) bool { return attr(n, "name") == "kinds" && attr(n, "value") == group })) != 1 {
			t.Errorf("the form does not offer the events %s", group)
		}
	}
	admin.get("/webhooks/new").submit("/webhooks", "description", "node", "url", r.url, "events", "only", "kinds", "node").want(200)

	page := bob.get("/webhooks/new").submit("/webhooks", "description", "all", "url", r.url, "order", "none").want(200).follow("Continue").want(200, "independent")
	edit := page.follow("Change")
	if got := fields(edit.forms(page.path() + "/edit")[0]); got.Get("order") != "none" || got.Get("url") != r.url || got.Get("events") != "all" {
		t.Errorf("the form shows %v", got)
	}
	edit.submit(page.path()+"/edit", "description", "", "url", r.url).want(400, "Is missing or blank")
	edit.submit(page.path()+"/edit", "description", "some", "order", "wallet", "events", "only", "kinds", "token").want(200, "The webhook is saved.", "some", "one after the other in each wallet", "token")
}

// TestWebhooks_OfOthers shows that a webhook of another user is like a missing one, and that
// secrets require the password.
func TestWebhooks_OfOthers(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	s := open(t, allowing(r))
	bob, admin := s.user(t, "bob", false), s.admin(t)
	path := bob.get("/webhooks/new").submit("/webhooks", "description", "private hook", "url", r.url).want(200).follow("Continue").path()
	bob.get("/tokens/new").submit("/tokens", "description", "first token").want(200)
	eventually(t, bob, path, "Delivered")
	delivery := bob.get(path).follow("token.created").path()
	for name, p := range map[string]*document{
		"page": admin.get(path), "edit": admin.get(path + "/edit"), "save": admin.post(path+"/edit", "description", "x", "url", r.url), "delivery": admin.get(delivery),
		"disable": admin.post(path+"/status", "status", "disabled"), "test": admin.post(path + "/test"), "secret": admin.post(path+"/secret", "grace", "0s"),
		"recover": admin.post(path+"/recover", "age", "1 hour"), "redeliver": admin.post(delivery + "/redeliver"), "delete": admin.post(path + "/delete"),
	} {
		t.Run(name, func(*testing.T) { p.want(404).lacks("private hook", r.url) })
	}
	bob.get(path).want(200, "private hook", "Active")
	s.late.Add(int64(11 * time.Minute))
	bob.post("/webhooks", "description", "x", "url", r.url).want(403, "Enter your password again")
	bob.post(path+"/secret", "grace", "0s").want(403, "Enter your password again")
	bob.post(path+"/edit", "description", "x", "url", r.url).want(403, "Enter your password again")
	testkit.Check(t, s.Users.RevokeTokens(t.Context(), auth.Operator("test"), "bob"))
	bob.get("/webhooks").want(200, "Disabled", "All your tokens were revoked, or your password was reset.")
}

// TestWebhooks_Message shows the body of a message about a wallet, as the receiver got it.
func TestWebhooks_Message(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	s := open(t, allowing(r), onOwnNode)
	bob := s.user(t, "bob", false)
	bob.vault("treasury")
	path := bob.get("/webhooks/new").submit("/webhooks", "description", "shop", "url", r.url, "reach", "only", "wallets", "treasury", "events", "only", "kinds", "address").want(200).follow("Continue").want(200, "Treasury", "address").path()
	address := bob.address("treasury", "invoice 17")
	eventually(t, bob, path, "Delivered")
	p := bob.get(path).follow("address.revealed").want(200, "Treasury", "Request", address)
	r.mu.Lock()
	defer r.mu.Unlock()
	found := false
	for _, n := range p.all("pre", nil) {
		found = found || strings.HasSuffix(textOf(n), r.bodies[0])
	}
	if !found {
		t.Errorf("the page does not show the message %s: %s", r.bodies[0], p.text())
	}
}
