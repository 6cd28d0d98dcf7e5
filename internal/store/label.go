package store

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/store/db"
)

// labelsAtATime is the number of labels that are read at once, which limits the memory
// use for a wallet with many labels.
const labelsAtATime = 1000

// SetLabels implements wallet.Book.
func (s *Store) SetLabels(ctx context.Context, walletID string, labels []btc.Label, e auth.Event) error {
	return walletGone(s.withSubjectLock(ctx, walletID, func() error {
		return s.inBulkTx(ctx, func(q *db.Queries) error {
			if err := s.setLabels(ctx, q, walletID, labels, e.UserID); err != nil {
				return err
			}
			return addEventIfAny(ctx, q, e)
		})
	}))
}

// setLabels sets labels and charges them to the user's quota.
func (s *Store) setLabels(ctx context.Context, q *db.Queries, walletID string, labels []btc.Label, userID string) error {
	more, err := addedLabels(ctx, q, walletID, labels)
	if err != nil {
		return err
	}
	for _, l := range labels {
		if err := setLabel(ctx, q, walletID, l); err != nil {
			return err
		}
	}
	if more == 0 {
		return nil
	}
	return s.charge(ctx, q, auth.QuotaLabels, userID, walletID, more)
}

// addedLabels returns the change in the number of labels, which is negative if labels are
// deleted.
func addedLabels(ctx context.Context, q *db.Queries, walletID string, labels []btc.Label) (more int64, err error) {
	last := map[string]map[string]bool{} // whether the label will exist afterwards, by type and reference
	for _, l := range labels {
		if l.Label == nil {
			continue
		}
		if last[l.Type] == nil {
			last[l.Type] = map[string]bool{}
		}
		last[l.Type][l.Ref] = *l.Label != ""
	}
	for kind, refs := range last {
		there, err := q.CountLabelsAmong(ctx, db.CountLabelsAmongParams{WalletID: walletID, Type: kind, Refs: listOf(slices.Collect(maps.Keys(refs)))})
		if err != nil {
			return 0, fmt.Errorf("count labels: %w", err)
		}
		more -= there
		for _, set := range refs {
			if set {
				more++
			}
		}
	}
	return more, nil
}

func setLabel(ctx context.Context, q *db.Queries, walletID string, l btc.Label) error {
	var err error
	if l.Label == nil {
		return nil
	}
	if *l.Label == "" {
		err = q.DeleteLabel(ctx, db.DeleteLabelParams{WalletID: walletID, Type: l.Type, Ref: l.Ref})
	} else {
		err = q.PutLabel(ctx, db.PutLabelParams{WalletID: walletID, Type: l.Type, Ref: l.Ref, Label: *l.Label, Origin: l.Origin})
	}
	if err != nil {
		return fmt.Errorf("set a label: %w", err)
	}
	return nil
}

// LabelsAmong implements wallet.Book.
func (s *Store) LabelsAmong(ctx context.Context, walletID, kind string, refs []string) (map[string]string, error) {
	rows, err := s.reads().LabelsAmong(ctx, db.LabelsAmongParams{WalletID: walletID, Type: kind, Refs: listOf(refs)})
	if err != nil {
		return nil, translate(fmt.Errorf("read labels: %w", err))
	}
	labels := make(map[string]string, len(rows))
	for _, row := range rows {
		labels[row.Ref] = row.Label
	}
	return labels, nil
}

// Labels implements wallet.Book. A label that is set during the iteration may be missing.
func (s *Store) Labels(ctx context.Context, walletID string) iter.Seq2[btc.Label, error] {
	return func(yield func(btc.Label, error) bool) {
		p := db.LabelsParams{WalletID: walletID, MaxRows: labelsAtATime}
		for {
			rows, err := s.reads().Labels(ctx, p)
			if err != nil {
				yield(btc.Label{}, translate(fmt.Errorf("list labels: %w", err)))
				return
			}
			for _, row := range rows {
				if !yield(btc.Label{Type: row.Type, Ref: row.Ref, Label: &row.Label, Origin: row.Origin}, nil) {
					return
				}
				p.AfterType, p.AfterRef = row.Type, row.Ref
			}
			if len(rows) < labelsAtATime {
				return
			}
		}
	}
}
