package v1alpha

import (
	"iter"

	"github.com/specterd/specterd/internal/wallet"
)

const (
	// maxKept is how many bytes of transactions a request may keep in memory.
	maxKept = 16 << 20
	// recordBytes is how many a record takes besides what is written out of it.
	recordBytes = 512
)

// history contains the transactions of a wallet, which occur several times in a
// response. They are read once and kept in memory. If they exceed the limit, they are
// read each time, and a transaction that arrives in between occurs only in the later
// parts of the response.
type history struct {
	read  iter.Seq2[wallet.Record, error]
	limit int // of bytes in memory
	kept  []*record
	size  int  // of the kept records, in bytes
	whole bool // kept is all
}

// all yields the transactions, dead ones included, the latest first. A record is
// good until the next one comes.
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

// keep takes the record, unless there is too much already.
func (h *history) keep(r *record) bool {
	if h.size > h.limit {
		return false
	}
	if h.size += recordBytes + len(r.head) + len(r.tail); h.size > h.limit {
		h.kept = nil
		return false
	}
	r.Raw = nil // it is in the head
	h.kept = append(h.kept, r)
	return true
}
