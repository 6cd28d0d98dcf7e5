package zmq

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/specterd/specterd/internal/node/backend"
)

func TestSources(t *testing.T) {
	for name, tc := range map[string]struct{ offered, want string }{
		"one address":     {"rawtx=tcp://10.0.0.1:1 hashblock=tcp://10.0.0.1:1 sequence=tcp://10.0.0.1:1", "node.lan:1=rawtx,hashblock,sequence"},
		"several":         {"hashblock=tcp://10.0.0.1:1 rawtx=tcp://10.0.0.1:2", "node.lan:1=hashblock node.lan:2=rawtx"},
		"of no interest":  {"hashtx=tcp://10.0.0.1:1 rawblock=tcp://10.0.0.1:1", ""},
		"the same twice":  {"rawtx=tcp://10.0.0.1:1 rawtx=tcp://10.0.0.1:2", "node.lan:1=rawtx"},
		"any address":     {"rawtx=tcp://0.0.0.0:1 hashblock=tcp://*:1 sequence=tcp://[::]:1", "node.lan:1=rawtx,hashblock,sequence"},
		"loopback":        {"rawtx=tcp://127.0.0.1:1 hashblock=tcp://localhost:2 sequence=tcp://[::1]:3", "node.lan:1=rawtx node.lan:2=hashblock node.lan:3=sequence"},
		"IPv6":            {"rawtx=tcp://[fd00::2]:1", "node.lan:1=rawtx"},
		"other transport": {"rawtx=ipc:///tmp/x hashblock=pgm://10.0.0.1:1", ""},
		"malformed":       {"rawtx=tcp://10.0.0.1 hashblock=tcp:// sequence=tcp://10.0.0.1:", ""},
	} {
		t.Run(name, func(t *testing.T) {
			var offered []backend.Publisher
			for one := range strings.FieldsSeq(tc.offered) {
				topic, address, _ := strings.Cut(one, "=")
				offered = append(offered, backend.Publisher{Topic: topic, Address: address})
			}
			var got []string
			for _, s := range sources(offered, "node.lan") {
				got = append(got, s.address+"="+strings.Join(s.topics, ","))
			}
			if diff := cmp.Diff(tc.want, strings.Join(got, " ")); diff != "" {
				t.Errorf("%s: %s", name, diff)
			}
		})
	}
}

// TestSources_LyingNode checks that a node cannot make specterd connect to another
// host.
func TestSources_LyingNode(t *testing.T) {
	t.Parallel()
	publishers := []backend.Publisher{{Topic: topicTx, Address: "tcp://169.254.169.254:80"}, {Topic: topicBlock, Address: "tcp://0.0.0.0:1"}}
	for _, s := range sources(publishers, "node.lan") {
		if !strings.HasPrefix(s.address, "node.lan:") {
			t.Errorf("connects to %s", s.address)
		}
	}
	if diff := cmp.Diff([]string{"tcp://169.254.169.254:80"}, Elsewhere(publishers, "node.lan")); diff != "" {
		t.Error(diff)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("rawtx", []byte("0123456789"), []byte{0, 0, 0, 1})
	f.Add("sequence", []byte("01234567890123456789012345678901R01234567"), []byte{0, 0, 0, 1})
	f.Add("hashblock", []byte("01234567890123456789012345678901"), []byte{0, 0, 0, 1})
	f.Fuzz(func(t *testing.T, topic string, body, number []byte) {
		a, err := parse([][]byte{[]byte(topic), body, number})
		if err == nil && a.event.Kind != Tx && a.event.Kind != 0 && len(a.event.Hash) != 64 {
			t.Errorf("got %+v", a)
		}
	})
}
