package walletfile

import (
	"encoding/binary"
	"encoding/hex"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/specterd/specterd/internal/btc"
)

// readCore reads the result of RPC listdescriptors, or the argument of importdescriptors.
// Only the active descriptors count, if any is active.
func (d *draft) readCore(o object) {
	d.format = Core
	d.name = o.text("wallet_name")
	all := o.children("descriptors")
	isActive := func(e object) bool { return e["active"] == true }
	if slices.ContainsFunc(all, isActive) {
		total := len(all)
		all = slices.DeleteFunc(all, func(e object) bool { return !isActive(e) })
		if n := total - len(all); n > 0 {
			d.warn("inactive_skipped", "%d descriptors that are not active were skipped", n)
		}
	}
	var found []described
	for i, e := range all {
		text := d.normalize(d.need(e, "desc", "descriptor "+strconv.Itoa(i+1)+": "))
		internal, stated := e["internal"].(bool)
		if text != "" {
			found = append(found, described{text, internal, stated && e["active"] == true})
		}
		d.bornBy(e.number("timestamp", 0))
	}
	d.group(found)
}

// bornBy notes a birthday in Unix seconds. The earliest one counts.
func (d *draft) bornBy(seconds int) {
	const genesis = 1231006505
	if seconds <= genesis {
		return
	}
	if at := time.Unix(int64(seconds), 0).UTC(); at.Year() < 10_000 && (d.birthday.IsZero() || at.Before(d.birthday)) {
		d.birthday = at
	}
}

// readCaravan reads the configuration of a Caravan wallet.
func (d *draft) readCaravan(o object) {
	d.name, d.network = o.text("name"), o.text("network")
	a := account{script: formatOf(d.need(o, "addressType", "")), required: o.child("quorum").number("requiredSigners", 0)}
	if o.text("addressType") != "" && !a.script.IsMultisig() {
		d.problem("has an unknown addressType; supported are P2SH, P2SH-P2WSH and P2WSH")
	}
	for i, k := range o.children("extendedPublicKeys") {
		fingerprint, path := k.text("xfp"), k.text("bip32Path")
		if strings.EqualFold(fingerprint, "unknown") {
			fingerprint = ""
		}
		if strings.EqualFold(path, "unknown") {
			path = ""
		}
		a.keys = append(a.keys, withOrigin(fingerprint, path, d.need(k, "xpub", "key "+strconv.Itoa(i+1)+": ")))
		a.names = append(a.names, k.text("name"))
	}
	if total := o.child("quorum").number("totalSigners", len(a.keys)); total != len(a.keys) {
		d.problem("has %d keys, but its quorum has %d", len(a.keys), total)
	}
	d.accounts = append(d.accounts, a)
}

var sparrowRequired = regexp.MustCompile(`multi\((\d+),`)

// readSparrow reads the JSON of a Sparrow wallet.
func (d *draft) readSparrow(o object) {
	d.name, d.network = o.text("name"), o.text("network")
	if d.name == "" {
		d.name = o.text("label")
	}
	if at := o.number("birthDate", 0); at > 0 {
		d.bornBy(at / 1000)
	}
	a := account{script: formatOf(d.need(o, "scriptType", "")), required: 1}
	if o.text("scriptType") != "" && a.script == "" {
		d.problem("has an unknown scriptType; supported are P2PKH, P2WPKH, P2SH_P2WPKH, P2TR, P2SH, P2WSH and P2SH_P2WSH")
	}
	if a.script.IsMultisig() {
		script := o.child("defaultPolicy").child("miniscript").text("script")
		if script == "" {
			script = o.child("defaultPolicy").text("miniscript")
		}
		m := sparrowRequired.FindStringSubmatch(strings.ReplaceAll(script, " ", ""))
		if m == nil {
			d.problem("has no defaultPolicy with the number of required signatures")
		} else {
			a.required, _ = strconv.Atoi(m[1])
			a.unsorted = !strings.Contains(script, "sortedmulti(")
		}
	}
	for i, k := range o.children("keystores") {
		origin := k.child("keyDerivation")
		key := d.need(k, "extendedPublicKey", "keystore "+strconv.Itoa(i+1)+": ")
		a.keys = append(a.keys, withOrigin(origin.text("masterFingerprint"), origin.text("derivationPath"), key))
		a.names = append(a.names, k.text("label"))
	}
	d.accounts = append(d.accounts, a)
}

// electrumScripts are the script types of Electrum's wallets by the prefix of their keys.
var electrumScripts = map[bool]map[string]btc.Script{
	false: {"xpub": btc.PKH, "tpub": btc.PKH, "ypub": btc.ShWPKH, "upub": btc.ShWPKH, "zpub": btc.WPKH, "vpub": btc.WPKH},
	true:  {"xpub": btc.Sh, "tpub": btc.Sh, "Ypub": btc.ShWSh, "Upub": btc.ShWSh, "Zpub": btc.WSh, "Vpub": btc.WSh},
}

var electrumMultisig = regexp.MustCompile(`^(\d{1,2})of(\d{1,2})$`)

// readElectrum reads a wallet file of Electrum that has no private keys.
func (d *draft) readElectrum(o object) {
	a := account{required: 1}
	var stores []object
	m := electrumMultisig.FindStringSubmatch(o.text("wallet_type"))
	switch {
	case o.text("wallet_type") == "standard":
		stores = []object{o.child("keystore")}
	case m != nil:
		var total int
		a.required, total = quorum(m[1] + " of " + m[2])
		for i := range total {
			stores = append(stores, o.child("x"+strconv.Itoa(i+1)+"/"))
		}
	default:
		d.problem("has a wallet_type that is not supported; supported are standard and multisig wallets such as 2of3")
		return
	}
	for i, k := range stores {
		of := "keystore " + strconv.Itoa(i+1) + ": "
		key := d.need(k, "xpub", of)
		script := btc.Script("")
		if len(key) > 4 {
			script = electrumScripts[m != nil][key[:4]]
		}
		switch {
		case key != "" && script == "":
			d.problem("%shas a key that Electrum does not use for such a wallet", of)
		case key != "" && a.script != "" && a.script != script:
			d.problem("%sis for another script type than the ones before", of)
		case key != "":
			a.script = script
		}
		a.keys = append(a.keys, withOrigin(electrumFingerprint(k), k.text("derivation"), key))
		a.names = append(a.names, k.text("label"))
	}
	if list, ok := o.child("addresses")["receiving"].([]any); ok && len(list) > 0 {
		a.first, _ = list[0].(string)
	}
	d.accounts = append(d.accounts, a)
}

// electrumFingerprint returns the master fingerprint of a keystore. Old versions store the
// fingerprint of a Coldcard as a number, in little-endian order.
func electrumFingerprint(k object) string {
	if f := k.text("root_fingerprint"); f != "" {
		return f
	}
	if n := k.number("ckcc_xfp", -1); n >= 0 && n <= math.MaxUint32 {
		return hex.EncodeToString(binary.LittleEndian.AppendUint32(nil, uint32(n)))
	}
	return ""
}

var electrumMagic = regexp.MustCompile(`^QklF[MT][A-Za-z0-9+/=\s]+$`)

// isEncryptedElectrum reports whether a text is an encrypted file of Electrum, or of Sparrow,
// which uses the same format.
func isEncryptedElectrum(text string) bool { return electrumMagic.MatchString(text) }
