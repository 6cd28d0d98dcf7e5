package httpapi_test

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/specterd/specterd/internal/testenv/testkit"
)

// badCase is a request of testdata/bad-input; the README there documents the fields.
type badCase struct {
	Name, Route, As, Body, Body64, Says, Secret string
	Headers                                     map[string]string
	Fill, Status                                int
}

// TestBadInput checks that every invalid request gets a 4xx with the expected message and
// leaves the database unchanged.
func TestBadInput(t *testing.T) {
	t.Parallel()
	onEachEngine(t, func(t *testing.T, s *server) {
		admin := s.user(t, "admin", true)
		k := s.token(t, admin, 0)
		s.wallet(t, admin, "vault", "owner")
		before := s.dump(t, false)
		for name, c := range badCases(t) {
			got := s.do(t, c.request(s, admin, k))
			if got.status != c.Status || !strings.Contains(got.body, c.Says) {
				t.Errorf("%s: %d %s, want %d %s", name, got.status, got.body, c.Status, c.Says)
			}
			if c.Secret != "" && strings.Contains(got.body, c.Secret) {
				t.Errorf("%s: the response contains the secret of the request: %s", name, got.body)
			}
			wantErrorDocument(t, name, got)
			if s.dump(t, false) != before {
				t.Fatalf("%s changed the database", name)
			}
		}
		for name, c := range rawCases(t) {
			got := s.raw(t, s.fillIn(c.text, k))
			if got.status != c.status || !strings.Contains(got.body, c.says) {
				t.Errorf("%s: %d %s, want %d %s", name, got.status, got.body, c.status, c.says)
			}
			if s.dump(t, false) != before {
				t.Fatalf("%s changed the database", name)
			}
		}
	})
}

// wantErrorDocument checks that a response has a 4xx status and the error format of one of the
// two API versions.
func wantErrorDocument(t *testing.T, name string, got answer) {
	t.Helper()
	if got.status < 400 || got.status > 499 {
		t.Errorf("%s: status %d", name, got.status)
	}
	if got.text("message") == "" && (got.text("code") == "" || got.text("detail") == "") {
		t.Errorf("%s: the response is not an error document: %s", name, got.body)
	}
}

func badCases(t *testing.T) map[string]badCase {
	t.Helper()
	files, err := filepath.Glob("../../testdata/bad-input/*.json")
	testkit.Check(t, err)
	all := map[string]badCase{}
	for _, file := range files {
		var cases []badCase
		testkit.Check(t, json.Unmarshal(testkit.Must(os.ReadFile(file)), &cases))
		for _, c := range cases {
			all[filepath.Base(file)+": "+c.Name] = c
		}
	}
	if len(all) < 100 {
		t.Fatalf("%d cases", len(all))
	}
	return all
}

func (c badCase) request(s *server, admin testUser, k token) request {
	r := request{body: c.Body, header: c.Headers, auth: []string{k.bearer()}}
	if c.Body64 != "" {
		r.body = string(testkit.Must(base64.StdEncoding.DecodeString(c.Body64)))
	}
	r.method, r.path, _ = strings.Cut(repeat(c.Route, c.Fill), " ")
	r.path = strings.Replace(r.path, "{id}", k.id, 1)
	r.body = repeat(r.body, c.Fill)
	s.secret(c.Secret)
	switch c.As {
	case "password":
		r.auth = []string{admin.basic()}
	case "none":
		r.auth = nil
	}
	return r
}

// repeat repeats the part of text between « and », and removes these two marks.
func repeat(text string, times int) string {
	before, rest, _ := strings.Cut(text, "«")
	middle, after, _ := strings.Cut(rest, "»")
	return before + strings.Repeat(middle, times) + after
}

// rawCase is a request of testdata/bad-input/*.txt, which is written to the connection as text
// because an HTTP client would not send it.
type rawCase struct {
	status int
	says   string
	text   string
}

func rawCases(t *testing.T) map[string]rawCase {
	t.Helper()
	files, err := filepath.Glob("../../testdata/bad-input/*.txt")
	testkit.Check(t, err)
	all := map[string]rawCase{}
	for _, file := range files {
		head, text, _ := strings.Cut(string(testkit.Must(os.ReadFile(file))), "\n")
		status, says, found := strings.Cut(strings.TrimPrefix(head, "# "), ": ")
		if !found {
			t.Fatalf("%s has no first line with status and message", file)
		}
		all[filepath.Base(file)] = rawCase{testkit.Must(strconv.Atoi(status)), says, text}
	}
	return all
}

var filling = regexp.MustCompile(`{{fill (\d+)}}`)

func (s *server) fillIn(text string, k token) string {
	text = strings.NewReplacer("{{host}}", strings.TrimPrefix(s.url, "http://"), "{{bearer}}", k.bearer()).Replace(text)
	text = filling.ReplaceAllStringFunc(text, func(fill string) string {
		return strings.Repeat("x", testkit.Must(strconv.Atoi(filling.FindStringSubmatch(fill)[1])))
	})
	return strings.ReplaceAll(text, "\n", "\r\n")
}

// raw writes a request unchanged and reads the response. If the request is incomplete, it
// closes the writing half of the connection first. It does not do so after a complete request,
// because the server would treat the client as disconnected.
func (s *server) raw(t *testing.T, text string) answer {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	testkit.Check(t, err)
	defer func() { _ = conn.Close() }()
	_, err = conn.Write([]byte(text))
	testkit.Check(t, err)
	if !isComplete(text) {
		testkit.Check(t, conn.(*net.TCPConn).CloseWrite())
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	testkit.Check(t, err)
	defer func() { _ = res.Body.Close() }()
	return s.read(t, res)
}

// isComplete reports whether text is a valid HTTP request with its complete body.
func isComplete(text string) bool {
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(text)))
	if err != nil {
		return false
	}
	_, err = io.Copy(io.Discard, r.Body)
	return err == nil
}
