package client_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/specterd/specterd/api/v1"
	"github.com/specterd/specterd/client"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// operation is an operation of docs/openapi.json, with the example of its response.
type operation struct {
	ID, Method, Path string
	tag              string
	query            []string
	headers          []string
	body             map[string]any // schema
	example          []byte
	mediaType        string
	status           int
}

// operations returns the operations of API v1 and of the health probes.
func operations(t *testing.T) []operation {
	t.Helper()
	var spec map[string]any
	testkit.Check(t, json.Unmarshal(testkit.Value(os.ReadFile("../docs/openapi.json"))(t), &spec))
	var found []operation
	for path, item := range object(spec["paths"]) {
		for method, value := range object(item) {
			op := operation{ID: object(value)["operationId"].(string), Method: strings.ToUpper(method), Path: path}
			if strings.HasPrefix(path, "/api/v1alpha/") {
				continue // internal/clientgen has the reason
			}
			op.read(object(value), object(object(spec["components"])["schemas"]))
			found = append(found, op)
		}
	}
	slices.SortFunc(found, func(a, b operation) int { return strings.Compare(a.ID, b.ID) })
	return found
}

func object(value any) map[string]any {
	o, _ := value.(map[string]any)
	return o
}

func (o *operation) read(value, schemas map[string]any) {
	tags, _ := value["tags"].([]any)
	o.tag = tags[0].(string)
	parameters, _ := value["parameters"].([]any)
	for _, p := range parameters {
		switch name := object(p)["name"].(string); object(p)["in"] {
		case "query":
			o.query = append(o.query, name)
		case "header":
			o.headers = append(o.headers, name)
		}
	}
	content := object(object(object(value["requestBody"])["content"])["application/json"])
	if ref, ok := object(content["schema"])["$ref"].(string); ok {
		o.body = object(schemas[ref[strings.LastIndexByte(ref, '/')+1:]])
	}
	responses := object(value["responses"])
	for _, status := range slices.Sorted(maps.Keys(responses)) {
		if !strings.HasPrefix(status, "2") || status == "204" && o.status != 0 {
			continue
		}
		o.status, o.example = testkit.Must(strconv.Atoi(status)), nil // the last one is the creation, and not the dry run
		for _, mediaType := range []string{"application/json", "application/jsonl"} {
			if example, ok := object(object(object(responses[status])["content"])[mediaType])["example"]; ok && o.example == nil {
				o.example, o.mediaType = testkit.Must(json.Marshal(example)), mediaType
			}
		}
	}
}

// TestOperations calls the method of each operation with all arguments, and compares the request
// with the specification, and the result with the example of the response.
func TestOperations(t *testing.T) {
	all := operations(t)
	if len(all) < 80 {
		t.Fatalf("%d operations", len(all))
	}
	for _, op := range all {
		t.Run(op.ID, func(t *testing.T) {
			var got *http.Request
			var body []byte
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				got, body = r, testkit.Value(readAll(r))(t)
				w.Header().Set("Content-Type", op.mediaType)
				w.Header().Set("ETag", `"8"`)
				w.WriteHeader(op.status)
				_, _ = w.Write(lastPage(op.example))
			}))
			defer server.Close()
			c := testkit.Value(client.New(server.URL, "the-token"))(t)
			method := reflect.ValueOf(c).MethodByName(strings.ToUpper(op.ID[:1]) + op.ID[1:])
			if !method.IsValid() {
				t.Fatal("the client has no such method")
			}
			result := call(t, method)
			checkRequest(t, op, got, body)
			checkResult(t, op, result)
			if page := reflect.ValueOf(c).MethodByName(strings.ToUpper(op.ID[:1]) + op.ID[1:] + "Page"); page.IsValid() {
				compare(t, lastPage(op.example), testkit.Must(json.Marshal(call(t, page))))
			}
		})
	}
}

func readAll(r *http.Request) ([]byte, error) {
	var b bytes.Buffer
	_, err := b.ReadFrom(r.Body)
	return b.Bytes(), err
}

// lastPage returns an example without further pages.
func lastPage(example []byte) []byte {
	example = regexp.MustCompile(`"next_cursor":"[^"]*"`).ReplaceAll(example, []byte(`"next_cursor":null`))
	return bytes.Replace(example, []byte(`"more":true`), []byte(`"more":false`), 1)
}

// call calls a method, and returns its result: nil, an object, or the entries of a list.
func call(t *testing.T, method reflect.Value) any {
	t.Helper()
	var args []reflect.Value
	for i := range method.Type().NumIn() - 1 { // without options
		kind := method.Type().In(i)
		arg := reflect.New(kind).Elem()
		switch {
		case i == 0:
			arg.Set(reflect.ValueOf(t.Context()))
		case kind == reflect.TypeFor[client.ProposalRef]():
			arg.Set(reflect.ValueOf(&v1.ProposalDetails{ProposalSummary: v1.ProposalSummary{ID: new("the id")}, Version: 7}))
		default:
			fill(t, arg)
		}
		args = append(args, arg)
	}
	out := method.Call(args)
	if out[0].Kind() == reflect.Func {
		items := []any{}
		for item, err := range out[0].Seq2() {
			if !err.IsNil() {
				t.Fatal(err.Interface())
			}
			items = append(items, item.Interface())
		}
		return items
	}
	if err, _ := out[len(out)-1].Interface().(error); err != nil {
		t.Fatal(err)
	}
	if len(out) == 1 {
		return nil
	}
	return out[0].Interface()
}

// fill sets a value, and all fields in it, to values that are not zero.
func fill(t *testing.T, v reflect.Value) {
	t.Helper()
	switch v.Interface().(type) {
	case time.Time:
		v.Set(reflect.ValueOf(time.Date(2026, 12, 1, 10, 0, 0, 0, time.UTC)))
		return
	case v1.Document:
		v.SetBytes([]byte(`{"version":1}`))
		return
	case v1.Start:
		v.Set(reflect.ValueOf(v1.AtHeight(5)))
		return
	case v1.Change[v1.FeeRate]:
		v.Set(reflect.ValueOf(v1.Set(v1.FeeRate(2.5))))
		return
	case v1.Change[[]string]:
		v.Set(reflect.ValueOf(v1.Clear[[]string]()))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString("a b/c")
	case reflect.Int, reflect.Int64, reflect.Uint32:
		v.Set(reflect.ValueOf(3).Convert(v.Type()))
	case reflect.Float64:
		v.SetFloat(1.5)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(t, v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(t, v.Index(0))
	case reflect.Map:
		value := reflect.New(v.Type().Elem()).Elem()
		fill(t, value)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(reflect.ValueOf("wallets"), value)
	case reflect.Struct:
		for i := range v.NumField() {
			fill(t, v.Field(i))
		}
	default:
		t.Fatalf("no value of the type %s", v.Type())
	}
}

// checkRequest compares a request with the specification.
func checkRequest(t *testing.T, op operation, got *http.Request, body []byte) {
	t.Helper()
	want := regexp.MustCompile(`\{[^/]+\}`).ReplaceAllString(op.Path, `(a%20b%2Fc|the%20id)`)
	if got == nil || got.Method != op.Method || !regexp.MustCompile("^"+want+"$").MatchString(got.URL.EscapedPath()) {
		t.Fatalf("the request is %s %s, want %s %s", got.Method, got.URL.EscapedPath(), op.Method, op.Path)
	}
	if sent := slices.Sorted(maps.Keys(got.URL.Query())); !slices.Equal(sent, slices.Sorted(slices.Values(op.query))) {
		t.Errorf("the query has %q, want %q", sent, op.query)
	}
	for header, want := range map[string]bool{
		"Authorization":   true,
		"Idempotency-Key": slices.Contains(op.headers, "Idempotency-Key"),
		"If-Match":        slices.Contains(op.headers, "If-Match") && strings.Contains(op.Path, "/proposals/{id}"),
		"Content-Type":    len(body) > 0,
	} {
		if (got.Header.Get(header) != "") != want {
			t.Errorf("%s is %q, want one: %v", header, got.Header.Get(header), want)
		}
	}
	if op.body == nil {
		return
	}
	var fields map[string]any
	testkit.Check(t, json.Unmarshal(body, &fields))
	if sent, want := slices.Sorted(maps.Keys(fields)), slices.Sorted(maps.Keys(object(op.body["properties"]))); !slices.Equal(sent, want) {
		t.Errorf("the body has %q, want %q", sent, want)
	}
}

// checkResult compares a result with the example of the response.
func checkResult(t *testing.T, op operation, result any) {
	t.Helper()
	switch value := result.(type) {
	case nil:
		if op.example != nil {
			t.Errorf("the method returns nothing, although the response is %s", op.example)
		}
		return
	case []byte: // a file
		compare(t, op.example, value)
		return
	case *v1.ProposalDetails:
		if value.ETag() != `"8"` {
			t.Errorf("the ETag of the proposal is %q", value.ETag())
		}
	case *v1.CancelledProposal:
		if value.ETag() != `"8"` {
			t.Errorf("the ETag of the proposal is %q", value.ETag())
		}
	case *v1.ProposalQR:
		if value.ETag() != `"8"` {
			t.Errorf("the ETag of the texts is %q", value.ETag())
		}
	}
	if op.example == nil {
		t.Fatalf("docs/openapi.json has no example, but the method returns %+v", result)
	}
	want := op.example
	if list := reflect.ValueOf(result); list.Kind() == reflect.Slice {
		var page struct{ Items json.RawMessage }
		testkit.Check(t, json.Unmarshal(op.example, &page))
		if want = page.Items; want == nil {
			want = []byte("[" + string(op.example) + "]") // JSON Lines
		}
	}
	compare(t, want, testkit.Must(json.Marshal(result)))
}

func compare(t *testing.T, want, got []byte) {
	t.Helper()
	var w, g any
	testkit.Check(t, json.Unmarshal(want, &w))
	testkit.Check(t, json.Unmarshal(got, &g))
	if d := cmp.Diff(w, g); d != "" {
		t.Errorf("the result differs from the example (-example +result):\n%s", d)
	}
}

// TestExamples checks that the package page has an example for each group of operations.
func TestExamples(t *testing.T) {
	examples := string(testkit.Value(os.ReadFile("example_test.go"))(t))
	has := map[string]bool{}
	for _, op := range operations(t) {
		method := strings.ToUpper(op.ID[:1]) + op.ID[1:]
		has[op.tag] = has[op.tag] || strings.Contains(examples, "func ExampleClient_"+method+"(")
	}
	for tag, ok := range has {
		if !ok {
			t.Errorf("example_test.go has no example for %s", tag)
		}
	}
}
