package v1

import (
	"time"
)

// NodeResponse is the status of the Bitcoin node.
type NodeResponse struct {
	Reachable            bool       `json:"reachable" required:"true" description:"Whether the node responded to the latest status query, a few seconds ago."`
	Problem              *string    `json:"problem" required:"true" description:"Why the node is unavailable; null if it is available."`
	ProblemCode          *string    `json:"problem_code" required:"true" description:"Error code of the problem, such as node_wallet_disabled; null without a problem."`
	LastContact          *time.Time `json:"last_contact" required:"true" description:"Time of the fields below; null before the first contact."`
	Chain                string     `json:"chain" required:"true" enum:"main,test,testnet4,signet,regtest,"`
	Blocks               int64      `json:"blocks" required:"true"`
	Headers              int64      `json:"headers" required:"true"`
	BestBlockHash        string     `json:"best_block_hash" required:"true"`
	MedianTime           *time.Time `json:"median_time" required:"true"`
	InitialBlockDownload bool       `json:"initial_block_download" required:"true"`
	Pruned               bool       `json:"pruned" required:"true"`
	BlockFilterIndex     bool       `json:"block_filter_index" required:"true"`
	Version              int        `json:"version" required:"true" description:"Version of the node software, such as 290403 for 29.4.3."`
	Subversion           string     `json:"subversion" required:"true"`
	Connections          int        `json:"connections" required:"true"`
	MempoolSize          int64      `json:"mempool_size" required:"true" description:"Number of transactions in the mempool."`
	Warnings             []string   `json:"warnings" required:"true" nullable:"false"`

	Notices []NodeNotice `json:"notices" required:"true" nullable:"false" description:"Settings of the node that limit specterd without stopping it."`
}

// NodeNotice reports a setting of the Bitcoin node that limits specterd without stopping it.
type NodeNotice struct {
	Code    string `json:"code" required:"true" example:"no_zmq" description:"One of pruned, no_block_filter_index, no_zmq, blocksonly, high_relay_fee and method_forbidden."`
	Message string `json:"message" required:"true" description:"Description of the problem and its remedy."`
}
