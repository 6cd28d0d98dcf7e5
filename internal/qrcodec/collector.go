package qrcodec

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/specterd/specterd/internal/btc"
)

// Collector reads the texts of scanned QR codes, one at a time and in any order, until the
// message is complete. The zero value is ready for use. A Collector must not be used
// concurrently.
type Collector struct {
	format  Format
	series  series // nil before the first text
	content *Content
}

// series collects the parts of a message in one format.
type series interface {
	// add adds a part. If it returns an error, the parts before it are unchanged.
	add(text string) error
	progress() Progress
	// content decodes the complete message.
	content() (Content, error)
}

// maxText is the maximum length of the text of one QR code, or of a text that takes its
// place, which can be a complete message in hexadecimal.
const maxText = 2*MaxSize + MaxSize/4

// Add adds the text of a QR code. It ignores a part that it already has, and any part of
// a message that is complete. It returns ErrOtherMessage, and keeps what it has, for a part
// of another message; ErrMalformed, ErrUnsupported and btc.ErrPrivateKey for a text that it
// cannot use, and ErrTooLarge. If a complete message turns out to be damaged, it also drops
// all parts, so that they can be scanned again.
func (c *Collector) Add(text string) error {
	if len(text) > maxText {
		return ErrTooLarge
	}
	format := formatOf(text)
	s := c.series
	switch {
	case s == nil:
		s = newSeries(format)
	case format != c.format:
		return ErrOtherMessage
	}
	if err := s.add(text); err != nil {
		return err
	}
	c.format, c.series = format, s
	if c.content != nil || !s.progress().Done {
		return nil
	}
	content, err := s.content()
	if err != nil {
		*c = Collector{}
		return err
	}
	content.Format = format
	c.content = &content
	return nil
}

// Progress returns the received part of the message. It is zero before the first text.
func (c *Collector) Progress() Progress {
	if c.series == nil {
		return Progress{}
	}
	return c.series.progress()
}

// Content returns the message if it is complete.
func (c *Collector) Content() (Content, bool) {
	if c.content == nil {
		return Content{}, false
	}
	return *c.content, true
}

var (
	sequencePMofN = regexp.MustCompile(`^[pP][0-9]{1,5}[oO][fF][0-9]{1,5}( |$)`)
	sequenceUR    = regexp.MustCompile(`^[0-9]+-[0-9]+$`)
)

// formatOf returns the format of a text.
func formatOf(text string) Format {
	text = strings.TrimSpace(text)
	switch {
	case hasPrefixFold(text, bbqrPrefix):
		return BBQr
	case sequencePMofN.MatchString(text):
		return PMofN
	case !hasPrefixFold(text, urPrefix):
		return Plain
	}
	switch _, path := splitUR(text); len(path) {
	case 1:
		if _, err := decodeBytewords(path[0]); err != nil {
			if _, err := decodeBC32(path[0]); err == nil {
				return URv1
			}
		}
		return UR
	case 2:
		if sequenceUR.MatchString(path[0]) {
			return UR
		}
	}
	return URv1
}

func hasPrefixFold(text, prefix string) bool {
	return len(text) >= len(prefix) && strings.EqualFold(text[:len(prefix)], prefix)
}

func newSeries(format Format) series {
	switch format {
	case BBQr:
		return &bbqrSeries{}
	case UR:
		return &urSeries{}
	case URv1, PMofN:
		return &textSeries{format: format}
	}
	return &plain{}
}

// plain is a message in one code.
type plain struct{ text string }

func (p *plain) add(text string) error {
	switch {
	case strings.TrimSpace(text) == "":
		return malformed("is empty")
	case p.text != "" && p.text != text:
		return ErrOtherMessage
	}
	p.text = text
	return nil
}

func (*plain) progress() Progress {
	return Progress{Format: Plain, Expected: 1, Received: 1, Done: true}
}

func (p *plain) content() (Content, error) { return recognized([]byte(p.text)), nil }

// Read recognizes an uploaded file or the texts of QR codes, one in each line. It returns the
// errors of Collector.Add, and ErrMissingParts if a series is incomplete.
func Read(data []byte) (Content, error) {
	if len(data) > maxText {
		return Content{}, ErrTooLarge
	}
	text := bytes.TrimSpace(bytes.TrimPrefix(data, []byte("\ufeff")))
	if formatOf(string(text[:min(len(text), maxPrefix)])) == Plain {
		return recognized(data), nil
	}
	var c Collector
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		if err := c.Add(line); err != nil {
			return Content{}, err
		}
	}
	content, done := c.Content()
	if !done {
		return Content{}, c.Progress().Err()
	}
	return content, nil
}

// maxPrefix is the maximum length of the characters that identify a format other than Plain.
const maxPrefix = len("p12345of12345 ")

var psbtMagic = []byte("psbt\xff")

// checked returns a message that claims to be of the given kind.
func checked(kind Kind, data []byte) (Content, error) {
	found := recognized(data)
	if kind == Bytes || found.Kind == kind {
		return found, nil
	}
	switch kind {
	case PSBT:
		return Content{}, malformed("claims to contain a PSBT, but does not")
	case Transaction:
		return Content{}, malformed("claims to contain a transaction, but does not")
	case JSON:
		if jsontext.Value(data).IsValid() {
			return Content{Kind: JSON, Data: data}, nil
		}
		return Content{}, malformed("claims to contain JSON, but does not")
	}
	if !utf8.Valid(data) {
		return Content{}, malformed("claims to contain text, but does not")
	}
	return found, nil // text that is also something else, such as a PSBT in base64
}

// recognized determines the kind of data. PSBTs and transactions can be in binary, and as
// text in base64 or hexadecimal; Data of the result is binary.
func recognized(data []byte) Content {
	if raw, ok := decodeText(data); ok {
		if kind := kindOfBinary(raw); kind != Bytes {
			return Content{Kind: kind, Data: raw}
		}
	}
	kind := kindOfBinary(data)
	trimmed := bytes.TrimSpace(data)
	switch {
	case kind != Bytes || !utf8.Valid(data):
	case len(trimmed) > 0 && (trimmed[0] == '{' || trimmed[0] == '[') && jsontext.Value(trimmed).IsValid():
		kind = JSON
	default:
		kind = Text
	}
	return Content{Kind: kind, Data: data}
}

// kindOfBinary returns PSBT, Transaction or Bytes.
func kindOfBinary(data []byte) Kind {
	if bytes.HasPrefix(data, psbtMagic) {
		return PSBT
	}
	if isTransaction(data) {
		return Transaction
	}
	return Bytes
}

// The minimum sizes of inputs and outputs of a transaction in bytes.
const (
	minInput  = 32 + 4 + 1 + 4
	minOutput = 8 + 1
)

// isTransaction reports whether data has the structure of a transaction. Unlike btc.ParseTx,
// it allocates no memory.
func isTransaction(data []byte) bool {
	r := btc.NewReader(data)
	r.Take(4) // version
	hasWitness := bytes.HasPrefix(r.Rest(), []byte{0, 1})
	if hasWitness {
		r.Take(2)
	}
	inputs := r.Count(minInput)
	for range inputs {
		r.Take(32 + 4)
		r.Take(r.CompactSize())
		r.Take(4)
	}
	outputs := r.Count(minOutput)
	for range outputs {
		r.Take(8)
		r.Take(r.CompactSize())
	}
	for n := inputs; hasWitness && n > 0; n-- {
		for range r.Count(1) {
			r.Take(r.CompactSize())
		}
	}
	r.Take(4) // lock time
	return r.Done() == nil && inputs > 0 && outputs > 0
}

// decodeText decodes hexadecimal, or base64 with the standard or the URL-safe alphabet, with
// or without padding. White space is ignored.
func decodeText(data []byte) ([]byte, bool) {
	text := withoutSpace(data)
	if raw, err := hex.AppendDecode(nil, text); err == nil {
		return raw, len(raw) > 0
	}
	text = bytes.TrimRight(text, "=")
	for i, c := range text {
		switch c {
		case '-':
			text[i] = '+'
		case '_':
			text[i] = '/'
		}
	}
	raw, err := base64.RawStdEncoding.Strict().AppendDecode(nil, text)
	return raw, err == nil && len(raw) > 0
}

// withoutSpace returns a copy of data without white space.
func withoutSpace(data []byte) []byte {
	text := make([]byte, 0, len(data))
	for _, c := range data {
		if c != ' ' && (c < '\t' || c > '\r') {
			text = append(text, c)
		}
	}
	return text
}
