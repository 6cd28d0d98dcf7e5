package cli

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/specterd/specterd/internal/testenv/testkit"
)

// TestSuggestions_UsualWords runs commands and flags of other programs.
func TestSuggestions_UsualWords(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ args, want string }{
		{"user delete bob", "did you mean specterd user rm?"},
		{"user remove bob", "did you mean specterd user rm?"},
		{"user create bob", "did you mean specterd user add?"},
		{"user ls", "did you mean specterd user list?"},
		{"user passwd bob", "use specterd user set NAME --password"},
		{"token rm x", "did you mean specterd token revoke?"},
		{"token new x", "did you mean specterd token create?"},
		{"token scopes", "specterd token create --help lists the scopes"},
		{"webhook rm x", "did you mean specterd webhook delete?"},
		{"wallet delete x", "did you mean specterd wallet rm?"},
		{"wallet inspect x", "specterd wallet create --file FILE --dry-run shows the wallet in a file"},
		{"wallet info x", "did you mean specterd wallet show?"},
		{"wallet history x", "did you mean specterd wallet transactions?"},
		{"wallet send x", "use specterd proposal create ALIAS"},
		{"proposal sign x", "did you mean specterd proposal sign-in-file?"},
		{"proposal send x", "did you mean specterd proposal broadcast?"},
		{"proposal delete x", "did you mean specterd proposal cancel?"},
		{"label delete x", "did you mean specterd label rm?"},
		{"audit show", "run specterd audit --help"},
		{"key delete", "run specterd key --help"},
		{"start", "did you mean specterd serve?"},
		{"status", "did you mean specterd doctor?"},
		{"transactions", "did you mean specterd wallet transactions?"},
		{"wallets", "did you mean specterd wallet?"},
		{"ls", "run specterd --help"},
		{"user list --data-dir x", "did you mean --data-folder?"},
		{"user list --datadir x", "did you mean --data-folder?"},
		{"user list -j", "did you mean --json?"},
		{"user rm bob -y", "did you mean --yes?"},
		{"user rm bob --force", "did you mean --yes?"},
		{"user add bob --password x", "unknown flag: --password; the command prompts for the password; in scripts, use --password-stdin"},
		{"user add bob secret", "unexpected argument; the command prompts for the password; in scripts, use --password-stdin; usage: "},
		{"user set bob --password secret", "unexpected argument; --password prompts for the password; in scripts, use --password-stdin; usage: "},
		{"user set bob --password=secret", "--password takes no value; --password prompts for the password; in scripts, use --password-stdin"},
		{"user set bob --password-stdin=secret", "--password-stdin takes no value; "},
		{"token create x --ttl 1d", "did you mean --expires?"},
		{"token create x --wallet y", "did you mean --wallets?"},
		{"proposal create v --fee 2", "did you mean --fee-rate?"},
		{"proposal create v --amount 2", "did you mean --to?"},
		{"wallet create --threshold 2", "did you mean --signatures-required?"},
		{"wallet list -x", "see specterd wallet list --help"},
		{"backup list", `"list" does not look like a file; for a file of this name, write ./list; usage: specterd backup [FILE]`},
		{"backup create", `"create" does not look like a file`},
		{"restore list", `"list" does not look like a file`},
		{"label import vault list", `"list" does not look like a file`},
		{"proposal sign-in-file 0d19b53c", `"0d19b53c" does not look like a file`},
		{"export list", `unexpected argument "list"`},
	} {
		t.Run(test.args, func(t *testing.T) {
			t.Parallel()
			_, made, err := runIn(t, strings.Fields(test.args)...)
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "secret") || exitStatus(err) != exitUsage || made {
				t.Errorf("status %d: %v; want %s", exitStatus(err), err, test.want)
			}
		})
	}
}

// TestSuggestions_ExistingFile checks that a file with the name of a command is read.
func TestSuggestions_ExistingFile(t *testing.T) {
	t.Chdir(t.TempDir())
	testkit.Check(t, os.WriteFile("list", []byte("x"), 0o600))
	if _, _, err := runIn(t, "restore", "list"); err == nil || !strings.Contains(err.Error(), "is not a specterd backup") {
		t.Error(err)
	}
}

// TestSuggestions_Tables checks that the tables name only commands and flags that exist, and
// replace none.
func TestSuggestions_Tables(t *testing.T) {
	t.Parallel()
	root := newRoot()
	var names, flags []string
	eachCommand(root, func(cmd *cobra.Command) {
		names = append(names, cmd.Name())
		flags = append(flags, allFlags(cmd)...)
	})
	for name := range usualWords {
		if !slices.Contains(names, name) {
			t.Errorf("there is no command %q", name)
		}
	}
	for word, instead := range usualFlags {
		for _, flag := range instead {
			if !slices.Contains(flags, flag) {
				t.Errorf("no command has --%s, which is suggested for --%s", flag, word)
			}
		}
	}
	for path, hint := range elsewhere {
		if _, rest := find(root, strings.Fields(path)); len(rest) != 1 {
			t.Errorf("%q must be an unknown command of a group; unknown are %q", path, rest)
		}
		for _, match := range regexp.MustCompile(`specterd ([a-z-]+) ([a-z-]+|)`).FindAllStringSubmatch(hint, -1) {
			cmd, rest := find(root, match[1:])
			if cmd == root || cmd.HasSubCommands() && len(rest) > 0 {
				t.Errorf("%q names the command %q, which does not exist", hint, match[0])
			}
		}
	}
}

// allFlags returns the names of the flags that a command accepts.
func allFlags(cmd *cobra.Command) (names []string) {
	cmd.InheritedFlags() // merges the flags of the parents
	cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	return names
}
