// Package replay compares the events of a wallet with its index, for tests.
package replay

import (
	"context"
	"fmt"

	"github.com/specterd/specterd/internal/event"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/wallet"
)

// Wallet is the state of a wallet according to its events. It reads each event once.
type Wallet struct {
	state event.State
	err   error // in the events; no later event can correct it
}

// Store is the database with the events and the index.
type Store interface {
	EventsOfWallet(ctx context.Context, walletID string, after int64, kinds []event.Kind, limit int) ([]event.Event, event.Bounds, error)
	Transactions(ctx context.Context, walletID string, f wallet.Filter, after wallet.HistoryCursor, limit int) ([]wallet.Record, error)
	Proposals(ctx context.Context, walletID string, f proposal.Filter, after proposal.Cursor, limit int) ([]proposal.Proposal, error)
	WalletByID(ctx context.Context, id string) (wallet.Wallet, error)
}

// Differences applies the events since the last call, and returns how the result differs
// from the transactions and proposals in the index. The store may be written meanwhile, so
// that a difference may disappear.
func (r *Wallet) Differences(ctx context.Context, s Store, walletID string) (wrong []string) {
	const all = 1 << 20
	if r.state.Transactions == nil {
		r.state = event.NewState()
	}
	events, _, err1 := s.EventsOfWallet(ctx, walletID, r.state.N, nil, all)
	records, err2 := s.Transactions(ctx, walletID, wallet.Filter{Dead: true}, wallet.HistoryCursor{}, all)
	proposals, err3 := s.Proposals(ctx, walletID, proposal.Filter{}, proposal.Cursor{}, all)
	w, err4 := s.WalletByID(ctx, walletID)
	for _, err := range []error{err1, err2, err3, err4} {
		if err != nil {
			return []string{err.Error()}
		}
	}
	for _, e := range events {
		if r.err == nil {
			r.err = r.state.Apply(e)
		}
	}
	if r.err != nil {
		return []string{r.err.Error()}
	}
	wrong = r.compareTransactions(records, w.Synced.Height)
	for _, p := range proposals {
		if status := r.state.Proposals[p.ID]; status != string(p.Status) {
			wrong = append(wrong, fmt.Sprintf("by its events, the proposal %s is %q, not %q", p.ID, status, p.Status))
		}
	}
	if len(r.state.Proposals) != len(proposals) {
		wrong = append(wrong, fmt.Sprintf("there are events of %d proposals, not %d", len(r.state.Proposals), len(proposals)))
	}
	return wrong
}

func (r *Wallet) compareTransactions(records []wallet.Record, tip int) (wrong []string) {
	differ := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	for _, t := range records {
		state, ok := r.state.Transactions[t.Txid]
		if !ok {
			continue // imported, and unchanged since
		}
		height, hash := t.BuriedAt, ""
		if t.Block != nil {
			height, hash = t.Block.Height, t.Block.Hash
		}
		known := 0
		if state.Height != nil {
			known = *state.Height
		}
		if state.Status != string(t.Status) || known != height || state.Hash != hash {
			differ("by its events, the transaction %s is %s %d %s, not %s %d %s", t.Txid, state.Status, known, state.Hash, t.Status, height, hash)
		}
		if t.Block != nil && !r.state.Final[t.Txid] && tip-height+1 >= wallet.DefaultFinalAfter {
			differ("the transaction %s in block %d has no event transaction.final at block %d", t.Txid, height, tip)
		}
	}
	if n := int(r.state.Imported) + len(r.state.Announced); n != len(records) {
		differ("%d transactions were imported or announced by events, not %d", n, len(records))
	}
	return wrong
}
