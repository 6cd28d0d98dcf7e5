package datadir

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// formError says what is wrong with JSON that is well-formed. It does not repeat
// any of it.
type formError string

func (e formError) Error() string { return string(e) }

func errForm(format string, args ...any) error { return formError(fmt.Sprintf(format, args...)) }

// object is a JSON object whose fields are looked at one by one, so that one of
// a wrong type does not hide the others.
type object struct {
	names    []string // in the order of the file
	fields   map[string]jsontext.Value
	warnings []string
	err      error // of the first field that is needed and wrong
}

// parseObject reads one JSON object. Names that are there twice are an error,
// since programs differ in which they take.
func parseObject(text []byte) (*object, error) {
	o := &object{fields: map[string]jsontext.Value{}}
	dec := jsontext.NewDecoder(bytes.NewReader(text))
	if kind := dec.PeekKind(); kind != '{' && kind != 0 {
		return nil, errForm("is damaged: it has to be a JSON object")
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
		return nil, errForm("is damaged: there is something behind its JSON")
	}
	return o, nil
}

// parseArray reads one JSON array.
func parseArray(text []byte) ([]jsontext.Value, error) {
	if jsontext.Value(bytes.TrimSpace(text)).Kind() != '[' {
		if len(bytes.TrimSpace(text)) == 0 {
			return nil, errForm("is empty")
		}
		if jsontext.Value(text).IsValid() {
			return nil, errForm("is damaged: it has to be a JSON array")
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

// may reads a field that need not be there; null is as good as nothing. One of a
// wrong type is a warning and leaves into as it is.
func (o *object) may(name string, into any) {
	value := o.fields[name]
	if value == nil || value.Kind() == 'n' {
		return
	}
	if json.Unmarshal(value, into) != nil {
		o.warn(name, "is of a wrong type; left out")
	}
}

// need reads a field that has to be there.
func (o *object) need(name string, into any) {
	value := o.fields[name]
	switch {
	case o.err != nil:
	case value == nil || value.Kind() == 'n':
		o.err = errForm("is incomplete: %s is missing", name)
	case json.Unmarshal(value, into) != nil:
		o.err = errForm("is damaged: %s is of a wrong type", name)
	}
}

// child returns an object in a field, which is empty where there is none.
func (o *object) child(name string) *object {
	value := o.fields[name]
	if value != nil && value.Kind() != 'n' {
		child, err := parseObject(value)
		if err == nil {
			return child
		}
		o.warn(name, "is of a wrong type; left out")
	}
	return &object{}
}

func (o *object) warn(name, what string) {
	o.warnings = append(o.warnings, name+" "+what)
}

func isString(value jsontext.Value) bool { return value != nil && value.Kind() == '"' }
