package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

const yesFlag = "yes"

// errDeclined is returned if the user does not confirm a command.
var errDeclined = errors.New("not confirmed; nothing was changed")

// addYes adds the flag --yes to a command that asks a question, and returns the command.
func addYes(cmd *cobra.Command) *cobra.Command {
	cmd.Flags().Bool(yesFlag, false, "do not ask for confirmation")
	return cmd
}

// confirm asks a question on the terminal, unless --yes was given. It returns nil only if
// the answer is yes.
func (p *program) confirm(cmd *cobra.Command, format string, args ...any) error {
	if isSet(cmd, yesFlag) {
		return nil
	}
	question := fmt.Sprintf(format, args...)
	f, ok := p.stdin.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return fmt.Errorf("%s There is no terminal to answer; repeat the command with --yes to confirm", question)
	}
	fmt.Fprint(p.stderr, question+" [y/N] ")
	switch strings.ToLower(strings.TrimSpace(readLine(p.stdin))) {
	case "y", "yes":
		return nil
	}
	return errDeclined
}

// readLine reads a line, and nothing after it. An error ends the line, because no answer
// means no.
func readLine(r io.Reader) string {
	var line []byte
	for one := make([]byte, 1); ; line = append(line, one[0]) {
		if n, err := r.Read(one); n != 1 || err != nil || one[0] == '\n' {
			return string(line)
		}
	}
}
