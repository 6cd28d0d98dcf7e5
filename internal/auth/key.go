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

// MinKeyBytes is the minimum length of a signing key. HS256 accepts even an empty
// key.
const MinKeyBytes = 32

// Errors of signing keys.
var (
	// ErrKeyRetired is returned if the key that signed a new token, or the key to be
	// replaced by a rotation, is no longer the signing key.
	ErrKeyRetired = errors.New("the signing key was retired")
	// ErrKeyMissing is returned while this process lacks a required key.
	ErrKeyMissing = fault.New(fault.Unavailable, "signing_key_missing",
		"the server lacks the signing key of the token; see its log").WithRetryAfter(5 * time.Second)
)

// SigningKey is the metadata of a key, without the key itself. One key signs new
// tokens. Its predecessors are accepted until they are dropped, which is permanent.
type SigningKey struct {
	Fingerprint string
	CreatedAt   time.Time // when it began to sign
	RetiredAt   time.Time // when another key began to sign; zero for the signing key
	DroppedAt   time.Time // when it ceased to be accepted; zero if it is accepted
}

// Accepted reports whether tokens signed with the key are accepted.
func (k SigningKey) Accepted() bool { return k.DroppedAt.IsZero() }

// Signs reports whether new tokens are signed with the key.
func (k SigningKey) Signs() bool { return k.RetiredAt.IsZero() }

// KeyStore stores the metadata of signing keys.
type KeyStore interface {
	// SigningKeys returns all keys that were ever used, including retired and dropped ones, the current one first.
	SigningKeys(ctx context.Context) ([]SigningKey, error)
	// RotateKey makes to, which must never have been used, the signing key. It
	// returns ErrKeyRetired if from is not the current signing key.
	RotateKey(ctx context.Context, from, to string, e Event) error
	// DropKeys drops the retired keys without unexpired tokens or, if end is set,
	// all retired keys after deleting their tokens. It adds the event of each
	// dropped key to the audit log.
	DropKeys(ctx context.Context, end bool, event func(DroppedKey) Event) ([]DroppedKey, error)
}

// DroppedKey is a key that is no longer accepted.
type DroppedKey struct {
	Fingerprint string
	Ended       int // number of valid tokens that were revoked with the key, excluding their descendants
}

// Fingerprint identifies a signing key without revealing anything about it: 16
// hexadecimal digits of a SHA-256.
func Fingerprint(key []byte) string {
	sum := sha256.Sum256(append([]byte("specterd signing key\x00"), key...))
	return hex.EncodeToString(sum[:8])
}

// Keys are signing keys in the order in which they were given.
type Keys [][]byte

// ParseKeys parses a key file that has one key per line. If a line is shorter than
// MinKeyBytes, or if there is only one line, the whole text is a single key,
// including its line breaks. It returns an error if the text is shorter than
// MinKeyBytes.
func ParseKeys(text []byte) (Keys, error) {
	if len(text) < MinKeyBytes {
		return nil, fmt.Errorf("has %d bytes; a signing key must have at least %d", len(text), MinKeyBytes)
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

// Text returns the keys in the format of ParseKeys. It returns an error if the keys
// cannot be written in that format.
func (k Keys) Text() ([]byte, error) {
	text := bytes.Join(k, []byte("\n"))
	again, err := ParseKeys(text)
	if err != nil || len(again) != len(k) {
		return nil, errors.New("a signing key that contains a line break cannot be combined with others")
	}
	return text, nil
}

// Find returns the key with the given fingerprint, or nil.
func (k Keys) Find(fingerprint string) []byte {
	for _, key := range k {
		if Fingerprint(key) == fingerprint {
			return key
		}
	}
	return nil
}
