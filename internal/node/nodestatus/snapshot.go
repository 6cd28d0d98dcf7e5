package nodestatus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/specterd/specterd/internal/node/rpcclient"
)

// Snapshot is what the node said of itself in one poll. Its slices are shared
// and must not be changed. Heights count from the genesis block, which is 0.
type Snapshot struct {
	// Chain is main, test, testnet4, signet or regtest (getblockchaininfo).
	Chain string
	// Genesis is the hash of block 0 (getblockhash).
	Genesis string
	// Blocks is the height of the validated chain, Headers that of the headers.
	Blocks, Headers int64
	BestBlockHash   string
	// Time is when the best block says it was made, and MedianTime the median
	// of the last eleven.
	Time, MedianTime time.Time
	// VerificationProgress is a fraction of 1, as the node writes it.
	VerificationProgress json.Number
	InitialBlockDownload bool
	Pruned               bool
	// PruneHeight is the lowest block that is whole, where Pruned.
	PruneHeight int64
	// Warnings are the node's own, for people; none where all is well.
	Warnings []string
	// Version is such as 290403 for 29.4.3 (getnetworkinfo).
	Version     int
	Subversion  string
	Connections int
	// RelayFee, IncrementalFee and MempoolMinFee are in BTC per 1000 vbytes, as
	// the node writes them (getnetworkinfo, getmempoolinfo).
	RelayFee, IncrementalFee, MempoolMinFee json.Number
	// MempoolSize counts transactions; MempoolBytes are virtual bytes.
	MempoolSize, MempoolBytes int64
	// Uptime is how long the node had been running.
	Uptime time.Duration
	// BlockFilterIndex is whether the node has the basic block filter index, with
	// which rescans are fast (getindexinfo).
	BlockFilterIndex bool
	// BlocksOnly is whether the node takes no unconfirmed transactions from its
	// peers (getnetworkinfo, option -blocksonly).
	BlocksOnly bool
	// Announces is whether the node announces over ZMQ all that specterd listens to
	// (getzmqnotifications).
	Announces bool
	// The results as the node wrote them.
	RawBlockchainInfo, RawNetworkInfo, RawMempoolInfo json.RawMessage
}

// wireSnapshot is the results of one poll as they come.
type wireSnapshot struct {
	chain struct {
		Chain                string
		Blocks, Headers      int64
		BestBlockHash        string
		Time, MedianTime     int64
		VerificationProgress json.Number
		InitialBlockDownload bool
		Pruned               bool
		PruneHeight          int64
		Warnings             warnings
	}
	network struct {
		Version        int
		Subversion     string
		Connections    int
		RelayFee       json.Number
		IncrementalFee json.Number
		LocalRelay     *bool
	}
	mempool struct {
		Size, Bytes   int64
		MempoolMinFee json.Number
	}
	genesis                          string
	uptime                           int64
	indexes                          map[string]json.RawMessage
	publishers                       []struct{ Type string }
	rawChain, rawNetwork, rawMempool json.RawMessage
}

// fetch asks the node for everything in one HTTP request, and for what is in
// others besides. It leaves out what the node can do without and does not allow.
func fetch(ctx context.Context, rpc RPC, others []rpcclient.Request, may access) (Snapshot, error) {
	var w wireSnapshot
	reqs := []rpcclient.Request{
		{Method: "getblockchaininfo", Out: &w.rawChain},
		{Method: "getnetworkinfo", Out: &w.rawNetwork},
		{Method: "getmempoolinfo", Out: &w.rawMempool},
		{Method: "getblockhash", Params: []any{0}, Out: &w.genesis},
		{Method: "uptime", Out: &w.uptime},
	}
	for _, optional := range []rpcclient.Request{
		{Method: "getindexinfo", Out: &w.indexes},
		{Method: "getzmqnotifications", Out: &w.publishers},
	} {
		if may.allows(optional.Method) {
			reqs = append(reqs, optional)
		}
	}
	all := slices.Concat(reqs, others)
	if err := rpc.Batch(ctx, all); err != nil {
		return Snapshot{}, err
	}
	copy(others, all[len(reqs):])
	for _, r := range all[:len(reqs)] {
		if r.Err != nil {
			return Snapshot{}, r.Err
		}
	}
	if err := w.decode(); err != nil {
		return Snapshot{}, rpcclient.ErrBadAnswer.Because(err)
	}
	return w.snapshot(), nil
}

// decode takes the raw results apart, and refuses what would mislead whoever
// relies on it. Its errors do not quote what they are about.
func (w *wireSnapshot) decode() error {
	for _, part := range []struct {
		name string
		from json.RawMessage
		to   any
	}{
		{"getblockchaininfo", w.rawChain, &w.chain},
		{"getnetworkinfo", w.rawNetwork, &w.network},
		{"getmempoolinfo", w.rawMempool, &w.mempool},
	} {
		if json.Unmarshal(part.from, part.to) != nil {
			return fmt.Errorf("%s has members of other types", part.name)
		}
	}
	switch {
	case w.chain.Chain == "":
		return errors.New("getblockchaininfo names no chain")
	case w.chain.Blocks < 0:
		return errors.New("getblockchaininfo has an impossible height")
	case !isHash(w.chain.BestBlockHash), !isHash(w.genesis):
		return errors.New("a block hash is not 64 hexadecimal digits")
	}
	return nil
}

func (w *wireSnapshot) snapshot() Snapshot {
	_, filters := w.indexes["basic block filter index"]
	return Snapshot{
		Chain:                w.chain.Chain,
		Genesis:              w.genesis,
		Blocks:               w.chain.Blocks,
		Headers:              w.chain.Headers,
		BestBlockHash:        w.chain.BestBlockHash,
		Time:                 time.Unix(w.chain.Time, 0).UTC(),
		MedianTime:           time.Unix(w.chain.MedianTime, 0).UTC(),
		VerificationProgress: w.chain.VerificationProgress,
		InitialBlockDownload: w.chain.InitialBlockDownload,
		Pruned:               w.chain.Pruned,
		PruneHeight:          w.chain.PruneHeight,
		Warnings:             w.chain.Warnings,
		Version:              w.network.Version,
		Subversion:           w.network.Subversion,
		Connections:          w.network.Connections,
		RelayFee:             w.network.RelayFee,
		IncrementalFee:       w.network.IncrementalFee,
		MempoolMinFee:        w.mempool.MempoolMinFee,
		MempoolSize:          w.mempool.Size,
		MempoolBytes:         w.mempool.Bytes,
		Uptime:               time.Duration(w.uptime) * time.Second,
		BlockFilterIndex:     filters,
		BlocksOnly:           w.network.LocalRelay != nil && !*w.network.LocalRelay,
		Announces:            w.announces("pubhashblock", "pubrawtx", "pubsequence"),
		RawBlockchainInfo:    w.rawChain,
		RawNetworkInfo:       w.rawNetwork,
		RawMempoolInfo:       w.rawMempool,
	}
}

// announces reports whether the node announces all of these topics over ZMQ.
func (w *wireSnapshot) announces(topics ...string) bool {
	for _, p := range w.publishers {
		topics = slices.DeleteFunc(topics, func(topic string) bool { return topic == p.Type })
	}
	return len(topics) == 0
}

// warnings is a list since Core 28, and one text before.
type warnings []string

// UnmarshalJSON reads either form; an empty text is no warning.
func (w *warnings) UnmarshalJSON(data []byte) error {
	var one string
	if json.Unmarshal(data, &one) != nil {
		return json.Unmarshal(data, (*[]string)(w))
	}
	*w = nil
	if one != "" {
		*w = warnings{one}
	}
	return nil
}

func isHash(s string) bool {
	return len(s) == 64 && strings.Trim(s, "0123456789abcdef") == ""
}
