package httpapi_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/httpapi"
	"github.com/specterd/specterd/internal/httpapi/route"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

const manyBytes = 1 << 20

// streams adds the streaming routes of these tests to the route table.
func streams(routes []route.Route) []route.Route {
	add := func(path string, body func(ctx context.Context, w *bufio.Writer) error) {
		serve := func(ctx context.Context, in streamRequest) (route.Streamed, error) {
			if in.Accept == "application/json" {
				return route.Whole(greeting{"whole"}), nil
			}
			return route.Streamed{
				ContentType: "text/csv; charset=utf-8", Header: http.Header{"X-Extra": {"more"}},
				Body: func(w *bufio.Writer) error { return body(ctx, w) },
			}, nil
		}
		handler := route.Stream(serve, route.MediaOf[greeting]("application/json"), route.MediaOf[string]("text/csv"))
		routes = append(routes, route.Route{Method: "GET", Path: path, Handler: handler, Summary: "Stream"})
	}
	for _, version := range []string{"/api/v1", "/api/v1alpha"} {
		add(version+"/empty", func(context.Context, *bufio.Writer) error { return nil })
		add(version+"/small", func(_ context.Context, w *bufio.Writer) error { return writeX(w, 3000) })
		add(version+"/large", func(_ context.Context, w *bufio.Writer) error { return writeX(w, manyBytes) })
		add(version+"/early", func(_ context.Context, w *bufio.Writer) error {
			return errors.Join(writeX(w, 3000), errors.New("the inside story"))
		})
		add(version+"/late", func(_ context.Context, w *bufio.Writer) error {
			return errors.Join(writeX(w, manyBytes), errors.New("the inside story"))
		})
		add(version+"/panic", func(_ context.Context, w *bufio.Writer) error {
			testkit.Check(nil, writeX(w, manyBytes))
			panic("the inside story")
		})
		add(version+"/endless", func(_ context.Context, w *bufio.Writer) error {
			for {
				if err := writeX(w, manyBytes); err != nil {
					return err
				}
			}
		})
		add(version+"/waits", func(ctx context.Context, _ *bufio.Writer) error {
			<-ctx.Done()
			return ctx.Err()
		})
	}
	return routes
}

type streamRequest struct {
	Accept string `header:"Accept" json:"-"`
}

func writeX(w *bufio.Writer, n int) error {
	for range n {
		if err := w.WriteByte('x'); err != nil {
			return err
		}
	}
	return nil
}

// TestStream checks that streamed responses are complete, with and without Content-Length.
func TestStream(t *testing.T) {
	t.Parallel()
	s := start(t, func(s *setup) { s.routes = streams })
	for path, c := range map[string]struct{ length, declared string }{
		"/api/v1/empty": {"0", "0"}, "/api/v1/small": {"3000", "3000"}, "/api/v1alpha/large": {"1048576", ""},
	} {
		t.Run(path, func(t *testing.T) {
			got := s.call(t, "GET", path, "", "").want(t, 200)
			if string(testkit.Must(json.Marshal(len(got.body)))) != c.length || strings.Trim(got.body, "x") != "" || got.header.Get("Content-Length") != c.declared {
				t.Errorf("%s: %d bytes, Content-Length %q", path, len(got.body), got.header.Get("Content-Length"))
			}
			head := s.call(t, "HEAD", path, "", "").want(t, 200)
			for _, a := range []answer{got, head} {
				if a.header.Get("Content-Type") != "text/csv; charset=utf-8" || a.header.Get("X-Extra") != "more" {
					t.Errorf("%s: %v", path, a.header)
				}
			}
			if head.body != "" {
				t.Errorf("HEAD %s has a body", path)
			}
			whole := s.do(t, request{method: "GET", path: path, header: map[string]string{"Accept": "application/json"}}).want(t, 200)
			if whole.body != `{"message":"whole"}`+"\n" || whole.header.Get("Content-Type") != "application/json" || whole.header.Get("X-Extra") != "" {
				t.Errorf("%s, whole: %s %v", path, whole.body, whole.header)
			}
		})
	}
}

// TestStream_ErrorMidStream checks that a client can detect an incomplete response if the stream
// fails.
func TestStream_ErrorMidStream(t *testing.T) {
	t.Parallel()
	s := start(t, func(s *setup) { s.routes = streams })
	s.mayFail = true
	const internal = "something went wrong inside specterd; its log has the reason under this request's id"
	for _, version := range []string{"/api/v1", "/api/v1alpha"} {
		early := s.call(t, "GET", version+"/early", "", "")
		wantError(t, early, version, 500, "internal", internal)
		if early.header.Get("X-Extra") != "" {
			t.Errorf("the error has the stream's header: %v", early.header)
		}
		for path, message := range map[string]string{"/late": "response aborted", "/panic": "request panicked"} {
			res := s.get(t, version+path) //nolint:bodyclose // get closes it
			body, err := io.ReadAll(res.Body)
			if err == nil || len(body) == 0 || len(body) > manyBytes {
				t.Errorf("%s: %d bytes, %v", path, len(body), err)
			}
			line := s.waitFor(t, message, res.Header.Get("X-Request-Id"))
			if line["level"] != "ERROR" {
				t.Errorf("%s: %v", path, line)
			}
			if line := s.waitFor(t, "request", res.Header.Get("X-Request-Id")); line["cut"] != true || line["status"] != 200.0 {
				t.Errorf("%s: %v", path, line)
			}
		}
	}
}

// TestStream_ClientDisconnects checks that a stream ends if its client disconnects, and that
// this is not logged as an error.
func TestStream_ClientDisconnects(t *testing.T) {
	t.Parallel()
	s := start(t, func(s *setup) { s.routes = streams })
	res := s.get(t, "/api/v1/endless")
	_, err := io.CopyN(io.Discard, res.Body, manyBytes)
	testkit.Check(t, err)
	testkit.Check(t, res.Body.Close())
	if line := s.waitFor(t, "response aborted", res.Header.Get("X-Request-Id")); line["level"] != "DEBUG" {
		t.Errorf("%v", line)
	}
	ctx, leave := context.WithCancel(t.Context())
	req := testkit.Must(http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/api/v1/waits", nil))
	req.Header.Set("X-Request-Id", "waits")
	time.AfterFunc(50*time.Millisecond, leave)
	if _, err := s.client.Do(req); err == nil { //nolint:bodyclose // there is no response
		t.Error("the client got a response to a cancelled request")
	}
	s.waitFor(t, "request", "waits")
}

// TestStream_LongerThanTimeouts checks that a stream may take longer than the read and write
// timeouts of the server.
func TestStream_LongerThanTimeouts(t *testing.T) {
	t.Parallel()
	const (
		limit = 50 * time.Millisecond
		ticks = 10
	)
	slow := func(routes []route.Route) []route.Route {
		tick := func(ctx context.Context, n int, w io.Writer) error {
			for range n {
				select {
				case <-ctx.Done():
					return ctx.Err()
				case <-time.After(limit):
				}
				if _, err := w.Write(make([]byte, 40<<10)); err != nil {
					return err
				}
			}
			return nil
		}
		add := func(path string, h route.Handler) {
			routes = append(routes, route.Route{Method: "GET", Path: path, Handler: h, Summary: "Take long"})
		}
		add("/api/v1/slow", route.Stream(func(ctx context.Context, _ struct{}) (route.Streamed, error) {
			return route.Streamed{ContentType: "text/csv", Body: func(w *bufio.Writer) error { return tick(ctx, ticks, w) }}, nil
		}, route.MediaOf[string]("text/csv")))
		return routes
	}
	s := start(t, func(s *setup) { s.routes = slow })
	short := httptest.NewUnstartedServer(s.handler)
	short.Config.ReadTimeout, short.Config.WriteTimeout = limit, 4*limit
	short.Start()
	t.Cleanup(short.Close)
	// Keep-alive reuses the connection, so a deadline left by the first request would break the second.
	for range 2 {
		res, err := short.Client().Get(short.URL + "/api/v1/slow")
		testkit.Check(t, err)
		body, err := io.ReadAll(res.Body)
		if testkit.Check(t, errors.Join(err, res.Body.Close())); len(body) != ticks*40<<10 {
			t.Errorf("%d bytes", len(body))
		}
	}
}

// get makes a request and returns the response without reading its body.
func (s *server) get(t *testing.T, path string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+path, nil)
	testkit.Check(t, err)
	res, err := s.client.Do(req)
	testkit.Check(t, err)
	t.Cleanup(func() { _ = res.Body.Close() })
	return res
}

// waitFor waits for a log record about a request and returns it.
func (s *server) waitFor(t *testing.T, message, requestID string) map[string]any {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); <-tick.C {
		for line := range strings.Lines(s.log.String()) {
			var fields map[string]any
			testkit.Check(t, json.Unmarshal([]byte(line), &fields))
			if fields["msg"] == message && fields["request_id"] == requestID {
				return fields
			}
		}
	}
	t.Fatalf("the log has no record %q for request %s:\n%s", message, requestID, s.log.String())
	return nil
}

func TestDescribe_Streams(t *testing.T) {
	t.Parallel()
	document := string(testkit.Must(httpapi.Describe(streams(nil)[:1], "v1")))
	for _, part := range []string{`"text/csv": {`, `"application/json": {`} {
		if !strings.Contains(document, part) {
			t.Errorf("the specification lacks %s:\n%s", part, document)
		}
	}
	if strings.Contains(document, "Accept") {
		t.Error("the specification declares the header Accept, which OpenAPI ignores")
	}
}
