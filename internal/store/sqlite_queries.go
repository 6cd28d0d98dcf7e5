package store

import (
	"context"

	zombiezen "zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/store/db"
)

// inReadTx runs body in a transaction, whose queries see one state of the database.
func (r *sqliteHistories) inReadTx(ctx context.Context, body func(longQueries) error) error {
	return r.with(ctx, func(conn *zombiezen.Conn) (err error) {
		defer sqlitex.Transaction(conn)(&err)
		return body(sqliteQueries{conn})
	})
}

// sqliteQueries runs queries of sqlc on a connection without database/sql.
type sqliteQueries struct{ conn *zombiezen.Conn }

// all runs a query and returns its rows.
func all[Row any](q sqliteQueries, query string, bind func(*zombiezen.Stmt), row func(*columns) Row) (rows []Row, err error) {
	err = eachRow(q.conn, query, bind, func(c *columns) { rows = append(rows, row(c)) })
	return rows, err
}

// ofWallet binds a wallet as the only parameter.
func ofWallet(id string) func(*zombiezen.Stmt) {
	return func(stmt *zombiezen.Stmt) { stmt.BindText(1, id) }
}

// PlainAddresses implements longQueries.
func (q sqliteQueries) PlainAddresses(_ context.Context, p db.PlainAddressesParams) ([]db.PlainAddressesRow, error) {
	bind := func(stmt *zombiezen.Stmt) {
		stmt.BindText(1, p.WalletID)
		stmt.BindInt64(2, int64(p.Branch))
		stmt.BindInt64(3, int64(p.EndIndex))
	}
	return all(q, db.PlainAddresses, bind, func(c *columns) db.PlainAddressesRow {
		return db.PlainAddressesRow{Address: c.text(), Used: c.integer() != 0}
	})
}

// LabelledAddresses implements longQueries.
func (q sqliteQueries) LabelledAddresses(_ context.Context, walletID string) ([]db.LabelledAddressesRow, error) {
	return all(q, db.LabelledAddresses, ofWallet(walletID), func(c *columns) db.LabelledAddressesRow {
		return db.LabelledAddressesRow{
			Address: c.text(), Label: c.text(), Own: c.integer() != 0, Branch: c.integer(), AddressIndex: c.integer(), Used: c.integer() != 0,
		}
	})
}

// UnspentOutputs implements longQueries.
func (q sqliteQueries) UnspentOutputs(_ context.Context, walletID string) ([]db.UnspentOutputsRow, error) {
	return all(q, db.UnspentOutputs, ofWallet(walletID), func(c *columns) db.UnspentOutputsRow {
		return db.UnspentOutputsRow{Txid: c.text(), Vout: c.vout(), Address: c.text(), AmountSat: btc.Amount(c.integer())}
	})
}

// LockedOutputs implements longQueries.
func (q sqliteQueries) LockedOutputs(_ context.Context, walletID string) ([]db.LockedOutputsRow, error) {
	return all(q, db.LockedOutputs, ofWallet(walletID), func(c *columns) db.LockedOutputsRow {
		return db.LockedOutputsRow{Txid: c.text(), Vout: c.vout()}
	})
}

// FrozenOutputs implements longQueries.
func (q sqliteQueries) FrozenOutputs(_ context.Context, walletID string) ([]db.FrozenOutputsRow, error) {
	return all(q, db.FrozenOutputs, ofWallet(walletID), func(c *columns) db.FrozenOutputsRow {
		return db.FrozenOutputsRow{Txid: c.text(), Vout: c.vout()}
	})
}

// vout reads the position of an output, as the program has written it.
func (c *columns) vout() uint32 { return uint32(c.integer()) } //nolint:gosec // in its range

// OutputsOf implements outputReader.
func (q sqliteQueries) OutputsOf(_ context.Context, p db.OutputsOfParams) ([]db.OutputsOfRow, error) {
	bind := func(stmt *zombiezen.Stmt) {
		stmt.BindText(1, p.WalletID)
		stmt.BindText(2, p.Txids)
	}
	return all(q, db.OutputsOf, bind, outputRow)
}

// OutputsBetween implements outputReader.
func (q sqliteQueries) OutputsBetween(_ context.Context, p db.OutputsBetweenParams) ([]db.OutputsBetweenRow, error) {
	bind := func(stmt *zombiezen.Stmt) {
		stmt.BindText(1, p.WalletID)
		stmt.BindInt64(2, p.FromTime.UnixMicro())
		stmt.BindText(3, p.FromTxid)
		stmt.BindInt64(4, p.ToTime.UnixMicro())
		stmt.BindText(5, p.ToTxid)
	}
	return all(q, db.OutputsBetween, bind, func(c *columns) db.OutputsBetweenRow { return db.OutputsBetweenRow(outputRow(c)) })
}

// outputRow reads the columns of db.OutputsOf, which db.OutputsBetween has as well.
func outputRow(c *columns) db.OutputsOfRow {
	return db.OutputsOfRow{
		Txid: c.text(), Vout: c.vout(), Address: c.text(), AmountSat: btc.Amount(c.integer()),
		Branch: orNull[uint8](c), AddressIndex: orNull[uint32](c), OutputLabel: c.text(), AddressLabel: c.text(),
	}
}
