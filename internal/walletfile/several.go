package walletfile

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
)

// filesField is the name of several files in errors.
const filesField = "files"

// multisigScripts are the script types of multisig wallets, the preferred one first.
var multisigScripts = []btc.Script{btc.WSh, btc.ShWSh, btc.Sh}

// readSigners combines files that each have the key of one signer to a multisig wallet with
// sorted keys.
func readSigners(files []Source, o Options) (File, error) {
	drafts := make([]*draft, len(files))
	var problems []error
	for i, file := range files {
		d, err := file.signer(o.Network)
		if err = aboutFile(err, i); errors.Is(err, btc.ErrPrivateKey) {
			return File{}, err // other problems would distract from it
		}
		drafts[i] = d
		problems = append(problems, err)
	}
	if err := fault.JoinErrors(problems...); err != nil {
		return File{}, err
	}
	all := &draft{format: Signers, height: -1}
	scripts := commonScripts(drafts)
	script, err := all.chooseCommon(drafts, scripts, o.Script)
	if err != nil {
		return File{}, err
	}
	a := account{script: script, required: o.SignaturesRequired}
	for i, d := range drafts {
		key, name, err := d.keyFor(script)
		problems = append(problems, aboutFile(err, i))
		a.keys, a.names = append(a.keys, key), append(a.names, cmp.Or(name, files[i].name))
	}
	if err := fault.JoinErrors(problems...); err != nil {
		return File{}, err
	}
	f := File{Format: all.format, BirthdayHeight: -1, Scripts: scripts, Script: script, Warnings: all.warnings}
	if f.Policy, err = a.policy(o.Network); err != nil {
		return File{}, inFiles(err)
	}
	f.nameKeys(f.Policy.Keys, a.names)
	f.Warnings = append(f.Warnings, Check(f.Policy)...)
	return f, nil
}

// signer returns the content of a file, reduced to keys for multisig wallets.
func (s Source) signer(network btc.Network) (*draft, error) {
	d, err := s.parse()
	if err != nil {
		return nil, err
	}
	if err := d.forNetwork(network); err != nil {
		return nil, err
	}
	isWallet := func(a account) bool { return a.receive != "" || len(a.keys) != 1 }
	if slices.ContainsFunc(d.accounts, isWallet) {
		return nil, fault.InvalidAs(ErrNotOneWallet.Code, field, "is a wallet and not the key of one signer; create the wallet from this file alone")
	}
	d.accounts = slices.DeleteFunc(d.accounts, func(a account) bool { return !a.signer && !a.assumed })
	if len(d.accounts) == 0 {
		return nil, fault.InvalidAs(ErrNotOneWallet.Code, field, "has no key for multisig wallets; export one from the device, usually at the path m/48h/%s/0h/2h", btc.FormatStep(coinTypeOf(network)))
	}
	return d, nil
}

// commonScripts returns the script types for which each draft has a key, the preferred one
// first.
func commonScripts(drafts []*draft) []btc.Script {
	var common []btc.Script
	for _, script := range multisigScripts {
		lacks := func(d *draft) bool {
			return !slices.ContainsFunc(d.accounts, func(a account) bool { return a.assumed || a.script == script })
		}
		if !slices.ContainsFunc(drafts, lacks) {
			common = append(common, script)
		}
	}
	return common
}

// chooseCommon returns one of the common script types of several files: script, or the
// preferred one if script is empty.
func (d *draft) chooseCommon(drafts []*draft, common []btc.Script, script btc.Script) (btc.Script, error) {
	isUnknown := !slices.ContainsFunc(drafts, func(d *draft) bool { return !d.accounts[0].assumed })
	switch {
	case len(common) == 0:
		each := make([]string, len(drafts))
		for i, other := range drafts {
			each[i] = list(other.scripts())
		}
		return "", fault.InvalidAs(ErrFile.Code, filesField, "have no script type in common, but %s; export the keys for the same one from all devices", strings.Join(each, " and "))
	case script != "" && !slices.Contains(common, script):
		return "", fault.InvalidField("script", "must be one of those in all files: %s", list(common))
	case script != "":
		return script, nil
	case isUnknown:
		d.warn("script_assumed", "the files do not state the script type; %s was assumed, and the parameter script chooses another", common[0])
	case len(common) > 1:
		d.warn("one_of_several", "the files have keys for several script types (%s); %s was chosen, and the parameter script chooses another", list(common), common[0])
	}
	return common[0], nil
}

// keyFor returns the key of the draft for a script type, and its name.
func (d *draft) keyFor(script btc.Script) (key, name string, err error) {
	found := slices.DeleteFunc(slices.Clone(d.accounts), func(a account) bool { return !a.assumed && a.script != script })
	if len(found) != 1 {
		return "", "", fault.InvalidAs(ErrFile.Code, field, "has several keys for the script type %s; create the wallet from keys instead of files", script)
	}
	if len(found[0].names) > 0 {
		name = found[0].names[0]
	}
	return found[0].keys[0], name, nil
}

// aboutFile returns a fault about a file as a fault about the file at a position.
func aboutFile(err error, position int) error {
	return renamed(err, func(string) string { return fmt.Sprintf("%s[%d]", filesField, position) })
}

// inFiles returns a fault about keys as a fault about the files that contain them.
func inFiles(err error) error {
	return renamed(err, func(name string) string {
		if name == "keys" {
			return filesField
		}
		return name
	})
}
