package v1alpha

import (
	"iter"

	"golang.org/x/sync/semaphore"

	"github.com/specterd/specterd/internal/wallet"
)

const (
	// maxKept is the maximum size, in bytes, of the transactions that a request keeps in
	// memory, and maxKeptTotal of the transactions that all requests keep.
	maxKept      = 24 << 20
	maxKeptTotal = 96 << 20
	// recordBytes is the approximate size of a record, in bytes, without its raw form and its
	// conflicts.
	recordBytes = 640
)

// history contains the transactions of a wallet, each of which occurs several times in a
// response. It reads them once and keeps them in memory. If they exceed a limit, it keeps the
// needed ones, which occur most often, and reads all of them again for each other part of the
// response; if these exceed it, it keeps none. A transaction that arrives in between occurs
// only in the parts that are read later.
type history struct {
	read     iter.Seq2[[]wallet.Record, error]
	isNeeded func(*wallet.Record) bool
	limit    int64               // maximum of size
	total    *semaphore.Weighted // shared by all requests
	kept     [][]wallet.Record
	size     int64 // approximate size of the kept records, in bytes; acquired from total
	keeps    scope
	isRead   bool
}

// scope states which records a history keeps.
type scope int

const (
	keepsAll scope = iota
	keepsNeeded
	keepsNone
)

// all yields the transactions, including dead ones, the latest first.
func (h *history) all() iter.Seq2[*wallet.Record, error] { return h.records(keepsAll) }

// needed yields at least the needed transactions, the latest first.
func (h *history) needed() iter.Seq2[*wallet.Record, error] { return h.records(keepsNeeded) }

// records yields the kept records if they include the requested ones, and otherwise reads them.
func (h *history) records(requested scope) iter.Seq2[*wallet.Record, error] {
	return func(yield func(*wallet.Record, error) bool) {
		if h.isRead && h.keeps <= requested {
			for _, part := range h.kept {
				if !yieldAll(part, yield) {
					return
				}
			}
			return
		}
		for part, err := range h.read {
			if err != nil {
				yield(nil, err)
				return
			}
			if !yieldAll(part, yield) {
				return
			}
			if !h.isRead {
				h.keep(part)
			}
		}
		h.isRead = true
	}
}

func yieldAll(part []wallet.Record, yield func(*wallet.Record, error) bool) bool {
	for i := range part {
		if !yield(&part[i], nil) {
			return false
		}
	}
	return true
}

// keep keeps a part of the history as far as the limits permit.
func (h *history) keep(part []wallet.Record) {
	if h.keeps == keepsAll && h.add(part) {
		return
	}
	if h.keeps == keepsAll {
		before := h.kept
		h.drop()
		h.keeps = keepsNeeded
		for _, part := range before {
			h.keep(part)
		}
	}
	if h.keeps == keepsNeeded && !h.add(h.neededOf(part)) {
		h.drop()
		h.keeps = keepsNone
	}
}

// neededOf returns a copy of the needed records of a part.
func (h *history) neededOf(part []wallet.Record) []wallet.Record {
	var needed []wallet.Record
	for i := range part {
		if h.isNeeded(&part[i]) {
			needed = append(needed, part[i])
		}
	}
	return needed
}

// add keeps records and reports whether the limits permit it.
func (h *history) add(part []wallet.Record) bool {
	var size int64
	for i := range part {
		size += int64(recordBytes + len(part[i].Raw) + len(part[i].Conflicts)*recordBytes/8)
	}
	if h.size+size > h.limit || !h.total.TryAcquire(size) {
		return false
	}
	h.kept, h.size = append(h.kept, part), h.size+size
	return true
}

// drop drops the kept records.
func (h *history) drop() {
	h.total.Release(h.size)
	h.kept, h.size = nil, 0
}

// reset drops the kept records, so that the history is read again.
func (h *history) reset() {
	h.drop()
	h.keeps, h.isRead = keepsAll, false
}
