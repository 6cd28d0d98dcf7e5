package datadir

import (
	"encoding/csv"
	"errors"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
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
// row and never held in memory. Where there is none, the labels are those in the
// wallet's own file, as Specter Desktop's backups and specterd's exports have them.
func (f *Folder) Labels(w WalletFile, yield func(Label) error) (err error) {
	path := strings.TrimSuffix(w.Path, ".json") + "_addr.csv"
	file, err := f.open(path, maxLabelsBytes)
	if errors.Is(err, fs.ErrNotExist) {
		return f.exportedLabels(w, yield)
	}
	if err != nil {
		f.report(path, Error, "%s; its labels are left out", reason(err))
		return nil
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	return f.labels(path, file, yield)
}

// exportedLabels calls yield for the labels in a wallet's own file, each of which
// has a list of addresses. What else is wrong with that file is Wallet's to tell.
func (f *Folder) exportedLabels(w WalletFile, yield func(Label) error) error {
	text, err := f.readFile(w.Path, maxWalletBytes)
	if err != nil {
		return nil //nolint:nilerr // as above
	}
	o, err := parseObject(text)
	if err != nil {
		return nil //nolint:nilerr // as above
	}
	labels := o.child("labels")
	for _, warning := range o.warnings {
		f.report(w.Path, Error, "%s", warning)
	}
	for _, text := range labels.names {
		var addresses []string
		if json.Unmarshal(labels.fields[text], &addresses) != nil {
			f.report(w.Path, Error, "has a label whose addresses are no list of texts; left out")
		}
		for _, address := range addresses {
			if text == "" || address == "" || !IsPrintable(address) {
				f.report(w.Path, Error, "has an empty label, or one on an address that cannot be printed; left out")
				continue
			}
			if err := yield(Label{Address: address, Text: text}); err != nil {
				return err
			}
		}
	}
	return nil
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
	return l, l.Address != "" && IsPrintable(l.Address) && utf8.ValidString(l.Text)
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
