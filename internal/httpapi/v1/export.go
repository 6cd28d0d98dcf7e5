package v1

import (
	"bufio"
	"context"
	"encoding/csv"
	"iter"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/httpapi/route"
	wallets "github.com/specterd/specterd/internal/wallet"
)

// HistoryMedia are the media types of a history.
var HistoryMedia = []route.Media{
	route.MediaOf[listAsOf[transaction]](jsonType), route.MediaOf[string](csvType),
	route.MediaOf[transaction](linesType), route.MediaOf[transaction](ndjsonType),
}

// export streams all of a history, as CSV or as JSON Lines.
func (a *API) export(ctx context.Context, alias string, f wallets.Filter, mediaType string) (route.Streamed, error) {
	f.Raw = f.Raw && mediaType != csvType
	tip, records, err := a.o.Wallets.EachTransaction(ctx, caller(ctx), alias, f)
	if err != nil {
		return route.Streamed{}, err
	}
	name := "transactions"
	if alias != "" {
		name = alias + "-transactions"
	}
	out := route.Streamed{ContentType: mediaType, Header: attachment(name + ".jsonl")}
	out.Body = func(w *bufio.Writer) error { return writeLines(w, records) }
	if mediaType == csvType {
		out = route.Streamed{ContentType: csvType + "; charset=utf-8; header=present", Header: attachment(name + ".csv")}
		out.Body = func(w *bufio.Writer) error { return writeCSV(w, records) }
	}
	if tip.Height >= 0 { // which a page has as as_of
		out.Header.Set("X-As-Of-Height", strconv.Itoa(tip.Height))
		out.Header.Set("X-As-Of-Hash", tip.Hash)
	}
	return out, nil
}

// attachment has a browser save an answer under a name (RFC 6266).
func attachment(name string) http.Header {
	return http.Header{"Content-Disposition": {mime.FormatMediaType("attachment", map[string]string{"filename": name})}}
}

func writeLines(w *bufio.Writer, records iter.Seq2[wallets.Record, error]) error {
	for r, err := range records {
		if err != nil {
			return err
		}
		if err := json.MarshalWrite(w, transactionOf(r)); err != nil {
			return err
		}
		if err := w.WriteByte('\n'); err != nil {
			return err
		}
	}
	return nil
}

// csvColumns are the names of the columns. Amounts are there twice: in satoshis,
// and in bitcoins for those who add them up in a spreadsheet. The columns address and
// address_label list all of a transaction: see addressesOf and outputLabelsOf.
var csvColumns = []string{
	"time", "wallet", "txid", "status", "confirmations", "category", "flow_sat", "flow_btc", "fee_sat", "fee_btc",
	"vsize", "address", "address_label", "label", "block_height", "block_hash", "block_time", "replaceable", "conflicts",
}

// writeCSV writes one line for each transaction (RFC 4180).
func writeCSV(w *bufio.Writer, records iter.Seq2[wallets.Record, error]) error {
	to := csv.NewWriter(w) // which writes to w itself, and needs no flushing
	to.UseCRLF = true
	if err := to.Write(csvColumns); err != nil {
		return err
	}
	for r, err := range records {
		if err != nil {
			return err
		}
		if err := to.Write(csvLine(r)); err != nil {
			return err
		}
	}
	return nil
}

func csvLine(r wallets.Record) []string {
	line := []string{
		csvTime(r.Time), csvText(r.Alias), r.Txid, string(r.Status), strconv.Itoa(r.Confirmations), string(r.Category),
		csvSat(r.Flow), r.Flow.String(), "", "",
		strconv.Itoa(r.VSize), csvText(addressesOf(r)), csvText(outputLabelsOf(r)), csvText(r.Label), "", "", "",
		r.Replaceable, strings.Join(r.Conflicts, " "),
	}
	if r.Fee != nil {
		line[8], line[9] = csvSat(*r.Fee), r.Fee.String()
	}
	if r.Block != nil {
		line[14], line[15], line[16] = strconv.Itoa(r.Block.Height), r.Block.Hash, csvTime(r.Block.Time)
	}
	return line
}

// addressesOf returns the addresses that were paid, separated by spaces: of what was
// sent those of all recipients, else the wallet's own.
func addressesOf(r wallets.Record) string {
	var addresses []string
	for _, o := range r.Outputs {
		if foreign := o.Own == nil; foreign == (r.Category == wallets.Send) {
			addresses = appendNew(addresses, o.Address)
		}
	}
	if len(addresses) == 0 {
		return r.Address
	}
	return strings.Join(addresses, " ")
}

// outputLabelsOf returns the labels of the outputs and of their addresses, separated
// by " | ".
func outputLabelsOf(r wallets.Record) string {
	var labels []string
	for _, o := range r.Outputs {
		labels = appendNew(appendNew(labels, o.Label), o.AddressLabel)
	}
	return strings.Join(labels, " | ")
}

// appendNew appends a text unless it is empty or there already.
func appendNew(texts []string, text string) []string {
	if text == "" || slices.Contains(texts, text) {
		return texts
	}
	return append(texts, text)
}

func csvTime(t time.Time) string { return t.UTC().Format(time.RFC3339) }

func csvSat(a btc.Amount) string { return strconv.FormatInt(int64(a), 10) }

// csvText keeps spreadsheets from taking what somebody wrote for a formula.
func csvText(text string) string {
	if strings.IndexAny(text, "=+-@\t\r\n＝＋－＠") == 0 {
		return "'" + text
	}
	return text
}
