package httpapi

import (
	"html"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/httpapi/route"
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
	for _, path := range []string{descriptionPath, stylePath} {
		response := fetch(h, http.MethodGet, path, "localhost", nil)
		etag := response.Header().Get("Etag")
		if response.Code != http.StatusOK || etag == "" || response.Header().Get("Cache-Control") != "no-cache" {
			t.Errorf("%s: status %d, header %v", path, response.Code, response.Header())
		}
		for header, want := range map[string]int{
			etag: http.StatusNotModified, `"other", W/` + etag: http.StatusNotModified, "*": http.StatusNotModified, `"other"`: http.StatusOK,
		} {
			t.Run(header, func(t *testing.T) {
				got := fetch(h, http.MethodGet, path, "localhost", http.Header{"If-None-Match": {header}})
				if got.Code != want {
					t.Errorf("%s with If-None-Match: %s: status %d", path, header, got.Code)
				}
			})
		}
		if got := fetch(h, http.MethodHead, path, "localhost", nil); got.Code != http.StatusOK ||
			got.Header().Get("Content-Length") != strconv.Itoa(response.Body.Len()) {
			t.Errorf("HEAD %s: status %d, header %v", path, got.Code, got.Header())
		}
	}
}

func TestReference_NoExternalResources(t *testing.T) {
	h := bareAPI(t)
	for _, path := range []string{"/api", "/api/"} {
		policy := fetch(h, http.MethodGet, path, "localhost", nil).Header().Values("Content-Security-Policy")
		if len(policy) != 1 || policy[0] != referencePolicy {
			t.Errorf("%s has the policy %q", path, policy)
		}
		text := fetchText(t, h, path, "localhost:25441")
		if strings.Contains(text, "<script") || strings.Contains(text, "style=") {
			t.Errorf("%s has content that its policy forbids", path)
		}
		text = strings.ReplaceAll(text, "http://localhost:25441/", "/")
		text = strings.ReplaceAll(text, "https://shop.example/", "/") // the example of a webhook's address, which is only text
		if i := regexp.MustCompile(`https?://`).FindStringIndex(text); i != nil {
			t.Errorf("%s has a URL of another site: %s", path, text[i[0]:i[0]+40])
		}
		for _, loaded := range regexp.MustCompile(`(?:src|<link[^>]*href)="([^"]*)"`).FindAllStringSubmatch(text, -1) {
			if loaded[1] != stylePath {
				t.Errorf("%s loads %s", path, loaded[1])
			}
		}
	}
	if strings.Contains(fetchText(t, h, stylePath, "localhost"), "url(") {
		t.Error("the style sheet loads a resource")
	}
}

// TestReference_ValidFormats checks that no page has a mistake of a format, such as %!q(<nil>),
// and that null is named once, with the type.
func TestReference_ValidFormats(t *testing.T) {
	h := bareAPI(t)
	for _, path := range []string{"/api", "/api/", stylePath, descriptionPath} {
		t.Run(path, func(t *testing.T) {
			text := fetchText(t, h, path, "localhost")
			for _, match := range regexp.MustCompile(`.{0,60}%!.{0,30}`).FindAllString(text, -1) {
				t.Errorf("the page contains %s", match)
			}
		})
	}
	want := typeText{Before: "string", After: " or null"}
	schema := map[string]any{"type": []any{"string", "null"}, "enum": []any{"a", "b", nil}}
	if got, limits := typeOf(schema), limitsOf(schema); got != want || limits != `one of "a", "b"` {
		t.Errorf("got %v, %s", got, limits)
	}
}

func TestReference_LinksResolve(t *testing.T) {
	h := bareAPI(t)
	text := fetchText(t, h, "/api/", "localhost")
	for _, link := range regexp.MustCompile(`href="#([^"]*)"`).FindAllStringSubmatch(text, -1) {
		if n := strings.Count(text, ` id="`+link[1]+`"`); n != 1 {
			t.Errorf("%d elements have the id %s, want 1", n, link[1])
		}
	}
}

// TestReference_CurlCommands checks that the page has a valid curl command for every route.
func TestReference_CurlCommands(t *testing.T) {
	h := bareAPI(t)
	text := html.UnescapeString(fetchText(t, h, "/api/", "[::1]:25441"))
	lines := regexp.MustCompile(`(?m)^<pre><code>(curl .*)</code></pre>$`).FindAllStringSubmatch(text, -1)
	routes := Routes(Options{})
	if len(lines) < len(routes) {
		t.Fatalf("%d curl commands for %d routes", len(lines), len(routes))
	}
	for _, to := range routes {
		target := regexp.QuoteMeta(`"http://[::1]:25441`) + regexp.MustCompile(`\\\{\w+\\\}`).ReplaceAllString(regexp.QuoteMeta(to.Path), `(\$$[A-Z]+|alice|savings|bcrt1[a-z0-9]+|[0-9a-f]{64}(?::0)?)`) + `"$`
		found := false
		for _, line := range lines {
			words := line[1]
			_, rest, hasBody := strings.Cut(words, " -d '")
			method := http.MethodGet
			if hasBody || strings.Contains(words, " --data-binary @") {
				method = http.MethodPost
			}
			if m := regexp.MustCompile(` -X (\w+) `).FindStringSubmatch(words); m != nil {
				method = m[1]
			}
			if method != to.Method || !regexp.MustCompile(target).MatchString(words) {
				continue
			}
			found = true
			if strings.Contains(words, "$TOKEN") != to.Credentials.TakesBearer() ||
				strings.Contains(words, "-u admin") != (to.Credentials.TakesBasic() && !to.Credentials.TakesBearer()) {
				if !strings.Contains(words, "first steps") { // the command that creates the first token
					t.Errorf("%s lacks the credential that %s %s requires", words, to.Method, to.Path)
				}
			}
			if body, _, _ := strings.Cut(rest, "' "); hasBody {
				in := reflect.New(to.Handler.In).Interface()
				if err := route.DecodeJSON([]byte(body), in, versionOf(to.Path).strict); err != nil {
					t.Errorf("%s: %v", words, err)
				}
			}
		}
		if !found {
			t.Errorf("no curl command for %s %s", to.Method, to.Path)
		}
	}
}

func TestReference_RequiredFieldsHaveExamples(t *testing.T) {
	s, err := specify(Routes(Options{}), "v1")
	if err != nil {
		t.Fatal(err)
	}
	for _, to := range Routes(Options{}) {
		op, err := s.operation(to)
		if err != nil {
			t.Fatal(err)
		}
		for _, field := range s.pageOperation(op, to).Body {
			if field.Note == "required" && field.example == nil {
				t.Errorf("%s %s: %s has no example", to.Method, to.Path, field.Name)
			}
			if field.Description == "" {
				t.Errorf("%s %s: %s has no description", to.Method, to.Path, field.Name)
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
