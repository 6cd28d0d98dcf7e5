package egress

import (
	"strings"
	"testing"

	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

func hosts(t *testing.T, texts ...string) []Host {
	t.Helper()
	all := make([]Host, 0, len(texts))
	for _, text := range texts {
		h, err := ParseHost(text)
		testkit.Check(t, err)
		all = append(all, h)
	}
	return all
}

func TestCheck(t *testing.T) {
	const (
		network = "must not be an address of this machine, or of a private or reserved network"
		secure  = "must start with https://"
		scheme  = "must start with https://, or with http:// if the operator allows it for this host"
		user    = "must not contain a user name or password"
		number  = "must be a host name, or an IP address with four decimal numbers such as 192.0.2.1"
		port    = "must have a port between 1 and 65535"
		name    = "must be a valid host name or IP address"
		invalid = "must be a valid URL"
	)
	onion := strings.Repeat("a", 56) + ".onion"
	none, private := New(Options{}), New(Options{Private: true})
	listed := New(Options{Hosts: hosts(t, "127.0.0.1:8080", "Receiver", "bücher.example", "[::1]:81", "10.1.1.1")})
	tor := New(Options{SOCKS: "127.0.0.1:9050"})
	for _, test := range []struct {
		client *Client
		url    string
		want   string // empty: accepted
	}{
		{none, "https://example.com", ""},
		{none, "https://example.com:8443/hook?x=%23", ""},
		{none, "https://example.com./", ""},
		{none, "https://my_shop.example.com/", ""},
		{none, "https://bücher.example/", ""},
		{none, "https://1.1.1.1/", ""},
		{none, "https://[2606:2800:220:1::1]/", ""},
		{none, "https://[2606:2800:220:1::1]:65535/", ""},
		{none, "https://a/" + strings.Repeat("b", 1990), ""},
		{none, "https://a/" + strings.Repeat("b", 1991), "must have at most 2000 bytes"},
		{none, "http://example.com", secure},
		{none, "http://1.1.1.1", secure},
		{none, "", scheme},
		{none, "example.com", scheme},
		{none, "//example.com", scheme},
		{none, "https:example.com", scheme},
		{none, "https:///path", scheme},
		{none, "ftp://example.com", scheme},
		{none, "file:///etc/passwd", scheme},
		{none, "gopher://127.0.0.1:6379/_", scheme},
		{none, "https://user@example.com", user},
		{none, "https://user:pw@example.com", user},
		{none, "https://example.com@127.0.0.1/", user},
		{none, "https://@example.com/", user},
		{none, "https://example.com/#", "must not contain a fragment (#)"},
		{none, "https://example.com#@127.0.0.1/", "must not contain a fragment (#)"},
		{none, `https://example.com\@127.0.0.1/`, invalid},
		{none, "https://exa mple.com/", invalid},
		{none, "https://example.com/\n", invalid},
		{none, "https://127.0.0.%31/", invalid},
		{none, "https://example.com:0/", port},
		{none, "https://example.com:/", port},
		{none, "https://example.com:65536/", port},
		{none, "https://example.com:0443/", port},
		{none, "https://.example.com/", name},
		{none, "https://example..com/", name},
		{none, "https://example.com../", name},
		{none, "https://-a.example/", name},
		{none, "https://" + strings.Repeat("a", 64) + ".example/", name},
		{none, "https://exa*mple.com/", name},
		{none, "https://2130706433/", number},
		{none, "https://017700000001/", number},
		{none, "https://0x7f000001/", number},
		{none, "https://0x7f.1/", number},
		{none, "https://0X7F.0x0.0.0X1/", number},
		{none, "https://127.1/", number},
		{none, "https://0177.0.0.1/", number},
		{none, "https://127.0.0.01/", number},
		{none, "https://127.0.0.1./", number},
		{none, "https://1.1.1.1./", number},
		{none, "https://256.256.256.256/", number},
		{none, "https://0/", number},
		{none, "https://0x/", number},
		{none, "https://example.com.1/", number},
		{none, "https://１２７.０.０.１/", number},
		{none, "https://127。0。0。1/", number},
		{none, "https://①②⑦.0.0.①/", number},
		{none, "https://127.0.0.1/", network},
		{none, "https://10.0.0.1/", network},
		{none, "https://169.254.169.254/latest/meta-data/", network},
		{none, "https://[::1]/", network},
		{none, "https://[::ffff:127.0.0.1]/", network},
		{none, "https://[::ffff:7f00:1]/", network},
		{none, "https://[64:ff9b::a9fe:a9fe]/", network},
		{none, "https://[fd00:ec2::254]/", network},
		{none, "https://localhost/", network},
		{none, "https://LOCALHOST./", network},
		{none, "https://a.localhost/", network},
		{none, "http://127.0.0.1/", network},
		{none, "https://[fe80::1%25lo]/", "must not have an IPv6 zone"},
		{none, "https://[2606:2800:220:1::1%25lo]/", "must not have an IPv6 zone"},
		{none, "https://[1.1.1.1]/", invalid},
		{none, "https://::1/", invalid},
		{none, "https://fd12::1/", invalid},
		{none, "https://[example.com]/", invalid},
		{none, "https://" + onion + "/", "must not be a .onion address: this server has no SOCKS proxy"},

		{private, "https://10.0.0.1/", ""},
		{private, "http://10.0.0.1/", ""},
		{private, "http://[fd12::1]:8080/", ""},
		{private, "http://receiver.lan/", ""}, // refused at public addresses when connecting
		{private, "http://1.1.1.1/", secure},
		{private, "http://127.0.0.1/", network},
		{private, "http://169.254.169.254/", network},
		{private, "http://[fd00:ec2::254]/", network},
		{private, "http://localhost/", network},

		{listed, "http://127.0.0.1:8080/", ""},
		{listed, "https://127.0.0.1:8080/", ""},
		{listed, "http://[::ffff:127.0.0.1]:8080/", ""},
		{listed, "http://127.0.0.1/", network},
		{listed, "http://127.0.0.1:8081/", network},
		{listed, "http://127.0.0.2:8080/", network},
		{listed, "http://receiver/", ""},
		{listed, "http://RECEIVER.:1234/", ""},
		{listed, "http://a.receiver/", secure},
		{listed, "http://xn--bcher-kva.example/", ""},
		{listed, "http://BÜCHER.example/", ""},
		{listed, "http://[0:0:0:0:0:0:0:1]:81/", ""},
		{listed, "http://[::1]/", network},
		{listed, "http://10.1.1.1/", ""},
		{listed, "https://10.1.1.2/", network},

		{tor, "http://" + onion + "/", ""},
		{tor, "https://a." + strings.ToUpper(onion) + ":8443/", ""},
		{tor, "http://example.com/", secure},
	} {
		t.Run(test.url, func(t *testing.T) {
			err := test.client.Check(test.url)
			if test.want == "" {
				if err != nil {
					t.Errorf("%s: %v", test.url, err)
				}
				return
			}
			f, ok := err.(*fault.Error) //nolint:errorlint // Check returns the fault itself
			if !ok || f.Kind != fault.Invalid || len(f.Fields) != 1 || f.Fields[0] != (fault.Field{Name: "url", Message: test.want}) {
				t.Errorf("%s: %v, want %q", test.url, err, test.want)
			}
		})
	}
}

func TestParseHost(t *testing.T) {
	for text, want := range map[string]string{
		"Example.COM": "example.com", "example.com.:443": "example.com:443", "bücher.example": "xn--bcher-kva.example",
		"127.0.0.1": "127.0.0.1", "127.0.0.1:80": "127.0.0.1:80", "::1": "::1", "[::1]": "::1", "[::1]:80": "[::1]:80", "::ffff:10.0.0.1": "10.0.0.1",
		"0:0:0:0:0:0:0:1": "::1", "my_receiver:8080": "my_receiver:8080",
	} {
		t.Run(text, func(t *testing.T) {
			h, err := ParseHost(text)
			if err != nil || h.String() != want {
				t.Errorf("%q: %v, %v", text, h, err)
				return
			}
			if again, err := ParseHost(h.String()); err != nil || again != h {
				t.Errorf("%q: %v, then %v, %v", text, h, again, err)
			}
		})
	}
	for _, text := range []string{
		"", ":80", "example.com:", "example.com:0", "example.com:65536", "example.com:http", "https://example.com", "example.com/path", "user@example.com",
		"*.example.com", "10.0.0.0/8", "fe80::1%lo", "[fe80::1%lo]:80", "2130706433", "127.1", "[example.com]:80", "[127.0.0.1]:80", "a b", "a..b", "[::1", "::1]:80",
	} {
		if h, err := ParseHost(text); err == nil {
			t.Errorf("%q: %v", text, h)
		}
	}
}

func FuzzCheck(f *testing.F) {
	for _, seed := range []string{"https://example.com/", "http://127.0.0.1:80/", "https://[::ffff:7f00:1]/", "https://2130706433/", "https://a@b/", "https://１２７.1/"} {
		f.Add(seed)
	}
	c := New(Options{})
	f.Fuzz(func(t *testing.T, url string) {
		to, err := c.target(url)
		if err != nil {
			return
		}
		if to.url.Scheme != "https" || to.addr.IsValid() && classify(to.addr) != Public || to.port == 0 {
			t.Errorf("%q is accepted: %+v", url, to)
		}
		// The URL that is requested leads to the host that was checked.
		again, err := c.target(to.url.String())
		if err != nil || again.host != to.host || again.port != to.port {
			t.Errorf("%q: %+v, then %+v, %v", url, to, again, err)
		}
	})
}
