package btc

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json"

	"github.com/specterd/specterd/internal/fault"
)

// Label is a BIP-329 record: a label that a user gave to an object.
type Label struct {
	Type      string  // tx, addr, pubkey, input, output or xpub
	Ref       string  // the labelled object; Type determines its format
	Label     *string // nil to leave the label unchanged
	Origin    string  // an abbreviated descriptor of the wallet; may be empty
	Spendable *bool   // whether an output may be spent; nil to leave this unchanged
}

// Faults of a line of labels. None repeats the line.
var (
	ErrLabel = fault.New(fault.Invalid, "invalid_label", "the line is not a BIP-329 label")
	// ErrLabelType is returned for records of a type that BIP-329 does not define,
	// which importers should ignore.
	ErrLabelType = fault.InvalidAs("unknown_label_type", "type", "is unknown; known types are tx, addr, pubkey, input, output and xpub")
)

const (
	maxLabel     = 255     // characters, as BIP-329 suggests
	maxLabelLine = 1 << 16 // bytes
	maxOrigin    = 4096    // bytes
)

type labelLine struct {
	Type      string  `json:"type"`
	Ref       string  `json:"ref"`
	Label     *string `json:"label,omitzero"`
	Origin    string  `json:"origin,omitzero"`
	Spendable *bool   `json:"spendable,omitzero"`
}

// ParseLabel parses one line of an export (BIP-329): a JSON object with at least
// type and ref. Unknown fields are ignored, as BIP-329 requires, and duplicate
// fields are rejected. The ref is validated and converted to its canonical
// spelling, but its network is not checked. It returns ErrLabel, ErrLabelType and
// ErrPrivateKey.
func ParseLabel(line []byte) (Label, error) {
	if len(line) > maxLabelLine {
		return Label{}, ErrLabel.WithMessage("the line must be at most %d bytes long", maxLabelLine)
	}
	var in labelLine
	if err := json.Unmarshal(line, &in); err != nil {
		return Label{}, ErrLabel.WithMessage("the line is not a JSON object with the fields of BIP-329, each at most once: type, ref, label and origin are strings, spendable is true or false")
	}
	var folded labelLine
	if err := json.Unmarshal(line, &folded, json.MatchCaseInsensitiveNames(true)); err != nil || !reflect.DeepEqual(in, folded) {
		return Label{}, ErrLabel.WithMessage("the line has a field whose name differs from type, ref, label, origin or spendable only in case")
	}
	l := Label(in)
	if err := l.check(); err != nil {
		return Label{}, err
	}
	ref, err := normalRef(l.Type, l.Ref)
	l.Ref = ref
	return l, err
}

// Append appends the label as a line of an export, including the line end. It fails
// for text that is not UTF-8.
func (l Label) Append(b []byte) ([]byte, error) {
	line, err := json.Marshal(labelLine(l))
	if err != nil {
		return b, ErrLabel.WithMessage("the label is not UTF-8")
	}
	return append(append(b, line...), '\n'), nil
}

func (l Label) check() error {
	switch {
	case l.Type == "" || l.Ref == "":
		return ErrLabel.WithMessage("the line must have both type and ref")
	case HoldsPrivateKey(l.Ref):
		return ErrPrivateKey.ForField("ref")
	case l.Label != nil && utf8.RuneCountInString(*l.Label) > maxLabel:
		return badLabel("label", "must be at most %d characters long", maxLabel)
	case l.Spendable != nil && l.Type != "output":
		return badLabel("spendable", "belongs only to the type output")
	case HoldsPrivateKey(l.Origin):
		return ErrPrivateKey.ForField("origin")
	case len(l.Origin) > maxOrigin || strings.Trim(l.Origin, descriptorChars) != "":
		return badLabel("origin", "must be a descriptor without its keys, such as wpkh([d34db33f/84h/0h/0h])")
	}
	return nil
}

func badLabel(field, format string, args ...any) error {
	return fault.InvalidAs(ErrLabel.Code, field, format, args...)
}

// normalRef validates a ref and returns its canonical spelling.
func normalRef(kind, ref string) (string, error) {
	switch kind {
	case "tx":
		if !isLowerHex(ref, 64) {
			return "", badLabel("ref", "must be a transaction id of 64 lower-case hexadecimal digits")
		}
	case "input", "output":
		if _, err := ParseOutpoint(ref); err != nil {
			return "", badLabel("ref", "%s", ErrOutpoint.Fields[0].Message)
		}
	case "pubkey":
		if !slices.ContainsFunc([]int{64, 66, 130}, func(digits int) bool { return isLowerHex(ref, digits) }) {
			return "", badLabel("ref", "must be a public key of 32, 33 or 65 bytes in lower-case hexadecimal digits")
		}
	case "addr":
		for _, e := range encodings {
			if script := decodeAddress(ref, e); script != nil && len(ref) <= maxAddress {
				return addressOf(script, e), nil
			}
		}
		return "", badLabel("ref", "%s", ErrAddress.Fields[0].Message)
	case "xpub":
		return normalXPub(ref)
	default:
		return "", ErrLabelType
	}
	return ref, nil
}

func normalXPub(ref string) (string, error) {
	key, err := ParseKey(ref, Main)
	if errors.Is(err, ErrWrongNetwork) {
		key, err = ParseKey(ref, Test)
	}
	if err != nil || key.Original != ref {
		return "", badLabel("ref", "must be an extended public key, without its origin")
	}
	return key.XPub, nil
}
