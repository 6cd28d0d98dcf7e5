package cli

import (
	"cmp"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/specterd/specterd/internal/config"
)

// orderArguments returns the command that the arguments name, and the arguments with all flags
// behind its words, because cobra accepts flags before them only if it knows them as flags of a
// parent. It returns an error for an unknown command, and for a flag whose value is missing.
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

// reading is one way to read the arguments of the program. The arguments do not say whether a word
// after a flag is its value, which depends on the command.
type reading struct {
	cmd   *cobra.Command
	words []string // that name the command
	flags []string // before the last of the words, with values
	names []string // of these flags
	isSet []bool   // whether these flags have a value
	rest  []string // what follows the words
	// unknown is the first flag before the last of the words that no command has.
	unknown string
}

// readCommand returns the best reading of the arguments.
func readCommand(root *cobra.Command, args []string) reading {
	kinds := kindsOfFlags(root)
	var best reading
	bestRank := -1
	for _, r := range readings(reading{cmd: root, rest: args}, kinds) {
		if rank := r.rank(); rank > bestRank {
			best, bestRank = r, rank
		}
	}
	return best
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

// readings continues a reading in all possible ways.
func readings(r reading, kinds map[string][]bool) []reading {
	for len(r.rest) > 0 && r.rest[0] != "--" && r.cmd.HasSubCommands() {
		arg := r.rest[0]
		if !strings.HasPrefix(arg, "-") || arg == "-" {
			sub, rest := find(r.cmd, r.rest[:1])
			if len(rest) > 0 {
				break // an unknown word
			}
			r.cmd, r.words, r.rest = sub, with(r.words, arg), r.rest[1:]
			continue
		}
		long, isLong := strings.CutPrefix(arg, "--")
		name, _, hasValue := strings.Cut(long, "=")
		if isLong && !hasValue && kinds[name] != nil {
			return eitherWay(r, name, kinds)
		}
		if isLong && kinds[name] == nil {
			r.unknown = cmp.Or(r.unknown, "--"+name)
		}
		r = r.withFlag(strings.TrimLeft(name, "-"), hasValue, 1)
	}
	return []reading{r}
}

// eitherWay continues a reading after a flag in all ways in which commands have the flag: the next
// argument is its value, or it has none.
func eitherWay(r reading, name string, kinds map[string][]bool) (all []reading) {
	for _, hasValue := range kinds[name] {
		n := 1
		if hasValue && len(r.rest) > 1 && !isFlag(r.rest[1], kinds) {
			n = 2
		}
		all = append(all, readings(r.withFlag(name, hasValue, n), kinds)...)
	}
	return all
}

// isFlag reports whether an argument is a flag of a command.
func isFlag(arg string, kinds map[string][]bool) bool {
	name, isLong := strings.CutPrefix(arg, "--")
	name, _, _ = strings.Cut(name, "=")
	return isLong && kinds[name] != nil
}

// withFlag returns the reading with a flag, which is the first n arguments of the rest.
func (r reading) withFlag(name string, hasValue bool, n int) reading {
	r.flags, r.rest = slices.Concat(r.flags, r.rest[:n]), r.rest[n:]
	r.names, r.isSet = with(r.names, name), with(r.isSet, hasValue)
	return r
}

// with returns a new slice with another element.
func with[T any](all []T, one T) []T { return append(slices.Clip(all), one) }

// rank orders readings. The best ones name a command with all these flags. Readings without such a
// command are ordered by the number of words.
func (r reading) rank() int {
	rank := len(r.words)
	if !r.cmd.HasSubCommands() {
		rank += 100
	}
	if len(r.rest) == 0 || !r.cmd.HasSubCommands() {
		rank += 100
	}
	for i, name := range r.names {
		if f := r.cmd.Flag(name); f != nil && requiresValue(f) == r.isSet[i] {
			rank += 2
		}
	}
	return rank
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
		name, _, hasValue := strings.Cut(strings.TrimPrefix(flags[i], "--"), "=")
		switch f := known.Lookup(name); {
		case f == nil:
			kept = append(kept, flags[i])
		case requiresValue(f) && !hasValue:
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
		other, isLong := strings.CutPrefix(args[i], "--")
		other, _, _ = strings.Cut(other, "=")
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
