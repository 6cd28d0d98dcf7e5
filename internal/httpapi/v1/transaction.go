package v1

import (
	"context"
	"strconv"
	"strings"
	"time"

	api "github.com/specterd/specterd/api/v1"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/historyexport"
	"github.com/specterd/specterd/internal/httpapi/route"
	wallets "github.com/specterd/specterd/internal/wallet"
)

func transactionOf(r wallets.Record) api.Transaction { return historyexport.TransactionOf(r) }

func outputOf(o wallets.Output) api.Output { return historyexport.OutputOf(o) }

// Values of the query parameter order.
const (
	ascending  = "asc"
	descending = "desc"
)

// history is a request for a page of a history, or for a complete history.
type history struct {
	page
	fresh
	period
	Order       string `query:"order" json:"-" enum:"asc,desc" description:"asc: the earliest first; desc: the latest first (default). A cursor is valid for both orders."`
	Category    string `query:"category" json:"-" enum:"generate,receive,send,selftransfer,mixed" description:"Only transactions of this category."`
	MinAmount   int    `query:"min_amount_sat" json:"-" description:"Only transactions that add at least this amount to the wallet or take at least this amount from it, including the fee, in satoshis."`
	MaxAmount   int    `query:"max_amount_sat" json:"-" description:"Only transactions that add at most this amount to the wallet or take at most this amount from it, in satoshis."`
	Label       string `query:"label" json:"-" description:"Only transactions with this label on the transaction, on one of its outputs, or on the address of one of its outputs."`
	ToAddress   string `query:"address" json:"-" description:"Only transactions with an output to this address: an address of the wallet, or a recipient's if the wallet pays. A bitcoin: URI is also accepted."`
	Unconfirmed bool   `query:"unconfirmed" json:"-" description:"Only unconfirmed transactions."`
	Dead        bool   `query:"dead" json:"-" description:"Include replaced, conflicted and abandoned transactions."`
	Hex         bool   `query:"hex" json:"-" description:"Include the serialized transaction, hexadecimal."`
	View        string `query:"view" json:"-" enum:"ledger" description:"ledger: return a CSV (Accept: text/csv) with one row for each own output and external recipient, the earliest first, with running balances; see docs/accounting.md."`
	BOM         bool   `query:"bom" json:"-" description:"Start CSV with a byte order mark, so that spreadsheets recognize UTF-8."`
	Accept      string `header:"Accept" json:"-"`
}

func (h history) filter() (wallets.Filter, error) {
	f := wallets.Filter{
		Category: wallets.Category(h.Category), MinAmount: btc.Amount(h.MinAmount), MaxAmount: btc.Amount(h.MaxAmount), Label: h.Label, Address: h.ToAddress,
		Unconfirmed: h.Unconfirmed, Dead: h.Dead, Raw: h.Hex, Outputs: true, Ascending: h.Order == ascending,
	}
	if h.Order != ascending && h.Order != descending && h.Order != "" {
		return f, fault.InvalidField("order", "must be asc or desc")
	}
	if err := fault.JoinErrors(f.Category.Check("category"), f.CheckAmounts("min_amount_sat", "max_amount_sat")); err != nil {
		return f, err
	}
	var err error
	f.Since, f.Until, err = h.times()
	return f, err
}

type listTransactionsRequest struct {
	walletRequest
	history
}

// ListTransactions serves GET /api/v1/wallets/{alias}/transactions.
func (a *API) ListTransactions(ctx context.Context, in listTransactionsRequest) (route.Streamed, error) {
	return a.history(ctx, wallets.One(access(ctx)), in.history)
}

// ListAllTransactions serves GET /api/v1/transactions.
func (a *API) ListAllTransactions(ctx context.Context, in history) (route.Streamed, error) {
	return a.history(ctx, wallets.All(caller(ctx)), in)
}

// history returns a page of the history of a set of wallets, or the complete history if the
// client prefers a streamed format.
func (a *API) history(ctx context.Context, set wallets.Set, in history) (route.Streamed, error) {
	limit, err := in.limit()
	if err != nil {
		return route.Streamed{}, err
	}
	filter, err := in.filter()
	if err != nil {
		return route.Streamed{}, err
	}
	if in.View != "" {
		return a.ledger(ctx, set, in)
	}
	mediaType := preferred(in.Accept, jsonType, csvType, linesType, ndjsonType)
	if mediaType != jsonType && in.Cursor != "" {
		return route.Streamed{}, fault.InvalidField("cursor", "must not be used with CSV or JSON Lines, which are not paginated")
	}
	if mediaType != jsonType && limit != defaultLimit {
		return route.Streamed{}, fault.InvalidField("limit", "must not be used with CSV or JSON Lines, which are complete; use since and until")
	}
	after, err := historyCursor(in.page)
	if err != nil {
		return route.Streamed{}, err
	}
	if err := a.wait(ctx, set, in.fresh); err != nil {
		return route.Streamed{}, err
	}
	if mediaType != jsonType {
		return a.export(ctx, set, filter, mediaType, in)
	}
	records, tip, err := a.o.Wallets.Transactions(ctx, set, filter, after, limit+1)
	if err != nil {
		return route.Streamed{}, err
	}
	page := newList(records, limit, transactionOf, historyPlace)
	return route.Whole(api.ListAsOf[api.Transaction]{List: page, AsOf: asOfTip(tip)}), nil
}

func historyPlace(r wallets.Record) string {
	return strconv.FormatInt(r.Time.UnixMicro(), 10) + " " + r.Txid + " " + r.WalletID
}

const txidDigits = 64

// historyCursor parses a cursor into the time, the id and the wallet id of a transaction. It
// returns the zero value for the beginning of the list.
func historyCursor(p page) (wallets.HistoryCursor, error) {
	text, err := p.place()
	if err != nil || text == "" {
		return wallets.HistoryCursor{}, err
	}
	at, rest, _ := strings.Cut(text, " ")
	txid, walletID, _ := strings.Cut(rest, " ")
	micros, err := strconv.ParseInt(at, 10, 64)
	if err != nil || len(txid) != txidDigits || strings.Trim(txid, "0123456789abcdef") != "" || walletID == "" {
		return wallets.HistoryCursor{}, errCursor
	}
	return wallets.HistoryCursor{Time: time.UnixMicro(micros), Txid: txid, WalletID: walletID}, nil
}

type namedTransaction struct {
	walletRequest
	Txid string `path:"txid" json:"-" example:"4a5e1e4baab89f3a32518a88c31bc87f618f76673e2cc77ab2127b7afdeda33b" description:"The transaction's id."`
}

type transactionRequest struct {
	namedTransaction
	fresh
}

// GetTransaction serves GET /api/v1/wallets/{alias}/transactions/{txid}.
func (a *API) GetTransaction(ctx context.Context, in transactionRequest) (api.TransactionAsOf, error) {
	v, err := a.view(ctx, in.fresh)
	if err != nil {
		return api.TransactionAsOf{}, err
	}
	r, err := a.o.Wallets.Transaction(ctx, access(ctx), in.Txid)
	return api.TransactionAsOf{Transaction: transactionOf(r), AsOf: asOfTip(v.Synced)}, err
}

type labelTransactionRequest struct {
	namedTransaction
	api.LabelRequest
}

// LabelTransaction serves PATCH /api/v1/wallets/{alias}/transactions/{txid}.
func (a *API) LabelTransaction(ctx context.Context, in labelTransactionRequest) (api.TransactionAsOf, error) {
	text, err := labelText(in.LabelRequest)
	if err == nil {
		err = a.o.Wallets.LabelTransaction(ctx, access(ctx), in.Txid, text)
	}
	if err != nil {
		return api.TransactionAsOf{}, err
	}
	return a.GetTransaction(ctx, transactionRequest{namedTransaction: in.namedTransaction})
}
