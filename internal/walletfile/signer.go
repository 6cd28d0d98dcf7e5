package walletfile

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/btcsuite/btcd/btcutil/hdkeychain"

	"github.com/specterd/specterd/internal/btc"
)

// withOrigin returns a key with its origin in the notation of descriptors. The fingerprint
// and the path may be empty, and are otherwise not validated. Paths of other programs may
// lack the leading m/.
func withOrigin(fingerprint, path, key string) string {
	fingerprint = strings.TrimPrefix(strings.ToLower(strings.TrimSpace(fingerprint)), "0x")
	if fingerprint == "" || strings.HasPrefix(key, "[") {
		return key
	}
	path = strings.Trim(strings.TrimLeft(strings.TrimSpace(path), "mM"), "/")
	path = strings.NewReplacer("H", "h", "’", "'").Replace(path)
	if path != "" {
		path = "/" + path
	}
	return "[" + fingerprint + path + "]" + key
}

var (
	keyPrefix  = regexp.MustCompile(`^(\[[^\]]*\])?([a-zA-Z]pub)`)
	originPath = regexp.MustCompile(`^\[[^/\]]*((?:/[^/\]]+)*)\]`)
	pathStep   = regexp.MustCompile(`^(\d+)(['hH]?)$`)
)

// prefixScripts are the script types of SLIP-132 prefixes.
var prefixScripts = map[string]btc.Script{
	"ypub": btc.ShWPKH, "zpub": btc.WPKH, "Ypub": btc.ShWSh, "Zpub": btc.WSh,
	"upub": btc.ShWPKH, "vpub": btc.WPKH, "Upub": btc.ShWSh, "Vpub": btc.WSh,
}

// scriptOfKey returns the script type that the prefix of a key or the path of its origin
// stands for; empty if unknown, and wsh for a key of any multisig wallet.
func scriptOfKey(key string) btc.Script {
	m := keyPrefix.FindStringSubmatch(key)
	if m == nil {
		return ""
	}
	if s := prefixScripts[m[2]]; s != "" {
		return s
	}
	script, known := scriptOf(pathOf(key))
	if known && script == "" {
		script = btc.WSh
	}
	return script
}

// pathOf returns the path in the origin of a key; nil if it has none or a malformed one.
func pathOf(key string) []uint32 {
	o := originPath.FindStringSubmatch(key)
	if o == nil || o[1] == "" {
		return nil
	}
	var path []uint32
	for text := range strings.SplitSeq(o[1][1:], "/") {
		s := pathStep.FindStringSubmatch(text)
		if s == nil {
			return nil
		}
		n, err := strconv.ParseUint(s[1], 10, 31)
		if err != nil {
			return nil
		}
		if s[2] != "" {
			n += hdkeychain.HardenedKeyStart
		}
		path = append(path, uint32(n))
	}
	return path
}

// readKey adds the account of one key, whose script type follows from the key if script is
// empty.
func (d *draft) readKey(key string, script btc.Script) {
	key = strings.Join(strings.Fields(key), "")
	a := account{script: script, keys: []string{key}, required: 1}
	if script == "" {
		a.script = scriptOfKey(key)
	}
	if a.script == "" {
		a.script, a.assumed = btc.WPKH, true
	}
	a.signer = a.script.IsMultisig()
	d.accounts = append(d.accounts, a)
}

// coldcardAccounts are the fields of the accounts in Coldcard's generic JSON, in the order of
// the device's menus.
var coldcardAccounts = []struct {
	name   string
	script btc.Script
}{
	{"bip44", btc.PKH},
	{"bip49", btc.ShWPKH},
	{"bip84", btc.WPKH},
	{"bip86", btc.TR},
	{"bip45", btc.Sh},
	{"bip48_1", btc.ShWSh},
	{"bip48_2", btc.WSh},
}

// readColdcard reads the generic JSON of Coldcard and Passport, which has an account for each
// script type.
func (d *draft) readColdcard(o object) {
	d.network = o.text("chain")
	master := d.need(o, "xfp", "")
	for _, c := range coldcardAccounts {
		if o[c.name] == nil {
			continue
		}
		a := o.child(c.name)
		key := withOrigin(master, d.need(a, "deriv", c.name+"."), d.need(a, "xpub", c.name+"."))
		d.readKey(key, c.script)
		d.accounts[len(d.accounts)-1].first = a.text("first")
	}
}

// readColdcardKeys reads ccxp-*.json of Coldcard, which Keystone, Passport and others write
// as well: the device's keys for multisig wallets.
func (d *draft) readColdcardKeys(o object) {
	master := d.need(o, "xfp", "")
	for _, k := range []struct {
		name   string
		script btc.Script
	}{{"p2sh", btc.Sh}, {"p2sh_p2wsh", btc.ShWSh}, {"p2wsh_p2sh", btc.ShWSh}, {"p2wsh", btc.WSh}} {
		if o[k.name] == nil || k.name == "p2wsh_p2sh" && o["p2sh_p2wsh"] != nil {
			continue
		}
		d.readKey(withOrigin(master, d.need(o, k.name+"_deriv", ""), d.need(o, k.name, "")), k.script)
	}
}

// readAccountKey reads the key of a single-signature account as Coldcard, Keystone and
// Passport write it for Wasabi and BTCPay Server.
func (d *draft) readAccountKey(o object) {
	key := withOrigin(o.text("MasterFingerprint"), o.text("AccountKeyPath"), d.need(o, "ExtPubKey", ""))
	d.name = o.text("Label")
	script := scriptOfKey(key)
	if script == "" && (o["ColdCardFirmwareVersion"] != nil || o["AccountKeyPath"] == nil) {
		script = btc.WPKH // Wasabi has no other
	}
	d.readKey(key, script)
}

// readSpecterDevice reads a device file of Specter Desktop, which has keys for several
// networks and script types.
func (d *draft) readSpecterDevice(o object) {
	d.name = o.text("name")
	for i, k := range o.children("keys") {
		key := k.text("original")
		if key == "" {
			key = d.need(k, "xpub", "key "+strconv.Itoa(i+1)+": ")
		}
		key = withOrigin(k.text("fingerprint"), k.text("derivation"), key)
		script, err := btc.ParseScript(k.text("type"))
		if err != nil {
			script = ""
		}
		d.readKey(key, script)
		d.accounts[len(d.accounts)-1].names = []string{d.name}
	}
}

// readSpecter reads a wallet file of Specter Desktop.
func (d *draft) readSpecter(o object) {
	d.name, d.height = o.text("name"), o.number("blockheight", -1)
	d.readDescriptors(slices.DeleteFunc([]string{d.need(o, "recv_descriptor", ""), o.text("change_descriptor")}, func(s string) bool { return s == "" }))
	d.nameAll(o.labels("devices"))
}
