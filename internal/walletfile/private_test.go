package walletfile_test

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/btcutil/base58"
	"github.com/btcsuite/btcd/btcutil/hdkeychain"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/testenv/testkit"
	"github.com/specterd/specterd/internal/walletfile"
)

// privateFiles returns files with private keys or seeds, most of them otherwise valid. The
// values are the secrets in them.
func privateFiles(t testing.TB, network btc.Network) map[string][2]string {
	pub, origin := map[btc.Script]string{}, ""
	private := map[btc.Script]string{}
	for _, s := range []btc.Script{btc.WPKH, btc.WSh, btc.ShWPKH} {
		pub[s], private[s] = keyOf(t, 0, accountPath(s, network), network)
	}
	origin = pub[btc.WPKH][:strings.Index(pub[btc.WPKH], "]")+1]
	xpub, xprv := strings.TrimPrefix(pub[btc.WPKH], origin), strings.TrimPrefix(private[btc.WPKH], origin)
	_, wshPrivate, _ := strings.Cut(private[btc.WSh], "]")
	words, wordList := seeds[1], strings.Fields(seeds[1])
	key, err := hdkeychain.NewKeyFromString(xprv)
	testkit.Check(t, err)
	point, err := key.ECPrivKey()
	testkit.Check(t, err)
	wifVersion := byte(0x80)
	if network != btc.Main {
		wifVersion = 0xef
	}
	wif := base58.CheckEncode(append(point.Serialize(), 1), wifVersion)
	wifOld := base58.CheckEncode(point.Serialize(), wifVersion)
	zprv := base58.Encode(withVersion(base58.Decode(xprv), "04b2430c"))
	second, _ := keyOf(t, 1, accountPath(btc.WSh, network), network)
	doc := func(v any) string {
		text, err := json.Marshal(v)
		testkit.Check(t, err)
		return string(text)
	}
	type o map[string]any
	file := func(name string, change func(v o)) string {
		v := o{}
		testkit.Check(t, json.Unmarshal(testkit.Must(readRaw(network, name)), &v))
		change(v)
		return doc(v)
	}
	child := func(v o, names ...string) map[string]any {
		m := map[string]any(v)
		for _, n := range names {
			if list, ok := m[n].([]any); ok {
				m = list[0].(map[string]any)
				continue
			}
			m = m[n].(map[string]any)
		}
		return m
	}
	digits := ""
	for i := range 12 {
		digits += fmt.Sprintf("%04d", i*101)
	}
	files := map[string][2]string{
		"xprv alone":                       {xprv, xprv},
		"xprv with origin":                 {origin + xprv, xprv},
		"zprv":                             {zprv, zprv},
		"xprv that is mistyped":            {xprv[:60] + "1" + xprv[61:], xprv[:60]},
		"xprv with a line break in front":  {"\n\n  " + xprv, xprv},
		"WIF":                              {wif, wif},
		"uncompressed WIF":                 {wifOld, wifOld},
		"BIP-38":                           {"6PRVWUbkzzsbcVac2qwfssoUJAN1Xhrg6bNk8J7Nzm5H7kxEbn2Nh2ZoGg", "6PRVWUbkzzsbcVac2qwfssoUJAN1Xhrg6bNk8J7Nzm5H7kxEbn2Nh2ZoGg"},
		"codex32":                          {"ms10testsxxxxxxxxxxxxxxxxxxxxxxxxxx4nzvca9cmczlw", "ms10testsxxxxxxxxxxxxxxxxxxxxxxxxxx4nzvca9cmczlw"},
		"seed words":                       {words, words},
		"seed words in upper case":         {strings.ToUpper(words), strings.ToUpper(words)},
		"seed words in lines":              {strings.Join(wordList, "\n"), words},
		"numbered seed words":              {"1. " + strings.Join(wordList, "\n2. "), words},
		"seed words as numbers":            {digits, digits},
		"24 seed words":                    {words + " " + words, words},
		"descriptor with xprv":             {"wpkh(" + private[btc.WPKH] + "/<0;1>/*)", xprv},
		"descriptor with WIF":              {"wpkh(" + wif + ")", wif},
		"second key of a multisig":         {"wsh(sortedmulti(2," + second + "/<0;1>/*," + private[btc.WSh] + "/<0;1>/*))", wshPrivate},
		"descriptor below a comment":       {"# wpkh(" + private[btc.WPKH] + ")\nwpkh(" + pub[btc.WPKH] + "/<0;1>/*)", xprv},
		"seed words in a comment":          {"# " + words + "\nwpkh(" + pub[btc.WPKH] + "/<0;1>/*)", words},
		"seed words in the name":           {"Name: " + words + "\nPolicy: 1 of 1\nFormat: P2WSH\n" + strings.Trim(origin, "[]")[:8] + ": " + xpub, words},
		"Coldcard text":                    {"Name: x\nPolicy: 1 of 1\nFormat: P2WSH\n00112233: " + wshPrivate, wshPrivate},
		"BlueWallet text":                  {string(testkit.Must(readRaw(network, "coldcard-multisig.txt"))) + "\nseed: " + words, words},
		"BSMS":                             {strings.Replace(string(testkit.Must(readRaw(network, "wallet.bsms"))), strings.SplitAfter(pub[btc.WSh], "]")[1], wshPrivate, 1), wshPrivate},
		"account map":                      {doc(o{"label": "x", "blockheight": 1, "descriptor": "wpkh(" + private[btc.WPKH] + "/0/*)", "devices": []string{}}), xprv},
		"account map with a seed":          {file("account-map.json", func(v o) { v["mnemonic"] = words }), words},
		"account map with seed words list": {file("account-map.json", func(v o) { v["backup"] = wordList }), words},
		"seed words in nested lists":       {file("account-map.json", func(v o) { v["note"] = []any{[]any{words}} }), words},
		"seed words in a device":           {file("account-map.json", func(v o) { v["devices"] = []any{o{"label": "x", "type": words}} }), words},
		"Specter device":                   {file("specter-device.json", func(v o) { v["mnemonic"] = words; v["passphrase"] = "" }), words},
		"Specter device with xprv":         {file("specter-device.json", func(v o) { child(v, "keys")["original"] = xprv }), xprv},
		"Specter wallet":                   {file("specter.json", func(v o) { v["recv_descriptor"] = "wpkh(" + private[btc.WPKH] + "/0/*)" }), xprv},
		"Coldcard JSON":                    {file("coldcard.json", func(v o) { v["xprv"] = xprv }), xprv},
		"Coldcard JSON with words":         {file("coldcard.json", func(v o) { child(v, "bip84")["seed_words"] = "only four words here" }), "only four words here"},
		"Sparrow with a seed":              {file("sparrow.json", func(v o) { child(v, "keystores")["seed"] = o{"mnemonicString": words, "type": "BIP39"} }), words},
		"Sparrow, encrypted":               {file("sparrow.json", func(v o) { child(v, "keystores")["seed"] = o{"encryptedSeed": "00ff00ff00ff00ff"} }), "00ff00ff00ff00ff"},
		"Sparrow with a master key": {file("sparrow.json", func(v o) {
			child(v, "keystores")["masterPrivateExtendedKey"] = o{"privateKey": hex.EncodeToString(point.Serialize())}
		}), hex.EncodeToString(point.Serialize())},
		"Electrum with xprv":              {file("electrum.json", func(v o) { child(v, "keystore")["xprv"] = zprv }), zprv},
		"Electrum with a seed":            {file("electrum.json", func(v o) { child(v, "keystore")["seed"] = words }), words},
		"Electrum, encrypted seed":        {file("electrum.json", func(v o) { child(v, "keystore")["seed"] = "Zm9vYmFyYmF6Zm9vYmFyYmF6" }), "Zm9vYmFyYmF6Zm9vYmFyYmF6"},
		"Electrum, imported keys":         {file("electrum.json", func(v o) { child(v, "keystore")["keypairs"] = o{"02aa": "encrypted-key-text"} }), "encrypted-key-text"},
		"Electrum, encrypted file":        {"QklFMQNI/quQo9N7RtbygK+yhlrMNxkSnXtlaC9Ia5trm7AufOtbKhGqrtv5bQ/YcRVVaj", "quQo9N7RtbygK+yhlrMNxkSnXtlaC9"},
		"Caravan":                         {file("caravan.json", func(v o) { child(v, "extendedPublicKeys")["xpub"] = wshPrivate }), wshPrivate},
		"BIP-388":                         {doc(o{"descriptor_template": "wpkh(@0/**)", "keys_info": []string{private[btc.WPKH]}}), xprv},
		"Core listdescriptors true":       {doc(o{"wallet_name": "hot", "descriptors": []any{o{"desc": "wpkh(" + private[btc.WPKH] + "/0/*)", "active": true, "internal": false}}}), xprv},
		"Core dumpwallet":                 {"# Wallet dump created by Bitcoin v25\n# extended private masterkey: " + xprv + "\n" + wif + " 2026-01-01T00:00:00Z reserve=1 # addr=bc1q", xprv},
		"escaped in JSON":                 {strings.ReplaceAll(doc(o{"descriptor": "wpkh(" + private[btc.WPKH] + "/0/*)"}), "prv", `\u0070r\u0076`), xprv},
		"as the name of a field":          {file("account-map.json", func(v o) { v[wif] = true }), wif},
		"raw private key":                 {hex.EncodeToString(point.Serialize()), hex.EncodeToString(point.Serialize())},
		"raw private key in a descriptor": {"wpkh(" + hex.EncodeToString(point.Serialize()) + ")", hex.EncodeToString(point.Serialize())},
	}
	return files
}

// withVersion replaces the version of a serialized extended key and its checksum.
func withVersion(raw []byte, version string) []byte {
	body := append(testkit.Must(hex.DecodeString(version)), raw[4:78]...)
	sum := btcutilHash(body)
	return append(body, sum[:4]...)
}

// TestRead_Private checks that no file with a private part is accepted, that the error says
// so, and that it repeats nothing of it.
func TestRead_Private(t *testing.T) {
	t.Parallel()
	const least = 40
	for _, network := range []btc.Network{btc.Main, btc.Regtest} {
		files := privateFiles(t, network)
		if len(files) < least {
			t.Errorf("%d files, want %d", len(files), least)
		}
		for name, c := range files {
			t.Run(string(network)+"/"+name, func(t *testing.T) {
				f, err := walletfile.Read([]byte(c[0]), walletfile.Options{Network: network})
				if err == nil {
					t.Fatalf("accepted as %s", f.Format)
				}
				// Raw and encrypted keys cannot be distinguished from other data: they are refused as unknown.
				unknown := strings.HasPrefix(name, "raw ") || name == "Electrum, encrypted file"
				if errors.Is(err, btc.ErrPrivateKey) == unknown {
					t.Errorf("%v", err)
				}
				var secrets testkit.Secrets
				secrets.Add(name, c[1])
				if found := secrets.Find(fmt.Sprintf("%v %+v", err, err)); len(found) > 0 {
					t.Errorf("the error repeats %v", found)
				}
			})
		}
	}
}

func btcutilHash(b []byte) []byte {
	return base58.Decode(base58.CheckEncode(b[1:], b[0]))[len(b):]
}
