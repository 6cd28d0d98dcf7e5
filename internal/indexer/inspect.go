package indexer

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/node/backend"
	"github.com/specterd/specterd/internal/node/rpcclient"
	"github.com/specterd/specterd/internal/wallet"
)

const (
	// maxProbe is how long an answer may be that is had in memory whole, in bytes.
	maxProbe = 4 << 20
	// finalDepth is how deep a conflict has to be buried for a transaction not to
	// be asked for any more: that of a reorganization that nobody has seen.
	finalDepth = 100
)

// update is a wallet's change, and what to do when it is written.
type update struct {
	wallet.Change
	written func()
}

// sighting is a transaction as the node told of it.
type sighting struct {
	backend.State
	abandoned bool
	removed   bool // it was in a block that the chain has lost, and that is all that was told
}

func (s *sighting) add(e backend.Entry) {
	if e.Removed && !s.removed && s.Replaceable != "" {
		return // it is in another block
	}
	abandoned := s.abandoned
	*s = sighting{State: e.State, removed: e.Removed, abandoned: abandoned || e.Abandoned || e.Category == backend.Orphan}
}

// news is what a wallet has that the index may not have.
type news struct {
	info   backend.Info
	locked []btc.Outpoint
	seen   map[string]*sighting // by txid
	tip    wallet.Tip
	// rewrite has all of seen written anew, known or not.
	rewrite bool
}

// inspect returns what became of a wallet; nil where there is nothing to write.
func (f *Follower) inspect(ctx context.Context, w wallet.Wallet) (*update, error) {
	if w.Stage != wallet.Ready {
		if w.Stage == wallet.Creating && (f.Now().Sub(w.CreatedAt) < unfinishedAge || !f.Watch.Settled()) {
			return nil, nil //nolint:nilnil // somebody is at work on it
		}
		return nil, f.Keeper.Finish(ctx, w)
	}
	done, err := f.looks.Take(ctx, w.ID)
	if err != nil {
		return nil, err
	}
	defer done()
	if f.scans.isExtending(w.ID) {
		return nil, nil //nolint:nilnil // Core answers nothing about this wallet meanwhile, and the others would wait for it
	}
	// Core derives as far past what is used by itself, so that this asks nothing of
	// it in the middle of a scan, when it would refuse.
	w, err = f.Keeper.EnsureRange(ctx, w, max(w.ReceiveNext, w.ChangeNext, 1)-1)
	if err != nil {
		return nil, fmt.Errorf("extend the range of wallet %s: %w", w.ID, err)
	}
	n, err := f.look(ctx, w)
	if errors.Is(err, backend.ErrWalletNotLoaded) {
		if err = f.restore(ctx, w); err == nil {
			n, err = f.look(ctx, w)
		}
	}
	if err != nil {
		return nil, err
	}
	scanned := f.followScan(ctx, w, n.info.Scan)
	u := &update{Change: wallet.Change{WalletID: w.ID, Locked: n.locked, CoreInfo: string(n.info.Raw)}}
	if err := f.lockFrozen(ctx, w, u.Locked); err != nil {
		return nil, err
	}
	unlocked, err := f.Reserver.Reconcile(ctx, w, u.Locked)
	if err != nil {
		return nil, err
	}
	u.Locked = slices.DeleteFunc(u.Locked, func(at btc.Outpoint) bool { return slices.Contains(unlocked, at) })
	if err := f.compare(ctx, w, n, u); err != nil {
		return nil, err
	}
	if scanned {
		u.written = func() { f.scanWritten(ctx, w) }
	}
	return u, nil
}

// restore has Core load the wallet, or make it anew where it lost it.
func (f *Follower) restore(ctx context.Context, w wallet.Wallet) error {
	created, err := f.Provider.Provide(ctx, w.CoreName, w.Receive, w.Change, w.RangeEnd)
	if err != nil {
		return fmt.Errorf("have the node load wallet %s: %w", w.ID, err)
	}
	f.Log.InfoContext(ctx, "the node had a wallet not loaded", "wallet_id", w.ID, "made_anew", created)
	if !created {
		return nil
	}
	_, err = f.Store.EditWallet(ctx, w.ID, func(e *wallet.Edit) error {
		e.StartScan(e.Birth)
		return nil
	})
	return err
}

// look asks the node what there is since the block that the index is at; for all
// there is where it is at none, where a scan has found more in old blocks, or
// where the node has more transactions than it told of.
func (f *Follower) look(ctx context.Context, w wallet.Wallet) (news, error) {
	likely, err := f.Node.Tip(ctx)
	if err != nil {
		return news{}, err
	}
	since, rewrite := w.Synced.Hash, w.Synced.Height < 0 || f.scans.isDone(w)
	if rewrite {
		since = ""
	}
	n, last, err := f.list(ctx, w, since)
	if errors.Is(err, backend.ErrBlockNotFound) { // another chain than it was, or a node that began anew
		rewrite = true
		n, last, err = f.list(ctx, w, "")
	}
	if err != nil {
		return news{}, err
	}
	if !rewrite && since != "" {
		more, err := f.hasMore(ctx, w, n)
		if err != nil {
			return news{}, err
		}
		if more {
			if n, last, err = f.list(ctx, w, ""); err != nil {
				return news{}, err
			}
		}
	}
	n.rewrite = rewrite
	n.tip, err = f.tipOf(ctx, last, likely)
	return n, err
}

// list asks for what there is since a block; for all where that is empty.
func (f *Follower) list(ctx context.Context, w wallet.Wallet, since string) (n news, last string, err error) {
	c := f.Node.Wallet(w.CoreName)
	n.seen = map[string]*sighting{}
	add := func(e backend.Entry) error {
		s := n.seen[e.Txid]
		if s == nil {
			s = &sighting{}
			n.seen[e.Txid] = s
		}
		s.add(e)
		return nil
	}
	if since != "" {
		probe, err := c.Probe(ctx, since, maxProbe)
		if err == nil {
			for _, e := range probe.Entries {
				_ = add(e)
			}
			n.info, n.locked = probe.Info, probe.Locked
			return n, probe.LastBlock, nil
		}
		if !errors.Is(err, backend.ErrProbeTooLong) {
			return n, "", err
		}
	}
	if n.info, err = c.Info(ctx); err != nil { // before the list, so that this has as many at least
		return n, "", err
	}
	if n.locked, err = c.ListLocked(ctx); err != nil {
		return n, "", err
	}
	last, err = c.ListSinceBlock(ctx, since, add)
	return n, last, err
}

// hasMore reports whether the node has more new transactions than it told of, as
// it does when somebody had it look through old blocks.
func (f *Follower) hasMore(ctx context.Context, w wallet.Wallet, n news) (bool, error) {
	if int(n.info.Transactions) <= w.CoreTxCount {
		return false, nil
	}
	known, err := f.Store.States(ctx, w.ID, slices.Collect(maps.Keys(n.seen)))
	return int(n.info.Transactions) > w.CoreTxCount+len(n.seen)-len(known), err
}

// compare finds out what of the news the index does not have, and has it written
// up to a last part, which it puts into u.
func (f *Follower) compare(ctx context.Context, w wallet.Wallet, n news, u *update) error {
	known := map[string]wallet.State{}
	var err error
	if !n.rewrite {
		if known, err = f.Store.States(ctx, w.ID, slices.Collect(maps.Keys(n.seen))); err != nil {
			return err
		}
	}
	if err := f.askAgain(ctx, w, n, known); err != nil {
		return err
	}
	states, err := f.states(ctx, w.ID, n)
	if err != nil {
		return err
	}
	u.Changed = map[string]wallet.State{}
	var fresh []string
	for txid, state := range states {
		was, ok := known[txid]
		switch {
		case !ok:
			fresh = append(fresh, txid)
		case !sameState(was, state):
			u.Changed[txid] = state
		}
	}
	u.Synced, u.CoreTxCount = &n.tip, max(int(n.info.Transactions), w.CoreTxCount+len(fresh))
	if n.rewrite {
		u.CoreTxCount = int(n.info.Transactions)
	}
	if len(fresh) == 0 {
		return nil
	}
	return f.fetch(ctx, w, n, states, fresh, u)
}

// askAgain adds to the news what listsinceblock does not tell: what became of
// transactions that the index has as unconfirmed, or as in conflict, or as in a
// block that is gone, and that are not in its answer; and those that are in
// conflict with one that is. A payment to us that its sender takes back, or
// replaces, is never told of otherwise.
func (f *Follower) askAgain(ctx context.Context, w wallet.Wallet, n news, known map[string]wallet.State) error {
	unsettled, err := f.Store.Unsettled(ctx, w.ID, n.tip.Height-finalDepth)
	if err != nil {
		return err
	}
	again := map[string]bool{}
	for txid, state := range unsettled {
		if n.seen[txid] == nil && (state.Status != wallet.Conflicted || n.tip != w.Synced) {
			again[txid] = true
			known[txid] = state
		}
	}
	var rivals []string
	for txid, s := range n.seen {
		if s.removed {
			again[txid] = true
		}
		rivals = append(rivals, s.WalletConflicts...)
	}
	rivals = slices.DeleteFunc(rivals, func(txid string) bool { return n.seen[txid] != nil || again[txid] })
	had, err := f.Store.States(ctx, w.ID, rivals)
	if err != nil {
		return err
	}
	for _, txid := range rivals {
		if _, ok := had[txid]; !ok || n.rewrite {
			again[txid] = true
		}
	}
	return f.Node.Wallet(w.CoreName).Transactions(ctx, slices.Sorted(maps.Keys(again)), func(t backend.Transaction) error {
		n.seen[t.Txid] = &sighting{State: t.State, abandoned: t.Abandoned || t.Missing || isOrphan(t)}
		return nil
	})
}

func isOrphan(t backend.Transaction) bool {
	return slices.ContainsFunc(t.Details, func(d backend.Detail) bool { return d.Category == backend.Orphan })
}

// states works out the states of all that was seen.
func (f *Follower) states(ctx context.Context, walletID string, n news) (map[string]wallet.State, error) {
	states := make(map[string]wallet.State, len(n.seen))
	var waiting []string
	for txid, s := range n.seen {
		states[txid] = stateOf(s, n.tip)
		if states[txid].Status == wallet.Inactive {
			waiting = append(waiting, txid)
		}
	}
	slices.Sort(waiting)
	in, err := f.Node.InMempool(ctx, waiting)
	if err != nil {
		return nil, err
	}
	for i, txid := range waiting {
		if in[i] {
			s := states[txid]
			s.Status = wallet.InMempool
			states[txid] = s
		}
	}
	for txid, state := range states {
		f.waiting.note(txid, walletID, state.Status)
	}
	return states, nil
}

// stateOf returns a transaction's state, with what is in the mempool as inactive.
func stateOf(s *sighting, tip wallet.Tip) wallet.State {
	state := wallet.State{
		Status: wallet.Inactive, Replaceable: s.Replaceable, Trusted: s.Trusted || s.Confirmations > 0,
		Conflicts: conflicts(s.State),
	}
	if state.Replaceable == "" {
		state.Replaceable = "unknown"
	}
	switch {
	case s.Confirmations > 0:
		state.Status = wallet.Confirmed
		state.Block = &wallet.Block{Height: int(s.BlockHeight), Hash: s.BlockHash, Time: s.BlockTime}
	case s.Confirmations < 0:
		state.Status, state.BuriedAt = wallet.Conflicted, tip.Height+1+int(s.Confirmations)
	case s.abandoned:
		state.Status = wallet.Abandoned
	case len(s.MempoolConflicts) > 0:
		state.Status = wallet.Replaced
	}
	return state
}

func conflicts(s backend.State) []string {
	all := slices.Concat(s.WalletConflicts, s.MempoolConflicts)
	slices.Sort(all)
	return slices.Compact(all)
}

func sameState(a, b wallet.State) bool {
	sameBlock := (a.Block == nil) == (b.Block == nil) && (a.Block == nil || a.Block.Hash == b.Block.Hash)
	return sameBlock && a.Status == b.Status && a.Trusted == b.Trusted && a.Replaceable == b.Replaceable &&
		a.BuriedAt == b.BuriedAt && slices.Equal(a.Conflicts, b.Conflicts)
}

// lockFrozen has Core leave alone what people froze, whatever it forgot. What they
// let go in the meantime is let go again: nobody would do that later. What they froze
// again since then is locked at the next look.
func (f *Follower) lockFrozen(ctx context.Context, w wallet.Wallet, locked []btc.Outpoint) error {
	frozen, err := f.Store.FrozenCoins(ctx, w.ID)
	if err != nil {
		return err
	}
	forgotten := slices.DeleteFunc(frozen, func(at btc.Outpoint) bool { return slices.Contains(locked, at) })
	if len(forgotten) == 0 {
		return nil
	}
	if err := f.Provider.SetLocked(ctx, w.CoreName, forgotten, true); err != nil && !errors.Is(err, backend.ErrCoinUnavailable) { // spent meanwhile
		return err
	}
	frozen, err = f.Store.FrozenCoins(ctx, w.ID)
	letGo := slices.DeleteFunc(forgotten, func(at btc.Outpoint) bool { return slices.Contains(frozen, at) })
	if err != nil || len(letGo) == 0 {
		return err
	}
	return f.Provider.SetLocked(ctx, w.CoreName, letGo, false)
}

// errNonsense is for an answer of the node that contradicts itself.
func errNonsense(format string, args ...any) error {
	return rpcclient.ErrBadAnswer.Because(fmt.Errorf(format, args...))
}
