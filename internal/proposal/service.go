package proposal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/specterd/specterd/internal/admission"
	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/clock"
	"github.com/specterd/specterd/internal/wallet"
)

// Service implements the operations on proposals and checks who may perform them. They
// return wallet.ErrNotFound and the Forbidden fault insufficient_role as wallet.Service
// does. Operations that need the node return Unavailable while it cannot be reached.
type Service struct {
	log     *slog.Logger
	store   Store
	wallets Wallets
	node    Node
	now     func() time.Time
	o       Options
}

// Wallets is the part of wallet.Service that proposals use.
type Wallets interface {
	// View returns the wallet that an access is for, if the access has at least the role
	// needed; see wallet.Service.
	View(ctx context.Context, access wallet.Access, needed auth.WalletRole) (wallet.View, error)
	// LockSelection waits until no other caller in this process selects or locks UTXOs of a
	// wallet, and excludes other callers until done is called. It serializes the creation of
	// a wallet's proposals, so that Core selects UTXOs only after it has locked the inputs of
	// the previous proposal.
	LockSelection(ctx context.Context, walletID string) (done func(), err error)
}

// Options are the settings of a Service.
type Options struct {
	// Lifetime is how long a proposal is open by default; 0 means DefaultLifetime.
	Lifetime time.Duration
	// MaxFeeRate is the maximum fee rate of proposals, which a wallet can lower; 0 means
	// DefaultMaxFeeRate.
	MaxFeeRate btc.FeeRate
	// MaxData is the maximum length of the data of a proposal in bytes; 0 means
	// DefaultMaxData, and a negative number refuses data.
	MaxData int
	// Kick makes the indexer sync a wallet; it must not block.
	Kick func(walletID string)
	// Await waits until the index of a wallet has a transaction, or until ctx ends; nil if no
	// indexer is running.
	Await func(ctx context.Context, walletID, txid string)
	// Watch reports whether the clock can be trusted; while it cannot, no proposal
	// expires.
	Watch *clock.Watch
}

// New returns a Service.
func New(log *slog.Logger, store Store, wallets Wallets, node Node, now func() time.Time, o Options) *Service {
	if o.Lifetime == 0 {
		o.Lifetime = DefaultLifetime
	}
	if o.MaxFeeRate == 0 {
		o.MaxFeeRate = DefaultMaxFeeRate
	}
	if o.MaxData == 0 {
		o.MaxData = DefaultMaxData
	}
	return &Service{log: log, store: store, wallets: wallets, node: node, now: clock.Microseconds(now), o: o}
}

// indexPatience is the maximum time that a request waits for the index to catch up with
// the node.
const indexPatience = 2 * time.Second

// await waits until the index of a wallet has transactions, for at most indexPatience.
func (s *Service) await(ctx context.Context, walletID string, txids ...string) {
	if s.o.Await == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, indexPatience)
	defer cancel()
	_ = admission.Idle(ctx, func() error {
		for _, txid := range txids {
			s.o.Await(ctx, walletID, txid)
		}
		return nil
	})
}

// viewLocked returns the wallet that an access is for, if the access has at least the role
// needed, once no other request of this process selects or locks UTXOs of the wallet. The
// caller must call done afterwards.
func (s *Service) viewLocked(ctx context.Context, access wallet.Access, needed auth.WalletRole) (v wallet.View, done func(), err error) {
	if err := access.Need(needed); err != nil {
		return wallet.View{}, nil, err
	}
	if done, err = s.wallets.LockSelection(ctx, access.WalletID()); err != nil {
		return wallet.View{}, nil, err
	}
	if v, err = s.wallets.View(ctx, access, needed); err != nil {
		done()
		return wallet.View{}, nil, err
	}
	return v, done, nil
}

// List returns at most limit proposals of a wallet, newest first, starting after the
// cursor.
func (s *Service) List(ctx context.Context, access wallet.Access, f Filter, after Cursor, limit int) ([]Proposal, error) {
	v, err := s.wallets.View(ctx, access, auth.RoleViewer)
	if err != nil {
		return nil, err
	}
	list, err := s.store.Proposals(ctx, v.ID, f, after, limit)
	if err != nil {
		return nil, err
	}
	return shownTo(access.Caller(), v.Role, list)
}

// ListOpen returns a wallet and all its open proposals that are released, newest first,
// without Steps, Approvals and PoliciesChanged.
func (s *Service) ListOpen(ctx context.Context, access wallet.Access) (wallet.View, []Proposal, error) {
	v, err := s.wallets.View(ctx, access, auth.RoleViewer)
	if err != nil {
		return wallet.View{}, nil, err
	}
	list, err := s.store.OpenProposals(ctx, v.ID)
	if err != nil {
		return wallet.View{}, nil, err
	}
	list, err = shownTo(access.Caller(), v.Role, list)
	return v, list, err
}

// Get returns a proposal, or ErrNotFound.
func (s *Service) Get(ctx context.Context, access wallet.Access, id string) (Proposal, error) {
	v, err := s.wallets.View(ctx, access, auth.RoleViewer)
	if err != nil {
		return Proposal{}, err
	}
	p, err := s.store.Proposal(ctx, v.ID, id)
	if err != nil {
		return Proposal{}, err
	}
	return p.shownTo(access.Caller(), v.Role)
}

// Cancel ends an open proposal and frees its inputs. Proposers may cancel their own
// proposals, signers any. Existing copies of its signatures remain valid: other software
// that has enough of them can still send the transaction, and the proposal then becomes
// broadcast or confirmed; see Remedy. Cancel returns ErrNotFound, ErrWrongState if the
// proposal is not open, and ErrChanged if its version is not one of expected.
func (s *Service) Cancel(ctx context.Context, access wallet.Access, id string, expected Versions) (Proposal, error) {
	v, done, err := s.viewLocked(ctx, access, auth.RoleProposer)
	if err != nil {
		return Proposal{}, err
	}
	defer done()
	who, now := access.Caller(), s.now()
	p, err := s.store.UpdateProposal(ctx, v.ID, id, func(u *Update) error {
		if err := u.mayEnd(who, v.Role); err != nil {
			return err
		}
		if err := u.expect(expected, openStatuses...); err != nil {
			return err
		}
		u.Reason = "cancelled by " + who.UserName
		if u.IsSigned() {
			u.Reason += "; anyone who has a copy of its transaction can still send it"
		}
		u.moveTo(Cancelled, actorOf(who), "", now)
		u.Changed, u.Event = true, who.Event(now, "proposal.cancel", id, "wallet "+v.ID)
		return nil
	})
	if err != nil {
		return Proposal{}, err
	}
	s.release(context.WithoutCancel(ctx), v.Wallet)
	return p.shownTo(access.Caller(), v.Role)
}

// mayEnd returns an error unless a caller with a role may end an open proposal: proposers
// may end their own, signers any.
func (p *Proposal) mayEnd(who *auth.Principal, role auth.WalletRole) error {
	if p.Creator.UserID == who.UserID {
		return nil
	}
	return role.Check(auth.RoleSigner)
}

// expectTime returns ErrWrongState if an open proposal has expired, even if this was not
// recorded yet.
func (p *Proposal) expectTime(now time.Time) error {
	if now.Before(p.ExpiresAt) {
		return nil
	}
	return ErrWrongState.WithMessage("the proposal has expired").WithDetail("status", string(Expired))
}

// Versions are the versions that a caller expects a proposal to have. Nil matches any
// version; an empty list matches none.
type Versions []int

// expect returns ErrChanged if the proposal's version is not one of expected, and
// ErrWrongState if its status is not one of statuses.
func (p *Proposal) expect(expected Versions, statuses ...Status) error {
	if expected != nil && !slices.Contains(expected, p.Version) {
		return ErrChanged
	}
	for _, status := range statuses {
		if p.Status == status {
			return nil
		}
	}
	if p.Status == AwaitingApproval && p.Review != nil {
		return p.awaiting()
	}
	is := string(p.Status)
	if p.Reason != "" {
		is += ": " + p.Reason
	}
	allowed := make([]string, len(statuses))
	for i, status := range statuses {
		allowed[i] = string(status)
	}
	return ErrWrongState.WithMessage("the proposal is %s; this requires the status %s", is, strings.Join(allowed, " or ")).
		WithDetail("status", string(p.Status)).WithDetail("allowed_statuses", strings.Join(allowed, " "))
}

// CompleteUpgrade drops the signatures of ended proposals and settles all proposals, because
// an older version may have left both undone. It logs errors.
func (s *Service) CompleteUpgrade(ctx context.Context) {
	if err := s.store.DropSignatures(ctx); err != nil && ctx.Err() == nil {
		s.log.WarnContext(ctx, "cannot drop the signatures of ended proposals; the next start tries again", "error", err)
	}
	if err := s.store.SettleProposals(ctx); err != nil && ctx.Err() == nil {
		s.log.WarnContext(ctx, "cannot settle proposals", "error", err)
	}
}

// minExpiryInterval is the minimum time between two searches for expired proposals.
const minExpiryInterval = time.Second

// NextExpiry returns when the next open proposal expires, but not earlier than
// minExpiryInterval after last, the time of the last call of ExpireOverdue. It returns the
// zero time if there is none or the clock cannot be trusted. Operations on an expired
// proposal are refused even before ExpireOverdue ends it.
func (s *Service) NextExpiry(ctx context.Context, last time.Time) (time.Time, error) {
	if !s.o.Watch.Settled() {
		return time.Time{}, nil
	}
	next, err := s.store.NextExpiry(ctx)
	return notBefore(next, last), err
}

// notBefore returns when due work is done next: not earlier than minExpiryInterval after the last
// time. Zero times mean no work and no last time.
func notBefore(next, last time.Time) time.Time {
	if earliest := last.Add(minExpiryInterval); !next.IsZero() && !last.IsZero() && next.Before(earliest) {
		return earliest
	}
	return next
}

// ExpireOverdue ends expired open proposals, unless the clock cannot be trusted; see
// Options.Watch.
func (s *Service) ExpireOverdue(ctx context.Context) error {
	if !s.o.Watch.Settled() {
		return nil
	}
	now := s.now()
	overdue, err := s.store.Overdue(ctx, now)
	if err != nil {
		return err
	}
	for _, p := range overdue {
		_, err := s.store.UpdateProposal(ctx, p.WalletID, p.ID, func(u *Update) error {
			if !u.Status.Open() {
				return nil
			}
			u.Reason = "expired at " + u.ExpiresAt.UTC().Format(time.RFC3339)
			u.moveTo(Expired, Actor{}, u.Reason, now)
			u.Changed = true
			return nil
		})
		if err != nil && !errors.Is(err, ErrNotFound) {
			return fmt.Errorf("end a proposal: %w", err)
		}
		s.o.Kick(p.WalletID) // the indexer then unlocks the inputs in Core
	}
	return nil
}

// actorOf returns the caller as recorded in a proposal.
func actorOf(who *auth.Principal) Actor {
	return Actor{UserID: who.UserID, UserName: who.UserName, TokenID: who.TokenID}
}

// outpointsOf returns the outpoints of inputs.
func outpointsOf(inputs []Input) []btc.Outpoint {
	at := make([]btc.Outpoint, len(inputs))
	for i, in := range inputs {
		at[i] = in.Outpoint
	}
	return at
}
