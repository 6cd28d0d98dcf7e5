package btc

import (
	"strconv"
	"strings"

	"github.com/specterd/specterd/internal/fault"
)

// Outpoint is an output of a transaction.
type Outpoint struct {
	Txid string // 64 lower-case hexadecimal digits, in the order that people read
	Vout uint32
}

// ErrOutpoint is returned for text that is no outpoint.
var ErrOutpoint = fault.InvalidAs("bad_outpoint", "outpoint", "has to be a transaction's id, which has 64 lower-case hexadecimal digits, a colon and the number of an output")

// ParseOutpoint reads "txid:vout". There is one spelling for each outpoint, so
// that texts can be compared: upper case and zeros in front are ErrOutpoint.
func ParseOutpoint(text string) (Outpoint, error) {
	txid, number, _ := strings.Cut(text, ":")
	vout, err := strconv.ParseUint(number, 10, 32)
	o := Outpoint{Txid: txid, Vout: uint32(vout)}
	if err != nil || !isLowerHex(txid, 64) || o.String() != text {
		return Outpoint{}, ErrOutpoint
	}
	return o, nil
}

// String returns "txid:vout".
func (o Outpoint) String() string {
	return o.Txid + ":" + strconv.FormatUint(uint64(o.Vout), 10)
}

func isLowerHex(text string, digits int) bool {
	return len(text) == digits && strings.Trim(text, "0123456789abcdef") == ""
}
