package cli

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/proposal"
)

// inputs are the flags and arguments for fields of the API whose names differ from them. A
// command takes the first one that it has. Fields that are not listed are the flag of the same
// name, such as --fee-source for fee_source, or the argument in capital letters.
var inputs = map[string][]string{
	"address": {"--address", "REF"}, "after": {"--since"}, "description": {"--description", "DESCRIPTION"}, "expires_at": {"--expires"},
	"fee_rate_sat_vb": {"--fee-rate"}, "format": {"--qr-format", "--format"}, "grace_period": {"--grace-period"}, "id": {"ID"}, "keys": {"--key"}, "key": {"--key"},
	"label": {"--label", "LABEL"}, "lifetime": {"--expires"}, "max_fee_sat": {"--max-fee"}, "name": {"--name", "NAME"}, "outpoint": {"--from", "REF"},
	"quotas": {"QUOTA"}, "recipients": {"--to"}, proposal.FieldCSV: {"--" + recipientsFlag}, "send_max": {"--to"}, "change_descriptor": {"--change-descriptor"},
	"utxos": {"--from"}, "user": {"USER", "NAME", "--user"}, "alias": {"--alias", "ALIAS"}, "files": {"--files", "--file"},
}

// phrases are remedies in errors and warnings that are for the API, and their texts for
// commands.
var phrases = []struct {
	api  *regexp.Regexp
	text string
}{
	{regexp.MustCompile(`check them with dry_run, and repeat the request with evict set to true`), "repeat the command with --evict"},
	{regexp.MustCompile(`\bset (\w+) to true\b`), "use $1"},
	{regexp.MustCompile(`\bthe parameter (script)\b`), "--$1"},
	{regexp.MustCompile(`: \?wallets=delete in the API, --delete-wallets at the command line`), " with --delete-wallets"},
	{regexp.MustCompile(`\((file|key)s\)`), "(--$1)"},
	{regexp.MustCompile(`\bsend_max\b`), "ADDRESS=max"},
	{regexp.MustCompile(`\brepeat the request\b`), "repeat the command"},
}

// apiName matches a name of the API in a text.
var apiName = regexp.MustCompile(`\b[a-z]+(?:_[a-z]+)+\b`)

// inputOf returns the flag or the argument with which a command sets a field, or the field
// itself if it has none. A position in a list becomes the number of the flag, from 1.
func inputOf(cmd *cobra.Command, field string) string {
	name, rest, _ := strings.Cut(field, "[")
	input := field
	if name == passwordFlag && isSet(cmd, passwordStdinFlag) {
		return "--" + passwordStdinFlag
	}
	for _, one := range append(inputs[name], "--"+strings.ReplaceAll(name, "_", "-"), strings.ToUpper(name)) {
		if takes(cmd, one) {
			input = one
			break
		}
	}
	var position int
	if n, _ := fmt.Sscanf(rest, "%d]", &position); n == 1 && input != field {
		input = fmt.Sprintf("%s number %d", input, position+1)
	}
	return input
}

// takes reports whether a command has a flag, or an argument in its usage line.
func takes(cmd *cobra.Command, input string) bool {
	if flag, ok := strings.CutPrefix(input, "--"); ok {
		return cmd.Flag(flag) != nil
	}
	return regexp.MustCompile(`\b` + regexp.QuoteMeta(input) + `\b`).MatchString(cmd.Use)
}

// inCommand replaces names of the API in a text by the flags and arguments of a command.
func inCommand(cmd *cobra.Command, text string) string {
	for _, p := range phrases {
		text = p.api.ReplaceAllString(text, p.text)
	}
	return apiName.ReplaceAllStringFunc(text, func(name string) string { return inputOf(cmd, name) })
}

// commandError is an error whose text names flags and arguments instead of fields of the API.
type commandError struct {
	text string
	err  error
}

func (e commandError) Error() string { return e.text }

func (e commandError) Unwrap() error { return e.err }

// asInputs replaces the names of the API in the text of an error by the flags and arguments
// of the command that returned it.
func asInputs(cmd *cobra.Command, err error) error {
	if err == nil || cmd == nil {
		return err
	}
	text := err.Error()
	for _, f := range faultsOf(err) {
		text = strings.Replace(text, f.Error(), faultText(cmd, f), 1)
	}
	if text == err.Error() {
		return err
	}
	return commandError{text, err}
}

// faultText returns the text of a fault in terms of a command.
func faultText(cmd *cobra.Command, f *fault.Error) string {
	if len(f.Fields) == 0 {
		return inCommand(cmd, f.Error())
	}
	parts := make([]string, len(f.Fields)) // without the cause, which says less, with the name of the field
	for i, field := range f.Fields {
		parts[i] = inputOf(cmd, field.Name) + ": " + inCommand(cmd, field.Message)
	}
	return strings.Join(parts, "; ")
}

// faultsOf returns the outermost faults in the tree of an error.
func faultsOf(err error) []*fault.Error {
	var found []*fault.Error
	switch e := err.(type) { //nolint:errorlint // the tree is walked here
	case *fault.Error:
		return []*fault.Error{e}
	case interface{ Unwrap() []error }:
		for _, one := range e.Unwrap() {
			found = append(found, faultsOf(one)...)
		}
	default:
		if inner := errors.Unwrap(err); inner != nil {
			return faultsOf(inner)
		}
	}
	return found
}
