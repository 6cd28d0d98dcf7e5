package cli

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/specterd/specterd/internal/testenv/testkit"
	"github.com/specterd/specterd/internal/walletexport"
)

// remote runs commands on another machine, which has the address of a server and a token, but
// neither the database nor the node.
type remote struct{ *shell }

// remoteAs returns a shell of another machine with a new token of a user.
func (s *shell) remoteAs(t *testing.T, user string, scopes string) remote {
	t.Helper()
	token := s.run(t, "token", "create", t.Name()+" "+scopes, "--user", user, "--expires", "1 day", "--scopes", scopes)
	file := filepath.Join(t.TempDir(), "token")
	testkit.Check(t, os.WriteFile(file, []byte(token), 0o600))
	return remote{&shell{settings: map[string]string{"HOME": t.TempDir(), "SPECTER_SERVER": s.url, "SPECTER_TOKEN_FILE": file}, node: s.node}}
}

const mostScopes = "wallets:*,addresses:write,proposals:*,policies:*,tokens:*,members:*"

// TestServerCommands_Output compares the output of commands that read on the machine of a server
// and on another machine.
func TestServerCommands_Output(t *testing.T) {
	onBoth(t, func(t *testing.T, postgres bool) {
		s, keys := newShell(t, postgres)
		s.serve(t)
		s.createVault(t, keys, 3)
		s.awaitTip(t) // errors name the height of the chain
		r := s.remoteAs(t, "admin", mostScopes)
		to := s.newAddress(t)
		address := strings.TrimSpace(s.run(t, "wallet", "address", "vault", "--label", "invoice 17"))
		s.run(t, "label", "set", "vault", address, `rent & "deposit" <1>`)
		policy := filepath.Join(t.TempDir(), "policy.json")
		testkit.Check(t, os.WriteFile(policy, []byte(pettyCash), 0o600))
		list := filepath.Join(t.TempDir(), "list.json")
		testkit.Check(t, os.WriteFile(list, []byte(`{"entries": [{"address": "`+to+`", "label": "shop"}, {"wallet": "vault"}]}`), 0o600))
		id := uuidText.FindString(s.run(t, "proposal", "create", "vault", "--to", to+"=900000sat", "--to", "data:6869", "--label", to+"=shop", "--fee-rate", "5"))
		s.run(t, "policy", "set", "vault", policy)
		s.run(t, "policy", "set", "vault", list, "--list", "known")
		testkit.Check(t, os.WriteFile(policy, []byte(strings.Replace(pettyCash, `"max_count": 5`, `"max_count": 6`, 1)), 0o600))
		s.run(t, "policy", "set", "vault", policy)
		held := uuidText.FindString(s.run(t, "proposal", "create", "vault", "--to", to+"=2000000sat"))
		other := field(decoded(t, s.run(t, "token", "create", "other", "--expires", "1 day", "--json")), "id").(string)
		utxo := outpointOf(t, s)

		for _, line := range []string{
			"wallet list", "wallet show vault", "wallet balance vault", "wallet address vault --list", "wallet address vault --list --unused --branch change",
			"wallet utxos vault", "wallet utxos vault --frozen=false", "wallet transactions", "wallet transactions vault --ascending --limit 1",
			"wallet transactions --since 2020-01-01 --until 2020-01-01", "wallet transactions vault --category receive --min-amount 1sat", "wallet member list vault",
			"label list vault", "wallet device list", "proposal list", "proposal list vault --status created", "proposal show " + id, "proposal show " + held, "policy show vault",
			"policy show vault --list known", "policy usage vault", "policy changes vault", "policy simulate vault --fee-rate 5 --from " + utxo + " --to " + to + "=900000sat",
			"policy changes --server-policy", "token list", "token show " + other,
		} {
			for _, args := range [][]string{strings.Fields(line), append(strings.Fields(line), "--json")} {
				t.Run(strings.ReplaceAll(strings.Join(args, " "), "/", "_"), func(t *testing.T) { compareOutput(t, s, r, args) })
			}
		}
		for _, line := range []string{
			"wallet transactions vault --csv", "wallet transactions --csv --tz Asia/Tokyo --since 2020-01-01", "wallet transactions vault --ledger --csv", "label export vault",
			"proposal show " + id + " --psbt -", "proposal show " + id + " --qr", "policy show vault --document", "policy show vault --document --list known",
			"policy show vault --format coldcard-hsm", "proposal create vault --dry-run --fee-rate 5 --from " + utxo + " --to " + to + "=900000sat",
		} {
			t.Run(line, func(t *testing.T) { compareOutput(t, s, r, strings.Fields(line)) })
		}
		t.Run("errors", func(t *testing.T) {
			for _, line := range []string{
				"proposal show " + held + " --psbt -", "proposal create vault --to " + to + "=9BTC", "proposal create vault --to " + to + "=1sat", "proposal create vault --to x=1BTC --max-fee 1sat",
				"proposal bump " + id + " --fee-rate 2", "proposal approve " + id, "policy show vault --member admin", "policy show --server-policy", "wallet transactions --since x",
				"wallet address vault --list --branch x", "label rm vault " + to + "x --yes", "proposal broadcast " + id, "policy set vault " + list,
				"wallet create --name Third --birthday now --script wsh --key " + keys[0] + " --key " + keys[1], "wallet create --name Third --birthday now --descriptor x", "wallet create --name vault --birthday now --script wpkh --key " + keys[0],
				"wallet rescan vault --from x", "wallet rescan vault --from 999999", "wallet rescan vault --addresses=-1", "wallet rm vault --files x --yes",
				"token revoke 0d19b53c-4531-4549-a327-500d46f60ead --yes", "token show 0d19b53c-4531-4549-a327-500d46f60ead", "wallet member set vault admin --role viewer",
			} {
				_, _, local := s.try(t.Context(), strings.Fields(line)...)
				_, _, remote := r.try(t.Context(), strings.Fields(line)...)
				// On the machine, the cause follows.
				if local == nil || remote == nil || !strings.HasPrefix(local.Error(), remote.Error()) || exitStatus(local) != exitStatus(remote) {
					t.Errorf("specterd %s: %v on the machine, and %v on another", line, local, remote)
				}
			}
		})
	})
}

// TestServerCommands_Wallets creates, rescans and deletes wallets on another machine.
func TestServerCommands_Wallets(t *testing.T) {
	onBoth(t, func(t *testing.T, postgres bool) {
		s, keys := newShell(t, postgres)
		s.serve(t)
		r := s.remoteAs(t, "admin", mostScopes)
		dir := t.TempDir()
		write := func(name, content string) string {
			testkit.Check(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600))
			return filepath.Join(dir, name)
		}
		descriptor := "wpkh(" + keys[0] + "/0/*)"
		for name, source := range map[string][]string{
			"key": {"--script", "wpkh", "--key", keys[0]}, "keys": {"--script", "wsh", "--signatures-required", "2", "--key", keys[0], "--key", keys[1]},
			"descriptor": {"--descriptor", descriptor}, "both descriptors": {"--descriptor", descriptor, "--change-descriptor", "wpkh(" + keys[0] + "/7/*)"},
			"file": {"--file", write("one.txt", descriptor)}, "files": {"--file", write("ann.txt", keys[0]), "--file", write("ben.txt", keys[1]), "--signatures-required", "2", "--script", "wsh"},
		} {
			t.Run(name, func(t *testing.T) {
				create := append([]string{"wallet", "create", "--name", "Second", "--birthday", "now"}, source...)
				compareOutput(t, s, r, append(create, "--dry-run"))
				compareOutput(t, s, r, append(create, "--dry-run", "--json"))
				out := r.run(t, create...)
				if !strings.Contains(out, "Created wallet second.\n") || (name == "descriptor") != strings.Contains(out, "implied by the receive descriptor: wpkh(") {
					t.Errorf("wallet create prints\n%s", out)
				}
				testkit.Eventually(t, "the wallet is ready", func() bool {
					return strings.Contains(r.run(t, "wallet", "show", "second"), "status      ready\nas of       block ")
				})
				compareOutput(t, s, r, []string{"wallet", "show", "second"})
				if out := r.run(t, "wallet", "rm", "second", "--yes"); out != "Deleted wallet second.\n" {
					t.Errorf("wallet rm prints %q", out)
				}
				s.refuse(t, "no wallet with the alias", "wallet", "show", "second")
			})
		}
		t.Run("birthday", func(t *testing.T) {
			for _, birthday := range []string{"x", "\x01", "\u202e", `"`} {
				r.refuse(t, `--birthday: must be "now"`, "wallet", "create", "--name", "Second", "--birthday", birthday, "--descriptor", descriptor)
			}
		})
		t.Run("rescan", func(t *testing.T) {
			created := decoded(t, r.run(t, "wallet", "create", "--name", "Third", "--birthday", "now", "--script", "wpkh", "--key", keys[2], "--json"))
			if field(created, "alias") != "third" {
				t.Errorf("wallet create prints %v", created)
			}
			isReady := func() bool {
				return strings.Contains(r.run(t, "wallet", "show", "third"), "status      ready\nas of       block ")
			}
			testkit.Eventually(t, "the wallet is ready", isReady)
			s.remoteAs(t, "admin", "wallets:write").refuse(t, "the token lacks the scope wallets:read", "wallet", "rescan", "third", "--from", "1")
			if log := s.run(t, "audit", "list"); strings.Contains(log, "rescan") {
				t.Errorf("a token that may not read the wallet began a rescan:\n%s", log)
			}
			if out := r.run(t, "wallet", "rescan", "third", "--from", "1"); out != "" && out != "Rescanning the chain from block 1.\n" {
				t.Errorf("wallet rescan prints %q", out)
			}
			testkit.Eventually(t, "the rescan has ended", isReady)
			if w := decoded(t, r.run(t, "wallet", "rescan", "third", "--from", "2020-01-01", "--json")); field(w, "alias") != "third" {
				t.Errorf("wallet rescan prints %v", w)
			}
			if out := r.run(t, "wallet", "rescan", "third", "--stop"); out != "Stopped the rescan of third; transactions found so far are kept.\n" {
				t.Errorf("wallet rescan --stop prints %q", out)
			}
			r.run(t, "wallet", "rm", "third", "--files", "keep", "--yes")
		})
	})
}

// TestServerCommands_Export exports wallets on another machine.
func TestServerCommands_Export(t *testing.T) {
	onBoth(t, func(t *testing.T, postgres bool) {
		s, keys := newShell(t, postgres)
		s.serve(t)
		s.createVault(t, keys, 3)
		r := s.remoteAs(t, "admin", mostScopes)
		s.run(t, "label", "set", "vault", strings.TrimSpace(s.run(t, "wallet", "address", "vault")), "rent")
		s.run(t, "wallet", "create", "--name", "Odd", "--birthday", "now", "--descriptor", "wpkh("+keys[0]+"/5/*)", "--change-descriptor", "wpkh("+keys[0]+"/7/*)")
		for _, form := range walletexport.Formats {
			if form != walletexport.Core { // without a node, the time of its first block is unknown
				t.Run(string(form), func(t *testing.T) {
					compareOutput(t, s, r, []string{"export", "--wallet", "vault", "--format", string(form)})
				})
			}
		}
		t.Run("core", func(t *testing.T) {
			out, note, err := r.try(t.Context(), "export", "--wallet", "vault", "--format", "core")
			testkit.Check(t, err)
			if !strings.Contains(out, `"timestamp": 0`) || !strings.Contains(note, "core.json of vault makes Bitcoin Core rescan the whole chain") {
				t.Errorf("the output is %s%s", out, note)
			}
		})
		t.Run("all", func(t *testing.T) {
			here, there := t.TempDir(), t.TempDir()
			_, _, err := s.try(t.Context(), "export", "--to", here)
			if !errors.Is(err, errPartialExport) {
				t.Fatal(err)
			}
			out, _, err := r.try(t.Context(), "export", "--to", there)
			if !errors.Is(err, errPartialExport) || !strings.Contains(out, "not written: odd/specter.json: the wallet's branches do not end in") {
				t.Errorf("%v: %s", err, out)
			}
			want, got := filesIn(t, here), filesIn(t, there)
			for _, name := range []string{"vault/core.json", "vault/sparrow.json", "odd/core.json"} { // with the time of the first block
				if want[name] == "" || got[name] == "" {
					t.Errorf("%s is missing", name)
				}
				delete(want, name)
				delete(got, name)
			}
			if diff := cmp.Diff(want, got); diff != "" || len(got) < 10 {
				t.Errorf("the files of %d differ: %s", len(got), diff)
			}
			if _, _, err := r.try(t.Context(), "export", "--to", there); err == nil || !strings.Contains(err.Error(), "already exists") {
				t.Errorf("again: %v", err)
			}
		})
		t.Run("errors", func(t *testing.T) {
			if _, _, err := r.try(t.Context(), "export", "--wallet", "none", "--format", "labels"); err == nil || !strings.Contains(err.Error(), "wallet not found") {
				t.Errorf("another wallet: %v", err)
			}
			for _, args := range [][]string{{"--wallet", "odd", "--format", "coldcard"}, {"--wallet", "odd", "--format", "x"}, {"--format", "labels"}} {
				_, _, local := s.try(t.Context(), append([]string{"export"}, args...)...)
				_, _, remote := r.try(t.Context(), append([]string{"export"}, args...)...)
				if local == nil || remote == nil || local.Error() != remote.Error() {
					t.Errorf("export %v: %v on the machine, and %v on another", args, local, remote)
				}
			}
		})
	})
}

// filesIn returns the files of a directory by their paths.
func filesIn(t *testing.T, folder string) map[string]string {
	t.Helper()
	files := map[string]string{}
	testkit.Check(t, filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		files[strings.TrimPrefix(path, folder+"/")] = string(text)
		return err
	}))
	return files
}

// outpointOf returns a UTXO of the vault that can be spent.
func outpointOf(t *testing.T, s *shell) string {
	t.Helper()
	for line := range strings.Lines(s.run(t, "wallet", "utxos", "vault")) {
		if strings.Contains(line, "available") {
			return strings.Fields(line)[0]
		}
	}
	t.Fatal("no UTXO is available")
	return ""
}

// compareOutput runs a command on the machine of the server and on another machine.
func compareOutput(t *testing.T, s *shell, r remote, args []string) {
	t.Helper()
	want, wantErrors, err := s.try(t.Context(), args...)
	testkit.Check(t, err)
	got, gotErrors, err := r.try(t.Context(), args...)
	testkit.Check(t, err)
	switch strings.Join(args[:2], " ") {
	case "wallet show":
		want = withoutLines(want, "in Core ") // is not in the API
	case "token show":
		want, got = withoutLines(want, "created "), withoutLines(got, "created ")
		if slices.Contains(args, "--json") {
			want, got = withoutMembers(t, want, "created_by"), withoutMembers(t, got, "created_by")
		}
	case "token list": // the request of the command is a use of its token
		if !slices.Contains(args, "--json") {
			return
		}
		want, got = withoutMembers(t, want, "last_used"), withoutMembers(t, got, "last_used")
	}
	if slices.Contains(args, "--dry-run") { // Core puts the change at a random position
		want, got = withoutLines(withoutLines(want, "txid "), "expires "), withoutLines(withoutLines(got, "txid "), "expires ")
	}
	if got != want || gotErrors != wantErrors || got == "" {
		t.Errorf("the output on another machine is\n%s%s\nwant\n%s%s", got, gotErrors, want, wantErrors)
	}
}

// withoutLines removes the lines that begin with a text.
func withoutLines(text, prefix string) string {
	lines := slices.Collect(strings.Lines(text))
	return strings.Join(slices.DeleteFunc(lines, func(line string) bool { return strings.HasPrefix(line, prefix) }), "")
}

// withoutMembers removes the lines of a member of JSON objects, with the object in it.
func withoutMembers(t *testing.T, text, name string) string {
	t.Helper()
	var kept []string
	depth := 0
	for line := range strings.Lines(text) {
		begins := strings.HasPrefix(strings.TrimSpace(line), `"`+name+`":`)
		if begins || depth > 0 {
			depth += strings.Count(line, "{") - strings.Count(line, "}")
			continue
		}
		kept = append(kept, line)
	}
	return strings.Join(kept, "")
}

// TestServerCommands_Payment pays from a vault, and changes labels, members, policies and tokens,
// on another machine.
func TestServerCommands_Payment(t *testing.T) {
	onBoth(t, func(t *testing.T, postgres bool) {
		s, keys := newShell(t, postgres)
		s.serve(t)
		s.createVault(t, keys, 2)
		s.addUser(t, "bob")
		s.run(t, "wallet", "member", "add", "vault", "bob", "--role", "owner")
		r, bob := s.remoteAs(t, "admin", mostScopes), s.remoteAs(t, "bob", mostScopes)
		to, dir := s.newAddress(t), t.TempDir()
		check := func(out string, texts ...string) {
			t.Helper()
			for _, text := range texts {
				if !strings.Contains(out, text) {
					t.Errorf("the output does not contain %q:\n%s", text, out)
				}
			}
		}
		check(r.run(t, "whoami"), "user     admin\nrole     admin\nserver   "+s.url+"\n", "wallets  all\n")
		check(s.run(t, "whoami", "--user", "bob"), "user  bob\nrole  user\n")

		psbt := filepath.Join(dir, "payment.psbt")
		create := []string{"proposal", "create", "vault", "--to", to + "=25000000sat", "--label", to + "=rent", "--idempotency-key", "rent-11", "--psbt"}
		out := r.run(t, append(create, psbt)...)
		id := uuidText.FindString(out)
		check(out, "pays        0.25000000 BTC to "+to+" (rent)\n", "missing     2 signatures", "Wrote the PSBT to "+psbt)
		for name, sh := range map[string]*shell{"on another machine": r.shell, "on the machine of the server": s} {
			out, problems, err := sh.try(t.Context(), append(create, filepath.Join(t.TempDir(), "again.psbt"))...)
			if again := uuidText.FindString(out); err != nil || again != id || !strings.Contains(problems, "has created the proposal already") {
				t.Errorf("the repetition %s creates %s: %v\n%s", name, again, err, problems)
			}
		}
		for name, sh := range map[string]*shell{"on another machine": r.shell, "on the machine of the server": s} {
			if again := uuidText.FindString(sh.run(t, append(create, psbt)...)); again != id {
				t.Errorf("the same command %s creates %s", name, again)
			}
			before := sh.run(t, "proposal", "list", "vault")
			sh.refuse(t, "the file "+psbt+" exists already; name another file with --psbt, or remove this one", "proposal", "create", "vault", "--to", to+"=1000000sat", "--idempotency-key", "rent-12", "--psbt", psbt)
			if after := sh.run(t, "proposal", "list", "vault"); after != before {
				t.Errorf("the refused command changed the proposals from\n%s\nto\n%s", before, after)
			}
			sh.refuse(t, "exists already; name another file", "proposal", "create", "vault", "--to", to+"=1000000sat", "--psbt", psbt)
		}
		for line := range strings.Lines(r.run(t, "proposal", "list", "vault")) {
			if len(line) > 131 || !strings.HasPrefix(line, "ID") && strings.Count(line, " UTC") != 2 {
				t.Errorf("proposal list prints %q", line)
			}
		}
		r.refuse(t, "missing: 2 signatures", "proposal", "broadcast", id)
		check(r.run(t, "proposal", "sign-in-file", s.sign(t, psbt, "ann")), "Added 1 signature.", "partially signed, 1 of 2")
		check(r.run(t, "proposal", "sign-in-file", s.sign(t, psbt, "cleo"), "--id", id), "complete, 2 of 2 signatures")
		check(r.run(t, "proposal", "broadcast", id), "Sent transaction ", "broadcast")
		bumped := uuidText.FindString(r.run(t, "proposal", "bump", id, "--fee-rate", "20"))
		check(r.run(t, "proposal", "cancel", bumped, "--yes"), "Cancelled proposal "+bumped)
		if cancelled := decoded(t, s.run(t, "proposal", "show", bumped, "--json")); field(cancelled, "status") != "cancelled" {
			t.Errorf("the proposal is %v", cancelled)
		}

		t.Run("labels", func(t *testing.T) {
			address := strings.TrimSpace(r.run(t, "wallet", "address", "vault"))
			check(r.run(t, "label", "set", "vault", address, "invoice 18"), "Labelled "+address)
			check(s.run(t, "label", "list", "vault"), "invoice 18")
			labels := filepath.Join(dir, "labels.jsonl")
			testkit.Check(t, os.WriteFile(labels, []byte(r.run(t, "label", "export", "vault")+"nonsense\n"), 0o600))
			r.run(t, "label", "rm", "vault", address, "--yes")
			out, problems, err := r.try(t.Context(), "label", "import", "vault", labels)
			if err == nil || !strings.HasPrefix(out, "Imported ") || !strings.Contains(problems, " is invalid: ") {
				t.Errorf("%v\n%s%s", err, out, problems)
			}
			check(s.run(t, "label", "list", "vault"), "invoice 18")
			testkit.Check(t, os.WriteFile(labels, []byte(r.run(t, "label", "export", "vault")), 0o600))
			events := s.run(t, "audit", "list", "--action", "wallet.label")
			for _, sh := range []*shell{s, r.shell} {
				out, problems, err := sh.try(t.Context(), "label", "import", "vault", labels)
				if err != nil || !strings.HasPrefix(out, "Nothing was changed: ") || strings.Contains(problems, "Changed the database") {
					t.Errorf("again: %v\n%s%s", err, out, problems)
				}
			}
			if after := s.run(t, "audit", "list", "--action", "wallet.label"); after != events {
				t.Errorf("the audit log changed from\n%s\nto\n%s", events, after)
			}
		})
		t.Run("devices", func(t *testing.T) {
			devices, _ := field(decoded(t, r.run(t, "wallet", "device", "list", "--json")), "items").([]any)
			alias, _ := field(devices[0], "alias").(string)
			check(r.run(t, "wallet", "device", "rename", alias, "Ann's Device"), "The device is named Ann's Device now, with the alias anns_device.")
			check(s.run(t, "wallet", "device", "list"), "Ann's Device")
			check(r.run(t, "wallet", "device", "rename", "anns_device", "Ann's Device"), "The device anns_device has this name already; nothing was changed.")
		})
		t.Run("policies", func(t *testing.T) {
			policy := filepath.Join(dir, "policy.json")
			testkit.Check(t, os.WriteFile(policy, []byte(strings.Replace(pettyCash, `"count": 5`, `"count": 50`, 1)), 0o600))
			check(r.run(t, "policy", "set", "vault", policy), "Changed the policy of vault.")
			r.refuse(t, "the policy", "policy", "set", "vault", policy, "--if-match", "old")
			r.refuse(t, "not permitted by a spending policy", "proposal", "create", "vault", "--to", to+"=40000000sat")
			held := uuidText.FindString(r.run(t, "proposal", "create", "vault", "--to", to+"=2000000sat"))
			check(bob.run(t, "proposal", "approve", held), "bob has approved proposal "+held, "created, 0 of 2 signatures")
			other := uuidText.FindString(r.run(t, "proposal", "create", "vault", "--to", to+"=3000000sat"))
			check(bob.run(t, "proposal", "reject", other, "--reason", "unknown recipient"), "bob has rejected", "rejected by bob: unknown recipient")
			out := r.run(t, "policy", "delete", "vault", "--yes")
			change := uuidText.FindString(out)
			check(out, "it lacks 1 approval", "specterd policy approve vault "+change)
			for _, sh := range []*shell{s, r.shell} {
				out, problems, err := sh.try(t.Context(), "policy", "approve", "vault", change)
				if err != nil || !strings.HasPrefix(out, "Nothing was changed: the change "+change+" has this approval already; it lacks 1 approval") || strings.Contains(problems, "Changed the database") {
					t.Errorf("a repeated approval: %v\n%s%s", err, out, problems)
				}
			}
			check(bob.run(t, "policy", "approve", "vault", change), "Changed the policy of vault.")
			r.refuse(t, "there is no policy", "policy", "show", "vault")
			r.refuse(t, "a token is not accepted", "policy", "set", "--server-policy", policy)
		})
		t.Run("members", func(t *testing.T) {
			s.addUser(t, "carol")
			r.refuse(t, "invit", "wallet", "member", "add", "vault", "carol")
			check(r.run(t, "wallet", "member", "set", "vault", "bob", "--role", "viewer"), "bob is viewer of vault.")
			r.refuse(t, "carol is not a member of vault", "wallet", "member", "rm", "vault", "carol", "--yes")
			check(r.run(t, "wallet", "member", "rm", "vault", "bob", "--yes"), "Removed bob from vault.")
			bob.refuse(t, `user bob has no wallet with the alias "vault"; "specterd wallet list" shows the aliases, and another token may have access to it`, "wallet", "show", "vault")
		})
		t.Run("tokens", func(t *testing.T) {
			created := decoded(t, r.run(t, "token", "create", "child", "--expires", "1 hour", "--scopes", "wallets:read", "--wallets", "vault", "--json"))
			id, _ := field(created, "id").(string)
			if !reflect.DeepEqual(field(created, "wallets"), []any{"vault"}) || !reflect.DeepEqual(field(created, "scopes"), []any{"wallets:read"}) {
				t.Errorf("the token is %v", created)
			}
			rotated := decoded(t, r.run(t, "token", "rotate", id, "--json"))
			check(r.run(t, "token", "show", id), "replaced by   "+field(rotated, "id").(string))
			check(r.run(t, "token", "revoke", id, "--yes"), "Revoked "+id+".\n", "also revoked: "+field(rotated, "id").(string))
			s.refuse(t, "token not found", "token", "show", id)
		})
	})
}
