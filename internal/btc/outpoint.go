package btc

import (
	"strconv"
	"strings"

	"github.com/specterd/specterd/internal/fault"
)

// Outpoint is an output of a transaction.
type Outpoint struct {
	Txid string // 64 lower-case hexadecimal digits, in display order
	Vout uint32
}

// ErrOutpoint is returned for text that is not an outpoint.
var ErrOutpoint = fault.InvalidAs("invalid_outpoint", "outpoint", "must be a transaction id of 64 lower-case hexadecimal digits, a colon and the index of an output")

// ParseOutpoint parses "txid:vout". It returns ErrOutpoint for all other text,
// including upper case and leading zeros: each outpoint has exactly one spelling,
// so that texts can be compared.
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
