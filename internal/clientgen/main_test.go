package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

const root = "../.."

// TestUpToDate checks that the generated files follow from the specification and the server.
func TestUpToDate(t *testing.T) {
	testkit.Check(t, run(root, fault.CodeGroups(), true, t.Output()))
}

// TestCoverage checks that each operation has a method, or is left out with a reason. TestOperations
// of package client calls the methods.
func TestCoverage(t *testing.T) {
	spec := testkit.Value(readSpecification(filepath.Join(root, "docs", "openapi.json")))(t)
	files := testkit.Value(generate(root, fault.CodeGroups()))(t)
	var text strings.Builder
	for _, generated := range files {
		text.Write(generated)
	}
	for _, name := range testkit.Value(filepath.Glob(filepath.Join(root, "client", "*.go")))(t) {
		if !strings.Contains(name, "gen_") && !strings.HasSuffix(name, "_test.go") {
			text.Write(testkit.Value(os.ReadFile(name))(t))
		}
	}
	known := map[string]bool{}
	for _, op := range spec.operations() {
		known[op.ID] = true
		has := strings.Contains(text.String(), "func (c *Client) "+methodName(op)+"(")
		if has == (leftOut(op) != "") {
			t.Errorf("%s: has a method: %v; left out: %q", op.ID, has, leftOut(op))
		}
	}
	for name := range handWritten {
		if !known[name] {
			t.Errorf("handWritten has %s, which docs/openapi.json lacks", name)
		}
	}
	for name := range summaries {
		if !known[name] {
			t.Errorf("summaries has %s, which docs/openapi.json lacks", name)
		}
	}
	for name := range pointers {
		if id, _, _ := strings.Cut(name, "."); !known[id] {
			t.Errorf("pointers has %s, which docs/openapi.json lacks", name)
		}
	}
}

// TestChanges checks that check reports a new operation, a new code and a file that is left over,
// and that a run without it writes them.
func TestChanges(t *testing.T) {
	dir := t.TempDir()
	testkit.Check(t, os.CopyFS(filepath.Join(dir, "client"), os.DirFS(filepath.Join(root, "client"))))
	write := func(name, text string) {
		t.Helper()
		path := filepath.Join(dir, filepath.FromSlash(name))
		testkit.Check(t, os.MkdirAll(filepath.Dir(path), 0o700))
		testkit.Check(t, os.WriteFile(path, []byte(text), 0o600))
	}
	var spec map[string]any
	testkit.Check(t, json.Unmarshal(testkit.Value(os.ReadFile(filepath.Join(root, "docs", "openapi.json")))(t), &spec))
	spec["paths"].(map[string]any)["/api/v1/things/{id}"] = map[string]any{"get": map[string]any{
		"operationId": "getThing", "tags": []string{"things"}, "summary": "Get a thing", "description": "Requires any token.",
		"parameters": []any{map[string]any{"name": "id", "in": "path", "schema": map[string]any{"type": "string"}}},
		"responses":  map[string]any{"200": map[string]any{"content": map[string]any{jsonType: map[string]any{"schema": map[string]any{"$ref": "#/components/schemas/Thing"}}}}},
	}}
	write("docs/openapi.json", string(testkit.Value(json.Marshal(spec))(t)))
	codes := []fault.CodeGroup{{Codes: []fault.Code{{Name: "thing_not_found"}, {Name: "not_a_code", Origin: fault.Console}}}, {Codes: []fault.Code{{Name: "invalid_thing"}, {Name: "thing_lost"}}}}
	write("client/gen_old.go", "package client\n")
	err := run(dir, codes, true, t.Output())
	if err == nil || !strings.Contains(err.Error(), "not up to date: gen_old.go, gen_codes.go, gen_things.go; run make client") {
		t.Errorf("the error is %v", err)
	}
	testkit.Check(t, run(dir, codes, false, t.Output()))
	testkit.Check(t, run(dir, codes, true, t.Output()))
	if got, want := string(testkit.Value(os.ReadFile(filepath.Join(dir, "client", "gen_things.go")))(t)), `// GetThing gets a thing.
//
// Requires any token.
//
// GET /api/v1/things/{id}
func (c *Client) GetThing(ctx context.Context, id string, options ...CallOption) (*v1.Thing, error) {
	r := request{method: "GET", path: "/api/v1/things/{id}", args: []string{id}}
	return one[v1.Thing](ctx, c, r, options)
}
`; !strings.HasSuffix(got, want) {
		t.Errorf("got\n%s", got)
	}
	constants := string(testkit.Value(os.ReadFile(filepath.Join(dir, "client", "gen_codes.go")))(t))
	for code, want := range map[string]bool{`ErrThingNotFound Code = "thing_not_found"`: true, `ErrInvalidThing  Code = "invalid_thing"`: true, `ErrThingLost     Code = "thing_lost"`: true, "not_a_code": false} {
		if strings.Contains(constants, code) != want {
			t.Errorf("%s: want %v in\n%s", code, want, constants)
		}
	}
}
