package qrcodec

import (
	"hash/crc32"
	"slices"
	"strconv"
	"strings"
)

const urPrefix = "ur:"

// Resource is the message of a Uniform Resource (BCR-2020-005): untagged CBOR, and the type
// that says what it contains.
type Resource struct {
	Type string // lower case, such as crypto-psbt
	CBOR []byte
}

// fountainPart is the content of one part of a multi-part UR.
type fountainPart struct {
	_        struct{} `cbor:",toarray"`
	Number   uint32   // starting at 1
	Total    uint32
	Length   uint32 // of the message
	Checksum uint32 // CRC-32 of the message
	Data     []byte
}

// validate returns an error if the part cannot be a part of a message.
func (p fountainPart) validate() error {
	total, length, size := uint64(p.Total), uint64(p.Length), uint64(len(p.Data))
	switch {
	case p.Number == 0, total == 0, length == 0, size == 0, (total-1)*size >= length, total*size < length:
		return malformed("has a header that contradicts its content")
	case total > MaxParts, length > MaxSize:
		return ErrTooLarge
	}
	return nil
}

// belongsTo reports whether two parts can belong to the same message.
func (p fountainPart) belongsTo(other fountainPart) bool {
	return p.Total == other.Total && p.Length == other.Length && p.Checksum == other.Checksum && len(p.Data) == len(other.Data)
}

// URParts is the sequence of texts of a Uniform Resource for QR codes. All texts are in upper
// case, which QR codes encode in fewer bits.
type URParts struct {
	resource  Resource
	fragments [][]byte
	chooser   chooser
}

// NewURParts returns the parts of a resource with at most fragment bytes of its message in
// each. It returns ErrTooLarge if more than MaxParts would be required.
func NewURParts(r Resource, fragment int) (*URParts, error) {
	most := max(fragment, MinFragment)
	total := max((len(r.CBOR)+most-1)/most, 1)
	if total > MaxParts || len(r.CBOR) > MaxSize {
		return nil, ErrTooLarge
	}
	size := (len(r.CBOR) + total - 1) / total
	padded := append(slices.Clone(r.CBOR), make([]byte, total*size-len(r.CBOR))...)
	p := &URParts{resource: r, chooser: newChooser(total, crc32.ChecksumIEEE(r.CBOR))}
	for ; len(padded) > 0; padded = padded[size:] {
		p.fragments = append(p.fragments, padded[:size])
	}
	return p, nil
}

// Len returns the number of parts that suffice for a receiver that misses none.
func (p *URParts) Len() int { return len(p.fragments) }

// Text returns the text of the part with the given number, which starts at 1. If Len is
// greater than 1, parts after the number Len are also different: each is the sum of several
// fragments, so that a receiver that has missed parts need not wait for the same ones.
func (p *URParts) Text(number uint32) string {
	if len(p.fragments) <= 1 {
		return strings.ToUpper(urPrefix + p.resource.Type + "/" + encodeBytewords(p.resource.CBOR))
	}
	data := make([]byte, len(p.fragments[0]))
	for _, i := range p.chooser.fragments(number) {
		equation{nil, data}.add(equation{nil, p.fragments[i]})
	}
	part := fountainPart{
		Number: number, Total: uint32(len(p.fragments)), //nolint:gosec // at most MaxParts
		Length: uint32(len(p.resource.CBOR)), Checksum: p.chooser.checksum, Data: data, //nolint:gosec // at most MaxSize
	}
	sequence := strconv.FormatUint(uint64(number), 10) + "-" + strconv.Itoa(len(p.fragments))
	return strings.ToUpper(urPrefix + p.resource.Type + "/" + sequence + "/" + encodeBytewords(encodeCBOR(part)))
}

// Texts returns the texts of the first count parts, or the only one.
func (p *URParts) Texts(count int) []string {
	if len(p.fragments) <= 1 {
		count = 1
	}
	texts := make([]string, count)
	for i := range texts {
		texts[i] = p.Text(uint32(i) + 1)
	}
	return texts
}

// maxRedundancy is the maximum number of parts for each fragment. A message almost never
// needs more than two.
const maxRedundancy = 8

// urSeries collects the parts of a Uniform Resource of version 2.
type urSeries struct {
	urType  string
	first   fountainPart
	solver  *solver
	chooser chooser
	seen    map[uint32]bool // the numbers of the parts
	message []byte          // of a single part, or of a completed series
}

func (s *urSeries) add(text string) error {
	urType, path := splitUR(text)
	if s.urType != "" && urType != s.urType {
		return ErrOtherMessage
	}
	if err := supportedType(urType); err != nil {
		return err
	}
	if len(path) == 1 {
		return s.addSingle(urType, path[0])
	}
	part, err := parseFountainPart(path[0], path[1])
	if err != nil {
		return err
	}
	switch {
	case s.urType == "":
		s.urType, s.first, s.seen = urType, part, make(map[uint32]bool)
		s.solver, s.chooser = newSolver(int(part.Total)), newChooser(int(part.Total), part.Checksum)
	case s.seen == nil, !part.belongsTo(s.first):
		return ErrOtherMessage
	case s.message != nil, s.seen[part.Number]:
		return nil
	case len(s.seen) >= maxRedundancy*int(part.Total)+maxRedundancy:
		return malformed("is one of too many of the same series")
	}
	s.seen[part.Number] = true
	s.solver.add(s.chooser.fragments(part.Number), part.Data)
	if s.solver.isDone() {
		s.message = s.solver.solve()[:part.Length]
	}
	return nil
}

func (s *urSeries) addSingle(urType, text string) error {
	message, err := decodeBytewords(text)
	if err != nil {
		return err
	}
	if s.urType != "" && !slices.Equal(message, s.message) {
		return ErrOtherMessage
	}
	s.urType, s.message = urType, message
	return nil
}

func (s *urSeries) progress() Progress {
	if s.seen == nil {
		return Progress{Format: UR, Expected: 1, Received: 1, Done: true}
	}
	p := Progress{Format: UR, Expected: int(s.first.Total), Received: s.solver.rank, Done: s.message != nil}
	for number := range s.seen {
		if number > s.first.Total {
			return p // a mixed part: no particular part is missing
		}
	}
	for number := range s.first.Total {
		if !s.seen[number+1] {
			p.Missing = append(p.Missing, int(number)+1)
		}
	}
	return p
}

func (s *urSeries) content() (Content, error) {
	if s.seen != nil && crc32.ChecksumIEEE(s.message) != s.first.Checksum {
		return Content{}, malformed("is complete, but does not match its checksum")
	}
	return Resource{s.urType, s.message}.Content()
}

// splitUR returns the type of a UR, and the rest of its path. It converts both to lower case.
func splitUR(text string) (urType string, path []string) {
	text = strings.TrimPrefix(strings.ToLower(strings.TrimSpace(text)), urPrefix)
	path = strings.Split(text, "/")
	return path[0], path[1:]
}

// parseFountainPart parses the parts of a path, such as 1-9/lpadas….
func parseFountainPart(sequence, text string) (fountainPart, error) {
	body, err := decodeBytewords(text)
	if err != nil {
		return fountainPart{}, err
	}
	var part fountainPart
	if err := decodeCBOR(body, &part); err != nil {
		return fountainPart{}, malformed("has an invalid header")
	}
	if sequence != strconv.FormatUint(uint64(part.Number), 10)+"-"+strconv.FormatUint(uint64(part.Total), 10) {
		return fountainPart{}, malformed("has a header that contradicts its content")
	}
	return part, part.validate()
}
