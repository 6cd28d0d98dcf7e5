package qrcodec

import (
	"bytes"
	"compress/flate"
	"encoding/base32"
	"encoding/hex"
	"io"
	"strconv"
	"strings"

	kflate "github.com/klauspost/compress/flate"
)

// BBQr is specified in https://github.com/coinkite/BBQr/blob/master/BBQr.md.
const (
	bbqrPrefix = "B$"
	bbqrHeader = 8    // characters
	bbqrWindow = 1024 // bytes; the zlib parameter wbits is 10
	bbqrGroup  = 8    // characters of base32 that encode whole bytes
	bbqrBytes  = 5    // bytes in such a group
)

// The encodings of BBQr.
const (
	bbqrHex    = 'H'
	bbqrBase32 = '2'
	bbqrZlib   = 'Z'
)

var bbqrTypes = map[byte]Kind{'P': PSBT, 'T': Transaction, 'J': JSON, 'U': Text, 'B': Bytes}

var base32Text = base32.StdEncoding.WithPadding(base32.NoPadding)

// bbqrPart is one QR code of a series.
type bbqrPart struct {
	encoding, fileType byte
	total, index       int
	data               []byte
}

// parseBBQr parses the text of one code.
func parseBBQr(text string) (bbqrPart, error) {
	text = strings.ToUpper(strings.TrimSpace(text))
	if len(text) <= bbqrHeader || !strings.HasPrefix(text, bbqrPrefix) || strings.ContainsAny(text, "\r\n") {
		return bbqrPart{}, malformed("is shorter than a BBQr header, or has several lines")
	}
	p := bbqrPart{encoding: text[2], fileType: text[3]}
	total, err := strconv.ParseUint(text[4:6], 36, 16)
	if err != nil || total == 0 {
		return bbqrPart{}, malformed("has an invalid number of parts in its BBQr header")
	}
	index, err := strconv.ParseUint(text[6:8], 36, 16)
	if err != nil || index >= total {
		return bbqrPart{}, malformed("has an invalid part number in its BBQr header")
	}
	p.total, p.index = int(total), int(index)
	if _, known := bbqrTypes[p.fileType]; !known {
		return bbqrPart{}, unsupported("has a BBQr file type other than P (PSBT), T (transaction), J (JSON), U (text) and B (binary)")
	}
	if p.data, err = decodeBBQr(p.encoding, text[bbqrHeader:]); err != nil {
		return bbqrPart{}, err
	}
	isLast := p.index == p.total-1
	if !isLast && p.encoding != bbqrHex && len(text[bbqrHeader:])%bbqrGroup != 0 {
		return bbqrPart{}, malformed("does not contain a whole number of bytes")
	}
	return p, nil
}

func decodeBBQr(encoding byte, text string) (data []byte, err error) {
	switch encoding {
	case bbqrHex:
		data, err = hex.DecodeString(text)
	case bbqrBase32, bbqrZlib:
		data, err = base32Text.DecodeString(text)
	default:
		return nil, unsupported("has a BBQr encoding other than H, 2 and Z")
	}
	if err != nil || len(data) == 0 {
		return nil, malformed("has characters that are not allowed, or is too short")
	}
	return data, nil
}

// bbqrSeries collects the parts of a BBQr message.
type bbqrSeries struct {
	first    bbqrPart
	parts    [][]byte // by index; nil if missing
	received int
	size     int // bytes of the parts
}

func (s *bbqrSeries) add(text string) error {
	p, err := parseBBQr(text)
	if err != nil {
		return err
	}
	if s.parts == nil {
		s.first, s.parts = p, make([][]byte, p.total)
	}
	if err := s.check(p); err != nil || s.parts[p.index] != nil {
		return err
	}
	s.parts[p.index] = p.data
	s.received++
	s.size += len(p.data)
	return nil
}

// check returns an error if a part does not belong to the series.
func (s *bbqrSeries) check(p bbqrPart) error {
	if p.encoding != s.first.encoding || p.fileType != s.first.fileType || p.total != s.first.total {
		return ErrOtherMessage
	}
	if have := s.parts[p.index]; have != nil && !bytes.Equal(have, p.data) {
		return ErrOtherMessage
	}
	last := s.first.total - 1
	for i, part := range s.parts {
		if part == nil || i == p.index {
			continue
		}
		// All parts have the same length, except that the last part may be shorter.
		isFit := len(part) == len(p.data)
		if i == last {
			isFit = len(part) <= len(p.data)
		} else if p.index == last {
			isFit = len(p.data) <= len(part)
		}
		if !isFit {
			return ErrOtherMessage
		}
		break // this part was compared with the others
	}
	if s.size+len(p.data) > MaxSize {
		return ErrTooLarge
	}
	return nil
}

func (s *bbqrSeries) progress() Progress {
	p := Progress{Format: BBQr, Expected: len(s.parts), Received: s.received}
	p.Done = p.Received == p.Expected
	p.Missing = missing(s.parts)
	return p
}

// missing returns the numbers of the parts that are nil, starting at 1.
func missing(parts [][]byte) (numbers []int) {
	for i, part := range parts {
		if part == nil {
			numbers = append(numbers, i+1)
		}
	}
	return numbers
}

func (s *bbqrSeries) content() (Content, error) {
	data := bytes.Join(s.parts, nil)
	if s.first.encoding == bbqrZlib {
		var err error
		if data, err = inflate(data); err != nil {
			return Content{}, err
		}
	}
	return checked(bbqrTypes[s.first.fileType], data)
}

// inflate decompresses at most MaxSize bytes.
func inflate(compressed []byte) ([]byte, error) {
	from := bytes.NewReader(compressed)
	data, err := io.ReadAll(io.LimitReader(flate.NewReader(from), MaxSize+1))
	switch {
	case len(data) > MaxSize:
		return nil, ErrTooLarge
	case err != nil, from.Len() > 0:
		return nil, malformed("cannot be decompressed: the codes do not belong together, or one is damaged")
	}
	return data, nil
}

// deflate compresses data with the window of BBQr.
func deflate(data []byte) ([]byte, error) {
	var to bytes.Buffer
	w, err := kflate.NewWriterWindow(&to, bbqrWindow)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(data); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return to.Bytes(), nil
}

// EncodeBBQr returns the texts of the QR codes for data of the given kind, with at most
// fragment bytes in each, all of the same size except the last one. Data is compressed if
// that makes it smaller. It returns ErrTooLarge if more than MaxParts codes would be required.
// It panics if the kind has no BBQr file type.
func EncodeBBQr(kind Kind, data []byte, fragment int) ([]string, error) {
	fileType := byte(0)
	for t, k := range bbqrTypes {
		if k == kind {
			fileType = t
		}
	}
	if fileType == 0 {
		panic("BBQr has no file type for " + string(kind))
	}
	encoding := byte(bbqrBase32)
	if compressed, err := deflate(data); err == nil && len(compressed) < len(data) {
		data, encoding = compressed, bbqrZlib
	}
	most := max(fragment, MinFragment) / bbqrBytes * bbqrBytes
	total := max((len(data)+most-1)/most, 1)
	if total > MaxParts || len(data) > MaxSize {
		return nil, ErrTooLarge
	}
	each := (len(data) + total - 1) / total
	each = (each + bbqrBytes - 1) / bbqrBytes * bbqrBytes
	total = max((len(data)+each-1)/each, 1) // rounding can make the last part superfluous
	texts := make([]string, total)
	for i := range texts {
		part := data[i*each : min((i+1)*each, len(data))]
		texts[i] = bbqrPrefix + string([]byte{encoding, fileType}) + base36(total) + base36(i) + base32Text.EncodeToString(part)
	}
	return texts, nil
}

// base36 formats a number below 1296 as two digits of base 36.
func base36(n int) string {
	text := strings.ToUpper(strconv.FormatInt(int64(n), 36))
	return strings.Repeat("0", 2-len(text)) + text
}
