package httpapi_test

import (
	"fmt"
	"testing"

	"github.com/specterd/specterd/internal/testenv/testkit"
)

// deceptions contains characters, as JSON escapes, that can make a text look like another.
var deceptions = map[string]string{
	"right-to-left override": `\u202e`, "isolate": `\u2066`, "right-to-left mark": `\u200f`, "zero-width space": `\u200b`,
	"zero-width joiner": `\u200d`, "Hangul filler": `\u3164`, "escape": `\u001b[2J`, "C1 control": `\u009b2J`, "line separator": `\u2028`,
}

// testDeceptiveText checks that deceptive characters are rejected in all texts of users, that
// an import of labels removes them, and that joiners are accepted where text requires them.
func testDeceptiveText(t *testing.T, s *server, _ *testkit.Node) {
	p := s.user(t, "p", true)
	v := s.vault(t, p, "vault")
	k := s.token(t, p, 0).bearer()
	const path = "/api/v1/wallets/vault"
	for what, bad := range deceptions {
		t.Run(what, func(t *testing.T) {
			for i, r := range []request{
				{method: "POST", path: tokens, auth: []string{p.basic()}, body: `{"description": "a` + bad + `b", "lifetime": "1 day"}`},
				{method: "POST", path: "/api/v1/users", auth: []string{p.basic()}, body: `{"name": "a` + bad + `b", "password": "correct horse of the new"}`},
				{method: "PATCH", path: path, auth: []string{k}, body: `{"name": "a` + bad + `b"}`},
				{method: "PATCH", path: path + "/addresses/" + v.receive[0], auth: []string{k}, body: `{"label": "a` + bad + `b"}`},
				{method: "PATCH", path: path + "/transactions/" + v.received, auth: []string{k}, body: `{"label": "a` + bad + `b"}`},
			} {
				t.Run(fmt.Sprint(i), func(t *testing.T) {
					if got := s.do(t, r); got.status != 400 {
						t.Errorf("%s: %s %s: %d %s", what, r.method, r.path, got.status, got.body)
					}
				})
			}
			// An import keeps all visible characters and reports the removed ones.
			s.do(t, request{
				method: "POST", path: path + "/labels", auth: []string{k}, header: map[string]string{"Content-Type": "application/jsonl"},
				body: `{"type": "tx", "ref": "` + v.received + `", "label": "rent` + bad + `"}`,
			}).
				want(t, 200, `"imported":1`, `"line":1`, `invisible characters`, `"failed":[]`)
			got := s.call(t, "GET", path+"/transactions/"+v.received, k, "").want(t, 200, `"label":"rent`)
			if want := map[string]string{"escape": "rent [2J", "C1 control": "rent 2J", "line separator": "rent "}[what]; want != "" {
				got.want(t, 200, `"label":"`+want+`"`)
			} else {
				got.want(t, 200, `"label":"rent"`)
			}
		})
	}
	for _, good := range []string{"می\u200cخواهم", "👩🏽\u200d💻", "क्\u200dष"} {
		s.call(t, "PATCH", path+"/addresses/"+v.receive[0], k, `{"label": "`+good+`"}`).want(t, 200, good)
	}
}
