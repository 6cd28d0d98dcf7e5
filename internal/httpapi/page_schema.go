package httpapi

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/swaggest/openapi-go/openapi31"
)

// pageField is a parameter, or a member of an object.
type pageField struct {
	Name, Description string
	In                string // location of a parameter: path, query or header
	Note              string // such as "required"
	Type              typeText
	Limits            string // such as "1 to 128 characters"
	example           any
}

// typeText is the description of a type: Before, the name of a schema as a link, and After.
// Ref is the name of the schema, or empty if the type refers to none.
type typeText struct{ Before, Ref, After string }

func newPageField(name string, schema map[string]any) pageField {
	field := pageField{Name: name, Type: typeOf(schema), Limits: limitsOf(schema)}
	field.Description, _ = schema["description"].(string)
	if examples, _ := schema["examples"].([]any); len(examples) > 0 {
		field.example = examples[0]
	}
	return field
}

// fields returns the members of a schema, in the order of the fields of its Go type. Their
// notes are the argument required, for members that the schema requires, or optional.
func (s *schemas) fields(name, required, optional string) []pageField {
	schema := s.Spec.Components.Schemas[name]
	properties, _ := schema["properties"].(map[string]any)
	always, _ := schema["required"].([]any)
	fields := make([]pageField, 0, len(properties))
	for _, f := range reflect.VisibleFields(s.types[name]) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		property, ok := properties[name].(map[string]any)
		if !ok {
			continue
		}
		field := newPageField(name, property)
		if field.Note = optional; slices.Contains(always, any(name)) {
			field.Note = required
		}
		fields = append(fields, field)
	}
	return fields
}

// pageObjects returns all schemas except those in leftOut, sorted by name.
func (s *schemas) pageObjects(leftOut map[string]bool) []pageObject {
	var objects []pageObject
	for _, name := range slices.Sorted(maps.Keys(s.Spec.Components.Schemas)) {
		if leftOut[name] {
			continue
		}
		object := pageObject{Name: name}
		schema := s.Spec.Components.Schemas[name]
		if s.types[name].Kind() == reflect.Struct && schema["properties"] != nil {
			object.Fields = append(anyField(schema), s.fields(name, "", "can be missing")...)
		} else {
			t := typeOf(schema)
			object.Type = &t
		}
		objects = append(objects, object)
	}
	return objects
}

// anyField returns one field for the members of a schema that can have any name
// (additionalProperties), or nil if the schema allows none.
func anyField(schema map[string]any) []pageField {
	of, ok := schema["additionalProperties"].(map[string]any)
	if !ok {
		return nil
	}
	return []pageField{newPageField("(any other name)", of)}
}

// typeOfContent returns the type of a response's body. If the response has several media
// types, it is the type of the JSON body, followed by the names of the other media types.
func typeOfContent(r *openapi31.Response) typeText {
	content, isJSON := r.Content[jsonType]
	t := typeText{}
	if isJSON {
		t = typeOf(content.Schema)
	}
	for _, mediaType := range slices.Sorted(maps.Keys(r.Content)) {
		if mediaType == jsonType {
			continue
		}
		if t != (typeText{}) {
			t.After += ", or "
		}
		t.After += mediaType
	}
	return t
}

const jsonType = "application/json"

// typeOf describes the values that a schema allows.
func typeOf(schema map[string]any) typeText {
	if ref, ok := schema["$ref"].(string); ok {
		return typeText{Ref: ref[strings.LastIndexByte(ref, '/')+1:]}
	}
	if either, ok := schema["anyOf"].([]any); ok { // null, followed by the other type
		other, _ := either[len(either)-1].(map[string]any)
		t := typeOf(other)
		t.After += " or null"
		return t
	}
	if oneOf, ok := schema["oneOf"].([]any); ok {
		var names []string
		for _, one := range oneOf {
			one, _ := one.(map[string]any)
			names = append(names, typeOf(one).Before)
		}
		return typeText{Before: strings.Join(names, " or ")}
	}
	var t typeText
	name, nullable := simpleType(schema)
	switch name {
	case "":
		t.Before = "any JSON"
	case "array":
		items, _ := schema["items"].(map[string]any)
		t = typeOf(items)
		t.Before = "list of " + t.Before
	case "object":
		of, _ := schema["additionalProperties"].(map[string]any)
		t = typeOf(of)
		t.Before = "object of " + t.Before
	default:
		t.Before = name
	}
	if nullable {
		t.After += " or null"
	}
	return t
}

// simpleType returns a schema's type other than null, and whether it can also be null.
func simpleType(schema map[string]any) (name string, nullable bool) {
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
				values = append(values, valueText(v))
			}
		}
		limits = append(limits, "one of "+strings.Join(values, ", "))
	}
	if text := span(schema["minimum"], schema["maximum"]); text != "" {
		limits = append(limits, text)
	}
	if text := span(schema["minLength"], schema["maxLength"]); text != "" {
		limits = append(limits, text+" characters")
	}
	if value, ok := schema["default"]; ok {
		limits = append(limits, fmt.Sprintf("%v without it", value))
	}
	return strings.Join(limits, "; ")
}

// valueText returns a value as it is written in JSON.
func valueText(v any) string {
	if s, ok := v.(string); ok {
		return strconv.Quote(s)
	}
	return fmt.Sprint(v)
}

func span(low, high any) string {
	switch {
	case low != nil && high != nil:
		return fmt.Sprintf("%v to %v", low, high)
	case low != nil:
		return fmt.Sprintf("%v or more", low)
	case high != nil:
		return fmt.Sprintf("%v or less", high)
	}
	return ""
}
