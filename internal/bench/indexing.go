package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/specterd/specterd/internal/btc"
)

const (
	followedWallets = 200
	paidWallets     = 5 // number of wallets that each block pays to
	blockGoal       = time.Second
	arrivals        = 20
	zmqGoal         = 200 * time.Millisecond
	pollingGoal     = 2 * time.Second
	lookInterval    = 5 * time.Millisecond
	patience        = time.Minute
)

// indexingServer is a specterd that indexes a node with several wallets.
type indexingServer struct {
	*reader
	chain     *chain
	receive   []*btc.Deriver // one per wallet, for its receive addresses
	addresses uint32         // number of addresses used so far in each wallet
}

// startIndexing starts a node and a specterd, and creates a number of wallets through its
// API.
func (b *bench) startIndexing(ctx context.Context, name string, wallets int, nodeArgs ...string) (f *indexingServer, stop func(), err error) {
	c, err := startChain(ctx, b.chainFolder(name), fanSize, nodeArgs...)
	if err != nil {
		return nil, nil, err
	}
	s := seeded{folder: filepath.Join(b.dir, "following-"+name), key: newKey()}
	if err := s.addUser(ctx); err != nil {
		c.Kill()
		return nil, nil, err
	}
	up, err := s.serve(ctx, b, "SPECTER_NODE_URL="+c.URL())
	if err != nil {
		c.Kill()
		return nil, nil, err
	}
	stop = func() { up.stop(); c.Kill() }
	f = &indexingServer{reader: newReader(up, s), chain: c, receive: make([]*btc.Deriver, wallets)}
	running, ctx := errgroup.WithContext(ctx)
	running.SetLimit(4)
	for i := range f.receive {
		running.Go(func() error { return f.makeWallet(ctx, i) })
	}
	if err := running.Wait(); err != nil {
		stop()
		return nil, nil, fmt.Errorf("make wallets: %w", err)
	}
	return f, stop, nil
}

// addUser creates a data directory with one user.
func (s *seeded) addUser(ctx context.Context) (err error) {
	if err := os.MkdirAll(s.folder, 0o700); err != nil {
		return err
	}
	db, err := openStore(ctx, s.database())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := db.Migrate(ctx); err != nil {
		return err
	}
	_, s.token, err = addUser(ctx, db, s.key, "alice")
	return err
}

func aliasOf(i int) string { return fmt.Sprintf("wallet_%d", i) }

func (f *indexingServer) makeWallet(ctx context.Context, i int) error {
	keyAndPath := fmt.Sprintf("[d34db33f/84h/1h/0h]%s/%d", publicKey, i)
	d, err := btc.ParseDescriptor("wpkh("+keyAndPath+"/0/*)", btc.Regtest)
	if err != nil {
		return err
	}
	if f.receive[i], err = d.Deriver(); err != nil {
		return err
	}
	body, err := json.Marshal(map[string]string{"name": aliasOf(i), "descriptor": "wpkh(" + keyAndPath + "/<0;1>/*)", "birthday": "now"})
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+f.address+"/api/v1/wallets", strings.NewReader(string(body)))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+f.token)
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusCreated {
		text, _ := io.ReadAll(response.Body)
		return fmt.Errorf("%s: %s", response.Status, text)
	}
	return nil
}

// payment returns a transaction that pays to the next address of a wallet.
func (f *indexingServer) payment(wallet int) (raw, txid string, err error) {
	script, err := f.receive[wallet].Script(f.addresses)
	if err != nil {
		return "", "", err
	}
	tx := f.chain.payment(script)
	return serialize(tx), tx.TxHash().String(), nil
}

// measureBlock measures the time from mining a block with payments to some wallets
// until all wallets have indexed it.
func measureBlock(ctx context.Context, b *bench) error {
	start := clock()
	f, stop, err := b.startIndexing(ctx, nameBlock, followedWallets)
	if err != nil {
		return err
	}
	defer stop()
	setUp := clock().Sub(start)
	source := url.URL{Scheme: "file", Opaque: f.database(), RawQuery: "mode=ro"}
	db, err := sql.Open("sqlite", source.String())
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	var took []time.Duration
	for round := range b.rounds + 1 {
		one, err := f.block(ctx, db)
		if err != nil {
			return err
		}
		if round > 0 { // the first round is a warm-up and is not counted
			took = append(took, one)
		}
	}
	what := fmt.Sprintf("a block of %d payments is in the index of %d wallets", paidWallets, followedWallets)
	if err := printFigures(b.stdout, []figure{within(figure{name: nameBlock, what: what}, took, blockGoal)}); err != nil {
		return err
	}
	_, err = fmt.Fprintf(b.stdout, "%s took %s to set up.\n\n", nameBlock, duration(setUp))
	return err
}

// block mines a block with payments, and returns the time until the indexes of all
// wallets have reached it.
func (f *indexingServer) block(ctx context.Context, db *sql.DB) (time.Duration, error) {
	var height int
	if err := f.chain.into(ctx, &height, "getblockcount"); err != nil {
		return 0, err
	}
	paid := map[int]string{}
	var raws []string
	for i := 0; i < len(f.receive); i += len(f.receive) / paidWallets {
		raw, txid, err := f.payment(i)
		if err != nil {
			return 0, err
		}
		paid[i], raws = txid, append(raws, raw)
	}
	f.addresses++
	if err := f.chain.block(ctx, raws...); err != nil {
		return 0, err
	}
	took, err := until(ctx, func() (bool, error) {
		var least, count int
		err := db.QueryRowContext(ctx, "SELECT min(synced_height), count(*) FROM wallets").Scan(&least, &count)
		if err == nil && count != len(f.receive) {
			err = fmt.Errorf("there are %d wallets", count)
		}
		return least == height+1, err
	})
	if err != nil {
		return 0, err
	}
	for i, txid := range paid {
		if there, err := f.shows(ctx, i, txid); err != nil || !there {
			return 0, errors.Join(err, fmt.Errorf("%s was not in the history when the index was at its block", txid))
		}
	}
	return took, nil
}

// shows reports whether a transaction is in the history of a wallet.
func (f *indexingServer) shows(ctx context.Context, wallet int, txid string) (bool, error) {
	body, err := f.open(ctx, "/api/v1/wallets/"+aliasOf(wallet)+"/transactions?limit=100", "")
	if err != nil {
		return false, err
	}
	defer func() { _ = body.Close() }()
	text, err := io.ReadAll(body)
	return strings.Contains(string(text), txid), err
}

// measureArrivals measures the time from sending a payment until it is in the
// wallet's history.
func measureArrivals(ctx context.Context, b *bench) error {
	var figures []figure
	for _, one := range []struct {
		name, what  string
		args        []string
		goal, phase time.Duration
	}{
		{nameZMQ, "announced by the node (ZMQ)", nil, zmqGoal, 200 * time.Millisecond},
		{namePolling, "found by polling", withoutZMQ, pollingGoal, 1500 * time.Millisecond},
	} {
		if !b.wants(one.name) {
			continue
		}
		took, err := b.arrivals(ctx, one.name, one.phase, one.args)
		if err != nil {
			return fmt.Errorf("%s: %w", one.name, err)
		}
		f := figure{name: one.name, what: fmt.Sprintf("a new transaction, %s, is in GET …/transactions; %d tries", one.what, arrivals)}
		figures = append(figures, within(f, took, one.goal))
	}
	return printFigures(b.stdout, figures)
}

// arrivals sends payments at times that are distributed over the interval between
// two polls, and returns how long each took to arrive.
func (b *bench) arrivals(ctx context.Context, name string, between time.Duration, nodeArgs []string) ([]time.Duration, error) {
	f, stop, err := b.startIndexing(ctx, name, 3, nodeArgs...)
	if err != nil {
		return nil, err
	}
	defer stop()
	var took []time.Duration
	for try := range arrivals + 1 {
		raw, txid, err := f.payment(0)
		if err != nil {
			return nil, err
		}
		f.addresses++
		pause(ctx, between*time.Duration(try)/arrivals)
		if _, err := f.chain.Call(ctx, "sendrawtransaction", raw); err != nil {
			return nil, err
		}
		one, err := until(ctx, func() (bool, error) { return f.shows(ctx, 0, txid) })
		if err != nil {
			return nil, err
		}
		if try > 0 { // the first is a warm-up
			took = append(took, one)
		}
	}
	return took, nil
}

// until checks a condition every few milliseconds, and returns the time until it was
// met. It returns an error if that takes longer than a minute.
func until(ctx context.Context, is func() (bool, error)) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	start := clock()
	for {
		so, err := is()
		if err != nil || so {
			return clock().Sub(start), err
		}
		pause(ctx, lookInterval)
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
	}
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
