package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/store/db"
	"github.com/specterd/specterd/internal/wallet"
)

// WriteIndex implements wallet.Index. A good batch size is a thousand added transactions:
// writing them takes a fraction of a second. Meanwhile, SQLite blocks all other writes to
// the database, whereas PostgreSQL blocks only writes to the rows of these wallets.
func (s *Store) WriteIndex(ctx context.Context, changes []wallet.Change) error {
	if len(changes) == 0 {
		return nil
	}
	return s.withEvents(ctx, s.inBulkTx, func(q *db.Queries, log *eventLog) error { return writeIndex(ctx, q, log, changes) })
}

// writeIndex writes the changes to wallets that exist and are ready.
func writeIndex(ctx context.Context, q *db.Queries, log *eventLog, changes []wallet.Change) error {
	w, err := openIndex(ctx, q, log, changes)
	if err != nil {
		return err
	}
	for _, c := range changes {
		if w.wallets[c.WalletID] == nil {
			continue
		}
		if err := w.write(ctx, c); err != nil {
			return err
		}
	}
	if err := w.settle(ctx); err != nil {
		return err
	}
	return w.addSynced(ctx, changes)
}

// indexWriter writes to the index, in one transaction.
type indexWriter struct {
	q       *db.Queries
	log     *eventLog
	wallets map[string]*walletTouch // wallets that exist and are ready
	order   []string                // their ids in the order of the changes; may contain duplicates
}

// walletTouch collects the updates of a wallet's row until settle writes them.
type walletTouch struct {
	locked                  map[btc.Outpoint]bool // outputs that the index has as locked; loaded only if a change sets Locked
	unsettled               bool                  // the balances may have changed
	height                  int                   // of the block that the index has reached
	createdAt               time.Time
	finalAfter              int    // number of confirmations
	immature                bool   // it has immature outputs
	receiveNext, changeNext uint32 // one above the highest indexes that received a payment

	rescanning bool   // a rescan is due or running
	due        bool   // the event WalletSynced is due
	imported   int64  // transactions without events since the last WalletSynced
	stored     *int64 // imported as in the wallet's row, or nil if WalletSynced is not due
}

// openIndex loads the wallets and locks their rows. Other transactions that change these
// rows then wait, instead of causing a conflict after many rows were written.
func openIndex(ctx context.Context, q *db.Queries, log *eventLog, changes []wallet.Change) (*indexWriter, error) {
	w := &indexWriter{q: q, log: log, wallets: map[string]*walletTouch{}}
	var ids, withLocked []string
	for _, c := range changes {
		ids = append(ids, c.WalletID)
		if c.Locked != nil {
			withLocked = append(withLocked, c.WalletID)
		}
	}
	rows, err := q.WritableWallets(ctx, listOf(ids))
	if err != nil {
		return nil, fmt.Errorf("look up the wallets: %w", err)
	}
	for _, row := range rows {
		touch := &walletTouch{
			height: row.SyncedHeight, createdAt: row.CreatedAt.Time, finalAfter: row.FinalAfter, immature: row.ImmatureSat > 0, locked: map[btc.Outpoint]bool{},
			rescanning: row.RescanFrom != nil, due: row.Imported != nil, stored: row.Imported,
		}
		if touch.due {
			touch.imported = *row.Imported
		}
		w.wallets[row.WalletID] = touch
	}
	if len(withLocked) > 0 {
		locked, err := q.LockedOf(ctx, listOf(withLocked))
		if err != nil {
			return nil, fmt.Errorf("list locked outputs: %w", err)
		}
		for _, row := range locked {
			if touch := w.wallets[row.WalletID]; touch != nil {
				touch.locked[btc.Outpoint{Txid: row.Txid, Vout: row.Vout}] = true
			}
		}
	}
	return w, w.hold(ctx, changes)
}

// hold locks the rows of the wallets by updating them: it sets the synced block if the
// change has one, and otherwise changes nothing. It goes in the order of the ids, so that
// two such transactions do not deadlock.
func (w *indexWriter) hold(ctx context.Context, changes []wallet.Change) error {
	sorted := slices.Clone(changes)
	slices.SortStableFunc(sorted, func(a, b wallet.Change) int { return cmp.Compare(a.WalletID, b.WalletID) })
	for _, c := range sorted {
		if w.wallets[c.WalletID] == nil {
			continue
		}
		w.order = append(w.order, c.WalletID)
		var err error
		if c.Synced != nil {
			touch := w.wallets[c.WalletID]
			if touch.immature || c.Synced.Height < touch.height { // outputs may have matured or, after a reorganization, become immature again
				touch.unsettled = true
			}
			err = w.q.SetSynced(ctx, db.SetSyncedParams{
				WalletID: c.WalletID, SyncedHeight: c.Synced.Height, SyncedHash: c.Synced.Hash,
				CoreTxcount: c.CoreTxCount, CoreInfo: c.CoreInfo,
			})
		} else {
			err = w.q.HoldWallet(ctx, c.WalletID)
		}
		if err != nil {
			return fmt.Errorf("update the wallet: %w", err)
		}
	}
	return nil
}

// write writes one change, except for the balances and the next address indexes, which
// settle writes.
func (w *indexWriter) write(ctx context.Context, c wallet.Change) error {
	touch := w.wallets[c.WalletID]
	if c.Locked != nil {
		if err := w.setLocked(ctx, c, touch); err != nil {
			return err
		}
	}
	if len(c.Added) == 0 && len(c.Changed) == 0 {
		return nil
	}
	touch.unsettled = true
	change := newChangeWriter(w.q, c)
	if err := change.write(ctx); err != nil {
		return err
	}
	if err := w.addEvents(ctx, change, touch); err != nil {
		return err
	}
	if err := settleChange(ctx, w.q, w.log, c); err != nil {
		return err
	}
	return w.markUsed(ctx, c, touch)
}

func (w *indexWriter) setLocked(ctx context.Context, c wallet.Change, touch *walletTouch) error {
	locked := make(map[btc.Outpoint]bool, len(c.Locked))
	for _, at := range c.Locked {
		if locked[at] {
			continue
		}
		locked[at] = true
		if touch.locked[at] {
			continue
		}
		if err := w.q.AddLocked(ctx, db.AddLockedParams{WalletID: c.WalletID, Txid: at.Txid, Vout: at.Vout}); err != nil {
			return fmt.Errorf("insert a locked output: %w", err)
		}
	}
	for at := range touch.locked {
		if locked[at] {
			continue
		}
		if err := w.q.DeleteLocked(ctx, db.DeleteLockedParams{WalletID: c.WalletID, Txid: at.Txid, Vout: at.Vout}); err != nil {
			return fmt.Errorf("delete a locked output: %w", err)
		}
	}
	touch.locked = locked
	return nil
}

// markUsed marks the wallet's addresses that the added transactions pay to.
func (w *indexWriter) markUsed(ctx context.Context, c wallet.Change, touch *walletTouch) error {
	used := map[wallet.Place]bool{}
	for _, t := range c.Added {
		for _, o := range t.Outputs {
			if o.Own != nil {
				used[*o.Own] = true
			}
		}
	}
	for place := range used {
		err := w.q.MarkUsed(ctx, db.MarkUsedParams{WalletID: c.WalletID, Branch: uint8(place.Branch), AddressIndex: place.Index})
		if err != nil {
			return fmt.Errorf("mark an address as used: %w", err)
		}
		if place.Branch == wallet.ReceiveBranch {
			touch.receiveNext = max(touch.receiveNext, place.Index+1)
		} else {
			touch.changeNext = max(touch.changeNext, place.Index+1)
		}
	}
	return nil
}

// settle updates the balances in the wallets' rows, and raises the next address indexes,
// if they may have changed.
func (w *indexWriter) settle(ctx context.Context) error {
	for _, id := range w.order {
		touch := w.wallets[id]
		if !touch.unsettled {
			continue
		}
		touch.unsettled = false // order may contain the wallet again
		b, err := w.q.BalancesOf(ctx, id)
		if err != nil {
			return fmt.Errorf("sum up the UTXOs: %w", err)
		}
		err = w.q.SettleWallet(ctx, db.SettleWalletParams{
			WalletID: id, TrustedSat: btc.Amount(b.TrustedSat), UntrustedPendingSat: btc.Amount(b.UntrustedPendingSat),
			ImmatureSat: btc.Amount(b.ImmatureSat), ConfirmedSat: btc.Amount(b.ConfirmedSat),
			ReceiveNext: touch.receiveNext, ChangeNext: touch.changeNext,
		})
		if err != nil {
			return fmt.Errorf("update the wallet: %w", err)
		}
	}
	return nil
}
