package cli

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/specterd/specterd/internal/auth"
)

// TestHelp_Examples checks that the command lines in the help of all commands name commands
// and flags that exist.
func TestHelp_Examples(t *testing.T) {
	t.Parallel()
	root, lines := newRoot(), 0
	flag := regexp.MustCompile(`(?:^| )--([a-z-]+)`)
	eachCommand(root, func(cmd *cobra.Command) {
		if strings.HasPrefix(cmd.CommandPath(), "specterd completion") {
			return
		}
		for line := range strings.Lines(cmd.Example) {
			_, example, found := strings.Cut(line, "specterd ")
			if !found {
				continue
			}
			lines++
			example, _, _ = strings.Cut(example, " | ")
			example, _, _ = strings.Cut(example, "    #")
			named, rest := find(root, strings.Fields(example))
			if named.HasSubCommands() {
				t.Errorf("%s: no command %q in %q", cmd.CommandPath(), rest, line)
			}
			for _, match := range flag.FindAllStringSubmatch(example, -1) {
				if !slices.Contains(allFlags(named), match[1]) {
					t.Errorf("%s: %s has no flag --%s", cmd.CommandPath(), named.CommandPath(), match[1])
				}
			}
		}
	})
	if lines < 25 {
		t.Errorf("only %d examples were checked", lines)
	}
}

// TestHelp_Limits checks that each --limit is refused if it is not positive, and that the help
// states this.
func TestHelp_Limits(t *testing.T) {
	t.Parallel()
	found := 0
	eachCommand(newRoot(), func(cmd *cobra.Command) {
		limit := cmd.Flags().Lookup("limit")
		if limit == nil {
			return
		}
		found++
		if !strings.HasSuffix(limit.Usage, ", 1 or more") {
			t.Errorf("%s --limit: %s", cmd.CommandPath(), limit.Usage)
		}
	})
	if found < 4 {
		t.Errorf("%d commands have --limit", found)
	}
}

// TestHelp_Scopes checks that the help of token create lists all scopes in short lines.
func TestHelp_Scopes(t *testing.T) {
	t.Parallel()
	long := commandNamed(t, "token create").Long
	for _, scope := range auth.AllScopes.Names() {
		if !strings.Contains(long, scope) {
			t.Errorf("the help does not list %s", scope)
		}
	}
	for line := range strings.Lines(long) {
		if len(line) > 90 {
			t.Errorf("long line: %s", line)
		}
	}
}

// TestHelp_Defaults checks that the manual page states no default for a flag that has none.
func TestHelp_Defaults(t *testing.T) {
	t.Parallel()
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	flags.Int("number", 0, "")
	flags.Bool("switch", false, "")
	flags.StringSlice("list", nil, "")
	flags.String("text", "0", "")
	flags.Int("limit", 50, "")
	for name, want := range map[string]string{"number": "", "switch": "", "list": "", "text": "0", "limit": "50"} {
		if got := defaultOf(flags.Lookup(name)); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}
