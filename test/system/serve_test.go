package system

import (
	"net/http"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/testenv/testkit"
)

// TestStop checks that, after SIGTERM, the server completes open requests and exits with
// status 0.
func TestStop(t *testing.T) {
	s := startServer(t, t.TempDir(), "SPECTER_BCRYPT_COST=7") // makes a login take some time
	var wg sync.WaitGroup
	statuses := make(chan int, 8)
	begun := make(chan struct{}, cap(statuses))
	for range cap(statuses) {
		wg.Go(func() {
			begun <- struct{}{}
			statuses <- call(t.Context(), http.MethodGet, s.url+"/api/v1/users/me", "", nil, nil)
		})
	}
	for range cap(statuses) {
		<-begun
	}
	first := <-statuses // once one login has completed, the others are queued
	begin := time.Now()
	testkit.Check(t, s.cmd.Process.Signal(syscall.SIGTERM))
	err := s.cmd.Wait()
	took := time.Since(begin)
	wg.Wait()
	close(statuses)
	answered := map[int]int{first: 1}
	for status := range statuses {
		answered[status]++
	}
	if err != nil || took > 10*time.Second || answered[http.StatusOK] != 8 {
		t.Errorf("stopped with %v after %v; statuses %v\n%s", err, took, answered, s.log)
	}
}

// TestStopDelay checks that, during the delay, liveness fails and requests are served with
// Connection: close.
func TestStopDelay(t *testing.T) {
	s := startServer(t, t.TempDir(), "SPECTER_STOP_DELAY=60")
	ask := func(path string) (status int, closed bool) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+path, nil)
		testkit.Check(t, err)
		response, err := http.DefaultClient.Do(r)
		testkit.Check(t, err)
		testkit.Check(t, response.Body.Close())
		return response.StatusCode, response.Close
	}
	if status, closed := ask("/api/healthz/liveness"); status != http.StatusOK || closed {
		t.Errorf("before: status %d, closed %v", status, closed)
	}
	testkit.Check(t, s.cmd.Process.Signal(syscall.SIGTERM))
	testkit.Eventually(t, "liveness to fail", func() bool {
		status, _ := ask("/api/healthz/liveness")
		return status == http.StatusServiceUnavailable
	})
	if status, closed := ask("/api/v1/tokens/self"); status != http.StatusUnauthorized || !closed {
		t.Errorf("afterwards: status %d, closed %v", status, closed)
	}
}
