package policy

import (
	"bytes"
	"errors"
	"io"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/text"
)

// MaxDocument is the maximum size of a document in bytes.
const MaxDocument = 256 << 10

const maxDepth = 8 // nested objects and arrays; a policy has 5

// value is a JSON value. Only the fields of its kind are set.
type value struct {
	kind    jsontext.Kind
	text    string // of a string or a number
	members []member
	items   []value
}

type member struct {
	name string
	value
}

// readValue reads a document. It keeps duplicate names, so that the parser can report them
// together with other problems.
func readValue(document string, data []byte) (value, error) {
	if len(data) > MaxDocument {
		return value{}, fault.New(fault.Invalid, "invalid_json", "the %s must not be larger than %d bytes", document, MaxDocument)
	}
	dec := jsontext.NewDecoder(bytes.NewReader(data), jsontext.AllowDuplicateNames(true))
	v, err := readFrom(dec)
	if err == nil {
		_, err = dec.ReadToken()
		if errors.Is(err, io.EOF) {
			return v, nil
		}
		if err == nil {
			return value{}, fault.New(fault.Invalid, "invalid_json", "the %s has data after its JSON object", document)
		}
	}
	if errors.Is(err, errDepth) {
		return value{}, fault.New(fault.Invalid, "invalid_json", "the %s has more than %d levels", document, maxDepth)
	}
	return value{}, fault.New(fault.Invalid, "invalid_json", "the %s is not well-formed JSON in UTF-8 (near byte %d)", document, dec.InputOffset()).WithCause(err)
}

var errDepth = errors.New("nested too deeply")

func readFrom(dec *jsontext.Decoder) (value, error) {
	token, err := dec.ReadToken()
	if err != nil {
		return value{}, err
	}
	if dec.StackDepth() > maxDepth {
		return value{}, errDepth
	}
	v := value{kind: token.Kind()}
	switch v.kind {
	case '"', '0':
		v.text = token.String()
	case '{':
		for dec.PeekKind() != '}' {
			name, err := dec.ReadToken()
			if err != nil {
				return value{}, err
			}
			m := member{name: name.String()}
			if m.value, err = readFrom(dec); err != nil {
				return value{}, err
			}
			v.members = append(v.members, m)
		}
		_, err = dec.ReadToken()
	case '[':
		for dec.PeekKind() != ']' {
			item, err := readFrom(dec)
			if err != nil {
				return value{}, err
			}
			v.items = append(v.items, item)
		}
		_, err = dec.ReadToken()
	}
	return v, err
}

// problems collects the faults of a document.
type problems struct{ errs []error }

func (p *problems) add(path, format string, args ...any) {
	p.errs = append(p.errs, fault.InvalidAs("invalid_policy", path, format, args...))
}

// field reads one field of an object.
type field struct {
	name string
	read func(path string, v value)
}

// object reads the fields of an object, and reports unknown and duplicate ones. It returns
// the names of the fields that are present.
func (p *problems) object(path string, v value, fields []field) map[string]bool {
	present := map[string]bool{}
	if v.kind != '{' {
		p.add(orDocument(path), "must be an object")
		return present
	}
	for _, m := range v.members {
		at := join(path, m.name)
		f := find(fields, m.name)
		switch {
		case f == nil:
			p.unknown(path, m.name, fields)
		case present[m.name]:
			p.add(at, "occurs twice in one object")
		default:
			f.read(at, m.value)
		}
		present[m.name] = true
	}
	return present
}

func find(fields []field, name string) *field {
	for i := range fields {
		if fields[i].name == name {
			return &fields[i]
		}
	}
	return nil
}

// unknown reports an unknown field. It repeats the name only if it has the format of names
// of fields, because anything else could be a secret.
func (p *problems) unknown(path, name string, fields []field) {
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.name
	}
	expected := "expected one of " + strings.Join(names, ", ")
	const maxShown = 40
	if name == "" || len(name) > maxShown || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz_") != "" {
		p.add(orDocument(path), "has an unknown field; %s", expected)
		return
	}
	if near := text.Nearest(name, names); near != "" {
		expected = "did you mean " + near + "?"
	}
	p.add(join(path, name), "unknown field; %s", expected)
}

// require reports the fields of an object that are missing. It ignores values that are not
// objects, which object reports.
func (p *problems) require(path string, v value, present map[string]bool, names ...string) {
	for _, name := range names {
		if v.kind == '{' && !present[name] {
			p.add(join(path, name), "is required")
		}
	}
}

// array reads the items of an array with at most the given number.
func (p *problems) array(path string, v value, most int, what string, read func(path string, v value)) {
	switch {
	case v.kind != '[':
		p.add(path, "must be an array of %s", what)
		return
	case len(v.items) > most:
		p.add(path, "must not have more than %d %s", most, what)
		return
	}
	for i, item := range v.items {
		read(path+"["+strconv.Itoa(i)+"]", item)
	}
}

// string returns a text, and whether the value is one.
func (p *problems) string(path string, v value, example string) (string, bool) {
	if v.kind != '"' {
		p.add(path, "must be a text such as %q", example)
		return "", false
	}
	return v.text, true
}

// integer returns a whole number within a range, and whether the value is one.
func (p *problems) integer(path string, v value, least, most int64, unit string) (int64, bool) {
	n, err := strconv.ParseInt(v.text, 10, 64)
	if v.kind != '0' || err != nil || n < least || n > most || strings.HasPrefix(v.text, "-") {
		p.add(path, "must be a whole number%s from %d to %d", unit, least, most)
		return 0, false
	}
	return n, true
}

func (p *problems) bool(path string, v value) bool {
	if v.kind != 't' && v.kind != 'f' {
		p.add(path, "must be true or false")
	}
	return v.kind == 't'
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// orDocument returns the path, or a name for the whole document.
func orDocument(path string) string {
	if path == "" {
		return "policy"
	}
	return path
}
