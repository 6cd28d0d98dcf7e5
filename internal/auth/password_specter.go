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

// Only the hash of a password imported from Specter Desktop is known:
// PBKDF2-HMAC-SHA256 with 10,000 rounds, which is fast to brute-force. The database
// stores the bcrypt hash of that hash, after a prefix and the salt:
//
//	$specter$<salt>$2a$12$…
//
// PBKDF2 uses the base64 text of the salt, not the decoded bytes. The next password
// change replaces the stored hash with a plain bcrypt hash.
const (
	specterPrefix = "$specter$"
	specterRounds = 10_000
	specterBytes  = 32
	// dummySalt is used for users who were not imported. Their passwords go through
	// the same steps, so that login times do not reveal which users were imported.
	dummySalt = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
	// maxSaltBytes is the maximum length of an imported salt. The salts of Specter
	// Desktop have 44 bytes.
	maxSaltBytes = 128
)

// maxTriedBytes is the maximum length of a password at login. It exceeds the limit
// for new passwords: an imported password may be longer, since PBKDF2, unlike
// bcrypt, reads all of it.
const maxTriedBytes = 1024

// splitHash splits a stored hash into the salt, which is empty unless the password
// was imported, and the bcrypt hash.
func splitHash(hashed string) (salt, bcryptHash string) {
	rest, ok := strings.CutPrefix(hashed, specterPrefix)
	if !ok {
		return "", hashed
	}
	salt, _, _ = strings.Cut(rest, "$")
	return salt, rest[len(salt):]
}

// specterHash returns Specter Desktop's hash of a password, in base64, because a
// zero byte would end the input of bcrypt.
func specterHash(password, salt string) ([]byte, error) {
	return pbkdf2Hash(password, salt, specterRounds)
}

func pbkdf2Hash(password, salt string, rounds int) ([]byte, error) {
	hash, err := pbkdf2.Key(sha256.New, password, []byte(salt), rounds, specterBytes)
	if err != nil {
		return nil, fmt.Errorf("hash a password: %w", err)
	}
	return base64.StdEncoding.AppendEncode(nil, hash), nil
}

// derive is pbkdf2Hash with the observer.
func (p *Passwords) derive(password, salt string, rounds int) ([]byte, error) {
	hash, err := pbkdf2Hash(password, salt, rounds)
	p.observe(HashOperation{"PBKDF2", rounds})
	return hash, err
}

// comparison returns the two arguments of a bcrypt comparison: the hash, against,
// and the input, secret. Against is nil if the password cannot match, because hashed
// is empty or the password is longer than bcrypt reads.
func (p *Passwords) comparison(hashed, password string) (against, secret []byte, err error) {
	salt, bcryptHash := splitHash(hashed)
	used, rounds := salt, specterRounds
	if salt == "" {
		used, rounds = dummySalt, p.dummyRounds
	}
	if secret, err = p.derive(password, used, rounds); err != nil {
		return nil, nil, err
	}
	switch {
	case hashed == "":
		return nil, secret, nil
	case salt != "":
		return []byte(bcryptHash), secret, nil
	case len(password) > maxPasswordBytes: // bcrypt would ignore the rest
		return nil, secret, nil
	}
	return []byte(bcryptHash), []byte(password), nil
}

// hashSpecter returns the stored hash of a password, given Specter Desktop's salt
// and hash. It returns an Invalid fault if these do not have the format of Specter
// Desktop.
func (p *Passwords) hashSpecter(ctx context.Context, address, salt string, hash []byte) (string, error) {
	if _, err := base64.StdEncoding.DecodeString(salt); err != nil || salt == "" || len(salt) > maxSaltBytes || strings.ContainsAny(salt, "\r\n") || len(hash) != specterBytes {
		return "", fault.New(fault.Invalid, "invalid_password_hash", "Specter Desktop does not use this password hash format")
	}
	hashed, err := p.hash(ctx, address, base64.StdEncoding.EncodeToString(hash))
	return specterPrefix + salt + hashed, err
}

// rehash returns a hash of a password that was just verified, with the configured
// cost and in the format of the existing hash.
func (p *Passwords) rehash(ctx context.Context, address, hashed, password string) (string, error) {
	salt, _ := splitHash(hashed)
	if salt == "" {
		return p.hash(ctx, address, password)
	}
	secret, err := p.derive(password, salt, specterRounds)
	if err != nil {
		return "", err
	}
	again, err := p.hash(ctx, address, string(secret))
	return specterPrefix + salt + again, err
}

// isDefaultOf reports whether hash is the hash of Specter Desktop's default
// password, which is the same as specterd's.
func isDefaultOf(salt string, hash []byte) bool {
	of, err := specterHash(DefaultPassword, salt)
	return err == nil && string(of) == base64.StdEncoding.EncodeToString(hash)
}
