// Package historyexport writes histories and ledgers of wallets as files: CSV and JSON Lines.
// The API and the console send the same bytes for the same filter.
package historyexport

import (
	"bufio"
	"encoding/csv"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/wallet"
)

// Media types of the files. CSVContent is CSV with its parameters.
const (
	CSV        = "text/csv"
	CSVContent = CSV + "; charset=utf-8; header=present"
	Lines      = "application/jsonl"
)

// FileName returns the name of an exported file, without its extension. Alias is empty for
// an export of all wallets. Since and until are the limits of the period as the user wrote
// them, and may be empty.
func FileName(alias, what, since, until string) string {
	if alias != "" {
		what = alias + "-" + what
	}
	switch {
	case since != "" && until != "":
		what += "-" + since + "-to-" + until
	case since != "":
		what += "-from-" + since
	case until != "":
		what += "-to-" + until
	}
	return strings.ReplaceAll(what, ":", "") // some file systems refuse colons
}

// WriteLines writes a history as JSON Lines.
func WriteLines(w *bufio.Writer, records iter.Seq2[wallet.Record, error]) error {
	for r, err := range records {
		if err != nil {
			return err
		}
		if err := json.MarshalWrite(w, TransactionOf(r)); err != nil {
			return err
		}
		if err := w.WriteByte('\n'); err != nil {
			return err
		}
	}
	return nil
}

// csvColumns are the names of the columns. Each amount has two columns: in satoshis,
// and in bitcoins for use in spreadsheets. The columns address and address_label can
// contain several values; see addressesOf and outputLabelsOf.
var csvColumns = []string{
	"time", "wallet", "txid", "status", "confirmations", "category", "flow_sat", "flow_btc", "fee_sat", "fee_btc",
	"vsize", "address", "address_label", "label", "block_height", "block_hash", "block_time", "replaceable", "conflicts",
}

// WriteCSV writes a history as CSV, one line for each transaction. With bom, it begins with a
// byte order mark, by which spreadsheets recognize UTF-8.
func WriteCSV(w *bufio.Writer, bom bool, records iter.Seq2[wallet.Record, error]) error {
	return writeTable(w, bom, csvColumns, records, csvLine)
}

// writeTable writes CSV (RFC 4180): a byte order mark if bom is set, a line with the names
// of the columns, and a line for each row.
func writeTable[Row any](w *bufio.Writer, bom bool, columns []string, rows iter.Seq2[Row, error], line func(Row) []string) error {
	if bom {
		if _, err := w.WriteString("\ufeff"); err != nil {
			return err
		}
	}
	to := csv.NewWriter(w) // uses w as its buffer; the caller flushes w
	to.UseCRLF = true
	if err := to.Write(columns); err != nil {
		return err
	}
	for row, err := range rows {
		if err != nil {
			return err
		}
		if err := to.Write(line(row)); err != nil {
			return err
		}
	}
	return nil
}

func csvLine(r wallet.Record) []string {
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

// addressesOf returns the paid addresses, separated by spaces: the external addresses if
// the category is send, otherwise the wallet's own. Without any, it returns the address that
// represents the transaction in a list.
func addressesOf(r wallet.Record) string {
	var addresses []string
	for _, o := range r.Outputs {
		if foreign := o.Own == nil; foreign == (r.Category == wallet.Send) {
			addresses = appendNew(addresses, o.Address)
		}
	}
	if len(addresses) == 0 {
		return r.Address
	}
	return strings.Join(addresses, " ")
}

// outputLabelsOf returns the labels of the outputs and of their addresses, each once,
// separated by " | ".
func outputLabelsOf(r wallet.Record) string {
	var labels []string
	for _, o := range r.Outputs {
		labels = appendNew(appendNew(labels, o.Label), o.AddressLabel)
	}
	return strings.Join(labels, " | ")
}

// appendNew appends text unless it is empty or already in texts.
func appendNew(texts []string, text string) []string {
	if text == "" || slices.Contains(texts, text) {
		return texts
	}
	return append(texts, text)
}

func csvTime(t time.Time) string { return t.UTC().Format(time.RFC3339) }

func csvSat(a btc.Amount) string { return strconv.FormatInt(int64(a), 10) }

// csvText escapes text that a user entered, so that spreadsheets do not evaluate it as a
// formula.
func csvText(text string) string {
	if strings.IndexAny(text, "=+-@\t\r\n＝＋－＠") == 0 {
		return "'" + text
	}
	return text
}
