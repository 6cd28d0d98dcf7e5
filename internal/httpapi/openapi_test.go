package httpapi

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/specterd/specterd/internal/httpapi/route"
)

type object = map[string]any

// specification is the OpenAPI specification of all routes.
var specification = sync.OnceValues(func() ([]byte, error) { return Describe(Routes(Options{}), "v1") })

func describe(t *testing.T) object {
	t.Helper()
	document, err := specification()
	if err != nil {
		t.Fatal(err)
	}
	var o object
	if err := json.Unmarshal(document, &o); err != nil {
		t.Fatal(err)
	}
	return o
}

// at returns the value at the end of a path of names.
func at(t *testing.T, in any, path ...string) any {
	t.Helper()
	for i, name := range path {
		o, ok := in.(object)
		if !ok || o[name] == nil {
			t.Fatalf("%s not found", strings.Join(path[:i+1], " > "))
		}
		in = o[name]
	}
	return in
}

func schemaOf(t *testing.T, document object, name string) object {
	t.Helper()
	o, _ := at(t, document, "components", "schemas", name).(object)
	return o
}

func TestDescribe_MatchesRoutes(t *testing.T) {
	paths, _ := at(t, describe(t), "paths").(object)
	var got, want []string
	ids := map[any]bool{}
	for path, item := range paths {
		for method, operation := range item.(object) {
			got = append(got, strings.ToUpper(method)+" "+path)
			id := at(t, operation, "operationId")
			if ids[id] {
				t.Errorf("duplicate operation id %v", id)
			}
			ids[id] = true
			if tags := at(t, operation, "tags").([]any); len(tags) != 1 || tags[0] != tagOf(path) || tags[0] == "" {
				t.Errorf("%s %s has the tags %v; add one for its noun to tags in openapi_tags.go", method, path, tags)
			}
		}
	}
	for _, to := range Routes(Options{}) {
		want = append(want, to.Method+" "+to.Path)
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestDescribe_IsDeterministic(t *testing.T) {
	first, err := specification()
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		again, err := Describe(Routes(Options{}), "v1")
		if err != nil || !bytes.Equal(first, again) {
			t.Fatalf("the documents differ (error: %v)", err)
		}
	}
}

func TestDescribe_ReferencesResolve(t *testing.T) {
	document := describe(t)
	count := 0
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case object:
			if ref, ok := v["$ref"].(string); ok {
				count++
				at(t, document, strings.Split(strings.TrimPrefix(ref, "#/"), "/")...)
			}
			for _, member := range v {
				walk(member)
			}
		case []any:
			for _, item := range v {
				walk(item)
			}
		}
	}
	walk(document)
	if count < 50 {
		t.Errorf("only %d references were found", count)
	}
}

func TestDescribe_Security(t *testing.T) {
	document := describe(t)
	for _, to := range Routes(Options{}) {
		operation, _ := at(t, document, "paths", to.Path, strings.ToLower(to.Method)).(object)
		var schemes []string
		security, _ := operation["security"].([]any)
		for _, s := range security {
			for scheme := range s.(object) {
				schemes = append(schemes, scheme)
			}
		}
		if slices.Contains(schemes, "basic") != to.Credentials.TakesBasic() || slices.Contains(schemes, "bearer") != to.Credentials.TakesBearer() {
			t.Errorf("%s %s accepts the schemes %v", to.Method, to.Path, schemes)
		}
		if security == nil {
			t.Errorf("%s %s has no security; for a public route it must be empty", to.Method, to.Path)
		}
		if scope, _ := operation["x-required-scope"].(string); to.Credentials.NeedsScope() && (scope == "" || scope != to.Scope.String()) {
			t.Errorf("%s %s requires the scope %q", to.Method, to.Path, scope)
		}
		if role, _ := operation["x-required-role"].(string); role != string(to.Role) {
			t.Errorf("%s %s requires the role %q", to.Method, to.Path, role)
		}
		responses, _ := operation["responses"].(object)
		if _, ok := responses["401"]; ok != (to.Credentials != route.Public) {
			t.Errorf("%s %s: 401 is declared: %v", to.Method, to.Path, ok)
		}
		if _, ok := responses["415"]; ok != (operation["requestBody"] != nil) {
			t.Errorf("%s %s: 415 is declared: %v", to.Method, to.Path, ok)
		}
		if _, ok := responses["404"]; !ok && strings.Contains(to.Path, "{") && !strings.HasPrefix(to.Path, "/api/v1alpha/wallets/") {
			t.Errorf("%s %s: 404 is not declared", to.Method, to.Path)
		}
	}
}

func TestDescribe_ErrorsPerVersion(t *testing.T) {
	document := describe(t)
	for name, want := range map[string]struct{ contentType, schema string }{
		"Problem401": {"application/problem+json", "Problem"},
		"Message401": {"application/json", "Message"},
	} {
		response := at(t, document, "components", "responses", name)
		if ref := at(t, response, "content", want.contentType, "schema", "$ref"); ref != "#/components/schemas/"+want.schema {
			t.Errorf("%s has the schema %v", name, ref)
		}
		at(t, response, "headers", "WWW-Authenticate")
	}
	if ref := at(t, document, "paths", "/api/healthz/readyness", "get", "responses", "503", "$ref"); ref != "#/components/responses/Message503" {
		t.Errorf("the 503 of readiness is %v", ref)
	}
}

func TestDescribe_Types(t *testing.T) {
	document := describe(t)
	property := func(schema, name string) object {
		o, _ := at(t, schemaOf(t, document, schema), "properties", name).(object)
		return o
	}
	text := func(v any) string {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	for _, c := range []struct {
		what string
		got  any
		want string
	}{
		{"required properties of a token", schemaOf(t, document, "Token")["required"], `["id","description","scopes","parent_id","rotated_from","created_at","expires_at","expired","imported","policy","last_used","wallets"]`},
		{"required properties of a new token", schemaOf(t, document, "CreateTokenRequest")["required"], `["description"]`},
		{"unknown fields in v1", schemaOf(t, document, "CreateTokenRequest")["additionalProperties"], `false`},
		{"unknown fields in v1alpha", schemaOf(t, document, "V1alphaCreateTokenRequest")["additionalProperties"], `null`},
		{"a list", property("Token", "scopes")["type"], `"array"`},
		{"a list or null", property("Token", "wallets")["type"], `["null","array"]`},
		{"a string or null", property("Token", "parent_id")["type"], `["null","string"]`},
		{"an object or null", property("Token", "last_used")["anyOf"], `[{"type":"null"},{"$ref":"#/components/schemas/LastUse"}]`},
		{"no type besides anyOf", property("Token", "last_used")["type"], `null`},
		{"a time", property("Token", "expires_at")["format"], `"date-time"`},
		{"an embedded field", property("TokenWithSecret", "id")["format"], `"uuid"`},
		{"the items of a page", property("TokenList", "items")["items"], `{"$ref":"#/components/schemas/Token"}`},
		{"the items of another page", property("UserList", "items")["items"], `{"$ref":"#/components/schemas/User"}`},
		{"seconds", property("V1alphaTokenResponse", "jwt_token_life")["format"], `"double"`},
		{"an amount", property("Payment", "amount_sat")["format"], `"int64"`},
		{"a fee rate", property("FeeEstimate", "fee_rate_sat_vb")["format"], `"double"`},
		{"an enum or null", property("Payment", "branch")["enum"], `["receive","change",null]`},
		{"a default", property("CreateProposalRequest", "replaceable")["default"], `null`},
		{"tokens by id", schemaOf(t, document, "V1alphaTokensByID")["additionalProperties"], `{"$ref":"#/components/schemas/V1alphaTokenSummary"}`},
		{"any JSON", property("V1alphaSpecterResponse", "info")["type"], `null`},
		{"a map that is never null", property("V1alphaSpecterResponse", "alias_name")["type"], `"object"`},
		{"required properties in v1alpha", schemaOf(t, document, "V1alphaTokenSummary")["required"], `["jwt_token_description","jwt_token_life","jwt_token_remaining_life"]`},
	} {
		t.Run(c.what, func(t *testing.T) {
			if got := text(c.got); got != c.want {
				t.Errorf("%s: got %s, want %s", c.what, got, c.want)
			}
		})
	}
	if len(at(t, document, "components", "schemas").(object)) > 200 {
		t.Error("there are more schemas than Go types")
	}
}
