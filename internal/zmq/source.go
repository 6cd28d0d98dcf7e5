package zmq

import (
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/specterd/specterd/internal/core"
)

// source is an address and what there is to hear.
type source struct {
	address string // host:port
	topics  []string
}

// sources returns where to connect: for each topic of interest to the first of
// the addresses that it is published at, and once to each address.
func sources(publishers []core.Publisher, host string) []source {
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

// dialable returns host:port of an address such as tcp://0.0.0.0:28332, with the
// host of the RPC where the address is one to bind to and not to connect to. It
// knows no other transports than TCP.
func dialable(address, rpcHost string) (string, bool) {
	rest, ok := strings.CutPrefix(address, "tcp://")
	if !ok {
		return "", false
	}
	host, port, err := net.SplitHostPort(rest)
	if err != nil || port == "" {
		return "", false
	}
	ip, err := netip.ParseAddr(host)
	if host == "*" || host == "localhost" || err == nil && (ip.IsUnspecified() || ip.IsLoopback()) {
		host = rpcHost
	}
	return net.JoinHostPort(host, port), true
}
