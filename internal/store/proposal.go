package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/store/db"
	"github.com/specterd/specterd/internal/store/sqltype"
	"github.com/specterd/specterd/internal/wallet"
)

var _ proposal.Store = (*Store)(nil)

// AddProposal implements proposal.Store.
func (s *Store) AddProposal(ctx context.Context, p proposal.Proposal, m proposal.Moment, labels []btc.Label, e auth.Event) (proposal.Proposal, error) {
	return s.addProposal(ctx, p, m, labels, func(q *db.Queries) error { return addEvent(ctx, q, e) })
}

// errDryRun rolls back the transaction of a dry run.
var errDryRun = errors.New("this was a dry run")

// TryProposal implements proposal.Store. It executes the same transaction as AddProposal
// and rolls it back, so that both return the same errors.
func (s *Store) TryProposal(ctx context.Context, p proposal.Proposal, m proposal.Moment, labels []btc.Label) (proposal.Proposal, error) {
	p, err := s.addProposal(ctx, p, m, labels, func(*db.Queries) error { return errDryRun })
	if errors.Is(err, errDryRun) {
		return p, nil
	}
	return p, err
}

// addProposal adds a proposal if the policies that apply to it permit it. It calls last at
// the end of the transaction; an error of last rolls the transaction back.
func (s *Store) addProposal(ctx context.Context, drafted proposal.Proposal, m proposal.Moment, labels []btc.Label, last func(*db.Queries) error) (p proposal.Proposal, err error) {
	if err := s.prepare(ctx, &drafted, m.Network); err != nil {
		return drafted, err
	}
	err = s.withEvents(ctx, s.quotaTx(drafted.Creator.UserID), func(q *db.Queries, log *eventLog) error {
		p = drafted
		p.Steps = slices.Clone(p.Steps)
		if p.ReplacesID != "" {
			if err := replaceOpen(ctx, q, log, p); err != nil {
				return err
			}
		}
		if err := p.Admit(rules{ctx, s, q, true}, m); err != nil {
			return err
		}
		if err := insertProposal(ctx, q, log, p); err != nil {
			return err
		}
		if err := countSpends(ctx, q, nil, p); err != nil {
			return err
		}
		if err := reserve(ctx, q, p); err != nil {
			return err
		}
		if err := s.setLabels(ctx, q, p.WalletID, labels, p.Creator.UserID); err != nil {
			return err
		}
		if p.Status.Open() && p.Creator.UserID != "" {
			if err := s.chargeUser(ctx, q, auth.QuotaProposals, p.Creator.UserID); err != nil {
				return err
			}
		}
		return last(q)
	})
	if isUnique(err) {
		return p, proposal.ErrChangeTaken.WithCause(err)
	}
	return p, walletGone(err)
}

// replaceOpen closes the proposal that the new proposal replaces, if it is still open, so
// that its UTXOs can be reserved for the new one.
func replaceOpen(ctx context.Context, q *db.Queries, log *eventLog, by proposal.Proposal) error {
	old, err := readProposal(ctx, q, by.WalletID, by.ReplacesID)
	if err != nil || !old.Status.Open() {
		return err
	}
	changed := old
	changed.ReplaceBy(by)
	return saveProposal(ctx, q, log, old, changed)
}

func insertProposal(ctx context.Context, q *db.Queries, log *eventLog, p proposal.Proposal) error {
	subtractFrom, err := json.Marshal(p.SubtractFrom)
	if err != nil {
		return fmt.Errorf("encode positions: %w", err)
	}
	evicts, err := json.Marshal(append([]proposal.Eviction{}, p.Evicts...))
	if err != nil {
		return fmt.Errorf("encode the evictions of a proposal: %w", err)
	}
	review, err := reviewText(p.Review)
	if err != nil {
		return err
	}
	err = q.AddProposal(ctx, db.AddProposalParams{
		ProposalID: p.ID, WalletID: p.WalletID, Txid: p.Txid, FinalTxid: p.FinalTxid,
		Status: string(p.Status), StatusAt: sqltype.Time{Time: p.StatusAt}, Reason: p.Reason, Version: p.Version,
		UserID: p.Creator.UserID, UserName: p.Creator.UserName, TokenID: p.Creator.TokenID,
		CreatedAt: sqltype.Time{Time: p.CreatedAt}, ExpiresAt: sqltype.Time{Time: p.ExpiresAt},
		FeeSat: p.Fee, ExcessFeeSat: p.ExcessFee, Vsize: p.VSize, FeeRate: p.FeeRate, FeeSource: string(p.FeeSource), TargetBlocks: p.TargetBlocks,
		Replaceable: p.Replaceable, SendMax: p.SendMax, SubtractFrom: string(subtractFrom),
		Replaces: p.Replaces, ReplacesID: p.ReplacesID, ReplacedBy: p.ReplacedBy, Evicts: string(evicts),
		ChangeIndex: changeIndex(p), Psbt: p.PSBT, Raw: p.Raw, Imported: p.Imported,
		Review: review, ReleaseAt: sqltype.NullTime{Time: p.TryAt},
	})
	if err != nil {
		return fmt.Errorf("insert a proposal: %w", err)
	}
	for i, in := range p.Inputs {
		err := q.AddProposalInput(ctx, db.AddProposalInputParams{
			ProposalID: p.ID, Position: i, WalletID: p.WalletID, Txid: in.Txid, Vout: in.Vout,
			Address: in.Address, AmountSat: in.Amount, Branch: uint8(in.Branch), AddressIndex: in.Index,
		})
		if err != nil {
			return fmt.Errorf("insert an input of a proposal: %w", err)
		}
	}
	for i, out := range p.Outputs {
		if err := q.AddProposalOutput(ctx, outputParams(p.ID, i, out)); err != nil {
			return fmt.Errorf("insert an output of a proposal: %w", err)
		}
	}
	log.addProposal(nil, p)
	return appendToProposal(ctx, q, proposal.Proposal{}, p)
}

func outputParams(id string, position int, out proposal.Output) db.AddProposalOutputParams {
	row := db.AddProposalOutputParams{ProposalID: id, Position: position, Address: out.Address, AmountSat: out.Amount, RequestedSat: out.Asked, Kind: string(out.Kind)}
	if out.Own != nil {
		branch := uint8(out.Own.Branch)
		row.Branch, row.AddressIndex = &branch, &out.Own.Index
	}
	if out.Recipient >= 0 {
		row.Recipient = &out.Recipient
	}
	return row
}

// changeIndex returns the index of a proposal's change address; nil if it has no change.
func changeIndex(p proposal.Proposal) *uint32 {
	for _, out := range p.Outputs {
		if out.Kind == proposal.Change {
			return &out.Own.Index
		}
	}
	return nil
}

// appendToProposal inserts the signatures, steps and approvals that p has in addition to those of was,
// the stored proposal.
func appendToProposal(ctx context.Context, q *db.Queries, was, p proposal.Proposal) error {
	for _, sig := range p.Signatures[len(was.Signatures):] {
		err := q.AddProposalSignature(ctx, db.AddProposalSignatureParams{
			ProposalID: p.ID, Position: sig.Input, KeyPosition: sig.Key, At: sqltype.Time{Time: sig.At},
			UserID: sig.By.UserID, UserName: sig.By.UserName, TokenID: sig.By.TokenID,
		})
		if err != nil {
			return fmt.Errorf("insert a signature of a proposal: %w", err)
		}
	}
	for i, step := range p.Steps[len(was.Steps):] {
		err := q.AddProposalStep(ctx, db.AddProposalStepParams{
			ProposalID: p.ID, Position: len(was.Steps) + i, At: sqltype.Time{Time: step.At}, Action: step.Action,
			UserID: step.By.UserID, UserName: step.By.UserName, TokenID: step.By.TokenID, Detail: step.Detail,
		})
		if err != nil {
			return fmt.Errorf("insert a step of a proposal: %w", err)
		}
	}
	return appendApprovals(ctx, q, was, p)
}

// saveProposal saves the mutable fields of a proposal, where was is the stored one, and
// adds the events of the change. It releases the inputs if the proposal was closed, and
// reserves them if it was reopened.
func saveProposal(ctx context.Context, q *db.Queries, log *eventLog, was, p proposal.Proposal) error {
	review, err := reviewText(p.Review)
	if err != nil {
		return err
	}
	if p.Status != proposal.AwaitingApproval {
		p.TryAt = time.Time{}
	}
	n, err := q.UpdateProposal(ctx, db.UpdateProposalParams{
		ProposalID: p.ID, Version: was.Version, Status: string(p.Status), StatusAt: sqltype.Time{Time: p.StatusAt}, Reason: p.Reason,
		FinalTxid: p.FinalTxid, ReplacedBy: p.ReplacedBy, Vsize: p.VSize, Psbt: p.PSBT, Raw: p.Raw,
		Review: review, ReleaseAt: sqltype.NullTime{Time: p.TryAt},
	})
	if err != nil {
		return fmt.Errorf("update a proposal: %w", err)
	}
	if n == 0 {
		return proposal.ErrNotFound // it was deleted outside of specterd
	}
	if was.Status.Open() && !p.Status.Open() {
		if err := q.Release(ctx, db.ReleaseParams{WalletID: p.WalletID, ProposalID: &p.ID}); err != nil {
			return fmt.Errorf("release the UTXOs of a proposal: %w", err)
		}
	}
	if !was.Status.Open() && p.Status.Open() {
		if err := reserveAgain(ctx, q, p); err != nil {
			return err
		}
	}
	if err := countSpends(ctx, q, &was, p); err != nil {
		return err
	}
	log.addProposal(&was, p)
	return appendToProposal(ctx, q, was, p)
}

// UpdateProposal implements proposal.Store.
func (s *Store) UpdateProposal(ctx context.Context, walletID, id string, update func(*proposal.Update) error) (proposal.Proposal, error) {
	var updated proposal.Proposal
	err := s.withEvents(ctx, s.inTx, func(q *db.Queries, log *eventLog) error {
		was, err := readProposal(ctx, q, walletID, id)
		if err != nil {
			return err
		}
		u := proposal.Update{Proposal: was, Rules: rules{ctx, s, q, false}}
		if was.Review != nil { // which update may change
			u.Review = new(*was.Review)
		}
		if err := update(&u); err != nil {
			return err
		}
		updated = u.Proposal
		if err := updated.NotePolicies(u.Rules, nil); err != nil || !u.Changed {
			return err
		}
		if err := saveUpdate(ctx, q, log, was, u); err != nil {
			return err
		}
		updated.Version++
		return addEventIfAny(ctx, q, u.Event)
	})
	return updated, err
}

// saveUpdate saves a proposal and, if its transaction was abandoned, the state of the
// transaction. It locks the wallet first, as WriteIndex does.
func saveUpdate(ctx context.Context, q *db.Queries, log *eventLog, was proposal.Proposal, u proposal.Update) error {
	if !u.Abandoned {
		return saveProposal(ctx, q, log, was, u.Proposal)
	}
	states, err := statesOf(ctx, q, u.WalletID, []string{u.FinalTxid})
	if err != nil {
		return err
	}
	for txid, state := range states {
		state.Status, state.Trusted = wallet.Abandoned, false
		states[txid] = state
	}
	if err := q.HoldWallet(ctx, u.WalletID); err != nil {
		return fmt.Errorf("lock the wallet: %w", err)
	}
	if err := saveProposal(ctx, q, log, was, u.Proposal); err != nil {
		return err
	}
	return writeIndex(ctx, q, log, []wallet.Change{{WalletID: u.WalletID, Changed: states}})
}

// UnconfirmedInputs implements proposal.Store.
func (s *Store) UnconfirmedInputs(ctx context.Context, walletID, id string) (int, error) {
	n, err := s.reads().UnconfirmedInputs(ctx, db.UnconfirmedInputsParams{WalletID: walletID, ProposalID: id})
	if err != nil {
		return 0, translate(fmt.Errorf("count the unconfirmed inputs of a proposal: %w", err))
	}
	return int(n), nil
}

// NextExpiry implements proposal.Store.
func (s *Store) NextExpiry(ctx context.Context) (time.Time, error) {
	next, err := s.reads().NextExpiry(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, translate(fmt.Errorf("select the next expiry: %w", err))
	}
	return next.Time, nil
}

// Overdue implements proposal.Store.
func (s *Store) Overdue(ctx context.Context, now time.Time) ([]proposal.Proposal, error) {
	var list []proposal.Proposal
	err := s.inReadTx(ctx, func(q *db.Queries) error {
		ids, err := q.OverdueProposals(ctx, sqltype.Time{Time: now})
		if err != nil {
			return fmt.Errorf("list overdue proposals: %w", err)
		}
		list, err = proposals(ctx, q, ids)
		return err
	})
	return list, err
}

// FreeChange implements proposal.Store.
func (s *Store) FreeChange(ctx context.Context, walletID string, recipients []string) (uint32, error) {
	index, err := s.reads().FreeChange(ctx, db.FreeChangeParams{WalletID: walletID, Recipients: listOf(recipients)})
	if errors.Is(err, sql.ErrNoRows) {
		return 0, wallet.ErrAddressNotFound
	}
	if err != nil {
		return 0, translate(fmt.Errorf("find a change address: %w", err))
	}
	return index, nil
}
