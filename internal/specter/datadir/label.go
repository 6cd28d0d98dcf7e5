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

// Label is a user's label of an address. The address is not validated.
type Label struct {
	Address string
	Text    string
	// External is set for an address that does not belong to the wallet.
	External bool
}

// maxRowBytes is the maximum length of a row, so that an unclosed quote does not load the
// rest of the file into memory.
const maxRowBytes = 1 << 20

// maxRowProblems is the number of bad rows of one file that are reported individually.
const maxRowProblems = 10

// Labels reads the labels of a wallet from its CSV file, row by row, and calls yield
// for each labeled address in the order of the file. If yield returns an error,
// Labels stops and returns it. If the CSV file is missing, it reads the labels from
// the wallet's own file, where Specter Desktop's backups and specterd's exports have
// them.
func (f *Folder) Labels(w WalletFile, yield func(Label) error) (err error) {
	path := strings.TrimSuffix(w.Path, ".json") + "_addr.csv"
	file, err := f.open(path, maxLabelsBytes)
	if errors.Is(err, fs.ErrNotExist) {
		return f.exportedLabels(w, yield)
	}
	if err != nil {
		f.report(path, Error, "%s; its labels are skipped", reason(err))
		return nil
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	return f.labels(path, file, yield)
}

// exportedLabels calls yield for the labels in a wallet's own file, each of which has a
// list of addresses. Other problems of that file are reported by Wallet.
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
			f.report(w.Path, Error, "has a label whose addresses are not a list of texts; skipped")
		}
		for _, address := range addresses {
			if text == "" || address == "" || !IsPrintable(address) {
				f.report(w.Path, Error, "has an empty label, or a label of an unprintable address; skipped")
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
			f.report(path, Error, "line %d %s; skipped", line, what)
		}
	}
	for {
		budget.left = maxRowBytes
		row, err := rows.Read()
		malformed, isMalformed := errors.AsType[*csv.ParseError](err)
		switch {
		case errors.Is(err, io.EOF):
			if bad > maxRowProblems {
				f.report(path, Error, "has %d more rows that cannot be read", bad-maxRowProblems)
			}
			return nil
		case isMalformed:
			complain(malformed.StartLine, "is not CSV")
			continue
		case err != nil:
			f.report(path, Error, "%s; the remaining labels are skipped", reason(err))
			return nil
		}
		l, ok := columns.label(row)
		if !ok {
			line, _ := rows.FieldPos(0)
			complain(line, "has missing columns, an unprintable address, or text that is not UTF-8")
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

// labelColumns are the indexes of the columns; -1 for a missing column.
type labelColumns struct{ address, text, index int }

func (f *Folder) labelColumns(path string, rows *csv.Reader, budget *budget) (labelColumns, bool) {
	budget.left = maxRowBytes
	header, err := rows.Read()
	if errors.Is(err, io.EOF) {
		return labelColumns{}, false
	}
	c := labelColumns{slices.Index(header, "address"), slices.Index(header, "label"), slices.Index(header, "index")}
	if err != nil || c.address < 0 || c.text < 0 {
		f.report(path, Error, "does not begin with a header that has the columns address and label; its labels are skipped")
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

// budget is a reader that fails with errLongRow after left bytes.
type budget struct {
	in   io.Reader
	left int
}

var errLongRow = formError("has a row longer than a million bytes")

func (b *budget) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errLongRow
	}
	n, err := b.in.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}
