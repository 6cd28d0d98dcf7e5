package qrcodec

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/fxamacker/cbor/v2"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
)

// psbtOf returns data that begins like a PSBT, half of which can be compressed.
func psbtOf(size int) []byte {
	random := rand.New(rand.NewPCG(1, uint64(size)))
	data := slices.Clone(psbtMagic)
	for len(data) < size {
		c := byte(random.UintN(256))
		if len(data)%64 < 32 {
			c = byte(len(data) % 64)
		}
		data = append(data, c)
	}
	return data
}

// series of texts for one PSBT, in all formats.
func allSeries(t testing.TB, psbt []byte, fragment int) map[string][]string {
	t.Helper()
	parts := valueOf(NewURParts(PSBTResource(psbt), fragment))(t)
	n := parts.Len()
	mixed := make([]string, 0, 3*n)
	for number := n + 1; len(mixed) < cap(mixed); number++ {
		mixed = append(mixed, parts.Text(uint32(number)))
	}
	text := base64.StdEncoding.EncodeToString(psbt)
	var numbered []string
	for at := 0; at < len(text); at += fragment {
		numbered = append(numbered, text[at:min(at+fragment, len(text))])
	}
	for i, part := range numbered {
		numbered[i] = fmt.Sprintf("p%dof%d %s", i+1, len(numbered), part)
	}
	series := map[string][]string{
		"bbqr": valueOf(EncodeBBQr(PSBT, psbt, fragment))(t), "ur": parts.Texts(n), "pmofn": numbered,
	}
	if n > 1 {
		series["ur mixed"] = mixed
	}
	return series
}

// TestSeries sends a PSBT in all formats, in random order and with duplicates.
func TestSeries(t *testing.T) {
	for _, size := range []int{6, 20, 21, 199, 1100, 40_000} {
		psbt := psbtOf(size)
		for name, texts := range allSeries(t, psbt, max(MinFragment, size/37)) {
			t.Run(fmt.Sprint(name, " ", size), func(t *testing.T) {
				random := rand.New(rand.NewPCG(7, uint64(size)))
				scanned := append(slices.Clone(texts), texts...)
				random.Shuffle(len(scanned), func(i, j int) { scanned[i], scanned[j] = scanned[j], scanned[i] })
				var c Collector
				last := 0.0
				for i, text := range scanned {
					if i%2 == 1 && name != "pmofn" { // base64 has lower case
						text = strings.ToLower(text)
					}
					noError(t, c.Add(text))
					if f := c.Progress().Fraction(); f < last || f > 1 {
						t.Fatalf("the progress is %v after %v", f, last)
					} else {
						last = f
					}
				}
				got, done := c.Content()
				if !done || got.Kind != PSBT || !bytes.Equal(got.Data, psbt) {
					t.Errorf("got %v, %s of %d bytes", done, got.Kind, len(got.Data))
				}
			})
		}
	}
}

// TestURParts_LateReceiver counts the mixed parts that a receiver requires who has missed the
// first ones.
func TestURParts_LateReceiver(t *testing.T) {
	const from, fragment = 1000, 100
	parts := valueOf(NewURParts(PSBTResource(psbtOf(6000)), fragment))(t)
	var c Collector
	n := 0
	for ; !c.Progress().Done; n++ {
		noError(t, c.Add(parts.Text(uint32(from+n))))
	}
	if n < parts.Len() || n > 2*parts.Len() {
		t.Errorf("%d parts for %d fragments", n, parts.Len())
	}
}

func TestProgress_Missing(t *testing.T) {
	psbt := psbtOf(700)
	for name, texts := range allSeries(t, psbt, 100) {
		if name == "ur mixed" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			lines := slices.Delete(slices.Clone(texts), 1, 2)
			_, err := Read([]byte(strings.Join(lines, "\n")))
			if want := fmt.Sprintf("the QR code 2 of %d is missing", len(texts)); !errors.Is(err, ErrMissingParts) || err.Error() != want {
				t.Errorf("got %v, want %s", err, want)
			}
			_, err = Read([]byte(texts[0]))
			if !strings.HasPrefix(err.Error(), "the QR codes 2, 3, 4") || !strings.HasSuffix(err.Error(), fmt.Sprintf(" and %d of %[1]d are missing", len(texts))) {
				t.Errorf("got %v", err)
			}
		})
	}
	t.Run("mixed", func(t *testing.T) {
		parts := valueOf(NewURParts(PSBTResource(psbt), 100))(t)
		_, err := Read([]byte(parts.Text(1) + "\n" + parts.Text(100)))
		if want := "6 of 8 QR codes are missing; any further codes of the series complete it"; err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	})
	t.Run("many", func(t *testing.T) {
		_, err := Read([]byte("p1of500 x"))
		if want := "the QR codes 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21 and 479 more of 500 are missing"; err == nil || err.Error() != want {
			t.Errorf("got %v", err)
		}
	})
}

// TestCollector_OtherMessage checks that parts of other messages change nothing.
func TestCollector_OtherMessage(t *testing.T) {
	one, two, three := allSeries(t, psbtOf(700), 100), allSeries(t, psbtOf(701), 100), allSeries(t, psbtOf(900), 150)
	for name, texts := range one {
		t.Run(name, func(t *testing.T) {
			var c Collector
			noError(t, c.Add(texts[0]))
			before := c.Progress()
			for other, foreign := range map[string]string{
				"another length": three[name][1], "another format": "B$" + texts[1], "plain text": "hello",
				"single": valueOf(NewURParts(PSBTResource(psbtOf(700)), MaxFragment))(t).Text(1),
			} {
				t.Run(other, func(t *testing.T) {
					if name == "bbqr" && other == "another format" {
						foreign = one["ur"][0]
					}
					if err := c.Add(foreign); !errors.Is(err, ErrOtherMessage) {
						t.Errorf("%s: got %v", other, err)
					}
				})
			}
			if name != "bbqr" && name != "pmofn" { // they have no checksum
				if err := c.Add(two[name][0]); !errors.Is(err, ErrOtherMessage) {
					t.Errorf("another message: got %v", err)
				}
			}
			if got := c.Progress(); got.Received != before.Received || got.Expected != before.Expected {
				t.Errorf("the progress is %+v, before it was %+v", got, before)
			}
			for _, text := range texts {
				noError(t, c.Add(text))
			}
			if got, done := c.Content(); !done || !bytes.Equal(got.Data, psbtOf(700)) {
				t.Error("the message is not complete")
			}
			if err := c.Add(three[name][1]); !errors.Is(err, ErrOtherMessage) {
				t.Errorf("after the end: got %v", err)
			}
		})
	}
}

// TestBBQr_Compression compares sizes with the table of the specification: PSBTs become about
// a third smaller. It also checks that every distance fits into the window.
func TestBBQr_Compression(t *testing.T) {
	data := bytes.Repeat(psbtOf(3000), 10)
	compressed := valueOf(deflate(data))(t)
	if len(compressed) > len(data)*7/10 {
		t.Errorf("%d of %d bytes", len(compressed), len(data))
	}
	if got := valueOf(inflate(compressed))(t); !bytes.Equal(got, data) {
		t.Error("decompressed data differs")
	}
	// A pattern that repeats after more than 1,024 bytes cannot be compressed.
	random := make([]byte, 1500)
	for i := range random {
		random[i] = byte(rand.New(rand.NewPCG(3, uint64(i))).UintN(256))
	}
	if n := len(valueOf(deflate(bytes.Repeat(random, 4)))(t)); n < 6000 {
		t.Errorf("a pattern of 1,500 bytes was compressed to %d bytes", n)
	}
}

func TestEncodeBBQr(t *testing.T) {
	for name, c := range map[string]struct {
		kind     Kind
		data     []byte
		fragment int
		parts    int
		header   string
	}{
		"one part":       {PSBT, psbtOf(64), 775, 1, "B$2P0100"},
		"compressed":     {Text, bytes.Repeat([]byte("a"), 100), 775, 1, "B$ZU0100"},
		"even parts":     {Transaction, psbtOf(36), 20, 2, "B$2T0200"},
		"above base ten": {JSON, psbtOf(800), 20, 26, "B$ZJ0Q00"},
	} {
		t.Run(name, func(t *testing.T) {
			texts := valueOf(EncodeBBQr(c.kind, c.data, c.fragment))(t)
			if len(texts) != c.parts || !strings.HasPrefix(texts[0], c.header) {
				t.Errorf("%d parts, the first is %s", len(texts), texts[0])
			}
			for _, text := range texts[1:] {
				if len(text) > len(texts[0]) || strings.Trim(text, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ$") != "" {
					t.Errorf("a later part is %s", text)
				}
			}
		})
	}
	if _, err := EncodeBBQr(PSBT, psbtOf(60_000), MinFragment); !errors.Is(err, ErrTooLarge) {
		t.Errorf("too many parts: got %v", err)
	}
}

// TestOutputs encodes descriptors of all script types, and decodes them again.
func TestOutputs(t *testing.T) {
	const (
		one      = "[37b5eed4/84h/0h/0h]xpub6BkU445MSEBXbPjD3g2c2ch6mn8yy1SXXQUM7EwjgYiq6Wt1NDwDZ45npqWcV8uQC5oi2gHuVukoCoZZyT4HKq8EpotPMqGqxdZRuapCQ23"
		two      = "[f245ae38/48h/0h/0h/2h]xpub6DnT4E1fT8VxuAZW29avMjr5i99aYTHBp9d7fiLnpL5t4JEprQqPMbTw7k7rh5tZZ2F5g8PJpssqrZoebzBChaiJrmEvWwUTEMAbHsY39Ge"
		test     = "[0000000a/44h/1h/1h/0/1]tpubDHW3GtnVrTatx38EcygoSf9UhUd9Dx1rht7FAL8unrMo8r2NWhJuYNqDFS7cZFVbDaxJkV94MLZAr86XFPsAPYcoHWJ7sWYsrmHDw5sKQ2K"
		children = "/<0;1>/*"
	)
	for _, c := range []struct {
		text    string
		network btc.Network
		script  btc.Script
	}{
		{"pkh(" + one + children + ")", btc.Main, btc.PKH},
		{"wpkh(" + one + children + ")", btc.Main, btc.WPKH},
		{"wpkh(" + one + "/5/<2;9>/3/*)", btc.Main, btc.WPKH},
		{"wpkh(" + one + "/0/*)", btc.Main, btc.WPKH},
		{"wpkh(" + one + "/*)", btc.Main, btc.WPKH},
		{"tr(" + one + children + ")", btc.Main, btc.TR},
		{"tr(" + test + children + ")", btc.Regtest, btc.TR},
		{"sh(wpkh(" + one + children + "))", btc.Main, btc.ShWPKH},
		{"sh(multi(1," + one + children + "," + two + children + "))", btc.Main, btc.Sh},
		{"sh(wsh(multi(2," + two + children + "," + one + children + ")))", btc.Main, btc.ShWSh},
		{"wsh(sortedmulti(2," + two + children + "," + one + children + "))", btc.Main, btc.WSh},
	} {
		t.Run(c.text[:12], func(t *testing.T) {
			d := valueOf(btc.ParseDescriptor(c.text, c.network))(t)
			got := valueOf(valueOf(OutputResource(d))(t).Content())(t)
			if len(got.Outputs) != 1 || got.Outputs[0].Descriptor != c.text || got.Outputs[0].Script != c.script || got.Outputs[0].Cosigner {
				t.Fatalf("got %+v, want %s", got, c.text)
			}
			for i, key := range d.Keys() {
				if got.Outputs[0].Keys[i] != "["+key.Fingerprint+strings.TrimPrefix(key.Derivation, "m")+"]"+key.XPub {
					t.Errorf("key %d is %s", i, got.Outputs[0].Keys[i])
				}
				account := valueOf(valueOf(AccountResource(key, c.script, c.network))(t).Content())(t)
				o := account.Outputs[0]
				if len(account.Outputs) != 1 || o.Script != c.script || o.Cosigner != c.script.IsMultisig() || !slices.Equal(o.Keys, got.Outputs[0].Keys[i:i+1]) || (o.Descriptor == "") != o.Cosigner {
					t.Errorf("the account of key %d is %+v", i, account)
				}
			}
		})
	}
}

// TestOutputs_Defaults decodes a key without fingerprint and children.
func TestOutputs_Defaults(t *testing.T) {
	const xpub = "xpub6BkU445MSEBXbPjD3g2c2ch6mn8yy1SXXQUM7EwjgYiq6Wt1NDwDZ45npqWcV8uQC5oi2gHuVukoCoZZyT4HKq8EpotPMqGqxdZRuapCQ23"
	m := valueOf(encodeHDKey(valueOf(btc.ParseKey("[00000000/84h/0h/0h]"+xpub, btc.Main))(t), btc.Main))(t)
	key := cbor.Tag{Number: tagHDKey, Content: m}
	account := func(fingerprint uint64) Resource {
		return Resource{typeAccount, encodeCBOR(map[uint64]any{1: fingerprint, 2: []any{cbor.Tag{Number: tagWpkh, Content: key}}})}
	}
	source := func(text string) Resource {
		return Resource{typeOutputV3, encodeCBOR(map[uint64]any{1: text, 2: []any{key}})}
	}
	for name, c := range map[string]struct {
		resource Resource
		want     string
	}{
		"fingerprint of the account": {account(0x37b5eed4), "wpkh([37b5eed4/84h/0h/0h]" + xpub + "/<0;1>/*)"},
		"no fingerprint":             {account(0), "wpkh([00000000/84h/0h/0h]" + xpub + "/<0;1>/*)"},
		"source without children":    {source("tr(@0)"), "tr([00000000/84h/0h/0h]" + xpub + "/<0;1>/*)"},
		"source with children":       {source("tr(@0/7/*)"), "tr([00000000/84h/0h/0h]" + xpub + "/7/*)"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := valueOf(c.resource.Content())(t); len(got.Outputs) != 1 || got.Outputs[0].Descriptor != c.want {
				t.Errorf("got %+v, want %s", got, c.want)
			}
		})
	}
}

func TestPresets(t *testing.T) {
	presets := Presets()
	if !slices.IsSortedFunc(presets, func(a, b Preset) int { return strings.Compare(a.Device, b.Device) }) {
		t.Error("the presets are not sorted")
	}
	names := make([]string, len(presets))
	for i, p := range presets {
		names[i] = p.Device
		if got := valueOf(ChoosePreset(p.Device, "", 0))(t); got != p {
			t.Errorf("the preset of %s is %+v", p.Device, got)
		}
		other := map[Format]Format{UR: BBQr, BBQr: UR}[p.Format]
		if got := valueOf(ChoosePreset(p.Device, other, 50))(t); got.Format != other || got.Fragment != 50 || got.Rate != p.Rate {
			t.Errorf("the preset of %s with another format is %+v", p.Device, got)
		}
	}
	_, err := ChoosePreset("nano", "", 0)
	if want := "device: must be " + strings.Join(names[:len(names)-1], ", ") + " or " + names[len(names)-1]; err == nil || err.Error() != want {
		t.Errorf("an unknown device: %v, want %s", err, want)
	}
	// The capacity of version 20 with level L is 1,249 alphanumeric characters.
	for _, text := range valueOf(EncodeBBQr(PSBT, psbtOf(10_000), bbqrVersion20))(t) {
		if len(text) > 1249 {
			t.Errorf("a code has %d characters", len(text))
		}
	}
	const capacity = 4296 // of version 40
	ur := valueOf(NewURParts(PSBTResource(psbtOf(1_000_000)), MaxFragment))(t)
	if n := len(ur.Text(1 << 31)); n > capacity {
		t.Errorf("the largest part of a UR has %d characters", n)
	}
}

func TestSequenceOf(t *testing.T) {
	psbt := psbtOf(1000)
	for name, c := range map[string]struct {
		psbt         []byte
		format       Format
		fragment     int
		first, count int
		texts, least int
		endless      bool
		field        string // of an error
	}{
		"ur":                   {psbt, UR, 100, 1, 0, 22, 11, true, ""},
		"ur, continued":        {psbt, UR, 100, 23, 5, 5, 11, true, ""},
		"ur, one code":         {psbt, UR, 2000, 1, 9, 1, 1, false, ""},
		"bbqr":                 {psbt, BBQr, 100, 1, 0, 7, 7, false, ""},
		"part 0":               {psbt, UR, 100, 0, 0, 0, 0, false, "first"},
		"too many texts":       {psbt, UR, 100, 1, MaxTexts + 1, 0, 0, false, "count"},
		"negative count":       {psbt, UR, 100, 1, -1, 0, 0, false, "count"},
		"bbqr, first":          {psbt, BBQr, 100, 2, 0, 0, 0, false, "first"},
		"bbqr, count":          {psbt, BBQr, 100, 1, 2, 0, 0, false, "count"},
		"format":               {psbt, "svg", 100, 1, 0, 0, 0, false, "format"},
		"small fragments":      {psbt, UR, MinFragment - 1, 1, 0, 0, 0, false, "fragment_size"},
		"large fragments":      {psbt, BBQr, MaxFragment + 1, 1, 0, 0, 0, false, "fragment_size"},
		"too many parts":       {psbtOf(130_000), UR, 100, 1, 0, 0, 0, false, "fragment_size"},
		"too many parts, bbqr": {psbtOf(260_000), BBQr, 100, 1, 0, 0, 0, false, "fragment_size"},
		"too large":            {psbtOf(3_000_000), UR, 2000, 1, 0, 0, 0, false, "format"},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := ChoosePreset("", c.format, c.fragment)
			var s Sequence
			if err == nil {
				s, err = SequenceOf(c.psbt, p, c.first, c.count)
			}
			if f, ok := errors.AsType[*fault.Error](err); ok != (c.field != "") || ok && f.Fields[0].Name != c.field {
				t.Fatalf("got %v, want an error about %q", err, c.field)
			}
			if err != nil {
				return
			}
			if len(s.Texts) != c.texts || s.Fragments != c.least || s.Endless != c.endless || s.First != c.first {
				t.Errorf("got %d texts, %+v", len(s.Texts), s.Preset)
			}
			if got, err := Read([]byte(strings.Join(s.Texts, "\n"))); len(s.Texts) >= s.Fragments && (err != nil || !bytes.Equal(got.Data, c.psbt)) {
				t.Errorf("got %s of %d bytes: %v", got.Kind, len(got.Data), err)
			}
		})
	}
}

func TestRead(t *testing.T) {
	psbt := psbtOf(100)
	psbt[50], psbt[51], psbt[52] = 0xfb, 0xff, 0xbf // + and / in base64
	tx := valueOf(hex.DecodeString("0100000001" + strings.Repeat("11", 32) + "00000000" + "00" + "ffffffff" + "01" + "0000000000000000" + "00" + "00000000"))(t)
	end := len(tx) - 4
	withWitness := slices.Concat(tx[:4], []byte{0, 1}, tx[4:end], []byte{1, 2, 7, 7}, tx[end:])
	standard := base64.StdEncoding.EncodeToString(psbt)
	inLines := standard[:40] + "\r\n" + standard[40:] + "\n"
	for name, c := range map[string]struct {
		data string
		kind Kind
		want []byte
	}{
		"binary PSBT":        {string(psbt), PSBT, psbt},
		"base64":             {standard, PSBT, psbt},
		"base64 in lines":    {inLines, PSBT, psbt},
		"URL-safe base64":    {base64.URLEncoding.EncodeToString(psbt), PSBT, psbt},
		"unpadded base64":    {base64.RawStdEncoding.EncodeToString(psbt), PSBT, psbt},
		"unpadded URL-safe":  {base64.RawURLEncoding.EncodeToString(psbt), PSBT, psbt},
		"hexadecimal":        {hex.EncodeToString(psbt), PSBT, psbt},
		"upper hexadecimal":  {strings.ToUpper(hex.EncodeToString(psbt)), PSBT, psbt},
		"binary transaction": {string(tx), Transaction, tx},
		"hex transaction":    {hex.EncodeToString(tx) + "\n", Transaction, tx},
		"with a witness":     {string(withWitness), Transaction, withWitness},
		"base64 transaction": {base64.StdEncoding.EncodeToString(tx), Transaction, tx},
		"JSON":               {`{"a": [1]}`, JSON, []byte(`{"a": [1]}`)},
		"text":               {"Grüße", Text, []byte("Grüße")},
		"binary":             {"\x89PNG\r\n\x1a\n", Bytes, []byte("\x89PNG\r\n\x1a\n")},
		"UR with text":       {"\ufeff" + bytesUR("Policy: 2 of 3"), Text, []byte("Policy: 2 of 3")},
		"UR with base64":     {bytesUR(standard), PSBT, psbt},
		"BBQr in hex":        {"B$HU0100" + "48656C6C6F", Text, []byte("Hello")},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Read([]byte(c.data))
			if err != nil || got.Kind != c.kind || !bytes.Equal(got.Data, c.want) {
				t.Errorf("got %s %q: %v", got.Kind, got.Data, err)
			}
		})
	}
}

// bytesUR returns a UR of the type bytes.
func bytesUR(text string) string {
	return urPrefix + "bytes/" + encodeBytewords(encodeCBOR([]byte(text)))
}
