package store

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/store/db"
	"github.com/specterd/specterd/internal/store/sqltype"
	"github.com/specterd/specterd/internal/wallet"
)

// changeWriter writes the transactions of one change. It determines the spender of each
// output from the inputs and states in the index, never from the order in which
// transactions arrive, so that the same changes result in the same rows even if they are
// reordered or repeated.
type changeWriter struct {
	q *db.Queries
	wallet.Change
	// spent are the outputs whose spenders must be determined, in addition to the outputs
	// of the added transactions.
	spent map[btc.Outpoint]bool
	// spentBy has the txid of the transaction that spends each output. Unspent outputs are
	// missing. It is set by findSpenders.
	spentBy map[btc.Outpoint]string
	// before are the added and changed transactions that were in the index.
	before map[string]indexed
}

func newChangeWriter(q *db.Queries, c wallet.Change) *changeWriter {
	last := make(map[string]int, len(c.Added))
	for i, t := range c.Added {
		last[t.Txid] = i
	}
	if len(last) < len(c.Added) { // if a transaction occurs several times, only its last version is written
		added := make([]wallet.Transaction, 0, len(last))
		for i, t := range c.Added {
			if last[t.Txid] == i {
				added = append(added, t)
			}
		}
		c.Added = added
	}
	return &changeWriter{q: q, Change: c, spent: map[btc.Outpoint]bool{}, spentBy: map[btc.Outpoint]string{}}
}

func (w *changeWriter) write(ctx context.Context) error {
	for _, step := range []func(context.Context) error{
		w.clear, w.addTransactions, w.addInputs, w.setStates, // the index then has all inputs and states
		w.findSpenders, w.addOutputs, w.setSpentBy, w.renewUnspent,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// clear deletes the index rows of the added transactions. It collects the outputs that,
// according to the index, the added and the changed transactions spend.
func (w *changeWriter) clear(ctx context.Context) error {
	touched := slices.Collect(maps.Keys(w.Changed))
	for _, t := range w.Added {
		touched = append(touched, t.Txid)
	}
	var err error
	if w.before, err = indexedOf(ctx, w.q, w.WalletID, touched); err != nil || len(w.before) == 0 {
		return err
	}
	inputs, err := w.q.InputsOf(ctx, db.InputsOfParams{WalletID: w.WalletID, Txids: listOf(touched)})
	if err != nil {
		return fmt.Errorf("list inputs: %w", err)
	}
	for _, in := range inputs {
		w.spent[btc.Outpoint{Txid: in.PrevTxid, Vout: in.PrevVout}] = true
	}
	for _, t := range w.Added {
		if _, known := w.before[t.Txid]; !known {
			continue
		}
		if err := w.delete(ctx, t.Txid); err != nil {
			return fmt.Errorf("delete a transaction: %w", err)
		}
	}
	return nil
}

func (w *changeWriter) delete(ctx context.Context, txid string) error {
	if err := w.q.DeleteTransaction(ctx, db.DeleteTransactionParams{WalletID: w.WalletID, Txid: txid}); err != nil {
		return err
	}
	if err := w.q.DeleteInputs(ctx, db.DeleteInputsParams{WalletID: w.WalletID, Txid: txid}); err != nil {
		return err
	}
	if err := w.q.DeleteOutputs(ctx, db.DeleteOutputsParams{WalletID: w.WalletID, Txid: txid}); err != nil {
		return err
	}
	return w.q.DeleteUnspentOf(ctx, db.DeleteUnspentOfParams{WalletID: w.WalletID, Txid: txid})
}

func (w *changeWriter) addTransactions(ctx context.Context) error {
	for _, t := range w.Added {
		if err := w.q.AddTransaction(ctx, addTransactionParams(w.WalletID, t)); err != nil {
			return fmt.Errorf("insert a transaction: %w", err)
		}
	}
	return nil
}

func (w *changeWriter) addInputs(ctx context.Context) error {
	for _, t := range w.Added {
		for _, in := range t.Inputs {
			w.spent[in.Prev] = true
			err := w.q.AddInput(ctx, db.AddInputParams{
				WalletID: w.WalletID, Txid: t.Txid, PrevTxid: in.Prev.Txid, PrevVout: in.Prev.Vout, AmountSat: in.Amount,
			})
			if err != nil {
				return fmt.Errorf("insert an input: %w", err)
			}
		}
	}
	return nil
}

func (w *changeWriter) setStates(ctx context.Context) error {
	for txid, state := range w.Changed {
		if err := w.q.SetState(ctx, setStateParams(w.WalletID, txid, state)); err != nil {
			return fmt.Errorf("update a transaction: %w", err)
		}
	}
	return nil
}

// findSpenders determines which transactions spend the outputs of the added transactions
// and the outputs in spent. If several transactions that are not dead spend an output, it
// chooses the one closest to confirmation.
func (w *changeWriter) findSpenders(ctx context.Context) error {
	var txids []string
	for _, t := range w.Added {
		txids = append(txids, t.Txid)
	}
	for at := range w.spent {
		txids = append(txids, at.Txid)
	}
	if len(txids) == 0 {
		return nil
	}
	inputs, err := w.q.InputsSpending(ctx, db.InputsSpendingParams{WalletID: w.WalletID, PrevTxids: listOf(txids)})
	if err != nil {
		return fmt.Errorf("look up the spending transactions: %w", err)
	}
	spenders := make([]string, len(inputs))
	for i, in := range inputs {
		spenders[i] = in.Txid
	}
	statuses, err := w.statuses(ctx, spenders)
	if err != nil {
		return err
	}
	for _, in := range inputs {
		at := btc.Outpoint{Txid: in.PrevTxid, Vout: in.PrevVout}
		if status := statuses[in.Txid]; !status.Dead() && hasPrecedence(in.Txid, w.spentBy[at], statuses) {
			w.spentBy[at] = in.Txid
		}
	}
	return nil
}

// statuses returns the statuses of transactions that are in the index or in this change.
func (w *changeWriter) statuses(ctx context.Context, txids []string) (map[string]wallet.Status, error) {
	statuses := make(map[string]wallet.Status, len(txids))
	for _, t := range w.Added {
		statuses[t.Txid] = t.Status
	}
	for txid, state := range w.Changed {
		statuses[txid] = state.Status
	}
	others := slices.DeleteFunc(txids, func(txid string) bool { return statuses[txid] != "" })
	if len(others) == 0 {
		return statuses, nil
	}
	rows, err := w.q.States(ctx, db.StatesParams{WalletID: w.WalletID, Txids: listOf(others)})
	if err != nil {
		return nil, fmt.Errorf("look up transactions: %w", err)
	}
	for _, row := range rows {
		statuses[row.Txid] = wallet.Status(row.Status)
	}
	return statuses, nil
}

// hasPrecedence reports whether a transaction is closer to confirmation than other, or
// whether other is empty. If both have the same status, the lower txid has precedence.
func hasPrecedence(txid, other string, statuses map[string]wallet.Status) bool {
	order := []wallet.Status{wallet.Inactive, wallet.InMempool, wallet.Confirmed}
	i, j := slices.Index(order, statuses[txid]), slices.Index(order, statuses[other])
	return other == "" || i > j || i == j && txid < other
}

func (w *changeWriter) addOutputs(ctx context.Context) error {
	for _, t := range w.Added {
		for _, o := range t.Outputs {
			at := btc.Outpoint{Txid: t.Txid, Vout: o.Vout}
			delete(w.spent, at) // the spender is written with the output
			p := db.AddOutputParams{
				WalletID: w.WalletID, Txid: t.Txid, Vout: o.Vout, Time: sqltype.Time{Time: t.Time}, Address: o.Address, AmountSat: o.Amount,
				SpentBy: nullable(w.spentBy[at]),
			}
			p.Branch, p.AddressIndex = placeColumns(o.Own)
			if err := w.q.AddOutput(ctx, p); err != nil {
				return fmt.Errorf("insert an output: %w", err)
			}
		}
	}
	return nil
}

// setSpentBy writes the spenders of outputs that were in the index before this change.
func (w *changeWriter) setSpentBy(ctx context.Context) error {
	for at := range w.spent {
		err := w.q.SetSpentBy(ctx, db.SetSpentByParams{
			WalletID: w.WalletID, Txid: at.Txid, Vout: at.Vout, SpentBy: nullable(w.spentBy[at]),
		})
		if err != nil {
			return fmt.Errorf("update a spent output: %w", err)
		}
	}
	return nil
}

// renewUnspent updates the table of unspent outputs for all added and changed
// transactions, according to their outputs and states.
func (w *changeWriter) renewUnspent(ctx context.Context) error {
	var cleared, renewed []string
	for _, t := range w.Added { // clear has deleted their rows
		if slices.ContainsFunc(t.Outputs, func(o wallet.Output) bool {
			return o.Own != nil && w.spentBy[btc.Outpoint{Txid: t.Txid, Vout: o.Vout}] == ""
		}) {
			renewed = append(renewed, t.Txid)
		}
	}
	for txid := range w.Changed {
		cleared = append(cleared, txid)
	}
	for at := range w.spent {
		if w.spentBy[at] == "" {
			cleared = append(cleared, at.Txid)
			continue
		}
		err := w.q.DeleteUnspent(ctx, db.DeleteUnspentParams{WalletID: w.WalletID, Txid: at.Txid, Vout: at.Vout})
		if err != nil {
			return fmt.Errorf("delete an unspent output: %w", err)
		}
	}
	for _, txid := range cleared {
		if err := w.q.DeleteUnspentOf(ctx, db.DeleteUnspentOfParams{WalletID: w.WalletID, Txid: txid}); err != nil {
			return fmt.Errorf("delete unspent outputs: %w", err)
		}
	}
	for _, txid := range append(renewed, cleared...) {
		if err := w.q.AddUnspentOf(ctx, db.AddUnspentOfParams{WalletID: w.WalletID, Txid: txid}); err != nil {
			return fmt.Errorf("insert unspent outputs: %w", err)
		}
	}
	return nil
}

func addTransactionParams(walletID string, t wallet.Transaction) db.AddTransactionParams {
	state := setStateParams(walletID, t.Txid, t.State)
	p := db.AddTransactionParams{
		WalletID: walletID, Txid: t.Txid, Time: sqltype.Time{Time: t.Time}, ReceivedAt: sqltype.Time{Time: t.ReceivedAt},
		Status: state.Status, BlockHeight: state.BlockHeight, BlockHash: state.BlockHash, BlockTime: state.BlockTime,
		Conflicts: state.Conflicts, Replaceable: state.Replaceable, Trusted: state.Trusted,
		Category: string(t.Category), FlowSat: t.Flow, FeeSat: t.Fee, Vsize: t.VSize, Address: t.Address, Raw: t.Raw,
	}
	p.Branch, p.AddressIndex = placeColumns(t.Own)
	return p
}

func setStateParams(walletID, txid string, s wallet.State) db.SetStateParams {
	p := db.SetStateParams{
		WalletID: walletID, Txid: txid, Status: string(s.Status), Conflicts: strings.Join(s.Conflicts, " "),
		Replaceable: s.Replaceable, Trusted: s.Trusted,
	}
	switch {
	case s.Block != nil:
		p.BlockHeight, p.BlockHash, p.BlockTime = &s.Block.Height, s.Block.Hash, sqltype.NullTime{Time: s.Block.Time}
	case s.BuriedAt > 0:
		p.BlockHeight = &s.BuriedAt
	}
	return p
}

func placeColumns(at *wallet.Place) (branch *uint8, index *uint32) {
	if at == nil {
		return nil, nil
	}
	return (*uint8)(&at.Branch), &at.Index
}
