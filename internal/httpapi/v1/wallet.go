package v1

import (
	"context"

	api "github.com/specterd/specterd/api/v1"
	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/text"
	wallets "github.com/specterd/specterd/internal/wallet"
)

func asOfTip(t wallets.Tip) *api.AsOf {
	if t.Height < 0 {
		return nil
	}
	return &api.AsOf{Height: t.Height, Hash: t.Hash}
}

func walletOf(v wallets.View) api.Wallet {
	b := v.Balances
	out := api.Wallet{
		Alias: v.Alias, Name: v.Name, Role: string(v.Role),
		Status: statusOf(v), Rescan: rescanOf(v), Problem: text.Optional(v.Problem),
		Balances: api.Balances{
			Trusted: int64(b.Trusted), UntrustedPending: int64(b.UntrustedPending), Immature: int64(b.Immature), Confirmed: int64(b.Confirmed),
			Reserved: int64(b.Reserved), Frozen: int64(b.Frozen), Available: int64(b.Available()),
		},
		Script: string(v.Script), SignaturesRequired: v.SignaturesRequired, Keys: make([]api.WalletKey, len(v.Keys)),
		Descriptor: v.Receive, ChangeDescriptor: v.Change,
		BirthdayHeight: v.Birthday, NextIndex: v.ReceiveNext, NextChangeIndex: v.ChangeNext,
		FinalAfter: v.FinalAfter, CreatedAt: v.CreatedAt.UTC(), AsOf: asOfTip(v.Synced),
	}
	if v.MaxFeeRate > 0 {
		out.MaxFeeRate = new(feeRateOf(v.MaxFeeRate))
	}
	for i, k := range v.Keys {
		out.Keys[i] = api.WalletKey{Fingerprint: k.Fingerprint, Derivation: k.Derivation, XPub: k.XPub, Device: text.Optional(k.Device)}
	}
	return out
}

// ListWallets serves GET /api/v1/wallets.
func (a *API) ListWallets(ctx context.Context, p page) (api.List[api.Wallet], error) {
	limit, err := p.limit()
	if err != nil {
		return api.List[api.Wallet]{}, err
	}
	after, err := p.place()
	if err != nil {
		return api.List[api.Wallet]{}, err
	}
	views, err := a.o.Wallets.List(ctx, caller(ctx), after, limit+1)
	if err != nil {
		return api.List[api.Wallet]{}, err
	}
	return newList(views, limit, walletOf, func(v wallets.View) string { return v.Alias }), nil
}

type walletRequest struct {
	Alias string `path:"alias" json:"-" example:"savings" description:"Your alias of the wallet."`
}

type readWalletRequest struct {
	walletRequest
	fresh
}

// fresh contains the query parameter of the routes that can wait for the index.
type fresh struct {
	MinHeight int `query:"min_height" json:"-" minimum:"0" description:"Wait up to 10 seconds until the response is current to this block height; 409 if it is not by then."`
}

// GetWallet serves GET /api/v1/wallets/{alias}.
func (a *API) GetWallet(ctx context.Context, in readWalletRequest) (api.Wallet, error) {
	if err := a.wait(ctx, wallets.One(access(ctx)), in.fresh); err != nil {
		return api.Wallet{}, err
	}
	v, err := a.o.Wallets.Get(ctx, access(ctx))
	return walletOf(v), err
}

// view waits until the index has reached the requested height (see wait), and returns the
// wallet that the path names. The balances lack the reserved and frozen amounts, as in
// wallet.Service.View.
func (a *API) view(ctx context.Context, f fresh) (wallets.View, error) {
	if err := a.wait(ctx, wallets.One(access(ctx)), f); err != nil {
		return wallets.View{}, err
	}
	return a.o.Wallets.View(ctx, access(ctx), auth.RoleViewer)
}

// wait waits until the index of all wallets in a set has reached the requested height. It
// returns wallet.ErrIndexBehind after ten seconds, and does not wait if the request
// specifies no height or 0.
func (a *API) wait(ctx context.Context, set wallets.Set, f fresh) error {
	switch {
	case f.MinHeight < 0:
		return fault.InvalidField("min_height", "must be 0 or more")
	case f.MinHeight == 0:
		return nil
	}
	_, err := a.o.Wallets.WaitForHeight(ctx, set, f.MinHeight)
	return err
}

type changeWalletRequest struct {
	walletRequest
	api.ChangeWalletRequest
}

// ChangeWallet serves PATCH /api/v1/wallets/{alias}.
func (a *API) ChangeWallet(ctx context.Context, in changeWalletRequest) (api.Wallet, error) {
	switch {
	case !in.MaxFeeRate.IsZero():
		return a.changeMaxFeeRate(ctx, in)
	case in.FinalAfter != nil:
		return a.changeFinalAfter(ctx, in)
	case in.Name == nil && in.NewAlias == nil:
		return api.Wallet{}, fault.New(fault.Invalid, "no_changes", "no changes; at least one of name and alias, or max_fee_rate_sat_vb or final_after, is required")
	}
	v, err := a.o.Wallets.Rename(ctx, access(ctx), in.Name, in.NewAlias)
	return walletOf(v), err
}

func (a *API) changeMaxFeeRate(ctx context.Context, in changeWalletRequest) (api.Wallet, error) {
	const field = "max_fee_rate_sat_vb"
	if in.Name != nil || in.NewAlias != nil || in.FinalAfter != nil {
		return api.Wallet{}, fault.InvalidField(field, "must be changed in a request without other fields")
	}
	var rate btc.FeeRate // 0 for null
	if given, _ := in.MaxFeeRate.Get(); given != nil {
		var err error
		if rate, err = parseFeeRate(field, *given); err != nil {
			return api.Wallet{}, err
		}
	}
	if err := a.o.Proposals.CheckMaxFeeRate(field, rate); err != nil {
		return api.Wallet{}, err
	}
	v, err := a.o.Wallets.SetMaxFeeRate(ctx, access(ctx), rate)
	return walletOf(v), err
}

func (a *API) changeFinalAfter(ctx context.Context, in changeWalletRequest) (api.Wallet, error) {
	if in.Name != nil || in.NewAlias != nil {
		return api.Wallet{}, fault.InvalidField("final_after", "must be changed in a request without other fields")
	}
	v, err := a.o.Wallets.SetFinalAfter(ctx, access(ctx), *in.FinalAfter)
	return walletOf(v), err
}

type deleteWalletRequest struct {
	walletRequest
	Files string `query:"files" json:"-" enum:"keep,delete" default:"keep" description:"Whether to keep or delete the wallet's files of the Bitcoin node. Deleting requires that specterd can access the node's wallet directory (otherwise 409, and nothing is changed), and happens shortly after the response."`
}

// DeleteWallet serves DELETE /api/v1/wallets/{alias}.
func (a *API) DeleteWallet(ctx context.Context, in deleteWalletRequest) error {
	if in.Files != "keep" && in.Files != "delete" {
		return fault.InvalidField("files", "must be keep or delete")
	}
	return a.o.Wallets.Delete(ctx, access(ctx), in.Files == "delete")
}
