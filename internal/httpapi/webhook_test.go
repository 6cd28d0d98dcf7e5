package httpapi_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/event"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

const webhooksPath = "/api/v1/webhooks"

// newHook requests a new webhook.
func (s *server) newHook(t *testing.T, authorization, more string) answer {
	t.Helper()
	return s.call(t, "POST", webhooksPath, authorization, fmt.Sprintf(`{"description": %q, "url": %q%s}`, unique("hook"), s.receiver, more))
}

func TestWebhooks(t *testing.T) {
	t.Parallel()
	onEachEngine(t, func(t *testing.T, s *server) {
		p := s.user(t, "p", false)
		s.wallet(t, p, "vault", "viewer")
		made := s.newHook(t, p.basic(), `, "wallets": ["vault"], "kinds": ["transaction", "proposal.signed"], "order": "none"`).want(t, 201,
			`"wallets":["vault"]`, `"kinds":["transaction","proposal.signed"]`, `"order":"none"`, `"status":"active"`, `"token_id":null`,
			`"scopes":["tokens:read","node:read","wallets:read","proposals:read","events:read","webhooks:read","policies:read"]`)
		if !strings.HasPrefix(made.text("secret"), "whsec_") {
			t.Errorf("the secret is %q", made.text("secret"))
		}
		path := webhooksPath + "/" + made.text("id")
		shown := s.call(t, "GET", path, p.basic(), "").want(t, 200)
		if strings.Contains(shown.body, "secret") {
			t.Errorf("the secret is shown again: %s", shown.body)
		}
		s.call(t, "PATCH", path, p.basic(), `{"wallets": null, "kinds": null, "order": "wallet", "description": "renamed"}`).want(t, 200,
			`"wallets":null`, `"kinds":null`, `"order":"wallet"`, `"description":"renamed"`)
		s.call(t, "PATCH", path, p.basic(), `{"enabled": false}`).want(t, 200, `"status":"disabled"`, `"disabled_reason":"user"`)
		s.call(t, "POST", path+"/recover", p.basic(), fmt.Sprintf(`{"since": %q}`, s.clock.now().Format(time.RFC3339))).wantProblem(t, 409, "webhook_disabled")
		s.call(t, "PATCH", path, p.basic(), `{"enabled": true}`).want(t, 200, `"status":"active"`, `"disabled_reason":null`)
		s.call(t, "POST", path+"/test", p.basic(), "").want(t, 200, `"ok":true`, `"status":204`, `"problem":null`)
		if rotated := s.call(t, "POST", path+"/rotate-secret", p.basic(), `{"grace_period": "0s"}`).want(t, 201).text("secret"); rotated == made.text("secret") {
			t.Error("the secret did not change")
		}
		s.clock.advance(time.Second)
		second := s.newHook(t, p.basic(), "").want(t, 201)
		first := s.call(t, "GET", webhooksPath+"?limit=1", p.basic(), "").want(t, 200)
		last := s.call(t, "GET", webhooksPath+"?limit=1&cursor="+first.text("next_cursor"), p.basic(), "").want(t, 200, `"next_cursor":null`)
		if ids := append(first.list("id"), last.list("id")...); !slices.Equal(ids, []string{made.text("id"), second.text("id")}) {
			t.Errorf("the list is %v", ids)
		}
		s.call(t, "DELETE", path, p.basic(), "").want(t, 204)
		s.call(t, "GET", path, p.basic(), "").wantProblem(t, 404, "webhook_not_found")
		s.call(t, "DELETE", path, p.basic(), "").wantProblem(t, 404, "webhook_not_found")
	})
}

// TestWebhooks_Invalid: invalid fields are named, and nothing is stored.
func TestWebhooks_Invalid(t *testing.T) {
	t.Parallel()
	s := start(t)
	p := s.user(t, "p", false)
	s.wallet(t, s.user(t, "q", false), "hers", "owner")
	hook := webhooksPath + "/" + s.newHook(t, p.basic(), "").want(t, 201).text("id")
	taken := s.call(t, "GET", hook, p.basic(), "").text("description")
	before := s.dump(t, false)
	for body, field := range map[string]string{
		`{"description": " ", "url": "https://shop.example"}`:                                       "description",
		`{"description": "x", "url": "https://10.0.0.1/"}`:                                          "url",
		`{"description": "x", "url": "http://shop.example/"}`:                                       "url",
		`{"description": "x", "url": "x"}`:                                                          "url",
		`{"description": "x", "url": "https://shop.example", "wallets": ["hers"]}`:                  "wallets",
		`{"description": "x", "url": "https://shop.example", "kinds": ["transactions"]}`:            "kinds",
		`{"description": "x", "url": "https://shop.example", "kinds": []}`:                          "kinds",
		`{"description": "x", "url": "https://shop.example", "wallets": []}`:                        "wallets",
		`{"description": "x", "url": "https://shop.example", "order": "reverse"}`:                   "order",
		`{"description": "x", "url": "https://shop.example", "order": ""}`:                          "order",
		`{"description": "x", "url": "https://shop.example", "wallets": "vault"}`:                   "wallets",
		`{"description": "x", "url": "https://user:secret@shop.example/?x=1"}`:                      "url",
		fmt.Sprintf(`{"description": "x", "url": "https://shop.example/%02000d"}`, 1):               "url",
		fmt.Sprintf(`{"description": %q, "url": "https://shop.example"}`, strings.Repeat("x", 129)): "description",
	} {
		s.call(t, "POST", webhooksPath, p.basic(), body).wantProblem(t, 400, "invalid_input").want(t, 400, `"field":"`+field+`"`)
	}
	s.call(t, "POST", webhooksPath, p.basic(), fmt.Sprintf(`{"description": %q, "url": "https://shop.example"}`, taken)).wantProblem(t, 409, "description_exists")
	s.call(t, "PATCH", hook, p.basic(), `{}`).wantProblem(t, 400, "no_changes")
	for body, field := range map[string]string{
		`{"url": "https://127.0.0.2/"}`: "url", `{"kinds": [""]}`: "kinds", `{"wallets": ["hers"]}`: "wallets", `{"wallets": []}`: "wallets", `{"order": "x"}`: "order", `{"description": ""}`: "description",
	} {
		s.call(t, "PATCH", hook, p.basic(), body).wantProblem(t, 400, "invalid_input").want(t, 400, `"field":"`+field+`"`)
	}
	s.call(t, "POST", hook+"/recover", p.basic(), `{"since": "2020-01-01T00:00:00Z"}`).wantProblem(t, 400, "invalid_input").want(t, 400, `"field":"since"`)
	s.call(t, "POST", hook+"/rotate-secret", p.basic(), `{"grace_period": "x"}`).wantProblem(t, 400, "invalid_input").want(t, 400, `"field":"grace_period"`)
	s.call(t, "GET", hook+"/deliveries?status=open", p.basic(), "").wantProblem(t, 400, "invalid_input").want(t, 400, `"field":"status"`)
	s.call(t, "GET", hook+"/deliveries/x", p.basic(), "").wantProblem(t, 404, "delivery_not_found")
	s.call(t, "POST", hook+"/deliveries/x/redeliver", p.basic(), "").wantProblem(t, 404, "delivery_not_found")
	if after := s.dump(t, false); after != before {
		t.Error("a refused request changed the database")
	}
}

// TestWebhooks_OfToken: a token creates webhooks within its rights, has access to these only,
// and sees responses only with webhooks:read.
func TestWebhooks_OfToken(t *testing.T) {
	t.Parallel()
	s := start(t)
	p := s.user(t, "p", false)
	s.wallet(t, p, "vault", "viewer")
	s.wallet(t, p, "other", "viewer")
	k := s.token(t, p, event.ReadScopes|auth.WebhooksWrite, "vault")
	made := s.newHook(t, k.bearer(), "").want(t, 201, `"wallets":["vault"]`, `"token_id":"`+k.id+`"`)
	s.newHook(t, k.bearer(), `, "wallets": ["other"]`).wantProblem(t, 400, "invalid_input")
	path := webhooksPath + "/" + made.text("id")
	byPassword := s.newHook(t, p.basic(), "").want(t, 201).text("id")
	if ids := s.call(t, "GET", webhooksPath, k.bearer(), "").want(t, 200).list("id"); !slices.Equal(ids, []string{made.text("id")}) {
		t.Errorf("the token lists %v", ids)
	}
	for method, rest := range map[string]string{"GET": "", "PATCH": "", "DELETE": "", "POST": "/test"} {
		body := ""
		if method == "PATCH" {
			body = `{"url": "https://thief.example"}`
		}
		s.call(t, method, webhooksPath+"/"+byPassword+rest, k.bearer(), body).wantProblem(t, 404, "webhook_not_found")
	}
	s.call(t, "GET", path, s.token(t, p, 0).bearer(), "").wantProblem(t, 404, "webhook_not_found")
	s.call(t, "GET", path, p.basic(), "").want(t, 200)
	s.call(t, "PATCH", path, k.bearer(), `{"kinds": ["proposal"]}`).want(t, 200, `"kinds":["proposal"]`)
	s.call(t, "POST", path+"/test", k.bearer(), "").want(t, 200, `"ok":true`)

	writer := s.token(t, p, auth.WebhooksWrite|auth.EventsRead|auth.WalletsRead)
	s.newHook(t, writer.bearer(), `, "kinds": ["proposal"]`).wantProblem(t, 403, "insufficient_scope").want(t, 403, `"required_scope":"proposals:read"`)
	own := webhooksPath + "/" + s.newHook(t, writer.bearer(), `, "kinds": ["transaction"]`).want(t, 201).text("id")
	for path, body := range map[string]string{"/test": "", "/recover": fmt.Sprintf(`{"since": %q}`, s.clock.now().Format(time.RFC3339))} {
		if got := s.call(t, "POST", own+path, writer.bearer(), body).want(t, 204); got.body != "" {
			t.Errorf("without webhooks:read, the response is %s", got.body)
		}
	}
	s.call(t, "PATCH", own, writer.bearer(), `{"enabled": false}`).want(t, 204)
	s.call(t, "GET", own, writer.bearer(), "").wantProblem(t, 403, "insufficient_scope")
	poor := s.token(t, p, auth.WebhooksWrite|auth.WalletsRead)
	s.newHook(t, poor.bearer(), "").wantProblem(t, 403, "insufficient_scope").want(t, 403, `"required_scope":"events:read"`)
}

// TestWebhooks_Deliveries: the log of deliveries, its pages and filters, and what can be done
// with a delivery.
func TestWebhooks_Deliveries(t *testing.T) {
	t.Parallel()
	s := start(t)
	p := s.user(t, "p", false)
	made, id := s.webhook(t, p.principal())
	path := webhooksPath + "/" + made.ID + "/deliveries"
	all := s.call(t, "GET", path, p.basic(), "").want(t, 200, `"id":"`+id+`"`, `"status":"pending"`, `"type":"token.created"`, `"attempts":1`,
		`"last_attempt":{"number":1`, `"status":503`, `"response":"maintenance"`, `"waiting_behind":null`)
	if all.list("id")[0] != id {
		t.Errorf("the list is %s", all.body)
	}
	s.call(t, "GET", path+"?status=delivered", p.basic(), "").want(t, 200, `"items":[]`)
	s.call(t, "GET", path+"?status=pending&limit=1", p.basic(), "").want(t, 200, `"next_cursor":null`)
	s.call(t, "GET", path+"/"+id, p.basic(), "").want(t, 200, `"log":[{"number":1`, `"duration_ms":25`)
	s.call(t, "POST", path+"/"+id+"/redeliver", p.basic(), "").want(t, 202, `"status":"pending"`)
	s.call(t, "GET", webhooksPath+"/"+made.ID, p.basic(), "").want(t, 200, `"failing_since":"`)
	q := s.user(t, "q", false)
	for _, path := range []string{path, path + "/" + id} {
		s.call(t, "GET", path, q.basic(), "").wantProblem(t, 404, "webhook_not_found")
	}
	s.sql(t, "DELETE FROM events WHERE kind = 'token.created'")
	s.call(t, "POST", path+"/"+id+"/redeliver", p.basic(), "").wantProblem(t, http.StatusGone, "event_deleted")
	testkit.Check(t, s.Webhooks.Delete(t.Context(), p.principal(), made.ID))
	s.call(t, "GET", path, p.basic(), "").wantProblem(t, 404, "webhook_not_found")
}
