package v1

import (
	"context"
	"time"

	"github.com/specterd/specterd/internal/btc"
	wallets "github.com/specterd/specterd/internal/wallet"
)

type utxo struct {
	Txid          string     `json:"txid" required:"true"`
	Vout          uint32     `json:"vout" required:"true"`
	Address       string     `json:"address" required:"true"`
	Amount        btc.Amount `json:"amount_sat" required:"true"`
	Branch        string     `json:"branch" required:"true" enum:"receive,change"`
	Index         uint32     `json:"index" required:"true" description:"Index of the address on its branch (the last step of its derivation path)."`
	Label         string     `json:"label" required:"true" description:"Label of the output; if it has no label, label of its address."`
	Time          time.Time  `json:"time" required:"true" description:"Time that Bitcoin Core's wallet reports for the transaction."`
	Status        string     `json:"status" required:"true" enum:"confirmed,mempool,inactive" description:"Status of the transaction."`
	Height        *int       `json:"height" required:"true" description:"Block height; null if unconfirmed."`
	Confirmations int        `json:"confirmations" required:"true"`
	Trusted       bool       `json:"trusted" required:"true" description:"Whether the output can be spent now and counts in trusted_sat."`
	Immature      bool       `json:"immature" required:"true" description:"Whether it is a coinbase output with fewer than 101 confirmations."`
	Frozen        bool       `json:"frozen" required:"true" description:"Whether the output is frozen."`
	Reserved      bool       `json:"reserved" required:"true" description:"Whether an open proposal spends the output."`
	Locked        bool       `json:"locked" required:"true" description:"Whether Bitcoin Core excludes the output from payments: it is frozen or reserved, or was locked by other means (RPC lockunspent)."`
}

func utxoOf(c wallets.UTXO) utxo {
	out := utxo{
		Txid: c.Txid, Vout: c.Vout, Address: c.Address, Amount: c.Amount, Branch: c.Branch.Name(), Index: c.Index,
		Label: c.Label, Time: c.Time.UTC(), Status: string(c.Status), Confirmations: c.Confirmations,
		Trusted: c.Trusted, Immature: c.Immature, Frozen: c.Frozen, Reserved: c.Reserved, Locked: c.Locked,
	}
	if c.Confirmations > 0 {
		out.Height = &c.Height
	}
	return out
}

type listUTXOsRequest struct {
	walletRequest
	page
	fresh
	Label   *string `query:"label" json:"-" description:"Only outputs with this label on the output or on its address; empty: only outputs without a label."`
	Address string  `query:"address" json:"-" description:"Only outputs to this address, which can be a bitcoin: URI."`
	Frozen  *bool   `query:"frozen" json:"-" description:"true: only frozen outputs; false: only the others."`
}

// ListUTXOs serves GET /api/v1/wallets/{alias}/utxos.
func (a *API) ListUTXOs(ctx context.Context, in listUTXOsRequest) (listAsOf[utxo], error) {
	limit, err := in.limit()
	if err != nil {
		return listAsOf[utxo]{}, err
	}
	after, err := utxoCursor(in.page)
	if err != nil {
		return listAsOf[utxo]{}, err
	}
	v, err := a.view(ctx, in.fresh)
	if err != nil {
		return listAsOf[utxo]{}, err
	}
	utxos, err := a.o.Wallets.FilteredUTXOs(ctx, access(ctx), wallets.UTXOFilter{Label: in.Label, Address: in.Address, Frozen: in.Frozen}, after, limit+1)
	if err != nil {
		return listAsOf[utxo]{}, err
	}
	page := newList(utxos, limit, utxoOf, func(c wallets.UTXO) string { return c.String() })
	return listAsOf[utxo]{page, asOfTip(v.Synced)}, nil
}

func utxoCursor(p page) (btc.Outpoint, error) {
	text, err := p.place()
	if err != nil || text == "" {
		return btc.Outpoint{}, err
	}
	at, err := btc.ParseOutpoint(text)
	if err != nil {
		return at, errCursor
	}
	return at, nil
}

type utxoRequest struct {
	walletRequest
	Outpoint string `path:"outpoint" json:"-" example:"4a5e1e4baab89f3a32518a88c31bc87f618f76673e2cc77ab2127b7afdeda33b:0" description:"txid:vout"`
}

// FreezeUTXO serves PUT /api/v1/wallets/{alias}/utxos/{outpoint}/freeze.
func (a *API) FreezeUTXO(ctx context.Context, in utxoRequest) error {
	return a.freeze(ctx, in, true)
}

// UnfreezeUTXO serves DELETE /api/v1/wallets/{alias}/utxos/{outpoint}/freeze.
func (a *API) UnfreezeUTXO(ctx context.Context, in utxoRequest) error {
	return a.freeze(ctx, in, false)
}

func (a *API) freeze(ctx context.Context, in utxoRequest, frozen bool) error {
	at, err := btc.ParseOutpoint(in.Outpoint)
	if err != nil {
		return err
	}
	return a.o.Wallets.Freeze(ctx, access(ctx), at, frozen)
}
