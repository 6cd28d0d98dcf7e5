package qrcodec

import (
	"crypto/sha256"
	"strconv"
	"strings"

	"github.com/btcsuite/btcd/btcutil/bech32"
)

// Version 1 of Uniform Resources had the paths <message>, <digest>/<message> and
// <n>of<m>/<digest>/<part of the message>. The message is CBOR in BC32 (BCR-2020-004), and
// the digest is its SHA-256, also in BC32.

const (
	bc32Alphabet = "qpzry9x8gf2tvdw0s3jn54khce6mua7l" // of bech32
	bc32Checksum = 6                                  // characters
	bc32Constant = 0x3fffffff
)

// decodeBC32 decodes a text in lower case, and verifies its checksum.
func decodeBC32(text string) ([]byte, error) {
	if len(text) <= bc32Checksum {
		return nil, malformed("is too short")
	}
	values := make([]byte, len(text))
	state := uint32(1)
	state = bc32Polymod(state, 0)
	for i, c := range []byte(text) {
		at := strings.IndexByte(bc32Alphabet, c)
		if at < 0 {
			return nil, malformed("has characters that are not allowed")
		}
		values[i] = byte(at) //nolint:gosec // below 32
		state = bc32Polymod(state, uint32(values[i]))
	}
	if state != bc32Constant {
		return nil, malformed("does not match its checksum")
	}
	data, err := bech32.ConvertBits(values[:len(values)-bc32Checksum], 5, 8, false)
	if err != nil || len(data) == 0 {
		return nil, malformed("does not contain a whole number of bytes")
	}
	return data, nil
}

// bc32Polymod adds a symbol of five bits to the state of the checksum of BIP-173.
func bc32Polymod(state, symbol uint32) uint32 {
	top := state >> 25
	state = (state&0x1ffffff)<<5 ^ symbol
	for i, g := range [...]uint32{0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3} {
		if top>>i&1 == 1 {
			state ^= g
		}
	}
	return state
}

// textSeries collects the parts of a text that was divided into parts with numbers, starting
// at 1.
type textSeries struct {
	format   Format
	urType   string   // empty for PMofN
	digest   string   // of a UR; empty if it has none
	parts    [][]byte // nil if missing
	received int
	size     int
}

// add adds a part. All parts must have the same type, digest and total.
func (s *textSeries) add(text string) error {
	parse := parseURv1
	if s.format == PMofN {
		parse = parsePMofN
	}
	p, err := parse(text)
	if err != nil {
		return err
	}
	if s.parts == nil {
		s.urType, s.digest, s.parts = p.urType, p.digest, make([][]byte, p.total)
	}
	have := s.parts
	switch {
	case p.urType != s.urType, p.digest != s.digest, p.total != len(have):
		return ErrOtherMessage
	case have[p.number-1] != nil && string(have[p.number-1]) != p.text:
		return ErrOtherMessage
	case have[p.number-1] != nil:
		return nil
	case s.size+len(p.text) > 2*MaxSize:
		return ErrTooLarge
	}
	have[p.number-1] = []byte(p.text)
	s.received++
	s.size += len(p.text)
	return nil
}

func (s *textSeries) progress() Progress {
	p := Progress{Format: s.format, Expected: len(s.parts), Received: s.received, Missing: missing(s.parts)}
	p.Done = p.Received == p.Expected
	return p
}

func (s *textSeries) content() (Content, error) {
	var text strings.Builder
	for _, part := range s.parts {
		text.Write(part)
	}
	if s.format == PMofN {
		return recognized([]byte(text.String())), nil
	}
	message, err := decodeBC32(text.String())
	if err != nil {
		return Content{}, err
	}
	if s.digest != "" {
		digest, err := decodeBC32(s.digest)
		if sum := sha256.Sum256(message); err != nil || string(digest) != string(sum[:]) {
			return Content{}, malformed("is complete, but does not match its digest")
		}
	}
	return Resource{s.urType, message}.Content()
}

// textPart is a part of a textSeries.
type textPart struct {
	number, total  int
	urType, digest string
	text           string
}

// parseURv1 parses a UR of version 1.
func parseURv1(text string) (textPart, error) {
	urType, path := splitUR(text)
	if err := supportedType(urType); err != nil {
		return textPart{}, err
	}
	p := textPart{number: 1, total: 1, urType: urType}
	switch len(path) {
	case 1:
		p.text = path[0]
	case 2:
		p.digest, p.text = path[0], path[1]
	case 3:
		var err error
		if p.number, p.total, err = parseSequence(path[0]); err != nil {
			return textPart{}, err
		}
		p.digest, p.text = path[1], path[2]
	default:
		return textPart{}, malformed("is not a Uniform Resource")
	}
	if p.text == "" || strings.Trim(p.text+p.digest, bc32Alphabet) != "" {
		return textPart{}, malformed("is a Uniform Resource with characters that are not allowed")
	}
	return p, nil
}

// parsePMofN parses a part such as "p1of3 cHNidP…", whose text is usually base64.
func parsePMofN(text string) (textPart, error) {
	sequence, rest, _ := strings.Cut(strings.TrimSpace(text), " ")
	number, total, err := parseSequence(strings.ToLower(sequence)[1:])
	if err != nil {
		return textPart{}, err
	}
	if rest = strings.TrimSpace(rest); rest == "" {
		return textPart{}, malformed("has no content")
	}
	return textPart{number: number, total: total, text: rest}, nil
}

// parseSequence parses a number and a total such as 2of3.
func parseSequence(text string) (number, total int, err error) {
	first, second, _ := strings.Cut(text, "of")
	n, errNumber := strconv.ParseUint(first, 10, 31)
	m, errTotal := strconv.ParseUint(second, 10, 31)
	switch {
	case errNumber != nil, errTotal != nil, n == 0, n > m:
		return 0, 0, malformed("has an invalid part number")
	case m > MaxParts:
		return 0, 0, ErrTooLarge
	}
	return int(n), int(m), nil
}
