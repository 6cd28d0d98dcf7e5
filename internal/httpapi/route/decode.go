package route

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-chi/chi/v5"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/specterd/specterd/internal/fault"
)

const (
	maxBody     = 1 << 20          // bytes
	bodyTimeout = 10 * time.Second // from where the reading begins to its end
	maxDepth    = 32               // levels of objects and arrays in a body
)

// Strictness is how a surface treats what it does not know in a request.
type Strictness uint8

const (
	// RefuseUnknown refuses fields and query parameters that it does not know.
	RefuseUnknown Strictness = iota
	// TolerateUnknown passes over them, except for other spellings of a field
	// that it knows.
	TolerateUnknown
)

// Faults of a request's form.
var (
	ErrBodyTooLarge = fault.New(fault.TooLarge, "body_too_large", "the body is larger than %d bytes", maxBody)
	ErrNotJSON      = fault.New(fault.UnsupportedMedia, "unsupported_media_type", "the body has to be JSON; send it with the header Content-Type: application/json")
)

func errBody(format string, args ...any) *fault.Error {
	return fault.New(fault.Invalid, "bad_json", "the body "+format, args...)
}

// plan says where the fields of a request type come from.
type plan struct {
	path, query []parameter
	hasBody     bool
	needsBody   bool // some field of it has to be there
}

type parameter struct {
	name  string
	field int
	value string // where the request has none; from the tag default
}

func planFor(t reflect.Type) plan {
	var p plan
	for i := range t.NumField() {
		field := t.Field(i)
		kind := field.Type.Kind()
		path, query := field.Tag.Get("path"), field.Tag.Get("query")
		switch {
		case path == "" && query == "":
			p.hasBody = true
			p.needsBody = p.needsBody || field.Tag.Get("required") == "true"
			continue
		case kind != reflect.String && kind != reflect.Int && kind != reflect.Bool:
			panic(fmt.Sprintf("%s.%s: a %s cannot be a parameter", t, field.Name, kind))
		case field.Tag.Get("json") != "-":
			panic(fmt.Sprintf("%s.%s: a parameter needs the tag json:\"-\"", t, field.Name))
		}
		if path != "" {
			p.path = append(p.path, parameter{name: path, field: i})
		} else {
			p.query = append(p.query, parameter{name: query, field: i, value: field.Tag.Get("default")})
		}
	}
	return p
}

// decode fills in, a pointer to a struct of the plan's type.
func (p plan) decode(w http.ResponseWriter, r *http.Request, in any, strict Strictness) error {
	if p.hasBody {
		body, err := readBody(w, r, p.needsBody)
		if err != nil {
			return err
		}
		if err := DecodeJSON(body, in, strict); err != nil {
			return err
		}
	}
	if err := p.fillPath(r, in); err != nil {
		return err
	}
	return p.fillQuery(r, in, strict)
}

func (p plan) fillPath(r *http.Request, in any) error {
	for _, param := range p.path {
		text := chi.URLParam(r, param.name)
		if r.URL.RawPath != "" { // then chi matched the path as it was escaped
			var err error
			if text, err = url.PathUnescape(text); err != nil {
				return fault.InvalidField(param.name, "is not escaped as a URL wants it")
			}
		}
		if err := param.set(in, text); err != nil {
			return err
		}
	}
	return nil
}

func (p plan) fillQuery(r *http.Request, in any, strict Strictness) error {
	if r.URL.RawQuery == "" && len(p.query) == 0 {
		return nil
	}
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return fault.New(fault.Invalid, "bad_query", "the query of the URL is not escaped as a URL wants it")
	}
	for _, param := range p.query {
		texts := values[param.name]
		delete(values, param.name)
		switch {
		case len(texts) > 1:
			return fault.InvalidField(param.name, "is given more than once")
		case len(texts) == 0 && param.value == "":
			continue
		case len(texts) == 0:
			texts = []string{param.value}
		}
		if err := param.set(in, texts[0]); err != nil {
			return err
		}
	}
	if strict == RefuseUnknown && len(values) > 0 {
		return fault.New(fault.Invalid, "unknown_parameter", "the query of the URL has a parameter that this route does not know; it knows %s", p.queryNames())
	}
	return nil
}

func (p plan) queryNames() string {
	if len(p.query) == 0 {
		return "none"
	}
	names := make([]string, len(p.query))
	for i, param := range p.query {
		names[i] = param.name
	}
	return strings.Join(names, ", ")
}

func (p parameter) set(in any, text string) error {
	field := reflect.ValueOf(in).Elem().Field(p.field)
	switch field.Kind() {
	case reflect.Int:
		n, err := strconv.Atoi(text)
		if err != nil {
			return fault.InvalidField(p.name, "has to be a whole number")
		}
		field.SetInt(int64(n))
	case reflect.Bool:
		b, err := strconv.ParseBool(text)
		if err != nil {
			return fault.InvalidField(p.name, "has to be true or false")
		}
		field.SetBool(b)
	default:
		if strings.ContainsRune(text, 0) || !utf8.ValidString(text) {
			return fault.InvalidField(p.name, "has to be UTF-8 text without NUL")
		}
		field.SetString(text)
	}
	return nil
}

// readBody returns the body, or an empty object for none where none is needed.
func readBody(w http.ResponseWriter, r *http.Request, needed bool) ([]byte, error) {
	if r.ContentLength != 0 {
		deadline := time.Now().Add(bodyTimeout) //nolint:forbidigo // connections know only real time
		if err := http.NewResponseController(w).SetReadDeadline(deadline); err != nil && !errors.Is(err, http.ErrNotSupported) {
			return nil, errBody("could not be read").Because(err)
		}
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return nil, ErrBodyTooLarge
	}
	if err != nil {
		return nil, errBody("could not be read to its end").Because(err)
	}
	if len(body) == 0 && !needed {
		return []byte("{}"), nil
	}
	if mediaType, params, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil ||
		mediaType != "application/json" || !isUTF8(params["charset"]) || r.Header.Get("Content-Encoding") != "" {
		return nil, ErrNotJSON
	}
	return body, nil
}

func isUTF8(charset string) bool { return charset == "" || strings.EqualFold(charset, "utf-8") }

// DecodeJSON decodes one JSON object into the struct that in points to, as
// RFC 8259 and RFC 7493 (I-JSON) have it. Duplicate names, names that are
// spelled otherwise, invalid UTF-8, text behind the object and more than 32
// levels are Invalid. Nothing of the body is repeated in a fault.
func DecodeJSON(body []byte, in any, strict Strictness) error {
	if err := checkForm(body); err != nil {
		return err
	}
	err := json.Unmarshal(body, in, json.RejectUnknownMembers(strict == RefuseUnknown))
	if err != nil {
		return fieldError(err, reflect.TypeOf(in).Elem())
	}
	if strict == TolerateUnknown {
		return checkSpelling(body, in)
	}
	return nil
}

// checkForm reads the body once for what has nothing to do with its fields.
func checkForm(body []byte) error {
	dec := jsontext.NewDecoder(bytes.NewReader(body))
	if dec.PeekKind() != '{' {
		return errBody("has to be a JSON object")
	}
	for {
		_, err := dec.ReadToken()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case errors.Is(err, jsontext.ErrDuplicateName):
			return errBody("has a field twice in one object")
		case err != nil:
			return errBody("is not well-formed JSON in UTF-8").Because(err)
		case dec.StackDepth() > maxDepth:
			return errBody("has more than %d levels", maxDepth)
		case dec.StackDepth() == 0:
			if rest := bytes.TrimSpace(body[dec.InputOffset():]); len(rest) > 0 {
				return errBody("has something behind its JSON object")
			}
		}
	}
}

// checkSpelling refuses names that are a field's but for case, as "Address" and
// "addreſs" are. It decodes without regard to case; what differs then was
// spelled otherwise.
func checkSpelling(body []byte, in any) error {
	folded := reflect.New(reflect.TypeOf(in).Elem())
	err := json.Unmarshal(body, folded.Interface(), json.MatchCaseInsensitiveNames(true))
	if err != nil || !reflect.DeepEqual(folded.Interface(), in) {
		return errBody("has a field whose name differs from the right one only in case; names are %s", fieldNames(reflect.TypeOf(in).Elem()))
	}
	return nil
}

// fieldError says which field cannot be decoded and what it should be.
func fieldError(err error, t reflect.Type) error {
	semantic, ok := errors.AsType[*json.SemanticError](err)
	if !ok {
		return errBody("is not well-formed JSON").Because(err)
	}
	if errors.Is(err, json.ErrUnknownName) {
		return errBody("has a field that this route does not know; it knows %s", fieldNames(t)).Because(err)
	}
	name := strings.ReplaceAll(strings.TrimPrefix(string(semantic.JSONPointer), "/"), "/", ".")
	if root, _, _ := strings.Cut(name, "."); !slices.Contains(fieldNameList(t), root) {
		return errBody("does not have the form that this route takes").Because(err)
	}
	f := fault.InvalidField(name, "has to be %s", jsonTypeOf(semantic.GoType))
	return f.Because(err)
}

func jsonTypeOf(t reflect.Type) string {
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t {
	case nil:
		return "of another type"
	case reflect.TypeFor[time.Time]():
		return `a time like "2027-01-31T12:00:00Z"`
	}
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return "a whole number"
	case reflect.Slice:
		return "a list"
	case reflect.Struct, reflect.Map:
		return "an object"
	}
	return "of another type"
}

func fieldNames(t reflect.Type) string { return strings.Join(fieldNameList(t), ", ") }

// fieldNameList returns the names of a request type's fields in a body.
func fieldNameList(t reflect.Type) []string {
	var names []string
	for i := range t.NumField() {
		if name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ","); name != "-" && name != "" {
			names = append(names, name)
		}
	}
	return names
}
