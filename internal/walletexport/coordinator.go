package walletexport

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/qrcodec"
	"github.com/specterd/specterd/internal/wallet"
)

// signers are the parts of a wallet that the formats of multisig coordinators consist of.
type signers struct {
	policy btc.Policy
	names  []string // of the keys, unique
}

// signers returns the keys of a wallet whose branches are /0/* and /1/* directly after keys
// with an origin. It returns ErrBranches or ErrOrigin for other wallets.
func (w Wallet) signers() (signers, error) {
	policy, err := btc.FromDescriptors(w.Receive, w.Change, w.network())
	if err != nil {
		return signers{}, fmt.Errorf("parse the descriptors of wallet %s: %w", w.ID, err)
	}
	s := signers{policy: policy}
	seen := map[string]bool{}
	for i, k := range policy.Keys {
		if strings.Count(w.Receive, k.XPub+"/0/*") != 1 || strings.Count(w.Change, k.XPub+"/1/*") != 1 {
			return signers{}, ErrBranches
		}
		if !strings.Contains(w.Receive, originOf(k)+k.XPub) {
			return signers{}, ErrOrigin
		}
		name := k.Fingerprint
		if i < len(w.Keys) && w.Keys[i].Device != "" {
			name = w.deviceOf(w.Keys[i]).Name
		}
		if seen[name] {
			name += " " + strconv.Itoa(i+1)
		}
		seen[name] = true
		s.names = append(s.names, name)
	}
	return s, nil
}

// network returns the network of the wallet.
func (w Wallet) network() btc.Network {
	switch {
	case w.Network != "":
		return w.Network
	case len(w.Keys) > 0 && strings.HasPrefix(w.Keys[0].XPub, "xpub"):
		return btc.Main
	case strings.HasPrefix(w.next(wallet.ReceiveBranch, 0), "bcrt1"):
		return btc.Regtest
	}
	return btc.Test
}

// sortedMultisig is like signers, and returns ErrNotSortedMultisig for a wallet with one key
// or unsorted keys.
func (w Wallet) sortedMultisig() (signers, error) {
	s, err := w.signers()
	if err == nil && (!s.policy.Script.IsMultisig() || !s.policy.Receive.Sorted()) {
		err = ErrNotSortedMultisig
	}
	return s, err
}

// originOf returns the origin of a key in the notation of descriptors.
func originOf(k btc.Key) string {
	return "[" + k.Fingerprint + strings.TrimPrefix(k.Derivation, "m") + "]"
}

// pathOf returns the derivation of a key with ' for hardened steps, which all programs read.
func pathOf(k btc.Key) string { return strings.ReplaceAll(k.Derivation, "h", "'") }

// scriptNames are the script types in files of Coldcard, Caravan and Sparrow.
var scriptNames = map[btc.Script]string{
	btc.PKH: "P2PKH", btc.WPKH: "P2WPKH", btc.ShWPKH: "P2SH-P2WPKH", btc.TR: "P2TR",
	btc.Sh: "P2SH", btc.WSh: "P2WSH", btc.ShWSh: "P2SH-P2WSH",
}

// writeDescriptor writes the descriptor of both branches, or two descriptors if that is not
// possible.
func (w Wallet) writeDescriptor(out io.Writer) error {
	text := btc.Multipath(w.Receive, w.Change)
	if text == w.Receive {
		text += "\n" + w.Change
	}
	_, err := io.WriteString(out, text+"\n")
	return err
}

// writeCryptoOutput writes the descriptor of both branches as a Uniform Resource in one part.
func (w Wallet) writeCryptoOutput(out io.Writer) error {
	text := btc.Multipath(w.Receive, w.Change)
	if text == w.Receive {
		return ErrBranches
	}
	d, err := btc.ParseDescriptor(text, w.network())
	if err != nil {
		return fmt.Errorf("parse the descriptors of wallet %s: %w", w.ID, err)
	}
	resource, err := qrcodec.OutputResource(d)
	if err != nil {
		return err
	}
	parts, err := qrcodec.NewURParts(resource, len(resource.CBOR))
	if err != nil {
		return err
	}
	_, err = io.WriteString(out, parts.Text(1)+"\n")
	return err
}

// writeBSMS writes a descriptor record (BIP-129).
func (w Wallet) writeBSMS(out io.Writer) error {
	s, err := w.signers()
	if err != nil {
		return err
	}
	address, err := s.policy.Receive.Address(0)
	if err != nil {
		return fmt.Errorf("derive the first address: %w", err)
	}
	template, _, _ := strings.Cut(w.Receive, "#")
	template = strings.ReplaceAll(template, "/0/*", "/**")
	sum, _ := btc.Checksum(template)
	_, err = fmt.Fprintf(out, "BSMS 1.0\n%s#%s\n/0/*,/1/*\n%s\n", template, sum, address)
	return err
}

// walletPolicy is a wallet policy (BIP-388).
type walletPolicy struct {
	Name     string   `json:"name"`
	Template string   `json:"descriptor_template"`
	Keys     []string `json:"keys_info"`
}

func (w Wallet) writePolicy(out io.Writer) error {
	s, err := w.signers()
	if err != nil {
		return err
	}
	p := walletPolicy{Name: w.Name}
	p.Template, _, _ = strings.Cut(w.Receive, "#")
	for i, k := range s.policy.Keys {
		key := originOf(k) + k.XPub
		p.Template = strings.Replace(p.Template, key+"/0/*", "@"+strconv.Itoa(i)+"/**", 1)
		p.Keys = append(p.Keys, key)
	}
	return writeJSON(out, p)
}

// writeColdcard writes Coldcard's multisig file, with a derivation before each key.
func (w Wallet) writeColdcard(out io.Writer) error {
	s, err := w.sortedMultisig()
	if err != nil {
		return err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "# Multisig wallet, exported from specterd\nName: %s\nPolicy: %d of %d\nFormat: %s\n",
		coldcardName(w.Name), s.policy.SignaturesRequired, len(s.policy.Keys), scriptNames[s.policy.Script])
	for _, k := range s.policy.Keys {
		fmt.Fprintf(&b, "\nDerivation: %s\n%s: %s\n", pathOf(k), strings.ToUpper(k.Fingerprint), k.XPub)
	}
	_, err = io.WriteString(out, b.String())
	return err
}

// coldcardName returns a name in the 20 ASCII characters that a Coldcard accepts.
func coldcardName(name string) string {
	const most = 20
	var b strings.Builder
	for _, r := range name {
		if r < ' ' || r > '~' {
			r = '_'
		}
		if b.Len() < most {
			b.WriteRune(r)
		}
	}
	return strings.TrimSpace(b.String())
}

// caravanWallet is the configuration of a Caravan wallet.
type caravanWallet struct {
	Name    string        `json:"name"`
	Type    string        `json:"addressType"`
	Network string        `json:"network"`
	Client  caravanClient `json:"client"`
	Quorum  caravanQuorum `json:"quorum"`
	Keys    []caravanKey  `json:"extendedPublicKeys"`
	Start   int           `json:"startingAddressIndex"`
}

type caravanClient struct {
	Type string `json:"type"` // where Caravan gets blocks from
}

type caravanQuorum struct {
	Required int `json:"requiredSigners"`
	Total    int `json:"totalSigners"`
}

type caravanKey struct {
	Name        string `json:"name"`
	Path        string `json:"bip32Path"`
	XPub        string `json:"xpub"`
	Fingerprint string `json:"xfp"`
	Method      string `json:"method"` // how Caravan gets the key
}

// networkNames are the networks in files of Caravan.
var networkNames = map[btc.Network]string{btc.Main: "mainnet", btc.Test: "testnet", btc.Testnet4: "testnet", btc.Signet: "signet", btc.Regtest: "regtest"}

func (w Wallet) writeCaravan(out io.Writer) error {
	s, err := w.sortedMultisig()
	if err != nil {
		return err
	}
	c := caravanWallet{
		Name: w.Name, Type: scriptNames[s.policy.Script], Network: networkNames[w.network()], Client: caravanClient{"public"},
		Quorum: caravanQuorum{s.policy.SignaturesRequired, len(s.policy.Keys)},
	}
	for i, k := range s.policy.Keys {
		c.Keys = append(c.Keys, caravanKey{s.names[i], pathOf(k), k.XPub, k.Fingerprint, "text"})
	}
	return writeJSON(out, c)
}

// sparrowWallet has the fields of a Sparrow wallet that describe its keys.
type sparrowWallet struct {
	Name       string            `json:"name"`
	Network    string            `json:"network"`
	PolicyType string            `json:"policyType"`
	ScriptType string            `json:"scriptType"`
	Policy     sparrowPolicy     `json:"defaultPolicy"`
	Keystores  []sparrowKeystore `json:"keystores"`
	BirthDate  int64             `json:"birthDate,omitzero"` // milliseconds
}

type sparrowPolicy struct {
	Name       string            `json:"name"`
	Miniscript sparrowMiniscript `json:"miniscript"`
}

type sparrowMiniscript struct {
	Script string `json:"script"` // with the names of the keystores instead of keys
}

type sparrowKeystore struct {
	Label      string            `json:"label"`
	Source     string            `json:"source"`
	Model      string            `json:"walletModel"`
	Derivation sparrowDerivation `json:"keyDerivation"`
	XPub       string            `json:"extendedPublicKey"`
}

type sparrowDerivation struct {
	Fingerprint string `json:"masterFingerprint"`
	Path        string `json:"derivationPath"`
}

func (w Wallet) writeSparrow(out io.Writer) error {
	s, err := w.signers()
	if err != nil {
		return err
	}
	script, kind := s.policy.Script, "SINGLE"
	if script.IsMultisig() {
		kind = "MULTI"
	}
	f := sparrowWallet{
		Name: w.Name, Network: strings.ToUpper(networkNames[w.network()]), PolicyType: kind, ScriptType: strings.ReplaceAll(scriptNames[script], "-", "_"),
		Policy: sparrowPolicy{Name: "Default"},
	}
	if !w.Born.IsZero() {
		f.BirthDate = w.Born.UnixMilli()
	}
	miniscript, _, _ := strings.Cut(w.Receive, "#")
	for i, k := range s.policy.Keys {
		label := "Keystore " + strconv.Itoa(i+1) // Sparrow limits the length and requires unique names
		miniscript = strings.Replace(miniscript, originOf(k)+k.XPub+"/0/*", "keystore"+strconv.Itoa(i+1), 1)
		f.Keystores = append(f.Keystores, sparrowKeystore{label, "SW_WATCH", "SPARROW", sparrowDerivation{k.Fingerprint, pathOf(k)}, k.XPub})
	}
	f.Policy.Miniscript.Script = miniscript
	return writeJSON(out, f)
}
