package walletfile_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/qrcodec"
	"github.com/specterd/specterd/internal/testenv/testkit"
	"github.com/specterd/specterd/internal/walletfile"
)

// TestRead_Problems checks the code and all messages of files that cannot be read.
func TestRead_Problems(t *testing.T) {
	t.Parallel()
	raw := func(name string) string { return string(testkit.Must(readRaw(btc.Main, name))) }
	edit := func(name string, pairs ...string) string {
		before := raw(name)
		after := strings.NewReplacer(pairs...).Replace(before)
		if after == before {
			t.Fatalf("%s has none of %q", name, pairs)
		}
		return after
	}
	inQR := func(text string) string {
		return strings.Join(testkit.Must(qrcodec.EncodeBBQr(qrcodec.Text, []byte(text), 200)), "\n")
	}
	tpub := keyOf(t, 0, "84h/1h/0h", btc.Regtest)
	xpub := keyOf(t, 0, "84h/0h/0h", btc.Main)
	for name, c := range map[string]struct {
		text, code string
		messages   []string // parts of each, in their order
	}{
		"empty":                {" \n", "invalid_file", []string{"is empty"}},
		"byte order mark":      {"\ufeff\n", "invalid_file", []string{"is empty"}},
		"binary":               {"SQLite format 3\x00\xff", "unknown_file_format", []string{"is binary"}},
		"too large":            {strings.Repeat("x", walletfile.MaxSize+1), "invalid_file", []string{"must be at most 512 KiB"}},
		"prose":                {"Dear Sir or Madam, please find enclosed", "unknown_file_format", []string{"has no known format"}},
		"unknown JSON":         {`{"hello": "world"}`, "unknown_file_format", []string{"has no known format"}},
		"incomplete JSON":      {raw("caravan.json")[:200], "invalid_file", []string{"is not well-formed"}},
		"duplicate field":      {`{"descriptor": "a", "descriptor": "b"}`, "invalid_file", []string{"or have a field twice"}},
		"UR in QR text":        {inQR("UR:CRYPTO-ACCOUNT/1-2/LPADAX"), "unknown_file_format", []string{"give it in parts"}},
		"BBQr in QR text":      {inQR("B$ZJ0200ABC"), "unknown_file_format", []string{"give it in parts"}},
		"checksum":             {edit("descriptor.txt", "73c5da0a", "73c5da0b"), "invalid_file", []string{"does not match its checksum"}},
		"another network":      {"wpkh(" + tpub + "/<0;1>/*)", "wrong_network", []string{"is a key of a test network, but the node is on mainnet; export the key for mainnet"}},
		"two networks":         {"wsh(sortedmulti(2," + tpub + "/<0;1>/*," + xpub + "/<0;1>/*," + strings.Replace(tpub, "73c5", "73c6", 1) + "/0/*))", "wrong_network", []string{"key 1 is a key of a test network", "key 3 is a key of a test network"}},
		"change only":          {"wpkh(" + xpub + "/1/*)", "invalid_file", []string{"none for receive addresses"}},
		"different wallets":    {"wpkh(" + xpub + "/0/*)\nwpkh(" + xpub + "/5/1/*)", "descriptors_differ", []string{"must be the same as descriptor"}},
		"single address":       {"wpkh(" + xpub + "/0/0)", "unsupported_descriptor", []string{"describes a single address"}},
		"miniscript":           {"wsh(and_v(v:pk(" + xpub + "/<0;1>/*),older(10)))", "unsupported_descriptor", []string{"is not supported"}},
		"Caravan, all":         {edit("caravan.json", `"P2WSH"`, `"P2XSH"`, `"totalSigners": 3`, `"totalSigners": 4`), "invalid_file", []string{"unknown addressType", "3 keys, but its quorum has 4"}},
		"Caravan, network":     {edit("caravan.json", `"mainnet"`, `"testnet"`), "wrong_network", []string{"is for the network test, but the node is on main; export it for the network of the node"}},
		"Caravan, no network":  {edit("caravan.json", `"mainnet"`, `"dogecoin"`), "invalid_file", []string{"names a network that is not one of Bitcoin's"}},
		"Caravan, quorum":      {edit("caravan.json", `"requiredSigners": 2`, `"requiredSigners": 5`), "invalid_input", []string{"must be between 1 and the number of keys, 3"}},
		"Caravan, keys":        {edit("caravan.json", `"xpub": "x`, `"xpub": "y`), "invalid_key", []string{"key 1 must be", "key 2 must be", "key 3 must be"}},
		"Coldcard text, all":   {edit("coldcard-multisig.txt", "Policy: 2 of 3", "Policy: two of three\nPolciy: 2 of 3", "P2WSH", "P2XSH"), "invalid_file", []string{"line 4 must be the policy", "line 5 is neither", "line 7 has an unknown format"}},
		"Coldcard text, count": {edit("coldcard-multisig.txt", "2 of 3", "2 of 4"), "invalid_file", []string{"has 3 keys, but its policy has 4"}},
		"Coldcard text, none":  {edit("coldcard-multisig.txt", "Policy: 2 of 3", ""), "invalid_file", []string{"add a line such as Policy: 2 of 3"}},
		"Coldcard JSON, first": {edit("coldcard.json", "bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu", "bc1qnjg0jd8228aq7egyzacy8cys3knf9xvrerkf9g"), "first_address_mismatch", []string{"names a first address that its keys do not have"}},
		"Coldcard JSON, xfp":   {edit("coldcard.json", `"xfp": "73C5DA0A"`, `"xfp": 5`), "invalid_file", []string{"is incomplete: xfp is missing"}},
		"Electrum, address":    {edit("electrum.json", "bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu", "bc1qnjg0jd8228aq7egyzacy8cys3knf9xvrerkf9g"), "first_address_mismatch", []string{"names a first address"}},
		"Electrum, old":        {edit("electrum.json", `"standard"`, `"2fa"`), "invalid_file", []string{"wallet_type that is not supported"}},
		"Electrum, keys":       {edit("electrum-multisig.json", `"xpub": "Ypub`, `"xpub": "zpub`), "invalid_file", []string{"keystore 1: has a key that Electrum does not use", "keystore 2", "keystore 3"}},
		"BSMS, address":        {edit("wallet.bsms", "\nbc1", "\nbc2"), "first_address_mismatch", []string{"names a first address"}},
		"BSMS, version":        {edit("wallet.bsms", "BSMS 1.0", "BSMS 2.0"), "invalid_file", []string{"supported is BSMS 1.0"}},
		"BSMS, lines":          {edit("wallet.bsms", "/0/*,/1/*\n", ""), "invalid_file", []string{"must have four lines"}},
		"BSMS, paths":          {edit("wallet.bsms", "/0/*,/1/*", "/0/*"), "invalid_file", []string{"path restrictions that are not supported"}},
		"BIP-388, placeholder": {edit("bip388.json", "@2", "@3"), "invalid_file", []string{"that keys_info does not have", "that descriptor_template does not use"}},
		"Sparrow, all":         {edit("sparrow.json", `"P2WSH"`, `"P2WSH"`, "sortedmulti(2,", "sortedmulti(", "extendedPublicKey", "publicKey"), "invalid_file", []string{"has no defaultPolicy", "keystore 1: extendedPublicKey", "keystore 2", "keystore 3"}},
		"Core, nothing":        {`{"descriptors": []}`, "invalid_file", []string{"neither a wallet nor keys"}},
		"Core, several":        {edit("core-listdescriptors.json", `"active": true`, `"active": false`), "invalid_file", []string{"has several wallets with the script type wpkh"}},
		"device without keys":  {`{"name": "x", "type": "jade", "keys": []}`, "invalid_file", []string{"neither a wallet nor keys"}},
		"deep JSON":            {strings.Repeat(`{"a":`, 3000) + "1" + strings.Repeat("}", 3000), "unknown_file_format", []string{"has no known format"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := walletfile.FromText(c.text).Read(walletfile.Options{Network: btc.Main})
			f, ok := errors.AsType[*fault.Error](err)
			if !ok || f.Kind != fault.Invalid || f.Code != c.code || len(f.Fields) != len(c.messages) {
				t.Fatalf("%T %v, %+v", err, err, f)
			}
			for i, m := range c.messages {
				if f.Fields[i].Name != "file" || !strings.Contains(f.Fields[i].Message, m) {
					t.Errorf("problem %d is %+v, want %q", i, f.Fields[i], m)
				}
			}
		})
	}
}

// TestCheck checks the warnings about keys.
func TestCheck(t *testing.T) {
	t.Parallel()
	bare := func(seed int, path string, network btc.Network) string {
		key := keyOf(t, seed, path, network)
		_, xpub, _ := strings.Cut(key, "]")
		return xpub
	}
	wpkh := bare(0, "84h/0h/0h", btc.Main)
	for name, c := range map[string]struct {
		descriptor, codes string
	}{
		"usual":             {"wpkh([73c5da0a/84h/0h/0h]" + wpkh + "/<0;1>/*)", ""},
		"no origin":         {"wpkh(" + wpkh + "/<0;1>/*)", "fingerprint_missing"},
		"zero":              {"wpkh([00000000/84h/0h/0h]" + wpkh + "/<0;1>/*)", "fingerprint_zero"},
		"depth":             {"wpkh([73c5da0a/84h/0h]" + wpkh + "/<0;1>/*)", "origin_mismatch"},
		"child number":      {"wpkh([73c5da0a/84h/0h/1h]" + wpkh + "/<0;1>/*)", "origin_mismatch"},
		"fingerprint alone": {"wpkh([73c5da0a]" + wpkh + "/<0;1>/*)", "origin_mismatch"},
		"parent":            {"wsh(multi(1,[73c5da0b/45h]" + bare(0, "45h", btc.Main) + "/<0;1>/*))", "origin_mismatch purpose_mismatch"},
		"its parent":        {"sh(multi(1,[73c5da0a/45h]" + bare(0, "45h", btc.Main) + "/<0;1>/*))", ""},
		"purpose":           {"sh(wpkh([73c5da0a/84h/0h/0h]" + wpkh + "/<0;1>/*))", "purpose_mismatch"},
		"multisig purpose":  {"wpkh([73c5da0a/48h/0h/0h]" + bare(0, "48h/0h/0h", btc.Main) + "/<0;1>/*)", "purpose_mismatch"},
		"nested purpose":    {"wsh(sortedmulti(1,[73c5da0a/48h/0h/0h/1h]" + bare(0, "48h/0h/0h/1h", btc.Main) + "/<0;1>/*))", "purpose_mismatch"},
		"any multisig":      {"wsh(sortedmulti(1,[73c5da0a/87h/0h/0h]" + bare(0, "87h/0h/0h", btc.Main) + "/<0;1>/*))", ""},
		"coin type":         {"wpkh([73c5da0a/84h/1h/0h]" + bare(0, "84h/1h/0h", btc.Main) + "/<0;1>/*)", "coin_type_mismatch"},
		"other path":        {"wpkh([73c5da0a/7h/1h]" + bare(0, "7h/1h", btc.Main) + "/<0;1>/*)", ""},
		"unsorted": {
			"wsh(multi(1,[73c5da0a/48h/0h/0h/2h]" + bare(0, "48h/0h/0h/2h", btc.Main) + "/<0;1>/*,[b8688df1/48h/0h/0h/2h]" + bare(1, "48h/0h/0h/2h", btc.Main) + "/<0;1>/*))",
			"multisig_unsorted",
		},
		"one device": {
			"wsh(sortedmulti(1,[73c5da0a/48h/0h/0h/2h]" + bare(0, "48h/0h/0h/2h", btc.Main) + "/<0;1>/*,[73c5da0a/48h/0h/1h/2h]" + bare(0, "48h/0h/1h/2h", btc.Main) + "/<0;1>/*))",
			"fingerprint_repeated",
		},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := btc.FromDescriptors(c.descriptor, "", btc.Main)
			testkit.Check(t, err)
			if got := walletfile.Check(p); codes(got) != c.codes {
				t.Errorf("got %+v, want %s", got, c.codes)
			}
		})
	}
}

// FuzzRead checks that no file makes Read panic, also together with the file of another signer,
// that errors are faults about the file, and that a wallet that was read can be read again from
// its descriptors.
func FuzzRead(f *testing.F) {
	for _, c := range fileTests {
		f.Add(testkit.Must(readRaw(btc.Main, c.name)), "")
	}
	for _, c := range privateFiles(f, btc.Main) {
		f.Add([]byte(c.File), "wsh")
	}
	other := walletfile.FromText(keyOf(f, 1, "48h/0h/0h/2h", btc.Main))
	f.Fuzz(func(t *testing.T, data []byte, script string) {
		sources := []walletfile.Source{walletfile.FromBytes(data), other}
		both, err := walletfile.FromFiles(sources).Read(walletfile.Options{Network: btc.Main, Script: btc.Script(script), SignaturesRequired: 2})
		if f, ok := errors.AsType[*fault.Error](err); err != nil && (!ok || f.Kind != fault.Invalid || len(f.Fields) == 0) || err == nil && len(both.Policy.Keys) != 2 {
			t.Fatalf("%+v, %v", both, err)
		}
		file, err := walletfile.FromBytes(data).Read(walletfile.Options{Network: btc.Main, Script: btc.Script(script)})
		if err != nil {
			f, ok := errors.AsType[*fault.Error](err)
			if !ok || f.Kind != fault.Invalid || len(f.Fields) == 0 {
				t.Fatalf("%T %v", err, err)
			}
			return
		}
		if !file.IsWallet() {
			return
		}
		text := fmt.Sprintf("%s\n%s", file.Policy.Receive, file.Policy.Change)
		again, err := walletfile.FromText(text).Read(walletfile.Options{Network: btc.Main})
		if err != nil || again.Policy.Receive.String() != file.Policy.Receive.String() || again.Policy.Change.String() != file.Policy.Change.String() {
			t.Fatalf("%s: %v", text, err)
		}
	})
}
