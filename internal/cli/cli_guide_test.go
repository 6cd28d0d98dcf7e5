package cli

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/specterd/specterd/internal/testenv/testkit"
)

// TestCommandLineGuide runs the code blocks of docs/cli.md as on the demo.
func TestCommandLineGuide(t *testing.T) {
	testkit.NeedsServer(t, "bitcoind")
	blocks := walkThroughBlocks(t, "docs/cli.md", 10)
	g := &cliGuide{dir: t.TempDir(), environment: append(os.Environ(), serveWalkThroughs(t)...)}

	g.run(t, blocks[0], "server   http://127.0.0.1:", "wallets  all", "community_vault  ", "\nbcrt1")
	g.run(t, blocks[1], "missing     2 signatures", "Wrote the PSBT to rent.psbt.")
	g.run(t, blocks[2], "nothing was stored or reserved", "pays        0.00100000 BTC to ")
	g.run(t, blocks[3])
	g.run(t, blocks[4], "partially signed, 1 of 2 signatures", "complete, 2 of 2 signatures", "Sent transaction ")
	g.run(t, blocks[5], "invoice 18", "OUTPOINT ", "\nbcrt1")
	g.run(t, blocks[6], "\nreserved ", "\nfrozen ", " send ", " BALANCE ")
	g.run(t, blocks[7], "Labelled bcrt1", "Removed the label of bcrt1", "Imported ", "invoice 19")
	g.run(t, blocks[8], "Ended 0 sessions of admin.")
	g.run(t, blocks[9], `"label":"invoice 17"`, `"alias":"community_vault"`)
}

// cliGuide runs code blocks in one directory.
type cliGuide struct {
	dir         string
	environment []string
}

// run runs a block in the directory of the guide. Its output must contain the texts.
func (g *cliGuide) run(t *testing.T, block []string, texts ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "bash", "-eu", "-c", block[2])
	cmd.Env, cmd.Dir = g.environment, g.dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, text := range texts {
		if !strings.Contains(string(out), text) {
			t.Errorf("the output does not contain %q:\n%s", text, out)
		}
	}
}
