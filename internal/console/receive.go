package console

import (
	"errors"
	"fmt"
	"html/template"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/wallet"
)

var receiveRoutes = []route{
	{method: get, path: "/wallets/{alias}/receive", audience: users, role: auth.RoleViewer, handle: (*call).receive},
	{method: post, path: "/wallets/{alias}/receive", audience: users, role: auth.RoleProposer, handle: (*call).reveal},
	{method: post, path: "/wallets/{alias}/receive/label", audience: users, role: auth.RoleProposer, handle: (*call).labelAddress},
}

var receiveNotices = map[string]string{
	"revealed":       "The address is revealed.",
	"address-label":  "The label is saved.",
	"other-revealed": "This address was revealed in the meantime. It is the latest one.",
}

// receiveRows is the number of addresses on a page.
const receiveRows = 25

// receivePage shows a receive address, and the list of revealed ones.
type receivePage struct {
	Address *receiveAddress // nil without one to show
	Form    form            // of the amount and the message
	Reveal  form            // of a new address
	Label   form            // of the label of the address
	Next    uint32          // index of the address that is revealed next
	Key     string          // of the form that reveals it
	Warning string
	Rows    []addressRow
	Older   string // paths of the next and the previous page; empty without one
	Newer   string
}

// receiveAddress is the address to share.
type receiveAddress struct {
	wallet.Address

	Received wallet.Received
	URI      template.URL
	QR       template.HTML
	Keys     []signerPath
}

// IsChange reports whether the address is on the change branch.
func (a receiveAddress) IsChange() bool { return a.Branch == wallet.ChangeBranch }

// Shared reports whether the address is for payers. Others can be found, but not shared.
func (a receiveAddress) Shared() bool { return a.Revealed && !a.IsChange() }

// signerPath is the path of an address for one of the wallet's keys.
type signerPath struct {
	wallet.Key

	Path string
}

// addressRow is a revealed address in the list.
type addressRow struct {
	wallet.Address

	Received wallet.Received
	Path     string
	Shown    bool // whether the page shows it above
}

// state implements stateful.
func (p receivePage) state() string {
	if p.Address == nil {
		return stateOf(p.Next)
	}
	return stateOf(p.Next, p.Address.Address.Address, p.Address.Used, p.Address.Revealed)
}

func (c *call) receive() error {
	p, err := c.receivePage()
	if err != nil {
		return err
	}
	if err = c.addURI(&p); err != nil {
		f, err := again(err)
		if err != nil {
			return err
		}
		p.Form.fault = f
		return c.renderAs(f, "receive", c.look.T("Receive"), p)
	}
	return c.render("receive", c.look.T("Receive"), p)
}

// receivePage returns the page for the address in the query or, without one, for the address
// that was revealed last, unless that is used.
func (c *call) receivePage() (receivePage, error) {
	p := receivePage{Form: c.queryForm("amount", "message"), Reveal: c.newForm(nil), Label: c.newForm(nil), Next: c.view.ReceiveNext, Key: c.formKey()}
	ctx := c.r.Context()
	var err error
	if p.Warning, err = c.Wallets.RevealedWarning(ctx, c.access); err != nil {
		return p, err
	}
	address := c.query("address")
	if c.form.Has("address") {
		address = c.form.Get("address")
		c.self = c.addressPath(address)
	}
	if address != "" {
		err = c.addAddress(&p, address)
	} else {
		err = c.addLatestAddress(&p)
	}
	if err != nil {
		return p, err
	}
	return p, c.addAddressRows(&p)
}

// addLatestAddress adds the receive address that was revealed last, unless it is used.
func (c *call) addLatestAddress(p *receivePage) error {
	found, err := c.revealedBelow(c.view.ReceiveNext, 1)
	if err != nil || len(found) == 0 || found[0].Used {
		return err
	}
	a := found[0]
	c.self = c.addressPath(a.Address) // the page keeps it when it is paid
	received, err := c.Wallets.ReceivedBy(c.r.Context(), c.access, []string{a.Address})
	c.showAddress(p, a, received[a.Address])
	return err
}

// revealedBelow returns the receive addresses with the highest indexes below a limit, the
// highest first.
func (c *call) revealedBelow(limit uint32, count uint32) ([]wallet.Address, error) {
	limit = min(limit, c.view.ReceiveNext)
	first := limit - min(limit, count)
	if first == limit {
		return nil, nil
	}
	var after *wallet.Place
	if first > 0 {
		after = &wallet.Place{Branch: wallet.ReceiveBranch, Index: first - 1}
	}
	branch := wallet.ReceiveBranch
	found, err := c.Wallets.Addresses(c.r.Context(), c.access, wallet.AddressFilter{Branch: &branch}, after, int(limit-first))
	slices.Reverse(found)
	return found, err
}

func (c *call) addAddress(p *receivePage, address string) error {
	a, received, err := c.Wallets.Address(c.r.Context(), c.access, address)
	if err != nil {
		return missing(err, wallet.ErrAddressNotFound)
	}
	c.showAddress(p, a, received)
	return nil
}

func (c *call) showAddress(p *receivePage, a wallet.Address, received wallet.Received) {
	p.Address = &receiveAddress{Address: a, Received: received}
	for _, k := range c.view.Keys {
		p.Address.Keys = append(p.Address.Keys, signerPath{k, fmt.Sprintf("%s/%d/%d", k.Derivation, a.Branch, a.Index)})
	}
	if !c.form.Has("label") {
		p.Label.values = url.Values{"label": {a.Label}}
	}
}

// addURI adds the payment URI and its QR code to an address for payers, if the page shows one.
func (c *call) addURI(p *receivePage) error {
	if p.Address == nil || !p.Address.Shared() {
		return nil
	}
	amount, err := c.amountOf("amount", p.Form.Value("amount"))
	if err == nil {
		err = c.checkMessage(p.Form.Value("message"))
	}
	if err != nil {
		return err
	}
	a := p.Address
	uri := paymentURI(a.Address.Address, amount, p.Form.Value("message"))
	a.URI = template.URL(uri) //nolint:gosec // a bitcoin: URI of an address of the wallet, with escaped parameters
	a.QR, err = drawQR(uri, c.look.T("QR code of the address that ends in %s", a.Address.Address[max(0, len(a.Address.Address)-idTail):]))
	return err
}

// checkMessage limits the message of a QR code, so that a camera can read it.
func (c *call) checkMessage(text string) error {
	const most = 100
	if len([]rune(text)) > most {
		return fault.InvalidField("message", "must have at most %d characters", most)
	}
	return nil
}

// amountOf parses an amount in the chosen unit; an empty text is 0.
func (c *call) amountOf(field, text string) (btc.Amount, error) {
	if text = strings.TrimSpace(text); text == "" {
		return 0, nil
	}
	if c.look.unit == "btc" {
		a, err := btc.ParseDecimalBTC(text)
		if err != nil {
			return 0, fault.InvalidField(field, "must be a number of bitcoins with a decimal point, such as 0.001")
		}
		return a, nil
	}
	n, err := strconv.ParseUint(text, 10, 63)
	if err != nil || btc.Amount(n) > btc.MaxMoney {
		return 0, fault.InvalidField(field, "must be a number of satoshis, with digits only")
	}
	return btc.Amount(n), nil
}

// paymentURI returns a bitcoin: URI (BIP-21). Scheme and address are in upper case if the
// address allows it, because QR codes of upper-case text are smaller.
func paymentURI(address string, amount btc.Amount, label string) string {
	uri := "bitcoin:" + address
	if isBech32(address) {
		uri = strings.ToUpper(uri)
	}
	var params []string
	if amount > 0 {
		params = append(params, "amount="+amount.String())
	}
	if label != "" {
		params = append(params, "label="+strings.ReplaceAll(url.QueryEscape(label), "+", "%20"))
	}
	if len(params) > 0 {
		uri += "?" + strings.Join(params, "&")
	}
	return uri
}

// isBech32 reports whether an address is independent of case. Addresses of the other kind,
// base58, have no separator after a prefix in lower case.
func isBech32(address string) bool {
	for _, prefix := range []string{"bc1", "tb1", "bcrt1"} {
		if strings.HasPrefix(address, prefix) {
			return true
		}
	}
	return false
}

// addAddressRows adds a page of the list of revealed addresses.
func (c *call) addAddressRows(p *receivePage) error {
	below := c.view.ReceiveNext
	if text := c.query("below"); text != "" {
		n, err := strconv.ParseUint(text, 10, 32)
		if err != nil {
			return errNoPage
		}
		below = min(below, uint32(n))
	}
	found, err := c.revealedBelow(below, receiveRows)
	if err != nil {
		return err
	}
	texts := make([]string, len(found))
	for i, a := range found {
		texts[i] = a.Address
	}
	received, err := c.Wallets.ReceivedBy(c.r.Context(), c.access, texts)
	if err != nil {
		return err
	}
	for _, a := range found {
		row := addressRow{Address: a, Received: received[a.Address], Path: c.addressPath(a.Address)}
		row.Shown = p.Address != nil && p.Address.Address.Address == a.Address
		p.Rows = append(p.Rows, row)
	}
	page := func(limit uint32) string {
		return c.walletPath("receive") + "?below=" + strconv.FormatUint(uint64(limit), 10)
	}
	if below > receiveRows {
		p.Older = page(below - receiveRows)
	}
	if below < c.view.ReceiveNext {
		p.Newer = page(below + receiveRows)
	}
	return nil
}

// addressPath returns the path of the page that shows an address of the call's wallet.
func (c *call) addressPath(address string) string { return addressPath(c.access.Alias(), address) }

func addressPath(alias, address string) string {
	return walletPath(alias, "receive") + "?" + url.Values{"address": {address}}.Encode()
}

// reveal reveals the next address, once for each form. The field next is the index that the page
// offered: if another address was revealed since, for example in another tab, the latest one is
// shown instead of a further one.
func (c *call) reveal() error {
	offered, err := strconv.ParseUint(c.form.Get("next"), 10, 32)
	if err != nil {
		return fault.New(fault.Invalid, "invalid_form", "The form lacks the index of the next address. Open the page again.")
	}
	others := c.walletPath("receive") + "?done=other-revealed"
	path, err := c.once(func() (string, error) {
		if offered != uint64(c.view.ReceiveNext) {
			return others, nil
		}
		next, err := c.Wallets.NextAddress(c.r.Context(), c.access, strings.TrimSpace(c.form.Get("new-label")))
		return c.addressPath(next.Address) + "&done=revealed", err
	})
	if errors.Is(err, errSentBefore) { // with another label
		path, err = others, nil
	}
	if err == nil {
		return c.redirect(path, "")
	}
	f, err := again(err)
	if err != nil {
		return err
	}
	p, err := c.receivePage()
	if err == nil {
		err = c.addURI(&p)
	}
	if err != nil {
		return err
	}
	p.Reveal.fault = f.ForField("new-label")
	return c.renderAs(p.Reveal.fault, "receive", c.look.T("Receive"), p)
}

// labelAddress sets the label of a revealed address.
func (c *call) labelAddress() error {
	address := c.form.Get("address")
	err := c.Wallets.LabelAddress(c.r.Context(), c.access, address, strings.TrimSpace(c.form.Get("label")))
	if err == nil {
		return c.redirect(c.addressPath(address), "address-label")
	}
	f, err := again(missing(err, wallet.ErrAddressNotFound))
	if err != nil {
		return err
	}
	p, err := c.receivePage()
	if err == nil {
		err = c.addURI(&p)
	}
	if err != nil {
		return err
	}
	p.Label.fault = f
	return c.renderAs(f, "receive", c.look.T("Receive"), p)
}
