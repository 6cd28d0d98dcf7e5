package cli

import (
	"cmp"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/specterd/specterd/internal/config"
)

// orderArguments returns the arguments with all flags behind the words of the command, because cobra
// accepts flags before them only if it knows them as flags of a parent. It returns an error for an
// unknown command, and for a flag whose value is missing.
func orderArguments(root *cobra.Command, args []string) ([]string, error) {
	if len(args) > 0 && (args[0] == cobra.ShellCompRequestCmd || args[0] == cobra.ShellCompNoDescRequestCmd) {
		return orderCompletion(root, args), nil
	}
	r := readCommand(root, args)
	if flag := r.withoutValue(); flag != "" {
		if flag == "server" {
			return nil, errUsage("--server requires the URL of a server, such as https://specterd.example")
		}
		return nil, errUsage("--%s requires a value; a value that is the name of a flag is written after an equals sign: --%[1]s=VALUE", flag)
	}
	if r.cmd.HasSubCommands() && len(r.rest) > 0 && r.rest[0] != "--" && !slices.ContainsFunc(r.rest, isHelp) {
		if r.unknown != "" { // the word may be its value
			return nil, errUsage("unknown flag: %s; see %s --help", r.unknown, r.cmd.CommandPath())
		}
		return nil, unknownCommand(r.cmd, r.rest[0])
	}
	return r.arguments(), nil
}

// orderCompletion orders the arguments of a request for completion, except for the last one, which
// is completed.
func orderCompletion(root *cobra.Command, args []string) []string {
	if len(args) < 3 {
		return args
	}
	last := len(args) - 1
	return slices.Concat(args[:1], readCommand(root, args[1:last]).arguments(), args[last:])
}

func isHelp(arg string) bool { return arg == "--help" || arg == "-h" }

// reading is the arguments of the program, divided at the words of the command.
type reading struct {
	cmd   *cobra.Command
	words []string // that name the command
	flags []string // before the last of the words, with values
	rest  []string // what follows the words
	// unknown is the first flag before the last of the words that no command has.
	unknown string
}

// readCommand divides the arguments.
func readCommand(root *cobra.Command, args []string) reading {
	kinds := kindsOfFlags(root)
	r := reading{cmd: root, rest: args}
	for len(r.rest) > 0 && r.rest[0] != "--" && r.cmd.HasSubCommands() {
		n := 1
		switch name, isLong := longName(r.rest[0]); {
		case isLong && kinds[name] == nil:
			r.unknown = cmp.Or(r.unknown, "--"+name)
		case isLong && r.takesNext(kinds):
			n = 2
		case !strings.HasPrefix(r.rest[0], "-") || r.rest[0] == "-":
			sub, rest := find(r.cmd, r.rest[:1])
			if len(rest) > 0 {
				return r // an unknown word
			}
			r.cmd, r.words, r.rest = sub, append(r.words, r.rest[0]), r.rest[1:]
			continue
		}
		r.flags, r.rest = append(r.flags, r.rest[:n]...), r.rest[n:]
	}
	return r
}

// takesNext reports whether the flag at the beginning of the rest has the next argument as its value.
// If only some of the commands with this flag require a value, the name of a command is not a value.
func (r reading) takesNext(kinds map[string][]bool) bool {
	name, _ := longName(r.rest[0])
	if strings.Contains(r.rest[0], "=") || !slices.Contains(kinds[name], true) || len(r.rest) < 2 || isFlag(r.rest[1], kinds) {
		return false
	}
	sub, _ := find(r.cmd, r.rest[1:2])
	return sub == r.cmd || !slices.Contains(kinds[name], false)
}

// kindsOfFlags returns for the names of all flags whether they require a value. A name may mean
// different flags in different commands, and has both kinds then.
func kindsOfFlags(root *cobra.Command) map[string][]bool {
	kinds := map[string][]bool{}
	add := func(f *pflag.Flag) {
		if kind := requiresValue(f); !slices.Contains(kinds[f.Name], kind) {
			kinds[f.Name] = append(kinds[f.Name], kind)
		}
	}
	eachCommand(root, func(cmd *cobra.Command) {
		cmd.Flags().VisitAll(add)
		cmd.PersistentFlags().VisitAll(add)
	})
	return kinds
}

func requiresValue(f *pflag.Flag) bool { return f.NoOptDefVal == "" }

// longName returns the name of a flag such as --name or --name=value.
func longName(arg string) (name string, isLong bool) {
	name, isLong = strings.CutPrefix(arg, "--")
	name, _, _ = strings.Cut(name, "=")
	return name, isLong
}

// isFlag reports whether an argument is a flag of a command.
func isFlag(arg string, kinds map[string][]bool) bool {
	name, isLong := longName(arg)
	return isLong && kinds[name] != nil
}

// arguments returns the arguments with the flags behind the words of the command. Flags of a server
// before a command that uses neither a server nor a database, such as help, are left out, as the
// variables are ignored.
func (r reading) arguments() []string {
	flags := r.flags
	if !r.cmd.HasSubCommands() && r.cmd.Flag("data-folder") == nil {
		flags = withoutClientFlags(flags)
	}
	args := make([]string, 0, len(r.words)+len(flags)+len(r.rest)) // cobra takes those of the process instead of nil
	return append(append(append(args, r.words...), flags...), r.rest...)
}

// withoutClientFlags returns arguments that consist of flags without the flags of a server.
func withoutClientFlags(flags []string) []string {
	known := pflag.NewFlagSet("", pflag.ContinueOnError)
	config.AddClientFlags(known)
	var kept []string
	for i := 0; i < len(flags); i++ {
		name, _ := longName(flags[i])
		switch f := known.Lookup(name); {
		case f == nil:
			kept = append(kept, flags[i])
		case requiresValue(f) && !strings.Contains(flags[i], "="):
			i++
		}
	}
	return kept
}

// withoutValue returns the name of the first flag that is followed by another flag instead of its
// value, or an empty text.
func (r reading) withoutValue() string {
	args := r.arguments()[len(r.words):]
	for i := 0; i < len(args) && args[i] != "--"; i++ {
		name, isLong := strings.CutPrefix(args[i], "--")
		f := r.cmd.Flag(name)
		if !isLong || f == nil || !requiresValue(f) {
			continue
		}
		if i++; i == len(args) {
			break // cobra says so
		}
		other, isLong := longName(args[i])
		if isLong && r.cmd.Flag(other) != nil {
			return name
		}
	}
	return ""
}

// mayBeEmpty are the flags for which an empty value has a meaning of its own.
var mayBeEmpty = []string{"device", "label", "if-match", "reason", "wallets"}

// checkEmpty refuses flags with an empty value, such as the one of an unset variable, which would
// otherwise have the meaning of a flag that is left out.
func checkEmpty(cmd *cobra.Command) error {
	var empty string
	cmd.Flags().Visit(func(f *pflag.Flag) {
		isEmpty := f.Value.String() == ""
		if list, ok := f.Value.(pflag.SliceValue); ok {
			isEmpty = !slices.ContainsFunc(list.GetSlice(), func(text string) bool { return text != "" })
		}
		if isEmpty && empty == "" && !slices.Contains(mayBeEmpty, f.Name) {
			empty = f.Name
		}
	})
	switch empty {
	case "":
		return nil
	case "server":
		return errUsage("--server is empty; it must be the URL of a server, and without the flag the command uses the database of this machine")
	}
	return errUsage("--%s is empty; set a value, or leave out the flag", empty)
}
