package btc

const (
	opPushData1 = 0x4c
	opPushData2 = 0x4d
	opReturn    = 0x6a
	// maxDirectPush is the maximum length that is its own opcode.
	maxDirectPush = 0x4b
	// MaxData is the maximum length of the data of DataScript in bytes.
	MaxData = 1<<16 - 1
)

// DataScript returns the script of an output that stores data and can never be spent:
// OP_RETURN and one push, as Bitcoin Core encodes it. Data must not be longer than MaxData.
func DataScript(data []byte) []byte {
	script := []byte{opReturn}
	switch n := len(data); {
	case n <= maxDirectPush:
		script = append(script, byte(n))
	case n <= 0xff:
		script = append(script, opPushData1, byte(n))
	default:
		script = append(script, opPushData2, byte(n), byte(n>>8)) //nolint:gosec // little-endian; at most MaxData
	}
	return append(script, data...)
}

// DataOf returns the data of an output script of the form of DataScript, which is not
// empty, or nil.
func DataOf(script []byte) []byte {
	if len(script) < 3 || script[0] != opReturn {
		return nil
	}
	header := 2
	switch script[1] {
	case opPushData1:
		header = 3
	case opPushData2:
		header = 4
	}
	if len(script) <= header || string(DataScript(script[header:])) != string(script) {
		return nil
	}
	return script[header:]
}
