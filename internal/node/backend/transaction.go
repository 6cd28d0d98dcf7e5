package backend

import (
	"context"
	"encoding/hex"
	"errors"
	"slices"
	"sync"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/node/rpcclient"
)

// Transaction is a transaction from the view of a wallet (gettransaction).
type Transaction struct {
	Txid string
	// Missing reports whether the wallet lacks the transaction. If so, no other field
	// except Txid is set.
	Missing bool
	// Raw is the serialized transaction with witnesses. The caller must verify that
	// it has that txid.
	Raw []byte
	// Amount is the amount by which the transaction changes the wallet's balance, without
	// the fee. Fee is negative, or 0 if the wallet did not send the transaction.
	Amount, Fee btc.Amount
	// Details are the outputs that the wallet knows, except change.
	Details []Detail
	// Abandoned reports whether the owner abandoned it.
	Abandoned bool
	State
}

// Detail is an output of a transaction; see [Entry] for its fields.
type Detail struct {
	Vout        uint32
	Address     string
	Category    Category
	Amount, Fee btc.Amount
}

// transactionBatch is the number of transactions per request: large enough that the
// overhead per request is small, and small enough that several responses fit into
// memory. transactionBatches is the number of concurrent requests, so that the node
// prepares a response while another one is decoded.
const (
	transactionBatch   = 100
	transactionBatches = 2
)

// Transactions calls visit for each of the transactions, in the order of txids. It
// requests them in batches of transactionBatch, at most transactionBatches of which are
// requested or in memory at a time. If visit returns an error, the call ends and returns
// that error.
func (w *Wallet) Transactions(ctx context.Context, txids []string, visit func(Transaction) error) error {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()

	type outcome struct {
		transactions []Transaction
		err          error
	}
	batches := make(chan chan outcome, transactionBatches-1) // in addition to the batch that is being received
	running.Go(func() {
		defer close(batches)
		for part := range slices.Chunk(txids, transactionBatch) {
			done := make(chan outcome, 1)
			select {
			case batches <- done:
			case <-ctx.Done():
				return
			}
			running.Go(func() {
				list, err := w.fetch(ctx, part)
				done <- outcome{list, err}
			})
		}
	})
	for batch := range batches {
		got := <-batch
		if got.err != nil {
			return got.err
		}
		for _, t := range got.transactions {
			if err := visit(t); err != nil {
				return err
			}
		}
	}
	return ctx.Err()
}

// fetch requests transactions in one batch, or in smaller batches if the response would
// be too long.
func (w *Wallet) fetch(ctx context.Context, txids []string) ([]Transaction, error) {
	wires := make([]wireTransaction, len(txids))
	reqs := make([]rpcclient.Request, len(txids))
	for i, txid := range txids {
		const watchOnly, verbose = true, false
		reqs[i] = rpcclient.Request{Method: "gettransaction", Params: []any{txid, watchOnly, verbose}, Out: &wires[i]}
	}
	err := w.readBatch(ctx, reqs)
	if errors.Is(err, rpcclient.ErrTooLong) && len(txids) > 1 {
		half := len(txids) / 2
		first, err := w.fetch(ctx, txids[:half])
		if err != nil {
			return nil, err
		}
		second, err := w.fetch(ctx, txids[half:])
		return append(first, second...), err
	}
	if err != nil {
		return nil, err
	}
	list := make([]Transaction, len(txids))
	for i, r := range reqs {
		switch {
		case refused(r.Err, rpcclient.CodeInvalidAddress, ""):
			list[i] = Transaction{Txid: txids[i], Missing: true}
		case r.Err != nil:
			return nil, r.Err
		case wires[i].Txid != txids[i]:
			return nil, invalidResponse("gettransaction of another transaction")
		default:
			list[i] = wires[i].transaction()
		}
	}
	return list, nil
}

type wireTransaction struct {
	wireState

	Amount  btc.JSONBTC  `json:"amount"`
	Fee     btc.JSONBTC  `json:"fee"`
	Details []wireDetail `json:"details"`
	Hex     hexBytes     `json:"hex"`
}

// ReadResult implements rpcclient.ResultReader.
func (w *wireTransaction) ReadResult(dec *jsontext.Decoder) error {
	return json.UnmarshalDecode(dec, w)
}

func (w *wireTransaction) transaction() Transaction {
	t := Transaction{
		Txid:    w.Txid,
		Raw:     w.Hex,
		Amount:  btc.Amount(w.Amount),
		Fee:     btc.Amount(w.Fee),
		Details: make([]Detail, len(w.Details)),
		State:   w.state(),
	}
	for i, d := range w.Details {
		t.Details[i] = Detail{
			Vout: d.Vout, Address: d.Address, Category: d.Category,
			Amount: btc.Amount(d.Amount), Fee: btc.Amount(d.Fee),
		}
		t.Abandoned = t.Abandoned || d.Abandoned
	}
	return t
}

// hexBytes is a byte slice that is a hexadecimal string in JSON.
type hexBytes []byte

var errNotHex = errors.New("not hexadecimal digits")

// UnmarshalJSON implements json.Unmarshaler.
func (h *hexBytes) UnmarshalJSON(text []byte) error {
	if len(text) < 2 || text[0] != '"' {
		return errNotHex
	}
	digits := text[1 : len(text)-1]
	*h = make([]byte, hex.DecodedLen(len(digits)))
	if _, err := hex.Decode(*h, digits); err != nil {
		return errNotHex
	}
	return nil
}
