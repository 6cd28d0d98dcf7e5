package walletexport_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/btcutil/hdkeychain"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/testenv/testkit"
	"github.com/specterd/specterd/internal/walletexport"
	"github.com/specterd/specterd/internal/walletfile"
)

// output runs a program and returns its standard output.
func output(t *testing.T, input []byte, name string, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Stdin = bytes.NewReader(input)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %q: %v\n%s%s", name, args, err, out, stderr.String())
	}
	return out
}

// firstAddresses returns the first two addresses of both branches of a wallet.
func firstAddresses(t *testing.T, p btc.Policy) [2][]string {
	t.Helper()
	receive, change, err := walletfile.Addresses(p, 2)
	testkit.Check(t, err)
	return [2][]string{receive, change}
}

// TestInterop_Caravan reads exported wallets with Caravan's packages.
func TestInterop_Caravan(t *testing.T) {
	testkit.NeedsServer(t, "npm")
	t.Parallel()
	type keyOrigin struct {
		XFP, XPub string
		Path      string `json:"bip32Path"`
	}
	var files []json.RawMessage
	var wallets []walletexport.Wallet
	for _, script := range []string{"sh", "wsh", "sh-wsh"} {
		w := walletOf(t, descriptors(t)[script])
		var out bytes.Buffer
		testkit.Check(t, w.Write(&out, walletexport.Caravan))
		files, wallets = append(files, out.Bytes()), append(wallets, w)
	}
	var results []struct {
		Receive, Change string
		Decoded         struct {
			AddressType     string
			RequiredSigners int
			KeyOrigins      []keyOrigin
		}
		Branches [2][]string
	}
	testkit.Check(t, json.Unmarshal(output(t, testkit.Must(json.Marshal(files)), "../../scripts/caravan.sh"), &results))
	for i, w := range wallets {
		p, err := btc.FromDescriptors(results[i].Receive, results[i].Change, btc.Regtest)
		testkit.Check(t, err)
		if p.Receive.String() != w.Receive || p.Change.String() != w.Change {
			t.Errorf("Caravan has the descriptor\n%s, want\n%s", p.Receive, w.Receive)
		}
		if got, want := fmt.Sprint(results[i].Branches), fmt.Sprint(firstAddresses(t, p)); got != want {
			t.Errorf("%s: Caravan has the addresses %s, want %s", w.Script, got, want)
		}
		decoded := results[i].Decoded
		for k, origin := range decoded.KeyOrigins {
			if key := w.Keys[k]; origin.XFP != key.Fingerprint || origin.XPub != key.XPub || strings.ReplaceAll(origin.Path, "'", "h") != key.Derivation {
				t.Errorf("key %d is %+v, want %+v", k+1, origin, key)
			}
		}
		if decoded.RequiredSigners != 2 || len(decoded.KeyOrigins) != 3 {
			t.Errorf("decoded %+v", decoded)
		}
	}
}

// electrum runs Electrum without a network, with its files in dir.
func electrum(t *testing.T, dir string, args ...string) []byte {
	t.Helper()
	return output(t, nil, "electrum", append([]string{"--regtest", "--offline", "--dir", dir}, args...)...)
}

// slip132 returns a key with another prefix.
func slip132(t *testing.T, xpub string, version [4]byte) string {
	t.Helper()
	key, err := hdkeychain.NewKeyFromString(xpub)
	testkit.Check(t, err)
	key, err = key.CloneWithVersion(version[:])
	testkit.Check(t, err)
	return key.String()
}

// electrumMultisig creates a wallet file with a class of Electrum, because its commands create
// only wallets with one key, and prints the first addresses.
const electrumMultisig = `
import json, os, sys
from electrum import constants, keystore
from electrum.simple_config import SimpleConfig
from electrum.util import create_and_start_event_loop
from electrum.storage import WalletStorage
from electrum.wallet import Multisig_Wallet
from electrum.wallet_db import WalletDB
constants.set_regtest()
create_and_start_event_loop()
path, keys = sys.argv[1], sys.argv[2:]
db = WalletDB('', manual_upgrades=False)
for i, key in enumerate(keys):
    db.put('x%d/' % (i + 1), keystore.from_xpub(key).dump())
db.put('wallet_type', '2of%d' % len(keys))
w = Multisig_Wallet(db, WalletStorage(path), config=SimpleConfig({'electrum_path': path + '.d', 'cmd': 'offline'}))
w.synchronize()
w.save_db()
print(json.dumps([w.get_receiving_addresses()[:2], w.get_change_addresses()[:2]]), flush=True)
os._exit(0) # the thread of the event loop would not end
`

// TestInterop_Electrum reads wallet files that Electrum creates, and compares the addresses.
// Files of wallets with private keys must be refused.
func TestInterop_Electrum(t *testing.T) {
	testkit.NeedsServer(t, "electrum")
	t.Parallel()
	dir := t.TempDir()
	var bare []string
	for i := range 3 {
		key, _ := testkit.Key(t, i)
		_, xpub, _ := strings.Cut(key, "]")
		bare = append(bare, xpub)
	}
	check := func(path string, script btc.Script, addresses [2][]string) {
		t.Helper()
		f, err := walletfile.FromBytes(testkit.Must(os.ReadFile(path))).Read(walletfile.Options{Network: btc.Regtest})
		testkit.Check(t, err)
		if f.Format != walletfile.Electrum || f.Script != script || fmt.Sprint(firstAddresses(t, f.Policy)) != fmt.Sprint(addresses) {
			t.Errorf("%s: %s, %s, %v, want %v", path, f.Format, f.Script, firstAddresses(t, f.Policy), addresses)
		}
	}
	// The versions are tpub, upub and vpub; and tpub, Upub and Vpub for multisig.
	for script, version := range map[btc.Script][4]byte{btc.PKH: {0x04, 0x35, 0x87, 0xcf}, btc.ShWPKH: {0x04, 0x4a, 0x52, 0x62}, btc.WPKH: {0x04, 0x5f, 0x1c, 0xf6}} {
		t.Run(fmt.Sprint(script), func(t *testing.T) {
			path := filepath.Join(dir, string(script))
			electrum(t, dir, "restore", "--wallet", path, slip132(t, bare[0], version))
			var addresses [2][]string
			for branch, flag := range []string{"--receiving", "--change"} {
				testkit.Check(t, json.Unmarshal(electrum(t, dir, "listaddresses", "--wallet", path, flag), &addresses[branch]))
				addresses[branch] = addresses[branch][:2]
			}
			check(path, script, addresses)
		})
	}
	for script, version := range map[btc.Script][4]byte{btc.Sh: {0x04, 0x35, 0x87, 0xcf}, btc.ShWSh: {0x02, 0x42, 0x89, 0xef}, btc.WSh: {0x02, 0x57, 0x54, 0x83}} {
		t.Run(fmt.Sprint(script), func(t *testing.T) {
			path := filepath.Join(dir, string(script))
			args := []string{"-c", electrumMultisig, path}
			for _, key := range bare {
				args = append(args, slip132(t, key, version))
			}
			var addresses [2][]string
			testkit.Check(t, json.Unmarshal(output(t, nil, "/usr/bin/python3", args...), &addresses))
			check(path, script, addresses)
		})
	}
	_, private := testkit.Key(t, 0)
	_, tprv, _ := strings.Cut(private, "]")
	for name, args := range map[string][]string{"seed": {"create"}, "xprv": {"restore", tprv}, "WIF": {"restore", "p2wpkh:cVpF924EspNh8KjYsfhgY96mmxvT6DgdWiTYMtMjuM74hJaU5psW"}} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(dir, name)
			electrum(t, dir, append(args, "--wallet", path)...)
			if _, err := walletfile.FromBytes(testkit.Must(os.ReadFile(path))).Read(walletfile.Options{Network: btc.Regtest}); !errors.Is(err, btc.ErrPrivateKey) {
				t.Errorf("a wallet with %s: %v", name, err)
			}
		})
	}
}

// TestInterop_Core imports exported wallets into Bitcoin Core, reads its listdescriptors, and
// compares addresses. A list with private keys must be refused.
func TestInterop_Core(t *testing.T) {
	t.Parallel()
	n := testkit.Bitcoind(t)
	for name, descriptor := range descriptors(t) {
		w := walletOf(t, descriptor)
		var out bytes.Buffer
		testkit.Check(t, w.Write(&out, walletexport.Core))
		n.CLI(t, "createwallet", name, true, true)
		var imported []struct{ Success bool }
		testkit.Check(t, json.Unmarshal(n.WalletCLI(t, name, "importdescriptors", json.RawMessage(out.Bytes())), &imported))
		if len(imported) != 2 || !imported[0].Success || !imported[1].Success {
			t.Fatalf("%s: %+v", name, imported)
		}
		f, err := walletfile.FromBytes(n.WalletCLI(t, name, "listdescriptors")).Read(walletfile.Options{Network: btc.Regtest})
		testkit.Check(t, err)
		if f.Name != name || f.Policy.Receive.String() != w.Receive || f.Policy.Change.String() != w.Change {
			t.Errorf("%s: %s, want %s", f.Name, f.Policy.Receive, w.Receive)
		}
		kind := map[string]string{"bech32": "bech32", "p2sh-segwit": "p2sh-segwit", "legacy": "legacy", "taproot": "bech32m"}[w.Script.AddressType()]
		var address string
		testkit.Check(t, json.Unmarshal(n.WalletCLI(t, name, "getnewaddress", "", kind), &address))
		if got := firstAddresses(t, f.Policy)[0][0]; got != address {
			t.Errorf("%s: the first address is %s, Core has %s", name, got, address)
		}
	}
	n.CLI(t, "createwallet", "hot")
	for _, script := range []btc.Script{btc.PKH, btc.ShWPKH, btc.WPKH, btc.TR} {
		f, err := walletfile.FromBytes(n.WalletCLI(t, "hot", "listdescriptors")).Read(walletfile.Options{Network: btc.Regtest, Script: script})
		if err != nil || f.Script != script || len(f.Scripts) != 4 {
			t.Errorf("%s: %+v, %v", script, f, err)
		}
	}
	if _, err := walletfile.FromBytes(n.WalletCLI(t, "hot", "listdescriptors", true)).Read(walletfile.Options{Network: btc.Regtest}); !errors.Is(err, btc.ErrPrivateKey) {
		t.Errorf("private keys: %v", err)
	}
}
