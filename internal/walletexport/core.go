package walletexport

import (
	"io"

	"github.com/go-json-experiment/json"

	"github.com/specterd/specterd/internal/wallet"
)

// importRequest is one element of the argument of RPC importdescriptors.
type importRequest struct {
	Desc      string    `json:"desc"` // with its checksum
	Active    bool      `json:"active"`
	Internal  bool      `json:"internal"`
	Range     [2]uint32 `json:"range"` // inclusive
	NextIndex uint32    `json:"next_index"`
	Timestamp any       `json:"timestamp"` // Unix seconds, or "now"; Bitcoin Core rescans from two hours before a time
}

func (w Wallet) writeCore(out io.Writer) error {
	since := int64(0)
	if !w.Born.IsZero() {
		since = w.Born.Unix()
	}
	return writeJSON(out, importRequests(w.Wallet, since))
}

// ImportFromNow returns the argument of RPC importdescriptors, in one line, to watch a
// wallet from now on. RPC rescanblockchain finds its history.
func ImportFromNow(w wallet.Wallet) ([]byte, error) {
	return json.Marshal(importRequests(w, "now"))
}

func importRequests(w wallet.Wallet, since any) []importRequest {
	last := max(w.RangeEnd, 1) - 1 // max prevents an underflow; a wallet has at least 1,000 addresses
	return []importRequest{
		{Desc: w.Receive, Active: true, Internal: false, Range: [2]uint32{0, last}, NextIndex: w.ReceiveNext, Timestamp: since},
		{Desc: w.Change, Active: true, Internal: true, Range: [2]uint32{0, last}, NextIndex: w.ChangeNext, Timestamp: since},
	}
}
