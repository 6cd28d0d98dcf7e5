package wallet

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/walletfile"
)

var (
	errWalletLimit = fault.New(fault.Forbidden, "token_limited_to_wallets",
		"a token that is limited to some wallets cannot create wallets; use a token without that limit, or your password")
	errNodeRefuses = fault.New(fault.BadGateway, "node_rejected_wallet",
		"the Bitcoin node refused to watch this wallet, so it was not created; specterd's log has the node's message")
	errNodeDisagrees = fault.New(fault.BadGateway, "node_address_mismatch",
		"the Bitcoin node interprets these descriptors differently from specterd, so payments could get lost; nothing was stored. This should never happen: please report it")
)

const (
	// checkedAddresses is the number of addresses of each branch that are compared
	// with the node's.
	checkedAddresses = 3
	// corePrefix is the prefix of the names of Bitcoin Core wallets that specterd
	// created.
	corePrefix = "specterd-"
)

// Plan describes a wallet to create, from either descriptors, keys or a file.
type Plan struct {
	Name               string // may be empty if File has one
	Alias              string // empty for the alias that is derived from Name by Specter's rule
	Descriptor, Change string // Change is empty if Descriptor is a multipath descriptor or ends in /0/*
	Keys               []string
	Given              []btc.Key // keys of the descriptor in the format that users know, such as zpub, and with a purpose; may be incomplete
	SignaturesRequired int       // for each input, with Keys and with a File of several files; optional if there is one key
	Script             string    // a btc.Script: of the keys, or to choose one of several wallets in File
	// File is a file of another program, which describes the wallet, or several files with
	// the keys of its signers.
	File walletfile.Source
	// DeviceNames are the names of new devices, in the order of the keys; empty for the fingerprint.
	// Without them, the files name the devices. The names of existing devices do not change.
	DeviceNames []string
	Birthday    Birthday // may be zero if File has one
	// RangeEnd and Next are set for a wallet that was used with other software.
	// RangeEnd is the minimum end of the address range, and Next the first index of
	// each branch that was neither revealed nor used.
	RangeEnd uint32
	Next     [2]uint32
	// Adopt is the name of an existing Bitcoin Core wallet that this wallet uses,
	// with its history; empty to create one. If it is set, Birthday must be a height,
	// and the node may have pruned that block.
	Adopt string
	// KeepAlias rejects an alias that the owner used for another wallet before. It
	// is set if the owner did not choose the alias.
	KeepAlias bool
	// DryRun validates the plan without storing anything.
	DryRun bool
}

// rangeEnd returns the end of the address range of a new wallet. It leaves room for
// half the lookahead, so that revealing the first addresses does not extend it.
func (p Plan) rangeEnd(lookahead uint32) uint32 {
	end := max(lookahead+lookahead/2, p.RangeEnd)
	for _, next := range p.Next {
		end = max(end, min(next, maxScanRange)+lookahead)
	}
	return end
}

// ImpliesChange reports whether the change descriptor is derived from the receive
// descriptor, for a plan that Create accepts; see btc.FromDescriptors.
func (p Plan) ImpliesChange() bool {
	return p.Descriptor != "" && p.Change == "" && !strings.Contains(p.Descriptor, "<")
}

// given returns the spending policy of the plan's descriptors or keys, or a fault about its
// fields.
func (p Plan) given(network btc.Network) (btc.Policy, error) {
	switch {
	case p.Descriptor == "" && len(p.Keys) == 0:
		return btc.Policy{}, fault.InvalidField("descriptor", "is required unless there is a file, or keys, signatures_required and script")
	case len(p.Keys) == 0 && (p.SignaturesRequired != 0 || p.Script != ""):
		return btc.Policy{}, fault.InvalidField("keys", "are required with signatures_required and script; omit signatures_required and script if there is a descriptor")
	case len(p.Keys) == 0:
		return btc.FromDescriptors(p.Descriptor, p.Change, network)
	case p.Descriptor != "" || p.Change != "":
		return btc.Policy{}, fault.InvalidField("keys", "must be omitted if there is a descriptor, which contains them")
	}
	required := p.SignaturesRequired
	if len(p.Keys) == 1 && required == 0 {
		required = 1
	}
	return btc.FromKeys(p.Keys, required, p.Script, network)
}

// asGiven returns a key of the descriptor with the format and the purpose from Given,
// or unchanged if Given does not contain it.
func (p Plan) asGiven(k btc.Key) btc.Key {
	for _, given := range p.Given {
		if given.XPub == k.XPub {
			k.Original, k.Purpose = given.Original, given.Purpose
		}
	}
	return k
}

// deviceName returns the name of a new device for the key at a position, to which the file gives a
// name.
func (p Plan) deviceName(position int, inFile string) string {
	switch {
	case position < len(p.DeviceNames):
		return p.DeviceNames[position]
	case len(p.DeviceNames) > 0:
		return ""
	}
	return FitName(inFile)
}

// checkDeviceNames validates the names of new devices.
func (p Plan) checkDeviceNames() error {
	var problems []error
	for i, name := range p.DeviceNames {
		if name != "" {
			problems = append(problems, checkNameAs(fmt.Sprintf("device_names[%d]", i), name))
		}
	}
	return fault.JoinErrors(problems...)
}

// Create creates a wallet with the caller as its owner. It returns ErrAliasTaken,
// ErrExists if one of the caller's wallets has the same descriptors (other users may
// have one), and ErrNotAdoptable.
func (s *Service) Create(ctx context.Context, who *auth.Principal, p Plan) (View, error) {
	w, alias, err := s.draft(ctx, who, p)
	if err != nil {
		return View{}, err
	}
	if p.DryRun {
		return View{Wallet: w, Alias: alias, Role: auth.RoleOwner}, nil
	}
	addresses, err := s.derive(ctx, w, 0, w.RangeEnd)
	if err != nil {
		return View{}, err
	}
	if err := s.store.AddWallet(ctx, w, who.UserID, alias, addresses, who.Event(w.CreatedAt, "wallet.create", w.ID, "")); err != nil {
		return View{}, err
	}
	// From here on, the wallet must be finished or removed, whatever happens.
	refused, err := s.provide(ctx, w, who)
	if err != nil {
		if refused {
			s.abandon(ctx, w, err)
			if kind := fault.KindOf(err); kind == fault.Internal || kind == fault.Refused {
				err = errNodeRefuses.WithCause(err)
			}
		}
		s.kick(w.ID)
		return View{}, err
	}
	return s.store.View(ctx, who.UserID, w.ID)
}

// draft validates a plan, also against the node, and returns the wallet that it
// describes. It stores nothing and changes nothing at the node.
func (s *Service) draft(ctx context.Context, who *auth.Principal, p Plan) (w Wallet, alias string, err error) {
	if who.Wallets != nil {
		return Wallet{}, "", errWalletLimit
	}
	id := uuid.NewString()
	in := NodeWallet{Name: cmp.Or(p.Adopt, corePrefix+id)}
	if s.node.Network() == "" {
		return Wallet{}, "", s.node.Ready(in)
	}
	p, f, alias, err := s.validate(in, p)
	if err != nil {
		return Wallet{}, "", err
	}
	policy := f.Policy
	if p.rangeEnd(s.lookahead) > maxScanRange {
		return Wallet{}, "", fault.InvalidField("addresses", "must be at most %d", maxScanRange)
	}
	if err := s.node.Ready(in); err != nil {
		return Wallet{}, "", err
	}
	w = Wallet{
		ID: id, Name: p.Name, Stage: Creating, CoreName: in.Name, Script: policy.Script, SignaturesRequired: policy.SignaturesRequired,
		Receive: policy.Receive.String(), Change: policy.Change.String(), CreatedAt: s.now(),
		RangeEnd: p.rangeEnd(s.lookahead), ReceiveNext: p.Next[ReceiveBranch], ChangeNext: p.Next[ChangeBranch], RescanFrom: -1, RescanUser: who.UserID, Synced: Tip{Height: -1}, CoreTxCount: -1,
	}
	for i, k := range policy.Keys {
		w.Keys = append(w.Keys, Key{Key: p.asGiven(k), DeviceName: p.deviceName(i, f.Keys[i].Name)})
	}
	if err = s.setBirthday(ctx, &w, p); err != nil {
		return Wallet{}, "", err
	}
	views, err := s.list(ctx, who, "", 0)
	if err == nil {
		err = Clash(views, w, alias)
	}
	if err == nil && p.KeepAlias {
		err = s.checkUnused(ctx, who.UserID, alias)
	}
	if err != nil {
		return Wallet{}, "", err
	}
	return w, alias, s.compare(ctx, in, policy)
}

// validate returns the plan with the name and the birthday of its file, the content of the
// file, and the alias of the wallet. One fault has the problems of all fields.
func (s *Service) validate(in NodeWallet, p Plan) (whole Plan, f walletfile.File, alias string, err error) {
	f, err = p.read(s.node.Network())
	if errors.Is(err, btc.ErrPrivateKey) {
		return p, f, "", err // other problems would distract from it
	}
	mayName := err != nil && !p.File.IsZero() && !p.File.IsSeveral() // whether the file may contain what the plan lacks
	if err == nil {
		tip, _ := s.node.Chain(in)
		p = p.withFile(f, s.now(), tip)
	}
	if err == nil && !f.IsWallet() {
		err = walletfile.ErrNotOneWallet
	}
	alias, aliasErr := aliasFor(p.Name, p.Alias)
	nameErr, birthdayErr := checkName(p.Name), s.checkPlanned(in, p)
	if p.Name == "" && p.Alias == "" {
		aliasErr = nil // it follows from the name
	}
	if p.Name == "" && mayName {
		nameErr = nil
	}
	if p.Birthday == (Birthday{}) && mayName {
		birthdayErr = nil
	}
	return p, f, alias, fault.JoinErrors(nameErr, aliasErr, err, p.checkDeviceNames(), birthdayErr)
}

// checkPlanned validates the birthday of a plan as far as possible without a call of the node.
func (s *Service) checkPlanned(in NodeWallet, p Plan) error {
	isCurrent := s.node.Ready(in) == nil // whether the height of the chain is known; draft returns the error
	switch {
	case p.Birthday == (Birthday{}):
		return fault.InvalidField("birthday", "is required: now, the height of a block, or a date such as 2026-01-31")
	case p.Adopt == "" && isCurrent:
		return s.checkBirthday(in, "birthday", p.Birthday)
	}
	return nil
}

// setBirthday sets the birthday of a new wallet, and requests a rescan from there
// unless the birthday is now. If the plan adopts a Bitcoin Core wallet, that wallet
// has its history, so no rescan is required.
func (s *Service) setBirthday(ctx context.Context, w *Wallet, p Plan) (err error) {
	if p.Adopt != "" {
		return s.adopt(ctx, w, p)
	}
	if w.Birthday, err = s.heightOf(ctx, w.NodeWallet(), "birthday", p.Birthday); err != nil {
		return err
	}
	if !p.Birthday.Now {
		w.RescanFrom = w.Birthday
	}
	return nil
}

// Clash returns the reason why a user with these wallets cannot have another one:
// ErrAliasTaken for an alias in use, which is checked first because it is cheap, or
// ErrExists for the descriptors of an existing wallet, whose UTXOs would count
// twice.
func Clash(views []View, w Wallet, alias string) error {
	if slices.ContainsFunc(views, func(v View) bool { return v.Alias == alias }) {
		return ErrAliasTaken
	}
	i := slices.IndexFunc(views, func(v View) bool { return v.Receive == w.Receive && v.Change == w.Change })
	if i < 0 {
		return nil
	}
	return ErrExistsAs(views[i].Alias)
}

// checkUnused returns ErrAliasTaken for an alias that the user used before.
func (s *Service) checkUnused(ctx context.Context, userID, alias string) error {
	used, err := s.store.AliasUse(ctx, userID, alias)
	if err == nil && used != "" {
		err = ErrAliasTaken.WithMessage("the user had another wallet with the alias %s, and only they can use it for a different wallet", alias)
	}
	return err
}

// ErrExistsAs returns an ErrExists that names the caller's wallet.
func ErrExistsAs(alias string) error {
	return ErrExists.WithMessage("you already have a wallet with these descriptors; its alias is %s", alias).WithDetail("alias", alias)
}

// compare verifies that the node interprets both descriptors as specterd does.
func (s *Service) compare(ctx context.Context, w NodeWallet, policy btc.Policy) error {
	for branch, d := range []btc.Descriptor{policy.Receive, policy.Change} {
		what, err := s.difference(ctx, w, d)
		if err != nil {
			return fmt.Errorf("compare a descriptor with the node's interpretation: %w", err)
		}
		if what != "" {
			s.log.ErrorContext(ctx, "wallet rejected: the node interprets its descriptor differently",
				"difference", what, "script", policy.Script, "branch", branch)
			return errNodeDisagrees
		}
	}
	return nil
}

// difference returns what the node and specterd interpret differently in a descriptor:
// "canonical form" or "addresses", or an empty string if they agree.
func (s *Service) difference(ctx context.Context, w NodeWallet, d btc.Descriptor) (string, error) {
	text := d.String()
	canonical, err := s.node.CanonicalDescriptor(ctx, w, text)
	if err != nil {
		return "", err
	}
	if canonical != text {
		return "canonical form", nil
	}
	theirs, err := s.node.DeriveAddresses(ctx, w, text, 0, checkedAddresses)
	if err != nil {
		return "", err
	}
	ours, err := deriveBranch(ctx, d, ReceiveBranch, 0, checkedAddresses)
	if err != nil {
		return "", err
	}
	same := slices.EqualFunc(ours, theirs, func(a Address, address string) bool { return a.Address == address })
	if !same {
		return "addresses", nil
	}
	return "", nil
}
