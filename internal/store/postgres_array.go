package store

import (
	"context"
	"database/sql"
	"regexp"
	"sync"

	"github.com/specterd/specterd/internal/store/db"
)

// arrays converts list conditions in queries to array conditions. PostgreSQL looks up the
// items of an array in an index. With a list, it may instead compare each row with each
// item: until it has statistics about a new wallet's rows, it assumes that there are few.
type arrays struct{ db.DBTX }

func (a arrays) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	return a.DBTX.ExecContext(ctx, withArrays(query), args...)
}

func (a arrays) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return a.DBTX.QueryContext(ctx, withArrays(query), args...)
}

func (a arrays) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	return a.DBTX.QueryRowContext(ctx, withArrays(query), args...)
}

var (
	arrayQueries sync.Map // rewritten queries by the original query
	listSQL      = regexp.MustCompile(`IN (\(SELECT value FROM json_each\(CAST\(\$\d+ AS TEXT\)\)\))`)
)

func withArrays(query string) string {
	if known, ok := arrayQueries.Load(query); ok {
		return known.(string)
	}
	made := listSQL.ReplaceAllString(query, "= ANY (ARRAY$1)")
	arrayQueries.Store(query, made)
	return made
}
