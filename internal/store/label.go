package store

import (
	"context"
	"fmt"
	"iter"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/store/db"
)

// labelsAtATime is how many labels are read at a time, so that a wallet with a
// great many of them is not in memory as a whole.
const labelsAtATime = 1000

// SetLabels implements wallet.Book.
func (s *Store) SetLabels(ctx context.Context, walletID string, labels []btc.Label, e auth.Event) error {
	return orWalletGone(s.inBulkTx(ctx, func(q *db.Queries) error {
		for _, l := range labels {
			if err := setLabel(ctx, q, walletID, l); err != nil {
				return err
			}
		}
		return addEventIfAny(ctx, q, e)
	}))
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

// Labels implements wallet.Book. A label that is set while they are read may or
// may not be among them.
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
