package qrcodec

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"hash/crc32"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/btcutil/hdkeychain"

	"github.com/specterd/specterd/internal/fault"
)

func readJSON[T any](t testing.TB, name string) (v T) {
	t.Helper()
	noError(t, json.Unmarshal(valueOf(os.ReadFile("testdata/"+name))(t), &v))
	return v
}

// fountainVectors are the test vectors of BCR-2024-001.
type fountainVectors struct {
	RNG1, RNG2, RNG3, Samples, Degrees []int
	Fragments                          [][]int
	Parts                              []string
}

// wolf returns the message of the vectors.
func wolf(size int) []byte {
	x := newXoshiro([]byte("Wolf"))
	message := make([]byte, size)
	for i := range message {
		message[i] = byte(x.below(256))
	}
	return message
}

func TestFountainVectors(t *testing.T) {
	v := readJSON[fountainVectors](t, "bcr-2024-001.json")
	draw := func(seed []byte, count int, next func(*xoshiro) int) []int {
		x, drawn := newXoshiro(seed), make([]int, count)
		for i := range drawn {
			drawn[i] = next(x)
		}
		return drawn
	}
	text := []byte("Wolf")
	checksum := crc32.ChecksumIEEE(text)
	harmonic := newChooser(11, crc32.ChecksumIEEE(wolf(1024)))
	for name, c := range map[string]struct{ got, want []int }{
		"xoshiro": {draw(text, 100, func(x *xoshiro) int { return int(x.next() % 100) }), v.RNG1},
		"seed":    {draw([]byte{byte(checksum >> 24), byte(checksum >> 16), byte(checksum >> 8), byte(checksum)}, 100, func(x *xoshiro) int { return int(x.next() % 100) }), v.RNG2},
		"below":   {draw(text, 100, func(x *xoshiro) int { return x.below(10) + 1 }), v.RNG3},
		"sampler": {draw(text, 500, newSampler([]float64{1, 2, 4, 8}).next), v.Samples},
		"degrees": {draw(text, 1000, func(x *xoshiro) int { return harmonic.degrees.next(x) + 1 }), v.Degrees},
	} {
		t.Run(name, func(t *testing.T) {
			if len(c.want) == 0 || !slices.Equal(c.got, c.want) {
				t.Errorf("got %v, want %v", c.got, c.want)
			}
		})
	}
	t.Run("fragments", func(t *testing.T) {
		for i, want := range v.Fragments {
			var got []int
			for _, f := range harmonic.fragments(uint32(i) + 1) {
				got = append(got, int(f))
			}
			slices.Sort(got)
			if !slices.Equal(got, want) {
				t.Errorf("part %d: got %v, want %v", i+1, got, want)
			}
		}
	})
	t.Run("shuffled", func(t *testing.T) {
		if got, want := shuffled(newXoshiro(text), 10, 10), []uint16{5, 3, 8, 2, 9, 4, 6, 7, 0, 1}; !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
	t.Run("parts", func(t *testing.T) {
		parts := valueOf(NewURParts(Resource{"bytes", wolf(256)}, 30))(t)
		if parts.Len() != 9 || len(v.Parts) != 20 {
			t.Fatalf("%d parts, and %d in the vectors", parts.Len(), len(v.Parts))
		}
		for i, want := range v.Parts {
			_, path := splitUR(parts.Text(uint32(i) + 1))
			if got := hex.EncodeToString(valueOf(decodeBytewords(path[1]))(t)); got != want {
				t.Errorf("part %d: got %s, want %s", i+1, got, want)
			}
		}
	})
}

// TestBytewords uses vectors of BCR-2020-012.
func TestBytewords(t *testing.T) {
	for data, text := range map[string]string{
		"d99d6ca20150c7098580125e2ab0981253468b2dbc5202c11947da": "tantjzoeadgdstaslplabghydrpfmkbggufgludprfgmaosecffltnsoaawkbd",
		"c7098580125e2ab0981253468b2dbc52":                       "staslplabghydrpfmkbggufgludprfgmzepsbtwd",
	} {
		if got := encodeBytewords(valueOf(hex.DecodeString(data))(t)); got != text {
			t.Errorf("%s is encoded as %s, want %s", data, got, text)
		}
		if got, err := decodeBytewords(text); hex.EncodeToString(got) != data {
			t.Errorf("%s is decoded as %x (%v), want %s", text, got, err, data)
		}
		for i := range text {
			if _, err := decodeBytewords(text[:i] + "a" + text[i+1:]); err == nil && text[i] != 'a' {
				t.Errorf("the letter %d can be changed", i)
			}
		}
	}
}

// TestBC32 uses vectors of BCR-2020-004.
func TestBC32(t *testing.T) {
	for text, want := range map[string]string{
		"fpjkcmr0ypmk7unvvsh4ra4j":                              "48656c6c6f20776f726c64",
		"my6qv05zqq0wcpv9aeq6khvwfdcr5jlp7uawcg0pgwgjc4shjm6xu": "d934063e82001eec0585ee41ab5d8e4b703a4be1f73aec21e143912c56",
	} {
		if got, err := decodeBC32(text); hex.EncodeToString(got) != want {
			t.Errorf("%s is decoded as %x (%v), want %s", text, got, err, want)
		}
		for i := range text {
			if _, err := decodeBC32(text[:i] + "q" + text[i+1:]); err == nil && text[i] != 'q' {
				t.Errorf("the character %d can be changed", i)
			}
		}
	}
}

// resourceVector is a resource and its content.
type resourceVector struct {
	Name, UR, Type, CBOR string
	Data                 string // in hexadecimal
	Keys, Descriptors    []string
	Title                string
	Error                string // the code
	Loose                bool   // the depth and child number of the key contradict its path
}

func TestResourceVectors(t *testing.T) {
	vectors := readJSON[[]resourceVector](t, "resources.json")
	if len(vectors) < 15 {
		t.Fatalf("%d vectors", len(vectors))
	}
	for _, v := range vectors {
		t.Run(v.Name, func(t *testing.T) {
			if v.UR == "" {
				v.UR = urPrefix + v.Type + "/" + encodeBytewords(valueOf(hex.DecodeString(v.CBOR))(t))
			}
			got, err := Read([]byte(v.UR))
			if f, _ := errors.AsType[*fault.Error](err); v.Error != "" && f != nil && f.Code == v.Error {
				return
			}
			noError(t, err)
			if v.Error != "" {
				t.Fatal("got the error nil")
			}
			upper := valueOf(Read([]byte(strings.ToUpper(v.UR))))(t)
			if upper.Kind != got.Kind || len(upper.Outputs) != len(got.Outputs) || !bytes.Equal(upper.Data, got.Data) {
				t.Errorf("in upper case it is %v", upper)
			}
			v.compare(t, got)
		})
	}
}

func (v resourceVector) compare(t *testing.T, got Content) {
	if v.Data != "" {
		if got.Kind != PSBT || hex.EncodeToString(got.Data) != v.Data {
			t.Errorf("got %s %x", got.Kind, got.Data)
		}
		return
	}
	if got.Kind != Outputs || len(got.Outputs) != max(len(v.Descriptors), len(v.Keys)) {
		t.Fatalf("got %+v", got)
	}
	for i, want := range v.Keys {
		if o := got.Outputs[i]; !slices.Equal(o.Keys, []string{want}) || o.Descriptor != "" {
			t.Errorf("got %+v, want the key %s", o, want)
		}
	}
	for i, want := range v.Descriptors {
		o := got.Outputs[i]
		text, want := o.Descriptor, strings.ReplaceAll(want, "'", "h")
		if o.Cosigner {
			text = map[string]string{"sh": "sh(cosigner(%))", "sh-wsh": "sh(wsh(cosigner(%)))", "wsh": "wsh(cosigner(%))"}[string(o.Script)]
			text = strings.Replace(text, "%", o.Keys[0], 1)
		} else if !strings.Contains(want, "/<0;1>/*") {
			text = strings.ReplaceAll(text, "/<0;1>/*", "")
		}
		if v.Loose {
			text, want = withoutDepth(t, text), withoutDepth(t, want)
		}
		if text != want || o.Name != v.Title {
			t.Errorf("got %s %q, want %s", text, o.Name, want)
		}
	}
}

// withoutDepth replaces the extended key of a descriptor by its key and chain code.
func withoutDepth(t *testing.T, text string) string {
	at := strings.Index(text, "xpub")
	end := at + strings.IndexAny(text[at:], "/)")
	key := valueOf(hdkeychain.NewKeyFromString(text[at:end]))(t)
	public := valueOf(key.ECPubKey())(t)
	return text[:at] + hex.EncodeToString(append(public.SerializeCompressed(), key.ChainCode()...)) + text[end:]
}

// TestScans reads texts that devices have shown.
func TestScans(t *testing.T) {
	scans := readJSON[map[string][]string](t, "scans.json")
	for name, want := range map[string]struct {
		format Format
		kind   Kind
	}{"multisig": {URv1, Text}, "passport": {UR, PSBT}, "keystone": {UR, PSBT}} {
		t.Run(name, func(t *testing.T) {
			got, err := Read([]byte(strings.Join(scans[name], "\r\n")))
			if err != nil || got.Format != want.format || got.Kind != want.kind {
				t.Errorf("got %s %s: %v", got.Format, got.Kind, err)
			}
			if want.kind == Text && !strings.Contains(string(got.Data), "Policy: 2 of 2") {
				t.Errorf("got %q", got.Data)
			}
		})
	}
	t.Run("bbqr", func(t *testing.T) {
		got, err := Read(valueOf(os.ReadFile("testdata/bbqr-scan.txt"))(t))
		if err != nil || got.Kind != Text || !strings.Contains(string(got.Data), "Zlib compressed") {
			t.Errorf("got %s %q: %v", got.Kind, got.Data, err)
		}
	})
}
