package egress

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/specterd/specterd/internal/testenv/testkit"
)

// TestMain sets a proxy in the environment, which no request may use. net/http reads it once
// in a process.
func TestMain(m *testing.M) {
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"} {
		if err := os.Setenv(name, "http://127.0.0.1:9"); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

const (
	publicIPv4 = "93.184.216.34"
	publicIPv6 = "2606:2800:220:1::1"
)

// names are the answers of the DNS server in these tests.
var names = map[string]string{
	"public.example":       publicIPv4 + " " + publicIPv6,
	"loopback.example":     "127.0.0.1 ::1",
	"rebind.example":       publicIPv4 + "; 127.0.0.1",
	"mixed.example":        "127.0.0.1 " + publicIPv4 + " 10.0.0.1 169.254.169.254 ::1 fd12::1",
	"metadata.example":     "169.254.169.254 fd00:ec2::254 100.100.100.200 168.63.129.16",
	"mapped.example":       "::ffff:127.0.0.1",
	"mappedpublic.example": "::ffff:" + publicIPv4,
	"compatible.example":   "::7f00:1",
	"nat64.example":        "64:ff9b::7f00:1",
	"nat64public.example":  "64:ff9b::" + publicIPv4,
	"nat64local.example":   "64:ff9b:1::5db8:d822",
	"sixtofour.example":    "2002:7f00:1::1",
	"teredo.example":       "2001:0:5db8:d822::80ff:fffe",
	"linklocal.example":    "169.254.1.1 fe80::1",
	"private.example":      "10.1.2.3 172.16.5.6 192.168.7.8",
	"ula.example":          "fd12::1",
	"any.example":          "0.0.0.0 ::",
	"multicast.example":    "224.0.0.1 ff02::1 255.255.255.255",
	"cgnat.example":        "100.64.1.2",
	"reserved.example":     "192.0.2.1 198.18.0.1 203.0.113.5 240.0.0.1 2001:db8::1 3fff::1",
	"receiver":             "127.0.0.1",
	"metadata.internal":    "169.254.169.254",
	"2130706433":           "127.0.0.1", // as some resolvers read them
	"0x7f.1":               "127.0.0.1",
	"0177.0.0.1":           "127.0.0.1",
	"127.1":                "127.0.0.1",
	"hidden.onion":         publicIPv4,
}

// dialTest is a URL, and the addresses to which a request for it may connect.
type dialTest struct {
	url  string
	want string
}

// dialTests are the URLs by the settings of the operator.
var dialTests = map[string][]dialTest{
	"default": {
		{"https://public.example/", publicIPv4 + ":443 [" + publicIPv6 + "]:443"},
		{"https://public.example.:8443/", publicIPv4 + ":8443 [" + publicIPv6 + "]:8443"},
		{"https://PUBLIC.example/", publicIPv4 + ":443 [" + publicIPv6 + "]:443"},
		{"https://" + publicIPv4 + "/", publicIPv4 + ":443"},
		{"https://[" + publicIPv6 + "]:444/", "[" + publicIPv6 + "]:444"},
		{"https://[::ffff:" + publicIPv4 + "]/", publicIPv4 + ":443"},
		{"https://mixed.example/", publicIPv4 + ":443"},
		{"https://mappedpublic.example/", publicIPv4 + ":443"},
		{"https://nat64public.example/", "[64:ff9b::5db8:d822]:443"},
		{"https://[64:ff9b::5db8:d822]/", "[64:ff9b::5db8:d822]:443"},

		{"http://public.example/", ""},
		{"http://" + publicIPv4 + "/", ""},
		{"https://loopback.example/", ""},
		{"https://metadata.example/", ""},
		{"https://mapped.example/", ""},
		{"https://compatible.example/", ""},
		{"https://nat64.example/", ""},
		{"https://nat64local.example/", ""},
		{"https://sixtofour.example/", ""},
		{"https://teredo.example/", ""},
		{"https://linklocal.example/", ""},
		{"https://private.example/", ""},
		{"https://ula.example/", ""},
		{"https://any.example/", ""},
		{"https://multicast.example/", ""},
		{"https://cgnat.example/", ""},
		{"https://reserved.example/", ""},
		{"https://metadata.internal/computeMetadata/v1/", ""},
		{"https://missing.example/", ""},
		{"https://localhost/", ""},
		{"https://localhost.localdomain/", ""},
		{"https://receiver/", ""},
		{"https://hidden.onion/", ""},
		{"https://127.0.0.1/", ""},
		{"https://127.255.255.254/", ""},
		{"https://0.0.0.0/", ""},
		{"https://10.0.0.1/", ""},
		{"https://172.16.0.1/", ""},
		{"https://192.168.1.1/", ""},
		{"https://100.100.100.200/", ""},
		{"https://169.254.169.254/latest/meta-data/", ""},
		{"https://169.254.170.2/v2/credentials", ""},
		{"https://168.63.129.16/", ""},
		{"https://192.0.0.192/", ""},
		{"https://192.0.2.1/", ""},
		{"https://198.18.0.1/", ""},
		{"https://224.0.0.1/", ""},
		{"https://240.0.0.1/", ""},
		{"https://255.255.255.255/", ""},
		{"https://2130706433/", ""},
		{"https://3232235777/", ""},
		{"https://017700000001/", ""},
		{"https://0x7f000001/", ""},
		{"https://0x7f.1/", ""},
		{"https://0177.0.0.1/", ""},
		{"https://127.1/", ""},
		{"https://0/", ""},
		{"https://127.0.0.1./", ""},
		{"https://１２７.０.０.１/", ""},
		{"https://127。0。0。1/", ""},
		{"https://ⓛocalhost/", ""},
		{"https://127.0.0.%31/", ""},
		{"https://[::]/", ""},
		{"https://[::1]/", ""},
		{"https://[::127.0.0.1]/", ""},
		{"https://[::ffff:127.0.0.1]/", ""},
		{"https://[::ffff:a9fe:a9fe]/", ""},
		{"https://[::ffff:0:7f00:1]/", ""},
		{"https://[64:ff9b::7f00:1]/", ""},
		{"https://[64:ff9b:1::7f00:1]/", ""},
		{"https://[2002:7f00:1::]/", ""},
		{"https://[2002:a9fe:a9fe::1]/", ""},
		{"https://[2001:0:7f00:1::]/", ""},
		{"https://[2001:db8::1]/", ""},
		{"https://[fd00:ec2::254]/", ""},
		{"https://[fd12::1]/", ""},
		{"https://[fe80::1]/", ""},
		{"https://[fe80::1%25lo]/", ""},
		{"https://[" + publicIPv6 + "%25lo]/", ""},
		{"https://[ff02::1]/", ""},
		{"https://[fec0::1]/", ""},
		{"https://public.example@127.0.0.1/", ""},
		{"https://127.0.0.1#@public.example/", ""},
		{`https://public.example\@127.0.0.1/`, ""},
		{"https://public.example:443@127.0.0.1:8332/", ""},
		{"https://public.example:0/", ""},
		{"https:127.0.0.1", ""},
		{"gopher://127.0.0.1:6379/_PING", ""},
		{"file:///etc/passwd", ""},
		{"//127.0.0.1/", ""},
	},
	"private": {
		{"https://public.example/", publicIPv4 + ":443 [" + publicIPv6 + "]:443"},
		{"https://private.example/", "10.1.2.3:443 172.16.5.6:443 192.168.7.8:443"},
		{"http://private.example:8080/", "10.1.2.3:8080 172.16.5.6:8080 192.168.7.8:8080"},
		{"http://ula.example/", "[fd12::1]:80"},
		{"http://10.1.2.3/", "10.1.2.3:80"},
		{"http://[::ffff:10.1.2.3]/", "10.1.2.3:80"},
		{"https://mixed.example/", "10.0.0.1:443 " + publicIPv4 + ":443 [fd12::1]:443"},
		{"http://mixed.example/", "10.0.0.1:80 [fd12::1]:80"},
		{"http://public.example/", ""}, // not without TLS over the Internet
		{"http://loopback.example/", ""},
		{"http://metadata.example/", ""},
		{"http://linklocal.example/", ""},
		{"http://cgnat.example/", ""},
		{"http://receiver/", ""},
		{"http://[fd00:ec2::254]/", ""},
		{"http://localhost/", ""},
	},
	"listed": { // receiver:8080, public.example, [::1]:8081
		{"http://receiver:8080/", "127.0.0.1:8080"},
		{"http://RECEIVER.:8080/", "127.0.0.1:8080"},
		{"http://public.example/", publicIPv4 + ":80 [" + publicIPv6 + "]:80"},
		{"http://[::1]:8081/", "[::1]:8081"},
		{"http://receiver/", ""},
		{"http://receiver:8081/", ""},
		{"https://receiver/", ""},
		{"http://127.0.0.1:8080/", ""},
		{"http://[::1]:8080/", ""},
		{"http://a.receiver:8080/", ""},
		{"https://loopback.example:8080/", ""},
		{"http://receiver:8080@127.0.0.1/", ""},
	},
}

func dialOptions(t *testing.T, settings string, resolver *net.Resolver) Options {
	t.Helper()
	o := Options{Resolver: resolver, Now: time.Now, Private: settings == "private"}
	if settings == "listed" {
		o.Hosts = hosts(t, "receiver:8080", "public.example", "[::1]:8081")
	}
	return o
}

// recorder records the addresses to which a client connects, and prevents every connection
// except those to the addresses in reach.
type recorder struct {
	reach []netip.AddrPort
	mu    sync.Mutex
	seen  []string
}

var errRecorded = errors.New("recorded instead of connected")

func (r *recorder) connecting(_, address string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen = append(r.seen, address)
	if slices.Contains(r.reach, netip.MustParseAddrPort(address)) {
		return nil
	}
	return errRecorded
}

// addresses returns the recorded addresses, sorted and separated by spaces, and forgets them.
func (r *recorder) addresses() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	slices.Sort(r.seen)
	all := strings.Join(r.seen, " ")
	r.seen = nil
	return all
}

// TestPost_DialsOnlyAllowedAddresses checks the addresses of every connection at the last
// moment before it is made. TestPost_ConnectsOnlyToAllowedAddresses repeats it with real
// connections.
func TestPost_DialsOnlyAllowedAddresses(t *testing.T) {
	total := 0
	for settings, tests := range dialTests {
		t.Run(settings, func(t *testing.T) {
			for _, test := range tests {
				total++
				resolver, _ := startDNS(t, names)
				c := New(dialOptions(t, settings, resolver))
				var r recorder
				c.connecting = r.connecting
				result := c.Post(t.Context(), Request{URL: test.url})
				want := strings.Fields(test.want)
				slices.Sort(want)
				if got := r.addresses(); got != strings.Join(want, " ") {
					t.Errorf("%s, %s: connects to %q, want %q", settings, test.url, got, want)
				}
				if result.Status != 0 || result.Problem == "" || result.Cause == nil {
					t.Errorf("%s, %s: %+v", settings, test.url, result)
				}
				if test.want != "" && c.Check(test.url) != nil {
					t.Errorf("%s, %s: Check refuses what Post allows", settings, test.url)
				}
			}
		})
	}
	if total < 60 {
		t.Errorf("only %d targets", total)
	}
}

// TestPost_Rebinding checks that the address of each connection is checked, not one that
// the same name had before.
func TestPost_Rebinding(t *testing.T) {
	resolver, dns := startDNS(t, names)
	c := New(dialOptions(t, "default", resolver))
	var r recorder
	c.connecting = r.connecting
	testkit.Check(t, c.Check("https://rebind.example/"))
	if n := dns.queries("rebind.example"); n != 0 {
		t.Errorf("Check asks the resolver %d times", n)
	}
	if result, got := c.Post(t.Context(), Request{URL: "https://rebind.example/"}), r.addresses(); got != publicIPv4+":443" || result.Target != Public {
		t.Errorf("public: connects to %q: %+v", got, result)
	}
	for range 3 {
		if result, got := c.Post(t.Context(), Request{URL: "https://rebind.example/"}), r.addresses(); got != "" || result.Target != Refused || result.Problem != unreachable {
			t.Errorf("loopback: connects to %q: %+v", got, result)
		}
	}
	if n := dns.queries("rebind.example"); n != 4 {
		t.Errorf("%d queries for 4 requests", n)
	}
}

// TestPost_MixedAddresses checks that a name with a refused address explains nothing, in
// whatever order its addresses are tried.
func TestPost_MixedAddresses(t *testing.T) {
	for _, answer := range []string{"127.0.0.1 " + publicIPv4, publicIPv4 + " 127.0.0.1", publicIPv4 + " 10.0.0.1", "10.0.0.1 " + publicIPv4} {
		resolver, _ := startDNS(t, map[string]string{"mixed.example": answer})
		c := New(dialOptions(t, "default", resolver))
		var r recorder
		c.connecting = r.connecting
		result := c.Post(t.Context(), Request{URL: "https://mixed.example/"})
		if got := r.addresses(); got != publicIPv4+":443" || result.Target < Private || result.Problem != unreachable {
			t.Errorf("%s: connects to %q: %+v", answer, got, result)
		}
	}
}

// TestDial_WithoutCheck checks that no connection depends on the check of the URL: with a
// host that the check refuses, the address is refused when connecting.
func TestDial_WithoutCheck(t *testing.T) {
	for _, host := range []string{
		"127.0.0.1", "169.254.169.254", "10.0.0.1", "0.0.0.0", "::1", "::ffff:127.0.0.1", "fe80::1", "fe80::1%lo", "fd00:ec2::254", "64:ff9b::7f00:1",
		"localhost", "2130706433", "0x7f.1", "0177.0.0.1", "127.1", "loopback.example", "hidden.onion.", "１２７.０.０.１",
	} {
		resolver, _ := startDNS(t, names)
		c := New(dialOptions(t, "default", resolver))
		var r recorder
		c.connecting = r.connecting
		a := attempt{client: c, target: target{url: &url.URL{Scheme: "https"}, host: host, port: 443}}
		conn, err := a.dial(t.Context(), "tcp")
		if err == nil {
			_ = conn.Close()
		}
		if got := r.addresses(); err == nil || got != "" && host != "hidden.onion." {
			t.Errorf("%s: connects to %q, %v", host, got, err)
		}
	}
}

// TestPost_Redirects checks that a redirect is a response like any other.
func TestPost_Redirects(t *testing.T) {
	var reached []string
	secret := listen(t, "127.0.0.1:0", func(conn net.Conn) { reached = append(reached, conn.LocalAddr().String()) })
	for _, location := range []string{
		"http://" + secret.String() + "/", "//" + secret.String() + "/", "https://10.0.0.1/", "http://169.254.169.254/latest/meta-data/", "http://[::1]:8332/",
		"http://2130706433/", "file:///etc/passwd", "/again", "https://public.example/",
	} {
		for _, status := range []int{301, 302, 303, 307, 308, 300, 304, 305} {
			receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", location)
				w.Header().Set("Refresh", "0; url="+location)
				w.WriteHeader(status)
			}))
			address := netip.MustParseAddrPort(receiver.Listener.Addr().String())
			c := New(Options{Hosts: hosts(t, address.String()), Now: time.Now})
			r := recorder{reach: []netip.AddrPort{address, secret}}
			c.connecting = r.connecting
			result := c.Post(t.Context(), Request{URL: receiver.URL})
			receiver.Close()
			if got := r.addresses(); result.Status != status || result.Problem != "" || got != address.String() {
				t.Errorf("%d to %s: connects to %q, %+v", status, location, got, result)
			}
		}
	}
	if len(reached) > 0 {
		t.Errorf("reached: %q", reached)
	}
}

// TestPost_Request checks what a receiver gets, with a proxy in the environment (TestMain)
// and an earlier response that must not matter.
func TestPost_Request(t *testing.T) {
	type received struct {
		Method, Path, Host, Body string
		Header                   http.Header
	}
	var got []received
	connections := map[string]bool{}
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = append(got, received{r.Method, r.URL.RequestURI(), r.Host, string(body), r.Header})
		connections[r.RemoteAddr] = true
		http.SetCookie(w, &http.Cookie{Name: "session", Value: "1"})
		w.Header().Set("Strict-Transport-Security", "max-age=1000000")
		w.WriteHeader(http.StatusAccepted)
	}))
	defer receiver.Close()
	resolver, _ := startDNS(t, names)
	address := "receiver:" + strconv.Itoa(receiver.Listener.Addr().(*net.TCPAddr).Port)
	c := New(Options{Hosts: hosts(t, address), Now: time.Now, Resolver: resolver})
	request := Request{URL: "http://" + address + "/a%2Fb?c=d&e", Header: map[string]string{"Content-Type": "application/json", "webhook-id": "msg_1"}, Body: []byte(`{"n":1}`)}
	for range 2 {
		if result := c.Post(t.Context(), request); result.Status != http.StatusAccepted || result.Problem != "" || result.Cause != nil {
			t.Errorf("%+v", result)
		}
	}
	want := received{"POST", "/a%2Fb?c=d&e", address, `{"n":1}`, http.Header{
		"Connection": {"close"}, "Content-Length": {"7"}, "Content-Type": {"application/json"}, "User-Agent": {"specterd"}, "Webhook-Id": {"msg_1"},
	}}
	if diff := cmp.Diff([]received{want, want}, got); diff != "" {
		t.Error(diff)
	}
	if len(connections) != 2 {
		t.Errorf("%d connections for 2 requests", len(connections))
	}
}

// TestPost_Cancelled checks that a request ends with its context.
func TestPost_Cancelled(t *testing.T) {
	accepted := make(chan struct{}, 1)
	closed := make(chan struct{})
	address := listen(t, "127.0.0.1:0", func(conn net.Conn) {
		accepted <- struct{}{}
		_, _ = io.Copy(io.Discard, conn)
		close(closed)
	})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		<-accepted
		cancel()
	}()
	c := New(Options{Hosts: hosts(t, address.String()), Now: time.Now})
	// With https, the receiver holds the connection during the TLS handshake.
	if result := c.Post(ctx, Request{URL: "https://" + address.String()}); result.Status != 0 || !errors.Is(result.Cause, context.Canceled) || result.Took > Timeout/2 {
		t.Errorf("%+v", result)
	}
	select {
	case <-closed:
	case <-time.After(Timeout):
		t.Error("the connection stays open")
	}
}
