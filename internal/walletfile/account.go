package walletfile

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
)

// file validates the keys of the chosen account and returns the content of the file.
func (d *draft) file(o Options) (File, error) {
	if err := d.forNetwork(o.Network); err != nil {
		return File{}, err
	}
	a, err := d.choose(o.Script)
	if err != nil {
		return File{}, err
	}
	f := File{
		Format: d.format, Name: d.name, Birthday: d.birthday, BirthdayHeight: d.height,
		Scripts: d.scripts(), Script: a.script, Accounts: d.accountKeys(o.Network), Warnings: d.warnings,
	}
	if a.signer {
		return f.withSigner(a, o.Network)
	}
	if f.Policy, err = a.policy(o.Network); err != nil {
		return File{}, inFile(err)
	}
	if err := a.checkFirst(f.Policy); err != nil {
		return File{}, err
	}
	f.Script = f.Policy.Script
	if a.assumed {
		f.warn("script_assumed", "the file does not state the script type; %s was assumed, and the parameter script chooses another", f.Script)
	}
	f.nameKeys(f.Policy.Keys, a.names)
	f.Warnings = append(f.Warnings, Check(f.Policy)...)
	return f, nil
}

func (f *File) warn(code, format string, args ...any) {
	f.Warnings = append(f.Warnings, Warning{code, fmt.Sprintf(format, args...)})
}

// withSigner completes a file that has only one signer's key of a multisig wallet.
func (f File) withSigner(a account, network btc.Network) (File, error) {
	key, err := btc.ParseKey(a.keys[0], network)
	if err != nil {
		return File{}, inFile(err)
	}
	f.nameKeys([]btc.Key{key}, a.names)
	f.warn("signer_key", "this is the key of one signer of a multisig wallet; create the wallet from the files or the keys of all signers together")
	f.Warnings = append(f.Warnings, checkKeys([]btc.Key{key}, a.script, network)...)
	return f, nil
}

// accountKeys returns the accounts in the file that consist of one key.
func (d *draft) accountKeys(network btc.Network) []Account {
	var all []Account
	for _, a := range d.accounts {
		if len(a.keys) != 1 || a.receive != "" {
			continue
		}
		if key, err := btc.ParseKey(a.keys[0], network); err == nil {
			all = append(all, Account{a.script, key})
		}
	}
	return all
}

func (f *File) nameKeys(keys []btc.Key, names []string) {
	for i, k := range keys {
		named := NamedKey{Key: k}
		if len(names) == len(keys) {
			named.Name = names[i]
		}
		f.Keys = append(f.Keys, named)
	}
}

// inFile returns a fault about a descriptor or keys as a fault about the file.
func inFile(err error) error {
	return renamed(err, func(string) string { return field })
}

// renamed returns a fault with other names of its fields.
func renamed(err error, name func(old string) string) error {
	f, ok := errors.AsType[*fault.Error](err)
	if !ok {
		return err
	}
	all := make([]error, len(f.Fields))
	for i, p := range f.Fields {
		all[i] = fault.InvalidAs(f.Code, name(p.Name), "%s", p.Message)
	}
	return fault.JoinErrors(all...)
}

// networks are the names that files use for networks.
var networks = map[string]btc.Network{
	"mainnet": btc.Main, "main": btc.Main, "bitcoin": btc.Main, "btc": btc.Main,
	"testnet": btc.Test, "testnet3": btc.Test, "test": btc.Test, "xtn": btc.Test,
	"testnet4": btc.Testnet4, "signet": btc.Signet, "regtest": btc.Regtest, "xrt": btc.Regtest,
}

// forNetwork checks the content of the file, and keeps the accounts of a network.
func (d *draft) forNetwork(network btc.Network) error {
	if err := d.check(); err != nil {
		return err
	}
	if err := d.checkNetwork(network); err != nil {
		return err
	}
	d.keepNetwork(network)
	return nil
}

// checkNetwork compares the network that the file names with the node's.
func (d *draft) checkNetwork(network btc.Network) error {
	if d.network == "" {
		return nil
	}
	named, known := networks[strings.ToLower(d.network)]
	switch {
	case !known:
		return fault.InvalidAs(ErrFile.Code, field, "names a network that is not one of Bitcoin's")
	case (named == btc.Main) != (network == btc.Main):
		return fault.InvalidAs(btc.ErrWrongNetwork.Code, field, "is for the network %s, but the node is on %s; export it for the network of the node", named, network)
	case named != network:
		d.warn("network_differs", "the file is for the network %s, but the node is on %s", named, network)
	}
	return nil
}

// keepNetwork removes the keys of other networks, if some are for this network: devices
// export the keys of several.
func (d *draft) keepNetwork(network btc.Network) {
	fits := func(a account) bool {
		_, err := a.policy(network)
		if a.signer {
			_, err = btc.ParseKey(a.keys[0], network)
		}
		return !errors.Is(err, btc.ErrWrongNetwork)
	}
	if len(d.accounts) > 1 && slices.ContainsFunc(d.accounts, fits) {
		d.accounts = slices.DeleteFunc(d.accounts, func(a account) bool { return !fits(a) })
	}
}

// preferred are the script types in the order in which the default is chosen.
var preferred = []btc.Script{btc.WPKH, btc.WSh}

func (d *draft) scripts() []btc.Script {
	var scripts []btc.Script
	for _, a := range d.accounts {
		if !slices.Contains(scripts, a.script) {
			scripts = append(scripts, a.script)
		}
	}
	return scripts
}

// choose returns the account with this script type, or the default.
func (d *draft) choose(script btc.Script) (account, error) {
	found := slices.Clone(d.accounts)
	scripts := d.scripts()
	if script != "" {
		if a := found[0]; len(found) == 1 && a.assumed && script.IsMultisig() == a.script.IsMultisig() {
			a.script, a.assumed = script, false
			return a, nil
		}
		found = slices.DeleteFunc(found, func(a account) bool { return a.script != script })
		if len(found) == 0 {
			return account{}, fault.InvalidField("script", "must be one of those in the file: %s", list(scripts))
		}
	}
	if len(found) > 1 && script == "" {
		found = byDefault(found)
		d.warn("one_of_several", "the file has several wallets (%s); %s was chosen, and the parameter script chooses another", list(scripts), found[0].script)
	}
	if len(found) > 1 {
		return account{}, fault.InvalidAs(ErrFile.Code, field, "has several wallets with the script type %s; give the descriptor of one", found[0].script)
	}
	return found[0], nil
}

// byDefault returns the accounts with the default script type: wallets before single keys
// of signers, and native segwit before others.
func byDefault(accounts []account) []account {
	wallets := slices.DeleteFunc(slices.Clone(accounts), func(a account) bool { return a.signer })
	if len(wallets) == 0 {
		wallets = accounts
	}
	script := wallets[0].script
	for _, s := range slices.Backward(preferred) {
		if slices.ContainsFunc(wallets, func(a account) bool { return a.script == s }) {
			script = s
		}
	}
	return slices.DeleteFunc(wallets, func(a account) bool { return a.script != script })
}

func list(scripts []btc.Script) string {
	names := make([]string, len(scripts))
	for i, s := range scripts {
		names[i] = string(s)
	}
	return strings.Join(names, ", ")
}

// policy returns the wallet, with its keys validated.
func (a account) policy(network btc.Network) (btc.Policy, error) {
	if a.receive != "" {
		return btc.FromDescriptors(a.receive, a.change, network)
	}
	p, err := btc.FromKeys(a.keys, a.required, string(a.script), network)
	if err != nil || !a.unsorted {
		return p, err
	}
	unsorted := func(d btc.Descriptor) string {
		text, _, _ := strings.Cut(d.String(), "#")
		return strings.Replace(text, "sortedmulti(", "multi(", 1)
	}
	return btc.FromDescriptors(unsorted(p.Receive), unsorted(p.Change), network)
}

// checkFirst compares the first address in the file, if any, with the wallet's.
func (a account) checkFirst(p btc.Policy) error {
	if a.first == "" {
		return nil
	}
	address, err := p.Receive.Address(0)
	if err != nil {
		return err
	}
	given, err := btc.ParseAddress(a.first, p.Receive.Network())
	if err != nil || given != address {
		return ErrFirstAddress
	}
	return nil
}

// Addresses returns the first addresses of both branches.
func Addresses(p btc.Policy, count uint32) (receive, change []string, err error) {
	for _, branch := range []struct {
		d    btc.Descriptor
		into *[]string
	}{{p.Receive, &receive}, {p.Change, &change}} {
		v, err := branch.d.Deriver()
		if err != nil {
			return nil, nil, err
		}
		for i := range count {
			address, err := v.Address(i)
			if err != nil {
				return nil, nil, err
			}
			*branch.into = append(*branch.into, address)
		}
	}
	return receive, change, nil
}
