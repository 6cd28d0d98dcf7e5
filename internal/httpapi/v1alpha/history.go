package v1alpha

import (
	"iter"

	"github.com/specterd/specterd/internal/wallet"
)

const (
	// maxKept is the maximum size, in bytes, of the transactions that a request keeps in
	// memory.
	maxKept = 16 << 20
	// recordBytes is the approximate size of a record, in bytes, without its head and tail.
	recordBytes = 512
)

// history contains the transactions of a wallet, each of which occurs several times in a
// response. It reads them once and keeps them in memory. If they exceed the limit, it reads
// them each time; a transaction that arrives in between occurs only in the later parts of
// the response.
type history struct {
	read  iter.Seq2[wallet.Record, error]
	limit int // maximum of size
	kept  []*record
	size  int  // approximate size of the kept records, in bytes
	whole bool // whether kept contains all transactions
}

// all yields the transactions, including dead ones, the latest first. A record is valid
// only until the next one is yielded.
func (h *history) all() iter.Seq2[*record, error] {
	return func(yield func(*record, error) bool) {
		if h.whole {
			for _, r := range h.kept {
				if !yield(r, nil) {
					return
				}
			}
			return
		}
		h.kept, h.size = nil, 0
		r := &record{}
		var err error
		for r.Record, err = range h.read {
			if err == nil {
				r.write()
			}
			if !yield(r, err) || err != nil {
				return
			}
			if h.keep(r) {
				r = &record{}
			}
		}
		h.whole = h.size <= h.limit
	}
}

// keep adds r to the kept records, and reports whether it did. If that exceeds the limit,
// it drops all of them, and keeps no further records.
func (h *history) keep(r *record) bool {
	if h.size > h.limit {
		return false
	}
	if h.size += recordBytes + len(r.head) + len(r.tail); h.size > h.limit {
		h.kept = nil
		return false
	}
	r.Raw = nil // r.head contains it in hexadecimal
	h.kept = append(h.kept, r)
	return true
}
