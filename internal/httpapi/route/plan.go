package route

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-chi/chi/v5"

	"github.com/specterd/specterd/internal/fault"
)

// plan describes the sources of a request type's fields.
type plan struct {
	path, query, header []parameter
	hasBody             bool
	needsBody           bool // whether a field of the body is required
	text                *Text
	maxBody             int64
}

type parameter struct {
	name  string
	field []int  // index of the field, for reflect.Value.FieldByIndex
	value string // default value, from the tag default; empty if there is none
}

func planFor(t reflect.Type) plan {
	p := plan{maxBody: DefaultMaxBody}
	if l, ok := reflect.Zero(t).Interface().(Limited); ok {
		p.maxBody = l.MaxBody()
	}
	for _, field := range reflect.VisibleFields(t) {
		if field.Anonymous && field.Type.Kind() == reflect.Struct {
			continue // VisibleFields also returns the fields of the embedded struct
		}
		from := func(source string) string { return field.Tag.Get(source) }
		param := parameter{field: field.Index, value: from("default")}
		switch {
		case from("path") != "":
			param.name = from("path")
			p.path = append(p.path, param)
		case from("query") != "":
			param.name = from("query")
			p.query = append(p.query, param)
		case from("header") != "":
			param.name = from("header")
			p.header = append(p.header, param)
		case from("body") != "":
			p.text = &Text{Types: strings.Split(from("body"), ","), FormField: from("formfield"), Description: from("description"), field: field.Index}
			p.needsBody = true
		default:
			p.hasBody = true
			p.needsBody = p.needsBody || from("required") == "true"
		}
		if param.name != "" {
			checkParameter(t, field)
		}
	}
	if p.text != nil {
		p.text.OrJSON = p.hasBody
	}
	return p
}

// checkParameter panics if a field cannot be filled from text, or if the JSON body could
// also fill it.
func checkParameter(t reflect.Type, field reflect.StructField) {
	kind := field.Type.Kind()
	if kind == reflect.Pointer || kind == reflect.Slice && field.Tag.Get("query") != "" {
		kind = field.Type.Elem().Kind()
	}
	switch {
	case kind != reflect.String && kind != reflect.Int && kind != reflect.Bool:
		panic(fmt.Sprintf("%s.%s: a %s cannot be a parameter", t, field.Name, kind))
	case field.Tag.Get("json") != "-":
		panic(fmt.Sprintf("%s.%s: a parameter needs the tag json:\"-\"", t, field.Name))
	}
}

// receive decodes the request and authorizes it again with o.recheck, unless that is nil.
// It returns the context from o.recheck. If both steps fail, it returns the authorization
// error. If ctx has also ended, for example because the client disconnected, it returns the
// decoding error, because the authorization could not be completed.
func (p plan) receive(ctx context.Context, w http.ResponseWriter, r *http.Request, in any, o options) (context.Context, error) {
	err := p.decode(w, r, in, o.strict)
	if o.recheck != nil {
		checked, refusal := o.recheck(ctx)
		switch {
		case refusal == nil:
			ctx = checked
		case err == nil || ctx.Err() == nil:
			return ctx, refusal
		}
	}
	return ctx, err
}

// decode decodes the request into in, a pointer to the request type of the plan.
func (p plan) decode(w http.ResponseWriter, r *http.Request, in any, strict Strictness) error {
	switch {
	case p.text != nil && (!p.text.OrJSON || !isOf(r, jsonMedia)):
		body, err := p.text.read(w, r)
		if err != nil {
			return err
		}
		reflect.ValueOf(in).Elem().FieldByIndex(p.text.field).SetBytes(body)
	case p.hasBody:
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
	if err := p.fillHeader(r, in); err != nil {
		return err
	}
	return p.fillQuery(r, in, strict)
}

// fillHeader sets the fields that come from headers. It joins repeated headers into one
// comma-separated list (RFC 9110, section 5.3).
func (p plan) fillHeader(r *http.Request, in any) error {
	for _, param := range p.header {
		values := r.Header.Values(param.name)
		if len(values) == 0 {
			continue
		}
		if err := param.set(in, strings.Join(values, ", ")); err != nil {
			return err
		}
	}
	return nil
}

func (p plan) fillPath(r *http.Request, in any) error {
	for _, param := range p.path {
		text, err := PathParam(r, param.name)
		if err != nil {
			return err
		}
		if err := param.set(in, text); err != nil {
			return err
		}
	}
	return nil
}

// PathParam returns the unescaped value of a path parameter.
func PathParam(r *http.Request, name string) (string, error) {
	text := chi.URLParam(r, name)
	if r.URL.RawPath != "" { // in this case chi matched the escaped path
		var err error
		if text, err = url.PathUnescape(text); err != nil {
			return "", fault.InvalidField(name, "has an invalid percent-encoding")
		}
	}
	return text, nil
}

func (p plan) fillQuery(r *http.Request, in any, strict Strictness) error {
	if r.URL.RawQuery == "" && len(p.query) == 0 {
		return nil
	}
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return fault.New(fault.Invalid, "invalid_query", "the query of the URL has an invalid percent-encoding")
	}
	for _, param := range p.query {
		texts := values[param.name]
		delete(values, param.name)
		switch {
		case param.isList(in):
			if err := param.setList(in, texts); err != nil {
				return err
			}
			continue
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
		return p.unknownParameter(slices.Min(slices.Collect(maps.Keys(values))))
	}
	return nil
}

// unknownParameter returns the error for a query parameter that the route does not have.
func (p plan) unknownParameter(name string) *fault.Error {
	expected := "expected one of " + p.queryNames()
	if len(p.query) == 0 {
		expected = "this route has none"
	}
	if !isFieldName(name) {
		return fault.New(fault.Invalid, "unknown_parameter", "the URL has an unknown query parameter; %s", expected)
	}
	return fault.InvalidAs("unknown_parameter", name, "unknown query parameter; %s", expected)
}

func (p plan) pathNames() []string {
	names := make([]string, len(p.path))
	for i, param := range p.path {
		names[i] = param.name
	}
	return names
}

func (p plan) queryNames() string {
	names := make([]string, len(p.query))
	for i, param := range p.query {
		names[i] = param.name
	}
	return strings.Join(names, ", ")
}

// maxList is the maximum number of elements of a list in a query.
const maxList = 100

func (p parameter) isList(in any) bool {
	return reflect.ValueOf(in).Elem().FieldByIndex(p.field).Kind() == reflect.Slice
}

// setList sets a list field from the values of a repeatable parameter, each of which can
// contain several elements separated by commas. The handler validates the elements.
func (p parameter) setList(in any, texts []string) error {
	n := len(texts)
	for _, text := range texts {
		n += strings.Count(text, ",")
	}
	if n > maxList {
		return fault.InvalidField(p.name, "must not have more than %d elements", maxList)
	}
	var all []string
	for _, text := range texts {
		all = append(all, strings.Split(text, ",")...)
	}
	reflect.ValueOf(in).Elem().FieldByIndex(p.field).Set(reflect.ValueOf(all))
	return nil
}

func (p parameter) set(in any, text string) error {
	field := reflect.ValueOf(in).Elem().FieldByIndex(p.field)
	if field.Kind() == reflect.Pointer {
		field.Set(reflect.New(field.Type().Elem()))
		field = field.Elem()
	}
	switch field.Kind() {
	case reflect.Int:
		n, err := strconv.Atoi(text)
		if err != nil {
			return fault.InvalidField(p.name, "must be a whole number")
		}
		field.SetInt(int64(n))
	case reflect.Bool:
		b, err := strconv.ParseBool(text)
		if err != nil {
			return fault.InvalidField(p.name, "must be true or false")
		}
		field.SetBool(b)
	default:
		if strings.ContainsRune(text, 0) || !utf8.ValidString(text) {
			return fault.InvalidField(p.name, "must be UTF-8 text without NUL")
		}
		field.SetString(text)
	}
	return nil
}
