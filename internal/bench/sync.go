package main

import (
	"bytes"
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
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/btcsuite/btcd/wire"
	"golang.org/x/sync/errgroup"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/wallet"
)

// Numbers of transactions in a first sync. Received ones pay to different addresses
// of the wallet, sent ones have two inputs and change, and minted ones are coinbase
// transactions.
const (
	synced     = received + sent + minted
	received   = 6_500
	sent       = 3_000
	minted     = 500
	perBlock   = 250
	syncGoal   = 3.0 // maximum ratio to the duration of the calls alone
	syncTurns  = 3
	eventsGoal = 1.5 // maximum ratio of a sync that records events to one that does not
)

// measureSync builds an index from scratch, and compares the duration with the
// duration of the calls to the node alone.
func measureSync(ctx context.Context, b *bench) error {
	defer debug.SetGCPercent(debug.SetGCPercent(stepsPercent)) // as in `serve`
	start := clock()
	c, err := startChain(ctx, b.chainFolder("sync"), received, append([]string{"-unsafesqlitesync"}, withoutZMQ...)...)
	if err != nil {
		return err
	}
	defer c.Kill()
	template := filepath.Join(b.dir, "sync.db")
	w, err := newHot(ctx, c, template)
	if err != nil {
		return fmt.Errorf("make a wallet: %w", err)
	}
	if err := w.live(ctx); err != nil {
		return fmt.Errorf("make the wallet's history: %w", err)
	}
	withEvents := *w
	withEvents.template = filepath.Join(b.dir, "sync-with-events.db")
	if err := errors.Join(copyFile(w.template, withEvents.template), w.makeNewer(ctx)); err != nil {
		return fmt.Errorf("change the wallet's creation: %w", err)
	}
	setUp := clock().Sub(start)
	calls, err := newCalls(ctx, c, w.core)
	if err != nil {
		return err
	}
	var took [3][]time.Duration
	var first time.Duration
	for i := range syncTurns + 1 {
		alone, err := calls.make(ctx)
		if err != nil {
			return err
		}
		all, err := w.sync(ctx, filepath.Join(b.dir, fmt.Sprintf("sync-%d.db", i)))
		if err != nil {
			return err
		}
		events, err := withEvents.sync(ctx, filepath.Join(b.dir, fmt.Sprintf("sync-with-events-%d.db", i)))
		if err != nil {
			return err
		}
		if i == 0 {
			first = all
			continue
		}
		for j, d := range []time.Duration{alone, all, events} {
			took[j] = append(took[j], d)
		}
	}
	f := compared(figure{name: nameSync, what: fmt.Sprintf("first sync of %d transactions", synced)}, side{took: took[0]}, side{took: took[1]}, syncGoal)
	f.processor, f.against = "", "RPC alone: "+duration(middle(took[0]))
	inserts := compared(figure{name: nameSync, what: "the same of an older wallet, with an event for each transaction"}, side{took: took[1]}, side{took: took[2]}, eventsGoal)
	inserts.processor, inserts.against = "", "without events: "+duration(middle(took[1]))
	figures := []figure{f, inserts, {name: nameSync, what: "the very first, where Core has to watch more addresses of change", value: duration(first)}}
	if err := printFigures(b.stdout, figures); err != nil {
		return err
	}
	_, err = fmt.Fprintf(b.stdout, "%s took %s to set up.\n\n", nameSync, duration(setUp))
	return err
}

// hot is a wallet of the node with private keys, and its watch-only counterpart in
// specterd.
type hot struct {
	*chain
	template        string // path of a database that has the wallet without history
	core            string // name of the watch-only wallet in Core
	id              string
	receive, change *btc.Deriver
}

const hotName = "hot"

func newHot(ctx context.Context, c *chain, template string) (*hot, error) {
	if _, err := c.Call(ctx, "createwallet", hotName); err != nil {
		return nil, err
	}
	var list struct {
		Descriptors []struct {
			Desc     string
			Internal bool
		}
	}
	answer, err := c.CallWallet(ctx, hotName, "listdescriptors")
	if err == nil {
		err = json.Unmarshal(answer, &list)
	}
	if err != nil {
		return nil, err
	}
	w := &hot{chain: c, template: template}
	p := wallet.Plan{Name: hotName, Birthday: wallet.Birthday{Now: true}}
	for _, d := range list.Descriptors {
		if !strings.HasPrefix(d.Desc, "wpkh(") {
			continue
		}
		parsed, err := btc.ParseDescriptor(d.Desc, btc.Regtest)
		if err != nil {
			return nil, err
		}
		deriver, err := parsed.Deriver()
		if err != nil {
			return nil, err
		}
		if d.Internal {
			p.Change, w.change = d.Desc, deriver
		} else {
			p.Descriptor, w.receive = d.Desc, deriver
		}
	}
	return w, w.watch(ctx, p)
}

// watch creates the wallet in specterd's database.
func (w *hot) watch(ctx context.Context, p wallet.Plan) (err error) {
	e, err := openEngine(ctx, w.chain, w.template)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.close()) }()
	who, _, err := addUser(ctx, e.store, newKey(), "alice")
	if err != nil {
		return err
	}
	v, err := e.service.Create(ctx, who, p)
	w.core, w.id = v.CoreName, v.ID
	return err
}

// live creates the wallet's history.
func (w *hot) live(ctx context.Context) error {
	var utxos []utxo
	for part := range slices.Chunk(make([]struct{}, received), perBlock) {
		var raws []string
		for range part {
			script, err := w.receive.Script(uint32(len(utxos))) //nolint:gosec // few
			if err != nil {
				return err
			}
			tx := w.payment(script)
			utxos = append(utxos, utxo{at: wire.OutPoint{Hash: tx.TxHash()}, amount: btc.Amount(tx.TxOut[0].Value)})
			raws = append(raws, serialize(tx))
		}
		if err := w.block(ctx, raws...); err != nil {
			return err
		}
	}
	for range sent / perBlock {
		var raws []string
		for range perBlock {
			raw, err := w.pay(ctx, utxos[0], utxos[1], uint32((received-len(utxos))/2)) //nolint:gosec // few
			if err != nil {
				return err
			}
			utxos, raws = utxos[2:], append(raws, raw)
		}
		if err := w.block(ctx, raws...); err != nil {
			return err
		}
	}
	script, err := w.receive.Script(received)
	if err != nil {
		return err
	}
	if _, err := w.generate(ctx, minted, btc.AddressOf(script, btc.Regtest)); err != nil {
		return err
	}
	_, err = w.Call(ctx, "syncwithvalidationinterfacequeue") // waits until all wallets have processed the blocks
	return err
}

// pay returns a transaction that spends two UTXOs of the wallet: half goes to an
// external address, the rest to the change address with the given index.
func (w *hot) pay(ctx context.Context, a, b utxo, index uint32) (string, error) {
	script, err := w.change.Script(index)
	if err != nil {
		return "", err
	}
	tx := wire.NewMsgTx(2)
	for _, from := range []utxo{a, b} {
		tx.AddTxIn(wire.NewTxIn(&from.at, nil, nil))
	}
	half := (a.amount + b.amount) / 2
	tx.AddTxOut(wire.NewTxOut(int64(half), somebody(int(half))))
	tx.AddTxOut(wire.NewTxOut(int64(half-networkFee), script))
	var signed struct {
		Hex      string
		Complete bool
	}
	answer, err := w.CallWallet(ctx, hotName, "signrawtransactionwithwallet", serialize(tx))
	if err == nil {
		err = json.Unmarshal(answer, &signed)
	}
	if err == nil && !signed.Complete {
		err = errors.New("a payment is not signed completely")
	}
	return signed.Hex, err
}

// makeNewer makes the wallet newer than its history, as the wallets of most first syncs are:
// transactions from before its creation have no events.
func (w *hot) makeNewer(ctx context.Context) error {
	db, err := sql.Open("sqlite", w.template)
	if err != nil {
		return err
	}
	const day = 24 * 60 * 60 * 1_000_000
	_, err = db.ExecContext(ctx, "UPDATE wallets SET created_at = created_at + $1", day)
	return errors.Join(err, db.Close())
}

// sync builds the index in a new copy of the template database, checks the number of
// transactions, and returns the duration.
func (w *hot) sync(ctx context.Context, database string) (took time.Duration, err error) {
	if err := copyFile(w.template, database); err != nil {
		return 0, err
	}
	e, err := openEngine(ctx, w.chain, database)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, e.close()) }()
	if took, err = e.sync(ctx); err != nil {
		return 0, fmt.Errorf("sync: %w", err)
	}
	n, err := e.store.CountTransactions(ctx, w.id)
	if err == nil && n != synced {
		err = fmt.Errorf("there are %d transactions instead of %d", n, synced)
	}
	return took, err
}

// copyFile copies a file in our temporary folder.
func copyFile(from, to string) error {
	text, err := os.ReadFile(from) //nolint:gosec // ours
	if err != nil {
		return err
	}
	return os.WriteFile(to, text, 0o600) //nolint:gosec // ours
}

// calls has the requests that a first sync sends to the node. Their responses are
// read and discarded.
type calls struct {
	url     string
	list    []byte
	batches [][]byte // of a hundred transactions each
}

// batchesAtOnce is the number of batches that specterd sends concurrently.
const batchesAtOnce = 2

func newCalls(ctx context.Context, c *chain, name string) (*calls, error) {
	all := &calls{url: c.URL() + "/wallet/" + url.PathEscape(name)}
	since := []any{"", 1, true, true, true}
	var err error
	if all.list, err = json.Marshal(call("listsinceblock", since...)); err != nil {
		return nil, err
	}
	var list struct {
		Transactions []struct{ Txid string }
	}
	answer, err := c.CallWallet(ctx, name, "listsinceblock", since...)
	if err == nil {
		err = json.Unmarshal(answer, &list)
	}
	if err != nil {
		return nil, err
	}
	ids := map[string]bool{}
	var batch []any
	for _, t := range list.Transactions {
		if ids[t.Txid] {
			continue
		}
		ids[t.Txid] = true
		if batch = append(batch, call("gettransaction", t.Txid, true, false)); len(batch) < 100 && len(ids) < synced {
			continue
		}
		text, err := json.Marshal(batch)
		if err != nil {
			return nil, err
		}
		all.batches, batch = append(all.batches, text), nil
	}
	if len(ids) != synced {
		return nil, fmt.Errorf("the node knows %d transactions instead of %d", len(ids), synced)
	}
	return all, nil
}

func call(method string, params ...any) map[string]any {
	return map[string]any{"jsonrpc": "1.0", "id": 1, "method": method, "params": params}
}

// make makes the calls and returns the duration.
func (c *calls) make(ctx context.Context) (time.Duration, error) {
	start := clock()
	if err := c.send(ctx, c.list); err != nil {
		return 0, err
	}
	running, ctx := errgroup.WithContext(ctx)
	running.SetLimit(batchesAtOnce)
	for _, batch := range c.batches {
		running.Go(func() error { return c.send(ctx, batch) })
	}
	err := running.Wait()
	return clock().Sub(start), err
}

func (c *calls) send(ctx context.Context, body []byte) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if _, err = io.Copy(io.Discard, response.Body); err == nil && response.StatusCode != http.StatusOK {
		err = errors.New(response.Status)
	}
	return err
}
