package wallet

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
)

var (
	errWalletLimit = fault.New(fault.Forbidden, "token_for_other_wallets",
		"your token is for certain wallets only and cannot make others; use one without that limit, or your password")
	errNodeRefuses = fault.New(fault.BadGateway, "node_refuses",
		"the Bitcoin node refuses to watch this wallet, so it was not made; specterd's log has the node's words")
	errNodeDisagrees = fault.New(fault.BadGateway, "node_disagrees",
		"the Bitcoin node reads these descriptors in another way than specterd does, so payments could get lost; nothing was stored. This should never happen: please report it")
)

const (
	// firstRange is how many addresses of each branch a new wallet has.
	firstRange = Lookahead + 500
	// checkedAddresses is how many of these are compared with the node's.
	checkedAddresses = 3
	// corePrefix begins the names of Core's wallets that are ours.
	corePrefix = "specterd-"
)

// Plan is what somebody wants a new wallet to be. It is made either of
// descriptors or of keys.
type Plan struct {
	Name               string
	Alias              string // empty for what Specter's rule makes of Name
	Descriptor, Change string // Change is empty where Descriptor is a multipath one, or ends in /0/*
	Keys               []string
	Given              []btc.Key // some of a descriptor's keys, as people were given them
	Required           int       // signatures; may be left out where there is one key
	Script             string    // a btc.Script
	Birth              Birth
	// For a wallet that was in use elsewhere: up to where its addresses are to be
	// known at least, and the first indexes of each branch that were neither
	// handed out nor used there.
	RangeEnd uint32
	Next     [2]uint32
	// Adopt is the name of a wallet that Core has already and that becomes this
	// one's, with the history that it knows; empty for a new one. Birth is a height
	// then, and the node need not have that block any more.
	Adopt string
	// KeepAlias refuses an alias that the owner used for another wallet before: it is
	// not they who choose it.
	KeepAlias bool
	// DryRun has all checked, and nothing stored.
	DryRun bool
}

// rangeEnd returns up to where the addresses of a new wallet are known.
func (p Plan) rangeEnd() uint32 {
	end := max(firstRange, p.RangeEnd)
	for _, next := range p.Next {
		end = max(end, min(next, maxScanRange)+Lookahead)
	}
	return end
}

// ImpliesChange tells whether a plan that Create accepts leaves the change descriptor
// to be derived from the receive descriptor; see btc.FromDescriptors.
func (p Plan) ImpliesChange() bool {
	return p.Descriptor != "" && p.Change == "" && !strings.Contains(p.Descriptor, "<")
}

// policy returns what the wallet's coins are to be locked with.
func (p Plan) policy(network btc.Network) (btc.Policy, error) {
	switch {
	case p.Descriptor == "" && len(p.Keys) == 0:
		return btc.Policy{}, fault.InvalidField("descriptor", "is required unless there are keys, required and script instead")
	case len(p.Keys) == 0 && (p.Required != 0 || p.Script != ""):
		return btc.Policy{}, fault.InvalidField("keys", "are needed with required and script; a descriptor says these itself")
	case len(p.Keys) == 0:
		return btc.FromDescriptors(p.Descriptor, p.Change, network)
	case p.Descriptor != "" || p.Change != "":
		return btc.Policy{}, fault.InvalidField("keys", "must be left out where there is a descriptor, which has them already")
	}
	required := p.Required
	if len(p.Keys) == 1 && required == 0 {
		required = 1
	}
	return btc.FromKeys(p.Keys, required, p.Script, network)
}

// asGiven returns a key of the descriptor with the text and the purpose that people
// know it by, where that is known.
func (p Plan) asGiven(k btc.Key) btc.Key {
	for _, given := range p.Given {
		if given.XPub == k.XPub {
			k.Original, k.Purpose = given.Original, given.Purpose
		}
	}
	return k
}

// Create makes a wallet, whose owner is the caller. It returns ErrAliasTaken,
// ErrExists where the caller has a wallet of the same descriptors (others may have
// one), and ErrNotAdoptable.
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
	// From here on there is something to finish or to remove, whatever happens.
	refused, err := s.provide(ctx, w)
	if err != nil {
		if refused {
			s.abandon(ctx, w, err)
			if kind := fault.KindOf(err); kind == fault.Internal || kind == fault.Refused {
				err = errNodeRefuses.Because(err)
			}
		}
		s.kick(w.ID)
		return View{}, err
	}
	return s.store.ViewByAlias(ctx, who.UserID, alias)
}

// draft checks a plan, also against the node, and returns what it amounts to.
// Nothing is stored and nothing changed at the node.
func (s *Service) draft(ctx context.Context, who *auth.Principal, p Plan) (w Wallet, alias string, err error) {
	if who.Wallets != nil {
		return Wallet{}, "", errWalletLimit
	}
	if err := checkName(p.Name); err != nil {
		return Wallet{}, "", err
	}
	if alias, err = aliasFor(p.Name, p.Alias); err != nil {
		return Wallet{}, "", err
	}
	network, _, _ := s.node.Chain()
	if network == "" {
		return Wallet{}, "", s.node.Ready()
	}
	policy, err := p.policy(network)
	if err != nil {
		return Wallet{}, "", err
	}
	if p.rangeEnd() > maxScanRange {
		return Wallet{}, "", fault.InvalidField("addresses", "must not be over %d", maxScanRange)
	}
	if err := s.node.Ready(); err != nil {
		return Wallet{}, "", err
	}
	w = Wallet{
		ID: uuid.NewString(), Name: p.Name, Stage: Creating, Script: policy.Script, Required: policy.Required,
		Receive: policy.Receive.String(), Change: policy.Change.String(), CreatedAt: s.now(),
		RangeEnd: p.rangeEnd(), ReceiveNext: p.Next[ReceiveBranch], ChangeNext: p.Next[ChangeBranch], ScanFrom: -1, ScanUser: who.UserID, Synced: Tip{Height: -1}, CoreTxCount: -1,
	}
	w.CoreName = corePrefix + w.ID
	for _, k := range policy.Keys {
		w.Keys = append(w.Keys, Key{Key: p.asGiven(k)})
	}
	if err = s.giveBirth(ctx, &w, p); err != nil {
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
	return w, alias, s.compare(ctx, policy)
}

// giveBirth has a wallet begin: with what one of Core's knows, or at a point in time
// from which on the chain is looked through.
func (s *Service) giveBirth(ctx context.Context, w *Wallet, p Plan) (err error) {
	if p.Adopt != "" {
		return s.adopt(ctx, w, p)
	}
	if w.Birth, err = s.heightOf(ctx, "birth", p.Birth); err != nil {
		return err
	}
	if !p.Birth.Now {
		w.ScanFrom = w.Birth
	}
	return nil
}

// Clash returns why somebody who has these wallets cannot have another one: an
// alias that they have already, ErrAliasTaken, before that costs more, or the
// descriptors of a wallet of theirs, ErrExists, whose coins would count twice.
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

// checkUnused returns ErrAliasTaken for an alias that the user has used before.
func (s *Service) checkUnused(ctx context.Context, userID, alias string) error {
	used, err := s.store.AliasUse(ctx, userID, alias)
	if err == nil && used != "" {
		err = ErrAliasTaken.Saying("the user had another wallet with the alias %s; only they can use it for a different wallet", alias)
	}
	return err
}

// ErrExistsAs returns the ErrExists that names the caller's wallet.
func ErrExistsAs(alias string) error {
	return ErrExists.Saying("you have a wallet of these descriptors already, whose alias is %s", alias).With("alias", alias)
}

// compare checks that the node reads both descriptors as this program does.
func (s *Service) compare(ctx context.Context, policy btc.Policy) error {
	for branch, d := range []btc.Descriptor{policy.Receive, policy.Change} {
		what, err := s.difference(ctx, d)
		if err != nil {
			return fmt.Errorf("compare a descriptor with the node's reading: %w", err)
		}
		if what != "" {
			s.log.ErrorContext(ctx, "the node reads a descriptor in another way than this program; a wallet was refused",
				"difference", what, "script", policy.Script, "branch", branch)
			return errNodeDisagrees
		}
	}
	return nil
}

// difference says where the node reads a descriptor in another way; nowhere if
// it is empty.
func (s *Service) difference(ctx context.Context, d btc.Descriptor) (string, error) {
	text := d.String()
	canonical, err := s.node.CanonicalDescriptor(ctx, text)
	if err != nil {
		return "", err
	}
	if canonical != text {
		return "canonical form", nil
	}
	theirs, err := s.node.DeriveAddresses(ctx, text, 0, checkedAddresses)
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
