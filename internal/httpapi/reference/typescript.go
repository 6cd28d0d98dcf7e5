package reference

import "strings"

// typescriptCode returns a call of the TypeScript client: a method with the operation id, whose
// argument is an object with the parameters and the body.
func typescriptCode(c call) string {
	if strings.HasPrefix(c.ID, "v1alpha") {
		return ""
	}
	var members []string
	for _, p := range append(c.Path, c.Query...) {
		members = append(members, p.Name+": "+plainJSON(p.Value))
	}
	switch {
	case c.File != "":
		members = append(members, "body: labels")
	case c.hasBody():
		members = append(members, "body: "+typescriptBody(c.Body))
	}
	method := "await client." + c.ID
	if c.Returns {
		method = "const result = " + method
	}
	if len(members) == 0 {
		return method + "();"
	}
	return block(method+"({ ", members, " });", "", "  ")
}

// typescriptBody returns a body as an object literal, with one field per line if it is long.
func typescriptBody(fields []argument) string {
	if len(fields) == 0 {
		return "{}"
	}
	var members []string
	for _, f := range fields {
		members = append(members, f.Name+": "+typescriptValue(f.Value, "    "))
	}
	if line := "{ " + strings.Join(members, ", ") + " }"; len(line) <= 50 && !strings.Contains(line, "\n") {
		return line
	}
	return "{\n    " + strings.Join(members, ",\n    ") + ",\n  }"
}

// typescriptValue returns a value of JSON as a literal.
func typescriptValue(v any, indent string) string {
	var entries []string
	before, after := "[", "]"
	switch v := v.(type) {
	case []any:
		for _, one := range v {
			entries = append(entries, typescriptValue(one, indent+"  "))
		}
	case map[string]any:
		before, after = "{ ", " }"
		for _, name := range sortedKeys(v) {
			entries = append(entries, name+": "+typescriptValue(v[name], indent+"  "))
		}
	default:
		return plainJSON(v)
	}
	return block(before, entries, after, indent, "  ")
}
