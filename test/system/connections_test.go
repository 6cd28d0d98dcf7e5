package system

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/testenv/testkit"
)

// manyFiles raises the limit of open files of this process and its child processes to the
// hard limit. The test fails if the hard limit is below want.
func manyFiles(t *testing.T, want int) {
	t.Helper()
	var limit syscall.Rlimit
	testkit.Check(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit))
	if limit.Max < uint64(want) {
		t.Fatalf("the limit is %d open files; raise ulimit -Hn to %d", limit.Max, want)
	}
	limit.Cur = limit.Max
	testkit.Check(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit))
}

func (s *server) dial(t *testing.T) net.Conn {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(s.url, "http://"))
	testkit.Check(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// residentMB returns the server's resident memory in MiB.
func (s *server) residentMB() int {
	s.t.Helper()
	kib, err := s.resident()
	testkit.Check(s.t, err)
	return kib >> 10
}

// latencies makes requests with a token, one after the other, and returns their durations in
// ascending order. If fresh is set, each request has its own connection.
func (s *server) latencies(t *testing.T, token string, n int, fresh bool) []time.Duration {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: fresh}}
	defer client.CloseIdleConnections()
	took := make([]time.Duration, n)
	for i := range took {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/api/v1/tokens/self", nil)
		testkit.Check(t, err)
		r.Header.Set("Authorization", "Bearer "+token)
		begin := time.Now()
		resp, err := client.Do(r)
		testkit.Check(t, err)
		_, err = io.Copy(io.Discard, resp.Body)
		took[i] = time.Since(begin)
		testkit.Check(t, err)
		testkit.Check(t, resp.Body.Close())
		if resp.StatusCode != http.StatusOK {
			t.Fatalf("status %d", resp.StatusCode)
		}
	}
	slices.Sort(took)
	return took
}

func p99(sorted []time.Duration) time.Duration { return sorted[len(sorted)*99/100] }

// TestIdleConnections checks that the maximum number of idle connections takes little memory
// and does not delay new connections.
func TestIdleConnections(t *testing.T) {
	t.Parallel()
	n := testkit.Size(200, 10_000)
	manyFiles(t, n+500)
	s := startServer(t, t.TempDir())
	token := s.token(t.Name()).Secret
	s.latencies(t, token, 100, true)
	before, quiet := s.residentMB(), p99(s.latencies(t, token, testkit.Size(50, 2000), true))
	request := "GET /api/v1/tokens/self HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + token + "\r\n\r\n"
	conns := make([]net.Conn, n)
	for i := range conns {
		conns[i] = s.dial(t)
		s.exchange(t, conns[i], request)
	}
	took := p99(s.latencies(t, token, testkit.Size(50, 2000), true))
	memory := s.residentMB()
	for i := 0; i < n; i += n / 100 { // the connections are still open
		s.exchange(t, conns[i], request)
	}
	testkit.Figure(t, "%d idle connections: %d MB resident, and %d MB without; p99 of a request on a new connection %v, and %v without", n, memory, before, took, quiet)
	if memory > 300 {
		t.Errorf("%d MB", memory)
	}
	if testkit.Long() && took > 5*time.Millisecond {
		t.Errorf("p99 %v", took)
	}
}

// exchange makes a request on a connection that stays open.
func (s *server) exchange(t *testing.T, conn net.Conn, request string) {
	t.Helper()
	_, err := io.WriteString(conn, request)
	testkit.Check(t, err)
	resp, err := http.ReadResponse(bufio.NewReaderSize(conn, 1024), nil)
	testkit.Check(t, err)
	_, err = io.Copy(io.Discard, resp.Body)
	testkit.Check(t, err)
	testkit.Check(t, resp.Body.Close())
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("status %d", resp.StatusCode)
	}
}

// TestSlowHeaders checks that connections that send headers slowly are closed, and that other
// requests are served meanwhile.
func TestSlowHeaders(t *testing.T) {
	t.Parallel()
	n := testkit.Size(200, 10_000)
	manyFiles(t, n+500)
	s := startServer(t, t.TempDir())
	token := s.token(t.Name()).Secret
	var open atomic.Int64
	var slowest atomic.Int64
	var all sync.WaitGroup
	conns := make([]net.Conn, n)
	for i := range conns {
		conns[i] = s.dial(t)
		begin := time.Now()
		open.Add(1)
		all.Go(func() {
			_, _ = io.Copy(io.Discard, conns[i]) // reads until the server closes the connection
			open.Add(-1)
			for took := int64(time.Since(begin)); ; {
				if was := slowest.Load(); was >= took || slowest.CompareAndSwap(was, took) {
					return
				}
			}
		})
		_, err := io.WriteString(conns[i], "GET / HTTP/1.1\r\nX-Slow: ")
		testkit.Check(t, err)
	}
	ctx, stop := context.WithCancel(t.Context())
	all.Go(func() {
		tick := time.NewTicker(500 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				for _, conn := range conns {
					_, _ = conn.Write([]byte("x"))
				}
			case <-ctx.Done():
				return
			}
		}
	})
	took := p99(s.latencies(t, token, testkit.Size(50, 500), true))
	testkit.Eventually(t, "all slow connections to be closed", func() bool { return open.Load() == 0 })
	stop()
	all.Wait()
	last := time.Duration(slowest.Load())
	testkit.Figure(t, "%d slow headers: all cut off, the last after %.1f s; p99 of others meanwhile %v", n, last.Seconds(), took)
	if testkit.Long() && last > 10*time.Second {
		t.Errorf("the last one was closed after %v", last)
	}
}

// TestLoginFlood checks that, during a flood of logins with wrong passwords from different
// addresses, requests with tokens are as fast as before and a correct login succeeds.
func TestLoginFlood(t *testing.T) {
	t.Parallel()
	const tries = 50
	s := startServer(t, t.TempDir(), "SPECTER_TRUSTED_PROXIES=127.0.0.1", "SPECTER_BCRYPT_COST="+strconv.Itoa(testkit.Size(4, 12)))
	token := s.token(t.Name()).Secret
	samples := testkit.Size(50, 5000)
	s.latencies(t, token, 100, false)
	quiet := s.latencies(t, token, samples, false)

	var refused, turnedAway, addresses atomic.Int64
	ctx, stop := context.WithCancel(t.Context())
	var all sync.WaitGroup
	for range tries {
		all.Go(func() {
			for ctx.Err() == nil {
				i := addresses.Add(1)
				status, wait := s.login(ctx, "not the password", fmt.Sprintf("10.%d.%d.%d", byte(i>>16), byte(i>>8), byte(i)))
				switch {
				case status == http.StatusUnauthorized:
					refused.Add(1)
				case status == http.StatusTooManyRequests && wait != "":
					turnedAway.Add(1)
					select { // prevents the client from becoming the bottleneck
					case <-time.After(100 * time.Millisecond):
					case <-ctx.Done():
					}
				case ctx.Err() == nil:
					t.Errorf("a wrong password: status %d, Retry-After %q", status, wait)
					return
				}
			}
		})
	}
	testkit.Eventually(t, "the flood to begin", func() bool { return refused.Load() > 2 })
	flooded := s.latencies(t, token, samples, false)
	testkit.Eventually(t, "login with the right password", func() bool {
		status, wait := s.login(t.Context(), testPassword, "192.0.2.1")
		if status != http.StatusOK && (status != http.StatusTooManyRequests || wait == "") {
			t.Errorf("the right password: status %d", status)
		}
		return status == http.StatusOK
	})
	stop()
	all.Wait()
	ratio := p99(flooded).Seconds() / p99(quiet).Seconds()
	testkit.Figure(t, "%d wrong logins at a time: Bearer p50 %v and p99 %v, quiet %v and %v: %.1f times; %d refused, %d turned away with Retry-After",
		tries, flooded[len(flooded)/2], p99(flooded), quiet[len(quiet)/2], p99(quiet), ratio, refused.Load(), turnedAway.Load())
	if testkit.Long() && (p99(flooded) > 10*time.Millisecond || ratio > 4) {
		t.Errorf("p99 %v, %.1f times as long as on an idle server", p99(flooded), ratio)
	}
}

// login tries a password of admin from an address. It returns the status, or 0 without a response.
func (s *server) login(ctx context.Context, password, address string) (status int, retryAfter string) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/api/v1/users/me", nil)
	if err != nil {
		return 0, ""
	}
	r.SetBasicAuth("admin", password)
	r.Header.Set("X-Forwarded-For", address)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, ""
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	return resp.StatusCode, resp.Header.Get("Retry-After")
}
