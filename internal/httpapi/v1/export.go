package v1

import (
	"bufio"
	"context"
	"net/http"
	"strconv"

	api "github.com/specterd/specterd/api/v1"
	"github.com/specterd/specterd/internal/historyexport"
	"github.com/specterd/specterd/internal/httpapi/route"
	"github.com/specterd/specterd/internal/httpcall"
	wallets "github.com/specterd/specterd/internal/wallet"
)

// HistoryMedia are the media types in which a history is available.
var HistoryMedia = []route.Media{
	route.MediaOf[api.ListAsOf[api.Transaction]](jsonType), route.MediaOf[string](csvType),
	route.MediaOf[api.Transaction](linesType), route.MediaOf[api.Transaction](ndjsonType),
}

// export streams a complete history, as CSV or as JSON Lines.
func (a *API) export(ctx context.Context, set wallets.Set, f wallets.Filter, mediaType string, in history) (route.Streamed, error) {
	f.Raw = f.Raw && mediaType != csvType
	tip, records, err := a.o.Wallets.EachTransaction(ctx, set, f)
	if err != nil {
		return route.Streamed{}, err
	}
	name := historyexport.FileName(set.Alias(), "transactions", in.Since, in.Until)
	out := route.Streamed{ContentType: mediaType, Header: httpcall.Attachment(name + ".jsonl")}
	out.Body = func(w *bufio.Writer) error { return historyexport.WriteLines(w, records) }
	if mediaType == csvType {
		out = route.Streamed{ContentType: historyexport.CSVContent, Header: httpcall.Attachment(name + ".csv")}
		out.Body = func(w *bufio.Writer) error { return historyexport.WriteCSV(w, in.BOM, records) }
	}
	setAsOf(out.Header, tip)
	return out, nil
}

// setAsOf sets the headers that correspond to the field as_of of a JSON page, unless the
// height of tip is negative, which means that the tip is unknown.
func setAsOf(h http.Header, tip wallets.Tip) {
	if tip.Height >= 0 {
		h.Set("X-As-Of-Height", strconv.Itoa(tip.Height))
		h.Set("X-As-Of-Hash", tip.Hash)
	}
}
