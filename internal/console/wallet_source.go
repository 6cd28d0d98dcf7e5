package console

import (
	"bytes"
	"encoding/base64"
	"errors"
	"mime/multipart"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/qrscan"
	"github.com/specterd/specterd/internal/wallet"
	"github.com/specterd/specterd/internal/walletfile"
)

const (
	// maxGivenFiles is the maximum number of files of a new wallet.
	maxGivenFiles = 20
	// maxGivenSize is the maximum size of all files of a new wallet in bytes.
	maxGivenSize = 1 << 20
)

// givenFile is a file of a new wallet, which the forms contain until the wallet is created.
type givenFile struct {
	Name   string // empty for text that was pasted
	Data   []byte
	Format walletfile.Format // empty if the file is unreadable
	Script btc.Script
	Keys   []walletfile.NamedKey
	Wallet bool // whether the file describes a wallet, and not the key of one signer
}

// source returns the source of the file. The name of a scanned code names no device.
func (f givenFile) source(scanned string) walletfile.Source {
	if f.Name == scanned {
		return walletfile.FromBytes(f.Data)
	}
	return walletfile.FromFile(f.Name, f.Data)
}

// Hidden returns the value of the form field with the file.
func (f givenFile) Hidden() string {
	return base64.RawURLEncoding.EncodeToString([]byte(f.Name)) + "." + base64.RawURLEncoding.EncodeToString(f.Data)
}

// givenFromHidden returns the file of a form field.
func givenFromHidden(value string) (givenFile, error) {
	name, data, _ := strings.Cut(value, ".")
	n, err := base64.RawURLEncoding.DecodeString(name)
	d, err2 := base64.RawURLEncoding.DecodeString(data)
	if err != nil || err2 != nil || len(d) == 0 {
		return givenFile{}, fault.InvalidField("file", "was damaged on the way; choose it again")
	}
	return givenFile{Name: string(n), Data: d}, nil
}

// givenFiles returns the files of the form: the ones that were read before and are not left out,
// the uploaded ones, and the pasted text.
func (c *call) givenFiles() (files []givenFile, err error) {
	var problems []error
	for i, value := range c.form["data"] {
		if slices.Contains(c.form["omit"], strconv.Itoa(i)) {
			continue
		}
		f, err := givenFromHidden(value)
		files, problems = append(files, f), append(problems, err)
	}
	scanned := codesIn(c.form.Get("scanned"), c.look.T("QR code"))
	for _, header := range c.files("file") {
		f, isCode, err := c.uploaded(header)
		switch {
		case err != nil:
			problems = append(problems, err)
		case isCode:
			scanned = addCode(scanned, f.Name, string(f.Data))
		default:
			files = append(files, f)
		}
	}
	for _, s := range scanned {
		f, err := s.file(c.look)
		if problems = append(problems, err); err == nil {
			files = append(files, f)
		}
	}
	for _, text := range pastedTexts(c.form.Get("text")) {
		files = append(files, givenFile{Data: []byte(text)})
	}
	files = distinct(files)
	size := 0
	for _, f := range files {
		size += len(f.Data)
	}
	switch {
	case len(files) == 0 && len(problems) == 0:
		problems = append(problems, fault.InvalidField("file", "is required: choose a file, or paste a text").WithMessage("Choose a file, or paste a text."))
	case len(files) > maxGivenFiles:
		problems = append(problems, fault.InvalidField("file", "must be at most %d files", maxGivenFiles))
	case size > maxGivenSize:
		problems = append(problems, fault.InvalidField("file", "must be at most %d MiB in total", maxGivenSize>>20))
	default:
		return files, fault.JoinErrors(problems...)
	}
	return nil, fault.JoinErrors(problems...)
}

// uploaded returns an uploaded file. For a photo of a QR code, it returns the text of the code.
func (c *call) uploaded(header *multipart.FileHeader) (f givenFile, isCode bool, err error) {
	f.Name = wallet.FitName(path.Base(strings.ReplaceAll(header.Filename, `\`, "/")))
	if f.Data, err = readFile(header); err != nil || !isImage(f.Data) {
		return f, false, err
	}
	text, err := qrscan.Text(f.Data)
	f.Data = []byte(text)
	if found, ok := errors.AsType[*fault.Error](err); ok {
		err = fault.InvalidAs(found.Code, "file", "%s: %s", isolate+f.Name+popIsolate, c.look.fault(found))
	}
	return f, true, err
}

// keyText matches an extended public key with or without an origin.
var keyText = regexp.MustCompile(`^(\[[0-9A-Fa-f/hH']*\])?[A-Za-z]pub[1-9A-HJ-NP-Za-km-z]+$`)

// pastedTexts returns the files that a pasted text consists of: each key if there is one key in
// each line, and otherwise the whole text.
func pastedTexts(text string) []string {
	text = strings.TrimSpace(text)
	if text == "" {
		return nil
	}
	lines := strings.Fields(text)
	if slices.ContainsFunc(lines, func(line string) bool { return !keyText.MatchString(line) }) {
		return []string{text}
	}
	return lines
}

// distinct returns the files that are not empty, each once.
func distinct(files []givenFile) (out []givenFile) {
	for _, f := range files {
		same := func(other givenFile) bool { return bytes.Equal(bytes.TrimSpace(other.Data), bytes.TrimSpace(f.Data)) }
		if len(f.Data) > 0 && !slices.ContainsFunc(out, same) {
			out = append(out, f)
		}
	}
	return out
}

// readGiven reads each file on its own. It returns the readable ones, and one fault with the
// problems of the others. A private key is an error alone. The page does not repeat the others,
// nor the pasted text: a text that is unreadable may be a private key.
func (c *call) readGiven(files []givenFile) (readable []givenFile, err error) {
	c.form.Del("text")
	var problems []error
	private := false
	for _, f := range files {
		got, err := walletfile.FromBytes(f.Data).Read(walletfile.Options{Network: c.Wallets.Network()})
		if err == nil {
			f.Format, f.Script, f.Keys, f.Wallet = got.Format, got.Script, got.Keys, got.IsWallet()
			readable = append(readable, f)
			continue
		}
		private = private || errors.Is(err, btc.ErrPrivateKey)
		problems = append(problems, c.inGiven(err, f))
	}
	if private {
		return readable, errPrivateGiven
	}
	return readable, fault.JoinErrors(problems...)
}

// errPrivateGiven is returned for a file with a private key.
var errPrivateGiven = fault.New(fault.Invalid, btc.ErrPrivateKey.Code, "A private key or seed words were refused. Nothing was stored.")

// inGiven returns the problems of one file as problems of a field of the form.
func (c *call) inGiven(err error, f givenFile) error {
	found, ok := errors.AsType[*fault.Error](err)
	if !ok {
		return err
	}
	field := "file"
	if f.Name == "" {
		field = "text"
	}
	all := make([]error, len(found.Fields))
	for i, p := range found.Fields {
		message := p.Message
		if f.Name != "" {
			message = isolate + f.Name + popIsolate + " " + c.look.T(p.Message)
		}
		all[i] = fault.InvalidAs(found.Code, field, "%s", message)
	}
	return fault.JoinErrors(all...)
}

// plan returns the plan of a wallet from files, without its name and birthday.
func (c *call) givenPlan(files []givenFile) (wallet.Plan, error) {
	sources := make([]walletfile.Source, len(files))
	for i, f := range files {
		sources[i] = f.source(c.look.T("QR code"))
	}
	p := wallet.Plan{File: walletfile.FromFiles(sources), Script: c.form.Get("script")}
	if len(files) < 2 {
		return p, nil
	}
	required, err := strconv.Atoi(strings.TrimSpace(c.form.Get("signatures_required")))
	if err != nil || required < 1 || required > len(files) {
		return p, fault.InvalidField("signatures_required", "must be a number from 1 to the number of keys, %d", len(files)).
			WithMessage("State how many signatures a payment requires.")
	}
	p.SignaturesRequired = required
	return p, nil
}
