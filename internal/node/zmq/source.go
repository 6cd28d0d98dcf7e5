package zmq

import (
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/specterd/specterd/internal/node/backend"
)

// source is an address and the topics to subscribe to.
type source struct {
	address string // host:port
	topics  []string
}

// sources returns the connections to make: each relevant topic at the first address
// that publishes it, and one connection per address.
func sources(publishers []backend.Publisher, host string) []source {
	var list []source
	wanted := []string{topicTx, topicBlock, topicSequence}
	for _, p := range publishers {
		i := slices.Index(wanted, p.Topic)
		address, ok := dialable(p.Address, host)
		if i < 0 || !ok {
			continue
		}
		wanted = slices.Delete(wanted, i, i+1)
		same := slices.IndexFunc(list, func(s source) bool { return s.address == address })
		if same < 0 {
			list = append(list, source{address: address})
			same = len(list) - 1
		}
		list[same].topics = append(list[same].topics, p.Topic)
	}
	return list
}

// dialable returns host:port for an address such as tcp://0.0.0.0:28332. The host is
// always the given one: the node determines the port, but must not make specterd
// connect to other hosts. It returns false for an address that is malformed or not
// TCP.
func dialable(address, host string) (string, bool) {
	_, port, ok := split(address)
	return net.JoinHostPort(host, port), ok
}

// Elsewhere returns the addresses of publishers that name a host other than the given
// one, except loopback and wildcard addresses. The subscription does not connect to those
// hosts.
func Elsewhere(publishers []backend.Publisher, host string) []string {
	var list []string
	for _, p := range publishers {
		named, _, ok := split(p.Address)
		ip, err := netip.ParseAddr(named)
		bound := named == "*" || named == "localhost" || err == nil && (ip.IsUnspecified() || ip.IsLoopback())
		if ok && !bound && !strings.EqualFold(named, host) && !slices.Contains(list, p.Address) {
			list = append(list, p.Address)
		}
	}
	return list
}

func split(address string) (host, port string, ok bool) {
	rest, ok := strings.CutPrefix(address, "tcp://")
	if !ok {
		return "", "", false
	}
	host, port, err := net.SplitHostPort(rest)
	return host, port, err == nil && port != ""
}
