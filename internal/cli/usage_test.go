package cli

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/specterd/specterd/internal/testenv/testkit"
)

// runIn runs a command with a new home directory and reports whether it created a file there.
func runIn(t *testing.T, args ...string) (stdout string, made bool, err error) {
	t.Helper()
	home := t.TempDir()
	getenv := func(name string) string {
		if name == "HOME" {
			return home
		}
		return ""
	}
	out := new(testkit.Log)
	err = run(context.Background(), args, getenv, strings.NewReader(""), out, io.Discard)
	files, readErr := os.ReadDir(filepath.Clean(home))
	testkit.Check(t, readErr)
	return out.String(), len(files) > 0, err
}

// pathOf returns the words of a command after "specterd".
func pathOf(cmd *cobra.Command) []string { return strings.Fields(cmd.CommandPath())[1:] }

// TestUsage_EveryCommand checks that each command of the tree refuses a wrong command line
// with the status for usage errors, and does nothing.
func TestUsage_EveryCommand(t *testing.T) {
	t.Parallel()
	groups, commands := 0, 0
	refuses := func(t *testing.T, says string, args ...string) {
		t.Helper()
		stdout, made, err := runIn(t, args...)
		if err == nil || exitStatus(err) != exitUsage || !strings.Contains(err.Error(), says) {
			t.Errorf("specterd %s: status %d, %v; want status %d and %q", strings.Join(args, " "), exitStatus(err), err, exitUsage, says)
		}
		if stdout != "" || made {
			t.Errorf("specterd %s: created a file: %t; printed %q", strings.Join(args, " "), made, stdout)
		}
	}
	eachCommand((&program{}).rootCommand(), func(cmd *cobra.Command) {
		path := pathOf(cmd)
		with := func(args ...string) []string { return append(path[:len(path):len(path)], args...) }
		t.Run(cmd.CommandPath(), func(t *testing.T) {
			refuses(t, "unknown flag: --no-such-flag", with("--no-such-flag")...)
			if !cmd.HasSubCommands() {
				commands++
				if cmd.Name() != "help" && cmd.Args(cmd, make([]string, 100)) != nil {
					refuses(t, "usage: "+cmd.CommandPath(), with(make([]string, 100)...)...)
				}
				return
			}
			groups++
			refuses(t, `unknown command "frobnicate" for "`+cmd.CommandPath()+`"; run `+cmd.CommandPath()+" --help", with("frobnicate")...)
			refuses(t, "unknown command", append([]string{"help"}, with("frobnicate")...)...)
			if stdout, _, err := runIn(t, path...); err != nil || !strings.Contains(stdout, cmd.CommandPath()+" [command]") || strings.Contains(stdout, cmd.CommandPath()+" [flags]") {
				t.Errorf("without a subcommand: %v, %s", err, stdout)
			}
		})
	})
	if groups < 8 || commands < 40 {
		t.Errorf("%d groups and %d commands were checked", groups, commands)
	}
}

// readArguments returns the command that the program executes, and the arguments after its words.
func readArguments(t *testing.T, args []string) (*cobra.Command, []string, error) {
	t.Helper()
	root := (&program{}).rootCommand()
	args, err := orderArguments(root, args)
	if err != nil {
		return root, nil, err
	}
	return root.Find(args)
}

// TestUsage_FlagsFirst checks that each flag of each command works before all words of the command.
func TestUsage_FlagsFirst(t *testing.T) {
	t.Parallel()
	checked := 0
	eachCommand((&program{}).rootCommand(), func(cmd *cobra.Command) {
		if cmd.HasSubCommands() || !cmd.IsAvailableCommand() {
			return
		}
		cmd.InheritedFlags() // merges them
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			for at := range pathOf(cmd) {
				flag := []string{"--" + f.Name}
				if requiresValue(f) {
					flag = append(flag, "word")
				}
				args := slices.Concat(pathOf(cmd)[:at], flag, pathOf(cmd)[at:], []string{"argument"})
				found, rest, err := readArguments(t, args)
				if err != nil || found.CommandPath() != cmd.CommandPath() || !slices.Equal(rest, append(flag, "argument")) {
					t.Errorf("specterd %s: finds %s with %q, %v", strings.Join(args, " "), found.CommandPath(), rest, err)
				}
				checked++
			}
		})
	})
	if checked < 500 {
		t.Errorf("%d flags were checked", checked)
	}
}

// TestUsage_ClientFlags checks that the flags of a server work before, between and after the words of
// each command that has them, and that all other commands refuse them at each position with the same
// error.
func TestUsage_ClientFlags(t *testing.T) {
	t.Parallel()
	with, without := 0, 0
	eachCommand((&program{}).rootCommand(), func(cmd *cobra.Command) {
		path := pathOf(cmd)
		if cmd.HasSubCommands() || !cmd.IsAvailableCommand() || path[0] == "help" || path[0] == "completion" {
			return
		}
		has := cmd.Flag("server") != nil
		if has {
			with++
		} else {
			without++
		}
		for name, flags := range map[string][]string{
			"values":       {"--server", "https://specterd.example", "--token-file", "./t", "--allow-http"},
			"equals signs": {"--allow-http=true", "--server=https://specterd.example", "--token-file=./t"},
			"bare first":   {"--allow-http", "--token-file", "./t", "--server", "https://specterd.example"},
		} {
			for at := range len(path) + 1 {
				args := slices.Concat(path[:at], flags, path[at:])
				t.Run(strings.Join(args, " ")+" "+name, func(t *testing.T) {
					if !has && cmd.Flag("data-folder") == nil && at < len(path) {
						found, rest, err := readArguments(t, args)
						if err != nil || found.CommandPath() != cmd.CommandPath() || len(rest) > 0 {
							t.Errorf("finds %s with %q, %v", found.CommandPath(), rest, err)
						}
						return
					}
					if !has {
						stdout, made, err := runIn(t, args...)
						if err == nil || exitStatus(err) != exitUsage || !strings.HasSuffix(err.Error(), " is not a flag of "+cmd.CommandPath()+"; "+whereServer) || stdout != "" || made {
							t.Errorf("status %d, %v; created a file: %t; printed %q", exitStatus(err), err, made, stdout)
						}
						return
					}
					found, rest, err := readArguments(t, args)
					if err != nil || found.CommandPath() != cmd.CommandPath() {
						t.Fatalf("finds %s, %v", found.CommandPath(), err)
					}
					if err := found.ParseFlags(rest); err != nil || found.Flags().NArg() > 0 {
						t.Fatalf("%v, with the arguments %q", err, found.Flags().Args())
					}
					for name, want := range map[string]string{"server": "https://specterd.example", "token-file": "./t", "allow-http": "true"} {
						if got := found.Flags().Lookup(name).Value.String(); got != want {
							t.Errorf("--%s is %q", name, got)
						}
					}
				})
			}
		}
	})
	if with < 40 || without < 20 {
		t.Errorf("%d commands with the flags and %d without", with, without)
	}
	if _, _, err := runIn(t, "--allow-http", "--server", "https://specterd.example", "walet", "list"); err == nil || !strings.Contains(err.Error(), `unknown command "walet" for "specterd"; did you mean specterd wallet?`) {
		t.Errorf("a mistyped command: %v", err)
	}
}

// TestUsage_Suggestions checks that each command is suggested for its name without a letter.
func TestUsage_Suggestions(t *testing.T) {
	t.Parallel()
	eachCommand((&program{}).rootCommand(), func(cmd *cobra.Command) {
		if !cmd.HasParent() || !cmd.IsAvailableCommand() || len(cmd.Name()) < 3 {
			return
		}
		t.Run(cmd.CommandPath(), func(t *testing.T) {
			t.Parallel()
			path := pathOf(cmd)
			path[len(path)-1] = cmd.Name()[:1] + cmd.Name()[2:]
			if _, _, err := runIn(t, path...); err == nil || !strings.Contains(err.Error(), "did you mean "+cmd.CommandPath()+"?") {
				t.Errorf("specterd %s: %v", strings.Join(path, " "), err)
			}
		})
	})
}

func TestUsage_Messages(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ args, want string }{
		{"user add", "an argument is missing; usage: specterd user add NAME [flags]"},
		{"user list x", `unexpected argument "x"; usage: specterd user list [flags]`},
		{"serve --prot 1", "unknown flag: --prot; did you mean --port?"},
		{"serve -p 1", "unknown shorthand flag: 'p' in -p; did you mean --port?"},
		{"serve --port", "flag needs an argument: --port; see specterd serve --help"},
		{"wallet create", "exactly one of --file, --descriptor and --key is required; see specterd wallet create --help"},
		{"wallet create --file x --descriptor y", "exactly one of --file, --descriptor and --key is required; see specterd wallet create --help"},
		{"wallet create --descriptor x", "--birthday and --name are required; see specterd wallet create --help"},
		{"wallet create --descriptor x --script wpkh", "--script and --signatures-required are only for --key: a descriptor contains both"},
		{"wallet create --file=", "--file is empty; set a value, or leave out the flag"},
		{"wallet create --key x --name x", "--birthday is required; see specterd wallet create --help"},
		{"wallet transactions vault --csv --json", "only one of --csv, --json may be set; see specterd wallet transactions --help"},
		{"audit archive --out x", "--before is required; see specterd audit archive --help"},
		{"audit archive", "--before and --out are required; see specterd audit archive --help"},
		{"audit verify --hash 12", "--hash must have 64 hexadecimal digits; nothing was verified"},
		{"export --wallet x --format pdf", "--format: must be specter, account-map, labels, core, descriptor, bsms, bip388, coldcard, sparrow, caravan or crypto-output"},
		{"--data-folder D lst", `unknown command "lst" for "specterd"; run specterd --help for a list`},
		{"--data-folder D wallet lst", `unknown command "lst" for "specterd wallet"; did you mean specterd wallet list?`},
		{"--jsn wallet list", "unknown flag: --jsn; did you mean --json?"},
		{"--nonsense D wallet list", "unknown flag: --nonsense; see specterd --help"},
		{"--server --token-file F wallet list", "--server requires the URL of a server, such as https://specterd.example"},
		{"wallet list --server --token-file F", "--server requires the URL of a server, such as https://specterd.example"},
		{"wallet list --user --json", "--user requires a value; a value that is the name of a flag is written after an equals sign: --user=VALUE"},
		{"--server= wallet list", "--server is empty; it must be the URL of a server, and without the flag the command uses the database of this machine"},
		{"wallet list --data-folder=", "--data-folder is empty; set a value, or leave out the flag"},
		{"proposal create vault --to x=1BTC --idempotency-key=", "--idempotency-key is empty; set a value, or leave out the flag"},
		{"proposal create vault --to x=1BTC --from=", "--from is empty; set a value, or leave out the flag"},
		{"completion bsh", `unknown command "bsh" for "specterd completion"; did you mean specterd completion bash?`},
	} {
		t.Run(test.args, func(t *testing.T) {
			t.Parallel()
			_, made, err := runIn(t, strings.Fields(test.args)...)
			if err == nil || err.Error() != test.want || exitStatus(err) != exitUsage || made {
				t.Errorf("status %d: %v; want %s", exitStatus(err), err, test.want)
			}
		})
	}
	for _, args := range []string{"help user add", "user add --help", "help", "--help", "-h", "", "--version"} {
		if stdout, _, err := runIn(t, strings.Fields(args)...); err != nil || stdout == "" {
			t.Errorf("specterd %s: %v", args, err)
		}
	}
}
