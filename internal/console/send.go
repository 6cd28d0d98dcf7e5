package console

import (
	"encoding/hex"
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/node/nodestatus"
	"github.com/specterd/specterd/internal/wallet"
)

var sendRoutes = []route{
	{method: get, path: "/wallets/{alias}/send", audience: users, role: auth.RoleViewer, handle: (*call).showSend},
	{method: post, path: "/wallets/{alias}/send", audience: users, role: auth.RoleProposer, heavy: true, handle: (*call).sendPayment},
}

// sendPage is the form of a payment, with its preview.
type sendPage struct {
	Form     form
	Path     string
	Rows     []recipientRow
	Unit     string // of the amounts in the form
	Wallets  []ownWallet
	Fees     []feeOption
	UTXOs    []utxoOption
	MoreUTXO bool // whether the wallet has more UTXOs than the form offers
	Chosen   int  // number of chosen UTXOs
	Key      string
	NotReady *fault.Error // why the node cannot be used now
	Preview  *preview
	Quiet    bool // whether problems are hints, because the user is still typing
}

// Incomplete reports whether all problems are about inputs that are empty.
func (p *sendPage) Incomplete() bool {
	return !slices.ContainsFunc(p.Form.Problems(), func(f fieldProblem) bool {
		return strings.TrimSpace(p.Form.Value(f.ID)) != "" || f.ID == rateField && !p.Form.Is(targetField, ownRate)
	})
}

// recipientRow is a recipient in the form, with the names of its fields.
type recipientRow struct {
	Number                 int // starting at 1
	Address, Amount, Label string
	Wallet                 string // alias of the user's wallet that receives the payment; empty for an address
}

// feeOption is a choice of a confirmation target, with the node's estimate.
type feeOption struct {
	target

	Rate string // in sat/vB; empty if the node has no estimate
}

// utxoOption is a UTXO that the payment can spend.
type utxoOption struct {
	wallet.UTXO

	Selected bool
}

// preview is the result of a dry run.
type preview struct {
	payment

	Seen  string     // identifies the values of the form
	Needs []need     // what policies require before it can be signed
	After btc.Amount // balance available once the payment is confirmed
	Stale bool       // whether the form was changed after the preview that the user saw
}

// ReleaseAt returns when a delay of a policy ends; zero without one.
func (p preview) ReleaseAt() time.Time { return p.Review.ReleaseAt }

// Actions of the form. Every other one is a preview.
const (
	actionAdd    = "add"
	actionRemove = "remove "
	actionScan   = "scan"
	actionTyping = "typing" // a preview while the user is typing
	actionCreate = "create"
)

// Fields of the form that are not fields of the payment.
const (
	actionField = "action"
	seenField   = "seen"
	unitField   = "unit"
	evictField  = "evict" // permits evictions
	ownRate     = "own"   // value of target_blocks for a fee rate instead of a target
)

const (
	targetField = "target_blocks"
	rateField   = "fee_rate_sat_vb"
	utxosField  = "utxos"
)

// sendPath returns the path of the form with values: pairs of a name and a value.
func (c *call) sendPath(pairs ...string) string {
	values := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		values.Set(pairs[i], pairs[i+1])
	}
	return c.walletPath("send") + "?" + values.Encode()
}

func (c *call) showSend() error {
	c.form = c.r.URL.Query()
	c.form.Del("done")
	for name, value := range map[string]string{unitField: c.look.unit, targetField: "6", "replaceable": "1"} {
		if !c.form.Has(name) {
			c.form.Set(name, value)
		}
	}
	page, err := c.sendPage(nil)
	if err != nil {
		return err
	}
	return c.render("send", c.look.T("Send"), &page)
}

// sendPayment handles the form of a payment.
func (c *call) sendPayment() error {
	c.fillLinks()
	action := c.form.Get(actionField)
	switch {
	case action == actionScan:
		return c.scanRecipient()
	case action == actionAdd:
		c.addRow()
	case strings.HasPrefix(action, actionRemove):
		c.removeRow(strings.TrimPrefix(action, actionRemove))
	case action == actionCreate && c.form.Get(seenField) == c.seen():
		return c.createProposal()
	default:
		return c.previewProposal(action)
	}
	page, err := c.sendPage(nil)
	if err != nil {
		return err
	}
	return c.render("send", c.look.T("Send"), &page)
}

// seen identifies the values of the form, except the ones that do not affect the payment.
func (c *call) seen() string {
	hash := c.formHash(keyField, actionField, seenField, evictField, passwordField, scannedField, photoField)
	return hex.EncodeToString(hash[:16])
}

// previewProposal shows the form with the result of a dry run, or its problems.
func (c *call) previewProposal(action string) error {
	if action != actionTyping {
		c.dropEmptyRows()
	}
	made, err := c.dryRun()
	f, err := again(err)
	if err != nil {
		return err
	}
	page, err := c.sendPage(f)
	if err != nil {
		return err
	}
	page.Quiet = action == actionTyping
	if f != nil && !page.Quiet {
		return c.renderAs(f, "send", c.look.T("Send"), &page)
	}
	if f == nil {
		page.Preview = &made
		made.Stale = action == actionCreate
	}
	return c.render("send", c.look.T("Send"), &page)
}

// dryRun returns the preview of the payment.
func (c *call) dryRun() (preview, error) {
	params, err := c.sendParams()
	if err != nil {
		return preview{}, err
	}
	params.DryRun = true
	p, err := c.Proposals.Create(c.r.Context(), c.access, params.CreateParams)
	if err != nil {
		return preview{}, atUTXOs(err)
	}
	out := preview{Seen: c.seen()}
	if out.payment, err = c.paymentOf(p); err != nil {
		return preview{}, err
	}
	for i := range out.Payees { // labels of this form are not stored yet
		if at := out.Payees[i].Recipient; at >= 0 && at < len(params.Recipients) && params.Recipients[at].Label != "" {
			out.Payees[i].Label = params.Recipients[at].Label
		}
	}
	if p.Review != nil {
		out.Needs = c.needs(*p.Review)
	}
	if err = c.hideRevealed(params, &out.payment); err != nil {
		return preview{}, err
	}
	out.After = c.view.Balances.Available() - out.Total()
	return out, c.noteWallets(&out.payment)
}

// createProposal creates the proposal of the form, unless the same form was sent before.
func (c *call) createProposal() error {
	params, err := c.sendParams()
	path := ""
	if err == nil {
		path, err = c.once(func() (string, error) {
			p, err := params.create(c)
			return c.proposalPath(p.ID), atUTXOs(err)
		})
	}
	if err == nil {
		return c.redirect(path, "proposal-created")
	}
	f, err := again(err)
	if err != nil {
		return err
	}
	if errors.Is(f, errSentBefore) {
		c.form.Del(keyField)
	}
	page, err := c.sendPage(f)
	if err != nil {
		return err
	}
	return c.renderAs(f, "send", c.look.T("Send"), &page)
}

// atUTXOs renames the field of a problem with one of the UTXOs to the field of the form.
func atUTXOs(err error) error {
	if f, ok := err.(*fault.Error); ok && len(f.Fields) == 1 && strings.HasPrefix(f.Fields[0].Name, utxosField+"[") { //nolint:errorlint // a wrapped fault is not about the form
		return f.ForField(utxosField)
	}
	return err
}

// sendPage returns the form with its values; f is nil if it was not refused.
func (c *call) sendPage(f *fault.Error) (sendPage, error) {
	page := sendPage{
		Form: c.newForm(f), Path: c.walletPath("send"), Rows: c.rows(), Unit: c.formUnit(), Key: c.formKey(),
		Fees: feeOptions(c.Node.Status()), NotReady: c.Node.Status().Ready(),
	}
	if !c.form.Has(targetField) {
		c.form.Set(targetField, "6")
	}
	if len(page.Rows) == 0 {
		page.Rows = []recipientRow{{Number: 1}}
	}
	var err error
	if page.Wallets, err = c.ownWallets(); err != nil {
		return page, err
	}
	return page, c.addUTXOs(&page)
}

// maxOffered is the maximum number of UTXOs that the form offers.
const maxOffered = 100

// addUTXOs fills in the UTXOs: the chosen ones, and others that can be spent.
func (c *call) addUTXOs(page *sendPage) error {
	chosen := c.form[utxosField]
	found, err := c.Wallets.UTXOs(c.r.Context(), c.access, btc.Outpoint{}, 2*maxOffered)
	if err != nil {
		return err
	}
	page.Chosen, page.MoreUTXO = len(chosen), len(found) == 2*maxOffered
	var known []string
	for _, u := range found {
		isChosen := slices.Contains(chosen, u.String())
		if isChosen {
			known = append(known, u.String())
		}
		if isChosen || u.Trusted && !u.Locked && len(page.UTXOs) < maxOffered {
			page.UTXOs = append(page.UTXOs, utxoOption{u, isChosen})
		}
	}
	for _, text := range chosen { // beyond the first ones, or spent meanwhile
		if at, err := btc.ParseOutpoint(text); err == nil && !slices.Contains(known, text) {
			page.UTXOs = append(page.UTXOs, utxoOption{wallet.UTXO{Outpoint: at}, true})
		}
	}
	return nil
}

// ScanFailed reports whether a QR code could not be read.
func (p sendPage) ScanFailed() bool { return p.Form.problem(photoField) != "" }

// NoEstimates reports whether the node has no fee estimates.
func (p sendPage) NoEstimates() bool {
	return !slices.ContainsFunc(p.Fees, func(o feeOption) bool { return o.Rate != "" })
}

func feeOptions(s nodestatus.Status) []feeOption {
	options := make([]feeOption, len(nodestatus.FeeTargets))
	for i, blocks := range nodestatus.FeeTargets {
		options[i] = feeOption{target: target{blocks}}
		if i < len(s.Fees.PerKvB) && s.Fees.PerKvB[i] > 0 {
			options[i].Rate = rateText(max(btc.FeeRate(s.Fees.PerKvB[i]), btc.FeeRate(s.MempoolMinimum())))
		}
	}
	return options
}
