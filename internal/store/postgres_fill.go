package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/specterd/specterd/internal/backup"
)

// fill copies rows into a table, and advances the sequences of generated ids beyond the
// ids in the rows.
func (postgresEngine) fill(ctx context.Context, conn *sql.Conn, tx *sql.Tx, t backup.Table, rows iter.Seq2[[]any, error]) error {
	const columnsWhere = "SELECT CAST(column_name AS TEXT) FROM information_schema.columns WHERE table_schema = current_schema() AND table_name = $1 AND "
	truths, err := texts(ctx, tx, columnsWhere+"data_type = 'boolean'", t.Name)
	if err != nil {
		return err
	}
	given, err := texts(ctx, tx, columnsWhere+"is_identity = 'YES'", t.Name)
	if err != nil {
		return err
	}
	rawErr := conn.Raw(func(c any) error {
		// If ErrBadConn were returned from here, database/sql would close the connection
		// while the transaction uses it.
		err = copyTable(ctx, c.(*stdlib.Conn).Conn(), t, truths, rows)
		return nil
	})
	if err = errors.Join(err, rawErr); err != nil {
		return err
	}
	for _, column := range given {
		query := fmt.Sprintf("SELECT setval(pg_get_serial_sequence($1, $2), max(%s)) FROM %s HAVING max(%[1]s) IS NOT NULL", quoted(column), quoted(t.Name)) //nolint:gosec // names of the schema
		if _, err := tx.ExecContext(ctx, query, t.Name, column); err != nil {
			return fmt.Errorf("advance the id sequences: %w", err)
		}
	}
	return nil
}

func copyTable(ctx context.Context, conn *pgx.Conn, t backup.Table, truths []string, rows iter.Seq2[[]any, error]) error {
	names := make([]string, len(t.Columns))
	isTruth := make([]bool, len(t.Columns))
	for i, c := range t.Columns {
		names[i], isTruth[i] = c.Name, slices.Contains(truths, c.Name)
	}
	next, stop := iter.Pull2(rows)
	defer stop()
	_, err := conn.CopyFrom(ctx, pgx.Identifier{t.Name}, names, pgx.CopyFromFunc(func() ([]any, error) {
		row, err, more := next()
		if err != nil || !more {
			return nil, err
		}
		for i, value := range row {
			if n, ok := value.(int64); ok && isTruth[i] {
				row[i] = n != 0
			}
		}
		return row, nil
	}))
	return err
}
