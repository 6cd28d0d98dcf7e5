package v1

import (
	"context"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
	wallets "github.com/specterd/specterd/internal/wallet"
)

type wallet struct {
	Alias              string      `json:"alias" required:"true" description:"Your own name for the wallet in paths, unique among your wallets."`
	Name               string      `json:"name" required:"true" description:"Name of the wallet for all members."`
	Role               string      `json:"role" required:"true" enum:"viewer,proposer,signer,owner" description:"Your role in the wallet."`
	Status             string      `json:"status" required:"true" enum:"ready,rescanning" description:"Status of the wallet. While it is rescanning, history and balances may be incomplete."`
	Rescan             *rescan     `json:"rescan" required:"true" description:"The pending or running rescan; null without a rescan."`
	Problem            *string     `json:"problem" required:"true" description:"Why the wallet cannot be synchronized with the node; null without a problem."`
	Balances           balances    `json:"balances" required:"true"`
	Script             string      `json:"script" required:"true" enum:"pkh,wpkh,sh-wpkh,tr,sh,wsh,sh-wsh"`
	SignaturesRequired int         `json:"signatures_required" required:"true" description:"Number of signatures that a payment requires."`
	Keys               []walletKey `json:"keys" required:"true" description:"Keys of the wallet, in the order of the descriptor."`
	Descriptor         string      `json:"descriptor" required:"true" description:"Descriptor of the receive addresses, with its checksum."`
	ChangeDescriptor   string      `json:"change_descriptor" required:"true"`
	BirthdayHeight     int         `json:"birthday_height" required:"true" description:"Height of the block before which the wallet has no transactions."`
	NextIndex          uint32      `json:"next_index" required:"true" description:"The first index of the receive branch that was neither revealed nor used."`
	NextChangeIndex    uint32      `json:"next_change_index" required:"true"`
	MaxFeeRate         *feeRate    `json:"max_fee_rate_sat_vb" required:"true" description:"Maximum fee rate of proposals, in satoshis per virtual byte; null for the server's (max_fee_rate_sat_vb of GET /api/v1/fees), which always applies if it is lower."`
	FinalAfter         int         `json:"final_after" required:"true" description:"Number of confirmations from which on a transaction is final, which has the event transaction.final."`
	CreatedAt          time.Time   `json:"created_at" required:"true"`
	AsOf               *asOf       `json:"as_of" required:"true"`
}

// asOf is the block that a response is current to.
type asOf struct {
	Height int    `json:"height" required:"true"`
	Hash   string `json:"hash" required:"true"`
}

func asOfTip(t wallets.Tip) *asOf {
	if t.Height < 0 {
		return nil
	}
	return &asOf{t.Height, t.Hash}
}

type balances struct {
	Trusted          btc.Amount `json:"trusted_sat" required:"true" description:"Confirmed outputs and unconfirmed change of the wallet's own, as getbalances of Bitcoin Core reports them."`
	UntrustedPending btc.Amount `json:"untrusted_pending_sat" required:"true" description:"Unconfirmed outputs from others."`
	Immature         btc.Amount `json:"immature_sat" required:"true" description:"Coinbase outputs with fewer than 101 confirmations."`
	Confirmed        btc.Amount `json:"confirmed_sat" required:"true" description:"Outputs with at least one confirmation."`
	Reserved         btc.Amount `json:"reserved_sat" required:"true" description:"Part of trusted_sat reserved by open proposals."`
	Frozen           btc.Amount `json:"frozen_sat" required:"true" description:"Part of trusted_sat that is frozen; outputs that are frozen and reserved are included."`
	Available        btc.Amount `json:"available_sat" required:"true" description:"Amount available for payments: trusted_sat without reserved and frozen outputs."`
}

type walletKey struct {
	Fingerprint string  `json:"fingerprint" required:"true" description:"Fingerprint of the master key, eight hexadecimal digits."`
	Derivation  string  `json:"derivation" required:"true" example:"m/84h/0h/0h"`
	XPub        string  `json:"xpub" required:"true"`
	Device      *string `json:"device" required:"true" description:"Alias of the device that signs with the key; null if the device was deleted."`
}

func walletOf(v wallets.View) wallet {
	b := v.Balances
	out := wallet{
		Alias: v.Alias, Name: v.Name, Role: string(v.Role),
		Status: statusOf(v), Rescan: rescanOf(v), Problem: optionalText(v.Problem),
		Balances: balances{
			Trusted: b.Trusted, UntrustedPending: b.UntrustedPending, Immature: b.Immature, Confirmed: b.Confirmed,
			Reserved: b.Reserved, Frozen: b.Frozen, Available: b.Available(),
		},
		Script: string(v.Script), SignaturesRequired: v.SignaturesRequired, Keys: make([]walletKey, len(v.Keys)),
		Descriptor: v.Receive, ChangeDescriptor: v.Change,
		BirthdayHeight: v.Birthday, NextIndex: v.ReceiveNext, NextChangeIndex: v.ChangeNext,
		FinalAfter: v.FinalAfter, CreatedAt: v.CreatedAt.UTC(), AsOf: asOfTip(v.Synced),
	}
	if v.MaxFeeRate > 0 {
		out.MaxFeeRate = (*feeRate)(&v.MaxFeeRate)
	}
	for i, k := range v.Keys {
		out.Keys[i] = walletKey{k.Fingerprint, k.Derivation, k.XPub, optionalText(k.Device)}
	}
	return out
}

// ListWallets serves GET /api/v1/wallets.
func (a *API) ListWallets(ctx context.Context, p page) (list[wallet], error) {
	limit, err := p.limit()
	if err != nil {
		return list[wallet]{}, err
	}
	after, err := p.place()
	if err != nil {
		return list[wallet]{}, err
	}
	views, err := a.o.Wallets.List(ctx, caller(ctx), after, limit+1)
	if err != nil {
		return list[wallet]{}, err
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
func (a *API) GetWallet(ctx context.Context, in readWalletRequest) (wallet, error) {
	if err := a.wait(ctx, wallets.One(access(ctx)), in.fresh); err != nil {
		return wallet{}, err
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
	Name     *string `json:"name" minLength:"1" maxLength:"64" example:"Savings" description:"Name of the wallet for all members. Only owners may change it."`
	NewAlias *string `json:"alias" minLength:"1" maxLength:"64" description:"Your own name for the wallet in paths."`

	MaxFeeRate maxFeeRateChange `json:"max_fee_rate_sat_vb" description:"Maximum fee rate of proposals, in satoshis per virtual byte, up to that of the server; null for the server's. Only owners may change it, in a request without other fields."`
	FinalAfter *int             `json:"final_after" minimum:"1" maximum:"1000" description:"Number of confirmations from which on a transaction is final. Transactions that are final already stay so. Only owners may change it, in a request without other fields."`
}

// maxFeeRateChange is a fee rate or null, for which rate is 0. isSet distinguishes null from
// a missing field.
type maxFeeRateChange struct {
	isSet bool
	rate  feeRate
}

// UnmarshalJSON implements json.Unmarshaler.
func (c *maxFeeRateChange) UnmarshalJSON(text []byte) error {
	c.isSet, c.rate = true, 0
	if string(text) == "null" {
		return nil
	}
	return c.rate.UnmarshalJSON(text)
}

// JSONSchemaBytes returns the type's JSON schema for the OpenAPI specification.
func (maxFeeRateChange) JSONSchemaBytes() ([]byte, error) {
	return []byte(`{"type":["number","null"]}`), nil
}

// ChangeWallet serves PATCH /api/v1/wallets/{alias}.
func (a *API) ChangeWallet(ctx context.Context, in changeWalletRequest) (wallet, error) {
	switch {
	case in.MaxFeeRate.isSet:
		return a.changeMaxFeeRate(ctx, in)
	case in.FinalAfter != nil:
		return a.changeFinalAfter(ctx, in)
	case in.Name == nil && in.NewAlias == nil:
		return wallet{}, fault.New(fault.Invalid, "no_changes", "no changes; at least one of name and alias, or max_fee_rate_sat_vb or final_after, is required")
	}
	v, err := a.o.Wallets.Rename(ctx, access(ctx), in.Name, in.NewAlias)
	return walletOf(v), err
}

func (a *API) changeMaxFeeRate(ctx context.Context, in changeWalletRequest) (wallet, error) {
	const field = "max_fee_rate_sat_vb"
	if in.Name != nil || in.NewAlias != nil || in.FinalAfter != nil {
		return wallet{}, fault.InvalidField(field, "must be changed in a request without other fields")
	}
	rate := btc.FeeRate(in.MaxFeeRate.rate)
	if err := a.o.Proposals.CheckMaxFeeRate(field, rate); err != nil {
		return wallet{}, err
	}
	v, err := a.o.Wallets.SetMaxFeeRate(ctx, access(ctx), rate)
	return walletOf(v), err
}

func (a *API) changeFinalAfter(ctx context.Context, in changeWalletRequest) (wallet, error) {
	if in.Name != nil || in.NewAlias != nil {
		return wallet{}, fault.InvalidField("final_after", "must be changed in a request without other fields")
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
