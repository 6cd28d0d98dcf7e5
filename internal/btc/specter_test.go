package btc_test

import (
	"encoding/json"
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/specterd/specterd/internal/btc"
)

// recorded is testdata/specter.json: wallets and keys as Specter Desktop 2.1.11
// stored them, with the first addresses of each branch.
type recorded struct {
	Wallets []struct {
		Name, Alias, Description string
		AddressType              string        `json:"address_type"`
		Descriptor               string        `json:"recv_descriptor"`
		ChangeDescriptor         string        `json:"change_descriptor"`
		SigsRequired             int           `json:"sigs_required"`
		Keys                     []recordedKey `json:"keys"`
		Receive, Change          []string
	}
	Keys []recordedKey
}

type recordedKey struct{ Original, Fingerprint, Derivation, Type, Purpose, XPub string }

func specter(t testing.TB) recorded {
	t.Helper()
	text, err := os.ReadFile("testdata/specter.json")
	if err != nil {
		t.Fatal(err)
	}
	var r recorded
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestSpecterKeys(t *testing.T) {
	for _, want := range specter(t).Keys {
		got, err := btc.ParseKey("["+want.Fingerprint+want.Derivation[1:]+"]"+want.Original, btc.Regtest)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, asRecorded(got)); diff != "" {
			t.Error(diff)
		}
	}
}

func asRecorded(k btc.Key) recordedKey {
	return recordedKey{k.Original, k.Fingerprint, k.Derivation, string(k.Type), k.Purpose, k.XPub}
}

func TestSpecterWallets(t *testing.T) {
	for _, w := range specter(t).Wallets {
		t.Run(w.Alias, func(t *testing.T) {
			got, err := btc.FromDescriptors(w.Descriptor, w.ChangeDescriptor, btc.Regtest)
			if err != nil {
				t.Fatal(err)
			}
			if got.Receive.String() != w.Descriptor || got.Change.String() != w.ChangeDescriptor {
				t.Errorf("got %s and %s", got.Receive, got.Change)
			}
			if got.Description() != w.Description || got.Script.AddressType() != w.AddressType || got.SignaturesRequired != w.SigsRequired {
				t.Errorf("got %s, %s, %d", got.Description(), got.Script.AddressType(), got.SignaturesRequired)
			}
			if alias := btc.Alias(w.Name); alias != w.Alias {
				t.Errorf("alias %s", alias)
			}
			if receive, change := addresses(t, got.Receive), addresses(t, got.Change); !slices.Equal(receive, w.Receive) || !slices.Equal(change, w.Change) {
				t.Errorf("got %q and %q", receive, change)
			}

			keys := make([]string, len(w.Keys))
			for i, k := range w.Keys {
				keys[i] = "[" + k.Fingerprint + k.Derivation[1:] + "]" + k.Original
			}
			made, err := btc.FromKeys(keys, w.SigsRequired, string(got.Script), btc.Regtest)
			if err != nil {
				t.Fatal(err)
			}
			if made.Receive.String() != w.Descriptor || made.Change.String() != w.ChangeDescriptor {
				t.Errorf("from its keys: %s and %s", made.Receive, made.Change)
			}
			for i, k := range made.Keys {
				if diff := cmp.Diff(w.Keys[i], asRecorded(k)); diff != "" {
					t.Error(diff)
				}
			}
		})
	}
}

// addresses returns the first 20 addresses of a branch.
func addresses(t testing.TB, d btc.Descriptor) []string {
	t.Helper()
	deriver, err := d.Deriver()
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for i := range uint32(20) {
		address, err := deriver.Address(i)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, address)
	}
	return all
}
