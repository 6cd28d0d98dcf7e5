package console_test

import (
	"strings"
	"testing"

	"github.com/specterd/specterd/internal/testenv/testkit"
)

// TestNode shows the status and the fee rates of a real node, and the page while the node does
// not respond.
func TestNode(t *testing.T) {
	t.Parallel()
	t.Run("in sync", func(t *testing.T) {
		t.Parallel()
		s := open(t, onOwnNode)
		bob := s.user(t, "bob", false)
		var p *document
		testkit.Eventually(t, "the page shows fee rates", func() bool {
			p = bob.get("/node")
			return strings.Contains(p.text(), "1008 blocks")
		})
		p.want(200, "Node in sync", "regtest", "/Satoshi:", "fallback fee of the node", "(about 7 days)", "Minimum of the mempool:", "Maximum of proposals on this server: 100 sat/vB")
	})
	t.Run("not reachable", func(t *testing.T) {
		t.Parallel()
		s := open(t)
		s.admin(t).get("/node").want(200, "Node not reachable", "The node cannot be used", "Payments cannot be created", "The node has not answered yet", "No estimates while")
	})
}
