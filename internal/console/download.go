package console

import (
	"bufio"
	"iter"
	"maps"
	"net/http"
	"strconv"
	"time"

	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/historyexport"
	"github.com/specterd/specterd/internal/httpcall"
	"github.com/specterd/specterd/internal/wallet"
)

// Limits of a file that is written while it is read from the database.
const (
	streamBuffer = 32 << 10
	streamWrite  = 30 * time.Second // for each write
)

// sendFile responds with a file that the browser saves.
func (c *call) sendFile(name, contentType string, data []byte) error {
	c.fileHeader(name, contentType)
	c.w.Header().Set("Content-Length", strconv.Itoa(len(data)))
	if c.r.Method != http.MethodHead {
		_, _ = c.w.Write(data) // fails only if the client disconnected
	}
	return nil
}

func (c *call) fileHeader(name, contentType string) {
	h := c.w.Header()
	h.Set("Content-Type", contentType)
	maps.Copy(h, httpcall.Attachment(name))
}

// stream responds with a file that body writes. An error of body before the first 32 KiB
// becomes an error page; a later one closes the connection, so that the browser notices that
// the file is incomplete.
func (c *call) stream(name, contentType string, body func(*bufio.Writer) error) error {
	if c.r.Method == http.MethodHead {
		c.fileHeader(name, contentType)
		return nil
	}
	to := &fileWriter{call: c, name: name, contentType: contentType}
	buffer := bufio.NewWriterSize(to, streamBuffer)
	err := body(buffer)
	if err == nil {
		to.isLast = true
		err = buffer.Flush()
	}
	switch {
	case err != nil && to.begun:
		c.Log.WarnContext(c.r.Context(), "download aborted", "request_id", c.info.ID[0], "error", err)
		panic(http.ErrAbortHandler) // which net/http understands
	case err == nil && !to.begun:
		c.fileHeader(name, contentType)
	}
	return err
}

// fileWriter writes the header before the first byte of a file.
type fileWriter struct {
	*call

	name, contentType string
	begun             bool
	isLast            bool // whether the next write is the last one
}

func (f *fileWriter) Write(data []byte) (int, error) {
	if !f.begun {
		f.begun = true
		f.fileHeader(f.name, f.contentType)
	}
	deadline := time.Now().Add(streamWrite) //nolint:forbidigo // a deadline of the operating system
	if err := http.NewResponseController(f.w).SetWriteDeadline(deadline); err != nil {
		return 0, err
	}
	n, err := f.w.Write(data)
	if err == nil && !f.isLast {
		err = f.work.Work(f.r.Context()) // a write releases the slot
	}
	return n, err
}

// historyCSV and historyLines send the transactions that match the filter of the history, as
// the API does.
func (c *call) historyCSV() error {
	records, err := c.filteredRecords()
	if err != nil {
		return err
	}
	return c.stream(c.historyFile(".csv"), historyexport.CSVContent, func(w *bufio.Writer) error { return historyexport.WriteCSV(w, false, records) })
}

func (c *call) historyLines() error {
	records, err := c.filteredRecords()
	if err != nil {
		return err
	}
	return c.stream(c.historyFile(".jsonl"), historyexport.Lines, func(w *bufio.Writer) error { return historyexport.WriteLines(w, records) })
}

// ledgerCSV sends the ledger of the period of the filter, as the API does.
func (c *call) ledgerCSV() error {
	q, err := c.historyQuery()
	if err == nil && !q.isPeriod() {
		err = fault.New(fault.Invalid, "invalid_ledger", "The ledger has all transactions of a period; leave out kind, amounts, search and unconfirmed.")
	}
	if err != nil {
		return err
	}
	_, entries, err := c.Wallets.Ledger(c.r.Context(), wallet.One(c.access), wallet.LedgerParams{Since: q.Since, Until: q.Until})
	if err != nil {
		return err
	}
	name := historyexport.FileName(c.access.Alias(), "ledger", c.query("from"), c.query("to")) + ".csv"
	return c.stream(name, historyexport.CSVContent, func(w *bufio.Writer) error { return historyexport.WriteLedger(w, false, time.UTC, entries) })
}

func (c *call) historyFile(extension string) string {
	return historyexport.FileName(c.access.Alias(), "transactions", c.query("from"), c.query("to")) + extension
}

func (c *call) filteredRecords() (iter.Seq2[wallet.Record, error], error) {
	q, err := c.historyQuery()
	if err != nil {
		return nil, err
	}
	if q.txid == "" {
		q.Outputs = true
		_, records, err := c.Wallets.EachTransaction(c.r.Context(), wallet.One(c.access), q.Filter)
		return records, err
	}
	only, err := c.onlyRecord(q)
	return func(yield func(wallet.Record, error) bool) {
		for _, r := range only {
			yield(r, nil)
		}
	}, err
}
