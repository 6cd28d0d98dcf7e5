package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/store/db"
	"github.com/specterd/specterd/internal/store/sqltype"
	"github.com/specterd/specterd/internal/wallet"
)

// endOfTime is later than any time in a database.
var endOfTime = time.UnixMicro(math.MaxInt64)

// Transactions implements wallet.History.
func (s *Store) Transactions(ctx context.Context, walletID string, f wallet.Filter, after wallet.HistoryCursor, limit int) (page []wallet.Record, err error) {
	p := historyParams(walletID, f, after, limit)
	switch {
	case !f.Outputs: // without outputs there is a single query, which needs no transaction
		return listRecords(ctx, s.reads(), s.histories, p, f)
	case f.Unconfirmed || !p.AnyAddress || !p.AnyLabel: // these queries need database/sql
		err = s.inReadTx(ctx, func(q *db.Queries) error {
			if page, err = listRecords(ctx, q, queriedRecords{q}, p, f); err != nil {
				return err
			}
			return addOutputs(ctx, q, walletID, page)
		})
	default:
		add := addOutputs
		if p.AnyAmount && p.AnyCategory { // only dead transactions are omitted
			add = addOutputsBetween
		}
		err = s.inLongReadTx(ctx, func(q longQueries) error {
			if page, err = q.records(ctx, p, f.Ascending); err != nil {
				return err
			}
			return add(ctx, q, walletID, page)
		})
	}
	return page, err
}

func historyParams(walletID string, f wallet.Filter, after wallet.HistoryCursor, limit int) db.TransactionsParams {
	p := db.TransactionsParams{
		WalletID: walletID, AfterTime: sqltype.Time{Time: after.Time}, AfterTxid: after.Txid,
		Since: sqltype.Time{Time: f.Since}, Until: sqltype.Time{Time: f.Until}, Dead: f.Dead,
		AnyCategory: f.Category == "", Category: string(f.Category), AnyLabel: f.Label == "", Label: f.Label,
		AnyAmount: f.MinAmount == 0 && f.MaxAmount == 0, MinAmount: f.MinAmount, MaxAmount: cmp.Or(f.MaxAmount, btc.MaxMoney),
		AnyAddress: f.Address == "", Address: f.Address, Outputs: f.Outputs, Raw: f.Raw, MaxRows: int64(limit),
	}
	if after == (wallet.HistoryCursor{}) && !f.Ascending {
		p.AfterTime.Time = endOfTime
	}
	if f.Until.IsZero() {
		p.Until.Time = endOfTime
	}
	// A place outside of the period is moved to its edge, from which the index is read.
	switch {
	case f.Ascending && p.AfterTime.Before(p.Since.Time):
		p.AfterTime, p.AfterTxid = p.Since, ""
	case !f.Ascending && !p.AfterTime.Before(p.Until.Time):
		p.AfterTime, p.AfterTxid = p.Until, ""
	}
	return p
}

// listRecords returns a page of a history. Queries that may read a long history run on
// whole, and all others on q.
func listRecords(ctx context.Context, q *db.Queries, whole recordReader, p db.TransactionsParams, f wallet.Filter) ([]wallet.Record, error) {
	switch {
	case f.Unconfirmed && f.Ascending:
		rows, err := q.UnconfirmedTransactionsAscending(ctx, db.UnconfirmedTransactionsAscendingParams(p))
		return recordsOf(rows, err, func(row db.UnconfirmedTransactionsAscendingRow) db.TransactionsRow { return db.TransactionsRow(row) })
	case f.Unconfirmed:
		rows, err := q.UnconfirmedTransactions(ctx, db.UnconfirmedTransactionsParams(p))
		return recordsOf(rows, err, func(row db.UnconfirmedTransactionsRow) db.TransactionsRow { return db.TransactionsRow(row) })
	}
	txids, err := matching(ctx, q, p)
	switch {
	case err != nil:
		return nil, translate(fmt.Errorf("find transactions by address or label: %w", err))
	case txids != nil && len(txids) <= fewMatches:
		rows, err := q.TransactionsAmong(ctx, amongParams(p, txids, f.Ascending))
		return recordsOf(rows, err, func(row db.TransactionsAmongRow) db.TransactionsRow { return db.TransactionsRow(row) })
	}
	return whole.records(ctx, p, f.Ascending)
}

// queriedRecords is a recordReader that runs the queries of sqlc.
type queriedRecords struct{ *db.Queries }

func (q queriedRecords) records(ctx context.Context, p db.TransactionsParams, ascending bool) ([]wallet.Record, error) {
	if ascending {
		rows, err := q.TransactionsAscending(ctx, db.TransactionsAscendingParams(p))
		return recordsOf(rows, err, func(row db.TransactionsAscendingRow) db.TransactionsRow { return db.TransactionsRow(row) })
	}
	rows, err := q.Transactions(ctx, p)
	return recordsOf(rows, err, func(row db.TransactionsRow) db.TransactionsRow { return row })
}

// fewMatches is the maximum number of transactions that are looked up by their label or
// address and then sorted. If more match, the history is read in order until a page is
// full.
const fewMatches = 10_000

// matching returns the ids of the transactions that match the filter's address or, if it
// has none, its label. It returns at most fewMatches + 1 ids, possibly with duplicates,
// and nil if the filter has neither.
func matching(ctx context.Context, q *db.Queries, p db.TransactionsParams) ([]string, error) {
	switch {
	case !p.AnyAddress:
		return q.TransactionsWithAddress(ctx, db.TransactionsWithAddressParams{WalletID: p.WalletID, Address: p.Address, MaxRows: fewMatches + 1})
	case !p.AnyLabel:
		return q.TransactionsWithLabel(ctx, db.TransactionsWithLabelParams{WalletID: p.WalletID, Label: p.Label, MaxRows: fewMatches + 1})
	}
	return nil, nil
}

func amongParams(p db.TransactionsParams, txids []string, ascending bool) db.TransactionsAmongParams {
	return db.TransactionsAmongParams{
		WalletID: p.WalletID, Txids: listOf(txids), Ascending: ascending, AfterTime: p.AfterTime, AfterTxid: p.AfterTxid,
		Since: p.Since, Until: p.Until, Dead: p.Dead, AnyCategory: p.AnyCategory, Category: p.Category,
		AnyAmount: p.AnyAmount, MinAmount: p.MinAmount, MaxAmount: p.MaxAmount, AnyLabel: p.AnyLabel, Label: p.Label, AnyAddress: p.AnyAddress, Address: p.Address, Outputs: p.Outputs, Raw: p.Raw, MaxRows: p.MaxRows,
	}
}

func recordsOf[Row any](rows []Row, err error, same func(Row) db.TransactionsRow) ([]wallet.Record, error) {
	if err != nil {
		return nil, translate(fmt.Errorf("list transactions: %w", err))
	}
	records := make([]wallet.Record, len(rows))
	for i, row := range rows {
		records[i] = recordOf(same(row))
	}
	return records, nil
}

// TransactionByID implements wallet.History.
func (s *Store) TransactionByID(ctx context.Context, walletID, txid string) (wallet.Record, error) {
	var one []wallet.Record
	err := s.inReadTx(ctx, func(q *db.Queries) error {
		row, err := q.TransactionByID(ctx, db.TransactionByIDParams{WalletID: walletID, Txid: txid, Raw: true})
		if errors.Is(err, sql.ErrNoRows) {
			return wallet.ErrTransactionNotFound
		}
		if err != nil {
			return fmt.Errorf("select a transaction: %w", err)
		}
		one = []wallet.Record{recordOf(db.TransactionsRow(row))}
		if err := addOutputs(ctx, q, walletID, one); err != nil {
			return err
		}
		return addInputs(ctx, q, walletID, one)
	})
	if err != nil {
		return wallet.Record{}, err
	}
	return one[0], nil
}

// CountTransactions implements wallet.History.
func (s *Store) CountTransactions(ctx context.Context, walletID string) (int, error) {
	n, err := s.reads().CountTransactions(ctx, walletID)
	if err != nil {
		return 0, translate(fmt.Errorf("count transactions: %w", err))
	}
	return int(n), nil
}

func recordOf(row db.TransactionsRow) wallet.Record {
	r := wallet.Record{
		Label: row.Label, AddressLabel: row.AddressLabel,
		Transaction: wallet.Transaction{
			Txid: row.Txid, Time: row.Time.Time, ReceivedAt: row.ReceivedAt.Time,
			State: stateOf(db.StatesRow{
				Status: row.Status, BlockHeight: row.BlockHeight, BlockHash: row.BlockHash, BlockTime: row.BlockTime,
				Conflicts: row.Conflicts, Replaceable: row.Replaceable, Trusted: row.Trusted,
			}),
			Category: wallet.Category(row.Category), Flow: row.FlowSat, Fee: row.FeeSat, VSize: row.Vsize,
			Address: row.Address, Own: placeOf(row.Branch, row.AddressIndex),
		},
	}
	r.Raw, _ = row.Raw.([]byte) // nil if not requested
	return r
}

// stateOf converts a row to a state; setStateParams is the inverse.
func stateOf(row db.StatesRow) wallet.State {
	s := wallet.State{
		Status: wallet.Status(row.Status), Conflicts: strings.Fields(row.Conflicts),
		Replaceable: row.Replaceable, Trusted: row.Trusted,
	}
	switch {
	case row.BlockHeight == nil:
	case s.Status == wallet.Confirmed:
		s.Block = &wallet.Block{Height: *row.BlockHeight, Hash: row.BlockHash, Time: row.BlockTime.Time}
	default:
		s.BuriedAt = *row.BlockHeight
	}
	if len(s.Conflicts) == 0 {
		s.Conflicts = nil
	}
	return s
}

func placeOf(branch *uint8, index *uint32) *wallet.Place {
	if branch == nil || index == nil {
		return nil
	}
	return &wallet.Place{Branch: wallet.Branch(*branch), Index: *index}
}

// addOutputs loads the outputs of all records with one query.
func addOutputs(ctx context.Context, q outputReader, walletID string, records []wallet.Record) error {
	if len(records) == 0 {
		return nil
	}
	rows, err := q.OutputsOf(ctx, db.OutputsOfParams{WalletID: walletID, Txids: txidsOf(records)})
	if err != nil {
		return fmt.Errorf("list outputs: %w", err)
	}
	byID := recordsByID(records)
	for _, row := range rows {
		addOutput(byID, row)
	}
	return nil
}

// addOutputsBetween does the same for records that are sorted by time. It reads the outputs of
// all transactions between the first and the last record, which takes a third of the time
// because they are neighbours in an index.
func addOutputsBetween(ctx context.Context, q outputReader, walletID string, records []wallet.Record) error {
	if len(records) == 0 {
		return nil
	}
	from, to := &records[0], &records[len(records)-1]
	if from.Time.After(to.Time) || from.Time.Equal(to.Time) && from.Txid > to.Txid {
		from, to = to, from
	}
	rows, err := q.OutputsBetween(ctx, db.OutputsBetweenParams{
		WalletID: walletID, FromTime: sqltype.Time{Time: from.Time}, FromTxid: from.Txid, ToTime: sqltype.Time{Time: to.Time}, ToTxid: to.Txid,
	})
	if err != nil {
		return fmt.Errorf("list outputs: %w", err)
	}
	byID := recordsByID(records)
	for _, row := range rows {
		addOutput(byID, db.OutputsOfRow(row))
	}
	return nil
}

// addOutput adds an output to its record, if there is one.
func addOutput(byID map[string]*wallet.Record, row db.OutputsOfRow) {
	r := byID[row.Txid]
	if r == nil {
		return
	}
	r.Outputs = append(r.Outputs, wallet.Output{
		Vout: row.Vout, Address: row.Address, Amount: row.AmountSat,
		Own:   placeOf(row.Branch, row.AddressIndex),
		Label: cmp.Or(row.OutputLabel, row.AddressLabel), AddressLabel: row.AddressLabel,
	})
	if row.Address == r.Address { // the record may have been read without its label
		r.AddressLabel = row.AddressLabel
	}
}

// addInputs loads the inputs of all records with one query.
func addInputs(ctx context.Context, q *db.Queries, walletID string, records []wallet.Record) error {
	rows, err := q.InputsOf(ctx, db.InputsOfParams{WalletID: walletID, Txids: txidsOf(records)})
	if err != nil {
		return fmt.Errorf("list inputs: %w", err)
	}
	byID := recordsByID(records)
	for _, row := range rows {
		r := byID[row.Txid]
		r.Inputs = append(r.Inputs, wallet.Input{
			Prev: btc.Outpoint{Txid: row.PrevTxid, Vout: row.PrevVout}, Amount: row.AmountSat,
		})
	}
	return nil
}

func recordsByID(records []wallet.Record) map[string]*wallet.Record {
	byID := make(map[string]*wallet.Record, len(records))
	for i := range records {
		byID[records[i].Txid] = &records[i]
	}
	return byID
}

// txidsOf returns the ids of the records as a parameter of a query.
func txidsOf(records []wallet.Record) string {
	ids := make([]string, len(records))
	for i := range records {
		ids[i] = records[i].Txid
	}
	return listOf(ids)
}
