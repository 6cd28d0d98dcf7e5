package route

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	api "github.com/specterd/specterd/api/v1"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
)

const (
	bodyTimeout = 10 * time.Second // for the first DefaultMaxBody bytes
	bodyRate    = 512 << 10        // minimum bytes per second for the rest of a larger body
	maxDepth    = 32               // nested objects and arrays in a body
	maxTokens   = 50_000           // names, values, and the ends of objects and arrays; 3,000 recipients and UTXOs have 30,000
)

// DefaultMaxBody is the maximum size of a body, in bytes, if its request type is not Limited.
const DefaultMaxBody = 1 << 20

// Limited is implemented by request types whose maximum body size differs from
// DefaultMaxBody. MaxBody returns it in bytes.
type Limited interface{ MaxBody() int64 }

// Strictness specifies how an API version treats unknown fields and query parameters.
type Strictness uint8

const (
	// RefuseUnknown rejects them. It is the strictness of v1.
	RefuseUnknown Strictness = iota
	// TolerateUnknown ignores them, but rejects a name that differs from a known field only
	// in case. It is the strictness of v1alpha.
	TolerateUnknown
)

// ErrBodyTooLarge is the error for a body that exceeds the route's limit.
var ErrBodyTooLarge = fault.New(fault.TooLarge, "body_too_large", "the body is too large")

func errMediaType(format string, args ...any) *fault.Error {
	return fault.New(fault.UnsupportedMedia, "unsupported_media_type", "the body "+format, args...)
}

func errBody(format string, args ...any) *fault.Error {
	return fault.New(fault.Invalid, "invalid_json", "the body "+format, args...)
}

func errForm(format string, args ...any) *fault.Error {
	return fault.New(fault.Invalid, "invalid_form", "the body "+format, args...)
}

// readBody returns a JSON body. needed reports whether a field of the body is required. If
// it is false, readBody returns an empty object for an empty body and for null, which many
// clients send instead of an empty body.
func readBody(w http.ResponseWriter, r *http.Request, needed bool) ([]byte, error) {
	body, err := readAll(w, r)
	switch {
	case err != nil:
		return nil, err
	case !needed && (len(body) == 0 || string(bytes.TrimSpace(body)) == "null"):
		return []byte("{}"), nil
	case !isOf(r, "application/json"):
		return nil, errMediaType("must be JSON; send it with the header Content-Type: application/json")
	}
	return body, nil
}

// byteOrderMark is U+FEFF, which some editors write at the beginning of UTF-8 text.
var byteOrderMark = []byte("\ufeff")

// read returns the body, which must have one of the media types, without a byte order
// mark. If forms are accepted, it returns the content of the form.
func (t *Text) read(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	body, err := readAll(w, r)
	if err == nil && !isOf(r, t.types()...) {
		err = errMediaType("must have one of the media types %s, declared in the header Content-Type", strings.Join(t.types(), ", "))
	}
	if err == nil {
		body, err = contentOf(r, body, t.FormField)
	}
	return bytes.TrimPrefix(body, byteOrderMark), err
}

// BufferBody reads the body of a request and returns it. The body can be read again
// afterwards.
func BufferBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	body, err := readAll(w, r)
	r.Body = &buffered{Reader: bytes.NewReader(body), body: body}
	return body, err
}

// buffered is a request body that BufferBody has read into memory. readAll returns all of
// it, however often it is called.
type buffered struct {
	*bytes.Reader
	body []byte
}

// Close implements io.Closer.
func (*buffered) Close() error { return nil }

// LimitBody limits the body to most bytes. It returns ErrBodyTooLarge, without reading the
// body, if Content-Length is larger; otherwise a read beyond the limit fails. w should be
// the ResponseWriter of net/http, which delays closing the connection, so that the client
// can read the response.
func LimitBody(w http.ResponseWriter, r *http.Request, most int64) error {
	if r.ContentLength > most {
		return tooLarge(w, most)
	}
	if r.ContentLength != 0 {
		r.Body = http.MaxBytesReader(w, r.Body, most)
	}
	return nil
}

// tooLarge returns ErrBodyTooLarge with the limit in its message, and makes the server
// close the connection, because the rest of the body is not read.
func tooLarge(w http.ResponseWriter, most int64) error {
	w.Header().Set("Connection", "close")
	return ErrBodyTooLarge.WithMessage("the body must not be larger than %d bytes", most)
}

// readAll reads a body, which LimitBody must have limited. It sets a read deadline that
// depends on Content-Length, and returns a fault if the body is too large or incomplete.
func readAll(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if b, ok := r.Body.(*buffered); ok {
		return b.body, nil
	}
	if r.ContentLength != 0 {
		beyond := max(r.ContentLength-DefaultMaxBody, 0)
		timeout := bodyTimeout + time.Duration(beyond)*time.Second/bodyRate
		if err := limit(http.NewResponseController(w).SetReadDeadline, timeout); err != nil {
			return nil, errBody("could not be read").WithCause(err)
		}
	}
	var room bytes.Buffer // is allocated only once if the length is known
	room.Grow(int(max(r.ContentLength, 0)) + bytes.MinRead)
	_, err := room.ReadFrom(r.Body)
	body := room.Bytes()
	if exceeded, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, tooLarge(w, exceeded.Limit)
	}
	if err != nil {
		return nil, errBody("was not received completely").WithCause(err)
	}
	return body, nil
}

// isOf reports whether the headers declare the body as one of these media types, in
// UTF-8 and without a content encoding.
func isOf(r *http.Request, types ...string) bool {
	mediaType, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return err == nil && slices.Contains(types, mediaType) && isUTF8(params["charset"]) && r.Header.Get("Content-Encoding") == ""
}

func isUTF8(charset string) bool { return charset == "" || strings.EqualFold(charset, "utf-8") }

// DecodeJSON decodes one JSON object into the struct that in points to, according
// to RFC 8259 and RFC 7493 (I-JSON). It returns a fault of kind Invalid for values of the
// wrong type, unknown names (see Strictness), names in different case, duplicate names,
// invalid UTF-8, text after the object, more than 32 levels, and more than 50,000 tokens.
// Errors never repeat values of the body.
func DecodeJSON(body []byte, in any, strict Strictness) error {
	if err := checkForm(body, reflect.TypeOf(in).Elem()); err != nil {
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

// checkForm checks that the body is one well-formed JSON object without duplicate names,
// and within the limits of depth and tokens. It uses t, the type of the request, only to
// name fields in errors.
func checkForm(body []byte, t reflect.Type) error {
	dec := jsontext.NewDecoder(bytes.NewReader(body))
	if dec.PeekKind() != '{' {
		return errBody("must be a JSON object")
	}
	for tokens := 1; ; tokens++ {
		_, err := dec.ReadToken()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case errors.Is(err, jsontext.ErrDuplicateName):
			return errBody("has a field twice in one object")
		case err != nil:
			return formError(err, t)
		case dec.StackDepth() > maxDepth:
			return errBody("has more than %d levels", maxDepth)
		case tokens > maxTokens:
			return errBody("must not have more than %d names and values", maxTokens)
		case dec.StackDepth() == 0:
			if rest := bytes.TrimSpace(body[dec.InputOffset():]); len(rest) > 0 {
				return errBody("has data after its JSON object")
			}
		}
	}
}

// checkSpelling rejects names that differ only in case from the name of a field, such as
// "Address" and "addreſs". It decodes the body again, ignoring case, and compares the
// result with in, which was decoded exactly.
func checkSpelling(body []byte, in any) error {
	folded := reflect.New(reflect.TypeOf(in).Elem())
	err := json.Unmarshal(body, folded.Interface(), json.MatchCaseInsensitiveNames(true))
	if err != nil || !reflect.DeepEqual(folded.Interface(), in) {
		return errBody("has a field whose name differs from a known one only in case; names are %s", fieldNames(reflect.TypeOf(in).Elem()))
	}
	return nil
}

// fieldError converts an error of json.Unmarshal to a fault that names the invalid field
// and the expected type.
func fieldError(err error, t reflect.Type) error {
	semantic, ok := errors.AsType[*json.SemanticError](err)
	if !ok {
		return errBody("is not well-formed JSON").WithCause(err)
	}
	if errors.Is(err, json.ErrUnknownName) {
		return unknownField(semantic.JSONPointer, t).WithCause(err)
	}
	name, known := fieldAt(t, semantic.JSONPointer)
	if !known {
		return errBody("is not valid for this route").WithCause(err)
	}
	if f, ok := errors.AsType[*fault.Error](semantic.Err); ok { // from the unmarshaler of the field's type
		return fault.InvalidField(name, "%s", f.Message).WithCause(err)
	}
	return fault.InvalidField(name, "must be %s", jsonTypeOf(semantic.GoType)).WithCause(err)
}

// formError converts a syntax error to a fault. It names the field only if t has that
// field, so that it never repeats names that the client chose.
func formError(err error, t reflect.Type) error {
	if syntactic, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		if name, known := fieldAt(t, syntactic.JSONPointer); known && name != "" {
			return fault.InvalidField(name, "is not well-formed JSON in UTF-8").WithCause(err)
		}
	}
	return errBody("is not well-formed JSON in UTF-8").WithCause(err)
}

// unknownField returns an error that lists the known fields of the object that contains
// an unknown field, and names the unknown field with its path if isFieldName allows it.
func unknownField(pointer jsontext.Pointer, t reflect.Type) *fault.Error {
	at, in := fieldTypeAt(t, pointer.Parent())
	name := pointer.LastToken()
	if in == nil || !isFieldName(name) {
		return errBody("has an unknown field; expected one of %s", fieldNames(cmp.Or(in, t)))
	}
	if at != "" {
		name = at + "." + name
	}
	return fault.InvalidAs("invalid_json", name, "unknown field; expected one of %s", fieldNames(in))
}

// maxFieldName is the maximum length of an unknown field or parameter name that an error
// message repeats.
const maxFieldName = 40

// isFieldName reports whether an error may repeat an unknown name of a field or parameter:
// one that has the format of names in the API (lower-case letters and underscores) and is
// not longer than maxFieldName. Anything else could be a secret in the wrong place.
func isFieldName(name string) bool {
	return name != "" && len(name) <= maxFieldName && strings.Trim(name, fieldNameLetters) == ""
}

const fieldNameLetters = "abcdefghijklmnopqrstuvwxyz_"

// fieldTypeAt returns the name and the type of the field that a pointer into a body of
// type t refers to. The type is nil if it is not a struct or if there is no such field.
func fieldTypeAt(t reflect.Type, pointer jsontext.Pointer) (name string, in reflect.Type) {
	name, known := fieldAt(t, pointer)
	if !known {
		return "", nil
	}
	for token := range pointer.Tokens() {
		t = element(t)
		switch t.Kind() {
		case reflect.Slice:
			t = t.Elem()
		case reflect.Struct:
			field, _ := fieldNamed(t, token)
			t = field.Type
		default:
			return name, nil
		}
	}
	if t = element(t); t.Kind() != reflect.Struct {
		return name, nil
	}
	return name, t
}

func element(t reflect.Type) reflect.Type {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t
}

// fieldAt returns the name of the field that a pointer into a body of type t refers to,
// such as recipients[0].address, and whether all names in it are fields of t.
func fieldAt(t reflect.Type, pointer jsontext.Pointer) (name string, known bool) {
	for token := range pointer.Tokens() {
		for t != nil && t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		_, err := strconv.ParseUint(token, 10, 31)
		switch {
		case t == nil:
			return "", false
		case t.Kind() == reflect.Slice && err == nil:
			name += "[" + token + "]"
			t = t.Elem()
		case t.Kind() == reflect.Struct:
			field, ok := fieldNamed(t, token)
			if !ok {
				return "", false
			}
			if name != "" {
				name += "."
			}
			name += token
			t = field.Type
		default: // a type that decodes its content itself; pointers cannot be followed further
			return name, true
		}
	}
	return name, true
}

func fieldNamed(t reflect.Type, name string) (reflect.StructField, bool) {
	for _, field := range reflect.VisibleFields(t) {
		if tag, _, _ := strings.Cut(field.Tag.Get("json"), ","); tag == name && tag != "-" && tag != "" {
			return field, true
		}
	}
	return reflect.StructField{}, false
}

// FeeRateText describes the fee rates that are accepted.
var FeeRateText = fmt.Sprintf("a number of sat/vB above 0 and up to %s, with at most three decimals", btc.MaxFeeRate)

func jsonTypeOf(t reflect.Type) string {
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t {
	case nil:
		return "of another type"
	case reflect.TypeFor[time.Time]():
		return `a time such as "2027-01-31T12:00:00Z"`
	case reflect.TypeFor[api.FeeRate](), reflect.TypeFor[api.Change[api.FeeRate]]():
		return FeeRateText
	case reflect.TypeFor[api.Change[[]string]]():
		return "a list or null"
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

// fieldNameList returns the names of a request type's body fields.
func fieldNameList(t reflect.Type) []string {
	var names []string
	for _, field := range reflect.VisibleFields(t) {
		if name, _, _ := strings.Cut(field.Tag.Get("json"), ","); name != "-" && name != "" {
			names = append(names, name)
		}
	}
	return names
}
