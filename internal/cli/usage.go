package cli

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/specterd/specterd/internal/text"
)

// exitUsage is the exit status of a command that did nothing because of a wrong command
// line.
const exitUsage = 2

// errUsage returns an error about the command line.
func errUsage(format string, args ...any) error {
	return exitError{exitUsage, fmt.Errorf(format, args...)}
}

// checkUsage makes all commands refuse a wrong command line with the exit status
// exitUsage, before they do anything. Without this, cobra prints the help of a command
// group for a mistyped subcommand and exits with status 0.
func checkUsage(root *cobra.Command) {
	root.InitDefaultCompletionCmd()
	root.SetHelpCommand(helpCommand(root))
	root.InitDefaultHelpCmd()
	root.SetFlagErrorFunc(flagError)
	addSuggestions(root)
	// A group is runnable only to refuse mistyped subcommands.
	root.SetUsageTemplate(strings.Replace(root.UsageTemplate(), "{{if .Runnable}}", "{{if and .Runnable (not .HasSubCommands)}}", 1))
	eachCommand(root, func(cmd *cobra.Command) {
		if cmd.HasSubCommands() {
			cmd.Args = cobra.ArbitraryArgs
			cmd.RunE = runGroup
			return
		}
		cmd.Args = checkArgs(cmd.Args)
	})
}

// eachCommand calls do for a command and all commands below it.
func eachCommand(cmd *cobra.Command, do func(*cobra.Command)) {
	do(cmd)
	for _, c := range cmd.Commands() {
		eachCommand(c, do)
	}
}

// runGroup shows the help of a command group, or refuses an unknown subcommand.
func runGroup(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return cmd.Help()
	}
	return unknownCommand(cmd, args[0])
}

func unknownCommand(group *cobra.Command, name string) error {
	return errUsage("unknown command %q for %q; %s", name, group.CommandPath(), hintForCommand(group, name))
}

// checkArgs returns a validator of positional arguments that also checks the required
// flags, and whose errors have the status exitUsage.
func checkArgs(valid cobra.PositionalArgs) cobra.PositionalArgs {
	if valid == nil {
		valid = cobra.NoArgs
	}
	return func(cmd *cobra.Command, args []string) error {
		if valid(cmd, args) != nil {
			for i := range args {
				if valid(cmd, args[:i]) == nil {
					if hint := passwordHint(cmd); hint != "" { // the argument may be a password, which is not repeated
						return errUsage("unexpected argument; %s; usage: %s", hint, cmd.UseLine())
					}
					return errUsage("unexpected argument %q; usage: %s", args[i], cmd.UseLine())
				}
			}
			return errUsage("an argument is missing; usage: %s", cmd.UseLine())
		}
		var missing []string
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if slices.Contains(f.Annotations[cobra.BashCompOneRequiredFlag], "true") && !f.Changed {
				missing = append(missing, "--"+f.Name)
			}
		})
		if len(missing) > 0 {
			return errMissing(cmd, missing)
		}
		if err := groupError(cmd, cmd.ValidateFlagGroups()); err != nil {
			return err
		}
		if err := checkEmpty(cmd); err != nil {
			return err
		}
		return checkFileArguments(cmd, args)
	}
}

// passwordHint says how a command takes a password, or is empty if it takes none.
func passwordHint(cmd *cobra.Command) string {
	switch {
	case cmd.Flags().Lookup(passwordStdinFlag) == nil:
		return ""
	case cmd.Flags().Lookup(passwordFlag) == nil:
		return "the command prompts for the password; in scripts, use --" + passwordStdinFlag
	}
	return "--" + passwordFlag + " prompts for the password; in scripts, use --" + passwordStdinFlag
}

// errMissing returns an error about required flags.
func errMissing(cmd *cobra.Command, flags []string) error {
	if len(flags) == 1 {
		return errUsage("%s is required; see %s --help", flags[0], cmd.CommandPath())
	}
	return errUsage("%s are required; see %s --help", text.List(flags, "and"), cmd.CommandPath())
}

// flagGroup matches the names of the flags in cobra's errors about groups of flags.
var flagGroup = regexp.MustCompile(`\[([^]]*)\]`)

// groupError rewrites an error about flags that exclude or require each other.
func groupError(cmd *cobra.Command, err error) error {
	if err == nil {
		return nil
	}
	names := flagGroup.FindStringSubmatch(err.Error())
	if names == nil {
		return errUsage("%w; see %s --help", err, cmd.CommandPath())
	}
	flags := "--" + strings.Join(strings.Fields(names[1]), ", --")
	switch {
	case strings.Contains(err.Error(), "at least one"):
		return errUsage("one of %s is required; see %s --help", flags, cmd.CommandPath())
	case strings.Contains(err.Error(), "none of the others"):
		return errUsage("only one of %s may be set; see %s --help", flags, cmd.CommandPath())
	}
	return errUsage("%s must be set together; see %s --help", flags, cmd.CommandPath())
}

// flagError adds a suggestion to an error about an unknown flag.
func flagError(cmd *cobra.Command, err error) error {
	if e, ok := errors.AsType[*pflag.InvalidValueError](err); ok && strings.HasPrefix(e.GetFlag().Name, passwordFlag) {
		return errUsage("--%s takes no value; %s", e.GetFlag().Name, passwordHint(cmd)) // the value may be a password
	}
	hint := "; see " + cmd.CommandPath() + " --help"
	if e, ok := errors.AsType[*pflag.NotExistError](err); ok {
		if name := e.GetSpecifiedName(); name == "server" || name == "token-file" || name == "allow-http" {
			return errUsage("--%s is not a flag of %s; %s", name, cmd.CommandPath(), whereServer)
		}
		var names []string
		cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
		if found := hintForFlag(e.GetSpecifiedName(), names); found != "" {
			hint = "; " + found
		}
		if how := passwordHint(cmd); e.GetSpecifiedName() == passwordFlag && how != "" {
			hint = "; " + how
		}
	}
	return errUsage("%w%s", err, hint)
}

// helpCommand returns the command help, which refuses unknown commands.
func helpCommand(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use: "help [COMMAND …]", Short: "Show the help of a command", Args: cobra.ArbitraryArgs,
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			group, rest := find(root, args)
			var names []string
			for _, c := range group.Commands() {
				if c.IsAvailableCommand() && len(rest) == 0 {
					names = append(names, c.Name()+"\t"+c.Short)
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(_ *cobra.Command, args []string) error {
			cmd, rest := find(root, args)
			if len(rest) > 0 {
				return unknownCommand(cmd, rest[0])
			}
			cmd.InitDefaultHelpFlag()
			return cmd.Help()
		},
	}
}

// find returns the command with the given path and the names that follow it.
func find(cmd *cobra.Command, path []string) (*cobra.Command, []string) {
	for len(path) > 0 {
		i := slices.IndexFunc(cmd.Commands(), func(c *cobra.Command) bool { return c.Name() == path[0] || c.HasAlias(path[0]) })
		if i < 0 {
			break
		}
		cmd, path = cmd.Commands()[i], path[1:]
	}
	return cmd, path
}
