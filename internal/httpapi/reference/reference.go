// Package reference generates the API reference, a set of web pages, from the OpenAPI document,
// the table of error codes and the chapters in its templates. It knows no routes and no services.
//
// The pages work without scripts, and load nothing from other hosts. With scripts, they can be
// searched, and can send requests with a token that the reader enters; the token is only in the
// memory of the page.
package reference

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"html/template"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/specterd/specterd/internal/fault"
)

// Paths of the reference.
const (
	HomePath  = "/api/"
	StylePath = "/api/style.css"
	// Prefix begins the paths of all other pages and of the scripts.
	Prefix = "/api/reference/"
)

// Policy is the content security policy of the pages.
const Policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"frame-ancestors 'none'; base-uri 'none'; form-action 'none'"

// Options are the sources of the reference.
type Options struct {
	Document []byte // the OpenAPI document
	// Type returns the Go type of a schema, or nil.
	Type func(schema string) reflect.Type
	// Status returns the HTTP status of a kind of fault.
	Status func(fault.Kind) int
}

//go:embed templates
var templateFiles embed.FS

// builder collects the content of the pages.
type builder struct {
	*document

	typeFor func(schema string) reflect.Type
	// home has the path of the page that shows each schema.
	home map[string]string
}

// site is the data of all pages.
type site struct {
	Version    string
	Chapters   []chapter
	Nouns      []noun
	Scopes     []scope
	Statuses   []status
	CodeGroups []codeGroup
	Shared     []object // schemas of several nouns
}

// noun is a page with the operations and schemas of a tag.
type noun struct {
	Name, Title, Description string
	Operations               []shownOperation
	Objects                  []object
}

// Path returns the path of the page.
func (n noun) Path() string { return Prefix + n.Name }

// shownOperation is an operation on a page.
type shownOperation struct {
	ID, Method, Path, Title, Summary string
	Noun                             string
	Description, Scope, Role         string
	Tries                            bool // whether the reader can send the request with a token
	Parameters, Body                 []field
	BodyText                         string // description of a body that is not only JSON
	RequestJSON                      string
	Samples                          []sample
	Response                         answer
	Others                           []answer // other statuses below 400
	Errors                           []answer
}

// Slug returns the id of the operation's HTML element.
func (o shownOperation) Slug() string { return "op-" + o.ID }

// ScopeLink returns the path of the scope with its fragment.
func (o shownOperation) ScopeLink() string { return scopesPath + "#" + scopeSlug(o.Scope) }

// Says returns the summary if it tells more than the title, or "".
func (o shownOperation) Says() string {
	words := slices.DeleteFunc(strings.Fields(strings.ToLower(o.Summary)), func(w string) bool { return w == "a" || w == "an" || w == "the" })
	if strings.Join(words, " ") == strings.ToLower(o.Title) {
		return ""
	}
	return o.Summary
}

// Link returns the path of the operation with its fragment.
func (o shownOperation) Link() string { return Prefix + o.Noun + "#" + o.Slug() }

// sample is a call in a language.
type sample struct{ Key, Name, Code string }

// answer is a response of an operation.
type answer struct {
	Status             int
	Title, Description string
	Type               typeText
	Headers            []string
	Examples           []example
}

// example is a recorded body of a response.
type example struct {
	Type, Text string
	Lines      int
}

// IsLong reports whether the example is shown only on request.
func (e example) IsLong() bool { return e.Lines > 50 }

// object is a schema on a page.
type object struct {
	Name, Description string
	Type              *typeText // of a schema without fields
	Fields            []field
}

// New generates the reference.
func New(o Options) (*Site, error) {
	d, err := parse(o.Document)
	if err != nil {
		return nil, err
	}
	b := &builder{document: d, typeFor: o.Type, home: map[string]string{}}
	all := d.operations()
	b.assignHomes(all)
	s := &site{Version: d.Info.Version, Chapters: chapters}
	for _, t := range d.Tags {
		n := noun{Name: t.Name, Title: nounTitle(t.Name), Description: t.Description}
		for _, op := range all {
			if op.Tags[0] == t.Name {
				n.Operations = append(n.Operations, b.operation(op))
			}
		}
		n.Objects = b.objects(n.Path())
		s.Nouns = append(s.Nouns, n)
	}
	s.Shared = b.objects(objectsPath)
	s.Scopes = scopesOf(s.Nouns)
	s.Statuses, s.CodeGroups = b.errors(o.Status)
	return s.render()
}

func nounTitle(name string) string {
	switch name {
	case "utxos":
		return "UTXOs"
	case "v1alpha":
		return "v1alpha (Specter Desktop)"
	case "audit":
		return "Audit log"
	}
	return strings.ToUpper(name[:1]) + name[1:]
}

// Paths of pages to which other pages link.
const (
	objectsPath = Prefix + "objects"
	scopesPath  = Prefix + "scopes"
)

// assignHomes chooses the page of each schema: the noun whose operations use it, or the page of
// shared objects if several do. Schemas of requests are shown with their operations.
func (b *builder) assignHomes(all []operation) {
	nouns := map[string]map[string]bool{}
	for _, op := range all {
		var seen []string
		for status, r := range op.Responses {
			if r.Ref == "" && status < "400" {
				for _, m := range r.Content {
					seen = b.collect(m.Schema, seen)
				}
			}
		}
		if op.RequestBody != nil {
			body := schemaOf(op.RequestBody.Content[jsonType].Schema)
			seen = b.collect(b.Components.Schemas[body], seen)
		}
		for _, name := range seen {
			if nouns[name] == nil {
				nouns[name] = map[string]bool{}
			}
			nouns[name][op.Tags[0]] = true
		}
	}
	for name, of := range nouns {
		b.home[name] = objectsPath
		if len(of) == 1 {
			b.home[name] = Prefix + slices.Collect(maps.Keys(of))[0]
		}
	}
	for _, r := range b.Components.Responses {
		for _, m := range r.Content {
			for _, name := range b.collect(m.Schema, nil) {
				b.home[name] = objectsPath
			}
		}
	}
}

// collect adds the names of a schema and of all schemas that it contains to seen.
func (b *builder) collect(schema any, seen []string) []string {
	switch schema := schema.(type) {
	case map[string]any:
		if name := schemaOf(schema); name != "" {
			if slices.Contains(seen, name) {
				return seen
			}
			return b.collect(b.Components.Schemas[name], append(seen, name))
		}
		for _, key := range sortedKeys(schema) {
			if key != "examples" && key != "enum" {
				seen = b.collect(schema[key], seen)
			}
		}
	case []any:
		for _, one := range schema {
			seen = b.collect(one, seen)
		}
	}
	return seen
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// objects returns the schemas that the page with the path shows.
func (b *builder) objects(path string) []object {
	var objects []object
	for _, name := range sortedKeys(b.home) {
		if b.home[name] != path {
			continue
		}
		schema := b.Components.Schemas[name]
		o := object{Name: name}
		o.Description, _ = schema["description"].(string)
		if schema["properties"] != nil {
			o.Fields = b.fields(name, false)
		} else {
			t := b.typeOf(schema)
			o.Type = &t
		}
		objects = append(objects, o)
	}
	return objects
}

func (b *builder) operation(op operation) shownOperation {
	out := shownOperation{
		ID: op.ID, Method: op.Method, Path: op.Path, Title: op.title(), Summary: op.Summary, Noun: op.Tags[0],
		Description: op.Description, Scope: op.Scope, Role: op.Role, Tries: op.takes("bearer"),
	}
	for _, p := range op.Parameters {
		out.Parameters = append(out.Parameters, b.parameter(p))
	}
	order := []string{"path", "query", "header"}
	slices.SortStableFunc(out.Parameters, func(x, y field) int { return slices.Index(order, x.In) - slices.Index(order, y.In) })
	file := ""
	if body := op.RequestBody; body != nil {
		if name := schemaOf(body.Content[jsonType].Schema); name != "" {
			out.Body = b.fields(name, true)
		} else {
			file = sortedKeys(body.Content)[0]
		}
		if len(body.Content) > 1 || file != "" {
			out.BodyText = body.Description + " Content-Type: " + strings.Join(sortedKeys(body.Content), ", ") + "."
		}
	}
	c := newCall(op, out.Parameters, out.Body, file)
	content := op.Responses[op.success()].Content
	properties, _ := b.Components.Schemas[schemaOf(content[jsonType].Schema)]["properties"].(map[string]any)
	c.Returns, c.Lists = len(content) > 0, properties["items"] != nil && (properties["next_cursor"] != nil || properties["next_after"] != nil)
	if c.hasBody() {
		c.Schema = schemaOf(op.RequestBody.Content[jsonType].Schema)
		c.Type = publicType(b.typeFor(c.Schema))
	}
	out.RequestJSON = c.bodyText()
	for _, l := range languages {
		if code := l.code(c); code != "" {
			out.Samples = append(out.Samples, sample{l.Key, l.Name, code})
		}
	}
	b.answers(&out, op)
	return out
}

// answers fills in the responses of an operation.
func (b *builder) answers(out *shownOperation, op operation) {
	success := op.success()
	for _, text := range sortedKeys(op.Responses) {
		r := op.Responses[text]
		code, _ := strconv.Atoi(text) // statuses are numbers
		a := answer{Status: code, Title: http.StatusText(code), Description: r.Description, Headers: sortedKeys(r.Headers)}
		switch {
		case text == success:
			a.Type = b.typeOfContent(r)
			a.Examples = examplesOf(r)
			out.Response = a
		case r.Ref == "":
			out.Others = append(out.Others, a)
		default:
			out.Errors = append(out.Errors, a)
		}
	}
}

// typeOfContent returns the type of a response's body: of the JSON body, followed by the other
// media types.
func (b *builder) typeOfContent(r response) typeText {
	t := typeText{}
	if content, ok := r.Content[jsonType]; ok {
		t = b.typeOf(content.Schema)
	}
	for _, mediaType := range sortedKeys(r.Content) {
		if mediaType == jsonType || mediaType == "application/x-ndjson" {
			continue
		}
		if !t.IsEmpty() {
			t.After += ", or "
		}
		t.After += mediaType
	}
	return t
}

// examplesOf returns the recorded examples of a response, beginning with the JSON body.
func examplesOf(r response) []example {
	var examples []example
	for _, mediaType := range sortedKeys(r.Content) {
		raw := r.Content[mediaType].Example
		if raw == nil || mediaType == "application/x-ndjson" {
			continue
		}
		var b bytes.Buffer
		var text string
		if json.Unmarshal(raw, &text) != nil { // a JSON value that is not a text
			_ = json.Indent(&b, raw, "", "  ") // the document was valid
			text = b.String()
		}
		text = strings.TrimRight(text, "\n")
		examples = append(examples, example{mediaType, text, strings.Count(text, "\n") + 1})
	}
	return examples
}

// execute renders one page.
func execute(t *template.Template, data any) ([]byte, error) {
	var b bytes.Buffer
	if err := t.ExecuteTemplate(&b, "layout", data); err != nil {
		return nil, fmt.Errorf("render the API reference: %w", err)
	}
	return b.Bytes(), nil
}

// Remarks returns the description without what the scope and the role tell.
func (o shownOperation) Remarks() string {
	text := strings.Replace(o.Description, "Requires a token with the scope "+o.Scope+".", "", 1)
	text = strings.Replace(text, "Requires at least the role "+o.Role+" in the wallet.", "", 1)
	if o.Role == "admin" {
		text = strings.Replace(text, "Requires an admin.", "", 1)
	}
	return strings.TrimSpace(strings.ReplaceAll(text, "  ", " "))
}
