package store

import (
	"context"

	zombiezen "zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/store/db"
)

// inReadTx runs body in a transaction, whose queries see one state of the database.
func (r sqliteHistories) inReadTx(ctx context.Context, body func(detailsQueries) error) error {
	return r.with(ctx, func(conn *zombiezen.Conn) (err error) {
		defer sqlitex.Transaction(conn)(&err)
		return body(sqliteDetails{conn})
	})
}

// sqliteDetails runs the queries of sqlc for details without database/sql.
type sqliteDetails struct{ conn *zombiezen.Conn }

// all runs a query and returns its rows.
func all[Row any](q sqliteDetails, query string, bind func(*zombiezen.Stmt), row func(*columns) Row) (rows []Row, err error) {
	err = eachRow(q.conn, query, bind, func(c *columns) { rows = append(rows, row(c)) })
	return rows, err
}

// ofWallet binds a wallet as the only parameter.
func ofWallet(id string) func(*zombiezen.Stmt) {
	return func(stmt *zombiezen.Stmt) { stmt.BindText(1, id) }
}

// PlainAddresses implements detailsQueries.
func (q sqliteDetails) PlainAddresses(_ context.Context, p db.PlainAddressesParams) ([]db.PlainAddressesRow, error) {
	bind := func(stmt *zombiezen.Stmt) {
		stmt.BindText(1, p.WalletID)
		stmt.BindInt64(2, int64(p.Branch))
		stmt.BindInt64(3, int64(p.EndIndex))
	}
	return all(q, db.PlainAddresses, bind, func(c *columns) db.PlainAddressesRow {
		return db.PlainAddressesRow{Address: c.text(), Used: c.integer() != 0}
	})
}

// LabelledAddresses implements detailsQueries.
func (q sqliteDetails) LabelledAddresses(_ context.Context, walletID string) ([]db.LabelledAddressesRow, error) {
	return all(q, db.LabelledAddresses, ofWallet(walletID), func(c *columns) db.LabelledAddressesRow {
		return db.LabelledAddressesRow{
			Address: c.text(), Label: c.text(), Own: c.integer() != 0, Branch: c.integer(), AddressIndex: c.integer(), Used: c.integer() != 0,
		}
	})
}

// UnspentOutputs implements detailsQueries.
func (q sqliteDetails) UnspentOutputs(_ context.Context, walletID string) ([]db.UnspentOutputsRow, error) {
	return all(q, db.UnspentOutputs, ofWallet(walletID), func(c *columns) db.UnspentOutputsRow {
		return db.UnspentOutputsRow{Txid: c.text(), Vout: c.vout(), Address: c.text(), AmountSat: btc.Amount(c.integer())}
	})
}

// LockedOutputs implements detailsQueries.
func (q sqliteDetails) LockedOutputs(_ context.Context, walletID string) ([]db.LockedOutputsRow, error) {
	return all(q, db.LockedOutputs, ofWallet(walletID), func(c *columns) db.LockedOutputsRow {
		return db.LockedOutputsRow{Txid: c.text(), Vout: c.vout()}
	})
}

// FrozenOutputs implements detailsQueries.
func (q sqliteDetails) FrozenOutputs(_ context.Context, walletID string) ([]db.FrozenOutputsRow, error) {
	return all(q, db.FrozenOutputs, ofWallet(walletID), func(c *columns) db.FrozenOutputsRow {
		return db.FrozenOutputsRow{Txid: c.text(), Vout: c.vout()}
	})
}

// vout reads the position of an output, as the program has written it.
func (c *columns) vout() uint32 { return uint32(c.integer()) } //nolint:gosec // in its range
