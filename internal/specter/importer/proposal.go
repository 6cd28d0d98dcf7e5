package importer

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/specter/datadir"
	"github.com/specterd/specterd/internal/text"
	"github.com/specterd/specterd/internal/wallet"
)

// Proposals is the part of proposal.Service that an Importer uses.
type Proposals interface {
	Import(ctx context.Context, access wallet.Access, payments []proposal.Foreign) ([]proposal.Imported, error)
	TryImport(ctx context.Context, who *auth.Principal, v wallet.View, payments []proposal.Foreign) ([]proposal.Imported, error)
	// Get returns a proposal of a wallet, or proposal.ErrNotFound.
	Get(ctx context.Context, access wallet.Access, id string) (proposal.Proposal, error)
}

// pendingPSBTs imports the pending PSBTs of a wallet in one call, and remembers the
// proposal that each became. If an earlier import was interrupted before it remembered a
// proposal, the proposal is found by its transaction.
func (r *run) pendingPSBTs(ctx context.Context, u datadir.User, owner auth.User, w datadir.Wallet, v wallet.View) error {
	payments, err := r.newProposals(ctx, u, owner, w, v)
	if err != nil || len(payments) == 0 {
		return err
	}
	done, err := r.importPayments(ctx, r.as(owner), v, payments)
	if err != nil {
		return err
	}
	for i, one := range done {
		txid := payments[i].Txid
		frozen := func(in proposal.Input) bool { return slices.Contains(w.Frozen, in.Outpoint) }
		if r.DryRun && one.Err == nil && slices.ContainsFunc(one.Inputs, frozen) {
			one.Err = proposal.ErrUTXOFrozen
		}
		result, detail, err := proposalResult(one)
		if err == nil {
			err = ctx.Err()
		}
		if err == nil && one.Err == nil && !r.DryRun {
			err = r.book.Remember(ctx, KindProposal, r.proposalOrigin(u, w, txid), one.ID, r.now())
		}
		if err != nil {
			return fmt.Errorf("PSBT %s: %w", show(txid), err)
		}
		r.add(KindProposal, proposalName(u, w, txid), result, detail)
	}
	return nil
}

// importPayments imports payments, or returns the expected results in a dry run.
func (r *run) importPayments(ctx context.Context, who *auth.Principal, v wallet.View, payments []proposal.Foreign) ([]proposal.Imported, error) {
	if r.DryRun {
		return r.proposals.TryImport(ctx, who, v, payments)
	}
	access, err := r.wallets.Access(ctx, who, v.Alias)
	if err != nil {
		return nil, err
	}
	return r.proposals.Import(ctx, access, payments)
}

// newProposals returns the pending PSBTs that were not imported before, and reports the others.
func (r *run) newProposals(ctx context.Context, u datadir.User, owner auth.User, w datadir.Wallet, v wallet.View) (payments []proposal.Foreign, err error) {
	for _, p := range w.Pending {
		id, err := r.book.ImportedAs(ctx, KindProposal, r.proposalOrigin(u, w, p.Txid))
		if err != nil {
			return nil, err
		}
		if id == "" {
			payments = append(payments, proposal.Foreign{Txid: p.Txid, PSBT: p.Base64, Raw: p.Raw, At: p.Time, Maker: owner.Name})
			continue
		}
		result, detail, err := r.knownProposal(ctx, r.as(owner), v, id)
		if err != nil {
			return nil, err
		}
		r.add(KindProposal, proposalName(u, w, p.Txid), result, detail)
	}
	return payments, nil
}

func (r *run) proposalOrigin(u datadir.User, w datadir.Wallet, txid string) string {
	return r.walletOrigin(u, w) + "/" + plain(txid)
}

// knownProposal returns the result for a PSBT that was imported before.
func (r *run) knownProposal(ctx context.Context, who *auth.Principal, v wallet.View, id string) (Result, string, error) {
	access, err := r.wallets.Access(ctx, who, v.Alias)
	if err != nil {
		return "", "", err
	}
	p, err := r.proposals.Get(ctx, access, id)
	switch {
	case errors.Is(err, proposal.ErrNotFound):
		return Skipped, auth.ErrImportDeleted.Message, nil
	case err != nil:
		return "", "", err
	case p.Status == proposal.Cancelled:
		return Skipped, "was imported before and has since been cancelled here; it stays cancelled", nil
	}
	return AlreadyImported, "", nil
}

// proposalResult returns the result for a pending PSBT. It returns an error only if one.Err
// does not concern the PSBT.
func proposalResult(one proposal.Imported) (Result, string, error) {
	switch {
	case errors.Is(one.Err, proposal.ErrImportSent):
		return Skipped, proposal.ErrImportSent.Message, nil
	case errors.Is(one.Err, proposal.ErrImportDead):
		return Left, one.Err.Error(), nil
	case one.Err != nil:
		why, ok := refusalOrNode(one.Err)
		if !ok {
			return "", "", one.Err
		}
		return NotImported, why, nil
	case one.Known:
		return AlreadyImported, "", nil
	}
	return Imported, fmt.Sprintf("pays %s BTC; %s; open until %s", one.Sent(), text.Count(len(one.Signatures), "signature"), one.ExpiresAt.UTC().Format("2006-01-02")), nil
}

func proposalName(u datadir.User, w datadir.Wallet, txid string) string {
	return fmt.Sprintf("%s: %.8s", walletName(u, w), show(txid))
}

// lostProposals reports the pending PSBTs of a wallet that is not imported.
func (r *run) lostProposals(u datadir.User, w datadir.Wallet) {
	for _, p := range w.Pending {
		r.add(KindProposal, proposalName(u, w, p.Txid), NotImported, "its wallet is not imported")
	}
}
