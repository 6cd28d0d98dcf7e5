package httpapi_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// TestDevices lists and renames devices. A device gets a free alias; devices of other users
// cannot be renamed, nor any device with a token that is limited to some wallets.
func TestDevices(t *testing.T) {
	t.Parallel()
	n := testkit.Bitcoind(t)
	n.Mine(t, 1)
	s := start(t, onNode(n))
	alice, bob := s.user(t, "alice", false), s.user(t, "bob", false)
	rights := auth.WalletsRead | auth.WalletsWrite
	k, other := s.token(t, alice, rights).bearer(), s.token(t, bob, rights).bearer()
	s.call(t, "POST", "/api/v1/wallets", k, `{"name": "Vault", "birthday": "now", "descriptor": "`+testkit.WSH.Descriptor(t, 4100, "<0;1>", -1)+`"}`).want(t, 201)
	var listed struct {
		Items []struct{ Alias, Name, Type string }
	}
	testkit.Check(t, json.Unmarshal([]byte(s.call(t, "GET", "/api/v1/devices", k, "").want(t, 200).body), &listed))
	if len(listed.Items) != 3 || listed.Items[0].Type != "other" {
		t.Fatalf("devices %+v", listed)
	}
	first, second := "/api/v1/devices/"+listed.Items[0].Alias, "/api/v1/devices/"+listed.Items[1].Alias
	s.call(t, "PATCH", first, k, `{"name": "Ann's Coldcard"}`).want(t, 200, `"alias":"anns_coldcard"`, `"name":"Ann's Coldcard"`)
	s.call(t, "PATCH", second, k, `{"name": "Ann's Coldcard"}`).want(t, 200, `"alias":"anns_coldcard_2"`)
	s.call(t, "PATCH", "/api/v1/devices/anns_coldcard_2", k, `{"name": "Anns Coldcard"}`).want(t, 200, `"alias":"anns_coldcard_2"`)
	s.call(t, "PATCH", "/api/v1/devices/anns_coldcard_2", k, `{"name": "…"}`).want(t, 200, `"alias":"anns_coldcard_2"`, `"name":"…"`)
	s.call(t, "GET", "/api/v1/wallets/vault", k, "").want(t, 200, `"device":"anns_coldcard"`, `"device":"anns_coldcard_2"`)
	reader := s.token(t, alice, auth.EventsRead|auth.WalletsRead).bearer()
	const renamed = "/api/v1/wallets/vault/events?kinds=device"
	if kinds := s.call(t, "GET", renamed, reader, "").want(t, 200, `"after":{"device":"anns_coldcard","name":"Ann's Coldcard"}`).list("type"); len(kinds) != 4 {
		t.Errorf("the events are %v", kinds)
	}
	s.call(t, "GET", "/api/v1/events?kinds=device", s.token(t, alice, auth.EventsRead|auth.ProposalsRead).bearer(), "").want(t, 403, `"required_scope":"wallets:read"`)
	s.call(t, "PATCH", first, k, `{"name": "x"}`).wantProblem(t, 404, "device_not_found")
	s.call(t, "PATCH", "/api/v1/devices/anns_coldcard", other, `{"name": "x"}`).wantProblem(t, 404, "device_not_found")
	limited := s.token(t, alice, rights, "vault").bearer()
	s.call(t, "PATCH", "/api/v1/devices/anns_coldcard", limited, `{"name": "x"}`).wantProblem(t, 403, "token_limited_to_wallets")
	for _, name := range []string{"", " x", strings.Repeat("x", 65), "a\\u0007b"} {
		s.call(t, "PATCH", "/api/v1/devices/anns_coldcard", k, `{"name": "`+name+`"}`).wantProblem(t, 400, "invalid_input")
	}
	if got := s.call(t, "GET", "/api/v1/devices", other, "").want(t, 200).body; strings.Contains(got, "anns") {
		t.Errorf("another user sees %s", got)
	}
}
