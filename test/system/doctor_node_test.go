package system

import (
	"net/http"
	"strings"
	"testing"

	"github.com/specterd/specterd/internal/testenv/testkit"
)

// TestDoctor_NodeSettings checks that doctor reports problems of the node's settings: as an
// error if the node is unusable, and as a warning otherwise.
func TestDoctor_NodeSettings(t *testing.T) {
	t.Parallel()
	node, dir := testkit.Bitcoind(t), t.TempDir()
	node.Mine(t, 1)
	s := startServer(t, dir, nodeSettings(node)...)
	testkit.Eventually(t, "the server is ready", func() bool {
		return call(t.Context(), http.MethodGet, s.url+"/api/healthz/readyness", "x", nil, nil) == http.StatusOK
	})
	node.Stop(t)
	for _, setting := range testkit.NodeSettings() {
		t.Run(setting.Name, func(t *testing.T) {
			t.Parallel()
			n := testkit.BitcoindCopy(t, node, setting.Args...)
			cmd := tool(t, dir, "doctor")
			cmd.Env = append(append(cmd.Env, "SPECTER_ADMIN_PASSWORD="+testPassword), nodeSettings(n)...)
			out, err := cmd.CombinedOutput()
			var found []string
			for line := range strings.Lines(string(out)) {
				fields := strings.Fields(line)
				if len(fields) > 2 && fields[1] == "node" && fields[0] != "ok" {
					found = append(found, fields[0])
				}
			}
			want := strings.TrimSpace(strings.Repeat("warning ", len(setting.Notices)))
			if setting.Problem != "" {
				want = "error"
			}
			if got := strings.Join(found, " "); got != want || (err == nil) != (setting.Problem == "") || !strings.Contains(string(out), setting.Says) {
				t.Errorf("found %q, want %q and %q: %v\n%s", got, want, setting.Says, err, out)
			}
		})
	}
}
