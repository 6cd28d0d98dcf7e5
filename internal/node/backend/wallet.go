package backend

import (
	"context"
	"encoding/json"
	"time"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/node/rpcclient"
)

// Info is the state of a wallet (getwalletinfo).
type Info struct {
	// Transactions is the number of transactions, including conflicted and
	// abandoned ones.
	Transactions int64
	// PrivateKeys reports whether the wallet may have private keys; Descriptors is false
	// for a legacy wallet.
	PrivateKeys, Descriptors bool
	// Scan is nil unless the wallet is rescanning.
	Scan *Scan
	// LastProcessed is the last block that the wallet has processed; its hash is
	// empty if the node does not report it (before Core 26).
	LastProcessed Block
	// Raw is the unmodified result. It has no balances since Core 30.
	Raw json.RawMessage
}

// Scan is a running rescan.
type Scan struct {
	Duration time.Duration
	// Progress is between 0 and 1.
	Progress float64
}

// UnmarshalJSON parses the progress of a rescan. It does not accept false, which the node
// returns if no rescan is running.
func (s *Scan) UnmarshalJSON(text []byte) error {
	var wire struct {
		Duration int64   `json:"duration"`
		Progress float64 `json:"progress"`
	}
	if err := json.Unmarshal(text, &wire); err != nil {
		return err
	}
	*s = Scan{Duration: time.Duration(wire.Duration) * time.Second, Progress: wire.Progress}
	return nil
}

// Info returns the state of the wallet.
func (w *Wallet) Info(ctx context.Context) (Info, error) {
	var info wireInfo
	if err := w.read(ctx, &info, "getwalletinfo"); err != nil {
		return Info{}, err
	}
	return Info(info), nil
}

// wireInfo is an Info that is decoded from the result of getwalletinfo.
type wireInfo Info

func (i *wireInfo) UnmarshalJSON(text []byte) error {
	var wire struct {
		TxCount       int64           `json:"txcount"`
		PrivateKeys   bool            `json:"private_keys_enabled"`
		Descriptors   bool            `json:"descriptors"`
		Scanning      json.RawMessage `json:"scanning"`
		LastProcessed Block           `json:"lastprocessedblock"`
	}
	if err := json.Unmarshal(text, &wire); err != nil {
		return err
	}
	*i = wireInfo{
		Transactions:  wire.TxCount,
		PrivateKeys:   wire.PrivateKeys,
		Descriptors:   wire.Descriptors,
		LastProcessed: wire.LastProcessed,
		Raw:           append(json.RawMessage(nil), text...),
	}
	if len(wire.Scanning) > 0 && string(wire.Scanning) != "false" {
		i.Scan = new(Scan)
		return json.Unmarshal(wire.Scanning, i.Scan)
	}
	return nil
}

// Balances are the balances of a wallet (getbalances, mine).
type Balances struct {
	// Trusted is the confirmed balance and the unconfirmed balance from the wallet's own
	// transactions.
	Trusted btc.Amount
	// Pending is the unconfirmed balance from transactions of others.
	Pending btc.Amount
	// Immature is the balance from coinbase transactions that are not mature yet.
	Immature btc.Amount
}

// Balances returns the balances in "mine" of getbalances.
func (w *Wallet) Balances(ctx context.Context) (Balances, error) {
	var wire struct {
		Mine struct {
			Trusted  btc.JSONBTC `json:"trusted"`
			Pending  btc.JSONBTC `json:"untrusted_pending"`
			Immature btc.JSONBTC `json:"immature"`
		} `json:"mine"`
	}
	if err := w.read(ctx, &wire, "getbalances"); err != nil {
		return Balances{}, err
	}
	return Balances{
		Trusted:  btc.Amount(wire.Mine.Trusted),
		Pending:  btc.Amount(wire.Mine.Pending),
		Immature: btc.Amount(wire.Mine.Immature),
	}, nil
}

// outpoints are outpoints in Core's JSON format.
type outpoints []btc.Outpoint

type wireOutpoint struct {
	Txid string `json:"txid"`
	Vout uint32 `json:"vout"`
}

// MarshalJSON implements json.Marshaler.
func (o outpoints) MarshalJSON() ([]byte, error) {
	wire := make([]wireOutpoint, len(o))
	for i, at := range o {
		wire[i] = wireOutpoint(at)
	}
	return json.Marshal(wire)
}

// UnmarshalJSON implements json.Unmarshaler.
func (o *outpoints) UnmarshalJSON(text []byte) error {
	var wire []wireOutpoint
	if err := json.Unmarshal(text, &wire); err != nil {
		return err
	}
	*o = make(outpoints, len(wire))
	for i, at := range wire {
		(*o)[i] = btc.Outpoint(at)
	}
	return nil
}

// UTXO is an output that the wallet may spend (listunspent).
type UTXO struct {
	btc.Outpoint

	// Address is empty for scripts without an address.
	Address string
	// Script is the scriptPubKey in hexadecimal digits.
	Script        string
	Amount        btc.Amount
	Confirmations int64
	// Safe is false for unconfirmed outputs from others, which may be replaced.
	Safe bool
}

// Unspent returns the wallet's unspent outputs, confirmed or not, except locked and
// immature ones.
func (w *Wallet) Unspent(ctx context.Context) ([]UTXO, error) {
	var wire []struct {
		Txid          string      `json:"txid"`
		Vout          uint32      `json:"vout"`
		Address       string      `json:"address"`
		Script        string      `json:"scriptPubKey"`
		Amount        btc.JSONBTC `json:"amount"`
		Confirmations int64       `json:"confirmations"`
		Safe          bool        `json:"safe"`
	}
	const minConfirmations, maxConfirmations, includeUnsafe = 0, 9_999_999, true
	if err := w.read(ctx, &wire, "listunspent", minConfirmations, maxConfirmations, []string{}, includeUnsafe); err != nil {
		return nil, err
	}
	utxos := make([]UTXO, len(wire))
	for i, c := range wire {
		utxos[i] = UTXO{
			Outpoint: btc.Outpoint{Txid: c.Txid, Vout: c.Vout}, Address: c.Address, Script: c.Script,
			Amount: btc.Amount(c.Amount), Confirmations: c.Confirmations, Safe: c.Safe,
		}
	}
	return utxos, nil
}

// Lock excludes UTXOs from the wallet's coin selection: all of them, or none if it
// returns an error. A persistent lock survives a restart of the node. A lock that is
// not persistent can be made persistent by another call. It returns
// ErrUTXOUnavailable.
func (w *Wallet) Lock(ctx context.Context, utxos []btc.Outpoint, persistent bool) error {
	if len(utxos) == 0 {
		return nil
	}
	err := w.write(ctx, nil, "lockunspent", false, outpoints(utxos), persistent)
	if refused(err, rpcclient.CodeInvalidValue, "") {
		return ErrUTXOUnavailable.WithCause(err)
	}
	return err
}

// Unlock removes the locks of UTXOs, persistent or not: all of them, or none if it
// returns an error. It returns ErrUTXONotLocked if one is not locked.
func (w *Wallet) Unlock(ctx context.Context, utxos []btc.Outpoint) error {
	if len(utxos) == 0 { // Core would remove all locks for an empty list
		return nil
	}
	err := w.write(ctx, nil, "lockunspent", true, outpoints(utxos))
	if refused(err, rpcclient.CodeInvalidValue, "") {
		return ErrUTXONotLocked.WithCause(err)
	}
	return err
}

// ListLocked returns the UTXOs that Core does not select for payments (listlockunspent).
func (w *Wallet) ListLocked(ctx context.Context) ([]btc.Outpoint, error) {
	var utxos outpoints
	return utxos, w.read(ctx, &utxos, "listlockunspent")
}

// Rescan scans the chain for the wallet's transactions from a height to the tip, and
// returns the height that it reached (rescanblockchain). It may take hours, has no
// timeout except ctx, and occupies one of the client's concurrent requests. If ctx
// ends first, the rescan continues in the node; see [Wallet.AbortRescan]. It returns
// ErrScanning, ErrScanAborted, ErrBlocksPruned, and ErrBlockNotFound for a height
// beyond the tip.
func (w *Wallet) Rescan(ctx context.Context, from int64) (to int64, err error) {
	var wire struct {
		Stop *int64 `json:"stop_height"`
	}
	err = caller{w.rpc.WithTimeout(noLimit)}.write(ctx, &wire, "rescanblockchain", from)
	switch {
	case refused(err, rpcclient.CodeMisc, "aborted"):
		return 0, ErrScanAborted.WithCause(err)
	case refused(err, rpcclient.CodeMisc, "pruned"):
		return 0, ErrBlocksPruned.WithCause(err)
	case refused(err, rpcclient.CodeInvalidValue, ""):
		return 0, ErrBlockNotFound.WithCause(err)
	case err != nil:
		return 0, err
	case wire.Stop == nil: // all blocks were processed during the call
		return from, nil
	default:
		return *wire.Stop, nil
	}
}

// AbortRescan aborts the wallet's rescan, and reports whether there was one. The
// rescan may end shortly after AbortRescan returns.
func (w *Wallet) AbortRescan(ctx context.Context) (bool, error) {
	var aborted bool
	return aborted, w.write(ctx, &aborted, "abortrescan")
}
