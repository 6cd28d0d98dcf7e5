package btc

import (
	"encoding/binary"
	"errors"
)

// What keeps a Reader from reading on.
var (
	ErrShort   = errors.New("it ends too early")
	ErrCompact = errors.New("it has a length or a count that is not as short as possible")
	ErrTrailer = errors.New("something follows its end")
)

// Reader reads Bitcoin's serialization, one thing after the other. After its first
// error it reads nothing but zeros. It never allocates, and what it returns shares
// the memory of what is read, so that a few bytes cannot claim a lot of memory.
type Reader struct {
	rest []byte
	err  error
}

// NewReader returns a Reader of raw.
func NewReader(raw []byte) Reader { return Reader{rest: raw} }

// Rest returns what was not read yet; nothing after an error.
func (r *Reader) Rest() []byte { return r.rest }

// Err returns the first error.
func (r *Reader) Err() error { return r.err }

// Fail has err be the first error, unless there was one.
func (r *Reader) Fail(err error) {
	if r.err == nil {
		r.err = err
	}
	r.rest = nil
}

// Done returns what went wrong, which includes that something is left.
func (r *Reader) Done() error {
	if r.err == nil && len(r.rest) > 0 {
		return ErrTrailer
	}
	return r.err
}

// Take returns the next n bytes, or none.
func (r *Reader) Take(n uint64) []byte {
	if r.err != nil || n > uint64(len(r.rest)) {
		r.Fail(ErrShort)
		return nil
	}
	taken := r.rest[:n:n]
	r.rest = r.rest[n:]
	return taken
}

// Uint32 reads four bytes, the lowest first.
func (r *Reader) Uint32() uint32 {
	if b := r.Take(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

// Uint64 reads eight bytes, the lowest first.
func (r *Reader) Uint64() uint64 {
	if b := r.Take(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

// CompactSize reads a number that has to be as short as possible.
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

// Count reads how many things of so many bytes or more follow. There cannot be
// more than there is room for.
func (r *Reader) Count(minBytes int) int {
	n := r.CompactSize()
	if r.err != nil || n > uint64(len(r.rest)/minBytes) { //nolint:gosec // not negative
		r.Fail(ErrShort)
		return 0
	}
	return int(n) //nolint:gosec // less than there are bytes
}
