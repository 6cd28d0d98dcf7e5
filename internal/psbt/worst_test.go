package psbt_test

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/psbt"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// worstCases returns PSBTs and transactions of up to psbt.MaxSize bytes with the
// maximum number of parts of one kind, by name.
func worstCases() map[string][]byte {
	const room = psbt.MaxSize - 2000
	var (
		head     = le32(2)
		input    = slices.Concat(make([]byte, 32), le32(0), []byte{0}, le32(0))
		output   = make([]byte, 9)
		flag     = []byte{0, 1}
		one      = []byte{1}
		lockTime = le32(0)
		unsigned = slices.Concat(head, one, input, one, output, lockTime)
		many     = func(n int, part []byte) []byte { return slices.Concat(compact(n), bytes.Repeat(part, n)) }
		field    = func(key, value []byte) []byte {
			return slices.Concat(compact(len(key)), key, compact(len(value)), value)
		}
		ofVersion = func(tx []byte, maps ...byte) []byte {
			return slices.Concat([]byte("psbt\xff"), field([]byte{0}, tx), []byte{0}, maps)
		}
		withField = func(key, value []byte) []byte {
			return ofVersion(unsigned, slices.Concat(field(key, value), []byte{0, 0})...)
		}
		witnesses = slices.Concat(head, flag, one, input, one, output, many(room, []byte{0}), lockTime)
		outputs   = slices.Concat(head, one, input, many(room/9, output), lockTime)
		inputs    = slices.Concat(head, many(room/len(input), input), one, output, lockTime)
	)
	var fields []byte
	for i := range 90_000 {
		fields = append(fields, field(binary.BigEndian.AppendUint32([]byte{0xe0}, uint32(i)), nil)...)
	}
	const maps = 10_000
	version2 := slices.Concat([]byte("psbt\xff"),
		field([]byte{0xfb}, le32(2)), field([]byte{2}, le32(2)), field([]byte{4}, compact(50_000)), field([]byte{5}, compact(0)), []byte{0},
		bytes.Repeat(slices.Concat(field([]byte{0x0e}, make([]byte, 32)), field([]byte{0x0f}, le32(0)), []byte{0}), 50_000))
	return map[string][]byte{
		"empty witness items":                     witnesses,
		"inputs":                                  inputs,
		"outputs":                                 outputs,
		"a PSBT of inputs":                        ofVersion(inputs, make([]byte, 500)...),
		"a PSBT of outputs":                       ofVersion(outputs, make([]byte, 1000)...),
		"a PSBT of maps":                          ofVersion(slices.Concat(head, many(maps, input), many(maps, output), lockTime), make([]byte, 2*maps)...),
		"a PSBT of inputs, version 2":             version2,
		"a PSBT of fields":                        ofVersion(unsigned, slices.Concat(fields, []byte{0, 0})...),
		"empty items in final_scriptwitness":      withField([]byte{8}, many(room, []byte{0})),
		"empty witness items in non_witness_utxo": withField([]byte{0}, witnesses),
		"outputs in non_witness_utxo":             withField([]byte{0}, outputs),
		"leaf hashes":                             withField(slices.Concat([]byte{0x16}, make([]byte, 32)), slices.Concat(many(room/32, make([]byte, 32)), le32(0))),
	}
}

func compact(n int) []byte {
	switch {
	case n < 0xfd:
		return []byte{byte(n)}
	case n <= 0xffff:
		return binary.LittleEndian.AppendUint16([]byte{0xfd}, uint16(n))
	}
	return append([]byte{0xfe}, le32(uint32(n))...)
}

// TestDecode_MemoryPerByte checks that decoding allocates at most a small multiple of the
// input's size for all worst cases.
func TestDecode_MemoryPerByte(t *testing.T) {
	testkit.NeedsTime(t)
	const perByte, atLeast = 5, 8 << 20
	for name, raw := range worstCases() {
		if len(raw) > psbt.MaxSize {
			t.Fatalf("%s has %d bytes", name, len(raw))
		}
		for format, data := range map[string][]byte{
			"binary": raw, "hexadecimal": []byte(hex.EncodeToString(raw)), "base64": []byte(base64.StdEncoding.EncodeToString(raw)),
		} {
			t.Run(format, func(t *testing.T) {
				allocated := allocatedBy(func() {
					posted, err := psbt.Decode(data)
					if err == nil {
						posted.Txid()
						posted.Tx()
					} else if kind := fault.KindOf(err); kind != fault.Invalid && kind != fault.TooLarge {
						t.Errorf("%s: %v", name, err)
					}
				})
				if most := uint64(perByte*len(data) + atLeast); allocated > most {
					t.Errorf("%s, %s: allocated %d bytes for %d bytes of input", name, format, allocated, len(data))
				}
			})
		}
	}
}

// TestDecode_PartLimits checks that data with too many inputs, outputs or witness
// items is refused in every format.
func TestDecode_PartLimits(t *testing.T) {
	cases := worstCases()
	for name, limit := range map[string]string{
		"inputs": "10000 inputs", "a PSBT of inputs": "10000 inputs", "a PSBT of inputs, version 2": "input_count must not be more than 10000",
		"outputs": "10000 outputs", "a PSBT of outputs": "10000 outputs",
		"empty witness items": "100 items", "empty items in final_scriptwitness": "100 items",
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := psbt.Decode(cases[name]); err == nil || !strings.Contains(err.Error(), limit) {
				t.Errorf("%s: %v, want %s", name, err, limit)
			}
		})
	}
}

// allocatedBy returns the number of bytes that f allocates, including garbage.
func allocatedBy(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}
