package console

import (
	"errors"
	"html/template"
	"strconv"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/wallet"
)

// payment is a proposal, or the preview of a proposal, with its outputs as pages show them.
type payment struct {
	proposal.Proposal

	Payees []payee
	Change []change
	// Unconfirmed is how many of its UTXOs are unconfirmed now, on the page of an open proposal.
	// A preview has Ancestors instead.
	Unconfirmed int
}

// payee is an output that is not change.
type payee struct {
	proposal.Output

	Label string
	// Wallet and WalletAlias are the name and the alias of the user's other wallet that the address
	// belongs to; empty for addresses of others.
	Wallet, WalletAlias string
	// Fresh is set in a preview if the address of that wallet is not revealed yet.
	Fresh bool
}

// change is an output that returns to the wallet, and how its address is derived.
type change struct {
	proposal.Output

	Keys  int // number of keys that it is derived from
	Paths []keyPath
}

// keyPath is the derivation path of an address for one key.
type keyPath struct{ Fingerprint, Path string }

// paymentOf returns a payment with the labels of its recipients.
func (c *call) paymentOf(p proposal.Proposal) (payment, error) {
	list, err := c.payments([]proposal.Proposal{p})
	if err != nil {
		return payment{}, err
	}
	return list[0], nil
}

// payments returns payments of the call's wallet with the labels of their recipients.
func (c *call) payments(list []proposal.Proposal) ([]payment, error) {
	return c.paymentsIn(c.access, c.view.Keys, list)
}

// paymentsIn returns payments of a wallet, which has these keys, with the labels of their
// recipients.
func (c *call) paymentsIn(access wallet.Access, keys []wallet.Key, list []proposal.Proposal) ([]payment, error) {
	var addresses []string
	for _, p := range list {
		for _, o := range p.Outputs {
			if o.Kind != proposal.Change {
				addresses = append(addresses, o.Address)
			}
		}
	}
	labels, err := c.Wallets.AddressLabels(c.r.Context(), access, addresses)
	if err != nil {
		return nil, err
	}
	out := make([]payment, len(list))
	for i, p := range list {
		out[i].Proposal = p
		for _, o := range p.Outputs {
			if o.Kind == proposal.Change {
				out[i].Change = append(out[i].Change, changeOf(o, keys))
			} else {
				out[i].Payees = append(out[i].Payees, payee{Output: o, Label: labels[o.Address]})
			}
		}
	}
	return out, nil
}

// proposalTitle returns the short name of a proposal of the call's wallet, or its shortened id if it
// cannot be read.
func (c *call) proposalTitle(id string) template.HTML {
	p, err := c.Proposals.Get(c.r.Context(), c.access, id)
	if err != nil {
		return shortID(id)
	}
	made, err := c.paymentOf(p)
	if err != nil {
		return shortID(id)
	}
	title, err := c.look.fragment("payment-title", made)
	if err != nil {
		return shortID(id)
	}
	return title
}

func changeOf(o proposal.Output, keys []wallet.Key) change {
	out := change{Output: o, Keys: len(keys)}
	for _, k := range keys {
		path := k.Derivation + "/" + strconv.Itoa(int(o.Own.Branch)) + "/" + strconv.FormatUint(uint64(o.Own.Index), 10)
		out.Paths = append(out.Paths, keyPath{k.Fingerprint, path})
	}
	return out
}

// More returns the number of recipients after the first.
func (p payment) More() int { return max(0, len(p.Payees)-1) }

// Total returns what the payment costs the wallet: what the recipients receive, and the fee.
func (p payment) Total() btc.Amount { return p.Sent() + p.Fee }

// Rate returns the fee rate.
func (p payment) Rate() string { return rateText(p.PaidRate()) }

// Chosen returns the fee rate that was requested or estimated.
func (p payment) Chosen() string { return rateText(p.FeeRate) }

// Joint returns the fee rate of a preview together with its unconfirmed ancestors.
func (p payment) Joint() string { return rateText(p.JointRate()) }

// IsFallback reports whether the node used its fallback fee rate.
func (p payment) IsFallback() bool { return p.FeeSource == proposal.FeeFallback }

// ChangeSum returns the total of the change.
func (p payment) ChangeSum() (sum btc.Amount) {
	for _, o := range p.Change {
		sum += o.Amount
	}
	return sum
}

// rateText returns a fee rate with at most two decimals.
func rateText(r btc.FeeRate) string { return ((r + 5) / 10 * 10).String() }

// maxWalletLookups is the maximum number of recipients for which a preview looks for the wallets
// of the user.
const maxWalletLookups = 20

// noteWallets looks for other wallets of the user that the recipients belong to.
func (c *call) noteWallets(p *payment) error {
	names, err := c.walletNames()
	if err != nil {
		return err
	}
	for i := range p.Payees[:min(len(p.Payees), maxWalletLookups)] {
		o := &p.Payees[i]
		if o.Address == "" || o.Kind == proposal.Own {
			continue
		}
		found, err := c.Wallets.FindAddress(c.r.Context(), c.who, o.Address)
		if errors.Is(err, wallet.ErrAddressNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		o.Wallet, o.WalletAlias = names[found[0].WalletID], found[0].Alias
	}
	return nil
}

// parseCount parses a number of 0 or more.
func parseCount(text string) (int, error) {
	n, err := strconv.ParseUint(text, 10, 31)
	return int(n), err
}
