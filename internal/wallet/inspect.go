package wallet

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/walletfile"
)

// Inspection is the wallet that a plan describes, without having been created.
type Inspection struct {
	// File is the content of the plan's file. If the plan has descriptors or keys instead,
	// it has their keys, policy and warnings.
	walletfile.File

	// Devices are the names of the caller's devices that the keys belong to; empty for a key of a
	// new device.
	Devices         []string
	Receive, Change []string // the first addresses; none if File is not a wallet
}

// shownAddresses is the number of addresses of each branch in an Inspection.
const shownAddresses = 3

// Inspect returns the wallet that a plan describes, with all warnings. It ignores name,
// alias and birthday, stores nothing, and does not wait for the node.
func (s *Service) Inspect(ctx context.Context, who *auth.Principal, p Plan) (Inspection, error) {
	if who.Wallets != nil {
		return Inspection{}, errWalletLimit
	}
	network := s.node.Network()
	if network == "" {
		return Inspection{}, s.node.Ready(NodeWallet{})
	}
	f, err := p.read(network)
	if err != nil {
		return Inspection{}, err
	}
	in := Inspection{File: f}
	if f.IsWallet() {
		if in.Receive, in.Change, err = walletfile.Addresses(f.Policy, shownAddresses); err != nil {
			return Inspection{}, fmt.Errorf("derive the first addresses: %w", err)
		}
	}
	for _, k := range f.Keys {
		name, err := s.store.DeviceName(ctx, who.UserID, k.Fingerprint)
		if err != nil {
			return Inspection{}, err
		}
		in.Devices = append(in.Devices, name)
	}
	views, err := s.list(ctx, who, "", 0)
	if err != nil {
		return Inspection{}, err
	}
	in.Warnings = append(in.Warnings, usedKeys(f.Keys, views)...)
	return in, nil
}

// Problems returns a problem of a plan that was found before, together with all others of the
// plan. The problem must be about the birthday, which is not checked.
func (s *Service) Problems(ctx context.Context, who *auth.Principal, p Plan, problem error) error {
	p.Birthday, p.DryRun = Birthday{Now: true}, true
	_, err := s.Create(ctx, who, p)
	switch kind := fault.KindOf(err); {
	case err == nil, kind == fault.Conflict, kind == fault.Unavailable: // these depend on more than the request
		return problem
	case kind != fault.Invalid, errors.Is(err, btc.ErrPrivateKey):
		return err
	}
	return fault.JoinErrors(err, problem)
}

// usedKeys returns a warning for each key that a wallet of the caller uses.
func usedKeys(keys []walletfile.NamedKey, views []View) []walletfile.Warning {
	var warnings []walletfile.Warning
	for i, k := range keys {
		at := slices.IndexFunc(views, func(v View) bool {
			return slices.ContainsFunc(v.Keys, func(other Key) bool { return other.XPub == k.XPub })
		})
		if at < 0 {
			continue
		}
		warnings = append(warnings, walletfile.Warning{
			Code: "key_in_other_wallet",
			Message: fmt.Sprintf("key %d is also used in your wallet %s; if the same addresses belong to both, their balances count twice, "+
				"and otherwise use a separate account for each wallet", i+1, views[at].Alias),
		})
	}
	return warnings
}

// read returns the content of the plan's file, or of its descriptors or keys.
func (p Plan) read(network btc.Network) (walletfile.File, error) {
	if !p.File.IsZero() {
		if err := p.checkFile(); err != nil {
			return walletfile.File{}, err
		}
		return p.File.Read(walletfile.Options{Network: network, Script: btc.Script(p.Script), SignaturesRequired: p.SignaturesRequired})
	}
	policy, err := p.given(network)
	if err != nil {
		return walletfile.File{}, err
	}
	f := walletfile.File{BirthdayHeight: -1, Script: policy.Script, Policy: policy, Warnings: walletfile.Check(policy)}
	for _, k := range policy.Keys {
		f.Keys = append(f.Keys, walletfile.NamedKey{Key: k})
	}
	return f, nil
}

// checkFile returns a fault if fields of the plan contradict its file.
func (p Plan) checkFile() error {
	var errs []error
	omit := func(given bool, name string) {
		if given {
			errs = append(errs, fault.InvalidField(name, "must be omitted if there is a file, which contains it"))
		}
	}
	omit(p.Descriptor != "", "descriptor")
	omit(p.Change != "", "change_descriptor")
	omit(len(p.Keys) > 0, "keys")
	omit(p.SignaturesRequired != 0 && !p.File.IsSeveral(), "signatures_required")
	if p.Script != "" {
		_, err := btc.ParseScript(p.Script)
		errs = append(errs, err)
	}
	return fault.JoinErrors(errs...)
}

// withFile returns the plan with the name and the birthday of its file, if it has none. A
// height after tip, the height of the chain, means the tip; a time after now is ignored.
func (p Plan) withFile(f walletfile.File, now time.Time, tip int) Plan {
	if p.File.IsZero() {
		return p
	}
	if p.Name == "" {
		p.Name = FitName(f.Name)
	}
	if p.Birthday != (Birthday{}) {
		return p
	}
	if f.BirthdayHeight >= 0 {
		height := min(f.BirthdayHeight, tip)
		p.Birthday.Height = &height
	} else if at := f.Birthday; !at.IsZero() && at.Before(now) {
		p.Birthday.Time = &at
	}
	return p
}

// Network returns the network of the node; empty before the first contact.
func (s *Service) Network() btc.Network { return s.node.Network() }
