package cli

import (
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// printing lists the commands that print objects. They have --json.
var printing = []string{
	"audit list", "import", "key show", "label import", "label list", "proposal broadcast", "proposal bump", "proposal cancel", "proposal create", "proposal list", "proposal show", "proposal sign-in-file",
	"session list", "token create", "token list", "token rotate", "token show", "user list", "user quota", "user show", "wallet address", "wallet balance", "wallet list", "wallet member add", "wallet member list", "wallet member set",
	"wallet show", "wallet transactions", "wallet utxos", "webhook create", "webhook deliveries", "webhook list", "webhook show",
}

// deleting lists the commands that delete or revoke something. They ask, and have --yes.
var deleting = []string{"key rotate", "label rm", "proposal cancel", "session delete", "token revoke", "user rm", "user set", "wallet member rm", "wallet rm", "webhook delete"}

// others lists the commands that do neither.
var others = []string{
	"audit archive", "audit verify", "backup", "demo", "doctor", "export", "health", "label export", "label set", "man", "node-config", "openapi", "restore", "serve", "user add",
	"version", "wallet create", "wallet rescan", "webhook disable", "webhook enable", "webhook recover", "webhook redeliver", "webhook rotate", "webhook test",
}

// TestCommandFlags checks that each command is in one of the lists above, and has the flags
// of its list.
func TestCommandFlags(t *testing.T) {
	seen := map[string]bool{}
	eachCommand(newRoot(), func(cmd *cobra.Command) {
		name := strings.TrimPrefix(cmd.CommandPath(), "specterd ")
		if cmd.HasSubCommands() || strings.HasPrefix(name, "completion ") || name == "help" {
			return
		}
		seen[name] = true
		prints, deletes := slices.Contains(printing, name), slices.Contains(deleting, name)
		if other := slices.Contains(others, name); other == (prints || deletes) {
			t.Errorf("%q must be in printing or deleting, or else in others", name)
		}
		if has := cmd.Flags().Lookup(jsonFlag) != nil; has != prints {
			t.Errorf("%q has --json: %t", name, has)
		}
		if has := cmd.Flags().Lookup(yesFlag) != nil; has != deletes {
			t.Errorf("%q has --yes: %t", name, has)
		}
	})
	for _, name := range slices.Concat(printing, deleting, others) {
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
