package httpapi_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/admission"
	"github.com/specterd/specterd/internal/httpapi"
	"github.com/specterd/specterd/internal/httpapi/route"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// heavyRoutes adds limited routes to each API version: POST /heavy waits until end is closed,
// GET /heavy returns immediately, and GET /endless streams until the client disconnects.
type heavyRoutes struct {
	begun chan string // receives the first 10 bytes of the text when POST /heavy starts
	end   chan struct{}
}

type heavyRequest struct {
	Text string `json:"text"`
}

// MaxBody implements route.Limited.
func (heavyRequest) MaxBody() int64 { return 300 << 10 }

func (h *heavyRoutes) add(routes []route.Route) []route.Route {
	work := func(ctx context.Context, in heavyRequest) (greeting, error) {
		h.begun <- in.Text[:min(len(in.Text), 10)]
		select {
		case <-h.end:
			return greeting{"done"}, nil
		case <-ctx.Done():
			return greeting{}, ctx.Err()
		}
	}
	read := func(context.Context, route.None) (greeting, error) { return greeting{"done"}, nil }
	endless := func(context.Context, route.None) (route.Streamed, error) {
		return route.Streamed{ContentType: "text/csv", Body: func(w *bufio.Writer) error {
			for {
				if err := writeX(w, manyBytes); err != nil {
					return err
				}
			}
		}}, nil
	}
	for _, version := range []string{"/api/v1", "/api/v1alpha"} {
		routes = append(routes,
			route.Route{Method: "POST", Path: version + "/heavy", Credentials: route.AnyToken, Handler: route.OK(work).Heavy(), Summary: "Work"},
			route.Route{Method: "GET", Path: version + "/heavy", Credentials: route.AnyToken, Handler: route.OK(read).Heavy(), Summary: "Read"},
			route.Route{Method: "GET", Path: version + "/endless", Credentials: route.AnyToken, Handler: route.Stream(endless, route.MediaOf[string]("text/csv")), Summary: "Stream"})
	}
	return routes
}

// startHeavy starts a server with one slot for heavy requests and memory for the bodies of
// two such requests per user.
func startHeavy(t *testing.T) (*server, *heavyRoutes) {
	t.Helper()
	h := &heavyRoutes{make(chan string, 100), make(chan struct{})}
	return start(t, func(s *setup) {
		s.routes = h.add
		s.Gate = admission.New(admission.Limits{Slots: 1, PerUser: 2, Waiting: 1, UserBytes: 600 << 10, Bytes: 900 << 10, Patience: 300 * time.Millisecond})
	}), h
}

// TestHeavyRequests_OccupyAllSlots checks that while a heavy request occupies the only slot,
// light requests are answered and other heavy requests get 503 with Retry-After, and that
// heavy requests succeed again once the slot is free.
func TestHeavyRequests_OccupyAllSlots(t *testing.T) {
	t.Parallel()
	s, h := startHeavy(t)
	alice, bob := s.token(t, s.user(t, "alice", false), 0).bearer(), s.token(t, s.user(t, "bob", false), 0).bearer()
	answers := make(chan answer, 1)
	go func() { answers <- s.call(t, "POST", "/api/v1/heavy", alice, `{"text": "first"}`) }()
	if got := <-h.begun; got != "first" {
		t.Fatal(got)
	}
	for _, version := range []string{"/api/v1", "/api/v1alpha"} {
		busy := s.call(t, "POST", version+"/heavy", bob, `{"text": "second"}`)
		wantError(t, busy, version, 503, "server_busy", "too many requests are in progress; try again shortly")
		if busy.header.Get("Retry-After") != "2" {
			t.Errorf("Retry-After: %q", busy.header.Get("Retry-After"))
		}
	}
	s.call(t, "GET", "/api/v1/users/me", alice, "").want(t, 200)
	s.call(t, "GET", "/api/v1/tokens/self", bob, "").want(t, 200)
	s.call(t, "GET", "/api/v1/endless", bob, "").wantProblem(t, 503, "server_busy")
	close(h.end)
	(<-answers).want(t, 200, "done")
	s.call(t, "POST", "/api/v1/heavy", bob, `{"text": "third"}`).want(t, 200, "done")
}

// TestHeavyRequests_Recheck checks that a heavy request without a body is refused if its
// token is deleted while the request waits for a slot.
func TestHeavyRequests_Recheck(t *testing.T) {
	t.Parallel()
	h := &heavyRoutes{make(chan string, 100), make(chan struct{})}
	s := start(t, func(s *setup) {
		s.routes = h.add
		s.Gate = admission.New(admission.Limits{Slots: 1, PerUser: 1, Waiting: 1, UserBytes: 1 << 20, Bytes: 1 << 20, Patience: 20 * time.Second})
	})
	alice := s.token(t, s.user(t, "alice", false), 0).bearer()
	working := make(chan answer)
	go func() { working <- s.call(t, "POST", "/api/v1/heavy", alice, `{"text": "first"}`) }()
	<-h.begun
	k := s.token(t, s.user(t, "bob", false), 0)
	statuses := make(chan int, 3)
	for range 3 {
		go func() { statuses <- s.call(t, "GET", "/api/v1/heavy", k.bearer(), "").status }()
	}
	if got := <-statuses; got != 429 { // of the other two, one waits for the slot, and one for bob's only place
		t.Fatal(got)
	}
	s.sql(t, "DELETE FROM tokens WHERE token_id = $1", k.id)
	close(h.end)
	(<-working).want(t, 200, "done")
	for range 2 {
		if got := <-statuses; got != 401 {
			t.Errorf("with a deleted token: %d", got)
		}
	}
}

// TestHeavyRequests_Routes checks that a route is heavy if it parses or creates a PSBT, derives
// the addresses of a new wallet, or accepts a body larger than route.DefaultMaxBody.
func TestHeavyRequests_Routes(t *testing.T) {
	t.Parallel()
	light := []string{"CancelProposal", "AbandonProposal"}
	for _, to := range httpapi.Routes(httpapi.Options{}) {
		hasPSBTs := strings.Contains(to.Path, "/proposals") || strings.HasSuffix(to.Path, "/psbt")
		isHeavy := hasPSBTs && !slices.Contains(light, to.Handler.Name) || to.Handler.Name == "CreateWallet" || to.Handler.MaxBody > route.DefaultMaxBody
		if isHeavy && !to.Handler.IsHeavy {
			t.Errorf("%s %s is not limited", to.Method, to.Path)
		}
	}
}

// TestHeavyRequests_OfOneUser checks that if one user sends many heavy requests concurrently,
// one is executed and the others get 429 or 503.
func TestHeavyRequests_OfOneUser(t *testing.T) {
	t.Parallel()
	s, h := startHeavy(t)
	alice := s.token(t, s.user(t, "alice", false), 0).bearer()
	const many = 20
	statuses := make(chan int, many)
	for range many {
		go func() { statuses <- s.call(t, "POST", "/api/v1/heavy", alice, `{"text": "x"}`).status }()
	}
	counts := map[int]int{}
	for range many - 1 {
		counts[<-statuses]++
	}
	if counts[429] == 0 || counts[503] == 0 || counts[429]+counts[503] != many-1 { // 503: queued, but no slot became free in time
		t.Errorf("%v", counts)
	}
	close(h.end)
	if got := <-statuses; got != 200 || len(h.begun) != 1 {
		t.Errorf("status %d, and %d requests were started", got, len(h.begun))
	}
}

// sendSlowly sends a request with a body of size bytes, except for the last byte. It returns the
// connection, which is closed at the end of the test.
func (s *server) sendSlowly(t *testing.T, path, bearer string, size int) net.Conn {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(s.url, "http://"))
	testkit.Check(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	body := `{"text": "` + strings.Repeat("x", size-len(`{"text": ""}`)) + `"}`
	_, err = fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		path, bearer, len(body), body[:len(body)-1])
	testkit.Check(t, err)
	return conn
}

// TestHeavyRequests_SlowSenders checks that requests whose bodies arrive slowly hold no slot,
// and that another large body gets 429 if it exceeds the memory limit of its user, and 503 if
// it exceeds the memory limit of the server.
func TestHeavyRequests_SlowSenders(t *testing.T) {
	t.Parallel()
	s, h := startHeavy(t)
	close(h.end)
	alice, bob := s.token(t, s.user(t, "alice", false), 0).bearer(), s.token(t, s.user(t, "bob", false), 0).bearer()
	const large = 290 << 10
	first, second := s.sendSlowly(t, "/api/v1/heavy", alice, large), s.sendSlowly(t, "/api/v1/heavy", alice, large)
	testkit.Eventually(t, "the memory limit of alice is reached", func() bool {
		return s.call(t, "POST", "/api/v1/heavy", alice, `{"text": "`+strings.Repeat("y", large-20)+`"}`).status == 429
	})
	s.call(t, "POST", "/api/v1/heavy", bob, `{"text": "`+strings.Repeat("z", large-20)+`"}`).want(t, 200, "done")
	s.sendSlowly(t, "/api/v1/heavy", bob, large)
	testkit.Eventually(t, "the memory limit of the server is reached", func() bool {
		return s.call(t, "POST", "/api/v1/heavy", bob, `{"text": "`+strings.Repeat("z", large-20)+`"}`).status == 503
	})
	s.call(t, "POST", "/api/v1/heavy", bob, `{"text": "small"}`).want(t, 200, "done")
	s.call(t, "GET", "/api/v1/users/me", alice, "").want(t, 200)
	for _, conn := range []net.Conn{first, second} {
		_, err := io.WriteString(conn, "}")
		testkit.Check(t, err)
		got, err := http.ReadResponse(bufio.NewReader(conn), nil)
		testkit.Check(t, err)
		testkit.Check(t, got.Body.Close())
		if got.StatusCode != http.StatusOK {
			t.Errorf("slow request: status %s, want 200", got.Status)
		}
	}
}

// TestHeavyRequests_UnknownLength checks that a body of unknown length reserves the maximum
// body size of its route.
func TestHeavyRequests_UnknownLength(t *testing.T) {
	t.Parallel()
	s, h := startHeavy(t)
	close(h.end)
	alice := s.token(t, s.user(t, "alice", false), 0).bearer()
	for range 2 {
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(s.url, "http://"))
		testkit.Check(t, err)
		t.Cleanup(func() { _ = conn.Close() })
		_, err = fmt.Fprintf(conn, "POST /api/v1/heavy HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: %s\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n", alice)
		testkit.Check(t, err)
	}
	testkit.Eventually(t, "the memory limit of alice is reached", func() bool {
		return s.call(t, "POST", "/api/v1/heavy", alice, `{"text": "x"}`).status == 429
	})
}

// TestHeavyRequests_SlowReaders checks that a streamed response releases its slot while its
// client does not read.
func TestHeavyRequests_SlowReaders(t *testing.T) {
	t.Parallel()
	s, h := startHeavy(t)
	close(h.end)
	alice := s.token(t, s.user(t, "alice", false), 0).bearer()
	for range 2 {
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(s.url, "http://"))
		testkit.Check(t, err)
		t.Cleanup(func() { _ = conn.Close() })
		_, err = fmt.Fprintf(conn, "GET /api/v1/endless HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: %s\r\n\r\n", alice)
		testkit.Check(t, err)
		if line, err := bufio.NewReader(conn).ReadString('\n'); err != nil || !strings.Contains(line, "200") {
			t.Fatal(line, err)
		}
	}
	s.call(t, "GET", "/api/v1/endless", alice, "").wantProblem(t, 429, "too_many_requests")
	testkit.Eventually(t, "the slot is free", func() bool {
		return s.call(t, "POST", "/api/v1/heavy", alice, `{"text": "x"}`).status == 200
	})
}
