package cli

import (
	_ "embed"
	"slices"
	"strings"
	"text/template"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/specterd/specterd/internal/config"
)

//go:embed man.tmpl
var manSource string

// manPage is the data for the template of the manual page.
type manPage struct {
	Version, Date string
	Commands      []*cobra.Command
	Variables     []config.Variable
}

func (p *program) manCommand() *cobra.Command {
	return &cobra.Command{
		Use: "man", Short: "Print the manual page, for man -l", Args: cobra.NoArgs, Hidden: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			functions := template.FuncMap{"roff": roff, "text": roffText, "flags": flagsOf, "default": defaultOf, "settings": settingsOf}
			page, err := template.New("man").Funcs(functions).Parse(manSource)
			if err != nil {
				return err
			}
			date, _, _ := strings.Cut(builtFrom().time, "T")
			return page.Execute(p.stdout, manPage{version, date, leaves(cmd.Root()), config.Variables()})
		},
	}
}

// leaves returns the available commands without subcommands, except completion and help,
// sorted by name.
func leaves(parent *cobra.Command) []*cobra.Command {
	var found []*cobra.Command
	for _, cmd := range parent.Commands() {
		switch {
		case !cmd.IsAvailableCommand() || cmd.Name() == "completion" || cmd.Name() == "help":
		case cmd.HasAvailableSubCommands():
			found = append(found, leaves(cmd)...)
		default:
			found = append(found, cmd)
		}
	}
	return found
}

// flagsOf returns the flags of a command and of its parents, except settings and hidden
// flags.
func flagsOf(cmd *cobra.Command) []*pflag.Flag {
	_, flags := splitFlags(cmd)
	return flags
}

// defaultOf returns the default of a flag, or an empty text if it is the zero value, as in the
// help of commands.
func defaultOf(f *pflag.Flag) string {
	if f.Value.Type() != "string" && slices.Contains([]string{"0", "false", "[]"}, f.DefValue) {
		return ""
	}
	return f.DefValue
}

// settingsOf returns the flags of a command that are settings, separated by commas.
func settingsOf(cmd *cobra.Command) string {
	settings, _ := splitFlags(cmd)
	return strings.Join(settings, ", ")
}

func splitFlags(cmd *cobra.Command) (settings []string, flags []*pflag.Flag) {
	isSetting := map[string]bool{}
	for _, v := range config.Variables() {
		isSetting[v.Flag] = true
	}
	add := func(f *pflag.Flag) {
		switch {
		case isSetting[f.Name]:
			settings = append(settings, "--"+f.Name)
		case !f.Hidden && f.Name != "help":
			flags = append(flags, f)
		}
	}
	cmd.LocalFlags().VisitAll(add)
	cmd.InheritedFlags().VisitAll(add)
	return settings, flags
}

var roffEscapes = strings.NewReplacer(`\`, `\e`, "-", `\-`, "'", `\(aq`, "~", `\(ti`, "^", `\(ha`)

// roff escapes a line of text for roff.
func roff(text string) string {
	text = roffEscapes.Replace(strings.Join(strings.Fields(text), " "))
	if strings.HasPrefix(text, ".") {
		text = `\&` + text
	}
	return text
}

// roffText formats paragraphs. Paragraphs with indented lines are examples or tables and
// are not filled.
func roffText(text string) string {
	var b strings.Builder
	for paragraph := range strings.SplitSeq(strings.Trim(text, "\n"), "\n\n") {
		if !strings.HasPrefix(paragraph, "  ") && !strings.Contains(paragraph, "\n  ") {
			b.WriteString(".PP\n" + roff(paragraph) + "\n")
			continue
		}
		b.WriteString(".PP\n.nf\n")
		for line := range strings.Lines(paragraph) {
			b.WriteString(`\&` + roffEscapes.Replace(strings.TrimRight(line, "\n")) + "\n")
		}
		b.WriteString(".fi\n")
	}
	return b.String()
}
