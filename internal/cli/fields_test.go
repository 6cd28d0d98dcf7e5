package cli

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// commandNamed returns the command with this path below specterd.
func commandNamed(t *testing.T, path string) *cobra.Command {
	t.Helper()
	cmd, rest := find(newRoot(), strings.Fields(path))
	if len(rest) > 0 {
		t.Fatalf("there is no command %q", path)
	}
	return cmd
}

func TestInputs(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ path, field, want string }{
		{"wallet create", "keys[1]", "--key number 2"},
		{"wallet create", "signatures_required", "--signatures-required"},
		{"wallet create", "name", "--name"},
		{"user add", "name", "NAME"},
		{"proposal create", "recipients[0].address", "--to number 1"},
		{"proposal create", "fee_rate_sat_vb", "--fee-rate"},
		{"label set", "label", "LABEL"},
		{"wallet address", "label", "--label"},
		{"wallet address", "unknown", "unknown"},
		{"webhook create", "url", "URL"},
		{"token create", "lifetime", "--expires"},
	} {
		t.Run(test.path+" "+test.field, func(t *testing.T) {
			t.Parallel()
			if got := inputOf(commandNamed(t, test.path), test.field); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

func TestInputs_Errors(t *testing.T) {
	t.Parallel()
	invalid := fault.InvalidField("target_blocks", "must be omitted if fee_rate_sat_vb is given")
	cmd := commandNamed(t, "proposal create")
	for _, test := range []struct {
		name string
		err  error
		want string
	}{
		{"one field", invalid, "--target-blocks: must be omitted if --fee-rate is given"},
		{"wrapped, with an exit status", errUsage("propose: %w", invalid), "propose: --target-blocks: must be omitted if --fee-rate is given"},
		{"two fields", fault.Join(invalid, fault.InvalidField("expires_at", "must be later")), "--target-blocks: must be omitted if --fee-rate is given; --expires: must be later"},
		{"joined", errors.Join(invalid, errors.New("x"), fault.InvalidField("label", "is long")), "--target-blocks: must be omitted if --fee-rate is given\nx\n--label: is long"},
		{"a value", fault.New(fault.Conflict, "x", "set allow_duplicates to true"), "use --allow-duplicates"},
		{"no fault", errors.New("the field fee_rate_sat_vb"), "the field fee_rate_sat_vb"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := asInputs(cmd, test.err)
			if got.Error() != test.want || exitStatus(got) != exitStatus(test.err) || !errors.Is(got, test.err) {
				t.Errorf("got %v, want %s", got, test.want)
			}
		})
	}
}

// withoutInput are the fields of faults that no command takes.
var withoutInput = map[string]string{
	"":            "replaced by a position in recipients",
	"code":        "only on the console's page of the first run",
	"count":       "only for QR codes in the API",
	"file_base64": "an alternative to file in the API",
	"final_after": "a setting of wallets in the API",
	"first":       "only for QR codes in the API",
	"least":       "a filter of UTXOs in the console",
	"network":     "determined by the node",
	"origin":      "a field of a line in a file",
	"spendable":   "a field of a line in a file",
	"step":        "of the chart of balances in the console",
	"type":        "a field of a line in a file",
}

// TestInputs_EveryField checks that each field of a fault in the packages below has a flag or
// an argument of at least one command.
func TestInputs_EveryField(t *testing.T) {
	t.Parallel()
	var commands []*cobra.Command
	eachCommand(newRoot(), func(cmd *cobra.Command) { commands = append(commands, cmd) })
	fields := fieldsOfFaults(t, "auth", "btc", "event", "node/backend", "proposal", "qrcodec", "wallet", "walletexport", "walletfile", "webhook")
	if len(fields) < 30 {
		t.Errorf("only %d fields were found: %v", len(fields), fields)
	}
	for _, field := range fields {
		has := slices.ContainsFunc(commands, func(cmd *cobra.Command) bool { return inputOf(cmd, field) != field })
		if _, listed := withoutInput[field]; has == listed {
			t.Errorf("%q has a flag or an argument: %t; in withoutInput: %t", field, has, listed)
		}
	}
	for field := range withoutInput {
		if !slices.Contains(fields, field) {
			t.Errorf("no fault has the field %q", field)
		}
	}
}

// fieldsOfFaults returns the fields that calls of the package fault in these packages name.
func fieldsOfFaults(t *testing.T, packages ...string) []string {
	t.Helper()
	var fields []string
	for _, name := range packages {
		err := filepath.WalkDir(filepath.Join("..", name), func(path string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
			if err != nil {
				return err
			}
			ast.Inspect(file, func(n ast.Node) bool {
				if field, ok := fieldOfCall(n); ok && !slices.Contains(fields, field) {
					fields = append(fields, field)
				}
				return true
			})
			return nil
		})
		testkit.Check(t, err)
	}
	return fields
}

// fieldOfCall returns the name of the field in a call of InvalidField, InvalidAs, WithField or
// ForField, if it is constant.
func fieldOfCall(n ast.Node) (string, bool) {
	call, ok := n.(*ast.CallExpr)
	if !ok {
		return "", false
	}
	function, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return "", false
	}
	at, known := map[string]int{"InvalidField": 0, "InvalidAs": 1, "WithField": 0, "ForField": 0}[function.Sel.Name]
	if !known || len(call.Args) <= at {
		return "", false
	}
	literal, ok := call.Args[at].(*ast.BasicLit)
	if !ok {
		return "", false
	}
	field, err := strconv.Unquote(literal.Value)
	return field, err == nil
}

var (
	namedField = regexp.MustCompile(`(?m)(?:^|; )([a-z_]+)(?:\[\d+\][.a-z_]*)?: `)
	// otherNames are columns of files and values that contain an underscore.
	otherNames = []string{"amount_sat", "amount_btc", "partially_signed", "awaiting_approval"}
)

// TestInputs_EveryFlag runs each command with invalid values of each flag, and checks that no
// error names a field of the API that the command has as a flag or an argument.
func TestInputs_EveryFlag(t *testing.T) {
	s, keys := newShell(t, false)
	s.serve(t)
	s.createVault(t, keys, 1)
	t.Chdir(t.TempDir())
	to := s.newAddress(t)
	without := []string{"serve", "demo", "man", "openapi", "help", "restore", "import"}
	failed := 0
	check := func(cmd *cobra.Command, args ...string) {
		t.Helper()
		_, _, err := s.try(t.Context(), args...)
		if err == nil {
			return
		}
		failed++
		for _, name := range apiName.FindAllString(err.Error(), -1) {
			if !slices.Contains(otherNames, name) {
				t.Errorf("specterd %q names %s: %v", args, name, err)
			}
		}
		for _, match := range namedField.FindAllStringSubmatch(err.Error(), -1) {
			if input := inputOf(cmd, match[1]); input != match[1] {
				t.Errorf("specterd %q names %s instead of %s: %v", args, match[1], input, err)
			}
		}
	}
	for _, line := range []string{ // refused by services
		"proposal create vault --to %s=max --fee-rate 2 --target-blocks 2",
		"proposal create vault --to %[1]s=1000sat --to %[1]s=2000sat",
		"proposal create vault --to %[1]s=max --to %[1]s=max",
		"proposal create vault --to %[1]s=max --to %[1]s=2000sat --subtract-fee-from %[1]s --allow-duplicates",
		"proposal create vault --to %s=1sat",
		"proposal create vault --to %s=1000sat --fee-rate 0.01",
		"proposal create vault --to %s=1000sat --max-fee 1sat",
		"proposal create vault --to %s=1000sat --replaces x",
		"proposal create vault --to %s=9BTC",
		"wallet create --name x --birthday now --key x --signatures-required 3",
		"wallet create --name x --birthday now --key x --script wpkh --signatures-required 3",
		"wallet create --name x --birthday now --descriptor x --change-descriptor y",
		"wallet create --name  --birthday 99999999 --alias A --key x --script p",
		"token create x --expires 900days --scopes node:read",
		"user set admin --admin=false",
		"user quota admin tokens=-1",
	} {
		args := strings.Fields(line)
		for i := range args {
			if strings.Contains(args[i], "%") {
				args[i] = fmt.Sprintf(args[i], to)
			}
		}
		cmd, _ := find(newRoot(), args)
		was := failed
		if check(cmd, args...); failed == was {
			t.Errorf("specterd %s succeeded", line)
		}
	}
	eachCommand(newRoot(), func(cmd *cobra.Command) {
		path := strings.Join(pathOf(cmd), " ")
		if cmd.HasSubCommands() || slices.Contains(without, path) || strings.HasPrefix(path, "completion") {
			return
		}
		words := append(strings.Fields(path), invalidArguments(cmd)...)
		try := func(flags ...string) { check(cmd, slices.Concat(words, flags)...) }
		required := requiredFlags(cmd, "x")
		try(required...)
		cmd.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) {
			for _, value := range []string{"x", "-1", ""} {
				if f.Value.Type() != "bool" {
					try(append(required[:len(required):len(required)], "--"+f.Name+"="+value)...)
				}
			}
		})
	})
	if failed < 100 {
		t.Errorf("only %d commands failed", failed)
	}
}

// invalidArguments returns arguments with which a command fails late: a wallet that exists,
// and other names that do not.
func invalidArguments(cmd *cobra.Command) []string {
	var args []string
	for _, word := range strings.Fields(cmd.Use)[1:] {
		switch {
		case strings.HasPrefix(word, "["), strings.HasPrefix(word, "-"):
			return args
		case word == "ALIAS":
			args = append(args, "vault")
		default:
			args = append(args, fmt.Sprintf("./%s:", strings.ToLower(strings.Trim(word, "…"))))
		}
	}
	return args
}

// requiredFlags returns the required flags of a command with a value.
func requiredFlags(cmd *cobra.Command, value string) []string {
	var flags []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if slices.Contains(f.Annotations[cobra.BashCompOneRequiredFlag], "true") {
			flags = append(flags, "--"+f.Name+"="+value)
		}
	})
	return flags
}
