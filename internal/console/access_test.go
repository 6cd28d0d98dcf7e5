package console_test

import (
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/specterd/specterd/internal/testenv/testkit"
)

// request makes a request to the API with a token, and returns the status and the body of the
// response.
func (s *site) request(t *testing.T, method, path, token, body string) (status int, text string) {
	t.Helper()
	r := testkit.Must(http.NewRequestWithContext(t.Context(), method, s.url+path, strings.NewReader(body)))
	r.Header.Set("Authorization", "Bearer "+token)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	answer, err := http.DefaultClient.Do(r)
	testkit.Check(t, err)
	defer func() { _ = answer.Body.Close() }()
	return answer.StatusCode, string(testkit.Must(io.ReadAll(answer.Body)))
}

// bearer requests a path of the API with a token, and returns the status.
func (s *site) bearer(t *testing.T, path, token string) int {
	t.Helper()
	status, _ := s.request(t, http.MethodGet, path, token, "")
	return status
}

// child creates a token with another token, and returns its text.
func (s *site) child(t *testing.T, token, body string) string {
	t.Helper()
	status, text := s.request(t, http.MethodPost, "/api/v1/tokens", token, body)
	found := regexp.MustCompile(`"token":"([^"]*)"`).FindStringSubmatch(text)
	if status != http.StatusCreated || found == nil {
		t.Fatalf("creating a token with a token: %d %s", status, text)
	}
	return found[1]
}
