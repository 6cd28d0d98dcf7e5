package v1alpha

import (
	"bufio"
	"context"
	"iter"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/httpapi/route"
	"github.com/specterd/specterd/internal/wallet"
)

// TransactionList is the media type of the response of GetTransactions.
var TransactionList = route.MediaOf[recordList](route.JSONType[0])

// GetTransactions serves GET /api/v1alpha/specter/full_txlist/: the history of
// all wallets of the caller, the latest first.
func (a *API) GetTransactions(ctx context.Context, _ struct{}) (route.Streamed, error) {
	tip, records, err := a.o.Wallets.EachTransaction(ctx, wallet.All(auth.PrincipalFrom(ctx)), wallet.Filter{Raw: true})
	if err != nil {
		return route.Streamed{}, err
	}
	return streamed(func(w *bufio.Writer) error {
		return writeAll(w, "[", "]\n", records, func(b []byte, r wallet.Record) []byte { return appendListed(b, &r, tip) })
	}), nil
}

func streamed(body func(w *bufio.Writer) error) route.Streamed {
	return route.Streamed{ContentType: route.JSONType[0], Body: body}
}

// writeAll writes begin, the elements of all, separated by commas, and end. It omits the
// elements for which appendOne appends nothing. appendOne appends to the free part of the
// buffer of w, which avoids copying elements that fit into it.
func writeAll[T any](w *bufio.Writer, begin, end string, all iter.Seq2[T, error], appendOne func(b []byte, one T) []byte) error {
	if _, err := w.WriteString(begin); err != nil {
		return err
	}
	rest := false
	for one, err := range all {
		if err != nil {
			return err
		}
		line := w.AvailableBuffer()
		if rest {
			line = append(line, ',')
		}
		from := len(line)
		if line = appendOne(line, one); len(line) == from {
			continue
		}
		rest = true
		if _, err := w.Write(line); err != nil {
			return err
		}
	}
	_, err := w.WriteString(end)
	return err
}
