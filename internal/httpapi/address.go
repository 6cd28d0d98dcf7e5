package httpapi

import (
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
)

// clientAddress returns the client's IP address. It reads X-Forwarded-For from right to
// left and stops at the first address that is not a trusted proxy, or before the first
// entry that is not an address. It ignores the header if the connection does not come from
// a trusted proxy.
func clientAddress(r *http.Request, trusted []netip.Prefix) string {
	host := peerOf(r)
	if len(trusted) == 0 || !isTrusted(host, trusted) {
		return host
	}
	hops := strings.Split(strings.Join(r.Header["X-Forwarded-For"], ","), ",")
	for _, hop := range slices.Backward(hops) {
		hop = strings.TrimSpace(hop)
		if _, err := netip.ParseAddr(hop); err != nil {
			break
		}
		host = hop
		if !isTrusted(hop, trusted) {
			break
		}
	}
	return host
}

// isSecure reports whether the client uses HTTPS, according to the connection or to a trusted
// proxy.
func isSecure(r *http.Request, trusted []netip.Prefix) bool {
	return r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https" && isTrusted(peerOf(r), trusted)
}

// peerOf returns the remote IP address of the connection, without the port.
func peerOf(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// maxNoticed is the maximum number of networks that undeclaredProxies remembers and logs.
const maxNoticed = 64

// undeclaredProxies detects proxies that are not in SPECTER_TRUSTED_PROXIES. All clients of
// such a proxy count as one address, also for the limits on failed logins.
type undeclaredProxies struct {
	mu      sync.Mutex
	noticed map[netip.Prefix]bool
}

// notice logs that the forwarding header of a request is ignored because the connection does
// not come from a trusted proxy. It logs this once for each network (IPv4 /24, IPv6 /64).
func (p *undeclaredProxies) notice(log *slog.Logger, r *http.Request, trusted []netip.Prefix) {
	if len(r.Header["X-Forwarded-For"]) == 0 && len(r.Header["Forwarded"]) == 0 {
		return
	}
	peer := peerOf(r)
	if isTrusted(peer, trusted) || !p.isNew(peer) {
		return
	}
	log.WarnContext(r.Context(), "X-Forwarded-For is ignored, because it comes from an address that is not in SPECTER_TRUSTED_PROXIES; "+
		"if that is your reverse proxy, add it, or else all its users count as one address", "peer", peer)
}

func (p *undeclaredProxies) isNew(peer string) bool {
	ip, err := netip.ParseAddr(peer)
	if err != nil {
		return false
	}
	ip = ip.Unmap().WithZone("")
	bits := 24
	if ip.Is6() {
		bits = 64
	}
	network, err := ip.Prefix(bits)
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil || p.noticed[network] || len(p.noticed) >= maxNoticed {
		return false
	}
	if p.noticed == nil {
		p.noticed = map[netip.Prefix]bool{}
	}
	p.noticed[network] = true
	return true
}

// OnlyLocalHosts returns a handler that passes a request to next if its Host is a name of the
// loopback interface or one of allowed, and otherwise responds with 421, to prevent DNS
// rebinding. The metrics server uses it if it listens on loopback.
func OnlyLocalHosts(next http.Handler, allowed []string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !allowsHost(r.Host, allowed) {
			http.Error(w, errHost.Message, http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func isTrusted(host string, trusted []netip.Prefix) bool {
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return false
	}
	ip = ip.Unmap().WithZone("")
	return slices.ContainsFunc(trusted, func(p netip.Prefix) bool { return p.Contains(ip) })
}

// allowsHost reports whether hostport, the Host of a request (RFC 9110, section 7.2), is
// a name of the loopback interface or one of allowed. In a DNS rebinding attack, the name
// of the attacker's site resolves to a loopback address, and Host is still that name.
func allowsHost(hostport string, allowed []string) bool {
	host := hostport
	if strings.Contains(host, ":") {
		if h, _, err := net.SplitHostPort(host); err == nil {
			host = h
		}
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	switch strings.ToLower(host) {
	case "127.0.0.1", "localhost", "::1":
		return true
	}
	return slices.ContainsFunc(allowed, func(a string) bool { return strings.EqualFold(a, host) })
}
