package zmq_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/node/backend"
	"github.com/specterd/specterd/internal/node/rpcclient"
	"github.com/specterd/specterd/internal/node/zmq"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// received records the events of a subscription.
type received struct {
	mu     sync.Mutex
	events []zmq.Event
}

// listen runs a subscription until the test ends.
func listen(t *testing.T, s *zmq.Subscription) *received {
	t.Helper()
	h := &received{}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() {
		ended <- s.Run(ctx, func(e zmq.Event) {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.events = append(h.events, e)
		})
	}()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(2 * time.Second):
			t.Error("Run does not end with its context")
		}
	})
	return h
}

func (h *received) all() []zmq.Event {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.events)
}

func (h *received) count(kind zmq.Kind) (n int) {
	for _, e := range h.all() {
		if e.Kind == kind {
			n++
		}
	}
	return n
}

// has waits for an event.
func (h *received) has(t *testing.T, what string, want zmq.Event) {
	t.Helper()
	testkit.Eventually(t, what, func() bool {
		return slices.ContainsFunc(h.all(), func(e zmq.Event) bool {
			return e.Kind == want.Kind && e.Hash == want.Hash && bytes.Equal(e.Raw, want.Raw)
		})
	})
}

func up(s *zmq.Subscription) func() bool { return func() bool { return s.Problem() == nil } }

func TestNode(t *testing.T) {
	t.Parallel()
	n := testkit.Bitcoind(t)
	rpc, err := rpcclient.New(rpcclient.Config{URL: n.URL()})
	if err != nil {
		t.Fatal(err)
	}
	publishers, err := backend.New(rpc).Publishers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s := zmq.New(publishers, n.Host())
	if topics := slices.Sorted(slices.Values(s.Topics())); !slices.Equal(topics, []string{"hashblock", "rawtx", "sequence"}) {
		t.Fatalf("topics %q of %v", topics, publishers)
	}
	if s.Problem() == nil {
		t.Error("no problem before it runs")
	}
	h := listen(t, s)
	testkit.Eventually(t, "it connects", up(s))
	subscribed(t, n, h)

	n.CLI(t, "createwallet", "alice")
	address := text(t, n.WalletCLI(t, "alice", "getnewaddress"))
	n.CLI(t, "generatetoaddress", 1, address)
	block := n.Mine(t, 100)[99]
	h.has(t, "the last block", zmq.Event{Kind: zmq.Block, Hash: block})

	txid := text(t, n.WalletCLI(t, "alice", "sendtoaddress", address, 1))
	raw, err := hex.DecodeString(text(t, n.CLI(t, "getrawtransaction", txid)))
	if err != nil {
		t.Fatal(err)
	}
	h.has(t, "the transaction", zmq.Event{Kind: zmq.Tx, Raw: raw})
	n.WalletCLI(t, "alice", "bumpfee", txid)
	h.has(t, "that it was replaced", zmq.Event{Kind: zmq.MempoolRemoved, Hash: txid})
	if got := h.count(zmq.Lost); got != 1 {
		t.Errorf("lost %d times; want once, at the connection", got)
	}

	n.Stop(t)
	testkit.Eventually(t, "it notices", func() bool { return s.Problem() != nil })
	n.Start(t)
	testkit.Eventually(t, "it connects again", up(s))
	if got := h.count(zmq.Lost); got != 2 {
		t.Errorf("lost %d times; want once more, at the second connection", got)
	}
	subscribed(t, n, h)
}

// subscribed mines blocks until one is announced, because the node takes a moment
// to accept the subscription.
func subscribed(t *testing.T, n *testkit.Node, h *received) {
	t.Helper()
	before := h.count(zmq.Block)
	testkit.Eventually(t, "a block is received of", func() bool {
		n.Mine(t, 1)
		return h.count(zmq.Block) > before
	})
}

func text(t *testing.T, raw json.RawMessage) (s string) {
	t.Helper()
	if err := json.Unmarshal(raw, &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// publisher is a ZMTP publisher that sends a greeting, waits for the subscriptions,
// and sends the given bytes.
func publisher(t *testing.T, sends []byte) []backend.Publisher {
	t.Helper()
	greeting := make([]byte, 64)
	copy(greeting, "\xff\x00\x00\x00\x00\x00\x00\x00\x00\x7f\x03\x00NULL")
	ready := frame(4, "\x05READY\x0bSocket-Type\x00\x00\x00\x03PUB")
	return serve(t, func(c net.Conn) {
		_, _ = c.Write(append(greeting, ready...))
		const subscriptions = 2 + len("\x01rawtx") + 2 + len("\x01hashblock")
		_, err := io.CopyN(io.Discard, c, int64(64+len(ready)+subscriptions))
		if err == nil {
			_, _ = c.Write(sends)
			_, _ = io.Copy(io.Discard, c)
		}
	})
}

// serve returns a publisher whose connections are handled by do.
func serve(t *testing.T, do func(net.Conn)) []backend.Publisher {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = c.Close() }()
				do(c)
			}()
		}
	}()
	address := "tcp://" + listener.Addr().String()
	return []backend.Publisher{{Topic: "rawtx", Address: address}, {Topic: "hashblock", Address: address}}
}

func frame(flags byte, body string) []byte {
	if len(body) < 256 {
		return append([]byte{flags, byte(len(body))}, body...)
	}
	return append(binary.BigEndian.AppendUint64([]byte{flags | 2}, uint64(len(body))), body...)
}

func message(topic, body string, number uint32) []byte {
	return slices.Concat(frame(1, topic), frame(1, body), frame(0, string(binary.LittleEndian.AppendUint32(nil, number))))
}

func TestGaps(t *testing.T) {
	t.Parallel()
	tx := func(c string) string { return strings.Repeat(c, 300) }
	block := strings.Repeat("\xab", 32)
	s := zmq.New(publisher(t, slices.Concat(
		message("rawtx", tx("a"), 7),
		message("rawtx", tx("b"), 8),
		message("hashblock", block, 0), // separate sequence numbers
		message("rawtx", tx("c"), 10),
		message("rawtx", tx("d"), 1<<32-1),
		message("rawtx", tx("e"), 0), // follows the maximum
		message("rawtxlock", "of no interest", 5),
		message("rawtx", tx("f"), 0),
	)), "127.0.0.1")
	h := listen(t, s)
	h.has(t, "the last one", zmq.Event{Kind: zmq.Tx, Raw: []byte(tx("f"))})
	var got strings.Builder
	for _, e := range h.all() {
		switch e.Kind {
		case zmq.Lost:
			got.WriteString("-")
		case zmq.Tx:
			got.WriteByte(e.Raw[0])
		case zmq.Block:
			got.WriteString(e.Hash[:1])
		}
	}
	if want := "-aba-c-de-f"; got.String() != want {
		t.Errorf("got %s, want %s", got.String(), want)
	}
}

func TestBadPublishers(t *testing.T) {
	t.Parallel()
	greeting := make([]byte, 64)
	copy(greeting, "\xff\x00\x00\x00\x00\x00\x00\x00\x00\x7f\x03\x00CURVE")
	for name, tc := range map[string]struct {
		publishers []backend.Publisher
		says       string
	}{
		"HTTP":         {serve(t, func(c net.Conn) { _, _ = c.Write(bytes.Repeat([]byte("HTTP/1.1 200 OK\r\n"), 9)) }), "does not support ZMTP"},
		"CURVE":        {serve(t, func(c net.Conn) { _, _ = c.Write(greeting) }), "authentication"},
		"closes":       {serve(t, func(net.Conn) {}), ""},
		"huge frame":   {publisher(t, []byte{3, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}), "oversized"},
		"many frames":  {publisher(t, bytes.Repeat([]byte{1, 0}, 100)), "oversized"},
		"one frame":    {publisher(t, frame(0, "rawtx")), "not a valid announcement"},
		"short number": {publisher(t, slices.Concat(frame(1, "rawtx"), frame(1, strings.Repeat("a", 60)), frame(0, "abc"))), "not a valid announcement"},
		"short block":  {publisher(t, message("hashblock", "ab", 1)), "not a valid announcement"},
		"short tx":     {publisher(t, message("rawtx", "ab", 1)), "not a valid announcement"},
		"flags":        {publisher(t, []byte{0x80, 0}), "malformed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := zmq.New(tc.publishers, "127.0.0.1")
			h := listen(t, s)
			testkit.Eventually(t, "it says what is wrong", func() bool {
				err := s.Problem()
				return err != nil && !strings.Contains(err.Error(), "not connected yet") && strings.Contains(err.Error(), tc.says)
			})
			if h.count(zmq.Tx)+h.count(zmq.Block) > 0 {
				t.Errorf("received %v", h.all())
			}
		})
	}
}

func TestNoPublisher(t *testing.T) {
	t.Parallel()
	s := zmq.New([]backend.Publisher{{Topic: "rawtx", Address: "tcp://127.0.0.1:1"}}, "127.0.0.1")
	listen(t, s)
	testkit.Eventually(t, "it says what is wrong", func() bool { return strings.Contains(s.Problem().Error(), "refused") })

	none := zmq.New(nil, "127.0.0.1")
	listen(t, none)
	if none.Problem() != nil || len(none.Topics()) != 0 {
		t.Errorf("got %v, %v", none.Problem(), none.Topics())
	}
}

// TestSilence checks that Run ends with its context even if a publisher does not
// respond.
func TestSilence(t *testing.T) {
	t.Parallel()
	asked := make(chan struct{}, 1)
	s := zmq.New(serve(t, func(c net.Conn) {
		asked <- struct{}{}
		_, _ = io.Copy(io.Discard, c)
	}), "127.0.0.1")
	listen(t, s)
	<-asked
}
