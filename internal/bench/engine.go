package main

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/indexer"
	"github.com/specterd/specterd/internal/node/backend"
	"github.com/specterd/specterd/internal/node/nodestatus"
	"github.com/specterd/specterd/internal/node/rpcclient"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/store"
	"github.com/specterd/specterd/internal/wallet"
)

// engine is the wallet part of specterd, assembled as in specterd but without HTTP
// and in this process.
type engine struct {
	store     *store.Store
	service   *wallet.Service
	proposals *proposal.Service
	provider  *backend.Provider
	monitor   *nodestatus.Monitor
	host      string
	clients   [3]*rpcclient.Client // for status polls, for work, for rescans
}

// openEngine returns an engine that uses the node c and the database at the given
// path, which it creates if necessary.
func openEngine(ctx context.Context, c *chain, database string) (*engine, error) {
	e := &engine{host: c.Host()}
	for i, inFlight := range []int{1, rpcclient.DefaultMaxInFlight, 1} {
		var err error
		if e.clients[i], err = rpcclient.New(rpcclient.Config{URL: c.URL(), MaxInFlight: inFlight}); err != nil {
			return nil, err
		}
	}
	var err error
	if e.store, err = openStore(ctx, database); err != nil {
		return nil, err
	}
	if err := e.store.Migrate(ctx); err != nil {
		return nil, errors.Join(err, e.close())
	}
	log := slog.New(slog.DiscardHandler)
	e.monitor = nodestatus.New(log, e.clients[0], clock, nodestatus.Options{Identity: e.store})
	e.monitor.Check(ctx)
	e.provider = backend.NewProvider(backend.New(e.clients[1]), e.monitor.Status)
	e.service = wallet.New(log, e.store, e.store, e.provider, clock, func(string) {})
	e.proposals = proposal.New(log, e.store, e.service, e.provider, clock, proposal.Options{Kick: func(string) {}})
	return e, nil
}

func (e *engine) close() error {
	for _, c := range e.clients {
		c.Close()
	}
	return e.store.Close()
}

// sync runs the indexer until it has indexed the whole chain into an empty index,
// and returns the duration.
func (e *engine) sync(ctx context.Context) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*patience)
	defer cancel()
	synced := make(chan struct{}, 1)
	f := indexer.New(indexer.Options{
		Log: slog.New(slog.DiscardHandler), Now: clock, Store: syncStore{e.store, synced},
		Wallets: e.service, Reserver: e.proposals, Provider: e.provider, Host: e.host, Node: backend.New(e.clients[1]), Scanner: backend.New(e.clients[2]),
		Ready:   func() error { return e.monitor.Status().Unusable() },
		Network: func() btc.Network { return btc.Regtest },
	})
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	start := clock()
	running.Go(func() { f.Run(ctx) })
	select {
	case <-synced:
		return clock().Sub(start), nil
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// syncStore signals on synced when the index of a wallet has reached a block.
type syncStore struct {
	*store.Store
	synced chan<- struct{}
}

// WriteIndex implements indexer.Store.
func (s syncStore) WriteIndex(ctx context.Context, changes []wallet.Change) error {
	err := s.Store.WriteIndex(ctx, changes)
	for _, c := range changes {
		if err == nil && c.Synced != nil {
			select {
			case s.synced <- struct{}{}:
			default:
			}
		}
	}
	return err
}
