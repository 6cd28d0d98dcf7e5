package qrcodec

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"runtime"
	"strings"
	"testing"

	"github.com/fxamacker/cbor/v2"

	"github.com/specterd/specterd/internal/btc"
)

// partText returns the text of a part of a UR.
func partText(p fountainPart) string {
	return fmt.Sprintf("ur:bytes/%d-%d/%s", p.Number, p.Total, encodeBytewords(encodeCBOR(p)))
}

func resourceText(urType string, v any) string {
	return urPrefix + urType + "/" + encodeBytewords(encodeCBOR(v))
}

// TestCollector_Errors adds texts that are not valid.
func TestCollector_Errors(t *testing.T) {
	bomb := valueOf(deflate(make([]byte, MaxSize+1)))(t)
	valid := fountainPart{Number: 1, Total: 2, Length: 10, Checksum: 1, Data: make([]byte, 5)}
	with := func(change func(*fountainPart)) string {
		p := valid
		change(&p)
		return partText(p)
	}
	key := map[uint64]any{keyData: mustHex(t, "03eb3e2863911826374de86c231a4b76f0b89dfa174afb78d7f478199884d9dd32"), keyChainCode: make([]byte, 32)}
	keyWith := func(name uint64, value any) string {
		m := map[uint64]any{name: value}
		for k, v := range key {
			if k != name {
				m[k] = v
			}
		}
		return resourceText("hdkey", m)
	}
	path := func(components ...any) any {
		return cbor.Tag{Number: tagKeyPath, Content: map[uint64]any{pathComponents: components}}
	}
	deep := any(uint64(1))
	for range 40 {
		deep = []any{deep}
	}
	for name, c := range map[string]struct {
		text string
		want error
	}{
		"empty":                   {" ", ErrMalformed},
		"BBQr, only a header":     {"B$HP0100", ErrMalformed},
		"BBQr, no parts":          {"B$HP0000AA", ErrMalformed},
		"BBQr, part beyond end":   {"B$HP0202AA", ErrMalformed},
		"BBQr, number":            {"B$HP0-01AA", ErrMalformed},
		"BBQr, encoding":          {"B$XP0100AA", ErrUnsupported},
		"BBQr, executable":        {"B$HX0100AA", ErrUnsupported},
		"BBQr, odd hex":           {"B$HP0100ABC", ErrMalformed},
		"BBQr, base32":            {"B$2P0100A1", ErrMalformed},
		"BBQr, lines":             {"B$2P0100AA\nAAAAAA", ErrMalformed},
		"BBQr, incomplete group":  {"B$2P0200AAAA", ErrMalformed},
		"BBQr, not a PSBT":        {"B$HP0100AABB", ErrMalformed},
		"BBQr, not JSON":          {"B$HJ01007B", ErrMalformed},
		"BBQr, not UTF-8":         {"B$HU0100FF", ErrMalformed},
		"BBQr, not a transaction": {"B$HT0100AABB", ErrMalformed},
		"BBQr, not compressed":    {"B$ZP0100AAAAAAAA", ErrMalformed},
		"BBQr, data after end":    {"B$ZU0100" + base32Text.EncodeToString(append(valueOf(deflate([]byte("abcdefgh")))(t), 1)), ErrMalformed},
		"BBQr, large data":        {"B$ZU0100" + base32Text.EncodeToString(bomb), ErrTooLarge},
		"UR, no path":             {"ur:bytes", ErrMalformed},
		"UR, unknown type":        {"ur:bitcoin-wedding/aa", ErrUnsupported},
		"UR, seed":                {"UR:CRYPTO-SEED/1-3/LPADAX", btc.ErrPrivateKey},
		"UR, letters":             {"ur:bytes/zzzzzzzzzzzz", ErrMalformed},
		"UR, short":               {"ur:bytes/ae", ErrMalformed},
		"UR, checksum":            {"ur:bytes/aeaeaeaeaeae", ErrMalformed},
		"UR, long path":           {"ur:bytes/a/b/c/d", ErrMalformed},
		"UR, not CBOR":            {urPrefix + "bytes/" + encodeBytewords([]byte{0x42}), ErrMalformed},
		"UR, two values":          {urPrefix + "bytes/" + encodeBytewords([]byte{0x41, 1, 1}), ErrMalformed},
		"UR, indefinite length":   {urPrefix + "bytes/" + encodeBytewords([]byte{0x5f, 0x41, 1, 0xff}), ErrMalformed},
		"UR, huge string":         {urPrefix + "bytes/" + encodeBytewords([]byte{0x5b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}), ErrMalformed},
		"UR, nested":              {resourceText("bytes", deep), ErrMalformed},
		"UR, not bytes":           {resourceText("bytes", "text"), ErrMalformed},
		"UR, not a PSBT":          {resourceText("psbt", []byte("psbt")), ErrMalformed},
		"part, not CBOR":          {"ur:bytes/1-2/" + encodeBytewords([]byte{1}), ErrMalformed},
		"part, other number":      {strings.Replace(partText(valid), "/1-2/", "/2-2/", 1), ErrMalformed},
		"part 0":                  {with(func(p *fountainPart) { p.Number = 0 }), ErrMalformed},
		"part of none":            {with(func(p *fountainPart) { p.Total = 0 }), ErrMalformed},
		"part without data":       {with(func(p *fountainPart) { p.Data = nil }), ErrMalformed},
		"part, long message":      {with(func(p *fountainPart) { p.Length = 11 }), ErrMalformed},
		"part, short message":     {with(func(p *fountainPart) { p.Length = 5 }), ErrMalformed},
		"too many parts":          {with(func(p *fountainPart) { p.Total, p.Length = MaxParts+1, 5*(MaxParts+1) }), ErrTooLarge},
		"too long message":        {with(func(p *fountainPart) { p.Data = make([]byte, MaxSize); p.Length = MaxSize + 1 }), ErrTooLarge},
		"pMofN, 0":                {"p0of2 aa", ErrMalformed},
		"pMofN, beyond end":       {"p3of2 aa", ErrMalformed},
		"pMofN, empty":            {"p1of2  ", ErrMalformed},
		"pMofN, too many":         {"p1of1296 aa", ErrTooLarge},
		"v1, number":              {"ur:bytes/1of0/qqqq/qqqq", ErrMalformed},
		"v1, too many":            {"ur:bytes/1of9999/qqqq/qqqq", ErrTooLarge},
		"v1, characters":          {"ur:bytes/1of2/qqqq/b", ErrMalformed},
		"v1, checksum":            {"ur:bytes/qqqqqqqqqqqq/qqqqqqqqqqqqqqq", ErrMalformed},
		"v1, digest":              {"ur:bytes/my6qv05zqq0wcpv9aeq6khvwfdcr5jlp7uawcg0pgwgjc4shjm6xu/fpjkcmr0ypmk7unvvsh4ra4j", ErrMalformed},
		"private key":             {keyWith(keyIsPrivate, true), btc.ErrPrivateKey},
		"private key data":        {keyWith(keyData, make([]byte, 33)), btc.ErrPrivateKey},
		"key of 32 bytes":         {keyWith(keyData, make([]byte, 32)), btc.ErrPrivateKey},
		"point not on the curve":  {keyWith(keyData, mustHex(t, "02"+strings.Repeat("ff", 32))), ErrMalformed},
		"no chain code":           {keyWith(keyChainCode, nil), ErrUnsupported},
		"other currency":          {keyWith(keyUseInfo, cbor.Tag{Number: tagCoinInfo, Content: map[uint64]any{coinType: 60}}), ErrUnsupported},
		"use-info without tag":    {keyWith(keyUseInfo, map[uint64]any{coinType: 0}), ErrMalformed},
		"origin without tag":      {keyWith(keyOrigin, []any{}), ErrMalformed},
		"origin, wildcard":        {keyWith(keyOrigin, path([]any{}, false)), ErrMalformed},
		"children, range":         {keyWith(keyChildren, path([]any{0, 1}, false)), ErrUnsupported},
		"children, hardened":      {keyWith(keyChildren, path([]any{}, true)), ErrUnsupported},
		"children, half a pair":   {keyWith(keyChildren, path([]any{0, false, 1, 2})), ErrMalformed},
		"children, half":          {keyWith(keyChildren, path(1)), ErrMalformed},
		"children, large":         {keyWith(keyChildren, path(1<<31, false)), ErrMalformed},
		"children, text":          {keyWith(keyChildren, path("1", false)), ErrMalformed},
		"parent":                  {keyWith(keyParent, uint64(1)<<32), ErrMalformed},
		"key, not a map":          {resourceText("hdkey", 1), ErrMalformed},
		"output, not a tag":       {resourceText("crypto-output", 1), ErrMalformed},
		"output, address":         {resourceText("crypto-output", cbor.Tag{Number: 307, Content: 1}), ErrUnsupported},
		"output, no keys":         {resourceText("crypto-output", cbor.Tag{Number: tagMulti, Content: map[uint64]any{1: 1, 2: []any{}}}), ErrMalformed},
		"output, untagged key":    {resourceText("crypto-output", cbor.Tag{Number: tagMulti, Content: map[uint64]any{1: 1, 2: []any{1}}}), ErrMalformed},
		"cosigner, untagged":      {resourceText("crypto-output", cbor.Tag{Number: tagCosigner, Content: 1}), ErrMalformed},
		"source, no key":          {resourceText("output-descriptor", map[uint64]any{1: "wpkh(@0)"}), ErrMalformed},
		"source, empty":           {resourceText("output-descriptor", map[uint64]any{1: ""}), ErrMalformed},
		"account, no outputs":     {resourceText("crypto-account", map[uint64]any{1: 1, 2: []any{}}), ErrMalformed},
		"account, not a map":      {resourceText("crypto-account", 1), ErrMalformed},
		"very long":               {strings.Repeat("a", maxText+1), ErrTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			var collector Collector
			if err := collector.Add(c.text); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
			if _, done := collector.Content(); done || collector.Progress().Expected != 0 {
				t.Errorf("the collector has kept something: %+v", collector.Progress())
			}
			if _, err := Read([]byte(c.text)); name != "empty" && name != "BBQr, lines" && !errors.Is(err, c.want) {
				t.Errorf("Read returns %v", err)
			}
		})
	}
}

func mustHex(t *testing.T, text string) []byte { return valueOf(hex.DecodeString(text))(t) }

// TestCollector_Damaged completes a message that does not match its checksum, and then scans
// it again.
func TestCollector_Damaged(t *testing.T) {
	parts := valueOf(NewURParts(PSBTResource(psbtOf(100)), 60))(t)
	damaged := fountainPart{Number: 2, Total: 2, Length: uint32(len(parts.resource.CBOR)), Checksum: parts.chooser.checksum, Data: make([]byte, len(parts.fragments[0]))}
	text := strings.Replace(partText(damaged), "ur:bytes", "ur:crypto-psbt", 1)
	var c Collector
	noError(t, c.Add(parts.Text(1)))
	if err := c.Add(text); !errors.Is(err, ErrMalformed) {
		t.Errorf("got %v", err)
	}
	if c.Progress().Expected != 0 {
		t.Errorf("the parts are kept: %+v", c.Progress())
	}
	noError(t, c.Add(parts.Text(1)))
	noError(t, c.Add(parts.Text(2)))
	if _, done := c.Content(); !done {
		t.Error("the message cannot be scanned again")
	}
}

// TestCollector_Redundancy adds more parts than a message can require.
func TestCollector_Redundancy(t *testing.T) {
	const total = 3
	var c Collector
	var err error
	n := 0
	degreeOne := newChooser(total, 1)
	for number := uint32(total + 1); err == nil && n < 1000; number++ {
		if f := degreeOne.fragments(number); len(f) > 1 || f[0] == 0 {
			continue // so that the first fragment stays unknown
		}
		err = c.Add(partText(fountainPart{Number: number, Total: total, Length: total, Checksum: 1, Data: []byte{1}}))
		n++
	}
	if !errors.Is(err, ErrMalformed) || n != maxRedundancy*(total+1)+1 {
		t.Errorf("%d parts: %v", n, err)
	}
}

// TestBBQr_Lengths adds parts whose lengths contradict each other.
func TestBBQr_Lengths(t *testing.T) {
	for name, texts := range map[string][]string{
		"shorter part":      {"B$HB0300AABB", "B$HB0301AA"},
		"long last part":    {"B$HB0300AABB", "B$HB0302AABBCC"},
		"last part first":   {"B$HB0302AABB", "B$HB0300AA"},
		"different content": {"B$HB0300AABB", "B$HB0300AABC"},
		"other total":       {"B$HB0300AABB", "B$HB0401AABB"},
		"other type":        {"B$HB0300AABB", "B$HU0301AABB"},
		"other encoding":    {"B$HB0300AABB", "B$2B0301AAAAAAAA"},
	} {
		t.Run(name, func(t *testing.T) {
			var c Collector
			noError(t, c.Add(texts[0]))
			if err := c.Add(texts[1]); !errors.Is(err, ErrOtherMessage) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestMemory sends messages that announce much more than they contain.
func TestMemory(t *testing.T) {
	bomb := "B$ZU0100" + base32Text.EncodeToString(valueOf(deflate(make([]byte, 64<<20)))(t))
	many := partText(fountainPart{Number: MaxParts + 1, Total: MaxParts, Length: MaxParts, Checksum: 1, Data: []byte{1}})
	for name, c := range map[string]struct {
		text string
		most uint64
	}{"zlib bomb": {bomb, 40 << 20}, "many parts": {many, 1 << 20}, "many parts of BBQr": {"B$HBZZ00AA", 1 << 20}} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := Read([]byte(c.text))
			runtime.ReadMemStats(&after)
			if got := after.TotalAlloc - before.TotalAlloc; err == nil || got > c.most {
				t.Errorf("%d bytes are allocated, want at most %d: %v", got, c.most, err)
			}
		})
	}
}

// TestSolver compares the solver with sums of random fragments.
func TestSolver(t *testing.T) {
	const total, size = 100, 7
	message := wolf(total * size)
	s := newSolver(total)
	x := newXoshiro([]byte("solver"))
	n := 0
	for ; !s.isDone(); n++ {
		chosen := shuffled(x, total, 1+x.below(total))
		sum := make([]byte, size)
		for _, f := range chosen {
			equation{nil, sum}.add(equation{nil, message[int(f)*size : int(f)*size+size]})
		}
		s.add(chosen, sum)
	}
	if got := s.solve(); !bytes.Equal(got, message) || n > total+20 {
		t.Errorf("after %d parts: checksum %x, want %x", n, crc32.ChecksumIEEE(got), crc32.ChecksumIEEE(message))
	}
}
