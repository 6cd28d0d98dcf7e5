package walletfile_test

import (
	"crypto/pbkdf2"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/btcsuite/btcd/btcutil"
	"github.com/btcsuite/btcd/btcutil/hdkeychain"
	"github.com/btcsuite/btcd/chaincfg"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/testenv/testkit"
	"github.com/specterd/specterd/internal/walletfile"
)

// seeds are the seed words of the test keys, from the test vectors of BIP-39.
var seeds = []string{
	strings.Repeat("abandon ", 11) + "about",
	"legal winner thank year wave sausage worth useful legal winner thank yellow",
	"letter advice cage absurd amount doctor acoustic avoid letter advice cage above",
}

// keyOf returns the key of a seed at a path such as 84h/0h/0h, with its origin.
func keyOf(t testing.TB, seed int, path string, network btc.Network) string {
	t.Helper()
	raw, err := pbkdf2.Key(sha512.New, seeds[seed], []byte("mnemonic"), 2048, 64)
	testkit.Check(t, err)
	params := &chaincfg.MainNetParams
	if network != btc.Main {
		params = &chaincfg.RegressionNetParams
	}
	key, err := hdkeychain.NewMaster(raw, params)
	testkit.Check(t, err)
	master, err := key.ECPubKey()
	testkit.Check(t, err)
	origin := "[" + hex.EncodeToString(btcutil.Hash160(master.SerializeCompressed())[:4]) + "/" + path + "]"
	for step := range strings.SplitSeq(path, "/") {
		n, err := strconv.ParseUint(strings.TrimSuffix(step, "h"), 10, 31)
		testkit.Check(t, err)
		key, err = key.Derive(uint32(n) + hdkeychain.HardenedKeyStart)
		testkit.Check(t, err)
	}
	neutered, err := key.Neuter()
	testkit.Check(t, err)
	return origin + neutered.String()
}

// accountPath returns the usual path of an account key.
func accountPath(script btc.Script, network btc.Network) string {
	coin := "1h"
	if network == btc.Main {
		coin = "0h"
	}
	return map[btc.Script]string{
		btc.PKH: "44h/" + coin + "/0h", btc.ShWPKH: "49h/" + coin + "/0h", btc.WPKH: "84h/" + coin + "/0h", btc.TR: "86h/" + coin + "/0h",
		btc.Sh: "45h", btc.ShWSh: "48h/" + coin + "/0h/1h", btc.WSh: "48h/" + coin + "/0h/2h",
	}[script]
}

// policyOf returns the wallet of the test keys with a script type: 2 of 3 for multisig.
func policyOf(t testing.TB, script btc.Script, network btc.Network) btc.Policy {
	t.Helper()
	count, required := 1, 1
	if script.IsMultisig() {
		count, required = 3, 2
	}
	keys := make([]string, count)
	for i := range keys {
		keys[i] = keyOf(t, i, accountPath(script, network), network)
	}
	p, err := btc.FromKeys(keys, required, string(script), network)
	testkit.Check(t, err)
	return p
}

// fileTests are the files in testdata/main and testdata/regtest.
var fileTests = []struct {
	name     string
	format   walletfile.Format
	script   btc.Script
	walletNm string
	names    string
	warnings string
}{
	{"descriptor.txt", "descriptor", btc.WPKH, "", "", ""},
	{"descriptor-apostrophe.txt", "descriptor", btc.WSh, "", ",,", ""},
	{"descriptor-two.txt", "descriptor", btc.WSh, "", ",,", ""},
	{"descriptor-receive-only.txt", "descriptor", btc.WPKH, "", "", "change_implied"},
	{"descriptor-labelled.txt", "descriptor", btc.WSh, "", ",,", ""},
	{"descriptor-stars.txt", "descriptor", btc.WSh, "", ",,", ""},
	{"descriptor-taproot.txt", "descriptor", btc.TR, "", "", ""},
	{"specter-diy.txt", "descriptor", btc.WSh, "Family Vault", ",,", "branches_assumed"},
	{"key-seedsigner.txt", "key", btc.WPKH, "", "", ""},
	{"account-map.json", "account-map", btc.WSh, "Family Vault", "Cold,Jade,Spare", "change_implied"},
	{"specter.json", "specter", btc.WSh, "Family Vault", "cold,jade,spare", ""},
	{"specter-device.json", "specter-device", btc.WPKH, "Cold", "Cold", "one_of_several"},
	{"coldcard.json", "coldcard", btc.WPKH, "", "", "one_of_several"},
	{"coldcard-multisig.txt", "coldcard-multisig", btc.WSh, "Family Vault", ",,", ""},
	{"nunchuk.txt", "nunchuk", btc.ShWSh, "Family Vault", ",,", ""},
	{"account-key.json", "account-key", btc.WPKH, "", "", ""},
	{"sparrow.json", "sparrow", btc.WSh, "Family Vault", "Cold,Jade,Spare", ""},
	{"electrum.json", "electrum", btc.WPKH, "", "Savings", ""},
	{"electrum-multisig.json", "electrum", btc.ShWSh, "", "Coldcard 0,Coldcard 1,Coldcard 2", ""},
	{"caravan.json", "caravan", btc.WSh, "Family Vault", "Cold,Jade,Spare", ""},
	{"wallet.bsms", "bsms", btc.WSh, "", ",,", ""},
	{"bip388.json", "bip388", btc.WSh, "Family Vault", ",,", ""},
	{"core-listdescriptors.json", "core", btc.WPKH, "watch", "", "inactive_skipped one_of_several"},
	{"core-importdescriptors.json", "core", btc.WSh, "", ",,", ""},
}

func codes(warnings []walletfile.Warning) string {
	all := make([]string, len(warnings))
	for i, w := range warnings {
		all[i] = w.Code
	}
	return strings.Join(all, " ")
}

// readFile reads a file of testdata, main or regtest.
func readFile(t testing.TB, network btc.Network, name string, script btc.Script) (walletfile.File, error) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", string(network), name))
	testkit.Check(t, err)
	return walletfile.FromBytes(data).Read(walletfile.Options{Network: network, Script: script})
}

// TestRead_Files reads each file, and compares the wallet with the one of the keys, so that all
// formats of a wallet give the same descriptors.
func TestRead_Files(t *testing.T) {
	t.Parallel()
	for _, network := range []btc.Network{btc.Main, btc.Regtest} {
		for _, c := range fileTests {
			t.Run(string(network)+"/"+c.name, func(t *testing.T) {
				f, err := readFile(t, network, c.name, "")
				testkit.Check(t, err)
				want := policyOf(t, c.script, network)
				if f.Format != c.format || f.Script != c.script || f.Name != c.walletNm || f.Policy.SignaturesRequired != want.SignaturesRequired {
					t.Errorf("got %s, %s, %q, %d signatures", f.Format, f.Script, f.Name, f.Policy.SignaturesRequired)
				}
				if f.Policy.Receive.String() != want.Receive.String() || f.Policy.Change.String() != want.Change.String() {
					t.Errorf("got  %s\nwant %s", f.Policy.Receive, want.Receive)
				}
				var names []string
				for _, k := range f.Keys {
					names = append(names, k.Name)
				}
				if strings.Join(names, ",") != c.names || codes(f.Warnings) != c.warnings {
					t.Errorf("names %q, warnings %+v", names, f.Warnings)
				}
			})
		}
	}
}

// TestRead_AllFilesTested checks that each file of testdata occurs in a test.
func TestRead_AllFilesTested(t *testing.T) {
	t.Parallel()
	tested := []string{"descriptor-unsorted.txt", "key-slip132.txt", "key-multisig.txt", "signer.bsms", "ccxp-73C5DA0A.json", "key-jade.txt", "key-spare.txt"} // in TestRead_Others
	for _, c := range fileTests {
		tested = append(tested, c.name)
	}
	for _, folder := range []string{"main", "regtest"} {
		entries, err := os.ReadDir(filepath.Join("testdata", folder))
		testkit.Check(t, err)
		if len(entries) != len(tested) {
			t.Errorf("%d files in %s, %d are tested", len(entries), folder, len(tested))
		}
		for _, e := range entries {
			if !slices.Contains(tested, e.Name()) {
				t.Errorf("%s is not tested", e.Name())
			}
		}
	}
}

// TestRead_Others covers files that are not a complete wallet, or have unusual properties.
func TestRead_Others(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, warnings string
		isWallet       bool
		script         btc.Script
		seed           int
	}{
		{"descriptor-unsorted.txt", "multisig_unsorted", true, btc.WSh, 0},
		{"key-slip132.txt", "fingerprint_missing", true, btc.WPKH, 0},
		{"key-multisig.txt", "signer_key", false, btc.WSh, 0},
		{"key-jade.txt", "signer_key", false, btc.WSh, 1},
		{"key-spare.txt", "signer_key", false, btc.WSh, 2},
		{"signer.bsms", "signer_key", false, btc.WSh, 0},
		{"ccxp-73C5DA0A.json", "one_of_several signer_key", false, btc.WSh, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, err := readFile(t, btc.Main, c.name, "")
			testkit.Check(t, err)
			if codes(f.Warnings) != c.warnings || f.IsWallet() != c.isWallet || f.Script != c.script || len(f.Keys) == 0 {
				t.Errorf("got %+v", f)
			}
			want := keyOf(t, c.seed, accountPath(c.script, btc.Main), btc.Main)
			if !strings.HasSuffix(want, f.Keys[0].XPub) {
				t.Errorf("got %s, want %s", f.Keys[0].XPub, want)
			}
		})
	}
}

// TestRead_Script checks the choice among several wallets of a file.
func TestRead_Script(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		script btc.Script
	}{
		{"coldcard.json", btc.PKH},
		{"coldcard.json", btc.ShWPKH},
		{"coldcard.json", btc.TR},
		{"core-listdescriptors.json", btc.TR},
		{"core-listdescriptors.json", btc.PKH},
		{"specter-device.json", btc.ShWPKH},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, err := readFile(t, btc.Main, c.name, c.script)
			testkit.Check(t, err)
			if want := policyOf(t, c.script, btc.Main); f.Policy.Receive.String() != want.Receive.String() || len(f.Scripts) < 3 {
				t.Errorf("%s, %s: got %s of %v", c.name, c.script, f.Policy.Receive, f.Scripts)
			}
		})
	}
	f, err := readFile(t, btc.Main, "coldcard.json", btc.WSh)
	if err != nil || f.IsWallet() || codes(f.Warnings) != "signer_key" {
		t.Errorf("a signer's key: %+v, %v", f, err)
	}
	_, err = readFile(t, btc.Main, "specter-device.json", btc.TR)
	if f, ok := errors.AsType[*fault.Error](err); !ok || f.Fields[0].Name != "script" || !strings.HasSuffix(f.Message, "wpkh, sh-wpkh, wsh") {
		t.Errorf("a script that the file does not have: %v", err)
	}
	one := keyOf(t, 0, "7h", btc.Main)
	for script, want := range map[btc.Script]string{"": "script_assumed", btc.TR: ""} {
		f, err := walletfile.FromText(one).Read(walletfile.Options{Network: btc.Main, Script: script})
		if err != nil || codes(f.Warnings) != want {
			t.Errorf("a key for any script type: %+v, %v", f, err)
		}
	}
}

// TestRead_Birthday checks the birthdays in files.
func TestRead_Birthday(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]struct {
		at     int64
		height int
	}{
		"account-map.json": {0, 760000}, "specter.json": {0, 100}, "sparrow.json": {1_700_000_000, -1},
		"core-listdescriptors.json": {1_700_000_000, -1}, "descriptor.txt": {0, -1},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := readFile(t, btc.Main, name, "")
			testkit.Check(t, err)
			at := time.Time{}
			if want.at > 0 {
				at = time.Unix(want.at, 0).UTC()
			}
			if !f.Birthday.Equal(at) || f.BirthdayHeight != want.height {
				t.Errorf("%s: got %v, %d", name, f.Birthday, f.BirthdayHeight)
			}
		})
	}
}

// TestAddresses checks addresses of BIP-84's test vector.
func TestAddresses(t *testing.T) {
	t.Parallel()
	receive, change, err := walletfile.Addresses(policyOf(t, btc.WPKH, btc.Main), 2)
	testkit.Check(t, err)
	if got := strings.Join(slices.Concat(receive, change), " "); got != "bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu bc1qnjg0jd8228aq7egyzacy8cys3knf9xvrerkf9g "+
		"bc1q8c6fshw2dlwun7ekn9qwf37cu2rn755upcp6el bc1qggnasd834t54yulsep6fta8lpjekv4zj6gv5rf" {
		t.Errorf("got %s", got)
	}
}

// readRaw returns a file of testdata.
func readRaw(network btc.Network, name string) ([]byte, error) {
	return os.ReadFile(filepath.Join("testdata", string(network), name))
}

// TestRead_DeviceNames checks that names of devices that look like seed words are accepted.
func TestRead_DeviceNames(t *testing.T) {
	t.Parallel()
	key := keyOf(t, 0, "84h/0h/0h", btc.Main)
	text := `{"label": "x", "blockheight": 1, "descriptor": "wpkh(` + key + `/0/*)", "devices": ["` + strings.Join(strings.Fields(seeds[1]), `", "`) + `"]}`
	if _, err := walletfile.FromText(text).Read(walletfile.Options{Network: btc.Main}); err != nil {
		t.Error(err)
	}
}

// TestFromFile names devices like the files with their keys, unless the file has a name.
func TestFromFile(t *testing.T) {
	t.Parallel()
	ann, ben := keyOf(t, 0, "48h/1h/0h/2h", btc.Regtest), keyOf(t, 1, "48h/1h/0h/2h", btc.Regtest)
	named := `{"name": "Ann's Jade", "type": "jade", "keys": [` + fmt.Sprintf(`{"original": %q}`, ann) + `]}`
	from := walletfile.FromFile
	for name, c := range map[string]struct {
		source walletfile.Source
		want   []string
	}{
		"a key":              {from("/home/ann/ann.txt", []byte(ann)), []string{"ann"}},
		"a path of Windows":  {from(`C:\keys\ann.backup.json`, []byte(ann)), []string{"ann.backup"}},
		"a name in the file": {from("export.json", []byte(named)), []string{"Ann's Jade"}},
		"a picture":          {from("IMG_0001.JPG", []byte(ann)), []string{""}},
		"no name":            {from("", []byte(ann)), []string{""}},
		"several files": {
			walletfile.FromFiles([]walletfile.Source{from("ann.txt", []byte(ann)), walletfile.FromText(ben)}), []string{"ann", ""},
		},
		"several devices": {from("vault.txt", []byte("wsh(sortedmulti(1,"+ann+"/<0;1>/*,"+ben+"/<0;1>/*))")), []string{"", ""}},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := c.source.Read(walletfile.Options{Network: btc.Regtest, SignaturesRequired: 1})
			testkit.Check(t, err)
			var got []string
			for _, k := range f.Keys {
				got = append(got, k.Name)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("the devices are %q and not %q", got, c.want)
			}
		})
	}
}

// TestRead_SpecterDesktop reads files that Specter Desktop wrote.
func TestRead_SpecterDesktop(t *testing.T) {
	t.Parallel()
	const folder = "../../testdata/specter-desktop/real/"
	for name, want := range map[string]string{
		"wallets/regtest/simple_one.json": "specter wpkh 1", "wallets/regtest/nested.json": "specter sh-wpkh 1", "wallets/regtest/tap.json": "specter tr 1",
		"wallets/regtest/vault_23_fam.json": "specter wsh 3", "wallets_someuser/regtest/a_simple_wallet.json": "specter wpkh 1",
		"devices/my_trezor.json": "specter-device wpkh 1", "devices_someuser/specter_diy.json": "specter-device wpkh 1",
	} {
		t.Run(name, func(t *testing.T) {
			data, err := os.ReadFile(folder + name)
			testkit.Check(t, err)
			f, err := walletfile.FromBytes(data).Read(walletfile.Options{Network: btc.Regtest})
			if got := fmt.Sprintf("%s %s %d", f.Format, f.Script, len(f.Keys)); err != nil || got != want || f.Name == "" {
				t.Errorf("%s: %s, want %s; %v", name, got, want, err)
			}
		})
	}
}
