package cli

import (
	"io"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// withoutJSON lists the commands without --json, with the reason.
var withoutJSON = map[string]string{
	"demo":                 "prints a walk-through",
	"export":               "prints the formats of other programs",
	"health":               "answers with its exit status",
	"label export":         "prints JSON Lines",
	"label rm":             "reports one change, of its arguments",
	"label set":            "reports one change, of its arguments",
	"man":                  "prints a manual page",
	"node-config":          "prints lines for bitcoin.conf",
	"openapi":              "prints JSON",
	"policy cancel":        "reports one change, of its arguments",
	"serve":                "runs until it is stopped",
	"session delete":       "reports one change, of its arguments",
	"user rm":              "reports one change, of its arguments",
	"wallet device rename": "reports one change, of its arguments",
	"wallet member rm":     "reports one change, of its arguments",
	"wallet rm":            "reports one change, of its arguments",
	"webhook delete":       "reports one change, of its arguments",
	"webhook recover":      "starts work of the server",
	"webhook redeliver":    "starts work of the server",
}

// deleting lists the commands that delete or revoke something. They ask, and have --yes.
var deleting = []string{"key rotate", "label rm", "policy cancel", "policy delete", "proposal cancel", "session delete", "token revoke", "user rm", "user set", "wallet member rm", "wallet rm", "webhook delete"}

// TestCommandFlags checks that all commands have --json, except those listed above, and that
// exactly the commands that delete something have --yes.
func TestCommandFlags(t *testing.T) {
	seen := map[string]bool{}
	eachCommand(newRoot(), func(cmd *cobra.Command) {
		name := strings.TrimPrefix(cmd.CommandPath(), "specterd ")
		if cmd.HasSubCommands() || strings.HasPrefix(name, "completion ") || name == "help" {
			return
		}
		seen[name] = true
		if has, without := cmd.Flags().Lookup(jsonFlag) != nil, withoutJSON[name] != ""; has == without {
			t.Errorf("%q has --json: %t; in withoutJSON: %t", name, has, without)
		}
		if has := cmd.Flags().Lookup(yesFlag) != nil; has != slices.Contains(deleting, name) {
			t.Errorf("%q has --yes: %t", name, has)
		}
	})
	for _, name := range slices.Concat(slices.Collect(maps.Keys(withoutJSON)), deleting) {
		if !seen[name] {
			t.Errorf("there is no command %q", name)
		}
	}
}

// newRoot returns the command tree.
func newRoot() *cobra.Command {
	p := &program{getenv: noEnvironment, stdin: strings.NewReader(""), stdout: io.Discard, stderr: io.Discard, raw: io.Discard}
	return p.rootCommand()
}
