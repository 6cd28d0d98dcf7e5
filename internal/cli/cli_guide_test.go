package cli

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/specterd/specterd/internal/testenv/testkit"
)

// TestCommandLineGuide runs the code blocks of docs/cli.md.
func TestCommandLineGuide(t *testing.T) {
	blocks := walkThroughBlocks(t, "docs/cli.md", 8)
	s, keys := newShell(t, false)
	s.serve(t)
	s.createVault(t, keys, 2)
	g := &cliGuide{s, t.TempDir(), s.environment("URL=" + s.url)}

	g.run(t, blocks[0], "missing     2 signatures", "Wrote the PSBT to rent.psbt.")
	g.run(t, blocks[1], "nothing was stored or reserved", "pays        0.00100000 BTC to ")
	for _, signer := range []string{"ann", "cleo"} {
		signed := s.sign(t, filepath.Join(g.dir, "rent.psbt"), signer)
		testkit.Check(t, os.Rename(signed, filepath.Join(g.dir, "rent-"+signer+".psbt")))
	}
	g.run(t, blocks[2], "partially signed, 1 of 2 signatures", "complete, 2 of 2 signatures", "Sent transaction ")
	g.run(t, blocks[3], "invoice 18", "OUTPOINT ", "\nbcrt1")
	g.run(t, blocks[4], "\nreserved ", "\nfrozen ", " send ", " BALANCE ")
	g.run(t, blocks[5], "Labelled bcrt1", "Removed the label of bcrt1", "Imported ", "invoice 19")
	g.run(t, blocks[6], "Ended 0 sessions of admin.")
	g.run(t, blocks[7], `"label":"invoice 17"`, `"alias":"vault"`)
}

// environment returns the settings for a child process, with further variables.
func (s *shell) environment(further ...string) []string {
	env := append(os.Environ(), further...)
	for name, value := range s.settings {
		env = append(env, name+"="+value)
	}
	return env
}

type cliGuide struct {
	*shell
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
