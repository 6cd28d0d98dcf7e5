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
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/store"
)

const (
	tokensInUse   = 100
	tokensPerUser = 100 // of those that only fill the database
	// fillerHash is no password's.
	fillerHash = "$2a$12$....................................................."
)

// seed makes a data folder with a database of so many tokens, and returns those
// that are to be used, each of another user. The others have a hundred to a user.
func seed(ctx context.Context, folder, key string, tokens int) ([]string, error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, err
	}
	path := filepath.Join(folder, "specterd.db")
	db, err := store.Open(ctx, store.Options{URL: path, BackupFolder: folder, Log: slog.New(slog.DiscardHandler), Now: clock})
	if err != nil {
		return nil, err
	}
	secrets, err := makeTokens(ctx, db, key)
	if err := errors.Join(err, db.Close()); err != nil {
		return nil, fmt.Errorf("make tokens: %w", err)
	}
	if err := fill(ctx, path, tokens-tokensInUse); err != nil {
		return nil, fmt.Errorf("fill the database: %w", err)
	}
	return secrets, nil
}

func makeTokens(ctx context.Context, db *store.Store, key string) ([]string, error) {
	if err := db.Migrate(ctx); err != nil {
		return nil, err
	}
	signer, err := auth.NewSigner([]byte(key), clock)
	if err != nil {
		return nil, err
	}
	service := auth.NewTokens(db, signer, clock)
	secrets := make([]string, tokensInUse)
	for i := range secrets {
		u := auth.User{ID: uuid.NewString(), Name: fmt.Sprintf("user-%03d", i), PasswordHash: fillerHash, CreatedAt: clock()}
		if err := db.CreateUser(ctx, u, auth.Event{At: clock(), Action: "user.create"}); err != nil {
			return nil, err
		}
		who := &auth.Principal{UserID: u.ID, UserName: u.Name, Scopes: auth.ScopesOf(false)}
		order := auth.TokenOrder{Description: "bench", Lifetime: 24 * time.Hour}
		if _, secrets[i], err = service.Create(ctx, who, order); err != nil {
			return nil, err
		}
	}
	return secrets, nil
}

// fill adds tokens that nobody can use, in one transaction: one for each would
// wait for the disk as often.
func fill(ctx context.Context, path string, tokens int) error {
	db, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // does nothing after Commit
	addUser, err := tx.PrepareContext(ctx, `INSERT INTO users (user_id, name, name_folded, password_hash, created_at) VALUES (?, ?, ?, ?, ?)`)
	if err != nil {
		return err
	}
	defer func() { _ = addUser.Close() }()
	addToken, err := tx.PrepareContext(ctx, `INSERT INTO tokens
		(token_id, user_id, description, token_hash, scopes, lifetime, created_at, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`)
	if err != nil {
		return err
	}
	defer func() { _ = addToken.Close() }()
	const life = 24 * time.Hour
	now, scopes := clock(), auth.DefaultScopes.String()
	var user string
	hash := make([]byte, 32)
	for i := range tokens {
		if i%tokensPerUser == 0 {
			user = uuid.NewString()
			name := fmt.Sprintf("filler-%05d", i/tokensPerUser)
			if _, err := addUser.ExecContext(ctx, user, name, name, fillerHash, now.UnixMicro()); err != nil {
				return err
			}
		}
		_, _ = rand.Read(hash) // never fails
		_, err := addToken.ExecContext(ctx, uuid.NewString(), user, fmt.Sprintf("filler %d", i), hash, scopes,
			life.Microseconds(), now.UnixMicro(), now.Add(life).UnixMicro())
		if err != nil {
			return err
		}
	}
	return tx.Commit()
}

func sqliteVersion(ctx context.Context) (string, error) {
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		return "", err
	}
	defer func() { _ = db.Close() }()
	var version string
	return version, db.QueryRowContext(ctx, "SELECT sqlite_version()").Scan(&version)
}

// newKey returns a signing key.
func newKey() string { return strings.ToLower(rand.Text() + rand.Text()) }
