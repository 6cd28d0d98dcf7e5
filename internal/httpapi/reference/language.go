package reference

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"sync"
)

// language is a language in which the pages show how to call an operation.
type language struct {
	Key, Name string
	// code returns the call, or "" if the client of the language leaves the operation out.
	code func(c call) string
}

// languages are the languages of the pages, in their order. A client in another language is one
// more line here.
var languages = []language{
	{"curl", "curl", curlCode},
	{"python", "Python", pythonCode},
	{"go", "Go", goCode},
	{"typescript", "TypeScript", typescriptCode},
}

// call is a call of an operation with the examples of its parameters.
type call struct {
	operation

	Path, Query []argument // of all parameters in the path, and of the required ones in the query
	Body        []argument // of a JSON body
	File        string     // media type of a body that is not JSON
	OneRequired bool       // whether exactly one field of the body is required

	OptionalQuery bool         // whether the query has parameters that are not required
	Lists         bool         // whether the response is a page of a list
	Returns       bool         // whether the response has a body
	Schema        string       // of a JSON body; "" without one
	Type          reflect.Type // of a JSON body; nil without one
}

// argument is a parameter or a field with its example; Value is a value of JSON.
type argument struct {
	Name     string
	Value    any
	Required bool
}

// alternatives are fields that replace another field with an example. Examples of requests leave
// them out.
var alternatives = []string{"recipients_csv"}

// ownExamples are values for fields whose types have no example, by operation id and field.
var ownExamples = map[string]map[string]any{
	"inspectWallet":  {"file": "wpkh([d34db33f/84h/0h/0h]xpub…/<0;1>/*)"},
	"createProposal": {"target_blocks": 6},
}

// newCall returns a call with the examples of the fields. Without an example, a parameter has its
// name in capitals as its value, and a field of the body is left out.
func newCall(op operation, parameters, body []field, file string) call {
	c := call{operation: op, File: file}
	required := 0
	for _, p := range parameters {
		value := p.example
		if value == nil {
			value = strings.ToUpper(p.Name)
		}
		switch {
		case p.In == "path":
			c.Path = append(c.Path, argument{p.Name, value, true})
		case p.In == "query" && p.Required:
			c.Query = append(c.Query, argument{p.Name, value, true})
		case p.In == "query":
			c.OptionalQuery = true
		}
	}
	for _, f := range body {
		if f.Required {
			required++
		}
		if own, ok := ownExamples[op.ID][f.Name]; ok {
			f.example = own
		}
		if f.example != nil && !slices.Contains(alternatives, f.Name) {
			c.Body = append(c.Body, argument{f.Name, f.example, f.Required})
		}
	}
	c.OneRequired = required == 1
	return c
}

// target returns the path with the examples of its parameters and of the required query.
func (c call) target() string {
	path := c.operation.Path
	for _, p := range c.Path {
		path = strings.ReplaceAll(path, "{"+p.Name+"}", url.PathEscape(fmt.Sprint(p.Value)))
	}
	for i, q := range c.Query {
		path += map[bool]string{true: "?", false: "&"}[i == 0] + q.Name + "=" + url.QueryEscape(fmt.Sprint(q.Value))
	}
	return path
}

// hasBody reports whether the request has a JSON body.
func (c call) hasBody() bool { return c.RequestBody != nil && c.File == "" }

// bodyText returns the JSON body, with one field per line.
func (c call) bodyText() string {
	if !c.hasBody() {
		return ""
	}
	if len(c.Body) == 0 {
		return "{}"
	}
	lines := make([]string, 0, len(c.Body))
	for _, f := range c.Body {
		lines = append(lines, "  "+plainJSON(f.Name)+": "+shownJSON(f.Value))
	}
	return "{\n" + strings.Join(lines, ",\n") + "\n}"
}

// shownJSON returns a field of a body as JSON, on several lines if it is long.
func shownJSON(v any) string {
	line := plainJSON(v)
	if len(line) <= 40 {
		return line
	}
	var b bytes.Buffer
	_ = json.Indent(&b, []byte(line), "  ", "  ") // plainJSON returns valid JSON
	return b.String()
}

// plainJSON returns a value as JSON without escapes for HTML, on one line.
func plainJSON(v any) string {
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return fmt.Sprint(v)
	}
	return strings.TrimSpace(b.String())
}

// curlCode returns a shell command, which reads the address of the server and the token from
// shell variables.
func curlCode(c call) string {
	method := ""
	if sendsBody := c.RequestBody != nil; c.Method != http.MethodGet && (c.Method != http.MethodPost || !sendsBody) {
		method = "-X " + c.Method + " "
	}
	lines := []string{"curl " + method + `"$URL` + c.target() + `"`}
	switch {
	case c.takes("bearer"):
		lines = append(lines, `-H "Authorization: Bearer $TOKEN"`)
	case c.takes("basic"):
		lines[0] = "curl -u admin " + method + `"$URL` + c.target() + `"`
	}
	switch {
	case c.File != "":
		lines = append(lines, "-H 'Content-Type: "+c.File+"'", "--data-binary @FILE")
	case c.hasBody():
		lines = append(lines, "-H 'Content-Type: application/json'", "-d "+quote(c.bodyText()))
	}
	return strings.Join(lines, " \\\n  ")
}

// quote returns text as one quoted word for a POSIX shell.
func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

// pythonFile is written by clients/python/generate.py.
//
//go:embed python.json
var pythonFile []byte

// pythonMethods returns the methods of the Python client by operation id.
var pythonMethods = sync.OnceValue(func() (names map[string]string) {
	if err := json.Unmarshal(pythonFile, &names); err != nil {
		panic("python.json: " + err.Error()) // embedded
	}
	return names
})

// pythonCode returns a call of the Python client: parameters of the path and the only required
// field of a body by position, all others by name.
func pythonCode(c call) string {
	name, ok := pythonMethods()[c.ID]
	if !ok {
		return ""
	}
	var arguments []string
	for _, p := range c.Path {
		arguments = append(arguments, pythonValue(p.Value, ""))
	}
	if c.File != "" {
		arguments = append(arguments, `open("FILE", "rb").read()`)
	}
	for _, q := range c.Query {
		arguments = append(arguments, q.Name+"="+pythonValue(q.Value, ""))
	}
	var named []string
	for _, f := range c.Body {
		if f.Required && c.OneRequired {
			arguments = append(arguments, pythonValue(f.Value, ""))
		} else {
			named = append(named, pythonName(f.Name)+"="+pythonValue(f.Value, "    "))
		}
	}
	return block("client."+name+"(", append(arguments, named...), ")", "", "    ")
}

func pythonName(name string) string {
	if name == "from" || name == "in" || name == "is" || name == "class" {
		return name + "_"
	}
	return name
}

// pythonValue returns a value of JSON as a literal of Python. Lists and objects have one entry per
// line if they are long.
func pythonValue(v any, indent string) string {
	var entries []string
	before, after := "[", "]"
	switch v := v.(type) {
	case nil:
		return "None"
	case bool:
		return map[bool]string{true: "True", false: "False"}[v]
	case []any:
		for _, one := range v {
			entries = append(entries, pythonValue(one, indent+"    "))
		}
	case map[string]any:
		before, after = "{", "}"
		for _, name := range sortedKeys(v) {
			entries = append(entries, plainJSON(name)+": "+pythonValue(v[name], indent+"    "))
		}
	default:
		return plainJSON(v)
	}
	return block(before, entries, after, indent, "    ")
}

// block returns entries between brackets: on one line or, if that is long, with one entry per line,
// which are indented by step more than indent.
func block(before string, entries []string, after, indent, step string) string {
	line := before + strings.Join(entries, ", ") + after
	if len(line) <= 60 && !strings.Contains(line, "\n") {
		return line
	}
	next := "\n" + indent + step
	return strings.TrimSpace(before) + next + strings.Join(entries, ","+next) + ",\n" + indent + strings.TrimSpace(after)
}
