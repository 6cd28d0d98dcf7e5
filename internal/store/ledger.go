package store

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/store/db"
	"github.com/specterd/specterd/internal/store/sqltype"
	"github.com/specterd/specterd/internal/wallet"
)

// BalanceUntil implements wallet.Ledgers.
func (s *Store) BalanceUntil(ctx context.Context, walletID string, until time.Time) (btc.Amount, error) {
	if until.IsZero() {
		until = endOfTime
	}
	var balance btc.Amount
	err := s.inReadTx(ctx, func(q *db.Queries) error {
		flow, err := q.FlowUntil(ctx, db.FlowUntilParams{WalletID: walletID, Until: sqltype.Time{Time: until}})
		if err != nil {
			return fmt.Errorf("sum up transactions: %w", err)
		}
		balance = btc.Amount(flow)
		held, err := heldByInactive(ctx, q, walletID, until)
		for _, amount := range held {
			balance -= amount
		}
		return err
	})
	return balance, err
}

// UnproposedSpends implements wallet.Ledgers.
func (s *Store) UnproposedSpends(ctx context.Context, walletIDs []string, since time.Time, limit int) ([]wallet.UnproposedSpend, error) {
	rows, err := s.reads().UnproposedSpends(ctx, db.UnproposedSpendsParams{
		WalletIds: listOf(walletIDs), Since: since.UnixMicro(), Margin: blockTimeMargin.Microseconds(), MaxRows: int64(limit),
	})
	if err != nil {
		return nil, translate(fmt.Errorf("list unproposed spends: %w", err))
	}
	spends := make([]wallet.UnproposedSpend, len(rows))
	for i, row := range rows {
		spends[i] = wallet.UnproposedSpend{WalletID: row.WalletID, Txid: row.Txid, Time: row.Time.Time, Flow: row.FlowSat}
	}
	return spends, nil
}

// LedgerLinks implements wallet.Ledgers.
func (s *Store) LedgerLinks(ctx context.Context, part []wallet.Record, transfers bool) (wallet.LedgerLinks, error) {
	links := wallet.LedgerLinks{
		Owners: map[btc.Outpoint][]string{}, Senders: map[string][]string{},
		Proposals: map[wallet.TxRef]wallet.ProposalRef{}, Held: map[string]map[string]btc.Amount{},
	}
	var paid, received []string // txids that can be transfers
	if transfers {
		paid, received = transferable(part)
	}
	spending := map[string][]string{} // txids by wallet
	for _, r := range part {
		if r.Category != wallet.Receive && r.Category != wallet.Generate {
			spending[r.WalletID] = append(spending[r.WalletID], r.Txid)
		}
	}
	err := s.inReadTx(ctx, func(q *db.Queries) error {
		if err := linkOwners(ctx, q, paid, links.Owners); err != nil {
			return err
		}
		if err := linkSenders(ctx, q, received, links.Senders); err != nil {
			return err
		}
		for id, txids := range spending {
			if err := linkProposals(ctx, q, id, listOf(txids), &links); err != nil {
				return err
			}
		}
		var err error
		for _, r := range part {
			if _, known := links.Held[r.WalletID]; known || r.Counts() {
				continue
			}
			if links.Held[r.WalletID], err = heldByInactive(ctx, q, r.WalletID, endOfTime); err != nil {
				return err
			}
		}
		return nil
	})
	return links, err
}

// transferable returns the txids of the transactions that can be transfers: paid by the wallet, or
// received by it.
func transferable(part []wallet.Record) (paid, received []string) {
	for _, r := range part {
		switch {
		case r.Category == wallet.Generate || !r.Counts():
		case r.Fee != nil:
			paid = append(paid, r.Txid)
		default:
			received = append(received, r.Txid)
		}
	}
	return paid, received
}

// linkOwners adds to links the owners of the transactions' outputs.
func linkOwners(ctx context.Context, q *db.Queries, txids []string, links map[btc.Outpoint][]string) error {
	if len(txids) == 0 {
		return nil
	}
	rows, err := q.WalletsWithOutputs(ctx, listOf(txids))
	if err != nil {
		return fmt.Errorf("look up the owners of outputs: %w", err)
	}
	for _, row := range rows {
		at := btc.Outpoint{Txid: row.Txid, Vout: row.Vout}
		links[at] = append(links[at], row.WalletID)
	}
	return nil
}

// linkSenders adds to links the wallets that own all inputs of a transaction.
func linkSenders(ctx context.Context, q *db.Queries, txids []string, links map[string][]string) error {
	if len(txids) == 0 {
		return nil
	}
	rows, err := q.WalletsThatSent(ctx, listOf(txids))
	if err != nil {
		return fmt.Errorf("look up senders: %w", err)
	}
	for _, row := range rows {
		links[row.Txid] = append(links[row.Txid], row.WalletID)
	}
	return nil
}

// linkProposals adds to links the proposals that created transactions of a wallet.
func linkProposals(ctx context.Context, q *db.Queries, walletID, txids string, links *wallet.LedgerLinks) error {
	rows, err := q.ProposalsOfTransactions(ctx, db.ProposalsOfTransactionsParams{WalletID: walletID, Txids: txids})
	if err != nil {
		return fmt.Errorf("look up proposals of transactions: %w", err)
	}
	for _, row := range rows { // the last row of a transaction wins: a sent proposal, or else the latest one
		links.Proposals[wallet.TxRef{WalletID: walletID, Txid: row.Txid}] = wallet.ProposalRef{ID: row.ProposalID, UserName: row.UserName}
	}
	return nil
}

// heldByInactive returns the amounts that the inactive transactions of a wallet spend, by
// txid. It includes only transactions before the time until.
func heldByInactive(ctx context.Context, q *db.Queries, walletID string, until time.Time) (map[string]btc.Amount, error) {
	rows, err := inactiveInputs(ctx, q, listOf([]string{walletID}), time.Time{}, until)
	if err != nil {
		return nil, err
	}
	held := map[string]btc.Amount{}
	for _, row := range rows {
		held[row.Txid] += row.AmountSat
	}
	return held, nil
}

// inactiveInputs returns the inputs of the inactive transactions of wallets in a period.
func inactiveInputs(ctx context.Context, q *db.Queries, walletIDs string, since, until time.Time) ([]db.HeldByInactiveRow, error) {
	rows, err := q.HeldByInactive(ctx, db.HeldByInactiveParams{WalletIds: walletIDs, Since: sqltype.Time{Time: since}, Until: sqltype.Time{Time: until}})
	if err != nil {
		return nil, fmt.Errorf("list the inputs of inactive transactions: %w", err)
	}
	return rows, nil
}

// BalanceAfter implements wallet.Ledgers. It calculates back from the current balance, because
// users read the latest pages of a history more often than the first ones.
func (s *Store) BalanceAfter(ctx context.Context, walletID string, at wallet.HistoryCursor) (btc.Amount, error) {
	var balance btc.Amount
	err := s.inReadTx(ctx, func(q *db.Queries) error {
		w, err := walletByID(ctx, q, walletID)
		if err != nil {
			return err
		}
		later, err := q.FlowAfter(ctx, db.FlowAfterParams{WalletID: walletID, AfterTime: sqltype.Time{Time: at.Time}, AfterTxid: at.Txid})
		if err != nil {
			return fmt.Errorf("sum up later transactions: %w", err)
		}
		balance = w.Balances.Total() - btc.Amount(later)
		held, err := inactiveInputs(ctx, q, listOf([]string{walletID}), at.Time, endOfTime)
		for _, row := range held {
			if row.Time.After(at.Time) || row.Txid > at.Txid {
				balance += row.AmountSat
			}
		}
		return err
	})
	return balance, err
}

// FlowsByStep implements wallet.Ledgers.
func (s *Store) FlowsByStep(ctx context.Context, walletIDs []string, since time.Time, step time.Duration, steps int) (map[string][]btc.Amount, error) {
	flows := make(map[string][]btc.Amount, len(walletIDs))
	for _, id := range walletIDs {
		flows[id] = make([]btc.Amount, steps)
	}
	starts := make([]string, steps)
	for i := range starts {
		starts[i] = strconv.FormatInt(since.Add(time.Duration(i)*step).UnixMicro(), 10)
	}
	p := db.FlowsByStepParams{Last: int64(steps - 1), Step: step.Microseconds(), WalletIds: listOf(walletIDs), Starts: listOf(starts)}
	err := s.inReadTx(ctx, func(q *db.Queries) error {
		rows, err := q.FlowsByStep(ctx, p)
		if err != nil {
			return fmt.Errorf("sum up transactions by time: %w", err)
		}
		for _, row := range rows {
			flows[row.WalletID][row.Step] += btc.Amount(row.FlowSat)
		}
		held, err := inactiveInputs(ctx, q, p.WalletIds, since, endOfTime)
		for _, row := range held {
			flows[row.WalletID][min(int(row.Time.Sub(since)/step), steps-1)] -= row.AmountSat
		}
		return err
	})
	return flows, err
}
