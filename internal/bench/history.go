package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/store"
	"github.com/specterd/specterd/internal/testenv/pgserver"
	"github.com/specterd/specterd/internal/wallet"
)

// walletAlias is the alias of the wallet with the history.
const walletAlias = "bench"

// seeded is a data directory with one user and, in most measurements, a wallet with
// a history.
type seeded struct {
	folder, key, token string
	postgres           string // URL of the database; empty for a file in the folder
	walletID           string
	transactions       int
}

func (s seeded) database() string { return cmp.Or(s.postgres, filepath.Join(s.folder, databaseName)) }

// serve starts a specterd on the data directory.
func (s seeded) serve(ctx context.Context, b *bench, more ...string) (*server, error) {
	if s.postgres != "" {
		more = append(more, "SPECTER_DATABASE_URL="+s.postgres)
	}
	return startSpecterd(ctx, b.binary, s.folder, s.key, more...)
}

// history returns a data directory with a wallet of the given number of
// transactions. It is created on first use.
func (b *bench) history(ctx context.Context, transactions int) (seeded, error) {
	if s, ok := b.histories[transactions]; ok {
		return s, nil
	}
	s, err := b.newHistory(ctx, fmt.Sprintf("history-%d", transactions), transactions)
	if err != nil {
		return s, err
	}
	b.histories[transactions] = s
	return s, nil
}

// newHistory creates a data directory with a wallet of the given number of
// transactions.
func (b *bench) newHistory(ctx context.Context, name string, transactions int) (seeded, error) {
	s := seeded{folder: filepath.Join(b.dir, name), key: newKey(), transactions: transactions}
	if err := os.MkdirAll(s.folder, 0o700); err != nil {
		return s, err
	}
	if b.postgres != nil {
		var err error
		if s.postgres, err = b.postgres.Create(ctx, strings.ReplaceAll(name, "-", "_"), pgserver.Empty); err != nil {
			return s, err
		}
	}
	db, err := openStore(ctx, s.database())
	if err != nil {
		return s, err
	}
	if err := errors.Join(s.fill(ctx, db), db.Close()); err != nil {
		return s, fmt.Errorf("make up a history of %d: %w", transactions, err)
	}
	if s.postgres == "" {
		return s, nil
	}
	return s, s.analyze(ctx)
}

// analyze updates the statistics of a PostgreSQL database, which the server does automatically, but
// only within minutes.
func (s seeded) analyze(ctx context.Context) error {
	db, err := sql.Open("pgx", s.postgres)
	if err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, "ANALYZE")
	return errors.Join(err, db.Close())
}

func (s *seeded) fill(ctx context.Context, db *store.Store) error {
	if err := db.Migrate(ctx); err != nil {
		return err
	}
	who, token, err := addUser(ctx, db, s.key, "alice")
	if err != nil {
		return err
	}
	s.token = token
	return s.addHistory(ctx, db, who.UserID)
}

// addHistory adds a wallet with s.transactions transactions.
func (s *seeded) addHistory(ctx context.Context, db *store.Store, ownerID string) error {
	s.walletID = uuid.NewString()
	if err := s.addWallet(ctx, db, ownerID); err != nil {
		return err
	}
	const part = 5000
	l := ledger{begin: clock().Add(-time.Duration(s.transactions) * interval)}
	for l.made < s.transactions {
		c := wallet.Change{WalletID: s.walletID}
		for len(c.Added) < part && l.made < s.transactions {
			c.Added = append(c.Added, l.next())
		}
		if l.made == s.transactions {
			c.Synced, c.CoreTxCount = &wallet.Tip{Height: 900_000, Hash: madeUp("tip", 0)}, l.made
		}
		if err := db.WriteIndex(ctx, []wallet.Change{c}); err != nil {
			return err
		}
	}
	return nil
}

// addWallet adds a wallet with made-up addresses, and labels some of them.
func (s *seeded) addWallet(ctx context.Context, db *store.Store, ownerID string) error {
	w := wallet.Wallet{
		ID: s.walletID, Name: walletAlias, CoreName: "specterd-" + s.walletID, Script: btc.WPKH, SignaturesRequired: 1, CreatedAt: clock(),
		Receive: "wpkh([d34db33f/84h/1h/0h]" + publicKey + "/0/*)#aaaaaaaa", Change: "wpkh([d34db33f/84h/1h/0h]" + publicKey + "/1/*)#bbbbbbbb",
		Keys:     []wallet.Key{{Key: btc.Key{Original: publicKey, Fingerprint: "d34db33f", Derivation: "m/84h/1h/0h", XPub: publicKey, Type: btc.WPKH}}},
		RangeEnd: uint32(s.transactions) + 1500, RescanFrom: -1, //nolint:gosec // few
	}
	var addresses []wallet.Address
	var labels []btc.Label
	for _, branch := range []wallet.Branch{wallet.ReceiveBranch, wallet.ChangeBranch} {
		for i := range w.RangeEnd {
			at := wallet.Place{Branch: branch, Index: i}
			addresses = append(addresses, wallet.Address{Address: addressAt(&at), Place: at})
			if i%20 == 0 {
				label := fmt.Sprintf("Invoice %d", i)
				labels = append(labels, btc.Label{Type: "addr", Ref: addressAt(&at), Label: &label})
			}
		}
	}
	if err := db.AddWallet(ctx, w, ownerID, walletAlias, addresses, auth.Event{At: clock(), Action: "wallet.create"}); err != nil {
		return err
	}
	if _, err := db.EditWallet(ctx, w.ID, func(e *wallet.Edit) error {
		e.Stage = wallet.Ready
		return nil
	}); err != nil {
		return err
	}
	return db.SetLabels(ctx, w.ID, labels, auth.Event{At: clock(), Action: "labels.import"})
}

// publicKey is an extended public key for test networks.
const publicKey = "tpubD6NzVbkrYhZ4XJkWPt6cgTyouAqQFiCyggyo5B1ccrLubuk5tYBcSH861VJwtrnFUgKT79eh4fNYoULdaLzHz3SBrxN1QZHzJaTG9xwpj4P"

// addressAt returns a text, as long as an address, for a place in the wallet. As with real
// addresses, consecutive places have addresses that are far apart in an index.
func addressAt(at *wallet.Place) string {
	return madeUpAddress(fmt.Sprintf("address on branch %d", at.Branch), int(at.Index))
}

func madeUpAddress(of string, i int) string { return "bcrt1q" + madeUp(of, i)[:38] }

// madeUp returns a text in the format of a transaction id or block hash.
func madeUp(of string, i int) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %d", of, i))
	return hex.EncodeToString(sum[:])
}

// interval is the time between two transactions of a generated history, which ends now.
const interval = 10 * time.Minute

// ledger generates a history, oldest transaction first. Of every three transactions,
// the first two are payments to the wallet, to different addresses. The third is an
// outgoing payment that spends the output of the second payment and the change of
// the previous outgoing payment.
type ledger struct {
	begin    time.Time // of the first transaction
	made     int
	branches [2]uint32 // next index of each branch
	utxos    []wallet.Input
}

func (l *ledger) next() wallet.Transaction {
	i := l.made
	l.made++
	at := l.begin.Add(time.Duration(i) * interval).Truncate(time.Second)
	block := wallet.Block{Height: 700_000 + i/2, Hash: madeUp("block", i/2), Time: at.Add(time.Minute)}
	t := wallet.Transaction{
		Txid: madeUp("transaction", i), Time: at, ReceivedAt: at,
		State: wallet.State{Status: wallet.Confirmed, Block: &block, Replaceable: "no", Trusted: true},
	}
	if i%3 == 2 {
		l.send(&t)
	} else {
		l.receive(&t)
	}
	return t
}

// own returns an output to the wallet's next address on a branch.
func (l *ledger) own(branch wallet.Branch, vout uint32, amount btc.Amount) wallet.Output {
	at := &wallet.Place{Branch: branch, Index: l.branches[branch]}
	l.branches[branch]++
	return wallet.Output{Vout: vout, Address: addressAt(at), Amount: amount, Own: at}
}

// receive makes t a payment to the wallet with one input and two outputs. The index
// stores only the wallet's output.
func (l *ledger) receive(t *wallet.Transaction) {
	out := l.own(wallet.ReceiveBranch, 0, btc.Amount(100_000+l.made*37))
	t.Category, t.Flow, t.Address, t.Own, t.Outputs = wallet.Receive, out.Amount, out.Address, out.Own, []wallet.Output{out}
	t.VSize, t.Raw = 141, l.raw(222)
	utxo := wallet.Input{Prev: btc.Outpoint{Txid: t.Txid, Vout: out.Vout}, Amount: out.Amount}
	if l.made%3 == 2 { // the others stay unspent
		l.utxos = append(l.utxos, utxo)
	}
}

// send makes t an outgoing payment with change, which spends l.utxos.
func (l *ledger) send(t *wallet.Transaction) {
	var in btc.Amount
	for _, utxo := range l.utxos {
		in += utxo.Amount
	}
	fee := btc.Amount(1045)
	paid := (in - fee) / 2
	change := l.own(wallet.ChangeBranch, 1, in-fee-paid)
	t.Category, t.Flow, t.Fee, t.Inputs = wallet.Send, -paid-fee, &fee, l.utxos
	t.Address = madeUpAddress("recipient", l.made)
	t.Outputs = []wallet.Output{{Vout: 0, Address: t.Address, Amount: paid}, change}
	t.VSize, t.Raw = 209, l.raw(372)
	l.utxos = []wallet.Input{{Prev: btc.Outpoint{Txid: t.Txid, Vout: 1}, Amount: change.Amount}}
}

// raw returns random bytes in place of a serialized transaction. They are never
// parsed.
func (l *ledger) raw(size int) []byte {
	raw := make([]byte, size)
	_, _ = rand.NewChaCha8(sha256.Sum256(fmt.Append(nil, l.made))).Read(raw) // never fails
	return raw
}
