package qrcodec

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
)

// checkAdd adds texts, and checks errors, progress and the content.
func checkAdd(t *testing.T, lines string) {
	t.Helper()
	var c Collector
	for text := range strings.SplitSeq(lines, "\n") {
		before := c.Progress()
		err := c.Add(text)
		if kind := fault.KindOf(err); err != nil && kind != fault.Invalid && kind != fault.TooLarge {
			t.Fatalf("%q: %v", text, err)
		}
		after := c.Progress()
		if wasDropped := after.Expected == 0; err == nil && after.Received < before.Received || err != nil && !wasDropped && after.Received != before.Received {
			t.Fatalf("%q: the progress is %+v after %+v", text, after, before)
		}
		if after.Received > after.Expected || after.Expected > MaxParts || after.Done != (after.Err() == nil) && after.Expected > 0 {
			t.Fatalf("%q: the progress is %+v", text, after)
		}
	}
	if content, done := c.Content(); done {
		checkContent(t, content)
	}
}

// checkContent encodes what was decoded, and decodes it again.
func checkContent(t *testing.T, content Content) {
	t.Helper()
	if len(content.Data) > MaxSize && content.Format != Plain {
		t.Fatalf("%d bytes", len(content.Data))
	}
	switch content.Kind {
	case PSBT, Transaction:
		for _, fragment := range []int{MinFragment, 100, MaxFragment} {
			checkEncoders(t, content.Kind, content.Data, fragment)
		}
	case Outputs:
		for _, o := range content.Outputs {
			checkOutput(t, o)
		}
	}
}

func checkEncoders(t *testing.T, kind Kind, data []byte, fragment int) {
	t.Helper()
	texts, err := EncodeBBQr(kind, data, fragment)
	if err != nil {
		return // too large
	}
	again, err := Read([]byte(strings.Join(texts, "\n")))
	if err != nil || again.Kind != kind || !bytes.Equal(again.Data, data) {
		t.Fatalf("%q is decoded as %+v: %v", texts, again, err)
	}
	if kind != PSBT {
		return
	}
	parts, err := NewURParts(PSBTResource(data), fragment)
	if err != nil {
		return // too large
	}
	texts = parts.Texts(parts.Len())
	if again, err = Read([]byte(strings.Join(texts, "\n"))); err != nil || !bytes.Equal(again.Data, data) {
		t.Fatalf("%q is decoded as %+v: %v", texts, again, err)
	}
}

// checkOutput encodes a descriptor, if it is supported, and decodes it again.
func checkOutput(t *testing.T, o Output) {
	t.Helper()
	for _, network := range []btc.Network{btc.Main, btc.Test} {
		d, err := btc.ParseDescriptor(o.Descriptor, network)
		if err != nil {
			continue
		}
		again := valueOf(valueOf(OutputResource(d))(t).Content())(t).Outputs[0]
		twice, err := btc.ParseDescriptor(again.Descriptor, network)
		if err != nil || again.Script != d.Script() || o.Script != d.Script() {
			t.Fatalf("%s is decoded as %s: %v", o.Descriptor, again.Descriptor, err)
		}
		for _, branch := range []uint32{0, 1} {
			first, second := addressOf(t, d, branch), addressOf(t, twice, branch)
			if first != second {
				t.Fatalf("%s is decoded as %s, with another address", o.Descriptor, again.Descriptor)
			}
		}
	}
}

// addressOf returns an address of a branch of a descriptor.
func addressOf(t *testing.T, d btc.Descriptor, branch uint32) string {
	receive, change := d.Split()
	if branch == 1 {
		receive = change
	}
	return valueOf(receive.Address(5))(t)
}

func FuzzBBQr(f *testing.F) {
	for _, fragment := range []int{MinFragment, 100, 775} {
		f.Add(strings.Join(valueOf(EncodeBBQr(PSBT, psbtOf(300), fragment))(f), "\n"))
	}
	f.Add("B$HU0200414243\nB$HU020144")
	f.Add("B$2J0100PNPQ")
	f.Fuzz(func(t *testing.T, lines string) {
		if !strings.HasPrefix(lines, bbqrPrefix) {
			lines = bbqrPrefix + lines
		}
		checkAdd(t, lines)
	})
}

// FuzzUR changes the bytes of parts and single messages, and computes their checksums.
func FuzzUR(f *testing.F) {
	parts := valueOf(NewURParts(PSBTResource(psbtOf(200)), 50))(f)
	for first := range 6 {
		var data []byte
		for number := range parts.Len() {
			_, path := splitUR(parts.Text(uint32(first*3 + number + 1)))
			body := valueOf(decodeBytewords(path[1]))(f)
			data = append(append(data, byte(len(body))), body...)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var lines []string
		for len(data) > 1 {
			n := min(int(data[0]), len(data)-1)
			var p fountainPart
			sequence := "1-1"
			if err := decodeCBOR(data[1:n+1], &p); err == nil {
				_, sequence, _ = strings.Cut(partText(p), "/")
				sequence, _, _ = strings.Cut(sequence, "/")
			}
			lines = append(lines, "ur:crypto-psbt/"+sequence+"/"+encodeBytewords(data[1:n+1]))
			data = data[n+1:]
		}
		checkAdd(t, strings.Join(lines, "\n"))
	})
}

// FuzzResource decodes CBOR of each type.
func FuzzResource(f *testing.F) {
	types := []string{"bytes", "psbt", "crypto-hdkey", "crypto-output", "crypto-account", "crypto-multi-accounts", "output-descriptor", "account-descriptor"}
	for _, v := range readJSON[[]resourceVector](f, "resources.json") {
		cborText := v.CBOR
		if v.UR != "" {
			_, path := splitUR(v.UR)
			cborText = hex.EncodeToString(valueOf(decodeBytewords(path[0]))(f))
		}
		data := valueOf(hex.DecodeString(cborText))(f)
		for i := range types {
			f.Add(byte(i), data)
		}
	}
	f.Fuzz(func(t *testing.T, n byte, data []byte) {
		content, err := Resource{types[int(n)%len(types)], data}.Content()
		if kind := fault.KindOf(err); err != nil && kind != fault.Invalid && kind != fault.TooLarge {
			t.Fatal(err)
		}
		if err == nil {
			checkContent(t, content)
		}
	})
}

// FuzzText reads lines of any format, such as UR of version 1 and pMofN.
func FuzzText(f *testing.F) {
	scans := readJSON[map[string][]string](f, "scans.json")
	for _, texts := range scans {
		f.Add(strings.Join(texts, "\n"))
	}
	for _, texts := range allSeries(f, psbtOf(100), 40) {
		f.Add(strings.Join(texts, "\n"))
	}
	f.Add("ur:bytes/my6qv05zqq0wcpv9aeq6khvwfdcr5jlp7uawcg0pgwgjc4shjm6xu/fpjkcmr0ypmk7unvvsh4ra4j")
	f.Add("cHNidP8=")
	f.Fuzz(func(t *testing.T, lines string) {
		checkAdd(t, lines)
		content, err := Read([]byte(lines))
		if kind := fault.KindOf(err); err != nil && kind != fault.Invalid && kind != fault.TooLarge {
			t.Fatal(err)
		}
		if err == nil {
			checkContent(t, content)
		}
	})
}
