package walletexport

import (
	"io"

	"github.com/go-json-experiment/json"

	"github.com/specterd/specterd/internal/wallet"
)

// importRequest is one of what RPC importdescriptors takes.
type importRequest struct {
	Desc      string    `json:"desc"` // with its checksum
	Active    bool      `json:"active"`
	Internal  bool      `json:"internal"`
	Range     [2]uint32 `json:"range"` // both included
	NextIndex uint32    `json:"next_index"`
	Timestamp any       `json:"timestamp"` // seconds, and Core looks through the chain from two hours before; or "now"
}

func (w Wallet) writeCore(out io.Writer) error {
	since := int64(0)
	if !w.Born.IsZero() {
		since = w.Born.Unix()
	}
	return writeJSON(out, importRequests(w.Wallet, since))
}

// ImportFromNow returns, in one line, what RPC importdescriptors takes to watch a
// wallet from now on; the history is found by rescanblockchain.
func ImportFromNow(w wallet.Wallet) ([]byte, error) {
	return json.Marshal(importRequests(w, "now"))
}

func importRequests(w wallet.Wallet, since any) []importRequest {
	last := max(w.RangeEnd, 1) - 1 // a wallet has a thousand at least
	return []importRequest{
		{Desc: w.Receive, Active: true, Internal: false, Range: [2]uint32{0, last}, NextIndex: w.ReceiveNext, Timestamp: since},
		{Desc: w.Change, Active: true, Internal: true, Range: [2]uint32{0, last}, NextIndex: w.ChangeNext, Timestamp: since},
	}
}
