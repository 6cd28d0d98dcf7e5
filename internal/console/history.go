package console

import (
	"encoding/base64"
	"errors"
	"html/template"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/wallet"
)

var historyRoutes = slices.Concat([]route{
	{method: get, path: "/wallets/{alias}/history", audience: users, role: auth.RoleViewer, handle: (*call).history},
	{method: get, path: "/wallets/{alias}/history.csv", audience: users, role: auth.RoleViewer, stream: true, handle: (*call).historyCSV},
	{method: get, path: "/wallets/{alias}/history.jsonl", audience: users, role: auth.RoleViewer, stream: true, handle: (*call).historyLines},
	{method: get, path: "/wallets/{alias}/ledger.csv", audience: users, role: auth.RoleViewer, stream: true, handle: (*call).ledgerCSV},
}, transactionRoutes)

// historyNotices are the notices of the pages with transactions.
var historyNotices = map[string]string{
	"label-saved": "The label is saved.",
}

// historyRows is the number of transactions on a page.
const historyRows = 40

// historyPage is a page of a history.
type historyPage struct {
	Form      form
	Filtered  bool
	Kinds     []kindOption
	Balances  bool // whether the rows have running balances
	Rows      []txRow
	Older     string // path of the next page; empty on the last one
	Newer     string // path of the previous page; empty on the first one
	CSV       string // path of the download
	Ledger    string // path of the download; empty if the filter has more than a period
	JSONLines string
}

// kindOption is a category that the filter offers.
type kindOption struct{ Value, Name string }

// kindOptions are all categories, in the order of their names.
func kindOptions() (out []kindOption) {
	for _, c := range []wallet.Category{wallet.Receive, wallet.Send, wallet.SelfTransfer, wallet.Mixed, wallet.Generate} {
		out = append(out, kindOption{string(c), categoryNames[c]})
	}
	return out
}

// txRow is a transaction in a list.
type txRow struct {
	wallet.Record

	look    *look
	final   int // number of confirmations from which on it is final
	Balance *btc.Amount
}

func (c *call) txRows(records []wallet.Record) []txRow {
	rows := make([]txRow, len(records))
	for i, r := range records {
		rows[i] = txRow{Record: r, look: c.look, final: c.view.FinalAfter}
	}
	return rows
}

// Path returns the path of the transaction's page.
func (t txRow) Path() string { return walletPath(t.Alias, "transactions", t.Txid) }

// Name returns the label of the transaction or, without one, of its address.
func (t txRow) Name() string {
	if t.Label != "" {
		return t.Label
	}
	return t.AddressLabel
}

// Kind returns the category of the transaction in words.
func (t txRow) Kind() string { return t.look.T(categoryNames[t.Category]) }

// Gone reports whether the transaction has no effect.
func (t txRow) Gone() bool { return t.Status.Dead() }

// Badge returns the state of the transaction.
func (t txRow) Badge() template.HTML {
	switch {
	case t.Status == wallet.Confirmed && t.Confirmations < t.final:
		return t.look.badge("info", "check", t.look.T("%d of %d confirmations", t.Confirmations, t.final))
	case t.Status == wallet.Confirmed:
		return t.look.badge("ok", "check", "Final")
	case t.Status == wallet.Inactive && t.Category == wallet.Generate:
		return t.look.badge("warn", "warn", "Block not in the chain")
	}
	b := txBadges[t.Status]
	return t.look.badge(b[0], b[1], b[2])
}

var txBadges = map[wallet.Status][3]string{
	wallet.InMempool:  {"warn", "clock", "Unconfirmed"},
	wallet.Inactive:   {"warn", "warn", "Not in the mempool"},
	wallet.Replaced:   {"", "swap", "Replaced"},
	wallet.Conflicted: {"bad", "x", "Conflicted"},
	wallet.Abandoned:  {"", "stop", "Abandoned"},
}

var categoryNames = map[wallet.Category]string{
	wallet.Receive: "Received", wallet.Send: "Sent", wallet.SelfTransfer: "To the wallet itself", wallet.Generate: "Mined", wallet.Mixed: "With inputs of others",
}

// historyQuery is the filter of a history in a URL. It has the fields of the form.
type historyQuery struct {
	wallet.Filter

	txid string // of the only transaction
}

// isPeriod reports whether the filter limits only the time of effective transactions, as the
// ledger does.
func (q historyQuery) isPeriod() bool {
	return q.Category == "" && q.MinAmount == 0 && q.MaxAmount == 0 && q.Label == "" && q.Address == "" && q.txid == "" && !q.Unconfirmed
}

// Values of the field state.
const (
	stateEffective = "effective"
	statePending   = "pending"
)

// historyQuery reads the filter of the URL.
func (c *call) historyQuery() (historyQuery, error) {
	q := historyQuery{Filter: wallet.Filter{Category: wallet.Category(c.query("kind")), Dead: true}}
	errKind, errState := q.Category.Check("kind"), error(nil)
	switch c.query("state") {
	case "":
	case stateEffective:
		q.Dead = false
	case statePending:
		q.Dead, q.Unconfirmed = false, true
	default:
		errState = fault.InvalidField("state", "must be effective, pending or empty")
	}
	var errFrom, errTo error
	q.Since, errFrom = dateOf("from", c.query("from"))
	q.Until, errTo = dateOf("to", c.query("to"))
	if !q.Until.IsZero() {
		q.Until = q.Until.AddDate(0, 0, 1)
	}
	if !q.Since.IsZero() && !q.Until.IsZero() && !q.Since.Before(q.Until) {
		errFrom = fault.InvalidField("from", "must not be later than the last day")
	}
	if err := fault.JoinErrors(errKind, errState, errFrom, errTo, c.addAmounts(&q)); err != nil {
		return q, err
	}
	return q, q.search(strings.TrimSpace(c.query("q")), c.Wallets.Network())
}

// Parameters of the range of amounts. Their unit is in unitField, so that a link means the same in
// a browser with another unit.
const (
	minField = "min"
	maxField = "max"
)

// amountUnit returns the unit of the amounts in the URL.
func (c *call) amountUnit() string {
	if unit := c.query(unitField); slices.Contains(units, unit) {
		return unit
	}
	return c.look.unit
}

// addAmounts reads the range of amounts of the URL.
func (c *call) addAmounts(q *historyQuery) error {
	unit := c.amountUnit()
	var problems []error
	for name, to := range map[string]*btc.Amount{minField: &q.MinAmount, maxField: &q.MaxAmount} {
		text := c.query(name)
		if strings.Trim(text, "0. ") == "" {
			continue
		}
		var err error
		if *to, err = parseAmount(text, unit); err != nil {
			problems = append(problems, fieldFault(err, name))
		}
	}
	if len(problems) > 0 {
		return fault.JoinErrors(problems...)
	}
	return q.CheckAmounts(minField, maxField)
}

// historyForm returns the form with the values of the URL. Amounts are converted to the unit of the
// browser.
func (c *call) historyForm() form {
	f := c.queryForm("from", "to", "kind", "state", minField, maxField, unitField, "q")
	isLimited := f.values.Has(minField) || f.values.Has(maxField)
	if isLimited && c.amountUnit() != c.look.unit {
		var q historyQuery
		if c.addAmounts(&q) == nil {
			for name, n := range map[string]btc.Amount{minField: q.MinAmount, maxField: q.MaxAmount} {
				f.values.Del(name)
				if n > 0 {
					f.values.Set(name, inputText(n, c.look.unit))
				}
			}
			f.values.Set(unitField, c.look.unit)
		}
	}
	if !isLimited {
		f.values.Del(unitField)
	}
	return f
}

// search interprets the text of the search field as a txid, an address or a label.
func (q *historyQuery) search(text string, network btc.Network) error {
	if text == "" {
		return nil
	}
	if isTxid(strings.ToLower(text)) {
		q.txid = strings.ToLower(text)
		return nil
	}
	p, err := btc.ParsePayment(text, network)
	switch {
	case err == nil:
		q.Address = p.Address
	case btc.IsPaymentURI(text):
		if f, ok := errors.AsType[*fault.Error](err); ok {
			return f.ForField("q")
		}
		return err
	default:
		q.Label = text
	}
	return nil
}

func isTxid(text string) bool {
	return len(text) == 64 && strings.Trim(text, "0123456789abcdef") == ""
}

func dateOf(field, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	at, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return at, fault.InvalidField(field, `must be a date such as "2026-01-31"`)
	}
	return at, nil
}

func (c *call) history() error {
	p := historyPage{Form: c.historyForm(), Kinds: kindOptions()}
	q, err := c.historyQuery()
	if err == nil {
		err = c.fillHistory(&p, q)
	}
	if err != nil {
		f, err := again(err)
		if err != nil {
			return err
		}
		p.Form.fault = f
		return c.renderAs(f, "history", c.look.T("History"), p)
	}
	return c.render("history", c.look.T("History"), p)
}

// queryForm returns a form with the values of these parameters of the query.
func (c *call) queryForm(names ...string) form { return c.formOf(c.r.URL.Query(), names) }

// formOf returns a form with those of these values that are not empty.
func (c *call) formOf(values url.Values, names []string) form {
	f := c.formWith()
	for _, name := range names {
		if text := values.Get(name); text != "" {
			f.values.Set(name, text)
		}
	}
	return f
}

// with returns a path with the values of the form and more parameters: pairs of a name and a
// value.
func (f form) with(path string, pairs ...string) string {
	values := maps.Clone(f.values)
	for i := 0; i+1 < len(pairs); i += 2 {
		values.Set(pairs[i], pairs[i+1])
	}
	if len(values) == 0 {
		return path
	}
	return path + "?" + values.Encode()
}

// fillHistory reads a page of the history that the cursors in the query select.
func (c *call) fillHistory(p *historyPage, q historyQuery) error {
	path := c.walletPath("history")
	p.Filtered = len(p.Form.values) > 0
	p.CSV, p.JSONLines = p.Form.with(path+".csv"), p.Form.with(path+".jsonl")
	if q.isPeriod() {
		p.Ledger = c.queryForm("from", "to").with(c.walletPath("ledger.csv"))
	}
	before, err := c.historyCursor("before")
	if err != nil {
		return err
	}
	after, err := c.historyCursor("after")
	if err != nil {
		return err
	}
	backwards := after != (wallet.HistoryCursor{})
	records, more, err := c.historyRecords(q, before, after)
	if err == nil && backwards && !more { // this is the first page
		backwards, before = false, wallet.HistoryCursor{}
		records, more, err = c.historyRecords(q, wallet.HistoryCursor{}, wallet.HistoryCursor{})
	}
	if p.Rows = c.txRows(records); err != nil || len(records) == 0 {
		return err
	}
	if more || backwards {
		p.Older = p.Form.with(path, "before", cursorText(records[len(records)-1]))
	}
	if backwards || before != (wallet.HistoryCursor{}) {
		p.Newer = p.Form.with(path, "after", cursorText(records[0]))
	}
	return c.addBalances(p, q, records)
}

// addBalances adds the running balances, unless the filter leaves gaps between the rows.
func (c *call) addBalances(p *historyPage, q historyQuery, records []wallet.Record) error {
	if p.Balances = q.isPeriod(); !p.Balances {
		return nil
	}
	balances, err := c.Wallets.RunningBalances(c.r.Context(), c.access, records)
	if err != nil {
		return err
	}
	for i := range p.Rows {
		if p.Rows[i].Balance = &balances[i]; p.Rows[i].Gone() {
			p.Rows[i].Balance = nil
		}
	}
	return nil
}

// historyRecords returns a page of records, the latest first, and whether there are more in
// the direction of reading.
func (c *call) historyRecords(q historyQuery, before, after wallet.HistoryCursor) (records []wallet.Record, more bool, err error) {
	if q.txid != "" {
		one, err := c.onlyRecord(q)
		return one, false, err
	}
	from := before
	if after != (wallet.HistoryCursor{}) {
		from, q.Ascending = after, true
	}
	records, _, err = c.Wallets.Transactions(c.r.Context(), wallet.One(c.access), q.Filter, from, historyRows+1)
	if more = len(records) > historyRows; more {
		records = records[:historyRows]
	}
	if q.Ascending {
		slices.Reverse(records)
	}
	return records, more, err
}

// onlyRecord returns the transaction that a filter names if it matches the other conditions.
func (c *call) onlyRecord(q historyQuery) ([]wallet.Record, error) {
	r, err := c.Wallets.Transaction(c.r.Context(), c.access, q.txid)
	if errors.Is(err, wallet.ErrTransactionNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	r.Raw, r.Inputs = nil, nil
	amount := max(r.Flow, -r.Flow)
	if q.Category != "" && r.Category != q.Category || amount < q.MinAmount || q.MaxAmount > 0 && amount > q.MaxAmount || !q.Dead && r.Status.Dead() || q.Unconfirmed && r.Status == wallet.Confirmed ||
		r.Time.Before(q.Since) || !q.Until.IsZero() && !r.Time.Before(q.Until) {
		return nil, nil
	}
	return []wallet.Record{r}, nil
}

// cursorText returns the place of a transaction in the history, for URLs.
func cursorText(r wallet.Record) string {
	return base64.RawURLEncoding.EncodeToString([]byte(strconv.FormatInt(r.Time.UnixMicro(), 10) + " " + r.Txid))
}

// historyCursor returns the place in a parameter of the query; the zero value without one.
func (c *call) historyCursor(name string) (wallet.HistoryCursor, error) {
	text := c.query(name)
	if text == "" {
		return wallet.HistoryCursor{}, nil
	}
	plain, err := base64.RawURLEncoding.DecodeString(text)
	at, txid, _ := strings.Cut(string(plain), " ")
	micros, errTime := strconv.ParseInt(at, 10, 64)
	if err != nil || errTime != nil || !isTxid(txid) {
		return wallet.HistoryCursor{}, fault.InvalidField(name, "must be a place in the history; follow the links between the pages")
	}
	return wallet.HistoryCursor{Time: time.UnixMicro(micros), Txid: txid, WalletID: c.access.WalletID()}, nil
}
