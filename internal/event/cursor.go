package event

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"strconv"

	"github.com/specterd/specterd/internal/fault"
)

var (
	errAfter = fault.InvalidField("after", "must be an id or the next_after of an earlier response, or latest")
	// ErrPruned is returned for a position before the oldest event, or in a database that
	// was replaced by a backup.
	ErrPruned = fault.New(fault.Gone, "events_pruned", "events after this position were deleted, or the database was restored from a backup; read the current state, and continue with after=latest")
)

// Latest is the position of a reader that wants only new events.
const Latest = "latest"

// isRelative reports whether a position depends on the events that exist: the empty text is
// before the oldest one.
func isRelative(text string) bool { return text == "" || text == Latest }

// resolve returns the position that a relative text stands for.
func resolve(text string, b Bounds) int64 {
	if text == Latest {
		return b.Last
	}
	return b.First - 1
}

// parseNumber parses a position among the events of a wallet that is not relative.
func parseNumber(text string) (after int64, err error) {
	after, err = strconv.ParseInt(text, 10, 64)
	if err != nil || after < 0 || strconv.FormatInt(after, 10) != text {
		return 0, errAfter
	}
	return after, nil
}

// sealer encrypts positions in the log of all users. A plain position would tell a user how
// many events others have.
type sealer struct {
	ids   cipher.Block // encrypts the position of an event of the user: always to the same text
	marks cipher.AEAD  // encrypts any position: to another text each time
}

func newSealer(key []byte) (s sealer, err error) {
	if s.ids, err = aes.NewCipher(key); err != nil {
		return s, err
	}
	ofMarks := sha256.Sum256(append([]byte("marks"), key...))
	block, err := aes.NewCipher(ofMarks[:])
	if err != nil {
		return s, err
	}
	s.marks, err = cipher.NewGCMWithRandomNonce(block)
	return s, err
}

// seal returns the position of an event of the user as text that only this user can use.
func (s sealer) seal(userID string, seq int64) string {
	var b [aes.BlockSize]byte
	binary.BigEndian.PutUint64(b[:8], uint64(seq)) //nolint:gosec // not negative
	copy(b[8:], tagOf(userID))
	s.ids.Encrypt(b[:], b[:])
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// mark returns a position as text that only the same user can use. It may be the end of the
// log, of which most events belong to others; the text must not show that the end has moved.
func (s sealer) mark(userID string, seq int64) string {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(seq)) //nolint:gosec // not negative
	return base64.RawURLEncoding.EncodeToString(s.marks.Seal(nil, nil, b[:], []byte(userID)))
}

// open returns the position in a text from seal or mark. It returns ErrPruned if the text
// belongs to another user, or is from before a restore, which replaces the key.
func (s sealer) open(userID, text string) (after int64, err error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	switch {
	case err == nil && len(b) == aes.BlockSize:
		s.ids.Decrypt(b, b)
		if string(b[8:]) != string(tagOf(userID)) {
			return 0, ErrPruned
		}
	case err == nil && len(b) == 8+s.marks.Overhead():
		if b, err = s.marks.Open(nil, nil, b, []byte(userID)); err != nil {
			return 0, ErrPruned
		}
	default:
		return 0, errAfter
	}
	return int64(binary.BigEndian.Uint64(b[:8])), nil //nolint:gosec // from seal or mark
}

// tagOf returns 8 bytes that depend on the user.
func tagOf(userID string) []byte {
	sum := sha256.Sum256([]byte(userID))
	return sum[:8]
}
