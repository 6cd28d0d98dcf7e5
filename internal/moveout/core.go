package moveout

import "io"

// importRequest is one of what RPC importdescriptors takes.
type importRequest struct {
	Desc      string    `json:"desc"` // with its checksum
	Active    bool      `json:"active"`
	Internal  bool      `json:"internal"`
	Range     [2]uint32 `json:"range"` // both included
	NextIndex uint32    `json:"next_index"`
	Timestamp int64     `json:"timestamp"` // seconds; Core looks through the chain from two hours before
}

func (w Wallet) writeCore(out io.Writer) error {
	since := int64(0)
	if !w.Born.IsZero() {
		since = w.Born.Unix()
	}
	last := w.RangeEnd - 1 // a wallet has a thousand at least
	return writeJSON(out, []importRequest{
		{Desc: w.Receive, Active: true, Internal: false, Range: [2]uint32{0, last}, NextIndex: w.ReceiveNext, Timestamp: since},
		{Desc: w.Change, Active: true, Internal: true, Range: [2]uint32{0, last}, NextIndex: w.ChangeNext, Timestamp: since},
	})
}
