package reference

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// field is a parameter of an operation, or a member of an object.
type field struct {
	Name, Description string
	In                string // location of a parameter: path, query or header
	Required          bool   // of a request
	Optional          bool   // a member of a response that can be missing
	Type              typeText
	Limits            string // such as "1 to 128 characters"
	example           any
}

// Example returns the example of a field as text, or "".
func (f field) Example() string {
	switch e := f.example.(type) {
	case nil:
		return ""
	case string:
		return e
	default:
		return plainJSON(e)
	}
}

// typeText describes a type: Before, the name of a schema as a link, and After. Ref is the name of
// the schema, or empty; Page is the path of the page that shows it.
type typeText struct{ Before, Ref, Page, After string }

// IsEmpty reports whether t describes nothing.
func (t typeText) IsEmpty() bool { return t.Before == "" && t.Ref == "" && t.After == "" }

func (b *builder) field(name string, schema map[string]any) field {
	f := field{Name: name, Type: b.typeOf(schema), Limits: limitsOf(schema)}
	f.Description, _ = schema["description"].(string)
	if examples, _ := schema["examples"].([]any); len(examples) > 0 {
		f.example = examples[0]
	}
	return f
}

func (b *builder) parameter(p parameter) field {
	f := b.field(p.Name, p.Schema)
	f.In, f.Required, f.Description = p.In, p.Required, p.Description
	return f
}

// fields returns the members of a schema of a request or of a response, in the order of the Go type
// that it was made from.
func (b *builder) fields(name string, isRequest bool) []field {
	schema := b.Components.Schemas[name]
	properties, _ := schema["properties"].(map[string]any)
	always, _ := schema["required"].([]any)
	var fields []field
	if of, ok := schema["additionalProperties"].(map[string]any); ok {
		fields = append(fields, b.field("(any other name)", of))
	}
	order := orderOf(b.typeFor(name))
	names := slices.SortedFunc(maps.Keys(properties), func(x, y string) int {
		if d := slices.Index(order, x) - slices.Index(order, y); d != 0 {
			return d
		}
		return strings.Compare(x, y)
	})
	for _, name := range names {
		property, _ := properties[name].(map[string]any)
		f := b.field(name, property)
		isRequired := slices.Contains(always, any(name))
		f.Required, f.Optional = isRequest && isRequired, !isRequest && !isRequired
		fields = append(fields, f)
	}
	return fields
}

// orderOf returns the names of the members of a Go type, in their order.
func orderOf(t reflect.Type) []string {
	if t == nil || t.Kind() != reflect.Struct {
		return nil
	}
	var names []string
	for _, f := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		names = append(names, name)
	}
	return names
}

// typeOf describes the values that a schema permits.
func (b *builder) typeOf(schema map[string]any) typeText {
	if name := schemaOf(schema); name != "" {
		return typeText{Ref: name, Page: b.home[name]}
	}
	if either, ok := schema["anyOf"].([]any); ok { // null, followed by the other type
		other, _ := either[len(either)-1].(map[string]any)
		t := b.typeOf(other)
		t.After += " or null"
		return t
	}
	if oneOf, ok := schema["oneOf"].([]any); ok {
		var names []string
		for _, one := range oneOf {
			one, _ := one.(map[string]any)
			names = append(names, b.typeOf(one).Before)
		}
		return typeText{Before: strings.Join(names, " or ")}
	}
	var t typeText
	name, nullable := SimpleType(schema)
	switch name {
	case "":
		t.Before = "any JSON"
	case "array":
		items, _ := schema["items"].(map[string]any)
		t = b.typeOf(items)
		t.Before = "list of " + t.Before
	case "object":
		t.Before = "object"
		if of, ok := schema["additionalProperties"].(map[string]any); ok {
			t = b.typeOf(of)
			t.Before = "object of " + t.Before
		}
	default:
		t.Before = name
	}
	if nullable {
		t.After += " or null"
	}
	return t
}

// SimpleType returns a schema's type other than null, and whether it can also be null.
func SimpleType(schema map[string]any) (name string, nullable bool) {
	switch t := schema["type"].(type) {
	case string:
		return t, false
	case []any:
		for _, one := range t {
			if one == "null" {
				nullable = true
			} else {
				name, _ = one.(string)
			}
		}
	}
	return name, nullable
}

// limitsOf describes the constraints of a schema other than its type.
func limitsOf(schema map[string]any) string {
	var limits []string
	switch schema["format"] {
	case "date-time":
		limits = append(limits, "RFC 3339")
	case "uuid":
		limits = append(limits, "UUID")
	}
	if enum, ok := schema["enum"].([]any); ok {
		var values []string
		for _, v := range enum {
			if v != nil { // the type says "or null"
				values = append(values, plainJSON(v))
			}
		}
		limits = append(limits, "one of "+strings.Join(values, ", "))
	}
	for _, kind := range []struct{ low, high, unit string }{
		{"minimum", "maximum", ""}, {"minLength", "maxLength", " characters"}, {"minItems", "maxItems", " entries"},
	} {
		if text := span(schema[kind.low], schema[kind.high]); text != "" {
			limits = append(limits, text+kind.unit)
		}
	}
	if value, ok := schema["default"]; ok {
		limits = append(limits, "default "+plainJSON(value))
	}
	return strings.Join(limits, "; ")
}

func span(low, high any) string {
	switch {
	case low != nil && high != nil:
		return fmt.Sprintf("%v to %v", low, high)
	case low != nil:
		return fmt.Sprintf("at least %v", low)
	case high != nil:
		return fmt.Sprintf("at most %v", high)
	}
	return ""
}
