package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/specterd/specterd/internal/testenv/testkit"
)

// TestProposalCommands pays from a vault with commands while a server is running.
func TestProposalCommands(t *testing.T) {
	onBoth(t, func(t *testing.T, postgres bool) {
		s, keys := newShell(t, postgres)
		s.serve(t)
		s.createVault(t, keys, 2)
		to := s.newAddress(t)
		file := filepath.Join(t.TempDir(), "payment.psbt")
		create := []string{"proposal", "create", "vault", "--to", to + "=25000000sat", "--label", to + "=rent", "--idempotency-key", "rent-11", "--psbt"}
		out := s.run(t, append(create, file)...)
		id := uuidText.FindString(out)
		check := func(out string, texts ...string) {
			t.Helper()
			for _, text := range texts {
				if !strings.Contains(out, text) {
					t.Errorf("the output does not contain %q:\n%s", text, out)
				}
			}
		}
		check(out, "pays        0.25000000 BTC to "+to+" (rent)\nchange  ", "missing     2 signatures", "by admin")

		t.Run("idempotency key", func(t *testing.T) {
			if again := uuidText.FindString(s.change(t, false, append(create, file+"2")...)); again != id {
				t.Errorf("the second command created proposal %s", again)
			}
			s.refuse(t, "other arguments", append(create[:len(create)-1:len(create)-1], "--fee-rate", "5")...)
		})
		t.Run("JSON is the API's", func(t *testing.T) {
			for path, args := range map[string][]string{
				"/api/v1/wallets/vault/proposals/" + id:          {"proposal", "show", id, "--json"},
				"/api/v1/wallets/vault/proposals?status=created": {"proposal", "list", "vault", "--status", "created", "--json"},
			} {
				want := s.get(t, path)
				if list, ok := want.(map[string]any); ok {
					delete(list, "next_cursor")
				}
				if got := decoded(t, s.run(t, args...)); !reflect.DeepEqual(got, want) {
					t.Errorf("%s prints\n%v\nwant\n%v", args, got, want)
				}
			}
		})
		t.Run("PSBT as text", func(t *testing.T) {
			want := strings.TrimSpace(s.run(t, "proposal", "show", id, "--psbt", "-"))
			if got := strings.TrimSpace(s.run(t, append(create, "-")...)); got != want || !strings.HasPrefix(want, "cHNidP8") {
				t.Errorf("the PSBT is %q, want %q", got, want)
			}
		})
		t.Run("QR codes", func(t *testing.T) { checkProposalQR(t, s, id, file) })
		s.refuse(t, "does not have enough signatures yet; missing: 2 signatures;", "proposal", "broadcast", id)
		check(s.change(t, true, "proposal", "sign-in-file", s.sign(t, file, "ann")), "Added 1 signature.", "partially signed, 1 of 2", "added by admin", "missing     1 signature\n")
		s.change(t, false, "proposal", "sign-in-file", s.sign(t, file, "ann"))
		s.change(t, false, "proposal", "create", "vault", "--to", to+"=1000sat", "--dry-run", "--idempotency-key", "dry")
		s.refuse(t, "yet; missing: 1 signature;", "proposal", "broadcast", id)
		check(s.run(t, "proposal", "sign-in-file", s.sign(t, file, "cleo"), "--id", id), "complete, 2 of 2 signatures", "specterd proposal broadcast "+id)
		check(s.run(t, "proposal", "broadcast", id), "Sent transaction ")
		check(s.run(t, "proposal", "broadcast", id), " again.\n")

		t.Run("warnings about recipients", func(t *testing.T) {
			args := []string{"proposal", "create", "vault", "--to", to + "=10000sat", "--label", to + "=gifts", "--dry-run"}
			relabelled := `labels of addresses are replaced, also for earlier payments to them: "rent" becomes "gifts" for ` + to
			testkit.Eventually(t, "warning about the earlier payment", func() bool {
				return strings.Contains(s.run(t, args...), "warning     earlier payments were made to 1 recipient ("+to+" on ")
			})
			check(s.run(t, args...), "warning     "+relabelled)
			check(s.run(t, args...), " BTC to "+to+" (gifts)\n")
			check(s.run(t, "proposal", "create", "vault", "--to", "bitcoin:"+to+"?amount=0.1&label=books", "--dry-run"), " BTC to "+to+" (books)\n")
			table := filepath.Join(t.TempDir(), "recipients.csv")
			testkit.Check(t, os.WriteFile(table, []byte("address,amount_sat,label\n"+to+",10000,toys\n"), 0o600))
			check(s.run(t, "proposal", "create", "vault", "--recipients", table, "--dry-run"), " BTC to "+to+" (toys)\n")
			check(s.run(t, "proposal", "create", "vault", "--to", to+"=10000sat", "--dry-run"), " BTC to "+to+" (rent)\n") // as stored
			shown := decoded(t, s.run(t, append(args, "--json")...))
			warnings := field(shown, "warnings").([]any)
			if got := field(warnings[len(warnings)-1], "message"); got != relabelled {
				t.Errorf("the warning in the JSON is %v", got)
			}
		})
		t.Run("bump", func(t *testing.T) {
			s.refuse(t, "--fee-rate: must be at least", "proposal", "bump", id, "--fee-rate", "10.001")
			out := s.run(t, "proposal", "bump", id, "--fee-rate", "20")
			check(out, "replaces ", id, "20 sat/vB")
			bumped := uuidText.FindString(out)
			s.refuse(t, "repeat the command with --yes", "proposal", "cancel", bumped)
			check(s.run(t, "proposal", "cancel", bumped, "--yes"), "Cancelled proposal "+bumped)
			check(s.run(t, "proposal", "list", "vault"), "broadcast", "cancelled")
		})
		t.Run("refused", func(t *testing.T) {
			before := s.run(t, "proposal", "list", "vault")
			s.refuse(t, "exists already; name another file", "proposal", "create", "vault", "--to", to+"=10000sat", "--psbt", file)
			if after := s.run(t, "proposal", "list", "vault"); after != before {
				t.Errorf("a refused command leaves %s", after)
			}
			s.refuse(t, "no proposal", "proposal", "show", "0d19b53c-4531-4549-a327-500d46f60ead")
			s.refuse(t, "has no wallet with the alias", "proposal", "create", "none", "--to", to+"=1BTC")
			s.refuse(t, "--status: must be", "proposal", "list", "--status", "open")
			for amount, want := range map[string]string{
				"9BTC": "insufficient funds for the payment and its fee: ", "1sat": "--to number 1: must be at least ",
				"0,1BTC": "decimal point", "5": "must have a unit", "1mBTC": "the unit of an amount must be sat or BTC",
			} {
				s.refuse(t, want, "proposal", "create", "vault", "--to", to+"="+amount)
			}
			open := uuidText.FindString(s.run(t, "proposal", "create", "vault", "--to", to+"=1000sat"))
			s.refuse(t, " BTC are available. Open proposals reserve 1.00000000 BTC: "+open+" (1.00000000 BTC). The payment is possible if they are cancelled or expire", "proposal", "create", "vault", "--to", to+"=1.5BTC")
			other := s.remoteAs(t, "admin", mostScopes)
			for _, amount := range []string{"1.5BTC", "9BTC"} { // the cause, an error of the node, is not shown
				args := []string{"proposal", "create", "vault", "--to", to + "=" + amount}
				_, _, here := s.try(t.Context(), args...)
				_, _, there := other.try(t.Context(), args...)
				if here == nil || there == nil || here.Error() != there.Error() {
					t.Errorf("the error is %q, and with a server %q", here, there)
				}
			}
			s.run(t, "proposal", "cancel", open, "--yes")
			s.run(t, "proposal", "create", "vault", "--to", to+"=5000sats", "--dry-run")
			s.refuse(t, "--to number 1: ", "proposal", "create", "vault", "--to", "1BoatSLRHtKNngkdXEeobR76b53LETtpyT=1BTC")
		})
		t.Run("recipients", func(t *testing.T) {
			create := []string{"proposal", "create", "vault", "--dry-run"}
			check(s.run(t, append(create, "--to", "bitcoin:"+to+"?amount=0.25", "--to", "data:6869")...), "pays        0.25000000 BTC to "+to, "stores      2 bytes: 6869")
			check(s.run(t, append(create, "--allow-duplicates", "--to", to+"=1000sat", "--to", to+"=0.002BTC")...), "0.00001000 BTC to "+to, "0.00200000 BTC to "+to)
			s.refuse(t, "--to number 2: must not be the address of another recipient", append(create, "--to", to+"=1000sat", "--to", to+"=0.002BTC")...)
			s.refuse(t, "--to number 1: is a bitcoin: URI that requires the parameter req-pop", append(create, "--to", "bitcoin:"+to+"?req-pop=x")...)
			s.refuse(t, "recipients", create...)
			table := filepath.Join(t.TempDir(), "salaries.csv")
			testkit.Check(t, os.WriteFile(table, []byte("\ufeffaddress;amount_btc;label\r\n"+to+";0.25;salary\r\n"), 0o600))
			check(s.run(t, append(create, "--recipients", table)...), "pays        0.25000000 BTC to "+to)
			once := []string{"proposal", "create", "vault", "--idempotency-key", "salaries", "--recipients", table}
			s.run(t, "proposal", "cancel", uuidText.FindString(s.run(t, once...)), "--yes")
			testkit.Check(t, os.WriteFile(table, []byte("address,amount_sat\nx,1\ny,1\n"), 0o600))
			s.refuse(t, "--recipients: line 2, column address: must be a valid Bitcoin address; check it for typing errors; --recipients: line 3, column address: ", append(create, "--recipients", table)...)
			s.refuse(t, "other arguments", once...)
			s.refuse(t, "no such file", append(create, "--recipients", table+"x")...)
		})
		check(s.run(t, "audit", "list", "--action", "proposal"), "proposal.broadcast", "command line")
	})
}

// TestProposalCommands_Concurrent checks that commands that run at the same time reserve
// different UTXOs, and that at most one of them gets a named UTXO.
func TestProposalCommands_Concurrent(t *testing.T) {
	const commands = 4
	onBoth(t, func(t *testing.T, postgres bool) {
		s, keys := newShell(t, postgres)
		s.serve(t)
		s.createVault(t, keys, commands+1)
		to := s.newAddress(t)
		all := func(flags ...string) (outs []string, errs []error) {
			outs, errs = make([]string, commands), make([]error, commands)
			var running sync.WaitGroup
			for i := range commands {
				running.Go(func() {
					outs[i], _, errs[i] = s.try(t.Context(), append([]string{"proposal", "create", "vault", "--json"}, flags...)...)
				})
			}
			running.Wait()
			return outs, errs
		}
		spent := map[string]bool{}
		outs, errs := all("--to", to+"=0.5BTC")
		for i, out := range outs {
			if errs[i] != nil {
				t.Errorf("a command failed although a UTXO is left: %v", errs[i])
				continue
			}
			inputs := field(decoded(t, out), "inputs").([]any)
			at := fmt.Sprint(field(inputs[0], "txid"), ":", field(inputs[0], "vout"))
			if len(inputs) != 1 || spent[at] {
				t.Errorf("%s is spent by two proposals, or one has several inputs: %v", at, inputs)
			}
			spent[at] = true
		}
		free := ""
		for _, utxo := range field(s.get(t, "/api/v1/wallets/vault/utxos"), "items").([]any) {
			if field(utxo, "reserved") == false {
				free = fmt.Sprint(field(utxo, "txid"), ":", field(utxo, "vout"))
			}
		}
		_, errs = all("--to", to+"=max", "--from", free)
		created := 0
		for _, err := range errs {
			switch {
			case err == nil:
				created++
			case !strings.Contains(err.Error(), "open proposals spend some of these UTXOs") && !strings.Contains(err.Error(), "another open proposal spends"):
				t.Error(err)
			}
		}
		if created != 1 {
			t.Errorf("%d proposals spend the same UTXO", created)
		}
	})
}
