package walletfile_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/testenv/testkit"
	"github.com/specterd/specterd/internal/walletfile"
)

// signerFile returns the keys of a seed for two script types, as a Coldcard writes them.
func signerFile(t testing.TB, seed int) string {
	t.Helper()
	bare := func(path string) string {
		_, key, _ := strings.Cut(keyOf(t, seed, path, btc.Regtest), "]")
		return key
	}
	return fmt.Sprintf(`{"xfp": %q, "p2sh_p2wsh_deriv": "m/48'/1'/0'/1'", "p2sh_p2wsh": %q, "p2wsh_deriv": "m/48'/1'/0'/2'", "p2wsh": %q}`,
		keyOf(t, seed, "45h", btc.Regtest)[1:9], bare("48h/1h/0h/1h"), bare("48h/1h/0h/2h"))
}

// TestFromFiles creates multisig wallets from a file of each signer.
func TestFromFiles(t *testing.T) {
	t.Parallel()
	raw := func(name string) string { return string(testkit.Must(readRaw(btc.Regtest, name))) }
	wsh := func(seed int) string { return keyOf(t, seed, "48h/1h/0h/2h", btc.Regtest) }
	_, bare, _ := strings.Cut(wsh(1), "]")
	for name, c := range map[string]struct {
		files    []string
		script   string
		want     btc.Script
		scripts  string
		names    string
		warnings string
	}{
		"three Coldcards":     {[]string{signerFile(t, 0), signerFile(t, 1), signerFile(t, 2)}, "", btc.WSh, "[wsh sh-wsh]", ",,", "one_of_several"},
		"chosen":              {[]string{signerFile(t, 0), signerFile(t, 1), signerFile(t, 2)}, "sh-wsh", btc.ShWSh, "[wsh sh-wsh]", ",,", ""},
		"chosen, preferred":   {[]string{signerFile(t, 0), signerFile(t, 1), signerFile(t, 2)}, "wsh", btc.WSh, "[wsh sh-wsh]", ",,", ""},
		"different formats":   {[]string{raw("specter-device.json"), wsh(1), "BSMS 1.0\n00\n" + wsh(2) + "\nSpare"}, "", btc.WSh, "[wsh]", "Cold,,", ""},
		"all accounts":        {[]string{raw("coldcard.json"), wsh(1), signerFile(t, 2)}, "", btc.WSh, "[wsh]", ",,", ""},
		"without origin":      {[]string{wsh(0), bare, wsh(2)}, "", btc.WSh, "[wsh]", ",,", "fingerprint_missing"},
		"all without origin":  {[]string{keyOf(t, 0, "7h", btc.Regtest), keyOf(t, 1, "7h", btc.Regtest), keyOf(t, 2, "7h", btc.Regtest)}, "", btc.WSh, "[wsh sh-wsh sh]", ",,", "script_assumed"},
		"one script assumed":  {[]string{keyOf(t, 0, "7h", btc.Regtest), keyOf(t, 1, "7h", btc.Regtest), keyOf(t, 2, "7h", btc.Regtest)}, "sh", btc.Sh, "[wsh sh-wsh sh]", ",,", ""},
		"the only common one": {[]string{signerFile(t, 0), keyOf(t, 1, "48h/1h/0h/1h", btc.Regtest), signerFile(t, 2)}, "", btc.ShWSh, "[sh-wsh]", ",,", ""},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := readFiles(c.files, walletfile.Options{Network: btc.Regtest, Script: btc.Script(c.script), SignaturesRequired: 2})
			testkit.Check(t, err)
			var names []string
			for _, k := range f.Keys {
				names = append(names, k.Name)
			}
			if f.Format != walletfile.Signers || f.Script != c.want || fmt.Sprint(f.Scripts) != c.scripts || strings.Join(names, ",") != c.names || codes(f.Warnings) != c.warnings {
				t.Errorf("got %s %s %v %q %+v", f.Format, f.Script, f.Scripts, names, f.Warnings)
			}
			if p := f.Policy; p.SignaturesRequired != 2 || len(p.Keys) != 3 || !p.Receive.Sorted() || f.BirthdayHeight != -1 || f.Name != "" {
				t.Errorf("got %+v", f)
			}
			if want := policyOf(t, c.want, btc.Regtest); strings.HasPrefix(name, "three") && f.Policy.Receive.String() != want.Receive.String() {
				t.Errorf("got %s, want %s", f.Policy.Receive, want.Receive)
			}
		})
	}
}

func readFiles(files []string, o walletfile.Options) (walletfile.File, error) {
	sources := make([]walletfile.Source, len(files))
	for i, text := range files {
		sources[i] = walletfile.FromText(text)
	}
	return walletfile.FromFiles(sources).Read(o)
}

// TestFromFiles_Problems checks that one error names all files with problems.
func TestFromFiles_Problems(t *testing.T) {
	t.Parallel()
	raw := func(name string) string { return string(testkit.Must(readRaw(btc.Regtest, name))) }
	wsh := func(seed int) string { return keyOf(t, seed, "48h/1h/0h/2h", btc.Regtest) }
	for name, c := range map[string]struct {
		files  []string
		script string
		want   []fault.Field // in their order
	}{
		"three kinds": {[]string{"x", raw("wallet.bsms"), raw("key-seedsigner.txt")}, "", []fault.Field{
			{Name: "files[0]", Message: "has no known format"},
			{Name: "files[1]", Message: "is a wallet and not the key of one signer"},
			{Name: "files[2]", Message: "has no key for multisig wallets; export one from the device, usually at the path m/48h/1h/0h/2h"},
		}},
		"network":         {[]string{wsh(0), string(testkit.Must(readRaw(btc.Main, "key-multisig.txt")))}, "", []fault.Field{{Name: "files", Message: "key 2 is a mainnet key, but the node is on regtest"}}},
		"twice":           {[]string{wsh(0), wsh(0)}, "", []fault.Field{{Name: "files", Message: "key 2"}}},
		"nothing shared":  {[]string{wsh(0), keyOf(t, 1, "48h/1h/0h/1h", btc.Regtest)}, "", []fault.Field{{Name: "files", Message: "have no script type in common, but wsh and sh-wsh"}}},
		"another script":  {[]string{wsh(0), wsh(1)}, "sh", []fault.Field{{Name: "script", Message: "must be one of those in all files: wsh"}}},
		"too many wanted": {[]string{wsh(0)}, "", nil}, // a single file is read as such
		"two accounts": {[]string{`{"keys": [{"original": "` + wsh(0) + `"}, {"original": "` + keyOf(t, 0, "48h/1h/1h/2h", btc.Regtest) + `"}]}`, wsh(1)}, "", []fault.Field{
			{Name: "files[0]", Message: "has several keys for the script type wsh; create the wallet from keys"},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			file, err := readFiles(c.files, walletfile.Options{Network: btc.Regtest, Script: btc.Script(c.script), SignaturesRequired: 2})
			if c.want == nil {
				if err != nil || file.Format != walletfile.Key {
					t.Errorf("got %+v, %v", file, err)
				}
				return
			}
			f, ok := errors.AsType[*fault.Error](err)
			if !ok || f.Kind != fault.Invalid || len(f.Fields) != len(c.want) {
				t.Fatalf("%T %v", err, err)
			}
			for i, want := range c.want {
				if got := f.Fields[i]; got.Name != want.Name || !strings.Contains(got.Message, want.Message) {
					t.Errorf("problem %d is %+v, want %+v", i, got, want)
				}
			}
		})
	}
	_, err := readFiles([]string{wsh(0), wsh(1)}, walletfile.Options{Network: btc.Regtest, SignaturesRequired: 3})
	if f, ok := errors.AsType[*fault.Error](err); !ok || f.Fields[0].Name != "signatures_required" {
		t.Errorf("3 of 2: %v", err)
	}
	for name, c := range privateFiles(t, btc.Regtest) {
		t.Run(name, func(t *testing.T) {
			_, err := readFiles([]string{"x", c.File}, walletfile.Options{Network: btc.Regtest, SignaturesRequired: 2})
			var secrets testkit.Secrets
			secrets.Add(name, c.Secret)
			if err == nil || len(secrets.Find(fmt.Sprintf("%v %+v", err, err))) > 0 {
				t.Errorf("got %v", err)
			}
			unknown := strings.HasPrefix(name, "raw ") || name == "Electrum, encrypted file" // as in TestRead_Private
			if f, ok := errors.AsType[*fault.Error](err); errors.Is(err, btc.ErrPrivateKey) == unknown || !unknown && (!ok || len(f.Fields) != 1 || f.Fields[0].Name != "files[1]") {
				t.Errorf("got %+v", err)
			}
		})
	}
}

// TestRead_Accounts checks that the keys of a device are listed as a wallet can be created from
// them.
func TestRead_Accounts(t *testing.T) {
	t.Parallel()
	read := func(name string) []walletfile.Account {
		f, err := walletfile.FromBytes(testkit.Must(readRaw(btc.Regtest, name))).Read(walletfile.Options{Network: btc.Regtest})
		testkit.Check(t, err)
		return f.Accounts
	}
	for name, want := range map[string][]btc.Script{
		"coldcard.json":       {btc.PKH, btc.ShWPKH, btc.WPKH, btc.TR, btc.Sh, btc.ShWSh, btc.WSh},
		"specter-device.json": {btc.WPKH, btc.ShWPKH, btc.WSh},
		"key-multisig.txt":    {btc.WSh},
		"sparrow.json":        nil,
		"wallet.bsms":         nil,
	} {
		t.Run(name, func(t *testing.T) {
			got := read(name)
			if len(got) != len(want) {
				t.Fatalf("got %+v", got)
			}
			for i, a := range got {
				if key := keyOf(t, 0, accountPath(want[i], btc.Regtest), btc.Regtest); a.Script != want[i] || a.Key.WithOrigin() != key {
					t.Errorf("account %d is %s %s, want %s %s", i, a.Script, a.Key.WithOrigin(), want[i], key)
				}
			}
		})
	}
	bare, err := btc.ParseKey(strings.SplitAfter(keyOf(t, 0, "84h/1h/0h", btc.Regtest), "]")[1], btc.Regtest)
	testkit.Check(t, err)
	if bare.WithOrigin() != bare.XPub {
		t.Errorf("got %s", bare.WithOrigin())
	}
}
