package cli

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/specterd/specterd/internal/testenv/testkit"
)

// TestMain lets the test binary act as the specterd program that the scripts run.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"specterd": func() { os.Exit(Main()) }})
}

// TestScripts runs the shell sessions in testdata/script.
func TestScripts(t *testing.T) {
	testkit.NeedsServer(t, "specterd")
	folders, err := filepath.Abs("../../testdata/specter-desktop")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			env.Setenv("HOME", env.WorkDir)
			env.Setenv("SPECTER_BCRYPT_COST", "4")
			env.Setenv("SPECTER_NODE_URL", "http://user:password@127.0.0.1:1")
			env.Setenv("PORT", "0")
			env.Setenv("DESKTOP_FOLDERS", folders)
			env.Setenv("GORACE", os.Getenv("GORACE"))
			return nil
		},
	})
}
