package v1alpha

import (
	"iter"

	"github.com/specterd/specterd/internal/wallet"
)

const (
	// maxKept is how many bytes of transactions a request keeps in memory.
	maxKept = 16 << 20
	// recordBytes is how many a record takes besides what is written out of it.
	recordBytes = 512
)

// history is the transactions of a wallet, which an answer has several times.
// They are read once, and then come from memory; unless they are too many: then
// they are read each time, and one that comes in between is only in the later
// parts of the answer.
type history struct {
	read  iter.Seq2[wallet.Record, error]
	kept  []record
	size  int  // of what was kept, in bytes
	whole bool // kept is all
}

// all yields the transactions, dead ones included, the latest first.
func (h *history) all() iter.Seq2[record, error] {
	return func(yield func(record, error) bool) {
		if h.whole {
			for _, r := range h.kept {
				if !yield(r, nil) {
					return
				}
			}
			return
		}
		h.kept, h.size = nil, 0
		var r record
		var err error
		for r.Record, err = range h.read {
			if err == nil {
				r.write()
			}
			if !yield(r, err) || err != nil {
				return
			}
			h.keep(&r)
		}
		h.whole = h.size <= maxKept
	}
}

// keep takes the record's memory, unless there is too much already.
func (h *history) keep(r *record) {
	if h.size > maxKept {
		return
	}
	if h.size += recordBytes + len(r.head) + len(r.tail); h.size > maxKept {
		h.kept = nil
		return
	}
	r.Raw = nil // it is in the head
	h.kept = append(h.kept, *r)
	r.head, r.tail = nil, nil
}
