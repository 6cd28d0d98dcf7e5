package main

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/google/uuid"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/store"
)

const (
	tokensInUse  = 100
	lifetime     = 24 * time.Hour
	databaseName = "specterd.db" // in the data directory
)

// population is a number of users and their tokens, which may be imported from Specter Desktop.
type population struct {
	users, tokens int
	imported      bool
}

// seed creates a data directory with a database that has the given population. It
// returns tokensInUse valid tokens, each of a different user.
func seed(ctx context.Context, folder, key string, c population) ([]string, error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, err
	}
	path := filepath.Join(folder, databaseName)
	db, err := openStore(ctx, path)
	if err != nil {
		return nil, err
	}
	secrets, err := makeTokens(ctx, db, key)
	if err := errors.Join(err, db.Close()); err != nil {
		return nil, fmt.Errorf("make tokens: %w", err)
	}
	if err := fill(ctx, path, population{c.users - tokensInUse, c.tokens - tokensInUse, c.imported}); err != nil {
		return nil, fmt.Errorf("fill the database: %w", err)
	}
	return secrets, nil
}

func openStore(ctx context.Context, path string) (*store.Store, error) {
	return store.Open(ctx, store.Options{URL: path, BackupFolder: filepath.Dir(path), Log: slog.New(slog.DiscardHandler), Now: clock})
}

func makeTokens(ctx context.Context, db *store.Store, key string) ([]string, error) {
	if err := db.Migrate(ctx); err != nil {
		return nil, err
	}
	secrets := make([]string, tokensInUse)
	for i := range secrets {
		var err error
		if _, secrets[i], err = addUser(ctx, db, key, fmt.Sprintf("user-%03d", i)); err != nil {
			return nil, err
		}
	}
	return secrets, nil
}

// addUser adds a user, and creates a token with all scopes of that user.
func addUser(ctx context.Context, db *store.Store, key, name string) (*auth.Principal, string, error) {
	u := auth.User{ID: uuid.NewString(), Name: name, PasswordHash: "nobody's", CreatedAt: clock()}
	if err := db.CreateUser(ctx, auth.Operator("bench"), u, auth.Event{At: clock(), Action: "user.create"}); err != nil {
		return nil, "", err
	}
	if err := db.BindKey(ctx, auth.Fingerprint([]byte(key))); err != nil {
		return nil, "", err
	}
	signer, err := auth.NewSigner(ctx, db, func() (auth.Keys, error) { return auth.Keys{[]byte(key)}, nil }, clock)
	if err != nil {
		return nil, "", err
	}
	who := u.Credential().Principal("")
	order := auth.CreateTokenParams{Description: "bench", Lifetime: lifetime, Scopes: who.Scopes}
	_, secret, err := auth.NewTokens(db, signer, clock).Create(ctx, who, order)
	return who, secret, err
}

// fillers adds users with the same number of unusable tokens each. It inserts them
// with one statement per table, which avoids one disk sync per token.
const fillers = `
INSERT INTO users (user_id, name, name_folded, password_hash, created_at)
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < @users)
SELECT 'filler ' || i, 'filler-' || i, 'filler-' || i, 'none', @now FROM n;

INSERT INTO tokens (token_id, user_id, description, token_hash, scopes, lifetime, created_at, expires_at)
WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < @each - 1)
SELECT lower(hex(randomblob(18))), user_id, 'filler ' || i, randomblob(32), 'node:read', @life, @now, @now + @life
FROM users, n WHERE password_hash = 'none'`

// filler returns the id of user i, counted from 0, of the users that the statement
// fillers adds.
func filler(i int) string { return fmt.Sprintf("filler %d", i+1) }

func fill(ctx context.Context, path string, c population) (err error) {
	if c.users == 0 && !c.imported {
		return nil
	}
	db, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if c.imported {
		_, err = db.ExecContext(ctx, "UPDATE tokens SET imported = TRUE")
		return err
	}
	_, err = db.ExecContext(ctx, fillers, sql.Named("users", c.users), sql.Named("each", c.tokens/c.users),
		sql.Named("now", clock().UnixMicro()), sql.Named("life", lifetime.Microseconds()))
	return err
}

// newKey returns a random signing key.
func newKey() string { return rand.Text() + rand.Text() }
