package httpapi_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/httpapi"
	"github.com/specterd/specterd/internal/httpcall"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

type object = map[string]any

// specification is the OpenAPI specification and its compiled schemas, by name.
type specification struct {
	document object
	schemas  map[string]*jsonschema.Schema
}

// theSpecification returns the specification of all routes. Its schemas are stricter than
// the published ones: objects must not have undeclared properties.
var theSpecification = sync.OnceValue(func() *specification {
	document := testkit.Must(httpapi.Describe(httpapi.Routes(httpapi.Options{}), "test"))
	s := &specification{document: testkit.Must(jsonschema.UnmarshalJSON(bytes.NewReader(document))).(object), schemas: map[string]*jsonschema.Schema{}}
	components := in(s.document, "components", "schemas")
	for _, schema := range components {
		if schema := schema.(object); schema["properties"] != nil && schema["additionalProperties"] == nil {
			schema["additionalProperties"] = false
		}
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	check1(c.AddResource("openapi.json", s.document))
	for name := range components {
		s.schemas[name] = testkit.Must(c.Compile("openapi.json#/components/schemas/" + name))
	}
	return s
})

func check1(err error) {
	if err != nil {
		panic(err)
	}
}

// in returns the object at the end of a path of names, or nil.
func in(o object, path ...string) object {
	for _, name := range path {
		o, _ = o[name].(object)
	}
	return o
}

// template returns the path template of the specification that matches a request path, or "".
// If several match, it returns the template with the most literal segments.
func (s *specification) template(path string) string {
	parts := strings.Split(strings.TrimSuffix(path, "/"), "/")
	best, literals := "", -1
	for template := range in(s.document, "paths") {
		names := strings.Split(template, "/")
		if len(names) != len(parts) {
			continue
		}
		count := 0
		for i, name := range names {
			switch {
			case name == parts[i]:
				count++
			case !strings.HasPrefix(name, "{") || parts[i] == "":
				count = -len(names)
			}
		}
		if count > literals {
			best, literals = template, count
		}
	}
	return best
}

// response returns the specification of a response and the key of its example, or nil if the
// operation does not declare the status.
func (s *specification) response(method, path string, status int) (of object, key string) {
	template := s.template(path)
	method = strings.Replace(method, http.MethodHead, http.MethodGet, 1)
	of = in(s.document, "paths", template, strings.ToLower(method), "responses", strconv.Itoa(status))
	if name := componentName(of); name != "" {
		return in(s.document, "components", "responses", name), name
	}
	return of, method + " " + template + " " + strconv.Itoa(status)
}

// anyRequest has the error statuses that every request can get. Operations need not declare
// them.
var anyRequest = []int{http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusRequestEntityTooLarge, http.StatusMisdirectedRequest, http.StatusInternalServerError}

// check returns an error if a complete response does not match the specification.
func (s *specification) check(method, path string, status int, contentType string, body []byte) error {
	mediaType, _, _ := mime.ParseMediaType(contentType)
	if mediaType == "application/problem+json" {
		if err := checkCode(status, body); err != nil {
			return err
		}
	}
	response, _ := s.response(method, path, status)
	if response == nil {
		if status < http.StatusBadRequest {
			return fmt.Errorf("the status is not declared")
		}
		isMethod := in(s.document, "paths", s.template(path), strings.ToLower(method)) != nil
		if isMethod && !slices.Contains(anyRequest, status) {
			return fmt.Errorf("the status is not declared; see errorStatuses in openapi_errors.go")
		}
		if mediaType == "application/problem+json" {
			return s.validate("Problem", body)
		}
		return s.validate("Message", body)
	}
	content, _ := response["content"].(object)
	if len(content) == 0 {
		if len(body) > 0 {
			return fmt.Errorf("the response has a body, but none is declared")
		}
		return nil
	}
	return s.checkBody(in(content, mediaType), mediaType, body)
}

// checkCode returns an error unless the code of a problem document is in the table of codes, for
// the API and this status.
func checkCode(status int, body []byte) error {
	var problem struct {
		Code string `json:"code"`
	}
	if err := json.Unmarshal(body, &problem); err != nil {
		return err
	}
	code, ok := fault.CodeOf(problem.Code)
	if !ok || code.Origin != fault.API || httpcall.Status(code.Kind) != status {
		return fmt.Errorf("the code %s is not in fault.CodeGroups for the API and the status %d", problem.Code, status)
	}
	return nil
}

// checkBody validates a body against the schema of a media type. It validates each line of
// JSON Lines and each event of an event stream, and does not validate CSV and
// plain text.
func (s *specification) checkBody(media object, mediaType string, body []byte) error {
	if media == nil {
		return fmt.Errorf("the content type %q is not declared", mediaType)
	}
	name := componentName(in(media, "schema"))
	switch mediaType {
	case "text/csv", "text/plain":
		return nil
	case "text/event-stream":
		for line := range bytes.Lines(body) {
			if data, ok := bytes.CutPrefix(line, []byte("data: ")); ok {
				if err := s.validate("LoggedEvent", data); err != nil {
					return err
				}
			}
		}
		return nil
	case "application/jsonl", "application/x-ndjson":
		for line := range bytes.Lines(body) {
			if err := s.validate(name, line); err != nil {
				return err
			}
		}
		return nil
	}
	if name == "" { // a document in the format of another program
		_, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
		return err
	}
	return s.validate(name, body)
}

// componentName returns the name of the component that a schema or response references, or "".
func componentName(o object) string {
	ref, _ := o["$ref"].(string)
	return ref[strings.LastIndexByte(ref, '/')+1:]
}

func (s *specification) validate(name string, body []byte) error {
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return err
	}
	if s.schemas[name] == nil {
		return fmt.Errorf("schema %q not found", name)
	}
	return s.schemas[name].Validate(value)
}

// described returns a handler that fails the test if a response does not match the
// specification. It records valid responses as examples.
func described(t *testing.T, next http.Handler) http.Handler {
	s := theSpecification()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		method, path := r.Method, r.URL.EscapedPath()
		kept := &keeper{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(kept, r)
		isPage := path == "/api" || path == "/api/" || path == "/api/openapi.json" || path == "/api/style.css" || strings.HasPrefix(path, "/api/reference/")
		if isPage || method == http.MethodOptions {
			return
		}
		contentType := w.Header().Get("Content-Type")
		if err := s.check(method, path, kept.status, contentType, kept.body.Bytes()); err != nil && !replacesMember(s, path) {
			t.Errorf("%s %s: the response with status %d does not match the specification: %v\n%.1000s", method, path, kept.status, err, kept.body.String())
		} else if method != http.MethodHead {
			record(s, method, path, kept.status, contentType, kept.body.Bytes())
		}
	})
}

// replacesMember reports whether a path names a wallet in v1alpha whose alias is also the name
// of a member of the response. The wallet then replaces the member, as in Specter Desktop.
func replacesMember(s *specification, path string) bool {
	alias, ok := strings.CutPrefix(strings.TrimSuffix(path, "/"), "/api/v1alpha/wallets/")
	return ok && in(s.document, "components", "schemas", "V1alphaWalletResponse", "properties", alias) != nil
}

// keeper records the status and the body of a response.
type keeper struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

func (k *keeper) WriteHeader(status int) {
	k.status = status
	k.ResponseWriter.WriteHeader(status)
}

func (k *keeper) Write(b []byte) (int, error) {
	k.body.Write(b)
	return k.ResponseWriter.Write(b)
}

// Unwrap returns the wrapped response writer, for http.ResponseController.
func (k *keeper) Unwrap() http.ResponseWriter { return k.ResponseWriter }
