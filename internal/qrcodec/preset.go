package qrcodec

import (
	"slices"

	"github.com/specterd/specterd/internal/fault"
)

// Preset is the format of QR codes that a signing device reads best.
type Preset struct {
	Device   string // name, in lower case; empty for other devices
	Format   Format // BBQr or UR
	Fragment int    // bytes in each code
	Rate     int    // codes per second
}

// bbqrVersion20 is the content in bytes of a BBQr code of version 20 (97 × 97 modules).
const bbqrVersion20 = 775

// Presets returns the presets of all known devices, sorted by name.
func Presets() []Preset {
	return []Preset{
		{"coldcard", BBQr, bbqrVersion20, 8},
		{"jade", UR, 200, 5},
		{"keystone", UR, 200, 5},
		{"krux", UR, 100, 4},
		{"passport", UR, 200, 5},
		{"seedsigner", UR, 100, 4},
		{"specter-diy", UR, 100, 4},
	}
}

// ChoosePreset returns the preset of a device, with another format and fragment size if they
// are not zero. The device may be empty. Without a device and a format, the format is UR. It
// returns Invalid faults about the fields "device", "format" and "fragment_size".
func ChoosePreset(device string, format Format, fragment int) (Preset, error) {
	presets := Presets()
	p := Preset{Format: UR, Fragment: 200, Rate: 5}
	if device != "" {
		i := slices.IndexFunc(presets, func(p Preset) bool { return p.Device == device })
		if i < 0 {
			return Preset{}, fault.InvalidField("device", "must be coldcard, jade, keystone, krux, passport, seedsigner or specter-diy")
		}
		p = presets[i]
	}
	switch {
	case format != "" && format != BBQr && format != UR:
		return Preset{}, fault.InvalidField("format", "must be bbqr or ur")
	case format == BBQr && p.Format != BBQr:
		p.Format, p.Fragment = BBQr, bbqrVersion20
	case format == UR && p.Format != UR:
		p.Format, p.Fragment = UR, 200
	}
	if fragment != 0 {
		p.Fragment = fragment
	}
	if p.Fragment < MinFragment || p.Fragment > MaxFragment {
		return Preset{}, fault.InvalidField("fragment_size", "must be between %d and %d bytes", MinFragment, MaxFragment)
	}
	return p, nil
}

// Sequence is a PSBT as a sequence of texts for QR codes, to be shown one after the other
// and again from the beginning.
type Sequence struct {
	Preset
	Texts []string
	// Fragments is the number of texts that a receiver requires at least.
	Fragments int
	// First is the number of the first text, starting at 1.
	First int
	// Endless reports whether further texts exist after every text (UR).
	Endless bool
}

// MaxTexts is the maximum number of texts in a Sequence that a caller can request.
const MaxTexts = 2 * MaxParts

// SequenceOf returns the texts for a PSBT, which must be in binary. For UR, first is the number
// of the first text, and count the number of texts; if count is 0, there are twice as many as
// fragments, so that a receiver that has missed some need not wait for the same ones. For
// BBQr, first must be 1 and count 0. It returns Invalid faults about the fields "first",
// "count" and "fragment_size".
func SequenceOf(psbt []byte, p Preset, first, count int) (Sequence, error) {
	s := Sequence{Preset: p, First: first}
	switch {
	case first < 1 || first > 1<<30:
		return s, fault.InvalidField("first", "must be 1 or more")
	case count < 0 || count > MaxTexts:
		return s, fault.InvalidField("count", "must be between 1 and %d", MaxTexts)
	case p.Format == BBQr && first != 1:
		return s, fault.InvalidField("first", "must be omitted for bbqr, whose parts are always complete")
	case p.Format == BBQr && count != 0:
		return s, fault.InvalidField("count", "must be omitted for bbqr, whose parts are always complete")
	}
	if p.Format == BBQr {
		var err error
		s.Texts, err = EncodeBBQr(PSBT, psbt, p.Fragment)
		s.Fragments = len(s.Texts)
		return s, tooManyParts(err, psbt)
	}
	parts, err := NewURParts(PSBTResource(psbt), p.Fragment)
	if err != nil {
		return s, tooManyParts(err, psbt)
	}
	s.Fragments, s.Endless = parts.Len(), parts.Len() > 1
	switch {
	case !s.Endless:
		count = 1
	case count == 0:
		count = 2 * parts.Len()
	}
	for number := first; number < first+count; number++ {
		s.Texts = append(s.Texts, parts.Text(uint32(number)))
	}
	return s, nil
}

// tooManyParts replaces ErrTooLarge by a fault that names the remedy. It returns nil if err
// is nil.
func tooManyParts(err error, psbt []byte) error {
	if err == nil {
		return nil
	}
	least := (len(psbt) + 5 + MaxParts - 1) / MaxParts // 5 bytes are the header of the CBOR byte string
	if least > MaxFragment {
		return fault.InvalidField("format", "must be a file for this PSBT, which is too large for QR codes")
	}
	return fault.InvalidField("fragment_size", "must be at least %d bytes for this PSBT, because a series has at most %d codes", least, MaxParts)
}
