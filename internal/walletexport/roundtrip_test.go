package walletexport_test

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/btcsuite/btcd/btcutil/hdkeychain"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/testenv/testkit"
	"github.com/specterd/specterd/internal/wallet"
	"github.com/specterd/specterd/internal/walletexport"
	"github.com/specterd/specterd/internal/walletfile"
)

// descriptors are wallets of each script type, with sorted and unsorted multisig, by a name.
func descriptors(t testing.TB) map[string]string {
	keys := make([]string, 3)
	for i := range keys {
		key, _ := testkit.Key(t, i)
		keys[i] = key + "/<0;1>/*"
	}
	all := map[string]string{"pkh": "pkh(%)", "wpkh": "wpkh(%)", "sh-wpkh": "sh(wpkh(%))", "tr": "tr(%)"}
	for name, form := range map[string]string{"sh": "sh(%)", "wsh": "wsh(%)", "sh-wsh": "sh(wsh(%))"} {
		all[name] = strings.Replace(form, "%", "sortedmulti(2,"+strings.Join(keys, ",")+")", 1)
		all[name+", unsorted"] = strings.Replace(form, "%", "multi(3,"+strings.Join(keys, ",")+")", 1)
	}
	for name, form := range all {
		all[name] = strings.Replace(form, "%", keys[0], 1)
	}
	return all
}

// formatsRead are the formats in which a wallet is read back, with the format that the reader
// reports.
var formatsRead = map[walletexport.Format]walletfile.Format{
	walletexport.Specter: walletfile.Specter, walletexport.AccountMap: walletfile.AccountMap, walletexport.Core: walletfile.Core,
	walletexport.Descriptor: walletfile.Descriptor, walletexport.BSMS: walletfile.BSMS, walletexport.Policy: walletfile.Policy,
	walletexport.Coldcard: walletfile.ColdcardMultisig, walletexport.Sparrow: walletfile.Sparrow, walletexport.Caravan: walletfile.Caravan,
	walletexport.CryptoOutput: walletfile.CryptoOutput,
}

// TestWrite_ReadBack checks that each file is read back as the same wallet, for each format and
// script type.
func TestWrite_ReadBack(t *testing.T) {
	t.Parallel()
	if len(formatsRead) != len(walletexport.Formats)-1 { // labels describe no wallet
		t.Errorf("%d of %d formats are tested", len(formatsRead), len(walletexport.Formats))
	}
	born := time.Unix(1_700_000_000, 0).UTC()
	for name, descriptor := range descriptors(t) {
		for format, read := range formatsRead {
			t.Run(name+"/"+string(format), func(t *testing.T) {
				w := walletOf(t, descriptor)
				w.Name, w.Born = "Family Vault", born
				var out bytes.Buffer
				err := w.Write(&out, format)
				checked := walletexport.Wallet{Details: wallet.Details{View: w.View}, Network: w.Network}.Check(format)
				if fmt.Sprint(checked) != fmt.Sprint(err) {
					t.Errorf("Check returns %v, Write %v", checked, err)
				}
				isSorted := strings.Contains(w.Receive, "sortedmulti")
				if (format == walletexport.Coldcard || format == walletexport.Caravan) && !isSorted {
					if !errors.Is(err, walletexport.ErrNotSortedMultisig) || out.Len() > 0 {
						t.Errorf("%v, %s", err, out.Bytes())
					}
					return
				}
				testkit.Check(t, err)
				f, err := walletfile.FromBytes(out.Bytes()).Read(walletfile.Options{Network: btc.Regtest})
				if err != nil {
					t.Fatalf("%v\n%s", err, out.Bytes())
				}
				if f.Format != read || f.Policy.Receive.String() != w.Receive || f.Policy.Change.String() != w.Change {
					t.Errorf("read back as %s:\n%s\n%s\nwant\n%s", f.Format, f.Policy.Receive, f.Policy.Change, w.Receive)
				}
				hasName := format != walletexport.Core && format != walletexport.Descriptor && format != walletexport.BSMS && format != walletexport.CryptoOutput
				hasBirthday := format == walletexport.Core || format == walletexport.Sparrow
				if hasName != (f.Name == "Family Vault") || hasBirthday != f.Birthday.Equal(born) {
					t.Errorf("name %q, birthday %v", f.Name, f.Birthday)
				}
			})
		}
	}
}

// TestWrite_CryptoOutput checks wallets that other formats cannot represent.
func TestWrite_CryptoOutput(t *testing.T) {
	t.Parallel()
	key, _ := testkit.Key(t, 0)
	_, bare, _ := strings.Cut(key, "]")
	for _, descriptor := range []string{"wpkh(" + key + "/<2;3>/*)", "tr(" + key + "/7/<0;1>/*)", "wpkh(" + bare + "/<0;1>/*)"} {
		t.Run(descriptor, func(t *testing.T) {
			w := walletOf(t, descriptor)
			var out bytes.Buffer
			testkit.Check(t, w.Write(&out, walletexport.CryptoOutput))
			f, err := walletfile.FromBytes(out.Bytes()).Read(walletfile.Options{Network: btc.Regtest})
			if err != nil || !strings.HasPrefix(out.String(), "UR:CRYPTO-OUTPUT/") || strings.Count(out.String(), "\n") != 1 {
				t.Fatalf("%v: %s", err, out.String())
			}
			want, err := btc.FromDescriptors(w.Receive, w.Change, btc.Regtest)
			testkit.Check(t, err)
			if fmt.Sprint(firstAddresses(t, f.Policy)) != fmt.Sprint(firstAddresses(t, want)) {
				t.Errorf("got %s, want %s", f.Policy.Receive, w.Receive)
			}
		})
	}
}

// TestWrite_Unsuitable checks that formats with signers refuse wallets that they cannot
// represent.
func TestWrite_Unsuitable(t *testing.T) {
	t.Parallel()
	key, _ := testkit.Key(t, 0)
	_, bare, _ := strings.Cut(key, "]")
	for descriptor, want := range map[string]error{
		"wpkh(" + key + "/<2;3>/*)":                   walletexport.ErrBranches,
		"wpkh(" + key + "/7/<0;1>/*)":                 walletexport.ErrBranches,
		"wpkh(" + bare + "/<0;1>/*)":                  walletexport.ErrOrigin,
		"wsh(sortedmulti(1," + bare + "/<0;1>/*))":    walletexport.ErrOrigin,
		"wsh(sortedmulti(1," + key + "/<0;1>/5/7/*))": walletexport.ErrBranches,
	} {
		t.Run(descriptor, func(t *testing.T) {
			for _, format := range []walletexport.Format{walletexport.BSMS, walletexport.Policy, walletexport.Coldcard, walletexport.Sparrow, walletexport.Caravan} {
				w := walletOf(t, descriptor)
				var out bytes.Buffer
				if err := w.Write(&out, format); !errors.Is(err, want) || out.Len() > 0 {
					t.Errorf("%s, %s: %v", format, descriptor, err)
				}
				if err := (walletexport.Wallet{Details: wallet.Details{View: w.View}, Network: w.Network}).Check(format); !errors.Is(err, want) {
					t.Errorf("%s, %s: Check returns %v", format, descriptor, err)
				}
			}
		})
	}
}

// TestWrite_Names checks names of devices in a Caravan file, and the name in a Coldcard file.
func TestWrite_Names(t *testing.T) {
	t.Parallel()
	w := walletOf(t, descriptors(t)["wsh"])
	w.Keys[0].Device, w.Keys[1].Device = "cold", "cold"
	w.Devices = []wallet.Device{{Alias: "cold", Name: "Cold", Type: "coldcard"}}
	var out bytes.Buffer
	testkit.Check(t, w.Write(&out, walletexport.Caravan))
	f, err := walletfile.FromBytes(out.Bytes()).Read(walletfile.Options{Network: btc.Regtest})
	testkit.Check(t, err)
	if got := f.Keys[0].Name + ", " + f.Keys[1].Name + ", " + f.Keys[2].Name; got != "Cold, Cold 2, "+w.Keys[2].Fingerprint {
		t.Errorf("the names are %s", got)
	}
	w.Name = "Ünser \n" + strings.Repeat("x", 30)
	out.Reset()
	testkit.Check(t, w.Write(&out, walletexport.Coldcard))
	if !strings.Contains(out.String(), "\nName: _nser _"+strings.Repeat("x", 13)+"\n") {
		t.Errorf("%s", out.String())
	}
}

// TestWrite_ManyKeys checks a wallet with 15 keys, whose placeholders have two digits.
func TestWrite_ManyKeys(t *testing.T) {
	t.Parallel()
	public, _ := testkit.Key(t, 0)
	origin, xpub, _ := strings.Cut(public, "]")
	parent, err := hdkeychain.NewKeyFromString(xpub)
	testkit.Check(t, err)
	var keys []string
	for i := range uint32(15) {
		child, err := parent.Derive(i)
		testkit.Check(t, err)
		keys = append(keys, origin+"/"+strconv.Itoa(int(i))+"]"+child.String()+"/<0;1>/*")
	}
	w := walletOf(t, "wsh(sortedmulti(15,"+strings.Join(keys, ",")+"))")
	for format := range formatsRead {
		t.Run(fmt.Sprint(format), func(t *testing.T) {
			var out bytes.Buffer
			testkit.Check(t, w.Write(&out, format))
			f, err := walletfile.FromBytes(out.Bytes()).Read(walletfile.Options{Network: btc.Regtest})
			if err != nil || f.Policy.Receive.String() != w.Receive {
				t.Errorf("%s: %v", format, err)
			}
		})
	}
}

// TestWrite_UnknownNetwork checks files that are written while the node is unreachable.
func TestWrite_UnknownNetwork(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		script  string
		address string // the first one
		want    string
	}{{"wsh", "bcrt1q", "regtest"}, {"sh", "2N", "testnet"}} {
		w := walletOf(t, descriptors(t)[c.script])
		w.Network = ""
		w.Addresses[wallet.ReceiveBranch] = []wallet.PlainAddress{{Address: c.address}}
		var out bytes.Buffer
		testkit.Check(t, w.Write(&out, walletexport.Caravan))
		if !strings.Contains(out.String(), `"network": "`+c.want+`"`) {
			t.Errorf("%s: %s", c.script, out.String())
		}
	}
	const xpub = "[d34db33f/84h/0h/0h]xpub6ERApfZwUNrhLCkDtcHTcxd75RbzS1ed54G1LkBUHQVHQKqhMkhgbmJbZRkrgZw4koxb5JaHWkY4ALHY2grBGRjaDMzQLcgJvLJuZZvRcEL"
	policy, err := btc.FromDescriptors("wpkh("+xpub+"/<0;1>/*)", "", btc.Main)
	testkit.Check(t, err)
	w := walletexport.Wallet{}
	w.Receive, w.Change, w.Keys = policy.Receive.String(), policy.Change.String(), []wallet.Key{{Key: policy.Keys[0]}}
	var out bytes.Buffer
	testkit.Check(t, w.Write(&out, walletexport.Sparrow))
	if !strings.Contains(out.String(), `"network": "MAINNET"`) {
		t.Error(out.String())
	}
}
