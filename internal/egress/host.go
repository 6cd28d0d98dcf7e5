package egress

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"golang.org/x/net/idna"
)

// Host is a host that the operator allows at any address.
type Host struct {
	Name string // as canonicalHost returns it
	Port uint16 // 0 means every port
}

// ParseHost parses host or host:port. The host is a name or an IP address; an IPv6 address
// with a port is in brackets. A name lists neither its subdomains nor its addresses.
func ParseHost(text string) (Host, error) {
	name, port := text, ""
	if a, err := netip.ParseAddr(text); err != nil || !a.Is6() {
		if i := strings.LastIndexByte(text, ':'); i >= 0 && !strings.HasSuffix(text, "]") {
			name, port = text[:i], text[i:]
		}
	}
	h := Host{}
	if port != "" {
		n, ok := parsePort(port[1:])
		if !ok {
			return Host{}, fmt.Errorf("the port must be between 1 and 65535")
		}
		h.Port = n
	}
	bare, bracketed := cutBrackets(name)
	if bracketed != strings.Contains(bare, ":") && port != "" {
		return Host{}, fmt.Errorf("an IPv6 address with a port must be in brackets")
	}
	var problem string
	if h.Name, _, problem = canonicalHost(bare); problem != "" {
		return Host{}, fmt.Errorf("the host %s", problem)
	}
	return h, nil
}

// String returns the text that ParseHost parses.
func (h Host) String() string {
	name := h.Name
	if h.Port == 0 {
		return name
	}
	if strings.Contains(name, ":") {
		name = "[" + name + "]"
	}
	return name + ":" + strconv.Itoa(int(h.Port))
}

func (h Host) matches(name string, port uint16) bool {
	return h.Name == name && (h.Port == 0 || h.Port == port)
}

func cutBrackets(host string) (inside string, bracketed bool) {
	if strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]") {
		return host[1 : len(host)-1], true
	}
	return host, false
}

// parsePort parses a port between 1 and 65535 without leading zeros or signs.
func parsePort(text string) (port uint16, ok bool) {
	n, err := strconv.ParseUint(text, 10, 16)
	return uint16(n), err == nil && n > 0 && strconv.FormatUint(n, 10) == text
}

// canonicalHost returns a host in the spelling in which hosts are compared and dialled: an
// IPv4 address instead of one that is mapped to IPv6, or a name in lower case and ASCII
// (IDNA), without a final dot. The address is valid if the host is one. A name whose last
// label is a number is refused, because some resolvers read it as an IPv4 address: decimal,
// octal, hexadecimal or shortened.
func canonicalHost(text string) (name string, a netip.Addr, problem string) {
	if a, err := netip.ParseAddr(text); err == nil {
		if a.Zone() != "" {
			return "", netip.Addr{}, "must not have an IPv6 zone"
		}
		a = a.Unmap()
		return a.String(), a, ""
	}
	const invalid = "must be a valid host name or IP address"
	name, err := asciiName(text)
	if err != nil || !isName(name) {
		return "", netip.Addr{}, invalid
	}
	last := name[strings.LastIndexByte(name, '.')+1:]
	if isNumber(last) {
		return "", netip.Addr{}, "must be a host name, or an IP address with four decimal numbers such as 192.0.2.1"
	}
	return name, netip.Addr{}, ""
}

func asciiName(text string) (string, error) {
	name := strings.ToLower(text)
	for _, r := range text {
		if r >= 0x80 {
			var err error
			if name, err = idna.Lookup.ToASCII(text); err != nil {
				return "", err
			}
			break
		}
	}
	return strings.TrimSuffix(name, "."), nil
}

// isName reports whether a lower-case text consists of DNS labels. Underscores are
// accepted, which are common in names of containers.
func isName(name string) bool {
	if len(name) > 253 {
		return false
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		if strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return false
		}
	}
	return true
}

func isNumber(label string) bool {
	if hex, ok := strings.CutPrefix(label, "0x"); ok {
		return strings.Trim(hex, "0123456789abcdef") == ""
	}
	return strings.Trim(label, "0123456789") == ""
}
