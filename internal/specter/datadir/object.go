package datadir

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// formError describes invalid data without quoting it.
type formError string

func (e formError) Error() string { return string(e) }

func errForm(format string, args ...any) error { return formError(fmt.Sprintf(format, args...)) }

// object is a JSON object whose fields are decoded one by one, so that a field of the
// wrong type does not affect the others.
type object struct {
	names    []string // in the order of the file
	fields   map[string]jsontext.Value
	warnings []string
	err      error // for the first required field that is missing or invalid
}

// parseObject parses one JSON object. Duplicate names are an error, since programs differ
// in which value they use.
func parseObject(text []byte) (*object, error) {
	o := &object{fields: map[string]jsontext.Value{}}
	dec := jsontext.NewDecoder(bytes.NewReader(text))
	if kind := dec.PeekKind(); kind != '{' && kind != 0 {
		return nil, errForm("is damaged: it must be a JSON object")
	}
	if _, err := dec.ReadToken(); err != nil {
		return nil, truncated(err)
	}
	for dec.PeekKind() != '}' {
		name, err := dec.ReadToken()
		if err != nil {
			return nil, err
		}
		key := name.String()
		value, err := dec.ReadValue()
		if err != nil {
			return nil, err
		}
		o.names = append(o.names, key)
		o.fields[key] = value.Clone()
	}
	if _, err := dec.ReadToken(); err != nil {
		return nil, err
	}
	if _, err := dec.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, errForm("is damaged: it has data after the JSON object")
	}
	return o, nil
}

// parseArray parses one JSON array.
func parseArray(text []byte) ([]jsontext.Value, error) {
	if jsontext.Value(bytes.TrimSpace(text)).Kind() != '[' {
		if len(bytes.TrimSpace(text)) == 0 {
			return nil, errForm("is empty")
		}
		if jsontext.Value(text).IsValid() {
			return nil, errForm("is damaged: it must be a JSON array")
		}
	}
	var values []jsontext.Value
	err := json.Unmarshal(text, &values)
	return values, err
}

func truncated(err error) error {
	if errors.Is(err, io.EOF) {
		return errForm("is empty")
	}
	return err
}

// optional decodes an optional field; null counts as missing. A field of the wrong type gives a
// warning and leaves into unchanged.
func (o *object) optional(name string, into any) {
	value := o.fields[name]
	if value == nil || value.Kind() == 'n' {
		return
	}
	if json.Unmarshal(value, into) != nil {
		o.warn(name, "has the wrong type; skipped")
	}
}

// required decodes a required field. It sets err if the field is missing or has the wrong type.
func (o *object) required(name string, into any) {
	value := o.fields[name]
	switch {
	case o.err != nil:
	case value == nil || value.Kind() == 'n':
		o.err = errForm("is incomplete: %s is missing", name)
	case json.Unmarshal(value, into) != nil:
		o.err = errForm("is damaged: %s has the wrong type", name)
	}
}

// child returns the object in a field. It returns an empty object if the field is missing
// or has the wrong type; a wrong type also adds a warning.
func (o *object) child(name string) *object {
	value := o.fields[name]
	if value != nil && value.Kind() != 'n' {
		child, err := parseObject(value)
		if err == nil {
			return child
		}
		o.warn(name, "has the wrong type; skipped")
	}
	return &object{}
}

func (o *object) warn(name, what string) {
	o.warnings = append(o.warnings, name+" "+what)
}

func isString(value jsontext.Value) bool { return value != nil && value.Kind() == '"' }
