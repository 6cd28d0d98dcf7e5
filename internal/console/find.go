package console

import (
	"errors"
	"net/url"
	"regexp"
	"strings"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/wallet"
)

var findRoutes = []route{{method: get, path: "/find", audience: users, handle: (*call).find}}

// findPage lists what a search found in several wallets, or nothing.
type findPage struct {
	Query string
	Found []foundItem
	// Labels are the histories that can be searched for a label; empty if something was found.
	Labels []foundItem
}

const (
	maxLabel     = 255 // characters
	maxHistories = 10
)

// foundItem is an address, a transaction, a proposal or a wallet.
type foundItem struct{ What, Wallet, Path string }

var idText = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

// find leads to the page of an address, a transaction, an output or a proposal in the wallets of
// the user, or to a wallet by its name.
func (c *call) find() error {
	p := findPage{Query: strings.TrimSpace(c.query("q"))}
	var err error
	if p.Query != "" {
		p.Found, err = c.findAll(p.Query)
	}
	switch {
	case err != nil:
		return err
	case len(p.Found) == 1:
		return c.redirect(p.Found[0].Path, "")
	}
	if len(p.Found) == 0 && len([]rune(p.Query)) <= maxLabel {
		if p.Labels, err = c.histories(p.Query); err != nil {
			return err
		}
	}
	return c.render("find", c.look.T("Search"), p)
}

// histories returns the histories of the user's wallets, filtered by a label.
func (c *call) histories(label string) (out []foundItem, err error) {
	views, err := c.Wallets.List(c.r.Context(), c.who, "", maxHistories)
	for _, v := range views {
		out = append(out, foundItem{c.look.T("History"), v.Name, walletPath(v.Alias, "history") + "?" + url.Values{"q": {label}}.Encode()})
	}
	return out, err
}

func (c *call) findAll(query string) ([]foundItem, error) {
	lower := strings.ToLower(query)
	if at, err := btc.ParseOutpoint(lower); err == nil {
		lower = at.Txid
	}
	switch {
	case isTxid(lower):
		return c.findInWallets(c.look.T("Transaction"), func(access wallet.Access) (string, error) {
			_, err := c.Wallets.Transaction(c.r.Context(), access, lower)
			return walletPath(access.Alias(), "transactions", lower), err
		})
	case idText.MatchString(lower):
		return c.findProposals(lower)
	}
	found, err := c.findAddress(query)
	if err != nil || len(found) > 0 {
		return found, err
	}
	return c.findWallet(lower)
}

func (c *call) findProposals(id string) ([]foundItem, error) {
	return c.findInWallets(c.look.T("Proposal"), func(access wallet.Access) (string, error) {
		p, err := c.Proposals.Get(c.r.Context(), access, id)
		return walletPath(access.Alias(), "proposals", p.ID), err
	})
}

// findInWallets calls look for each wallet of the user. It returns the path of an object, or a
// NotFound fault.
func (c *call) findInWallets(what string, look func(wallet.Access) (string, error)) (found []foundItem, err error) {
	accesses, err := c.Wallets.Accesses(c.r.Context(), c.who)
	if err != nil {
		return nil, err
	}
	names, err := c.walletNames()
	if err != nil {
		return nil, err
	}
	for _, access := range accesses {
		path, err := look(access)
		switch {
		case err == nil:
			found = append(found, foundItem{what, names[access.WalletID()], path})
		case fault.KindOf(err) != fault.NotFound:
			return nil, err
		}
	}
	return found, nil
}

func (c *call) findAddress(query string) (found []foundItem, err error) {
	all, err := c.Wallets.FindAddress(c.r.Context(), c.who, query)
	if errors.Is(err, wallet.ErrAddressNotFound) || fault.KindOf(err) == fault.Invalid {
		return nil, nil
	}
	for _, a := range all {
		found = append(found, foundItem{c.look.T("Address"), a.Alias, addressPath(a.Alias, a.Address.Address)})
	}
	return found, err
}

// findWallet returns the wallets whose name or alias contains a text in lower case.
func (c *call) findWallet(lower string) (found []foundItem, err error) {
	views, err := c.wallets()
	for _, v := range views {
		if strings.Contains(strings.ToLower(v.Name), lower) || strings.Contains(v.Alias, auth.FoldName(lower)) {
			found = append(found, foundItem{c.look.T("Wallet"), v.Name, walletPath(v.Alias)})
		}
	}
	return found, err
}
