package console

import (
	"errors"
	"slices"
	"strings"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/qrscan"
	"github.com/specterd/specterd/internal/wallet"
)

// Fields of a QR code that is read into a recipient: its text, which a script has read, or a photo
// of it.
const (
	scannedField = "scanned"
	photoField   = "photo"
)

// fillLinks replaces each bitcoin: link among the addresses in the form by its address, amount and
// label. A link that contradicts the entered amount stays, so that the service reports it.
func (c *call) fillLinks() {
	rows := c.rows()
	for i := range rows {
		c.fillLink(&rows[i])
	}
	c.setRows(rows)
}

func (c *call) fillLink(r *recipientRow) {
	if !btc.IsPaymentURI(r.Address) {
		return
	}
	p, err := btc.ParsePayment(strings.TrimSpace(r.Address), c.Wallets.Network())
	if err != nil {
		return
	}
	entered, err := parseAmount(r.Amount, c.formUnit())
	if err != nil || entered != 0 && p.Amount != 0 && entered != p.Amount {
		return
	}
	r.Address = p.Address
	if p.Amount != 0 {
		r.Amount = inputText(p.Amount, c.formUnit())
	}
	for _, label := range []string{p.Label, p.Message} {
		if strings.TrimSpace(r.Label) == "" {
			r.Label = wallet.FitLabel(label)
		}
	}
}

// scanRecipient reads a QR code with an address or a bitcoin: link into the first recipient that is
// empty, or else into a new one, and shows the preview.
func (c *call) scanRecipient() error {
	text, err := c.scannedText()
	if err == nil {
		_, err = btc.ParsePayment(text, c.Wallets.Network())
		if errors.Is(err, btc.ErrAddress) {
			err = fault.InvalidField("", "the QR code contains neither an address nor a bitcoin: link")
		}
		if err != nil {
			err = fieldFault(err, photoField)
		}
	}
	c.form.Del(scannedField)
	f, err := again(err)
	if err != nil {
		return err
	}
	if f != nil {
		page, err := c.sendPage(f)
		if err != nil {
			return err
		}
		return c.renderAs(f, "send", c.look.T("Send"), &page)
	}
	rows := c.rows()
	at := slices.IndexFunc(rows, func(r recipientRow) bool { return strings.TrimSpace(r.Address) == "" && r.Wallet == "" })
	if at < 0 {
		at, rows = len(rows), append(rows, recipientRow{})
	}
	rows[at].Address = text
	c.setRows(rows)
	c.fillLinks()
	return c.previewProposal(actionTyping)
}

// scannedText returns the text of the QR code that a script has read, or the one in the photo.
func (c *call) scannedText() (string, error) {
	if text := strings.TrimSpace(c.form.Get(scannedField)); text != "" {
		return text, nil
	}
	photos := c.files(photoField)
	if len(photos) == 0 || photos[0].Size == 0 {
		return "", fault.InvalidField(photoField, "choose a photo of a QR code")
	}
	data, err := readFile(photos[0])
	if err != nil {
		return "", err
	}
	text, err := qrscan.Text(data)
	if f, ok := errors.AsType[*fault.Error](err); ok {
		err = fault.InvalidField(photoField, "%s", f.Message)
	}
	return strings.TrimSpace(text), err
}

// ownWallet is a wallet of the user that can be a recipient.
type ownWallet struct{ Alias, Name string }

// ownWallets returns the user's other wallets in which the user may reveal addresses.
func (c *call) ownWallets() ([]ownWallet, error) {
	views, err := c.wallets()
	var out []ownWallet
	for _, v := range views {
		if v.ID != c.view.ID && v.Role.Covers(auth.RoleProposer) {
			out = append(out, ownWallet{v.Alias, v.Name})
		}
	}
	return out, err
}

var errOwnWallet = fault.InvalidField("", "must be one of your other wallets, in which you may reveal addresses")

// walletAccess returns the access to a wallet of the user that is a recipient.
func (c *call) walletAccess(alias string) (wallet.Access, error) {
	access, err := c.Wallets.Access(c.r.Context(), c.who, alias)
	if errors.Is(err, wallet.ErrNotFound) || err == nil && (access.WalletID() == c.access.WalletID() || !access.Role().Covers(auth.RoleProposer)) {
		return access, errOwnWallet
	}
	return access, err
}

// peekWallet returns the address that a wallet of the user would reveal next. It is used for a dry
// run, and never shown.
func (c *call) peekWallet(i int, rows []recipientRow) (string, error) {
	field, r := recipientField(i, "wallet"), rows[i]
	if strings.TrimSpace(r.Address) != "" {
		return "", fault.InvalidField(field, "must not be chosen for a recipient with an address")
	}
	if slices.ContainsFunc(rows[:i], func(other recipientRow) bool { return other.Wallet == r.Wallet }) {
		return "", fault.InvalidField(field, "must not be the wallet of another recipient")
	}
	access, err := c.walletAccess(r.Wallet)
	if err != nil {
		return "", fieldFault(err, field)
	}
	next, err := c.Wallets.PeekAddress(c.r.Context(), access, wallet.ReceiveBranch)
	return next.Address, err
}

// revealRecipients reveals an address of each wallet that is a recipient, and puts it into the
// parameters. The form then has the addresses instead of the wallets, so that sending it again
// after an error reveals no others.
func (c *call) revealRecipients(o *sendRequest) error {
	rows := c.rows()
	for i, at := range o.rows {
		alias := rows[at].Wallet
		if alias == "" {
			continue
		}
		access, err := c.walletAccess(alias)
		if err != nil {
			return fieldFault(err, recipientField(at, "wallet"))
		}
		next, err := c.Wallets.NextAddress(c.r.Context(), access, o.Recipients[i].Label)
		if err != nil {
			return err
		}
		o.Recipients[i].Address = next.Address
		rows[at].Wallet, rows[at].Address = "", next.Address
		c.setRows(rows)
	}
	return nil
}

// create creates the proposal of the form. If wallets are recipients, a dry run comes first, so
// that no address is revealed for a payment that is refused.
func (o *sendRequest) create(c *call) (proposal.Proposal, error) {
	rows := c.rows()
	if slices.ContainsFunc(o.rows, func(at int) bool { return rows[at].Wallet != "" }) {
		test := o.CreateParams
		test.DryRun = true
		if _, err := c.Proposals.Create(c.r.Context(), c.access, test); err != nil {
			return proposal.Proposal{}, err
		}
		if err := c.revealRecipients(o); err != nil {
			return proposal.Proposal{}, err
		}
	}
	return c.Proposals.Create(c.r.Context(), c.access, o.CreateParams)
}

// hideRevealed removes the addresses from the recipients and the warnings of a dry run that are
// wallets of the user, because they are not revealed yet.
func (c *call) hideRevealed(o *sendRequest, out *payment) error {
	names, err := c.ownWallets()
	if err != nil {
		return err
	}
	rows := c.rows()
	for i := range out.Payees {
		p := &out.Payees[i]
		if p.Recipient < 0 || p.Recipient >= len(o.rows) {
			continue
		}
		alias := rows[o.rows[p.Recipient]].Wallet
		if at := slices.IndexFunc(names, func(w ownWallet) bool { return w.Alias == alias }); at >= 0 {
			out.Paid = slices.DeleteFunc(out.Paid, func(a proposal.PaidAddress) bool { return a.Address == p.Address })
			out.Relabels = slices.DeleteFunc(out.Relabels, func(r proposal.Relabel) bool { return r.Address == p.Address })
			p.Address, p.Wallet, p.WalletAlias, p.Fresh = "", names[at].Name, alias, true
		}
	}
	return nil
}
