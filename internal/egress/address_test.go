package egress

import (
	"encoding/binary"
	"net/netip"
	"testing"
)

func TestClassify(t *testing.T) {
	for class, addresses := range map[Class][]string{
		Public: {
			"1.1.1.1", "93.184.216.34", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.0", "169.253.255.255", "172.15.255.255", "172.32.0.0",
			"191.255.255.255", "192.0.1.0", "192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0", "223.255.255.255", "168.63.129.15",
			"2606:2800:220:1::1", "2a00::1", "2001:200::1", "2003::1", "3ffe::1", "::ffff:1.1.1.1", "64:ff9b::1.1.1.1",
		},
		Private: {"10.0.0.0", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.0.1", "192.168.255.255", "fc00::1", "fdff::1", "::ffff:10.0.0.1", "64:ff9b::10.0.0.1"},
		Refused: {
			"0.0.0.0", "0.1.2.3", "100.64.0.0", "100.127.255.255", "100.100.100.200", "127.0.0.1", "127.255.255.255", "169.254.169.254", "169.254.0.1",
			"192.0.0.192", "192.0.2.1", "192.88.99.1", "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1",
			"255.255.255.255", "168.63.129.16",
			"::", "::1", "::7f00:1", "::1.1.1.1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:0:127.0.0.1", "64:ff9b::127.0.0.1", "64:ff9b::a9fe:a9fe",
			"64:ff9b:1::1", "64:ff9b:1:7f00:0:100::", "100::1", "2001::1", "2001:2::1", "2001:10::1", "2001:db8::1", "2002:7f00:1::", "2002:101:101::1", "3fff::1",
			"4000::1", "5f00::1", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1", "ff0e::1", "fd00:ec2::254", "fd20:ce::254", "fd00:42::42", "2606:2800::1%lo",
		},
	} {
		for _, text := range addresses {
			if got := classify(netip.MustParseAddr(text)); got != class {
				t.Errorf("%s: %s, want %s", text, got, class)
			}
		}
	}
	if got := classify(netip.Addr{}); got != Refused {
		t.Errorf("no address: %s", got)
	}
}

// embeddings are the ways to write an IPv4 address in an IPv6 address.
var embeddings = map[string]func(v4 [4]byte) [16]byte{
	"mapped":     func(a [4]byte) [16]byte { return [16]byte{10: 0xff, 11: 0xff, 12: a[0], 13: a[1], 14: a[2], 15: a[3]} },
	"compatible": func(a [4]byte) [16]byte { return [16]byte{12: a[0], 13: a[1], 14: a[2], 15: a[3]} },
	"translated": func(a [4]byte) [16]byte { return [16]byte{8: 0xff, 9: 0xff, 12: a[0], 13: a[1], 14: a[2], 15: a[3]} },
	"NAT64": func(a [4]byte) [16]byte {
		return [16]byte{1: 0x64, 2: 0xff, 3: 0x9b, 12: a[0], 13: a[1], 14: a[2], 15: a[3]}
	},
	"local NAT64 /48": func(a [4]byte) [16]byte {
		return [16]byte{1: 0x64, 2: 0xff, 3: 0x9b, 5: 1, 6: a[0], 7: a[1], 9: a[2], 10: a[3]}
	},
	"local NAT64 /64": func(a [4]byte) [16]byte {
		return [16]byte{1: 0x64, 2: 0xff, 3: 0x9b, 5: 1, 9: a[0], 10: a[1], 11: a[2], 12: a[3]}
	},
	"local NAT64 /96": func(a [4]byte) [16]byte {
		return [16]byte{1: 0x64, 2: 0xff, 3: 0x9b, 5: 1, 12: a[0], 13: a[1], 14: a[2], 15: a[3]}
	},
	"6to4": func(a [4]byte) [16]byte { return [16]byte{0: 0x20, 1: 0x02, 2: a[0], 3: a[1], 4: a[2], 5: a[3], 15: 1} },
	"Teredo client": func(a [4]byte) [16]byte {
		return [16]byte{0: 0x20, 1: 0x01, 4: 1, 5: 1, 6: 1, 7: 1, 12: ^a[0], 13: ^a[1], 14: ^a[2], 15: ^a[3]}
	},
	"Teredo server": func(a [4]byte) [16]byte {
		return [16]byte{0: 0x20, 1: 0x01, 4: a[0], 5: a[1], 6: a[2], 7: a[3], 12: 0xfe, 13: 0xfe, 14: 0xfe, 15: 0xfe}
	},
	"ISATAP": func(a [4]byte) [16]byte {
		return [16]byte{0: 0xfe, 1: 0x80, 10: 0x5e, 11: 0xfe, 12: a[0], 13: a[1], 14: a[2], 15: a[3]}
	},
}

// checkEmbeddings checks that an IPv4 address in an IPv6 address is never less protected
// than the IPv4 address alone.
func checkEmbeddings(t *testing.T, v4 [4]byte) {
	t.Helper()
	alone := classify(netip.AddrFrom4(v4))
	for name, embed := range embeddings {
		if a := netip.AddrFrom16(embed(v4)); classify(a) < alone {
			t.Errorf("%s: %v is %s, and %s is %s", name, netip.AddrFrom4(v4), alone, a, classify(a))
		}
	}
	// The network connects to the IPv4 address itself.
	if a := netip.AddrFrom16(embeddings["mapped"](v4)); classify(a) != alone {
		t.Errorf("%s: %s, want %s", a, classify(a), alone)
	}
}

// TestClassify_Embeddings checks the edges and addresses of every refused and private
// IPv4 network.
func TestClassify_Embeddings(t *testing.T) {
	for _, network := range append(append([]netip.Prefix{}, reservedIPv4...), privateNetworks...) {
		if !network.Addr().Is4() {
			continue
		}
		first := network.Addr().As4()
		size := uint64(1) << (32 - network.Bits())
		for step, i := size/512+1, uint64(0); i < size; i += step {
			var v4 [4]byte
			binary.BigEndian.PutUint32(v4[:], binary.BigEndian.Uint32(first[:])+uint32(i))
			if class := classify(netip.AddrFrom4(v4)); class < Private {
				t.Errorf("%v is %s", netip.AddrFrom4(v4), class)
			}
			checkEmbeddings(t, v4)
		}
		last := binary.BigEndian.Uint32(first[:]) + uint32(size-1)
		var v4 [4]byte
		binary.BigEndian.PutUint32(v4[:], last)
		checkEmbeddings(t, v4)
	}
}

func FuzzClassify_Embeddings(f *testing.F) {
	for _, seed := range []uint32{0, 0x7f000001, 0xa9fea9fe, 0x0a000001, 0x01010101, 0xffffffff} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, v4 uint32) {
		var b [4]byte
		binary.BigEndian.PutUint32(b[:], v4)
		checkEmbeddings(t, b)
	})
}
