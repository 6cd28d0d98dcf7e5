package client

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"iter"
	"maps"
	"net/http"
	"net/url"

	"github.com/specterd/specterd/api/v1"
)

// all returns an iterator over the entries of all pages of a list, beginning with the page of the
// request. It ends after an error.
func all[T any](ctx context.Context, c *Client, r request, options []CallOption) iter.Seq2[T, error] {
	return pages(ctx, c, r, options, "cursor", func(page *v1.List[T]) ([]T, *string) { return page.Items, page.NextCursor })
}

// pages is like all, for pages of another type. Entries returns the entries of a page, and the
// value of the parameter position for the next page, or nil after the last one.
func pages[P, T any](ctx context.Context, c *Client, r request, options []CallOption, position string, entries func(*P) ([]T, *string)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		r := r // the iterator can be used several times
		for {
			page, err := one[P](ctx, c, r, options)
			if err != nil {
				yield(*new(T), err)
				return
			}
			items, next := entries(page)
			for _, item := range items {
				if !yield(item, nil) {
					return
				}
			}
			if next == nil {
				return
			}
			query := url.Values{} // the request can have none
			maps.Copy(query, r.query)
			query.Set(position, *next)
			r.query = query
		}
	}
}

// ListEvents lists the events of a wallet that exist already, the oldest first. It reads all
// pages. [Client.Events] also waits for new events.
//
// Requires a token with the scope events:read. Requires at least the role viewer in the wallet.
//
// GET /api/v1/wallets/{alias}/events
func (c *Client) ListEvents(ctx context.Context, wallet string, params *ListEventsParams, options ...CallOption) iter.Seq2[v1.LoggedEvent, error] {
	return c.listEvents(ctx, request{method: "GET", path: walletEvents, args: []string{wallet}, query: params.values()}, options)
}

// ListEventsPage returns a page of the events of a wallet, the oldest first. Its NextAfter is the
// position for the next page.
//
// Requires a token with the scope events:read. Requires at least the role viewer in the wallet.
//
// GET /api/v1/wallets/{alias}/events
func (c *Client) ListEventsPage(ctx context.Context, wallet string, params *ListEventsParams, options ...CallOption) (*v1.EventPage, error) {
	return one[v1.EventPage](ctx, c, request{method: "GET", path: walletEvents, args: []string{wallet}, query: params.values()}, options)
}

// ListAllEvents lists the events of all your wallets and tokens that exist already, the oldest
// first. It reads all pages. [Client.Events] also waits for new events.
//
// Requires a token with the scope events:read.
//
// GET /api/v1/events
func (c *Client) ListAllEvents(ctx context.Context, params *ListAllEventsParams, options ...CallOption) iter.Seq2[v1.LoggedEvent, error] {
	return c.listEvents(ctx, request{method: "GET", path: allEvents, query: params.values()}, options)
}

// ListAllEventsPage returns a page of the events of all your wallets and tokens, the oldest first.
// Its NextAfter is the position for the next page.
//
// Requires a token with the scope events:read.
//
// GET /api/v1/events
func (c *Client) ListAllEventsPage(ctx context.Context, params *ListAllEventsParams, options ...CallOption) (*v1.EventPage, error) {
	return one[v1.EventPage](ctx, c, request{method: "GET", path: allEvents, query: params.values()}, options)
}

func (c *Client) listEvents(ctx context.Context, r request, options []CallOption) iter.Seq2[v1.LoggedEvent, error] {
	return pages(ctx, c, r, options, "after", func(page *v1.EventPage) ([]v1.LoggedEvent, *string) {
		if !page.More {
			return page.Items, nil
		}
		return page.Items, &page.NextAfter
	})
}

// ExportLabels returns a wallet's labels (BIP-329).
//
// Requires a token with the scope wallets:read. Requires at least the role viewer in the wallet.
//
// GET /api/v1/wallets/{alias}/labels
func (c *Client) ExportLabels(ctx context.Context, wallet string, options ...CallOption) ([]v1.Label, error) {
	var labels []v1.Label
	r := request{method: "GET", path: "/api/v1/wallets/{alias}/labels", args: []string{wallet}}
	err := c.send(ctx, r, options, func(response *http.Response) error {
		labels = []v1.Label{}
		lines := json.NewDecoder(bufio.NewReader(response.Body))
		for {
			var label v1.Label
			switch err := lines.Decode(&label); {
			case err == io.EOF:
				return nil
			case err != nil:
				return err
			}
			labels = append(labels, label)
		}
	})
	if err != nil {
		return nil, err
	}
	return labels, nil
}

// ImportLabels imports labels (BIP-329).
//
// Requires a token with the scope wallets:write. Requires at least the role proposer in the
// wallet. Requires the Bitcoin node to be available.
//
// POST /api/v1/wallets/{alias}/labels
func (c *Client) ImportLabels(ctx context.Context, wallet string, labels []v1.Label, options ...CallOption) (*v1.ImportedLabels, error) {
	var lines bytes.Buffer
	encoder := json.NewEncoder(&lines)
	for _, label := range labels {
		if err := encoder.Encode(label); err != nil {
			return nil, err
		}
	}
	return c.ImportLabelFile(ctx, wallet, lines.Bytes(), options...)
}

// ImportLabelFile imports the labels of a file (BIP-329), one JSON object per line. The result
// reports invalid lines.
//
// Requires a token with the scope wallets:write. Requires at least the role proposer in the
// wallet. Requires the Bitcoin node to be available.
//
// POST /api/v1/wallets/{alias}/labels
func (c *Client) ImportLabelFile(ctx context.Context, wallet string, lines []byte, options ...CallOption) (*v1.ImportedLabels, error) {
	r := request{method: "POST", path: "/api/v1/wallets/{alias}/labels", args: []string{wallet}, body: lines, contentType: "application/jsonl"}
	return one[v1.ImportedLabels](ctx, c, r, options)
}

// ExportWallet exports a wallet for other software, in one of the formats of docs/wallet-files.md,
// such as bsms or sparrow.
//
// Requires a token with the scope wallets:read. Requires at least the role viewer in the wallet.
//
// GET /api/v1/wallets/{alias}/export
func (c *Client) ExportWallet(ctx context.Context, wallet, format string, options ...CallOption) ([]byte, error) {
	var file []byte
	r := request{method: "GET", path: "/api/v1/wallets/{alias}/export", args: []string{wallet}, query: map[string][]string{"format": {format}}}
	err := c.send(ctx, r, options, func(response *http.Response) (err error) {
		file, err = io.ReadAll(response.Body)
		return err
	})
	if err != nil {
		return nil, err
	}
	return file, nil
}
