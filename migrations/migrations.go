// Package migrations embeds the schema of both databases: twins, with the same
// numbers and names in sqlite/ and postgres/.
package migrations

import "embed"

// SQLite holds the migrations for SQLite, below "sqlite".
//
//go:embed sqlite/*.sql
var SQLite embed.FS

// Postgres holds the migrations for PostgreSQL, below "postgres".
//
//go:embed postgres/*.sql
var Postgres embed.FS
