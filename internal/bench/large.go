package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"
)

const (
	largeWallets = 1_000
	largeHistory = 100 // transactions of each wallet
	starts       = 7
	startGoal    = 300 * time.Millisecond
	idleGoal     = 60_000_000 // bytes
	// untilGivenBack is a time after which specterd has released idle memory to the
	// operating system.
	untilGivenBack = 30 * time.Second
)

var millionTokens = population{users: 100_000, tokens: 1_000_000}

// measureLarge measures the start time and the idle memory of specterd with a large
// database, and compares its requests with those to a small one.
func measureLarge(ctx context.Context, b *bench) error {
	key, folder := newKey(), filepath.Join(b.dir, "large")
	secrets, err := seed(ctx, folder, key, millionTokens)
	if err != nil {
		return err
	}
	if err := addWallets(ctx, filepath.Join(folder, databaseName)); err != nil {
		return fmt.Errorf("make up wallets: %w", err)
	}
	var figures []figure
	if b.wants(nameStart) {
		f, err := measureStart(ctx, b, folder, key, secrets)
		if err != nil {
			return err
		}
		figures = append(figures, f)
	}
	large, err := startSpecterd(ctx, b.binary, folder, key)
	if err != nil {
		return err
	}
	defer large.stop()
	if err := large.calm(ctx); err != nil {
		return err
	}
	if b.wants(nameIdle) {
		pause(ctx, untilGivenBack)
		figures = append(figures, idle("when nobody has asked yet", large))
	}
	if b.wants(nameMillion) {
		if err := measureMillion(ctx, b, bearers(large, secrets)); err != nil {
			return err
		}
		if b.wants(nameIdle) {
			pause(ctx, untilGivenBack)
			figures = append(figures, idle("half a minute after the requests", large))
		}
	}
	return printFigures(b.stdout, figures)
}

// addWallets creates a wallet with the initial 3,000 addresses, and copies it for
// many users with SQL, since creating the wallets individually takes minutes.
func addWallets(ctx context.Context, database string) (err error) {
	kept, err := openStore(ctx, database)
	if err != nil {
		return err
	}
	first := seeded{transactions: largeHistory}
	err = kept.Migrate(ctx)
	if err == nil {
		err = first.addHistory(ctx, kept, filler(0))
	}
	if err := errors.Join(err, kept.Close()); err != nil {
		return err
	}
	db, err := sql.Open("sqlite", "file:"+database)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	tables, err := tablesOfWallets(ctx, db)
	if err != nil {
		return err
	}
	for table, columns := range tables {
		copied := strings.NewReplacer("wallet_id", "'copy ' || i", "user_id", "CASE WHEN user_id IS NOT NULL THEN 'filler ' || (i + 1) END", "core_name", "'copy ' || i").Replace(columns)
		//nolint:gosec // names of our own schema
		query := fmt.Sprintf(`WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)
			INSERT INTO %s (%s) SELECT %s FROM n, %[2]s WHERE wallet_id = ? ORDER BY i`, largeWallets-1, table, columns, copied)
		if _, err := db.ExecContext(ctx, query, first.walletID); err != nil {
			return fmt.Errorf("%s: %w", table, err)
		}
	}
	return nil
}

// tablesOfWallets returns the columns of each table that refers to wallets, without columns
// that the database fills in.
func tablesOfWallets(ctx context.Context, db *sql.DB) (map[string]string, error) {
	rows, err := db.QueryContext(ctx, `
		SELECT m.name, group_concat(c.name) FROM sqlite_master AS m, pragma_table_info(m.name) AS c
		WHERE m.type = 'table' AND (m.name, c.name) <> ('events', 'seq') GROUP BY m.name HAVING max(c.name = 'wallet_id')`)
	if err != nil {
		return nil, err
	}
	defer rows.Close() //nolint:errcheck // read only
	tables := map[string]string{}
	for rows.Next() {
		var name, columns string
		if err := rows.Scan(&name, &columns); err != nil {
			return nil, err
		}
		tables[name] = columns
	}
	return tables, rows.Err()
}

// measureStart measures the time from the start of the process to its first
// response to a request with a token.
func measureStart(ctx context.Context, b *bench, folder, key string, secrets []string) (figure, error) {
	// The first start creates the first admin, which takes as long as hashing a
	// password. A database with a million tokens would already have an admin.
	first, err := startSpecterd(ctx, b.binary, folder, key)
	if err != nil {
		return figure{}, err
	}
	first.stop()
	var took []time.Duration
	for range starts {
		begin := clock()
		s, err := startSpecterd(ctx, b.binary, folder, key)
		if err != nil {
			return figure{}, err
		}
		r := newReader(s, seeded{token: secrets[0]})
		_, err = r.get(ctx, bearerPath, "")
		took = append(took, clock().Sub(begin))
		s.stop()
		if err != nil {
			return figure{}, err
		}
	}
	return within(figure{name: nameStart, what: "from exec to the first answer, with 1,000,000 tokens and 1,000 wallets"}, took, startGoal), nil
}

func idle(when string, s *server) figure {
	now, _ := s.memory()
	return figure{
		name: nameIdle, what: "in memory " + when, value: megabytes(now), against: megabytes(s.written()) + " of it written by the program, the rest is its file",
		goal: "≤ " + megabytes(idleGoal), good: now <= idleGoal,
	}
}

// measureMillion compares the requests per second to large, which has a million
// tokens, with the requests per second to a specterd with 100 tokens.
func measureMillion(ctx context.Context, b *bench, large target) error {
	few, stop, err := prepare(ctx, b.binary, filepath.Join(b.dir, "few-beside-a-million"), fewTokens)
	if err != nil {
		return err
	}
	defer stop()
	for _, t := range []target{few, large} { // warm-up: the server stores the first use of each token now, not during the comparison
		if _, err := t.round(ctx, b.connections, warmUp); err != nil {
			return err
		}
	}
	return compare(ctx, b.options, b.stdout, []comparison{{nameMillion, "100 tokens", few, large, 0.9, 1.1, true, 0}})
}
