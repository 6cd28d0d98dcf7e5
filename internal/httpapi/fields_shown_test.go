package httpapi_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/httpapi"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// fieldClasses returns the scopes that fieldsFile lists for each property.
var fieldClasses = sync.OnceValue(func() map[string][]string {
	classes := map[string][]string{}
	for line := range strings.Lines(string(testkit.Must(os.ReadFile(fieldsFile)))) {
		words := strings.Fields(line)
		classes[words[0]] = words[1:]
	}
	return classes
})

// creatingOperations returns the routes whose handlers are in creating, by method and path.
var creatingOperations = sync.OnceValue(func() map[string]bool {
	all := map[string]bool{}
	for _, to := range httpapi.Routes(httpapi.Options{}) {
		if _, ok := creating[to.Handler.Name]; ok {
			all[to.Method+" "+to.Path] = true
		}
	}
	return all
})

// fieldsChecked returns a handler that fails the test if a successful response has a property
// that the scopes of the caller's token do not allow the caller to read. It checks neither
// creatingOperations nor requests with a password, because a password has all scopes.
func (s *server) fieldsChecked(t *testing.T, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		scopes, ok := s.scopesOf(r.Header.Get("Authorization"))
		if !ok {
			next.ServeHTTP(w, r)
			return
		}
		kept := &keeper{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(kept, r)
		if kept.status >= http.StatusMultipleChoices || creatingOperations()[r.Method+" "+theSpecification().template(r.URL.EscapedPath())] {
			return
		}
		if shown := theSpecification().unreadableFields(r, kept, scopes); len(shown) > 0 {
			t.Errorf("%s %s shows %q to a token with the scopes %s", r.Method, r.URL.Path, shown, scopes)
		}
	})
}

// scopesOf returns the scopes of the token in a header, or false if the header has no token
// or the token was deleted.
func (s *server) scopesOf(authorization string) (auth.Scopes, bool) {
	_, claims, _ := strings.Cut(authorization, ".")
	claims, _, _ = strings.Cut(claims, ".")
	var token struct {
		ID string `json:"jwt_token_id"`
	}
	text, err := base64.RawURLEncoding.DecodeString(claims)
	if err != nil || json.Unmarshal(text, &token) != nil || token.ID == "" {
		return 0, false
	}
	var names string
	if s.db.QueryRow("SELECT scopes FROM tokens WHERE token_id = $1", token.ID).Scan(&names) != nil {
		return 0, false
	}
	scopes, _ := auth.ParseScopes("", strings.Fields(names)) // 0 if a scope is unknown
	return scopes, true
}

// unreadableFields returns the properties that have a value in a response although none of
// the scopes allows the caller to read them.
func (s *specification) unreadableFields(r *http.Request, kept *keeper, scopes auth.Scopes) (shown []string) {
	response, _ := s.response(r.Method, r.URL.EscapedPath(), kept.status)
	schema := in(response, "content", "application/json", "schema")
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(kept.body.Bytes()))
	if schema == nil || err != nil {
		return nil
	}
	s.walk(schema, value, func(field string) {
		may := slices.ContainsFunc(fieldClasses()[field], func(class string) bool {
			return class == "anyone" || class == "own" || slices.Contains(scopes.Names(), class)
		})
		if !may && !slices.Contains(shown, field) {
			shown = append(shown, field)
		}
	})
	return shown
}

// walk traverses a value together with its schema. It calls found with Schema.property for
// each property that a named schema declares and that is not empty in the value; see hasValue.
func (s *specification) walk(schema object, value any, found func(field string)) {
	name := componentName(schema)
	if name != "" {
		schema = in(s.document, "components", "schemas", name)
	}
	for _, key := range []string{"anyOf", "allOf", "oneOf"} {
		parts, _ := schema[key].([]any)
		for _, part := range parts {
			s.walk(part.(object), value, found)
		}
	}
	switch value := value.(type) {
	case []any:
		for _, one := range value {
			s.walk(in(schema, "items"), one, found)
		}
	case object:
		for property, one := range value {
			of := in(schema, "properties", property)
			if of == nil {
				of = in(schema, "additionalProperties")
			} else if name != "" && hasValue(one) {
				found(name + "." + property)
			}
			s.walk(of, one, found)
		}
	}
}

// hasValue reports whether a JSON value is neither null nor an empty string, list or object.
func hasValue(value any) bool {
	switch value := value.(type) {
	case nil:
		return false
	case string:
		return value != ""
	case []any:
		return len(value) > 0
	case object:
		return len(value) > 0
	}
	return true
}
