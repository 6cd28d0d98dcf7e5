package auth

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/specterd/specterd/internal/fault"
)

// MinKeyBytes is the shortest signing key. An empty one would sign and verify
// without complaint.
const MinKeyBytes = 32

// What can be wrong with signing keys.
var (
	// ErrKeyRetired is returned for a token that was signed with a key that does not
	// sign any more.
	ErrKeyRetired = errors.New("another signing key has taken over")
	// ErrKeyMissing is returned while this process lacks a key that it should have.
	ErrKeyMissing = fault.New(fault.Unavailable, "signing_key_missing",
		"this specterd lacks the key that the token was, or is to be, signed with; look at its log").After(5 * time.Second)
)

// SigningKey is what is known of a key: all but the key itself. One signs; those
// before it are accepted until they are dropped, which they are for ever.
type SigningKey struct {
	Fingerprint string
	CreatedAt   time.Time // since when it signs
	RetiredAt   time.Time // since when another one does; zero for the one that signs
	DroppedAt   time.Time // since when it is not accepted; zero while it is
}

// Accepted reports whether tokens that were signed with the key are accepted.
func (k SigningKey) Accepted() bool { return k.DroppedAt.IsZero() }

// Signs reports whether new tokens are signed with the key.
func (k SigningKey) Signs() bool { return k.RetiredAt.IsZero() }

// KeyStore says which keys there are.
type KeyStore interface {
	// SigningKeys returns all that were ever used, the one that signs first.
	SigningKeys(ctx context.Context) ([]SigningKey, error)
	// RotateKey has another key sign from now on, one that was never used. It returns
	// ErrKeyRetired where the key that signs is not the one that it is said to be.
	RotateKey(ctx context.Context, from, to string, e Event) error
	// DropKeys drops the keys that have retired: those of which no token is left that
	// has not ended or, where end is set, all, and deletes their tokens. It tells of each
	// in the audit record.
	DropKeys(ctx context.Context, end bool, event func(DroppedKey) Event) ([]DroppedKey, error)
}

// DroppedKey is a key that is not accepted any more.
type DroppedKey struct {
	Fingerprint string
	Ended       int // tokens that ended because of it, without those made with them
}

// Fingerprint tells signing keys apart without giving anything of them away: 16
// hexadecimal digits of a SHA-256.
func Fingerprint(key []byte) string {
	sum := sha256.Sum256(append([]byte("specterd signing key\x00"), key...))
	return hex.EncodeToString(sum[:8])
}

// Keys are signing keys in the order in which they were given.
type Keys [][]byte

// ParseKeys reads what people keep keys in: one on each line, or a single one,
// which may have line ends in it or behind it.
func ParseKeys(text []byte) (Keys, error) {
	if len(text) < MinKeyBytes {
		return nil, fmt.Errorf("has %d bytes, and a signing key needs at least %d", len(text), MinKeyBytes)
	}
	var keys Keys
	for line := range bytes.Lines(text) {
		line = bytes.TrimRight(line, "\r\n")
		if len(line) < MinKeyBytes {
			return Keys{text}, nil
		}
		keys = append(keys, line)
	}
	if len(keys) == 1 {
		return Keys{text}, nil
	}
	return keys, nil
}

// Text returns the keys as ParseKeys reads them, or an error where it could not.
func (k Keys) Text() ([]byte, error) {
	text := bytes.Join(k, []byte("\n"))
	again, err := ParseKeys(text)
	if err != nil || len(again) != len(k) {
		return nil, errors.New("a signing key with a line end in it cannot stand beside another")
	}
	return text, nil
}

// Find returns the key of a fingerprint, or nil.
func (k Keys) Find(fingerprint string) []byte {
	for _, key := range k {
		if Fingerprint(key) == fingerprint {
			return key
		}
	}
	return nil
}
