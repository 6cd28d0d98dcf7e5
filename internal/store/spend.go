package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/store/db"
	"github.com/specterd/specterd/internal/store/sqltype"
)

// What counts in the windows of rules is stored in spends, with one row for each layer of a
// proposal. It changes only here: after a proposal was inserted or saved.

// countSpends stores what a proposal counts for, where was is the stored proposal or nil,
// and changes what the proposals count for that it replaces.
func countSpends(ctx context.Context, q *db.Queries, was *proposal.Proposal, p proposal.Proposal) error {
	charged := p.Review != nil && (was == nil || was.Review == nil || was.Review.Hash != p.Review.Hash)
	if charged {
		if err := writeSpends(ctx, q, p); err != nil {
			return err
		}
	}
	if was != nil && !charged && was.Status == p.Status {
		return nil
	}
	return recountLine(ctx, q, p)
}

// recountLine sets what a proposal counts for, and the proposals that it replaces, directly or
// through others.
func recountLine(ctx context.Context, q *db.Queries, p proposal.Proposal) error {
	if p.Review != nil {
		if err := recount(ctx, q, p.ID); err != nil {
			return err
		}
	}
	return eachReplaced(ctx, q, p.ReplacesID, func(id string) error { return recount(ctx, q, id) })
}

// writeSpends replaces the rows of a proposal.
func writeSpends(ctx context.Context, q *db.Queries, p proposal.Proposal) error {
	if err := q.DeleteSpends(ctx, p.ID); err != nil {
		return fmt.Errorf("delete what a proposal counted for: %w", err)
	}
	for _, c := range p.Review.Charges {
		err := q.AddSpend(ctx, db.AddSpendParams{
			ProposalID: p.ID, Subject: c.Subject, Rule: c.Rule, At: sqltype.Time{Time: p.Review.ChargedAt}, AmountSat: p.Sent() + p.Fee,
		})
		if err != nil {
			return fmt.Errorf("insert what a proposal counts for: %w", err)
		}
	}
	return nil
}

// recount sets what a proposal counts for; see countedFor.
func recount(ctx context.Context, q *db.Queries, id string) error {
	line, err := q.CountingStates(ctx, id)
	if err != nil {
		return fmt.Errorf("select what a proposal and its replacements count for: %w", err)
	}
	for _, row := range line {
		if row.ProposalID != id || row.Subject == "" {
			continue
		}
		counted, counts := countedFor(row, line)
		if counted == row.CountedSat && counts == row.Counts {
			continue
		}
		if err := q.CountSpend(ctx, db.CountSpendParams{CountedSat: btc.Amount(counted), Counts: counts, ProposalID: id, Subject: row.Subject}); err != nil {
			return fmt.Errorf("change what a proposal counts for: %w", err)
		}
	}
	return nil
}

// countedFor returns what a row of a proposal counts for, where line has the rows of the proposal
// and of its replacements: nothing if it cannot be confirmed. If it has replacements that may be
// confirmed, only the amount counts by which it exceeds them.
func countedFor(row db.CountingStatesRow, line []db.CountingStatesRow) (sat, counts int64) {
	if mayBeConfirmed(row) {
		sat, counts = row.AmountSat, 1
	}
	for _, l := range line {
		switch {
		case l.ProposalID == row.ProposalID:
		case proposal.Status(l.Status) == proposal.Confirmed && proposal.Status(row.Status) == proposal.Replaced:
			return 0, 0
		case l.Subject == row.Subject && l.Rule == row.Rule && mayBeConfirmed(l):
			sat, counts = min(sat, max(0, row.AmountSat-l.AmountSat)), 0
		}
	}
	return sat, counts
}

// mayBeConfirmed reports whether a proposal is active, or was sent and then replaced or evicted
// together with a payment that it spends, unless a replacement is confirmed.
func mayBeConfirmed(row db.CountingStatesRow) bool {
	switch status := proposal.Status(row.Status); status {
	case proposal.Replaced:
		return row.Sent
	case proposal.Conflicted:
		return row.Sent && row.OutOfMempool
	default:
		return status.Active()
	}
}

// ignoreNoRows returns nil for sql.ErrNoRows: a row was deleted outside of specterd.
func ignoreNoRows(err error, what string) error {
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	return fmt.Errorf("%s: %w", what, err)
}

// reviewText returns the review of a proposal as text; empty for none.
func reviewText(r *proposal.Review) (string, error) {
	if r == nil {
		return "", nil
	}
	text, err := json.Marshal(r)
	if err != nil {
		return "", fmt.Errorf("encode the review of a proposal: %w", err)
	}
	return string(text), nil
}

func reviewOf(text string) (*proposal.Review, error) {
	if text == "" {
		return nil, nil
	}
	var r proposal.Review
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		return nil, fmt.Errorf("read the review of a proposal: %w", err)
	}
	return &r, nil
}
