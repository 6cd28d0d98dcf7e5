package backup

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// appendRow appends a row to line as a JSON object with all columns, in the order of the
// table, and a line break. Bytes are encoded in hexadecimal.
func (t Table) appendRow(line []byte, row []any) ([]byte, error) {
	if len(row) != len(t.Columns) {
		return nil, fmt.Errorf("a row has %d values for %d columns", len(row), len(t.Columns))
	}
	for i, c := range t.Columns {
		separator := byte(',')
		if i == 0 {
			separator = '{'
		}
		line = append(line, separator, '"')
		line = append(append(line, c.Name...), '"', ':')
		var err error
		if line, err = c.Type.append(line, row[i]); err != nil {
			return nil, fmt.Errorf("column %s: %w", c.Name, err)
		}
	}
	return append(line, '}', '\n'), nil
}

func (t Type) append(line []byte, value any) ([]byte, error) {
	switch v := value.(type) {
	case nil:
		return append(line, "null"...), nil
	case string:
		if t == Text {
			return jsontext.AppendQuote(line, v)
		}
	case int64:
		if t == Integer {
			return strconv.AppendInt(line, v, 10), nil
		}
	case float64:
		if t == Real && !math.IsNaN(v) && !math.IsInf(v, 0) {
			return strconv.AppendFloat(line, v, 'g', -1, 64), nil
		}
	case []byte:
		if t == Bytes {
			line = append(line, '"')
			return append(hex.AppendEncode(line, v), '"'), nil
		}
	}
	return nil, fmt.Errorf("a %T does not match the type of the column", value)
}

// rowReader parses lines written by appendRow.
type rowReader struct {
	table Table
	json  *jsontext.Decoder
}

func newRowReader(t Table) *rowReader {
	return &rowReader{table: t, json: jsontext.NewDecoder(new(bytes.Buffer))}
}

var errNoRow = errors.New("a line is not a row of the table")

func (r *rowReader) parse(line []byte) ([]any, error) {
	r.json.Reset(bytes.NewBuffer(line)) // the decoder reads from a bytes.Buffer without copying
	if begin, err := r.json.ReadToken(); err != nil || begin.Kind() != '{' {
		return nil, errNoRow
	}
	row := make([]any, len(r.table.Columns))
	for i, c := range r.table.Columns {
		name, err := r.json.ReadToken()
		if err != nil || name.Kind() != '"' || name.String() != c.Name {
			return nil, errNoRow
		}
		value, err := r.json.ReadValue()
		if err != nil {
			return nil, errNoRow
		}
		if row[i], err = c.Type.parse(value); err != nil {
			return nil, fmt.Errorf("column %s: %w", c.Name, errNoRow)
		}
	}
	if end, err := r.json.ReadToken(); err != nil || end.Kind() != '}' {
		return nil, errNoRow
	}
	if _, err := r.json.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, errNoRow
	}
	return row, nil
}

func (t Type) parse(value jsontext.Value) (any, error) {
	switch kind := value.Kind(); {
	case kind == 'n':
		return nil, nil
	case kind == '0' && t == Integer:
		return strconv.ParseInt(string(value), 10, 64)
	case kind == '0' && t == Real:
		return strconv.ParseFloat(string(value), 64)
	case kind == '"' && (t == Text || t == Bytes):
		text, err := jsontext.AppendUnquote(nil, value)
		if err != nil || t == Text {
			return string(text), err
		}
		return hex.AppendDecode(make([]byte, 0, len(text)/2), text)
	}
	return nil, errNoRow
}
