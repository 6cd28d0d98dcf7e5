package btc

import (
	"encoding/binary"
	"errors"
)

// Errors of a Reader.
var (
	ErrShort   = errors.New("unexpected end of data")
	ErrCompact = errors.New("a length or count is not in its shortest encoding")
	ErrTrailer = errors.New("unexpected trailing data")
)

// Reader reads Bitcoin's serialization sequentially. After its first error it
// returns only zero values. It never allocates, and its results share the memory of
// the input, so that a small input cannot claim much memory.
type Reader struct {
	rest []byte
	err  error
}

// NewReader returns a Reader of raw.
func NewReader(raw []byte) Reader { return Reader{rest: raw} }

// Rest returns the unread input, or nil after an error.
func (r *Reader) Rest() []byte { return r.rest }

// Err returns the first error, or nil.
func (r *Reader) Err() error { return r.err }

// Fail sets the first error, unless there was an earlier one.
func (r *Reader) Fail(err error) {
	if r.err == nil {
		r.err = err
	}
	r.rest = nil
}

// Done returns the first error, or ErrTrailer if input remains.
func (r *Reader) Done() error {
	if r.err == nil && len(r.rest) > 0 {
		return ErrTrailer
	}
	return r.err
}

// Take returns the next n bytes. If fewer remain, it fails with ErrShort and returns nil.
func (r *Reader) Take(n uint64) []byte {
	if r.err != nil || n > uint64(len(r.rest)) {
		r.Fail(ErrShort)
		return nil
	}
	taken := r.rest[:n:n]
	r.rest = r.rest[n:]
	return taken
}

// Uint32 reads four bytes, little-endian.
func (r *Reader) Uint32() uint32 {
	if b := r.Take(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

// Uint64 reads eight bytes, little-endian.
func (r *Reader) Uint64() uint64 {
	if b := r.Take(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

// CompactSize reads a number in Bitcoin's variable-length encoding. It fails with
// ErrCompact if the encoding is not the shortest one.
func (r *Reader) CompactSize() uint64 {
	first := r.Take(1)
	if first == nil {
		return 0
	}
	if first[0] < 0xfd {
		return uint64(first[0])
	}
	width := uint64(2) << (first[0] - 0xfd) // 2, 4 or 8 bytes
	var wide [8]byte
	copy(wide[:], r.Take(width))
	n := binary.LittleEndian.Uint64(wide[:])
	if n < 0xfd || width > 2 && n>>(4*width) == 0 {
		r.Fail(ErrCompact)
	}
	return n
}

// Count reads the number of elements that follow, each of at least minBytes. It fails
// with ErrShort if the remaining input is too short for them.
func (r *Reader) Count(minBytes int) int {
	n := r.CompactSize()
	if r.err != nil || n > uint64(len(r.rest)/minBytes) { //nolint:gosec // not negative
		r.Fail(ErrShort)
		return 0
	}
	return int(n) //nolint:gosec // less than there are bytes
}
