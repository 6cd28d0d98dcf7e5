package auth

import (
	"context"
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/specterd/specterd/internal/fault"
)

// A password that was brought along from Specter Desktop is known here by its
// hash only: PBKDF2-HMAC-SHA256 of 10,000 rounds, which is quick to guess by.
// What is kept is bcrypt's hash of that hash, behind a mark and the salt:
//
//	$specter$<salt>$2a$12$…
//
// The salt is base64 text, and used as that text. The first new password makes a
// plain bcrypt hash of it.
const (
	specterMark   = "$specter$"
	specterRounds = 10_000
	specterBytes  = 32
	// anySalt is for all others, whose password goes through the same, so that
	// who was brought along cannot be told by the time that a login takes.
	anySalt = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
	// maxSaltBytes is more than Specter Desktop's salts have, which is 44.
	maxSaltBytes = 128
)

// maxTriedBytes bounds a password at login. PBKDF2 reads all of it, other than
// bcrypt, and a password that was brought along may be longer than those that
// are set here.
const maxTriedBytes = 1024

// splitHash returns the salt, which is empty for a password that was set here,
// and bcrypt's hash.
func splitHash(hashed string) (salt, bcryptHash string) {
	rest, ok := strings.CutPrefix(hashed, specterMark)
	if !ok {
		return "", hashed
	}
	salt, _, _ = strings.Cut(rest, "$")
	return salt, rest[len(salt):]
}

// specterHash returns what Specter Desktop keeps of a password, as base64 text:
// bcrypt would stop at a zero byte.
func specterHash(password, salt string) ([]byte, error) {
	hash, err := pbkdf2.Key(sha256.New, password, []byte(salt), specterRounds, specterBytes)
	if err != nil {
		return nil, fmt.Errorf("hash a password: %w", err)
	}
	return base64.StdEncoding.AppendEncode(nil, hash), nil
}

// comparison returns what bcrypt has to compare with what; against is nil where
// no password can be right.
func comparison(hashed, password string) (against, secret []byte, err error) {
	salt, bcryptHash := splitHash(hashed)
	used := salt
	if used == "" {
		used = anySalt
	}
	if secret, err = specterHash(password, used); err != nil {
		return nil, nil, err
	}
	switch {
	case hashed == "":
		return nil, secret, nil
	case salt != "":
		return []byte(bcryptHash), secret, nil
	case len(password) > maxPasswordBytes: // bcrypt would not read the rest
		return nil, secret, nil
	}
	return []byte(bcryptHash), []byte(password), nil
}

// hashSpecter returns what is kept of a password that Specter Desktop has this
// salt and hash of.
func (p *Passwords) hashSpecter(ctx context.Context, address, salt string, hash []byte) (string, error) {
	if _, err := base64.StdEncoding.DecodeString(salt); err != nil || salt == "" || len(salt) > maxSaltBytes || strings.ContainsAny(salt, "\r\n") || len(hash) != specterBytes {
		return "", fault.New(fault.Invalid, "bad_password_hash", "the password's hash has a form that Specter Desktop does not use")
	}
	hashed, err := p.hash(ctx, address, base64.StdEncoding.EncodeToString(hash))
	return specterMark + salt + hashed, err
}

// rehash returns the hash of a password that was just proved, with the cost that
// is set now and of the same kind as the hash that there is.
func (p *Passwords) rehash(ctx context.Context, address, hashed, password string) (string, error) {
	salt, _ := splitHash(hashed)
	if salt == "" {
		return p.hash(ctx, address, password)
	}
	secret, err := specterHash(password, salt)
	if err != nil {
		return "", err
	}
	again, err := p.hash(ctx, address, string(secret))
	return specterMark + salt + again, err
}

// isDefaultOf reports whether Specter Desktop's hash is that of the password
// that its first admin begins with, which is the same as here.
func isDefaultOf(salt string, hash []byte) bool {
	of, err := specterHash(DefaultPassword, salt)
	return err == nil && string(of) == base64.StdEncoding.EncodeToString(hash)
}
