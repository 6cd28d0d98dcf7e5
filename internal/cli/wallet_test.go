package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/specterd/specterd/internal/testenv/testkit"
)

// TestWalletCommands compares what commands print with the responses of a running server.
func TestWalletCommands(t *testing.T) {
	onBoth(t, func(t *testing.T, postgres bool) {
		s, keys := newShell(t, postgres)
		s.serve(t)
		s.createVault(t, keys, 2)

		t.Run("Concurrent addresses", func(t *testing.T) {
			addresses := make([]string, 6)
			var running sync.WaitGroup
			for i := range addresses {
				running.Go(func() {
					out, _, err := s.try(t.Context(), "wallet", "address", "vault", "--label", fmt.Sprint("invoice ", i))
					if err != nil {
						t.Error(err)
					}
					addresses[i] = strings.TrimSpace(out)
				})
			}
			running.Wait()
			seen := map[string]bool{}
			for _, address := range addresses {
				if seen[address] || !strings.HasPrefix(address, "bcrt1") {
					t.Errorf("%q was printed twice or is not an address", address)
				}
				seen[address] = true
			}
		})
		t.Run("JSON is the API's", func(t *testing.T) {
			for path, args := range map[string]string{
				"/api/v1/wallets/vault": "show vault",
				"/api/v1/wallets":       "list",
				"/api/v1/wallets/vault/addresses?revealed=true&label=invoice+3":                 "address vault --list --label=invoice_3",
				"/api/v1/wallets/vault/addresses?revealed=true&branch=receive&used=true":        "address vault --list --branch receive --used",
				"/api/v1/wallets/vault/utxos":                                                   "utxos vault",
				"/api/v1/wallets/vault/utxos?frozen=true":                                       "utxos vault --frozen",
				"/api/v1/wallets/vault/transactions?category=receive&order=asc&tz=Asia%2FTokyo": "transactions vault --category receive --ascending --tz Asia/Tokyo",
				"/api/v1/transactions?unconfirmed=true&until=2020-01-01":                        "transactions --unconfirmed --until 2020-01-01",
				"/api/v1/wallets/vault/transactions?min_amount_sat=150000":                      "transactions vault --min-amount 0.0015BTC",
				"/api/v1/transactions?max_amount_sat=50000000&min_amount_sat=1":                 "transactions --max-amount 0.5BTC --min-amount 1sat",
				"/api/v1/wallets/vault/members":                                                 "member list vault",
			} {
				want, _ := s.get(t, path).(map[string]any)
				delete(want, "next_cursor")
				fields := strings.Fields("wallet " + args + " --json")
				for i := range fields {
					fields[i] = strings.ReplaceAll(fields[i], "_", " ")
				}
				if got := decoded(t, s.run(t, fields...)); !reflect.DeepEqual(got, any(want)) {
					t.Errorf("%s prints\n%v\nwant\n%v", fields, got, want)
				}
			}
		})
		t.Run("CSV", func(t *testing.T) {
			lines := strings.Split(s.run(t, "wallet", "transactions", "vault", "--csv"), "\r\n")
			if len(lines) != 4 || !strings.HasPrefix(lines[0], "time,wallet,txid,status,") || !strings.Contains(lines[1], ",vault,") {
				t.Errorf("%q", lines)
			}
			s.refuse(t, "only one of --csv, --json may be set", "wallet", "transactions", "--csv", "--json")
		})
		t.Run("refused", func(t *testing.T) {
			s.refuse(t, "--category: must be generate", "wallet", "transactions", "--category", "x", "--since", "y")
			s.refuse(t, "--since: must be a date", "wallet", "transactions", "--category", "x", "--since", "y")
			s.refuse(t, "exclude each other", "wallet", "address", "vault", "--list", "--used", "--unused")
			s.refuse(t, "--branch must be", "wallet", "address", "vault", "--list", "--branch", "both")
			s.refuse(t, `"specterd wallet list --user admin" shows the aliases`, "wallet", "utxos", "none")
			s.refuse(t, "--min-amount: the amount must have a unit", "wallet", "transactions", "--min-amount", "5")
			s.refuse(t, "--max-amount: the amount must have a unit", "wallet", "transactions", "--min-amount", "5", "--max-amount", "6")
			s.refuse(t, "--min-amount: must not be higher", "wallet", "transactions", "--min-amount", "5sat", "--max-amount", "4sat")
			s.refuse(t, "--min-amount must not be used with --ledger", "wallet", "transactions", "--min-amount", "5sat", "--ledger")
			s.refuse(t, "--limit must be", "wallet", "transactions", "--limit", "0")
		})
		t.Run("create and rescan as JSON", func(t *testing.T) {
			create := []string{"wallet", "create", "--name", "Second", "--birthday", "now", "--script", "wpkh", "--json", "--key", keys[0]}
			inspected := decoded(t, s.run(t, append(create, "--dry-run")...))
			if first, _ := field(inspected, "addresses", "receive").([]any); len(first) != 3 || field(inspected, "script") != "wpkh" {
				t.Errorf("a dry run prints %v", inspected)
			}
			created, _ := decoded(t, s.run(t, create...)).(map[string]any)
			if created["alias"] != "second" || created["warnings"] == nil || created["change_descriptor_implied"] != false {
				t.Errorf("wallet create prints %v", created)
			}
			if scanned := decoded(t, s.run(t, "wallet", "rescan", "second", "--json")); field(scanned, "alias") != "second" {
				t.Errorf("wallet rescan prints %v", scanned)
			}
			s.run(t, "wallet", "rm", "second", "--yes")
		})
		t.Run("create without what is required", func(t *testing.T) {
			create := []string{"wallet", "create", "--name", "Third", "--script", "wpkh", "--key", keys[0]}
			if out := s.change(t, false, append(create, "--dry-run")...); !strings.Contains(out, "script      wpkh") {
				t.Errorf("a dry run without a birthday prints\n%s", out)
			}
			s.refuse(t, "--birthday is required", create...)
			s.refuse(t, "--birthday: must be", append(create, "--dry-run", "--birthday", "x")...)
			two := []string{"wallet", "create", "--name", "Third", "--birthday", "now", "--script", "wsh", "--key", keys[0], "--key", keys[1]}
			s.refuse(t, "--signatures-required: is required: a number between 1 and the number of keys, 2", two...)
			s.refuse(t, "--signatures-required: must be between 1 and the number of keys, 2", append(two, "--signatures-required", "3")...)
			signer := filepath.Join(t.TempDir(), "ben.txt")
			testkit.Check(t, os.WriteFile(signer, []byte("[b8688df1/48h/1h/0h/2h]tpubDEfobrrtptRTbKf4gysDhoabneABDTAcdj3Vbn4XwPsLE2pmqpizSPRG6zHsbAMuiSgWmWPsYCLHTKTPpyrGJ5rAoTpKoQNZcxodiPf2tSJ\n"), 0o600))
			s.refuse(t, "(--file), or from their keys (--key), with --signatures-required", "wallet", "create", "--name", "Third", "--birthday", "now", "--file", signer)
			s.refuse(t, "--signatures-required: is required: ", "wallet", "create", "--name", "Third", "--birthday", "now", "--file", signer, "--file", signer)
		})
		t.Run("token", func(t *testing.T) {
			for wallets, flags := range map[string][]string{"all": nil, "vault": {"--wallets", "vault"}} {
				_, stderr, err := s.try(t.Context(), append([]string{"token", "create", "for " + wallets, "--expires", "1 day"}, flags...)...)
				if err != nil || !strings.Contains(stderr, ", for the wallets: "+wallets+".\n") {
					t.Errorf("token create prints %s: %v", stderr, err)
				}
			}
		})
		t.Run("password", func(t *testing.T) {
			s.refuse(t, "--password-stdin: must", "user", "set", "admin", "--password-stdin", "--yes")
			s.refuse(t, "--password-stdin: must", "user", "add", "zoe", "--password-stdin")
		})
		t.Run("balance", func(t *testing.T) {
			if out := s.run(t, "wallet", "show", "vault"); !strings.Contains(out, "trusted     2.00000000 BTC\npending     0.00000000 BTC\n") {
				t.Errorf("wallet show prints\n%s", out)
			}
			if out := s.run(t, "wallet", "balance", "vault"); !strings.Contains(out, "available  2.00000000 BTC\ntrusted    2.00000000 BTC\nreserved   0.00000000 BTC\n") || !strings.Contains(out, "\nas of      block ") {
				t.Errorf("wallet balance prints\n%s", out)
			}
			got, _ := decoded(t, s.run(t, "wallet", "balance", "vault", "--json")).(map[string]any)
			if got["wallet"] != "vault" || field(got, "as_of", "height") == nil {
				t.Errorf("wallet balance prints %v", got)
			}
			delete(got, "wallet")
			delete(got, "as_of")
			if want := field(s.get(t, "/api/v1/wallets/vault"), "balances"); !reflect.DeepEqual(any(got), want) {
				t.Errorf("the balances are %v, want %v", got, want)
			}
		})
		t.Run("ledger", func(t *testing.T) {
			items, _ := field(decoded(t, s.run(t, "wallet", "transactions", "vault", "--ledger", "--json")), "items").([]any)
			var balances []any
			for _, item := range items {
				balances = append(balances, field(item, "balance_sat"))
			}
			if !reflect.DeepEqual(balances, []any{1e8, 2e8}) || field(items[0], "kind") != "receive" || field(items[0], "fee_sat") != nil {
				t.Errorf("the ledger is %v", items)
			}
			if out := s.run(t, "wallet", "transactions", "vault", "--ledger"); !strings.Contains(out, " receive  1.00000000       2.00000000  confirmed ") {
				t.Errorf("the ledger is\n%s", out)
			}
			if lines := strings.Split(s.run(t, "wallet", "transactions", "--ledger", "--csv"), "\r\n"); len(lines) != 4 || !strings.HasPrefix(lines[0], "date,wallet,kind,amount_btc,fee_btc,balance_btc,") {
				t.Errorf("%q", lines)
			}
			s.refuse(t, "--limit must not be used with --ledger", "wallet", "transactions", "--ledger", "--limit", "3")
			s.refuse(t, "--category must not be used with --ledger", "wallet", "transactions", "--ledger", "--category", "send")
			s.refuse(t, "only one of --csv, --limit may be set", "wallet", "transactions", "--csv", "--limit", "3")
		})
		t.Run("token limited to a wallet", func(t *testing.T) {
			s.run(t, "token", "create", "shop", "--expires", "1 day", "--wallets", "vault")
			listed, _ := field(decoded(t, s.run(t, "token", "list", "--json")), "items").([]any)
			i := slices.IndexFunc(listed, func(token any) bool { return field(token, "description") == "shop" })
			if wallets := field(listed[i], "wallets"); !reflect.DeepEqual(wallets, []any{"vault"}) {
				t.Errorf("the list shows the wallets %v", wallets)
			}
			id, _ := field(listed[i], "id").(string)
			if out := s.run(t, "token", "show", id); !strings.Contains(out, "\nwallets      vault\n") {
				t.Errorf("token show prints\n%s", out)
			}
		})
		testMembers(t, s)
	})
}

// testMembers adds, changes and removes a member of the vault.
func testMembers(t *testing.T, s *shell) {
	t.Helper()
	for _, name := range []string{"bob", "carol"} {
		s.addUser(t, name)
	}
	s.refuse(t, "--role: must be viewer, proposer, signer or owner", "wallet", "member", "add", "vault", "bob", "--role", "boss")
	s.refuse(t, `user "zoe" not found; "specterd user list" shows the names`, "wallet", "member", "add", "vault", "zoe")
	s.run(t, "wallet", "member", "add", "vault", "bob")
	s.refuse(t, "is a member of vault already", "wallet", "member", "add", "vault", "Bob", "--role", "owner")
	s.refuse(t, "is not a member of vault", "wallet", "member", "set", "vault", "carol", "--role", "owner")
	s.refuse(t, "the role owner is required", "wallet", "member", "add", "vault", "carol", "--user", "bob")
	s.refuse(t, "the role proposer is required", "wallet", "address", "vault", "--user", "bob")
	s.change(t, true, "wallet", "member", "set", "vault", "bob", "--role", "signer")
	s.change(t, false, "wallet", "member", "set", "vault", "bob", "--role", "signer")
	s.refuse(t, "admin is the last owner of vault", "wallet", "member", "set", "vault", "admin", "--role", "viewer")
	s.refuse(t, "admin is the last owner of vault", "wallet", "member", "rm", "vault", "admin", "--yes")
	s.refuse(t, "repeat the command with --yes", "wallet", "member", "rm", "vault", "bob")
	if out := s.run(t, "wallet", "member", "list", "vault"); !strings.Contains(out, "\nbob    signer") {
		t.Errorf("bob is not a signer:\n%s", out)
	}
	s.run(t, "wallet", "member", "rm", "vault", "bob", "--yes")
	if out := s.run(t, "wallet", "member", "list", "vault"); strings.Contains(out, "bob") {
		t.Errorf("bob is still a member:\n%s", out)
	}
}
