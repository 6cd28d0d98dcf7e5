package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/specterd/specterd/internal/testenv/testkit"
)

func TestLabelCommands(t *testing.T) {
	onBoth(t, func(t *testing.T, postgres bool) {
		s, keys := newShell(t, postgres)
		s.serve(t)
		s.createVault(t, keys, 1)
		address := strings.TrimSpace(s.run(t, "wallet", "address", "vault"))
		utxo := field(s.get(t, "/api/v1/wallets/vault/utxos"), "items").([]any)[0]
		txid, output := fmt.Sprint(field(utxo, "txid")), fmt.Sprint(field(utxo, "txid"), ":", field(utxo, "vout"))

		for ref, label := range map[string]string{address: "invoice 17", txid: "first payment", output: "savings"} {
			s.change(t, true, "label", "set", "vault", ref, label)
			s.change(t, false, "label", "set", "vault", ref, label)
			if out := s.run(t, "label", "list", "vault"); !strings.Contains(out, ref+" ") || !strings.Contains(out, " "+label+"\n") {
				t.Errorf("%s is not labelled:\n%s", ref, out)
			}
		}
		for _, change := range [][2]string{{"invoice 17", "invoice 18"}, {"invoice 18", "invoice 17"}} {
			want := fmt.Sprintf("Replaced the label %q.\n", change[0])
			if _, problems, err := s.try(t.Context(), "label", "set", "vault", address, change[1]); err != nil || !strings.HasPrefix(problems, want) {
				t.Errorf("%s: %v, %q, want %q", change[1], err, problems, want)
			}
		}
		if got := field(s.get(t, "/api/v1/wallets/vault/addresses/"+address), "label"); got != "invoice 17" {
			t.Errorf("the API shows the label %v", got)
		}
		exported := s.run(t, "label", "export", "vault")
		var lines []any
		for line := range strings.Lines(exported) {
			lines = append(lines, decoded(t, line))
		}
		if listed := decoded(t, s.run(t, "label", "list", "vault", "--json")); len(lines) != 3 || !reflect.DeepEqual(field(listed, "items"), any(lines)) {
			t.Errorf("the list as JSON is\n%v\nthe export is\n%s", listed, exported)
		}

		s.refuse(t, "repeat the command with --yes", "label", "rm", "vault", txid)
		s.run(t, "label", "rm", "vault", txid, "--yes")
		s.refuse(t, "has no label in vault", "label", "rm", "vault", txid, "--yes")
		s.refuse(t, "LABEL must not be empty", "label", "set", "vault", txid, "")
		s.refuse(t, "is not an address, a transaction or an output of vault", "label", "set", "vault", s.newAddress(t), "x")
		s.refuse(t, "is not an address, a transaction or an output of vault", "label", "set", "vault", strings.Repeat("0", 64), "x")

		// Importing the export restores the removed label; invalid lines are reported.
		file := filepath.Join(t.TempDir(), "labels.jsonl")
		frozen := fmt.Sprintf(`{"type":"output","ref":%q,"spendable":false}`, output)
		testkit.Check(t, os.WriteFile(file, []byte(exported+frozen+"\nnonsense\n"), 0o600))
		out, problems, err := s.try(t.Context(), "label", "import", "vault", file)
		if err == nil || out != "Imported 4 labels.\n" || !strings.Contains(problems, "line 5 is invalid: ") {
			t.Errorf("%v\n%s%s", err, out, problems)
		}
		if again := s.run(t, "label", "list", "vault"); !strings.Contains(again, "first payment") || !strings.Contains(again, "savings (frozen)") {
			t.Errorf("after the import:\n%s", again)
		}
		if utxos := s.run(t, "wallet", "utxos", "vault", "--frozen"); !strings.Contains(utxos, output) {
			t.Errorf("the output is not frozen:\n%s", utxos)
		}
	})
}
