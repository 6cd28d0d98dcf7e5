package proposal

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/text"
	"github.com/specterd/specterd/internal/wallet"
)

// Broadcast sends the transaction of a complete proposal, after the node has confirmed
// that its mempool would accept the transaction. The caller must be a signer. If the
// proposal was sent before, it is sent again; this is how a transaction that the mempool
// has dropped is rebroadcast. It returns ErrNotFound, ErrRejected with the node's
// reject_reason, ErrEvicts if the transaction would evict payments that were made after
// the proposal and are not the caller's own, ErrUTXOFrozen, ErrWrongState and ErrChanged.
// When it returns, the index has the transaction, so that history and balances include it,
// unless that takes longer than indexPatience.
func (s *Service) Broadcast(ctx context.Context, access wallet.Access, id string, b BroadcastParams) (Proposal, error) {
	p, err := s.broadcast(ctx, access, id, b)
	if err == nil {
		s.await(ctx, p.WalletID, p.FinalTxid)
	}
	return p, err
}

func (s *Service) broadcast(ctx context.Context, access wallet.Access, id string, b BroadcastParams) (Proposal, error) {
	v, done, err := s.viewLocked(ctx, access, auth.RoleSigner) // prevents other requests from cancelling the proposal meanwhile
	if err != nil {
		return Proposal{}, err
	}
	defer done()
	p, err := s.store.Proposal(ctx, v.ID, id)
	if err != nil {
		return Proposal{}, err
	}
	if err := p.expect(b.Expected, Complete, Broadcast); err != nil {
		return Proposal{}, p.withMissing(v.SignaturesRequired, err)
	}
	if p.Status.Open() {
		if err := p.expectTime(s.now()); err != nil {
			return Proposal{}, err
		}
	}
	if err := s.refuseFrozen(ctx, p); err != nil {
		return Proposal{}, err
	}
	// Test the transaction first: a caller need not permit evictions if the node refuses
	// the transaction anyway.
	if err := s.node.Test(ctx, v.NodeWallet(), p.Raw); err != nil {
		return Proposal{}, s.withFeeNeeded(ctx, access, v, p, err)
	}
	if err := s.checkEvictions(ctx, access.Caller(), v.Wallet, p, b.Evict); err != nil {
		return Proposal{}, err
	}
	if err := s.recheck(ctx, v.ID, p); err != nil {
		return Proposal{}, err
	}
	if err := s.node.Send(ctx, v.NodeWallet(), p.Raw); err != nil {
		return Proposal{}, err
	}
	// The transaction has been sent and must be recorded, even if the request is
	// cancelled.
	if p, err = s.sent(context.WithoutCancel(ctx), access.Caller(), v.Wallet, id); err != nil {
		return Proposal{}, err
	}
	return p.shownTo(access.Caller(), v.Role)
}

// recheck returns the reason why policies do not permit that a complete proposal is sent. A
// proposal that was sent before may always be sent again.
func (s *Service) recheck(ctx context.Context, walletID string, p Proposal) error {
	if p.Status != Complete {
		return nil
	}
	m := s.moment()
	var refusal *fault.Error
	_, err := s.store.UpdateProposal(ctx, walletID, p.ID, func(u *Update) (err error) {
		refusal = nil
		if err := u.expect(Versions{p.Version}, Complete); err != nil {
			return err
		}
		refusal, err = u.recheck(m)
		return err
	})
	if err == nil && refusal != nil {
		return refusal
	}
	return err
}

// withMissing adds the number of missing signatures to an ErrWrongState of a proposal that
// waits for them. Other errors are returned unchanged.
func (p *Proposal) withMissing(required int, err error) error {
	f, ok := errors.AsType[*fault.Error](err)
	if n := required - p.FewestSignatures(); ok && errors.Is(f, ErrWrongState) && p.Status.Open() && n > 0 {
		return f.WithMessage("%s; missing: %s", f.Message, text.Count(n, "signature"))
	}
	return err
}

// BroadcastParams are the options of Broadcast.
type BroadcastParams struct {
	Expected Versions
	Evict    bool // see CreateParams
}

// checkEvictions returns ErrEvicts if a complete replacement would evict payments that
// are not the caller's own and that were made after the replacement was created, unless
// evict is set.
func (s *Service) checkEvictions(ctx context.Context, who *auth.Principal, w wallet.Wallet, p Proposal, evict bool) error {
	if p.Replaces == "" || p.Status != Complete || evict {
		return nil
	}
	e, err := s.evictedBy(ctx, w, outpointsOf(p.Inputs), p.Replaces)
	if err != nil {
		return err
	}
	if f, ok := errors.AsType[*fault.Error](mustAllow(who, e.list, p.Evicts)); ok {
		return f.WithMessage("the replacement would evict payments that are not your own and were made after it was proposed; check the payments in evicts, and repeat the request with evict set to true if they may be evicted")
	}
	return nil
}

// feeReasons are the reject reasons of the node for a fee that is too low (MemPoolAccept
// in Core's src/validation.cpp).
var feeReasons = []string{"insufficient fee", "replacement-failed", "min relay fee not met", "mempool min fee not met"}

// withFeeNeeded adds details to an ErrRejected for a fee that is too low: the fee that
// the node requires, and the minimum fee rate for a bump of the proposal. Other errors
// are returned unchanged.
func (s *Service) withFeeNeeded(ctx context.Context, access wallet.Access, v wallet.View, p Proposal, err error) error {
	f, ok := errors.AsType[*fault.Error](err)
	isFee := func(reason string) bool { return strings.Contains(f.Details["reject_reason"], reason) }
	if !ok || !errors.Is(f, ErrRejected) || !slices.ContainsFunc(feeReasons, isFee) {
		return err
	}
	_, minimum, nodeErr := s.node.EstimateFee(ctx, v.NodeWallet(), DefaultTarget)
	if nodeErr != nil {
		return nodeErr
	}
	e, nodeErr := s.evictedBy(ctx, v.Wallet, outpointsOf(p.Inputs), p.Replaces)
	if nodeErr != nil {
		return nodeErr
	}
	minimum = max(minimum, s.node.RelayMinimum(v.NodeWallet()))
	need := max(e.least(p.VSize, s.node.IncrementalFee(v.NodeWallet())), minimum.Fee(p.VSize), p.Fee+1)
	message := fmt.Sprintf("the Bitcoin node does not accept this transaction: its fee of %d sat is too low, it must pay at least %d sat", p.Fee, need)
	f = f.WithDetail("min_fee_sat", fmt.Sprint(int64(need)))
	rate, bumpErr := s.bumpRate(ctx, access, v, p)
	if bumpErr != nil {
		return f.WithMessage("%s; bump it to a higher fee rate", message).WithCause(bumpErr)
	}
	rate = max(rate, minimum)
	return f.WithMessage("%s; bump the proposal to at least %s sat/vB", message, rate).WithDetail("min_fee_rate_sat_vb", rate.String()).WithCause(err)
}

// bumpRate returns the minimum fee rate for a bump of a proposal, which a dry run
// determines.
func (s *Service) bumpRate(ctx context.Context, access wallet.Access, v wallet.View, p Proposal) (btc.FeeRate, error) {
	o := p.CreateParams()
	o.FeeRate, o.Replaces, o.DryRun = p.FeeRate+1, p.ID, true
	height, _ := s.node.Chain(v.NodeWallet())
	_, err := s.draftAndAdd(ctx, draft{CreateParams: o, access: access, view: v, network: s.node.Network(), height: height})
	if err == nil {
		return o.FeeRate, nil
	}
	f, ok := errors.AsType[*fault.Error](err)
	if !ok || f.Details["min_fee_rate_sat_vb"] == "" {
		return 0, err
	}
	return btc.ParseFeeRate(f.Details["min_fee_rate_sat_vb"])
}

func (s *Service) refuseFrozen(ctx context.Context, p Proposal) error {
	for _, in := range p.Inputs {
		c, err := s.store.UTXO(ctx, p.WalletID, in.Outpoint)
		switch {
		case errors.Is(err, wallet.ErrUTXONotFound): // spent; the node decides whether that is allowed
		case err != nil:
			return err
		case c.Frozen:
			return ErrUTXOFrozen.WithDetail("utxos", in.String())
		}
	}
	return nil
}

// sent records that a proposal was sent. If that fails, the indexer finds the transaction
// and records it.
func (s *Service) sent(ctx context.Context, who *auth.Principal, w wallet.Wallet, id string) (Proposal, error) {
	now := s.now()
	defer s.o.Kick(w.ID)
	p, err := s.store.UpdateProposal(ctx, w.ID, id, func(u *Update) error {
		u.Event = who.Event(now, "proposal.broadcast", id, "wallet "+w.ID)
		u.Changed = true
		if u.Status.Open() {
			u.moveTo(Broadcast, actorOf(who), "", now)
		} else { // the indexer has already recorded it, or it was sent earlier
			u.Steps = append(u.Steps, Step{At: now, Action: string(Broadcast), By: actorOf(who)})
		}
		return nil
	})
	if err != nil {
		return Proposal{}, fmt.Errorf("record that proposal %s was sent: %w", id, err)
	}
	s.release(ctx, w)
	return p, nil
}

// Abandon ends a proposal that was sent and has left the mempool, and frees its inputs.
// The caller must be a signer. The signed transaction stays valid as long as its inputs
// are unspent: anyone with a copy can still send it, and the proposal then returns to the
// status broadcast. It returns ErrNotFound, ErrNotAbandonable, ErrWrongState if the
// proposal is not broadcast, and ErrChanged if its version is not one of expected.
func (s *Service) Abandon(ctx context.Context, access wallet.Access, id string, expected Versions) (Proposal, error) {
	v, done, err := s.viewLocked(ctx, access, auth.RoleSigner)
	if err != nil {
		return Proposal{}, err
	}
	defer done()
	p, err := s.store.Proposal(ctx, v.ID, id)
	if err != nil {
		return Proposal{}, err
	}
	if err := p.expect(expected, Broadcast); err != nil {
		return Proposal{}, err
	}
	if err := s.node.Abandon(ctx, v.NodeWallet(), p.FinalTxid); err != nil {
		return Proposal{}, err
	}
	ctx = context.WithoutCancel(ctx) // Core has already abandoned it
	defer s.o.Kick(v.ID)
	who, now := access.Caller(), s.now()
	p, err = s.store.UpdateProposal(ctx, v.ID, id, func(u *Update) error {
		if u.Status != Broadcast { // the indexer has recorded it already
			return nil
		}
		u.Reason = "abandoned by " + who.UserName + "; anyone who has a copy of its transaction can still send it"
		u.moveTo(Cancelled, actorOf(who), u.Reason, now)
		u.Changed, u.Abandoned, u.Event = true, true, who.Event(now, "proposal.abandon", id, "wallet "+v.ID)
		return nil
	})
	if err != nil {
		return Proposal{}, err
	}
	return p.shownTo(access.Caller(), v.Role)
}

// describe returns the txid and the virtual size of a transaction.
func describe(raw []byte) (txid string, vsize int, err error) {
	tx, err := btc.ParseTx(raw)
	if err != nil {
		return "", 0, fmt.Errorf("read a transaction of our own: %w", err)
	}
	return tx.Txid, tx.VSize, nil
}
