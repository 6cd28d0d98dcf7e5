// Package migrations embeds the migrations of both databases. Each migration has the
// same number and name in sqlite/ and in postgres/.
package migrations

import "embed"

// SQLite has the migrations for SQLite, in the directory "sqlite".
//
//go:embed sqlite/*.sql
var SQLite embed.FS

// Postgres has the migrations for PostgreSQL, in the directory "postgres".
//
//go:embed postgres/*.sql
var Postgres embed.FS
