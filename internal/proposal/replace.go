package proposal

import (
	"context"
	"errors"
	"slices"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/wallet"
)

// replaced is the payment that a proposal replaces.
type replaced struct {
	txid       string
	proposalID string // empty if it was not created by a proposal
	inputs     []btc.Outpoint
	addresses  []string // that it pays
	// permitted are the payments that an open proposal already replaces or evicts. A
	// proposal that takes its place needs no further permission to evict them.
	permitted []Eviction
}

// replaced returns the payment with this name: the id of a proposal, the txid of an open
// proposal, or the txid of an unconfirmed transaction that spends only the wallet's
// UTXOs. Replacing an open proposal ends it, so the caller must be allowed to cancel it.
func (s *Service) replaced(ctx context.Context, who *auth.Principal, v wallet.View, name string) (*replaced, error) {
	p, err := s.named(ctx, v.ID, name)
	if errors.Is(err, ErrNotFound) {
		return s.replacedTransaction(ctx, v.ID, name)
	}
	if err != nil {
		return nil, err
	}
	if err := p.expect(nil, AwaitingApproval, Created, PartiallySigned, Complete, Broadcast); err != nil {
		return nil, err
	}
	if p.Status.Open() {
		if err := p.mayEnd(who, v.Role); err != nil {
			return nil, err
		}
		if err := p.expectTime(s.now()); err != nil {
			return nil, err
		}
	}
	r := &replaced{txid: p.Txid, proposalID: p.ID, inputs: outpointsOf(p.Inputs)}
	for _, o := range p.Outputs {
		r.addresses = append(r.addresses, o.Address)
	}
	switch {
	case p.Status == Broadcast:
		r.txid = p.FinalTxid
	case p.Replaces != "":
		r.permitted = append(slices.Clone(p.Evicts), Eviction{Txid: p.Replaces, ProposalID: p.ReplacesID})
	}
	return r, nil
}

// named returns the proposal with this id, or the open proposal with this txid, or
// ErrNotFound.
func (s *Service) named(ctx context.Context, walletID, name string) (Proposal, error) {
	p, err := s.store.Proposal(ctx, walletID, name)
	if !errors.Is(err, ErrNotFound) {
		return p, err
	}
	open := Filter{Txid: name, Statuses: openStatuses}
	found, err := s.store.Proposals(ctx, walletID, open, Cursor{}, 1)
	if err == nil && len(found) == 0 {
		return Proposal{}, ErrNotFound
	}
	if err != nil {
		return Proposal{}, err
	}
	return found[0], nil
}

func (s *Service) replacedTransaction(ctx context.Context, walletID, txid string) (*replaced, error) {
	t, err := s.store.TransactionByID(ctx, walletID, txid)
	if errors.Is(err, wallet.ErrTransactionNotFound) {
		return nil, fault.InvalidField("replaces", "must be the id of a proposal or the txid of a transaction in this wallet")
	}
	if err != nil {
		return nil, err
	}
	switch {
	case t.Status != wallet.InMempool && t.Status != wallet.Inactive:
		return nil, ErrWrongState.WithMessage("the transaction is %s; only an unconfirmed transaction can be replaced", t.Status).WithDetail("status", string(t.Status))
	case t.Fee == nil || t.Category != wallet.Send && t.Category != wallet.SelfTransfer:
		return nil, fault.InvalidField("replaces", "must be a transaction that spends only UTXOs of this wallet")
	}
	r := &replaced{txid: txid}
	for _, in := range t.Inputs {
		r.inputs = append(r.inputs, in.Prev)
	}
	for _, o := range t.Outputs {
		r.addresses = append(r.addresses, o.Address)
	}
	ours, err := s.store.Proposals(ctx, walletID, Filter{Txid: txid}, Cursor{}, 1)
	if err == nil && len(ours) > 0 {
		r.proposalID = ours[0].ID
	}
	return r, err
}

// BumpParams are the parameters of Bump.
type BumpParams struct {
	FeeRate btc.FeeRate
	MaxFee  btc.Amount // see CreateParams
	Evict   bool       // see CreateParams
	DryRun  bool       // nothing is stored or locked
}

// Bump creates a proposal that replaces another and pays the same recipients with a higher
// fee rate. The other parameters of the payment do not change. The caller must be a
// proposer. It returns ErrNotFound, the errors of Create, and ErrFeeRateTooLow with the
// lowest fee rate that works if the new fee rate is not higher.
func (s *Service) Bump(ctx context.Context, access wallet.Access, id string, b BumpParams) (Proposal, error) {
	v, err := s.wallets.View(ctx, access, auth.RoleProposer)
	if err != nil {
		return Proposal{}, err
	}
	p, err := s.store.Proposal(ctx, v.ID, id)
	if err != nil {
		return Proposal{}, err
	}
	if err := p.expect(nil, AwaitingApproval, Created, PartiallySigned, Complete, Broadcast); err != nil {
		return Proposal{}, err
	}
	o := p.CreateParams()
	o.FeeRate, o.TargetBlocks, o.Replaces, o.MaxFee, o.Evict, o.DryRun = b.FeeRate, 0, id, b.MaxFee, b.Evict, b.DryRun
	if b.FeeRate > p.FeeRate {
		return s.Create(ctx, access, o)
	}
	// A dry run of Create returns ErrFeeRateTooLow with the lowest fee rate that works,
	// unless the lowest possible increase works.
	o.FeeRate, o.MaxFee, o.DryRun = p.FeeRate+1, 0, true
	raised, err := s.Create(ctx, access, o)
	if err != nil {
		return Proposal{}, err
	}
	return Proposal{}, tooLow(o.FeeRate, raised.Fee, funded{})
}

// CreateParams returns the parameters that the proposal was created from, without labels
// and without the selection of UTXOs.
func (p *Proposal) CreateParams() CreateParams {
	o := CreateParams{AllowDuplicates: true, FeeRate: p.FeeRate, SendMax: p.SendMax, SubtractFrom: p.SubtractFrom, NotReplaceable: !p.Replaceable}
	for _, out := range p.Outputs {
		if out.Recipient >= 0 {
			o.Recipients = append(o.Recipients, make([]Recipient, max(0, out.Recipient+1-len(o.Recipients)))...)
			o.Recipients[out.Recipient] = Recipient{Address: out.Address, Amount: out.Asked, Data: out.Data}
		}
	}
	return o
}
