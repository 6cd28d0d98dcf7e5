// Package backup owns the form of a backup: one file that has all rows of all
// tables, the same from either database, and the wallets' descriptors for people. It
// writes and reads that form, and keeps a folder of backups. It knows no SQL: a
// [Source] is where rows come from.
//
// The invariant: a file has its name only once it is whole and on the disk, and
// nothing is taken out of one before all of it was compared with its hashes.
package backup

import (
	"context"
	"iter"
	"time"

	"github.com/specterd/specterd/internal/wallet"
)

// Source is a database at one moment.
type Source interface {
	// Facts says what database it is.
	Facts(ctx context.Context) (Facts, error)
	// Tables are all tables.
	Tables(ctx context.Context) ([]Table, error)
	// Rows yields the rows of a table, each with a value for each column: nil, a
	// string, an int64, a float64 or bytes, as the column's type is. An error comes
	// once, at the end. A row is the caller's until the next.
	Rows(ctx context.Context, t Table) iter.Seq2[[]any, error]
	// Wallets returns the wallets that people have.
	Wallets(ctx context.Context) ([]Wallet, error)
}

// Facts are what a backup says of the database that it is of.
type Facts struct {
	Schema int64  `json:"schema"` // the version of its migrations
	Engine string `json:"engine"` // SQLite or PostgreSQL
	Chain  string `json:"chain"`  // the node's, with the hash of its first block; empty before there was one
	// SigningKeys are the fingerprints of the keys that its tokens were signed with.
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

// Type is what a column has where it is not NULL.
type Type string

// The types. Truth values are integers, 0 and 1.
const (
	Text    Type = "text"
	Integer Type = "integer"
	Real    Type = "real"
	Bytes   Type = "bytes"
)

// Wallet is a wallet and who may do what with it.
type Wallet struct {
	wallet.Wallet
	Members []wallet.Member
}

// format is the version of the form.
const format = 1

// Manifest is what a backup says of itself.
type Manifest struct {
	Format  int       `json:"format"`
	Program string    `json:"program"` // that made it
	MadeAt  time.Time `json:"made_at"`
	Facts
	Tables []TableRows `json:"tables"`
	Files  []Part      `json:"files"`
}

// TableRows is a table and how many rows it has.
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

// RowsOf returns how many rows a table has.
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
