package egress

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"runtime"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/specterd/specterd/internal/text"
)

// readRequest reads the head of a request, and its body if it has the given length.
func readRequest(conn net.Conn, body int64) {
	r := bufio.NewReader(conn)
	_, _ = textproto.NewReader(r).ReadLine()
	_, _ = textproto.NewReader(r).ReadMIMEHeader()
	_, _ = io.CopyN(io.Discard, r, body)
}

// write writes a response until the connection fails, with pauses if pause is not 0.
func write(conn net.Conn, pause time.Duration, parts ...string) {
	for _, part := range parts {
		if pause > 0 {
			<-time.After(pause)
		}
		if _, err := io.WriteString(conn, part); err != nil {
			return
		}
	}
}

// repeat writes the same part again and again, up to total bytes.
func repeat(conn net.Conn, part string, total int64) {
	for n, bytes := int64(0), []byte(part); n < total; n += int64(len(bytes)) {
		if _, err := conn.Write(bytes); err != nil {
			return
		}
	}
}

const (
	requestBody = `{"n":1}`
	huge        = 5 << 30
)

// hostile are receivers that respond in the worst ways.
var hostile = []struct {
	name    string
	respond func(conn net.Conn)
	status  int
	excerpt string // a prefix; at most as long as the excerpt
	problem string
	slow    bool // ends at the timeout
}{
	{name: "success", respond: func(c net.Conn) { write(c, 0, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok") }, status: 200, excerpt: "ok"},
	{name: "HTTP/1.0, no length", respond: func(c net.Conn) { write(c, 0, "HTTP/1.0 500 Oops\r\n\r\nfailed") }, status: 500, excerpt: "failed"},
	{name: "no body", respond: func(c net.Conn) { write(c, 0, "HTTP/1.1 204 No Content\r\n\r\n") }, status: 204},
	{name: "body of 5 GB", respond: func(c net.Conn) {
		write(c, 0, "HTTP/1.1 200 OK\r\nContent-Length: 5368709120\r\n\r\n")
		repeat(c, strings.Repeat("x", 1<<16), huge)
	}, status: 200, excerpt: strings.Repeat("x", MaxExcerpt)},
	{name: "endless body", respond: func(c net.Conn) {
		write(c, 0, "HTTP/1.1 503 Wait\r\n\r\n")
		repeat(c, strings.Repeat("y", 1<<16), huge)
	}, status: 503, excerpt: strings.Repeat("y", MaxExcerpt)},
	{name: "endless chunks", respond: func(c net.Conn) {
		write(c, 0, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
		repeat(c, "1\r\nz\r\n", huge)
	}, status: 200, excerpt: strings.Repeat("z", MaxExcerpt)},
	{name: "endless chunk header", respond: func(c net.Conn) {
		write(c, 0, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;")
		repeat(c, strings.Repeat("x", 1<<16), huge)
	}, status: 200},
	{name: "incomplete body", respond: func(c net.Conn) { write(c, 0, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf") }, status: 200, excerpt: "half"},
	{name: "incomplete chunk", respond: func(c net.Conn) { write(c, 0, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nha") }, status: 200, excerpt: "ha"},
	{name: "slow body", respond: func(c net.Conn) {
		write(c, 0, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
		write(c, 50*time.Millisecond, strings.Split(strings.Repeat("s", 1000), "")...)
	}, status: 200, excerpt: "sss", slow: true},
	{name: "slow header", respond: func(c net.Conn) {
		write(c, 50*time.Millisecond, strings.Split("HTTP/1.1 200 OK\r\nX: "+strings.Repeat("s", 1000), "")...)
	}, problem: "no response within 15 seconds", slow: true},
	{name: "no response", respond: func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }, problem: "no response within 15 seconds", slow: true},
	{name: "endless header", respond: func(c net.Conn) {
		write(c, 0, "HTTP/1.1 200 OK\r\nX: ")
		repeat(c, strings.Repeat("x", 1<<16), huge)
	}, problem: "no valid HTTP response"},
	{name: "many headers", respond: func(c net.Conn) {
		write(c, 0, "HTTP/1.1 200 OK\r\n")
		repeat(c, "A: b\r\n", huge)
	}, problem: "no valid HTTP response"},
	{name: "header over the limit", respond: func(c net.Conn) {
		write(c, 0, "HTTP/1.1 200 OK\r\nX: "+strings.Repeat("x", maxHeader)+"\r\nContent-Length: 0\r\n\r\n")
	}, problem: "no valid HTTP response"},
	{name: "header under the limit", respond: func(c net.Conn) {
		write(c, 0, "HTTP/1.1 200 OK\r\nX: "+strings.Repeat("x", maxHeader-200)+"\r\nContent-Length: 0\r\n\r\n")
	}, status: 200},
	{name: "endless interim responses", respond: func(c net.Conn) { repeat(c, "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", huge) }, problem: "no valid HTTP response"},
	{name: "switching protocols", respond: func(c net.Conn) {
		write(c, 0, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
		repeat(c, "w", huge)
	}, status: 101, excerpt: "w"},
	{name: "switching protocols, then silence", respond: func(c net.Conn) {
		write(c, 0, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\nwww")
		_, _ = io.Copy(io.Discard, c)
	}, status: 101, excerpt: "www", slow: true},
	{name: "closed at once", respond: func(net.Conn) {}, problem: "connection closed before a response"},
	{name: "closed in the header", respond: func(c net.Conn) { write(c, 0, "HTTP/1.1 200 OK\r\nContent-Le") }, problem: "no valid HTTP response"},
	{name: "not HTTP", respond: func(c net.Conn) { write(c, 0, "SSH-2.0-OpenSSH_9.6\r\n\r\n") }, problem: "no valid HTTP response"},
	{name: "endless garbage", respond: func(c net.Conn) { repeat(c, strings.Repeat("g", 1<<16), huge) }, problem: "no valid HTTP response"},
	{name: "status out of range", respond: func(c net.Conn) { write(c, 0, "HTTP/1.1 9999 No\r\n\r\n") }, problem: "no valid HTTP response"},
	{name: "compressed body", respond: func(c net.Conn) {
		write(c, 0, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\n\x1f\x8b\x08")
	}, status: 200, excerpt: " \ufffd "},
	{name: "control characters", respond: func(c net.Conn) { write(c, 0, "HTTP/1.0 400 Bad\r\n\r\na\x00b\x1b[31mc\r\n\u202ed\xff\xe2\x82") }, status: 400, excerpt: "a b [31mc  d\ufffd"},
}

// TestPost_HostileReceivers sends a request to each of them through a SOCKS proxy, so that
// the result shows everything, and to its loopback address, so that it shows the status only.
func TestPost_HostileReceivers(t *testing.T) {
	for _, test := range hostile {
		t.Run(test.name, func(t *testing.T) {
			address := listen(t, "127.0.0.1:0", func(conn net.Conn) {
				readRequest(conn, int64(len(requestBody)))
				test.respond(conn)
			}).String()
			proxy := startSOCKS(t, map[string]string{"receiver.onion:80": address})
			c := New(Options{SOCKS: proxy.address, Hosts: hosts(t, address), Now: time.Now})
			if test.slow {
				c.timeout = 500 * time.Millisecond
			}
			shown := post(t, c, "http://receiver.onion/")
			hidden := post(t, c, "http://"+address)
			if shown.Status != test.status || shown.Problem != test.problem || shown.Target != Onion || (shown.Cause != nil) != (test.problem != "") {
				t.Errorf("%+v", shown)
			}
			if !strings.HasPrefix(shown.Excerpt, test.excerpt) || (test.excerpt == "") != (shown.Excerpt == "") || len(shown.Excerpt) > MaxExcerpt {
				t.Errorf("excerpt of %d bytes: %.100q, want %.100q", len(shown.Excerpt), shown.Excerpt, test.excerpt)
			}
			fixed := ""
			if test.problem != "" {
				fixed = unreachable
			}
			if hidden.Status != test.status || hidden.Problem != fixed || hidden.Excerpt != "" || hidden.Target != Refused {
				t.Errorf("loopback: %+v", hidden)
			}
		})
	}
}

// post sends a request, and checks that it uses little memory and ends in time.
func post(t *testing.T, c *Client, url string) Result {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	result := c.Post(t.Context(), Request{URL: url, Body: []byte(requestBody)})
	runtime.ReadMemStats(&after)
	if allocated := after.TotalAlloc - before.TotalAlloc; allocated > 1<<20 {
		t.Errorf("%s: %d bytes were allocated", url, allocated)
	}
	if result.Took > c.timeout+5*time.Second {
		t.Errorf("%s: took %v", url, result.Took)
	}
	return result
}

// TestPost_EarlyResponse checks a response that a receiver sends without reading the body of
// the request.
func TestPost_EarlyResponse(t *testing.T) {
	address := listen(t, "127.0.0.1:0", func(conn net.Conn) {
		readRequest(conn, 0)
		write(conn, 0, "HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n")
		_, _ = io.Copy(io.Discard, conn)
	})
	c := New(Options{Hosts: hosts(t, address.String()), Now: time.Now})
	if result := c.Post(t.Context(), Request{URL: "http://" + address.String(), Body: make([]byte, 64<<20)}); result.Status != http.StatusGone {
		t.Errorf("%+v", result)
	}
}

// TestPost_UnreadBody checks that a receiver that does not read the request cannot hold it
// longer than the timeout.
func TestPost_UnreadBody(t *testing.T) {
	release := make(chan struct{})
	address := listen(t, "127.0.0.1:0", func(net.Conn) { <-release })
	defer close(release)
	c := New(Options{Hosts: hosts(t, address.String()), Now: time.Now})
	c.timeout = time.Second
	result := c.Post(t.Context(), Request{URL: "http://" + address.String(), Body: make([]byte, 64<<20)})
	if result.Status != 0 || result.Problem != unreachable || result.Took < c.timeout || result.Took > c.timeout+5*time.Second {
		t.Errorf("%+v", result)
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"": 0, "0": 0, "1": time.Second, " 120 ": 2 * time.Minute, "86400": MaxRetryAfter, "86401": MaxRetryAfter, "99999999999999999999": MaxRetryAfter,
		"-1": 0, "+5": 0, "1.5": 0, "5s": 0, "soon": 0, "1e3": 0, "0x10": 0,
		"Sun, 29 Nov 2026 12:00:30 GMT":  30 * time.Second,
		"Sunday, 29-Nov-26 12:00:30 GMT": 30 * time.Second,
		"Sun Nov 29 12:00:30 2026":       30 * time.Second,
		"Sun, 29 Nov 2026 11:00:00 GMT":  0,
		"Sun, 29 Nov 2036 12:00:00 GMT":  MaxRetryAfter,
		"Fri, 01 Jan 0001 00:00:00 GMT":  0,
		"Fri, 31 Dec 9999 23:59:59 GMT":  MaxRetryAfter,
		"29 Nov 2026":                    0,
	} {
		t.Run(value, func(t *testing.T) {
			if got := retryAfter(value, now); got != want {
				t.Errorf("%q: %v, want %v", value, got, want)
			}
		})
	}
	address := listen(t, "127.0.0.1:0", func(conn net.Conn) {
		readRequest(conn, 0)
		write(conn, 0, "HTTP/1.1 429 Wait\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n")
	})
	c := New(Options{Hosts: hosts(t, address.String()), Now: time.Now})
	if result := c.Post(t.Context(), Request{URL: "http://" + address.String()}); result.Status != http.StatusTooManyRequests || result.RetryAfter != 7*time.Second {
		t.Errorf("%+v", result)
	}
}

func TestExcerpt(t *testing.T) {
	for body, want := range map[string]string{
		"": "", "plain": "plain", "tab\tline\r\nend": "tab line  end", "\x00\x1b\x7f": "   ", "\xff\xfe": "\ufffd", "a\xffb": "a\ufffdb",
		strings.Repeat("a", MaxExcerpt):                  strings.Repeat("a", MaxExcerpt),
		strings.Repeat("a\xff", MaxExcerpt/2):            strings.Repeat("a\ufffd", MaxExcerpt/4),
		strings.Repeat("€", 1333) + "\xe2":               strings.Repeat("€", 1333),
		"a" + strings.Repeat("\xff"+"b", MaxExcerpt/2-1): "a" + strings.Repeat("\ufffdb", MaxExcerpt/4-1) + "\ufffd",
	} {
		t.Run(body, func(t *testing.T) {
			if got := excerpt([]byte(body)); got != want {
				t.Errorf("%.20q: %d bytes: %.40q…, want %d bytes: %.40q…", body, len(got), got, len(want), want)
			}
		})
	}
}

func FuzzExcerpt(f *testing.F) {
	f.Add([]byte("a\x00b\xff\u202e"))
	f.Fuzz(func(t *testing.T, body []byte) {
		got := excerpt(body[:min(len(body), MaxExcerpt)])
		if len(got) > MaxExcerpt || !utf8.ValidString(got) || text.Problem(got) != "" {
			t.Errorf("%q: %q", body, got)
		}
	})
}

// TestProblem checks that no text of an error is shown, which can contain addresses of the
// server and its network.
func TestProblem(t *testing.T) {
	if got := problem(errors.New("dial tcp 10.0.0.7:41234->10.0.0.1:80: oops")); got != "no valid HTTP response" {
		t.Error(got)
	}
}
