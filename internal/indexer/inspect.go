package indexer

import (
	"cmp"
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
	// maxProbe is the maximum size in bytes of the response to a probe, which is held
	// in memory. Longer lists of changes are streamed.
	maxProbe = 4 << 20
	// finalDepth is the depth in blocks at which a conflict is considered final, so
	// that the transaction is not checked again. It exceeds every known
	// reorganization.
	finalDepth = 100
	// maxReads is the maximum number of times that a wallet is read in a round because of
	// blocks that arrive meanwhile.
	maxReads = 3
)

// errTipChanged is returned if a transaction seems to be in neither the mempool nor a block,
// because a block arrived after the list of transactions was read.
var errTipChanged = errors.New("a block arrived while the wallet was read")

// update is a change to a wallet's index. If written is set, it is called after the
// change was written.
type update struct {
	wallet.Change
	written func()
}

// observedTx is a transaction as reported by the node.
type observedTx struct {
	backend.State
	abandoned bool
	removed   bool // reported only as part of a block that left the chain
	tip       int  // height of the block from which its confirmations are counted; 0 for the tip of the list
}

func (s *observedTx) add(e backend.Entry) {
	if e.Removed && !s.removed && s.Replaceable != "" {
		return // already listed, and not only as part of a block that left the chain
	}
	abandoned := s.abandoned
	*s = observedTx{State: e.State, removed: e.Removed, abandoned: abandoned || e.Abandoned || e.Category == backend.Orphan}
}

// pendingChanges contains the data that Bitcoin Core has for a wallet and that the
// index may lack.
type pendingChanges struct {
	info   backend.Info
	locked []btc.Outpoint
	seen   map[string]*observedTx // by txid
	tip    wallet.Tip
	// rewrite is set if all transactions in seen must be written, even if they are
	// indexed.
	rewrite bool
	// rescanned is set if a rescan may have found transactions of old blocks.
	rescanned bool
}

// inspect compares a wallet with the node, and returns the update of its index. It
// returns nil for a wallet that is not ready, after calling Finish if its creation or
// removal was interrupted, and while its range is being extended for a rescan.
func (x *Indexer) inspect(ctx context.Context, w wallet.Wallet) (*update, error) {
	if w.Stage != wallet.Ready {
		if w.Stage == wallet.Creating && (x.Now().Sub(w.CreatedAt) < unfinishedAge || !x.Watch.Settled()) {
			return nil, nil //nolint:nilnil // its creator may still be working on it
		}
		return nil, x.Wallets.Finish(ctx, w)
	}
	done, err := x.inspecting.Lock(ctx, w.ID)
	if err != nil {
		return nil, err
	}
	defer done()
	if x.scans.isExtending(w.ID) {
		return nil, nil //nolint:nilnil // Core does not respond for this wallet meanwhile, and the other wallets would have to wait
	}
	// Bitcoin Core extends its range automatically when addresses are used. Therefore
	// EnsureRange imports nothing during a rescan, when Bitcoin Core would refuse the
	// import.
	w, err = x.Wallets.EnsureRange(ctx, w, max(w.ReceiveNext, w.ChangeNext, 1)-1)
	if err != nil {
		return nil, fmt.Errorf("extend the range of wallet %s: %w", w.ID, err)
	}
	for i := 1; ; i++ {
		u, err := x.read(ctx, w, i == maxReads)
		if !errors.Is(err, errTipChanged) {
			return u, err
		}
	}
}

// read reads a wallet of the node, and returns the update of its index. It can return
// errTipChanged unless this is the last attempt.
func (x *Indexer) read(ctx context.Context, w wallet.Wallet, last bool) (*update, error) {
	n, err := x.findChanges(ctx, w)
	if errors.Is(err, backend.ErrWalletNotLoaded) {
		if err = x.restore(ctx, w); err == nil {
			n, err = x.findChanges(ctx, w)
		}
	}
	if err != nil {
		return nil, err
	}
	scanned := x.superviseScan(ctx, w, n.info.Scan)
	u := &update{Change: wallet.Change{WalletID: w.ID, Rescanned: n.rescanned, Locked: n.locked, CoreInfo: string(n.info.Raw)}}
	if err := x.lockFrozen(ctx, w, u.Locked); err != nil {
		return nil, err
	}
	unlocked, err := x.Reserver.Reconcile(ctx, w, u.Locked)
	if err != nil {
		return nil, err
	}
	u.Locked = slices.DeleteFunc(u.Locked, func(at btc.Outpoint) bool { return slices.Contains(unlocked, at) })
	if err := x.compare(ctx, w, n, u, last); err != nil {
		return nil, err
	}
	if scanned {
		u.written = func() { x.scanWritten(ctx, w) }
	}
	return u, nil
}

// restore makes Bitcoin Core load the wallet, or creates it again and queues a rescan
// if Bitcoin Core lost it.
func (x *Indexer) restore(ctx context.Context, w wallet.Wallet) error {
	created, err := x.Provider.Provide(ctx, w.NodeWallet(), w.Receive, w.Change, w.RangeEnd)
	if err != nil {
		return fmt.Errorf("load wallet %s in the node: %w", w.ID, err)
	}
	x.Log.InfoContext(ctx, "wallet loaded in the node", "wallet_id", w.ID, "created", created)
	if !created {
		return nil
	}
	_, err = x.Store.EditWallet(ctx, w.ID, func(e *wallet.Edit) error {
		e.StartRescan(e.Birthday)
		return nil
	})
	return err
}

// findChanges returns the changes since the block up to which the wallet is indexed.
// It returns all transactions if the wallet was never indexed or the node does not
// know the block, if a rescan may have found transactions in older blocks, or if the
// node has more transactions than it listed.
func (x *Indexer) findChanges(ctx context.Context, w wallet.Wallet) (pendingChanges, error) {
	likely, err := x.Node.Tip(ctx)
	if err != nil {
		return pendingChanges{}, err
	}
	since, rescanned := w.Synced.Hash, x.scans.isDone(w)
	rewrite := w.Synced.Height < 0 || rescanned
	if rewrite {
		since = ""
	}
	n, last, err := x.list(ctx, w, since)
	if errors.Is(err, backend.ErrBlockNotFound) { // the chain was replaced, or the node was reset
		rewrite = true
		n, last, err = x.list(ctx, w, "")
	}
	if err != nil {
		return pendingChanges{}, err
	}
	if !rewrite && since != "" {
		more, err := x.hasMore(ctx, w, n)
		if err != nil {
			return pendingChanges{}, err
		}
		if more {
			if n, last, err = x.list(ctx, w, ""); err != nil {
				return pendingChanges{}, err
			}
			rescanned = true
		}
	}
	n.rewrite, n.rescanned = rewrite, rescanned
	n.tip, err = x.tipOf(ctx, last, likely)
	return n, err
}

// list returns the changes since a block, or all transactions if since is empty, and
// the hash of the last block that they cover.
func (x *Indexer) list(ctx context.Context, w wallet.Wallet, since string) (n pendingChanges, last string, err error) {
	c := x.Node.Wallet(w.CoreName)
	n.seen = map[string]*observedTx{}
	add := func(e backend.Entry) error {
		s := n.seen[e.Txid]
		if s == nil {
			s = &observedTx{}
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
	if n.info, err = c.Info(ctx); err != nil { // read before the list, so that its transaction count does not exceed the list
		return n, "", err
	}
	if n.locked, err = c.ListLocked(ctx); err != nil {
		return n, "", err
	}
	last, err = c.ListSinceBlock(ctx, since, add)
	return n, last, err
}

// hasMore reports whether the node has more new transactions than it listed, which
// happens if another client rescanned old blocks.
func (x *Indexer) hasMore(ctx context.Context, w wallet.Wallet, n pendingChanges) (bool, error) {
	if int(n.info.Transactions) <= w.CoreTxCount {
		return false, nil
	}
	known, err := x.Store.States(ctx, w.ID, slices.Collect(maps.Keys(n.seen)))
	return int(n.info.Transactions) > w.CoreTxCount+len(n.seen)-len(known), err
}

// compare adds to u the listed transactions that the index lacks, and the new
// states of indexed ones. If the index lacks many, all but the last part are
// written directly. It can return errTipChanged unless this is the last attempt.
func (x *Indexer) compare(ctx context.Context, w wallet.Wallet, n pendingChanges, u *update, last bool) error {
	known := map[string]wallet.State{}
	var err error
	if !n.rewrite {
		if known, err = x.Store.States(ctx, w.ID, slices.Collect(maps.Keys(n.seen))); err != nil {
			return err
		}
	}
	if err := x.recheck(ctx, w, n, known); err != nil {
		return err
	}
	states, err := x.states(ctx, w.ID, n)
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
	if !last {
		if err := x.checkTip(ctx, n.tip, states, known); err != nil {
			return err
		}
	}
	u.Synced, u.CoreTxCount = &n.tip, max(int(n.info.Transactions), w.CoreTxCount+len(fresh))
	if n.rewrite {
		u.CoreTxCount = int(n.info.Transactions)
	}
	if len(fresh) == 0 {
		return nil
	}
	return x.fetch(ctx, w, n, states, fresh, u)
}

// checkTip returns errTipChanged if a transaction seems to have left the mempool, or never to
// have been in it, and the tip is not the one of the list any more.
func (x *Indexer) checkTip(ctx context.Context, tip wallet.Tip, states, known map[string]wallet.State) error {
	for txid, state := range states {
		if was, ok := known[txid]; state.Status == wallet.Inactive && (!ok || was.Status != wallet.Inactive) {
			now, err := x.Node.Tip(ctx)
			if err == nil && now.Hash != tip.Hash {
				err = errTipChanged
			}
			return err
		}
	}
	return nil
}

// recheck adds changes that listsinceblock does not report. It checks three kinds
// of transactions: indexed transactions that are unconfirmed or conflicted and not
// in the response, transactions that are in the response only as part of a block
// that left the chain, and transactions that are neither indexed nor in the
// response but conflict with one in the response. For example, listsinceblock does
// not report that a payment to the wallet was replaced by its sender.
func (x *Indexer) recheck(ctx context.Context, w wallet.Wallet, n pendingChanges, known map[string]wallet.State) error {
	unsettled, err := x.Store.Unsettled(ctx, w.ID, n.tip.Height-finalDepth)
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
	had, err := x.Store.States(ctx, w.ID, rivals)
	if err != nil {
		return err
	}
	for _, txid := range rivals {
		if _, ok := had[txid]; !ok || n.rewrite {
			again[txid] = true
		}
	}
	return x.observe(ctx, w, n, slices.Sorted(maps.Keys(again)))
}

// observe adds transactions to n.seen. The confirmations of a conflicted one are counted from
// the tip, and are the only source of the height of its conflict: if the tip has changed since
// it was read, observe requests the transaction again.
func (x *Indexer) observe(ctx context.Context, w wallet.Wallet, n pendingChanges, txids []string) error {
	for tip := n.tip; ; {
		var conflicted []string
		err := x.Node.Wallet(w.CoreName).Transactions(ctx, txids, func(t backend.Transaction) error {
			n.seen[t.Txid] = &observedTx{State: t.State, abandoned: t.Abandoned || t.Missing || isOrphan(t), tip: tip.Height}
			if t.Confirmations < 0 {
				conflicted = append(conflicted, t.Txid)
			}
			return nil
		})
		if err != nil || len(conflicted) == 0 {
			return err
		}
		now, err := x.Node.Tip(ctx)
		if err != nil || now.Hash == tip.Hash {
			return err
		}
		tip, txids = wallet.Tip{Height: int(now.Height), Hash: now.Hash}, conflicted
	}
}

func isOrphan(t backend.Transaction) bool {
	return slices.ContainsFunc(t.Details, func(d backend.Detail) bool { return d.Category == backend.Orphan })
}

// states returns the states of all listed transactions.
func (x *Indexer) states(ctx context.Context, walletID string, n pendingChanges) (map[string]wallet.State, error) {
	states := make(map[string]wallet.State, len(n.seen))
	var waiting []string
	for txid, s := range n.seen {
		states[txid] = stateOf(s, n.tip)
		if states[txid].Status == wallet.Inactive {
			waiting = append(waiting, txid)
		}
	}
	slices.Sort(waiting)
	in, err := x.Node.InMempool(ctx, waiting)
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
		x.mempool.set(txid, walletID, state.Status)
	}
	return states, nil
}

// stateOf returns a transaction's state. It does not know whether the transaction
// is in the mempool; if the transaction may be, the status is Inactive.
func stateOf(s *observedTx, tip wallet.Tip) wallet.State {
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
		state.Status, state.BuriedAt = wallet.Conflicted, cmp.Or(s.tip, tip.Height)+1+int(s.Confirmations)
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

// lockFrozen locks the frozen outputs that are missing in locked, the outputs that
// Bitcoin Core has locked. If an output was unfrozen meanwhile, it is unlocked again,
// because no later step would unlock it. If an output was frozen meanwhile, the next
// round locks it.
func (x *Indexer) lockFrozen(ctx context.Context, w wallet.Wallet, locked []btc.Outpoint) error {
	frozen, err := x.Store.FrozenUTXOs(ctx, w.ID)
	if err != nil {
		return err
	}
	forgotten := slices.DeleteFunc(frozen, func(at btc.Outpoint) bool { return slices.Contains(locked, at) })
	if len(forgotten) == 0 {
		return nil
	}
	if err := x.Provider.SetLocked(ctx, w.NodeWallet(), forgotten, true); err != nil && !errors.Is(err, backend.ErrUTXOUnavailable) { // spent in the meantime
		return err
	}
	frozen, err = x.Store.FrozenUTXOs(ctx, w.ID)
	unfrozen := slices.DeleteFunc(forgotten, func(at btc.Outpoint) bool { return slices.Contains(frozen, at) })
	if err != nil || len(unfrozen) == 0 {
		return err
	}
	return x.Provider.SetLocked(ctx, w.NodeWallet(), unfrozen, false)
}

// errInconsistent returns an error for an inconsistent response of the node.
func errInconsistent(format string, args ...any) error {
	return rpcclient.ErrInvalidResponse.WithCause(fmt.Errorf(format, args...))
}
