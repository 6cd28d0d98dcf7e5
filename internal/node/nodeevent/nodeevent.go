// Package nodeevent records events of the node: it is down, behind or up again, or blocks
// have left its chain. It reads the status that package nodestatus polls, and decides what
// is an event; package event owns the events, and the store inserts them.
//
// Invariant: each change of the state, and each reorganization, is recorded once, however
// many processes observe it.
package nodeevent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/specterd/specterd/internal/event"
	"github.com/specterd/specterd/internal/node/backend"
	"github.com/specterd/specterd/internal/node/nodestatus"
)

const (
	// defaultSettle is how long a state must last until it is recorded, so that a node
	// that is restarted, or does not respond to some polls, has no events.
	defaultSettle = 15 * time.Second
	// defaultInterval is the interval at which the status is read, which costs nothing.
	defaultInterval = time.Second
)

// Store is the database.
type Store interface {
	// EditNode calls edit with the last record of the node, and stores the result and
	// its events, in one transaction. It may call edit more than once.
	EditNode(ctx context.Context, edit func(*event.NodeEdit)) error
}

// Chain is the part of a *backend.Node that finds where chains fork.
type Chain interface {
	BlockHeader(ctx context.Context, hash string) (backend.Header, error)
}

// Options are the dependencies and settings of a Watcher.
type Options struct {
	Log    *slog.Logger
	Store  Store
	Chain  Chain
	Status func() nodestatus.Status // of the last poll
	// Settle is how long a state must last until it is recorded; 0 means 15 seconds.
	Settle time.Duration
	// Interval is the interval at which the status is read; 0 means a second.
	Interval time.Duration
}

// Run records events until ctx ends. If several processes share a database, one of them
// should run it.
func Run(ctx context.Context, o Options) {
	if o.Settle == 0 {
		o.Settle = defaultSettle
	}
	if o.Interval == 0 {
		o.Interval = defaultInterval
	}
	w := watcher{Options: o}
	tick := time.NewTicker(o.Interval)
	defer tick.Stop()
	failed := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		err := w.observe(ctx)
		if err != nil && !failed && ctx.Err() == nil {
			o.Log.WarnContext(ctx, "recording events of the node failed; will retry", "error", err)
		}
		failed = err != nil
	}
}

// watcher is the state of Run.
type watcher struct {
	Options
	// state is the state in the last status, and first the time of the first status with
	// it. Recorded is the last state that was recorded; empty if unknown.
	state    event.NodeState
	first    time.Time
	recorded string
	tip      *event.Block // nil before the first
}

// observe records what has changed in the status.
func (w *watcher) observe(ctx context.Context) error {
	s := w.Status()
	if s.CheckedAt.IsZero() {
		return nil
	}
	if err := w.observeState(ctx, s); err != nil {
		return err
	}
	if s.Problem == nil && !s.InitialBlockDownload {
		return w.observeTip(ctx, event.Block{Height: s.Blocks, Hash: s.BestBlockHash})
	}
	return nil
}

func (w *watcher) observeState(ctx context.Context, s nodestatus.Status) error {
	state, code, problem := stateOf(s)
	if state != w.state.State {
		w.first = s.CheckedAt
		w.state = event.NodeState{State: state, Since: w.first}
		if state == event.NodeIsDown && !s.Reachable && !s.LastContact.IsZero() {
			w.state.Since = s.LastContact
		}
		w.state.Since = w.state.Since.UTC().Truncate(time.Second)
	}
	if state == w.recorded || s.CheckedAt.Sub(w.first) < w.Settle {
		return nil
	}
	err := w.Store.EditNode(ctx, func(e *event.NodeEdit) { e.SetState(w.state, code, problem) })
	if err != nil {
		return fmt.Errorf("record the state of the node: %w", err)
	}
	w.recorded = state
	return nil
}

// stateOf returns the state of the node in events, and why it is not up.
func stateOf(s nodestatus.Status) (state, problemCode, problem string) {
	if s.Problem != nil {
		return event.NodeIsDown, s.Problem.Code, s.Problem.Message
	}
	if behind := s.Behind(); behind != nil {
		return event.NodeIsBehind, behind.Code, behind.Message
	}
	return event.NodeIsUp, "", ""
}

// observeTip records a reorganization if the tip before this one has left the chain. It
// calls the node twice for each new tip.
func (w *watcher) observeTip(ctx context.Context, tip event.Block) error {
	if w.tip != nil && *w.tip == tip {
		return nil
	}
	change := func(e *event.NodeEdit) { e.Tip = &tip }
	if w.tip != nil {
		d, err := w.reorganization(ctx, *w.tip, tip)
		switch {
		case errors.Is(err, errTipChanged): // the next status has the new one
			return nil
		case errors.Is(err, backend.ErrBlockNotFound): // this is another node
		case err != nil:
			return err
		case d != nil:
			change = func(e *event.NodeEdit) { e.Reorganize(*d) }
		}
	}
	if err := w.Store.EditNode(ctx, change); err != nil {
		return fmt.Errorf("record the last block of the node: %w", err)
	}
	w.tip = &tip
	return nil
}

// reorganization returns how the chain has changed between two tips; nil if the blocks up
// to the first one are still in the chain. It returns errTipChanged if the second one is not.
func (w *watcher) reorganization(ctx context.Context, before, after event.Block) (*event.ReorgData, error) {
	fork, err := w.Chain.BlockHeader(ctx, before.Hash)
	if err != nil {
		return nil, err
	}
	tip, err := w.Chain.BlockHeader(ctx, after.Hash)
	switch {
	case err != nil:
		return nil, err
	case !isInChain(tip):
		return nil, errTipChanged
	case isInChain(fork):
		return nil, nil //nolint:nilnil // no reorganization
	}
	for !isInChain(fork) {
		if fork, err = w.Chain.BlockHeader(ctx, fork.Prev); err != nil {
			return nil, err
		}
	}
	return &event.ReorgData{ForkHeight: fork.Height, Depth: before.Height - fork.Height, Before: before, After: after}, nil
}

var errTipChanged = errors.New("the tip has changed since the last poll")

func isInChain(h backend.Header) bool { return h.Confirmations > 0 }
