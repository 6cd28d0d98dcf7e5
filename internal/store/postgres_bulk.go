package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

const (
	// maxQueued is the maximum number of statements sent together.
	maxQueued = 1000
	// minCopied is the minimum number of rows that are copied with COPY instead of
	// inserted.
	minCopied = 20
)

// pipeline batches statements that return no rows, because on PostgreSQL most of the cost
// of a small statement is waiting for the server. Consecutive inserts are sent with COPY,
// which halves the time again: https://www.postgresql.org/docs/current/populate.html.
type pipeline struct {
	arrays           // wraps the transaction
	conn   *sql.Conn // the connection of the transaction
	queued []*queuedStatement
	err    error // error of a failed flush, after which no statement can be executed
}

func newPipeline(conn *sql.Conn, tx *sql.Tx) *pipeline {
	return &pipeline{arrays: arrays{tx}, conn: conn}
}

// queuedStatement is a queued statement and its result after execution.
type queuedStatement struct {
	query    string
	values   []any
	rows     int64
	affected func() error // flushes the queue; nil once the statement has been executed
}

func (*queuedStatement) LastInsertId() (int64, error) { return 0, errors.ErrUnsupported }

func (q *queuedStatement) RowsAffected() (int64, error) {
	if q.affected != nil {
		if err := q.affected(); err != nil {
			return 0, err
		}
	}
	return q.rows, nil
}

func (p *pipeline) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	values := make([]any, len(args))
	for i, arg := range args {
		v, err := driver.DefaultParameterConverter.ConvertValue(arg)
		if err != nil {
			return nil, fmt.Errorf("argument %d of %s: %w", i+1, queryName(query), err)
		}
		values[i] = v
	}
	// The statement is executed with a later one, or when the caller asks for RowsAffected.
	q := &queuedStatement{query: withArrays(query), values: values, affected: func() error { return p.flush(ctx) }}
	p.queued = append(p.queued, q)
	if len(p.queued) >= maxQueued {
		return q, p.flush(ctx)
	}
	return q, nil
}

func (p *pipeline) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if err := p.flush(ctx); err != nil {
		return nil, err
	}
	return p.arrays.QueryContext(ctx, query, args...)
}

func (p *pipeline) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	_ = p.flush(ctx) // an error ends the transaction, so that the query fails as well, and the last flush returns the error
	return p.arrays.QueryRowContext(ctx, query, args...)
}

func (p *pipeline) flush(ctx context.Context) error {
	if p.err != nil || len(p.queued) == 0 {
		return p.err
	}
	queued := p.queued
	p.queued = nil
	rawErr := p.conn.Raw(func(c any) error {
		// If ErrBadConn were returned from here, database/sql would close the connection
		// while the transaction uses it.
		p.err = send(ctx, c.(*stdlib.Conn).Conn(), queued)
		return nil
	})
	p.err = errors.Join(p.err, rawErr)
	return p.err
}

// send executes statements in order.
func send(ctx context.Context, conn *pgx.Conn, queued []*queuedStatement) error {
	for len(queued) > 0 {
		if n := sameInserts(queued); n >= minCopied {
			if err := copyRows(ctx, conn, queued[:n]); err != nil {
				return err
			}
			queued = queued[n:]
			continue
		}
		end := 0
		for end < len(queued) {
			n := sameInserts(queued[end:])
			if n >= minCopied {
				break
			}
			end += n
		}
		if err := sendBatch(ctx, conn, queued[:end]); err != nil {
			return err
		}
		queued = queued[end:]
	}
	return nil
}

func sendBatch(ctx context.Context, conn *pgx.Conn, queued []*queuedStatement) error {
	batch := &pgx.Batch{}
	for _, q := range queued {
		batch.Queue(q.query, q.values...)
	}
	results := conn.SendBatch(ctx, batch)
	for _, q := range queued {
		tag, err := results.Exec()
		if err != nil {
			_ = results.Close() // returns the same error
			return fmt.Errorf("%s: %w", queryName(q.query), err)
		}
		q.rows, q.affected = tag.RowsAffected(), nil
	}
	return results.Close()
}

func copyRows(ctx context.Context, conn *pgx.Conn, inserts []*queuedStatement) error {
	query := inserts[0].query
	into := plainInsertOf(query)
	_, err := conn.CopyFrom(ctx, pgx.Identifier{into.table}, into.columns, pgx.CopyFromSlice(len(inserts), func(i int) ([]any, error) {
		return inserts[i].values, nil
	}))
	if err != nil {
		return fmt.Errorf("%s: %w", queryName(query), err)
	}
	for _, q := range inserts {
		q.rows, q.affected = 1, nil
	}
	return nil
}

// sameInserts returns how many statements at the start of the queue are the same plain
// INSERT. It returns 1 if the first statement is not a plain INSERT.
func sameInserts(queued []*queuedStatement) int {
	query := queued[0].query
	if plainInsertOf(query) == nil {
		return 1
	}
	n := 1
	for n < len(queued) && queued[n].query == query {
		n++
	}
	return n
}

// plainInsert is an INSERT of one row in which every value is an argument.
type plainInsert struct {
	table   string
	columns []string
}

var (
	plainInserts   sync.Map // *plainInsert by query; nil if the query is not a plain INSERT
	plainInsertSQL = regexp.MustCompile(`^-- name: \w+ :exec\s+INSERT INTO (\w+) \(([\w,\s]+)\)\s+VALUES \(([$\d,\s]+)\)\s*$`)
)

// plainInsertOf parses a query; it returns nil unless the query is a plain INSERT.
func plainInsertOf(query string) *plainInsert {
	if known, ok := plainInserts.Load(query); ok {
		return known.(*plainInsert)
	}
	var into *plainInsert
	if m := plainInsertSQL.FindStringSubmatch(query); m != nil {
		into = &plainInsert{table: m[1], columns: fields(m[2])}
		for i, placeholder := range fields(m[3]) {
			if placeholder != "$"+strconv.Itoa(i+1) {
				into = nil
				break
			}
		}
	}
	plainInserts.Store(query, into)
	return into
}

func fields(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return strings.ContainsRune(", \n", r) })
}

// queryName returns the name that sqlc writes before a query: "-- name: X :exec".
func queryName(query string) string {
	name, _, _ := strings.Cut(strings.TrimPrefix(query, "-- name: "), " ")
	return name
}
