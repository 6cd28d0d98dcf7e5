package console_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/specterd/specterd/internal/testenv/testkit"
)

// TestProposal_Txid says that signatures change the txid of a proposal only where they do: in
// wallets whose inputs have a scriptSig.
func TestProposal_Txid(t *testing.T) {
	t.Parallel()
	s := open(t, onOwnNode)
	alice := s.user(t, "alice", false)
	const hint = "The signatures will change this txid"
	for i, script := range testkit.Scripts {
		t.Run(script.Name, func(t *testing.T) {
			alias := strings.ReplaceAll(script.Name, "-", "")
			alice.api("POST", "/api/v1/wallets", map[string]any{
				"name": alias, "birthday": "now", "descriptor": script.Descriptor(t, 4000+10*i, "<0;1>", -1),
			})
			alice.pay(alias, alice.address(alias, ""), "0.1")
			made := alice.propose(alias)
			p := alice.get("/wallets/"+alias+"/proposals/"+made["id"].(string)).want(http.StatusOK, "Txid")
			switch script.Name {
			case "wpkh", "wsh", "tr":
				p.lacks(hint)
			default:
				p.want(http.StatusOK, hint)
			}
		})
	}
}
