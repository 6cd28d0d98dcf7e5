package httpapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"html"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/httpapi/reference"
	"github.com/specterd/specterd/internal/httpapi/route"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// sharedAPI returns the same API handler for all tests, so that the API reference is created
// only once. The handler has no services.
var sharedAPI = sync.OnceValues(func() (http.Handler, error) {
	return New(Options{Log: slog.New(slog.DiscardHandler), Now: time.Now, Active: true, Version: "1.2.3"})
})

// bareAPI returns an API handler without services; see sharedAPI.
func bareAPI(t *testing.T) http.Handler {
	t.Helper()
	h, err := sharedAPI()
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// fetch makes a request without credentials.
func fetch(h http.Handler, method, path, host string, header http.Header) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, nil)
	r.Host = host
	for name, values := range header {
		r.Header[name] = values
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func fetchText(t *testing.T, h http.Handler, path, host string) string {
	t.Helper()
	response := fetch(h, http.MethodGet, path, host, nil)
	if response.Code != http.StatusOK {
		t.Fatalf("%s: status %d", path, response.Code)
	}
	return response.Body.String()
}

func TestSpecification_ETag(t *testing.T) {
	h := bareAPI(t)
	for _, path := range []string{descriptionPath, reference.StylePath, reference.Prefix + "wallets", reference.Prefix + "search.js", reference.HomePath} {
		response := fetch(h, http.MethodGet, path, "localhost", nil)
		etag := response.Header().Get("Etag")
		if response.Code != http.StatusOK || etag == "" || response.Header().Get("Cache-Control") != "no-cache" {
			t.Errorf("%s: status %d, header %v", path, response.Code, response.Header())
		}
		for header, want := range map[string]int{
			etag: http.StatusNotModified, `"other", W/` + etag: http.StatusNotModified, "*": http.StatusNotModified, `"other"`: http.StatusOK,
		} {
			t.Run(path+" "+header, func(t *testing.T) {
				got := fetch(h, http.MethodGet, path, "localhost", http.Header{"If-None-Match": {header}})
				if got.Code != want {
					t.Errorf("%s with If-None-Match: %s: status %d", path, header, got.Code)
				}
			})
		}
		if got := fetch(h, http.MethodHead, path, "localhost", nil); got.Code != http.StatusOK ||
			got.Header().Get("Content-Length") != strconv.Itoa(response.Body.Len()) || got.Body.Len() != 0 {
			t.Errorf("HEAD %s: status %d, header %v", path, got.Code, got.Header())
		}
	}
}

// referencePages returns the text of each page of the API reference, by path.
func referencePages(t *testing.T) map[string]string {
	t.Helper()
	h := bareAPI(t)
	pages := map[string]string{reference.HomePath: fetchText(t, h, reference.HomePath, "[::1]:25441")}
	for link := range maps.Keys(linksOf(pages[reference.HomePath])) {
		path, _, _ := strings.Cut(link, "#")
		if strings.HasPrefix(path, reference.Prefix) && !strings.Contains(path, ".") && pages[path] == "" {
			pages[path] = fetchText(t, h, path, "[::1]:25441")
		}
	}
	return pages
}

// linksOf returns the links on a page.
func linksOf(page string) map[string]bool {
	links := map[string]bool{}
	for _, link := range regexp.MustCompile(` href="([^"]*)"`).FindAllStringSubmatch(page, -1) {
		links[html.UnescapeString(link[1])] = true
	}
	return links
}

// TestReference_Complete checks that the pages have every operation, schema, scope and error code.
func TestReference_Complete(t *testing.T) {
	pages := referencePages(t)
	for _, to := range Routes(Options{}) {
		id, path := operationID(to), reference.Prefix+tagOf(to.Path)
		for _, want := range []string{` id="op-` + id + `"`, `<code>` + to.Path + `</code>`} {
			if !strings.Contains(pages[path], want) {
				t.Errorf("%s lacks %s", path, want)
			}
		}
	}
	for _, name := range auth.AllScopes.Names() {
		if !strings.Contains(pages[reference.Prefix+"scopes"], ` id="scope-`+strings.ReplaceAll(name, ":", "-")+`"`) {
			t.Errorf("the scope %s is missing", name)
		}
	}
	for _, group := range fault.CodeGroups() {
		for _, code := range group.Codes {
			has := strings.Contains(pages[reference.Prefix+"errors"], ` id="code-`+code.Name+`"`)
			if has != (code.Origin == fault.API) {
				t.Errorf("the list has the code %s: %t", code.Name, has)
			}
		}
	}
	s := testkit.Must(specify(Routes(Options{}), "v1"))
	for name := range s.Spec.Components.Schemas {
		isRequest := strings.HasSuffix(name, "Request") // shown with the operation
		if !isRequest && !strings.Contains(pages[reference.HomePath], ` id="object-`+name+`"`) {
			t.Errorf("the object %s is missing", name)
		}
	}
}

// TestReference_LinksResolve checks every link and every id of every page, and that the home page
// has the ids of the single page that the reference was before.
func TestReference_LinksResolve(t *testing.T) {
	pages := referencePages(t)
	h := bareAPI(t)
	for path, page := range pages {
		for _, id := range regexp.MustCompile(` id="([^"]*)"`).FindAllStringSubmatch(page, -1) {
			if n := strings.Count(page, ` id="`+id[1]+`"`); n != 1 {
				t.Errorf("%s: %d elements have the id %s", path, n, id[1])
			}
		}
		for link := range linksOf(page) {
			to, fragment, hasFragment := strings.Cut(link, "#")
			if to == "" {
				to = path
			}
			target, ok := pages[to]
			if !ok && fetch(h, http.MethodGet, to, "localhost", nil).Code != http.StatusOK {
				t.Errorf("%s: %s does not exist", path, link)
			}
			if hasFragment && !strings.Contains(target, ` id="`+html.EscapeString(fragment)+`"`) {
				t.Errorf("%s: %s has no id %s", path, to, fragment)
			}
		}
	}
	ids := []string{"start", "errors", "objects", "error-409", "object-Wallet", "object-Problem"}
	for _, tag := range tags {
		ids = append(ids, tag.name)
	}
	for _, to := range Routes(Options{}) {
		ids = append(ids, "op-"+operationID(to))
	}
	for _, id := range ids {
		if !strings.Contains(pages[reference.HomePath], ` id="`+id+`"`) {
			t.Errorf("the home page lacks the id %s", id)
		}
	}
	if got := fetch(h, http.MethodGet, reference.Prefix+"nope", "localhost", nil); got.Code != http.StatusNotFound {
		t.Errorf("an unknown page: status %d", got.Code)
	}
}

// maxPage is the maximum size of a page after compression.
const maxPage = 40 << 10

func TestReference_OwnResources(t *testing.T) {
	h := bareAPI(t)
	for path, text := range referencePages(t) {
		t.Run(path, func(t *testing.T) {
			response := fetch(h, http.MethodGet, path, "localhost", http.Header{"Accept-Encoding": {"gzip"}})
			if policy := response.Header().Values("Content-Security-Policy"); len(policy) != 1 || policy[0] != reference.Policy {
				t.Errorf("the policy is %q", policy)
			}
			if n := response.Body.Len(); n > maxPage && path != reference.HomePath {
				t.Errorf("%d bytes after compression", n)
			}
			if path != reference.HomePath && response.Header().Get("Content-Encoding") != "gzip" {
				t.Error("the page is not compressed")
			}
			for _, forbidden := range []string{"<script>", " style=", "<style", " onclick=", "%!"} {
				if strings.Contains(text, forbidden) {
					t.Errorf("the page contains %s", forbidden)
				}
			}
			text = strings.ReplaceAll(text, "http://[::1]:25441", "")
			text = strings.ReplaceAll(text, "https://shop.example/", "/") // the example of a webhook's address, which is only text
			if i := regexp.MustCompile(`https?://`).FindStringIndex(text); i != nil {
				t.Errorf("the page has a URL of another site: %s", text[i[0]:i[0]+40])
			}
			for _, loaded := range regexp.MustCompile(`(?:src|<link[^>]*href)="([^"]*)"`).FindAllStringSubmatch(text, -1) {
				if loaded[1] != reference.StylePath && !strings.HasPrefix(loaded[1], reference.Prefix) {
					t.Errorf("the page loads %s", loaded[1])
				}
			}
		})
	}
	for _, path := range []string{reference.StylePath, reference.Prefix + "search.js", reference.Prefix + "page.js", reference.Prefix + "try.js"} {
		text := fetchText(t, h, path, "localhost")
		if strings.Contains(text, "url(") || strings.Contains(text, "//cdn") || regexp.MustCompile(`https?:`).MatchString(text) {
			t.Errorf("%s loads a resource", path)
		}
		if n := strings.Count(text, "\n"); n > 150 && strings.HasSuffix(path, ".js") {
			t.Errorf("%s has %d lines", path, n)
		}
	}
}

// TestReference_Colours checks that the reference has the colours of the web console.
func TestReference_Colours(t *testing.T) {
	colours := func(style string) []string {
		return regexp.MustCompile(`--\w[\w-]*: light-dark\([^)]*\)`).FindAllString(style, -1)
	}
	console := colours(string(testkit.Must(os.ReadFile("../console/assets/style.css"))))
	if diff := cmp.Diff(console, colours(fetchText(t, bareAPI(t), reference.StylePath, "localhost"))); len(console) < 10 || diff != "" {
		t.Errorf("differences from the console:\n%s", diff)
	}
}

// sample is an example of a request on a page.
var sample = regexp.MustCompile(`(?s)id="(curl|python|go|typescript)-(\w+)"[^>]*><label[^>]*>\w+</label>\n<pre><code>(.*?)</code></pre>`)

// samplesIn returns the examples of requests in a language, by operation id.
func samplesIn(pages map[string]string, language string) map[string]string {
	samples := map[string]string{}
	for _, page := range pages {
		for _, m := range sample.FindAllStringSubmatch(page, -1) {
			if m[1] == language {
				samples[m[2]] = html.UnescapeString(m[3])
			}
		}
	}
	return samples
}

// TestReference_CurlCommands checks that the pages have a valid curl command for every route.
func TestReference_CurlCommands(t *testing.T) {
	samples := samplesIn(referencePages(t), "curl")
	for _, to := range Routes(Options{}) {
		words := samples[operationID(to)]
		t.Run(operationID(to), func(t *testing.T) {
			target := `"\$URL` + regexp.MustCompile(`\\\{\w+\\\}`).ReplaceAllString(regexp.QuoteMeta(to.Path), `[^/"?]+`) + `(\?[^"]*)?"`
			_, rest, hasBody := strings.Cut(words, " -d '")
			method := http.MethodGet
			if hasBody || strings.Contains(words, " --data-binary @") {
				method = http.MethodPost
			}
			if m := regexp.MustCompile(` -X (\w+) `).FindStringSubmatch(words); m != nil {
				method = m[1]
			}
			if method != to.Method || !regexp.MustCompile(target).MatchString(words) {
				t.Fatalf("%s is not %s %s", words, to.Method, to.Path)
			}
			if strings.Contains(words, "$TOKEN") != to.Credentials.TakesBearer() ||
				strings.Contains(words, "-u admin") != (to.Credentials.TakesBasic() && !to.Credentials.TakesBearer()) {
				t.Errorf("%s lacks the credential that %s %s requires", words, to.Method, to.Path)
			}
			if body := strings.TrimSuffix(rest, "'"); hasBody {
				in := reflect.New(to.Handler.In).Interface()
				if err := route.DecodeJSON([]byte(body), in, versionOf(to.Path).strict); err != nil {
					t.Errorf("%s: %v", words, err)
				}
			}
		})
	}
}

// pythonProgram calls each method with the arguments of the examples, and prints method and path of
// the requests.
const pythonProgram = `
import json, sys
import specterd
from specterd import _http

sent = []

class Stop(Exception):
    pass

def send(self, request, **options):
    request.target(), request.payload()
    sent.append((request.method, request.path))
    raise Stop

_http.Transport.open = send
client = specterd.Client("http://127.0.0.1:1", token="t")
found = {}
for operation, code in json.load(sys.stdin).items():
    sent.clear()
    try:
        result = eval(code.replace('open("FILE", "rb").read()', '"{}"'))
        list(result)
    except Stop:
        pass
    found[operation] = sent[0] if sent else None
print(json.dumps(found))
`

// TestReference_PythonCalls calls the methods of the Python client as the examples do.
func TestReference_PythonCalls(t *testing.T) {
	testkit.NeedsServer(t, "python3")
	samples := samplesIn(referencePages(t), "python")
	command := exec.Command("python3", "-c", pythonProgram)
	command.Env = append(os.Environ(), "PYTHONPATH=../../clients/python", "PYTHONDONTWRITEBYTECODE=1")
	command.Stdin = bytes.NewReader(testkit.Must(json.Marshal(samples)))
	var problems bytes.Buffer
	command.Stderr = &problems
	out, err := command.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, problems.String())
	}
	var found map[string][]string
	testkit.Check(t, json.Unmarshal(out, &found))
	for _, to := range Routes(Options{}) {
		if apiOf(to.Path) == "v1alpha" {
			continue
		}
		if got := found[operationID(to)]; !slices.Equal(got, []string{to.Method, to.Path}) {
			t.Errorf("%s requests %v instead of %s %s", samples[operationID(to)], got, to.Method, to.Path)
		}
	}
}

// TestReference_GoCalls compiles the calls of the Go client.
func TestReference_GoCalls(t *testing.T) {
	testkit.NeedsTime(t)
	samples := samplesIn(referencePages(t), "go")
	var program strings.Builder
	program.WriteString("package samples\n\nimport (\n\t\"context\"\n\t\"fmt\"\n\t\"time\"\n\n\t\"github.com/specterd/specterd/api/v1\"\n\t\"github.com/specterd/specterd/client\"\n)\n\nvar _ = time.UTC\nvar labels []v1.Label\nvar _ = fmt.Println\n")
	for _, to := range Routes(Options{}) {
		code, ok := samples[operationID(to)]
		if ok == (apiOf(to.Path) == "v1alpha") {
			t.Errorf("%s has an example: %t", operationID(to), ok)
		}
		if !ok {
			continue
		}
		end := "return err"
		if strings.HasPrefix(code, "for ") {
			end = "return nil"
		} else if strings.HasPrefix(code, "result, ") {
			end = "_ = result\n\treturn err"
		}
		fmt.Fprintf(&program, "\nfunc %s(ctx context.Context, c *client.Client) error {\n\t%s\n\t%s\n}\n", operationID(to), code, end)
	}
	folder := t.TempDir()
	source := filepath.Join(folder, "samples.go")
	testkit.Check(t, os.WriteFile(source, []byte(program.String()), 0o600))
	place := testkit.Must(filepath.Abs("samples/samples.go")) // does not exist, except for the compiler
	overlay := filepath.Join(folder, "overlay.json")
	testkit.Check(t, os.WriteFile(overlay, testkit.Must(json.Marshal(map[string]any{"Replace": map[string]string{place: source}})), 0o600))
	if out, err := exec.Command("go", "build", "-overlay", overlay, "./samples").CombinedOutput(); err != nil {
		t.Errorf("%v: %s\n%s", err, out, program.String())
	}
}

// TestReference_TypeScriptCalls runs the calls of the TypeScript client in Node, and checks their
// arguments. The client has a method for each operation id.
func TestReference_TypeScriptCalls(t *testing.T) {
	testkit.NeedsServer(t, "node")
	samples := samplesIn(referencePages(t), "typescript")
	program := `const sent = {}, labels = "";
const client = new Proxy({}, { get: (_, name) => async (args) => { sent[name] = args ?? {}; return {}; } });
`
	for id, code := range samples {
		program += "// " + id + "\n{ " + code + " }\n"
	}
	command := exec.Command("node", "--input-type=module", "--eval", program+"console.log(JSON.stringify(sent));")
	var problems bytes.Buffer
	command.Stderr = &problems
	out, err := command.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, problems.String())
	}
	var sent map[string]map[string]any
	testkit.Check(t, json.Unmarshal(out, &sent))
	for _, to := range Routes(Options{}) {
		id := operationID(to)
		got, ok := sent[id]
		if ok == (apiOf(to.Path) == "v1alpha") {
			t.Errorf("%s has an example: %t", id, ok)
		}
		if !ok {
			continue
		}
		for _, name := range regexp.MustCompile(`\{(\w+)\}`).FindAllStringSubmatch(to.Path, -1) {
			if got[name[1]] == nil {
				t.Errorf("%s lacks %s", samples[id], name[1])
			}
		}
		if body, ok := got["body"].(map[string]any); ok {
			in := reflect.New(to.Handler.In).Interface()
			if err := route.DecodeJSON(testkit.Must(json.Marshal(body)), in, versionOf(to.Path).strict); err != nil {
				t.Errorf("%s: %v", samples[id], err)
			}
		}
	}
}

// TestReference_RecordedExamples checks that the pages show every recorded response.
func TestReference_RecordedExamples(t *testing.T) {
	pages := referencePages(t)
	examples := testkit.Must(readExamples())
	shown := 0
	for _, to := range Routes(Options{}) {
		key := fmt.Sprintf("%s %s %d", to.Method, to.Path, to.Handler.Status)
		page := html.UnescapeString(pages[reference.Prefix+tagOf(to.Path)])
		for mediaType, example := range examples[key] {
			if mediaType == "application/x-ndjson" { // the same as application/jsonl
				continue
			}
			text, ok := example.(string)
			if !ok {
				text = string(testkit.Must(json.MarshalIndent(example, "", "  ")))
			}
			if shown++; !strings.Contains(page, strings.TrimRight(text, "\n")) {
				t.Errorf("%s lacks the recorded example of %s, %s", tagOf(to.Path), key, mediaType)
			}
		}
	}
	if shown < 90 {
		t.Errorf("only %d examples are recorded", shown)
	}
}

func TestReference_RequiredFieldsHaveExamples(t *testing.T) {
	s := testkit.Must(specify(Routes(Options{}), "v1"))
	for name, schema := range s.Spec.Components.Schemas {
		if !strings.HasSuffix(name, "Request") {
			continue
		}
		properties, _ := schema["properties"].(map[string]any)
		for field, property := range properties {
			property, _ := property.(map[string]any)
			required, _ := schema["required"].([]any)
			if slices.Contains(required, any(field)) && property["examples"] == nil {
				t.Errorf("%s: %s has no example", name, field)
			}
			if property["description"] == nil && property["$ref"] == nil {
				t.Errorf("%s: %s has no description", name, field)
			}
		}
	}
}

func TestBaseURL(t *testing.T) {
	for host, want := range map[string]string{
		"localhost:25441":        "http://localhost:25441",
		"btc.example.org":        "http://btc.example.org",
		"[::1]:25441":            "http://[::1]:25441",
		"a$(id):1":               "http://127.0.0.1:25441",
		"a;id":                   "http://127.0.0.1:25441",
		"<b>":                    "http://127.0.0.1:25441",
		"":                       "http://127.0.0.1:25441",
		"localhost:25441\nid":    "http://127.0.0.1:25441",
		strings.Repeat("a", 300): "http://127.0.0.1:25441",
	} {
		t.Run(host, func(t *testing.T) {
			if got := baseURL(&http.Request{Host: host}); got != want {
				t.Errorf("%q: got %s", host, got)
			}
		})
	}
	behind := &http.Request{Host: "btc.example.org", Header: http.Header{"X-Forwarded-Proto": {"https"}}}
	if got := baseURL(behind); got != "https://btc.example.org" {
		t.Errorf("behind a proxy with TLS: %s", got)
	}
}
