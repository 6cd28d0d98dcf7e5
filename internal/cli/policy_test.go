package cli

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/specterd/specterd/internal/testenv/testkit"
)

// pettyCash is the policy of a vault whose payments above 1,000,000 sat need an approval. It
// can be loosened with two approvals of owners.
const pettyCash = `{"version": 1, "allow": [{"name": "petty cash", "windows": [{"per": "24h", "max_sat": 30000000, "max_count": 5}],
 "approvals": {"count": 1, "not_proposer": true, "above_sat": 1000000}}], "change": {"approvals": 2}}`

// TestPolicyCommands sets, tries, loosens and deletes policies with commands while a server is
// running.
func TestPolicyCommands(t *testing.T) {
	onBoth(t, func(t *testing.T, postgres bool) {
		s, keys := newShell(t, postgres)
		s.serve(t)
		s.createVault(t, keys, 2)
		to := s.newAddress(t)
		dir := t.TempDir()
		file := func(name, document string) string {
			t.Helper()
			path := filepath.Join(dir, name)
			testkit.Check(t, os.WriteFile(path, []byte(document), 0o600))
			return path
		}
		check := func(out string, texts ...string) {
			t.Helper()
			for _, text := range texts {
				if !strings.Contains(out, text) {
					t.Errorf("the output does not contain %q:\n%s", text, out)
				}
			}
		}
		s.addUser(t, "bob")
		s.run(t, "wallet", "member", "add", "vault", "bob", "--role", "owner")
		s.refuse(t, "there is no policy", "policy", "show", "vault")
		s.refuse(t, "ALIAS is required, or --server-policy", "policy", "show")
		s.refuse(t, "with --server-policy, ALIAS must be omitted", "policy", "show", "vault", "--server-policy")
		s.refuse(t, "allow[0].windows[0].per", "policy", "set", "vault", file("bad.json", `{"version": 1, "allow": [{"name": "x", "windows": [{"per": "soon"}]}]}`))

		check(s.change(t, true, "policy", "set", "vault", file("policy.json", pettyCash)), "Changed the policy of vault.")
		check(s.run(t, "policy", "show", "vault"), "petty cash: payments to any recipient.", "Set by admin at ")
		document := s.run(t, "policy", "show", "vault", "--document")
		check(s.change(t, false, "policy", "set", "vault", file("same.json", document)), "Nothing was changed: the policy of vault is the same as before.\n")
		if got, want := decoded(t, s.run(t, "policy", "show", "vault", "--json")), s.get(t, "/api/v1/wallets/vault/policy"); !reflect.DeepEqual(got, want) {
			t.Errorf("policy show --json prints\n%v\nwant\n%v", got, want)
		}

		t.Run("simulate", func(t *testing.T) {
			check(s.change(t, false, "policy", "simulate", "vault", "--to", to+"=20000sat"), "The payment is permitted.")
			check(s.change(t, false, "policy", "simulate", "vault", "--to", to+"=2000000sat"), "The payment is permitted.\n1 approval of signers, by rule \"petty cash\" of the wallet\n")
			check(s.change(t, false, "policy", "simulate", "vault", "--to", to+"=40000000sat"), "rule \"petty cash\", windows[0].max_sat: ", "The payment is not permitted.\n")
		})
		t.Run("approve and reject", func(t *testing.T) {
			s.refuse(t, "not permitted by a spending policy", "proposal", "create", "vault", "--to", to+"=40000000sat")
			out := s.run(t, "proposal", "create", "vault", "--to", to+"=2000000sat")
			id := uuidText.FindString(out)
			check(out, "awaiting approval", "policy      1 approval of signers", "specterd proposal approve "+id)
			s.refuse(t, "awaits approval, which lacks 1 approval of signers", "proposal", "show", id, "--psbt", "-")
			s.refuse(t, "does not count", "proposal", "approve", id)
			check(s.run(t, "policy", "usage", "vault"), "BTC USED", "BTC LEFT", "PAYMENTS USED  PAYMENTS LEFT", "petty cash  24h  0.020", " of 0.30000000  0.279", "1 of 5         4")
			check(s.change(t, false, "policy", "simulate", "vault", "--to", to+"=29000000sat"), "The payment is not permitted; permitted from 20", " UTC if nothing else changes.\n")
			s.refuse(t, "; permitted from 20", "proposal", "create", "vault", "--to", to+"=29000000sat")
			check(s.run(t, "proposal", "approve", id, "--user", "bob"), "bob has approved proposal "+id, "created, 0 of 2 signatures", "approved by bob at ")
			other := uuidText.FindString(s.run(t, "proposal", "create", "vault", "--to", to+"=3000000sat"))
			check(s.run(t, "proposal", "reject", other, "--user", "bob", "--reason", "unknown recipient"), "rejected: rejected by bob: unknown recipient")
			check(s.run(t, "policy", "usage", "vault"), " 1 of 5")
		})
		t.Run("loosen", func(t *testing.T) {
			looser := file("looser.json", strings.Replace(pettyCash, `"max_count": 5`, `"max_count": 50`, 1))
			out := s.change(t, true, "policy", "set", "vault", looser)
			id := uuidText.FindString(out)
			check(out, "Permits more than before: rule \"petty cash\", windows: ", "is pending; it lacks 1 approval.", "specterd policy approve vault "+id)
			check(s.run(t, "policy", "changes", "vault"), id, "set policy", "1 approval")
			check(s.run(t, "policy", "show", "vault"), "A change is pending: \"specterd policy changes vault\" shows it.")
			s.refuse(t, "repeat the command with --yes", "policy", "cancel", "vault", id)
			check(s.run(t, "policy", "cancel", "vault", id, "--yes"), "Cancelled the change "+id)
			again := uuidText.FindString(s.run(t, "policy", "set", "vault", looser))
			check(s.change(t, true, "policy", "approve", "vault", again, "--user", "bob"), "Changed the policy of vault.")
			check(s.run(t, "policy", "show", "vault", "--document"), `"max_count":50`)
		})
		t.Run("lists, members and the server", func(t *testing.T) {
			check(s.run(t, "policy", "set", "vault", file("list.json", `{"entries": [{"address": "`+to+`", "label": "rent"}, {"wallet": "vault"}]}`), "--list", "known"), "known of vault")
			check(s.run(t, "policy", "show", "vault", "--list", "known"), to, "rent", "wallet vault")
			version := decoded(t, s.run(t, "policy", "show", "vault", "--list", "known", "--json")).(map[string]any)["version"].(string)
			s.refuse(t, "the list has changed since you read it", "policy", "set", "vault", file("empty.json", `{"entries": []}`), "--list", "known", "--if-match", "")
			s.refuse(t, "the list has changed since you read it", "policy", "delete", "vault", "--list", "known", "--yes", "--if-match", strings.Repeat("0", len(version)))
			check(s.run(t, "policy", "set", "vault", file("empty.json", `{"entries": []}`), "--list", "known", "--if-match", version), "known of vault")
			s.refuse(t, "the policy has changed since you read it", "policy", "set", "vault", file("policy.json", pettyCash), "--if-match", version)
			check(s.run(t, "policy", "set", "vault", file("member.json", `{"version": 1, "allow": [{"name": "small", "max_payment_sat": 1000}]}`), "--member", "bob"),
				"Warning: The rule small limits only single payments", "Changed the policy of bob in vault.")
			check(s.run(t, "policy", "show", "vault", "--member", "bob"), "A payment is at most 1000 sat.\nWarning: The rule small limits only single payments")
			check(s.change(t, false, "policy", "simulate", "vault", "--user", "bob", "--to", to+"=20000sat"), "A payment is at most 1000 sat; this one is 20000 sat.", "Warning: The rule small")
			s.refuse(t, "the policy of the member", "proposal", "create", "vault", "--to", to+"=20000sat", "--user", "bob")
			check(s.run(t, "policy", "set", "--server-policy", file("server.json", `{"version": 1, "deny": [{"address": "`+to+`"}]}`)), "Changed the policy of the server.")
			s.refuse(t, "the policy of the server", "proposal", "create", "vault", "--to", to+"=20000sat")
			s.refuse(t, "repeat the command with --yes", "policy", "delete", "--server-policy")
			check(s.run(t, "policy", "delete", "--server-policy", "--yes"), "Permits more than before: deny: ", "Changed the policy of the server.")
		})
		check(s.run(t, "audit", "list", "--action", "policy"), "policy.", "command line")
	})
}
