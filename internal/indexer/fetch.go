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

// partSize is how many transactions are written at a time while a long history
// is read, and partsWaiting how many parts of it wait to be written, with a part
// that is being written and one that comes in. The first part may wait for
// thousands of addresses to be derived; the node is not to be idle meanwhile.
const (
	partSize     = 1000
	partsWaiting = 8
)

// fetch gets transactions that the index does not have, and has them written in
// the order of the chain, so that what a transaction spends is known before it.
// While one part is written, the next is fetched. The last part goes into u.
func (f *Follower) fetch(ctx context.Context, w wallet.Wallet, n news, states map[string]wallet.State, fresh []string, u *update) error {
	slices.SortFunc(fresh, func(a, b string) int { return inChain(n.seen[a], n.seen[b], a, b) })
	into := &partWriter{f: f, w: w}
	parts := make(chan *part, partsWaiting)
	last := &part{network: f.Network(), states: states}
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
		return f.Node.Wallet(w.CoreName).Transactions(during, fresh, func(t backend.Transaction) error {
			if err := last.add(t); err != nil {
				return err
			}
			// What is unconfirmed has no order, and stays together.
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

// inChain compares by the place in the chain; what is not in it comes last, in
// the order of time.
func inChain(a, b *sighting, aID, bID string) int {
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

// part is a part of a wallet's history on its way into the index.
type part struct {
	network btc.Network
	states  map[string]wallet.State
	list    []wallet.Transaction
	raws    []raw    // of list
	theirs  []string // addresses that Core has as the wallet's
}

func (p *part) add(t backend.Transaction) error {
	if t.Missing { // gone between two calls
		return nil
	}
	tx, err := btc.ParseTx(t.Raw)
	if err != nil || tx.Txid != t.Txid {
		return errNonsense("transaction %s is another one: %w", t.Txid, errors.Join(err))
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

// partWriter writes the parts of a wallet's history, one after the other.
type partWriter struct {
	f *Follower
	w wallet.Wallet // with its range as it is by now
}

func (t *partWriter) write(ctx context.Context, p *part) error {
	added, err := t.classified(ctx, p)
	if err != nil {
		return err
	}
	return t.f.Store.WriteIndex(ctx, []wallet.Change{{WalletID: t.w.ID, Added: added}})
}

// classified returns a part's transactions with all that they are to the wallet.
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
		classify(&p.list[i], p.raws[i], ours{places: places, coins: spent})
	}
	return p.list, nil
}

// places returns which addresses of a part are the wallet's. Where Core has more
// of them, because it has derived further, so do we.
func (t *partWriter) places(ctx context.Context, p *part) (map[string]wallet.Place, error) {
	var all []string
	for _, r := range p.raws {
		all = append(all, r.addresses...)
	}
	slices.Sort(all)
	all = slices.DeleteFunc(slices.Compact(all), func(address string) bool { return address == "" })
	places, err := t.f.Store.OwnPlaces(ctx, t.w.ID, all)
	if err != nil || !slices.ContainsFunc(p.theirs, func(a string) bool { _, ok := places[a]; return !ok && a != "" }) {
		return places, err
	}
	descriptors, err := t.f.Node.Wallet(t.w.CoreName).Descriptors(ctx)
	if err != nil {
		return nil, err
	}
	last := 0
	for _, d := range descriptors {
		last = max(last, d.RangeEnd)
	}
	// As far as Core and no further: it would derive everything anew.
	if t.w, err = t.f.Keeper.EnsureRange(ctx, t.w, uint32(max(0, last-wallet.Lookahead))); err != nil {
		return nil, err
	}
	return t.f.Store.OwnPlaces(ctx, t.w.ID, all)
}

// spent returns which outputs that a part spends are the wallet's.
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
	known, err := t.f.Store.OwnOutputs(ctx, t.w.ID, prevs)
	if err != nil {
		return nil, err
	}
	for at, amount := range own {
		known[at] = amount
	}
	return known, nil
}
