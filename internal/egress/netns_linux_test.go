package egress

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/testenv/testkit"
)

// ownNetwork is an environment variable that marks a process with its own network namespace.
const ownNetwork = "SPECTERD_TEST_OWN_NETWORK"

// withOwnNetwork runs the test again in a process with its own network namespace, in which
// every address of the Internet belongs to this machine, and reports whether the current
// process is that process.
func withOwnNetwork(t *testing.T) bool {
	t.Helper()
	testkit.NeedsServer(t, "unshare and ip")
	if os.Getenv(ownNetwork) == "" {
		self, err := os.Executable()
		testkit.Check(t, err)
		cmd := exec.CommandContext(t.Context(), "unshare", "--user", "--map-root-user", "--net", self, "-test.run=^"+t.Name()+"$", "-test.v", "-test.timeout=5m")
		cmd.Env = append(os.Environ(), ownNetwork+"=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s\nThe test requires a user and network namespace of its own (unshare --user --map-root-user --net). "+
				"If that is what failed: it needs root, or kernel.apparmor_restrict_unprivileged_userns=0, and in a container --privileged.", err, out)
		}
		return false
	}
	for _, args := range []string{"link set lo up", "route add local default dev lo", "-6 route add local default dev lo"} {
		if out, err := exec.CommandContext(t.Context(), "ip", strings.Fields(args)...).CombinedOutput(); err != nil {
			t.Fatalf("ip %s: %v\n%s", args, err, out)
		}
	}
	return true
}

// TestPost_ConnectsOnlyToAllowedAddresses sends requests to all URLs of dialTests, with
// servers that accept connections at every address, including refused ones.
func TestPost_ConnectsOnlyToAllowedAddresses(t *testing.T) {
	if !withOwnNetwork(t) {
		return
	}
	var mu sync.Mutex
	var accepted []string
	for _, port := range []string{"80", "443", "444", "6379", "8080", "8081", "8332", "8443"} {
		listen(t, "[::]:"+port, func(conn net.Conn) {
			mu.Lock()
			defer mu.Unlock()
			to := netip.MustParseAddrPort(conn.LocalAddr().String())
			accepted = append(accepted, netip.AddrPortFrom(to.Addr().Unmap(), to.Port()).String())
		})
	}
	take := func() []string {
		mu.Lock()
		defer mu.Unlock()
		all := accepted
		accepted = nil
		return all
	}
	// The servers are reachable at addresses that must be refused.
	for _, address := range []string{"127.0.0.1:8332", "169.254.169.254:80", "10.0.0.1:443", "[::1]:8332", "[fd00:ec2::254]:80", "100.100.100.200:80"} {
		conn, err := net.Dial("tcp", address)
		testkit.Check(t, err)
		_, _ = io.Copy(io.Discard, conn)
		_ = conn.Close()
		if got := take(); len(got) != 1 || got[0] != address {
			t.Fatalf("%s: accepted %q", address, got)
		}
	}
	for settings, tests := range dialTests {
		for _, test := range tests {
			resolver, _ := startDNS(t, names)
			c := New(dialOptions(t, settings, resolver))
			c.Post(t.Context(), Request{URL: test.url})
			got := take()
			if (len(got) == 0) != (test.want == "") {
				t.Errorf("%s, %s: connected to %q, want %q", settings, test.url, got, test.want)
			}
			for _, address := range got {
				if !strings.Contains(" "+test.want+" ", " "+address+" ") {
					t.Errorf("%s, %s: connected to %s", settings, test.url, address)
				}
			}
		}
	}
}

// TestPost_Explanations checks what a result shows of a public receiver, and that results
// of private and refused addresses cannot be distinguished from names that do not exist.
func TestPost_Explanations(t *testing.T) {
	if !withOwnNetwork(t) {
		return
	}
	receiver := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("received")) }))
	receiver.Config.ErrorLog = log.New(io.Discard, "", 0) // of failed handshakes
	receiver.Listener = listenOn(t, "[::]:443")
	receiver.StartTLS()
	defer receiver.Close()
	old := httptest.NewUnstartedServer(receiver.Config.Handler)
	old.Config.ErrorLog = receiver.Config.ErrorLog
	old.Listener, old.TLS = listenOn(t, "[::]:1111"), &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}
	old.StartTLS()
	defer old.Close()
	plain := httptest.NewUnstartedServer(receiver.Config.Handler)
	plain.Listener = listenOn(t, "[::]:80")
	plain.Start()
	defer plain.Close()
	listen(t, "[::]:4444", func(net.Conn) {})
	listen(t, "[::]:5555", func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) })

	// The certificate of httptest is valid for example.com and its subdomains.
	resolver, _ := startDNS(t, map[string]string{"example.com": publicIPv4, "public.example": publicIPv4, "private.example.com": "10.1.2.3", "loopback.example.com": "127.0.0.1"})
	roots := x509.NewCertPool()
	roots.AddCert(receiver.Certificate())
	for _, test := range []struct {
		url, excerpt, problem string
		status                int
		target                Class
		trustNone             bool
	}{
		{url: "https://example.com/", status: 200, excerpt: "received", target: Public},
		{url: "https://example.com/", problem: "the TLS certificate was issued by an unknown authority", target: Public, trustNone: true},
		{url: "https://public.example/", problem: "the TLS certificate is not valid for this host", target: Public},
		{url: "https://" + publicIPv4 + "/", problem: "the TLS certificate is not valid for this host", target: Public},
		{url: "https://example.com:80/", problem: "the port does not use TLS", target: Public},
		{url: "https://example.com:1111/", problem: "the TLS handshake failed", target: Public},
		{url: "https://example.com:4444/", problem: "the TLS handshake failed", target: Public},
		{url: "https://example.com:5555/", problem: "no response within 15 seconds", target: Public},
		{url: "https://example.com:6666/", problem: "connection refused", target: Public},
		{url: "http://example.com/", problem: "public addresses require https", target: Public},
		{url: "https://private.example.com/", status: 200, target: Private},
		{url: "http://private.example.com/", status: 200, target: Private},
		{url: "https://private.example.com:80/", problem: unreachable, target: Private},
		{url: "https://private.example.com:4444/", problem: unreachable, target: Private},
		{url: "https://private.example.com:5555/", problem: unreachable, target: Private},
		{url: "https://private.example.com:6666/", problem: unreachable, target: Private},
		{url: "https://loopback.example.com/", problem: unreachable, target: Refused},
		{url: "https://missing.example.com/", problem: unreachable},
	} {
		t.Run(test.url, func(t *testing.T) {
			o := Options{Private: true, Resolver: resolver, RootCAs: roots, Now: time.Now}
			if test.trustNone {
				o.RootCAs = nil
			}
			c := New(o)
			c.timeout = 2 * time.Second
			got := c.Post(t.Context(), Request{URL: test.url})
			if got.Status != test.status || got.Excerpt != test.excerpt || got.Problem != test.problem || got.Target != test.target {
				t.Errorf("%s: %+v", test.url, got)
			}
		})
	}
}

func listenOn(t *testing.T, address string) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", address)
	testkit.Check(t, err)
	return l
}
