package egress

import "net/netip"

// Class is a class of addresses.
type Class uint8

// The classes of addresses, in the order of increasing protection.
const (
	// Unknown: no address is known, for example because a name did not resolve.
	Unknown Class = iota
	// Onion: a .onion name, whose address only the SOCKS proxy knows.
	Onion
	// Public: an address of the public Internet.
	Public
	// Private: an address of a private network (RFC 1918, fc00::/7).
	Private
	// Refused: any other address, such as loopback, link-local, multicast, reserved and
	// metadata addresses. Only hosts that the operator lists can have one.
	Refused
)

// String returns the name of the class in logs.
func (c Class) String() string {
	return [...]string{"unknown", "onion", "public", "private", "refused"}[c]
}

var (
	privateNetworks = prefixes("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")

	// metadata are services of cloud providers that give credentials to the machine, at
	// addresses that belong to no network below.
	metadata = prefixes("168.63.129.16/32", "fd00:ec2::254/128", "fd20:ce::254/128", "fd00:42::42/128", "fd00:c1::a9fe:a9fe/128")

	// reservedIPv4 are the networks that are not globally reachable (RFC 6890 and its
	// registry), and multicast.
	reservedIPv4 = prefixes(
		"0.0.0.0/8",       // this host
		"100.64.0.0/10",   // carrier-grade NAT, and the metadata of Alibaba Cloud
		"127.0.0.0/8",     // loopback
		"169.254.0.0/16",  // link-local, and the metadata of most clouds
		"192.0.0.0/24",    // protocol assignments, and the metadata of Oracle Cloud
		"192.0.2.0/24",    // documentation
		"192.88.99.0/24",  // 6to4 relays
		"198.18.0.0/15",   // benchmarks
		"198.51.100.0/24", // documentation
		"203.0.113.0/24",  // documentation
		"224.0.0.0/4",     // multicast
		"240.0.0.0/4",     // reserved, and broadcast
	)

	globalIPv6 = netip.MustParsePrefix("2000::/3")

	// reservedIPv6 are the networks in globalIPv6 that are not globally reachable, or that
	// reach an IPv4 address through a relay: the relay decides where 6to4 and Teredo
	// addresses lead, so they are refused even if they contain a public address.
	reservedIPv6 = prefixes(
		"2001::/23",     // protocol assignments: Teredo, ORCHID, benchmarks
		"2001:db8::/32", // documentation
		"2002::/16",     // 6to4
		"3fff::/20",     // documentation
	)

	// nat64 is the well-known prefix (RFC 6052). 64:ff9b:1::/48, which networks use as they
	// like (RFC 8215), is not in globalIPv6 and therefore refused.
	nat64 = netip.MustParsePrefix("64:ff9b::/96")
)

func prefixes(texts ...string) []netip.Prefix {
	all := make([]netip.Prefix, 0, len(texts))
	for _, text := range texts {
		all = append(all, netip.MustParsePrefix(text))
	}
	return all
}

func contains(networks []netip.Prefix, a netip.Addr) bool {
	for _, network := range networks {
		if network.Contains(a) {
			return true
		}
	}
	return false
}

// classify returns the class of an address. An IPv4 address that is mapped to IPv6 or
// translated by NAT64 has the class of the IPv4 address.
func classify(a netip.Addr) Class {
	if !a.IsValid() || a.Zone() != "" {
		return Refused
	}
	a = a.Unmap()
	if nat64.Contains(a) {
		b := a.As16()
		a = netip.AddrFrom4([4]byte(b[12:]))
	}
	switch {
	case contains(metadata, a):
		return Refused
	case contains(privateNetworks, a):
		return Private
	case a.Is4() && contains(reservedIPv4, a):
		return Refused
	case a.Is6() && (!globalIPv6.Contains(a) || contains(reservedIPv6, a)):
		return Refused
	}
	return Public
}
