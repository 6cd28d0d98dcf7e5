package httpapi_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"mime"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/specterd/specterd/internal/httpapi"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

const (
	examplesFile = "examples.json"
	howToRecord  = "record it with: go test ./internal/httpapi -run 'TestMatrix|TestProposals' -examples (without -run if that is not enough); then regenerate docs/openapi.json"
)

var updateExamples = flag.Bool("examples", false, "add missing and replace invalid examples in "+examplesFile+" from the responses of the tests")

// recorded has the best example so far for each response and media type.
var recorded = struct {
	sync.Mutex
	bodies map[string]map[string]any
}{bodies: map[string]map[string]any{}}

func TestMain(m *testing.M) {
	flag.Parse()
	code := m.Run()
	if *updateExamples {
		if err := writeExamples(theSpecification()); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// record keeps a response as an example if isMoreComplete prefers it to the previous one. It
// does nothing without the flag -examples.
func record(s *specification, method, path string, status int, contentType string, body []byte) {
	response, key := s.response(method, path, status)
	if !*updateExamples || response == nil || len(body) == 0 {
		return
	}
	mediaType, _, _ := mime.ParseMediaType(contentType)
	example, err := exampleOf(mediaType, body)
	if err != nil {
		return
	}
	recorded.Lock()
	defer recorded.Unlock()
	if recorded.bodies[key] == nil {
		recorded.bodies[key] = map[string]any{}
	}
	if before, ok := recorded.bodies[key][mediaType]; !ok || isMoreComplete(example, before) {
		recorded.bodies[key][mediaType] = example
	}
}

// exampleOf returns the example for a body: the value of a JSON body, the first value of JSON
// Lines, the first lines of CSV, or the first event of a stream.
func exampleOf(mediaType string, body []byte) (any, error) {
	const lines = 3
	switch mediaType {
	case "text/csv":
		text := slices.Collect(strings.Lines(string(body)))
		return strings.Join(text[:min(lines, len(text))], ""), nil
	case "text/plain":
		return string(body), nil
	case "text/event-stream":
		text := slices.DeleteFunc(slices.Collect(strings.Lines(string(body))), func(line string) bool { return line == "\n" || line[0] == ':' })
		if len(text) < lines {
			return nil, errors.New("no event")
		}
		return strings.Join(text[:lines], "") + "\n", nil
	case "application/jsonl", "application/x-ndjson":
		body, _, _ = bytes.Cut(body, []byte("\n"))
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	var value any
	err := decoder.Decode(&value)
	return shorten("", value), err
}

// constant has the replacements of values that are secret or differ in every run, by the name
// of their field.
var constant = map[string]string{
	"token": "eyJhbGciOiJIUzI1NiJ9…", "jwt_token": "eyJhbGciOiJIUzI1NiJ9…", "request_id": "1beadfe575423f51", "next_cursor": "MTc5NjExOTIwMDI1MDAwMA",
}

var (
	numbered = regexp.MustCompile(`^([a-z_ ]+)[-_][0-9]+$`)        // a name made by unique
	encoded  = regexp.MustCompile(`^([0-9a-f]+|[0-9A-Za-z+/=]+)$`) // hexadecimal or base64
)

// shorten truncates the lists, tables and long encoded texts of a value, and replaces texts
// that are secret or differ in every run. name is the name of the field with the value, or ""
// if the value is not in a field.
func shorten(name string, value any) any {
	const (
		items, longText, cutText = 2, 300, 96 // 96 is a whole number of bytes in both encodings
	)
	switch value := value.(type) {
	case []any:
		for i := range value {
			value[i] = shorten("", value[i])
		}
		if len(value) > items {
			if _, ok := value[0].(object); ok {
				return value[:items]
			}
		}
	case object:
		for i, member := range slices.Sorted(maps.Keys(value)) {
			if isTable(value) && i >= items {
				delete(value, member)
			} else {
				value[member] = shorten(member, value[member])
			}
		}
	case string:
		if text, ok := constant[name]; ok {
			return text
		}
		if len(value) > longText && encoded.MatchString(value) {
			return value[:cutText]
		}
		return numbered.ReplaceAllString(value, "$1")
	}
	return value
}

// isTable reports whether all members of an object are objects, as in a map by id or address.
func isTable(o object) bool {
	for _, member := range o {
		if _, ok := member.(object); !ok {
			return false
		}
	}
	return true
}

// isMoreComplete reports whether example a has more values than b, or the same number of values in
// a shorter text. Ties have a fixed order, so that the result does not depend on the order of
// the tests.
func isMoreComplete(a, b any) bool {
	if x, y := countValues(a), countValues(b); x != y {
		return x > y
	}
	x, y := string(testkit.Must(json.Marshal(a))), string(testkit.Must(json.Marshal(b)))
	if len(x) != len(y) {
		return len(x) < len(y)
	}
	return x < y
}

// countValues counts the values that are not null.
func countValues(v any) (n int) {
	switch v := v.(type) {
	case nil:
		return 0
	case object:
		for _, member := range v {
			n += countValues(member)
		}
	case []any:
		for _, item := range v {
			n += countValues(item)
		}
	}
	return n + 1
}

// writeExamples updates examplesFile: it keeps valid examples, removes invalid ones, and adds
// recorded examples for responses that have none.
func writeExamples(s *specification) error {
	kept := readExamples()
	for key, byType := range kept {
		maps.DeleteFunc(byType, func(mediaType string, example any) bool {
			return s.checkExample(key, mediaType, example) != nil
		})
	}
	for key, byType := range recorded.bodies {
		if kept[key] == nil {
			kept[key] = map[string]any{}
		}
		for mediaType, example := range byType {
			if _, ok := kept[key][mediaType]; !ok {
				kept[key][mediaType] = example
			}
		}
	}
	maps.DeleteFunc(kept, func(_ string, byType map[string]any) bool { return len(byType) == 0 })
	var file bytes.Buffer
	encoder := json.NewEncoder(&file)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", " ")
	if err := encoder.Encode(kept); err != nil {
		return err
	}
	return os.WriteFile(examplesFile, file.Bytes(), 0o600)
}

func readExamples() map[string]map[string]any {
	var examples map[string]map[string]any
	decoder := json.NewDecoder(bytes.NewReader(testkit.Must(os.ReadFile(examplesFile))))
	decoder.UseNumber()
	check1(decoder.Decode(&examples))
	return examples
}

// checkExample returns an error if an example does not match the specification.
func (s *specification) checkExample(key, mediaType string, example any) error {
	response := in(s.document, "components", "responses", key)
	if method, rest, ok := strings.Cut(key, " "); ok {
		path, status, _ := strings.Cut(rest, " ")
		response = in(s.document, "paths", path, strings.ToLower(method), "responses", status)
	}
	return s.checkBody(in(response, "content", mediaType), mediaType, testkit.Must(json.Marshal(example)))
}

// TestExamples_EveryResponseHasAValidOne fails if an example is missing or does not match the
// specification, for example because a field was added or removed.
func TestExamples_EveryResponseHasAValidOne(t *testing.T) {
	t.Parallel()
	if *updateExamples {
		return // TestMain writes the examples after all tests
	}
	s := theSpecification()
	examples := readExamples()
	expect := func(key string, response object) {
		for mediaType := range in(response, "content") {
			example, ok := examples[key][mediaType]
			if !ok {
				t.Errorf("%s has no example of the response %s %s; %s", examplesFile, key, mediaType, howToRecord)
			} else if err := s.checkExample(key, mediaType, example); err != nil {
				t.Errorf("%s has an outdated example of the response %s %s: %v; %s", examplesFile, key, mediaType, err, howToRecord)
			}
			delete(examples[key], mediaType)
		}
	}
	for _, to := range httpapi.Routes(httpapi.Options{}) {
		for status, response := range in(s.document, "paths", to.Path, strings.ToLower(to.Method), "responses") {
			if response := response.(object); componentName(response) == "" {
				expect(to.Method+" "+to.Path+" "+status, response)
			}
		}
	}
	for name, response := range in(s.document, "components", "responses") {
		expect(name, response.(object))
	}
	for key, byType := range examples {
		if len(byType) > 0 {
			t.Errorf("%s has an example of %s, which the specification does not have; %s", examplesFile, key, howToRecord)
		}
	}
}
