package console

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/wallet"
)

var utxoRoutes = []route{
	{method: get, path: "/wallets/{alias}/utxos", audience: users, role: auth.RoleViewer, handle: (*call).utxos},
	{method: post, path: "/wallets/{alias}/utxos", audience: users, role: auth.RoleSigner, heavy: true, handle: (*call).freezeUTXOs},
}

var utxoNotices = map[string]string{
	"utxos-frozen":   "The selected UTXOs are frozen. Payments do not spend them.",
	"utxos-unfrozen": "The selected UTXOs are not frozen any more.",
	"utxos-none":     "Nothing was changed: the selected UTXOs were already in this state, or are spent.",
}

// utxoRows is the number of UTXOs on a page.
const utxoRows = 40

// utxoPage is a page of the unspent outputs.
type utxoPage struct {
	Form     form // the filter
	Freeze   form // the selection that was refused
	Filtered bool // whether the filter omits UTXOs
	Changed  bool // whether it has any value
	Rows     []utxoRow
	Count    int
	Total    btc.Amount
	Older    string // path of the next page; empty on the last one
	First    string // path of the first page; empty on it
	Filter   []hiddenField
}

// utxoRow is an unspent output.
type utxoRow struct {
	wallet.UTXO

	Path     string // of its transaction
	Proposal string // path of the proposal that spends it; empty for none
	Checked  bool
}

// state implements stateful.
func (p utxoPage) state() string {
	states := make([]any, len(p.Rows))
	for i, r := range p.Rows {
		states[i] = []any{r.String(), r.Frozen, r.Reserved, r.Locked, r.Trusted, r.Immature}
	}
	return stateOf(states...)
}

// utxoFilters are the fields of the filter.
var utxoFilters = []string{"label", "state", "least", "most", "order"}

// States of the filter.
const (
	utxoAvailable = "available"
	utxoFrozen    = "frozen"
	utxoReserved  = "reserved"
)

// selection reads the filter. Value returns a field of the query or of a form.
func (c *call) selection(value func(string) string) (wallet.UTXOSelection, error) {
	sel := wallet.UTXOSelection{Label: strings.TrimSpace(value("label")), Order: wallet.UTXOOrder(value("order"))}
	switch value("state") {
	case "":
	case utxoAvailable:
		sel.Frozen, sel.Reserved = new(false), new(false)
	case utxoFrozen:
		sel.Frozen = new(true)
	case utxoReserved:
		sel.Reserved = new(true)
	default:
		return sel, fault.InvalidField("state", "must be available, frozen, reserved or empty")
	}
	var errLeast, errMost error
	sel.Least, errLeast = c.amountOf("least", value("least"))
	sel.Most, errMost = c.amountOf("most", value("most"))
	return sel, fault.JoinErrors(errLeast, errMost)
}

func (c *call) utxos() error {
	p := utxoPage{Form: c.queryForm(utxoFilters...), Freeze: c.newForm(nil)}
	err := c.fillUTXOs(&p)
	if err != nil {
		f, err := again(err)
		if err != nil {
			return err
		}
		p.Form.fault = f
		return c.renderAs(f, "utxos", c.look.T("UTXOs"), p)
	}
	return c.render("utxos", c.look.T("UTXOs"), p)
}

func (c *call) fillUTXOs(p *utxoPage) error {
	sel, err := c.selection(p.Form.Value)
	if err != nil {
		return err
	}
	after, err := c.utxoCursor()
	if err != nil {
		return err
	}
	ctx := c.r.Context()
	found, err := c.Wallets.SortedUTXOs(ctx, c.access, sel, after, utxoRows+1)
	if err != nil {
		return err
	}
	if p.Count, p.Total, err = c.Wallets.UTXOTotal(ctx, c.access, sel); err != nil {
		return err
	}
	path := c.walletPath("utxos")
	if len(found) > utxoRows {
		found = found[:utxoRows]
		last := found[utxoRows-1]
		p.Older = p.Form.with(path, "after", strings.Join([]string{strconv.FormatInt(int64(last.Amount), 10), strconv.FormatInt(last.Time.UnixMicro(), 10), last.String()}, "."))
	}
	if after != nil {
		p.First = p.Form.with(path)
	}
	for _, name := range utxoFilters {
		if text := p.Form.Value(name); text != "" {
			p.Changed, p.Filtered = true, p.Filtered || name != "order"
			p.Filter = append(p.Filter, hiddenField{name, text})
		}
	}
	for _, u := range found {
		row := utxoRow{UTXO: u, Path: c.walletPath("transactions", u.Txid), Checked: p.Freeze.Is("utxo", u.String())}
		if u.ReservedBy != "" {
			row.Proposal = c.walletPath("proposals", u.ReservedBy)
		}
		p.Rows = append(p.Rows, row)
	}
	return nil
}

// utxoCursor returns the UTXO after which the page begins; nil for the first page.
func (c *call) utxoCursor() (*wallet.UTXO, error) {
	text := c.query("after")
	if text == "" {
		return nil, nil //nolint:nilnil // the beginning
	}
	amount, rest, _ := strings.Cut(text, ".")
	at, outpoint, _ := strings.Cut(rest, ".")
	sat, errAmount := strconv.ParseUint(amount, 10, 63)
	micros, errTime := strconv.ParseInt(at, 10, 64)
	place, errPlace := btc.ParseOutpoint(outpoint)
	if errors.Join(errAmount, errTime, errPlace) != nil || sat > math.MaxInt64 {
		return nil, fault.InvalidField("after", "must be a place in the list; follow the links between the pages")
	}
	return &wallet.UTXO{Outpoint: place, Amount: btc.Amount(sat), Time: time.UnixMicro(micros)}, nil
}

// freezeUTXOs freezes or unfreezes the UTXOs of the field utxo or, with the field all, the ones
// of the filter.
func (c *call) freezeUTXOs() error {
	frozen := c.form.Get("action") == "freeze"
	n, err := 0, error(nil)
	switch {
	case c.form.Get("action") != "freeze" && c.form.Get("action") != "unfreeze":
		err = fault.InvalidField("action", "must be freeze or unfreeze")
	case c.form.Get("all") != "":
		var sel wallet.UTXOSelection
		if sel, err = c.selection(c.form.Get); err == nil {
			n, err = c.Wallets.FreezeSelected(c.r.Context(), c.access, sel, frozen)
		}
	default:
		var at []btc.Outpoint
		if at, err = outpointsOf(c.form["utxo"]); err == nil {
			n, err = c.Wallets.FreezeAll(c.r.Context(), c.access, at, frozen)
		}
	}
	if err != nil {
		return c.refuseFreeze(err)
	}
	notice := "utxos-none"
	switch {
	case n > 0 && frozen:
		notice = "utxos-frozen"
	case n > 0:
		notice = "utxos-unfrozen"
	}
	return c.redirect(c.formOf(c.form, utxoFilters).with(c.walletPath("utxos")), notice)
}

func outpointsOf(texts []string) ([]btc.Outpoint, error) {
	if len(texts) == 0 {
		return nil, fault.InvalidField("utxo", "is required: select at least one UTXO")
	}
	at := make([]btc.Outpoint, len(texts))
	for i, text := range texts {
		var err error
		if at[i], err = btc.ParseOutpoint(text); err != nil {
			return nil, fault.InvalidField("utxo", "must be an outpoint, written as txid:vout")
		}
	}
	return at, nil
}

// refuseFreeze shows the page again with the selection and the reason.
func (c *call) refuseFreeze(err error) error {
	f, err := again(err)
	if err != nil {
		return err
	}
	p := utxoPage{Form: c.formOf(c.form, utxoFilters), Freeze: c.newForm(f)}
	c.self = p.Form.with(c.walletPath("utxos"))
	if err := c.fillUTXOs(&p); err != nil {
		if p.Form.fault, err = again(err); err != nil {
			return err
		}
	}
	return c.renderAs(f, "utxos", c.look.T("UTXOs"), p)
}
