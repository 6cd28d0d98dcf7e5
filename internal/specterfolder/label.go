package specterfolder

import (
	"encoding/csv"
	"errors"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"unicode/utf8"
)

// Label is what a user wrote on an address. The address is not checked.
type Label struct {
	Address string
	Text    string
	// External is set for an address that is not the wallet's own.
	External bool
}

// maxRowBytes bounds one row, so that a quote that is never closed does not have
// the rest of the file in memory.
const maxRowBytes = 1 << 20

// maxRowProblems is how many bad rows of one file are reported one by one.
const maxRowProblems = 10

// Labels calls yield for each labelled address of a wallet, in the order of the
// file, until yield returns an error, which it returns. The file is read row by
// row and never held in memory.
func (f *Folder) Labels(w WalletFile, yield func(Label) error) (err error) {
	path := strings.TrimSuffix(w.Path, ".json") + "_addr.csv"
	file, err := f.open(path, maxLabelsBytes)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		f.report(path, Error, "%s; its labels are left out", reason(err))
		return nil
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	return f.labels(path, file, yield)
}

func (f *Folder) labels(path string, file *os.File, yield func(Label) error) error {
	budget := &budget{in: file}
	rows := csv.NewReader(budget)
	rows.FieldsPerRecord, rows.ReuseRecord = -1, true
	columns, ok := f.labelColumns(path, rows, budget)
	if !ok {
		return nil
	}
	bad := 0
	complain := func(line int, what string) {
		if bad++; bad <= maxRowProblems {
			f.report(path, Error, "line %d %s; left out", line, what)
		}
	}
	for {
		budget.left = maxRowBytes
		row, err := rows.Read()
		malformed, isMalformed := errors.AsType[*csv.ParseError](err)
		switch {
		case errors.Is(err, io.EOF):
			if bad > maxRowProblems {
				f.report(path, Error, "has %d rows more that cannot be read", bad-maxRowProblems)
			}
			return nil
		case isMalformed:
			complain(malformed.StartLine, "is not CSV")
			continue
		case err != nil:
			f.report(path, Error, "%s; labels from here on are left out", reason(err))
			return nil
		}
		l, ok := columns.label(row)
		if !ok {
			line, _ := rows.FieldPos(0)
			complain(line, "lacks columns, or has an address that cannot be printed or text that is not UTF-8")
			continue
		}
		if l.Text == "" {
			continue
		}
		if err := yield(l); err != nil {
			return err
		}
	}
}

// labelColumns are the places of the columns; -1 for one that is not there.
type labelColumns struct{ address, text, index int }

func (f *Folder) labelColumns(path string, rows *csv.Reader, budget *budget) (labelColumns, bool) {
	budget.left = maxRowBytes
	header, err := rows.Read()
	if errors.Is(err, io.EOF) {
		return labelColumns{}, false
	}
	c := labelColumns{slices.Index(header, "address"), slices.Index(header, "label"), slices.Index(header, "index")}
	if err != nil || c.address < 0 || c.text < 0 {
		f.report(path, Error, "does not begin with the names of its columns, among them address and label; its labels are left out")
		return c, false
	}
	return c, true
}

func (c labelColumns) label(row []string) (Label, bool) {
	if max(c.address, c.text) >= len(row) {
		return Label{}, false
	}
	l := Label{Address: strings.Clone(row[c.address]), Text: strings.Clone(row[c.text])}
	l.External = c.index >= 0 && c.index < len(row) && row[c.index] == ""
	return l, l.Address != "" && isPrintable(l.Address) && utf8.ValidString(l.Text)
}

// budget is a reader that gives out no more than is left.
type budget struct {
	in   io.Reader
	left int
}

var errLongRow = formError("has a row of more than a million bytes")

func (b *budget) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errLongRow
	}
	n, err := b.in.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}
