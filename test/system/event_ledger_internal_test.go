package system

import (
	"net/http"
	"strings"
	"testing"

	"github.com/specterd/specterd/internal/testenv/testkit"
)

// TestEventLedger checks that the ledger finds lost, repeated and invented events, and allows an
// event, or none, of a change without a response.
func TestEventLedger(t *testing.T) {
	utxo := func(name string) string {
		return `{"type": "utxo.` + name + `", "data": {"wallet_id": "w", "txid": "aa", "vout": 1}}`
	}
	token := func(id string) string { return `{"type": "token.created", "data": {"token_id": "` + id + `"}}` }
	type request struct {
		ask
		status int
		body   string
	}
	freeze := ask{method: http.MethodPut, path: "/api/v1/wallets/one/utxos/aa:1/freeze"}
	unfreeze := ask{method: http.MethodDelete, path: freeze.path}
	create := ask{method: http.MethodPost, path: "/api/v1/tokens"}
	frozen, unanswered, refused, unfrozen := request{freeze, noContent, ""}, request{freeze, 0, ""}, request{freeze, conflict, ""}, request{unfreeze, noContent, ""}
	made, lost := request{create, created, `{"id": "t"}`}, request{create, 0, ""}
	for name, c := range map[string]struct {
		requests []request
		events   []string
		wrong    bool
	}{
		"equal":                 {[]request{frozen, unfrozen, frozen}, []string{utxo("frozen"), utxo("unfrozen"), utxo("frozen")}, false},
		"without effect":        {[]request{frozen, frozen}, []string{utxo("frozen")}, false},
		"no response, made":     {[]request{unanswered, unfrozen}, []string{utxo("frozen"), utxo("unfrozen")}, false},
		"no response, not made": {[]request{frozen, unfrozen, unanswered}, []string{utxo("frozen"), utxo("unfrozen")}, false},
		"rejected":              {[]request{refused}, nil, false},
		"rejected, with event":  {[]request{refused}, []string{utxo("frozen")}, true},
		"lost":                  {[]request{frozen, unfrozen}, []string{utxo("frozen")}, true},
		"repeated":              {[]request{frozen}, []string{utxo("frozen"), utxo("frozen")}, true},
		"out of order":          {[]request{frozen, unfrozen}, []string{utxo("unfrozen"), utxo("frozen")}, true},
		"created":               {[]request{made}, []string{token("t")}, false},
		"created, lost":         {[]request{made}, nil, true},
		"created twice":         {[]request{made}, []string{token("t"), token("t")}, true},
		"unknown":               {[]request{made}, []string{token("t"), token("u")}, true},
		"no response, created":  {[]request{lost}, []string{token("u")}, false},
		"no response, changed":  {[]request{lost, {ask{method: http.MethodDelete, path: "/api/v1/tokens/u"}, ok, ""}}, []string{token("u"), `{"type": "token.revoked", "data": {"tokens": [{"token_id": "u"}]}}`}, false},
		"no response, twice":    {[]request{lost}, []string{token("u"), token("v")}, true},
	} {
		t.Run(strings.ReplaceAll(name, ", ", "_"), func(t *testing.T) {
			l := newEventLedger()
			for _, r := range c.requests {
				l.observe(r.ask, r.status, []byte(r.body))
			}
			var events []readEvent
			for _, text := range c.events {
				var e readEvent
				testkit.Check(t, e.parse(text))
				events = append(events, e)
			}
			if wrong := l.compare(events, map[string]string{"w": "one"}); (len(wrong) > 0) != c.wrong {
				t.Errorf("differences: %v", wrong)
			}
		})
	}
}
