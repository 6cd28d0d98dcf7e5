package store

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/event"
	"github.com/specterd/specterd/internal/psbt"
	"github.com/specterd/specterd/internal/store/db"
	"github.com/specterd/specterd/internal/wallet"
)

// indexed is a transaction in the index before a change.
type indexed struct {
	state    event.TxState
	category string
	flow     btc.Amount
}

// indexedOf returns those of the transactions that are in the index.
func indexedOf(ctx context.Context, q *db.Queries, walletID string, txids []string) (map[string]indexed, error) {
	rows, err := q.IndexedTransactions(ctx, db.IndexedTransactionsParams{WalletID: walletID, Txids: listOf(txids)})
	if err != nil {
		return nil, fmt.Errorf("look up transactions: %w", err)
	}
	known := make(map[string]indexed, len(rows))
	for _, row := range rows {
		known[row.Txid] = indexed{
			state:    event.TxState{Status: row.Status, Height: row.BlockHeight, Hash: row.BlockHash},
			category: row.Category, flow: row.FlowSat,
		}
	}
	return known, nil
}

func txStateOf(s wallet.State) event.TxState {
	p := setStateParams("", "", s)
	return event.TxState{Status: p.Status, Height: p.BlockHeight, Hash: p.BlockHash}
}

// addEvents adds the events of a change that was written. It must be called before
// markUsed.
func (w *indexWriter) addEvents(ctx context.Context, c *changeWriter, touch *walletTouch) error {
	for _, txid := range slices.Sorted(maps.Keys(c.Changed)) {
		was, ok := c.before[txid]
		if !ok {
			continue
		}
		d := event.TransactionData{Txid: txid, Category: was.category, Flow: was.flow, Before: &was.state, After: txStateOf(c.Changed[txid])}
		if err := w.addTransactionEvent(ctx, c.WalletID, d); err != nil {
			return err
		}
	}
	var fresh []wallet.Transaction // without those whose history was imported
	for _, t := range c.Added {
		d := event.TransactionData{Txid: t.Txid, Category: string(t.Category), Flow: t.Flow, After: txStateOf(t.State)}
		if was, ok := c.before[t.Txid]; ok {
			d.Before = &was.state
		} else if touch.imports(c.Change, t) {
			touch.imported++
			continue
		} else {
			fresh = append(fresh, t)
		}
		if err := w.addTransactionEvent(ctx, c.WalletID, d); err != nil {
			return err
		}
	}
	if err := w.addSpends(ctx, c.WalletID, fresh); err != nil {
		return err
	}
	return w.addUsed(ctx, c.WalletID, fresh)
}

// blockTimeMargin is more than the time of a block can be ahead of the clock.
const blockTimeMargin = 2 * time.Hour

// imports reports whether a transaction that is new to the index belongs to the history of
// the wallet from before it was watched: in its first sync, transactions from before it was
// created, and later transactions that a rescan found in indexed blocks. A payment to a
// new wallet must not be missed, so that older ones may have events if their time is in doubt.
func (t *walletTouch) imports(c wallet.Change, tx wallet.Transaction) bool {
	if t.height < 0 {
		return tx.Time.Before(t.createdAt.Add(-blockTimeMargin))
	}
	return c.Rescanned && tx.Block != nil && tx.Block.Height <= t.height
}

// addTransactionEvent adds the event of a transaction whose state has changed, if it has,
// and records whether the transaction will be final later.
func (w *indexWriter) addTransactionEvent(ctx context.Context, walletID string, d event.TransactionData) error {
	kind, changed := event.KindOf(d.Before, d.After)
	if !changed {
		return nil
	}
	w.log.add(walletID, kind, d.Txid, event.Actor{}, d)
	switch {
	case kind == event.TransactionConfirmed:
		if err := w.q.AwaitFinal(ctx, db.AwaitFinalParams{WalletID: walletID, Txid: d.Txid, BlockHeight: *d.After.Height}); err != nil {
			return fmt.Errorf("await that a transaction is final: %w", err)
		}
	case d.Before != nil && d.Before.Status == string(wallet.Confirmed):
		if err := w.q.StopAwaitingFinal(ctx, db.StopAwaitingFinalParams{WalletID: walletID, Txid: d.Txid}); err != nil {
			return fmt.Errorf("stop awaiting that a transaction is final: %w", err)
		}
	}
	return nil
}

// addSpends adds the events of transactions that spend UTXOs of the wallet without being
// one of its proposals.
func (w *indexWriter) addSpends(ctx context.Context, walletID string, fresh []wallet.Transaction) error {
	unsigned := map[string]string{} // txids without signatures, by txid
	for _, t := range fresh {
		if len(t.Inputs) > 0 {
			unsigned[t.Txid] = psbt.UnsignedTxid(t.Raw)
		}
	}
	if len(unsigned) == 0 {
		return nil
	}
	proposed, err := w.q.ProposedAmong(ctx, db.ProposedAmongParams{WalletID: walletID, Txids: listOf(slices.Sorted(maps.Values(unsigned)))})
	if err != nil {
		return fmt.Errorf("look up the proposals of transactions: %w", err)
	}
	for _, t := range fresh {
		if id, spends := unsigned[t.Txid]; !spends || slices.Contains(proposed, id) {
			continue
		}
		d := event.SpendData{Txid: t.Txid, Inputs: len(t.Inputs), Flow: t.Flow}
		for _, in := range t.Inputs {
			d.Spent += in.Amount
		}
		w.log.add(walletID, event.SpendUnproposed, t.Txid, event.Actor{}, d)
	}
	return nil
}

// addUsed adds the events of addresses that are paid for the first time.
func (w *indexWriter) addUsed(ctx context.Context, walletID string, fresh []wallet.Transaction) error {
	var addresses []string
	for _, t := range fresh {
		for _, o := range t.Outputs {
			if o.Own != nil {
				addresses = append(addresses, o.Address)
			}
		}
	}
	if len(addresses) == 0 {
		return nil
	}
	rows, err := w.q.UnusedAmong(ctx, db.UnusedAmongParams{WalletID: walletID, Addresses: listOf(addresses)})
	if err != nil {
		return fmt.Errorf("look up unused addresses: %w", err)
	}
	unused := make(map[wallet.Place]bool, len(rows))
	for _, row := range rows {
		unused[wallet.Place{Branch: wallet.Branch(row.Branch), Index: row.AddressIndex}] = true
	}
	for _, t := range fresh {
		for _, o := range t.Outputs {
			if o.Own == nil || !unused[*o.Own] {
				continue
			}
			delete(unused, *o.Own)
			w.log.add(walletID, event.AddressUsed, o.Address, event.Actor{}, event.AddressData{
				Address: o.Address, Branch: o.Own.Branch.Name(), Index: o.Own.Index, Txid: t.Txid,
			})
		}
	}
	return nil
}

// addSynced adds the events of wallets whose history is complete, and then those of
// transactions that have become final.
func (w *indexWriter) addSynced(ctx context.Context, changes []wallet.Change) error {
	tips := map[string]wallet.Tip{}
	for _, c := range changes {
		touch := w.wallets[c.WalletID]
		if touch == nil || c.Synced == nil {
			continue
		}
		tips[c.WalletID] = *c.Synced
		if touch.height < 0 {
			touch.due = true
		}
	}
	for _, id := range w.order {
		if err := w.addSyncedOf(ctx, id, tips); err != nil {
			return err
		}
	}
	return w.addFinal(ctx, tips)
}

// addSyncedOf adds the event WalletSynced if the history is complete. If it is not, the
// number of imported transactions is stored for later.
func (w *indexWriter) addSyncedOf(ctx context.Context, id string, tips map[string]wallet.Tip) error {
	touch := w.wallets[id]
	tip, isSynced := tips[id]
	var imported *int64
	switch {
	case !touch.due && touch.imported == 0:
	case !isSynced || touch.rescanning:
		imported = &touch.imported
	default:
		d := event.SyncData{Height: tip.Height, Hash: tip.Hash, Imported: touch.imported}
		if err := logSynced(ctx, w.q, w.log, id, d, touch.finalAfter); err != nil {
			return err
		}
		touch.due, touch.imported = false, 0
	}
	had := touch.stored
	if touch.stored = imported; had == imported || had != nil && imported != nil && *had == *imported {
		return nil
	}
	if err := w.q.SetImported(ctx, db.SetImportedParams{WalletID: id, Imported: imported}); err != nil {
		return fmt.Errorf("count imported transactions: %w", err)
	}
	return nil
}

// logSynced adds the event WalletSynced, after which the imported transactions are no
// longer counted.
func logSynced(ctx context.Context, q *db.Queries, log *eventLog, id string, d event.SyncData, finalAfter int) error {
	log.add(id, event.WalletSynced, id, event.Actor{}, d)
	if d.Imported == 0 {
		return nil
	}
	height := d.Height - finalAfter + 1
	if err := q.AwaitFinalAbove(ctx, db.AwaitFinalAboveParams{WalletID: id, Height: &height}); err != nil {
		return fmt.Errorf("await that imported transactions are final: %w", err)
	}
	return nil
}

// addFinal adds the events of transactions that enough blocks confirm.
func (w *indexWriter) addFinal(ctx context.Context, tips map[string]wallet.Tip) error {
	if len(tips) == 0 {
		return nil
	}
	rows, err := w.q.FinalNow(ctx, listOf(slices.Sorted(maps.Keys(tips))))
	if err != nil {
		return fmt.Errorf("list the transactions that are final: %w", err)
	}
	for _, row := range rows {
		state := event.TxState{Status: string(wallet.Confirmed), Height: &row.BlockHeight, Hash: row.BlockHash}
		w.log.add(row.WalletID, event.TransactionFinal, row.Txid, event.Actor{}, event.TransactionData{
			Txid: row.Txid, Category: row.Category, Flow: row.FlowSat, Before: &state, After: state,
		})
		err := w.q.StopAwaitingFinal(ctx, db.StopAwaitingFinalParams{WalletID: row.WalletID, Txid: row.Txid})
		if err != nil {
			return fmt.Errorf("stop awaiting that a transaction is final: %w", err)
		}
	}
	return nil
}
