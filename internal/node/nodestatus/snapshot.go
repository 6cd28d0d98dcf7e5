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

// Snapshot is the information from one poll. Its slices are shared and must not be
// changed. The height of the genesis block is 0.
type Snapshot struct {
	// Chain is main, test, testnet4, signet or regtest (getblockchaininfo).
	Chain string
	// Genesis is the hash of block 0 (getblockhash).
	Genesis string
	// Blocks is the height of the validated chain, and Headers the height of the chain of
	// headers, which is ahead of it during a synchronization.
	Blocks, Headers int64
	BestBlockHash   string
	// Time is the timestamp of the best block, and MedianTime the median of the
	// last eleven.
	Time, MedianTime time.Time
	// VerificationProgress is between 0 and 1, as the node formats it.
	VerificationProgress json.Number
	InitialBlockDownload bool
	Pruned               bool
	// PruneHeight is the height of the lowest block that the node still has completely,
	// if Pruned.
	PruneHeight int64
	// Warnings are the node's human-readable warnings; empty without any.
	Warnings []string
	// Version is, for example, 290403 for 29.4.3 (getnetworkinfo).
	Version     int
	Subversion  string
	Connections int
	// RelayFee, IncrementalFee and MempoolMinFee are in BTC per 1000 vbytes, as the
	// node formats them (getnetworkinfo, getmempoolinfo).
	RelayFee, IncrementalFee, MempoolMinFee json.Number
	// MempoolSize is a number of transactions; MempoolBytes are virtual bytes.
	MempoolSize, MempoolBytes int64
	// Uptime is the time since the node was started.
	Uptime time.Duration
	// BlockFilterIndex reports whether the node has the basic block filter index,
	// which makes rescans fast (getindexinfo).
	BlockFilterIndex bool
	// BlocksOnly reports whether the node accepts no unconfirmed transactions from
	// its peers (getnetworkinfo, option -blocksonly).
	BlocksOnly bool
	// Announces reports whether the node publishes over ZMQ all topics that
	// specterd subscribes to (getzmqnotifications).
	Announces bool
	// RawBlockchainInfo, RawNetworkInfo and RawMempoolInfo are the unmodified
	// results.
	RawBlockchainInfo, RawNetworkInfo, RawMempoolInfo json.RawMessage
}

// wireSnapshot has the results of one poll in the node's JSON format.
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

// fetch requests all information in one HTTP request, together with the additional
// requests others. It omits optional methods that the node does not allow.
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
		return Snapshot{}, rpcclient.ErrInvalidResponse.WithCause(err)
	}
	return w.snapshot(), nil
}

// decode decodes the raw results, and rejects invalid values. Its errors do not quote the
// results.
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
		return errors.New("getblockchaininfo has no chain")
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

// announces reports whether the node publishes all of these topics over ZMQ.
func (w *wireSnapshot) announces(topics ...string) bool {
	for _, p := range w.publishers {
		topics = slices.DeleteFunc(topics, func(topic string) bool { return topic == p.Type })
	}
	return len(topics) == 0
}

// warnings is a list since Core 28, and a single string before.
type warnings []string

// UnmarshalJSON accepts either format; an empty string means no warning.
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
