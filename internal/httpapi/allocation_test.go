package httpapi_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/specterd/specterd/internal/httpapi"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// maxAllocations is the maximum number of allocations from the handler to the response of a
// request with a token that was seen before. Copies of structs in interfaces and closures are
// easy to add and not visible in the code, and a third of such a request was their cost.
const maxAllocations = 14

// TestToken_Allocations is not parallel, because it counts the allocations of the whole process.
func TestToken_Allocations(t *testing.T) { //nolint:paralleltest // see above
	s := start(t, func(s *setup) { s.Log = slog.New(slog.DiscardHandler) })
	k := s.token(t, s.user(t, "p", false), 0)
	api := testkit.Must(httpapi.New(s.Options)) // without the checks of start, which allocate
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, s.url+tokens+"/self", nil)
	r.Header.Set("Authorization", k.bearer())
	var status int
	got := testing.AllocsPerRun(1000, func() {
		w := discarding{header: http.Header{}, status: &status}
		api.ServeHTTP(w, r)
	})
	if status != http.StatusOK {
		t.Fatalf("status %d", status)
	}
	if got -= 2; got > maxAllocations { // the response writer and its header
		t.Errorf("%v allocations, want at most %d", got, maxAllocations)
	}
}

// discarding is a response writer that keeps only the status.
type discarding struct {
	header http.Header
	status *int
}

func (w discarding) Header() http.Header { return w.header }

func (discarding) Write(b []byte) (int, error) { return len(b), nil }

func (w discarding) WriteHeader(status int) { *w.status = status }
