package cli

import (
	"fmt"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/specterd/specterd/internal/btc"
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
		check(out, "pays        0.25000000 BTC to "+to, "missing     2 signatures", "by admin")

		t.Run("idempotency key", func(t *testing.T) {
			if again := uuidText.FindString(s.run(t, append(create, file+"2")...)); again != id {
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
		s.refuse(t, "not have enough signatures", "proposal", "broadcast", id)
		check(s.run(t, "proposal", "sign-in-file", s.sign(t, file, "ann")), "Added 1 signature.", "partially signed, 1 of 2", "added by admin", "missing     1 signature\n")
		check(s.run(t, "proposal", "sign-in-file", s.sign(t, file, "cleo"), "--id", id), "complete, 2 of 2 signatures", "specterd proposal broadcast "+id)
		check(s.run(t, "proposal", "broadcast", id), "Sent transaction ")

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
			s.refuse(t, "no proposal", "proposal", "show", "0d19b53c-4531-4549-a327-500d46f60ead")
			s.refuse(t, "has no wallet with the alias", "proposal", "create", "none", "--to", to+"=1BTC")
			s.refuse(t, "--status: must be", "proposal", "list", "--status", "open")
			s.refuse(t, "--to number 1: ", "proposal", "create", "vault", "--to", "1BoatSLRHtKNngkdXEeobR76b53LETtpyT=1BTC")
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

func TestParseAmount(t *testing.T) {
	for text, want := range map[string]btc.Amount{
		"1sat": 1, "50000 sat": 50_000, "0.0005BTC": 50_000, "1btc": btc.BTC, "21000000BTC": btc.MaxMoney,
		"": 0, "5": 0, "sat": 0, "BTC": 0, "-1sat": 0, "0sat": 0, "0.1sat": 0, "0.000000001BTC": 0, "21000001BTC": 0, "1sats": 0, "1satbtc": 0, "1e9BTC": 0,
	} {
		if got, err := parseAmount(text); got != want || (err == nil) != (want != 0) {
			t.Errorf("%q: %d, %v", text, got, err)
		}
	}
}
