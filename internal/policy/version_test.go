package policy

import (
	"crypto/sha256"
	"encoding/hex"
	"testing"
)

func TestVersion(t *testing.T) {
	p, err := ParseStored(Wallet, []byte(`{"version": 1, "allow": [{"name": "a", "to": [{"list": "suppliers"}, {"list": "staff"}]}], "deny": [{"list": "blocked"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	lists := Lists{"suppliers": {{Address: "x", Label: "ACME"}, {WalletID: "w"}}, "blocked": {}, "other": {{Address: "y"}}}
	// The form is part of stored approvals: it must not change.
	form := `{"policy":{"version":1,"allow":[{"name":"a","to":[{"list":"suppliers"},{"list":"staff"}]}],"deny":[{"list":"blocked"}]},` +
		`"lists":{"blocked":[],"suppliers":[{"address":"x"},{"wallet":"w"}]}}`
	sum := sha256.Sum256([]byte(form))
	version := hex.EncodeToString(sum[:])
	if got := Version(p, lists); got != version {
		t.Fatalf("got %s, want %s", got, version)
	}
	change := func(name string, entries []Target) Lists {
		changed := Lists{}
		for n, e := range lists {
			changed[n] = e
		}
		changed[name] = entries
		return changed
	}
	tests := []struct {
		name  string
		lists Lists
		same  bool
	}{
		{"another label", change("suppliers", []Target{{Address: "x", Label: "Other"}, {WalletID: "w"}}), true},
		{"list that is not named", change("other", nil), true},
		{"another entry", change("suppliers", []Target{{Address: "z"}, {WalletID: "w"}}), false},
		{"one entry less", change("suppliers", []Target{{Address: "x"}}), false},
		{"new list that was missing", change("staff", []Target{}), false},
		{"denied", change("blocked", []Target{{Address: "x"}}), false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if same := Version(p, test.lists) == version; same != test.same {
				t.Errorf("same: %t", same)
			}
		})
	}
}
