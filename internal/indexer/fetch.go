package indexer

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/node/backend"
	"github.com/specterd/specterd/internal/wallet"
)

// partSize is the number of transactions that are written at a time while a long
// history is read. partsWaiting is the maximum number of parts that wait to be
// written, in addition to the one being written and the one being fetched. Before the
// first part is written, thousands of addresses may have to be derived; the queue
// keeps the node busy meanwhile.
const (
	partSize     = 1000
	partsWaiting = 8
)

// fetch gets transactions that the index does not have, and queues them for writing
// in chain order, so that the transactions whose outputs they spend are written
// before them. While one part is written, the next is fetched. The last part is
// added to u.
func (x *Indexer) fetch(ctx context.Context, w wallet.Wallet, n pendingChanges, states map[string]wallet.State, fresh []string, u *update) error {
	slices.SortFunc(fresh, func(a, b string) int { return inChain(n.seen[a], n.seen[b], a, b) })
	into := &partWriter{x: x, w: w, rescanned: n.rescanned}
	parts := make(chan *part, partsWaiting)
	last := &part{network: x.Network(), states: states}
	both, during := errgroup.WithContext(ctx)
	both.Go(func() error {
		for p := range parts {
			if err := into.write(during, p); err != nil {
				return err
			}
		}
		return nil
	})
	both.Go(func() error {
		defer close(parts)
		return x.Node.Wallet(w.CoreName).Transactions(during, fresh, func(t backend.Transaction) error {
			if err := last.add(t); err != nil {
				return err
			}
			// Unconfirmed transactions have no position in the chain, so they all
			// stay in the last part.
			if len(last.list) < partSize || states[t.Txid].Status != wallet.Confirmed {
				return nil
			}
			select {
			case parts <- last:
			case <-during.Done():
				return during.Err()
			}
			last = &part{network: last.network, states: states}
			return nil
		})
	})
	if err := both.Wait(); err != nil {
		return err
	}
	var err error
	u.Added, err = into.classified(ctx, last)
	return err
}

// inChain compares the positions of two transactions in the chain; unconfirmed
// transactions come last, ordered by time.
func inChain(a, b *observedTx, aID, bID string) int {
	if confirmed := a.Confirmations > 0; confirmed != (b.Confirmations > 0) {
		if confirmed {
			return -1
		}
		return 1
	}
	return cmp.Or(
		cmp.Compare(a.BlockHeight, b.BlockHeight), cmp.Compare(a.BlockIndex, b.BlockIndex),
		a.Time.Compare(b.Time), cmp.Compare(aID, bID),
	)
}

// part is a part of a wallet's history that is being indexed.
type part struct {
	network btc.Network
	states  map[string]wallet.State
	list    []wallet.Transaction
	raws    []raw    // of list
	theirs  []string // addresses that belong to the wallet according to Core
}

func (p *part) add(t backend.Transaction) error {
	if t.Missing { // the wallet has lost it since it was listed
		return nil
	}
	tx, err := btc.ParseTx(t.Raw)
	if err != nil || tx.Txid != t.Txid {
		return errInconsistent("transaction %s does not match its id: %w", t.Txid, errors.Join(err))
	}
	r := raw{Tx: tx, addresses: make([]string, len(tx.Outputs))}
	for i, output := range tx.Outputs {
		r.addresses[i] = btc.AddressOf(output.Script, p.network)
	}
	for _, d := range t.Details {
		if d.Category != backend.Send {
			p.theirs = append(p.theirs, d.Address)
		}
	}
	p.list = append(p.list, wallet.Transaction{
		Txid: t.Txid, Time: t.Time, ReceivedAt: t.Received, State: p.states[t.Txid], Raw: t.Raw,
	})
	p.raws = append(p.raws, r)
	return nil
}

// partWriter writes the parts of a wallet's history sequentially.
type partWriter struct {
	x *Indexer
	w wallet.Wallet // with its current range

	rescanned bool // see wallet.Change
}

func (t *partWriter) write(ctx context.Context, p *part) error {
	added, err := t.classified(ctx, p)
	if err != nil {
		return err
	}
	return t.x.Store.WriteIndex(ctx, []wallet.Change{{WalletID: t.w.ID, Added: added, Rescanned: t.rescanned}})
}

// classified returns a part's transactions, with the fields that depend on the
// wallet filled in.
func (t *partWriter) classified(ctx context.Context, p *part) ([]wallet.Transaction, error) {
	places, err := t.places(ctx, p)
	if err != nil {
		return nil, err
	}
	spent, err := t.spent(ctx, p, places)
	if err != nil {
		return nil, err
	}
	for i := range p.list {
		classify(&p.list[i], p.raws[i], ours{places: places, utxos: spent})
	}
	return p.list, nil
}

// places returns the addresses of a part that belong to the wallet, with their
// places. If an address belongs to the wallet according to Bitcoin Core but is not in
// the index, places first extends the wallet's range to Bitcoin Core's.
func (t *partWriter) places(ctx context.Context, p *part) (map[string]wallet.Place, error) {
	var all []string
	for _, r := range p.raws {
		all = append(all, r.addresses...)
	}
	slices.Sort(all)
	all = slices.DeleteFunc(slices.Compact(all), func(address string) bool { return address == "" })
	places, err := t.x.Store.OwnPlaces(ctx, t.w.ID, all)
	if err != nil || !slices.ContainsFunc(p.theirs, func(a string) bool { _, ok := places[a]; return !ok && a != "" }) {
		return places, err
	}
	descriptors, err := t.x.Node.Wallet(t.w.CoreName).Descriptors(ctx)
	if err != nil {
		return nil, err
	}
	last := 0
	for _, d := range descriptors {
		last = max(last, d.RangeEnd)
	}
	// The range must not exceed Bitcoin Core's, because Core would derive its whole
	// range again to extend it.
	if t.w, err = t.x.Wallets.ExtendRange(ctx, t.w, uint32(last)+1); err != nil {
		return nil, err
	}
	return t.x.Store.OwnPlaces(ctx, t.w.ID, all)
}

// spent returns the outputs of the wallet that the transactions of a part may spend,
// with their amounts: the wallet's indexed outputs that they spend, and the wallet's
// outputs of the part, which are not indexed yet.
func (t *partWriter) spent(ctx context.Context, p *part, places map[string]wallet.Place) (map[btc.Outpoint]btc.Amount, error) {
	var prevs []btc.Outpoint
	own := map[btc.Outpoint]btc.Amount{}
	for _, r := range p.raws {
		for i, output := range r.Outputs {
			if _, ok := places[r.addresses[i]]; ok {
				own[btc.Outpoint{Txid: r.Txid, Vout: uint32(i)}] = output.Amount
			}
		}
		for _, input := range r.Inputs {
			prevs = append(prevs, input.Outpoint)
		}
	}
	known, err := t.x.Store.OwnOutputs(ctx, t.w.ID, prevs)
	if err != nil {
		return nil, err
	}
	for at, amount := range own {
		known[at] = amount
	}
	return known, nil
}
