package v1

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	api "github.com/specterd/specterd/api/v1"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/text"
	wallets "github.com/specterd/specterd/internal/wallet"
)

func addressOf(a wallets.Address) api.Address {
	return api.Address{Address: a.Address, Branch: a.Branch.Name(), Index: a.Index, Label: a.Label, Revealed: a.Revealed, Used: a.Used}
}

type listAddressesRequest struct {
	walletRequest
	page
	fresh
	Branch   *string `query:"branch" json:"-" enum:"receive,change" description:"Only addresses on this branch."`
	Used     *bool   `query:"used" json:"-" description:"true: only addresses that were ever paid to; false: only the others."`
	Revealed *bool   `query:"revealed" json:"-" description:"true: only revealed addresses; false: only the others."`
	Label    *string `query:"label" json:"-" description:"Only addresses with this label; empty: only addresses without a label."`
}

func (in listAddressesRequest) filter() (wallets.AddressFilter, error) {
	f := wallets.AddressFilter{Used: in.Used, Revealed: in.Revealed, Label: in.Label}
	if in.Branch != nil {
		branch := wallets.ReceiveBranch
		switch *in.Branch {
		case "receive":
		case "change":
			branch = wallets.ChangeBranch
		default:
			return f, fault.InvalidField("branch", "must be receive or change")
		}
		f.Branch = &branch
	}
	return f, nil
}

// ListAddresses serves GET /api/v1/wallets/{alias}/addresses.
func (a *API) ListAddresses(ctx context.Context, in listAddressesRequest) (api.ListAsOf[api.Address], error) {
	limit, err := in.limit()
	if err != nil {
		return api.ListAsOf[api.Address]{}, err
	}
	after, err := placeCursor(in.page)
	if err != nil {
		return api.ListAsOf[api.Address]{}, err
	}
	filter, err := in.filter()
	if err != nil {
		return api.ListAsOf[api.Address]{}, err
	}
	v, err := a.view(ctx, in.fresh)
	if err != nil {
		return api.ListAsOf[api.Address]{}, err
	}
	addresses, err := a.o.Wallets.Addresses(ctx, access(ctx), filter, after, limit+1)
	if err != nil {
		return api.ListAsOf[api.Address]{}, err
	}
	page := newList(addresses, limit, addressOf, placeText)
	return api.ListAsOf[api.Address]{List: page, AsOf: asOfTip(v.Synced)}, nil
}

func placeText(a wallets.Address) string { return fmt.Sprint(a.Branch, a.Index) }

// placeCursor parses a cursor into the branch and the index of an address. It returns nil
// for the beginning of the list.
func placeCursor(p page) (*wallets.Place, error) {
	text, err := p.place()
	if err != nil || text == "" {
		return nil, err
	}
	branch, index, _ := strings.Cut(text, " ")
	b, errBranch := strconv.ParseUint(branch, 10, 1)
	i, errIndex := strconv.ParseUint(index, 10, 32)
	if errBranch != nil || errIndex != nil {
		return nil, errCursor
	}
	return &wallets.Place{Branch: wallets.Branch(b), Index: uint32(i)}, nil
}

type addressRequest struct {
	walletRequest
	Address string `path:"address" json:"-" example:"bcrt1q6rhpng9evdsfnn833a4f4vej0asu6dk5srld6x" description:"An address of the wallet, or a bitcoin: URI."`
}

type getAddressRequest struct {
	addressRequest
	fresh
}

// GetAddress serves GET /api/v1/wallets/{alias}/addresses/{address}.
func (a *API) GetAddress(ctx context.Context, in getAddressRequest) (api.AddressDetails, error) {
	v, err := a.view(ctx, in.fresh)
	if err != nil {
		return api.AddressDetails{}, err
	}
	found, received, err := a.o.Wallets.Address(ctx, access(ctx), in.Address)
	return api.AddressDetails{
		Address: addressOf(found), Received: int64(received.Total), Confirmed: int64(received.Confirmed),
		Transactions: received.Transactions, Txids: append([]string{}, received.Txids...), AsOf: asOfTip(v.Synced),
	}, err
}

type labelAddressRequest struct {
	addressRequest
	api.LabelRequest
}

// LabelAddress serves PATCH /api/v1/wallets/{alias}/addresses/{address}.
func (a *API) LabelAddress(ctx context.Context, in labelAddressRequest) (api.AddressDetails, error) {
	text, err := labelText(in.LabelRequest)
	if err == nil {
		err = a.o.Wallets.LabelAddress(ctx, access(ctx), in.Address, text)
	}
	if err != nil {
		return api.AddressDetails{}, err
	}
	return a.GetAddress(ctx, getAddressRequest{addressRequest: in.addressRequest})
}

type createAddressRequest struct {
	walletRequest
	api.CreateAddressRequest
}

// CreateAddress serves POST /api/v1/wallets/{alias}/addresses.
func (a *API) CreateAddress(ctx context.Context, in createAddressRequest) (api.NewAddress, error) {
	next, err := a.o.Wallets.NextAddress(ctx, access(ctx), in.Label)
	if err != nil {
		return api.NewAddress{}, err
	}
	return newAddressOf(next), nil
}

func newAddressOf(next wallets.NewAddress) api.NewAddress {
	return api.NewAddress{
		Address: next.Address, Branch: next.Branch.Name(), Index: next.Index, Label: next.Label,
		UnusedInRow: next.Unused, Warning: text.Optional(next.Warning()),
	}
}

type findAddressRequest struct {
	Address string `path:"address" json:"-" example:"bcrt1q6rhpng9evdsfnn833a4f4vej0asu6dk5srld6x" description:"Bitcoin address, or a bitcoin: URI."`
}

// FindAddress serves GET /api/v1/addresses/{address}.
func (a *API) FindAddress(ctx context.Context, in findAddressRequest) (api.FoundAddress, error) {
	found, err := a.o.Wallets.FindAddress(ctx, caller(ctx), in.Address)
	if err != nil {
		return api.FoundAddress{}, err
	}
	out := api.FoundAddress{Address: in.Address, Items: make([]api.OwnedAddress, len(found))}
	for i, f := range found {
		out.Address = f.Address.Address
		out.Items[i] = api.OwnedAddress{
			Wallet: f.Alias, Branch: f.Branch.Name(), Index: f.Index, Path: fmt.Sprintf("%d/%d", f.Branch, f.Index),
			Label: f.Label, Revealed: f.Revealed, Used: f.Used,
			AsOf: asOfTip(f.Synced),
		}
	}
	return out, nil
}
