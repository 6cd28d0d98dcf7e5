package wallet

import (
	"container/heap"
	"context"
	"iter"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
)

// Filter selects transactions of a history; the zero value selects all except dead ones.
type Filter struct {
	Since, Until time.Time // zero for no limit; Until is exclusive
	Category     Category
	// MinAmount and MaxAmount limit the amount that a transaction adds to the wallet or takes
	// from it, without its sign; 0 for no limit.
	MinAmount, MaxAmount btc.Amount
	Label                string // of the transaction, of any of its outputs, or of an output's address; empty for any
	Address              string // of any of its outputs; empty for any
	// Unconfirmed excludes confirmed transactions.
	Unconfirmed bool
	// Dead includes replaced, conflicted and abandoned transactions.
	Dead bool
	// Ascending orders from the earliest to the latest.
	Ascending bool
	// Raw fills in the field Raw of the records, and Outputs the field Outputs.
	Raw, Outputs bool
}

// CheckAmounts returns a fault about one of two fields unless they have a range of amounts.
func (f Filter) CheckAmounts(minField, maxField string) error {
	switch {
	case f.MinAmount < 0 || f.MinAmount > btc.MaxMoney:
		return fault.InvalidField(minField, "must be between 0 and 21 million BTC")
	case f.MaxAmount < 0 || f.MaxAmount > btc.MaxMoney:
		return fault.InvalidField(maxField, "must be between 0 and 21 million BTC")
	case f.MaxAmount > 0 && f.MinAmount > f.MaxAmount:
		return fault.InvalidField(minField, "must not be higher than the highest amount")
	}
	return nil
}

// HistoryCursor is a position in a history, which is ordered from the latest time
// to the earliest and, within the same time, from the highest txid to the lowest;
// Ascending reverses this. The zero value is the beginning.
type HistoryCursor struct {
	Time     time.Time
	Txid     string
	WalletID string
}

// minPart and maxPart are the minimum and the maximum number of records of a wallet
// that are read at once. maxParts is the approximate number of records that are in
// memory while the histories of several wallets are merged.
const (
	minPart  = 10
	maxPart  = 1000
	maxParts = 4000
)

// Transactions returns a page of the history of a set of wallets, beginning after the
// given position, and the block up to which the history is known. A transaction between
// two of these wallets appears twice, once for each wallet.
func (s *Service) Transactions(ctx context.Context, set Set, f Filter, after HistoryCursor, limit int) ([]Record, Tip, error) {
	views, err := s.openSet(ctx, set)
	if err != nil {
		return nil, Tip{}, err
	}
	if f.Address, err = s.canonical(f.Address); err != nil {
		return nil, Tip{}, err
	}
	var page []Record
	for r, err := range merge(ctx, s.openHistories(views, f, after, limit), f.Ascending) {
		if err != nil {
			return nil, Tip{}, err
		}
		if page = append(page, r); len(page) == limit {
			break
		}
	}
	return page, furthestBehind(views).Synced, nil
}

// EachTransaction returns the block up to which the history of a set of wallets is known,
// and an iterator over the history, which does not hold it in memory. An error is yielded
// once, at the end.
func (s *Service) EachTransaction(ctx context.Context, set Set, f Filter) (Tip, iter.Seq2[Record, error], error) {
	views, err := s.openSet(ctx, set)
	if err != nil {
		return Tip{}, nil, err
	}
	if f.Address, err = s.canonical(f.Address); err != nil {
		return Tip{}, nil, err
	}
	return furthestBehind(views).Synced, func(yield func(Record, error) bool) {
		merge(ctx, s.openHistories(views, f, HistoryCursor{}, maxParts), f.Ascending)(yield)
	}, nil
}

// Transaction returns one transaction of a wallet with all details, or
// ErrTransactionNotFound.
func (s *Service) Transaction(ctx context.Context, access Access, txid string) (Record, error) {
	v, err := s.View(ctx, access, auth.RoleViewer)
	if err != nil {
		return Record{}, err
	}
	r, err := s.store.TransactionByID(ctx, v.ID, txid)
	r.isOf(&v)
	return r, err
}

// openHistories returns the histories of wallets from a position on. Wanted is the number
// of records that will be read from all of them together.
func (s *Service) openHistories(views []View, f Filter, after HistoryCursor, wanted int) []*walletHistory {
	histories := make([]*walletHistory, len(views))
	for i, v := range views {
		histories[i] = &walletHistory{
			after: after.in(v.ID, f.Ascending),
			size:  min(max(2*wanted/len(views), minPart), wanted, maxPart),
			limit: min(max(maxParts/len(views), 5*minPart), maxPart),
			read: func(ctx context.Context, after HistoryCursor, limit int) ([]Record, error) {
				part, err := s.store.Transactions(ctx, v.ID, f, after, limit)
				for i := range part {
					part[i].isOf(&v)
				}
				return part, err
			},
		}
	}
	return histories
}

// in converts c, a position in a merged history, to a position in the history of one
// wallet. In a merged history, records with the same time and txid are ordered by wallet
// id, ascending, or descending if the history is ascending. So a wallet with a higher id,
// or with a lower one if ascending, may still have to yield its record with the same time
// and txid.
func (c HistoryCursor) in(walletID string, ascending bool) HistoryCursor {
	if c == (HistoryCursor{}) {
		return c
	}
	switch {
	case !ascending && walletID > c.WalletID:
		c.Txid += "0" // sorts after c's own txid and before every greater one
	case ascending && walletID < c.WalletID:
		c.Txid = previousTxid(c.Txid)
	}
	c.WalletID = walletID
	return c
}

// previousTxid returns the preceding txid, regarded as a number; for the lowest one
// it returns an empty string, which sorts before all others.
func previousTxid(txid string) string {
	digits := []byte(txid)
	for i := len(digits) - 1; i >= 0; i-- {
		switch digits[i] {
		case '0':
			digits[i] = 'f'
			continue
		case 'a':
			digits[i] = '9'
		default:
			digits[i]--
		}
		return string(digits)
	}
	return ""
}

// before reports whether a precedes b in a merged history, which is ordered from
// the latest to the earliest.
func before(a, b *Record) bool {
	switch {
	case !a.Time.Equal(b.Time):
		return a.Time.After(b.Time)
	case a.Txid != b.Txid:
		return a.Txid > b.Txid
	}
	return a.WalletID < b.WalletID
}

// walletHistory is the history of one wallet, partly in memory.
type walletHistory struct {
	read  func(ctx context.Context, after HistoryCursor, limit int) ([]Record, error)
	after HistoryCursor // the last record that was read, or the start position
	part  []Record      // records that were read but not yet yielded
	size  int           // of the next read
	limit int           // maximum size of a read
	ended bool          // no more records to read
}

// fill reads records if none are left in memory, and reports whether there is a
// next record.
func (t *walletHistory) fill(ctx context.Context) (bool, error) {
	if len(t.part) > 0 || t.ended {
		return len(t.part) > 0, nil
	}
	part, err := t.read(ctx, t.after, t.size)
	if err != nil {
		return false, err
	}
	if t.ended = len(part) < t.size; len(part) > 0 {
		last := part[len(part)-1]
		t.after = HistoryCursor{Time: last.Time, Txid: last.Txid, WalletID: last.WalletID}
	}
	t.part, t.size = part, min(4*t.size, t.limit)
	return len(part) > 0, nil
}

// parts yields the records as they are read, from t.after on.
func (t *walletHistory) parts(ctx context.Context, yield func([]Record, error) bool) {
	for {
		more, err := t.fill(ctx)
		if err != nil {
			yield(nil, err)
			return
		}
		if !more || !yield(t.part, nil) {
			return
		}
		t.part = nil
	}
}

// merge yields the records of several histories in the order of one history.
func merge(ctx context.Context, histories []*walletHistory, ascending bool) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		heads := historyHeap{ascending: ascending}
		for _, t := range histories {
			more, err := t.fill(ctx)
			if err != nil {
				yield(Record{}, err)
				return
			}
			if more {
				heads.histories = append(heads.histories, t)
			}
		}
		heap.Init(&heads)
		for heads.Len() > 0 {
			first := heads.histories[0]
			if !yield(first.part[0], nil) {
				return
			}
			first.part = first.part[1:]
			more, err := first.fill(ctx)
			if err != nil {
				yield(Record{}, err)
				return
			}
			if more {
				heap.Fix(&heads, 0)
			} else {
				heap.Pop(&heads)
			}
		}
	}
}

// historyHeap is a heap (container/heap) of histories; the one with the next record is at
// the top.
type historyHeap struct {
	histories []*walletHistory
	ascending bool
}

func (h *historyHeap) Len() int { return len(h.histories) }
func (h *historyHeap) Less(i, j int) bool {
	if h.ascending {
		i, j = j, i
	}
	return before(&h.histories[i].part[0], &h.histories[j].part[0])
}

func (h *historyHeap) Swap(i, j int) { h.histories[i], h.histories[j] = h.histories[j], h.histories[i] }
func (h *historyHeap) Push(x any)    { h.histories = append(h.histories, x.(*walletHistory)) }
func (h *historyHeap) Pop() any {
	last := len(h.histories) - 1
	t := h.histories[last]
	h.histories = h.histories[:last]
	return t
}
