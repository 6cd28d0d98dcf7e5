package client

import (
	"context"
	"io"
	"net/http"
)

// Media types of exports of transactions.
const (
	CSV       = "text/csv"
	JSONLines = "application/jsonl" // one v1.Transaction in each line
)

// ExportTransactions writes all transactions of a wallet to w, as CSV or JSON Lines. With the view
// ledger, the CSV has one row for each output, with running balances. It is not repeated after a
// failure: w then has a part of the export.
//
// Requires a token with the scope wallets:read. Requires at least the role viewer in the wallet.
//
// GET /api/v1/wallets/{alias}/transactions
func (c *Client) ExportTransactions(ctx context.Context, w io.Writer, wallet, mediaType string, params *ListTransactionsParams) error {
	return c.export(ctx, w, request{method: "GET", path: "/api/v1/wallets/{alias}/transactions", args: []string{wallet}, query: params.values(), accept: mediaType})
}

// ExportAllTransactions writes the transactions of all your wallets to w, as ExportTransactions
// does for one wallet.
//
// Requires a token with the scope wallets:read.
//
// GET /api/v1/transactions
func (c *Client) ExportAllTransactions(ctx context.Context, w io.Writer, mediaType string, params *ListAllTransactionsParams) error {
	return c.export(ctx, w, request{method: "GET", path: "/api/v1/transactions", query: params.values(), accept: mediaType})
}

// export copies the body of a response to w.
func (c *Client) export(ctx context.Context, w io.Writer, r request) error {
	target, err := r.url(c.base)
	if err != nil {
		return err
	}
	response, err := c.open(ctx, &r, target, nil, "")
	if err != nil {
		return once(lostBy(ctx, err))
	}
	defer response.Body.Close() //nolint:errcheck // the body was read
	if response.StatusCode != http.StatusOK {
		return once(errorOf(response))
	}
	out := &sink{Writer: w}
	if _, err := io.Copy(out, response.Body); err != nil && out.err == nil {
		return once(lostBy(ctx, err))
	}
	return out.err
}

// sink records the error of a writer, which is not an error of the response.
type sink struct {
	io.Writer

	err error
}

// Write implements io.Writer.
func (s *sink) Write(p []byte) (n int, err error) {
	n, s.err = s.Writer.Write(p)
	return n, s.err
}

func once(e *Error) *Error {
	e.Attempts = 1
	return e
}
