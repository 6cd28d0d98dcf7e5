package v1

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
	wallets "github.com/specterd/specterd/internal/wallet"
)

type address struct {
	Address  string `json:"address" required:"true"`
	Branch   string `json:"branch" required:"true" enum:"receive,change"`
	Index    uint32 `json:"index" required:"true" description:"Index of the address on its branch (the last step of its derivation path)."`
	Label    string `json:"label" required:"true"`
	Revealed bool   `json:"revealed" required:"true" description:"Whether the address was revealed: its index is below the index of the next address to reveal."`
	Used     bool   `json:"used" required:"true" description:"Whether the address was ever paid to."`
}

func addressOf(a wallets.Address) address {
	return address{a.Address, a.Branch.Name(), a.Index, a.Label, a.Revealed, a.Used}
}

// listAsOf is a page of a list, and the block that it is current to.
type listAsOf[T any] struct {
	list[T]
	AsOf *asOf `json:"as_of" required:"true" description:"The block that the list is current to, at least; null before the first."`
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
func (a *API) ListAddresses(ctx context.Context, in listAddressesRequest) (listAsOf[address], error) {
	limit, err := in.limit()
	if err != nil {
		return listAsOf[address]{}, err
	}
	after, err := placeCursor(in.page)
	if err != nil {
		return listAsOf[address]{}, err
	}
	filter, err := in.filter()
	if err != nil {
		return listAsOf[address]{}, err
	}
	v, err := a.view(ctx, in.fresh)
	if err != nil {
		return listAsOf[address]{}, err
	}
	addresses, err := a.o.Wallets.Addresses(ctx, access(ctx), filter, after, limit+1)
	if err != nil {
		return listAsOf[address]{}, err
	}
	page := newList(addresses, limit, addressOf, placeText)
	return listAsOf[address]{page, asOfTip(v.Synced)}, nil
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

type addressDetails struct {
	address
	Received     btc.Amount `json:"received_sat" required:"true" description:"Total of all payments to the address, in blocks or in the mempool, whether spent or not."`
	Confirmed    btc.Amount `json:"confirmed_sat" required:"true" description:"Part of received_sat that is in blocks."`
	Transactions int        `json:"transactions" required:"true" description:"Number of transactions that pay to the address; replaced, conflicted and abandoned ones are not counted."`
	Txids        []string   `json:"txids" required:"true" nullable:"false" description:"Ids of the latest 100 of these transactions, the latest first. The list of transactions with the query parameter address has all."`
	AsOf         *asOf      `json:"as_of" required:"true"`
}

// GetAddress serves GET /api/v1/wallets/{alias}/addresses/{address}.
func (a *API) GetAddress(ctx context.Context, in getAddressRequest) (addressDetails, error) {
	v, err := a.view(ctx, in.fresh)
	if err != nil {
		return addressDetails{}, err
	}
	found, received, err := a.o.Wallets.Address(ctx, access(ctx), in.Address)
	return addressDetails{
		address: addressOf(found), Received: received.Total, Confirmed: received.Confirmed,
		Transactions: received.Transactions, Txids: append([]string{}, received.Txids...), AsOf: asOfTip(v.Synced),
	}, err
}

type labelAddressRequest struct {
	addressRequest
	newLabel
}

// LabelAddress serves PATCH /api/v1/wallets/{alias}/addresses/{address}.
func (a *API) LabelAddress(ctx context.Context, in labelAddressRequest) (addressDetails, error) {
	text, err := in.text()
	if err == nil {
		err = a.o.Wallets.LabelAddress(ctx, access(ctx), in.Address, text)
	}
	if err != nil {
		return addressDetails{}, err
	}
	return a.GetAddress(ctx, getAddressRequest{addressRequest: in.addressRequest})
}

type createAddressRequest struct {
	walletRequest
	Label string `json:"label" maxLength:"255" example:"invoice 17" description:"Label of the address, such as the purpose of the payment."`
}

type newAddress struct {
	Address     string  `json:"address" required:"true"`
	Branch      string  `json:"branch" required:"true" enum:"receive"`
	Index       uint32  `json:"index" required:"true"`
	Label       string  `json:"label" required:"true"`
	UnusedInRow int     `json:"unused_in_a_row" required:"true" description:"Number of addresses, including this one, revealed since the last address that was paid to."`
	Warning     *string `json:"warning" required:"true" description:"Set if the wallet is being rescanned, so that the address may have been used before, or if that number exceeds the gap limit of other wallet software; otherwise null."`
}

// CreateAddress serves POST /api/v1/wallets/{alias}/addresses.
func (a *API) CreateAddress(ctx context.Context, in createAddressRequest) (newAddress, error) {
	next, err := a.o.Wallets.NextAddress(ctx, access(ctx), in.Label)
	if err != nil {
		return newAddress{}, err
	}
	return newAddressOf(next), nil
}

func newAddressOf(next wallets.NewAddress) newAddress {
	return newAddress{
		Address: next.Address, Branch: next.Branch.Name(), Index: next.Index, Label: next.Label,
		UnusedInRow: next.Unused, Warning: optionalText(next.Warning()),
	}
}

type findAddressRequest struct {
	Address string `path:"address" json:"-" example:"bcrt1q6rhpng9evdsfnn833a4f4vej0asu6dk5srld6x" description:"Bitcoin address, or a bitcoin: URI."`
}

type foundAddress struct {
	Address string         `json:"address" required:"true"`
	Items   []ownedAddress `json:"items" required:"true" description:"One entry for each of your wallets that contains the address."`
}

type ownedAddress struct {
	Wallet   string `json:"wallet" required:"true" description:"Your alias of the wallet."`
	Branch   string `json:"branch" required:"true" enum:"receive,change"`
	Index    uint32 `json:"index" required:"true"`
	Path     string `json:"path" required:"true" example:"0/5" description:"The last two steps of the derivation path: branch and index."`
	Label    string `json:"label" required:"true"`
	Revealed bool   `json:"revealed" required:"true"`
	Used     bool   `json:"used" required:"true"`
	AsOf     *asOf  `json:"as_of" required:"true"`
}

// FindAddress serves GET /api/v1/addresses/{address}.
func (a *API) FindAddress(ctx context.Context, in findAddressRequest) (foundAddress, error) {
	found, err := a.o.Wallets.FindAddress(ctx, caller(ctx), in.Address)
	if err != nil {
		return foundAddress{}, err
	}
	out := foundAddress{Address: in.Address, Items: make([]ownedAddress, len(found))}
	for i, f := range found {
		out.Address = f.Address.Address
		out.Items[i] = ownedAddress{
			Wallet: f.Alias, Branch: f.Branch.Name(), Index: f.Index, Path: fmt.Sprintf("%d/%d", f.Branch, f.Index),
			Label: f.Label, Revealed: f.Revealed, Used: f.Used,
			AsOf: asOfTip(f.Synced),
		}
	}
	return out, nil
}
