package nodestatus

import (
	"fmt"

	"github.com/specterd/specterd/internal/btc"
)

// Notice is a setting of the node that limits specterd without making the node
// unusable.
type Notice struct {
	Code    string // stable, for machines
	Message string // the effect and the remedy
}

// usualRelayMinimum is the highest default of -minrelaytxfee in any version, per
// 1000 virtual bytes.
const usualRelayMinimum = 1000

// Notices returns the limitations caused by the node's settings, as far as RPC
// reveals them; none before the first contact.
func (s Status) Notices() []Notice {
	if s.LastContact.IsZero() {
		return nil
	}
	var list []Notice
	add := func(applies bool, code, format string, args ...any) {
		if applies {
			list = append(list, Notice{code, fmt.Sprintf(format, args...)})
		}
	}
	for _, m := range methods {
		add(m.Without != "" && s.access.forbids(m.Name), "method_forbidden",
			"the Bitcoin node forbids the RPC method %s, so that %s; add it to rpcwhitelist in its bitcoin.conf", m.Name, m.Without)
	}
	add(s.Pruned, "pruned", "the Bitcoin node is pruned and has no blocks before %d, so that no history before that block can be scanned", s.PruneHeight)
	add(!s.BlockFilterIndex && !s.access.forbids("getindexinfo"), "no_block_filter_index",
		"the Bitcoin node has no block filter index, so that rescans take hours; set blockfilterindex=1 in its bitcoin.conf")
	add(!s.Announces && !s.access.forbids("getzmqnotifications"), "no_zmq",
		"the Bitcoin node does not announce payments over ZMQ, so that they show after up to two seconds; "+
			"set zmqpubhashblock, zmqpubrawtx and zmqpubsequence, such as to tcp://127.0.0.1:28332, in its bitcoin.conf")
	add(s.BlocksOnly, "blocksonly",
		"the Bitcoin node takes no unconfirmed transactions from others and estimates no fees, so that incoming payments show once they are in a block; remove blocksonly=1 from its bitcoin.conf")
	least := s.RelayMinimum()
	add(least > usualRelayMinimum, "high_relay_fee",
		"the Bitcoin node relays no transactions below %s sat/vB; set a lower minrelaytxfee in its bitcoin.conf to pay less", btc.FeeRate(least))
	return list
}
