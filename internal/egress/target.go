package egress

import (
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/specterd/specterd/internal/fault"
)

const maxURL = 2000

// target is a URL that may be requested, if its host has an allowed address.
type target struct {
	url    *url.URL // with the canonical host
	host   string   // canonical
	addr   netip.Addr
	port   uint16
	listed bool // by the operator
	onion  bool
}

func (t target) address() string { return net.JoinHostPort(t.host, portText(t.port)) }

// target parses a URL and checks what can be checked without resolving a name.
func (c *Client) target(text string) (target, *fault.Error) {
	t, problem := parse(text)
	if problem == "" {
		t.listed = slices.ContainsFunc(c.options.Hosts, func(h Host) bool { return h.matches(t.host, t.port) })
		problem = c.refusal(t)
	}
	if problem != "" {
		return target{}, fault.InvalidField("url", "%s", problem)
	}
	return t, nil
}

// refusal returns why a target is refused whatever its name resolves to, or an empty text.
// If private addresses are allowed, a name may be requested over http, but is then refused
// at public addresses.
func (c *Client) refusal(t target) string {
	class := Unknown
	if t.addr.IsValid() {
		class = classify(t.addr)
	}
	switch {
	case t.onion && c.socks == nil:
		return "must not be a .onion address: this server has no SOCKS proxy"
	case t.onion || t.listed:
		return ""
	case class == Refused, class == Private && !c.options.Private, isLocalhost(t.host):
		return "must not be an address of this machine, or of a private or reserved network"
	case t.url.Scheme == "http" && (class == Public || !c.options.Private):
		return "must start with https://"
	}
	return ""
}

// allows reports whether a connection to an address of this class is allowed.
func (c *Client) allows(t target, class Class) bool {
	switch {
	case t.listed:
		return true
	case class == Public:
		return t.url.Scheme == "https"
	}
	return class == Private && c.options.Private
}

func isLocalhost(name string) bool {
	return name == "localhost" || strings.HasSuffix(name, ".localhost")
}

func isOnion(name string) bool { return strings.HasSuffix(name, ".onion") }

// parse returns the target of a URL, or why the URL is invalid.
func parse(text string) (t target, problem string) {
	if len(text) > maxURL {
		return t, "must have at most 2000 bytes"
	}
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return t, "must be a valid URL"
	case u.Scheme != "http" && u.Scheme != "https" || u.Opaque != "" || u.Host == "":
		return t, "must start with https://, or with http:// if the operator allows it for this host"
	case u.User != nil:
		return t, "must not contain a user name or password"
	case strings.Contains(text, "#"):
		return t, "must not contain a fragment (#)"
	}
	t.url = u
	return t, t.setHost()
}

// setHost sets host, address and port from the URL, and makes the host in the URL
// canonical.
func (t *target) setHost() (problem string) {
	t.port = 443
	if t.url.Scheme == "http" {
		t.port = 80
	}
	explicit := false
	if name, port, ok := cutPort(t.url.Host); ok {
		if t.port, explicit = parsePort(port); !explicit {
			return "must have a port between 1 and 65535"
		}
		t.url.Host = name
	}
	host, bracketed := cutBrackets(t.url.Host)
	if bracketed != strings.Contains(host, ":") {
		return "must have an IPv6 address in brackets"
	}
	if t.host, t.addr, problem = canonicalHost(host); problem != "" {
		return problem
	}
	t.onion = isOnion(t.host)
	switch {
	case explicit:
		t.url.Host = t.address()
	case t.addr.Is6():
		t.url.Host = "[" + t.host + "]"
	default:
		t.url.Host = t.host
	}
	return ""
}

// cutPort splits host:port at the colon that is not part of an IPv6 address.
func cutPort(text string) (host, port string, found bool) {
	i := strings.LastIndexByte(text, ':')
	if i < 0 || i < strings.LastIndexByte(text, ']') {
		return text, "", false
	}
	return text[:i], text[i+1:], true
}
