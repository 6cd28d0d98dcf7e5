package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/specterd/specterd/internal/testenv/testkit"
)

// complete returns what a shell would offer after these words, the last of which may be
// incomplete, and checks that nothing else is printed.
func (s *shell) complete(t *testing.T, words ...string) []string {
	t.Helper()
	out, _, err := s.try(t.Context(), append([]string{cobra.ShellCompNoDescRequestCmd}, words...)...)
	if err != nil {
		t.Fatalf("%q: %v", words, err)
	}
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if last := lines[len(lines)-1]; !strings.HasPrefix(last, ":") {
		t.Fatalf("%q: the last line is not a directive: %q", words, out)
	}
	return lines[:len(lines)-1]
}

// TestCompletion_Values completes names and ids from the database, on both databases.
func TestCompletion_Values(t *testing.T) {
	onBoth(t, func(t *testing.T, postgres bool) {
		s, keys := newShell(t, postgres)
		s.serve(t)
		s.createVault(t, keys, 1)
		created := uuidText.FindString(s.run(t, "proposal", "create", "vault", "--to", s.newAddress(t)+"=0.1BTC"))
		hook := uuidText.FindString(s.run(t, "webhook", "create", "admin", "https://shop.example/hook"))
		token, _ := field(s.get(t, "/api/v1/tokens/self"), "id").(string)
		for words, want := range map[string]string{
			"user show ": "admin", "wallet show ": "vault", "wallet list --user ": "admin", "wallet member add vault ": "admin",
			"token create x --wallets ": "vault", "token create x --scopes node:read,proposals:s": "node:read,proposals:sign",
			"token create x --scopes wallets:": "wallets:*", "token revoke ": token, "token revoke x ": token,
			"proposal show ": created, "proposal cancel ": created, "proposal list --status part": "partially_signed",
			"webhook show ": hook, "webhook create admin u --kinds transaction.f": "transaction.final", "webhook create admin u --wallets ": "vault",
			"webhook deliveries x --status fa": "failed", "user quota admin wal": "wallets=", "wallet member set vault admin --role s": "signer",
			"wallet transactions --category se": "selftransfer", "label set ": "vault", "audit list --outcome r": "refused", "key sh": "show",
		} {
			t.Run(words, func(t *testing.T) {
				if got := s.complete(t, strings.Split(words, " ")...); !slices.Contains(got, want) {
					t.Errorf("%q completes to %q, want %q", words, got, want)
				}
			})
		}
		for _, words := range []string{"proposal broadcast ", "wallet show vault ", "wallet show --user unknown "} {
			if got := s.complete(t, strings.Split(words, " ")...); len(got) != 0 {
				t.Errorf("%q completes to %q, want nothing", words, got)
			}
		}
	})
}

// TestCompletion_NoDatabase checks that completion creates no database, and prints no error.
func TestCompletion_NoDatabase(t *testing.T) {
	for _, url := range []string{"", "postgres://127.0.0.1:1/none", "/dev/null/none"} {
		s := &shell{settings: map[string]string{"HOME": t.TempDir(), "SPECTER_DATABASE_URL": url, "SPECTER_UNKNOWN": "x"}}
		for i, words := range [][]string{{"user", "show", ""}, {"wallet", "show", "--user", ""}, {"proposal", "cancel", ""}, {"token", "revoke", ""}} {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				if got := s.complete(t, words...); len(got) != 0 {
					t.Errorf("%q: %q", words, got)
				}
			})
		}
		if got := s.complete(t, "wallet", "transactions", "--category", ""); len(got) != 5 {
			t.Errorf("without a database, fixed values complete to %q", got)
		}
		if entries, err := os.ReadDir(s.settings["HOME"]); err != nil || len(entries) != 0 {
			t.Errorf("completion created %v", entries)
		}
	}
	// A database with an older schema is not migrated.
	home := t.TempDir()
	s := &shell{settings: map[string]string{"HOME": home}}
	testkit.Check(t, os.Mkdir(filepath.Join(home, ".specterd"), 0o700))
	testkit.Check(t, os.WriteFile(filepath.Join(home, ".specterd", "specterd.db"), nil, 0o600))
	if got := s.complete(t, "user", "show", ""); len(got) != 0 {
		t.Errorf("%q", got)
	}
	if info, err := os.Stat(filepath.Join(home, ".specterd", "specterd.db")); err != nil || info.Size() != 0 {
		t.Errorf("completion wrote to an empty database: %v", err)
	}
}

// TestCompletion_Complete checks that each argument that names an object has a completion,
// and each flag with values of a list.
func TestCompletion_Complete(t *testing.T) {
	without := []string{"user add"} // a new name
	eachCommand(newRoot(), func(cmd *cobra.Command) {
		path := strings.TrimPrefix(cmd.CommandPath(), "specterd ")
		for _, word := range []string{" ALIAS", " ID", " NAME", " USER"} {
			if strings.Contains(cmd.Use, word) && cmd.ValidArgsFunction == nil && !slices.Contains(without, path) {
				t.Errorf("%q completes no arguments", path)
			}
		}
		cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if _, listed := flagValues[f.Name]; !listed {
				return
			}
			if _, has := cmd.GetFlagCompletionFunc(f.Name); !has {
				t.Errorf("%s --%s has no completion", path, f.Name)
			}
		})
		delete(argumentsLeft, path)
	})
	for path := range argumentsLeft {
		t.Errorf("there is no command %q", path)
	}
}

// argumentsLeft are the commands of argumentValues.
var argumentsLeft = func() map[string]bool {
	left := map[string]bool{}
	for path := range argumentValues {
		left[path] = true
	}
	return left
}()
