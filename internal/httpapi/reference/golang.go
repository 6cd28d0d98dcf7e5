package reference

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"time"
	"unicode"
)

// goCode returns a call of the Go client, package client: the parameters of the path by position,
// then those of the query, if there are any, and the body as a struct of package v1.
func goCode(c call) string {
	if strings.HasPrefix(c.ID, "v1alpha") {
		return ""
	}
	arguments := []string{"ctx"}
	for _, p := range c.Path {
		text := plainJSON(p.Value)
		if p.Name == "id" && strings.Contains(c.operation.Path, "/proposals/{id}") {
			text = "client.ProposalID(" + text + ")"
		}
		arguments = append(arguments, text)
	}
	for _, q := range c.Query {
		arguments = append(arguments, plainJSON(q.Value))
	}
	switch {
	case c.File != "":
		arguments = append(arguments, "labels")
	case c.hasBody():
		in := reflect.New(c.Type)
		if err := json.Unmarshal([]byte(c.bodyText()), in.Interface()); err != nil {
			return ""
		}
		arguments = append(arguments, "v1."+c.Schema+strings.TrimPrefix(goValue(in.Elem(), ""), c.Type.String()))
	case c.OptionalQuery && len(c.Query) == 0:
		arguments = append(arguments, "nil")
	}
	line := "c." + strings.ToUpper(c.ID[:1]) + c.ID[1:] + "(" + strings.Join(arguments, ", ") + ")"
	switch {
	case c.Lists:
		return "for item, err := range " + line + " {\n\tif err != nil {\n\t\treturn err\n\t}\n\tfmt.Println(item)\n}"
	case c.Returns:
		return "result, err := " + line
	}
	return "err := " + line
}

// publicType returns the type of a body for clients. A handler takes it embedded in a type that also
// has parameters.
func publicType(t reflect.Type) reflect.Type {
	if unicode.IsUpper([]rune(t.Name())[0]) {
		return t
	}
	for _, f := range reflect.VisibleFields(t) {
		if f.Anonymous && f.IsExported() && strings.HasSuffix(f.Name, "Request") {
			return f.Type
		}
	}
	return t
}

// goValue returns a value as a Go expression. Structs are written without their zero fields.
func goValue(v reflect.Value, indent string) string {
	name := v.Type().String()
	switch v.Kind() {
	case reflect.Pointer:
		if v.Elem().Kind() == reflect.Struct {
			return "&" + goValue(v.Elem(), indent)
		}
		return "new(" + goTyped(v.Elem(), indent) + ")"
	case reflect.Struct:
		if at, ok := v.Interface().(time.Time); ok {
			return fmt.Sprintf("time.Date(%d, %d, %d, %d, %d, %d, 0, time.UTC)", at.Year(), at.Month(), at.Day(), at.Hour(), at.Minute(), at.Second())
		}
		return goBlock(name, goFields(v, indent+"\t"), indent)
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return name + "(`" + string(v.Bytes()) + "`)"
		}
		var entries []string
		for i := range v.Len() {
			entries = append(entries, goEntry(v.Index(i), indent+"\t"))
		}
		return goBlock(name, entries, indent)
	case reflect.Map:
		var entries []string
		values := asMap(v)
		for _, key := range sortedKeys(values) {
			entries = append(entries, plainJSON(key)+": "+goEntry(reflect.ValueOf(values[key]), indent+"\t"))
		}
		return goBlock(name, entries, indent)
	case reflect.Interface:
		return goValue(v.Elem(), indent)
	}
	return plainJSON(v.Interface())
}

// goTyped returns a value whose type cannot be omitted, such as int64(1).
func goTyped(v reflect.Value, indent string) string {
	text := goValue(v, indent)
	switch v.Type() {
	case reflect.TypeFor[int](), reflect.TypeFor[string](), reflect.TypeFor[bool]():
		return text
	}
	if v.Kind() == reflect.Slice {
		return text
	}
	return v.Type().String() + "(" + text + ")"
}

// goEntry returns an entry of a slice or map, in which the type of a struct is omitted.
func goEntry(v reflect.Value, indent string) string {
	text := goValue(v, indent)
	if v.Kind() == reflect.Struct {
		text = strings.TrimPrefix(text, v.Type().String())
	}
	return text
}

func goFields(v reflect.Value, indent string) []string {
	var names, values []string
	width := 0 // of the longest name, if gofmt aligns the values
	for i := range v.NumField() {
		if f := v.Type().Field(i); f.IsExported() && !v.Field(i).IsZero() {
			names, values = append(names, f.Name), append(values, goValue(v.Field(i), indent))
			width = max(width, len(f.Name))
		}
	}
	if strings.Contains(strings.Join(values, ""), "\n") || len(strings.Join(append(names, values...), "    ")) <= 50 {
		width = 0
	}
	for i, name := range names {
		names[i] = fmt.Sprintf("%-*s %s", width+1, name+":", values[i])
	}
	return names
}

// goBlock returns a composite literal.
func goBlock(name string, entries []string, indent string) string {
	return block(name+"{", entries, "}", indent, "\t")
}

// asMap returns a map with string keys.
func asMap(v reflect.Value) map[string]any {
	out := map[string]any{}
	for key, value := range v.Seq2() {
		out[key.String()] = value.Interface()
	}
	return out
}
