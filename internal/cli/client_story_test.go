package cli

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/specterd/specterd/client"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// clientSource returns the directory of the source from which the clients and their tests are taken: of an earlier
// commit if make verify-old-client runs this test, or else this one.
func clientSource(t *testing.T) string {
	t.Helper()
	if dir := os.Getenv("SPECTERD_OLD_CLIENT"); dir != "" {
		return dir
	}
	return testkit.Value(filepath.Abs("../.."))(t)
}

// TestGoClient_Programs runs programs that use the Go client: the story of the tutorial, and the code block of
// docs/clients.md.
func TestGoClient_Programs(t *testing.T) {
	testkit.NeedsServer(t, "bitcoind")
	source := clientSource(t)
	environment := append(os.Environ(), serveWalkThroughsOn(t, testkit.Bitcoind(t))...)
	t.Run("story", func(t *testing.T) {
		out := tellStory(t, source, environment, source, "go", "test", "-count=1", "-tags=live", "-v", "-run=^TestStory$", "./client")
		if n := strings.Count(out, "--- PASS: TestStory/"); n != 4 {
			t.Errorf("%d parts of the story passed, want 4:\n%s", n, out)
		}
	})
	t.Run("docs/clients.md", func(t *testing.T) {
		program := documentedBlock(t, source, "docs/clients.md", "go")
		_, body, _ := strings.Cut(program, "func main() {\n")
		body, _, _ = strings.Cut(body, "\n}\n")
		checkBrief(t, "docs/clients.md", body)
		file := filepath.Join(t.TempDir(), "main.go")
		testkit.Check(t, os.WriteFile(file, []byte(program), 0o600))
		admin := testkit.Value(client.New(settingOf(environment, "URL"), "", client.WithPassword("admin", settingOf(environment, "ADMIN_PASSWORD"))))(t)
		token := (&liveClient{admin: admin}).token(t, "wallets:read", "addresses:write", "proposals:*")
		runBlock(t, append(environment, "TOKEN="+token), []string{"go", "-C", source, "run", file}, sixCalls...)
	})
}

// tellStory runs a command that tells the story of the tutorial with one of the clients, and returns its output. It
// checks that the requests are those of testdata/story.txt in the source of the client.
func tellStory(t *testing.T, source string, environment []string, dir string, command ...string) string {
	t.Helper()
	recorder := recordRequests(t, settingOf(environment, "URL"))
	out := execute(t, dir, append(slices.Clone(environment), "URL="+recorder.url), command...)
	story, err := os.ReadFile(filepath.Join(source, "internal", "cli", "testdata", "story.txt"))
	testkit.Check(t, err)
	if got := recorder.requests(); got != string(story) {
		t.Errorf("the requests differ from testdata/story.txt; all clients must make these requests:\n%s", got)
	}
	return out
}

// requestRecorder is a proxy of a server that records requests with the status of their response.
type requestRecorder struct {
	url string

	mu   sync.Mutex
	seen []string
}

func recordRequests(t *testing.T, server string) *requestRecorder {
	t.Helper()
	target := testkit.Value(url.Parse(server))(t)
	r := &requestRecorder{}
	proxy := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite:        func(p *httputil.ProxyRequest) { p.SetURL(target) },
		ModifyResponse: r.record,
	})
	t.Cleanup(proxy.Close)
	r.url = proxy.URL
	return r
}

// variable matches the parts of paths that differ between runs.
var variable = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f-]{27}|[0-9a-f]{64}|bcrt1\w+`)

// record adds a request. A request that polls replaces the previous one.
func (r *requestRecorder) record(response *http.Response) error {
	target := variable.ReplaceAllString(response.Request.URL.Path, "…")
	if query := response.Request.URL.Query(); len(query) > 0 {
		target += "?" + testkit.Must(url.QueryUnescape(query.Encode()))
	}
	line := response.Request.Method + " " + target
	r.mu.Lock()
	defer r.mu.Unlock()
	if n := len(r.seen); response.Request.Method == http.MethodGet && n > 0 && strings.HasPrefix(r.seen[n-1], line+" ") {
		r.seen = r.seen[:n-1]
	}
	r.seen = append(r.seen, fmt.Sprintf("%s %d\n", line, response.StatusCode))
	return nil
}

func (r *requestRecorder) requests() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.seen, "")
}
