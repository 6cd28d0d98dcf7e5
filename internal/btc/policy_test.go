package btc_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
)

func faultOf(t testing.TB, err error) *fault.Error {
	t.Helper()
	f, ok := errors.AsType[*fault.Error](err)
	if !ok {
		t.Fatalf("%v is not a fault", err)
	}
	return f
}

func TestFromDescriptors(t *testing.T) {
	const one, two = "[d34db33f/48h/0h/0h/2h]" + xpub, xpub2
	for i, pair := range [][2]string{
		{"wpkh(" + one + "/<0;1>/*)", ""},
		{"wpkh(" + one + "/0/*)", "wpkh(" + one + "/1/*)"},
		{"wpkh(" + one + "/0/*)", ""},
		{"wsh(sortedmulti(2," + one + "/5/0/*," + two + "/0/*))", ""},
		{"wpkh(" + one + "/0/5/*)", "wpkh([d34db33f/48'/0'/0'/2']" + xpub + "/0/6/*)"},
		{"wsh(sortedmulti(2," + one + "/0/*," + two + "/3/9/*))", "wsh(sortedmulti(2," + one + "/1/*," + two + "/4/9/*))"},
	} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			policy, err := btc.FromDescriptors(pair[0], pair[1], btc.Main)
			if err != nil {
				t.Errorf("%q: %v", pair, err)
				return
			}
			if policy.Receive.IsMultipath() || policy.Change.IsMultipath() || policy.Receive.String() == policy.Change.String() {
				t.Errorf("%q: got %s and %s", pair, policy.Receive, policy.Change)
			}
		})
	}
	for _, wrong := range []struct{ receive, change, code, field string }{
		{"wpkh(" + one + "/*)", "", "invalid_input", "change_descriptor"},
		{"wpkh(" + one + "/1/*)", "", "invalid_input", "change_descriptor"},
		{"wpkh(" + one + "/0/2/*)", "", "invalid_input", "change_descriptor"},
		{"wsh(sortedmulti(2," + one + "/0/*," + two + "/3/*))", "", "invalid_input", "change_descriptor"},
		{"wpkh(" + one + "/<0;1>/*)", "wpkh(" + one + "/1/*)", "invalid_input", "change_descriptor"},
		{"wpkh(" + one + "/0/*)", "wpkh(" + one + "/<0;1>/*)", "descriptors_differ", "change_descriptor"},
		{"wpkh(" + one + "/0/*)", "wpkh(" + one + "/0/*)", "descriptors_differ", "change_descriptor"},
		{"wpkh(" + one + "/0/0/*)", "wpkh(" + one + "/1/1/*)", "descriptors_differ", "change_descriptor"},
		{"wpkh(" + one + "/0/*)", "wpkh(" + one + "/1/1/*)", "descriptors_differ", "change_descriptor"},
		{"wpkh(" + one + "/0/*)", "wpkh(" + xpub + "/1/*)", "descriptors_differ", "change_descriptor"},
		{"wpkh(" + one + "/0/*)", "wpkh(" + two + "/1/*)", "descriptors_differ", "change_descriptor"},
		{"wpkh(" + one + "/0/*)", "pkh(" + one + "/1/*)", "descriptors_differ", "change_descriptor"},
		{"wsh(multi(1," + one + "/0/*))", "wsh(sortedmulti(1," + one + "/1/*))", "descriptors_differ", "change_descriptor"},
		{"wsh(multi(1," + one + "/0/*," + two + "/0/*))", "wsh(multi(2," + one + "/1/*," + two + "/1/*))", "descriptors_differ", "change_descriptor"},
		{"wsh(multi(1," + one + "/0/*," + two + "/0/*))", "wsh(multi(1," + two + "/1/*," + one + "/1/*))", "descriptors_differ", "change_descriptor"},
		{"wsh(multi(1," + one + "/0/*," + two + "/0/*))", "wsh(multi(1," + one + "/1/*," + two + "/0/*))", "descriptors_differ", "change_descriptor"},
		{"wpkh(" + one + "/0/*)", "wpkh(", "invalid_descriptor", "change_descriptor"},
		{"", "wpkh(" + one + "/0/*)", "invalid_descriptor", "descriptor"},
		{"wpkh(" + one + "/0/*)#12345678", "", "invalid_descriptor", "descriptor"},
	} {
		_, err := btc.FromDescriptors(wrong.receive, wrong.change, btc.Main)
		wantFault(t, err, wrong.code, wrong.field, wrong.receive+" "+wrong.change)
	}
}

// TestImpliedChange checks that a receive descriptor that ends in /0/* describes
// the same wallet as the multipath descriptor of both branches.
func TestImpliedChange(t *testing.T) {
	for _, form := range []string{
		"wpkh(" + xpub + "/%[1]s/*)", "tr([d34db33f/86h/0h/0h]" + xpub + "/7/%[1]s/*)", "sh(wsh(multi(1," + xpub + "/%[1]s/*," + xpub2 + "/%[1]s/*)))",
	} {
		both, err := btc.FromDescriptors(fmt.Sprintf(form, "<0;1>"), "", btc.Main)
		if err != nil {
			t.Fatal(err)
		}
		implied, err := btc.FromDescriptors(both.Receive.String(), "", btc.Main)
		if err != nil || implied.Receive.String() != both.Receive.String() || implied.Change.String() != both.Change.String() {
			t.Errorf("%s implies %s, %v; want %s", both.Receive, implied.Change, err, both.Change)
		}
	}
}

func TestFromKeys(t *testing.T) {
	policy, err := btc.FromKeys([]string{" [d34db33f/48'/0'/0'/2']" + xpub, xpub2}, 2, "wsh", btc.Main)
	if err != nil {
		t.Fatal(err)
	}
	want := "wsh(sortedmulti(2,[d34db33f/48h/0h/0h/2h]" + xpub + "/1/*," + xpub2 + "/1/*))#"
	if !strings.HasPrefix(policy.Change.String(), want) {
		t.Errorf("got %s, want %s", policy.Change, want)
	}
	if policy.Description() != "2 of 2 Multisig (Segwit)" || policy.Script.AddressType() != "bech32" || len(policy.Keys) != 2 {
		t.Errorf("%+v", policy)
	}
	for _, wrong := range []struct {
		keys        []string
		required    int
		script      string
		code, field string
	}{
		{nil, 1, "wpkh", "invalid_input", "keys"},
		{[]string{xpub, xpub2}, 1, "wpkh", "invalid_input", "keys"},
		{nil, 0, "wsh", "invalid_input", "keys"},
		{make([]string, 21), 1, "wsh", "invalid_input", "keys"},
		{make([]string, 16), 1, "sh", "invalid_input", "keys"},
		{[]string{xpub}, 2, "wpkh", "invalid_input", "signatures_required"},
		{[]string{xpub}, 0, "tr", "invalid_input", "signatures_required"},
		{[]string{xpub, xpub2}, 3, "sh-wsh", "invalid_input", "signatures_required"},
		{[]string{xpub, xpub2}, -1, "sh-wsh", "invalid_input", "signatures_required"},
		{[]string{xpub}, 1, "wsh(", "invalid_input", "script"},
		{[]string{xpub}, 1, "", "invalid_input", "script"},
		{[]string{xpub, ""}, 1, "wsh", "invalid_key", "keys"},
		{[]string{xpub + "/0/*"}, 1, "wpkh", "invalid_key", "keys"},
		{[]string{xpub + "/<0;1>/*", xpub2}, 1, "wsh", "invalid_key", "keys"},
	} {
		_, err := btc.FromKeys(wrong.keys, wrong.required, wrong.script, btc.Main)
		wantFault(t, err, wrong.code, wrong.field, strings.Join(wrong.keys, " "))
	}
	_, err = btc.FromKeys([]string{xpub}, 1, "wpkh", btc.Test)
	wantFault(t, err, "wrong_network", "keys", xpub)
}

// TestFromKeys_AllProblems checks that one error names all problems, and a private key alone.
func TestFromKeys_AllProblems(t *testing.T) {
	_, err := btc.FromKeys([]string{"nonsense", xpub, xpub + "/0/*"}, 4, "wpkhh", btc.Main)
	f, ok := errors.AsType[*fault.Error](err)
	if !ok || len(f.Fields) != 4 || f.Fields[0].Name != "script" || f.Fields[1].Name != "signatures_required" || f.Fields[2].Name != "keys" || f.Fields[3].Name != "keys" {
		t.Fatalf("%v", err)
	}
	if !strings.HasPrefix(f.Fields[2].Message, "key 1 ") || !strings.HasPrefix(f.Fields[3].Message, "key 3 ") || f.Code != "invalid_input" {
		t.Errorf("%v", err)
	}
	if _, err := btc.FromKeys([]string{"nonsense", xprv}, 4, "wsh", btc.Main); !errors.Is(err, btc.ErrPrivateKey) {
		t.Errorf("%v", err)
	}
	_, err = btc.ParseDescriptor("wsh(multi(3,nonsense/0/*,"+xpub+"/0/*))", btc.Regtest)
	if f, ok := errors.AsType[*fault.Error](err); !ok || len(f.Fields) != 3 || f.Fields[1].Message != "key 2 is a mainnet key, but the node is on regtest; export the key for a test network, or use a node on mainnet" {
		t.Errorf("%v", err)
	}
}

func TestDescriptions(t *testing.T) {
	for script, want := range map[string][2]string{
		"pkh": {"Single (Legacy)", "legacy"}, "wpkh": {"Single (Segwit)", "bech32"}, "sh-wpkh": {"Single (Nested)", "p2sh-segwit"}, "tr": {"Taproot", "taproot"},
		"sh": {"1 of 1 Multisig (Legacy)", "legacy"}, "wsh": {"1 of 1 Multisig (Segwit)", "bech32"}, "sh-wsh": {"1 of 1 Multisig (Nested)", "p2sh-segwit"},
	} {
		t.Run(script, func(t *testing.T) {
			policy, err := btc.FromKeys([]string{xpub}, 1, script, btc.Main)
			if err != nil || policy.Description() != want[0] || policy.Script.AddressType() != want[1] {
				t.Errorf("%s: %s, %s, %v", script, policy.Description(), policy.Script.AddressType(), err)
			}
		})
	}
}

func TestParseNetwork(t *testing.T) {
	for _, name := range []string{"main", "test", "testnet4", "signet", "regtest"} {
		if n, err := btc.ParseNetwork(name); err != nil || string(n) != name {
			t.Error(n, err)
		}
	}
	for _, name := range []string{"", "Main", "mainnet", "bitcoin", "testnet"} {
		_, err := btc.ParseNetwork(name)
		wantFault(t, err, "invalid_input", "network", name)
	}
}
