// Package backup defines the format of backups: one file with all rows of all tables,
// independent of the database engine, and the wallets' descriptors in readable form. It
// writes and reads that format, and manages a directory of backups. It uses no SQL: rows
// come from a [Source].
//
// Invariants: a file gets its final name only after it is complete and synced to disk,
// and no data of a file is used before the whole file is verified with its hashes.
package backup

import (
	"context"
	"iter"
	"time"

	"github.com/specterd/specterd/internal/wallet"
)

// Source is a snapshot of a database.
type Source interface {
	// Facts describes the database.
	Facts(ctx context.Context) (Facts, error)
	// Tables returns all tables.
	Tables(ctx context.Context) ([]Table, error)
	// Rows yields the rows of a table, each with one value per column: nil, a string, an
	// int64, a float64 or a []byte, depending on the column's type. On an error, it
	// yields the error and stops. The caller must not use a row after the next iteration.
	Rows(ctx context.Context, t Table) iter.Seq2[[]any, error]
	// Wallets returns all wallets that are not being removed.
	Wallets(ctx context.Context) ([]Wallet, error)
}

// Facts describes the database that a backup was made from.
type Facts struct {
	Schema int64  `json:"schema"` // the version of its migrations
	Engine string `json:"engine"` // SQLite or PostgreSQL
	Chain  string `json:"chain"`  // chain of the node and the hash of its genesis block; empty if the node was never reached
	// SigningKeys are the fingerprints of the keys that signed the database's tokens.
	SigningKeys []string `json:"signing_keys"`
}

// Table is a table and its columns.
type Table struct {
	Name    string   `json:"name"`
	Columns []Column `json:"columns"`
}

// Column is a column of a table.
type Column struct {
	Name string `json:"name"`
	Type Type   `json:"type"`
}

// Type is the type of a column's values other than NULL.
type Type string

// The column types. Booleans are integers: 0 or 1.
const (
	Text    Type = "text"
	Integer Type = "integer"
	Real    Type = "real"
	Bytes   Type = "bytes"
)

// Wallet is a wallet and its members with their roles.
type Wallet struct {
	wallet.Wallet
	Members []wallet.Member
}

// format is the version of the backup format.
const format = 1

// Manifest describes a backup and its contents.
type Manifest struct {
	Format  int       `json:"format"`
	Program string    `json:"program"` // name and version of the program that made it
	MadeAt  time.Time `json:"made_at"`
	Facts
	Tables []TableRows `json:"tables"`
	Files  []Part      `json:"files"`
}

// TableRows is a table with the number of its rows.
type TableRows struct {
	Table

	Rows int64 `json:"rows"`
}

// Part is one file within a backup.
type Part struct {
	Name   string `json:"name"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// RowsOf returns the number of rows of a table; 0 for an unknown table.
func (m *Manifest) RowsOf(table string) int64 {
	for _, t := range m.Tables {
		if t.Name == table {
			return t.Rows
		}
	}
	return 0
}

// The names of the files within a backup.
const (
	manifestName    = "manifest.json"
	descriptorsName = "descriptors.txt"
	readmeName      = "README.txt"
)

func (t Table) fileName() string { return "tables/" + t.Name + ".jsonl" }
