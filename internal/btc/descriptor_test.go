package btc_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/specterd/specterd/internal/btc"
)

// TestChecksum covers the vectors of BIP-380. A raw descriptor is rejected as
// unsupported only after its checksum was verified.
func TestChecksum(t *testing.T) {
	for text, code := range map[string]string{
		"raw(deadbeef)#89f8spxm":  "unsupported_descriptor",
		"raw(deadbeef)":           "unsupported_descriptor",
		"raw(deadbeef)#":          "invalid_descriptor",
		"raw(deadbeef)#89f8spxmx": "invalid_descriptor",
		"raw(deadbeef)#89f8spx":   "invalid_descriptor",
		"raw(deedbeef)#89f8spxm":  "invalid_descriptor",
		"raw(deedbeef)##9f8spxm":  "invalid_descriptor",
		"raw(Ü)#00000000":         "invalid_descriptor",
		"raw(deadbeef)#89F8SPXM":  "invalid_descriptor",
	} {
		_, err := btc.ParseDescriptor(text, btc.Main)
		wantFault(t, err, code, "descriptor", text)
	}
}

func TestDescriptors_Canonical(t *testing.T) {
	// The expected text has no checksum; it is empty if it equals the input.
	for text, want := range map[string]string{
		// A test vector of BIP-389.
		"wpkh([ffffffff/13h]xpub69H7F5d8KSRgmmdJg2KhpAK8SR3DjMwAdkxj3ZuxV27CprR9LgpeyGmXUbC6wb7ERfvrnKZjXoUmmDznezpbZb7ap6r1D3tgFxHmwMkQTPH/<1;3>/2/*)": "",
		" wpkh([D34DB33F/84'/0h/0']" + xpub + "/<0;1>/*)\n":                       "wpkh([d34db33f/84h/0h/0h]" + xpub + "/<0;1>/*)",
		"tr([d34db33f]" + xpub + "/*)":                                            "",
		"pkh(" + xpub + "/007/<5;00>/2147483647/*)":                               "pkh(" + xpub + "/7/<5;0>/2147483647/*)",
		"sh(wpkh(" + xpub + "/0/*))":                                              "",
		"wsh(multi(01," + xpub + "/<1;2>/*," + xpub2 + "/<3;4>/0/*))":             "wsh(multi(1," + xpub + "/<1;2>/*," + xpub2 + "/<3;4>/0/*))",
		"sh(sortedmulti(2," + xpub2 + "/*," + xpub + "/*))":                       "",
		"sh(wsh(sortedmulti(2," + xpub2 + "/*," + xpub + "/*," + master + "/*)))": "",
	} {
		t.Run(text, func(t *testing.T) {
			if want == "" {
				want = text
			}
			d, err := btc.ParseDescriptor(text, btc.Main)
			if err != nil {
				t.Errorf("%s: %v", text, err)
				return
			}
			body, sum, _ := strings.Cut(d.String(), "#")
			if body != want || len(sum) != 8 {
				t.Errorf("got %s\nwant %s", d, want)
			}
			again, err := btc.ParseDescriptor(d.String(), btc.Main)
			if err != nil || again.String() != d.String() {
				t.Errorf("%s is read back as %s, %v", d, again, err)
			}
		})
	}
}

// TestSplit covers the vectors of BIP-389 with supported descriptors.
func TestSplit(t *testing.T) {
	const key = "wpkh([ffffffff/13h]xpub69H7F5d8KSRgmmdJg2KhpAK8SR3DjMwAdkxj3ZuxV27CprR9LgpeyGmXUbC6wb7ERfvrnKZjXoUmmDznezpbZb7ap6r1D3tgFxHmwMkQTPH"
	d, err := btc.ParseDescriptor(key+"/<1;3>/2/*)", btc.Main)
	if err != nil || !d.IsMultipath() {
		t.Fatal(d, err)
	}
	receive, change := d.Split()
	if got, _, _ := strings.Cut(receive.String(), "#"); got != key+"/1/2/*)" {
		t.Error(got)
	}
	if got, _, _ := strings.Cut(change.String(), "#"); got != key+"/3/2/*)" {
		t.Error(got)
	}
	if _, err := d.Address(0); err == nil {
		t.Error("a descriptor with two branches has an address")
	}
	if same, other := receive.Split(); same.String() != receive.String() || other.String() != receive.String() {
		t.Error(same, other)
	}
}

func TestUnsupportedDescriptors(t *testing.T) {
	const key = "02c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee5"
	for _, text := range []string{
		"pk(" + xpub + "/<0;1>/*)", "combo(" + xpub + "/*)", "addr(bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4)", "multi(1," + xpub + "/*)", "sortedmulti(1," + xpub + "/*)",
		"wsh(pk(" + xpub + "/*))", "wsh(and_v(v:pk(" + xpub + "/*),older(144)))", "wsh(pkh(" + xpub + "/*))", "sh(pkh(" + xpub + "/*))", "sh(wsh(pk(" + xpub + "/*)))", "rawtr(" + xpub + "/*)",
		"wsh(thresh(1,pk(" + xpub + "/*)))", "tr(" + xpub + "/*,pk(" + xpub2 + "/*))", "tr(" + xpub + "/*,{pk(" + xpub2 + "/*),pk(" + xpub2 + "/1/*)})", "tr(" + xpub + "/*,sortedmulti_a(1," + xpub2 + "/*))",
		"tr(musig(" + xpub + "," + xpub2 + ")/<0;1>/*)", "wsh(multi(1,musig(" + xpub + "," + xpub2 + ")/*))",
		"wpkh(" + xpub + "/*h)", "wpkh(" + xpub + "/0/*')", "wpkh(" + xpub + ")", "wpkh(" + xpub + "/0/1)", "wpkh(" + xpub + "/<0;1>)", "wpkh(" + xpub + "/<0;1;2>/*)",
		"wpkh(" + key + ")", "wpkh([d34db33f/0h]" + key + ")", "tr(" + key[2:] + ")", "pkh(04" + key[2:] + key[2:] + ")", "wsh(multi(1," + key + "))",
	} {
		_, err := btc.ParseDescriptor(text, btc.Main)
		wantFault(t, err, "unsupported_descriptor", "descriptor", text)
	}
}

func TestBadDescriptors(t *testing.T) {
	many := func(n int) string {
		var keys []string
		for i := range n {
			_, key := public(t, signer(t, i))
			keys = append(keys, key+"/*")
		}
		return strings.Join(keys, ",")
	}
	for _, text := range []string{
		"", "wpkh", "wpkh(", "wpkh)", "wpkh(" + xpub + "/*", "wpkh(" + xpub + "/*))", "sh(wpkh(" + xpub + "/*)", "wpkh(wpkh(" + xpub + "/*))", "WPKH(" + xpub + "/*)", xpub, "x y",
		"wpkh (" + xpub + "/*)", "wpkh(" + xpub + "/*) ; wpkh(" + xpub + "/*)", "wpkh(" + xpub + "/0/**)", "wpkh(" + xpub + "/*/*)", "wpkh(" + xpub + "/*/0/*)", "wpkh(" + xpub + "//*)",
		"wpkh(" + xpub + "/0h/*)", "wpkh(" + xpub + "/<0;1h>/*)", "wpkh(" + xpub + "/2147483648/*)", "wpkh(" + xpub + "/-1/*)", "wpkh(" + xpub + "/1aa/*)",
		"wpkh(" + xpub + "/<0;1>/<2;3>/*)", "wpkh([deadbeef/<0;1>]" + xpub + "/*)", "wpkh(" + xpub + "/<>/*)", "wpkh(" + xpub + "/0>/*)", "wpkh(" + xpub + "/<0/*)", "wpkh(" + xpub + "/<0;>/*)",
		"wpkh(" + xpub + "/<;1>/*)", "wpkh(" + xpub + "/<0>/*)", "wpkh(" + xpub + "/<0;0>/*)", "wpkh(" + xpub + "/<1;01>/*)", "wpkh(" + xpub + "/<0;1>x/*)",
		"wpkh([deadbeef]/*)", "wpkh([deadbeef][deadbeef]" + xpub + "/*)", "wpkh(" + xpub + "/*," + xpub2 + "/*)", "wpkh()", "wsh(multi())", "wsh(multi(1))", "wsh(multi(1,))",
		"wsh(multi(" + xpub + "/*))", "wsh(multi(0," + xpub + "/*))", "wsh(multi(2," + xpub + "/*))", "wsh(multi(-1," + xpub + "/*))", "wsh(multi(1.0," + xpub + "/*))", "wsh(multi(999999999999," + xpub + "/*))",
		"wsh(multi(1, " + xpub + "/*))", "wsh(multi(1," + xpub + "/<0;1>/*," + xpub2 + "/0/*))", "wsh(multi(1," + xpub + "/0/*," + xpub2 + "/<0;1>/*))",
		"wpkh(" + xpub + strings.Repeat("/0", 251) + "/*)", "wpkh(" + strings.Repeat("0", 20_000) + ")",
	} {
		_, err := btc.ParseDescriptor(text, btc.Main)
		if err == nil {
			t.Fatalf("%s is accepted", text)
		}
		if f := faultOf(t, err); f.Code != "invalid_descriptor" && f.Code != "invalid_key" {
			t.Errorf("%q: %s", text, f.Code)
		}
		wantFault(t, err, faultOf(t, err).Code, "descriptor", text)
	}
	for script, most := range map[string]int{"sh(multi(1,%s))": 15, "wsh(sortedmulti(1,%s))": 20, "sh(wsh(multi(1,%s)))": 20} {
		t.Run(script, func(t *testing.T) {
			if _, err := btc.ParseDescriptor(fmt.Sprintf(script, many(most)), btc.Regtest); err != nil {
				t.Error(err)
			}
			_, err := btc.ParseDescriptor(fmt.Sprintf(script, many(most+1)), btc.Regtest)
			wantFault(t, err, "invalid_descriptor", "descriptor", script)
		})
	}
}

func TestDescriptors_WrongNetwork(t *testing.T) {
	_, err := btc.ParseDescriptor("wpkh("+xpub+"/*)", btc.Regtest)
	wantFault(t, err, "wrong_network", "descriptor", xpub)
}

func TestDescriptors_DuplicateKeys(t *testing.T) {
	for _, keys := range []string{
		xpub + "/0/*," + xpub + "/0/*",
		"[d34db33f/1h]" + xpub + "/0/*,[d34db33f/2h]" + xpub + "/1/*",
		xpub + "/0/*," + xpub2 + "/0/*," + xpub + "/7/*",
	} {
		_, err := btc.ParseDescriptor("wsh(sortedmulti(1,"+keys+"))", btc.Main)
		wantFault(t, err, "duplicate_key", "descriptor", keys)
	}
	_, err := btc.FromKeys([]string{xpub, xpub2, "[d34db33f]" + xpub}, 2, "wsh", btc.Main)
	wantFault(t, err, "duplicate_key", "keys", xpub)
}

// TestAccounts covers the vectors of BIP-49, BIP-84 and BIP-86.
func TestAccounts(t *testing.T) {
	for _, account := range []struct {
		key     string
		network btc.Network
		script  string
		receive []string
		change  string
	}{
		{
			"[73c5da0a/49h/1h/0h]upub5EFU65HtV5TeiSHmZZm7FUffBGy8UKeqp7vw43jYbvZPpoVsgU93oac7Wk3u6moKegAEWtGNF8DehrnHtv21XXEMYRUocHqguyjknFHYfgY",
			btc.Test, "sh-wpkh",
			[]string{"2Mww8dCYPUpKHofjgcXcBCEGmniw9CoaiD2"},
			"",
		},
		{
			"zpub6rFR7y4Q2AijBEqTUquhVz398htDFrtymD9xYYfG1m4wAcvPhXNfE3EfH1r1ADqtfSdVCToUG868RvUUkgDKf31mGDtKsAYz2oz2AGutZYs",
			btc.Main, "wpkh",
			[]string{"bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu", "bc1qnjg0jd8228aq7egyzacy8cys3knf9xvrerkf9g"},
			"bc1q8c6fshw2dlwun7ekn9qwf37cu2rn755upcp6el",
		},
		{
			"[73c5da0a/86h/0h/0h]xpub6BgBgsespWvERF3LHQu6CnqdvfEvtMcQjYrcRzx53QJjSxarj2afYWcLteoGVky7D3UKDP9QyrLprQ3VCECoY49yfdDEHGCtMMj92pReUsQ",
			btc.Main, "tr",
			[]string{"bc1p5cyxnuxmeuwuvkwfem96lqzszd02n6xdcjrs20cac6yqjjwudpxqkedrcr", "bc1p4qhjn9zdvkux4e44uhx8tc55attvtyu358kutcqkudyccelu0was9fqzwh"},
			"bc1p3qkhfews2uk44qtvauqyr2ttdsw7svhkl9nkm9s9c3x4ax5h60wqwruhk7",
		},
	} {
		t.Run(account.script, func(t *testing.T) {
			policy, err := btc.FromKeys([]string{account.key}, 1, account.script, account.network)
			if err != nil {
				t.Fatal(err)
			}
			for i, want := range account.receive {
				if got, err := policy.Receive.Address(uint32(i)); err != nil || got != want {
					t.Errorf("%s: got %s, %v, want %s", account.script, got, err, want)
				}
			}
			if got, err := policy.Change.Address(0); account.change != "" && (err != nil || got != account.change) {
				t.Errorf("%s: got %s, %v, want %s", account.script, got, err, account.change)
			}
			if _, err := policy.Receive.Address(btc.MaxIndex); err != nil {
				t.Error(err)
			}
			if _, err := policy.Receive.Address(btc.MaxIndex + 1); err == nil {
				t.Error("no error for a hardened index")
			}
		})
	}
}

// TestDeriver_Concurrent derives the same addresses concurrently, so that the race
// detector finds unsafe access.
func TestDeriver_Concurrent(t *testing.T) {
	d, err := btc.ParseDescriptor("wsh(sortedmulti(2,"+xpub+"/0/*,"+xpub2+"/0/*))", btc.Main)
	if err != nil {
		t.Fatal(err)
	}
	deriver, err := d.Deriver()
	if err != nil {
		t.Fatal(err)
	}
	want := addresses(t, d)
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for i, address := range want {
				if got, err := deriver.Address(uint32(i)); err != nil || got != address {
					t.Errorf("got %s, %v, want %s", got, err, address)
				}
			}
		})
	}
	group.Wait()
}
