package console_test

import (
	"testing"
	"time"
)

// TestExpiries checks that lists state to the minute when tokens, invitations and proposals expire,
// with the time zone.
func TestExpiries(t *testing.T) {
	t.Parallel()
	s, alice, w := treasury(t)
	admin, bob := s.admin(t), s.user(t, "bob", false)
	token := alice.api("POST", "/api/v1/tokens", map[string]any{"description": "shop", "lifetime": "1 hour", "scopes": []string{"wallets:read"}})
	invitation := alice.api("POST", "/api/v1/wallets/"+w.alias+"/invitations", map[string]any{"user": bob.name, "role": "viewer"})
	alice.pay(w.alias, alice.address(w.alias, ""), "0.5")
	proposal, ready := alice.propose(w.alias), alice.propose(w.alias)
	alice.sign(ready, w.signers[0], w.signers[1])
	for _, test := range []struct {
		path, word string
		by         *visitor
		object     map[string]any
	}{
		{"/tokens", "until ", alice, token},
		{"/users/alice", "until ", admin, token},
		{"/wallets/treasury/members", "", alice, invitation},
		{"/wallets/treasury", "expires ", alice, proposal},
		{"/wallets/treasury", "ready to broadcast, expires ", alice, ready},
		{"/wallets/treasury/proposals", "Signatures missing expires ", alice, proposal},
		{"/wallets/treasury/proposals", "Ready to broadcast expires ", alice, ready},
		{"/", "expires ", alice, proposal},
		{"/", "ready to broadcast, expires ", alice, ready},
		{"/", "Accept until ", bob, invitation},
	} {
		t.Run(test.path, func(t *testing.T) {
			at, err := time.Parse(time.RFC3339, test.object["expires_at"].(string))
			if err != nil {
				t.Fatal(err)
			}
			test.by.get(test.path).want(200, test.word+at.UTC().Format("2 Jan 2006 15:04 UTC"))
		})
	}
}
