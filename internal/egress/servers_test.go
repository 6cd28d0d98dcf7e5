package egress

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/specterd/specterd/internal/testenv/testkit"
)

// dnsServer is a DNS server on loopback. It answers each query for a name with the next
// of its answers, and repeats the last one.
type dnsServer struct {
	conn    net.PacketConn
	mu      sync.Mutex
	answers map[string][][]netip.Addr
	asked   map[string]int // queries for type A, by name
}

// startDNS returns a resolver that asks a server with these answers: for each name a list of
// answers separated by semicolons, each a list of addresses.
func startDNS(t *testing.T, answers map[string]string) (*net.Resolver, *dnsServer) {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	testkit.Check(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	s := dnsServer{conn: conn, answers: map[string][][]netip.Addr{}, asked: map[string]int{}}
	for name, texts := range answers {
		for answer := range strings.SplitSeq(texts, ";") {
			var addresses []netip.Addr
			for _, text := range strings.Fields(answer) {
				addresses = append(addresses, netip.MustParseAddr(text))
			}
			s.answers[name+"."] = append(s.answers[name+"."], addresses)
		}
	}
	go s.serve()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "udp", conn.LocalAddr().String())
	}}, &s
}

func (s *dnsServer) serve() {
	packet := make([]byte, 4096)
	for {
		n, from, err := s.conn.ReadFrom(packet)
		if err != nil {
			return
		}
		var query dnsmessage.Message
		if query.Unpack(packet[:n]) != nil || len(query.Questions) != 1 {
			continue
		}
		reply := s.answer(query)
		if out, err := reply.Pack(); err == nil {
			_, _ = s.conn.WriteTo(out, from)
		}
	}
}

func (s *dnsServer) answer(query dnsmessage.Message) dnsmessage.Message {
	q := query.Questions[0]
	name := strings.ToLower(q.Name.String())
	reply := dnsmessage.Message{Header: dnsmessage.Header{ID: query.ID, Response: true, Authoritative: true, RecursionAvailable: true}, Questions: query.Questions}
	s.mu.Lock()
	defer s.mu.Unlock()
	answers, exists := s.answers[name]
	if !exists {
		reply.RCode = dnsmessage.RCodeNameError
		return reply
	}
	i := min(s.asked[name], len(answers)-1)
	if q.Type == dnsmessage.TypeA {
		s.asked[name]++
	}
	for _, a := range answers[i] {
		r := dnsmessage.Resource{Header: dnsmessage.ResourceHeader{Name: q.Name, Class: dnsmessage.ClassINET}}
		switch {
		case a.Is4() && q.Type == dnsmessage.TypeA:
			r.Header.Type, r.Body = dnsmessage.TypeA, &dnsmessage.AResource{A: a.As4()}
		case a.Is6() && q.Type == dnsmessage.TypeAAAA:
			r.Header.Type, r.Body = dnsmessage.TypeAAAA, &dnsmessage.AAAAResource{AAAA: a.As16()}
		default:
			continue
		}
		reply.Answers = append(reply.Answers, r)
	}
	return reply
}

func (s *dnsServer) queries(name string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked[name+"."]
}

// listen serves each connection with handle, and closes it afterwards.
func listen(t *testing.T, address string, handle func(net.Conn)) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp", address)
	testkit.Check(t, err)
	var running sync.WaitGroup
	running.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			stop := context.AfterFunc(t.Context(), func() { _ = conn.Close() })
			running.Go(func() {
				defer stop()
				defer conn.Close() //nolint:errcheck // a test's connection
				handle(conn)
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		running.Wait()
	})
	return netip.MustParseAddrPort(l.Addr().String())
}

// socksServer is a SOCKS5 proxy (RFC 1928) without authentication, which knows the addresses
// of some names. Like Tor, it gets names and not addresses.
type socksServer struct {
	address string
	mu      sync.Mutex
	names   map[string]string // host:port to the address of a real server
	asked   []string          // requested host:port
}

func startSOCKS(t *testing.T, names map[string]string) *socksServer {
	t.Helper()
	s := socksServer{names: names}
	s.address = listen(t, "127.0.0.1:0", func(conn net.Conn) { _ = s.serve(conn) }).String()
	return &s
}

func (s *socksServer) serve(conn net.Conn) error {
	r := bufio.NewReader(conn)
	head := make([]byte, 2)
	if _, err := io.ReadFull(r, head); err != nil {
		return err
	}
	if _, err := io.CopyN(io.Discard, r, int64(head[1])); err != nil {
		return err
	}
	if _, err := conn.Write([]byte{5, 0}); err != nil {
		return err
	}
	request := make([]byte, 5)
	if _, err := io.ReadFull(r, request); err != nil {
		return err
	}
	if request[1] != 1 || request[3] != 3 {
		return errors.New("not a connection to a name")
	}
	rest := make([]byte, int(request[4])+2)
	if _, err := io.ReadFull(r, rest); err != nil {
		return err
	}
	name := string(rest[:request[4]]) + ":" + strconv.Itoa(int(binary.BigEndian.Uint16(rest[request[4]:])))
	s.mu.Lock()
	s.asked = append(s.asked, name)
	s.mu.Unlock()
	upstream, err := net.Dial("tcp", s.names[name])
	if err != nil {
		_, _ = conn.Write([]byte{5, 4, 0, 1, 0, 0, 0, 0, 0, 0})
		return err
	}
	defer upstream.Close() //nolint:errcheck // a test's connection
	if _, err := conn.Write([]byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0}); err != nil {
		return err
	}
	go func() {
		_, _ = io.Copy(upstream, r)
		_ = upstream.Close()
	}()
	_, err = io.Copy(conn, upstream)
	return err
}

func (s *socksServer) requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.asked...)
}
