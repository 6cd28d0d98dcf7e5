package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/pressly/goose/v3"

	"github.com/specterd/specterd/internal/backup"
)

// Both databases have the same tables and columns. Their names are read from an empty
// in-memory SQLite database that was migrated to the required version, so that no table
// can be missing and tables that an administrator added are ignored.

// inMemory calls use with an empty in-memory database and its migration provider.
func inMemory(use func(memory *sql.DB, p *goose.Provider) error) (err error) {
	memory, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		return fmt.Errorf("open a database in memory: %w", err)
	}
	defer func() { err = errors.Join(err, memory.Close()) }()
	memory.SetMaxOpenConns(1) // each connection has its own in-memory database
	p, err := newProvider(sqliteEngine{}, memory)
	if err != nil {
		return err
	}
	return use(memory, p)
}

// newestSchema returns the schema version of this program.
func newestSchema() (newest int64, err error) {
	err = inMemory(func(_ *sql.DB, p *goose.Provider) error {
		sources := p.ListSources()
		newest = sources[len(sources)-1].Version
		return nil
	})
	return newest, err
}

// knownTables caches the results of tablesAt by schema version, since computing them
// takes 0.3 seconds.
var knownTables sync.Map

// tablesAt returns the tables of a schema version except goose's own, each after the
// tables that it refers to. The caller must not modify them.
func tablesAt(ctx context.Context, version int64) ([]backup.Table, error) {
	if known, ok := knownTables.Load(version); ok {
		return known.([]backup.Table), nil
	}
	var tables []backup.Table
	err := inMemory(func(memory *sql.DB, p *goose.Provider) error {
		if _, err := p.UpTo(ctx, version); err != nil {
			return fmt.Errorf("create schema version %d: %w", version, err)
		}
		var err error
		tables, err = tablesOf(ctx, memory)
		return err
	})
	if err != nil {
		return nil, err
	}
	knownTables.Store(version, tables)
	return tables, nil
}

func tablesOf(ctx context.Context, memory *sql.DB) ([]backup.Table, error) {
	names, err := texts(ctx, memory, sqliteEngine{}.listTables())
	if err != nil {
		return nil, err
	}
	refers := map[string][]string{}
	for _, name := range names {
		if refers[name], err = texts(ctx, memory, `SELECT DISTINCT "table" FROM pragma_foreign_key_list($1) WHERE "table" <> $1`, name); err != nil {
			return nil, err
		}
	}
	names = inOrder(names, refers)
	tables := make([]backup.Table, len(names))
	for i, name := range names {
		if tables[i], err = tableOf(ctx, memory, name); err != nil {
			return nil, err
		}
	}
	return tables, nil
}

// inOrder sorts names so that each name follows the names that it refers to.
func inOrder(names []string, refers map[string][]string) []string {
	var ordered []string
	var place func(name string)
	place = func(name string) {
		if slices.Contains(ordered, name) {
			return
		}
		for _, other := range refers[name] {
			place(other)
		}
		ordered = append(ordered, name)
	}
	for _, name := range names {
		place(name)
	}
	return ordered
}

// columnTypes maps the column types of SQLite's STRICT tables to those of a backup.
var columnTypes = map[string]backup.Type{"TEXT": backup.Text, "INTEGER": backup.Integer, "REAL": backup.Real, "BLOB": backup.Bytes}

func tableOf(ctx context.Context, memory *sql.DB, name string) (backup.Table, error) {
	columns, err := texts(ctx, memory, "SELECT name FROM pragma_table_info($1) ORDER BY cid", name)
	if err != nil {
		return backup.Table{}, err
	}
	types, err := texts(ctx, memory, "SELECT type FROM pragma_table_info($1) ORDER BY cid", name)
	if err != nil {
		return backup.Table{}, err
	}
	t := backup.Table{Name: name}
	for i, column := range columns {
		kind, ok := columnTypes[types[i]]
		if !ok {
			return t, fmt.Errorf("column %s of %s has the type %s", column, name, types[i])
		}
		t.Columns = append(t.Columns, backup.Column{Name: column, Type: kind})
	}
	return t, nil
}

// texts returns the result of a query with one text column.
func texts(ctx context.Context, d interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}, query string, args ...any,
) ([]string, error) {
	rows, err := d.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close() //nolint:errcheck // rows.Err reports it
	var all []string
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			return nil, err
		}
		all = append(all, text)
	}
	return all, rows.Err()
}
