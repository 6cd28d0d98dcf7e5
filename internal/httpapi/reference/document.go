package reference

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"unicode"
)

// document is the part of an OpenAPI document that the pages show.
type document struct {
	Info struct {
		Version string `json:"version"`
	} `json:"info"`
	Tags       []tag                           `json:"tags"`
	Paths      map[string]map[string]operation `json:"paths"` // by path, and by method in lower case
	Components struct {
		Schemas   map[string]map[string]any `json:"schemas"`
		Responses map[string]response       `json:"responses"`
	} `json:"components"`
}

type tag struct {
	Name        string `json:"name"`
	Description string `json:"description"`
}

type operation struct {
	ID          string      `json:"operationId"`
	Tags        []string    `json:"tags"`
	Summary     string      `json:"summary"`
	Description string      `json:"description"`
	Parameters  []parameter `json:"parameters"`
	RequestBody *struct {
		Description string           `json:"description"`
		Content     map[string]media `json:"content"`
	} `json:"requestBody"`
	Responses map[string]response   `json:"responses"`
	Security  []map[string][]string `json:"security"`
	Scope     string                `json:"x-required-scope"`
	Role      string                `json:"x-required-role"`
	Path      string                `json:"-"`
	Method    string                `json:"-"` // in upper case
}

type parameter struct {
	Name        string         `json:"name"`
	In          string         `json:"in"`
	Description string         `json:"description"`
	Required    bool           `json:"required"`
	Schema      map[string]any `json:"schema"`
}

type response struct {
	Ref         string           `json:"$ref"`
	Description string           `json:"description"`
	Content     map[string]media `json:"content"`
	Headers     map[string]any   `json:"headers"`
}

type media struct {
	Schema  map[string]any  `json:"schema"`
	Example json.RawMessage `json:"example"`
}

const jsonType = "application/json"

func parse(text []byte) (*document, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber() // amounts in bitcoins keep their decimals
	var d document
	if err := decoder.Decode(&d); err != nil {
		return nil, fmt.Errorf("read the OpenAPI document: %w", err)
	}
	return &d, nil
}

// methods are the methods of operations in the order in which the pages show them.
var methods = []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}

// operations returns all operations, sorted by path and method.
func (d *document) operations() []operation {
	var all []operation
	for path, item := range d.Paths {
		for method, op := range item {
			op.Path, op.Method = path, strings.ToUpper(method)
			all = append(all, op)
		}
	}
	slices.SortFunc(all, func(a, b operation) int {
		return cmp.Or(strings.Compare(a.Path, b.Path), slices.Index(methods, a.Method)-slices.Index(methods, b.Method))
	})
	return all
}

// takes reports whether the operation accepts a kind of credentials: basic or bearer.
func (o operation) takes(kind string) bool {
	return slices.ContainsFunc(o.Security, func(s map[string][]string) bool { _, ok := s[kind]; return ok })
}

// success returns the lowest status below 300 with a body or, if none has one, the lowest.
func (o operation) success() string {
	found := ""
	for _, status := range sortedKeys(o.Responses) {
		if status < "300" && (found == "" || len(o.Responses[found].Content) == 0 && len(o.Responses[status].Content) > 0) {
			found = status
		}
	}
	if o.Method == http.MethodPost && len(o.Responses["201"].Content) > 0 {
		return "201" // 200 is the response to a dry run
	}
	return found
}

// schemaOf returns the name of the schema that a schema refers to, or "".
func schemaOf(schema map[string]any) string {
	ref, _ := schema["$ref"].(string)
	return ref[strings.LastIndexByte(ref, '/')+1:]
}

// titles are the titles of operations that do not follow from their ids.
var titles = map[string]string{
	"liveness": "Check liveness", "readiness": "Check readiness", "getSelf": "Get own user", "changeSelf": "Change own password",
	"redeliver": "Redeliver event", "recoverWebhook": "Recover deliveries", "testWebhook": "Send test message",
	"addSignatures": "Add signatures", "v1alphaGetSpecter": "Get settings and node",
}

// title returns the short title of an operation: the verb and the noun of its id.
func (o operation) title() string {
	if text, ok := titles[o.ID]; ok {
		return text
	}
	words := splitWords(strings.TrimPrefix(o.ID, "v1alpha"))
	switch words[0] {
	case "put":
		words[0] = "set"
	case "stop":
		words[0] = "abort"
	}
	text := strings.Join(words, " ")
	return strings.ToUpper(text[:1]) + text[1:]
}

// splitWords splits an id such as getProposalQR into its words, in lower case except for
// abbreviations.
func splitWords(id string) []string {
	var words []string
	start := 0
	runes := []rune(id)
	for i := 1; i <= len(runes); i++ {
		if i < len(runes) && (!unicode.IsUpper(runes[i]) || !unicode.IsLower(runes[i-1])) {
			continue
		}
		word := string(runes[start:i])
		if i-start < 2 || unicode.IsLower(runes[start+1]) { // not UTXOs
			word = strings.ToLower(word)
		}
		words = append(words, word)
		start = i
	}
	return words
}
