package spending

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/policy"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/wallet"
)

// Versions are the versions that a caller expects a policy or a list to have. Nil matches any
// version, and an empty list none. The version of a missing policy or list is empty.
type Versions []string

// Result is the result of a request to change a policy or a list.
type Result struct {
	// Pending is the change that awaits approvals or a delay; nil if it has taken effect.
	Pending *Change
	// Loosens are the fields in which the policies permit more than before.
	Loosens []policy.Wider
	// Warnings are about the new policy; none about lists.
	Warnings []policy.Warning
	// Unchanged is set if the request equals the current policy or list, or if the caller has
	// approved the change already. Nothing was stored then,
	// and a pending change is still pending.
	Unchanged bool
}

// Put sets the policy of a wallet. The caller must be an owner. A change that does not loosen
// the policy takes effect at once, and others when the conditions of the current policy are
// met. A document that means the same as the current policy changes nothing. It returns faults
// about fields of the document, and ErrModified.
func (s *Service) Put(ctx context.Context, access wallet.Access, document []byte, expected Versions) (Result, error) {
	v, err := s.wallets.View(ctx, access, auth.RoleOwner)
	if err != nil {
		return Result{}, err
	}
	return s.put(ctx, access.Caller(), Target{Kind: policy.Wallet, WalletID: v.ID}, document, expected)
}

// Delete deletes the policy of a wallet, which loosens it; see Put.
func (s *Service) Delete(ctx context.Context, access wallet.Access, expected Versions) (Result, error) {
	v, err := s.wallets.View(ctx, access, auth.RoleOwner)
	if err != nil {
		return Result{}, err
	}
	return s.remove(ctx, access.Caller(), Target{Kind: policy.Wallet, WalletID: v.ID}, expected)
}

// PutMember sets the policy of a member under the conditions of the wallet's policy; see Put.
func (s *Service) PutMember(ctx context.Context, access wallet.Access, user string, document []byte, expected Versions) (Result, error) {
	t, err := s.memberTarget(ctx, access, user, auth.RoleOwner)
	if err != nil {
		return Result{}, err
	}
	return s.put(ctx, access.Caller(), t, document, expected)
}

// DeleteMember deletes the policy of a member; see Delete.
func (s *Service) DeleteMember(ctx context.Context, access wallet.Access, user string, expected Versions) (Result, error) {
	t, err := s.memberTarget(ctx, access, user, auth.RoleOwner)
	if err != nil {
		return Result{}, err
	}
	return s.remove(ctx, access.Caller(), t, expected)
}

// PutServer sets the policy of the server. The caller must be an admin, and must have entered
// a password; see Put.
func (s *Service) PutServer(ctx context.Context, who *auth.Principal, document []byte, expected Versions) (Result, error) {
	if err := s.mayChangeServer(who); err != nil {
		return Result{}, err
	}
	return s.put(ctx, who, Target{Kind: policy.Server}, document, expected)
}

// DeleteServer deletes the policy of the server; see PutServer.
func (s *Service) DeleteServer(ctx context.Context, who *auth.Principal, expected Versions) (Result, error) {
	if err := s.mayChangeServer(who); err != nil {
		return Result{}, err
	}
	return s.remove(ctx, who, Target{Kind: policy.Server}, expected)
}

func (s *Service) mayChangeServer(who *auth.Principal) error {
	if err := requireAdmin(who); err != nil {
		return err
	}
	return who.RequirePassword()
}

// PutList sets the entries of a list of a wallet. This is a change of the policies that name
// it; see Put. It returns ErrListModified and ErrTooManyLists.
func (s *Service) PutList(ctx context.Context, access wallet.Access, name string, document []byte, expected Versions) (Result, error) {
	v, err := s.wallets.View(ctx, access, auth.RoleOwner)
	if err != nil {
		return Result{}, err
	}
	if err := policy.CheckListName("name", name); err != nil {
		return Result{}, err
	}
	return s.put(ctx, access.Caller(), Target{Kind: policy.Wallet, WalletID: v.ID, List: name}, document, expected)
}

// DeleteList deletes a list of a wallet; see PutList.
func (s *Service) DeleteList(ctx context.Context, access wallet.Access, name string, expected Versions) (Result, error) {
	v, err := s.wallets.View(ctx, access, auth.RoleOwner)
	if err != nil {
		return Result{}, err
	}
	return s.remove(ctx, access.Caller(), Target{Kind: policy.Wallet, WalletID: v.ID, List: name}, expected)
}

func (s *Service) put(ctx context.Context, who *auth.Principal, t Target, document []byte, expected Versions) (Result, error) {
	canonical, err := s.parse(ctx, who, t, document)
	if err != nil {
		return Result{}, err
	}
	return s.request(ctx, who, t, canonical, expected)
}

// remove deletes a policy or a list.
func (s *Service) remove(ctx context.Context, who *auth.Principal, t Target, expected Versions) (Result, error) {
	return s.request(ctx, who, t, "", expected)
}

// parse returns the canonical form of a document. Wallets are named by the caller's aliases,
// or by the ids that the current document contains.
func (s *Service) parse(ctx context.Context, who *auth.Principal, t Target, document []byte) (string, error) {
	current, err := s.store.StoredPolicy(ctx, t)
	if err != nil {
		return "", err
	}
	parser, err := s.parser(ctx, who, t.Kind, pinnedWallets(current))
	if err != nil {
		return "", err
	}
	if t.List != "" {
		entries, err := parser.List(document)
		return string(policy.CanonicalList(entries)), err
	}
	p, err := parser.Policy(document)
	return string(p.Canonical()), err
}

// parser returns a parser of documents in which wallets are named by the caller's aliases, or by
// one of the pinned ids.
func (s *Service) parser(ctx context.Context, who *auth.Principal, kind policy.Kind, pinned []string) (policy.Parser, error) {
	members, err := s.memberships(ctx, who)
	return policy.Parser{Kind: kind, Network: s.network(), WalletID: func(name string) (string, error) {
		if i := slices.IndexFunc(members, func(m auth.Membership) bool { return m.Alias == name }); i >= 0 {
			return members[i].WalletID, nil
		}
		if slices.Contains(pinned, name) {
			return name, nil
		}
		return "", fault.InvalidField("wallet", "is not among your wallets")
	}}, err
}

// pinnedWallets returns the ids of the wallets that a stored document names.
func pinnedWallets(s Stored) (ids []string) {
	switch {
	case s.Document == "":
	case s.List != "":
		entries, _ := policy.ParseStoredList([]byte(s.Document))
		for _, e := range entries {
			ids = append(ids, e.WalletID)
		}
	default:
		p, _ := policy.ParseStored(s.Kind, []byte(s.Document))
		ids = p.WalletIDs()
	}
	return ids
}

// request makes a change at once, or records that it was requested.
func (s *Service) request(ctx context.Context, who *auth.Principal, t Target, document string, expected Versions) (Result, error) {
	var result Result
	err := s.store.EditPolicy(ctx, who, t, func(e *Edit) error {
		result = Result{}
		if err := e.mayChange(who); err != nil {
			return err
		}
		if err := e.expect(expected, document); err != nil {
			return err
		}
		var err error
		if result.Warnings, err = e.warnings(document); err != nil {
			return err
		}
		if result.Unchanged, err = e.unchanged(document); err != nil || result.Unchanged {
			return err
		}
		if err := e.fits(document); err != nil {
			return err
		}
		wider, err := e.loosens(document)
		if err != nil {
			return err
		}
		now := s.now()
		result.Loosens = wider
		by := who.Event(now, "policy.put", t.Subject(), "")
		if document == "" {
			by.Action = "policy.delete"
		}
		e.Event = by
		if e.Pending != nil { // only one change can be pending
			e.announce("change_cancelled", by, e.Pending, false)
			e.Pending, e.PendingChanged = nil, true
		}
		c := &Change{
			Target: t, ID: uuid.NewString(), Document: document, RequestedAt: s.requestedAt(now),
			Maker: proposal.Actor{UserID: who.UserID, UserName: who.UserName, TokenID: who.TokenID},
		}
		if len(wider) == 0 {
			e.apply(c, by, false)
			return nil
		}
		e.approve(c, who, now)
		if e.Settle(c, s.trusted(now)) {
			e.apply(c, by, true)
			return nil
		}
		e.Event.Action = "policy.request"
		e.Pending, e.PendingChanged = c, true
		e.announce("change_requested", by, c, true)
		result.Pending = c
		return nil
	})
	if err != nil {
		return Result{}, err
	}
	s.wake()
	return result, nil
}

// ApproveChange adds the caller's approval to a pending change of a wallet, and makes it take
// effect if nothing else is missing. It returns ErrChangeNotFound, and proposal.ErrNotApprover
// if the caller's approval does not count.
func (s *Service) ApproveChange(ctx context.Context, access wallet.Access, id string) (Result, error) {
	v, err := s.wallets.View(ctx, access, auth.RoleViewer)
	if err != nil {
		return Result{}, err
	}
	return s.approveChange(ctx, access.Caller(), v.ID, id)
}

// ApproveServerChange adds the caller's approval to a pending change of the policy of the
// server; see ApproveChange and PutServer.
func (s *Service) ApproveServerChange(ctx context.Context, who *auth.Principal, id string) (Result, error) {
	if err := s.mayChangeServer(who); err != nil {
		return Result{}, err
	}
	return s.approveChange(ctx, who, "", id)
}

func (s *Service) approveChange(ctx context.Context, who *auth.Principal, walletID, id string) (Result, error) {
	var result Result
	err := s.editPending(ctx, who, walletID, id, func(e *Edit) error {
		result = Result{}
		if !e.approves(who.UserID) {
			return proposal.ErrNotApprover.WithMessage("your approval does not count for this change")
		}
		if err := e.fits(e.Pending.Document); err != nil { // because of later changes of other lists
			return err
		}
		now := s.now()
		by := who.Event(now, "policy.approve", e.Subject(), "change "+id)
		if e.Pending.approvedBy(who) && !e.Settle(e.Pending, s.trusted(now)) {
			result.Pending, result.Unchanged = e.Pending, true
			return nil
		}
		e.approve(e.Pending, who, now)
		e.announce("change_approved", by, e.Pending, true)
		e.Event, e.PendingChanged = by, true
		if e.Settle(e.Pending, s.trusted(now)) {
			e.apply(e.Pending, by, true)
			e.Pending = nil
		}
		result.Pending = e.Pending
		return nil
	})
	if err == nil {
		s.wake()
	}
	return result, err
}

// CancelChange cancels a pending change of a wallet. The caller must be an owner.
func (s *Service) CancelChange(ctx context.Context, access wallet.Access, id string) error {
	v, err := s.wallets.View(ctx, access, auth.RoleOwner)
	if err != nil {
		return err
	}
	return s.cancelChange(ctx, access.Caller(), v.ID, id)
}

// CancelServerChange cancels a pending change of the policy of the server. The caller must be
// an admin.
func (s *Service) CancelServerChange(ctx context.Context, who *auth.Principal, id string) error {
	if err := requireAdmin(who); err != nil {
		return err
	}
	return s.cancelChange(ctx, who, "", id)
}

func (s *Service) cancelChange(ctx context.Context, who *auth.Principal, walletID, id string) error {
	return s.editPending(ctx, who, walletID, id, func(e *Edit) error {
		if err := e.mayChange(who); err != nil {
			return err
		}
		e.Event = who.Event(s.now(), "policy.cancel", e.Subject(), "change "+id)
		e.announce("change_cancelled", e.Event, e.Pending, true)
		e.Pending, e.PendingChanged = nil, true
		return nil
	})
}

// editPending edits the target of a pending change, or returns ErrChangeNotFound.
func (s *Service) editPending(ctx context.Context, who *auth.Principal, walletID, id string, edit func(*Edit) error) error {
	changes, err := s.store.PolicyChanges(ctx, walletID)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(changes, func(c Change) bool { return c.ID == id })
	if i < 0 {
		return ErrChangeNotFound
	}
	return s.store.EditPolicy(ctx, who, changes[i].Target, func(e *Edit) error {
		if e.Pending == nil || e.Pending.ID != id {
			return ErrChangeNotFound
		}
		return edit(e)
	})
}

// NextChange returns when the delay of a pending change ends, after last, the time of the last
// call of ApplyDue. It returns the zero time if there is none or the clock cannot be trusted.
func (s *Service) NextChange(ctx context.Context, last time.Time) (time.Time, error) {
	if !s.watch.Settled() {
		return time.Time{}, nil
	}
	return s.store.NextPolicyChange(ctx, last)
}

// ApplyDue makes the changes take effect whose conditions are met.
func (s *Service) ApplyDue(ctx context.Context) error {
	if !s.watch.Settled() {
		return nil
	}
	now := s.now()
	due, err := s.store.DuePolicyChanges(ctx, now)
	if err != nil {
		return err
	}
	who := auth.Program("specterd")
	for _, c := range due {
		err := s.store.EditPolicy(ctx, who, c.Target, func(e *Edit) error {
			if e.Pending == nil || e.Pending.ID != c.ID || !e.Settle(e.Pending, now) {
				return nil
			}
			if err := e.fits(e.Pending.Document); err != nil {
				return nil //nolint:nilerr // it stays pending until it fits
			}
			e.Event = who.Event(now, "policy.apply", e.Subject(), "change "+c.ID)
			e.apply(e.Pending, e.Event, true)
			e.Pending, e.PendingChanged = nil, true
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
