package proposal

import (
	"encoding/csv"
	"encoding/hex"
	"errors"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
)

// Columns of a CSV of recipients.
const (
	columnAddress = "address"
	columnSat     = "amount_sat"
	columnBTC     = "amount_btc"
	columnLabel   = "label"
)

const csvColumns = "address, amount_sat or amount_btc, and optionally label"

func badCSV(format string, args ...any) *fault.Error {
	return fault.InvalidAs("invalid_csv", FieldCSV, format, args...)
}

// ParseRecipientsCSV parses a CSV of recipients with a header: the columns address,
// amount_sat or amount_btc, and optionally label. Values are separated by commas, semicolons
// or tabs, as in the header. A byte order mark, the line ends of all systems and empty lines
// are accepted. It returns a fault about FieldCSV with the line and the column of all
// problems, up to 20. It does not validate the addresses.
func ParseRecipientsCSV(text string) ([]Recipient, error) {
	text = strings.TrimPrefix(text, "\ufeff")
	if !utf8.ValidString(text) || strings.Contains(text, "\x00") {
		return nil, badCSV("must be UTF-8; choose this encoding when you save the file")
	}
	text = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text)
	header, _, _ := strings.Cut(strings.TrimLeft(text, "\n"), "\n")
	r := csv.NewReader(strings.NewReader(text))
	r.Comma, r.FieldsPerRecord = separatorOf(header), -1
	names, err := r.Read()
	if errors.Is(err, io.EOF) {
		return nil, badCSV("must begin with a header: %s", csvColumns)
	}
	if err != nil {
		return nil, csvFault(err)
	}
	t := recipientTable{reader: r}
	if err := t.readHeader(names); err != nil {
		return nil, err
	}
	return t.recipients()
}

// separatorOf returns the separator that occurs in a header.
func separatorOf(header string) rune {
	for _, separator := range ";\t" {
		if strings.ContainsRune(header, separator) {
			return separator
		}
	}
	return ','
}

func csvFault(err error) error {
	bad, ok := errors.AsType[*csv.ParseError](err)
	if !ok {
		return err
	}
	return badCSV("line %d: has a quotation mark in the wrong place; put a value that contains one in quotation marks, and double those in it", bad.StartLine)
}

// recipientTable is a CSV of recipients.
type recipientTable struct {
	reader   *csv.Reader
	columns  []string
	problems []*fault.Error
}

// readHeader fills in the columns.
func (t *recipientTable) readHeader(names []string) error {
	seen := map[string]bool{}
	for i, name := range names {
		name = strings.ToLower(strings.TrimSpace(name))
		switch {
		case name != columnAddress && name != columnSat && name != columnBTC && name != columnLabel:
			return badCSV("line 1: column %d of the header is unknown; the columns are %s", i+1, csvColumns)
		case seen[name]:
			return badCSV("line 1: the header has the column %s twice", name)
		}
		seen[name] = true
		t.columns = append(t.columns, name)
	}
	switch {
	case !seen[columnAddress]:
		return badCSV("line 1: the header has no column address; the columns are %s", csvColumns)
	case seen[columnSat] && seen[columnBTC]:
		return badCSV("line 1: the header must have only one of the columns amount_sat and amount_btc")
	}
	return nil
}

// recipients returns the rows.
func (t *recipientTable) recipients() ([]Recipient, error) {
	var list []Recipient
	for len(t.problems) < maxProblems {
		row, err := t.reader.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, csvFault(err)
		}
		if strings.TrimSpace(strings.Join(row, "")) == "" {
			continue
		}
		if len(list) == MaxRecipients {
			return nil, badCSV("must have at most %d recipients", MaxRecipients)
		}
		list = append(list, t.recipient(row))
	}
	if len(list) == 0 {
		return nil, badCSV("must have at least one recipient after the header")
	}
	return list, joined(t.problems)
}

func (t *recipientTable) recipient(row []string) Recipient {
	line, _ := t.reader.FieldPos(0)
	r := Recipient{line: line, amountColumn: columnSat}
	if len(row) != len(t.columns) {
		t.problems = append(t.problems, badCSV("line %d: must have %d values, as the header, but has %d; put a value that contains the separator in quotation marks", line, len(t.columns), len(row)))
		return r
	}
	for i, name := range t.columns {
		value := strings.TrimSpace(row[i])
		var err error
		switch name {
		case columnAddress:
			r.Address = value
		case columnLabel:
			r.Label = value
		case columnSat, columnBTC:
			r.amountColumn = name
			r.Amount, err = parseCell(value, name == columnBTC)
		}
		if f, ok := errors.AsType[*fault.Error](err); ok {
			t.problems = append(t.problems, r.about(f, 0, fieldAmount))
		}
	}
	return r
}

// parseCell parses an amount that is not 0, or returns 0 if it is empty.
func parseCell(text string, isBTC bool) (btc.Amount, error) {
	if text == "" {
		return 0, nil
	}
	if isBTC {
		a, err := btc.ParseDecimalBTC(text)
		if err != nil || a == 0 {
			return 0, badCSV("must be an amount in bitcoins above 0 with a decimal point, without commas and with at most eight decimals, such as 0.001")
		}
		return a, nil
	}
	return parseSat(text)
}

func parseSat(text string) (btc.Amount, error) {
	a, err := strconv.ParseUint(text, 10, 63)
	if err != nil || a == 0 || a > uint64(btc.MaxMoney) {
		return 0, badCSV("must be a whole number of satoshis above 0, without separators, such as 100000")
	}
	return btc.Amount(a), nil
}

// ErrRecipient is returned by ParseRecipient.
var ErrRecipient = fault.New(fault.Invalid, "invalid_recipient", "a recipient must be ADDRESS=AMOUNT, a bitcoin: URI, or data:HEX")

// ParseRecipient parses a recipient of a command line:
//
//   - ADDRESS=AMOUNT, where AMOUNT is an amount with its unit, as ParseAmount accepts it, or
//     the word max for the remainder;
//   - a bitcoin: URI with or, for the remainder, without an amount;
//   - data:HEX for data.
//
// It does not validate the address or the URI. If isMax is set, CreateParams.SendMax is
// required. It returns ErrRecipient.
func ParseRecipient(text string) (r Recipient, isMax bool, err error) {
	text = strings.TrimSpace(text)
	if btc.IsPaymentURI(text) {
		return Recipient{Address: text}, false, nil
	}
	if digits, isData := strings.CutPrefix(text, "data:"); isData {
		if r.Data, err = hex.DecodeString(digits); err != nil || len(r.Data) == 0 {
			return Recipient{}, false, ErrRecipient.WithMessage("after data: must follow bytes in hexadecimal")
		}
		return r, false, nil
	}
	address, amount, found := strings.Cut(text, "=")
	if r.Address = strings.TrimSpace(address); !found || r.Address == "" {
		return Recipient{}, false, ErrRecipient
	}
	if strings.TrimSpace(amount) == "max" {
		return r, true, nil
	}
	r.Amount, err = ParseAmount(amount)
	return r, false, err
}

// ParseAmount parses an amount above 0 with its unit in any case, such as 50000sat, 50000sats
// or 0.0005BTC. It returns ErrRecipient.
func ParseAmount(text string) (a btc.Amount, err error) {
	text = strings.ToLower(strings.TrimSpace(text))
	digits := strings.TrimRight(text, "abcdefghijklmnopqrstuvwxyzµ₿ ")
	switch unit := strings.TrimSpace(text[len(digits):]); {
	case strings.ContainsAny(digits, ",_' "):
		return 0, ErrRecipient.WithMessage("the amount must have a decimal point and no other separators, such as 0.0005BTC")
	case unit == "":
		return 0, ErrRecipient.WithMessage("the amount must have a unit, such as 50000sat or 0.0005BTC")
	case unit == "btc":
		a, err = btc.ParseDecimalBTC(digits)
	case unit == "sat" || unit == "sats":
		if strings.Contains(digits, ".") {
			return 0, ErrRecipient.WithMessage("an amount in satoshis must be a whole number, such as 50000sat; with a decimal point, the unit is BTC")
		}
		a, err = parseSat(digits)
	default:
		return 0, ErrRecipient.WithMessage("the unit of an amount must be sat or BTC, such as 50000sat or 0.0005BTC")
	}
	if err != nil || a == 0 {
		return 0, ErrRecipient.WithMessage("the amount must be above 0 and at most 21000000BTC, with whole satoshis, such as 50000sat or 0.0005BTC")
	}
	return a, nil
}
