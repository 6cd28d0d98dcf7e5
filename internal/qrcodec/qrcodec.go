// Package qrcodec encodes and decodes the texts of QR codes that carry PSBTs, transactions,
// descriptors and other data, in one code or in a series: BBQr, Uniform Resources (BC-UR)
// of version 1 and 2, and the pMofN series of Specter DIY. It also recognizes the same data
// in uploaded files.
//
// It works in memory only. Decoders bound the memory and time for any input, and never
// repeat input in errors.
package qrcodec

import (
	"fmt"
	"strconv"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/text"
)

// Limits of the decoders and encoders.
const (
	// MaxSize is the maximum size of a message in bytes after decompression.
	MaxSize = 4 << 20
	// MaxParts is the maximum number of parts of a message, which is the maximum of BBQr.
	MaxParts = 36*36 - 1
	// MinFragment and MaxFragment limit the bytes of a message in one QR code. The largest
	// QR code has room for a little more than MaxFragment in every format.
	MinFragment = 20
	MaxFragment = 2000
)

// Faults of QR texts and of uploaded data. No message repeats the input.
var (
	// ErrMalformed is returned for a text that does not follow its format.
	ErrMalformed = fault.New(fault.Invalid, "invalid_qr_text", "the text of the QR code is incomplete or damaged; scan it again")
	// ErrOtherMessage is returned for a part that belongs to another message than the
	// parts before it. The parts before it are kept.
	ErrOtherMessage = fault.New(fault.Invalid, "qr_other_message", "this QR code belongs to another series than the codes before it; finish that series, or start again")
	// ErrUnsupported is returned for content of a type that is not supported.
	ErrUnsupported = fault.New(fault.Invalid, "unsupported_qr_content", "the content of the QR code is not supported")
	// ErrMissingParts is returned for a series that lacks parts.
	ErrMissingParts = fault.New(fault.Invalid, "qr_parts_missing", "some QR codes of the series are missing")
	// ErrTooLarge is returned for a message of more than MaxSize bytes or MaxParts parts.
	ErrTooLarge = fault.New(fault.TooLarge, "qr_too_large", "the content of the QR codes must not be larger than %d MiB, in at most %d parts", MaxSize>>20, MaxParts)
)

func malformed(problem string) error {
	return ErrMalformed.WithMessage("the text of the QR code %s; scan it again", problem)
}

func unsupported(problem string) error {
	return ErrUnsupported.WithMessage("the content of the QR code %s", problem)
}

// Format is a format of QR texts.
type Format string

// The formats.
const (
	Plain Format = "text"  // one text without a header
	BBQr  Format = "bbqr"  // Coinkite's Better Bitcoin QR
	UR    Format = "ur"    // Uniform Resources, BCR-2020-005
	URv1  Format = "ur1"   // Uniform Resources of version 1, in BC32
	PMofN Format = "pmofn" // the series of Specter DIY: "p1of3 …"
)

// Kind is the kind of a message.
type Kind string

// The kinds.
const (
	PSBT        Kind = "psbt"
	Transaction Kind = "transaction"
	JSON        Kind = "json"
	Text        Kind = "text"
	Outputs     Kind = "outputs" // output descriptors or keys
	Bytes       Kind = "bytes"   // none of the others
)

// Content is a decoded message.
type Content struct {
	Kind Kind
	// Format is the format of the texts that contained the message.
	Format Format
	// Data is the message, in binary for a PSBT and a transaction, and in UTF-8 for JSON and
	// text. It is nil for outputs.
	Data []byte
	// Outputs are the descriptors and keys of a message of the kind Outputs.
	Outputs []Output
}

// Output is an output descriptor, or a key for one, from a UR.
type Output struct {
	// Descriptor is an output descriptor (BIP-380) without a checksum, which is not validated.
	// The children of a key are /<0;1>/* if the message does not specify them. It is empty for
	// a single key and for the key of a cosigner.
	Descriptor string
	// Script is the script type; empty for a single key and for a descriptor of another type.
	Script btc.Script
	// Keys are the extended public keys in the order of the descriptor, each with its origin
	// and without children, such as [d34db33f/84h/0h/0h]xpub….
	Keys []string
	// Cosigner is set for the key of one signer of a multisig wallet with the script type
	// Script.
	Cosigner bool
	// Name is the name of the descriptor or key; empty if it has none.
	Name string
}

// Progress describes the received part of a message.
type Progress struct {
	Format Format // empty before the first part
	// Expected is the number of parts of the message.
	Expected int
	// Received is the number of parts of which the content is known or that would complete it
	// together with others.
	Received int
	// Missing are the numbers of the missing parts, starting at 1. It is empty if any further
	// part is useful, as in a UR whose parts mix several fragments.
	Missing []int
	Done    bool
}

// Fraction returns the received part of the message, between 0 and 1.
func (p Progress) Fraction() float64 {
	if p.Expected == 0 {
		return 0
	}
	return float64(p.Received) / float64(p.Expected)
}

// Err returns ErrMissingParts with the numbers of the missing parts in its message, or nil
// if the message is complete.
func (p Progress) Err() error {
	if p.Done {
		return nil
	}
	missing := p.Expected - p.Received
	if len(p.Missing) == 0 {
		return ErrMissingParts.WithMessage("%d of %d QR codes are missing; any further codes of the series complete it", missing, p.Expected)
	}
	if len(p.Missing) == 1 {
		return ErrMissingParts.WithMessage("the QR code %d of %d is missing", p.Missing[0], p.Expected)
	}
	return ErrMissingParts.WithMessage("the QR codes %s of %d are missing", listed(p.Missing), p.Expected)
}

// maxListed is the maximum number of missing parts that an error names.
const maxListed = 20

// listed formats numbers as in "2, 5 and 7".
func listed(numbers []int) string {
	texts := make([]string, 0, maxListed+1)
	for _, n := range numbers[:min(len(numbers), maxListed)] {
		texts = append(texts, strconv.Itoa(n))
	}
	if more := len(numbers) - maxListed; more > 0 {
		texts = append(texts, fmt.Sprintf("%d more", more))
	}
	return text.List(texts, "and")
}
