package walletfile

import (
	"cmp"
	"encoding/base64"
	"errors"
	"mime"
	"path"
	"slices"
	"strings"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/qrcodec"
)

// Source is a file in one of the forms in which a request can contain it. The zero value means
// that a request has no file.
type Source struct {
	data    []byte
	name    string // of the device, by the name of the file; may be empty
	outputs []qrcodec.Output
	files   []Source // of the signers of a multisig wallet
	given   bool
	err     error // instead of all others
}

// Unreadable returns the source of a file that is invalid before it is read. Read returns err.
func Unreadable(err error) Source { return Source{given: true, err: err} }

// FromText returns the source of a file that is text.
func FromText(text string) Source { return FromBytes([]byte(text)) }

// FromBytes returns the source of a file.
func FromBytes(data []byte) Source { return Source{data: data, given: true} }

// FromFile returns the source of a file with a name.
func FromFile(name string, data []byte) Source { return FromBytes(data).WithName(name) }

// WithName sets the name of the file, which names the device of its keys if the file does not name it
// and all its keys are of one device. The names of pictures name no device.
func (s Source) WithName(name string) Source {
	name = path.Base(strings.ReplaceAll(name, `\`, "/"))
	ending := path.Ext(name)
	kind, _, _ := strings.Cut(mime.TypeByExtension(strings.ToLower(ending)), "/")
	if kind != "image" && kind != "video" {
		s.name = strings.TrimSuffix(name, ending)
	}
	return s
}

// FromBase64 returns the source of a file in base64, with or without padding, in the standard
// or the URL alphabet. For other text, Read returns a fault about the field "file_base64".
func FromBase64(text string) Source {
	text = strings.NewReplacer("-", "+", "_", "/", "\r", "", "\n", "").Replace(strings.TrimSpace(text))
	data, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(text, "="))
	if err != nil {
		return Unreadable(fault.InvalidField("file_base64", "must be base64")) // without the cause, which could quote the text
	}
	return FromBytes(data)
}

// FromParts returns the source of the texts of QR codes, in any order. Read returns the faults
// of package qrcodec about them, about the field "parts".
func FromParts(parts []string) Source { return fromParts(parts, "parts") }

// FromFiles returns the source of several files, each with the key of one signer of a multisig
// wallet, and the source itself if there is one. Read returns faults about the field "files",
// which name a file by its position, as in files[0].
func FromFiles(files []Source) Source {
	if len(files) == 1 {
		return files[0]
	}
	return Source{files: files, given: len(files) > 0}
}

// IsSeveral reports whether the source is several files.
func (s Source) IsSeveral() bool { return len(s.files) > 0 }

func fromParts(parts []string, name string) Source {
	var c qrcodec.Collector
	for _, part := range parts {
		if err := c.Add(part); err != nil {
			return Unreadable(about(err, name))
		}
	}
	content, complete := c.Content()
	if !complete {
		return Unreadable(about(c.Progress().Err(), name))
	}
	switch content.Kind {
	case qrcodec.Outputs:
		return Source{outputs: content.Outputs, given: true}
	case qrcodec.PSBT, qrcodec.Transaction:
		return Unreadable(fault.InvalidAs(ErrUnknownFormat.Code, name, "is a payment and not a wallet; add it to a proposal"))
	}
	return FromBytes(content.Data)
}

// about returns a fault of package qrcodec as an Invalid fault about a field.
func about(err error, name string) error {
	f, ok := errors.AsType[*fault.Error](err)
	switch {
	case !ok:
		return err
	case errors.Is(err, btc.ErrPrivateKey):
		return btc.ErrPrivateKey.ForField(name)
	}
	return fault.InvalidAs(f.Code, name, "%s", f.Message)
}

// IsZero reports whether a request has no file.
func (s Source) IsZero() bool { return !s.given }

// Read reads the file. It returns ErrUnknownFormat, ErrFile, ErrFirstAddress,
// btc.ErrPrivateKey, and the faults of btc.FromDescriptors and btc.FromKeys, all about the field
// "file". One fault has all problems. The texts of QR codes, one in a line, can also be a file.
func (s Source) Read(o Options) (File, error) {
	if s.IsSeveral() {
		return readSigners(s.files, o)
	}
	d, err := s.parse()
	if err != nil {
		return File{}, err
	}
	f, err := d.file(o)
	f.nameDevice(s.name)
	return f, err
}

// nameDevice sets the name of keys without one if all keys are of one device.
func (f *File) nameDevice(name string) {
	isOther := func(k NamedKey) bool { return k.Fingerprint != f.Keys[0].Fingerprint }
	if slices.ContainsFunc(f.Keys, isOther) {
		return
	}
	for i := range f.Keys {
		f.Keys[i].Name = cmp.Or(f.Keys[i].Name, name)
	}
}

// parse detects the format of a file and returns its content.
func (s Source) parse() (*draft, error) {
	if text := string(s.data); isQRText(text) && len(text) <= MaxSize {
		s = fromParts(strings.Fields(text), field)
	}
	switch {
	case s.err != nil:
		return nil, s.err
	case s.outputs != nil:
		d := &draft{height: -1}
		d.readOutputs(s.outputs)
		return d, nil
	}
	text, err := textOf(s.data)
	if err != nil {
		return nil, err
	}
	return parse(text)
}

// isQRText reports whether a text is from a QR code in the format UR or BBQr.
func isQRText(text string) bool {
	text = strings.ToLower(trim(text))
	return strings.HasPrefix(text, "ur:") || strings.HasPrefix(text, "b$")
}

// readOutputs reads the content of a crypto-account, crypto-output or crypto-hdkey.
func (d *draft) readOutputs(outputs []qrcodec.Output) {
	d.format = CryptoAccount
	if len(outputs) == 1 {
		d.name = outputs[0].Name
		switch o := outputs[0]; {
		case o.Descriptor != "":
			d.format = CryptoOutput
		case !o.Cosigner:
			d.format = CryptoHDKey
		}
	}
	for _, o := range outputs {
		before := len(d.accounts)
		switch {
		case o.Descriptor != "":
			d.group([]described{{text: o.Descriptor}})
		case len(o.Keys) == 1:
			d.readKey(o.Keys[0], o.Script)
		}
		for i := before; i < len(d.accounts) && len(o.Keys) == 1; i++ {
			d.accounts[i].names = []string{o.Name}
		}
	}
}
