package v1

import (
	"context"

	api "github.com/specterd/specterd/api/v1"
	"github.com/specterd/specterd/internal/btc"
	wallets "github.com/specterd/specterd/internal/wallet"
)

func utxoOf(c wallets.UTXO) api.UTXO {
	out := api.UTXO{
		Txid: c.Txid, Vout: c.Vout, Address: c.Address, Amount: int64(c.Amount), Branch: c.Branch.Name(), Index: c.Index,
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
func (a *API) ListUTXOs(ctx context.Context, in listUTXOsRequest) (api.ListAsOf[api.UTXO], error) {
	limit, err := in.limit()
	if err != nil {
		return api.ListAsOf[api.UTXO]{}, err
	}
	after, err := utxoCursor(in.page)
	if err != nil {
		return api.ListAsOf[api.UTXO]{}, err
	}
	v, err := a.view(ctx, in.fresh)
	if err != nil {
		return api.ListAsOf[api.UTXO]{}, err
	}
	utxos, err := a.o.Wallets.FilteredUTXOs(ctx, access(ctx), wallets.UTXOFilter{Label: in.Label, Address: in.Address, Frozen: in.Frozen}, after, limit+1)
	if err != nil {
		return api.ListAsOf[api.UTXO]{}, err
	}
	page := newList(utxos, limit, utxoOf, func(c wallets.UTXO) string { return c.String() })
	return api.ListAsOf[api.UTXO]{List: page, AsOf: asOfTip(v.Synced)}, nil
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
