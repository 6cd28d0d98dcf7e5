package egress

import (
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"
)

// TestPost_Onion checks that .onion names reach the SOCKS proxy unresolved, and that no
// other request does.
func TestPost_Onion(t *testing.T) {
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write([]byte("for " + r.Host)) }))
	defer receiver.Close()
	resolver, dns := startDNS(t, names)
	address := receiver.Listener.Addr().String()
	proxy := startSOCKS(t, map[string]string{"hidden.onion:80": address, "hidden.onion:8080": address})
	c := New(Options{SOCKS: proxy.address, Resolver: resolver, Now: time.Now})
	var r recorder
	c.connecting = r.connecting
	for _, test := range []struct {
		url  string
		want Result
	}{
		{"http://hidden.onion/", Result{Status: 200, Excerpt: "for hidden.onion", Target: Onion}},
		{"http://HIDDEN.onion.:8080/", Result{Status: 200, Excerpt: "for hidden.onion:8080", Target: Onion}},
		{"http://other.onion/", Result{Problem: "the SOCKS proxy could not connect", Target: Onion}},
		{"https://hidden.onion:8080/", Result{Problem: "the port does not use TLS", Target: Onion}},
		{"https://loopback.example/", Result{Problem: unreachable, Target: Refused}},
		{"https://missing.example/", Result{Problem: unreachable}},
		{"https://public.example/", Result{Problem: "no valid HTTP response", Target: Public}}, // from the recorder
		{"http://public.example/", Result{Problem: "url: must start with https://", Target: Refused}},
	} {
		t.Run(test.url, func(t *testing.T) {
			got := c.Post(t.Context(), Request{URL: test.url})
			got.Cause, got.Took = nil, 0
			if got != test.want {
				t.Errorf("%s: %+v, want %+v", test.url, got, test.want)
			}
		})
	}
	if want := []string{"hidden.onion:80", "hidden.onion:8080", "other.onion:80", "hidden.onion:8080"}; !slices.Equal(proxy.requests(), want) {
		t.Errorf("requests to the proxy: %q", proxy.requests())
	}
	if n := dns.queries("hidden.onion") + dns.queries("other.onion"); n != 0 {
		t.Errorf("%d DNS queries for .onion names", n)
	}
	if got := r.addresses(); got != publicIPv4+":443 ["+publicIPv6+"]:443" {
		t.Errorf("connects to %q", got)
	}
}

// TestPost_SOCKSUnavailable checks proxies that refuse connections, and that never respond.
func TestPost_SOCKSUnavailable(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := l.Addr().String()
	_ = l.Close()
	release := make(chan struct{})
	silent := listen(t, "127.0.0.1:0", func(net.Conn) { <-release }).String()
	defer close(release)
	for address, want := range map[string]string{closed: "the SOCKS proxy could not connect", silent: "no response within 15 seconds"} {
		c := New(Options{SOCKS: address, Now: time.Now})
		c.timeout = time.Second
		if got := c.Post(t.Context(), Request{URL: "http://hidden.onion/"}); got.Problem != want || got.Status != 0 || got.Took > 5*time.Second {
			t.Errorf("%+v, want %q", got, want)
		}
	}
}
