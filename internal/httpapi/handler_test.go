package httpapi_test

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/httpapi/route"
)

// withHandlers adds one route for each kind of handler.
func withHandlers(s *setup) {
	s.routes = func(routes []route.Route) []route.Route {
		add := func(method, path string, h route.Handler) {
			routes = append(routes, route.Route{Method: method, Path: "/api/v1/" + path, Handler: h, Summary: "Try " + path})
		}
		var count atomic.Int64
		add("GET", "tagged", route.OK(func(_ context.Context, in parameters) (greeting, error) {
			return greeting{strings.Repeat("x", in.Number)}, nil
		}).WithETag())
		add("GET", "changing", route.OK(func(context.Context, struct{}) (greeting, error) {
			return greeting{fmt.Sprint(count.Add(1))}, nil
		}).WithETag())
		add("GET", "either", route.Stream(func(_ context.Context, in parameters) (route.Streamed, error) {
			if in.Number > 0 {
				return route.Streamed{ContentType: "text/csv", Body: func(w *bufio.Writer) error { return writeX(w, in.Number) }}, nil
			}
			return route.Whole(greeting{"whole"}), nil
		}, route.MediaOf[greeting]("application/json"), route.MediaOf[string]("text/csv")).WithETag())
		add("PUT", "thing", route.CreatedOrOK(func(_ context.Context, in parameters) (greeting, bool, error) {
			return greeting{"put"}, in.Number > 0, nil
		}))
		add("POST", "text", route.OK(func(_ context.Context, in struct {
			Text []byte `body:"text/plain,application/jsonl" json:"-"`
		},
		) (greeting, error) {
			return greeting{string(in.Text)}, nil
		}))
		add("POST", "either-body", route.OK(func(_ context.Context, in eitherBody) (greeting, error) {
			return greeting{fmt.Sprintf("%s %d", in.Message, len(in.Text))}, nil
		}))
		add("POST", "try", route.CreatedOrDryRun(func(_ context.Context, in parameters) (greeting, bool, error) {
			return greeting{"made"}, in.Number > 0, nil
		}))
		add("GET", "list", route.OK(func(_ context.Context, in struct {
			Names []string `query:"name" json:"-"`
		},
		) (greeting, error) {
			return greeting{fmt.Sprintf("%q", in.Names)}, nil
		}))
		add("GET", "versioned", route.OK(func(_ context.Context, in parameters) (versioned, error) {
			return versioned{greeting{"hello"}, in.Number}, nil
		}).WithETag())
		add("POST", "versioned", route.OK(func(_ context.Context, in parameters) (versioned, error) {
			return versioned{greeting{"hello"}, in.Number}, nil
		}))
		add("GET", "given", route.OK(func(_ context.Context, in optional) (greeting, error) {
			return greeting{in.String()}, nil
		}))
		return routes
	}
}

type eitherBody struct {
	Message string   `json:"message" required:"true"`
	List    []number `json:"list"`
	Text    []byte   `body:"text/plain" json:"-"`
}

// MaxBody implements route.Limited.
func (eitherBody) MaxBody() int64 { return 2_000_000 }

// number is a type whose UnmarshalJSON always returns a fault.
type number int

func (*number) UnmarshalJSON([]byte) error {
	return fault.New(fault.Invalid, "invalid_number", "must be a number")
}

type versioned struct {
	greeting
	version int
}

// ETag implements route.Versioned.
func (v versioned) ETag() string {
	if v.version == 0 {
		return ""
	}
	return fmt.Sprintf("%q", fmt.Sprint(v.version))
}

type parameters struct {
	Number int `query:"number" json:"-"`
}

type optional struct {
	parameters
	Text *string `query:"text" json:"-"`
	Flag *bool   `query:"flag" json:"-"`
	Size *int    `query:"size" json:"-"`
}

func (o optional) String() string {
	text := fmt.Sprint(o.Number)
	if o.Text != nil {
		text += fmt.Sprintf(" text %q", *o.Text)
	}
	if o.Flag != nil {
		text += fmt.Sprint(" flag ", *o.Flag)
	}
	if o.Size != nil {
		text += fmt.Sprint(" size ", *o.Size)
	}
	return text
}

// TestETag checks conditional requests with If-None-Match (RFC 9110, section 13.1.2).
func TestETag(t *testing.T) {
	t.Parallel()
	s := start(t, withHandlers)
	ask := func(method, path, tags string) answer {
		t.Helper()
		r := request{method: method, path: "/api/v1/" + path, header: map[string]string{}}
		if tags != "" {
			r.header["If-None-Match"] = tags
		}
		return s.do(t, r)
	}
	for _, path := range []string{"tagged", "tagged?number=5000", "either"} {
		first := ask("GET", path, "").want(t, 200)
		etag := first.header.Get("Etag")
		if !strings.HasPrefix(etag, `"`) || !strings.HasSuffix(etag, `"`) || len(etag) < 20 {
			t.Fatalf("%s: ETag %s", path, etag)
		}
		for _, method := range []string{"GET", "HEAD"} {
			for tags, status := range map[string]int{
				etag: 304, "W/" + etag: 304, "*": 304, `"x", ` + etag: 304, `"x"`: 200, strings.Trim(etag, `"`): 200, "": 200,
			} {
				t.Run(tags, func(t *testing.T) {
					got := ask(method, path, tags).want(t, status)
					if got.header.Get("Etag") != etag || got.header.Get("Cache-Control") != "private, no-cache" || !strings.Contains(strings.Join(got.header.Values("Vary"), ","), "Authorization") {
						t.Errorf("%s %s: %v", method, path, got.header)
					}
					if whole := method == "GET" && status == 200; whole != (got.body == first.body) || !whole && got.body != "" {
						t.Errorf("%s %s with If-None-Match: %s: %d, %.60s", method, path, tags, got.status, got.body)
					}
				})
			}
		}
	}
	if a, b := ask("GET", "tagged", ""), ask("GET", "tagged?number=1", ""); a.header.Get("Etag") == b.header.Get("Etag") {
		t.Error("two different responses have the same ETag")
	}
	old := ask("GET", "changing", "").header.Get("Etag")
	ask("GET", "changing", old).want(t, 200, `"2"`)
	streamed := ask("GET", "either?number=3", "*").want(t, 200, "xxx")
	if streamed.header.Get("Etag") != "" || streamed.header.Get("Cache-Control") != "no-store" || streamed.header.Get("Vary") != "Accept" {
		t.Errorf("streamed: %v", streamed.header)
	}
	if got := ask("GET", "tagged?number=x", "*").want(t, 400); got.header.Get("Etag") != "" || got.header.Get("Cache-Control") != "no-store" {
		t.Errorf("an error: %v", got.header)
	}
	if got := s.call(t, "GET", "/api/healthz/liveness", "", "").want(t, 200); got.header.Get("Etag") != "" {
		t.Errorf("a route without ETags: %v", got.header)
	}
}

func TestPut(t *testing.T) {
	t.Parallel()
	s := start(t, withHandlers)
	s.call(t, "PUT", "/api/v1/thing?number=1", "", "").want(t, 201, `"put"`)
	s.call(t, "PUT", "/api/v1/thing", "", "").want(t, 200, `"put"`)
}

func TestTextBody(t *testing.T) {
	t.Parallel()
	s := start(t, withHandlers)
	for contentType, status := range map[string]int{
		"text/plain": 200, "application/jsonl": 200, "application/jsonl; charset=UTF-8": 200, "TEXT/PLAIN": 200,
		"application/json": 415, "text/plain; charset=latin1": 415, "text/*": 415, "nonsense/": 415, "": 415,
	} {
		t.Run(contentType, func(t *testing.T) {
			got := s.do(t, request{method: "POST", path: "/api/v1/text", body: "{}\n\nx", header: map[string]string{"Content-Type": contentType}})
			if got.want(t, status); status == http.StatusOK && got.text("message") != "{}\n\nx" {
				t.Errorf("%s: %s", contentType, got.body)
			}
			if status != http.StatusOK {
				got.wantProblem(t, status, "unsupported_media_type").want(t, status, "text/plain, application/jsonl")
			}
		})
	}
	plain := map[string]string{"Content-Type": "text/plain"}
	s.do(t, request{method: "POST", path: "/api/v1/text", header: plain}).want(t, 200, `""`)
	s.do(t, request{method: "POST", path: "/api/v1/text", header: plain, body: strings.Repeat("x", 1<<20)}).want(t, 200)
	s.do(t, request{method: "POST", path: "/api/v1/text", header: plain, body: strings.Repeat("x", 1<<20+1)}).wantProblem(t, 413, "body_too_large")
	s.do(t, request{method: "POST", path: "/api/v1/text?x=1", header: plain}).wantProblem(t, 400, "unknown_parameter")
}

// TestJSONOrText tests a route that accepts a JSON object or a plain text body.
func TestJSONOrText(t *testing.T) {
	t.Parallel()
	s := start(t, withHandlers)
	ask := func(contentType, body string) answer {
		return s.do(t, request{method: "POST", path: "/api/v1/either-body", body: body, header: map[string]string{"Content-Type": contentType}})
	}
	ask("application/json", `{"message": "hello"}`).want(t, 200, `"hello 0"`)
	ask("text/plain; charset=utf-8", `{"message": "hello"}`).want(t, 200, `" 20"`)
	ask("text/plain", strings.Repeat("x", 2_000_000)).want(t, 200, `" 2000000"`)
	ask("text/plain", strings.Repeat("x", 2_000_001)).wantProblem(t, 413, "body_too_large").want(t, 413, "larger than 2000000 bytes")
	ask("application/json", `{"message": "`+strings.Repeat("x", 2_000_000)).wantProblem(t, 413, "body_too_large")
	ask("text/html", "x").wantProblem(t, 415, "unsupported_media_type").want(t, 415, "application/json, text/plain")
	for body, field := range map[string]string{
		`{"list": [1]}`: "list[0]: must be a number", `{"list": {}}`: "list: must be a list", `{"message": 1}`: "message: must be a string",
		`{"list": [NaN]}`: "list[0]: is not well-formed JSON", `{"message": x}`: "message: is not well-formed JSON", `{"secret": x}`: "the body is not well-formed JSON",
	} {
		t.Run(body, func(t *testing.T) {
			if got := ask("application/json", body).want(t, 400, field); strings.Contains(got.body, "secret") {
				t.Errorf("the response repeats the name of an unknown field: %s", got.body)
			}
		})
	}
}

func TestCreatedOrDryRun(t *testing.T) {
	t.Parallel()
	s := start(t, withHandlers)
	s.call(t, "POST", "/api/v1/try?number=1", "", "").want(t, 201, `"made"`)
	s.call(t, "POST", "/api/v1/try", "", "").want(t, 200, `"made"`)
}

func TestListParameter(t *testing.T) {
	t.Parallel()
	s := start(t, withHandlers)
	for query, want := range map[string]string{"": `[]`, "name=a": `["a"]`, "name=a,b&name=c": `["a" "b" "c"]`, "name=": `[""]`} {
		t.Run(query, func(t *testing.T) {
			if got := s.call(t, "GET", "/api/v1/list?"+query, "", "").want(t, 200); got.text("message") != want {
				t.Errorf("%s: %s, want %s", query, got.text("message"), want)
			}
		})
	}
}

// TestVersioned tests responses that define their own ETag.
func TestVersioned(t *testing.T) {
	t.Parallel()
	s := start(t, withHandlers)
	for _, c := range []struct {
		method, query, tags, etag string
		status                    int
	}{
		{"GET", "?number=7", "", `"7"`, 200},
		{"GET", "?number=7", `"7"`, `"7"`, 304},
		{"HEAD", "?number=7", `"6", W/"7"`, `"7"`, 304},
		{"GET", "?number=7", `"6"`, `"7"`, 200},
		{"GET", "", `"0"`, "", 200},
		{"POST", "?number=7", `"7"`, `"7"`, 200},
		{"POST", "", "", "", 200},
	} {
		t.Run(c.method, func(t *testing.T) {
			r := request{method: c.method, path: "/api/v1/versioned" + c.query, header: map[string]string{}}
			if c.tags != "" {
				r.header["If-None-Match"] = c.tags
			}
			got := s.do(t, r).want(t, c.status)
			if cache := got.header.Get("Cache-Control"); got.header.Get("Etag") != c.etag || (cache == "no-store") != (c.method == "POST") {
				t.Errorf("%s %s with %s: %v", c.method, c.query, c.tags, got.header)
			}
		})
	}
}

func TestOptionalParameters(t *testing.T) {
	t.Parallel()
	s := start(t, withHandlers)
	for query, want := range map[string]string{
		"": "0", "number=2": "2", "text=": `0 text ""`, "text=a%20b&flag=false&size=-1&number=5": `5 text "a b" flag false size -1`, "flag=1": "0 flag true",
	} {
		t.Run(query, func(t *testing.T) {
			if got := s.call(t, "GET", "/api/v1/given?"+query, "", "").want(t, 200); got.text("message") != want {
				t.Errorf("%s: %s, want %s", query, got.text("message"), want)
			}
		})
	}
	for query, field := range map[string]string{
		"size=": "size", "size=1.5": "size", "flag=maybe": "flag", "text=%FF": "text", "text=a&text=b": "text", "number=x": "number",
	} {
		s.call(t, "GET", "/api/v1/given?"+query, "", "").wantProblem(t, 400, "invalid_input").want(t, 400, `"field":"`+field+`"`)
	}
	s.call(t, "GET", "/api/v1/given?Text=a", "", "").wantProblem(t, 400, "unknown_parameter").want(t, 400, "number, text, flag, size")
}
